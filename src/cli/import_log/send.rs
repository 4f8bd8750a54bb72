//! Sends a log file or a part of one, and checks what is answered.

use super::plan::{Job, Part};
use super::{Checked, Item, Session};
use crate::cli::import::check;
use crate::cli::remote::{Pieces, RemoteError};
use crate::cli::v1::{self, import_log_request, import_log_response::What};
use anyhow::{Context as _, Error, anyhow};
use bytes::Bytes;
use ceralacca_formats::proof::ProvenRecord;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use tokio::sync::mpsc;

/// What is sent at a time, in bytes.
const PIECE_BYTES: usize = 256 << 10;

/// Why a part was not imported.
pub enum Failure {
    /// The file cannot be read.
    Unreadable(std::io::Error),
    /// The archive, or the way to it.
    Remote(RemoteError),
    /// The archive answered for something else.
    NotHeld(Error),
}

/// A part that is archived, with all its records.
pub struct Sent {
    /// The file.
    pub file: v1::ImportedLogFile,
    /// Its records.
    pub records: v1::ImportedRecords,
    proven: Vec<ProvenRecord>,
}

impl Sent {
    /// The acknowledgement of the file.
    pub fn acknowledgement(&self) -> v1::Acknowledgement {
        self.file.acknowledgement.clone().unwrap_or_default()
    }

    /// What it came to.
    pub fn facts(&self) -> v1::LogFileFacts {
        self.file.facts.clone().unwrap_or_default()
    }

    /// As it is written down.
    pub fn checked<'a>(&'a self, item: &'a Item) -> Checked<'a> {
        let acknowledgement = self.file.acknowledgement.as_ref();
        Checked {
            item,
            id: acknowledgement.map_or("", |a| a.id.as_str()),
            time_ms: acknowledgement.map_or(0, |a| a.time_ms),
            repeated: acknowledgement.is_some_and(|a| a.repeated),
            unclassified: acknowledgement.map_or("", |a| a.unclassified.as_str()),
            records: &self.proven,
        }
    }
}

/// Sends a part to its end.
pub async fn part(
    session: &Session<'_>,
    job: &Job,
    part: &Part,
    item: &Item,
) -> Result<Sent, Failure> {
    let (to, requests) = mpsc::channel(2);
    let asking = async {
        let answers = session.remote.import_log(requests).await;
        heard(session, item, answers.map_err(Failure::Remote)?).await
    };
    let (fed, answered) = tokio::join!(feed(session, job, part, to), asking);
    // What was sent before is not the whole, and the archive knows the digest of that.
    fed.map_err(Failure::Unreadable)?;
    answered
}

/// Sends start and bytes. The file is read on this thread: a piece takes the disk less time than the network.
async fn feed(
    session: &Session<'_>,
    job: &Job,
    part: &Part,
    to: mpsc::Sender<v1::ImportLogRequest>,
) -> std::io::Result<()> {
    let mut file = File::open(&job.path)?;
    file.seek(SeekFrom::Start(part.from))?;
    let mut rest = file.take(part.digest.bytes);
    let mut next = import_log_request::Part::Start(start(session, job, part));
    loop {
        let request = v1::ImportLogRequest { part: Some(next) };
        if to.send(request).await.is_err() {
            // The archive has an answer already: it says why.
            return Ok(());
        }
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        (&mut rest)
            .take(PIECE_BYTES as u64)
            .read_to_end(&mut piece)?;
        if piece.is_empty() {
            return Ok(());
        }
        session.voice.count(piece.len() as u64);
        next = import_log_request::Part::Chunk(piece.into());
    }
}

fn start(session: &Session<'_>, job: &Job, part: &Part) -> v1::ImportLogStart {
    let bytes32 = |digest: &[u8; 32]| Bytes::copy_from_slice(digest);
    let (file_bytes, file_sha256) = part.whole();
    let migration = job.migration.as_ref();
    v1::ImportLogStart {
        log: session.remote.log().to_owned(),
        name: job.name.clone(),
        format: job.format.name.to_owned(),
        date: job.date.clone(),
        sha256: bytes32(part.digest.sha256.as_bytes()),
        piece: part.offset().map(|offset| v1::LogPiece {
            number: part.number,
            offset,
            file_bytes,
            file_sha256: bytes32(file_sha256.as_bytes()),
        }),
        migration: migration.map(|migration| {
            let token = migration.token.as_ref().map(|(_, bytes)| bytes.clone());
            v1::LogMigration {
                declaration: migration.declaration,
                token: token.unwrap_or_default().into(),
            }
        }),
    }
}

/// Hears the answers to their end.
async fn heard(
    session: &Session<'_>,
    item: &Item,
    mut answers: Pieces<v1::ImportLogResponse>,
) -> Result<Sent, Failure> {
    let (mut file, mut proven) = (None, Vec::new());
    while let Some(answer) = answers.next().await.map_err(Failure::Remote)? {
        match answer.what {
            Some(What::File(imported)) => {
                proven = checked(session, item, &imported).map_err(Failure::NotHeld)?;
                file = Some(imported);
            }
            Some(What::Records(records)) if records.done => {
                let file = file.ok_or_else(|| not_held("its answer speaks of no file"))?;
                return Ok(Sent {
                    file,
                    records,
                    proven,
                });
            }
            Some(What::Records(_)) | None => {}
        }
    }
    let message = "the archive ended the import before its end";
    Err(Failure::Remote(RemoteError::later("STREAM_ENDED", message)))
}

fn not_held(why: &'static str) -> Failure {
    Failure::NotHeld(anyhow!(why))
}

/// Checks the acknowledgement of the file against our own digests, and under the log's key, if it is given.
fn checked(
    session: &Session<'_>,
    item: &Item,
    imported: &v1::ImportedLogFile,
) -> Result<Vec<ProvenRecord>, Error> {
    let acknowledgement = imported.acknowledgement.as_ref();
    let acknowledgement = acknowledgement.context("the archive's answer is empty")?;
    let records = check::acknowledgement(item, acknowledgement, &session.origin);
    let records =
        records.with_context(|| format!("acknowledgement of {} does not hold", item.shown()))?;
    if let Some(key) = &session.key {
        check::checkpoint(&imported.checkpoint, key, &records)?;
    }
    Ok(records)
}
