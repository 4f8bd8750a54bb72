//! Who may do what, over mutual TLS; what a court sees; and that every showing is on record.

use super::*;
use crate::support::tls::{Authority, Certified};
use crate::support::traces;
use ceralacca::access::{RPCS, Role, act_of};
use ceralacca_formats::canonical::Integer;
use ceralacca_formats::leaf::{Class, Kind};
use ceralacca_formats::metadata::{CustodyRecord, DisclosureDetail, LeafRange};
use futures_util::stream;
use prost::Message as _;
use std::collections::BTreeSet;
use tonic::transport::Endpoint;

/// Has its roles here.
const A: &str = "gestore-1";
/// Nobody has a role here.
const B: &str = "gestore-2";
const ACT: &str = "Tribunale di Esempio, decreto 7/2026";

/// A service with a principal for each role on log A, named by it, and none on log B.
struct House {
    served: Served,
    authority: Authority,
    certificates: Vec<(Role, Certified)>,
    /// Of a court whose grant has ended.
    ended: Certified,
}

impl House {
    /// The court may see this transaction, and this party's.
    fn new(identificativo: &str, party: &str) -> Self {
        let authority = Authority::new();
        let entry = |name: &str, certified: &Certified, role: &str| {
            format!(
                "[[principal]]\nname = \"{name}\"\ncertificates = [\"{}\"]\n\
                 [[principal.role]]\nlog = \"{A}\"\nrole = {role}\n",
                certified.sha256
            )
        };
        let grant = |until: &str| {
            format!(
                "\"court\"\nact = \"{ACT}\"\nuntil = \"{until}\"\n\
                 identificativi = [\"{identificativo}\"]\nparties = [\"{party}\"]"
            )
        };
        let mut tables = String::new();
        let mut certificates = Vec::new();
        for role in Role::ALL {
            let certified = authority.certify();
            let role_entry = match role {
                Role::Court => grant("2100-01-01T00:00:00Z"),
                role => format!("\"{}\"", role.word()),
            };
            tables += &entry(&principal(role), &certified, &role_entry);
            certificates.push((role, certified));
        }
        let ended = authority.certify();
        tables += &entry("perito", &ended, &grant("2020-01-01T00:00:00Z"));
        let installation = Installation::new(&[A, B]);
        installation.configure_tls(&authority, &[A, B], &tables);
        Self {
            served: installation.serve(),
            authority,
            certificates,
            ended,
        }
    }

    async fn clients(&self, role: Role) -> Clients {
        let mut certificates = self.certificates.iter();
        let (_, certified) = certificates.find(|(of, _)| *of == role).unwrap();
        self.clients_with(Some(certified)).await
    }

    async fn clients_with(&self, certified: Option<&Certified>) -> Clients {
        let endpoint = self.served.secured(&self.authority, certified);
        Clients::over(&endpoint.connect().await.unwrap())
    }

    fn verifier(&self) -> &VerifierKey {
        self.served.installation.verifier(A)
    }
}

fn principal(role: Role) -> String {
    format!("ufficio {}", role.word())
}

/// Calls an RPC of the table on a log. Each has its call here, or this fails.
pub(super) async fn call(clients: &Clients, rpc: &str, log: &str) -> Result<(), Status> {
    let log = log.to_owned();
    let mut clients = clients.clone();
    match rpc {
        "ceralacca.v1.Submission/Submit" => {
            let request = v1::SubmitRequest {
                log,
                ..v1::SubmitRequest::default()
            };
            clients.submission.submit(request).await.map(drop)
        }
        "ceralacca.v1.Submission/SubmitBatch" => {
            let request = v1::SubmitBatchRequest {
                log,
                ..v1::SubmitBatchRequest::default()
            };
            clients.submission.submit_batch(request).await.map(drop)
        }
        "ceralacca.v1.Submission/SubmitStream" => {
            let request = v1::SubmitBatchRequest {
                log,
                ..v1::SubmitBatchRequest::default()
            };
            let requests = stream::iter([request]);
            let answers = clients.submission.submit_stream(requests).await?;
            answers.into_inner().message().await.map(drop)
        }
        "ceralacca.v1.Submission/Upload" => {
            let start = v1::UploadStart {
                log,
                sha256: vec![7; 32].into(),
                ..v1::UploadStart::default()
            };
            let part = Some(v1::upload_request::Part::Start(start));
            let requests = stream::iter([v1::UploadRequest { part }]);
            clients.submission.upload(requests).await.map(drop)
        }
        "ceralacca.v1.Submission/ImportLog" => {
            let start = v1::ImportLogStart {
                log,
                sha256: vec![7; 32].into(),
                ..v1::ImportLogStart::default()
            };
            let part = Some(v1::import_log_request::Part::Start(start));
            let requests = stream::iter([v1::ImportLogRequest { part }]);
            let answers = clients.submission.import_log(requests).await?;
            answers.into_inner().message().await.map(drop)
        }
        "ceralacca.v1.Audit/GetCheckpoint" => {
            let request = v1::GetCheckpointRequest {
                log,
                ..Default::default()
            };
            clients.audit.get_checkpoint(request).await.map(drop)
        }
        "ceralacca.v1.Audit/WatchCheckpoints" => {
            let request = v1::WatchCheckpointsRequest { log, every_ms: 0 };
            let answers = clients.audit.watch_checkpoints(request).await?;
            answers.into_inner().message().await.map(drop)
        }
        "ceralacca.v1.Audit/ListKeyRotations" => {
            let request = v1::ListKeyRotationsRequest {
                log,
                ..v1::ListKeyRotationsRequest::default()
            };
            clients.audit.list_key_rotations(request).await.map(drop)
        }
        "ceralacca.v1.Audit/GetLeaves" => {
            let request = v1::GetLeavesRequest {
                log,
                ..v1::GetLeavesRequest::default()
            };
            let answers = clients.audit.get_leaves(request).await?;
            answers.into_inner().message().await.map(drop)
        }
        "ceralacca.v1.Audit/GetInclusionProofs" => {
            let request = v1::GetInclusionProofsRequest {
                log,
                indexes: vec![0],
                ..v1::GetInclusionProofsRequest::default()
            };
            clients.audit.get_inclusion_proofs(request).await.map(drop)
        }
        "ceralacca.v1.Audit/GetSample" => {
            let request = v1::GetSampleRequest {
                log,
                seed: vec![7].into(),
                count: 1,
                tree_size: 0,
            };
            clients.audit.get_sample(request).await.map(drop)
        }
        "ceralacca.v1.Audit/GetRecord" => {
            let request = v1::GetRecordRequest {
                log,
                ..v1::GetRecordRequest::default()
            };
            clients.audit.get_record(request).await.map(drop)
        }
        "ceralacca.v1.Audit/GetInclusionProof" => {
            let request = v1::GetInclusionProofRequest {
                log,
                ..v1::GetInclusionProofRequest::default()
            };
            clients.audit.get_inclusion_proof(request).await.map(drop)
        }
        "ceralacca.v1.Audit/GetConsistencyProof" => {
            let request = v1::GetConsistencyProofRequest {
                log,
                ..v1::GetConsistencyProofRequest::default()
            };
            clients.audit.get_consistency_proof(request).await.map(drop)
        }
        "ceralacca.v1.Audit/GetMapProof" => {
            let request = v1::GetMapProofRequest {
                log,
                identificativo: "nessuno".to_owned(),
                ..v1::GetMapProofRequest::default()
            };
            let answers = clients.audit.get_map_proof(request).await?;
            answers.into_inner().message().await.map(drop)
        }
        "ceralacca.v1.Trace/Search" => {
            let request = v1::SearchRequest {
                log,
                ..v1::SearchRequest::default()
            };
            clients.trace.search(request).await.map(drop)
        }
        "ceralacca.v1.Trace/GetTransaction" => {
            let request = v1::GetTransactionRequest {
                log,
                identificativo: "nessuno".to_owned(),
            };
            clients.trace.get_transaction(request).await.map(drop)
        }
        "ceralacca.v1.Trace/CheckBriefReceipt" => {
            let request = v1::CheckBriefReceiptRequest { log, index: 0 };
            clients.trace.check_brief_receipt(request).await.map(drop)
        }
        "ceralacca.v1.Reissue/GetDuplicato" => {
            let request = v1::GetDuplicatoRequest {
                log,
                ..v1::GetDuplicatoRequest::default()
            };
            clients.reissue.get_duplicato(request).await.map(drop)
        }
        "ceralacca.v1.Reissue/GetPackage" => {
            let request = v1::GetPackageRequest {
                log,
                ..v1::GetPackageRequest::default()
            };
            clients.reissue.get_package(request).await.map(drop)
        }
        "ceralacca.v1.Reissue/CompletePackage" => {
            let request = v1::CompletePackageRequest {
                log,
                ..v1::CompletePackageRequest::default()
            };
            clients.reissue.complete_package(request).await.map(drop)
        }
        "ceralacca.v1.Operations/GetStatus" => {
            let request = v1::GetStatusRequest {};
            let answer = clients.operations.get_status(request).await?;
            let logs: Vec<_> = answer.into_inner().logs;
            let logs: Vec<_> = logs.iter().map(|state| state.log.as_str()).collect();
            assert_eq!(logs, [A], "only what the caller may see");
            Ok(())
        }
        "ceralacca.v1.Operations/DeclareMigration" => {
            let request = v1::DeclareMigrationRequest {
                log,
                until_ms: 1,
                statement: "archivio precedente".to_owned(),
                ..v1::DeclareMigrationRequest::default()
            };
            clients
                .operations
                .declare_migration(request)
                .await
                .map(drop)
        }
        "ceralacca.v1.Operations/StartScrub" => {
            let request = v1::StartScrubRequest { log };
            clients.operations.start_scrub(request).await.map(drop)
        }
        "ceralacca.v1.Operations/GetTotals" => {
            let request = v1::GetTotalsRequest {
                log,
                from_ms: 0,
                until_ms: 1,
                partial: false,
            };
            clients.operations.get_totals(request).await.map(drop)
        }
        "ceralacca.v1.Operations/GetScrub" => {
            let request = v1::GetScrubRequest { log };
            clients.operations.get_scrub(request).await.map(drop)
        }
        "ceralacca.v1.Disposal/PlanDisposal" => {
            let request = v1::PlanDisposalRequest { log, all: false };
            clients.disposal.plan_disposal(request).await.map(drop)
        }
        "ceralacca.v1.Disposal/IntendDisposal" => {
            let request = v1::IntendDisposalRequest {
                log,
                units: Vec::new(),
            };
            clients.disposal.intend_disposal(request).await.map(drop)
        }
        "ceralacca.v1.Disposal/ApproveDisposal" => {
            let request = v1::ApproveDisposalRequest {
                log,
                intent: 0,
                intent_hash: vec![0; 32].into(),
            };
            clients.disposal.approve_disposal(request).await.map(drop)
        }
        "ceralacca.v1.Disposal/WithdrawDisposal" => {
            let request = v1::WithdrawDisposalRequest { log, intent: 0 };
            clients.disposal.withdraw_disposal(request).await.map(drop)
        }
        "ceralacca.v1.Disposal/ListIntents" => {
            let request = v1::ListIntentsRequest {
                log,
                ..v1::ListIntentsRequest::default()
            };
            clients.disposal.list_intents(request).await.map(drop)
        }
        "ceralacca.v1.Disposal/ListDisposals" => {
            let request = v1::ListDisposalsRequest {
                log,
                ..v1::ListDisposalsRequest::default()
            };
            clients.disposal.list_disposals(request).await.map(drop)
        }
        "ceralacca.v1.Disposal/GetDisposalCertificate" => {
            let request = v1::GetDisposalCertificateRequest {
                log,
                unit: Some(v1::DisposalUnit {
                    interval_ms: 0,
                    retention_class: 1,
                    carried: 0,
                }),
            };
            clients
                .disposal
                .get_disposal_certificate(request)
                .await
                .map(drop)
        }
        "ceralacca.v1.Preservation/ListIntervals" => {
            let request = v1::ListIntervalsRequest {
                log,
                ..v1::ListIntervalsRequest::default()
            };
            clients.preservation.list_intervals(request).await.map(drop)
        }
        "ceralacca.v1.Preservation/StreamFile" => {
            let request = v1::StreamFileRequest {
                log,
                interval_ms: 0,
                path: "checkpoint".to_owned(),
            };
            clients.preservation.stream_file(request).await.map(drop)
        }
        "ceralacca.v1.Holds/SetHold" => {
            let request = v1::SetHoldRequest {
                log,
                ..v1::SetHoldRequest::default()
            };
            clients.holds.set_hold(request).await.map(drop)
        }
        "ceralacca.v1.Holds/ListHolds" => {
            let request = v1::ListHoldsRequest {
                log,
                ..v1::ListHoldsRequest::default()
            };
            clients.holds.list_holds(request).await.map(drop)
        }
        "ceralacca.v1.Holds/GetHold" => {
            let request = v1::GetHoldRequest { log, hold: 0 };
            clients.holds.get_hold(request).await.map(drop)
        }
        "ceralacca.v1.Holds/ProposeRelease" => {
            let reason = "x".to_owned();
            let hold = 0;
            let request = v1::ProposeReleaseRequest { log, hold, reason };
            clients.holds.propose_release(request).await.map(drop)
        }
        "ceralacca.v1.Holds/ConfirmRelease" => {
            let reason = "x".to_owned();
            let hold = 0;
            let request = v1::ConfirmReleaseRequest { log, hold, reason };
            clients.holds.confirm_release(request).await.map(drop)
        }
        "ceralacca.v1.Erasure/ProposeErasure" => {
            let request = v1::ProposeErasureRequest {
                log,
                index: u64::MAX,
                ground: 1,
                statement: "x".to_owned(),
            };
            clients.erasure.propose_erasure(request).await.map(drop)
        }
        "ceralacca.v1.Erasure/ConfirmErasure" => {
            let (index, statement) = (u64::MAX, "x".to_owned());
            let request = v1::ConfirmErasureRequest {
                log,
                index,
                statement,
            };
            clients.erasure.confirm_erasure(request).await.map(drop)
        }
        "ceralacca.v1.Erasure/GetErasure" => {
            let index = u64::MAX;
            let request = v1::GetErasureRequest { log, index };
            clients.erasure.get_erasure(request).await.map(drop)
        }
        other => panic!("{other} has no call here"),
    }
}

/// All that a caller is told, to the octet.
fn whole(status: &Status) -> (Code, String, Vec<u8>) {
    let details = status.details().to_vec();
    (status.code(), status.message().to_owned(), details)
}

#[test]
fn every_rpc_has_a_line_in_the_table() {
    let files = prost_types::FileDescriptorSet::decode(ceralacca::api::DESCRIPTORS).unwrap();
    let mut compiled = BTreeSet::new();
    for file in &files.file {
        for service in &file.service {
            for method in &service.method {
                let name = format!("{}.{}/{}", file.package(), service.name(), method.name());
                assert!(compiled.insert(name));
            }
        }
    }
    let table: BTreeSet<_> = RPCS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(table.len(), RPCS.len(), "a line twice");
    assert_eq!(compiled, table);
    for (name, act) in RPCS {
        assert_eq!(act_of(name), Some(*act));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_rpc_is_allowed_to_the_roles_of_its_act_and_to_no_other() {
    let mut house = House::new("t1@pec.example.test", "anna@pec.example.test");
    let mut allowed = 0;
    for role in Role::ALL {
        let clients = house.clients(role).await;
        for (rpc, act) in RPCS {
            let answer = call(&clients, rpc, A).await;
            let denied = matches!(&answer, Err(s) if s.code() == Code::PermissionDenied);
            assert_eq!(
                denied,
                !act.roles().contains(&role),
                "{rpc} {role:?} {answer:?}"
            );
            if denied {
                refused(answer, Code::PermissionDenied, "DENIED");
            } else {
                allowed += 1;
            }
        }
    }
    // The sum of the table of RPC by role: it changes with the table only.
    assert_eq!(
        allowed,
        5 + 3 * 6
            + 2 * 3
            + 5 * 5
            + 3 * 2
            + 3 * 2
            + 4
            + 1
            + 2
            + 3
            + 2 * 3
            + 2
            + 1
            + 2
            + 3 * 4
            + 2
            + 2 * 3
            + 2 * 2
            + 2 * 2
            + 4
    );
    house.served.stop_and_check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_without_a_role_and_no_log_at_all_are_told_apart_by_nothing() {
    let mut house = House::new("t1@pec.example.test", "anna@pec.example.test");
    for role in Role::ALL {
        let clients = house.clients(role).await;
        for (rpc, _) in RPCS {
            if *rpc == "ceralacca.v1.Operations/GetStatus" {
                continue;
            }
            let there = call(&clients, rpc, B).await;
            let there = refused(there, Code::PermissionDenied, "DENIED");
            for name in ["gestore-3", "not a name", &"x".repeat(5000)] {
                let nowhere = call(&clients, rpc, name).await.unwrap_err();
                assert_eq!(whole(&there), whole(&nowhere), "{rpc} {role:?} {name}");
            }
        }
    }
    // Who knows one log only need not name it.
    let mut monitor = house.clients(Role::Monitor).await.audit;
    let request = v1::GetCheckpointRequest::default();
    let answer = monitor.get_checkpoint(request).await.unwrap().into_inner();
    assert_eq!(answer.origin, "pec.example.test/log");
    house.served.stop_and_check();
}

async fn health(endpoint: &Endpoint) -> Result<i32, Box<dyn std::error::Error + Send + Sync>> {
    use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
    let mut client = HealthClient::new(endpoint.connect().await?);
    let answer = client.check(HealthCheckRequest::default()).await;
    let whole = answer.map_err(Box::new)?.into_inner().status;
    for (rpc, _) in RPCS {
        let service = rpc.split('/').next().unwrap_or_default().to_owned();
        let answer = client.check(HealthCheckRequest { service }).await;
        assert_eq!(
            answer.map_err(Box::new)?.into_inner().status,
            whole,
            "{rpc}"
        );
    }
    Ok(whole)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_shows_no_certificate_or_an_unknown_one_is_nobody() {
    let mut house = House::new("t1@pec.example.test", "anna@pec.example.test");
    let stranger = house.authority.certify();
    for (certified, reason) in [
        (None, "CERTIFICATE_NEEDED"),
        (Some(&stranger), "CERTIFICATE_UNKNOWN"),
    ] {
        let clients = house.clients_with(certified).await;
        for (rpc, _) in RPCS {
            refused(call(&clients, rpc, A).await, Code::Unauthenticated, reason);
        }
    }
    house.served.stop_and_check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_of_another_authority_or_out_of_force_ends_at_the_handshake() {
    let house = House::new("t1@pec.example.test", "anna@pec.example.test");
    let way = |certified: &Certified| house.served.secured(&house.authority, Some(certified));
    let serving = 1;
    assert_eq!(
        health(&way(&house.authority.certify())).await.unwrap(),
        serving
    );
    for bad in [
        Authority::new().certify(),
        house.authority.certify_expired(),
    ] {
        let error = health(&way(&bad)).await.unwrap_err();
        if let Some(status) = error.downcast_ref::<Box<Status>>() {
            let of_ours = status.get_error_details().error_info().is_some();
            assert!(
                !of_ours && status.code() != Code::Unauthenticated,
                "{status:?}"
            );
        }
    }
    // A client that trusts another authority does not go on with this service.
    let elsewhere = house.served.secured(&Authority::new(), None);
    elsewhere.connect().await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_and_reflection_answer_without_a_certificate() {
    let house = House::new("t1@pec.example.test", "anna@pec.example.test");
    let way = house.served.secured(&house.authority, None);
    assert_eq!(health(&way).await.unwrap(), 1);
    let channel = way.connect().await.unwrap();
    let mut services = BTreeSet::from([
        "grpc.health.v1.Health".to_owned(),
        "grpc.reflection.v1.ServerReflection".to_owned(),
    ]);
    for (rpc, _) in RPCS {
        services.insert(rpc.split('/').next().unwrap().to_owned());
    }
    macro_rules! listed {
        ($version:ident) => {{
            use pb::server_reflection_request::MessageRequest;
            use pb::server_reflection_response::MessageResponse;
            use tonic_reflection::pb::$version as pb;
            let mut client =
                pb::server_reflection_client::ServerReflectionClient::new(channel.clone());
            let request = pb::ServerReflectionRequest {
                host: String::new(),
                message_request: Some(MessageRequest::ListServices(String::new())),
            };
            let answers = client.server_reflection_info(stream::iter([request])).await;
            let answer = answers
                .unwrap()
                .into_inner()
                .message()
                .await
                .unwrap()
                .unwrap();
            let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
                panic!("no list");
            };
            let names = list.service.into_iter().map(|service| service.name);
            names.collect::<BTreeSet<_>>()
        }};
    }
    assert_eq!(listed!(v1), services);
    services.remove("grpc.reflection.v1.ServerReflection");
    services.insert("grpc.reflection.v1alpha.ServerReflection".to_owned());
    assert_eq!(listed!(v1alpha), services);
}

/// What log A holds for a court: index 1 under its transaction, 2 under nobody's it may see, 3 and 4 a receipt
/// with its facts under its party, 5 and 6 one under another's, 7 an object without facts.
async fn fill(house: &House) -> (Vec<TraceRecord>, &'static [u8]) {
    let mut records = traces(11, 2);
    records[0].identificativo = Some("<t1@pec.example.test>".into());
    records[1].sender = Some("bruno@pec.example.test".into());
    let shown = mail(MessageKind::Acceptance);
    let hidden = mail(MessageKind::NonAcceptance);
    let party = &shown.facts().unwrap().sender;
    assert_ne!(&hidden.facts().unwrap().sender, party);
    let items = vec![
        trace_item(&records[0], ""),
        trace_item(&records[1], ""),
        object_item(&shown.bytes, ""),
        object_item(&hidden.bytes, ""),
        object_item(b"Message-ID: <t1@pec.example.test>\r\n\r\nciao", ""),
    ];
    let mut client = house.clients(Role::Provider).await.submission;
    let answer = client
        .submit_batch(batch(items))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer.results.len(), 5);
    (records, &shown.bytes)
}

fn house_of_the_shown_receipt() -> House {
    let party = &mail(MessageKind::Acceptance).facts().unwrap().sender;
    House::new("t1@pec.example.test", &party.to_ascii_uppercase())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_court_sees_what_its_grant_names_and_is_told_nothing_of_the_rest() {
    let mut house = house_of_the_shown_receipt();
    let (_, receipt) = fill(&house).await;
    let court = house.clients(Role::Court).await;
    const COVERED: [u64; 3] = [1, 3, 4];
    // Acts of custody, what was disclosed to others, and what there is not.
    record(&house.clients(Role::Auditor).await, 2)
        .await
        .unwrap();
    let mut indexes: Vec<u64> = (0..10).collect();
    indexes.extend([1_000_000, u64::MAX - 1, u64::MAX]);
    let mut told = BTreeSet::new();
    for index in &indexes {
        match record(&court, *index).await {
            Ok(record) => {
                assert_eq!(record.index, *index);
                assert!(COVERED.contains(index), "{index} is shown");
            }
            Err(status) => {
                assert!(!COVERED.contains(index), "{index} is not shown");
                told.insert(format!("{:?}", whole(&status)));
                refused(Err::<(), _>(status), Code::NotFound, "NOT_SHOWN");
            }
        }
    }
    assert_eq!(told.len(), 1, "{told:?}");
    let mut told = BTreeSet::new();
    for index in indexes {
        match duplicato(&court, index).await {
            Ok((head, bytes)) => {
                assert!([3, 4].contains(&index) && bytes == receipt);
                assert_eq!(head.record.unwrap().index, 3);
                assert_eq!(head.facts.unwrap().index, 4);
            }
            // It is shown, and has no object.
            Err(status) if index == 1 => {
                refused(Err::<(), _>(status), Code::FailedPrecondition, "NO_OBJECT");
            }
            Err(status) => {
                told.insert(format!("{:?}", whole(&status)));
                refused(Err::<(), _>(status), Code::NotFound, "NOT_SHOWN");
            }
        }
    }
    assert_eq!(told.len(), 1, "{told:?}");
    house.served.stop_and_check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_court_finds_what_its_grant_names_only() {
    let mut house = house_of_the_shown_receipt();
    let (records, _) = fill(&house).await;
    let court = house.clients(Role::Court).await;
    let provider = house.clients(Role::Provider).await;
    let hidden = mail(MessageKind::NonAcceptance).facts().unwrap();
    let all = v1::SearchRequest {
        log: A.to_owned(),
        ..v1::SearchRequest::default()
    };
    let cases = [
        (all.clone(), vec![4, 1], vec![7, 6, 4, 2, 1]),
        (
            v1::SearchRequest {
                order: v1::Order::Ascending.into(),
                ..all.clone()
            },
            vec![1, 4],
            vec![1, 2, 4, 6, 7],
        ),
        (
            v1::SearchRequest {
                sender: hidden.sender.clone(),
                ..all.clone()
            },
            vec![],
            vec![6],
        ),
        (
            v1::SearchRequest {
                identificativo: text(&records[1].identificativo),
                ..all.clone()
            },
            vec![],
            vec![2],
        ),
        (
            v1::SearchRequest {
                identificativo: "t1@pec.example.test".to_owned(),
                ..all.clone()
            },
            vec![1],
            vec![1],
        ),
        // An object without facts is under no transaction, whatever its own Message-ID.
        (
            v1::SearchRequest {
                message_id: "t1@pec.example.test".to_owned(),
                ..all.clone()
            },
            vec![],
            vec![7],
        ),
    ];
    for (request, shown, there) in cases {
        let found = search(&court, request.clone()).await.unwrap();
        let indexes: Vec<_> = found.records.iter().map(|record| record.index).collect();
        assert_eq!(indexes, shown, "{request:?}");
        assert!(found.next_page_token.is_empty() && found.previous_page_token.is_empty());
        let found = search(&provider, request).await.unwrap();
        let indexes: Vec<_> = found.records.iter().map(|record| record.index).collect();
        assert_eq!(indexes, there);
    }
    house.served.stop_and_check();
}

async fn transaction(
    clients: &Clients,
    identificativo: &str,
) -> Result<v1::GetTransactionResponse, Status> {
    let request = v1::GetTransactionRequest {
        log: A.to_owned(),
        identificativo: identificativo.to_owned(),
    };
    let answer = clients.trace.clone().get_transaction(request).await;
    answer.map(tonic::Response::into_inner)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_court_follows_the_transactions_its_grant_names_only() {
    let mut house = house_of_the_shown_receipt();
    let (records, _) = fill(&house).await;
    let court = house.clients(Role::Court).await;
    let provider = house.clients(Role::Provider).await;
    let indexes = |answer: &v1::GetTransactionResponse| -> Vec<u64> {
        answer.events.iter().map(|event| event.index).collect()
    };
    let shown = mail(MessageKind::Acceptance).facts().unwrap();
    let shown = shown.identificativo.as_str();
    for (id, there) in [("<t1@pec.example.test>", 1), (shown, 4)] {
        let answer = transaction(&court, id).await.unwrap();
        assert_eq!(indexes(&answer), [there]);
        assert_eq!(transaction(&provider, id).await.unwrap(), answer);
    }
    // What is hidden and what is not there have the same answer but for what was asked.
    let hidden = text(&records[1].identificativo);
    let there = transaction(&provider, &hidden).await.unwrap();
    assert_eq!(indexes(&there), [2]);
    let mut hidden = transaction(&court, &hidden).await.unwrap();
    let nothing = transaction(&court, "mai@pec.example.test").await.unwrap();
    hidden.identificativo = nothing.identificativo.clone();
    assert_eq!(hidden, nothing);
    assert!(nothing.events.is_empty() && nothing.recipients.is_empty());
    let empty = transaction(&provider, "").await;
    refused(empty, Code::InvalidArgument, "TERM_NEEDED");
    let long = transaction(&provider, &"x".repeat(4097)).await;
    refused(long, Code::InvalidArgument, "TOO_LARGE");
    house.served.stop_and_check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_court_whose_grant_has_ended_sees_nothing() {
    let mut house = house_of_the_shown_receipt();
    fill(&house).await;
    let court = house.clients_with(Some(&house.ended)).await;
    for (rpc, _) in RPCS {
        refused(call(&court, rpc, A).await, Code::PermissionDenied, "DENIED");
    }
    refused(record(&court, 1).await, Code::PermissionDenied, "DENIED");
    refused(duplicato(&court, 3).await, Code::PermissionDenied, "DENIED");
    house.served.stop_and_check();
}

/// A disclosure as it must be found in the log.
struct Expected {
    at: u64,
    role: Role,
    shown: Vec<(i64, i64)>,
    query: &'static str,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_disclosure_is_on_record_and_its_custody_leaf_names_nobody() {
    let mut house = house_of_the_shown_receipt();
    let (records, _) = fill(&house).await;
    let key = house.verifier().clone();
    let provider = house.clients(Role::Provider).await;
    let auditor = house.clients(Role::Auditor).await;
    let court = house.clients(Role::Court).await;
    let sender = "bruno@pec.example.test";
    assert_eq!(text(&records[1].sender), sender);
    let by_sender = |sender: &str| v1::SearchRequest {
        log: A.to_owned(),
        sender: sender.to_owned(),
        order: v1::Order::Ascending.into(),
        ..v1::SearchRequest::default()
    };
    let mut expected = Vec::new();
    macro_rules! disclosed {
        ($call:expr, $role:ident, $class:ident, $shown:expr, $query:expr) => {
            let at = size(&provider).await;
            let _ = $call;
            assert_eq!(size(&provider).await, at + 2, "{}", $query);
            let [custody, detail] = [at, at + 1].map(|index| leaf(&auditor, &key, index));
            let (custody, detail) = (custody.await, detail.await);
            assert_eq!(
                (custody.kind, custody.class),
                (Kind::Disclosure, Class::Custody)
            );
            assert_eq!(
                (detail.kind, detail.class),
                (Kind::Disclosure, Class::$class)
            );
            expected.push(Expected {
                at,
                role: Role::$role,
                shown: $shown.to_vec(),
                query: $query,
            });
        };
    }
    disclosed!(
        record(&auditor, 2).await.unwrap(),
        Auditor,
        Trace,
        [(2, 2)],
        "read index=2"
    );
    disclosed!(
        record(&auditor, 5).await.unwrap(),
        Auditor,
        Receipt,
        [(5, 5)],
        "read index=5"
    );
    disclosed!(
        record(&provider, 7).await.unwrap(),
        Provider,
        Content,
        [(7, 7)],
        "read index=7"
    );
    // The archive's own acts, by anybody.
    disclosed!(
        record(&provider, 0).await.unwrap(),
        Provider,
        Trace,
        [(0, 0)],
        "read index=0"
    );
    disclosed!(
        search(&provider, by_sender(sender)).await.unwrap(),
        Provider,
        Trace,
        [(2, 2)],
        "search Sender=bruno@pec.example.test"
    );
    disclosed!(
        search(&provider, by_sender("nessuno@pec.example.test"))
            .await
            .unwrap(),
        Provider,
        Trace,
        [],
        "search Sender=nessuno@pec.example.test"
    );
    disclosed!(
        search(&provider, by_sender("")).await.unwrap(),
        Provider,
        Content,
        [(1, 2), (4, 4), (6, 7)],
        "search"
    );
    disclosed!(
        transaction(&provider, "t1@pec.example.test").await.unwrap(),
        Provider,
        Trace,
        [(1, 1)],
        "transaction t1@pec.example.test"
    );
    disclosed!(
        transaction(&court, "t2@pec.example.test").await.unwrap(),
        Court,
        Trace,
        [],
        "transaction t2@pec.example.test"
    );
    disclosed!(
        duplicato(&provider, 6).await.unwrap(),
        Provider,
        Receipt,
        [(5, 6)],
        "duplicato index=6"
    );
    disclosed!(
        record(&court, 1).await.unwrap(),
        Court,
        Trace,
        [(1, 1)],
        "read index=1"
    );
    // What is not shown was asked all the same.
    disclosed!(
        record(&court, 2).await.unwrap_err(),
        Court,
        Trace,
        [],
        "read index=2"
    );
    disclosed!(
        duplicato(&court, u64::MAX).await.unwrap_err(),
        Court,
        Trace,
        [],
        "duplicato index=18446744073709551615"
    );
    // Hashes, states and errors disclose nothing.
    let before = size(&provider).await;
    for (rpc, _) in RPCS {
        if [
            "GetCheckpoint",
            "WatchCheckpoints",
            "GetLeaves",
            "GetInclusionProof",
            "GetInclusionProofs",
            "GetSample",
            "GetConsistencyProof",
            "ListKeyRotations",
            "GetStatus",
        ]
        .iter()
        .any(|name| rpc.ends_with(name))
        {
            call(&auditor, rpc, A).await.unwrap();
        }
    }
    refused(
        record(&auditor, u64::MAX).await,
        Code::OutOfRange,
        "BEYOND_TREE",
    );
    refused(
        duplicato(&provider, 2).await,
        Code::FailedPrecondition,
        "NO_OBJECT",
    );
    let denied = search(&auditor, by_sender("")).await;
    refused(denied, Code::PermissionDenied, "DENIED");
    assert_eq!(size(&provider).await, before);
    for disclosure in expected {
        let Expected {
            at,
            role,
            shown,
            query,
        } = disclosure;
        let custody = record(&auditor, at).await.unwrap().metadata;
        let ranges = shown.iter().map(|(first, last)| LeafRange {
            first: Integer::try_from(*first).unwrap(),
            last: Integer::try_from(*last).unwrap(),
        });
        let expected = Metadata::Custody(CustodyRecord::Disclosure {
            role: role.word().into(),
            ranges: ranges.collect(),
        });
        assert_eq!(Metadata::parse(&custody).unwrap(), expected);
        let written = String::from_utf8(custody.to_vec()).unwrap();
        for name in ["@", &principal(role), "Sender", "Tribunale", "index"] {
            assert!(!written.contains(name), "{written}");
        }
        let detail = record(&auditor, at + 1).await.unwrap().metadata;
        let expected = Metadata::DisclosureDetail(DisclosureDetail {
            principal: principal(role).as_str().into(),
            act: (role == Role::Court).then(|| ACT.into()),
            query: query.into(),
        });
        assert_eq!(Metadata::parse(&detail).unwrap(), expected);
    }
    house.served.stop_and_check();
}

#[test]
fn plain_text_is_refused_on_an_address_that_others_reach() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.7:8443"] {
        let installation = Installation::plain(&[LOG], "");
        let config = std::fs::read_to_string(installation.path("c.toml")).unwrap();
        let config = config.replace("127.0.0.1:0", address);
        std::fs::write(installation.path("c.toml"), config).unwrap();
        let output = installation.serve_in_vain();
        let line = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{line}");
        assert!(output.stdout.is_empty());
        assert_eq!(line.lines().count(), 1, "{line}");
        let why = format!("plain text is for loopback only, and {address} is not");
        assert!(line.contains(&why), "{line}");
    }
}
