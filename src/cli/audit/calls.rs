//! The calls of an audit.

use super::super::remote::{Answered, Pieces, Remote};
use super::super::v1;
use v1::get_checkpoint_request::Which;

impl Remote {
    /// A checkpoint: the last one, or this.
    pub(super) async fn checkpoint_of(
        &self,
        which: Option<Which>,
    ) -> Answered<v1::GetCheckpointResponse> {
        let log = self.log().to_owned();
        let request = v1::GetCheckpointRequest {
            log,
            which,
            witnessed: false,
        };
        Ok(self.audit().get_checkpoint(request).await?.into_inner())
    }

    /// Checkpoints as they are published.
    pub(super) async fn watch(
        &self,
        every_ms: u32,
    ) -> Answered<Pieces<v1::WatchCheckpointsResponse>> {
        let log = self.log().to_owned();
        let request = v1::WatchCheckpointsRequest { log, every_ms };
        let answer = self.audit().watch_checkpoints(request).await?;
        Ok(Pieces(answer.into_inner()))
    }

    /// Leaves from `first_index` on, of the tree of a size.
    pub(in crate::cli) async fn leaves(
        &self,
        first_index: u64,
        tree_size: u64,
    ) -> Answered<Pieces<v1::GetLeavesResponse>> {
        let request = v1::GetLeavesRequest {
            log: self.log().to_owned(),
            first_index,
            tree_size,
        };
        Ok(Pieces(self.audit().get_leaves(request).await?.into_inner()))
    }

    /// Inclusion proofs.
    pub(super) async fn inclusions(
        &self,
        mut request: v1::GetInclusionProofsRequest,
    ) -> Answered<v1::GetInclusionProofsResponse> {
        self.log().clone_into(&mut request.log);
        let answer = self.audit().get_inclusion_proofs(request).await?;
        Ok(answer.into_inner())
    }

    /// The leaves that a seed names.
    pub(super) async fn sample(
        &self,
        seed: Vec<u8>,
        count: u32,
        tree_size: u64,
    ) -> Answered<v1::GetSampleResponse> {
        let request = v1::GetSampleRequest {
            log: self.log().to_owned(),
            seed: seed.into(),
            count,
            tree_size,
        };
        Ok(self.audit().get_sample(request).await?.into_inner())
    }
}
