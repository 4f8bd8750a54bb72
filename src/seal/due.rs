//! What is to be renewed of the evidence of closed intervals, why, and by when: planned from their packages, by whoever
//! may read them; of an open log, or of one at rest, where nothing is written.

use super::folder::{Folder, FolderError};
use super::record::{FACTS_BYTES_MAX, RENEWALS_MAX, catalogue_of, name_of};
use super::{SealError, Sealer, closing_of, path_of};
use crate::keyring::Keyring;
use crate::record::open;
use crate::sequencer::{self, Span};
use crate::store::cf::leaf::Leaves;
use crate::store::{Rows, Store};
use ceralacca_evidence::ers::renewal::{Held, Margin, Step, plan};
use ceralacca_evidence::ers::{ArchiveTimeStamp, EvidenceRecord, Table};
use ceralacca_formats::catalogue::CATALOGUE_BYTES_MAX;
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::id::{IntervalId, UtcMillis};
use ceralacca_formats::renewal::RenewalFacts;
use ceralacca_pec::DigestAlgorithm;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::PoisonError;

const FILE_BYTES_MAX: usize = 32 << 20;

/// By what renewals are planned.
#[derive(Clone, Debug)]
pub struct RenewalRules {
    /// How long algorithms last.
    pub table: Table,
    /// How long before an end a renewal is due.
    pub margin: Margin,
}

impl Default for RenewalRules {
    fn default() -> Self {
        Self {
            table: Table::built_in(),
            margin: Margin::default(),
        }
    }
}

/// What is planned of one package.
#[derive(Clone, Debug)]
pub struct Planned {
    /// Its interval.
    pub interval: IntervalId,
    /// The hash of its last tree.
    pub algorithm: DigestAlgorithm,
    /// genTime of its last token.
    pub stamped: UtcMillis,
    /// What is to be done, why, and by when; says so in words.
    pub step: Step,
}

/// How the renewal of evidence fares, as this process last found it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct RenewalState {
    /// When it was looked last for what is due; 0 for not since the start.
    pub looked: UtcMillis,
    /// Packages whose evidence was due then, and was not renewed: an alarm.
    pub due: u64,
    /// Since when renewals fail, or wait for the table of algorithms; 0 where none does.
    pub failing_since: UtcMillis,
}

/// A log that nobody writes.
pub struct AtRest<'a> {
    /// Its store, opened for reading.
    pub store: &'a dyn Store,
    /// Its secrets.
    pub keyring: &'a Keyring,
    /// Where its packages are.
    pub packages: &'a Path,
}

impl AtRest<'_> {
    /// What is to be renewed, of every closed interval, the most urgent first.
    pub fn planned(&self, rules: &RenewalRules, now: UtcMillis) -> Result<Vec<Planned>, SealError> {
        let spans = sequencer::spans(self.store)?;
        let mut all = Found::default();
        for span in spans.iter().filter(|span| span.closed.is_some()) {
            let folder = Folder::at(&path_of(self.packages, span.id));
            self.check(&spans, span, &folder)?;
            all.add(span.id, &folder)?;
        }
        Ok(all.planned(rules, now))
    }

    /// That the package is the one that was closed.
    fn check(&self, spans: &[Span], span: &Span, folder: &Folder) -> Result<(), SealError> {
        let corrupt = || SealError::Corrupt("the package of a closed interval");
        let index = span.closed.ok_or_else(corrupt)?;
        let after = spans.partition_point(|other| other.first <= index);
        let holds = after.checked_sub(1).and_then(|at| spans.get(at));
        let leaf = self.store.read::<Leaves>(&index)?;
        let (holds, leaf) = holds.zip(leaf).ok_or_else(corrupt)?;
        let opened = open::open(self.store, self.keyring, holds.id, leaf)?;
        let closing = closing_of(&opened.canonical)?;
        let octets = folder.read(super::closing::CATALOGUE, CATALOGUE_BYTES_MAX)?;
        match octets.ok_or_else(corrupt)? {
            octets if Sha256::of(&octets) == closing.catalogue => Ok(()),
            _ => Err(SealError::Corrupt("the catalogue of a package")),
        }
    }
}

impl Sealer {
    /// How renewals fare.
    pub fn renewals(&self) -> RenewalState {
        *self.renewals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps how renewals fare.
    pub fn note_renewals(&self, state: RenewalState) {
        *self.renewals.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }

    /// What is to be renewed, of every closed interval, the most urgent first.
    pub fn planned(&self, rules: &RenewalRules) -> Result<Vec<Planned>, SealError> {
        let state = self.reader.published();
        let mut all = Found::default();
        for span in state.spans.iter().filter(|span| span.closed.is_some()) {
            let package = self.package(span.id)?;
            let package = package.ok_or(SealError::Corrupt("the package of a closed interval"))?;
            all.add(span.id, &package.folder)?;
        }
        Ok(all.planned(rules, self.clock.wall()))
    }
}

/// The last archive time-stamps that packages hold.
#[derive(Default)]
struct Found {
    held: Vec<Held>,
    /// By the name of the interval.
    stamps: BTreeMap<String, (IntervalId, DigestAlgorithm, UtcMillis)>,
}

impl Found {
    fn add(&mut self, interval: IntervalId, folder: &Folder) -> Result<(), SealError> {
        let stamp = last_archive_stamp(folder)?;
        let certificates = certificates(folder)?;
        let name = interval.to_string();
        let held = Held::by_its_own_word(&name, &stamp, &certificates);
        let held = held.map_err(super::renewal::failed)?;
        self.stamps
            .insert(name, (interval, stamp.algorithm(), held.time));
        self.held.push(held);
        Ok(())
    }

    fn planned(self, rules: &RenewalRules, now: UtcMillis) -> Vec<Planned> {
        let steps = plan(&self.held, &rules.table, rules.margin, now);
        let planned = steps.into_iter().filter_map(|step| {
            let (interval, algorithm, stamped) = self.stamps.get(&step.name)?;
            Some(Planned {
                interval: *interval,
                algorithm: *algorithm,
                stamped: *stamped,
                step,
            })
        });
        planned.collect()
    }
}

/// The last archive time-stamp, as it is kept: that of the package group, whose token all groups share.
pub(super) fn last_archive_stamp(folder: &Folder) -> Result<ArchiveTimeStamp, SealError> {
    let failed = super::renewal::failed;
    let small = |name: &str| {
        let octets = folder.read(name, FILE_BYTES_MAX)?;
        octets.ok_or(SealError::Corrupt("a file of the evidence is missing"))
    };
    match renewals(folder)?.last() {
        Some((number, _)) => {
            let stamp = ArchiveTimeStamp::from_der(&small(&name_of(*number, ".ats"))?);
            stamp.map_err(failed)
        }
        None => {
            let record = small(super::evidence::RECORD)?;
            let record = EvidenceRecord::from_der(&record).map_err(failed)?;
            let last = record.last().cloned();
            last.ok_or(SealError::Corrupt("an evidence record of nothing"))
        }
    }
}

/// Certificates kept beside its tokens, and whatever else is kept there.
pub(super) fn certificates(folder: &Folder) -> Result<Vec<Vec<u8>>, FolderError> {
    let mut all = Vec::new();
    for below in ["material", "renewals/material"] {
        for (name, is_folder) in folder.names(below)? {
            if !is_folder {
                all.extend(folder.read(&format!("{below}/{name}"), FILE_BYTES_MAX)?);
            }
        }
    }
    Ok(all)
}

/// The renewals of the evidence of a package, oldest first, with their numbers from 1.
pub(super) fn renewals(folder: &Folder) -> Result<Vec<(u32, RenewalFacts)>, SealError> {
    let mut renewals = Vec::new();
    for number in 1..=RENEWALS_MAX {
        // What has no catalogue is of a renewal under way.
        let limit = super::closing::SMALL_BYTES_MAX;
        if folder.read(&catalogue_of(number), limit)?.is_none() {
            break;
        }
        let facts = folder.read(&name_of(number, ".json"), FACTS_BYTES_MAX)?;
        let facts = facts.as_deref().and_then(RenewalFacts::parse);
        renewals.push((number, facts.ok_or(SealError::Corrupt("a renewal"))?));
    }
    Ok(renewals)
}
