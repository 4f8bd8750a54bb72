//! The index: from a term to the records that may have it.
//!
//! ```text
//! writer ─▶ tail (memory, newest records) ─ full, or the interval is cut ─▶ frozen run
//!           frozen run ─▶ one thread: sort, write as one sorted file, add to the store, raise `indexed`
//! search    reads the store, the frozen runs and the tail
//! ```
//!
//! # Invariants
//! 1. Never the truth: built from records, rebuilt from them at open; a hit is checked against the record.
//! 2. Coverage: runs hold every record below `indexed`, frozen runs and tail every one from there to the
//!    tip. `fsck` recomputes it.
//! 3. A run belongs to one interval, so disposal is a range delete.
//! 4. Bounded: the tail holds at most [`RUN_RECORDS`] records; one frozen run waits while another is written,
//!    then the writer waits too.
//!
//! - [`bulk`]: postings of a whole log, without a writer
//! - [`hashes`]: leaves by hash; made by the same thread, from tiles
//!
//! # Crash
//! A run added before `indexed` rose is added again: the same keys, so nothing changes.

pub mod bulk;
pub mod hashes;

use crate::store::cf::index::{Index, Posting};
use crate::store::cf::state::{State, StateRow};
use crate::store::cf::{ColumnFamily, Family};
use crate::store::{Batch, KeyRange, Order, Rows, Store, StoreError};
use ceralacca_formats::id::{IntervalId, LeafIndex, TreeSize};
use ceralacca_formats::leaf::Class;
use ceralacca_formats::metadata::Field;
use ceralacca_formats::secret::Token;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// Records in one run: some 8 MiB of memory, and less than a second of work to rebuild at open.
pub const RUN_RECORDS: u64 = 1 << 16;
/// Frozen runs that may wait before the writer waits too.
const FROZEN_MAX: usize = 2;

/// A posting inside a run: the run knows the interval.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
struct Entry {
    class: Class,
    field: Field,
    token: Token,
    index: LeafIndex,
}

/// The postings of consecutive records of one interval.
#[derive(Clone)]
struct Run {
    interval: IntervalId,
    first: TreeSize,
    end: TreeSize,
    entries: Vec<Entry>,
}

struct Shared {
    tail: Run,
    frozen: VecDeque<Arc<Run>>,
    indexed: TreeSize,
    failed: bool,
    closing: bool,
}

/// The index of one log.
pub struct LogIndex {
    store: Arc<dyn Store>,
    shared: Arc<(Mutex<Shared>, Condvar)>,
    worker: Mutex<Option<JoinHandle<()>>>,
}

/// How far the index reaches.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Coverage {
    /// Records below this are in runs.
    pub runs: TreeSize,
    /// Records below this are found: equal to the tip.
    pub total: TreeSize,
}

fn lock(mutex: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    // Every critical section leaves the structure consistent before anything that can panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Merges the runs of an interval that no more come to, so that a search of it looks into few tables. They overlap within
/// their interval alone.
pub fn merge(store: &dyn Store, interval: IntervalId) {
    let runs = KeyRange::prefix(&interval.get().to_be_bytes());
    store.merge(Family::Index, &runs);
}

impl LogIndex {
    /// An index whose runs cover the records below `indexed`; the caller appends the others.
    pub fn open(store: Arc<dyn Store>, indexed: TreeSize, interval: IntervalId) -> Self {
        let tail = Run {
            interval,
            first: indexed,
            end: indexed,
            entries: Vec::new(),
        };
        let shared = Arc::new((
            Mutex::new(Shared {
                tail,
                frozen: VecDeque::new(),
                indexed,
                failed: false,
                closing: false,
            }),
            Condvar::new(),
        ));
        let (mine, theirs) = (Arc::clone(&store), Arc::clone(&shared));
        let worker = std::thread::Builder::new()
            .name("index".to_owned())
            .spawn(move || work(&*mine, &theirs));
        Self {
            store,
            shared,
            // Without its thread the index cannot cover the log: the first freeze reports it.
            worker: Mutex::new(worker.ok()),
        }
    }

    /// Appends records in log order: (interval, class, index, tokens). Waits when runs cannot keep up.
    pub fn append<'a>(
        &self,
        records: impl IntoIterator<Item = (IntervalId, Class, LeafIndex, &'a [(Field, Token)])>,
    ) -> Result<(), StoreError> {
        let mut shared = lock(&self.shared.0);
        for (interval, class, index, tokens) in records {
            let full = shared.tail.end.get() - shared.tail.first.get() >= RUN_RECORDS;
            if full || interval != shared.tail.interval {
                shared = self.freeze(shared, interval)?;
            }
            let tail = &mut shared.tail;
            let entries = tokens.iter().map(|(field, token)| Entry {
                class,
                field: *field,
                token: *token,
                index,
            });
            tail.entries.extend(entries);
            tail.end = TreeSize::new(index.get() + 1);
        }
        Ok(())
    }

    /// Freezes the tail and begins one for `interval`.
    fn freeze<'a>(
        &'a self,
        mut shared: MutexGuard<'a, Shared>,
        interval: IntervalId,
    ) -> Result<MutexGuard<'a, Shared>, StoreError> {
        let wake = &self.shared.1;
        while shared.frozen.len() >= FROZEN_MAX && !shared.failed {
            shared = wake.wait(shared).unwrap_or_else(PoisonError::into_inner);
        }
        if shared.failed {
            return Err(StoreError::Stopped);
        }
        let end = shared.tail.end;
        let next = Run {
            interval,
            first: end,
            end,
            entries: Vec::with_capacity(shared.tail.entries.len()),
        };
        let run = std::mem::replace(&mut shared.tail, next);
        if run.first != run.end {
            shared.frozen.push_back(Arc::new(run));
        }
        wake.notify_all();
        Ok(shared)
    }

    /// Writes everything into runs and stops the thread.
    pub fn close(&self) -> Result<(), StoreError> {
        let mut shared = lock(&self.shared.0);
        let interval = shared.tail.interval;
        shared = self.freeze(shared, interval)?;
        shared.closing = true;
        self.shared.1.notify_all();
        drop(shared);
        let worker = self
            .worker
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let joined = worker.map(JoinHandle::join);
        let failed = lock(&self.shared.0).failed;
        match joined {
            Some(Ok(())) if !failed => Ok(()),
            _ => Err(StoreError::Stopped),
        }
    }

    /// How far the index reaches.
    pub fn coverage(&self) -> Coverage {
        let shared = lock(&self.shared.0);
        Coverage {
            runs: shared.indexed,
            total: shared.tail.end,
        }
    }

    /// At most `limit` records of one interval and class that may have a term, beyond `after` in the given
    /// order. Candidates: the caller checks them against the records.
    pub fn candidates(&self, query: &Query, limit: usize) -> Result<Vec<LeafIndex>, StoreError> {
        let mut found = self.in_memory(query);
        let prefix = Posting::prefix(query.interval, query.class, query.field, query.token);
        let mut range = KeyRange::prefix(&prefix);
        if let Some(after) = query.after {
            let mut edge = prefix;
            match query.order {
                Order::Ascending => {
                    edge.extend_from_slice(&(after.get().saturating_add(1)).to_be_bytes());
                    range.start = edge;
                }
                Order::Descending => {
                    edge.extend_from_slice(&after.get().to_be_bytes());
                    range.end = Some(edge);
                }
            }
        }
        for row in self.store.rows::<Index>(&range, query.order).take(limit) {
            found.push(row?.0.index);
        }
        // A run that was added while its frozen copy was read stands in both.
        found.sort();
        found.dedup();
        if query.order == Order::Descending {
            found.reverse();
        }
        found.truncate(limit);
        Ok(found)
    }

    fn in_memory(&self, query: &Query) -> Vec<LeafIndex> {
        let shared = lock(&self.shared.0);
        let frozen = shared.frozen.iter().map(Arc::as_ref);
        let runs = frozen.chain(std::iter::once(&shared.tail));
        let here = runs.filter(|run| run.interval == query.interval);
        here.flat_map(|run| &run.entries)
            .filter(|entry| query.matches(entry))
            .map(|entry| entry.index)
            .collect()
    }
}

/// What to look for.
#[derive(Clone, Copy, Debug)]
pub struct Query {
    /// In which interval.
    pub interval: IntervalId,
    /// In which class.
    pub class: Class,
    /// Which field.
    pub field: Field,
    /// Token of the term, under the secret of interval and class.
    pub token: Token,
    /// Beyond this record, in the order.
    pub after: Option<LeafIndex>,
    /// In which order.
    pub order: Order,
}

impl Query {
    fn matches(&self, entry: &Entry) -> bool {
        let beyond = match (self.after, self.order) {
            (None, _) => true,
            (Some(after), Order::Ascending) => entry.index > after,
            (Some(after), Order::Descending) => entry.index < after,
        };
        beyond
            && entry.token == self.token
            && entry.field == self.field
            && entry.class == self.class
    }
}

/// Where the runs of leaf hashes stand. One that cannot be made is left to `fsck`, and those after it too: a
/// damaged tile must not stop the writer, and look-ups read the tiles instead.
struct HashRuns {
    next: Option<u64>,
}

impl HashRuns {
    fn find(store: &dyn Store) -> Self {
        let covered = hashes::covered(store).ok();
        let next = covered.map(|size| size.get() / hashes::RUN_LEAVES);
        Self { next }
    }

    /// Whether the next run can be made: its leaves are below `end`.
    fn is_due(&self, end: TreeSize) -> bool {
        self.next
            .is_some_and(|next| next < end.get() / hashes::RUN_LEAVES)
    }

    fn write(&mut self, store: &dyn Store) {
        let run = self.next.filter(|run| hashes::write(store, *run).is_ok());
        self.next = run.map(|run| run + 1);
    }
}

/// The thread that turns frozen runs into sorted files, and full tiles into runs of leaf hashes.
fn work(store: &dyn Store, shared: &(Mutex<Shared>, Condvar)) {
    let (mutex, wake) = shared;
    let mut hash_runs = HashRuns::find(store);
    let mut guard = lock(mutex);
    loop {
        match guard.frozen.front().map(Arc::clone) {
            None if guard.closing => return,
            None if hash_runs.is_due(guard.indexed) => {
                drop(guard);
                hash_runs.write(store);
                guard = lock(mutex);
            }
            None => guard = wake.wait(guard).unwrap_or_else(PoisonError::into_inner),
            Some(run) => {
                drop(guard);
                let written = write_run(store, &run);
                // One for one: neither falls behind the other under a load without end.
                if written.is_ok() && hash_runs.is_due(run.end) {
                    hash_runs.write(store);
                }
                guard = lock(mutex);
                if written.is_err() {
                    guard.failed = true;
                    wake.notify_all();
                    return;
                }
                guard.frozen.pop_front();
                guard.indexed = run.end;
                wake.notify_all();
            }
        }
    }
}

fn write_run(store: &dyn Store, run: &Run) -> Result<(), StoreError> {
    let mut entries = run.entries.clone();
    entries.sort_unstable();
    entries.dedup();
    let mut keys = entries.into_iter().map(|entry| {
        let posting = Posting {
            interval: run.interval,
            class: entry.class,
            field: entry.field,
            token: entry.token,
            index: entry.index,
        };
        let mut key = Vec::with_capacity(27);
        Index::encode_key(&posting, &mut key);
        key
    });
    store.add_run(Family::Index, &mut keys)?;
    let mut batch = Batch::new();
    let row = StateRow::Indexed(run.end);
    batch.put::<State>(&row.key(), &row);
    store.commit(&batch)
}

impl Drop for LogIndex {
    /// Stops the thread without writing the tail: what it held is rebuilt at open.
    fn drop(&mut self) {
        let mut shared = lock(&self.shared.0);
        shared.closing = true;
        shared.frozen.clear();
        drop(shared);
        self.shared.1.notify_all();
        let worker = self
            .worker
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        // A thread that panicked has nothing more to give.
        let _ = worker.map(JoinHandle::join);
    }
}
