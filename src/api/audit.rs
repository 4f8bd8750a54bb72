//! `Audit`: checkpoints, leaves, records, proofs.

use super::v1::audit_server::Audit as Rpc;
use super::v1::get_checkpoint_request::Which;
use super::{Service, convert, presence, status, streams, v1};
use crate::access::{Checkpoint, Prove, Read};
use crate::audit::Within;
use crate::desk::{Desk, HASHES_MAX, INDEXES_MAX, LeafName, ProvenLeaf, ROTATIONS_PAGE};
use bytes::Bytes;
use ceralacca_formats::id::{LeafIndex, TreeSize, UtcMillis};
use ceralacca_formats::tree::{LeafHash, NodeHash};
use futures_util::stream::BoxStream;
use tonic::{Request, Response, Status};

/// A size that is asked for; 0 is the published one.
pub(super) fn size(size: u64) -> Option<TreeSize> {
    (size > 0).then(|| TreeSize::new(size))
}

fn path(path: &[NodeHash]) -> Vec<Bytes> {
    let hashes = path.iter();
    hashes
        .map(|hash| Bytes::copy_from_slice(hash.as_bytes()))
        .collect()
}

fn leaf_hash(field: &str, bytes: &Bytes) -> Result<LeafHash, Status> {
    let bytes = <[u8; 32]>::try_from(bytes.as_ref());
    let wrong = || status::invalid(field, "HASH_LENGTH", "the hash of a leaf has 32 bytes");
    bytes.map(LeafHash::from_bytes).map_err(|_| wrong())
}

fn within(first: u64, end: u64) -> Within {
    Within {
        first: LeafIndex::new(first),
        end: size(end),
    }
}

/// Which leaf is meant: one by its index has no hash.
fn name(index: u64, hash: &Bytes, within: Within) -> Result<LeafName, Status> {
    match (hash.is_empty(), index) {
        (true, _) => Ok(LeafName::Index(LeafIndex::new(index))),
        (false, 0) => Ok(LeafName::Hash(leaf_hash("leaf_hash", hash)?, within)),
        (false, _) => Err(status::invalid(
            "leaf_hash",
            "INDEX_OR_HASH",
            "a leaf is named by its index or by its hash, not by both",
        )),
    }
}

fn names(request: &v1::GetInclusionProofsRequest) -> Result<Vec<LeafName>, Status> {
    for (field, found, limit) in [
        ("indexes", request.indexes.len(), INDEXES_MAX),
        ("leaf_hashes", request.leaf_hashes.len(), HASHES_MAX),
    ] {
        if found > limit {
            return Err(status::over_limit(field, found as u64, limit as u64));
        }
    }
    if !request.indexes.is_sorted_by(|one, next| one < next) {
        let why = "indexes must be strictly ascending";
        return Err(status::invalid("indexes", "INDEXES_UNSORTED", why));
    }
    let within = within(request.first_index, request.end_index);
    let indexes = request.indexes.iter();
    let indexes = indexes.map(|index| Ok(LeafName::Index(LeafIndex::new(*index))));
    let hashes = request.leaf_hashes.iter();
    let hashes =
        hashes.map(|hash| leaf_hash("leaf_hashes", hash).map(|hash| LeafName::Hash(hash, within)));
    indexes.chain(hashes).collect()
}

fn proofs(proven: &[ProvenLeaf]) -> Vec<v1::InclusionProof> {
    let proof = |proven: &ProvenLeaf| v1::InclusionProof {
        index: proven.leaf.seq.get(),
        leaf: Bytes::copy_from_slice(&proven.leaf.to_bytes()),
        path: path(&proven.path),
    };
    proven.iter().map(proof).collect()
}

#[tonic::async_trait]
impl Rpc for Service {
    type WatchCheckpointsStream = BoxStream<'static, Result<v1::WatchCheckpointsResponse, Status>>;
    type GetLeavesStream = BoxStream<'static, Result<v1::GetLeavesResponse, Status>>;

    type GetMapProofStream = BoxStream<'static, Result<v1::GetMapProofResponse, Status>>;

    async fn get_checkpoint(
        &self,
        request: Request<v1::GetCheckpointRequest>,
    ) -> Result<Response<v1::GetCheckpointResponse>, Status> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let permit = self.permit::<Checkpoint>(&caller, &request.log)?;
        if request.witnessed && request.which.is_some() {
            let why = "the last witnessed checkpoint has one size: name none beside it";
            return Err(status::invalid("witnessed", "WITNESSED_ALONE", why));
        }
        let log = self.log(&permit)?;
        let (origin, verifier_key) = (log.origin().to_string(), log.verifier().to_string());
        let read = move |desk: &Desk<'_, Checkpoint>| {
            let kept = match request.which {
                None if request.witnessed => desk.last_witnessed(),
                None => desk.last(),
                Some(Which::TreeSize(size)) => desk.kept(TreeSize::new(size)),
                Some(Which::IntervalAtMs(at)) => desk.kept_of_interval(UtcMillis::new(at)),
            };
            let kept = kept.map_err(status::desk)?;
            let witnessed = desk.witnessed();
            Ok(v1::GetCheckpointResponse {
                witnessed: witnessed.is_some_and(|last| last.note() == kept.note),
                witnessed_size: witnessed.map_or(0, |last| last.size().get()),
                note: kept.note,
                origin,
                tree_size: kept.size.get(),
                root: Bytes::copy_from_slice(kept.root.as_bytes()),
                verifier_key,
            })
        };
        self.at_desk(permit, read).await
    }

    async fn watch_checkpoints(
        &self,
        request: Request<v1::WatchCheckpointsRequest>,
    ) -> Result<Response<Self::WatchCheckpointsStream>, Status> {
        let caller = self.caller(&request)?;
        streams::checkpoints(self, caller, request.into_inner()).map(Response::new)
    }

    async fn list_key_rotations(
        &self,
        request: Request<v1::ListKeyRotationsRequest>,
    ) -> Result<Response<v1::ListKeyRotationsResponse>, Status> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let permit = self.permit::<Checkpoint>(&caller, &request.log)?;
        let limit = match usize::try_from(request.limit).unwrap_or(usize::MAX) {
            0 => ROTATIONS_PAGE,
            limit if limit <= ROTATIONS_PAGE => limit,
            limit => {
                let (found, limit) = (limit as u64, ROTATIONS_PAGE as u64);
                return Err(status::over_limit("limit", found, limit));
            }
        };
        let read = move |desk: &Desk<'_, Checkpoint>| {
            let (proofs, more) = desk.rotations(request.first, limit).map_err(status::desk)?;
            Ok(v1::ListKeyRotationsResponse { proofs, more })
        };
        self.at_desk(permit, read).await
    }

    async fn get_record(
        &self,
        request: Request<v1::GetRecordRequest>,
    ) -> Result<Response<v1::GetRecordResponse>, Status> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let permit = self.permit::<Read>(&caller, &request.log)?;
        let within = within(request.first_index, request.end_index);
        let name = name(request.index, &request.leaf_hash, within)?;
        let read = move |desk: &Desk<'_, _>| {
            let (shown, proof) = desk.record(name, request.proof).map_err(status::desk)?;
            Ok(v1::GetRecordResponse {
                record: Some(convert::record(&shown)),
                proof: proof.unwrap_or_default(),
            })
        };
        self.at_desk(permit, read).await
    }

    async fn get_leaves(
        &self,
        request: Request<v1::GetLeavesRequest>,
    ) -> Result<Response<Self::GetLeavesStream>, Status> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let permit = self.permit::<Prove>(&caller, &request.log)?;
        let leaves = streams::leaves(self, permit, &request).await?;
        Ok(Response::new(leaves))
    }

    async fn get_inclusion_proof(
        &self,
        request: Request<v1::GetInclusionProofRequest>,
    ) -> Result<Response<v1::GetInclusionProofResponse>, Status> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let permit = self.permit::<Prove>(&caller, &request.log)?;
        let within = within(request.first_index, request.end_index);
        let name = name(request.index, &request.leaf_hash, within)?;
        let read = move |desk: &Desk<'_, _>| {
            let proven = desk.inclusion(name, size(request.tree_size));
            let (proven, size) = proven.map_err(status::desk)?;
            Ok(v1::GetInclusionProofResponse {
                leaf: Bytes::copy_from_slice(&proven.leaf.to_bytes()),
                tree_size: size.get(),
                path: path(&proven.path),
                checkpoint: desk.note_of(size).map_err(status::desk)?,
            })
        };
        self.at_desk(permit, read).await
    }

    async fn get_inclusion_proofs(
        &self,
        request: Request<v1::GetInclusionProofsRequest>,
    ) -> Result<Response<v1::GetInclusionProofsResponse>, Status> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let permit = self.permit::<Prove>(&caller, &request.log)?;
        let names = names(&request)?;
        let read = move |desk: &Desk<'_, _>| {
            let proven = desk.inclusions(&names, size(request.tree_size));
            let (proven, size) = proven.map_err(status::desk)?;
            Ok(v1::GetInclusionProofsResponse {
                tree_size: size.get(),
                checkpoint: desk.note_of(size).map_err(status::desk)?,
                proofs: proofs(&proven),
            })
        };
        self.at_desk(permit, read).await
    }

    async fn get_sample(
        &self,
        request: Request<v1::GetSampleRequest>,
    ) -> Result<Response<v1::GetSampleResponse>, Status> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let permit = self.permit::<Prove>(&caller, &request.log)?;
        let read = move |desk: &Desk<'_, _>| {
            let count = usize::try_from(request.count).unwrap_or(usize::MAX);
            let proven = desk.sample(&request.seed, count, size(request.tree_size));
            let (proven, size) = proven.map_err(status::desk)?;
            Ok(v1::GetSampleResponse {
                tree_size: size.get(),
                checkpoint: desk.note_of(size).map_err(status::desk)?,
                proofs: proofs(&proven),
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
                checkpoint: desk.note_of(second).map_err(status::desk)?,
            })
        };
        self.at_desk(permit, read).await
    }

    async fn get_map_proof(
        &self,
        request: Request<v1::GetMapProofRequest>,
    ) -> Result<Response<Self::GetMapProofStream>, Status> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let permit = self.permit::<Read>(&caller, &request.log)?;
        let answers = presence::answers(self, permit, &request).await?;
        Ok(Response::new(answers))
    }
}
