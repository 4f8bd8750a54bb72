//! That leaves and frontier give the root that the checkpoint signs.

use super::folder::Package;
use super::report::{Ended, Report};
use super::{Documents, FolderError, Given};
use ceralacca_formats::checkpoint::{claimed_origin, claimed_root, claimed_size};
use ceralacca_formats::id::TreeSize;
use ceralacca_formats::leaf::{LEAF_BYTES, Leaf};
use ceralacca_formats::oracle;
use ceralacca_formats::tree::{CompactRange, LeafHash, NodeHash, RootHash};

pub(super) const CHECKPOINT: &str = "checkpoint";
pub(super) const LEAVES: &str = "leaves.bin";
const FRONTIER: &str = "frontier.bin";
const SUBTREE: u64 = 1 << 16;
const SUBTREE_LEVEL: u8 = 16;
/// A size and at most 64 nodes.
const FRONTIER_BYTES_MAX: usize = 8 + 64 * 32;

pub(super) fn check(
    package: &Package,
    documents: &Documents,
    given: &Given<'_>,
    report: &mut Report,
) -> Result<(), FolderError> {
    let note = package.small(CHECKPOINT, 1 << 16)?.unwrap_or_default();
    let what = "the checkpoint is signed with the log's key";
    match &given.keys {
        None => report.add(
            "tree",
            what,
            Ended::NotChecked("no key was given".to_owned()),
        ),
        Some(keys) => {
            let opened = keys.open(&note).map(drop);
            report.result("tree", what, opened.map_err(|error| error.to_string()));
        }
    }
    let closing = &documents.closing;
    let said = claimed_origin(&note).as_ref() == Some(&documents.catalogue.origin)
        && claimed_size(&note) == Some(closing.size);
    let what = "the checkpoint is of this log, at the size of the closing leaf";
    report.tell("tree", what, said);
    let frontier = package.small(FRONTIER, FRONTIER_BYTES_MAX)?;
    let range = frontier.as_deref().and_then(range_of);
    let range = range.filter(|range| range.size().get() == closing.first.get());
    report.tell(
        "tree",
        "frontier.bin is that before the first leaf",
        range.is_some(),
    );
    let Some(range) = range else {
        return Ok(());
    };
    let mut walk = Walk::new(range);
    let mut rest: Vec<u8> = Vec::new();
    package.each(LEAVES, |piece| {
        rest.extend_from_slice(piece);
        let (leaves, _) = rest.as_chunks::<LEAF_BYTES>();
        leaves.iter().for_each(|leaf| walk.push(leaf));
        let whole = leaves.len() * LEAF_BYTES;
        rest.drain(..whole);
    })?;
    walk.end_subtree();
    if !rest.is_empty() || walk.range.size() != closing.size {
        walk.flaws
            .push("leaves.bin has another number of leaves".to_owned());
    }
    report.flaws(
        "tree",
        "leaves.bin has every leaf of the interval, in order",
        &walk.flaws,
    );
    let root = walk.range.root();
    let what = "leaves and frontier give the root of the checkpoint";
    report.tell("tree", what, claimed_root(&note) == Some(root));
    let what = "rs_merkle computes the same subtrees of 65536 leaves";
    report.flaws("tree", what, &walk.disagreements);
    Ok(())
}

fn range_of(frontier: &[u8]) -> Option<CompactRange> {
    let (size, nodes) = frontier.split_first_chunk::<8>()?;
    let (nodes, rest) = nodes.as_chunks::<32>();
    let nodes = nodes.iter().map(|node| NodeHash::from_bytes(*node));
    let size = TreeSize::new(u64::from_be_bytes(*size));
    CompactRange::new(size, nodes.collect()).filter(|_| rest.is_empty())
}

struct Walk {
    range: CompactRange,
    /// Leaf hashes since the last multiple of 65 536, or since the first leaf.
    hashes: Vec<LeafHash>,
    /// The root of the subtree just completed.
    completed: Option<RootHash>,
    flaws: Vec<String>,
    disagreements: Vec<String>,
}

impl Walk {
    fn new(range: CompactRange) -> Self {
        Self {
            range,
            hashes: Vec::new(),
            completed: None,
            flaws: Vec::new(),
            disagreements: Vec::new(),
        }
    }

    fn push(&mut self, octets: &[u8; LEAF_BYTES]) {
        let index = self.range.size().get();
        let is_leaf = Leaf::from_bytes(octets).is_ok_and(|leaf| leaf.seq.get() == index);
        if !is_leaf && self.flaws.len() < 100 {
            self.flaws
                .push(format!("leaf {index} is none, or says another index"));
        }
        let hash = LeafHash::of(octets);
        self.hashes.push(hash);
        let mut completed = None;
        self.range.push(hash, |level, _, node| {
            if level == SUBTREE_LEVEL {
                completed = Some(node.root());
            }
        });
        self.completed = completed;
        if (index + 1).is_multiple_of(SUBTREE) {
            self.end_subtree();
        }
    }

    /// A whole subtree is compared as it stands in the tree, the ends of the interval as trees of their own.
    fn end_subtree(&mut self) {
        if self.hashes.is_empty() {
            return;
        }
        let ours = match self.completed.take() {
            Some(root) if self.hashes.len() as u64 == SUBTREE => root,
            _ => {
                let mut alone = CompactRange::default();
                self.hashes
                    .iter()
                    .for_each(|hash| alone.push(*hash, |_, _, _| {}));
                alone.root()
            }
        };
        if oracle::root(&self.hashes) != Some(ours) {
            let end = self.range.size();
            self.disagreements
                .push(format!("another root of the subtree that ends at {end}"));
        }
        self.hashes.clear();
    }
}
