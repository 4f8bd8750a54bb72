//! `Submission`: one record, many, a stream of many, an upload.

use super::v1::submission_result::Outcome;
use super::v1::submission_server::Submission as Rpc;
use super::v1::{self, submission_item::What, upload_request::Part};
use super::{Service, convert, status};
use crate::access::{Permit, Submit};
use crate::ingest::{Ingest, Remarks, Settled, Submission, Ticket};
use ceralacca_formats::acknowledgement::Acknowledgement;
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::id::LeafIndex;
use futures_util::future::join_all;
use futures_util::stream::{BoxStream, StreamExt, try_unfold};
use prost::Message;
use std::sync::Arc;
use tokio::sync::mpsc;
use tonic::{Request, Response, Status, Streaming};

/// A trace record up to this size is prepared where it was received, in bytes; most have half a kilobyte.
const SMALL_TRACE_BYTES: usize = 8 << 10;
/// Pieces of an upload that may wait for its thread.
const PIECES_MAX: usize = 4;

/// A submission handed to the writer, and what its answer says beside the acknowledgement.
struct Sent {
    ticket: Ticket,
    remarks: Remarks,
}

/// Items handed over, in order: what was sent, or why not.
type SentItems = Vec<Result<Sent, Status>>;

#[tonic::async_trait]
impl Rpc for Service {
    async fn submit(
        &self,
        request: Request<v1::SubmitRequest>,
    ) -> Result<Response<v1::SubmitResponse>, Status> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let permit = self.permit::<Submit>(&caller, &request.log)?;
        let ingest = self.ingest(&permit)?;
        let item = request.item.ok_or_else(no_item)?;
        let sent = if is_small_trace(&item) {
            // Some twenty microseconds and a look into memory: to hand it to another thread costs more.
            send(&ingest, item, false)?
        } else {
            let submitter = ingest.clone();
            let sending = move || send(&submitter, item, false);
            self.0.submits.run(sending).await?
        };
        let answer = self.answer(ingest, sent, request.options).await?;
        Ok(Response::new(answer))
    }

    async fn submit_batch(
        &self,
        request: Request<v1::SubmitBatchRequest>,
    ) -> Result<Response<v1::SubmitBatchResponse>, Status> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let permit = self.permit::<Submit>(&caller, &request.log)?;
        let ingest = self.ingest(&permit)?;
        let options = request.options;
        let sent = self.send_batch(&ingest, request.items, false).await?;
        Ok(Response::new(
            self.answer_batch(&ingest, sent, options).await,
        ))
    }

    type SubmitStreamStream = BoxStream<'static, Result<v1::SubmitBatchResponse, Status>>;

    async fn submit_stream(
        &self,
        request: Request<Streaming<v1::SubmitBatchRequest>>,
    ) -> Result<Response<Self::SubmitStreamStream>, Status> {
        let caller = self.caller(&request)?;
        let mut requests = request.into_inner();
        let first = tokio::time::timeout(self.0.limits.stream_idle, requests.message()).await;
        let Some(first) = first.map_err(|_| status::idle())?? else {
            return Ok(Response::new(futures_util::stream::empty().boxed()));
        };
        let permit = self.permit::<Submit>(&caller, &first.log)?;
        let ingest = self.ingest(&permit)?;
        let (named, log) = (first.log.clone(), permit.log().as_str().to_owned());
        // Batches are sent one after the other; their answers are waited for beside each other, and given in
        // order. A client that does not read stops its own stream and no other: what it sent is recorded, and
        // at most the batches in flight wait in memory. The first error ends the stream: what comes after it is
        // not recorded.
        let service = self.clone();
        let submitter = ingest.clone();
        let sent = try_unfold((Some(first), requests), move |(first, mut requests)| {
            let (service, ingest) = (service.clone(), submitter.clone());
            let (named, log) = (named.clone(), log.clone());
            async move {
                let batch = match first {
                    Some(first) => Some(first),
                    None => requests.message().await?,
                };
                let Some(batch) = batch else {
                    return Ok(None);
                };
                if !batch.log.is_empty() && batch.log != named && batch.log != log {
                    let message = "another log than the first request of the stream named";
                    return Err(status::invalid("log", "OTHER_LOG", message));
                }
                let sent = service.send_batch(&ingest, batch.items, true).await?;
                Ok(Some(((sent, batch.options), (None, requests))))
            }
        });
        let service = self.clone();
        let answers = sent
            .map(move |sent| {
                let (service, ingest) = (service.clone(), ingest.clone());
                async move {
                    let (sent, options) = sent?;
                    Ok(service.answer_batch(&ingest, sent, options).await)
                }
            })
            .buffered(self.0.limits.stream_batches_max);
        Ok(Response::new(answers.boxed()))
    }

    type ImportLogStream = BoxStream<'static, Result<v1::ImportLogResponse, Status>>;

    async fn import_log(
        &self,
        request: Request<Streaming<v1::ImportLogRequest>>,
    ) -> Result<Response<Self::ImportLogStream>, Status> {
        self.import(request).await
    }

    async fn upload(
        &self,
        request: Request<Streaming<v1::UploadRequest>>,
    ) -> Result<Response<v1::SubmitResponse>, Status> {
        let caller = self.caller(&request)?;
        let mut pieces = request.into_inner();
        let first = tokio::time::timeout(self.0.limits.stream_idle, pieces.message()).await;
        let first = first.map_err(|_| status::idle())??;
        let first = first.and_then(|message| message.part);
        let Some(Part::Start(start)) = first else {
            return Err(status::invalid(
                "part",
                "START_NEEDED",
                "the first message must be start",
            ));
        };
        let permit = self.permit::<Submit>(&caller, &start.log)?;
        let ingest = self.ingest(&permit)?;
        let options = start.options;
        let (to_thread, received) = mpsc::channel(PIECES_MAX);
        let submitter = ingest.clone();
        let taking = self
            .0
            .uploads
            .run(move || take_upload(&submitter, start, received));
        let idle = self.0.limits.stream_idle;
        let passing = async move {
            loop {
                let next = tokio::time::timeout(idle, pieces.message());
                let piece = match next.await {
                    Err(_) => return Err(status::idle()),
                    Ok(message) => message?,
                };
                let end = piece.is_none();
                let piece = match piece.map(|message| message.part) {
                    None => Piece::End,
                    Some(Some(Part::Chunk(chunk))) => Piece::Bytes(chunk),
                    Some(_) => {
                        let message = "after start, every message must be a chunk";
                        return Err(status::invalid("part", "CHUNK_NEEDED", message));
                    }
                };
                // The thread has an answer already: it says why.
                if to_thread.send(piece).await.is_err() || end {
                    return Ok(());
                }
            }
        };
        let (passed, taken) = tokio::join!(passing, taking);
        passed?;
        let answer = self.answer(ingest, taken?, options).await?;
        Ok(Response::new(answer))
    }
}

/// What an upload's thread is told.
enum Piece {
    Bytes(bytes::Bytes),
    End,
}

impl Service {
    pub(super) fn ingest(&self, permit: &Permit<Submit>) -> Result<Ingest, Status> {
        self.log(permit)?
            .ingest(permit)
            .map_err(|_| status::denied())
    }

    async fn send_batch(
        &self,
        ingest: &Ingest,
        items: Vec<v1::SubmissionItem>,
        wait: bool,
    ) -> Result<SentItems, Status> {
        let (found, limit) = (items.len(), self.0.limits.batch_items_max);
        if found > limit {
            return Err(status::over_limit("items", found as u64, limit as u64));
        }
        let submitter = ingest.clone();
        let sending = self.0.submits.run(move || {
            let items = items.into_iter();
            Ok(items.map(|item| send(&submitter, item, wait)).collect())
        });
        sending.await
    }

    /// Waits for the writer. Reads only where the submission was repeated, or its interval cut.
    async fn acknowledge(
        &self,
        ingest: &Ingest,
        ticket: Ticket,
    ) -> Result<Acknowledgement, Status> {
        let mut ticket = ticket;
        loop {
            let answered = ticket.answered().await.map_err(status::submit)?;
            let settled = if answered.is_recorded() {
                ingest.settle(answered).map_err(status::ingest)?
            } else {
                let ingest = ingest.clone();
                let settle = move || ingest.settle(answered).map_err(status::ingest);
                self.0.submits.run(settle).await?
            };
            match settled {
                Settled::Acknowledged(acknowledgement) => return Ok(*acknowledgement),
                Settled::Again(next) => ticket = next,
            }
        }
    }

    async fn answer(
        &self,
        ingest: Ingest,
        sent: Sent,
        options: Option<v1::AnswerOptions>,
    ) -> Result<v1::SubmitResponse, Status> {
        let acknowledgement = self.acknowledge(&ingest, sent.ticket).await?;
        let mut answer = convert::acknowledgement(&acknowledgement, &sent.remarks);
        self.add_details(&ingest, std::slice::from_mut(&mut answer), options)
            .await?;
        Ok(v1::SubmitResponse {
            acknowledgement: Some(answer),
            checkpoint: acknowledgement.checkpoint.to_string(),
        })
    }

    async fn answer_batch(
        &self,
        ingest: &Ingest,
        sent: SentItems,
        options: Option<v1::AnswerOptions>,
    ) -> v1::SubmitBatchResponse {
        // The newest checkpoint covers every record of the batch: sizes only grow.
        let mut newest: Option<(u64, Arc<str>)> = None;
        let mut results = Vec::with_capacity(sent.len());
        let waiting = sent.into_iter().map(|sent| async {
            let sent = sent?;
            let acknowledgement = self.acknowledge(ingest, sent.ticket).await?;
            Ok((acknowledgement, sent.remarks))
        });
        for result in join_all(waiting).await {
            let outcome: Result<_, Status> = match result {
                Err(status) => Err(status),
                Ok((acknowledgement, remarks)) => {
                    let size = acknowledgement
                        .records
                        .last()
                        .map_or(0, |r| r.leaf.seq.get());
                    if newest.as_ref().is_none_or(|(newest, _)| size >= *newest) {
                        newest = Some((size, Arc::clone(&acknowledgement.checkpoint)));
                    }
                    let mut answer = [convert::acknowledgement(&acknowledgement, &remarks)];
                    let detailed = self.add_details(ingest, &mut answer, options).await;
                    let [answer] = answer;
                    detailed.map(|()| answer)
                }
            };
            results.push(v1::SubmissionResult {
                outcome: Some(match outcome {
                    Ok(acknowledgement) => Outcome::Acknowledgement(acknowledgement),
                    Err(status) => Outcome::Refusal(status::refusal(&status)),
                }),
            });
        }
        v1::SubmitBatchResponse {
            results,
            checkpoint: newest.map_or_else(String::new, |(_, note)| note.to_string()),
        }
    }

    /// Adds canonical metadata and proofs where they are asked for.
    async fn add_details(
        &self,
        ingest: &Ingest,
        answers: &mut [v1::Acknowledgement],
        options: Option<v1::AnswerOptions>,
    ) -> Result<(), Status> {
        let Some(options) = options.filter(|options| options.metadata || options.proof) else {
            return Ok(());
        };
        for record in answers.iter_mut().flat_map(|answer| &mut answer.records) {
            let (ingest, index) = (ingest.clone(), LeafIndex::new(record.index));
            let detail = move || ingest.detail(index).map_err(status::ingest);
            let (metadata, proof) = self.0.reads.run(detail).await?;
            if options.metadata {
                record.metadata = metadata.into();
            }
            if options.proof {
                record.proof = proof;
            }
        }
        Ok(())
    }
}

/// Whether an item is prepared sooner than another thread wakes.
fn is_small_trace(item: &v1::SubmissionItem) -> bool {
    match &item.what {
        Some(What::Trace(record)) => record.encoded_len() <= SMALL_TRACE_BYTES,
        _ => false,
    }
}

fn no_item() -> Status {
    status::invalid("item", "ITEM_NEEDED", "nothing is submitted")
}

/// Prepares an item and hands it to the writer.
fn send(ingest: &Ingest, item: v1::SubmissionItem, wait: bool) -> Result<Sent, Status> {
    let client_key = convert::client_key(&item.client_key)?;
    let submission = match item.what.ok_or_else(no_item)? {
        What::Trace(record) => {
            let record = convert::trace(record)?;
            Submission::trace(ingest.trace_class(), record, client_key)
        }
        What::Object(object) => {
            let declared = convert::declared(object.declared)?;
            let submission = ingest.object(object.content.into(), declared, client_key);
            submission.map_err(status::ingest)?
        }
    };
    hand_over(ingest, submission, wait)
}

fn hand_over(ingest: &Ingest, submission: Submission, wait: bool) -> Result<Sent, Status> {
    let remarks = submission.remarks();
    let ticket = match wait {
        true => ingest.submit_waiting(submission),
        false => ingest.submit(submission),
    };
    Ok(Sent {
        ticket: ticket.map_err(status::ingest)?,
        remarks,
    })
}

/// Takes an upload to its end, on a thread; what was staged of one that fails is removed.
fn take_upload(
    ingest: &Ingest,
    start: v1::UploadStart,
    mut pieces: mpsc::Receiver<Piece>,
) -> Result<Sent, Status> {
    let client_key = convert::client_key(&start.client_key)?;
    let declared = convert::declared(start.declared)?;
    let announced = match start.sha256.len() {
        0 => None,
        32 => Some(start.sha256),
        _ => return Err(status::invalid("sha256", "BAD_LENGTH", "not 32 bytes")),
    };
    let mut upload = ingest.object_upload(declared);
    let taken = loop {
        match pieces.blocking_recv() {
            None => break Err(status::cut()),
            Some(Piece::End) => break Ok(()),
            Some(Piece::Bytes(bytes)) => {
                if let Err(error) = upload.write(&bytes) {
                    break Err(status::ingest(error));
                }
            }
        }
    };
    if let Err(status) = taken {
        // What cannot be removed now is swept at the next start.
        let _ = upload.abandon();
        return Err(status);
    }
    let submission = upload.finish(client_key).map_err(status::ingest)?;
    let sha256: &Sha256 = &submission.received_sha256();
    if announced.is_some_and(|announced| announced != *sha256.as_bytes().as_slice()) {
        ingest
            .forget(&submission)
            .map_err(|error| status::store(&error))?;
        return Err(status::other_bytes());
    }
    hand_over(ingest, submission, true)
}
