//! The drawn time line: a lane for each recipient, a station for each step, dashes where no record is.

use crate::flow::{Flow, Style};
use crate::fonts::Face;
use crate::model::{Instant, Mailbox, Message, Missing, Recipient, Step, StepAt};
use crate::sheet::{BLACK, GREY, Mark};
use crate::texts::{Texts, fill};

/// Height of a lane.
const LANE: f32 = 47.0;
/// Height of the line that says when a delivery takes effect.
const EFFECT: f32 = 9.0;
/// Radius of a station.
const RADIUS: f32 = 4.2;
/// White, the ground of hollow stations.
const WHITE: u8 = 255;

const LABEL: Style = Style::new(Face::Regular, 6.8);
const EFFECTIVE: Style = Style::new(Face::Bold, 7.2);
const STRONG: Style = Style::new(Face::Bold, 8.0);

/// What a station shows.
#[derive(Clone, Copy, PartialEq)]
enum Station<'a> {
    /// A record of a good step.
    Done(&'a StepAt),
    /// A record of a failure.
    Bad(&'a StepAt),
    /// No record, and the rules ask for one.
    Missing,
    /// No record.
    Silent,
    /// No record, and none expected.
    Unexpected,
}

impl Station<'_> {
    const fn is_on_record(&self) -> bool {
        matches!(self, Self::Done(_) | Self::Bad(_))
    }
}

/// Draws the lanes of these recipients.
pub(crate) fn draw(flow: &mut Flow<'_>, texts: &Texts, message: &Message, shown: &[&Recipient]) {
    let has_notice = |recipient: &&Recipient| last(recipient, &[Step::Notice]).is_some();
    let with_notice = shown.iter().any(has_notice);
    for recipient in shown {
        flow.need(LANE + EFFECT);
        lane(flow, texts, message, recipient, with_notice);
    }
}

/// How many of the first of these have their lanes within a height; one at least.
pub(crate) fn fitting(shown: &[&Recipient], height: f32) -> usize {
    let mut used = 0.0;
    let mut count = 0usize;
    for recipient in shown {
        used += match delayed(recipient) {
            Some(_) => LANE + EFFECT + 1.5,
            None => LANE + 1.5,
        };
        if used > height && count > 0 {
            break;
        }
        count = count.saturating_add(1);
    }
    count
}

/// When a delivery by night takes effect.
fn delayed(recipient: &Recipient) -> Option<Instant> {
    recipient.effective.filter(|at| Some(*at) != recipient.at)
}

fn lane(
    flow: &mut Flow<'_>,
    texts: &Texts,
    message: &Message,
    recipient: &Recipient,
    with_notice: bool,
) {
    let top = flow.y;
    let state = (texts.state)(recipient.state);
    let state_width = flow.fonts.width(STRONG.face, STRONG.size, state);
    let right = flow.right();
    // An address may be longer than the page is wide; the table of recipients has it whole.
    let room = right - flow.left() - state_width - 12.0;
    let address = clipped(flow, &recipient.address, room);
    flow.put(flow.left(), top + 8.0, STRONG, &address);
    flow.put(right - state_width, top + 8.0, STRONG, state);
    let y = top + 20.0;
    let stations = stations(message, recipient, with_notice);
    let step = (right - flow.left() - 110.0) / 3.0;
    let first = flow.left() + 55.0;
    let mut x = first;
    let advance = if with_notice { step } else { step * 1.5 };
    let mut before: Option<(f32, Station<'_>)> = None;
    for (step, station) in stations {
        // Nobody misses a notice that was not due.
        if step == Step::Notice && !station.is_on_record() {
            x += advance;
            continue;
        }
        if let Some((from, earlier)) = before {
            let dashed = !(earlier.is_on_record() && station.is_on_record());
            let (from, to) = ((from + RADIUS, y), (x - RADIUS, y));
            flow.line(from, to, 1.0, dashed);
        }
        put_station(flow, texts, x, y, step, station);
        before = Some((x, station));
        x += advance;
    }
    flow.y = top + LANE;
    // A delivery by night takes effect later, and that is what rights depend on.
    if let Some(effective) = delayed(recipient) {
        let note = fill(texts.effective, &[&effective.rome_both()]);
        let width = flow.fonts.width(EFFECTIVE.face, EFFECTIVE.size, &note);
        flow.put(right - width, flow.y + 3.0, EFFECTIVE, &note);
        flow.y += EFFECT;
    }
    flow.push(Mark::Line {
        from: (flow.left(), flow.y - 2.0),
        to: (right, flow.y - 2.0),
        width: 0.3,
        grey: GREY,
        dashed: false,
    });
    flow.y += 1.5;
}

fn stations<'a>(
    message: &Message,
    recipient: &'a Recipient,
    with_notice: bool,
) -> Vec<(Step, Station<'a>)> {
    let is_missing = |what: Missing| recipient.missing.contains(&what);
    let refused = first(recipient, &[Step::NotAccepted]).map(Station::Bad);
    let accepted = first(recipient, &[Step::Accepted]).map(Station::Done);
    let accepted = accepted.or(refused).unwrap_or({
        if message.missing.contains(&Missing::Acceptance) {
            Station::Missing
        } else {
            Station::Silent
        }
    });
    let first_step = match accepted {
        Station::Bad(_) => Step::NotAccepted,
        _ => Step::Accepted,
    };
    let empty = |missing: bool| match (missing, recipient.mailbox) {
        (true, _) => Station::Missing,
        (false, Mailbox::Ordinary) => Station::Unexpected,
        (false, _) => Station::Silent,
    };
    let taken = first(recipient, &[Step::TakenOver]).map(Station::Done);
    let taken = taken.unwrap_or_else(|| empty(is_missing(Missing::Takeover)));
    let delivered = first(recipient, &[Step::Delivered]).map(Station::Done);
    let failed = first(recipient, &[Step::Failed]).map(Station::Bad);
    let outcome = delivered
        .or(failed)
        .unwrap_or_else(|| empty(is_missing(Missing::Outcome)));
    let last_step = match outcome {
        Station::Bad(_) => Step::Failed,
        _ => Step::Delivered,
    };
    let mut stations = vec![(first_step, accepted), (Step::TakenOver, taken)];
    if with_notice {
        let notice = last(recipient, &[Step::Notice]).map(Station::Bad);
        stations.push((Step::Notice, notice.unwrap_or(Station::Silent)));
    }
    stations.push((last_step, outcome));
    stations
}

fn put_station(
    flow: &mut Flow<'_>,
    texts: &Texts,
    x: f32,
    y: f32,
    step: Step,
    station: Station<'_>,
) {
    let ground = match station {
        Station::Done(_) => BLACK,
        _ => WHITE,
    };
    let dashed = !station.is_on_record();
    flow.push(Mark::Circle {
        centre: (x, y),
        radius: RADIUS,
        ground,
        dashed,
    });
    if let Station::Bad(_) = station {
        let arm = RADIUS * 0.62;
        flow.line((x - arm, y - arm), (x + arm, y + arm), 1.2, false);
        flow.line((x - arm, y + arm), (x + arm, y - arm), 1.2, false);
    }
    let (name, below) = (y + 12.5, y + 20.5);
    let name_style = Style::new(Face::Bold, LABEL.size);
    flow.put_centred(x, name, name_style, (texts.step)(step));
    let text = match station {
        Station::Done(found) | Station::Bad(found) => match found.at {
            Some(at) => at.rome_both(),
            None => texts.unknown.to_owned(),
        },
        Station::Missing => texts.step_missing.to_owned(),
        Station::Silent => texts.step_no_record.to_owned(),
        Station::Unexpected => texts.step_none_expected.to_owned(),
    };
    flow.put_centred(x, below, LABEL, &text);
}

fn first<'a>(recipient: &'a Recipient, steps: &[Step]) -> Option<&'a StepAt> {
    recipient
        .steps
        .iter()
        .find(|found| steps.contains(&found.step))
}

fn last<'a>(recipient: &'a Recipient, steps: &[Step]) -> Option<&'a StepAt> {
    let mut steps_back = recipient.steps.iter().rev();
    steps_back.find(|found| steps.contains(&found.step))
}

/// The address, cut with an ellipsis where there is no room.
fn clipped(flow: &Flow<'_>, address: &str, room: f32) -> String {
    let measure = |text: &str| {
        let shown = flow.fonts.shown(STRONG.face, text);
        flow.fonts.width(STRONG.face, STRONG.size, &shown)
    };
    if measure(address) <= room {
        return address.to_owned();
    }
    let mut kept = String::new();
    let mut used = measure("…");
    for character in address.chars() {
        used += measure(&character.to_string());
        if used > room {
            break;
        }
        kept.push(character);
    }
    fill("{}…", &[&kept])
}
