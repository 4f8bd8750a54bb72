//! One record: from its octets to facts.
//!
//! # Invariants
//! 1. A field is what the format declares, in the order in which it declares it once others' text has begun:
//!    inside a subject or an error text, only a field declared later ends it. Of what could be a field and is
//!    taken for text, [`Finding::LabelInText`] tells.
//! 2. The subject, which the sender writes, ends as late as it can: what follows it must be a Message-ID, and a
//!    forged one inside it comes before the provider's own.
//! 3. Linear in the record: each octet is looked at a bounded number of times.

use super::civil::{FileDate, Written};
use super::format::{EventRule, FieldRule, Format, Shape, Slot};
use super::lines::Head;
use super::{Entry, Finding, UnreadReason};
use crate::reader::FACTS_BYTES_MAX;
use ceralacca_formats::canonical::Text;
use ceralacca_formats::metadata::Recipient;
use std::ops::Range;

/// The longest label that is looked for.
const LABEL_BYTES_MAX: usize = 32;
/// The shortest label that one wrong letter does not make another word.
const MISSPELT_BYTES_MIN: usize = 7;
/// What an octet of a record may come to in metadata: `,a` is a recipient, `{"address":"a"},`.
const GROWTH_MAX: usize = 32;

/// Reads a record with its head.
pub(super) fn read(
    format: &Format,
    date: Option<FileDate>,
    text: &[u8],
) -> Result<Box<Entry>, UnreadReason> {
    let head = Head::split(format, text).ok_or(UnreadReason::NoHead)?;
    let mut reading = Reading {
        format,
        entry: Box::default(),
        detail: None,
    };
    let fields = Fields::find(format, crate::header::trim_break(head.body));
    reading.entry.findings.clone_from(&fields.findings);
    if !fields.are_of_a_record() {
        return Err(UnreadReason::NoFields);
    }
    reading.time(head.time, date);
    for (rule, value) in &fields.taken {
        reading.field(rule, value.clone(), fields.body);
    }
    reading.id(&fields);
    if let Some(detail) = reading.detail.take() {
        reading.entry.record.error_detail = exact(fields.body.get(detail).unwrap_or_default());
    }
    reading.event();
    fitting(reading.entry, text.len())
}

/// The entry, if its facts fit into the metadata of a record.
fn fitting(mut entry: Box<Entry>, bytes: usize) -> Result<Box<Entry>, UnreadReason> {
    if bytes.saturating_mul(GROWTH_MAX) > FACTS_BYTES_MAX / 2 {
        let record = crate::facts::fitting(std::mem::take(&mut entry.record));
        entry.record = record.ok_or(UnreadReason::FactsTooLarge)?;
    }
    Ok(entry)
}

/// Something that looks like a field.
#[derive(Clone, Copy)]
struct Mark {
    /// Where its colon stands: the end of what comes before.
    colon: usize,
    /// Where its value begins.
    value: usize,
    /// Which field, by its place in the format.
    rule: usize,
    /// Whether its label is spelled as declared.
    is_exact: bool,
}

/// The fields of a record.
struct Fields<'f, 'a> {
    body: &'a [u8],
    /// What comes before the first field.
    before: &'a [u8],
    taken: Vec<(&'f FieldRule, Range<usize>)>,
    findings: Vec<Finding>,
}

impl<'f, 'a> Fields<'f, 'a> {
    fn find(format: &'f Format, body: &'a [u8]) -> Self {
        let marks = marks(format, body);
        let (chosen, has_label_in_text) = choose(format, body, &marks);
        let ends = chosen.iter().skip(1).map(|mark| mark.colon);
        let ends = ends.chain([body.len()]);
        let first = chosen.first().map_or(body.len(), |mark| mark.colon);
        let mut fields = Self {
            body,
            before: body.get(..first).unwrap_or_default(),
            taken: Vec::with_capacity(chosen.len()),
            findings: Vec::new(),
        };
        let misspelt = chosen.iter().any(|mark| !mark.is_exact);
        fields.note(misspelt, Finding::LabelMisspelt);
        fields.note(has_label_in_text, Finding::LabelInText);
        for (mark, end) in chosen.iter().zip(ends) {
            let Some(rule) = format.fields.get(mark.rule) else {
                continue;
            };
            let value = body.get(mark.value..end).unwrap_or_default();
            let length = match (rule.shape, rule.slot) {
                (Shape::Foreign, _) => value.len(),
                (Shape::Text, _) => folded(value).len(),
                (Shape::Closed, Slot::Recipients | Slot::TakenOver) => closed(value).len(),
                (Shape::Closed, _) => folded(closed(value)).len(),
            };
            fields.note(length < value.len(), Finding::UnknownField);
            fields.taken.push((rule, mark.value..mark.value + length));
        }
        fields
    }

    fn note(&mut self, noticed: bool, finding: Finding) {
        self.findings.extend(noticed.then_some(finding));
    }

    fn are_of_a_record(&self) -> bool {
        let telling = [Slot::Type, Slot::Sender, Slot::MessageId];
        let mut slots = self.taken.iter().map(|(rule, _)| rule.slot);
        slots.any(|slot| telling.contains(&slot))
    }
}

/// Everything that looks like a field, in order.
fn marks(format: &Format, body: &[u8]) -> Vec<Mark> {
    let mut marks = Vec::new();
    // Where there is no identificativo there may be no colon before the first field either.
    let begin = body.len() - body.trim_ascii_start().len();
    marks.extend(mark(format, body, 0, begin));
    for colon in memchr::memchr_iter(b':', body) {
        let after = body.get(colon + 1..).unwrap_or_default();
        let blanks = after.len() - after.trim_ascii_start().len();
        if blanks > 0 {
            marks.extend(mark(format, body, colon, colon + 1 + blanks));
        }
    }
    marks
}

/// The field whose label stands here, if one does.
fn mark(format: &Format, body: &[u8], colon: usize, label: usize) -> Option<Mark> {
    let text = body.get(label..)?;
    let text = text.get(..LABEL_BYTES_MAX).unwrap_or(text);
    let word = text.get(..memchr::memchr(b'=', text)?)?;
    let is_word = word
        .iter()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_'));
    if !is_word {
        return None;
    }
    let (rule, is_exact) = closest(word, format.fields, |rule| (rule.label, rule.spellings))?;
    Some(Mark {
        colon,
        value: label + word.len() + 1,
        rule,
        is_exact,
    })
}

/// The declared word that this one is, and whether it is spelled so: without case, or with one letter wrong
/// where that leaves no doubt.
fn closest<T>(
    word: &[u8],
    declared: &[T],
    spelled: impl Fn(&T) -> (&'static str, &'static [&'static str]),
) -> Option<(usize, bool)> {
    let label = |item: &T| spelled(item).0.as_bytes();
    if let Some(at) = declared.iter().position(|item| label(item) == word) {
        return Some((at, true));
    }
    let other = |item: &T| {
        let is_spelling = |s: &&str| s.as_bytes().eq_ignore_ascii_case(word);
        label(item).eq_ignore_ascii_case(word) || spelled(item).1.iter().any(is_spelling)
    };
    if let Some(at) = declared.iter().position(other) {
        return Some((at, false));
    }
    let near =
        |item: &T| label(item).len() >= MISSPELT_BYTES_MIN && differ_by_one(label(item), word);
    let mut near = declared.iter().enumerate().filter(|(_, item)| near(item));
    let (at, _) = near.next()?;
    near.next().is_none().then_some((at, false))
}

/// Whether one octet was added, left out, changed, or exchanged with its neighbour.
fn differ_by_one(a: &[u8], b: &[u8]) -> bool {
    if a.len().abs_diff(b.len()) > 1 {
        return false;
    }
    let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let (a, b) = (
        a.get(same..).unwrap_or_default(),
        b.get(same..).unwrap_or_default(),
    );
    match (a, b) {
        ([_, a @ ..], [_, c @ ..]) if a == c => true,
        ([_, rest @ ..], b) if rest == b => true,
        (a, [_, rest @ ..]) if rest == a => true,
        ([a, b, rest @ ..], [c, d, tail @ ..]) => (a, b, rest) == (d, c, tail),
        _ => false,
    }
}

/// The marks that are fields, and whether others are left in somebody's text.
fn choose(format: &Format, body: &[u8], marks: &[Mark]) -> (Vec<Mark>, bool) {
    let is_foreign = |rule: usize| {
        let rule = format.fields.get(rule);
        rule.is_some_and(|rule| rule.shape == Shape::Foreign)
    };
    let (mut chosen, mut in_text) = (Vec::<Mark>::new(), false);
    let (mut at, mut met_foreign) = (0, false);
    while let Some(mark) = marks.get(at) {
        let last = chosen.last();
        let is_later = last.is_none_or(|last| !is_foreign(last.rule) || mark.rule > last.rule);
        let is_new = chosen.iter().all(|known| known.rule != mark.rule);
        at += 1;
        if !(is_later && is_new) {
            in_text = true;
            continue;
        }
        chosen.push(*mark);
        if is_foreign(mark.rule) && !met_foreign {
            met_foreign = true;
            if let Some(anchor) = anchor(body, marks, at, mark.rule + 1) {
                in_text |= anchor > at;
                at = anchor;
            }
        }
    }
    (chosen, in_text)
}

/// The last of these marks of a field whose value is one word, rightly spelled before wrongly.
fn anchor(body: &[u8], marks: &[Mark], from: usize, rule: usize) -> Option<usize> {
    let is_word = |at: &usize| {
        let mark = marks.get(*at).filter(|mark| mark.rule == rule);
        mark.is_some_and(|mark| {
            let end = marks.get(at + 1).map_or(body.len(), |next| next.colon);
            let value = closed(body.get(mark.value..end).unwrap_or_default());
            !value.trim_ascii().iter().any(u8::is_ascii_whitespace)
        })
    };
    let words = (from..marks.len()).filter(is_word);
    let is_exact = |at: &usize| marks.get(*at).is_some_and(|mark| mark.is_exact);
    words.max_by_key(|at| (is_exact(at), *at))
}

/// A value up to the first colon that white space follows.
fn closed(value: &[u8]) -> &[u8] {
    let mut colons = memchr::memchr_iter(b':', value);
    let end = colons.find(|at| value.get(at + 1).is_some_and(u8::is_ascii_whitespace));
    value.get(..end.unwrap_or(value.len())).unwrap_or(value)
}

/// A value up to the first line break that no blank follows: what comes then is no folded text, but a line
/// that happens to stand there. Lists go on, lest a recipient be lost.
fn folded(value: &[u8]) -> &[u8] {
    let mut breaks = memchr::memchr_iter(b'\n', value);
    let end = breaks.find(|at| value.get(at + 1).is_some_and(|c| !c.is_ascii_whitespace()));
    value.get(..end.unwrap_or(value.len())).unwrap_or(value)
}

/// A record that is being read.
struct Reading<'f> {
    format: &'f Format,
    entry: Box<Entry>,
    /// Where the text on what went wrong stands.
    detail: Option<Range<usize>>,
}

impl Reading<'_> {
    fn note(&mut self, noticed: bool, finding: Finding) {
        self.entry.findings.extend(noticed.then_some(finding));
    }

    fn time(&mut self, written: &[u8], date: Option<FileDate>) {
        self.entry.record.event_text = exact(written);
        let Some((time, _)) = Written::parse(self.format, written) else {
            self.note(true, Finding::TimeMalformed);
            return;
        };
        let findings = &mut self.entry.findings;
        if let Some((ms, offset_min)) = time.resolve(self.format.zone, date, findings) {
            self.entry.record.event_ms = Some(ms);
            self.entry.record.event_offset_min = Some(offset_min);
        }
    }

    /// The identificativo: what stands before the first field, up to the first colon that a blank follows.
    fn id(&mut self, fields: &Fields<'_, '_>) {
        let before = fields.before.trim_ascii();
        let id = closed(before);
        let rest = before.get(id.len()..).unwrap_or_default();
        let rest = rest.strip_prefix(b":").unwrap_or(rest);
        self.entry.record.identificativo = trimmed(id.strip_suffix(b":").unwrap_or(id));
        self.note(!rest.trim_ascii().is_empty(), Finding::UnknownField);
    }

    fn field(&mut self, rule: &FieldRule, range: Range<usize>, body: &[u8]) {
        let value = body.get(range.clone()).unwrap_or_default();
        let record = &mut self.entry.record;
        match rule.slot {
            Slot::QueueId => self.entry.queue_id = trimmed(value),
            Slot::Type => {
                let (kind, label) = parenthesised(value);
                (self.entry.kind, self.entry.label) = (trimmed(kind), label.and_then(trimmed));
            }
            Slot::Sender => record.sender = trimmed(value),
            Slot::Recipients => {
                record.recipients = split_list(value).filter_map(recipient).collect()
            }
            Slot::Subject => record.subject = exact(value),
            Slot::Msgid => record.msgid = trimmed(value),
            Slot::MessageId => record.message_ids = Vec::from_iter(trimmed(value)),
            Slot::Provider => record.provider = exact(value),
            Slot::ReceiptForm => record.receipt_form = trimmed(value),
            Slot::TakenOver => record.taken_over = split_list(value).filter_map(trimmed).collect(),
            Slot::DeliveredTo => record.delivered_to = trimmed(value),
            Slot::Error => record.error = trimmed(value),
            Slot::ErrorDetail => match &mut self.detail {
                Some(detail) => detail.end = range.end,
                None => self.detail = Some(range),
            },
        }
    }

    /// What happened. Where the two differ the label counts: it is the finer word, and never empty.
    fn event(&mut self) {
        let kind = self.entry.kind.clone();
        if self.format.events.is_empty() {
            self.note(kind.is_none(), Finding::TypeMissing);
            self.note(
                self.entry.record.identificativo.is_none(),
                Finding::IdMissing,
            );
            self.entry.record.event = kind;
            return;
        }
        let rule = self.rule();
        let types = rule.map_or(&[][..], |rule| rule.types);
        let may_go_without = types.contains(&"");
        let is_one_of_them = |kind: &Text| types.iter().any(|t| t.as_bytes() == kind.as_bytes());
        let differs = rule.is_some() && kind.as_ref().is_some_and(|kind| !is_one_of_them(kind));
        let has_id = self.entry.record.identificativo.is_some();
        self.note(!has_id && !may_go_without, Finding::IdMissing);
        self.note(kind.is_none() && !may_go_without, Finding::TypeMissing);
        self.note(rule.is_none(), Finding::LabelUnknown);
        self.note(differs, Finding::TypeAndLabelDiffer);
        let record = &mut self.entry.record;
        record.event = rule.map(|rule| rule.event.into()).or(kind);
        record.point = rule.and_then(|rule| rule.point).map(Text::from);
        record.direction = rule.and_then(|rule| rule.direction).map(Text::from);
    }

    fn rule(&mut self) -> Option<&'static EventRule> {
        let events: &'static [EventRule] = self.format.events;
        let label = self.entry.label.as_ref()?.as_bytes();
        let (at, is_exact) = closest(label, events, |event| (event.label, &[]))?;
        self.note(!is_exact, Finding::LabelMisspelt);
        events.get(at)
    }
}

/// A value as it stands; white space alone is nothing.
fn exact(value: &[u8]) -> Option<Text> {
    (!value.trim_ascii().is_empty()).then(|| value.into())
}

fn trimmed(value: &[u8]) -> Option<Text> {
    exact(value.trim_ascii())
}

/// `address (kind)`.
fn recipient(value: &[u8]) -> Option<Recipient> {
    let (address, kind) = parenthesised(value);
    Some(Recipient {
        address: trimmed(address)?,
        kind: kind.and_then(trimmed),
    })
}

/// What stands before the parentheses at the end, and in them.
fn parenthesised(value: &[u8]) -> (&[u8], Option<&[u8]>) {
    let inner = value.trim_ascii_end().strip_suffix(b")");
    let split = inner.and_then(|inner| {
        let open = memchr::memrchr(b'(', inner)?;
        Some((inner.get(..open)?, inner.get(open + 1..)?))
    });
    split.map_or((value, None), |(before, inside)| (before, Some(inside)))
}

/// The parts between commas; those in quotation marks part nothing, unless one mark has lost its fellow.
fn split_list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let has_pairs = value
        .iter()
        .filter(|c| **c == b'"')
        .count()
        .is_multiple_of(2);
    let mut is_quoted = false;
    value.split(move |c| {
        is_quoted ^= *c == b'"' && has_pairs;
        *c == b',' && !is_quoted
    })
}
