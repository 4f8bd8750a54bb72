//! What the pages tell: the message, recipient by recipient, and each record. All of it is from records.

use super::closed::{Closed, Interval};
use super::material::{Again, Piece};
use super::object::Examined;
use crate::desk::{Absent, Archived};
use ceralacca_formats::canonical::Text;
use ceralacca_formats::disposed::NamedUnit;
use ceralacca_formats::id::{LeafIndex, UtcMillis};
use ceralacca_formats::leaf::Kind;
use ceralacca_formats::metadata::{Field, Metadata, ObjectRecord, TraceRecord};
use ceralacca_formats::proof::ProofFile;
use ceralacca_formats::renewal::RenewalFacts;
use ceralacca_formats::tree::LeafHash;
use ceralacca_pages::model::{
    self, Checkpoint, Instant, Mailbox, Material, Message, Missing, Object, Outcome, Recipient,
    Record, SignatureAtIngest, State, Step, StepAt, Token, Witness,
};
use ceralacca_pec::brief::Comparison;
use ceralacca_pec::judge::{Ground, Signer};
use ceralacca_pec::transaction::{self, Transaction, follow};
use ceralacca_pec::tsp;

/// Something archived, with all that was found out about it.
pub(super) struct Item {
    pub(super) archived: Archived,
    /// The leaf that stands for it: of the object where there is one.
    pub(super) leaf: LeafIndex,
    pub(super) examined: Option<Examined>,
    /// Its signature, judged again with the material of the day it came in.
    pub(super) again: Option<Again>,
    /// Of a brief receipt whose original is handed out too: the leaf of that, and what its hashes came to.
    pub(super) compared: Option<(u64, Comparison)>,
    /// Its file in the package, where the object is held.
    pub(super) file: Option<String>,
    /// Proofs of its records, object first, each with the stem of its files.
    pub(super) proofs: Vec<(String, ProofFile)>,
}

impl Item {
    /// The facts.
    pub(super) fn trace(&self) -> Option<&TraceRecord> {
        match self.archived.facts.as_ref()?.metadata.as_ref()? {
            Metadata::Trace(trace) => Some(trace),
            _ => None,
        }
    }

    /// What was recorded of the object.
    pub(super) fn object(&self) -> Option<&ObjectRecord> {
        match self.archived.object.as_ref()?.metadata.as_ref()? {
            Metadata::Object(object) => Some(object),
            _ => None,
        }
    }

    /// Whether something was remarked at ingest, or is now.
    pub(super) fn has(&self, code: &str) -> bool {
        let recorded = self.object().is_some_and(|object| {
            let mut findings = object.findings.iter();
            findings.any(|found| found.to_str() == Some(code))
        });
        recorded || self.examined.as_ref().is_some_and(|e| e.has(code))
    }

    /// The level of its signature as recorded when it came in.
    pub(super) fn level(&self) -> Option<&str> {
        self.object()?.signature.as_ref()?.to_str()
    }

    /// Whether judging again with the material of that day reaches the level recorded.
    pub(super) fn is_reproduced(&self) -> Option<bool> {
        let again = self.again.as_ref()?;
        Some(again.verdict.level.word() == self.level()?)
    }

    /// The type of event.
    pub(super) fn event(&self) -> Option<&str> {
        self.trace()?.event.as_ref()?.to_str()
    }

    pub(super) fn number(&self) -> u64 {
        self.leaf.get()
    }
}

pub(super) fn shown(text: &Text) -> String {
    String::from_utf8_lossy(text.as_bytes()).into_owned()
}

fn some(text: Option<&Text>) -> Option<String> {
    text.map(shown)
}

pub(super) fn instant(at: UtcMillis) -> Instant {
    Instant::from_millis(i64::try_from(at.get()).unwrap_or(i64::MAX))
}

fn at(ms: Option<i64>) -> Option<Instant> {
    ms.map(Instant::from_millis)
}

/// The message, as its records show it at an instant.
pub(super) fn message(items: &[Item], now: Instant) -> Message {
    let traces = || items.iter().filter_map(Item::trace);
    let first = |of: fn(&TraceRecord) -> Option<&Text>| some(traces().find_map(of));
    let followed: Transaction = follow(traces(), now.millis());
    let recipients = followed.recipients.iter();
    Message {
        identificativo: first(|trace| trace.identificativo.as_ref()),
        msgid: first(|trace| trace.msgid.as_ref()),
        from: first(|trace| trace.sender.as_ref()),
        subject: first(|trace| trace.subject.as_ref()),
        accepted: at(followed.accepted_ms),
        missing: followed.missing.iter().map(missing).collect(),
        recipients: recipients.map(|found| recipient(found, items)).collect(),
    }
}

fn missing(missing: &transaction::Missing) -> Missing {
    match missing {
        transaction::Missing::Acceptance => Missing::Acceptance,
        transaction::Missing::Takeover => Missing::Takeover,
        transaction::Missing::Outcome => Missing::Outcome,
    }
}

fn recipient(found: &transaction::ForRecipient, items: &[Item]) -> Recipient {
    let kind = found.recipient.kind.as_ref().and_then(|kind| kind.to_str());
    let state = match found.state {
        transaction::State::Named => State::Named,
        transaction::State::Accepted => State::Accepted,
        transaction::State::OrdinaryMail => State::OrdinaryMail,
        transaction::State::TakenOver => State::TakenOver,
        transaction::State::Overdue => State::Overdue,
        transaction::State::NotAccepted => State::NotAccepted,
        transaction::State::Failed => State::Failed,
        transaction::State::Delivered => State::Delivered,
    };
    let mut steps: Vec<StepAt> = items
        .iter()
        .filter_map(|item| step(item, found.recipient.address.as_bytes()))
        .collect();
    steps.sort_by_key(|step| (step.at, step.leaf));
    Recipient {
        address: shown(&found.recipient.address),
        mailbox: match kind {
            Some("certificato") => Mailbox::Certified,
            Some("esterno" | "ordinario") => Mailbox::Ordinary,
            _ => Mailbox::Unknown,
        },
        state,
        at: at(found.at_ms),
        effective: at(found.effective_ms),
        is_contradictory: found.contradictory,
        missing: found.missing.iter().map(missing).collect(),
        steps,
    }
}

pub(super) fn is_same_address(a: &[u8], b: &[u8]) -> bool {
    Field::Recipient.normalise(a) == Field::Recipient.normalise(b)
}

fn step(item: &Item, address: &[u8]) -> Option<StepAt> {
    let trace = item.trace()?;
    let is = |text: &Text| is_same_address(text.as_bytes(), address);
    let is_named = trace.recipients.iter().any(|r| is(&r.address));
    let is_to = trace.delivered_to.as_ref().is_some_and(is);
    let step = match item.event()? {
        "accettazione" if is_named => Step::Accepted,
        "non-accettazione" if is_named => Step::NotAccepted,
        "presa-in-carico" if trace.taken_over.iter().any(is) => Step::TakenOver,
        "preavviso-errore-consegna" if is_to => Step::Notice,
        "avvenuta-consegna" if is_to => Step::Delivered,
        "errore-consegna" if is_to => Step::Failed,
        _ => return None,
    };
    Some(StepAt {
        step,
        at: at(trace.event_ms.map(|ms| ms.get())),
        leaf: item.number(),
    })
}

/// A record as the pages show it; `None` for what has none.
pub(super) fn record(item: &Item, interval: Option<&Interval>) -> Option<Record> {
    let standing = item.archived.record()?;
    let opened = &standing.opened;
    let nothing = TraceRecord::default();
    let trace = item.trace().unwrap_or(&nothing);
    let own = item.object().and_then(|object| object.message_id.as_ref());
    let mut concerns: Vec<String> = trace.taken_over.iter().map(shown).collect();
    concerns.extend(trace.delivered_to.iter().map(shown));
    let is_held = item.archived.object.is_some();
    let content = &opened.content;
    Some(Record {
        leaf: item.number(),
        leaf_hash: LeafHash::of(&opened.leaf.to_bytes()).to_string(),
        event: some(trace.event.as_ref()),
        identificativo: some(trace.identificativo.as_ref()),
        msgid: some(trace.msgid.as_ref()),
        message_id: some(own.or(trace.message_ids.first())),
        from: some(trace.sender.as_ref()),
        recipients: trace.recipients.iter().map(|r| shown(&r.address)).collect(),
        concerns,
        subject: some(trace.subject.as_ref()),
        provider: some(trace.provider.as_ref()),
        event_time: at(trace.event_ms.map(|ms| ms.get())),
        ingest_time: instant(opened.leaf.time),
        proven_time: interval
            .and_then(|interval| interval.closed.as_ref())
            .map(|closed| instant(closed.stamp.time)),
        sha256: is_held.then(|| content.sha256.to_string()),
        blake3: is_held.then(|| hex::encode(content.blake3.as_bytes())),
        bytes: is_held.then_some(content.bytes),
        object: match &item.file {
            Some(file) => Object::HandedOut { file: file.clone() },
            None => match item.archived.absent {
                None => Object::TraceOnly,
                Some(Absent::Disposed { .. }) => Object::Disposed,
                Some(Absent::Erased(leaf)) => Object::Erased { leaf: leaf.get() },
                Some(Absent::Isolated) => Object::Isolated,
            },
        },
        signature: item.examined.as_ref().and_then(|e| signature(item, e)),
        interval: instant(standing.interval.start()),
    })
}

/// How the signature stood when the object came in, and whether the same is reached again.
fn signature(item: &Item, examined: &Examined) -> Option<SignatureAtIngest> {
    if !examined.is_signed() {
        return None;
    }
    let object = item.object();
    let level = item.level().unwrap_or("not-judged").to_owned();
    let outcome = match level.as_str() {
        "integral-trusted" => Outcome::Passed,
        "integral-weak" | "broken" | "absent" => Outcome::Failed,
        _ => Outcome::NotChecked,
    };
    let signer = examined.verdict.signer.as_ref();
    let name = |signer: &Signer| {
        let organization = signer.organization.clone();
        signer.common_name.clone().or(organization)
    };
    let recorded = object.map(|object| object.findings.as_slice());
    let grounds = recorded.unwrap_or_default().iter().filter(|finding| {
        let mut known = Ground::ALL.iter();
        known.any(|ground| finding.to_str() == Some(ground.code()))
    });
    let again = item.again.as_ref();
    let judged = again.map_or(examined.verdict.judged_ms, |again| again.verdict.judged_ms);
    let leaf = object.and_then(|object| u64::try_from(object.trust?.get()).ok());
    Some(SignatureAtIngest {
        outcome,
        verdict: level,
        grounds: grounds.map(shown).collect(),
        received: at(object
            .and_then(|object| object.received_ms)
            .map(|ms| ms.get())),
        judged: at(judged),
        trust_set: leaf,
        is_reproduced: item.is_reproduced(),
        signer: signer.and_then(name),
        issuer: signer.and_then(|signer| signer.issuer.clone()),
        serial: signer.map(|signer| signer.serial.clone()),
        algorithm: examined.verdict.signature.map(|a| a.to_string()),
        not_before: signer.map(|signer| Instant::from_millis(signer.from_ms)),
        not_after: signer.map(|signer| Instant::from_millis(signer.until_ms)),
        material: material(item, examined),
    })
}

/// The chain, each certificate with where it is: in the trust set of that day, or in the message itself; then what
/// speaks of revocation, and the directory of providers of that day.
fn material(item: &Item, examined: &Examined) -> Vec<Material> {
    let pieces = item.again.as_ref().map(|again| again.pieces.as_slice());
    let pieces = pieces.unwrap_or_default();
    let of_piece = |piece: &Piece| Material {
        kind: piece.what.clone(),
        day: piece.day.clone(),
        leaf: Some(piece.leaf.get()),
        sha256: piece.sha256.to_string(),
        file: piece.file(),
    };
    let within = examined.certificates.as_slice();
    let chain = item.object().map(|object| object.chain.as_slice());
    let chain = chain.unwrap_or_default().iter().map(shown);
    let in_message = |sha256: String| Material {
        kind: "certificate".to_owned(),
        day: None,
        leaf: None,
        file: match within.iter().any(|found| found.to_string() == sha256) {
            true => item.file.clone(),
            false => None,
        },
        sha256,
    };
    let is_held = |sha256: &String| pieces.iter().any(|p| p.sha256.to_string() == *sha256);
    let mut all: Vec<Material> = chain
        .filter(|sha256| !is_held(sha256))
        .map(in_message)
        .collect();
    all.extend(pieces.iter().map(of_piece));
    all
}

/// An interval as the pages show it; `open` is the checkpoint shown while it is not closed, signed by `key`.
pub(super) fn interval(
    interval: &Interval,
    open: (&ceralacca_formats::checkpoint::Checkpoint, &str),
    folder: &str,
) -> model::Interval {
    let closed = interval.closed.as_ref();
    let checkpoint = closed.map_or(open.0, |closed| &closed.checkpoint);
    let key = closed.map_or(open.1, |closed| &closed.key);
    model::Interval {
        start: instant(interval.span.id.start()),
        end: Some(instant(interval.span.end)),
        closing_leaf: interval
            .span
            .closed
            .filter(|_| closed.is_some())
            .map(LeafIndex::get),
        checkpoint: Checkpoint {
            origin: checkpoint.origin().as_str().to_owned(),
            tree_size: checkpoint.size().get(),
            root_hash: checkpoint.root().to_string(),
            key: key.to_owned(),
            witnesses: closed.map(|c| witnesses(c, folder)).unwrap_or_default(),
        },
        tokens: closed
            .map(|closed| tokens(closed, folder))
            .unwrap_or_default(),
        renewals: closed.map(renewals).unwrap_or_default(),
    }
}

fn witnesses(closed: &Closed, folder: &str) -> Vec<Witness> {
    let witness = |found: &super::closed::Witness| Witness {
        name: found.name.clone(),
        key: found.key.clone(),
        time: Some(instant(found.at)),
        tree_size: found.size.get(),
        file: Some(format!("{folder}/closing.tlog-proof")),
    };
    closed.witnesses.iter().map(witness).collect()
}

fn tokens(closed: &Closed, folder: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    for (name, octets) in &closed.files {
        if *name != "checkpoint.tst" {
            continue;
        }
        let token = tsp::Token::read(octets);
        let info = token.as_ref().map(tsp::Token::info);
        let signer = closed.stamped_by.as_ref();
        tokens.push(Token {
            covers: format!("{folder}/checkpoint"),
            time: instant(closed.stamp.time),
            authority: closed.stamp.authority.clone(),
            serial: info.map(|info| info.serial.clone()).unwrap_or_default(),
            sha256: ceralacca_formats::digest::Sha256::of(octets).to_string(),
            signer: signer.and_then(|signer| signer.common_name.clone()),
            certificate: signer.map(|signer| hex::encode(&signer.sha256)),
            is_qualified: info.is_ok_and(|info| info.claims_qualified),
            file: Some(format!("{folder}/{name}")),
        });
    }
    tokens
}

fn renewals(closed: &Closed) -> Vec<model::Renewal> {
    let renewal = |facts: &RenewalFacts| model::Renewal {
        time: instant(facts.time),
        kind: facts.kind.word().to_owned(),
        algorithm: facts.algorithm.clone(),
        authority: facts.authority.clone(),
        serial: hex::encode(&facts.serial),
        root_hash: hex::encode(&facts.root),
    };
    closed.renewals.iter().map(renewal).collect()
}

/// A unit that was disposed of, as the pages show it.
pub(super) fn disposed(named: &NamedUnit) -> model::Disposed {
    model::Disposed {
        interval: instant(named.unit.interval.start()),
        class: named.unit.class.word().to_owned(),
        carried: named.unit.carried,
        certificate: named.certificate.clone(),
    }
}

/// The name of an object's file: its event, or what it is.
pub(super) fn file_name(number: usize, archived: &Archived, event: Option<&str>) -> String {
    let kind = archived.object.as_ref().map(|shown| shown.opened.leaf.kind);
    let known = [
        "accettazione",
        "avvenuta-consegna",
        "errore-consegna",
        "non-accettazione",
        "posta-certificata",
        "preavviso-errore-consegna",
        "presa-in-carico",
        "rilevazione-virus",
    ];
    let word = match event.and_then(|event| known.iter().find(|word| **word == event)) {
        Some(word) => word,
        None if kind == Some(Kind::Receipt) => "ricevuta",
        None => "messaggio",
    };
    format!("{number:03}-{word}.eml")
}
