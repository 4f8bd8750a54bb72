//! `Reissue`: the *duplicato*.

use super::v1::get_duplicato_response::Part;
use super::v1::reissue_server::Reissue as Rpc;
use super::{CHUNK_BYTES, Service, convert, status, v1};
use crate::access::{Permit, Reissue};
use bytes::Bytes;
use ceralacca_formats::id::LeafIndex;
use futures_util::stream::{BoxStream, StreamExt};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

/// Pieces that may wait for a client.
const PIECES_MAX: usize = 4;

/// Waits for a client to read, but not for ever: it holds a thread meanwhile.
struct Patient {
    sender: mpsc::Sender<Answer>,
    patience: Duration,
    runtime: Handle,
}

impl Patient {
    /// Whether the client took it.
    fn send(&self, answer: Answer) -> bool {
        let sending = self.sender.send_timeout(answer, self.patience);
        self.runtime.block_on(sending).is_ok()
    }
}

type Answer = Result<v1::GetDuplicatoResponse, Status>;

fn part(part: Part) -> Answer {
    Ok(v1::GetDuplicatoResponse { part: Some(part) })
}

#[tonic::async_trait]
impl Rpc for Service {
    type GetDuplicatoStream = BoxStream<'static, Answer>;

    async fn get_duplicato(
        &self,
        request: Request<v1::GetDuplicatoRequest>,
    ) -> Result<Response<Self::GetDuplicatoStream>, Status> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let permit = self.permit::<Reissue>(&caller, &request.log)?;
        let (sender, receiver) = mpsc::channel(PIECES_MAX);
        let service = self.clone();
        let index = LeafIndex::new(request.index);
        let streams = self.0.reissues.clone();
        tokio::spawn(async move {
            let work = {
                let sender = Patient {
                    sender: sender.clone(),
                    patience: service.0.limits.stream_idle,
                    runtime: Handle::current(),
                };
                move || give(&service, &permit, index, &sender)
            };
            if let Err(status) = streams.run(work).await {
                // Nobody is left to hear it when this fails.
                let _ = sender.send(Err(status)).await;
            }
        });
        let mut answers = ReceiverStream::new(receiver);
        // A refusal is the status of the call, not an error inside a stream that began well.
        let first = answers
            .next()
            .await
            .unwrap_or_else(|| Err(status::internal()))?;
        let first = futures_util::stream::once(async { Ok(first) });
        Ok(Response::new(first.chain(answers).boxed()))
    }
}

fn give(
    service: &Service,
    permit: &Permit<Reissue>,
    index: LeafIndex,
    sender: &Patient,
) -> Result<(), Status> {
    let log = service.log(permit)?;
    let desk = log.desk(permit).map_err(|_| status::denied())?;
    let duplicato = desk.duplicato(index).map_err(status::desk)?;
    let (facts, facts_proof) = match &duplicato.facts {
        None => (None, String::new()),
        Some((facts, proof)) => (Some(convert::record(facts)), proof.clone()),
    };
    let head = v1::DuplicatoHead {
        record: Some(convert::record(&duplicato.object)),
        proof: duplicato.proof.clone(),
        facts,
        facts_proof,
    };
    if !sender.send(part(Part::Head(head))) {
        return Err(status::idle());
    }
    let mut taken = true;
    let given = duplicato.content(|piece| {
        for chunk in piece.chunks(CHUNK_BYTES) {
            let chunk = || part(Part::Chunk(Bytes::copy_from_slice(chunk)));
            // Once the client has gone the rest is read for its digests only.
            taken = taken && sender.send(chunk());
        }
    });
    given.map_err(|error| status::read(error.into()))?;
    taken.then_some(()).ok_or_else(status::idle)
}
