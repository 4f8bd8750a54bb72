//! The first page: what a judge reads in a minute.

use crate::checks::{Check, Outcome, Reason};
use crate::error::PageError;
use crate::flow::{Flow, SMALL, Style, Table, bold, plain};
use crate::fonts::Face;
use crate::model::{CheckId, Interval, Kind, Recipient, Report, Seal, State};
use crate::texts::{Texts, fill};
use crate::{qr, timeline};

/// Recipients on the first page; who did not receive comes first.
const FIRST_PAGE: usize = 4;
/// On a statement, whose prose takes room.
const FIRST_PAGE_STATEMENT: usize = 3;
/// Checks that were not done, named on the first page; all are in the chapter of checks.
const NAMED_NOT_DONE: usize = 4;
/// Heights of what stands below the time line and must stay on the page: what custody and checks take at least, what
/// the other column does, a line of it, an entry of it; the notes below the lanes.
const CUSTODY: f32 = 300.0;
const OPEN: f32 = 261.0;
const LINE: f32 = 10.5;
const ENTRY: f32 = 22.0;
const NOTES: f32 = 26.0;
/// Characters in a line of a column, about.
const COLUMN: usize = 44;
/// Side of the QR code.
const CODE: f32 = 100.0;

const NOTE: Style = Style::new(Face::Italic, 8.0);

/// Title, who asked, legal class, warnings.
pub(crate) fn opening(flow: &mut Flow<'_>, texts: &Texts, report: &Report, title: &str) {
    flow.title(title);
    let sentence = match report.kind {
        Kind::Duplicato => format!("{} {}", texts.class_duplicato, texts.class_relazione),
        Kind::Attestazione => texts.class_attestazione.to_owned(),
    };
    flow.styled(NOTE, &sentence);
    if !report.development.is_empty() {
        let what = report
            .development
            .iter()
            .map(|what| (texts.development)(*what));
        let what: Vec<_> = what.collect();
        let note = fill(texts.development_note, &[&what.join(", ")]);
        flow.styled(Style::new(Face::Bold, 8.0), &note);
    }
    if let Seal::Pending { expected } = &report.seal {
        let mut note = texts.seal_pending_note.to_owned();
        if let Some(expected) = expected {
            note.push(' ');
            note.push_str(&fill(texts.seal_expected, &[&expected.rome_both()]));
        }
        flow.styled(Style::new(Face::Bold, 8.0), &note);
    }
}

/// Who sent what to whom, when, and what became of it; drawn.
pub(crate) fn story(flow: &mut Flow<'_>, texts: &Texts, report: &Report) {
    let message = &report.message;
    let room = match report.kind {
        Kind::Duplicato => FIRST_PAGE,
        Kind::Attestazione => FIRST_PAGE_STATEMENT,
    };
    let subject = message.subject.as_deref().unwrap_or(texts.unknown);
    let from = message.from.as_deref().unwrap_or(texts.unknown);
    let sentence = match message.accepted {
        Some(at) => fill(texts.sent_sentence, &[subject, from, &at.rome_both()]),
        None => {
            let sent = fill(texts.sent_unknown_time, &[subject, from]);
            format!("{sent} {}", texts.accepted_none)
        }
    };
    flow.space(2.0);
    flow.styled(Style::new(Face::Bold, 10.4), &sentence);
    flow.paragraph(&tally(texts, &message.recipients));
    if report.kind == Kind::Duplicato {
        // The prose of a statement says these.
        let identificativo = message.identificativo.as_deref();
        let capacity = (texts.capacity)(report.request.capacity);
        let requester = format!("{} ({capacity})", report.request.requester);
        flow.pairs(
            104.0,
            vec![
                (
                    texts.identificativo,
                    plain(identificativo.unwrap_or(texts.unknown)),
                ),
                (texts.requester, plain(requester)),
            ],
        );
        flow.space(2.0);
    }
    let mut shown: Vec<&Recipient> = message.recipients.iter().collect();
    shown.sort_by_key(|recipient| is_delivered(recipient));
    let left = flow.room() - summary_height(texts, report);
    let rest = shown.split_off(timeline::fitting(&shown, left).min(room));
    timeline::draw(flow, texts, message, &shown);
    if !rest.is_empty() {
        let more = more(texts, &rest);
        flow.styled(Style::new(Face::Bold, SMALL), &more);
    }
    flow.styled(Style::new(Face::Italic, 7.0), texts.timeline_note);
}

/// About the height of [`summary`] and of the notes before it.
fn summary_height(texts: &Texts, report: &Report) -> f32 {
    let lines = |characters: usize| LINE * (characters / COLUMN) as f32;
    let leaves: Vec<_> = report.records.iter().map(|record| record.leaf).collect();
    let failed: usize = failed(texts, report)
        .iter()
        .map(|f| f.chars().count())
        .sum();
    let left = CUSTODY + lines(ranges(&leaves).len()) + lines(failed);
    let named = open(report).count().min(NAMED_NOT_DONE);
    let right = OPEN + ENTRY * named as f32;
    left.max(right) + NOTES
}

/// The checks that failed, with their names.
fn failed(texts: &Texts, report: &Report) -> Vec<String> {
    let failed = |id: &CheckId| report.checks.outcome(*id) == Outcome::Failed;
    let failed = CheckId::ALL.iter().copied().filter(failed);
    failed
        .map(|id| format!("{} {}", id.number(), (texts.check)(id)))
        .collect()
}

/// The checks that were not done and are named, each with an answer that says so.
fn open(report: &Report) -> impl Iterator<Item = (CheckId, &Check)> {
    report.checks.iter().filter_map(|(id, answers)| {
        let open = answers.iter().find(|check| {
            let is_said = check.reason == Reason::NotConcerned || id == CheckId::OtherLog;
            check.outcome == Outcome::NotChecked && !is_said
        });
        Some((id, open?))
    })
}

fn is_delivered(recipient: &Recipient) -> bool {
    recipient.state == State::Delivered && !recipient.is_contradictory
}

fn tally(texts: &Texts, recipients: &[Recipient]) -> String {
    let count = |is: fn(State) -> bool| {
        let there = recipients.iter().filter(|recipient| is(recipient.state));
        there.count().to_string()
    };
    let delivered = count(|state| state == State::Delivered);
    let failed = count(|state| matches!(state, State::Failed | State::NotAccepted));
    let other =
        count(|state| !matches!(state, State::Delivered | State::Failed | State::NotAccepted));
    let all = recipients.len().to_string();
    fill(
        texts.recipients_sentence,
        &[&all, &delivered, &failed, &other],
    )
}

fn more(texts: &Texts, rest: &[&Recipient]) -> String {
    let mut counted: Vec<(State, usize)> = Vec::new();
    for recipient in rest {
        match counted
            .iter_mut()
            .find(|(state, _)| *state == recipient.state)
        {
            Some((_, count)) => *count = count.saturating_add(1),
            None => counted.push((recipient.state, 1)),
        }
    }
    let entry = |(state, count): &(State, usize)| {
        let values = [(texts.state)(*state), &count.to_string()];
        fill(texts.recipients_more_entry, &values)
    };
    let entries: Vec<_> = counted.iter().map(entry).collect();
    let values = [&rest.len().to_string(), texts.outcomes, &entries.join(", ")];
    fill(texts.recipients_more, &values)
}

/// Custody and checks on the left; on the right what was not checked, what all this does not prove, the code.
pub(crate) fn summary(
    flow: &mut Flow<'_>,
    texts: &Texts,
    report: &Report,
) -> Result<(), PageError> {
    flow.need(215.0);
    let (left, right) = (flow.left(), flow.right());
    let middle = left + (right - left) * 0.53;
    let (top, page) = (flow.y, flow.pages.len());
    flow.set_frame(left, middle - 8.0);
    flow.subheading(texts.custody);
    custody(flow, texts, report);
    flow.subheading(texts.verified);
    verified(flow, texts, report);
    let (low, low_page) = (flow.y, flow.pages.len());
    if low_page == page {
        flow.y = top;
        flow.set_frame(middle + 8.0, right);
    } else {
        flow.set_frame(left, right);
    }
    flow.subheading(texts.not_verified);
    not_verified(flow, texts, report);
    flow.subheading(texts.not_proved);
    for text in [
        texts.not_proved_read,
        texts.not_proved_content,
        texts.not_proved_time,
        texts.not_proved_identity,
        texts.not_proved_record,
    ] {
        flow.item(SMALL, text);
    }
    code(flow, texts, report)?;
    flow.set_frame(left, right);
    if flow.pages.len() == low_page && low_page == page {
        flow.y = flow.y.max(low);
    }
    Ok(())
}

fn custody(flow: &mut Flow<'_>, texts: &Texts, report: &Report) {
    let ingested = || report.records.iter().map(|record| record.ingest_time);
    let ingest = match (ingested().min(), ingested().max()) {
        (Some(first), Some(last)) if first == last => first.rome_both(),
        (Some(first), Some(last)) => format!("{} – {}", first.rome_both(), last.rome_both()),
        _ => texts.none.to_owned(),
    };
    let leaves: Vec<_> = report.records.iter().map(|record| record.leaf).collect();
    let last = report.intervals.last();
    let checkpoint = last.map_or_else(
        || texts.chain_none.to_owned(),
        |interval| {
            let checkpoint = &interval.checkpoint;
            format!("{} · {}", checkpoint.origin, checkpoint.tree_size)
        },
    );
    let pairs = vec![
        (texts.chain_ingest, plain(ingest)),
        (texts.chain_leaf, plain(ranges(&leaves))),
        (texts.chain_checkpoint, plain(checkpoint)),
        (texts.chain_witnesses, plain(witnesses(texts, last))),
        (texts.chain_interval, plain(closings(texts, report))),
        (texts.chain_token, plain(tokens(texts, report))),
        (texts.chain_renewals, plain(renewals(texts, report))),
    ];
    flow.pairs(104.0, pairs);
}

fn witnesses(texts: &Texts, interval: Option<&Interval>) -> String {
    let names = interval.map(|interval| {
        let witnesses = interval.checkpoint.witnesses.iter();
        witnesses
            .map(|witness| witness.name.as_str())
            .collect::<Vec<_>>()
    });
    match names {
        Some(names) if !names.is_empty() => names.join(", "),
        _ => texts.chain_no_witness.to_owned(),
    }
}

fn closings(texts: &Texts, report: &Report) -> String {
    let closing = |interval: &Interval| match (interval.closing_leaf, interval.end) {
        (Some(leaf), Some(end)) => {
            format!("{}: {} {leaf}", end.rome_both(), texts.leaf.to_lowercase())
        }
        _ => texts.interval_open.to_owned(),
    };
    listed(texts, report.intervals.iter().map(closing).collect())
}

fn tokens(texts: &Texts, report: &Report) -> String {
    let first = |interval: &Interval| {
        interval.tokens.first().map(|token| {
            let quality = if token.is_qualified {
                texts.chain_qualified
            } else {
                texts.chain_not_qualified
            };
            format!(
                "{}, {} ({quality})",
                token.time.rome_both(),
                token.authority
            )
        })
    };
    listed(texts, report.intervals.iter().filter_map(first).collect())
}

fn renewals(texts: &Texts, report: &Report) -> String {
    let renewals = report
        .intervals
        .iter()
        .flat_map(|interval| &interval.renewals);
    listed(
        texts,
        renewals.map(|renewal| renewal.time.rome_both()).collect(),
    )
}

/// The first of several, and how many more.
fn listed(texts: &Texts, entries: Vec<String>) -> String {
    match entries.split_first() {
        None => texts.chain_none.to_owned(),
        Some((first, [])) => first.clone(),
        Some((first, rest)) => format!("{first} (+{})", rest.len()),
    }
}

/// Leaf indexes, runs shortened: `3-5, 9`.
pub(crate) fn ranges(leaves: &[u64]) -> String {
    let mut sorted = leaves.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for leaf in sorted {
        match runs.last_mut() {
            Some((_, last)) if last.saturating_add(1) == leaf => *last = leaf,
            _ => runs.push((leaf, leaf)),
        }
    }
    let run = |(first, last): &(u64, u64)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    runs.iter().map(run).collect::<Vec<_>>().join(", ")
}

fn verified(flow: &mut Flow<'_>, texts: &Texts, report: &Report) {
    let row = |area: u8| {
        let count = report.checks.count(area);
        let name = format!("{area}. {}", (texts.area)(area));
        let mark = |count: u32| {
            if count == 0 {
                "–".to_owned()
            } else {
                count.to_string()
            }
        };
        let failed = mark(count.failed);
        let failed = if count.failed > 0 {
            bold(failed)
        } else {
            plain(failed)
        };
        vec![
            plain(name),
            plain(mark(count.passed)),
            plain(mark(count.not_checked)),
            failed,
        ]
    };
    let outcome = texts.outcome;
    flow.table(Table {
        widths: &[0.43, 0.17, 0.23, 0.17],
        heads: &[
            texts.check_head,
            outcome(Outcome::Passed),
            outcome(Outcome::NotChecked),
            outcome(Outcome::Failed),
        ],
        rows: (1..=8).map(row).collect(),
    });
    let failed = failed(texts, report);
    let style = Style::new(Face::Bold, SMALL);
    if failed.is_empty() {
        flow.styled(style, texts.verified_none_failed);
    } else {
        flow.styled(style, &fill(texts.verified_failed, &[&failed.join("; ")]));
    }
}

fn not_verified(flow: &mut Flow<'_>, texts: &Texts, report: &Report) {
    flow.item(SMALL, texts.not_verified_other);
    let mut named = 0usize;
    let mut further = Vec::new();
    for (id, open) in open(report) {
        if named < NAMED_NOT_DONE {
            let reason = (texts.reason)(open.reason);
            let values = [id.number(), (texts.check)(id), reason];
            flow.item(SMALL, &fill(texts.not_verified_entry, &values));
            named = named.saturating_add(1);
        } else {
            further.push(id.number());
        }
    }
    if !further.is_empty() {
        let values = [further.join(", "), texts.checks.to_owned()];
        flow.item(SMALL, &format!("{} → {}", values[0], values[1]));
    }
}

/// The code beside what it says; the hashes in it stand in full among records and intervals.
fn code(flow: &mut Flow<'_>, texts: &Texts, report: &Report) -> Result<(), PageError> {
    let Some(anchor) = &report.anchor else {
        return Ok(());
    };
    flow.need(CODE + 4.0);
    let (left, right, top) = (flow.left(), flow.right(), flow.y);
    let mark = qr::code(anchor, left - 6.0, top, CODE)?;
    flow.push(mark);
    flow.set_frame(left + CODE - 2.0, right);
    flow.space(10.0);
    let note = fill(texts.qr_note, &[&anchor.leaf.to_string()]);
    flow.styled(Style::new(Face::Italic, 7.0), &note);
    flow.set_frame(left, right);
    flow.y = flow.y.max(top + CODE + 2.0);
    Ok(())
}
