//! Postings in bulk: gathered in memory, sorted, and added to the store as sorted runs, without a writer.
//!
//! # Invariants
//! 1. A run belongs to one interval where its postings do not fit into one buffer; those of smaller intervals follow
//!    each other in one run, whose keys begin with the interval.
//! 2. Bounded: a buffer of [`BUFFER_POSTINGS`] is filled while another is written.

use super::Entry;
use crate::store::cf::index::{Index, Posting};
use crate::store::cf::{ColumnFamily, Family};
use crate::store::{SortedRun, Store, StoreError};
use ceralacca_formats::id::{IntervalId, LeafIndex};
use ceralacca_formats::leaf::Class;
use ceralacca_formats::metadata::Field;
use ceralacca_formats::secret::Token;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};

/// Postings in a buffer: 48 MiB.
pub const BUFFER_POSTINGS: usize = 1 << 21;
/// Postings in a run of several intervals.
const RUN_POSTINGS: usize = 1 << 22;

struct Buffer {
    interval: IntervalId,
    entries: Vec<Entry>,
}

/// Takes the postings of a log, interval by interval, and writes them in a thread of its own.
pub struct Postings<'scope> {
    buffer: Buffer,
    to: SyncSender<Buffer>,
    worker: ScopedJoinHandle<'scope, Result<(), StoreError>>,
}

impl<'scope> Postings<'scope> {
    /// Begins; the thread ends with the scope.
    pub fn begin<'env>(scope: &'scope Scope<'scope, 'env>, store: &'env dyn Store) -> Self {
        let (to, from) = sync_channel(0);
        Self {
            buffer: Buffer {
                interval: IntervalId::new(0),
                entries: Vec::new(),
            },
            to,
            worker: scope.spawn(move || write(store, &from)),
        }
    }

    /// Adds the terms of a record; intervals come in order.
    pub fn add(
        &mut self,
        interval: IntervalId,
        class: Class,
        index: LeafIndex,
        tokens: &[(Field, Token)],
    ) -> Result<(), StoreError> {
        let full = self.buffer.entries.len() >= BUFFER_POSTINGS;
        if full || interval != self.buffer.interval {
            self.send(interval)?;
        }
        let entries = tokens.iter().map(|(field, token)| Entry {
            class,
            field: *field,
            token: *token,
            index,
        });
        self.buffer.entries.extend(entries);
        Ok(())
    }

    fn send(&mut self, next: IntervalId) -> Result<(), StoreError> {
        let fresh = Buffer {
            interval: next,
            entries: Vec::new(),
        };
        let buffer = std::mem::replace(&mut self.buffer, fresh);
        if buffer.entries.is_empty() {
            return Ok(());
        }
        // It hangs up only when it failed, and says why at the end.
        self.to.send(buffer).map_err(|_| StoreError::Stopped)
    }

    /// Writes what is left; every posting is in the store on return.
    pub fn finish(mut self) -> Result<(), StoreError> {
        let sent = self.send(IntervalId::new(0));
        drop(self.to);
        let written = self.worker.join().unwrap_or(Err(StoreError::Stopped));
        written.and(sent)
    }
}

fn write(store: &dyn Store, from: &Receiver<Buffer>) -> Result<(), StoreError> {
    let mut run: Option<(Box<dyn SortedRun + '_>, IntervalId, usize)> = None;
    let mut key = Vec::with_capacity(27);
    for Buffer {
        interval,
        mut entries,
    } in from
    {
        entries.sort_unstable();
        entries.dedup();
        // What follows in the same interval sorts among what went before.
        let over = |last: IntervalId, count: usize| last >= interval || count >= RUN_POSTINGS;
        if let Some((full, ..)) = run.take_if(|(_, last, count)| over(*last, *count)) {
            full.finish()?;
        }
        let (mut writer, count) = match run.take() {
            Some((writer, _, count)) => (writer, count),
            None => (store.begin_run(Family::Index)?, 0),
        };
        for entry in &entries {
            let posting = Posting {
                interval,
                class: entry.class,
                field: entry.field,
                token: entry.token,
                index: entry.index,
            };
            key.clear();
            Index::encode_key(&posting, &mut key);
            writer.put(&key, b"")?;
        }
        run = Some((writer, interval, count.saturating_add(entries.len())));
    }
    run.map_or(Ok(()), |(run, ..)| run.finish())
}
