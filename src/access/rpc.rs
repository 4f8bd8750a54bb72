//! The table of RPC by act, hence by role: every RPC of the service has a line.

use super::ActName;

/// Full name of an RPC, and the act it is. A test holds this beside the compiled proto files.
pub const RPCS: &[(&str, ActName)] = &[
    ("ceralacca.v1.Submission/Submit", ActName::Submit),
    ("ceralacca.v1.Submission/SubmitBatch", ActName::Submit),
    ("ceralacca.v1.Submission/SubmitStream", ActName::Submit),
    ("ceralacca.v1.Submission/Upload", ActName::Submit),
    ("ceralacca.v1.Submission/ImportLog", ActName::Submit),
    ("ceralacca.v1.Audit/GetCheckpoint", ActName::Checkpoint),
    ("ceralacca.v1.Audit/WatchCheckpoints", ActName::Checkpoint),
    ("ceralacca.v1.Audit/ListKeyRotations", ActName::Checkpoint),
    ("ceralacca.v1.Audit/GetRecord", ActName::Read),
    ("ceralacca.v1.Audit/GetLeaves", ActName::Prove),
    ("ceralacca.v1.Audit/GetInclusionProof", ActName::Prove),
    ("ceralacca.v1.Audit/GetInclusionProofs", ActName::Prove),
    ("ceralacca.v1.Audit/GetSample", ActName::Prove),
    ("ceralacca.v1.Audit/GetConsistencyProof", ActName::Prove),
    ("ceralacca.v1.Audit/GetMapProof", ActName::Read),
    ("ceralacca.v1.Trace/Search", ActName::Search),
    ("ceralacca.v1.Trace/GetTransaction", ActName::Search),
    ("ceralacca.v1.Trace/CheckBriefReceipt", ActName::Search),
    ("ceralacca.v1.Reissue/GetDuplicato", ActName::Reissue),
    ("ceralacca.v1.Reissue/GetPackage", ActName::Reissue),
    ("ceralacca.v1.Reissue/CompletePackage", ActName::Reissue),
    ("ceralacca.v1.Operations/GetStatus", ActName::Status),
    ("ceralacca.v1.Operations/DeclareMigration", ActName::Migrate),
    ("ceralacca.v1.Operations/StartScrub", ActName::Scrub),
    ("ceralacca.v1.Operations/GetScrub", ActName::Scrub),
    ("ceralacca.v1.Operations/GetTotals", ActName::Totals),
    ("ceralacca.v1.Preservation/ListIntervals", ActName::Preserve),
    ("ceralacca.v1.Preservation/StreamFile", ActName::Preserve),
    ("ceralacca.v1.Disposal/PlanDisposal", ActName::Dispose),
    ("ceralacca.v1.Disposal/IntendDisposal", ActName::Dispose),
    ("ceralacca.v1.Disposal/ApproveDisposal", ActName::Approve),
    ("ceralacca.v1.Disposal/WithdrawDisposal", ActName::Withdraw),
    ("ceralacca.v1.Disposal/ListIntents", ActName::Disposals),
    ("ceralacca.v1.Disposal/ListDisposals", ActName::Disposals),
    (
        "ceralacca.v1.Disposal/GetDisposalCertificate",
        ActName::Disposals,
    ),
    ("ceralacca.v1.Holds/SetHold", ActName::Hold),
    ("ceralacca.v1.Holds/ListHolds", ActName::Holds),
    ("ceralacca.v1.Holds/GetHold", ActName::Holds),
    ("ceralacca.v1.Holds/ProposeRelease", ActName::Release),
    ("ceralacca.v1.Holds/ConfirmRelease", ActName::Release),
    ("ceralacca.v1.Erasure/ProposeErasure", ActName::Erase),
    ("ceralacca.v1.Erasure/ConfirmErasure", ActName::Erase),
    ("ceralacca.v1.Erasure/GetErasure", ActName::Erasures),
];

/// The act of an RPC.
pub fn act_of(rpc: &str) -> Option<ActName> {
    RPCS.iter()
        .find(|(name, _)| *name == rpc)
        .map(|(_, act)| *act)
}
