//! Records out of lines, and lines out of pieces.
//!
//! # Invariants
//! 1. A line is judged by its first [`HEAD_BYTES_MAX`] octets, or by the whole of it where it is shorter:
//!    never by how much of it happened to be there.
//! 2. Blank lines inside a record belong to it when text follows, and are noise when none does.

use super::civil::{FileDate, Written};
use super::format::Format;
use super::{Counted, Finding, Item, Summary, Unread, UnreadReason, record};
use std::ops::Range;

/// How much of a line is looked at to tell what it is.
pub const HEAD_BYTES_MAX: usize = 512;
/// The longest record that is read: some ten thousand recipients. Real ones have some 600 octets.
pub const RECORD_BYTES_MAX: usize = 1 << 20;
/// Blank lines that a record may hold in one place, in octets.
const BLANK_BYTES_MAX: usize = 4096;
/// Words that may stand before the name of the process: the time, and perhaps a host.
const WORDS_BEFORE_PROCESS_MAX: usize = 6;

/// Reads a whole log file.
pub fn read(format: &Format, date: Option<FileDate>, bytes: &[u8]) -> (Vec<Item>, Summary) {
    let (mut reader, mut items) = (LogReader::new(format, date), Vec::new());
    reader.push(bytes, |item| items.push(item));
    let summary = reader.finish(|item| items.push(item));
    (items, summary)
}

/// Reads a log file that comes in pieces.
pub struct LogReader<'f> {
    format: &'f Format,
    date: Option<FileDate>,
    /// The beginning of a line, until it is judged; then empty.
    line: Vec<u8>,
    /// Where the octets of a line that was judged go.
    goes_to: Option<Kind>,
    open: Open,
    summary: Summary,
}

/// What a line is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// The first line of a record.
    Head,
    /// Neither head nor noise.
    Text,
    Blank,
    OtherProcess,
    Rotation,
}

/// What the lines read last belong to.
enum Open {
    Nothing,
    Record(Box<Record>),
    /// Lines without a record.
    Stray(Range<u64>),
}

/// A record that is being collected.
struct Record {
    range: Range<u64>,
    /// Its octets; none once there were too many.
    bytes: Vec<u8>,
    too_long: bool,
    /// Blank lines that belong to it if text follows.
    blank: Counted,
    blank_bytes: Vec<u8>,
}

impl Record {
    fn new(at: u64) -> Self {
        Self {
            range: at..at,
            bytes: Vec::new(),
            too_long: false,
            blank: Counted::default(),
            blank_bytes: Vec::new(),
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.range.end += bytes.len() as u64;
        self.too_long |= self.bytes.len() + bytes.len() > RECORD_BYTES_MAX;
        if self.too_long {
            self.bytes = Vec::new();
        } else {
            self.bytes.extend_from_slice(bytes);
        }
    }

    fn push_blank_lines(&mut self) {
        let blank = std::mem::take(&mut self.blank_bytes);
        self.push(&blank);
        self.blank = Counted::default();
    }
}

impl<'f> LogReader<'f> {
    /// A reader that has read nothing. The date of the file, where it is known, completes and checks times.
    pub fn new(format: &'f Format, date: Option<FileDate>) -> Self {
        Self {
            format,
            date,
            line: Vec::new(),
            goes_to: None,
            open: Open::Nothing,
            summary: Summary::default(),
        }
    }

    /// Takes the next octets, as many or as few as there are, and gives out what is complete.
    pub fn push(&mut self, mut bytes: &[u8], mut sink: impl FnMut(Item)) {
        while !bytes.is_empty() {
            let end = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1);
            let (line, rest) = bytes.split_at(end);
            bytes = rest;
            self.take(line, &mut sink);
        }
    }

    /// The file has ended.
    pub fn finish(mut self, mut sink: impl FnMut(Item)) -> Summary {
        if !self.line.is_empty() {
            self.judge(&mut sink);
        }
        self.close(&mut sink);
        self.summary
    }

    /// Takes octets that hold no line break except at their end.
    fn take(&mut self, bytes: &[u8], sink: &mut impl FnMut(Item)) {
        let ends = bytes.last() == Some(&b'\n');
        match self.goes_to {
            Some(kind) => self.route(kind, bytes),
            None => {
                let room = HEAD_BYTES_MAX.saturating_sub(self.line.len());
                let (head, rest) = bytes.split_at(room.min(bytes.len()));
                self.line.extend_from_slice(head);
                if ends || self.line.len() >= HEAD_BYTES_MAX {
                    let kind = self.judge(sink);
                    self.route(kind, rest);
                }
            }
        }
        if ends {
            self.goes_to = None;
        }
    }

    /// Says what the line is that has begun, and takes its beginning.
    fn judge(&mut self, sink: &mut impl FnMut(Item)) -> Kind {
        let line = std::mem::take(&mut self.line);
        let kind = kind_of(self.format, &line);
        let at = self.summary.bytes;
        let kept_blank = match &self.open {
            Open::Record(record) => record.blank_bytes.len() + line.len() <= BLANK_BYTES_MAX,
            _ => false,
        };
        let goes_on = match kind {
            Kind::Text => !matches!(self.open, Open::Nothing),
            Kind::Blank => kept_blank,
            Kind::Head | Kind::OtherProcess | Kind::Rotation => false,
        };
        if !goes_on {
            self.close(sink);
        }
        match (kind, &mut self.open) {
            (Kind::Head, open) => *open = Open::Record(Box::new(Record::new(at))),
            (Kind::Text, Open::Record(record)) => record.push_blank_lines(),
            (Kind::Text, open @ Open::Nothing) => *open = Open::Stray(at..at),
            (Kind::Blank, Open::Record(record)) => record.blank.lines += 1,
            (Kind::Blank, _) => self.summary.blank.lines += 1,
            (Kind::OtherProcess, _) => self.summary.other_process.lines += 1,
            (Kind::Rotation, _) => self.summary.rotation.lines += 1,
            (Kind::Text, Open::Stray(_)) => {}
        }
        self.route(kind, &line);
        self.goes_to = Some(kind);
        self.line = line;
        self.line.clear();
        kind
    }

    /// Takes octets of a line that was judged.
    fn route(&mut self, kind: Kind, bytes: &[u8]) {
        let length = bytes.len() as u64;
        self.summary.bytes += length;
        match (kind, &mut self.open) {
            (Kind::OtherProcess, _) => self.summary.other_process.bytes += length,
            (Kind::Rotation, _) => self.summary.rotation.bytes += length,
            (Kind::Blank, Open::Record(record)) => {
                record.blank.bytes += length;
                record.blank_bytes.extend_from_slice(bytes);
            }
            (_, Open::Record(record)) => record.push(bytes),
            (_, Open::Stray(range)) => range.end += length,
            (_, Open::Nothing) => self.summary.blank.bytes += length,
        }
    }

    /// Gives out what is open.
    fn close(&mut self, sink: &mut impl FnMut(Item)) {
        let item = match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Nothing => return,
            Open::Stray(range) => unread(range, UnreadReason::NoHead),
            Open::Record(record) => {
                self.summary.blank.lines += record.blank.lines;
                self.summary.blank.bytes += record.blank.bytes;
                self.read(*record)
            }
        };
        match item {
            Item::Entry(_) => self.summary.entries += 1,
            Item::Unread(_) => self.summary.unread += 1,
        }
        sink(item);
    }

    fn read(&self, record: Record) -> Item {
        if record.too_long {
            return unread(record.range, UnreadReason::RecordTooLong);
        }
        let is_cut = record.bytes.last() != Some(&b'\n');
        match record::read(self.format, self.date, &record.bytes) {
            Ok(mut entry) => {
                entry.range = record.range;
                entry
                    .findings
                    .extend(is_cut.then_some(Finding::NoLineBreak));
                entry.findings.sort_unstable();
                entry.findings.dedup();
                Item::Entry(entry)
            }
            Err(reason) => unread(record.range, reason),
        }
    }
}

fn unread(range: Range<u64>, reason: UnreadReason) -> Item {
    Item::Unread(Unread { range, reason })
}

/// What a line is, from its beginning.
fn kind_of(format: &Format, line: &[u8]) -> Kind {
    if line.trim_ascii().is_empty() && line.len() < HEAD_BYTES_MAX {
        return Kind::Blank;
    }
    let line = without_mark(line);
    // Folded text begins with a blank, and is nothing else.
    if line.first().is_none_or(u8::is_ascii_whitespace) {
        return Kind::Text;
    }
    if Head::split(format, line).is_some() {
        return Kind::Head;
    }
    if !format.process.is_empty() && Written::parse(format, line).is_some() {
        return Kind::OtherProcess;
    }
    let lower = line.to_ascii_lowercase();
    let says = |phrase: &&str| memchr::memmem::find(&lower, phrase.as_bytes()).is_some();
    if format.rotation.iter().any(says) {
        return Kind::Rotation;
    }
    Kind::Text
}

/// A byte order mark is where somebody's editor put it.
fn without_mark(line: &[u8]) -> &[u8] {
    line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line)
}

/// The beginning of a record.
pub(super) struct Head<'a> {
    /// The time as written.
    pub time: &'a [u8],
    /// What follows the head.
    pub body: &'a [u8],
}

impl<'a> Head<'a> {
    /// Splits a record. Only its first [`HEAD_BYTES_MAX`] octets are looked at.
    pub(super) fn split(format: &Format, record: &'a [u8]) -> Option<Self> {
        let record = without_mark(record);
        let line = record.get(..HEAD_BYTES_MAX).unwrap_or(record);
        let line = line.split(|c| *c == b'\n').next()?;
        let after_time = if format.process.is_empty() {
            line.len() - Written::parse(format, line)?.1.len()
        } else {
            process_at(format, line)?
        };
        let (time, rest) = record.split_at_checked(after_time)?;
        let in_line = rest.get(..line.len() - after_time)?;
        let end = memchr::memmem::find(in_line, format.body_after.as_bytes())?;
        Some(Self {
            time: time.trim_ascii(),
            body: rest.get(end + format.body_after.len()..)?,
        })
    }
}

/// Where the name of the process stands, if it is among the first words.
fn process_at(format: &Format, line: &[u8]) -> Option<usize> {
    let (mut at, mut words) = (0, 0);
    for word in line.split_inclusive(u8::is_ascii_whitespace) {
        let after = word.strip_prefix(format.process.as_bytes());
        let ends = |after: &[u8]| matches!(after.first(), None | Some(b' ' | b'\t' | b'[' | b':'));
        if words > 0 && after.is_some_and(ends) {
            return Some(at);
        }
        at += word.len();
        words += usize::from(!word.trim_ascii().is_empty());
        if words > WORDS_BEFORE_PROCESS_MAX {
            return None;
        }
    }
    None
}
