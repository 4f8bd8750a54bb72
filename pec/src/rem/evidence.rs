//! One evidence: from XML to what it says.
//!
//! # Invariants
//! 1. Linear in the document: each element is asked for its text at most a bounded number of times.
//! 2. Of an element that may stand once, the first that is not empty counts.

use super::{
    EVENTS, EVIDENCE_BYTES_MAX, Evidence, Finding, NAMESPACE, PartDigest, Party, Reason, Refusal,
    Signature,
};
use crate::daticert::{elements, is_named, string};
use crate::transfer::Encoding;
use crate::xml;
use ceralacca_formats::canonical::{Integer, Text};
use chrono::DateTime;
use memchr::memmem;
use roxmltree::Node;

/// Whether octets look like evidence: their first element is called so. Reading may still refuse them.
pub fn is_evidence(bytes: &[u8], charset: Option<&[u8]>) -> bool {
    let decoded = xml::decode(bytes, charset);
    decoded.is_ok_and(|text| first_element(&text) == Some("Evidence"))
}

/// The local name of the first element, declarations and comments passed over.
fn first_element(text: &str) -> Option<&str> {
    let mut rest = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
    loop {
        let end = match rest.get(..2)? {
            "<?" => "?>",
            _ if rest.starts_with("<!--") => "-->",
            "<!" => ">",
            _ => break,
        };
        let at = memmem::find(rest.as_bytes(), end.as_bytes())?;
        rest = rest.get(at + end.len()..)?.trim_start();
    }
    let name = rest.strip_prefix('<')?;
    let name = name.get(..name.find([' ', '\t', '\r', '\n', '>', '/'])?)?;
    name.rsplit(':').next()
}

/// Reads evidence. `charset` is what a part's Content-Type says, used where the XML itself says nothing.
pub fn read(bytes: &[u8], charset: Option<&[u8]>) -> Result<Evidence, Refusal> {
    if bytes.len() > EVIDENCE_BYTES_MAX {
        return Err(Refusal::TooLarge);
    }
    let text = xml::decode(bytes, charset).map_err(refusal)?;
    if memmem::find(text.as_bytes(), b"<!DOCTYPE").is_some() {
        return Err(Refusal::Dtd);
    }
    let document = xml::parse(&text).map_err(refusal)?;
    let root = document.root_element();
    let mut evidence = Evidence {
        version: root.attribute("version").and_then(trimmed),
        ..Evidence::default()
    };
    elements(root).for_each(|node| add(&mut evidence, node));
    let is_one = evidence.identifier.is_some() || evidence.event_id.is_some();
    if !is_named(root, "Evidence") || !is_one {
        return Err(Refusal::NotEvidence);
    }
    evidence.event = evidence.event_id.as_ref().and_then(last_word);
    set_time(&mut evidence);
    note(&mut evidence, root.tag_name().namespace());
    Ok(evidence)
}

fn refusal(reason: crate::reason::Reason) -> Refusal {
    use crate::reason::Reason as R;
    match reason {
        R::DaticertCharset => Refusal::Charset,
        R::DaticertDtd => Refusal::Dtd,
        R::DaticertTooComplex => Refusal::TooComplex,
        _ => Refusal::Malformed,
    }
}

/// Takes a child of the root.
fn add(evidence: &mut Evidence, node: Node<'_, '_>) {
    match node.tag_name().name() {
        "EvidenceIdentifier" => first(&mut evidence.identifier, node),
        "ERDSEventId" => first(&mut evidence.event_id, node),
        "EventTime" => first(&mut evidence.event_text, node),
        "SubmissionTime" => first(&mut evidence.submission_text, node),
        "EvidenceVersion" => first(&mut evidence.version, node),
        "MessageIdentifier" => first(&mut evidence.message_id, node),
        "EvidenceIssuerPolicyID" => evidence.policy_ids.extend(policies(node)),
        "EventReasons" => evidence.reasons.extend(reasons(node)),
        "SenderDetails" if evidence.sender.is_none() => evidence.sender = Some(party(node)),
        "RecipientDetails" => evidence.recipients.push(party(node)),
        "UserContentInfo" => {
            let parts = node.descendants().filter(Node::is_element);
            let digests = parts.filter_map(|part| digest(part, &mut evidence.findings));
            evidence.digests.extend(digests);
        }
        "Signature" if evidence.signature.is_none() => {
            let mut nodes = node.descendants();
            let is_xades = nodes.any(|node| is_named(node, "QualifyingProperties"));
            evidence.signature = Some(Signature { is_xades });
        }
        _ => {}
    }
}

/// `PolicyID` children, or the element's own text.
fn policies(node: Node<'_, '_>) -> Vec<Text> {
    let children = elements(node).filter(|child| is_named(*child, "PolicyID"));
    let listed: Vec<Text> = children.filter_map(text).collect();
    if listed.is_empty() {
        return Vec::from_iter(text(node));
    }
    listed
}

/// `EventReason` children: a code, as an element, an attribute or the text itself, and details.
fn reasons(node: Node<'_, '_>) -> impl Iterator<Item = Reason> {
    let reasons = elements(node).filter(|child| is_named(*child, "EventReason"));
    reasons.map(|reason| {
        let child = |ends: &[&str]| {
            let mut named = elements(reason).filter(|child| {
                let name = child.tag_name().name();
                ends.iter().any(|end| name.ends_with(end))
            });
            named.find_map(text)
        };
        let attribute = || {
            let mut named = reason.attributes();
            let code = named.find(|attribute| attribute.name().eq_ignore_ascii_case("code"));
            code.and_then(|code| trimmed(code.value()))
        };
        let has_children = elements(reason).next().is_some();
        let own = || (!has_children).then(|| text(reason)).flatten();
        Reason {
            code: child(&["Code"]).or_else(attribute).or_else(own),
            details: child(&["Details"]),
        }
    })
}

/// `Identifier` children; where there are none, those further in.
fn party(node: Node<'_, '_>) -> Party {
    let children = elements(node).filter(|child| is_named(*child, "Identifier"));
    let mut identifiers: Vec<Text> = children.filter_map(text).collect();
    if identifiers.is_empty() {
        // An Identifier within another adds nothing, and would make this quadratic.
        let further = node
            .descendants()
            .filter(|inner| is_named(*inner, "Identifier"));
        let leaves = further.filter(|inner| elements(*inner).next().is_none());
        identifiers.extend(leaves.filter_map(text));
    }
    Party { identifiers }
}

/// An element that has a digest among its children.
fn digest(part: Node<'_, '_>, findings: &mut Vec<Finding>) -> Option<PartDigest> {
    let (mut digest, mut found) = (PartDigest::default(), None);
    for child in elements(part) {
        match child.tag_name().name() {
            "Identifier" => first(&mut digest.identifier, child),
            "ContentType" => first(&mut digest.content_type, child),
            "DigestMethod" if digest.algorithm.is_none() => {
                let attribute = child.attribute("Algorithm").and_then(trimmed);
                digest.algorithm = attribute.or_else(|| text(child));
            }
            "DigestValue" => first(&mut found, child),
            _ => {}
        }
    }
    digest.value = Encoding::Base64.decode(found?.as_bytes());
    if digest.value.is_none() {
        findings.push(Finding::DigestMalformed);
    }
    Some(digest)
}

fn set_time(evidence: &mut Evidence) {
    let text = evidence.event_text.as_ref().and_then(Text::to_str);
    let Some(time) = text.and_then(|text| DateTime::parse_from_rfc3339(text).ok()) else {
        return;
    };
    let ms = Integer::try_from(time.timestamp_millis()).ok();
    evidence.event_ms = ms.filter(|ms| *ms >= Integer::ZERO);
    let offset_min = Integer::from(time.offset().local_minus_utc() / 60);
    evidence.event_offset_min = evidence.event_ms.map(|_| offset_min);
}

fn note(evidence: &mut Evidence, namespace: Option<&str>) {
    let event = evidence.event.as_ref().and_then(Text::to_str);
    let is_known = event.is_some_and(|event| EVENTS.contains(&event));
    let noticed = [
        (namespace != Some(NAMESPACE), Finding::OtherNamespace),
        (!is_known, Finding::EventUnknown),
        (evidence.event_ms.is_none(), Finding::TimeMalformed),
        (evidence.signature.is_none(), Finding::NotSigned),
    ];
    let noticed = noticed.into_iter().filter(|(noticed, _)| *noticed);
    evidence
        .findings
        .extend(noticed.map(|(_, finding)| finding));
    evidence.findings.sort_unstable();
    evidence.findings.dedup();
}

/// What follows the last slash or number sign of an address.
fn last_word(event_id: &Text) -> Option<Text> {
    trimmed(event_id.to_str()?.rsplit(['/', '#']).next()?)
}

fn first(slot: &mut Option<Text>, node: Node<'_, '_>) {
    if slot.is_none() {
        *slot = text(node);
    }
}

fn text(node: Node<'_, '_>) -> Option<Text> {
    trimmed(&string(node)?)
}

fn trimmed(text: &str) -> Option<Text> {
    let text = text.trim_matches([' ', '\t', '\r', '\n']);
    (!text.is_empty()).then(|| text.into())
}
