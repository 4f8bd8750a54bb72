//! Reads what is to be imported, on a thread of its own, into batches of bounded size.
//!
//! # Invariants
//! 1. In memory is one batch being filled and what waits in the channel; a large message is read twice, once for its
//!    digest and once to be sent, and is never in memory.
//! 2. What cannot be read is told and counted, and stops nothing.

use super::acknowledged::Known;
use super::mbox::{Mbox, SEPARATOR};
use super::walk::{Flow, Met, Place, walk};
use super::{Voice, show};
use bytes::Bytes;
use ceralacca_formats::digest::{ContentDigest, ContentHasher};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Result, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use tokio::sync::mpsc;

/// The largest message that goes in a batch, in bytes.
const INLINE_BYTES_MAX: u64 = 1 << 20;
/// A batch has at most so many messages,
const BATCH_ITEMS_MAX: usize = 128;
/// and so many bytes: with the message that passes the mark it is well below what a service takes in.
const BATCH_BYTES: usize = 2 << 20;
/// What is read at a time of a large message, in bytes.
const PIECE_BYTES: usize = 256 << 10;

/// A message.
pub struct Item {
    /// The file, as it is shown and recognised.
    pub path: String,
    /// Offset of its separator, in an mbox.
    pub offset: Option<u64>,
    /// Length and digests.
    pub digest: ContentDigest,
    /// The file.
    file: PathBuf,
    /// Its bytes; empty where it is large.
    pub bytes: Bytes,
}

impl Item {
    /// Opens it again, to be read in pieces.
    pub fn open(&self) -> Result<Box<dyn Read>> {
        let mut file = File::open(&self.file)?;
        let Some(offset) = self.offset else {
            return Ok(Box::new(file));
        };
        file.seek(SeekFrom::Start(offset))?;
        let mut mbox = Mbox::new(BufReader::with_capacity(PIECE_BYTES, file), offset)?;
        mbox.next_message()?;
        Ok(Box::new(mbox))
    }

    /// A file, or a part of one, that is acknowledged as this and sent by others.
    pub fn named(path: String, offset: Option<u64>, digest: ContentDigest, file: PathBuf) -> Self {
        Self {
            path,
            offset,
            digest,
            file,
            bytes: Bytes::new(),
        }
    }

    #[cfg(test)]
    pub fn in_memory(path: &str, bytes: &'static [u8]) -> Self {
        Self {
            path: path.to_owned(),
            offset: None,
            digest: ContentDigest::of(bytes),
            file: path.into(),
            bytes: Bytes::from_static(bytes),
        }
    }

    /// Its name for people.
    pub fn shown(&self) -> String {
        let path = show::printable(&self.path);
        match self.offset {
            None => path,
            Some(offset) => format!("{path} at {offset}"),
        }
    }
}

/// What is sent at once.
pub enum Work {
    /// Messages in memory.
    Batch(Vec<Item>),
    /// One that is too large for a batch.
    Large(Item),
}

/// What was read and not sent.
#[derive(Default)]
pub struct Tally {
    /// Acknowledged in the file already.
    pub skipped: u64,
    /// Links, devices, other files of Maildirs.
    pub ignored: u64,
    /// Files and folders that cannot be read.
    pub unreadable: u64,
}

/// Reads on, and hands over.
pub struct Reader {
    /// What need not be sent.
    pub known: Known,
    /// A file that is not imported: that of the acknowledgements.
    pub own: (u64, u64),
    /// To whom.
    pub to: mpsc::Sender<Work>,
    /// Where complaints go.
    pub voice: Voice,
}

struct Reading {
    reader: Reader,
    batch: Vec<Item>,
    batch_bytes: usize,
    tally: Tally,
}

impl Reader {
    /// Reads everything under these paths, or until nobody takes it any more.
    pub fn read(self, paths: &[PathBuf]) -> Tally {
        let mut reading = Reading {
            reader: self,
            batch: Vec::new(),
            batch_bytes: 0,
            tally: Tally::default(),
        };
        let walked = paths
            .iter()
            .try_for_each(|path| walk(path, &mut |met| reading.meet(met)));
        if walked.is_continue() {
            // Whoever takes it says why no more.
            let _ = reading.flush();
        }
        reading.tally
    }
}

impl Reading {
    fn meet(&mut self, met: Met<'_>) -> Flow {
        let result = match met {
            Met::Ignored => {
                self.tally.ignored += 1;
                return Flow::Continue(());
            }
            Met::Unreadable(path, error) => (path, Err(error)),
            Met::File(path, place) => (path, self.file(path, place)),
        };
        match result {
            (_, Ok(flow)) => flow,
            (path, Err(error)) => {
                self.tally.unreadable += 1;
                self.reader
                    .voice
                    .say(&format!("not read: {}: {error}", path.display()));
                Flow::Continue(())
            }
        }
    }

    fn file(&mut self, path: &Path, place: Place) -> Result<Flow> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if (metadata.dev(), metadata.ino()) == self.reader.own {
            self.tally.ignored += 1;
            return Ok(Flow::Continue(()));
        }
        let name = path.to_string_lossy();
        let mut input = BufReader::with_capacity(PIECE_BYTES, file);
        if place == Place::Maildir || !input.fill_buf()?.starts_with(SEPARATOR) {
            let item = self.take(path, &name, None, &mut input)?;
            return Ok(self.hand_over(item));
        }
        let mut mbox = Mbox::new(input, 0)?;
        while let Some(offset) = mbox.next_message()? {
            let item = self.take(path, &name, Some(offset), &mut mbox)?;
            if self.hand_over(item).is_break() {
                return Ok(Flow::Break(()));
            }
        }
        Ok(Flow::Continue(()))
    }

    /// Reads one message to its end.
    fn take(
        &self,
        file: &Path,
        name: &str,
        offset: Option<u64>,
        input: &mut dyn Read,
    ) -> Result<Item> {
        let mut bytes = Vec::new();
        let mut hasher = ContentHasher::default();
        (&mut *input)
            .take(INLINE_BYTES_MAX + 1)
            .read_to_end(&mut bytes)?;
        hasher.update(&bytes);
        if bytes.len() as u64 > INLINE_BYTES_MAX {
            loop {
                bytes.clear();
                (&mut *input)
                    .take(PIECE_BYTES as u64)
                    .read_to_end(&mut bytes)?;
                if bytes.is_empty() {
                    break;
                }
                hasher.update(&bytes);
            }
            bytes = Vec::new();
        }
        Ok(Item {
            path: name.to_owned(),
            offset,
            digest: hasher.finish(),
            file: file.to_owned(),
            bytes: bytes.into(),
        })
    }

    fn hand_over(&mut self, item: Item) -> Flow {
        let ContentDigest { bytes, sha256, .. } = &item.digest;
        if self
            .reader
            .known
            .has(&item.path, item.offset, *bytes, sha256)
        {
            self.tally.skipped += 1;
            self.reader.voice.count(*bytes);
            return Flow::Continue(());
        }
        if *bytes > INLINE_BYTES_MAX {
            return self.send(Work::Large(item));
        }
        self.batch_bytes += item.bytes.len();
        self.batch.push(item);
        if self.batch.len() >= BATCH_ITEMS_MAX || self.batch_bytes >= BATCH_BYTES {
            return self.flush();
        }
        Flow::Continue(())
    }

    fn flush(&mut self) -> Flow {
        let batch = std::mem::take(&mut self.batch);
        self.batch_bytes = 0;
        match batch.is_empty() {
            true => Flow::Continue(()),
            false => self.send(Work::Batch(batch)),
        }
    }

    fn send(&self, work: Work) -> Flow {
        match self.reader.to.blocking_send(work) {
            Ok(()) => Flow::Continue(()),
            Err(_) => Flow::Break(()),
        }
    }
}
