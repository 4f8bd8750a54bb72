//! The writer's thread.

use super::deed::{Deed, Moment};
use super::queue::{Next, Queue, Request};
use super::recover::Recovered;
use super::rotation::{self, RotateError};
use super::{
    ABSENCE_MS_MAX, CloseError, ConfirmError, Outcome, PreparedSubmission, Published,
    PublishedCell, STEP_MS_MAX, Span,
};
use crate::keyring::{self, IntervalKeys, KeyError};
use crate::record::prepare::{self, Draft, DraftContent, Prepared};
use crate::store::cf::Family;
use crate::store::cf::checkpoint::{Checkpoints, Kept};
use crate::store::cf::content::{Contents, PartKey};
use crate::store::cf::idempotency::Idempotency;
use crate::store::cf::interval::{IntervalRow, Intervals, Phase};
use crate::store::cf::leaf::Leaves;
use crate::store::cf::metadata::{EncryptedMetadata, RecordKey};
use crate::store::cf::secret::{SecretKey, Secrets};
use crate::store::cf::staging::Staging;
use crate::store::cf::state::{State, StateKey, StateRow, Tip};
use crate::store::cf::tile::Tiles;
use crate::store::{Batch, KeyRange, Rows, StoreError};
use ceralacca_formats::acknowledgement::AcknowledgedRecord;
use ceralacca_formats::canonical::{Integer, Text};
use ceralacca_formats::checkpoint::{Checkpoint, CheckpointError};
use ceralacca_formats::closing::Closing;
use ceralacca_formats::id::{IntervalId, LeafIndex, TreeSize, UtcMillis};
use ceralacca_formats::leaf::{Class, Epoch, Kind, Leaf};
use ceralacca_formats::metadata::{CustodyRecord, DEVELOPMENT, Field, Metadata};
use ceralacca_formats::secret::{ClientKeyDigest, Token};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::io;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::oneshot;

/// How often the writer looks at its clocks, and the checkpoint beside the database is replaced.
const TICK: Duration = Duration::from_secs(1);
/// A cut later than this is an outage record.
const LATE_MS: u64 = 60_000;
/// Client keys remembered beside the store, per generation (two are kept): covers submissions prepared
/// before the last commits.
const RECENT_MAX: usize = 1 << 16;
/// Name and version, as the epoch record says it.
const SOFTWARE: &str = concat!("ceralacca ", env!("CARGO_PKG_VERSION"));

/// Why the writer stopped. What was acknowledged is safe; open the log again.
#[derive(Debug, thiserror::Error)]
pub enum WriterError {
    /// A write or sync failed; its outcome is unknown.
    #[error("commit")]
    Store(#[from] StoreError),
    /// A secret could not be had.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// A checkpoint could not be signed.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A rotation of the log's key was begun and not completed: opening the log does it.
    #[error("rotate the log key")]
    Rotation(#[from] RotateError),
    /// The thread could not be started.
    #[error("start the writer's thread")]
    Thread(#[source] io::Error),
    /// An internal invariant broke.
    #[error("writer panicked")]
    Panicked,
}

/// The keys are digests: their first bytes are as good a hash as any.
#[derive(Clone, Default)]
struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.iter().rev().take(8) {
            self.0 = self.0 << 8 | u64::from(*chunk);
        }
    }
}

type KeyMap = HashMap<ClientKeyDigest, LeafIndex, BuildHasherDefault<FirstBytes>>;

/// Client keys of the last commits, so that a key that was looked up before them is not recorded twice.
#[derive(Default)]
struct Recent {
    new: KeyMap,
    old: KeyMap,
    /// Commits when `old` was begun: keys of later commits are here.
    since: u64,
    new_since: u64,
}

impl Recent {
    fn insert(&mut self, digest: ClientKeyDigest, index: LeafIndex, commits: u64) {
        if self.new.len() >= RECENT_MAX {
            self.old = std::mem::take(&mut self.new);
            self.since = self.new_since;
            self.new_since = commits;
        }
        self.new.insert(digest, index);
    }

    fn get(&self, digest: &ClientKeyDigest) -> Option<LeafIndex> {
        self.new
            .get(digest)
            .or_else(|| self.old.get(digest))
            .copied()
    }
}

type Tokens = Vec<(Field, Token)>;

/// One group on its way into one batch.
#[derive(Default)]
struct Group {
    leaves: u64,
    indexed: Vec<(Class, LeafIndex, Tokens)>,
    recorded: Vec<(oneshot::Sender<Outcome>, Vec<AcknowledgedRecord>)>,
    repeated: Vec<(oneshot::Sender<Outcome>, LeafIndex)>,
}

pub(super) struct Writer {
    log: Recovered,
    epoch: Epoch,
    published: PublishedCell,
    checkpoint: Arc<Checkpoint>,
    spans: Arc<Vec<Span>>,
    span: Span,
    keys: Arc<IntervalKeys>,
    previous_keys: Option<Arc<IntervalKeys>>,
    commits: u64,
    recent: Recent,
    batch: Batch,
    /// When the open interval is to be cut, by the monotone clock.
    deadline: Duration,
    suspended: bool,
    last_wall: UtcMillis,
    last_monotone: Duration,
    outside_size: Option<TreeSize>,
    outside_at: Duration,
}

impl Writer {
    /// Opens the first interval of a new log, writes the epoch leaf, publishes.
    pub(super) fn take_over(log: Recovered) -> Result<(Self, PublishedCell), WriterError> {
        let wall = log.parts.clock.wall();
        let monotone = log.parts.clock.monotone();
        let epoch = Epoch(log.tip.epoch.0 + 1);
        let origin = &log.identity.origin;
        let checkpoint = Checkpoint::sign(&log.signer, origin, log.tip.size, log.tip.root)?;
        let checkpoint = Arc::new(checkpoint);
        let mut spans = log.spans.clone();
        let span = match spans.last() {
            Some(span) if span.cut.is_none() => *span,
            // The cut of one interval opens the next in the same batch, so this is a new log.
            _ => {
                let id = log.parts.schedule.holding(wall);
                let mut batch = Batch::new();
                let span = open_interval(&log, id, log.tip.size, &mut batch);
                log.parts.store.commit(&batch)?;
                spans.push(span);
                span
            }
        };
        let keys = log.keyring.interval(&*log.parts.store, span.id)?;
        let previous = spans.len().checked_sub(2).and_then(|at| spans.get(at));
        let previous_keys = match previous {
            None => None,
            Some(span) => match log.keyring.interval(&*log.parts.store, span.id) {
                // Disposed of: its client keys are gone as well.
                Err(KeyError::Missing { .. }) => None,
                other => Some(other?),
            },
        };
        let spans = Arc::new(spans);
        let published = Arc::new(RwLock::new(Arc::new(Published {
            tip: log.tip,
            checkpoint: Arc::clone(&checkpoint),
            frontier: Arc::new(log.frontier.clone()),
            spans: Arc::clone(&spans),
            keys: Arc::clone(&keys),
            previous_keys: previous_keys.clone(),
            commits: 0,
            suspended: false,
        })));
        let mut writer = Self {
            epoch,
            published: Arc::clone(&published),
            checkpoint,
            spans,
            span,
            keys,
            previous_keys,
            commits: 0,
            recent: Recent::default(),
            batch: Batch::new(),
            deadline: Duration::ZERO,
            suspended: false,
            last_wall: wall,
            last_monotone: monotone,
            outside_size: None,
            outside_at: monotone,
            log,
        };
        writer.set_deadline(wall, monotone);
        writer.begin(wall)?;
        Ok((writer, published))
    }

    /// The first group of a writer: its epoch, and the clock if it cannot be believed.
    fn begin(&mut self, wall: UtcMillis) -> Result<(), WriterError> {
        let store = self.kind_to_say()?;
        let mut acts = vec![(
            Kind::Epoch,
            CustodyRecord::Epoch {
                log_epoch: self.epoch.0,
                software: SOFTWARE.into(),
                store,
            },
        )];
        let last = self.log.tip.time.get();
        let behind = wall.get() + STEP_MS_MAX < last;
        let beyond = wall.get() > self.span.end.get().saturating_add(ABSENCE_MS_MAX);
        if behind || beyond {
            self.suspended = true;
            let step_ms = difference(wall.get(), last);
            acts.push((Kind::ClockEvent, CustodyRecord::ClockStep { step_ms }));
        }
        self.commit_group(Vec::new(), acts)?;
        self.keep_outside(true)
    }

    /// What the first leaf says that the log was initialised for; nothing in any other.
    fn kind_to_say(&self) -> Result<Option<Text>, WriterError> {
        if self.log.tip.size.get() > 0 {
            return Ok(None);
        }
        let row = self.log.parts.store.read::<State>(&StateKey::Development)?;
        Ok(row.map(|_| DEVELOPMENT.into()))
    }

    pub(super) fn run(mut self, queue: &Queue) -> Result<(), WriterError> {
        let result = self.work(queue);
        // Whoever still waits for an answer learns that none will come.
        queue.drain();
        result
    }

    fn work(&mut self, queue: &Queue) -> Result<(), WriterError> {
        loop {
            match queue.next(TICK) {
                Next::Group(requests) => {
                    self.tick()?;
                    self.handle(requests)?;
                    self.keep_outside(false)?;
                }
                Next::Idle => {
                    self.tick()?;
                    self.keep_outside(false)?;
                }
                Next::Closed => return self.finish(),
                Next::Aborted => return Ok(()),
            }
        }
    }

    /// A clean end: runs, last note and outside checkpoint are written.
    fn finish(&mut self) -> Result<(), WriterError> {
        self.log.index.close()?;
        let row = StateRow::Note(self.checkpoint.note().to_owned());
        let mut batch = Batch::new();
        batch.put::<State>(&row.key(), &row);
        self.log.parts.store.commit(&batch)?;
        self.keep_outside(true)
    }

    fn handle(&mut self, requests: Vec<Request>) -> Result<(), WriterError> {
        let mut submissions = Vec::with_capacity(requests.len());
        for request in requests {
            match request {
                Request::Submit { submission, reply } => submissions.push((submission, reply)),
                Request::Confirm { proven, reply } => {
                    let answer = self.confirm(proven)?;
                    // Whoever asked may have gone.
                    let _ = reply.send(answer);
                }
                Request::Tick { reply } => {
                    self.tick()?;
                    let _ = reply.send(());
                }
                Request::Rotate { reply } => {
                    self.rotate()?;
                    let _ = reply.send(());
                }
                Request::Act { kind, act, reply } => {
                    let index = self.act(kind, act)?;
                    let _ = reply.send(index);
                }
                Request::Deed { deed, reply } => {
                    self.perform(deed)?;
                    let _ = reply.send(());
                }
                Request::Close { closing, reply } => {
                    let answer = self.close(*closing)?;
                    let _ = reply.send(answer);
                }
            }
        }
        if submissions.is_empty() {
            return Ok(());
        }
        self.commit_group(submissions, Vec::new())
    }

    /// Plans, commits, publishes and answers one group.
    fn commit_group(
        &mut self,
        submissions: Vec<(PreparedSubmission, oneshot::Sender<Outcome>)>,
        acts: Vec<(Kind, CustodyRecord)>,
    ) -> Result<(), WriterError> {
        let time = self.log.parts.clock.wall();
        let mut group = Group::default();
        self.batch.clear();
        for (kind, act) in acts {
            let prepared = self.prepare_act(kind, act);
            self.plan_record(prepared, time, &mut group);
        }
        for (submission, reply) in submissions {
            self.plan(submission, reply, time, &mut group)?;
        }
        if group.leaves > 0 {
            self.commit(time, &group)?;
        }
        self.answer(group, time);
        Ok(())
    }

    fn prepare_act(&self, kind: Kind, act: CustodyRecord) -> Prepared {
        let metadata = Metadata::Custody(act);
        let draft = Draft::new(kind, Class::Custody, metadata, DraftContent::None);
        prepare::prepare(&draft, &self.keys, &*self.log.parts.entropy)
    }

    /// Another key signs from here on: its leaf and its seed in one batch, then [`rotation::complete`].
    fn rotate(&mut self) -> Result<(), WriterError> {
        let store = Arc::clone(&self.log.parts.store);
        let time = self.log.parts.clock.wall();
        let chain = keyring::chain(&*store, self.log.signer.verifier())?;
        self.batch.clear();
        let entropy = &*self.log.parts.entropy;
        let successor = self
            .log
            .keyring
            .draw_successor(&chain, entropy, &mut self.batch)?;
        let act = CustodyRecord::KeyRotation {
            old: chain.current().to_string().into(),
            new: successor.to_string().into(),
        };
        let prepared = self.prepare_act(Kind::KeyEvent, act);
        let mut group = Group::default();
        self.plan_record(prepared, time, &mut group);
        self.commit(time, &group)?;
        let (keyring, retired) = (&self.log.keyring, &self.log.signer);
        let origin = &self.log.identity.origin;
        let rotated = rotation::complete(&*store, keyring, retired, origin, self.log.tip)?;
        if let Some(rotated) = rotated {
            self.log.signer = rotated.signer;
            self.checkpoint = Arc::new(rotated.checkpoint);
        }
        self.publish();
        Ok(())
    }

    /// Records an act of custody.
    fn act(&mut self, kind: Kind, act: CustodyRecord) -> Result<LeafIndex, WriterError> {
        let index = LeafIndex::new(self.log.frontier.size().get());
        self.commit_group(Vec::new(), vec![(kind, act)])?;
        Ok(index)
    }

    /// Decides a deed on the log as it is now; its leaves and rows in one batch.
    fn perform(&mut self, deed: Deed) -> Result<(), WriterError> {
        let time = self.log.parts.clock.wall();
        self.batch.clear();
        let moment = Moment {
            store: &*self.log.parts.store,
            keyring: &self.log.keyring,
            entropy: &*self.log.parts.entropy,
            spans: &self.spans,
            next: LeafIndex::new(self.log.frontier.size().get()),
            time,
        };
        let Some(drafts) = deed(&moment, &mut self.batch) else {
            self.batch.clear();
            return Ok(());
        };
        let mut group = Group::default();
        for draft in &drafts {
            let prepared = prepare::prepare(draft, &self.keys, &*self.log.parts.entropy);
            self.plan_record(prepared, time, &mut group);
        }
        self.commit(time, &group)
    }

    /// Closes an interval that was cut: the leaf and the row that says so in one batch. One that is closed stays as it
    /// is.
    fn close(&mut self, closing: Closing) -> Result<Result<LeafIndex, CloseError>, WriterError> {
        let id = closing.interval;
        let place = self.spans.partition_point(|span| span.id < id);
        let before = place.checked_sub(1).and_then(|at| self.spans.get(at));
        let span = self.spans.get(place).filter(|span| span.id == id);
        let follows = before.is_none_or(|before| before.closed.is_some());
        match span {
            Some(Span {
                closed: Some(leaf), ..
            }) => return Ok(Ok(*leaf)),
            Some(Span {
                cut: Some(size), ..
            }) if follows && *size == closing.size => {}
            _ => return Ok(Err(CloseError(id))),
        }
        let time = self.log.parts.clock.wall();
        self.batch.clear();
        let act = CustodyRecord::IntervalClosed(Box::new(closing));
        let prepared = self.prepare_act(Kind::IntervalClosed, act);
        let mut group = Group::default();
        let leaf = self.plan_record(prepared, time, &mut group).leaf.seq;
        let row = IntervalRow::Closed { leaf, at: time };
        self.batch.put::<Intervals>(&(id, Phase::Closed), &row);
        let mut spans = Vec::clone(&self.spans);
        if let Some(span) = spans.get_mut(place) {
            span.closed = Some(leaf);
        }
        self.spans = Arc::new(spans);
        self.commit(time, &group)?;
        Ok(Ok(leaf))
    }

    /// Plans a submission, or finds that it needs no leaf.
    fn plan(
        &mut self,
        submission: PreparedSubmission,
        reply: oneshot::Sender<Outcome>,
        time: UtcMillis,
        group: &mut Group,
    ) -> Result<(), WriterError> {
        let interval = self.span.id;
        if submission.records.iter().any(|r| r.interval != interval) {
            // Whoever asked may have gone.
            let _ = reply.send(Outcome::Again(interval));
            return Ok(());
        }
        if let Some(key) = submission.client_key {
            if let Some(first) = self.known(key.digest, key.asked_at)? {
                group.repeated.push((reply, first));
                return Ok(());
            }
            let first = LeafIndex::new(self.log.frontier.size().get());
            self.recent.insert(key.digest, first, self.commits);
            self.batch
                .put::<Idempotency>(&(interval, key.digest), &first);
        }
        let records = submission.records.into_iter();
        let records = records.map(|record| self.plan_record(record, time, group));
        let records = records.collect();
        group.recorded.push((reply, records));
        Ok(())
    }

    /// The first leaf recorded under a client key in the open interval. The preparer asked the store for it
    /// and for the previous interval's; what was committed since is in memory.
    fn known(
        &self,
        digest: ClientKeyDigest,
        asked_at: u64,
    ) -> Result<Option<LeafIndex>, StoreError> {
        let recent = self.recent.get(&digest);
        if recent.is_some() || asked_at >= self.recent.since {
            return Ok(recent);
        }
        let store = &*self.log.parts.store;
        store.read::<Idempotency>(&(self.span.id, digest))
    }

    /// Gives a record its index and adds its rows to the batch.
    fn plan_record(
        &mut self,
        record: Prepared,
        time: UtcMillis,
        group: &mut Group,
    ) -> AcknowledgedRecord {
        let index = LeafIndex::new(self.log.frontier.size().get());
        let leaf = Leaf {
            kind: record.kind,
            epoch: self.epoch,
            seq: index,
            time,
            class: record.class,
            commitment: record.commitment,
        };
        let batch = &mut self.batch;
        batch.put::<Leaves>(&index, &leaf);
        self.log.frontier.push(leaf.hash(), |id, tile| {
            batch.put::<Tiles>(&id, &tile);
        });
        let key = RecordKey {
            interval: record.interval,
            class: record.class,
            index,
        };
        batch.put::<EncryptedMetadata>(&key, &record.row);
        if let Some(wrapped) = &record.wrapped {
            batch.put::<Secrets>(&SecretKey::Object(key), wrapped);
        }
        for (number, part) in (1..).zip(&record.parts) {
            let place = PartKey {
                record: key,
                part: number,
            };
            batch.put::<Contents>(&place, part);
        }
        if let Some(upload) = &record.staged {
            batch.delete::<Staging>(upload);
        }
        group.leaves += 1;
        group.indexed.push((record.class, index, record.tokens));
        AcknowledgedRecord {
            leaf,
            opening: record.opening,
            content: record.content,
            metadata_sha256: record.metadata_sha256,
        }
    }

    /// Commits the batch. On return the group is durable; then it is signed, published and indexed.
    fn commit(&mut self, time: UtcMillis, group: &Group) -> Result<(), WriterError> {
        let range = self.log.frontier.range();
        let tip = Tip {
            size: range.size(),
            root: range.root(),
            epoch: self.epoch,
            time,
        };
        assert_eq!(
            tip.size.get(),
            self.log.tip.size.get() + group.leaves,
            "indexes are dense (invariant 1)"
        );
        let row = StateRow::Tip(tip);
        self.batch.put::<State>(&row.key(), &row);
        let row = StateRow::Note(self.checkpoint.note().to_owned());
        self.batch.put::<State>(&row.key(), &row);
        self.log.parts.store.commit(&self.batch)?;
        // From here on the group is durable.
        self.log.tip = tip;
        self.commits += 1;
        let origin = &self.log.identity.origin;
        let checkpoint = Checkpoint::sign(&self.log.signer, origin, tip.size, tip.root)?;
        self.checkpoint = Arc::new(checkpoint);
        let interval = self.span.id;
        let entries = group.indexed.iter();
        let entries = entries.map(|(class, index, tokens)| {
            let tokens = tokens.as_slice();
            (interval, *class, *index, tokens)
        });
        self.log.index.append(entries)?;
        self.publish();
        Ok(())
    }

    fn publish(&self) {
        let published = Arc::new(Published {
            tip: self.log.tip,
            checkpoint: Arc::clone(&self.checkpoint),
            frontier: Arc::new(self.log.frontier.clone()),
            spans: Arc::clone(&self.spans),
            keys: Arc::clone(&self.keys),
            previous_keys: self.previous_keys.clone(),
            commits: self.commits,
            suspended: self.suspended,
        });
        let mut cell = self
            .published
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *cell = published;
    }

    /// Answers a group; whoever asked may have gone, and their records stay.
    fn answer(&self, group: Group, time: UtcMillis) {
        for (reply, records) in group.recorded {
            let _ = reply.send(Outcome::Recorded {
                records,
                time,
                checkpoint: Arc::clone(&self.checkpoint),
            });
        }
        for (reply, first) in group.repeated {
            let _ = reply.send(Outcome::Repeated(first));
        }
    }

    /// Looks at the clocks: a step suspends cuts, a due interval is cut.
    fn tick(&mut self) -> Result<(), WriterError> {
        let clock = &self.log.parts.clock;
        let (wall, monotone) = (clock.wall(), clock.monotone());
        let passed = millis(monotone.saturating_sub(self.last_monotone));
        let expected = self.last_wall.get().saturating_add(passed);
        (self.last_wall, self.last_monotone) = (wall, monotone);
        if wall.get().abs_diff(expected) > STEP_MS_MAX {
            self.suspended = true;
            let step_ms = difference(wall.get(), expected);
            let act = (Kind::ClockEvent, CustodyRecord::ClockStep { step_ms });
            self.commit_group(Vec::new(), vec![act])?;
        }
        if !self.suspended && monotone >= self.deadline {
            self.cut_due(wall, monotone)?;
        }
        Ok(())
    }

    /// Cuts every interval whose end the wall has reached: more than one after a stop.
    fn cut_due(&mut self, wall: UtcMillis, monotone: Duration) -> Result<(), WriterError> {
        let mut late = Vec::new();
        while wall >= self.span.end {
            let late_ms = wall.get() - self.span.end.get();
            if late_ms > LATE_MS {
                let interval_ms = difference(self.span.id.get(), 0);
                let late_ms = difference(late_ms, 0);
                let act = CustodyRecord::LateCut {
                    interval_ms,
                    late_ms,
                };
                late.push((Kind::Outage, act));
            }
            self.cut(wall)?;
        }
        self.set_deadline(wall, monotone);
        if !late.is_empty() {
            self.commit_group(Vec::new(), late)?;
        }
        Ok(())
    }

    /// Cuts the open interval and opens the next, in one batch.
    fn cut(&mut self, wall: UtcMillis) -> Result<(), WriterError> {
        let tip = self.log.tip;
        let note = self.checkpoint.note().to_owned();
        let mut batch = Batch::new();
        let row = IntervalRow::Cut {
            size: tip.size,
            root: tip.root,
            at: wall,
            note: note.clone(),
        };
        batch.put::<Intervals>(&(self.span.id, Phase::Cut), &row);
        // An empty interval ends at the size of the one before, whose checkpoint is kept already.
        let store = &*self.log.parts.store;
        let kept = Kept::Own(tip.size);
        if store.read::<Checkpoints>(&kept)?.is_none() {
            batch.put::<Checkpoints>(&kept, &note);
        }
        let next = IntervalId::new(self.span.end.get());
        let span = open_interval(&self.log, next, tip.size, &mut batch);
        // Client keys are looked up in the open interval and the one before it: those before go.
        if let Some(past) = self
            .spans
            .len()
            .checked_sub(2)
            .and_then(|at| self.spans.get(at))
        {
            let range = KeyRange::prefix(&past.id.get().to_be_bytes());
            batch.delete_range::<Idempotency>(&range);
        }
        self.log.parts.store.commit(&batch)?;
        // From here on the interval is cut. What comes stands in files apart from what came.
        self.log.parts.store.roll(Family::OF_AN_INTERVAL)?;
        let mut spans = Vec::clone(&self.spans);
        if let Some(last) = spans.last_mut() {
            last.cut = Some(tip.size);
        }
        spans.push(span);
        self.spans = Arc::new(spans);
        self.span = span;
        let keys = self.log.keyring.interval(&*self.log.parts.store, span.id)?;
        self.previous_keys = Some(std::mem::replace(&mut self.keys, keys));
        self.recent = Recent {
            since: self.commits,
            new_since: self.commits,
            ..Recent::default()
        };
        self.publish();
        Ok(())
    }

    fn confirm(&mut self, proven: UtcMillis) -> Result<Result<(), ConfirmError>, WriterError> {
        let wall = self.log.parts.clock.wall();
        let monotone = self.log.parts.clock.monotone();
        if wall.get().abs_diff(proven.get()) > STEP_MS_MAX {
            return Ok(Err(ConfirmError::Apart { wall, proven }));
        }
        if !self.suspended {
            return Ok(Ok(()));
        }
        self.suspended = false;
        let act = CustodyRecord::ClockConfirmed {
            proven_ms: difference(proven.get(), 0),
        };
        self.commit_group(Vec::new(), vec![(Kind::ClockEvent, act)])?;
        (self.last_wall, self.last_monotone) = (wall, monotone);
        self.cut_due(wall, monotone)?;
        Ok(Ok(()))
    }

    /// The cut runs on the monotone clock: the wall says once how far it is.
    fn set_deadline(&mut self, wall: UtcMillis, monotone: Duration) {
        let left = self.span.end.get().saturating_sub(wall.get());
        self.deadline = monotone.saturating_add(Duration::from_millis(left));
    }

    /// Replaces the checkpoint beside the database: at least once a second, and at stop.
    fn keep_outside(&mut self, now: bool) -> Result<(), WriterError> {
        let Some(directory) = &self.log.parts.directory else {
            return Ok(());
        };
        let size = self.checkpoint.size();
        let monotone = self.log.parts.clock.monotone();
        let due = now || monotone.saturating_sub(self.outside_at) >= TICK;
        if due && self.outside_size != Some(size) {
            directory.write_checkpoint(self.checkpoint.note())?;
            self.outside_size = Some(size);
            self.outside_at = monotone;
        }
        Ok(())
    }
}

/// Adds the rows of a new interval to a batch: its opening and its class secrets.
fn open_interval(log: &Recovered, id: IntervalId, size: TreeSize, batch: &mut Batch) -> Span {
    let end = log.parts.schedule.end_of(id);
    let first = LeafIndex::new(size.get());
    let row = IntervalRow::Opened { end, first };
    batch.put::<Intervals>(&(id, Phase::Opened), &row);
    log.keyring.create_interval(id, &*log.parts.entropy, batch);
    Span {
        id,
        end,
        first,
        cut: None,
        closed: None,
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// `a - b`, within what canonical metadata can carry: a clock beyond that says only "very far".
fn difference(a: u64, b: u64) -> Integer {
    let exact = i128::from(a) - i128::from(b);
    let limit = i128::from(ceralacca_formats::id::INTEGER_MAX);
    let bounded = i64::try_from(exact.clamp(-limit, limit)).unwrap_or(0);
    Integer::try_from(bounded).unwrap_or(Integer::ZERO)
}
