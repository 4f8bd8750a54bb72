//! The queue before the writer: bounded in submissions and in bytes.
//!
//! # Invariants
//! 1. Memory is bounded: a submission that does not fit is refused (`Busy`) or its sender waits.
//! 2. Once closed nothing is accepted; what was accepted is still handed out.

use super::deed::Deed;
use super::{CloseError, ConfirmError, Outcome, PreparedSubmission};
use ceralacca_formats::closing::Closing;
use ceralacca_formats::id::{LeafIndex, UtcMillis};
use ceralacca_formats::leaf::Kind;
use ceralacca_formats::metadata::CustodyRecord;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// Limits of queue and group.
#[derive(Clone, Copy, Debug)]
pub struct QueueLimits {
    /// Submissions that may wait.
    pub submissions: usize,
    /// Bytes that may wait.
    pub bytes: usize,
    /// Submissions in one group: bounds how long the first of them waits for the last.
    pub group_submissions: usize,
    /// Bytes in one group.
    pub group_bytes: usize,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self {
            submissions: 1 << 14,
            bytes: 64 << 20,
            group_submissions: 1 << 12,
            group_bytes: 16 << 20,
        }
    }
}

/// Why a submission was not taken, or not answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SubmitError {
    /// The queue is full. Nothing was recorded; retry later.
    #[error("writer queue is full")]
    Busy,
    /// The writer has stopped; whether the submission was recorded is unknown. Open again, and submit
    /// again with the same client key.
    #[error("writer stopped")]
    Stopped,
}

/// What the writer is asked.
pub(super) enum Request {
    Submit {
        submission: PreparedSubmission,
        reply: oneshot::Sender<Outcome>,
    },
    Confirm {
        proven: UtcMillis,
        reply: oneshot::Sender<Result<(), ConfirmError>>,
    },
    Tick {
        reply: oneshot::Sender<()>,
    },
    Rotate {
        reply: oneshot::Sender<()>,
    },
    Act {
        kind: Kind,
        act: CustodyRecord,
        reply: oneshot::Sender<LeafIndex>,
    },
    Deed {
        deed: Deed,
        reply: oneshot::Sender<()>,
    },
    Close {
        closing: Box<Closing>,
        reply: oneshot::Sender<Result<LeafIndex, CloseError>>,
    },
}

#[derive(Default)]
struct Waiting {
    requests: VecDeque<(Request, usize)>,
    bytes: usize,
    closed: bool,
    aborted: bool,
}

pub(super) struct Queue {
    limits: QueueLimits,
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    left: Condvar,
}

/// What the writer finds.
pub(super) enum Next {
    /// These, in order.
    Group(Vec<Request>),
    /// Nothing came in time.
    Idle,
    /// Nothing will come any more.
    Closed,
    /// Stop at once, leaving what is queued.
    Aborted,
}

impl Queue {
    pub(super) fn new(limits: QueueLimits) -> Self {
        Self {
            limits,
            waiting: Mutex::default(),
            arrived: Condvar::new(),
            left: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Critical sections below do not panic between changes that belong together.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(
        &self,
        request: Request,
        bytes: usize,
        wait: bool,
    ) -> Result<(), SubmitError> {
        let mut waiting = self.lock();
        loop {
            if waiting.closed {
                return Err(SubmitError::Stopped);
            }
            // One submission always fits an empty queue, however large.
            let room = waiting.bytes == 0 || waiting.bytes + bytes <= self.limits.bytes;
            if room && waiting.requests.len() < self.limits.submissions {
                break;
            }
            if !wait {
                return Err(SubmitError::Busy);
            }
            waiting = self
                .left
                .wait(waiting)
                .unwrap_or_else(PoisonError::into_inner);
        }
        waiting.bytes += bytes;
        waiting.requests.push_back((request, bytes));
        let first = waiting.requests.len() == 1;
        drop(waiting);
        if first {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// Takes what is there, up to one group; waits up to `patience` for the first.
    pub(super) fn next(&self, patience: Duration) -> Next {
        let mut waiting = self.lock();
        if waiting.requests.is_empty() && !waiting.closed {
            waiting = self
                .arrived
                .wait_timeout(waiting, patience)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        if waiting.aborted {
            return Next::Aborted;
        }
        let mut group = Vec::new();
        let mut taken = 0;
        while group.len() < self.limits.group_submissions {
            let fits = |bytes: usize| group.is_empty() || taken + bytes <= self.limits.group_bytes;
            let Some((request, bytes)) = waiting.requests.pop_front_if(|(_, b)| fits(*b)) else {
                break;
            };
            taken += bytes;
            group.push(request);
        }
        waiting.bytes -= taken;
        let closed = waiting.closed;
        drop(waiting);
        if !group.is_empty() {
            self.left.notify_all();
            return Next::Group(group);
        }
        if closed { Next::Closed } else { Next::Idle }
    }

    /// Accepts nothing more.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_all();
        self.left.notify_all();
    }

    /// Accepts nothing more and hands out nothing more.
    pub(super) fn abort(&self) {
        let mut waiting = self.lock();
        waiting.closed = true;
        waiting.aborted = true;
        drop(waiting);
        self.arrived.notify_all();
        self.left.notify_all();
    }

    /// After the writer ended: whoever waits for an answer learns that none will come.
    pub(super) fn drain(&self) {
        let mut waiting = self.lock();
        waiting.closed = true;
        waiting.requests.clear();
        waiting.bytes = 0;
        drop(waiting);
        self.left.notify_all();
    }
}
