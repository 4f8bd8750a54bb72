//! `Reissue`: the *duplicato*; the package for a court (`package`), and what completes it (`completion`).

mod completion;
mod package;

use super::patient::{self, Patient};
use super::v1::get_duplicato_response::Part;
use super::v1::reissue_server::Reissue as Rpc;
use super::{CHUNK_BYTES, Service, convert, status, v1};
use crate::access::{Infected, Permit, Reissue};
use crate::desk::DeskError;
use bytes::Bytes;
use ceralacca_formats::id::LeafIndex;
use futures_util::stream::BoxStream;
use tonic::{Request, Response, Status};

#[tonic::async_trait]
impl Rpc for Service {
    type GetDuplicatoStream = BoxStream<'static, Result<v1::GetDuplicatoResponse, Status>>;

    async fn get_duplicato(
        &self,
        request: Request<v1::GetDuplicatoRequest>,
    ) -> Result<Response<Self::GetDuplicatoStream>, Status> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let permit = self.permit::<Reissue>(&caller, &request.log)?;
        let isolated = match request.infected {
            true => Some(self.permit::<Infected>(&caller, &request.log)?),
            false => None,
        };
        let (service, index) = (self.clone(), LeafIndex::new(request.index));
        let give =
            move |sender: &Patient<_>| give(&service, &permit, isolated.as_ref(), index, sender);
        self.reissued(give).await
    }

    type GetPackageStream = BoxStream<'static, Result<v1::GetPackageResponse, Status>>;

    async fn get_package(
        &self,
        request: Request<v1::GetPackageRequest>,
    ) -> Result<Response<Self::GetPackageStream>, Status> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let permit = self.permit::<Reissue>(&caller, &request.log)?;
        let wanted = package::wanted(request)?;
        let service = self.clone();
        let give = move |sender: &Patient<_>| package::give(&service, &permit, &wanted, sender);
        self.reissued(give).await
    }

    type CompletePackageStream = BoxStream<'static, Result<v1::CompletePackageResponse, Status>>;

    async fn complete_package(
        &self,
        request: Request<v1::CompletePackageRequest>,
    ) -> Result<Response<Self::CompletePackageStream>, Status> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let permit = self.permit::<Reissue>(&caller, &request.log)?;
        let asked = completion::asked(request)?;
        let service = self.clone();
        let give = move |sender: &Patient<_>| completion::give(&service, &permit, &asked, sender);
        self.reissued(give).await
    }
}

impl Service {
    /// Streams what is given again, from a thread that may block.
    async fn reissued<T: Send + 'static>(
        &self,
        give: impl FnOnce(&Patient<T>) -> Result<(), Status> + Send + 'static,
    ) -> Result<Response<BoxStream<'static, Result<T, Status>>>, Status> {
        let (threads, patience) = (self.0.reissues.clone(), self.0.limits.stream_idle);
        let answers = patient::stream(threads, patience, give).await?;
        Ok(Response::new(answers))
    }
}

fn part(part: Part) -> v1::GetDuplicatoResponse {
    v1::GetDuplicatoResponse { part: Some(part) }
}

fn give(
    service: &Service,
    permit: &Permit<Reissue>,
    isolated: Option<&Permit<Infected>>,
    index: LeafIndex,
    sender: &Patient<v1::GetDuplicatoResponse>,
) -> Result<(), Status> {
    let log = service.log(permit)?;
    let desk = log.desk(permit).map_err(|_| status::denied())?;
    let duplicato = match isolated {
        Some(isolated) => desk.infected(isolated, index),
        None => desk.duplicato(index),
    };
    let duplicato = match duplicato {
        Err(DeskError::Disposed { interval, class }) => {
            let found = desk.certificates_of(interval, class);
            let gone = convert::disposed_object(found.map_err(status::desk)?);
            let sent = sender.send(part(Part::Disposed(gone)));
            return sent.then_some(()).ok_or_else(status::idle);
        }
        other => other.map_err(status::desk)?,
    };
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
