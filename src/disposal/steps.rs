//! What comes after the batch: the bytes, step by step, the wrapped secrets first of all.
//!
//! # Invariants
//! 1. Each step leaves the unit's row naming the next one, and may be done again.
//! 2. A step is one family of one unit, or the files of one class: bounded by what is disposed of.
//! 3. The completed leaf is recorded once, with the row that says so; the certificate comes after it.

use super::intent::View;
use super::{DisposalError, DisposalProbe, Disposer};
use crate::record::prepare::{Draft, DraftContent};
use crate::seal::{self, Authorities};
use crate::store::cf::disposal::{
    DisposalKey, DisposalRow, Disposals, GoneRow, IntentRow, IntentState,
};
use crate::store::cf::held::HeldCopy;
use crate::store::cf::secret::{SecretKey, Secrets};
use crate::store::cf::{ColumnFamily, Family, unit_prefix};
use crate::store::{Batch, KeyRange, Order, Rows};
use ceralacca_formats::canonical::Integer;
use ceralacca_formats::disposal::{DisposalCompleted, DisposalUnit};
use ceralacca_formats::disposal_certificate::DisposalCertificate;
use ceralacca_formats::id::{INTEGER_MAX, LeafIndex};
use ceralacca_formats::leaf::{Class, Kind};
use ceralacca_formats::metadata::{CustodyRecord, Metadata};
use std::time::Duration;

macro_rules! steps {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $word:literal;)*) => {
        /// What comes next of a unit whose secret is destroyed. Codes are on disk.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
        pub enum Step { $($(#[$doc])* $name = $code,)* }

        impl Step {
            /// All of them, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its word, in certificates and on the command line.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }
        }
    };
}

steps! {
    /// The tables of wrapped secrets are rewritten, and the write-ahead log shed.
    Secrets = 1, "secrets";
    /// The tables of encrypted metadata are rewritten.
    Metadata = 2, "metadata";
    /// Those of contents, with their blobs.
    Contents = 3, "contents";
    /// Those of large contents, with their blobs; and of uploads.
    Chunks = 4, "chunks";
    /// Those of the index.
    Index = 5, "index";
    /// The files of the class in the package are removed.
    Files = 6, "files";
    /// The write-ahead log of all this is shed, and the MANIFEST, which kept keys of tables that are gone.
    Log = 7, "log";
    /// The leaf that says so.
    Completed = 8, "completed";
    /// The certificate, signed and stamped.
    Certificate = 9, "certificate";
    /// Nothing comes any more.
    Done = 10, "done";
}

impl Step {
    /// The step after the batch.
    pub const FIRST: Self = Self::Secrets;
    /// What the batch itself is called in a certificate.
    pub(super) const FIRST_WORD: &'static str = "keys-destroyed";

    /// The code on disk.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The step of a code.
    pub fn of(code: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|step| step.code() == code)
    }

    fn next(self) -> Self {
        Self::of(self.code().saturating_add(1)).unwrap_or(Self::Done)
    }
}

/// How many times as long as a step a disposal rests after it: a step takes processor and disk from recording, which
/// then has them to itself for nineteen twentieths of the time. Nothing is urgent once the secrets are destroyed.
const REST: u32 = 19;

/// How long to rest after a step that took so long.
pub fn rest(took: Duration) -> Duration {
    took.saturating_mul(REST)
}

/// A range whose rows are gone, and what is rewritten for its sake.
type Purged = (Family, KeyRange, KeyRange);

impl Disposer {
    /// The unit whose disposal is under way, oldest first.
    pub(super) fn under_way(&self) -> Result<Option<(DisposalUnit, GoneRow)>, DisposalError> {
        let range = KeyRange::prefix(DisposalKey::ALL_GONE);
        for row in self
            .reader
            .store()
            .rows::<Disposals>(&range, Order::Ascending)
        {
            if let (DisposalKey::Gone(unit), DisposalRow::Gone(row)) = row?
                && row.step != Step::Done.code()
            {
                return Ok(Some((unit, row)));
            }
        }
        Ok(None)
    }

    /// Takes the next step of a unit whose secret is destroyed.
    pub(super) fn step(
        &self,
        unit: DisposalUnit,
        row: GoneRow,
        authorities: &Authorities,
        probe: &DisposalProbe,
    ) -> Result<Step, DisposalError> {
        let step = Step::of(row.step).ok_or(DisposalError::Corrupt("a step of a disposal"))?;
        let facts = DisposalCertificate::parse(&row.facts);
        let mut facts = facts.ok_or(DisposalError::Corrupt("the facts of a disposal"))?;
        probe.at(step.word())?;
        let freed = match step {
            Step::Secrets => {
                let freed = self.purge_all(secrets(unit))?;
                self.reader.store().flush(Family::ALL)?;
                freed
            }
            Step::Metadata => self.purge_all(rows(unit, Family::Metadata))?,
            Step::Contents => self.purge_all(rows(unit, Family::Content))?,
            Step::Chunks => self.purge_all(rows(unit, Family::Chunk))?,
            Step::Index => self.purge_all(rows(unit, Family::Index))?,
            Step::Files => match (&self.packages, unit.carried) {
                (Some(packages), 0) => seal::remove_class(packages, unit.interval, unit.class)
                    .map_err(seal::SealError::from)?,
                _ => 0,
            },
            Step::Log => {
                self.reader.store().flush(Family::ALL)?;
                self.reader.store().shed_manifest()?;
                0
            }
            Step::Completed => {
                self.complete(unit, row, facts)?;
                return Ok(step.next());
            }
            Step::Certificate => {
                self.certify(unit, row, facts, authorities)?;
                return Ok(Step::Done);
            }
            Step::Done => return Ok(Step::Done),
        };
        facts.freed_bytes = facts.freed_bytes.saturating_add(freed);
        facts.method.push(step.word().into());
        let row = GoneRow {
            step: step.next().code(),
            facts: facts.to_bytes(),
            ..row
        };
        let mut batch = Batch::new();
        batch.put::<Disposals>(&DisposalKey::Gone(unit), &DisposalRow::Gone(row));
        self.reader.store().commit(&batch)?;
        Ok(step.next())
    }

    /// Rewrites what held these ranges; how many bytes fewer the tables then have.
    fn purge_all(&self, purged: Vec<Purged>) -> Result<u64, DisposalError> {
        let store = self.reader.store();
        let mut freed = 0u64;
        for (family, range, within) in purged {
            let before = store.disk_bytes(family)?;
            store.purge(family, &range, &within)?;
            let after = store.disk_bytes(family)?;
            freed = freed.saturating_add(before.saturating_sub(after));
        }
        Ok(freed)
    }

    /// The leaf that says that a unit is gone, in one batch with the row that names it.
    fn complete(
        &self,
        unit: DisposalUnit,
        row: GoneRow,
        mut facts: DisposalCertificate,
    ) -> Result<(), DisposalError> {
        let [first, second] = &facts.approvals;
        let integer =
            |value: u64| Integer::try_from(value.min(INTEGER_MAX)).unwrap_or(Integer::ZERO);
        let says = DisposalCompleted {
            unit,
            intent: row.intent,
            approvals: [first.leaf, second.leaf],
            records: facts.records,
            leaf_hashes: facts.leaf_hashes,
            held: facts.held.clone(),
            proven_ms: integer(facts.proven.get()),
        };
        facts.method.push(Step::Completed.word().into());
        facts.completed_at = Some(self.clock.wall());
        self.sequencer.perform(move |moment, batch| {
            let key = DisposalKey::Gone(unit);
            facts.completed = Some(moment.next);
            let row = GoneRow {
                step: Step::Certificate.code(),
                completed: Some(moment.next),
                facts: facts.to_bytes(),
                ..row
            };
            batch.put::<Disposals>(&key, &DisposalRow::Gone(row));
            let act = CustodyRecord::DisposalCompleted(Box::new(says));
            let (kind, class) = (Kind::DisposalCompleted, Class::Custody);
            let draft = Draft::new(kind, class, Metadata::Custody(act), DraftContent::None);
            Ok::<_, DisposalError>((vec![draft], ()))
        })?
    }

    /// Takes the next step that is due: of a unit under way, else the batch of one whose grace is over. `None` where
    /// nothing is. One step of a log runs at a time.
    pub fn advance(
        &self,
        authorities: &Authorities,
        probe: &DisposalProbe,
    ) -> Result<Option<(DisposalUnit, Step)>, DisposalError> {
        let Ok(_alone) = self.one_at_a_time.try_lock() else {
            return Err(DisposalError::Busy);
        };
        if let Some((unit, row)) = self.under_way()? {
            let next = self.step(unit, row, authorities, probe)?;
            return Ok(Some((unit, next)));
        }
        self.settle()?;
        let mut refused = None;
        for (intent, unit) in self.over()? {
            match self.execute(unit, intent, authorities, probe) {
                Ok(()) => return Ok(Some((unit, Step::FIRST))),
                // Another unit of the intent may be free.
                Err(error @ DisposalError::Refused(_)) => {
                    refused.get_or_insert(error);
                }
                Err(other) => return Err(other),
            }
        }
        refused.map_or(Ok(None), Err)
    }

    /// Units of open intents whose grace is over by the software clock alone: worth asking the authorities.
    fn over(&self) -> Result<Vec<(LeafIndex, DisposalUnit)>, DisposalError> {
        let Some(clock) = self.soft_clock() else {
            return Ok(Vec::new());
        };
        let mut over = Vec::new();
        for (intent, row) in self.open_intents()? {
            let Some((run_ms, _)) = row.grace else {
                continue;
            };
            if clock.run_ms().saturating_sub(run_ms) < self.rules.grace.millis() {
                continue;
            }
            let left = self.left_of(intent)?;
            over.extend(left.into_iter().map(|unit| (intent, unit)));
        }
        Ok(over)
    }

    /// Says of every open intent all of whose units are gone that it is carried out: of one that lapsed too, whose units
    /// another named.
    fn settle(&self) -> Result<(), DisposalError> {
        for (intent, _) in self.open_intents()? {
            if !self.left_of(intent)?.is_empty() {
                continue;
            }
            self.sequencer.perform(move |moment, batch| {
                let mut row = View::of(moment).row(intent)?;
                row.state = IntentState::CarriedOut;
                batch.put::<Disposals>(&DisposalKey::Intent(intent), &DisposalRow::Intent(row));
                Ok::<_, DisposalError>((Vec::new(), ()))
            })??;
        }
        Ok(())
    }

    /// The intents that are neither given up nor carried out.
    fn open_intents(&self) -> Result<Vec<(LeafIndex, IntentRow)>, DisposalError> {
        let range = KeyRange::prefix(DisposalKey::INTENTS);
        let store = self.reader.store();
        let mut open = Vec::new();
        for row in store.rows::<Disposals>(&range, Order::Ascending) {
            if let (DisposalKey::Intent(intent), DisposalRow::Intent(row)) = row?
                && row.state == IntentState::Open
            {
                open.push((intent, row));
            }
        }
        Ok(open)
    }

    /// The units of an intent that are not gone.
    fn left_of(&self, intent: LeafIndex) -> Result<Vec<DisposalUnit>, DisposalError> {
        let mut left = Vec::new();
        for unit in self.with_view(|view| view.intent(intent))?.says.units {
            if !self.is_gone(unit.unit)? {
                left.push(unit.unit);
            }
        }
        Ok(left)
    }
}

/// One key as a range.
fn only(key: &SecretKey) -> KeyRange {
    let mut start = Vec::new();
    Secrets::encode_key(key, &mut start);
    let mut end = start.clone();
    end.push(0);
    KeyRange {
        start,
        end: Some(end),
    }
}

/// The secrets of a unit.
fn secrets(unit: DisposalUnit) -> Vec<Purged> {
    let purged = |range: KeyRange| (Family::Secret, range.clone(), range);
    if unit.carried == 0 {
        let objects = SecretKey::objects(unit.interval, unit.class);
        return vec![
            purged(only(&SecretKey::Class(unit.interval, unit.class))),
            purged(KeyRange::prefix(&objects)),
        ];
    }
    vec![purged(only(&SecretKey::Held(copy_of(unit))))]
}

fn copy_of(unit: DisposalUnit) -> HeldCopy {
    HeldCopy {
        interval: unit.interval,
        class: unit.class,
        carried: unit.carried,
    }
}

/// The rows of a unit in a family. Blobs are shared within an interval, and among all that was carried over.
fn rows(unit: DisposalUnit, family: Family) -> Vec<Purged> {
    if unit.carried > 0 {
        if family != Family::Content {
            return Vec::new();
        }
        let prefixes = copy_of(unit).prefixes().into_iter();
        return prefixes
            .map(|prefix| (Family::Held, KeyRange::prefix(&prefix), KeyRange::all()))
            .collect();
    }
    let range = KeyRange::prefix(&unit_prefix(unit.interval, unit.class));
    let within = match family {
        Family::Content | Family::Chunk => KeyRange::prefix(&unit.interval.get().to_be_bytes()),
        _ => range.clone(),
    };
    let mut purged = vec![(family, range.clone(), within)];
    if family == Family::Chunk {
        // A row there names an upload until its leaf comes; removed, it stands in a table until that is merged.
        purged.push((Family::Staging, range.clone(), range));
    }
    purged
}

/// What of a unit was carried over, for lists.
pub(super) fn held_count(facts: &DisposalCertificate) -> u64 {
    let spans = facts.held.iter();
    let spans = spans.map(|range| range.last.get() - range.first.get() + 1);
    u64::try_from(spans.sum::<i64>()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_leads_to_the_next_and_the_last_to_itself() {
        for (step, next) in Step::ALL.iter().zip(Step::ALL.iter().skip(1)) {
            assert_eq!(step.next(), *next);
            assert_eq!(Step::of(step.code()), Some(*step));
        }
        assert_eq!(Step::Done.next(), Step::Done);
        assert_eq!(Step::of(0), None);
    }
}
