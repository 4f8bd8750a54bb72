//! Area 4: the times that a receipt states, their order, and the tokens around them.

use super::{datum, failed, not_held, open, passed};
use crate::reissue::closed::Interval;
use crate::reissue::facts::{Item, instant, shown};
use ceralacca_pages::model::{Check, CheckId, Datum, Instant, Reason};

/// How far the clocks of two providers may be apart, in milliseconds (pec.md 10.4, 12.14).
const CLOCKS_MS: i64 = 1000;

fn event_ms(item: &Item) -> Option<i64> {
    item.trace()?.event_ms.map(|ms| ms.get())
}

fn time(name: &str, ms: i64) -> Datum {
    datum(name, Instant::from_millis(ms).rfc3339())
}

/// What one receipt says of its time in several places.
pub(super) fn answer(id: CheckId, item: &Item) -> Check {
    let leaf = Some(item.number());
    let Some(examined) = &item.examined else {
        return open(leaf, not_held(item), Vec::new());
    };
    let Some(event_ms) = event_ms(item) else {
        return open(leaf, Reason::NotConcerned, Vec::new());
    };
    let mut data = vec![time("daticert", event_ms)];
    let text = item.trace().and_then(|trace| trace.event_text.as_ref());
    data.extend(text.map(|text| datum("text", shown(text))));
    let failing: &[(&str, Reason)] = match id {
        CheckId::TextTime => &[
            ("text-differs", Reason::Mismatch),
            ("text-part-missing", Reason::Absent),
        ],
        CheckId::DateHeader => &[
            ("date-differs", Reason::Mismatch),
            ("date-missing", Reason::Absent),
        ],
        _ => &[
            ("signing-time-differs", Reason::Mismatch),
            ("signing-time-missing", Reason::Absent),
        ],
    };
    if id == CheckId::SigningTime {
        match examined.verdict.signing_ms {
            Some(signing_ms) => data.push(time("signing_time", signing_ms)),
            None if !examined.is_signed() => return open(leaf, Reason::NotConcerned, data),
            None => return failed(leaf, Reason::Absent, data),
        }
    }
    match failing.iter().find(|(code, _)| item.has(code)) {
        Some((code, reason)) => {
            data.push(datum("finding", code));
            failed(leaf, *reason, data)
        }
        None => passed(leaf, data),
    }
}

/// The stations of a message come one after the other.
pub(super) fn order(items: &[Item]) -> Check {
    const STATIONS: [&str; 3] = ["accettazione", "presa-in-carico", "avvenuta-consegna"];
    let of = |event: &str| {
        let of_event = items.iter().filter(|item| item.event() == Some(event));
        let times = of_event.filter_map(event_ms);
        times.fold(None, |range: Option<(i64, i64)>, ms| match range {
            None => Some((ms, ms)),
            Some((first, last)) => Some((first.min(ms), last.max(ms))),
        })
    };
    let mut data = Vec::new();
    let mut stations = Vec::new();
    for station in STATIONS {
        if let Some((first, last)) = of(station) {
            data.push(time(station, first));
            stations.push((first, last));
        }
    }
    let pairs = stations.iter().zip(stations.iter().skip(1));
    // No station begins before the one before it began.
    let is_ordered = pairs
        .clone()
        .all(|((before, _), (after, _))| after.saturating_add(CLOCKS_MS) >= *before);
    match (pairs.count(), is_ordered) {
        (0, _) => open(None, Reason::Absent, data),
        (_, true) => passed(None, data),
        (_, false) => failed(None, Reason::Mismatch, data),
    }
}

/// The token over the log file of a record.
pub(super) fn token(id: CheckId, item: &Item, interval: Option<&Interval>) -> Check {
    let leaf = Some(item.number());
    let Some(closed) = interval.and_then(|interval| interval.closed.as_ref()) else {
        return open(leaf, Reason::SealPending, Vec::new());
    };
    let facts = item
        .archived
        .facts
        .as_ref()
        .or(item.archived.object.as_ref());
    let class = facts.map(|shown| shown.opened.leaf.class);
    let Some((file, at)) = class.and_then(|class| closed.log_time(class)) else {
        return failed(leaf, Reason::Absent, Vec::new());
    };
    let at = instant(at);
    let mut data = vec![datum("log_file", file), time("token", at.millis())];
    if id == CheckId::TokenAfterEvent {
        let Some(event_ms) = event_ms(item) else {
            return open(leaf, Reason::NotConcerned, data);
        };
        data.push(time("event", event_ms));
        return match at.millis().saturating_add(CLOCKS_MS) >= event_ms {
            true => passed(leaf, data),
            false => failed(leaf, Reason::Mismatch, data),
        };
    }
    let Some(examined) = &item.examined else {
        return open(leaf, not_held(item), data);
    };
    let Some(signer) = &examined.verdict.signer else {
        return open(leaf, Reason::NotConcerned, data);
    };
    data.push(time("not_after", signer.until_ms));
    match at.millis() < signer.until_ms {
        true => passed(leaf, data),
        false => failed(leaf, Reason::OutsideValidity, data),
    }
}
