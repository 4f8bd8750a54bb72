//! Submission: prepare, hand to the writer, build the acknowledgement.
//!
//! ```text
//! submit  ─▶ client key known? ─▶ prepare (parallel) ─▶ queue        [Ticket]
//! ticket  ─▶ recorded: acknowledgement · repeated: the first one again · interval cut: prepare again
//! ```
//!
//! # Invariants
//! 1. An acknowledgement is built only from the writer's answer, which comes after the sync.
//! 2. The same client key with the same bytes gives the first acknowledgement again; with other bytes, an
//!    error that changes nothing.
//! 3. Dropping a ticket cancels nothing.

mod log_file;
mod migration;
mod object;
mod trusted;

pub use log_file::{LineTally, LogDeclared, LogFiles, LogImport, LogMigration, LogUpload};
pub use object::{Declared, ObjectUpload};
pub use trusted::JudgeWithError;

use crate::access::{Permit, Submit};
use crate::ambient::{Clock, Entropy};
use crate::audit::{ReadError, Reader};
use crate::keyring::IntervalKeys;
use crate::record::open::METADATA_BYTES_MAX;
use crate::record::prepare::{Draft, DraftContent, InMemory, prepare};
use crate::record::upload::{RestageError, Upload, restage};
use crate::sequencer::{
    Outcome, Pending, PreparedKey, PreparedSubmission, Published, Sequencer, SubmitError,
};
use crate::store::cf::idempotency::Idempotency;
use crate::store::{Rows, StoreError};
use crate::trust::TrustCell;
use ceralacca_formats::acknowledgement::{AcknowledgedRecord, Acknowledgement, Level};
use ceralacca_formats::canonical::Text;
use ceralacca_formats::digest::{ContentDigest, Sha256};
use ceralacca_formats::id::{IntervalId, LeafIndex, Origin, UtcMillis};
use ceralacca_formats::leaf::{Class, Kind};
use ceralacca_formats::metadata::{Metadata, ObjectRecord, TraceRecord};
use std::sync::Arc;

/// Contents up to this size travel in the batch of their leaf; larger ones are staged, in bytes.
pub const INLINE_BYTES_MAX: usize = 64 << 10;
/// The largest object unless configured otherwise, in bytes: 150 MB.
pub const OBJECT_BYTES_MAX: u64 = 150_000_000;

/// Why a submission was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// Object or metadata larger than the limit. The submitter's to change; retrying is useless.
    #[error("object or metadata of over {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// The writer's queue is full, or the writer has stopped.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// The client key names another submission. Nothing was recorded.
    #[error("client key was used before, for other bytes, at leaf {first}")]
    Conflict {
        /// First leaf of that submission.
        first: LeafIndex,
    },
    /// The bytes are not those that were announced. Nothing was recorded.
    #[error("the bytes received have another SHA-256")]
    NotAnnounced,
    /// There is no declaration of a migration at this leaf. The submitter's to change; nothing was recorded.
    #[error("leaf {index} declares no migration")]
    NotADeclaration {
        /// The leaf named.
        index: LeafIndex,
    },
    /// The file was recorded before under another format, date, part or declaration. Nothing of it was recorded now.
    #[error("the file was recorded before, otherwise declared, at leaf {first}")]
    RecordedOtherwise {
        /// Its leaf.
        first: LeafIndex,
    },
    /// A staged content could not be staged again.
    #[error("stage content again")]
    Restage(#[from] RestageError),
    /// The first acknowledgement of a repeated submission could not be read.
    #[error("read the first acknowledgement")]
    Read(#[from] ReadError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A client's own name for a submission. The same key of another principal is another key.
#[derive(Clone)]
pub struct ClientKey(pub Vec<u8>);

/// What is submitted: one record, or an object with the trace record of its facts. Not to be copied: a
/// staged content has one leaf.
pub struct Submission {
    drafts: Vec<Draft>,
    client_key: Option<ClientKey>,
    received_sha256: Sha256,
}

impl Submission {
    /// A trace record.
    pub fn trace(class: Class, record: TraceRecord, client_key: Option<ClientKey>) -> Self {
        let draft = Draft::new(Kind::Trace, class, record.into(), DraftContent::None);
        Self {
            received_sha256: draft.metadata_sha256,
            drafts: vec![draft],
            client_key,
        }
    }

    /// An object, and the trace record of its facts where it has any: each names the other.
    pub fn object(
        kind: Kind,
        class: Class,
        mut object: ObjectRecord,
        content: ObjectContent,
        facts: Option<(Class, TraceRecord)>,
        client_key: Option<ClientKey>,
    ) -> Self {
        let (content, digest) = content.into_draft();
        if facts.is_some() {
            object.companion = Some(1.into());
        }
        let mut drafts = vec![Draft::new(kind, class, Metadata::Object(object), content)];
        if let Some((class, mut trace)) = facts {
            trace.companion = Some((-1).into());
            drafts.push(Draft::new(
                Kind::Trace,
                class,
                trace.into(),
                DraftContent::None,
            ));
        }
        Self {
            drafts,
            client_key,
            received_sha256: digest.sha256,
        }
    }

    /// Acts of the archive: their first is what the acknowledgement names.
    fn of_acts(drafts: Vec<Draft>) -> Self {
        let first = drafts.first().map(|draft| draft.metadata_sha256);
        Self {
            received_sha256: first.unwrap_or_else(|| Sha256::of(b"")),
            drafts,
            client_key: None,
        }
    }

    /// What its reader remarked, for the submitter.
    pub fn remarks(&self) -> Remarks {
        let object = match self.drafts.first().map(|draft| &draft.metadata) {
            Some(Metadata::Object(object)) => object,
            _ => return Remarks::default(),
        };
        let word = |text: &Option<Text>| {
            let word = text.as_ref().and_then(Text::to_str);
            word.unwrap_or_default().to_owned()
        };
        Remarks {
            unclassified: word(&object.unclassified),
            signature: word(&object.signature),
        }
    }

    /// SHA-256 of what is received: the object's bytes, or the canonical metadata of the trace record.
    pub fn received_sha256(&self) -> Sha256 {
        self.received_sha256
    }
}

/// What a reader remarked of an object; empty where it had nothing to say.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Remarks {
    /// Why it was not understood: a stable code.
    pub unclassified: String,
    /// What its signature is worth: a word.
    pub signature: String,
}

/// The content of an object, in memory or staged.
pub struct ObjectContent(Held);

enum Held {
    Bytes(Vec<u8>),
    Staged(crate::record::upload::StagedContent),
}

impl ObjectContent {
    fn into_draft(self) -> (DraftContent, ContentDigest) {
        match self.0 {
            Held::Bytes(bytes) => {
                let content = InMemory::of(bytes);
                let digest = content.digest();
                (DraftContent::Bytes(content), digest)
            }
            Held::Staged(staged) => {
                let digest = staged.digest;
                (DraftContent::Staged(staged), digest)
            }
        }
    }
}

/// Takes submissions of one principal for one log.
#[derive(Clone)]
pub struct Ingest {
    principal: Arc<str>,
    sequencer: Arc<Sequencer>,
    reader: Reader,
    entropy: Arc<dyn Entropy>,
    origin: Origin,
    policy: Policy,
}

/// What an operator chose for the objects and records of a log.
#[derive(Clone)]
pub struct Policy {
    /// The largest object, in bytes.
    pub object_bytes_max: u64,
    /// The class of trace records.
    pub trace_class: Class,
    /// What signatures are judged with.
    pub trust: TrustCell,
    /// The clock that says when an object was received.
    pub clock: Arc<dyn Clock>,
}

/// A submission handed to the writer.
pub struct Ticket {
    state: TicketState,
    submission: Submission,
}

/// A submission with the writer's answer to it.
pub struct Answered {
    outcome: Outcome,
    submission: Submission,
}

impl Answered {
    /// Whether it was recorded now: then its acknowledgement needs no reads.
    pub fn is_recorded(&self) -> bool {
        matches!(self.outcome, Outcome::Recorded { .. })
    }
}

/// What became of an answered submission.
pub enum Settled {
    /// It is recorded.
    Acknowledged(Box<Acknowledgement>),
    /// It was handed to the writer again.
    Again(Ticket),
}

impl Ticket {
    /// Waits for the writer on this thread.
    pub fn wait(self) -> Result<Answered, SubmitError> {
        let outcome = match self.state {
            TicketState::Repeated(first) => Outcome::Repeated(first),
            TicketState::Pending(pending) => pending.wait()?,
        };
        Ok(Answered {
            outcome,
            submission: self.submission,
        })
    }

    /// Waits for the writer in a task.
    pub async fn answered(self) -> Result<Answered, SubmitError> {
        let outcome = match self.state {
            TicketState::Repeated(first) => Outcome::Repeated(first),
            TicketState::Pending(pending) => pending.answer().await?,
        };
        Ok(Answered {
            outcome,
            submission: self.submission,
        })
    }

    /// Whether the writer is to answer; otherwise the submission was found recorded before.
    pub fn is_with_the_writer(&self) -> bool {
        matches!(self.state, TicketState::Pending(_))
    }
}

enum TicketState {
    Pending(Pending),
    Repeated(LeafIndex),
}

impl Ingest {
    pub(crate) fn new(
        sequencer: Arc<Sequencer>,
        reader: Reader,
        entropy: Arc<dyn Entropy>,
        origin: Origin,
        policy: Policy,
    ) -> Self {
        Self {
            principal: "".into(),
            sequencer,
            reader,
            entropy,
            origin,
            policy,
        }
    }

    /// The class of this log's trace records.
    pub fn trace_class(&self) -> Class {
        self.policy.trace_class
    }

    /// The same, for the holder of a permit.
    pub(crate) fn of(&self, permit: &Permit<Submit>) -> Self {
        Self {
            principal: permit.shared_principal(),
            ..self.clone()
        }
    }

    /// Prepares a submission on this thread and hands it to the writer; `Busy` when the queue is full.
    pub fn submit(&self, submission: Submission) -> Result<Ticket, IngestError> {
        self.hand_over(submission, false)
    }

    /// As [`Ingest::submit`], but waits for room in the queue.
    pub fn submit_waiting(&self, submission: Submission) -> Result<Ticket, IngestError> {
        self.hand_over(submission, true)
    }

    /// Waits for the writer and gives the acknowledgement.
    pub fn wait(&self, mut ticket: Ticket) -> Result<Acknowledgement, IngestError> {
        loop {
            match self.settle(ticket.wait()?)? {
                Settled::Acknowledged(acknowledgement) => return Ok(*acknowledgement),
                Settled::Again(next) => ticket = next,
            }
        }
    }

    /// Turns the writer's answer into the acknowledgement; or prepares the submission again, since its
    /// interval was cut. Reads and may wait, unless [`Answered::is_recorded`].
    pub fn settle(&self, answered: Answered) -> Result<Settled, IngestError> {
        let Answered {
            outcome,
            submission,
        } = answered;
        let acknowledgement = match outcome {
            Outcome::Recorded {
                records,
                time,
                checkpoint,
            } => {
                let note = checkpoint.shared_note();
                self.acknowledgement(records, time, submission.received_sha256, note, false)
            }
            Outcome::Repeated(first) => self.repeated(first, &submission)?,
            Outcome::Again(interval) => {
                let submission = self.move_staged(submission, interval)?;
                return Ok(Settled::Again(self.hand_over(submission, true)?));
            }
        };
        Ok(Settled::Acknowledged(Box::new(acknowledgement)))
    }

    /// The canonical metadata and the proof file of a record acknowledged to this submitter.
    pub fn detail(&self, index: LeafIndex) -> Result<(Vec<u8>, String), IngestError> {
        let state = self.reader.published();
        let opened = self.reader.record(&state, index)?;
        let proof = self.reader.proof_of(&state, &opened)?;
        Ok((opened.canonical, proof.to_text()))
    }

    /// Submits and waits.
    pub fn record(&self, submission: Submission) -> Result<Acknowledgement, IngestError> {
        let ticket = self.submit_waiting(submission)?;
        self.wait(ticket)
    }

    /// A content in memory; staged when it is large.
    pub fn content(&self, class: Class, bytes: Vec<u8>) -> Result<ObjectContent, IngestError> {
        if bytes.len() <= INLINE_BYTES_MAX {
            return Ok(ObjectContent(Held::Bytes(bytes)));
        }
        let mut upload = self.upload(class);
        upload.write(&bytes)?;
        upload.finish()
    }

    /// Begins the upload of a content that need not fit in memory.
    pub fn upload(&self, class: Class) -> ContentUpload<'_> {
        let interval = self.reader.published().open_interval();
        let (store, keyring) = (self.reader.store(), self.reader.keyring());
        ContentUpload {
            upload: Upload::begin(store, keyring, &*self.entropy, interval, class),
            limit: self.policy.object_bytes_max,
        }
    }

    fn hand_over(&self, submission: Submission, wait: bool) -> Result<Ticket, IngestError> {
        let large = |draft: &Draft| draft.canonical.len() > METADATA_BYTES_MAX;
        if submission.drafts.iter().any(large) {
            self.forget(&submission)?;
            let limit = METADATA_BYTES_MAX as u64;
            return Err(IngestError::TooLarge { limit });
        }
        let state = self.reader.published();
        let interval = state.open_interval();
        let submission = self.move_staged(submission, interval)?;
        let client_key = match &submission.client_key {
            None => None,
            Some(key) => match self.look_up(&state, key)? {
                Ok(prepared) => Some(prepared),
                Err(first) => {
                    let state = TicketState::Repeated(first);
                    return Ok(Ticket { state, submission });
                }
            },
        };
        let records = submission.drafts.iter();
        let records = records.map(|draft| prepare(draft, &state.keys, &*self.entropy));
        let prepared = PreparedSubmission {
            records: records.collect(),
            client_key,
        };
        let pending = if wait {
            self.sequencer.submit_waiting(prepared)?
        } else {
            match self.sequencer.submit(prepared) {
                Err(SubmitError::Busy) => {
                    self.forget(&submission)?;
                    return Err(SubmitError::Busy.into());
                }
                other => other?,
            }
        };
        let state = TicketState::Pending(pending);
        Ok(Ticket { state, submission })
    }

    /// Looks a client key up in the open interval and the one before it; `Err` is its first leaf.
    fn look_up(
        &self,
        state: &Published,
        key: &ClientKey,
    ) -> Result<Result<PreparedKey, LeafIndex>, IngestError> {
        let store = self.reader.store();
        let digest = |keys: &IntervalKeys| {
            let trace = keys.class(Class::Trace);
            trace.client_key(&self.principal, &key.0)
        };
        let here = digest(&state.keys);
        // A row may be durable a moment before its leaf is published. Such a key goes to the writer, who
        // answers after publishing: nobody is told of a leaf that readers do not see yet.
        let known = store.read::<Idempotency>(&(state.keys.interval, here))?;
        if let Some(first) = known.filter(|first| first.is_within(state.tip.size)) {
            return Ok(Err(first));
        }
        if let Some(previous) = &state.previous_keys {
            let there = digest(previous);
            if let Some(first) = store.read::<Idempotency>(&(previous.interval, there))? {
                return Ok(Err(first));
            }
        }
        Ok(Ok(PreparedKey {
            digest: here,
            asked_at: state.commits,
        }))
    }

    /// Staged contents belong to an interval; after a cut they are staged again.
    fn move_staged(
        &self,
        mut submission: Submission,
        interval: IntervalId,
    ) -> Result<Submission, IngestError> {
        let (keyring, store) = (self.reader.keyring(), self.reader.store());
        for draft in &mut submission.drafts {
            if let DraftContent::Staged(staged) = &mut draft.content
                && staged.upload.interval != interval
            {
                let to = (interval, staged.upload.class);
                *staged = restage(store, keyring, &*self.entropy, staged, to)?;
            }
        }
        Ok(submission)
    }

    /// The same content under another class.
    fn reclass(&self, content: ObjectContent, class: Class) -> Result<ObjectContent, IngestError> {
        let Held::Staged(staged) = &content.0 else {
            return Ok(content);
        };
        let (keyring, store) = (self.reader.keyring(), self.reader.store());
        let to = (staged.upload.interval, class);
        let again = restage(store, keyring, &*self.entropy, staged, to)?;
        Ok(ObjectContent(Held::Staged(again)))
    }

    /// Removes what a refused submission had staged.
    pub(crate) fn forget(&self, submission: &Submission) -> Result<(), StoreError> {
        for draft in &submission.drafts {
            if let DraftContent::Staged(staged) = &draft.content {
                crate::record::upload::remove(self.reader.store(), staged.upload)?;
            }
        }
        Ok(())
    }

    /// The first acknowledgement of a submission that was recorded before.
    fn repeated(
        &self,
        first: LeafIndex,
        submission: &Submission,
    ) -> Result<Acknowledgement, IngestError> {
        let state = self.reader.published();
        let opened = self.reader.record(&state, first)?;
        let received = match opened.has_content() {
            true => opened.content.sha256,
            false => opened.metadata_sha256(),
        };
        // The new staging has no leaf and never will.
        self.forget(submission)?;
        if received != submission.received_sha256 {
            return Err(IngestError::Conflict { first });
        }
        let companion = match opened.metadata().map_err(ReadError::from)? {
            Metadata::Object(object) => object.companion,
            _ => None,
        };
        let acknowledged = |opened: &crate::record::open::Opened| AcknowledgedRecord {
            leaf: opened.leaf,
            opening: opened.opening,
            content: opened.content,
            metadata_sha256: opened.metadata_sha256(),
        };
        let mut records = vec![acknowledged(&opened)];
        if companion == Some(1.into()) {
            let second = LeafIndex::new(first.get() + 1);
            records.push(acknowledged(&self.reader.record(&state, second)?));
        }
        let note = state.checkpoint.shared_note();
        Ok(self.acknowledgement(records, opened.leaf.time, received, note, true))
    }

    fn acknowledgement(
        &self,
        records: Vec<AcknowledgedRecord>,
        time: UtcMillis,
        received_sha256: Sha256,
        checkpoint: Arc<str>,
        repeated: bool,
    ) -> Acknowledgement {
        Acknowledgement {
            origin: self.origin.clone(),
            level: Level::Local,
            time,
            received_sha256,
            repeated,
            records,
            checkpoint,
        }
    }
}

/// The upload of a content, within the configured limit. Dropped unfinished, it leaves rows that the next
/// open sweeps; [`ContentUpload::abandon`] removes them at once.
pub struct ContentUpload<'a> {
    upload: Upload<'a>,
    limit: u64,
}

impl ContentUpload<'_> {
    /// Takes the next bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), IngestError> {
        let after = self.upload.bytes().saturating_add(bytes.len() as u64);
        if after > self.limit {
            return Err(IngestError::TooLarge { limit: self.limit });
        }
        Ok(self.upload.write(bytes)?)
    }

    /// The content is whole.
    pub fn finish(self) -> Result<ObjectContent, IngestError> {
        Ok(ObjectContent(Held::Staged(self.upload.finish()?)))
    }

    /// Gives it up.
    pub fn abandon(self) -> Result<(), IngestError> {
        Ok(self.upload.abandon()?)
    }
}
