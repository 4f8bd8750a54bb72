//! Sends what was read, checks what is answered, and writes it down.
//!
//! ```text
//! read ─▶ batches, several in flight ─▶ SubmitStream ─▶ answers, in order ─▶ check ─▶ acknowledgements file
//!      └▶ large messages, one or two ─▶ Upload ─────▶ answer ─────────────▶ check ─┘
//! ```
//!
//! # Invariants
//! 1. A message leaves memory only once it is acknowledged, refused, or the import ends.
//! 2. Each has the SHA-256 of its bytes as client key: what is sent again after a lost connection is recognised,
//!    and recorded once.
//! 3. An acknowledgement that does not hold ends the import: the archive answered for something else.

use super::acknowledged::{Acknowledgements, Checked};
use super::read::{Item, Work};
use super::{Voice, check};
use crate::cli::remote::{Answered, Pieces, Remote, RemoteError, Verdict};
use crate::cli::v1::{self, submission_result::Outcome, upload_request::Part};
use anyhow::{Context as _, Error, Result, bail};
use bytes::Bytes;
use ceralacca_formats::note::VerifierKey;
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::collections::{BTreeMap, VecDeque};
use std::io::Read;
use std::time::Duration;
use tokio::sync::mpsc;

/// Batches without an answer.
const IN_FLIGHT_MAX: usize = 4;
/// Large messages at a time.
const UPLOADS_MAX: usize = 2;
/// Pieces of a large message, in bytes.
const PIECE_BYTES: usize = 256 << 10;
/// The first pause before trying again; each is twice the one before, up to the longest.
const PAUSE: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// What became of the messages that were sent.
#[derive(Default)]
pub struct Tally {
    /// Archived now.
    pub archived: u64,
    /// Recognised by the archive: recorded before under the same key.
    pub repeated: u64,
    /// Their bytes, of both.
    pub bytes: u64,
    /// Archived as received, not understood: by reason.
    pub unclassified: BTreeMap<String, u64>,
    /// Not archived: by reason.
    pub refused: BTreeMap<String, u64>,
    /// Could not be read a second time.
    pub unreadable: u64,
}

/// The sending side.
pub struct Sender<'a> {
    /// The archive.
    pub remote: &'a Remote,
    /// Its log's origin.
    pub origin: &'a str,
    /// The log's key, if it is given.
    pub key: Option<&'a VerifierKey>,
    /// Where acknowledgements go.
    pub acknowledgements: &'a mut Acknowledgements,
    /// What came of it.
    pub tally: &'a mut Tally,
    /// Where complaints go.
    pub voice: &'a Voice,
    /// How often in a row to try again.
    pub retries: u32,
    /// Failures since something was acknowledged.
    pub failures: u32,
}

/// A stream of batches under way.
struct Session {
    batches: mpsc::Sender<v1::SubmitBatchRequest>,
    answers: Pieces<v1::SubmitBatchResponse>,
}

impl Session {
    async fn next(session: Option<&mut Self>) -> Answered<Option<v1::SubmitBatchResponse>> {
        match session {
            Some(session) => session.answers.next().await,
            // Not asked for without a session.
            None => std::future::pending().await,
        }
    }
}

impl Sender<'_> {
    /// Sends until there is no more.
    pub async fn send(&mut self, mut works: mpsc::Receiver<Work>) -> Result<()> {
        let remote = self.remote;
        let mut pending: VecDeque<Vec<Item>> = VecDeque::new();
        let mut uploads = FuturesUnordered::new();
        let mut session: Option<Session> = None;
        let mut more = true;
        loop {
            if session.is_none() && !pending.is_empty() {
                match begin(remote, &pending).await {
                    Ok(begun) => session = Some(begun),
                    Err(error) => {
                        self.pause(error).await?;
                        continue;
                    }
                }
            }
            let takes = more && pending.len() < IN_FLIGHT_MAX && uploads.len() < UPLOADS_MAX;
            tokio::select! {
                biased;
                answer = Session::next(session.as_mut()), if session.is_some() && !pending.is_empty() => {
                    let left = match answer {
                        Ok(Some(answer)) => {
                            let batch = pending.pop_front().unwrap_or_default();
                            self.settle(batch, &answer).await?
                        }
                        Ok(None) => {
                            session = None;
                            self.pause(ended_early()).await?;
                            Vec::new()
                        }
                        Err(error) => {
                            session = None;
                            self.pause(error).await?;
                            Vec::new()
                        }
                    };
                    if !left.is_empty() {
                        enqueue(&mut session, remote, left, &mut pending);
                    }
                }
                Some((item, uploaded)) = uploads.next(), if !uploads.is_empty() => {
                    if let Some(item) = self.settle_upload(item, uploaded).await? {
                        uploads.push(upload(remote, item));
                    }
                }
                work = works.recv(), if takes => match work {
                    None => more = false,
                    Some(Work::Batch(batch)) => enqueue(&mut session, remote, batch, &mut pending),
                    Some(Work::Large(item)) => uploads.push(upload(remote, item)),
                },
                else => break,
            }
        }
        Ok(())
    }

    /// Waits before trying again; an error when that makes no sense, or no more.
    async fn pause(&mut self, error: RemoteError) -> Result<()> {
        if error.verdict != Verdict::Later || self.failures >= self.retries {
            return Err(Error::new(error));
        }
        let doubled = PAUSE.saturating_mul(1 << self.failures.min(16));
        self.failures += 1;
        tokio::time::sleep(doubled.min(PAUSE_MAX)).await;
        Ok(())
    }

    /// Takes the answer to a batch; what of it must be sent again.
    async fn settle(
        &mut self,
        batch: Vec<Item>,
        answer: &v1::SubmitBatchResponse,
    ) -> Result<Vec<Item>> {
        let (sent, answered) = (batch.len(), answer.results.len());
        if sent != answered {
            bail!("the archive answered {answered} of {sent} messages");
        }
        let mut again: Option<RemoteError> = None;
        let mut good = Vec::with_capacity(sent);
        let mut left = Vec::new();
        for (item, result) in batch.into_iter().zip(&answer.results) {
            match &result.outcome {
                Some(Outcome::Acknowledgement(acknowledgement)) => {
                    let records = check::acknowledgement(&item, acknowledgement, self.origin);
                    let records = records.with_context(|| not_held(&item))?;
                    good.push((item, acknowledgement, records));
                }
                Some(Outcome::Refusal(refusal)) => {
                    let error = RemoteError::from(refusal);
                    match error.verdict {
                        Verdict::Refused => self.refuse(&item, &error),
                        Verdict::Later | Verdict::Never => {
                            left.push(item);
                            // One that will never do ends it all.
                            let worse = error.verdict == Verdict::Never;
                            if again.is_none() || worse {
                                again = Some(error);
                            }
                        }
                    }
                }
                None => bail!("the archive's answer for a message is empty"),
            }
        }
        self.write_down(&good, &answer.checkpoint)?;
        if let Some(error) = again {
            self.pause(error).await?;
        }
        Ok(left)
    }

    /// Takes the answer to a large message; the message, if it must be sent again.
    async fn settle_upload(&mut self, item: Item, uploaded: Uploaded) -> Result<Option<Item>> {
        let error = match uploaded {
            Uploaded::Answered(answer) => {
                let acknowledgement = answer.acknowledgement.as_ref();
                let acknowledgement = acknowledgement.context("the archive's answer is empty")?;
                let records = check::acknowledgement(&item, acknowledgement, self.origin);
                let records = records.with_context(|| not_held(&item))?;
                let good = [(item, acknowledgement, records)];
                self.write_down(&good, &answer.checkpoint)?;
                return Ok(None);
            }
            Uploaded::Unreadable(error) => {
                self.tally.unreadable += 1;
                self.voice
                    .say(&format!("not read: {}: {error}", item.shown()));
                return Ok(None);
            }
            Uploaded::Failed(error) => error,
        };
        if error.verdict == Verdict::Refused {
            self.refuse(&item, &error);
            return Ok(None);
        }
        self.pause(error).await?;
        Ok(Some(item))
    }

    fn refuse(&mut self, item: &Item, error: &RemoteError) {
        let reason = error.reason.clone();
        *self.tally.refused.entry(reason).or_default() += 1;
        self.voice
            .say(&format!("refused: {}: {error}", item.shown()));
    }

    fn write_down(
        &mut self,
        good: &[(Item, &v1::Acknowledgement, Vec<super::ProvenRecord>)],
        checkpoint: &str,
    ) -> Result<()> {
        if good.is_empty() {
            return Ok(());
        }
        if let Some(key) = self.key {
            let records = good.iter().flat_map(|(_, _, records)| records);
            check::checkpoint(checkpoint, key, records)?;
        }
        let checked = good.iter().map(|(item, answer, records)| Checked {
            item,
            id: &answer.id,
            time_ms: answer.time_ms,
            repeated: answer.repeated,
            unclassified: &answer.unclassified,
            records,
        });
        let checked: Vec<_> = checked.collect();
        self.acknowledgements.append(&checked, checkpoint)?;
        self.failures = 0;
        for (item, answer, _) in good {
            match answer.repeated {
                true => self.tally.repeated += 1,
                false => self.tally.archived += 1,
            }
            self.tally.bytes += item.digest.bytes;
            if !answer.unclassified.is_empty() {
                let reason = answer.unclassified.clone();
                *self.tally.unclassified.entry(reason).or_default() += 1;
            }
        }
        let bytes = good.iter().map(|(item, ..)| item.digest.bytes);
        self.voice.count(bytes.sum());
        Ok(())
    }
}

fn not_held(item: &Item) -> String {
    format!("acknowledgement of {} does not hold", item.shown())
}

fn ended_early() -> RemoteError {
    RemoteError::later("STREAM_ENDED", "the archive ended the stream")
}

fn request(log: &str, batch: &[Item]) -> v1::SubmitBatchRequest {
    let items = batch.iter().map(|item| v1::SubmissionItem {
        client_key: client_key(item),
        what: Some(v1::submission_item::What::Object(v1::Object {
            content: item.bytes.clone(),
            declared: v1::Declared::Unspecified.into(),
        })),
    });
    v1::SubmitBatchRequest {
        log: log.to_owned(),
        items: items.collect(),
        options: None,
    }
}

fn client_key(item: &Item) -> Bytes {
    Bytes::copy_from_slice(item.digest.sha256.as_bytes())
}

/// A stream in which all that waits for an answer is sent first.
async fn begin(remote: &Remote, pending: &VecDeque<Vec<Item>>) -> Answered<Session> {
    let (batches, requests) = mpsc::channel(IN_FLIGHT_MAX);
    for batch in pending {
        // There is room for as many as may be in flight.
        let _ = batches.try_send(request(remote.log(), batch));
    }
    let answers = remote.submit(requests).await?;
    Ok(Session { batches, answers })
}

/// Sends a batch on the stream, if there is one; one that takes no more is begun anew.
fn enqueue(
    session: &mut Option<Session>,
    remote: &Remote,
    batch: Vec<Item>,
    pending: &mut VecDeque<Vec<Item>>,
) {
    let request = request(remote.log(), &batch);
    let sent = session
        .as_ref()
        .is_none_or(|session| session.batches.try_send(request).is_ok());
    pending.push_back(batch);
    if !sent {
        *session = None;
    }
}

/// What came of an upload.
enum Uploaded {
    Answered(v1::SubmitResponse),
    Failed(RemoteError),
    Unreadable(std::io::Error),
}

async fn upload(remote: &Remote, item: Item) -> (Item, Uploaded) {
    let (to, pieces) = mpsc::channel(2);
    let feeding = feed(&item, remote.log(), to);
    let (fed, answered) = tokio::join!(feeding, remote.upload(pieces));
    let uploaded = match (fed, answered) {
        // What was sent before is not the whole, and the archive knows the digest of that.
        (Err(error), _) => Uploaded::Unreadable(error),
        (Ok(()), Ok(answer)) => Uploaded::Answered(answer),
        (Ok(()), Err(error)) => Uploaded::Failed(error),
    };
    (item, uploaded)
}

/// Reads a large message on this thread: a piece takes the disk less time than the network.
async fn feed(item: &Item, log: &str, to: mpsc::Sender<v1::UploadRequest>) -> std::io::Result<()> {
    let mut input = item.open()?;
    let start = Part::Start(v1::UploadStart {
        log: log.to_owned(),
        client_key: client_key(item),
        declared: v1::Declared::Unspecified.into(),
        options: None,
        sha256: client_key(item),
    });
    let mut part = start;
    loop {
        let sent = to.send(v1::UploadRequest { part: Some(part) }).await;
        if sent.is_err() {
            // The archive has an answer already: it says why.
            return Ok(());
        }
        // A message of an mbox is read line by line, and would go out so.
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        input
            .by_ref()
            .take(PIECE_BYTES as u64)
            .read_to_end(&mut piece)?;
        if piece.is_empty() {
            return Ok(());
        }
        part = Part::Chunk(piece.into());
    }
}
