//! The evidence record of a package: one token over all that it holds (RFC 4998).
//!
//! ```text
//! evidence-tree.bin   the hash tree: a group for each object (its octets and its opening, by leaf index), a group for
//!                     each log file, and last the group of the package
//! evidence.tst        the token over its root
//! package.ers         the record of the package group
//! ```
//! Records of the other groups are cut when they are asked for. The opening beside each object makes its leaf hiding:
//! siblings that are handed out say nothing of what they are of. The package group holds what outlives every class.

use super::SealError;
use super::folder::Folder;
use super::scan::Scan;
use super::stamps;
use ceralacca_evidence::Stamper;
use ceralacca_evidence::ers::{
    EvidenceRecord, Hash, TreeError, TreeFile, TreeWriter, file_id, group_hash,
};
use ceralacca_formats::catalogue::Entry;
use ceralacca_formats::digest::Sha256;
use ceralacca_pec::DigestAlgorithm;

pub(super) const TREE: &str = "evidence-tree.bin";
pub(super) const STAMP: &str = "evidence";
pub(super) const RECORD: &str = "package.ers";
const SHA256: DigestAlgorithm = DigestAlgorithm::Sha256;
pub(super) const RECORD_BYTES_MAX: usize = 16 << 20;

/// The files of the package group: what names nobody, and outlives every class.
pub(super) const PACKAGE_GROUP: [&str; 6] = [
    "PIndex.xml.p7m",
    "checkpoint",
    "checkpoint.tst",
    "contents.json",
    super::tree::FRONTIER,
    super::tree::LEAVES,
];

fn hash(digest: &Sha256) -> Result<Hash, SealError> {
    let hash = Hash::from_bytes(SHA256, digest.as_bytes());
    hash.ok_or(SealError::Corrupt("a digest"))
}

pub(super) fn tree_failed(error: TreeError<SealError>) -> SealError {
    match error {
        TreeError::Storage(error) => error,
        other => SealError::Evidence(other.to_string()),
    }
}

/// Writes the tree, and gives its root.
pub(super) fn write_tree(
    scan: &Scan<'_>,
    folder: &Folder,
    logs: &[Entry],
    package: &[Entry],
) -> Result<Hash, SealError> {
    let mut file = folder.plain(TREE)?;
    let sink = |bytes: &[u8]| file.write(bytes).map_err(SealError::from);
    let mut writer = TreeWriter::new(SHA256, sink).map_err(tree_failed)?;
    scan.groups(|group| {
        let [object, opening] = group.digests;
        let documents = [hash(&object)?, hash(&opening)?];
        let group_hash = group_hash(&documents).ok_or(SealError::Corrupt("a group"))?;
        let pushed = writer.push(group.index.get(), group_hash);
        pushed.map_err(tree_failed)
    })?;
    // Ids of files descend from the end: the last file first, the package last of all.
    for (number, entry) in (1u32..).zip(logs).collect::<Vec<_>>().into_iter().rev() {
        let pushed = writer.push(file_id(number), hash(&entry.sha256)?);
        pushed.map_err(tree_failed)?;
    }
    let documents: Result<Vec<Hash>, _> = package.iter().map(|entry| hash(&entry.sha256)).collect();
    let group = group_hash(&documents?).ok_or(SealError::Corrupt("the package group"))?;
    writer.push(file_id(0), group).map_err(tree_failed)?;
    let (_, root) = writer.finish().map_err(tree_failed)?;
    file.finish()?;
    Ok(root)
}

/// Stamps the root, and cuts the record of the package.
pub(super) fn write_record(
    scan: &Scan<'_>,
    folder: &Folder,
    root: &Hash,
    package: &[Entry],
    stamper: &dyn Stamper,
) -> Result<Entry, SealError> {
    let mut digest = [0; 32];
    for (to, from) in digest.iter_mut().zip(root.as_bytes()) {
        *to = *from;
    }
    stamps::stamp(folder, STAMP, Sha256::from_bytes(digest), stamper)?;
    let token = folder.read(&format!("{STAMP}.tst"), RECORD_BYTES_MAX)?;
    let token = token.ok_or(SealError::Corrupt("the token of the evidence record"))?;
    let documents: Result<Vec<Hash>, _> = package.iter().map(|entry| hash(&entry.sha256)).collect();
    let record = cut(scan, folder, file_id(0), &documents?, &token)?;
    Ok(folder.write(RECORD, &record.to_der())?)
}

/// The record of one group.
fn cut(
    scan: &Scan<'_>,
    folder: &Folder,
    id: u64,
    documents: &[Hash],
    token: &[u8],
) -> Result<EvidenceRecord, SealError> {
    let secrets = scan.secrets();
    let reader = folder.open(TREE, &secrets)?;
    let mut reader = reader.ok_or(SealError::Corrupt("the tree of the evidence record"))?;
    let bytes = reader.bytes();
    let mut read_at =
        |offset: u64, bytes: usize| reader.read_at(offset, bytes).map_err(SealError::from);
    let tree = TreeFile::open(bytes, &mut read_at).map_err(tree_failed)?;
    let reduced = tree.reduced(id, documents, &mut read_at);
    let reduced = reduced.map_err(tree_failed)?;
    let record = EvidenceRecord::new(reduced, token);
    record.map_err(|error| SealError::Evidence(error.to_string()))
}
