//! The only writer of a log: assigns indexes, grows the tree, commits, publishes.
//!
//! ```text
//! submissions ─▶ bounded queue ─▶ one thread: plan a group ─▶ ONE synced batch ─▶ sign and publish ─▶ answer
//! ```
//!
//! # Invariants
//! 1. Indexes are dense: a commit of `k` leaves moves the tip by exactly `k`.
//! 2. Leaves, full tiles, metadata, small contents, client keys and the new tip become durable in one synced
//!    batch, or not at all.
//! 3. No checkpoint is signed and no acknowledgement built before (2).
//! 4. A failed write or sync stops the writer; nothing is retried in place. Opening again is the recovery.
//! 5. `log_epoch` rises with every writer; a writer's first leaf says so.
//! 6. Intervals follow each other without gap or overlap; one once cut is never reopened.
//! 7. The log's key is replaced by the writer only, never twice for one asking (`rotation`).
//! 8. A clock that steps is recorded and suspends cuts, never ingestion.
//! 9. What must hold when it is recorded is decided in this thread (`deed`).
//!
//! # Crash
//! Before the batch nothing happened and nobody holds an acknowledgement. After it, opening finds the tip
//! and publishes the missing checkpoint, the same bytes as would have been signed.
//!
//! # Not here
//! Parsing and encryption (`record`), the package of an interval (`seal`), proofs (`audit`).

mod deed;
mod interval;
mod queue;
mod recover;
mod rotation;
mod writer;

pub use deed::Moment;
pub use interval::{Schedule, ScheduleError, Span};
pub use queue::{QueueLimits, SubmitError};
pub use recover::{OpenError, Parts, Recovered, frontier, identity, root_at, spans, tip};
pub use rotation::RotateError;

use crate::keyring::IntervalKeys;
use crate::record::prepare::Prepared;
use crate::store::cf::state::Tip;
use ceralacca_formats::acknowledgement::AcknowledgedRecord;
use ceralacca_formats::checkpoint::Checkpoint;
use ceralacca_formats::closing::Closing;
use ceralacca_formats::id::{IntervalId, LeafIndex, UtcMillis};
use ceralacca_formats::leaf::Kind;
use ceralacca_formats::metadata::CustodyRecord;
use ceralacca_formats::secret::ClientKeyDigest;
use ceralacca_formats::tile::Frontier;
use queue::{Queue, Request};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// Wall steps above this are recorded and suspend cuts, in milliseconds.
pub const STEP_MS_MAX: u64 = 5 * 60 * 1000;
/// How far beyond the end of its open interval a log may be found at open without suspending cuts, in
/// milliseconds: a longer stop cannot be told from a wrong clock without proven time.
pub const ABSENCE_MS_MAX: u64 = 24 * 60 * 60 * 1000;

/// What readers see: the log as of the last published checkpoint.
#[derive(Clone)]
pub struct Published {
    /// Where the tree stands.
    pub tip: Tip,
    /// Its signed checkpoint.
    pub checkpoint: Arc<Checkpoint>,
    /// The right edge of the tree.
    pub frontier: Arc<Frontier>,
    /// The intervals, in order; the last is open.
    pub spans: Arc<Vec<Span>>,
    /// The keys of the open interval.
    pub keys: Arc<IntervalKeys>,
    /// The keys of the interval before, while client keys of it are known.
    pub previous_keys: Option<Arc<IntervalKeys>>,
    /// Commits of this writer so far.
    pub commits: u64,
    /// Whether cuts are suspended until the time is proven.
    pub suspended: bool,
}

impl Published {
    /// The open interval.
    pub fn open_interval(&self) -> IntervalId {
        self.spans.last().map_or(IntervalId::new(0), |span| span.id)
    }

    /// The interval of a leaf below the tip.
    pub fn interval_of(&self, index: LeafIndex) -> IntervalId {
        // Spans are in order of their first index; empty ones share it with the next.
        let after = self.spans.partition_point(|span| span.first <= index);
        let span = after.checked_sub(1).and_then(|at| self.spans.get(at));
        span.map_or(IntervalId::new(0), |span| span.id)
    }
}

/// A shared, replaceable [`Published`].
pub type PublishedCell = Arc<RwLock<Arc<Published>>>;

/// The current state of the log.
pub fn published(cell: &PublishedCell) -> Arc<Published> {
    // The lock is held only to clone or replace the pointer.
    Arc::clone(&cell.read().unwrap_or_else(PoisonError::into_inner))
}

/// A client key as prepared: what to look for, and when the store was last asked.
#[derive(Clone, Copy, Debug)]
pub struct PreparedKey {
    /// Its digest under the interval's secret.
    pub digest: ClientKeyDigest,
    /// Commits of the writer when the store was asked and did not have it.
    pub asked_at: u64,
}

/// Records that stand or fall together, ready for the writer.
pub struct PreparedSubmission {
    /// One or two records; their leaves are adjacent.
    pub records: Vec<Prepared>,
    /// The client key, if there is one.
    pub client_key: Option<PreparedKey>,
}

impl PreparedSubmission {
    fn bytes(&self) -> usize {
        self.records.iter().map(Prepared::bytes).sum()
    }
}

/// What became of a submission.
#[derive(Debug)]
pub enum Outcome {
    /// Recorded, durable and published.
    Recorded {
        /// Its records.
        records: Vec<AcknowledgedRecord>,
        /// When they were sequenced.
        time: UtcMillis,
        /// A checkpoint that covers them.
        checkpoint: Arc<Checkpoint>,
    },
    /// Its client key was recorded before, with this first leaf; that is durable.
    Repeated(LeafIndex),
    /// The interval was cut meanwhile: prepare it again under this one.
    Again(IntervalId),
}

/// An answer that is to come. Dropping it does not cancel the submission.
pub struct Pending(oneshot::Receiver<Outcome>);

impl Pending {
    /// Waits for the answer on this thread.
    pub fn wait(mut self) -> Result<Outcome, SubmitError> {
        // Most answers of a group are there when the first is.
        match self.0.try_recv() {
            Ok(outcome) => Ok(outcome),
            Err(oneshot::error::TryRecvError::Closed) => Err(SubmitError::Stopped),
            Err(oneshot::error::TryRecvError::Empty) => {
                self.0.blocking_recv().map_err(|_| SubmitError::Stopped)
            }
        }
    }

    /// Waits for the answer in a task.
    pub async fn answer(self) -> Result<Outcome, SubmitError> {
        self.0.await.map_err(|_| SubmitError::Stopped)
    }
}

/// The handle of a running writer. Dropping it stops the writer without a clean end, as a crash would.
pub struct Sequencer {
    queue: Arc<Queue>,
    published: PublishedCell,
    thread: Mutex<Option<JoinHandle<Result<(), writer::WriterError>>>>,
}

pub use writer::WriterError;

/// Why the wall clock was not confirmed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ConfirmError {
    /// The wall clock is not near the proven time: it is still wrong. The operator's to mend.
    #[error("wall clock {wall} is not within five minutes of proven time {proven}")]
    Apart {
        /// What the wall says, milliseconds since 1970.
        wall: UtcMillis,
        /// What was proven, milliseconds since 1970.
        proven: UtcMillis,
    },
    /// The writer has stopped.
    #[error("writer stopped")]
    Stopped,
}

/// An interval cannot be closed: it was not cut at this size, or the one before is not closed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("interval {0} was not cut at this size, or the one before it is not closed")]
pub struct CloseError(pub IntervalId);

impl Sequencer {
    /// Takes over a recovered log: writes the epoch leaf, publishes, and starts the writer's thread.
    pub fn start(recovered: Recovered, limits: QueueLimits) -> Result<Self, WriterError> {
        let queue = Arc::new(Queue::new(limits));
        let (writer, published) = writer::Writer::take_over(recovered)?;
        let theirs = Arc::clone(&queue);
        let thread = std::thread::Builder::new()
            .name("sequencer".to_owned())
            .spawn(move || writer.run(&theirs))
            .map_err(WriterError::Thread)?;
        Ok(Self {
            queue,
            published,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// The state of the log that readers share.
    pub fn published(&self) -> &PublishedCell {
        &self.published
    }

    /// Hands a submission to the writer; refuses when the queue is full.
    pub fn submit(&self, submission: PreparedSubmission) -> Result<Pending, SubmitError> {
        self.push(submission, false)
    }

    /// Hands a submission to the writer; waits while the queue is full.
    pub fn submit_waiting(&self, submission: PreparedSubmission) -> Result<Pending, SubmitError> {
        self.push(submission, true)
    }

    fn push(&self, submission: PreparedSubmission, wait: bool) -> Result<Pending, SubmitError> {
        let (reply, pending) = oneshot::channel();
        let bytes = submission.bytes();
        self.queue
            .push(Request::Submit { submission, reply }, bytes, wait)?;
        Ok(Pending(pending))
    }

    /// Tells the writer that this instant is proven to be past and near: cuts go on if the wall agrees.
    pub fn confirm_time(&self, proven: UtcMillis) -> Result<(), ConfirmError> {
        let (reply, answer) = oneshot::channel();
        self.queue
            .push(Request::Confirm { proven, reply }, 0, true)
            .map_err(|_| ConfirmError::Stopped)?;
        answer.blocking_recv().map_err(|_| ConfirmError::Stopped)?
    }

    /// Has the writer look at its clock now, and cut what is due, instead of within a second.
    pub fn tick(&self) -> Result<(), SubmitError> {
        let (reply, answer) = oneshot::channel();
        self.queue.push(Request::Tick { reply }, 0, true)?;
        answer.blocking_recv().map_err(|_| SubmitError::Stopped)
    }

    /// Records an act of the archive's own; gives its leaf, which is durable.
    pub fn act(&self, kind: Kind, act: CustodyRecord) -> Result<LeafIndex, SubmitError> {
        let (reply, answer) = oneshot::channel();
        self.queue
            .push(Request::Act { kind, act, reply }, 0, true)?;
        answer.blocking_recv().map_err(|_| SubmitError::Stopped)
    }

    /// Records that an interval is closed, once; gives the leaf that says so, which is durable.
    pub fn close(&self, closing: Closing) -> Result<Result<LeafIndex, CloseError>, SubmitError> {
        let (reply, answer) = oneshot::channel();
        let closing = Box::new(closing);
        self.queue
            .push(Request::Close { closing, reply }, 0, true)?;
        answer.blocking_recv().map_err(|_| SubmitError::Stopped)
    }

    fn ask_deed(&self, deed: deed::Deed) -> Result<(), SubmitError> {
        let (reply, answer) = oneshot::channel();
        self.queue.push(Request::Deed { deed, reply }, 0, true)?;
        answer.blocking_recv().map_err(|_| SubmitError::Stopped)
    }

    /// Has the writer replace the log's key: on return the key event is recorded and the next key signs.
    pub fn rotate_key(&self) -> Result<(), SubmitError> {
        let (reply, answer) = oneshot::channel();
        self.queue.push(Request::Rotate { reply }, 0, true)?;
        answer.blocking_recv().map_err(|_| SubmitError::Stopped)
    }

    /// Stops cleanly: what is queued is recorded and answered, runs and checkpoint are written.
    pub fn stop(&self) -> Result<(), WriterError> {
        self.queue.close();
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        match thread.map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(WriterError::Panicked),
        }
    }
}

impl Drop for Sequencer {
    fn drop(&mut self) {
        self.queue.abort();
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        // Nobody is left to hear how it ended.
        let _ = thread.map(JoinHandle::join);
    }
}
