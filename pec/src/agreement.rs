//! Where the outer header, the text and the original do not agree with the daticert.
//!
//! Facts are the daticert's: the outer header is signed by nobody, and the text is for people. What is compared,
//! and how leniently, is what held in every genuine message known: addresses without case and without names,
//! subjects decoded and without blanks, dates as instants.
//!
//! # Not here
//! `Return-Path`, which delivery rewrites; the `To` of envelopes, which has all the faults of the sender's client;
//! the provider's name, which is spelled freely.

use crate::finding::Finding as F;
use crate::header;
use crate::nested::OriginalHead;
use crate::outer::Outer;
use crate::param::decoded;
use crate::time::Moment;
use ceralacca_formats::canonical::Text;
use ceralacca_formats::metadata::TraceRecord;

/// How far Date may be from the daticert: the clocks of the system keep within one second (DM 2 November 2005
/// art. 9), and in genuine messages both are one time.
const DATE_TOLERANCE_MS: u64 = 1000;

/// What is to be remarked of the outer header. `reply_to` is the daticert's `risposte`.
pub(crate) fn of_header(outer: &Outer, facts: &TraceRecord, reply_to: Option<&Text>) -> Vec<F> {
    let mut found = Vec::new();
    let event = facts
        .event
        .as_ref()
        .and_then(Text::to_str)
        .unwrap_or_default();
    let is_envelope = event == "posta-certificata";
    marks(outer, facts, event, &mut found);
    identifiers(outer, facts, is_envelope, &mut found);
    date(outer, facts, &mut found);
    addresses(outer, facts, event, reply_to, &mut found);
    subject(outer, facts, event, &mut found);
    if outer.has_too_long {
        // What was too long to keep is not missing.
        found.retain(|f| {
            !matches!(
                f,
                F::PecHeaderMissing | F::DateMissing | F::SubjectPrefixDiffers
            )
        });
    }
    found
}

/// The X- fields of the rules.
fn marks(outer: &Outer, facts: &TraceRecord, event: &str, found: &mut Vec<F>) {
    let is_envelope = event == "posta-certificata";
    let is = |value: &Option<Text>, word: &str| {
        let value = value.as_ref().map(Text::as_bytes);
        value.is_some_and(|value| value.eq_ignore_ascii_case(word.as_bytes()))
    };
    let (own, other) = match is_envelope {
        true => (
            (&outer.trasporto, F::TrasportoDiffers),
            (&outer.ricevuta, F::RicevutaDiffers),
        ),
        false => (
            (&outer.ricevuta, F::RicevutaDiffers),
            (&outer.trasporto, F::TrasportoDiffers),
        ),
    };
    match own.0 {
        None => found.push(F::PecHeaderMissing),
        Some(_) => found.extend((!is(own.0, event)).then_some(own.1)),
    }
    found.extend(other.0.is_some().then_some(other.1));
    if is_envelope && facts.receipt_form.is_some() {
        let form = facts.receipt_form.as_ref().and_then(Text::to_str);
        let form = form.unwrap_or_default().trim();
        // Some engines leave out what is the default.
        let agrees = match outer.tipo_ricevuta {
            None => form == "completa",
            Some(_) => is(&outer.tipo_ricevuta, form),
        };
        found.extend((!agrees).then_some(F::TipoRicevutaDiffers));
    }
    let is_virus = is(&facts.error, "virus");
    let must_verify = is_virus && matches!(event, "non-accettazione" | "errore-consegna");
    let agrees = match outer.verifica_sicurezza {
        None => !must_verify,
        Some(_) => must_verify && is(&outer.verifica_sicurezza, "errore"),
    };
    found.extend((!agrees).then_some(F::VerificaSicurezzaDiffers));
    let agrees = match &outer.mittente {
        None => event != "rilevazione-virus",
        Some(mittente) => is_mailbox(mittente, facts.sender.as_ref()),
    };
    found.extend((!agrees).then_some(F::MittenteHeaderDiffers));
}

fn identifiers(outer: &Outer, facts: &TraceRecord, is_envelope: bool, found: &mut Vec<F>) {
    let agrees = bare(&outer.riferimento) == bare(&facts.msgid);
    found.extend((!agrees).then_some(F::RiferimentoDiffers));
    let own = bare(&outer.message_id);
    if own.is_none() && !outer.message_id_too_long {
        found.push(F::MessageIdMissing);
    }
    if let Some((own, id)) = own.zip(bare(&facts.identificativo)) {
        match is_envelope {
            true => found.extend((own != id).then_some(F::MessageIdDiffers)),
            false => found.extend((own == id).then_some(F::MessageIdReused)),
        }
    }
}

fn date(outer: &Outer, facts: &TraceRecord, found: &mut Vec<F>) {
    let date = outer.date.as_ref().and_then(Text::to_str);
    let Some(date) = date.and_then(Moment::from_header) else {
        return found.push(F::DateMissing);
    };
    let Some((ms, offset_min)) = facts.event_ms.zip(facts.event_offset_min) else {
        return;
    };
    if ms.get().abs_diff(date.ms.get()) > DATE_TOLERANCE_MS {
        found.push(F::DateDiffers);
    } else if offset_min != date.offset_min {
        found.push(F::DateZoneDiffers);
    }
}

fn addresses(
    outer: &Outer,
    facts: &TraceRecord,
    event: &str,
    reply_to: Option<&Text>,
    found: &mut Vec<F>,
) {
    let is_envelope = event == "posta-certificata";
    let from = outer.from.as_ref().map(Text::as_bytes);
    // That there is no From, or none that is in the certificate, is said where the signature is judged.
    if let Some(address) = from.and_then(header::address) {
        let local = address.split(|c| *c == b'@').next().unwrap_or_default();
        let is_service = local.eq_ignore_ascii_case(b"posta-certificata");
        found.extend((!is_service).then_some(F::FromNotService));
        let sender = outer.sender.as_ref().map(Text::as_bytes);
        let differs = sender.is_some_and(|sender| {
            header::address(sender).is_none_or(|sender| !sender.eq_ignore_ascii_case(&address))
        });
        found.extend(differs.then_some(F::SenderDiffers));
    }
    let mittente = facts
        .sender
        .as_ref()
        .map(|sender| squeezed(sender.as_bytes()));
    if let Some((from, mittente)) = from.zip(mittente.as_ref()).filter(|_| is_envelope) {
        let name = squeezed(decoded(from).as_bytes());
        let says = |text: &str| contains(&name, text);
        found.extend((!(says("percontodi:") && says(mittente))).then_some(F::FromNameDiffers));
    }
    if let Some((reply_to, stated)) = outer
        .reply_to
        .as_ref()
        .zip(reply_to)
        .filter(|_| is_envelope)
    {
        let agrees = is_mailbox(reply_to, Some(stated));
        found.extend((!agrees).then_some(F::ReplyToDiffers));
    }
    let is_to_sender = !matches!(
        event,
        "posta-certificata" | "presa-in-carico" | "rilevazione-virus"
    );
    if let Some((to, mittente)) = outer.to.as_ref().zip(mittente).filter(|_| is_to_sender) {
        let named = contains(&squeezed(to.as_bytes()), &mittente);
        found.extend((!named).then_some(F::ToDiffers));
    }
}

fn subject(outer: &Outer, facts: &TraceRecord, event: &str, found: &mut Vec<F>) {
    let is_virus = facts.error.as_ref().and_then(Text::to_str).map(str::trim) == Some("virus");
    let Some(prefix) = prefix(event, is_virus) else {
        return;
    };
    let subject = outer.subject.as_ref().map(|s| decoded(s.as_bytes()));
    let subject = squeeze(&subject.unwrap_or_default());
    let begins = subject
        .get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    match begins {
        false => found.push(F::SubjectPrefixDiffers),
        true => {
            let rest = subject.get(prefix.len()..).unwrap_or_default();
            let agrees = is_subject(rest, facts.subject.as_ref());
            found.extend((!agrees).then_some(F::SubjectDiffers));
        }
    }
}

/// What Subject begins with, without blanks.
fn prefix(event: &str, is_virus: bool) -> Option<&'static str> {
    Some(match event {
        "posta-certificata" => "POSTACERTIFICATA:",
        "accettazione" => "ACCETTAZIONE:",
        "non-accettazione" if is_virus => "AVVISODINONACCETTAZIONEPERVIRUS:",
        "non-accettazione" => "AVVISODINONACCETTAZIONE:",
        "presa-in-carico" => "PRESAINCARICO:",
        "avvenuta-consegna" => "CONSEGNA:",
        "errore-consegna" if is_virus => "AVVISODIMANCATACONSEGNAPERVIRUS:",
        "errore-consegna" => "AVVISODIMANCATACONSEGNA:",
        "preavviso-errore-consegna" => "AVVISODIMANCATACONSEGNAPERSUP.TEMPOMASSIMO:",
        "rilevazione-virus" => "PROBLEMADISICUREZZA:",
        ANOMALY => "ANOMALIAMESSAGGIO:",
        _ => return None,
    })
}

/// Type of event of an anomaly envelope, which has no daticert to say one.
pub(crate) const ANOMALY: &str = "busta-anomalia";

/// What is to be remarked of the header of an anomaly envelope, of which nothing is certified, and of the header
/// of the message it brings: they have one Message-ID.
pub(crate) fn of_anomaly(outer: &Outer, original: Option<&OriginalHead>) -> Vec<F> {
    let mut found = Vec::new();
    let facts = TraceRecord::default();
    let outer_date = outer
        .date
        .as_ref()
        .and_then(Text::to_str)
        .and_then(Moment::from_header);
    found.extend(outer_date.is_none().then_some(F::DateMissing));
    found.extend(outer.ricevuta.is_some().then_some(F::RicevutaDiffers));
    subject(outer, &facts, ANOMALY, &mut found);
    // The subject of what it brings is nowhere stated but there.
    found.retain(|finding| *finding != F::SubjectDiffers);
    let ids = original.and_then(|head| bare(&head.message_id).zip(bare(&outer.message_id)));
    let differs = ids.is_some_and(|(inner, own)| inner != own);
    found.extend(differs.then_some(F::OriginalMessageIdDiffers));
    found
}

/// What is to be remarked of the header of the original.
pub(crate) fn of_original(original: &OriginalHead, facts: &TraceRecord) -> Vec<F> {
    let differs = |a: &Option<Text>, b: &Option<Text>| bare(a) != bare(b);
    let from = original.from.as_ref();
    let is_sender = from.is_none_or(|from| is_mailbox(from, facts.sender.as_ref()));
    let subject = original.subject.as_ref().map(|s| decoded(s.as_bytes()));
    let subject = squeeze(&subject.unwrap_or_default());
    let rows = [
        (
            facts.identificativo.is_some() && differs(&original.message_id, &facts.identificativo),
            F::OriginalMessageIdDiffers,
        ),
        (
            differs(&original.reference, &facts.msgid),
            F::OriginalReferenceDiffers,
        ),
        (!is_sender, F::OriginalSenderDiffers),
        (
            !is_subject(&subject, facts.subject.as_ref()),
            F::OriginalSubjectDiffers,
        ),
    ];
    let rows = rows.into_iter().filter(|(differs, _)| *differs);
    rows.map(|(_, finding)| finding).collect()
}

/// Whether a text for people states day, hour and identifier of the daticert, wherever its lines break.
pub(crate) fn text_states(text: &[u8], facts: &TraceRecord) -> bool {
    let text = squeezed(text);
    let stamp = facts.event_text.as_ref().and_then(Text::to_str);
    let mut values = stamp.unwrap_or_default().split_ascii_whitespace().take(2);
    let id = facts
        .identificativo
        .as_ref()
        .map(|id| squeezed(id.as_bytes()));
    values.all(|value| contains(&text, value)) && id.is_none_or(|id| contains(&text, &id))
}

/// A Message-ID without blanks and angle brackets; empty is absent.
fn bare(id: &Option<Text>) -> Option<&[u8]> {
    let id = id.as_ref()?.as_bytes().trim_ascii();
    let id = id.strip_prefix(b"<").unwrap_or(id);
    let id = id.strip_suffix(b">").unwrap_or(id).trim_ascii();
    (!id.is_empty()).then_some(id)
}

/// Whether a field with a mailbox has this address, compared without case.
fn is_mailbox(field: &Text, address: Option<&Text>) -> bool {
    let bytes = |text: &Text| {
        header::address(text.as_bytes()).unwrap_or_else(|| text.as_bytes().trim_ascii().to_vec())
    };
    address.is_some_and(|address| bytes(field).eq_ignore_ascii_case(&bytes(address)))
}

/// Whether a subject, decoded and squeezed, is that of the daticert. What could not be decoded is not held against
/// it, nor a `?` for a character that an engine's charset lacks.
fn is_subject(found: &str, stated: Option<&Text>) -> bool {
    let stated = stated
        .map(|s| squeeze(&decoded(s.as_bytes())))
        .unwrap_or_default();
    if found.contains('\u{fffd}') || stated.contains('\u{fffd}') {
        return true;
    }
    let mut pairs = found.chars().zip(stated.chars());
    found.chars().count() == stated.chars().count()
        && pairs.all(|(found, stated)| found == stated || found == '?')
}

/// Without white space: folding, tabs and doubled blanks mean nothing.
fn squeeze(text: &str) -> String {
    let mut squeezed = String::with_capacity(text.len());
    let mut rest = text;
    // Nearly all blanks are ASCII, and those are found without decoding.
    while let Some(at) = rest.bytes().position(|c| c <= b' ' || c >= 0x80) {
        let (word, tail) = rest.split_at(at);
        squeezed.push_str(word);
        let mut chars = tail.chars();
        squeezed.extend(chars.next().filter(|c| !c.is_whitespace()));
        rest = chars.as_str();
    }
    squeezed.push_str(rest);
    squeezed
}

/// The same, in lower case.
fn squeezed(octets: &[u8]) -> String {
    let mut text = squeeze(&String::from_utf8_lossy(octets));
    text.make_ascii_lowercase();
    text
}

fn contains(text: &str, part: &str) -> bool {
    memchr::memmem::find(text.as_bytes(), part.as_bytes()).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_squeezed_has_every_character_but_white_space(text in "[a-z \\t\\r\\n\u{b}\u{1f}\u{85}\u{a0}\u{2003}è€\u{fffd}]{0,60}") {
            let expected: String = text.chars().filter(|c| !c.is_whitespace()).collect();
            prop_assert_eq!(squeeze(&text), expected);
        }
    }
}
