//! Disposal carried out: what the rule of time allows (`ceralacca_retention`), done in the store and the packages.
//!
//! ```text
//! plan ─▶ intent (leaf 12) ─▶ two approvals (leaves 13) ─▶ grace, by the software clock and the authorities
//!      ─▶ held records copied ─▶ ONE batch in the writer's thread: all judged anew, secrets destroyed, rows removed,
//!         the copy put in force                                                        the point of no return
//!      ─▶ secrets' tables ─▶ metadata, contents, index ─▶ files of the package ─▶ write-ahead log
//!      ─▶ leaf 5: completed ─▶ certificate, signed and stamped
//! ```
//!
//! # Invariants
//! 1. Nothing goes but by [`ceralacca_retention::Disposal::execute`], asked in the writer's thread: a hold set before
//!    the batch wins wholly, one after it is refused. Intent and approvals are read from the log, never from a row.
//! 2. Time is what [`ceralacca_retention::prove`] says: fresh tokens, the chain of closings, the software clock.
//! 3. The unit is (interval, class). Acts of the archive (class 6) are not disposed of here: they name nobody.
//! 4. Each step is bounded by a family of a unit, leaves a row that says what comes next, and may be repeated.
//! 5. Leaves, tiles, checkpoints, closings, tokens, indexes and evidence of packages are not touched.
//!
//! # Crash
//! Before the batch nothing happened: a copy of held records that no batch put in force is nothing, and is done over.
//! After it the unit's row says which step comes; each goes on where it was.
//!
//! - `time`: tokens, chain, proof; `clock`: the software clock; `units`: what there is, and what the rule says of it
//! - `intent`: intents and approvals; `execute`: the batch; `steps`: the bytes; `certificate`: what is signed of it
//! - `listing`: what was and is to be disposed of

mod certificate;
mod clock;
mod execute;
mod intent;
mod listing;
mod steps;
mod time;
mod units;

pub use intent::{Approved, Intended};
pub use listing::{CertifiedUnit, GoneUnit, IntentStage, KnownIntent, Overview, certificates};
pub use steps::{Step, rest};
pub use units::{PlanReport, UnitReport, UnitVerdict};

use crate::ambient::{Clock, Entropy};
use crate::audit::{ReadError, Reader};
use crate::holds::HoldsError;
use crate::keyring::KeyError;
use crate::record::open::RecordError;
use crate::seal::SealError;
use crate::sequencer::{Sequencer, SubmitError};
use crate::store::StoreError;
use ceralacca_evidence::cades::CadesError;
use ceralacca_formats::disposal::DisposalUnit;
use ceralacca_formats::id::{IntervalId, LeafIndex, Origin, UtcMillis};
use ceralacca_formats::leaf::Class;
use ceralacca_retention::{
    self as retention, BatchCap, ChainError, Grace, NotProven, Overdue, Policy, PrincipalError,
    Refusal, RetentionClass, SoftClock,
};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Terms, grace and sizes, as configured.
#[derive(Clone, Copy, Debug)]
pub struct DisposalRules {
    /// The term of each class, none under the floor of the law.
    pub policy: Policy,
    /// How long a disposal waits after its second approval: 72 hours or more.
    pub grace: Grace,
    /// The grace in hours, as the intent says it.
    pub grace_hours: u16,
    /// How many units one intent names at most.
    pub cap: BatchCap,
    /// For how long a unit may be due before it is an alarm, in milliseconds.
    pub overdue_ms: i64,
}

impl Default for DisposalRules {
    fn default() -> Self {
        Self {
            policy: Policy::default(),
            grace: Grace::SHORTEST,
            grace_hours: 72,
            cap: BatchCap::USUAL,
            overdue_ms: Overdue::USUAL_MS,
        }
    }
}

/// Why a step of a disposal is not taken. Nothing was changed by it.
#[derive(Debug, thiserror::Error)]
pub enum DisposalError {
    /// No time is proven. Asked again later; where only the embedded authority answers, never.
    #[error(transparent)]
    NotProven(#[from] NotProven),
    /// No interval is closed: there is nothing to dispose of, and no chain that shows the time.
    #[error("no interval is closed yet: nothing shows how much time went by")]
    NothingSealed,
    /// The closings make no chain. An alarm: run `fsck`.
    #[error("chain of closings")]
    Chain(#[from] ChainError),
    /// The rule of time refuses. Its words say why.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The holds are not those the log speaks of. An alarm.
    #[error("holds")]
    Holds(#[from] HoldsError),
    /// Nothing is due.
    #[error("no unit is due for disposal")]
    NothingDue,
    /// There is no such intent. The caller's to change.
    #[error("no intent of disposal stands at leaf {0}")]
    NoIntent(LeafIndex),
    /// The intent is settled: withdrawn or carried out. Final.
    #[error("the intent at leaf {0} is withdrawn or carried out")]
    Settled(LeafIndex),
    /// What the approver says is approved is not the intent at hand. The caller's to look at again.
    #[error("the leaf of intent {0} has another hash than the one that is approved")]
    OtherHash(LeafIndex),
    /// A unit is named by another open intent. That one is carried out or withdrawn first.
    #[error("unit {} of class {} is named by the open intent at leaf {intent}", unit.interval, unit.class)]
    Named {
        /// The unit.
        unit: DisposalUnit,
        /// The intent.
        intent: LeafIndex,
    },
    /// The software clock has not begun: no authority that counts was ever heard. Asked again later.
    #[error("the software clock has not begun: no time-stamp authority that counts was heard yet")]
    ClockUnknown,
    /// Holds changed while records were copied. Done again by itself.
    #[error("holds changed meanwhile")]
    HoldsChanged,
    /// The index of the interval is not on disk yet. Done again by itself.
    #[error("the index of interval {0} is not written yet")]
    NotIndexed(IntervalId),
    /// Not a principal. The caller's fault.
    #[error(transparent)]
    Principal(#[from] PrincipalError),
    /// A package or its signature.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The certificate is not signed, or not stamped. Done again by itself.
    #[error("sign the certificate")]
    Sign(#[from] CadesError),
    /// Rows cannot be read. An alarm: run `fsck`.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A record does not open. An alarm: run `fsck`.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A secret cannot be had.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The writer has stopped.
    #[error(transparent)]
    Writer(#[from] SubmitError),
    /// What is stored contradicts itself. An alarm: run `fsck`.
    #[error("corrupt: {0}; run fsck")]
    Corrupt(&'static str),
    /// A step of this log's disposals runs.
    #[error("a disposal of this log is under way")]
    Busy,
    /// A test ended it here.
    #[error("ended before step {0}")]
    Probed(&'static str),
}

/// Where a test ends a disposal, as a crash would. The default ends none.
#[derive(Clone, Copy, Debug, Default)]
pub struct DisposalProbe(Option<&'static str>);

impl DisposalProbe {
    /// Ends it before this step: one of [`DisposalProbe::STEPS`].
    pub const fn before(step: &'static str) -> Self {
        Self(Some(step))
    }

    /// The steps, in order.
    pub const STEPS: [&'static str; 12] = [
        "secret of the held",
        "copy of the held",
        "batch",
        "secrets",
        "metadata",
        "contents",
        "chunks",
        "index",
        "files",
        "log",
        "completed",
        "certificate",
    ];

    fn at(&self, step: &'static str) -> Result<(), DisposalError> {
        match self.0 == Some(step) {
            true => Err(DisposalError::Probed(step)),
            false => Ok(()),
        }
    }
}

/// Disposes of what one log holds.
pub struct Disposer {
    reader: Reader,
    sequencer: Arc<Sequencer>,
    origin: Origin,
    packages: Option<PathBuf>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    rules: DisposalRules,
    /// The class of details that name who acted.
    details: Class,
    soft: Mutex<Option<SoftClock>>,
    known: Mutex<BTreeMap<IntervalId, Arc<units::SealedInterval>>>,
    answers: Mutex<Option<Arc<time::Answers>>>,
    overview: Mutex<Overview>,
    one_at_a_time: Mutex<()>,
}

/// What a disposer works on, and with.
pub struct Parts {
    /// Reads the log.
    pub reader: Reader,
    /// Writes it.
    pub sequencer: Arc<Sequencer>,
    /// Its origin.
    pub origin: Origin,
    /// Where its packages are.
    pub packages: Option<PathBuf>,
    /// The clocks.
    pub clock: Arc<dyn Clock>,
    /// The source of randomness.
    pub entropy: Arc<dyn Entropy>,
    /// The class of its trace: of details that name who acted, too.
    pub trace: Class,
}

impl Disposer {
    pub(crate) fn open(parts: Parts, rules: DisposalRules) -> Result<Self, StoreError> {
        let disposer = Self {
            reader: parts.reader,
            sequencer: parts.sequencer,
            origin: parts.origin,
            packages: parts.packages,
            clock: parts.clock,
            entropy: parts.entropy,
            rules,
            details: parts.trace,
            soft: Mutex::default(),
            known: Mutex::default(),
            answers: Mutex::default(),
            overview: Mutex::default(),
            one_at_a_time: Mutex::default(),
        };
        *lock(&disposer.soft) = disposer.kept_clock()?;
        Ok(disposer)
    }

    /// Terms, grace and sizes.
    pub fn rules(&self) -> &DisposalRules {
        &self.rules
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each of them holds a whole value, replaced whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An instant as the rule of time has it.
fn instant(at: UtcMillis) -> retention::UtcMillis {
    retention::UtcMillis::new(i64::try_from(at.get()).unwrap_or(i64::MAX))
}

/// An instant of the rule of time as the log has it; none is before 1970.
fn from_instant(at: retention::UtcMillis) -> UtcMillis {
    UtcMillis::new(u64::try_from(at.as_millis()).unwrap_or(0))
}

fn index_of(index: LeafIndex) -> retention::LeafIndex {
    retention::LeafIndex::new(index.get())
}

fn class_of(class: Class) -> Result<RetentionClass, DisposalError> {
    // The codes are those of the leaf; a test holds them together.
    let class = RetentionClass::try_from(class.code());
    class.map_err(|_| DisposalError::Corrupt("a class without a rule"))
}

fn unit_id(unit: DisposalUnit) -> Result<retention::UnitId, DisposalError> {
    Ok(retention::UnitId {
        interval: instant(unit.interval.start()),
        class: class_of(unit.class)?,
        carried: unit.carried,
    })
}
