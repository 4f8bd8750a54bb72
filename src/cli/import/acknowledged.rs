//! The file of acknowledgements: what the archive answered, and what need not be sent again.
//!
//! ```text
//! {"path":"a.eml","offset":null,"bytes":13250,"sha256":"…","id":"origin/7","time_ms":…,"repeated":false,
//!  "unclassified":null,"records":[{"index":7,"kind":"receipt","class":"receipt","leaf":"…","opening":"…",
//!  "content_bytes":13250,"content_sha256":"…","content_blake3":"…","metadata_sha256":"…"},…]}
//! {"checkpoint":"note"}                                    covers every line before it
//! ```
//! JSON Lines. `offset` is that of the separator in an mbox. Beside the members of docs/formats.md 9 a line has
//! what names the file.
//!
//! # Invariants
//! 1. A line is written only after the acknowledgement was checked ([`super::check`]).
//! 2. A line that was cut is no line: it is taken away at the next start, and its message sent again, which the
//!    archive recognises by its client key.
//! 3. All lines are of one log. Another file is not touched.
//! 4. Openings let others test guesses: the file is its owner's alone.

use super::read::Item;
use anyhow::{Context as _, Result, bail, ensure};
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::proof::ProvenRecord;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The longest line: a checkpoint's note, or a path and two records.
const LINE_BYTES_MAX: u64 = 256 << 10;

/// What is known to be archived: forty bytes a line, and what a table costs.
#[derive(Default)]
pub struct Known(HashMap<[u8; 8], [u8; 32]>);

impl Known {
    fn key(path: &str, offset: Option<u64>, bytes: u64) -> [u8; 8] {
        let place = offset.map_or([0xff; 8], u64::to_be_bytes);
        let digest = Sha256::of_parts(&[&bytes.to_be_bytes(), &place, path.as_bytes()]);
        let mut key = [0; 8];
        for (to, from) in key.iter_mut().zip(digest.as_bytes()) {
            *to = *from;
        }
        key
    }

    /// Whether this very message has a line. Two places under one short key cost a repeated submission; the digest
    /// is whole, so that nothing is taken for archived that is not.
    pub fn has(&self, path: &str, offset: Option<u64>, bytes: u64, sha256: &Sha256) -> bool {
        let known = self.0.get(&Self::key(path, offset, bytes));
        known == Some(sha256.as_bytes())
    }
}

/// The file, held by this process alone.
pub struct Acknowledgements {
    file: File,
    path: PathBuf,
    checkpoint: String,
}

/// What is needed of a line to go on.
#[derive(Deserialize)]
struct KnownLine {
    path: Option<String>,
    offset: Option<u64>,
    bytes: Option<u64>,
    sha256: Option<String>,
    id: Option<String>,
    checkpoint: Option<String>,
}

#[derive(Serialize)]
struct Line<'a> {
    path: &'a str,
    offset: Option<u64>,
    bytes: u64,
    sha256: String,
    id: &'a str,
    time_ms: u64,
    repeated: bool,
    unclassified: Option<&'a str>,
    records: Vec<RecordLine>,
}

#[derive(Serialize)]
struct RecordLine {
    index: u64,
    kind: &'static str,
    class: &'static str,
    leaf: String,
    opening: String,
    content_bytes: u64,
    content_sha256: String,
    content_blake3: String,
    metadata_sha256: String,
}

#[derive(Serialize)]
struct CheckpointLine<'a> {
    checkpoint: &'a str,
}

/// An acknowledgement that was checked.
pub struct Checked<'a> {
    /// The message.
    pub item: &'a Item,
    /// Origin, slash, index.
    pub id: &'a str,
    /// When it was sequenced, in milliseconds since 1970.
    pub time_ms: u64,
    /// Recorded before.
    pub repeated: bool,
    /// Why it was not understood; empty otherwise.
    pub unclassified: &'a str,
    /// Its records.
    pub records: &'a [ProvenRecord],
}

impl Acknowledgements {
    /// Opens the file, or makes it, and reads what is in it.
    pub fn open(path: &Path, origin: &str) -> Result<(Self, Known)> {
        let attempt = || format!("acknowledgements {}", path.display());
        let mut options = File::options();
        let options = options.read(true).write(true).create(true).truncate(false);
        let mut file = options.mode(0o600).open(path).with_context(attempt)?;
        ensure!(
            file.metadata().with_context(attempt)?.is_file(),
            "{} is not a file",
            path.display()
        );
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                bail!("{} is in use by another import", path.display())
            }
            Err(TryLockError::Error(error)) => return Err(error).with_context(attempt),
        }
        let mut known = Known::default();
        let end = read_known(&file, origin, &mut known).with_context(attempt)?;
        file.set_len(end)
            .and_then(|()| file.seek(SeekFrom::Start(end)))
            .with_context(attempt)?;
        let opened = Self {
            file,
            path: path.to_owned(),
            checkpoint: String::new(),
        };
        Ok((opened, known))
    }

    /// Device and number of the file, so that it does not import itself.
    pub fn identity(&self) -> Result<(u64, u64)> {
        let metadata = self.file.metadata();
        let metadata = metadata.with_context(|| self.attempt())?;
        Ok((metadata.dev(), metadata.ino()))
    }

    /// Appends the acknowledgements of a batch and the checkpoint that covers them.
    pub fn append(&mut self, checked: &[Checked<'_>], checkpoint: &str) -> Result<()> {
        let mut lines = Vec::new();
        for checked in checked {
            serde_json::to_writer(&mut lines, &line(checked))?;
            lines.push(b'\n');
        }
        if !checked.is_empty() && self.checkpoint != checkpoint {
            serde_json::to_writer(&mut lines, &CheckpointLine { checkpoint })?;
            lines.push(b'\n');
            checkpoint.clone_into(&mut self.checkpoint);
        }
        let written = self.file.write_all(&lines);
        written.with_context(|| self.attempt())
    }

    /// Makes durable what was appended.
    pub fn sync(&self) -> Result<()> {
        self.file.sync_all().with_context(|| self.attempt())
    }

    fn attempt(&self) -> String {
        format!("acknowledgements {}", self.path.display())
    }
}

fn line<'a>(checked: &'a Checked<'a>) -> Line<'a> {
    let records = checked.records.iter();
    let records = records.map(|record| RecordLine {
        index: record.leaf.seq.get(),
        kind: record.leaf.kind.word(),
        class: record.leaf.class.word(),
        leaf: hex::encode(record.leaf.to_bytes()),
        opening: hex::encode(record.opening.as_bytes()),
        content_bytes: record.content.bytes,
        content_sha256: record.content.sha256.to_string(),
        content_blake3: record.content.blake3.to_string(),
        metadata_sha256: record.metadata.sha256().to_string(),
    });
    let unclassified = Some(checked.unclassified);
    Line {
        path: &checked.item.path,
        offset: checked.item.offset,
        bytes: checked.item.digest.bytes,
        sha256: checked.item.digest.sha256.to_string(),
        id: checked.id,
        time_ms: checked.time_ms,
        repeated: checked.repeated,
        unclassified: unclassified.filter(|reason| !reason.is_empty()),
        records: records.collect(),
    }
}

/// Reads the lines; where the last whole one ends.
fn read_known(file: &File, origin: &str, known: &mut Known) -> Result<u64> {
    let mut input = BufReader::new(file);
    let (mut end, mut number) = (0u64, 0u64);
    let mut text = Vec::new();
    loop {
        text.clear();
        let read = input
            .by_ref()
            .take(LINE_BYTES_MAX)
            .read_until(b'\n', &mut text)?;
        number += 1;
        if !text.ends_with(b"\n") {
            // The end, or a line that was cut. The first line of some other file is neither.
            let ours = text.is_empty() || text.starts_with(b"{\"");
            ensure!(
                ours && (read as u64) < LINE_BYTES_MAX,
                "line {number} is no acknowledgement"
            );
            return Ok(end);
        }
        let line: Result<KnownLine, _> = serde_json::from_slice(&text);
        let line = line
            .ok()
            .filter(|line| line.id.is_some() || line.checkpoint.is_some());
        let Some(line) = line else {
            bail!("line {number} is no acknowledgement");
        };
        end = end.saturating_add(read as u64);
        let Some(id) = &line.id else { continue };
        let log = id.rsplit_once('/').map(|(log, _)| log);
        ensure!(
            log == Some(origin),
            "line {number} is of another log than {origin}: name another file"
        );
        let sha256 = line.sha256.as_deref().and_then(Sha256::from_hex);
        if let (Some(path), Some(bytes), Some(sha256)) = (line.path, line.bytes, sha256) {
            let key = Known::key(&path, line.offset, bytes);
            known.0.insert(key, *sha256.as_bytes());
        }
    }
}
