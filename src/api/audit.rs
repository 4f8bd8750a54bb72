//! `Audit`: checkpoints, records, proofs.

use super::v1::audit_server::Audit as Rpc;
use super::{Service, convert, status, v1};
use crate::access::{Checkpoint, Prove, Read};
use crate::desk::Desk;
use bytes::Bytes;
use ceralacca_formats::id::{LeafIndex, TreeSize};
use ceralacca_formats::tree::NodeHash;
use tonic::{Request, Response, Status};

/// A size that is asked for; 0 is the published one.
fn size(size: u64) -> Option<TreeSize> {
    (size > 0).then(|| TreeSize::new(size))
}

fn path(path: &[NodeHash]) -> Vec<Bytes> {
    let hashes = path.iter();
    hashes
        .map(|hash| Bytes::copy_from_slice(hash.as_bytes()))
        .collect()
}

#[tonic::async_trait]
impl Rpc for Service {
    async fn get_checkpoint(
        &self,
        request: Request<v1::GetCheckpointRequest>,
    ) -> Result<Response<v1::GetCheckpointResponse>, Status> {
        let caller = self.caller(&request)?;
        let permit = self.permit::<Checkpoint>(&caller, &request.get_ref().log)?;
        let log = self.log(&permit)?;
        let desk = log.desk(&permit).map_err(|_| status::denied())?;
        let checkpoint = &desk.published().checkpoint;
        Ok(Response::new(v1::GetCheckpointResponse {
            note: checkpoint.note().to_owned(),
            origin: checkpoint.origin().to_string(),
            tree_size: checkpoint.size().get(),
            root: Bytes::copy_from_slice(checkpoint.root().as_bytes()),
            verifier_key: log.verifier().to_string(),
        }))
    }

    async fn get_record(
        &self,
        request: Request<v1::GetRecordRequest>,
    ) -> Result<Response<v1::GetRecordResponse>, Status> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let permit = self.permit::<Read>(&caller, &request.log)?;
        let read = move |desk: &Desk<'_, _>| {
            let index = LeafIndex::new(request.index);
            let (shown, proof) = desk.record(index, request.proof).map_err(status::desk)?;
            Ok(v1::GetRecordResponse {
                record: Some(convert::record(&shown)),
                proof: proof.unwrap_or_default(),
            })
        };
        self.at_desk(permit, read).await
    }

    async fn get_inclusion_proof(
        &self,
        request: Request<v1::GetInclusionProofRequest>,
    ) -> Result<Response<v1::GetInclusionProofResponse>, Status> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let permit = self.permit::<Prove>(&caller, &request.log)?;
        let read = move |desk: &Desk<'_, _>| {
            let proven = desk.inclusion(LeafIndex::new(request.index), size(request.tree_size));
            let (leaf, size, hashes) = proven.map_err(status::desk)?;
            Ok(v1::GetInclusionProofResponse {
                leaf: Bytes::copy_from_slice(&leaf.to_bytes()),
                tree_size: size.get(),
                path: path(&hashes),
                checkpoint: desk.note_of(size).to_owned(),
            })
        };
        self.at_desk(permit, read).await
    }

    async fn get_consistency_proof(
        &self,
        request: Request<v1::GetConsistencyProofRequest>,
    ) -> Result<Response<v1::GetConsistencyProofResponse>, Status> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let permit = self.permit::<Prove>(&caller, &request.log)?;
        let read = move |desk: &Desk<'_, _>| {
            let first = TreeSize::new(request.first_size);
            let proven = desk.consistency(first, size(request.second_size));
            let (second, hashes) = proven.map_err(status::desk)?;
            Ok(v1::GetConsistencyProofResponse {
                first_size: request.first_size,
                second_size: second.get(),
                path: path(&hashes),
                checkpoint: desk.note_of(second).to_owned(),
            })
        };
        self.at_desk(permit, read).await
    }
}
