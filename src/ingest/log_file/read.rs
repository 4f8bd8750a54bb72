//! What a log file comes to, while it passes; and what the signature around it is worth.

use super::{CMS_BYTES_MAX, Span, integer};
use ceralacca_formats::canonical::Integer;
use ceralacca_formats::metadata::ObjectRecord;
use ceralacca_formats::source::{LogFile, UnreadStretch};
use ceralacca_pec::judge::{Ground, Times, Trust, Verdict, judge_attached};
use ceralacca_pec::logs::{FileDate, Format, Item, LogReader, Unread, UnreadReason, p7m};

/// The most stretches that were not understood that metadata names; the others are counted.
pub const FIRST_UNREAD_MAX: usize = 64;
/// What tells a signed file from a plain one stands within so many octets.
const BEGINNING_BYTES: usize = 16;

/// Counts the items of a log.
pub struct Survey {
    reader: LogReader<'static>,
    found: Found,
}

#[derive(Default)]
struct Found {
    span: Option<Span>,
    entries_outside: u64,
    unread_bytes: u64,
    first_unread: Vec<UnreadStretch>,
    reasons: Vec<UnreadReason>,
}

impl Found {
    fn add(&mut self, item: &Item) {
        match item {
            Item::Entry(entry) => {
                let span = self.span.as_ref();
                let is_within = span.is_some_and(|span| span.has(entry.record.event_ms));
                self.entries_outside += u64::from(!is_within);
            }
            Item::Unread(Unread { range, reason }) => {
                self.unread_bytes += range.end - range.start;
                if !self.reasons.contains(reason) {
                    self.reasons.push(*reason);
                }
                if self.first_unread.len() < FIRST_UNREAD_MAX {
                    self.first_unread.push(UnreadStretch {
                        from: integer(range.start),
                        until: integer(range.end),
                        reason: reason.code().into(),
                    });
                }
            }
        }
    }
}

impl Survey {
    pub fn new(format: &'static Format, date: Option<FileDate>, span: Option<Span>) -> Self {
        Self {
            reader: LogReader::new(format, date),
            found: Found {
                span,
                ..Found::default()
            },
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        let found = &mut self.found;
        self.reader.push(bytes, |item| found.add(&item));
    }

    fn finish(self) -> Read {
        let mut found = self.found;
        let summary = self.reader.finish(|item| found.add(&item));
        found.reasons.sort_unstable();
        let findings = found.reasons.iter().map(|reason| reason.code().into());
        let noise = [summary.blank, summary.other_process, summary.rotation];
        Read {
            log_file: LogFile {
                bytes: integer(summary.bytes),
                entries: integer(summary.entries),
                unread: (integer(summary.unread), integer(found.unread_bytes)),
                noise: noise.map(|counted| integer(counted.lines)),
                first_unread: found.first_unread,
                ..LogFile::default()
            },
            object: ObjectRecord {
                findings: findings.collect(),
                ..ObjectRecord::default()
            },
            is_within_span: found.span.is_some()
                && summary.entries > 0
                && found.entries_outside == 0,
        }
    }
}

/// What a file came to.
pub struct Read {
    /// In numbers; name, format, date and part are still to be said.
    pub log_file: LogFile,
    /// What was remarked of it.
    pub object: ObjectRecord,
    /// Whether it has records, and all are within the declared interval.
    pub is_within_span: bool,
}

/// A file that passes.
pub struct Reading {
    name: String,
    beginning: Vec<u8>,
    survey: Survey,
    body: Body,
}

enum Body {
    /// Too little of it has come to tell.
    Unknown,
    Plain,
    Signed(Vec<u8>),
    /// Signed, and longer than is read.
    TooLong,
}

impl Reading {
    pub fn new(name: &str, survey: Survey) -> Self {
        Self {
            name: name.to_owned(),
            beginning: Vec::new(),
            survey,
            body: Body::Unknown,
        }
    }

    pub fn push(&mut self, bytes: &[u8]) {
        match &mut self.body {
            Body::Plain => self.survey.push(bytes),
            Body::TooLong => {}
            Body::Signed(held) => {
                if held.len().saturating_add(bytes.len()) > CMS_BYTES_MAX {
                    self.body = Body::TooLong;
                } else {
                    held.extend_from_slice(bytes);
                }
            }
            Body::Unknown => {
                self.beginning.extend_from_slice(bytes);
                if self.beginning.len() >= BEGINNING_BYTES {
                    self.decide();
                }
            }
        }
    }

    fn decide(&mut self) {
        let beginning = std::mem::take(&mut self.beginning);
        self.body = match p7m::is_signed(&self.name, &beginning) {
            true => Body::Signed(Vec::new()),
            false => Body::Plain,
        };
        self.push(&beginning);
    }

    pub fn finish(mut self, trust: &Trust, times: Times) -> Read {
        if matches!(self.body, Body::Unknown) {
            self.decide();
        }
        let bytes = match self.body {
            Body::Signed(bytes) => bytes,
            Body::Plain | Body::Unknown => return self.survey.finish(),
            Body::TooLong => {
                let mut read = self.survey.finish();
                read.object.unclassified = Some(Ground::CmsTooComplex.code().into());
                return read;
            }
        };
        let mut survey = self.survey;
        let content = p7m::content(&bytes);
        survey.push(content.as_deref().unwrap_or_default());
        let mut read = survey.finish();
        let refusal = content.err().map(|refusal| refusal.code().into());
        read.object.unclassified = refusal;
        if let Some(cms) = p7m::decoded(&bytes) {
            add_verdict(&mut read.object, &judge_attached(&cms, trust, times));
        }
        read
    }
}

/// What a signature is worth, as of mail.
fn add_verdict(object: &mut ObjectRecord, verdict: &Verdict) {
    object.signature = Some(verdict.level.word().into());
    let grounds = verdict.grounds.iter().map(|ground| ground.code().into());
    object.findings.extend(grounds);
    object.signing_ms = verdict.signing_ms.and_then(|at| Integer::try_from(at).ok());
    let chain = verdict
        .chain
        .iter()
        .map(|digest| hex::encode(digest).into());
    object.chain = chain.collect();
}
