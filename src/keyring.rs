//! The unwrapped secrets of one log: log key, signer, class secrets.
//!
//! # Invariants
//! 1. A class secret is durable before anything is encrypted under it: it is created with its interval,
//!    in one synced batch.
//! 2. Unwrapped secrets live in memory only, at most [`CACHED_MAX`] classes of them beside the open
//!    interval's, and are wiped when dropped.

use crate::ambient::{Entropy, draw};
use crate::store::cf::secret::{SecretKey, Secrets};
use crate::store::{Batch, Rows, Store, StoreError};
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::encrypt::{OpenError, Place};
use ceralacca_formats::id::{IntervalId, Origin};
use ceralacca_formats::leaf::Class;
use ceralacca_formats::note::{NoteError, NoteSigner};
use ceralacca_formats::secret::{
    ClassSecret, LogKey, MasterKey, RecordNonce, SecretUse, SigningSeed, Subkeys,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Unwrapped class secrets kept in memory: some ten intervals of all classes.
pub const CACHED_MAX: usize = 64;

/// Why a secret cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The secret is not in the store: its records were disposed of, or the store is damaged.
    #[error("no secret for {what}")]
    Missing {
        /// Which.
        what: &'static str,
    },
    /// The wrapped secret does not open: another master key, or altered bytes.
    #[error("secret for {what} does not open: wrong master key, or altered")]
    Wrapped {
        /// Which.
        what: &'static str,
        /// How it failed.
        #[source]
        source: OpenError,
    },
    /// The origin cannot name a key.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The secrets of one log.
pub struct Keyring {
    log_key: LogKey,
    origin_sha256: Sha256,
    cached: Mutex<BTreeMap<(IntervalId, Class), Arc<Subkeys>>>,
}

impl Keyring {
    /// Draws the secrets of a new log; their wrapped rows are added to `batch`.
    pub fn create(
        master: &MasterKey,
        origin: &Origin,
        entropy: &dyn Entropy,
        batch: &mut Batch,
    ) -> Result<(Self, NoteSigner), KeyError> {
        let origin_sha256 = Place::origin_digest(origin);
        let log_key = LogKey::from_bytes(draw(entropy));
        let seed = SigningSeed::from_bytes(draw(entropy));
        let nonce = || RecordNonce::from_bytes(draw(entropy));
        let wrapped = master.wrap_log_key(&log_key, &origin_sha256, SecretUse::LogKey, nonce());
        batch.put::<Secrets>(&SecretKey::Log, &wrapped);
        let wrapped =
            log_key.wrap_signing_seed(&seed, &origin_sha256, SecretUse::SigningSeed, nonce());
        batch.put::<Secrets>(&SecretKey::Signing, &wrapped);
        let signer = NoteSigner::new(origin.as_str(), &seed)?;
        Ok((Self::new(log_key, origin_sha256), signer))
    }

    /// Unwraps the secrets of a log.
    pub fn open(
        store: &dyn Store,
        master: &MasterKey,
        origin: &Origin,
    ) -> Result<(Self, NoteSigner), KeyError> {
        let origin_sha256 = Place::origin_digest(origin);
        let wrapped = |key: SecretKey, what: &'static str| {
            let row = store.read::<Secrets>(&key)?;
            row.ok_or(KeyError::Missing { what })
        };
        let failed = |what| move |source| KeyError::Wrapped { what, source };
        let log_key = master
            .unwrap_log_key(
                &wrapped(SecretKey::Log, "the log key")?,
                &origin_sha256,
                SecretUse::LogKey,
            )
            .map_err(failed("the log key"))?;
        let seed = log_key
            .unwrap_signing_seed(
                &wrapped(SecretKey::Signing, "the signing key")?,
                &origin_sha256,
                SecretUse::SigningSeed,
            )
            .map_err(failed("the signing key"))?;
        let signer = NoteSigner::new(origin.as_str(), &seed)?;
        Ok((Self::new(log_key, origin_sha256), signer))
    }

    fn new(log_key: LogKey, origin_sha256: Sha256) -> Self {
        Self {
            log_key,
            origin_sha256,
            cached: Mutex::default(),
        }
    }

    /// SHA-256 of the log's origin, as encryption binds it.
    pub fn origin_sha256(&self) -> Sha256 {
        self.origin_sha256
    }

    /// Draws the class secrets of a new interval; their wrapped rows are added to `batch`.
    pub fn create_interval(&self, interval: IntervalId, entropy: &dyn Entropy, batch: &mut Batch) {
        for class in Class::ALL {
            let secret = ClassSecret::from_bytes(draw(entropy));
            let nonce = RecordNonce::from_bytes(draw(entropy));
            let what = class_use(interval, *class);
            let wrapped = self
                .log_key
                .wrap_class_secret(&secret, &self.origin_sha256, what, nonce);
            batch.put::<Secrets>(&SecretKey::Class(interval, *class), &wrapped);
        }
    }

    /// The subkeys of a class of an interval.
    pub fn class(
        &self,
        store: &dyn Store,
        interval: IntervalId,
        class: Class,
    ) -> Result<Arc<Subkeys>, KeyError> {
        let key = (interval, class);
        // The map is consistent whatever panicked while it was locked: it is only ever inserted into.
        let lock = || self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(keys) = lock().get(&key) {
            return Ok(Arc::clone(keys));
        }
        let what = "a class";
        let row = store.read::<Secrets>(&SecretKey::Class(interval, class))?;
        let wrapped = row.ok_or(KeyError::Missing { what })?;
        let secret = self
            .log_key
            .unwrap_class_secret(&wrapped, &self.origin_sha256, class_use(interval, class))
            .map_err(|source| KeyError::Wrapped { what, source })?;
        let keys = Arc::new(Subkeys::new(&secret));
        let mut cached = lock();
        if cached.len() >= CACHED_MAX {
            // The oldest interval is the one least likely to be asked for again.
            cached.pop_first();
        }
        cached.insert(key, Arc::clone(&keys));
        Ok(keys)
    }
}

/// The subkeys of every class of one interval, at hand: what each submission needs without asking.
pub struct IntervalKeys {
    /// The interval.
    pub interval: IntervalId,
    /// SHA-256 of the log's origin, as encryption binds it.
    pub origin_sha256: Sha256,
    trace: Arc<Subkeys>,
    others: BTreeMap<Class, Arc<Subkeys>>,
}

impl IntervalKeys {
    /// The subkeys of a class.
    pub fn class(&self, class: Class) -> &Subkeys {
        // Every class has an entry by construction; the hot one is found without looking.
        match class {
            Class::Trace => &self.trace,
            other => self.others.get(&other).unwrap_or(&self.trace),
        }
    }
}

impl Keyring {
    /// The subkeys of every class of an interval.
    pub fn interval(
        &self,
        store: &dyn Store,
        interval: IntervalId,
    ) -> Result<Arc<IntervalKeys>, KeyError> {
        let mut others = BTreeMap::new();
        for class in Class::ALL {
            others.insert(*class, self.class(store, interval, *class)?);
        }
        Ok(Arc::new(IntervalKeys {
            interval,
            origin_sha256: self.origin_sha256,
            trace: self.class(store, interval, Class::Trace)?,
            others,
        }))
    }
}

fn class_use(interval: IntervalId, class: Class) -> SecretUse {
    SecretUse::Class {
        interval: interval.get(),
        class,
    }
}
