//! The check of a log that is in use: `fsck` in small steps, and the files below the rows.
//!
//! What a round does, in this order, and what each part covers:
//!
//! ```text
//! database     opened anew from its files, as after a restart: records of WAL and MANIFEST by their checksums, CURRENT,
//!              footer, index and filter of every table; the tip is not behind the published one; `format` and the
//!              checkpoint beside the database
//! files        every byte of every table, blob and OPTIONS file against the SHA-256 of its pieces, kept when the file
//!              was first seen: such a file never changes
//! intervals    the table, its secrets, the checkpoint of each cut
//! checkpoints  signature, size, and root by the tiles
//! log          leaf by leaf: leaf, record, content, terms in the index; tile by tile; root against the checkpoint
//! hashes       the leaves by hash, run by run
//! rows         every row of the other families reads and decodes; client keys name a leaf
//! end          which files were unreferenced throughout
//! ```
//!
//! # What it cannot see
//! - A file altered before its first round, in a part that neither opening it nor reading its rows touches, such as
//!   the space between the records of a blob file. Later rounds compare every byte.
//! - The last record of the WAL, torn or flipped, where all that it held is not yet published: then nobody holds an
//!   acknowledgement of it. IDENTITY and LOG: nothing reads them.
//! - A file named as the engine names its own that nothing references: the engine removes it by itself, at an inspection
//!   too, so it is not there to be listed.
//! - Rows that belong to no record, and invented terms: `fsck`, with the log closed.
//!
//! # Invariants
//! 1. The log is not changed. What is kept ([`crate::store::scrub_folder`]) says how far a round is, never what is true.
//! 2. A round is of the tree that was published, and the files that were referenced, as it began; it ends, however fast
//!    the log grows. What came later is the next round's.
//! 3. A step is bounded by one piece, one record or one page of rows; but the database is opened in one step, which
//!    costs its WAL, and a look at every table. What a tick overdraws, the next ones do not spend.
//! 4. The cursor moves forward only, and is kept after the work before it is done: a stop repeats a step, skips none.

mod check;
mod files;
mod finding;
mod rows;
mod state;

pub use finding::{FINDINGS_MAX, Finding};
pub use state::{Counts, Phase, Report};

use super::Reader;
use super::fsck::Subject;
use crate::sequencer::Published;
use crate::store::scrub_folder::ScrubFolder;
use crate::store::{StoreError, StoreFile};
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::id::UtcMillis;
use ceralacca_formats::note::VerifierKey;
use state::{Cursor, State};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What one tick did.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Ticked {
    /// Bytes read and checked, near enough.
    pub bytes: u64,
    /// What was found in this tick: an alarm each.
    pub findings: Vec<Finding>,
    /// Whether a round ended in it.
    pub ended: bool,
}

/// The scrub of one log. Ticks come from one thread at a time; others wait.
pub struct Scrub {
    work: Mutex<Work>,
    shown: Mutex<Arc<Report>>,
}

/// What a round works on, and with.
struct Work {
    reader: Reader,
    verifier: VerifierKey,
    folder: Option<ScrubFolder>,
    state: State,
    /// Files of this round that are not yet done; none until the database was looked at by this process.
    files: Option<BTreeMap<String, StoreFile>>,
    /// Files that do not open: no sums of them are kept.
    faulty: BTreeSet<String>,
    /// Digests of the file under way, where it has none that are kept.
    fresh: Vec<Sha256>,
    /// Bytes spent beyond what was granted.
    overdrawn: u64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic in a step leaves the cursor before that step: the work is done again.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Scrub {
    /// Takes up where the last process stopped. A kept state that does not read counts as none.
    pub fn open(
        reader: Reader,
        verifier: VerifierKey,
        folder: Option<ScrubFolder>,
    ) -> Result<Self, StoreError> {
        let mut state = State::default();
        if let Some(folder) = &folder {
            folder.sweep()?;
            let kept = folder.state()?;
            state = kept
                .and_then(|bytes| State::from_bytes(&bytes))
                .unwrap_or_default();
        }
        let shown = Mutex::new(Arc::new(state.report(None)));
        let work = Work {
            reader,
            verifier,
            folder,
            state,
            files: None,
            faulty: BTreeSet::new(),
            fresh: Vec::new(),
            overdrawn: 0,
        };
        Ok(Self {
            work: Mutex::new(work),
            shown,
        })
    }

    /// Begins a round; gives its number. One that is under way goes on.
    pub fn start(&self, now: UtcMillis) -> Result<u64, StoreError> {
        let mut work = lock(&self.work);
        if work.state.cursor == Cursor::Idle {
            work.state.begin(now);
            work.files = None;
            work.fresh.clear();
            work.keep()?;
            *lock(&self.shown) = Arc::new(work.state.report(None));
        }
        Ok(work.state.round)
    }

    /// How far it is, and what it found: of the round under way, else of the last one.
    pub fn report(&self) -> Arc<Report> {
        Arc::clone(&lock(&self.shown))
    }

    /// Goes on with the round under way, if there is one, for about so many bytes. An error says that it could not be
    /// tried, not that something is damaged: the same step is tried at the next tick.
    pub fn tick(&self, now: UtcMillis, bytes: u64) -> Result<Ticked, StoreError> {
        let mut work = lock(&self.work);
        let result = work.tick(now, bytes);
        let failure = result.as_ref().err().map(super::fsck::chain_of);
        *lock(&self.shown) = Arc::new(work.state.report(failure));
        result
    }
}

impl Work {
    fn tick(&mut self, now: UtcMillis, bytes: u64) -> Result<Ticked, StoreError> {
        let mut ticked = Ticked::default();
        if self.state.cursor == Cursor::Idle {
            self.overdrawn = 0;
            return Ok(ticked);
        }
        let granted = bytes.saturating_sub(self.overdrawn);
        self.overdrawn = self.overdrawn.saturating_sub(bytes);
        let found = self.state.findings.len();
        let mut failure = None;
        while ticked.bytes < granted && self.state.cursor != Cursor::Idle {
            match self.step(now) {
                // At least one, so that a step that reads nothing is paid for too.
                Ok(bytes) => ticked.bytes += bytes.max(1),
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        let new = self.state.findings.get(found..).unwrap_or_default();
        ticked.findings.extend_from_slice(new);
        if let Some(error) = failure.filter(|_| ticked == Ticked::default()) {
            // After something was done it is told at the next tick, so that no finding goes untold.
            return Err(error);
        }
        self.overdrawn += ticked.bytes.saturating_sub(granted);
        ticked.ended = self.state.cursor == Cursor::Idle;
        self.keep()?;
        Ok(ticked)
    }

    fn keep(&self) -> Result<(), StoreError> {
        match &self.folder {
            Some(folder) => folder.keep_state(&self.state.to_bytes()),
            None => Ok(()),
        }
    }

    fn step(&mut self, now: UtcMillis) -> Result<u64, StoreError> {
        match self.state.cursor.clone() {
            Cursor::Idle => Ok(0),
            Cursor::Database => self.database(),
            Cursor::File(name, piece) => self.file(&name, piece),
            Cursor::Intervals => Ok(self.intervals()),
            Cursor::Cuts(start) => Ok(self.cuts(start)),
            Cursor::Checkpoints(size) => Ok(self.checkpoints(size)),
            Cursor::Log(index) => Ok(self.log(index)),
            Cursor::Hashes(run) => Ok(self.hashes(run)),
            Cursor::Rows(family, start) => Ok(self.rows(family, start)),
            Cursor::End => self.end(now),
        }
    }

    fn published(&self) -> Arc<Published> {
        self.reader.published()
    }

    /// Checks with what `fsck` checks with, and takes over what it found.
    fn with_subject<T>(
        &mut self,
        check: impl FnOnce(&Subject<'_>, &mut super::fsck::Report) -> T,
    ) -> T {
        let subject = Subject {
            store: self.reader.store(),
            keyring: self.reader.keyring(),
            verifier: &self.verifier,
            outside: None,
        };
        let mut report = super::fsck::Report::default();
        let result = check(&subject, &mut report);
        let counts = &mut self.state.counts;
        counts.intervals += report.intervals;
        counts.records += report.records;
        counts.content_bytes += report.content_bytes;
        counts.leaves += report.leaves;
        counts.tiles += report.tiles;
        counts.checkpoints += report.checkpoints;
        counts.postings += report.postings;
        for damage in &report.damages {
            self.state.find(Finding::of(damage));
        }
        result
    }
}
