//! What an interval is proven by: its checkpoint, tokens, closing, index; or that it is not closed yet.

use super::ReissueError;
use crate::audit::Reader;
use crate::seal::{Package, Sealer, StampFacts};
use crate::sequencer::{Published, Span};
use ceralacca_formats::checkpoint::Checkpoint;
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::id::{IntervalId, UtcMillis};
use ceralacca_formats::leaf::Class;
use ceralacca_formats::proof::ProofFile;
use ceralacca_formats::rotation::KeyChain;
use std::collections::BTreeMap;

/// The longest file of a package that is taken along, in bytes.
const FILE_BYTES_MAX: u64 = 16 << 20;
const CHECKPOINT: &str = "checkpoint";

/// An interval whose package is complete.
pub(super) struct Closed {
    /// Its package.
    pub(super) package: Package,
    /// The checkpoint at its end.
    pub(super) checkpoint: Checkpoint,
    /// What its token says.
    pub(super) stamp: StampFacts,
    /// Names and octets of what is taken along.
    pub(super) files: Vec<(&'static str, Vec<u8>)>,
    /// Proof of the leaf that closed it.
    pub(super) closing: ProofFile,
    /// Each log file with what its token says.
    pub(super) logs: Vec<(String, Sha256, Option<StampFacts>)>,
    /// Whether it begins where the interval before ends, and that one is closed; none for the first.
    pub(super) follows: Option<bool>,
}

/// An interval, closed or not.
pub(super) struct Interval {
    pub(super) span: Span,
    pub(super) closed: Option<Closed>,
}

/// What reads intervals.
pub(super) struct Intervals<'a> {
    pub(super) reader: &'a Reader,
    pub(super) state: &'a Published,
    pub(super) sealer: &'a Sealer,
    pub(super) keys: &'a KeyChain,
    /// The checkpoint under which the closing leaves are proven.
    pub(super) shown: &'a Checkpoint,
}

impl Intervals<'_> {
    /// The intervals of some records.
    pub(super) fn of(
        &self,
        ids: impl Iterator<Item = IntervalId>,
    ) -> Result<BTreeMap<IntervalId, Interval>, ReissueError> {
        let mut intervals = BTreeMap::new();
        for id in ids {
            if intervals.contains_key(&id) {
                continue;
            }
            let span = self.state.spans.iter().find(|span| span.id == id);
            let Some(span) = span.copied() else {
                continue;
            };
            let closed = self.closed(&span)?;
            intervals.insert(id, Interval { span, closed });
        }
        Ok(intervals)
    }

    fn closed(&self, span: &Span) -> Result<Option<Closed>, ReissueError> {
        // A closing leaf that nobody is shown yet cannot be proven: the seal is to follow.
        let leaf = span.closed.filter(|leaf| leaf.is_within(self.shown.size()));
        let Some((leaf, package)) = leaf.zip(self.sealer.package(span.id)?) else {
            return Ok(None);
        };
        let names = [
            CHECKPOINT,
            "checkpoint.tst",
            "contents.json",
            "PIndex.xml.p7m",
            "package.ers",
        ];
        let mut files = Vec::with_capacity(names.len());
        for name in names {
            files.push((name, package.octets(name, FILE_BYTES_MAX)?));
        }
        let note = files.first().map(|(_, octets)| octets.as_slice());
        let (checkpoint, _) = self.keys.open(note.unwrap_or_default())?;
        let note = Sha256::of(note.unwrap_or_default());
        let stamp = package.stamp(CHECKPOINT, &note)?;
        let stamp = stamp.ok_or(crate::seal::SealError::Corrupt("the token of a checkpoint"))?;
        let opened = self.reader.record(self.state, leaf);
        let opened = opened.map_err(crate::desk::DeskError::Read)?;
        let closing = self.reader.proof_under(self.state, &opened, self.shown);
        let closing = closing.map_err(crate::desk::DeskError::Read)?;
        let mut logs = Vec::new();
        for entry in &package.catalogue().files {
            if entry.path.starts_with("log-") && entry.path.ends_with(".jsonl") {
                let stamp = package.stamp(&entry.path, &entry.sha256)?;
                logs.push((entry.path.clone(), entry.sha256, stamp));
            }
        }
        Ok(Some(Closed {
            follows: self.follows(span)?,
            package,
            checkpoint,
            stamp,
            files,
            closing,
            logs,
        }))
    }

    fn follows(&self, span: &Span) -> Result<Option<bool>, ReissueError> {
        let place = self.state.spans.partition_point(|other| other.id < span.id);
        let before = place.checked_sub(1).and_then(|at| self.state.spans.get(at));
        let Some(before) = before else {
            return Ok(None);
        };
        if before.closed.is_none() {
            return Ok(Some(false));
        }
        let closing = self.sealer.closing(before)?;
        Ok(Some(closing.size.get() == span.first.get()))
    }
}

impl Closed {
    /// The latest token over the log file of a class: all of them are over each part.
    pub(super) fn log_time(&self, class: Class) -> Option<(String, UtcMillis)> {
        let begins = format!("log-{class}-");
        let of_class = self
            .logs
            .iter()
            .filter(|(name, ..)| name.starts_with(&begins));
        let times =
            of_class.filter_map(|(name, _, stamp)| Some((name.clone(), stamp.as_ref()?.time)));
        times.max_by_key(|(_, time)| *time)
    }
}
