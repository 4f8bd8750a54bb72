//! The acknowledgements in a file of `acknowledged`, read again to be held against the log.

use anyhow::{Context as _, Result, bail, ensure};
use ceralacca_formats::acknowledgement::{AcknowledgedRecord, Acknowledgement, Level};
use ceralacca_formats::digest::{Blake3, ContentDigest, Sha256};
use ceralacca_formats::id::{Origin, UtcMillis};
use ceralacca_formats::leaf::{Leaf, Opening};
use serde::Deserialize;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The longest line: a checkpoint's note, or a path and two records.
const LINE_BYTES_MAX: u64 = 256 << 10;
/// The most acknowledgements before the checkpoint that covers them: far more than a batch has.
const BATCH_MAX: usize = 100_000;

#[derive(Deserialize)]
struct Line {
    sha256: Option<String>,
    id: Option<String>,
    time_ms: Option<u64>,
    #[serde(default)]
    repeated: bool,
    #[serde(default)]
    records: Vec<Record>,
    checkpoint: Option<String>,
}

#[derive(Deserialize)]
struct Record {
    leaf: String,
    opening: String,
    content_bytes: u64,
    content_sha256: String,
    content_blake3: String,
    metadata_sha256: String,
}

/// A file of acknowledgements, batch by batch.
pub struct Kept {
    input: BufReader<File>,
    path: PathBuf,
    number: u64,
}

impl Kept {
    /// Opens a file.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).with_context(|| format!("read {}", path.display()))?;
        Ok(Self {
            input: BufReader::new(file),
            path: path.to_owned(),
            number: 0,
        })
    }

    /// The acknowledgements that the next checkpoint covers; none at the end.
    pub fn next_batch(&mut self) -> Result<Option<Vec<Acknowledgement>>> {
        let mut batch: Vec<Acknowledgement> = Vec::new();
        loop {
            let Some(line) = self.line()? else {
                ensure!(
                    batch.is_empty(),
                    "{}: no checkpoint covers the last lines",
                    self.path.display()
                );
                return Ok(None);
            };
            if let Some(note) = line.checkpoint {
                let note: Arc<str> = note.into();
                for acknowledgement in &mut batch {
                    acknowledgement.checkpoint = Arc::clone(&note);
                }
                return Ok(Some(batch));
            }
            let number = self.number;
            let attempt = || format!("{}, line {number}", self.path.display());
            let acknowledgement = acknowledgement(line).with_context(attempt)?;
            ensure!(batch.len() < BATCH_MAX, "{}: no checkpoint", attempt());
            batch.push(acknowledgement);
        }
    }

    fn line(&mut self) -> Result<Option<Line>> {
        self.number += 1;
        let place = format!("{}, line {}", self.path.display(), self.number);
        let mut text = Vec::new();
        let mut input = self.input.by_ref().take(LINE_BYTES_MAX);
        input
            .read_until(b'\n', &mut text)
            .with_context(|| place.clone())?;
        if text.is_empty() {
            return Ok(None);
        }
        match serde_json::from_slice(&text) {
            Ok(line) => Ok(Some(line)),
            Err(_) => bail!("{place}: no acknowledgement"),
        }
    }
}

fn acknowledgement(line: Line) -> Result<Acknowledgement> {
    let id = line.id.context("no id")?;
    let origin = id.rsplit_once('/').map_or("", |(origin, _)| origin);
    let sha256 = line.sha256.as_deref().and_then(Sha256::from_hex);
    let records = line.records.iter().map(record);
    let acknowledgement = Acknowledgement {
        origin: Origin::try_from(origin)?,
        // The one level there is.
        level: Level::Local,
        time: UtcMillis::new(line.time_ms.context("no time_ms")?),
        received_sha256: sha256.context("no sha256")?,
        repeated: line.repeated,
        records: records
            .collect::<Option<_>>()
            .context("a malformed record")?,
        checkpoint: "".into(),
    };
    ensure!(
        acknowledgement.id() == id,
        "its id is not that of its records"
    );
    Ok(acknowledgement)
}

fn record(record: &Record) -> Option<AcknowledgedRecord> {
    let mut opening = [0; 32];
    hex::decode_to_slice(&record.opening, &mut opening).ok()?;
    Some(AcknowledgedRecord {
        leaf: Leaf::from_bytes(&hex::decode(&record.leaf).ok()?).ok()?,
        opening: Opening::from_bytes(opening),
        content: ContentDigest {
            bytes: record.content_bytes,
            sha256: Sha256::from_hex(&record.content_sha256)?,
            blake3: Blake3::from_hex(&record.content_blake3)?,
        },
        metadata_sha256: Sha256::from_hex(&record.metadata_sha256)?,
    })
}
