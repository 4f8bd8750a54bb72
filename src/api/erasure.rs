//! `Erasure`: one object, before its term.

use super::v1::erasure_server::Erasure as Rpc;
use super::{STATEMENT_BYTES_MAX, Service, status, v1};
use crate::access::{Erase, Erasures};
use crate::desk::Desk;
use bytes::Bytes;
use ceralacca_formats::erasure::Ground;
use ceralacca_formats::id::LeafIndex;
use tonic::{Request, Response, Status};

fn ground(code: i32) -> Result<Ground, Status> {
    use v1::ErasureGround as Asked;
    match Asked::try_from(code) {
        Ok(Asked::DataSubject) => Ok(Ground::DataSubject),
        Ok(Asked::ContractEnd) => Ok(Ground::ContractEnd),
        Ok(Asked::AuthorityOrder) => Ok(Ground::AuthorityOrder),
        _ => Err(status::invalid(
            "ground",
            "GROUND_NEEDED",
            "no ground is given",
        )),
    }
}

fn statement(text: &str) -> Result<(), Status> {
    match text.len() {
        0 => Err(status::invalid(
            "statement",
            "STATEMENT_NEEDED",
            "nothing is stated",
        )),
        found if found > STATEMENT_BYTES_MAX => {
            let (found, limit) = (found as u64, STATEMENT_BYTES_MAX as u64);
            Err(status::over_limit("statement", found, limit))
        }
        _ => Ok(()),
    }
}

#[tonic::async_trait]
impl Rpc for Service {
    async fn propose_erasure(
        &self,
        request: Request<v1::ProposeErasureRequest>,
    ) -> Result<Response<v1::ProposeErasureResponse>, Status> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let permit = self.permit::<Erase>(&caller, &request.log)?;
        let ground = ground(request.ground)?;
        statement(&request.statement)?;
        let propose = move |desk: &Desk<'_, _>| {
            let record = LeafIndex::new(request.index);
            let index = desk.propose_erasure(record, ground, &request.statement);
            let index = index.map_err(status::desk)?.get();
            Ok(v1::ProposeErasureResponse { index })
        };
        self.at_desk(permit, propose).await
    }

    async fn confirm_erasure(
        &self,
        request: Request<v1::ConfirmErasureRequest>,
    ) -> Result<Response<v1::ConfirmErasureResponse>, Status> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let permit = self.permit::<Erase>(&caller, &request.log)?;
        statement(&request.statement)?;
        let service = self.clone();
        let erasing = move || {
            let log = service.log(&permit)?;
            let desk = log.desk(&permit).map_err(|_| status::denied())?;
            let record = LeafIndex::new(request.index);
            let index = desk.erase(record, &request.statement);
            let index = index.map_err(status::desk)?.get();
            // From here on it is erased; what is left is made up for.
            let completed = log.complete_erasure(record);
            if let Err(error) = &completed {
                status::not_completed(error);
            }
            let certified = completed.is_ok() && log.authorities().is_some();
            Ok(v1::ConfirmErasureResponse { index, certified })
        };
        Ok(Response::new(self.0.packages.run(erasing).await?))
    }

    async fn get_erasure(
        &self,
        request: Request<v1::GetErasureRequest>,
    ) -> Result<Response<v1::GetErasureResponse>, Status> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let permit = self.permit::<Erasures>(&caller, &request.log)?;
        let show = move |desk: &Desk<'_, _>| {
            let record = LeafIndex::new(request.index);
            let told = desk.erasure_of(record).map_err(status::desk)?;
            let (row, _) = told.kept.erased.ok_or_else(status::internal)?;
            let ground = match row.ground {
                Ground::DataSubject => v1::ErasureGround::DataSubject,
                Ground::ContractEnd => v1::ErasureGround::ContractEnd,
                Ground::AuthorityOrder => v1::ErasureGround::AuthorityOrder,
            };
            Ok(v1::GetErasureResponse {
                index: record.get(),
                // The codes on the wire are those of the leaf; a test holds them together.
                retention_class: i32::from(told.class.code()),
                ground: ground.into(),
                proposal: row.proposal.get(),
                erasure: row.leaf.get(),
                erased_ms: row.at.get(),
                facts: row.facts.map(LeafIndex::get),
                purged: row.is_purged,
                certificate: Bytes::from(told.kept.certificate.unwrap_or_default()),
            })
        };
        self.at_desk(permit, show).await
    }
}
