//! Areas 2 and 3: the signature, and the provider whose it is.
//!
//! Integrity is judged again now; trust rests on the material of the day of ingest, so what was recorded then stands.

use super::{datum, failed, not_held, open, passed};
use crate::reissue::facts::{Item, shown};
use crate::reissue::object::Examined;
use ceralacca_pages::model::{Check, CheckId, Datum, Instant, Reason};

/// Codes that fail a check, and the reason.
type Failing = &'static [(&'static str, Reason)];

const DIGEST: Failing = &[
    ("digest-differs", Reason::Mismatch),
    ("digest-unsupported", Reason::WeakAlgorithm),
    ("digest-not-made", Reason::Unreadable),
];
const UNREADABLE: Failing = &[
    ("signature-empty", Reason::Absent),
    ("signature-too-large", Reason::Unreadable),
    ("signature-encoding", Reason::Unreadable),
    ("cms-malformed", Reason::Unreadable),
    ("cms-too-complex", Reason::Unreadable),
    ("signer-missing", Reason::Absent),
    ("attributes-malformed", Reason::Unreadable),
    ("content-type-differs", Reason::Mismatch),
    ("algorithm-protection-differs", Reason::Mismatch),
    ("signature-unsupported", Reason::WeakAlgorithm),
    ("signature-invalid", Reason::Mismatch),
];
const SIGNER: Failing = &[
    ("certificate-missing", Reason::Absent),
    ("certificate-malformed", Reason::Unreadable),
    ("key-usage", Reason::Mismatch),
    ("extended-key-usage", Reason::Mismatch),
];
const CHAIN: Failing = &[
    ("issuer-unknown", Reason::NotTrusted),
    ("issuer-not-authority", Reason::NotTrusted),
    ("issuer-signature-invalid", Reason::NotTrusted),
    ("issuer-signature-unsupported", Reason::WeakAlgorithm),
    ("name-constraints", Reason::NotTrusted),
    ("critical-extension", Reason::NotTrusted),
    ("path-refused", Reason::NotTrusted),
];
const VALIDITY: Failing = &[
    ("certificate-expired", Reason::OutsideValidity),
    ("certificate-not-yet-valid", Reason::OutsideValidity),
    ("issuer-out-of-date", Reason::OutsideValidity),
];
const REVOKED: Failing = &[
    ("revoked", Reason::Revoked),
    ("issuer-revoked", Reason::Revoked),
];
const WEAK: Failing = &[
    ("sha1", Reason::WeakAlgorithm),
    ("certificate-sha1", Reason::WeakAlgorithm),
    ("short-key", Reason::WeakAlgorithm),
];
const SENDER: Failing = &[
    ("from-differs", Reason::Mismatch),
    ("from-missing", Reason::Absent),
    ("profile-subject-alt-name", Reason::Absent),
];

pub(super) fn answer(id: CheckId, item: &Item) -> Check {
    let leaf = Some(item.number());
    let Some(examined) = &item.examined else {
        return open(leaf, not_held(item), Vec::new());
    };
    if !examined.is_signed() {
        // A certified message is signed; of an ordinary one nothing is asked.
        return match (item.trace().is_some(), id) {
            (true, CheckId::SignedDigest | CheckId::Signature) => {
                failed(leaf, Reason::Absent, Vec::new())
            }
            _ => open(leaf, Reason::NotConcerned, Vec::new()),
        };
    }
    let data = data(id, item, examined);
    let failing = match id {
        CheckId::SignedDigest => DIGEST,
        CheckId::Signature => UNREADABLE,
        CheckId::Signer => SIGNER,
        CheckId::Chain => CHAIN,
        CheckId::Validity => VALIDITY,
        CheckId::Revocation => REVOKED,
        CheckId::Algorithms => WEAK,
        CheckId::Directory => &[("not-in-directory", Reason::Absent)],
        CheckId::SenderAddress => SENDER,
        CheckId::ManagedDomain => &[("domain-not-managed", Reason::Mismatch)],
        _ => &[],
    };
    // Without any authority at hand, what is said now of the chain says nothing of the one of that day.
    let is_of_trust = matches!(id, CheckId::Chain | CheckId::Revocation);
    let found = failing.iter().find(|(code, _)| match is_of_trust {
        true => recorded(item, code),
        false => item.has(code),
    });
    if let Some((code, reason)) = found {
        let mut data = data;
        data.push(datum("finding", code));
        return failed(leaf, *reason, data);
    }
    if id == CheckId::Chain && item.is_reproduced() == Some(false) {
        // What was recorded and what the material of that day says now differ: one of them is wrong.
        let mut data = data;
        let again = item.again.as_ref().map(|again| again.verdict.level.word());
        data.push(datum("verdict_reached_again", again.unwrap_or_default()));
        return failed(leaf, Reason::Mismatch, data);
    }
    if id == CheckId::ProviderName {
        return provider_name(leaf, item, examined, data);
    }
    match left_open(id, item, examined) {
        Some(reason) => open(leaf, reason, data),
        None => passed(leaf, data),
    }
}

/// The certificate names the provider as the directory of that day does, in CN or O (RFC 6109 section 5.5).
fn provider_name(
    leaf: Option<u64>,
    item: &Item,
    examined: &Examined,
    mut data: Vec<Datum>,
) -> Check {
    let listed = item.again.as_ref().and_then(|a| a.providers.as_deref());
    let (Some(listed), Some(signer)) = (listed, &examined.verdict.signer) else {
        return open(leaf, Reason::NoMaterial, data);
    };
    if listed.is_empty() {
        return failed(leaf, Reason::Absent, data);
    }
    data.extend(listed.iter().map(|name| datum("provider_name", name)));
    let own = [
        signer.organization.as_deref(),
        signer.common_name.as_deref(),
    ];
    let own: Vec<String> = own.into_iter().flatten().map(str::to_lowercase).collect();
    let names = |name: &String| own.iter().any(|own| own.contains(&name.to_lowercase()));
    match listed.iter().any(names) {
        true => passed(leaf, data),
        false => failed(leaf, Reason::Mismatch, data),
    }
}

/// Whether something was remarked at ingest.
fn recorded(item: &Item, code: &str) -> bool {
    let findings = item.object().map(|object| object.findings.as_slice());
    let mut findings = findings.unwrap_or_default().iter();
    findings.any(|found| found.to_str() == Some(code))
}

/// Why a check that did not fail did not pass either.
fn left_open(id: CheckId, item: &Item, examined: &Examined) -> Option<Reason> {
    let has_chain = item.object().is_some_and(|object| !object.chain.is_empty());
    let is_judged = item
        .object()
        .is_some_and(|object| object.signature.is_some());
    let is_integral = examined.verdict.level.is_integral();
    let no_directory = ["directory-missing", "directory-of-another-day"];
    let is_open = match id {
        CheckId::SignedDigest | CheckId::Signature => !is_integral,
        CheckId::Signer | CheckId::SenderAddress => examined.verdict.signer.is_none(),
        CheckId::Validity => {
            examined.verdict.signer.is_none() || examined.verdict.judged_ms.is_none()
        }
        CheckId::Algorithms => examined.verdict.signature.is_none(),
        CheckId::Chain => !has_chain,
        CheckId::Revocation => {
            !has_chain
                || recorded(item, "revocation-unknown")
                || recorded(item, "issuer-revocation-unknown")
        }
        CheckId::Directory | CheckId::ManagedDomain => {
            !is_judged || no_directory.iter().any(|code| recorded(item, code)) || !has_chain
        }
        _ => true,
    };
    is_open.then_some(Reason::NoMaterial)
}

fn data(id: CheckId, item: &Item, examined: &Examined) -> Vec<Datum> {
    let verdict = &examined.verdict;
    let mut data = Vec::new();
    let mut put = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            data.push(datum(name, value));
        }
    };
    let signer = verdict.signer.as_ref();
    let instant = |ms: i64| Instant::from_millis(ms).rfc3339();
    put("file", item.file.clone());
    match id {
        CheckId::SignedDigest => {
            put("algorithm", verdict.digest.map(|digest| digest.to_string()));
        }
        CheckId::Signature | CheckId::Algorithms => {
            put("algorithm", verdict.signature.map(|a| a.to_string()));
        }
        CheckId::Signer => {
            put("serial", signer.map(|s| s.serial.clone()));
            put("certificate_sha256", signer.map(|s| hex::encode(&s.sha256)));
        }
        CheckId::Chain | CheckId::Revocation => {
            let level = item.object().and_then(|object| object.signature.as_ref());
            put("verdict", level.map(shown));
            let chain = item.object().map(|object| object.chain.as_slice());
            for certificate in chain.unwrap_or_default() {
                put("certificate_sha256", Some(shown(certificate)));
            }
            let trust = item.object().and_then(|object| object.trust);
            put("trust_set_leaf", trust.map(|leaf| leaf.get().to_string()));
            let pieces = item.again.as_ref().map(|again| again.pieces.as_slice());
            for piece in pieces.unwrap_or_default() {
                put(&piece.what, piece.file());
            }
        }
        CheckId::Validity => {
            put("at", verdict.judged_ms.map(instant));
            put("not_before", signer.map(|s| instant(s.from_ms)));
            put("not_after", signer.map(|s| instant(s.until_ms)));
        }
        CheckId::Directory => {
            put("certificate_sha1", signer.map(|s| hex::encode(&s.sha1)));
        }
        CheckId::SenderAddress | CheckId::ManagedDomain => {
            put("from", examined.reading.from.as_ref().map(shown));
            let addresses = signer.map(|s| s.addresses.join(" "));
            put("certificate_addresses", addresses);
        }
        CheckId::ProviderName => {
            put("organization", signer.and_then(|s| s.organization.clone()));
            put("common_name", signer.and_then(|s| s.common_name.clone()));
            let provider = item.trace().and_then(|trace| trace.provider.as_ref());
            put("gestore_emittente", provider.map(shown));
        }
        _ => {}
    }
    data
}
