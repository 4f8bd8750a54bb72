//! Where the wire meets the domain: fallible inward, total outward.

use super::v1;
use super::{CLIENT_KEY_BYTES_MAX, TERM_BYTES_MAX, status};
use crate::desk::{BriefCheck, SearchQuery, Shown, Story};
use crate::disposal::CertifiedUnit;
use crate::ingest::{ClientKey, Declared, Remarks};
use crate::store::Order;
use bytes::Bytes;
use ceralacca_formats::acknowledgement::{AcknowledgedRecord, Acknowledgement, Level};
use ceralacca_formats::canonical::{Integer, Text};
use ceralacca_formats::disposal::DisposalUnit;
use ceralacca_formats::id::UtcMillis;
use ceralacca_formats::metadata::{Field, Metadata, Recipient, TraceRecord};
use ceralacca_pec::brief::{Input, Outcome};
use ceralacca_pec::transaction::Missing;
use tonic::Status;

pub(super) mod source;

fn text(text: String) -> Option<Text> {
    (!text.is_empty()).then(|| text.into())
}

fn texts(texts: Vec<String>) -> Vec<Text> {
    texts.into_iter().map(Into::into).collect()
}

fn shown(text: Option<&Text>) -> String {
    text.map_or_else(String::new, |text| {
        String::from_utf8_lossy(text.as_bytes()).into_owned()
    })
}

fn all_shown(texts: &[Text]) -> Vec<String> {
    texts.iter().map(|text| shown(Some(text))).collect()
}

/// A trace record as it is submitted.
pub(super) fn trace(record: v1::TraceRecord) -> Result<TraceRecord, Status> {
    let integer = |value: i64| {
        Integer::try_from(value).map_err(|_| {
            status::invalid(
                "event_ms",
                "OUT_OF_RANGE",
                "not within plus or minus 2^53 - 1",
            )
        })
    };
    let recipients = record.recipients.into_iter();
    let recipients = recipients.map(|recipient| Recipient {
        address: recipient.address.into(),
        kind: text(recipient.kind),
    });
    if record.source.is_some() || record.migrated.is_some() || !record.findings.is_empty() {
        let message = "source, findings and migrated are set by the archive only";
        return Err(status::invalid("trace", "ARCHIVE_ONLY", message));
    }
    Ok(TraceRecord {
        identificativo: text(record.identificativo),
        event_ms: record.event_ms.map(integer).transpose()?,
        event_offset_min: record.event_offset_min.map(Integer::from),
        event_text: text(record.event_text),
        sender: text(record.sender),
        recipients: recipients.collect(),
        subject: text(record.subject),
        event: text(record.event),
        message_ids: texts(record.message_ids),
        provider: text(record.provider),
        msgid: text(record.msgid),
        point: text(record.point),
        direction: text(record.direction),
        delivered_to: text(record.delivered_to),
        receipt_form: text(record.receipt_form),
        error: text(record.error),
        error_detail: text(record.error_detail),
        taken_over: texts(record.taken_over),
        content_digests: texts(record.content_digests),
        // Only what the archive read itself names its source, and only it says what is migrated.
        ..TraceRecord::default()
    })
}

fn trace_shown(record: &TraceRecord) -> v1::TraceRecord {
    let recipients = record.recipients.iter();
    let recipients = recipients.map(|recipient| v1::Recipient {
        address: shown(Some(&recipient.address)),
        kind: shown(recipient.kind.as_ref()),
    });
    v1::TraceRecord {
        identificativo: shown(record.identificativo.as_ref()),
        event_ms: record.event_ms.map(Integer::get),
        event_offset_min: record
            .event_offset_min
            .and_then(|minutes| i32::try_from(minutes.get()).ok()),
        event_text: shown(record.event_text.as_ref()),
        sender: shown(record.sender.as_ref()),
        recipients: recipients.collect(),
        subject: shown(record.subject.as_ref()),
        event: shown(record.event.as_ref()),
        message_ids: all_shown(&record.message_ids),
        provider: shown(record.provider.as_ref()),
        msgid: shown(record.msgid.as_ref()),
        point: shown(record.point.as_ref()),
        direction: shown(record.direction.as_ref()),
        delivered_to: shown(record.delivered_to.as_ref()),
        receipt_form: shown(record.receipt_form.as_ref()),
        error: shown(record.error.as_ref()),
        error_detail: shown(record.error_detail.as_ref()),
        taken_over: all_shown(&record.taken_over),
        content_digests: all_shown(&record.content_digests),
        source: record.source.as_deref().map(source::line),
        findings: all_shown(&record.findings),
        migrated: record.migrated.as_ref().map(source::migrated),
    }
}

/// How an object is declared.
pub(super) fn declared(declared: i32) -> Result<Declared, Status> {
    match v1::Declared::try_from(declared) {
        Ok(v1::Declared::Unspecified) => Ok(Declared::AsRead),
        Ok(v1::Declared::Infected) => Ok(Declared::Infected),
        Err(_) => Err(status::invalid(
            "declared",
            "UNKNOWN_VALUE",
            "not a known value",
        )),
    }
}

/// A client key; empty for none.
pub(super) fn client_key(key: &Bytes) -> Result<Option<ClientKey>, Status> {
    if key.len() > CLIENT_KEY_BYTES_MAX {
        let (found, limit) = (key.len() as u64, CLIENT_KEY_BYTES_MAX as u64);
        return Err(status::over_limit("client_key", found, limit));
    }
    Ok((!key.is_empty()).then(|| ClientKey(key.to_vec())))
}

/// What is searched.
pub(super) fn search(request: v1::SearchRequest) -> Result<(SearchQuery, Order), Status> {
    let terms = [
        (
            Field::Identificativo,
            "identificativo",
            request.identificativo,
        ),
        (Field::Msgid, "msgid", request.msgid),
        (Field::MessageId, "message_id", request.message_id),
        (Field::Sender, "sender", request.sender),
        (Field::Recipient, "recipient", request.recipient),
        (Field::Event, "event", request.event),
        (Field::Finding, "finding", request.finding),
    ];
    let mut query = SearchQuery {
        terms: Vec::new(),
        party: None,
        event: (request.event_from_ms, request.event_until_ms),
        recorded: (
            request.recorded_from_ms.map(UtcMillis::new),
            request.recorded_until_ms.map(UtcMillis::new),
        ),
    };
    for (field, name, term) in terms {
        if term.len() > TERM_BYTES_MAX {
            return Err(status::over_limit(
                name,
                term.len() as u64,
                TERM_BYTES_MAX as u64,
            ));
        }
        if !term.is_empty() {
            query.terms.push((field, term.into_bytes()));
        }
    }
    let order = match v1::Order::try_from(request.order) {
        Ok(v1::Order::Unspecified | v1::Order::Descending) => Order::Descending,
        Ok(v1::Order::Ascending) => Order::Ascending,
        Err(_) => {
            return Err(status::invalid(
                "order",
                "UNKNOWN_VALUE",
                "not a known value",
            ));
        }
    };
    Ok((query, order))
}

/// A unit of disposal.
pub(super) fn disposal_unit(unit: DisposalUnit) -> v1::DisposalUnit {
    v1::DisposalUnit {
        interval_ms: unit.interval.get(),
        // The codes on the wire are those of the leaf; a test holds them together.
        retention_class: i32::from(unit.class.code()),
        carried: unit.carried,
    }
}

/// What was disposed of, and the certificates that are at hand, in the same order.
pub(super) fn certified(
    found: Vec<CertifiedUnit>,
) -> (Vec<v1::DisposalUnit>, Vec<v1::DisposalCertificate>) {
    let units = found.iter().map(|one| disposal_unit(one.unit)).collect();
    let certificates = found.into_iter().filter_map(|one| {
        Some(v1::DisposalCertificate {
            unit: Some(disposal_unit(one.unit)),
            certificate: one.certificate?.into(),
        })
    });
    (units, certificates.collect())
}

/// That an object is gone.
pub(super) fn disposed_object(found: Vec<CertifiedUnit>) -> v1::DisposedObject {
    let (units, certificates) = certified(found);
    v1::DisposedObject {
        units,
        certificates,
    }
}

/// A record as it is shown.
pub(super) fn record(record: &Shown) -> v1::Record {
    let opened = &record.opened;
    let facts = match &record.metadata {
        Some(Metadata::Trace(trace)) => Some(v1::record::Facts::Trace(trace_shown(trace))),
        Some(Metadata::Object(object)) => Some(v1::record::Facts::Object(v1::ObjectFacts {
            message_id: shown(object.message_id.as_ref()),
            unclassified: shown(object.unclassified.as_ref()),
            signature: shown(object.signature.as_ref()),
            findings: all_shown(&object.findings),
            signing_ms: object.signing_ms.map(Integer::get),
            chain: all_shown(&object.chain),
            received_ms: object.received_ms.map(Integer::get),
            trust: object.trust.and_then(|leaf| u64::try_from(leaf.get()).ok()),
            log_file: object.log_file.as_deref().map(source::log_file),
            migrated: object.migrated.as_ref().map(source::migrated),
            time_stamp: object.time_stamp.as_deref().map(source::time_stamp),
        })),
        Some(
            Metadata::DisclosureDetail(_)
            | Metadata::MigrationDetail(_)
            | Metadata::ActDetail(_)
            | Metadata::Custody(_),
        )
        | None => None,
    };
    v1::Record {
        index: opened.leaf.seq.get(),
        leaf: Bytes::copy_from_slice(&opened.leaf.to_bytes()),
        opening: Bytes::copy_from_slice(opened.opening.as_bytes()),
        content_bytes: opened.content.bytes,
        content_sha256: Bytes::copy_from_slice(opened.content.sha256.as_bytes()),
        content_blake3: Bytes::copy_from_slice(opened.content.blake3.as_bytes()),
        metadata: Bytes::copy_from_slice(&opened.canonical),
        // The codes on the wire are those of the leaf; a test holds them together.
        kind: i32::from(opened.leaf.kind.code()),
        retention_class: i32::from(opened.leaf.class.code()),
        time_ms: opened.leaf.time.get(),
        interval_ms: record.interval.start().get(),
        companion: record.companion().map(|index| index.get()),
        facts,
    }
}

/// A transaction as it is shown.
/// A brief receipt that was looked into.
pub(super) fn brief_check(check: &BriefCheck) -> v1::CheckBriefReceiptResponse {
    let comparison = check.original.as_ref().map(|(_, comparison)| comparison);
    let parts = check.brief.hashes.iter().enumerate().map(|(at, hashed)| {
        let outcome = comparison.and_then(|comparison| comparison.outcomes.get(at));
        let (word, input, other_name) = match outcome {
            None => ("not-compared", "", false),
            Some(Outcome::NoHash) => ("no-hash", "", false),
            Some(Outcome::Missing) => ("missing", "", false),
            Some(Outcome::Differs) => ("differs", "", false),
            Some(Outcome::Matches {
                input,
                has_that_name,
                ..
            }) => ("matches", input_word(*input), !has_that_name),
        };
        v1::BriefPart {
            name: shown(Some(&hashed.name)),
            sha1: hashed
                .sha1
                .as_ref()
                .map_or_else(Bytes::new, |sha1| Bytes::copy_from_slice(sha1.as_bytes())),
            outcome: word.to_owned(),
            input: input.to_owned(),
            other_name,
        }
    });
    v1::CheckBriefReceiptResponse {
        receipt: check.receipt.get(),
        original: check.original.as_ref().map(|(index, _)| index.get()),
        parts: parts.collect(),
        uncovered: comparison.map_or_else(Vec::new, |c| all_shown(&c.uncovered)),
        opaque: check.brief.is_opaque,
        truncated: !check.brief.is_complete || comparison.is_some_and(|c| !c.is_complete),
    }
}

fn input_word(input: Input) -> &'static str {
    match input {
        Input::Decoded => "decoded",
        Input::EncodedCrlf => "encoded-crlf",
        Input::EncodedLf => "encoded-lf",
    }
}

/// What became of a message.
pub(super) fn transaction(identificativo: String, story: &Story) -> v1::GetTransactionResponse {
    let words = |missing: &[Missing]| missing.iter().map(|m| m.word().to_owned()).collect();
    let events = story.steps.iter().map(|step| v1::TransactionEvent {
        index: step.index.get(),
        companion: step.companion.map(|index| index.get()),
        event: shown(step.facts.event.as_ref()),
        event_ms: step.at_ms(),
        event_text: shown(step.facts.event_text.as_ref()),
        provider: shown(step.facts.provider.as_ref()),
        delivered_to: shown(step.facts.delivered_to.as_ref()),
        taken_over: all_shown(&step.facts.taken_over),
        receipt_form: shown(step.facts.receipt_form.as_ref()),
        error: shown(step.facts.error.as_ref()),
        error_detail: shown(step.facts.error_detail.as_ref()),
    });
    let recipients = story.outcome.recipients.iter();
    let recipients = recipients.map(|found| v1::TransactionRecipient {
        address: shown(Some(&found.recipient.address)),
        kind: shown(found.recipient.kind.as_ref()),
        state: found.state.word().to_owned(),
        at_ms: found.at_ms,
        effective_ms: found.effective_ms,
        contradictory: found.contradictory,
        missing: words(&found.missing),
    });
    v1::GetTransactionResponse {
        identificativo,
        accepted_ms: story.outcome.accepted_ms,
        sender: shown(story.sender.as_ref()),
        subject: shown(story.subject.as_ref()),
        events: events.collect(),
        recipients: recipients.collect(),
        missing: words(&story.outcome.missing),
        truncated: story.truncated,
    }
}

/// An acknowledgement without the details that only a reader gives.
pub(super) fn acknowledgement(
    acknowledgement: &Acknowledgement,
    remarks: &Remarks,
) -> v1::Acknowledgement {
    let level = match acknowledgement.level {
        Level::Local => v1::Level::Local,
        Level::Stored => v1::Level::Stored,
        Level::Locked => v1::Level::Locked,
    };
    let records = acknowledgement.records.iter();
    v1::Acknowledgement {
        id: acknowledgement.id(),
        time_ms: acknowledgement.time.get(),
        level: level.into(),
        received_sha256: Bytes::copy_from_slice(acknowledgement.received_sha256.as_bytes()),
        repeated: acknowledgement.repeated,
        records: records.map(acknowledged).collect(),
        unclassified: remarks.unclassified.clone(),
        signature: remarks.signature.clone(),
    }
}

fn acknowledged(record: &AcknowledgedRecord) -> v1::AcknowledgedRecord {
    let digest = |digest: &[u8; 32]| match record.content.bytes {
        0 if record.content == ceralacca_formats::digest::ContentDigest::EMPTY => Bytes::new(),
        _ => Bytes::copy_from_slice(digest),
    };
    v1::AcknowledgedRecord {
        index: record.leaf.seq.get(),
        leaf: Bytes::copy_from_slice(&record.leaf.to_bytes()),
        opening: Bytes::copy_from_slice(record.opening.as_bytes()),
        content_bytes: record.content.bytes,
        content_sha256: digest(record.content.sha256.as_bytes()),
        content_blake3: digest(record.content.blake3.as_bytes()),
        metadata_sha256: Bytes::copy_from_slice(record.metadata_sha256.as_bytes()),
        metadata: Bytes::new(),
        proof: String::new(),
    }
}
