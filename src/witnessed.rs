//! The witnessed checkpoints of one log: kept, and what they mean for what auditors are shown.
//!
//! # Invariants
//! 1. Kept is only what the log signed and a quorum of the policy cosigned; each once, never rewritten.
//! 2. Nothing here delays the writer: checkpoints are witnessed after they were published, by others' time.
//! 3. Under [`OnMissing::HoldBack`] auditors are shown the last witnessed checkpoint as the newest, or none;
//!    acknowledgements carry the log's own checkpoint all the same.
//!
//! # Not here
//! Asking the witnesses (`cosigning`).

use crate::store::cf::checkpoint::{Checkpoints, Kept};
use crate::store::{Batch, KeyRange, Order, Rows, Store, StoreError};
use ceralacca_formats::checkpoint::{Checkpoint, CheckpointError};
use ceralacca_formats::id::{TreeSize, UtcMillis};
use ceralacca_formats::note::VerifierKey;
use ceralacca_formats::policy::Policy;
use std::sync::{Arc, PoisonError, RwLock};

/// What is shown of checkpoints that no quorum cosigned yet.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum OnMissing {
    /// They are shown as the newest, marked as not witnessed.
    #[default]
    PublishMarked,
    /// They are not shown: the newest is the last witnessed one.
    HoldBack,
}

/// What an operator chose.
#[derive(Clone, Debug, Default)]
pub struct Rule {
    /// Whose cosignatures are asked for.
    pub policy: Policy,
    /// What is shown meanwhile.
    pub on_missing: OnMissing,
}

/// How one witness fares.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WitnessState {
    /// Its name: that of its key.
    pub name: String,
    /// Size of the checkpoint it cosigned last, as far as this process knows; 0 for none.
    pub size: TreeSize,
    /// When it did.
    pub at: Option<UtcMillis>,
    /// A word for what was wrong the last time it was asked; none when nothing was.
    pub trouble: Option<&'static str>,
}

/// Why a witnessed checkpoint is not kept.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// Not the log's, or with a cosignature that does not verify.
    #[error("witnessed checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// Not cosigned by a quorum.
    #[error("checkpoint of {0} leaves is not cosigned by a quorum")]
    NoQuorum(TreeSize),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The witnessed checkpoints of one log.
pub struct Witnessed {
    store: Arc<dyn Store>,
    keys: Vec<VerifierKey>,
    rule: Option<Rule>,
    last: RwLock<Option<Arc<Checkpoint>>>,
    states: RwLock<Vec<WitnessState>>,
}

impl Witnessed {
    /// Those in a store, under all keys that the log has had. One that today's policy does not find witnessed is not the last: it stays, unused.
    pub fn open(
        store: Arc<dyn Store>,
        keys: Vec<VerifierKey>,
        rule: Option<Rule>,
    ) -> Result<Self, StoreError> {
        let range = KeyRange::prefix(Kept::WITNESSED_PREFIX);
        let last = store.rows::<Checkpoints>(&range, Order::Descending).next();
        let last = last.transpose()?.map(|(_, note)| note);
        let policy = rule.as_ref().map(|rule| rule.policy.clone());
        let witnessed = Self {
            store,
            keys,
            rule,
            last: RwLock::default(),
            states: RwLock::default(),
        };
        let last = last.and_then(|note| {
            let opened = witnessed.opened(note.as_bytes(), &policy.unwrap_or_default());
            opened.ok()
        });
        *witnessed
            .last
            .write()
            .unwrap_or_else(PoisonError::into_inner) = last.map(Arc::new);
        Ok(witnessed)
    }

    fn opened(&self, note: &[u8], policy: &Policy) -> Result<Checkpoint, KeepError> {
        let (own, keys) = (self.keys(), policy.keys());
        let (checkpoint, by) = Checkpoint::open_cosigned(note, &own, &keys)?;
        let met = policy.is_met(by.iter().map(|(key, _)| key));
        met.then_some(checkpoint.clone())
            .ok_or(KeepError::NoQuorum(checkpoint.size()))
    }

    /// The keys that the log has had, the first one first.
    pub fn keys(&self) -> Vec<&VerifierKey> {
        self.keys.iter().collect()
    }

    /// The rule, where witnesses are configured.
    pub fn rule(&self) -> Option<&Rule> {
        self.rule.as_ref()
    }

    /// The largest witnessed checkpoint, with its cosignatures.
    pub fn last(&self) -> Option<Arc<Checkpoint>> {
        self.last
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Keeps a checkpoint with the cosignatures of a quorum; durable on return. Whether it was not kept before.
    pub fn keep(&self, cosigned: &Checkpoint) -> Result<bool, KeepError> {
        let policy = self.rule.as_ref().map(|rule| rule.policy.clone());
        let checkpoint = self.opened(cosigned.note().as_bytes(), &policy.unwrap_or_default())?;
        let size = checkpoint.size();
        let key = Kept::Witnessed(size);
        if self.store.read::<Checkpoints>(&key)?.is_some() {
            return Ok(false);
        }
        let mut batch = Batch::new();
        batch.put::<Checkpoints>(&key, &checkpoint.note().to_owned());
        self.store.commit(&batch)?;
        let mut last = self.last.write().unwrap_or_else(PoisonError::into_inner);
        if last.as_ref().is_none_or(|last| last.size() < size) {
            *last = Some(Arc::new(checkpoint));
        }
        Ok(true)
    }

    /// What auditors are shown as the newest checkpoint; none where all are held back.
    pub fn shown(
        &self,
        last: Option<&Arc<Checkpoint>>,
        published: &Arc<Checkpoint>,
    ) -> Option<Arc<Checkpoint>> {
        let holds_back = self
            .rule
            .as_ref()
            .is_some_and(|rule| rule.on_missing == OnMissing::HoldBack);
        match last {
            last if holds_back => last.cloned(),
            Some(last) if last.size() == published.size() => Some(Arc::clone(last)),
            _ => Some(Arc::clone(published)),
        }
    }

    /// How the witnesses fare.
    pub fn states(&self) -> Vec<WitnessState> {
        self.states
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Says how the witnesses fare.
    pub fn report(&self, states: Vec<WitnessState>) {
        *self.states.write().unwrap_or_else(PoisonError::into_inner) = states;
    }
}
