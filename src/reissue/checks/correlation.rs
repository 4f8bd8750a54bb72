//! Areas 5 and 6: that the objects are of one message, and what of its content they prove.

use super::{datum, failed, not_held, open, passed};
use crate::reissue::facts::{Item, is_same_address, shown};
use ceralacca_formats::metadata::{Field, TraceRecord};
use ceralacca_pages::model::{Check, CheckId, Datum, Reason};
use ceralacca_pec::brief::Outcome;
use std::collections::BTreeMap;

/// What must be the same in all records of a transaction, ready to compare; `None` where a record does not say it.
fn compared(id: CheckId, trace: &TraceRecord) -> Option<Vec<u8>> {
    let of = |field: Field, text: Option<&ceralacca_formats::canonical::Text>| {
        text.map(|text| field.normalise(text.as_bytes()).into_owned())
    };
    match id {
        CheckId::SameIdentificativo => of(Field::Identificativo, trace.identificativo.as_ref()),
        CheckId::SameMsgid => of(Field::Msgid, trace.msgid.as_ref()),
        CheckId::SameSender => of(Field::Sender, trace.sender.as_ref()),
        CheckId::SameSubject => trace.subject.as_ref().map(|s| s.as_bytes().to_vec()),
        _ => {
            let addresses = trace.recipients.iter();
            let address = |r: &ceralacca_formats::metadata::Recipient| {
                Field::Recipient
                    .normalise(r.address.as_bytes())
                    .into_owned()
            };
            let mut addresses: Vec<Vec<u8>> = addresses.map(address).collect();
            addresses.sort();
            (!addresses.is_empty()).then(|| addresses.join(&b' '))
        }
    }
}

/// A fact that every record of the transaction repeats.
pub(super) fn same(id: CheckId, items: &[Item]) -> Check {
    let mut values: BTreeMap<Vec<u8>, Vec<u64>> = BTreeMap::new();
    for item in items {
        let value = item.trace().and_then(|trace| compared(id, trace));
        if let Some(value) = value {
            values.entry(value).or_default().push(item.number());
        }
    }
    let data = values.iter().flat_map(|(value, leaves)| {
        let leaves: Vec<String> = leaves.iter().map(u64::to_string).collect();
        let value = String::from_utf8_lossy(value).into_owned();
        [datum("value", value), datum("leaves", leaves.join(" "))]
    });
    let data: Vec<Datum> = data.collect();
    let records: usize = values.values().map(Vec::len).sum();
    match (values.len(), records) {
        (0, _) | (1, 1) => open(None, Reason::Absent, data),
        (1, _) => passed(None, data),
        _ => failed(None, Reason::Mismatch, data),
    }
}

/// What one object proves of the content.
pub(super) fn content(id: CheckId, item: &Item) -> Check {
    let leaf = Some(item.number());
    let Some(trace) = item.trace() else {
        return open(leaf, Reason::NotConcerned, Vec::new());
    };
    if id == CheckId::DeliveredTo {
        return delivered_to(item, trace);
    }
    let form = trace.receipt_form.as_ref().and_then(|form| form.to_str());
    let is_delivery = item.event() == Some("avvenuta-consegna");
    if id == CheckId::SyntheticContent {
        return match is_delivery && form == Some("sintetica") {
            true => open(leaf, Reason::NotProvable, Vec::new()),
            false => open(leaf, Reason::NotConcerned, Vec::new()),
        };
    }
    let Some(examined) = &item.examined else {
        return open(leaf, not_held(item), Vec::new());
    };
    let is_complete = is_delivery && matches!(form, None | Some("completa"));
    let mut data = Vec::new();
    if let Some(original) = &examined.original {
        data.push(datum("postacert_sha256", original.sha256));
        data.push(datum("postacert_bytes", original.bytes));
    }
    match id {
        CheckId::OriginalPresent if is_complete => match examined.original {
            Some(_) => passed(leaf, data),
            None => failed(leaf, Reason::Absent, data),
        },
        CheckId::Attachments if is_complete && examined.original.is_some() => {
            attachments(leaf, examined, data)
        }
        CheckId::BriefDigests if examined.reading.is_brief() => brief(leaf, item, examined, data),
        CheckId::OriginalMessageId if is_complete || is_envelope(item) => {
            original_id(item, examined, trace, data)
        }
        _ => open(leaf, Reason::NotConcerned, Vec::new()),
    }
}

/// Each attachment with its digest: which of them are disputed, only the parties know. The signature covers all.
fn attachments(
    leaf: Option<u64>,
    examined: &crate::reissue::object::Examined,
    mut data: Vec<Datum>,
) -> Check {
    let Some((found, is_complete)) = &examined.attachments else {
        return open(leaf, Reason::TooLarge, data);
    };
    for attachment in found {
        data.push(datum("attachment", shown(&attachment.name)));
        data.push(datum("bytes", attachment.bytes));
        data.push(datum("sha256", attachment.sha256));
    }
    match (is_complete, examined.verdict.level.is_integral()) {
        (false, _) => open(leaf, Reason::TooLarge, data),
        (true, true) => passed(leaf, data),
        // Nobody answers for the octets of a message whose signature does not cover them.
        (true, false) => failed(leaf, Reason::Mismatch, data),
    }
}

/// The hashes of a brief receipt, computed again where the original is among what is handed out.
fn brief(
    leaf: Option<u64>,
    item: &Item,
    examined: &crate::reissue::object::Examined,
    mut data: Vec<Datum>,
) -> Check {
    let Some(brief) = &examined.brief else {
        return open(leaf, Reason::TooLarge, data);
    };
    let outcomes = item
        .compared
        .as_ref()
        .map(|(_, found)| found.outcomes.as_slice());
    let outcomes = outcomes.unwrap_or_default();
    for (place, hashed) in brief.hashes.iter().enumerate() {
        let sha1 = hashed.sha1.map(|sha1| sha1.to_string());
        data.push(datum("attachment", shown(&hashed.name)));
        data.push(datum("sha1", sha1.unwrap_or_default()));
        let outcome = outcomes.get(place).map(|outcome| match outcome {
            Outcome::Matches { input, .. } => format!("matches: {input:?}"),
            Outcome::Differs => "differs".to_owned(),
            Outcome::Missing => "missing".to_owned(),
            Outcome::NoHash => "no-hash".to_owned(),
        });
        data.extend(outcome.map(|outcome| datum("computed", outcome)));
    }
    let Some((original, compared)) = &item.compared else {
        // Whoever has the original computes them again: it is not among what is handed out.
        return open(leaf, Reason::NoMaterial, data);
    };
    data.push(datum("original_leaf", original));
    for name in &compared.uncovered {
        data.push(datum("without_hash", shown(name)));
    }
    let is_match = |outcome: &Outcome| matches!(outcome, Outcome::Matches { .. });
    match (compared.is_complete, outcomes.iter().all(is_match)) {
        (_, false) => failed(leaf, Reason::Mismatch, data),
        (false, true) => open(leaf, Reason::TooLarge, data),
        (true, true) if !compared.uncovered.is_empty() => failed(leaf, Reason::Absent, data),
        (true, true) => passed(leaf, data),
    }
}

fn is_envelope(item: &Item) -> bool {
    item.event() == Some("posta-certificata")
}

fn original_id(
    item: &Item,
    examined: &crate::reissue::object::Examined,
    trace: &TraceRecord,
    mut data: Vec<Datum>,
) -> Check {
    let leaf = Some(item.number());
    let Some(identificativo) = &trace.identificativo else {
        return open(leaf, Reason::Absent, data);
    };
    data.push(datum("identificativo", shown(identificativo)));
    let Some(found) = &examined.original_id else {
        return failed(leaf, Reason::Absent, data);
    };
    data.push(datum("found", String::from_utf8_lossy(found)));
    let normal = |id: &[u8]| Field::Identificativo.normalise(id).into_owned();
    match normal(found) == normal(identificativo.as_bytes()) {
        true => passed(leaf, data),
        false => failed(leaf, Reason::Mismatch, data),
    }
}

fn delivered_to(item: &Item, trace: &TraceRecord) -> Check {
    let leaf = Some(item.number());
    let is_delivery = item.event() == Some("avvenuta-consegna");
    let Some(to) = trace.delivered_to.as_ref().filter(|_| is_delivery) else {
        return open(leaf, Reason::NotConcerned, Vec::new());
    };
    let mut data = vec![datum("consegna", shown(to))];
    let mut named = trace.recipients.iter();
    let named = named.find(|r| is_same_address(r.address.as_bytes(), to.as_bytes()));
    let Some(named) = named else {
        return failed(leaf, Reason::Absent, data);
    };
    let kind = named.kind.as_ref().map(shown).unwrap_or_default();
    data.push(datum("tipo", &kind));
    match kind.as_str() {
        "certificato" => passed(leaf, data),
        _ => failed(leaf, Reason::Mismatch, data),
    }
}
