//! What an object is, from what was found in it.
//!
//! A message is classified by its daticert, not by its outer headers, which nobody signed. These only tell
//! an ordinary message from a PEC message that lost something, and an anomaly envelope, which has no
//! daticert, from both.
//!
//! # Invariants
//! 1. Facts need both parts of the multipart/signed: what is cut off before its signature certifies nothing.
//! 2. The facts given out fit into the metadata of a record, with room for what the archive adds.
//! 3. Findings speak of what was understood: of an unclassified object only those of its form are told.

use crate::agreement::{self, ANOMALY};
use crate::daticert::{self, Daticert, Tipo};
use crate::facts::fitting;
use crate::finding::Finding;
use crate::found::{Part, Scan};
use crate::grammar;
use crate::head::Head;
use crate::header::split_entity;
use crate::mime;
use crate::nested::Nested;
use crate::param::Structured;
use crate::reading::Reading;
use crate::reason::Reason;
use crate::rem::Captured;
use crate::time::Moment;
use ceralacca_formats::canonical::Text;
use ceralacca_formats::leaf::Kind;
use ceralacca_formats::metadata::TraceRecord;

/// What was found in the body.
#[derive(Default)]
pub(crate) struct Found {
    pub scan: Option<Scan>,
    pub nested: Nested,
    pub captured: Captured,
    /// The object itself, where it is XML.
    pub alone: Captured,
}

/// What a message is.
struct Verdict {
    kind: Kind,
    facts: Option<TraceRecord>,
    unclassified: Option<Reason>,
    findings: Vec<Finding>,
}

impl Verdict {
    fn of(kind: Kind, facts: Option<TraceRecord>) -> Self {
        Self {
            kind,
            facts,
            unclassified: None,
            findings: Vec::new(),
        }
    }
}

impl From<Reason> for Verdict {
    fn from(reason: Reason) -> Self {
        Self {
            unclassified: Some(reason),
            ..Self::of(Kind::Unclassified, None)
        }
    }
}

/// The reading of an object of so many octets.
pub(crate) fn conclude(bytes: u64, head: Head, found: Found) -> Reading {
    let is_signed = found.scan.is_some();
    let mut scan = found.scan.unwrap_or_default();
    let is_alone = matches!(found.alone.evidence, Some(Ok(_)));
    let captured = match found.alone.evidence.is_some() {
        true => found.alone,
        // What is cut off before its signature is nobody's evidence.
        false if scan.problem.is_some() => Captured::default(),
        false => found.captured,
    };
    let verdict = if bytes == 0 {
        Reason::Empty.into()
    } else if is_alone {
        Verdict::of(Kind::Receipt, None)
    } else if head.is_too_long {
        Reason::HeaderTooLong.into()
    } else if scan.has_daticert || (head.is_pec && is_signed) {
        judge_signed(&head, &mut scan, &found.nested).unwrap_or_else(Verdict::from)
    } else {
        judge_unsigned(&head, &scan, &captured)
    };
    let mut findings = [head.findings, scan.findings, verdict.findings].concat();
    findings.extend(of_evidence(&captured));
    if verdict.unclassified.is_none() {
        findings.extend(of_nested(&found.nested));
    }
    findings.sort_unstable();
    findings.dedup();
    Reading {
        kind: verdict.kind,
        message_id: head.outer.message_id,
        facts: verdict.facts,
        unclassified: verdict.unclassified,
        signed: scan.signed,
        signature: scan.signature,
        signed_digests: scan.signed_digests,
        signature_entity: scan.signature_entity,
        from: head.outer.from,
        micalg: head.micalg,
        postacert: scan.postacert,
        evidence: captured.evidence,
        findings,
    }
}

fn of_evidence(captured: &Captured) -> Vec<Finding> {
    let Some(evidence) = &captured.evidence else {
        return Vec::new();
    };
    let signed = evidence.as_ref().is_ok_and(|e| e.signature.is_some());
    let noticed = [
        (true, Finding::RemEvidence),
        (captured.has_several, Finding::RemEvidenceSeveral),
        (signed, Finding::XadesNotEvaluated),
    ];
    let noticed = noticed.into_iter().filter(|(noticed, _)| *noticed);
    noticed.map(|(_, finding)| finding).collect()
}

fn of_nested(nested: &Nested) -> Vec<Finding> {
    let noticed = [
        (nested.has_pec, Finding::NestedPec),
        (nested.has_daticert, Finding::NestedDaticert),
        (nested.is_incomplete, Finding::NestingNotFollowed),
    ];
    let noticed = noticed.into_iter().filter(|(noticed, _)| *noticed);
    noticed.map(|(_, finding)| finding).collect()
}

/// An object that is no multipart/signed of the PEC system.
fn judge_unsigned(head: &Head, scan: &Scan, captured: &Captured) -> Verdict {
    if head.is_pec && !head.is_from_list {
        Reason::NotSigned.into()
    } else if head.is_mail {
        let is_evidence = matches!(captured.evidence, Some(Ok(_)));
        // With an original beside it, a message is what brings that; without, it is there for its evidence.
        let kind = match is_evidence && scan.messages == 0 {
            true => Kind::Receipt,
            false => Kind::Message,
        };
        let is_original = head.outer.riferimento.is_some() && !head.is_pec && !is_evidence;
        Verdict {
            findings: Vec::from_iter(is_original.then_some(Finding::OriginalAlone)),
            ..Verdict::of(kind, None)
        }
    } else if head.is_fragment {
        Reason::Fragment.into()
    } else {
        Reason::NotMail.into()
    }
}

/// A multipart/signed with a daticert, or with headers of the PEC system.
fn judge_signed(head: &Head, scan: &mut Scan, nested: &Nested) -> Result<Verdict, Reason> {
    if let Some(problem) = scan.problem {
        return Err(problem);
    }
    let message_ids = Vec::from_iter(head.outer.message_id.clone());
    let Some(part) = scan.daticert.take() else {
        let facts = head.is_anomaly.then(|| anomaly_facts(head, message_ids));
        let facts = facts.ok_or(Reason::NoDaticert)?;
        let mut findings = agreement::of_anomaly(&head.outer, nested.head.as_ref());
        findings.extend(of_parts(scan));
        findings.extend((scan.messages == 0).then_some(Finding::PostacertMissing));
        findings.extend(scan.has_other_part.then_some(Finding::AnomalyExtraPart));
        return Ok(Verdict {
            findings,
            ..Verdict::of(Kind::Envelope, Some(facts))
        });
    };
    let media_type = (!part.is_application_xml).then_some(Finding::DaticertMediaType);
    let Daticert {
        mut facts,
        tipo,
        reply_to,
        findings,
    } = read_daticert(part)?;
    facts.message_ids = message_ids;
    let facts = fitting(facts).ok_or(Reason::FactsTooLarge)?;
    let kind = match tipo {
        Some(Tipo::Envelope) => Kind::Envelope,
        Some(Tipo::Receipt) => Kind::Receipt,
        None => Kind::Unclassified,
    };
    let findings = [
        findings,
        Vec::from_iter(media_type),
        grammar::findings(&facts),
        agreement::of_header(&head.outer, &facts, reply_to.as_ref()),
        of_parts(scan),
        of_original(scan, nested, &facts),
        Vec::from_iter(of_text(scan, &facts)),
    ];
    Ok(Verdict {
        unclassified: tipo.is_none().then_some(Reason::DaticertTipoUnknown),
        findings: findings.concat(),
        ..Verdict::of(kind, Some(facts))
    })
}

/// What is to be remarked of the parts, whatever they say.
fn of_parts(scan: &Scan) -> Vec<Finding> {
    let entity = scan.signature_entity.as_ref().filter(|e| !e.is_empty());
    let is_signature = entity.is_none_or(|entity| {
        let (fields, _) = split_entity(entity);
        let kind = Structured::parse(&fields.value("content-type").unwrap_or_default()).value;
        let kinds: [&[u8]; 2] = [
            b"application/pkcs7-signature",
            b"application/x-pkcs7-signature",
        ];
        kinds.contains(&kind.as_slice())
    });
    let noticed = [
        (!is_signature, Finding::SignaturePartType),
        (!scan.has_text, Finding::TextPartMissing),
        (
            scan.postacert.is_some() && !scan.postacert_named,
            Finding::PostacertUnnamed,
        ),
        (scan.messages > 1, Finding::PostacertSeveral),
    ];
    let noticed = noticed.into_iter().filter(|(noticed, _)| *noticed);
    noticed.map(|(_, finding)| finding).collect()
}

/// What is to be remarked of the original, which some types have and others must not have.
fn of_original(scan: &Scan, nested: &Nested, facts: &TraceRecord) -> Vec<Finding> {
    let word = |value: &Option<Text>| value.as_ref().and_then(Text::to_str).map(str::to_owned);
    let (event, form, error) = (
        word(&facts.event),
        word(&facts.receipt_form),
        word(&facts.error),
    );
    let form = form.as_deref().unwrap_or_default();
    let (must, must_not) = match event.as_deref().unwrap_or_default() {
        "posta-certificata" => (true, false),
        "avvenuta-consegna" => (matches!(form, "completa" | "breve"), form == "sintetica"),
        "errore-consegna" => (false, error.as_deref() == Some("virus")),
        "accettazione"
        | "non-accettazione"
        | "presa-in-carico"
        | "preavviso-errore-consegna"
        | "rilevazione-virus" => (false, true),
        _ => (false, false),
    };
    let is_there = scan.postacert.is_some();
    let mut found = Vec::new();
    found.extend((must && !is_there).then_some(Finding::PostacertMissing));
    found.extend((must_not && is_there).then_some(Finding::PostacertUnexpected));
    if let Some(head) = nested.head.as_ref().filter(|_| must && is_there) {
        found.extend(agreement::of_original(head, facts));
    }
    let is_brief = form == "breve" && event.as_deref() == Some("avvenuta-consegna");
    found.extend((is_brief && nested.has_clear_part).then_some(Finding::BriefPartInClear));
    found
}

/// Whether the text for the user says what the daticert says. Only what is kept and decoded is held against it.
fn of_text(scan: &Scan, facts: &TraceRecord) -> Option<Finding> {
    let entity = scan.text.as_ref()?;
    let mut stated = None;
    mime::walk(entity, |part| {
        let kind = part.content_type.value.as_slice();
        if stated.is_none() && (kind.is_empty() || kind == b"text/plain") {
            let text = part.decoded();
            stated = text.map(|text| agreement::text_states(&text, facts));
        }
    });
    (stated == Some(false)).then_some(Finding::TextDiffers)
}

fn read_daticert(part: Part) -> Result<Daticert, Reason> {
    let decoded = part.encoding.decode(part.body);
    let decoded = decoded.ok_or(Reason::DaticertEncoding)?;
    daticert::read(&decoded, part.charset.as_deref())
}

/// Nothing of the message inside: what is certified in there, if anything, is another's.
fn anomaly_facts(head: &Head, message_ids: Vec<Text>) -> TraceRecord {
    let date = head.outer.date.as_ref();
    let moment = date.and_then(Text::to_str).and_then(Moment::from_header);
    TraceRecord {
        event: Some(ANOMALY.into()),
        event_ms: moment.map(|moment| moment.ms),
        event_offset_min: moment.map(|moment| moment.offset_min),
        event_text: date.cloned(),
        message_ids,
        ..TraceRecord::default()
    }
}
