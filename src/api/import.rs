//! `Submission.ImportLog`: a log file in, its acknowledgement and how far its records are out.

use super::v1::{self, import_log_request::Part};
use super::{Service, convert, status};
use crate::access::Submit;
use crate::ingest::Ingest;
use ceralacca_formats::digest::Sha256;
use futures_util::stream::{BoxStream, StreamExt};
use std::ops::ControlFlow;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

/// Pieces of a file that may wait for its thread.
const PIECES_MAX: usize = 4;
/// Answers that may wait for their reader.
const ANSWERS_MAX: usize = 4;

type Answer = Result<v1::ImportLogResponse, Status>;

/// What the thread of an import is told.
enum Piece {
    Bytes(bytes::Bytes),
    End,
}

impl Service {
    /// Takes the file on a thread of its own; the answers come while its records are recorded. Should the client go
    /// away, or take no answer for [`super::Limits::stream_idle`], the import ends after what is under way: what was
    /// recorded stays, and the client does it again.
    pub(super) async fn import(
        &self,
        request: Request<Streaming<v1::ImportLogRequest>>,
    ) -> Result<Response<BoxStream<'static, Answer>>, Status> {
        let caller = self.caller(&request)?;
        let mut pieces = request.into_inner();
        let idle = self.0.limits.stream_idle;
        let first = tokio::time::timeout(idle, pieces.message()).await;
        let first = first.map_err(|_| status::idle())??;
        let Some(Part::Start(start)) = first.and_then(|message| message.part) else {
            let message = "the first message must be start";
            return Err(status::invalid("part", "START_NEEDED", message));
        };
        let permit = self.permit::<Submit>(&caller, &start.log)?;
        let ingest = self.ingest(&permit)?;
        let (to_thread, received) = mpsc::channel(PIECES_MAX);
        let (answers, to_client) = mpsc::channel(ANSWERS_MAX);
        let passing = async move {
            loop {
                let piece = match tokio::time::timeout(idle, pieces.message()).await {
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
        let service = self.clone();
        let told = answers.clone();
        tokio::spawn(async move {
            let imports = &service.0.imports;
            let taking = imports.run(move || take(&ingest, start, received, &told, idle));
            let (passed, taken) = tokio::join!(passing, taking);
            if let Err(status) = passed.and(taken) {
                // The client may have gone.
                let _ = answers.send(Err(status)).await;
            }
        });
        Ok(Response::new(ReceiverStream::new(to_client).boxed()))
    }
}

/// Takes a file to its end, and its records; what was staged of one that fails is removed.
fn take(
    ingest: &Ingest,
    start: v1::ImportLogStart,
    mut pieces: mpsc::Receiver<Piece>,
    answers: &mpsc::Sender<Answer>,
    idle: Duration,
) -> Result<(), Status> {
    let (declared, sha256) = convert::source::declared(start)?;
    let files = ingest.log_files();
    let mut upload = files.upload(declared).map_err(status::ingest)?;
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
    let import = upload.finish(&Sha256::from_bytes(sha256));
    let import = import.map_err(status::ingest)?;
    // Who takes no answers holds no thread for ever.
    let runtime = Handle::current();
    let tell = |answer| {
        let telling = answers.send_timeout(Ok(answer), idle);
        runtime.block_on(telling).is_ok()
    };
    if !tell(convert::source::imported(&import)) {
        return Ok(());
    }
    let tally = import.lines(
        |tally| match tell(convert::source::progress(tally, false)) {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        },
    );
    let tally = tally.map_err(status::ingest)?;
    // The client may have gone.
    let _ = tell(convert::source::progress(&tally, true));
    Ok(())
}
