//! The seal: every interval that was cut is closed, complete, time-stamped and indexed.
//!
//! ```text
//! CUT ─▶ checkpoint stamped, which proves that the interval is over
//!     ─▶ leaves, frontier        ─▶ log files, maps, counts   (every record is read once)
//!     ─▶ a token over each file  ─▶ index of the package, signed and stamped
//!     ─▶ evidence record         ─▶ catalogue ─▶ folder renamed ─▶ closing leaf: CLOSED
//! ```
//!
//! # Invariants
//! 1. Intervals are closed in order, each once; an empty one too, so that a gap is always a fault.
//! 2. Nothing is closed before time that an authority proves has reached its end, less a tolerance. Under the
//!    embedded authority, whose clock is ours, the time is marked unproven.
//! 3. Nothing is closed whose leaves do not give the root of its checkpoint, twice computed.
//! 4. Without a time-stamp the interval stays CUT: that is recorded once, as an outage, and tried again; recording of
//!    records goes on.
//!
//! # Crash
//! Each step leaves a file that is whole or not there, and is not done again where its file is. Between the renaming
//! of the folder and the closing leaf the package is there and the interval is CUT: the leaf follows.
//!
//! - `folder`: files of a package; `tree`, `scan`, `spill`: what is made of the records; `stamps`, `index`,
//!   `evidence`: what makes it provable; `closing`: the steps; `package`, `map`, `record`: what was closed, read;
//!   `due`, `renewal`, `renewal_plan`: its evidence, planned to be renewed, and renewed

mod closing;
mod due;
mod evidence;
pub mod folder;
mod index;
mod map;
mod package;
mod record;
mod renewal;
mod renewal_plan;
mod scan;
mod spill;
mod stamps;
mod tree;

pub(crate) use closing::closing_of;
pub use due::{AtRest, Planned, RenewalRules, RenewalState};
pub use package::{Package, remove_class};
pub use record::EvidenceGroup;
pub use renewal::Renewed;
pub use stamps::StampFacts;

use crate::ambient::{Clock, Entropy, draw};
use crate::audit::{ReadError, Reader};
use crate::keyring::KeyError;
use crate::record::open::RecordError;
use crate::sequencer::{CloseError, ConfirmError, Published, Sequencer, Span, SubmitError};
use crate::store::StoreError;
use crate::trust::InForce;
use ceralacca_evidence::cades::CadesError;
use ceralacca_evidence::pindex::Process;
use ceralacca_evidence::{Imprint, SealSigner, StampError, Stamper};
use ceralacca_formats::canonical::Integer;
use ceralacca_formats::closing::Closing;
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::id::{INTEGER_MAX, IntervalId, LeafIndex, Origin, UtcMillis};
use ceralacca_formats::leaf::Kind;
use ceralacca_formats::map::MapError;
use ceralacca_formats::metadata::CustodyRecord;
use closing::{CLOSING, Under};
use folder::{Folder, FolderError};
use index::Previous;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Octets after which a log file goes on in another part.
pub const FILE_BYTES_MAX: u64 = 256 << 20;
/// How far proven time may be short of the end of an interval, in milliseconds.
pub const TOLERANCE_MS: u64 = 60_000;
const CLOSING_BYTES_MAX: usize = 32 << 20;
/// Marks that the outage of this closing is on record.
const OUTAGE: &str = "outage";

/// Why an interval is not closed. It stays CUT, and closing is tried again.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// No time-stamp was had. Tried again by itself.
    #[error("time-stamp")]
    Stamp(#[from] StampError),
    /// The seal key did not sign, or its signature was not stamped. The operator's to look at.
    #[error("sign the index")]
    Sign(#[source] CadesError),
    /// Proven time has not reached the end of the interval: our clock ran ahead. Tried again by itself.
    #[error(
        "proven time {proven} has not reached the end of the interval, {end}: the clock ran ahead"
    )]
    Early {
        /// What is proven to be past, milliseconds since 1970.
        proven: UtcMillis,
        /// The end of the interval.
        end: UtcMillis,
    },
    /// A file of the package.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A record does not open. An alarm: run `fsck`.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Rows cannot be read. An alarm: run `fsck`.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A secret cannot be had.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The writer has stopped.
    #[error(transparent)]
    Writer(#[from] SubmitError),
    /// An authority says another time than our clock, which cuts wait for. The operator's to mend.
    #[error("cuts are suspended")]
    Clock(#[from] ConfirmError),
    /// The interval cannot be closed now.
    #[error(transparent)]
    Order(#[from] CloseError),
    /// What is stored contradicts itself. An alarm: run `fsck`.
    #[error("corrupt: {0}; run fsck")]
    Corrupt(&'static str),
    /// The second implementation of the tree computes another root. An alarm.
    #[error("rs_merkle computes another root of subtree {0} of 65536 leaves: run fsck")]
    Disagreement(u64),
    /// A piece of the trust material in force cannot be read. Tried again by itself.
    #[error("trust material in force")]
    Trust(#[source] std::io::Error),
    /// A map cannot be built.
    #[error("map of the interval: {0}")]
    Map(String),
    /// The index cannot be written. The configuration's to change.
    #[error("index of the package: {0}")]
    Index(String),
    /// The evidence record cannot be made.
    #[error("evidence record: {0}")]
    Evidence(String),
    /// A closing runs already.
    #[error("a closing of this log is under way")]
    Busy,
    /// The log is in memory: it has no folder for packages.
    #[error("a log without a directory is not closed")]
    NoFolder,
    /// A test ended it here.
    #[error("ended before step {0:?}")]
    Probed(&'static str),
}

impl From<MapError> for SealError {
    fn from(error: MapError) -> Self {
        Self::Map(error.to_string())
    }
}

impl From<CadesError> for SealError {
    fn from(error: CadesError) -> Self {
        match error {
            CadesError::Stamp(error) => Self::Stamp(error),
            other => Self::Sign(other),
        }
    }
}

/// Who signs and stamps, and who answers for the packages.
#[derive(Clone)]
pub struct Authorities {
    /// Gives time-stamps.
    pub stamper: Arc<dyn Stamper>,
    /// Signs indexes.
    pub signer: Arc<dyn SealSigner>,
    /// Agents and rules, as the index names them; its time is set at each closing.
    pub process: Process,
    /// How far proven time may be short of the end of an interval, in milliseconds.
    pub tolerance_ms: u64,
    /// Octets after which a log file goes on in another part.
    pub file_bytes_max: u64,
}

/// Where a test ends a closing, as a crash would. The default ends none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Probe(Option<&'static str>);

impl Probe {
    /// Ends the closing before this step.
    pub const fn before(step: &'static str) -> Self {
        Self(Some(step))
    }

    /// The steps, in order.
    pub const STEPS: [&'static str; 13] = [
        "checkpoint",
        "checkpoint stamp",
        "tree",
        "records",
        "log stamps",
        "index",
        "evidence tree",
        "evidence stamp",
        "catalogue",
        "closing",
        "scanned",
        "rename",
        "leaf",
    ];

    /// The steps of a renewal, in order.
    pub const RENEWAL_STEPS: [&'static str; 6] = [
        "renewal tree",
        "renewal stamp",
        "renewal package",
        "renewal catalogue",
        "renewal leaf",
        "renewal end",
    ];

    fn at(&self, step: &'static str) -> Result<(), SealError> {
        match self.0 == Some(step) {
            true => Err(SealError::Probed(step)),
            false => Ok(()),
        }
    }
}

/// An interval that was closed.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// The leaf that says so.
    pub leaf: LeafIndex,
    /// What it says.
    pub closing: Closing,
}

/// Closes the intervals of one log.
pub struct Sealer {
    reader: Reader,
    sequencer: Arc<Sequencer>,
    origin: Origin,
    packages: Option<PathBuf>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    one_at_a_time: Mutex<()>,
    renewals: Mutex<RenewalState>,
}

impl Sealer {
    pub(crate) fn new(
        reader: Reader,
        sequencer: Arc<Sequencer>,
        origin: Origin,
        packages: Option<PathBuf>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self {
            reader,
            sequencer,
            origin,
            packages,
            clock,
            entropy,
            one_at_a_time: Mutex::default(),
            renewals: Mutex::default(),
        }
    }

    /// The oldest interval that was cut and is not closed.
    pub fn due(&self) -> Option<Span> {
        due(&self.reader.published())
    }

    /// Intervals that were cut and are not closed.
    pub fn waiting(&self) -> usize {
        let state = self.reader.published();
        let cut = state
            .spans
            .iter()
            .rev()
            .skip_while(|span| span.cut.is_none());
        cut.take_while(|span| span.closed.is_none()).count()
    }

    /// The last interval that was closed.
    pub fn last_closed(&self) -> Option<Span> {
        let state = self.reader.published();
        let closed = state.spans.iter().rev().find(|span| span.closed.is_some());
        closed.copied()
    }

    /// Has an authority confirm the clock, where cuts wait for that; whether they did. Cuts then go on.
    pub fn confirm_clock(&self, authorities: &Authorities) -> Result<bool, SealError> {
        if !self.reader.published().suspended {
            return Ok(false);
        }
        let fresh: [u8; 32] = draw(&*self.entropy);
        let imprint = Imprint::Sha256(*Sha256::of(&fresh).as_bytes());
        let stamped = authorities.stamper.stamp(&imprint)?;
        self.sequencer.confirm_time(stamped.time)?;
        Ok(true)
    }

    /// Where packages are.
    pub fn packages(&self) -> Option<&Path> {
        self.packages.as_deref()
    }

    /// Closes the oldest interval that was cut; `None` where all are closed. One closing runs at a time.
    pub fn close_next(
        &self,
        authorities: &Authorities,
        trust: &InForce,
        probe: &Probe,
    ) -> Result<Option<Sealed>, SealError> {
        let Ok(_alone) = self.one_at_a_time.try_lock() else {
            return Err(SealError::Busy);
        };
        let state = self.reader.published();
        let Some(span) = due(&state) else {
            return Ok(None);
        };
        let packages = self.packages.as_ref().ok_or(SealError::NoFolder)?;
        let closing = match self.finished(packages, &span)? {
            Some(closing) => closing,
            None => match self.make(packages, &state, &span, authorities, trust, probe) {
                Err(error @ (SealError::Stamp(_) | SealError::Early { .. })) => {
                    self.outage(packages, &span)?;
                    return Err(error);
                }
                other => other?,
            },
        };
        probe.at("leaf")?;
        let leaf = self.sequencer.close(closing.clone())??;
        crate::index::merge(self.reader.store(), span.id);
        Ok(Some(Sealed { leaf, closing }))
    }

    fn finished(&self, packages: &Path, span: &Span) -> Result<Option<Closing>, SealError> {
        let folder = Folder::at(&path_of(packages, span.id));
        let bytes = folder.read(CLOSING, CLOSING_BYTES_MAX)?;
        bytes.map(|bytes| closing_of(&bytes)).transpose()
    }

    fn make(
        &self,
        packages: &Path,
        state: &Published,
        span: &Span,
        authorities: &Authorities,
        trust: &InForce,
        probe: &Probe,
    ) -> Result<Closing, SealError> {
        let folder = Folder::create(&working(packages, span.id))?;
        let place = state.spans.partition_point(|other| other.id < span.id);
        let before = place.checked_sub(1).and_then(|at| state.spans.get(at));
        let previous = match before {
            None => None,
            Some(before) => {
                let closing = self.closing(before)?;
                Some(Previous {
                    interval: before.id,
                    sha256: closing.pindex,
                })
            }
        };
        let is_development =
            authorities.stamper.is_development() || authorities.signer.is_development();
        let under = Under {
            reader: &self.reader,
            state,
            origin: &self.origin,
            span,
            size: span.cut.ok_or(SealError::Corrupt("an open interval"))?,
            folder: &folder,
            clock: &*self.clock,
            entropy: &*self.entropy,
            file_bytes_max: authorities.file_bytes_max,
            is_development,
            trust,
            probe,
        };
        let before = before.and_then(|before| before.closed);
        let closing = under.package(authorities, previous.as_ref(), before)?;
        probe.at("rename")?;
        folder.remove(OUTAGE)?;
        folder.rename(&path_of(packages, span.id))?;
        Ok(closing)
    }

    /// What closed an interval, from its leaf.
    pub fn closing(&self, span: &Span) -> Result<Closing, SealError> {
        let state = self.reader.published();
        let index = span
            .closed
            .ok_or(SealError::Corrupt("an interval that is not closed"))?;
        let opened = self.reader.record(&state, index)?;
        closing_of(&opened.canonical)
    }

    /// The package of an interval that is closed; `None` where it is not.
    pub fn package(&self, interval: IntervalId) -> Result<Option<Package>, SealError> {
        let state = self.reader.published();
        let span = state.spans.iter().find(|span| span.id == interval);
        let Some((span, packages)) = span
            .filter(|span| span.closed.is_some())
            .zip(self.packages.as_ref())
        else {
            return Ok(None);
        };
        let folder = Folder::at(&path_of(packages, interval));
        let closing = self.closing(span)?;
        Package::open(self.reader.clone(), folder, *span, closing).map(Some)
    }

    /// Records once that an interval stays CUT because no authority gave a time-stamp.
    fn outage(&self, packages: &Path, span: &Span) -> Result<(), SealError> {
        let folder = Folder::at(&working(packages, span.id));
        if folder.read(OUTAGE, 64)?.is_some() {
            return Ok(());
        }
        let integer = |n: u64| Integer::try_from(n.min(INTEGER_MAX)).unwrap_or(Integer::ZERO);
        let waiting = self.clock.wall().get().saturating_sub(span.end.get());
        let act = CustodyRecord::StampOutage {
            interval_ms: integer(span.id.get()),
            waiting_ms: integer(waiting),
        };
        let leaf = self.sequencer.act(Kind::Outage, act)?;
        folder.write(OUTAGE, leaf.to_string().as_bytes())?;
        Ok(())
    }
}

fn due(state: &Published) -> Option<Span> {
    let first = state.spans.iter().find(|span| span.closed.is_none())?;
    first.cut.is_some().then_some(*first)
}

/// The folder of a package that is complete.
pub fn path_of(packages: &Path, interval: IntervalId) -> PathBuf {
    packages.join(interval.to_string())
}

fn working(packages: &Path, interval: IntervalId) -> PathBuf {
    packages.join(format!("{interval}.partial"))
}
