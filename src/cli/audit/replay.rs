//! `audit leaves`: the whole log once more, from its leaves to its root.

use super::super::remote;
use super::super::{Answer, show};
use super::{Common, Verified, in_words, read_checkpoint, to_json};
use anyhow::{Context as _, Result, anyhow, ensure};
use ceralacca_formats::checkpoint::Checkpoint;
use ceralacca_formats::leaf::{LEAF_BYTES, Leaf};
use ceralacca_formats::note::VerifierKey;
use ceralacca_formats::tree::{CompactRange, LeafHash};
use serde_json::json;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// What `audit leaves` is told.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Where the leaves are kept, 64 bytes each; one that is there is checked and continued
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Up to a checkpoint you hold, instead of the last one
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// Leaves read from a file at a time, in bytes.
const PIECE_BYTES: usize = 256 << 10;

/// A tree under construction, and the file of its leaves.
struct Copy {
    tree: CompactRange,
    file: Option<File>,
    path: PathBuf,
    /// Why leaves are none: the first of them.
    flaw: Option<anyhow::Error>,
}

impl Copy {
    /// The leaves that are in the file; a torn one at its end is cut off.
    fn open(path: Option<&Path>) -> Result<Self> {
        let mut copy = Self {
            tree: CompactRange::default(),
            file: None,
            path: path.unwrap_or(Path::new("")).to_owned(),
            flaw: None,
        };
        let Some(path) = path else {
            return Ok(copy);
        };
        let attempt = || format!("read leaves {}", path.display());
        let mut options = File::options();
        let file = options.read(true).write(true).create(true).truncate(false);
        let mut file = file.open(path).with_context(attempt)?;
        let length = file.metadata().with_context(attempt)?.len();
        let whole = length - length % LEAF_BYTES as u64;
        let mut reader = BufReader::with_capacity(PIECE_BYTES, &mut file).take(whole);
        let mut piece = vec![0; PIECE_BYTES];
        let mut left = whole;
        while left > 0 {
            let take = left.min(PIECE_BYTES as u64) as usize;
            let Some(bytes) = piece.get_mut(..take) else {
                break;
            };
            reader.read_exact(bytes).with_context(attempt)?;
            copy.push(bytes);
            left -= take as u64;
        }
        file.set_len(whole).with_context(attempt)?;
        file.seek(SeekFrom::Start(whole)).with_context(attempt)?;
        copy.file = Some(file);
        Ok(copy)
    }

    fn push(&mut self, leaves: &[u8]) {
        for bytes in leaves.chunks(LEAF_BYTES) {
            let index = self.tree.size().get();
            let said = Leaf::from_bytes(bytes).map_err(anyhow::Error::from);
            let said = said.and_then(|leaf| {
                ensure!(leaf.seq.get() == index, "says index {}", leaf.seq);
                Ok(())
            });
            if let Err(error) = said {
                let flaw = error.context(format!("leaf {index}"));
                self.flaw.get_or_insert(flaw);
            }
            self.tree.push(LeafHash::of(bytes), |_, _, _| {});
        }
    }

    fn write(&mut self, leaves: &[u8]) -> Result<()> {
        let written = self
            .file
            .as_mut()
            .map_or(Ok(()), |file| file.write_all(leaves));
        written.with_context(|| format!("write {}", self.path.display()))
    }

    fn size(&self) -> u64 {
        self.tree.size().get()
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<Answer> {
    let key = arguments.common.key()?;
    let held = arguments.checkpoint.as_deref();
    let held = held.map(|path| read_checkpoint(path, &key)).transpose()?;
    let mut copy = Copy::open(arguments.out.as_deref())?;
    let found = remote::run(replay(arguments, &key, held, &mut copy))?;
    if let Some(file) = &copy.file {
        file.sync_all()
            .with_context(|| format!("write {}", copy.path.display()))?;
    }
    let found = found.map(|(checkpoint, had)| {
        let size = copy.size();
        Verified {
            json: json!({
                "verified": true,
                "checkpoint": to_json(&checkpoint),
                "leaves": size,
                "fetched": size - had,
            }),
            lines: vec![
                format!("{size} leaves, {} of them fetched now.", size - had),
                format!("VERIFIED: they are all of {}.", in_words(&checkpoint)),
            ],
        }
    });
    arguments.common.conclude(found)
}

/// Fetches what is missing up to a checkpoint and compares the roots; the outer error says that it broke off.
async fn replay(
    arguments: &Arguments,
    key: &VerifierKey,
    held: Option<Checkpoint>,
    copy: &mut Copy,
) -> Result<Result<(Checkpoint, u64)>> {
    let had = copy.size();
    let remote = arguments.common.remote.connect().await?;
    let checkpoint = match held {
        Some(held) => held,
        None => {
            let note = remote.checkpoint_of(None).await?.note;
            match Checkpoint::open(note.as_bytes(), key) {
                Ok(checkpoint) => checkpoint,
                Err(error) => return Ok(Err(anyhow!(error).context("checkpoint of the answer"))),
            }
        }
    };
    let size = checkpoint.size().get();
    if had > size {
        return Ok(Err(anyhow!(
            "the file has {had} leaves, the checkpoint {size}: a rollback, or a file of another log"
        )));
    }
    if had < size {
        let bar = show::progress(size - had, "replaying");
        let mut pieces = remote.leaves(had, size).await?;
        while let Some(piece) = pieces.next().await? {
            let (first, leaves) = (copy.size(), &piece.leaves);
            let count = (leaves.len() / LEAF_BYTES) as u64;
            let fits = piece.first_index == first
                && leaves.len().is_multiple_of(LEAF_BYTES)
                && first + count <= size;
            if !fits {
                return Ok(Err(anyhow!("the leaves from {first} on came out of order")));
            }
            copy.push(leaves);
            copy.write(leaves)?;
            bar.inc(count);
        }
        bar.finish_and_clear();
    }
    Ok(compare(copy, checkpoint).map(|checkpoint| (checkpoint, had)))
}

fn compare(copy: &mut Copy, checkpoint: Checkpoint) -> Result<Checkpoint> {
    if let Some(flaw) = copy.flaw.take() {
        return Err(flaw);
    }
    let (found, size) = (copy.size(), checkpoint.size());
    ensure!(
        found == size.get(),
        "the leaves ended at {found} of {size}: run it again"
    );
    let (found, signed) = (copy.tree.root(), checkpoint.root());
    ensure!(
        found == signed,
        "the leaves have the root {found}, the checkpoint {signed}"
    );
    Ok(checkpoint)
}
