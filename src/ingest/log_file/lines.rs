//! The records of an archived log file, one trace record each.

use super::{ClientKey, IngestError, LogImport, Submission, integer};
use crate::ingest::Ticket;
use ceralacca_formats::canonical::Text;
use ceralacca_formats::id::LeafIndex;
use ceralacca_formats::metadata::TraceRecord;
use ceralacca_formats::source::SourceLine;
use ceralacca_pec::logs::{Entry, Item, LogReader, p7m};
use std::collections::VecDeque;
use std::ops::ControlFlow;

/// The most records with the writer at a time.
pub const LINES_IN_FLIGHT_MAX: usize = 1024;
/// Labels up to this length stand in metadata, in octets; longer ones in the file only.
const LABEL_BYTES_MAX: usize = 64;

/// What became of the records of a file.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct LineTally {
    /// Recorded now.
    pub recorded: u64,
    /// Recorded before: by an import of the same file.
    pub repeated: u64,
    /// Not recorded, since their facts do not fit into metadata: they stand in the file only.
    pub left: u64,
    /// Of those recorded within a declared interval, or before.
    pub migrated: u64,
    /// The first leaf of those recorded now.
    pub first: Option<LeafIndex>,
    /// The last.
    pub last: Option<LeafIndex>,
}

/// The records under way.
struct Lines<'i, 'a> {
    import: &'i LogImport<'a>,
    waiting: VecDeque<Ticket>,
    tally: LineTally,
    failed: Option<IngestError>,
}

impl LogImport<'_> {
    /// Records what the file holds; what was recorded before is not recorded again. `tell` hears how far it is, once
    /// for each part of the content, and may end it: what was recorded stays.
    pub fn lines(
        &self,
        mut tell: impl FnMut(&LineTally) -> ControlFlow<()>,
    ) -> Result<LineTally, IngestError> {
        let mut lines = Lines {
            import: self,
            waiting: VecDeque::new(),
            tally: LineTally::default(),
            failed: None,
        };
        let mut reader = LogReader::new(self.format, self.date);
        let (mut whole, mut beginning) = (Vec::new(), None);
        let mut ended = false;
        let opened = self.ingest.opened(self.leaf)?;
        let content = opened.content(self.ingest.reader.store(), |part| {
            if ended || lines.failed.is_some() {
                return;
            }
            // A part is a mebibyte, so that the first one tells.
            let is_signed = *beginning.get_or_insert_with(|| p7m::is_signed(&self.name, part));
            match is_signed {
                true if whole.len() + part.len() <= super::CMS_BYTES_MAX => {
                    whole.extend_from_slice(part);
                }
                // Longer than is read: nothing of it was.
                true => ended = true,
                false => {
                    reader.push(part, |item| lines.take(&item));
                    ended = tell(&lines.tally).is_break();
                }
            }
        });
        content.map_err(crate::audit::ReadError::from)?;
        if !ended && !whole.is_empty() {
            let content = p7m::content(&whole).unwrap_or_default();
            drop(whole);
            for part in content.chunks(1 << 20) {
                if !ended && lines.failed.is_none() {
                    reader.push(part, |item| lines.take(&item));
                    ended = tell(&lines.tally).is_break();
                }
            }
        }
        if !ended {
            reader.finish(|item| lines.take(&item));
        }
        lines.finish()
    }

    fn record_of(&self, entry: &Entry) -> TraceRecord {
        let short = |text: &Option<Text>| {
            let text = text.clone();
            text.filter(|text| text.as_bytes().len() <= LABEL_BYTES_MAX)
        };
        let span = self.span.as_ref();
        let is_within = span.is_some_and(|span| span.has(entry.record.event_ms));
        TraceRecord {
            source: Some(Box::new(SourceLine {
                leaf: integer(self.leaf.get()),
                from: integer(entry.range.start),
                until: integer(entry.range.end),
                label: short(&entry.label),
                queue_id: short(&entry.queue_id),
                tipo: short(&entry.kind),
            })),
            findings: entry.findings.iter().map(|f| f.code().into()).collect(),
            migrated: self.migrated.filter(|_| is_within),
            ..entry.record.clone()
        }
    }
}

impl Lines<'_, '_> {
    fn take(&mut self, item: &Item) {
        // What is unread stands in the file, and is counted there.
        if let Item::Entry(entry) = item
            && self.failed.is_none()
        {
            self.failed = self.submit(entry).err();
        }
    }

    fn submit(&mut self, entry: &Entry) -> Result<(), IngestError> {
        let import = self.import;
        let record = import.record_of(entry);
        self.tally.migrated += u64::from(record.migrated.is_some());
        let range = [
            entry.range.start.to_be_bytes(),
            entry.range.end.to_be_bytes(),
        ];
        let key = [
            b"record\0".as_slice(),
            &import.leaf.get().to_be_bytes(),
            &range.concat(),
        ]
        .concat();
        let class = import.ingest.trace_class();
        let submission = Submission::trace(class, record, Some(ClientKey(key)));
        match import.ingest.submit_waiting(submission) {
            Ok(ticket) => self.waiting.push_back(ticket),
            Err(IngestError::TooLarge { .. }) => self.tally.left += 1,
            Err(error) => return Err(error),
        }
        if self.waiting.len() > LINES_IN_FLIGHT_MAX {
            self.wait_for_one()?;
        }
        Ok(())
    }

    fn wait_for_one(&mut self) -> Result<(), IngestError> {
        let Some(ticket) = self.waiting.pop_front() else {
            return Ok(());
        };
        match self.import.ingest.wait(ticket) {
            Ok(acknowledgement) if acknowledgement.repeated => self.tally.repeated += 1,
            Ok(acknowledgement) => {
                self.tally.recorded += 1;
                let leaf = acknowledgement
                    .records
                    .first()
                    .map(|record| record.leaf.seq);
                self.tally.first = self.tally.first.or(leaf);
                self.tally.last = leaf.or(self.tally.last);
            }
            // The same octets of the same file, under an earlier leaf of it: the file was forgotten by its key a
            // moment before its records are.
            Err(IngestError::Conflict { .. }) => self.tally.repeated += 1,
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn finish(mut self) -> Result<LineTally, IngestError> {
        while !self.waiting.is_empty() {
            if let Err(error) = self.wait_for_one() {
                self.failed.get_or_insert(error);
            }
        }
        match self.failed {
            Some(error) => Err(error),
            None => Ok(self.tally),
        }
    }
}
