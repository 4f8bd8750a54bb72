//! `Reissue`: the *duplicato*, and the package for a court (`package`).

mod package;

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
struct Patient<T> {
    sender: mpsc::Sender<Result<T, Status>>,
    patience: Duration,
    runtime: Handle,
}

impl<T> Patient<T> {
    /// Whether the client took it.
    fn send(&self, answer: Result<T, Status>) -> bool {
        let sending = self.sender.send_timeout(answer, self.patience);
        self.runtime.block_on(sending).is_ok()
    }
}

type Answer = Result<v1::GetDuplicatoResponse, Status>;

/// Streams what `work` sends, from a thread that may block.
async fn streamed<T: Send + 'static>(
    service: &Service,
    work: impl FnOnce(&Patient<T>) -> Result<(), Status> + Send + 'static,
) -> Result<Response<BoxStream<'static, Result<T, Status>>>, Status> {
    let (sender, receiver) = mpsc::channel(PIECES_MAX);
    let streams = service.0.reissues.clone();
    let patience = service.0.limits.stream_idle;
    tokio::spawn(async move {
        let patient = Patient {
            sender: sender.clone(),
            patience,
            runtime: Handle::current(),
        };
        if let Err(status) = streams.run(move || work(&patient)).await {
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
        let (service, index) = (self.clone(), LeafIndex::new(request.index));
        streamed(self, move |sender| give(&service, &permit, index, sender)).await
    }

    type GetPackageStream = BoxStream<'static, package::Answer>;

    async fn get_package(
        &self,
        request: Request<v1::GetPackageRequest>,
    ) -> Result<Response<Self::GetPackageStream>, Status> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let permit = self.permit::<Reissue>(&caller, &request.log)?;
        let wanted = package::wanted(request)?;
        let service = self.clone();
        streamed(self, move |sender| {
            package::give(&service, &permit, &wanted, sender)
        })
        .await
    }
}

fn give(
    service: &Service,
    permit: &Permit<Reissue>,
    index: LeafIndex,
    sender: &Patient<v1::GetDuplicatoResponse>,
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
