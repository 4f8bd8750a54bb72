//! The daticert in itself: what its type asks for, and what it does not have.
//!
//! Which elements belong to which `tipo` is the annex's to DM 2 November 2005 and RFC 6109 section 4; leniencies
//! are those genuine messages need. `risposte` may be missing, `ricezione` may stand for `consegna` in a
//! *rilevazione-virus* (old logs have it so), and the `errore` of a *preavviso* is nowhere prescribed.

use crate::finding::Finding as F;
use crate::time::Moment;
use ceralacca_formats::canonical::Text;
use ceralacca_formats::metadata::TraceRecord;

/// Domain of the mailboxes of the CEC-PAC service (D.P.C.M. 6 May 2009).
const CEC_PAC: &str = "postacertificata.gov.it";
/// They neither sent nor received after 17 July 2015: midnight in Italy, milliseconds since 1970.
const CEC_PAC_CLOSED_MS: i64 = 1_437_170_400_000;

/// Whether a type has an element.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Has {
    Must,
    May,
    MustNot,
}

/// What a type has.
#[derive(Clone, Copy)]
struct Shape {
    /// Allowed values of `errore`; none where nothing is prescribed.
    errors: Option<&'static [&'static str]>,
    form: Has,
    delivered_to: Has,
    taken_over: Has,
    detail: Has,
}

/// The values of `errore`.
const ERRORS: [&str; 5] = ["nessuno", "no-dest", "no-dominio", "virus", "altro"];

fn shape(event: &str) -> Option<Shape> {
    use Has::{May, Must, MustNot};
    let plain = Shape {
        errors: Some(&["nessuno"]),
        form: MustNot,
        delivered_to: MustNot,
        taken_over: MustNot,
        detail: MustNot,
    };
    let failed = Shape {
        errors: None,
        delivered_to: Must,
        detail: Must,
        ..plain
    };
    Some(match event {
        "accettazione" => plain,
        "posta-certificata" => Shape {
            form: Must,
            ..plain
        },
        "presa-in-carico" => Shape {
            taken_over: Must,
            ..plain
        },
        "avvenuta-consegna" => Shape {
            form: Must,
            delivered_to: Must,
            ..plain
        },
        "non-accettazione" => Shape {
            errors: Some(&["altro", "virus"]),
            detail: Must,
            ..plain
        },
        "errore-consegna" => Shape {
            errors: Some(&["no-dest", "no-dominio", "virus", "altro"]),
            ..failed
        },
        "preavviso-errore-consegna" => failed,
        "rilevazione-virus" => Shape {
            errors: Some(&["virus"]),
            taken_over: May,
            ..failed
        },
        _ => return None,
    })
}

/// What is to be remarked of the facts of a daticert.
pub(crate) fn findings(facts: &TraceRecord) -> Vec<F> {
    let mut found = Vec::new();
    let mut note = |noted: bool, finding: F| found.extend(noted.then_some(finding));
    note(facts.sender.is_none(), F::MittenteMissing);
    note(facts.recipients.is_empty(), F::DestinatariMissing);
    note(facts.provider.is_none(), F::GestoreMissing);
    note(facts.event_text.is_none(), F::DataMissing);
    let unreadable = facts.event_text.is_some() && facts.event_ms.is_none();
    note(unreadable, F::DataMalformed);
    note(is_foreign(facts), F::ZonaNotItalian);
    note(facts.identificativo.is_none(), F::IdentificativoMissing);
    note(
        facts.identificativo.as_ref().is_some_and(is_odd),
        F::IdentificativoOdd,
    );
    let kinds = facts.recipients.iter().filter_map(|r| word(&r.kind));
    let is_known = |kind: &str| matches!(kind, "certificato" | "esterno");
    note(!kinds.clone().all(is_known), F::DestinatariKind);
    let external = kinds.clone().filter(|kind| *kind == "esterno").count();
    note(
        external > 0 && external == facts.recipients.len(),
        F::ExternalOnly,
    );
    cec_pac(facts, &mut found);
    of_type(facts, &mut found);
    parties(facts, &mut found);
    found
}

/// What the type has to say of the elements that are there.
fn of_type(facts: &TraceRecord, found: &mut Vec<F>) {
    let event = word(&facts.event).unwrap_or_default();
    let error = word(&facts.error);
    let is_known = |error: &str| ERRORS.contains(&error);
    found.extend(
        error
            .is_some_and(|e| !is_known(e))
            .then_some(F::ErroreUnknown),
    );
    let form = word(&facts.receipt_form);
    let is_form = |form: &str| matches!(form, "completa" | "breve" | "sintetica");
    found.extend(
        form.is_some_and(|f| !is_form(f))
            .then_some(F::RicevutaUnknown),
    );
    let Some(shape) = shape(event) else {
        return;
    };
    let agrees = |allowed: &[&str]| {
        let stated = error.unwrap_or("nessuno");
        allowed.contains(&stated) || !is_known(stated)
    };
    let differs = !shape.errors.is_none_or(agrees);
    found.extend(differs.then_some(F::ErroreDiffers));
    let taken_over = !facts.taken_over.is_empty();
    // Of a virus, either element tells the recipient.
    let delivered_to = match shape.taken_over {
        Has::May if taken_over && facts.delivered_to.is_none() => Has::May,
        _ => shape.delivered_to,
    };
    let rows = [
        (
            shape.form,
            form.is_some(),
            F::RicevutaMissing,
            F::RicevutaUnexpected,
        ),
        (
            delivered_to,
            facts.delivered_to.is_some(),
            F::ConsegnaMissing,
            F::ConsegnaUnexpected,
        ),
        (
            shape.taken_over,
            taken_over,
            F::RicezioneMissing,
            F::RicezioneUnexpected,
        ),
        (
            shape.detail,
            facts.error_detail.is_some(),
            F::ErroreEstesoMissing,
            F::ErroreEstesoUnexpected,
        ),
    ];
    for (has, is_there, missing, unexpected) in rows {
        match (has, is_there) {
            (Has::Must, false) => found.push(missing),
            (Has::MustNot, true) => found.push(unexpected),
            _ => {}
        }
    }
    if event == "preavviso-errore-consegna" {
        found.push(notice(word(&facts.error_detail).unwrap_or_default()));
    }
}

/// Which of the two notices: they differ in nothing but this text. `5.4.1` begins the definitive one.
fn notice(detail: &str) -> F {
    let detail = detail.trim_start().to_lowercase();
    let has = |words: [&str; 2]| words.iter().any(|word| detail.contains(word));
    if detail.starts_with("5.4.1") || has(["ventiquattro ore", "24 ore"]) {
        F::Notice24h
    } else if has(["dodici ore", "12 ore"]) {
        F::Notice12h
    } else {
        F::NoticeUndecided
    }
}

/// Whether who is spoken of is among the recipients. Addresses are compared without case.
fn parties(facts: &TraceRecord, found: &mut Vec<F>) {
    if facts.recipients.is_empty() {
        return;
    }
    let lower = |address: &Text| address.as_bytes().trim_ascii().to_ascii_lowercase();
    if let Some(to) = &facts.delivered_to {
        let to = lower(to);
        let mut named = facts
            .recipients
            .iter()
            .filter(|r| lower(&r.address) == to)
            .peekable();
        let is_external = |kind: &Option<Text>| word(kind) == Some("esterno");
        let is_delivery = word(&facts.event) == Some("avvenuta-consegna");
        if named.peek().is_none() {
            found.push(F::ConsegnaNotRecipient);
        } else if is_delivery && named.all(|r| is_external(&r.kind)) {
            found.push(F::ConsegnaToExternal);
        }
    }
    if !facts.taken_over.is_empty() {
        let known = facts.recipients.iter().map(|r| lower(&r.address));
        let known: std::collections::HashSet<Vec<u8>> = known.collect();
        let is_known = |address: &Text| known.contains(&lower(address));
        let all_known = facts.taken_over.iter().all(is_known);
        found.extend((!all_known).then_some(F::RicezioneNotRecipient));
    }
}

fn cec_pac(facts: &TraceRecord, found: &mut Vec<F>) {
    let is = |address: &Text| {
        let address = address.as_bytes().trim_ascii();
        let start = address.len().saturating_sub(CEC_PAC.len());
        let (local, domain) = address.split_at(start);
        local.ends_with(b"@") && domain.eq_ignore_ascii_case(CEC_PAC.as_bytes())
    };
    let sends = facts.sender.as_ref().is_some_and(is);
    if sends || facts.recipients.iter().any(|r| is(&r.address)) {
        found.push(F::CecPac);
    }
    let is_delivery = word(&facts.event) == Some("avvenuta-consegna");
    let receives = is_delivery && facts.delivered_to.as_ref().is_some_and(is);
    let is_late = facts
        .event_ms
        .is_some_and(|ms| ms.get() >= CEC_PAC_CLOSED_MS);
    found.extend(((sends || receives) && is_late).then_some(F::CecPacClosed));
}

fn is_foreign(facts: &TraceRecord) -> bool {
    let moment = facts.event_ms.zip(facts.event_offset_min);
    moment.is_some_and(|(ms, offset_min)| !Moment { ms, offset_min }.is_italian())
}

/// Opaque, but an address: no brackets, no blanks, something on both sides of the last at sign.
fn is_odd(identificativo: &Text) -> bool {
    let id = identificativo.as_bytes().trim_ascii();
    let at = id.iter().rposition(|c| *c == b'@');
    let has_sides = at.is_some_and(|at| at > 0 && at + 1 < id.len());
    let has_odd = id
        .iter()
        .any(|c| c.is_ascii_whitespace() || matches!(c, b'<' | b'>'));
    !has_sides || has_odd
}

/// A value as a word, without blanks around it.
fn word(value: &Option<Text>) -> Option<&str> {
    value.as_ref()?.to_str().map(str::trim)
}
