//! The gRPC services, as their clients meet them: the shipped program, served on loopback.

mod auditing;
mod bad_input;
mod compatibility;
mod holds;
mod identity;
mod preservation;
mod reading;
mod rotation;
mod submission;

use crate::support::tls::{Installation, Served};
use ceralacca::api::v1;
use ceralacca::api::v1::submission_item::What;
use ceralacca_formats::acknowledgement::{AcknowledgedRecord, Acknowledgement, Level};
use ceralacca_formats::checkpoint::Checkpoint;
use ceralacca_formats::digest::{Blake3, ContentDigest, Sha256};
use ceralacca_formats::id::{LeafIndex, UtcMillis};
use ceralacca_formats::leaf::{Leaf, Opening};
use ceralacca_formats::metadata::{Metadata, TraceRecord};
use ceralacca_formats::note::VerifierKey;
use ceralacca_formats::tree::{NodeHash, verify_inclusion};
use ceralacca_synthetic::mail::{Family, Message, MessageKind, PkiOptions, Postal};
use std::collections::BTreeMap;
use std::sync::OnceLock;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use v1::audit_client::AuditClient;
use v1::disposal_client::DisposalClient;
use v1::erasure_client::ErasureClient;
use v1::holds_client::HoldsClient;
use v1::operations_client::OperationsClient;
use v1::preservation_client::PreservationClient;
use v1::reissue_client::ReissueClient;
use v1::submission_client::SubmissionClient;
use v1::trace_client::TraceClient;

const LOG: &str = "gestore-1";

/// Every client of one connection.
#[derive(Clone)]
struct Clients {
    submission: SubmissionClient<Channel>,
    audit: AuditClient<Channel>,
    trace: TraceClient<Channel>,
    reissue: ReissueClient<Channel>,
    operations: OperationsClient<Channel>,
    preservation: PreservationClient<Channel>,
    disposal: DisposalClient<Channel>,
    holds: HoldsClient<Channel>,
    erasure: ErasureClient<Channel>,
}

impl Clients {
    fn over(channel: &Channel) -> Self {
        let channel = || channel.clone();
        Self {
            submission: SubmissionClient::new(channel()).max_decoding_message_size(64 << 20),
            audit: AuditClient::new(channel()).max_decoding_message_size(64 << 20),
            trace: TraceClient::new(channel()).max_decoding_message_size(64 << 20),
            reissue: ReissueClient::new(channel()),
            operations: OperationsClient::new(channel()),
            preservation: PreservationClient::new(channel()),
            disposal: DisposalClient::new(channel()),
            holds: HoldsClient::new(channel()),
            erasure: ErasureClient::new(channel()),
        }
    }
}

/// A service in plain text with one log, and its clients.
async fn served(limits: &str) -> (Served, Clients) {
    let served = Installation::plain(&[LOG], limits).serve();
    let clients = Clients::over(&served.channel().await);
    (served, clients)
}

/// Code, reason word, and the numbers of a refusal.
fn told(status: &Status) -> (Code, String, BTreeMap<String, String>) {
    let details = status.get_error_details();
    let info = details
        .error_info()
        .unwrap_or_else(|| panic!("no reason: {status:?}"));
    assert_eq!(info.domain, "ceralacca");
    let numbers = info.metadata.clone().into_iter().collect();
    (status.code(), info.reason.clone(), numbers)
}

/// The call was refused, for this reason.
#[track_caller]
fn refused<T>(answer: Result<T, Status>, code: Code, reason: &str) -> Status {
    let Err(status) = answer else {
        panic!("not refused: {reason}");
    };
    let (found, why, _) = told(&status);
    assert_eq!((found, why.as_str()), (code, reason), "{status:?}");
    status
}

/// Numbers as an `ErrorInfo` carries them.
fn numbers<const N: usize>(numbers: [(&str, u64); N]) -> BTreeMap<String, String> {
    let numbers = numbers.iter();
    let numbers = numbers.map(|(name, number)| ((*name).to_owned(), number.to_string()));
    numbers.collect()
}

fn text(text: &Option<ceralacca_formats::canonical::Text>) -> String {
    let text = text.as_ref().map_or(&[][..], |text| text.as_bytes());
    String::from_utf8(text.to_vec()).unwrap()
}

/// A trace record as a client states it.
fn stated(record: &TraceRecord) -> v1::TraceRecord {
    let texts = |texts: &[ceralacca_formats::canonical::Text]| {
        let texts = texts.iter();
        texts.map(|t| text(&Some(t.clone()))).collect()
    };
    let recipients = record.recipients.iter();
    let recipients = recipients.map(|recipient| v1::Recipient {
        address: text(&Some(recipient.address.clone())),
        kind: text(&recipient.kind),
    });
    v1::TraceRecord {
        identificativo: text(&record.identificativo),
        event_ms: record.event_ms.map(|ms| ms.get()),
        event_offset_min: record.event_offset_min.map(|m| m.get().try_into().unwrap()),
        event_text: text(&record.event_text),
        sender: text(&record.sender),
        recipients: recipients.collect(),
        subject: text(&record.subject),
        event: text(&record.event),
        message_ids: texts(&record.message_ids),
        provider: text(&record.provider),
        msgid: text(&record.msgid),
        point: text(&record.point),
        direction: text(&record.direction),
        delivered_to: text(&record.delivered_to),
        receipt_form: text(&record.receipt_form),
        error: text(&record.error),
        error_detail: text(&record.error_detail),
        taken_over: texts(&record.taken_over),
        ..v1::TraceRecord::default()
    }
}

fn trace_item(record: &TraceRecord, key: &str) -> v1::SubmissionItem {
    v1::SubmissionItem {
        client_key: key.as_bytes().to_vec().into(),
        what: Some(What::Trace(stated(record))),
    }
}

fn object_item(content: &[u8], key: &str) -> v1::SubmissionItem {
    v1::SubmissionItem {
        client_key: key.as_bytes().to_vec().into(),
        what: Some(What::Object(v1::Object {
            content: content.to_vec().into(),
            declared: v1::Declared::Unspecified.into(),
        })),
    }
}

fn one(item: v1::SubmissionItem) -> v1::SubmitRequest {
    v1::SubmitRequest {
        log: LOG.to_owned(),
        item: Some(item),
        options: None,
    }
}

fn batch(items: Vec<v1::SubmissionItem>) -> v1::SubmitBatchRequest {
    v1::SubmitBatchRequest {
        log: LOG.to_owned(),
        items,
        options: None,
    }
}

fn start(key: &str) -> v1::UploadRequest {
    let start = v1::UploadStart {
        log: LOG.to_owned(),
        client_key: key.as_bytes().to_vec().into(),
        ..v1::UploadStart::default()
    };
    v1::UploadRequest {
        part: Some(v1::upload_request::Part::Start(start)),
    }
}

fn chunk(bytes: &[u8]) -> v1::UploadRequest {
    let bytes = bytes.to_vec().into();
    v1::UploadRequest {
        part: Some(v1::upload_request::Part::Chunk(bytes)),
    }
}

/// An upload in pieces of this many bytes.
fn pieces(first: v1::UploadRequest, bytes: &[u8], size: usize) -> Vec<v1::UploadRequest> {
    let mut messages = vec![first];
    messages.extend(bytes.chunks(size).map(chunk));
    messages
}

fn digest32(bytes: &[u8]) -> [u8; 32] {
    bytes.try_into().unwrap()
}

fn path(hashes: &[bytes::Bytes]) -> Vec<NodeHash> {
    let hashes = hashes.iter();
    hashes
        .map(|hash| NodeHash::from_bytes(digest32(hash)))
        .collect()
}

/// Everything a submitter can check alone: each leaf recomputed from its opening and the bytes it submitted,
/// the checkpoint signed and over all of them. Gives the leaves.
fn check_alone(
    answer: &v1::Acknowledgement,
    note: &str,
    key: &VerifierKey,
    submitted: &[u8],
) -> (Vec<Leaf>, Checkpoint) {
    let records = answer.records.iter().map(|record| {
        let content = match record.content_sha256.is_empty() {
            true => ContentDigest::EMPTY,
            false => ContentDigest {
                bytes: record.content_bytes,
                sha256: Sha256::from_bytes(digest32(&record.content_sha256)),
                blake3: Blake3::from_bytes(digest32(&record.content_blake3)),
            },
        };
        let leaf = Leaf::from_bytes(&record.leaf).unwrap();
        assert_eq!(leaf.seq.get(), record.index);
        if leaf.kind != ceralacca_formats::leaf::Kind::Trace {
            assert_eq!(content, ContentDigest::of(submitted));
        }
        AcknowledgedRecord {
            leaf,
            opening: Opening::from_bytes(digest32(&record.opening)),
            content,
            metadata_sha256: Sha256::from_bytes(digest32(&record.metadata_sha256)),
        }
    });
    let acknowledgement = Acknowledgement {
        origin: crate::support::origin(),
        level: Level::Local,
        time: UtcMillis::new(answer.time_ms),
        received_sha256: Sha256::of(submitted),
        repeated: answer.repeated,
        records: records.collect(),
        checkpoint: note.into(),
    };
    assert_eq!(answer.level, i32::from(v1::Level::Local));
    assert_eq!(answer.id, acknowledgement.id());
    assert_eq!(
        answer.received_sha256,
        Sha256::of(submitted).as_bytes().as_slice()
    );
    let checkpoint = acknowledgement.verify(key).unwrap();
    let leaves = acknowledgement.records.iter().map(|record| record.leaf);
    (leaves.collect(), checkpoint)
}

/// The canonical bytes of a trace record: what its submitter computes.
fn canonical(record: &TraceRecord) -> Vec<u8> {
    Metadata::from(record.clone()).to_bytes()
}

/// The published size.
async fn size(clients: &Clients) -> u64 {
    let request = v1::GetCheckpointRequest {
        log: LOG.to_owned(),
        ..Default::default()
    };
    let answer = clients.audit.clone().get_checkpoint(request).await;
    answer.unwrap().into_inner().tree_size
}

/// A leaf, proven in the published tree; seeing it is no disclosure.
async fn leaf(clients: &Clients, key: &VerifierKey, index: u64) -> Leaf {
    let request = v1::GetInclusionProofRequest {
        log: LOG.to_owned(),
        index,
        ..v1::GetInclusionProofRequest::default()
    };
    let answer = clients.audit.clone().get_inclusion_proof(request).await;
    let answer = answer.unwrap().into_inner();
    let checkpoint = Checkpoint::open(answer.checkpoint.as_bytes(), key).unwrap();
    let leaf = Leaf::from_bytes(&answer.leaf).unwrap();
    let index = LeafIndex::new(index);
    assert_eq!(leaf.seq, index);
    verify_inclusion(&checkpoint, index, leaf.hash(), &path(&answer.path)).unwrap();
    leaf
}

async fn record(clients: &Clients, index: u64) -> Result<v1::Record, Status> {
    let request = v1::GetRecordRequest {
        log: LOG.to_owned(),
        index,
        ..v1::GetRecordRequest::default()
    };
    let answer = clients.audit.clone().get_record(request).await;
    answer.map(|answer| answer.into_inner().record.unwrap())
}

/// A *duplicato*, put together.
async fn duplicato(clients: &Clients, index: u64) -> Result<(v1::DuplicatoHead, Vec<u8>), Status> {
    use v1::get_duplicato_response::Part;
    let request = v1::GetDuplicatoRequest {
        log: LOG.to_owned(),
        index,
        infected: false,
    };
    let answer = clients.reissue.clone().get_duplicato(request).await?;
    let mut parts = answer.into_inner();
    let Some(Part::Head(head)) = parts.message().await?.and_then(|message| message.part) else {
        panic!("no head first");
    };
    let mut bytes = Vec::new();
    while let Some(message) = parts.message().await? {
        let Some(Part::Chunk(chunk)) = message.part else {
            panic!("a second head");
        };
        bytes.extend_from_slice(&chunk);
    }
    Ok((head, bytes))
}

async fn search(
    clients: &Clients,
    request: v1::SearchRequest,
) -> Result<v1::SearchResponse, Status> {
    let answer = clients.trace.clone().search(request).await;
    answer.map(tonic::Response::into_inner)
}

/// An invented postal system, and one message of each type by its provider of family A.
fn postal() -> &'static (Postal, Vec<Message>) {
    static POSTAL: OnceLock<(Postal, Vec<Message>)> = OnceLock::new();
    POSTAL.get_or_init(|| {
        let start = i64::try_from(crate::support::START_MS).unwrap();
        let postal = Postal::new(&PkiOptions::default(), start).unwrap();
        let messages = postal.one_of_each_type(Family::A);
        (postal, messages)
    })
}

fn mail(kind: MessageKind) -> &'static Message {
    let mut messages = postal().1.iter();
    messages.find(|message| message.kind() == kind).unwrap()
}

/// Bytes that do not compress, from a seed.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    use rand::{RngCore, SeedableRng};
    let mut bytes = vec![0; len];
    rand_chacha::ChaCha8Rng::seed_from_u64(seed).fill_bytes(&mut bytes);
    bytes
}
