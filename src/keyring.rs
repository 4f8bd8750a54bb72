//! The unwrapped secrets of one log: log key, signer, class secrets.
//!
//! # Invariants
//! 1. A class secret is durable before anything is encrypted under it: it is created with its interval,
//!    in one synced batch.
//! 2. The log's key is replaced in two batches: one has the seed of the next key and the leaf that says so, the
//!    other puts it in force. Between them a rotation is under way, and opening the log completes it.
//! 3. A class secret that was destroyed is forgotten at once, and not learned again from a row that was read before
//!    ([`Keyring::forget`]).
//! 4. Unwrapped secrets live in memory only, at most [`CACHED_MAX`] classes of them beside the open
//!    interval's, and are wiped when dropped.

use crate::ambient::{Entropy, draw};
use crate::store::cf::held::HeldCopy;
use crate::store::cf::secret::{SecretKey, Secrets};
use crate::store::cf::state::{Rotation, State, StateKey, StateRow};
use crate::store::{Batch, Rows, Store, StoreError};
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::encrypt::{OpenError, Place};
use ceralacca_formats::id::{IntervalId, LeafIndex, Origin};
use ceralacca_formats::leaf::Class;
use ceralacca_formats::note::{NoteError, NoteSigner, VerifierKey};
use ceralacca_formats::rotation::{KeyChain, ROTATIONS_MAX, RotationFlaw};
use ceralacca_formats::secret::{
    ClassSecret, IssueTag, LogKey, MasterKey, RecordNonce, SecretUse, SigningSeed, Subkeys,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    /// A rotation that is on record is not one that could have been: the store is damaged.
    #[error("rotation {number} of the log key: {flaw}")]
    Rotation {
        /// Its number, from 0.
        number: u32,
        /// Why not.
        flaw: RotationFlaw,
    },
    /// The log's key was changed as often as it can be. Final: make a new log.
    #[error("the log key was changed 1000 times: make a new log")]
    TooManyRotations,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The secrets of one log.
pub struct Keyring {
    log_key: LogKey,
    origin_sha256: Sha256,
    cached: Mutex<Cached>,
}

/// Whose secret: a class of an interval, as it was sealed (0) or as it was carried over under a hold.
type Whose = (IntervalId, Class, u32);

#[derive(Default)]
struct Cached {
    keys: BTreeMap<Whose, Arc<Subkeys>>,
    /// Destroyed while this process runs.
    destroyed: BTreeSet<Whose>,
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

    /// Draws the key that is to follow those of `chain`, with an id that none of them has; its wrapped row is added to
    /// `batch`.
    pub fn draw_successor(
        &self,
        chain: &KeyChain,
        entropy: &dyn Entropy,
        batch: &mut Batch,
    ) -> Result<VerifierKey, KeyError> {
        if chain.rotations() >= ROTATIONS_MAX {
            return Err(KeyError::TooManyRotations);
        }
        loop {
            let seed = SigningSeed::from_bytes(draw(entropy));
            let signer = NoteSigner::new(chain.current().name(), &seed)?;
            let verifier = signer.verifier();
            // One in four thousand million for each key that went before.
            if chain.keys().any(|key| key.id() == verifier.id()) {
                continue;
            }
            let nonce = RecordNonce::from_bytes(draw(entropy));
            let what = SecretUse::SigningSeed;
            let wrapped = self
                .log_key
                .wrap_signing_seed(&seed, &self.origin_sha256, what, nonce);
            batch.put::<Secrets>(&SecretKey::NextSigning, &wrapped);
            return Ok(verifier.clone());
        }
    }

    /// The key that a rotation under way brings; adds to `batch` that it takes the place of the one before, whose seed
    /// is not kept. None where none is under way.
    pub fn successor(
        &self,
        store: &dyn Store,
        origin: &Origin,
        batch: &mut Batch,
    ) -> Result<Option<NoteSigner>, KeyError> {
        let Some(wrapped) = store.read::<Secrets>(&SecretKey::NextSigning)? else {
            return Ok(None);
        };
        let what = "the signing key to come";
        let seed = self
            .log_key
            .unwrap_signing_seed(&wrapped, &self.origin_sha256, SecretUse::SigningSeed)
            .map_err(|source| KeyError::Wrapped { what, source })?;
        batch.put::<Secrets>(&SecretKey::Signing, &wrapped);
        batch.delete::<Secrets>(&SecretKey::NextSigning);
        Ok(Some(NoteSigner::new(origin.as_str(), &seed)?))
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

    /// The tag of a package of this log ([`LogKey::issue_tag`]).
    pub fn issue_tag<'a>(
        &self,
        certificates: &Sha256,
        files: impl Iterator<Item = (&'a str, Sha256)>,
    ) -> IssueTag {
        self.log_key.issue_tag(certificates, files)
    }

    /// Encrypts who did an act, and why, under the log key: it outlives what the act was about.
    pub fn wrap_detail(&self, what: DetailOf, plain: &[u8], entropy: &dyn Entropy) -> Vec<u8> {
        let nonce = RecordNonce::from_bytes(draw(entropy));
        self.log_key
            .wrap_detail(plain, &self.origin_sha256, what.into(), nonce)
    }

    /// Opens what [`Keyring::wrap_detail`] made, of the same act only.
    pub fn open_detail(&self, what: DetailOf, wrapped: &[u8]) -> Result<Vec<u8>, KeyError> {
        let opened = self
            .log_key
            .unwrap_detail(wrapped, &self.origin_sha256, what.into());
        let what = "the detail of an act";
        opened.map_err(|source| KeyError::Wrapped { what, source })
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
        let what = "a class";
        let (row, of) = (
            SecretKey::Class(interval, class),
            class_use(interval, class),
        );
        self.subkeys(store, (interval, class, 0), row, of, what)
    }

    /// The subkeys of records carried over under a hold.
    pub fn held(&self, store: &dyn Store, copy: HeldCopy) -> Result<Arc<Subkeys>, KeyError> {
        let whose = (copy.interval, copy.class, copy.carried);
        let what = "records under hold";
        self.subkeys(store, whose, SecretKey::Held(copy), held_use(copy), what)
    }

    /// Draws the secret of records to be carried over under a hold; its wrapped row is added to `batch`.
    pub fn create_held(&self, copy: HeldCopy, entropy: &dyn Entropy, batch: &mut Batch) {
        let secret = ClassSecret::from_bytes(draw(entropy));
        let nonce = RecordNonce::from_bytes(draw(entropy));
        let wrapped =
            self.log_key
                .wrap_class_secret(&secret, &self.origin_sha256, held_use(copy), nonce);
        batch.put::<Secrets>(&SecretKey::Held(copy), &wrapped);
    }

    fn subkeys(
        &self,
        store: &dyn Store,
        whose: Whose,
        row: SecretKey,
        of: SecretUse,
        what: &'static str,
    ) -> Result<Arc<Subkeys>, KeyError> {
        if let Some(keys) = self.lock().keys.get(&whose) {
            return Ok(Arc::clone(keys));
        }
        let wrapped = store.read::<Secrets>(&row)?;
        let wrapped = wrapped.ok_or(KeyError::Missing { what })?;
        let secret = self
            .log_key
            .unwrap_class_secret(&wrapped, &self.origin_sha256, of)
            .map_err(|source| KeyError::Wrapped { what, source })?;
        let keys = Arc::new(Subkeys::new(&secret));
        let mut cached = self.lock();
        if cached.destroyed.contains(&whose) {
            return Err(KeyError::Missing { what });
        }
        if cached.keys.len() >= CACHED_MAX {
            // The oldest interval is the one least likely to be asked for again.
            cached.keys.pop_first();
        }
        cached.keys.insert(whose, Arc::clone(&keys));
        Ok(keys)
    }

    /// Forgets a secret whose row was destroyed: of a class as it was sealed (0), or as it was carried over.
    pub fn forget(&self, interval: IntervalId, class: Class, carried: u32) {
        let mut cached = self.lock();
        let whose = (interval, class, carried);
        cached.destroyed.insert(whose);
        cached.keys.remove(&whose);
    }

    fn lock(&self) -> MutexGuard<'_, Cached> {
        // The maps are consistent whatever panicked while they were locked.
        self.cached.lock().unwrap_or_else(PoisonError::into_inner)
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

/// The rotations in force from a number on, in order.
pub fn rotations(
    store: &dyn Store,
    first: u32,
) -> impl Iterator<Item = Result<Rotation, StoreError>> {
    // One row after the other: each is read when it is wanted, and the first that is not there ends them.
    let mut number = first;
    std::iter::from_fn(move || {
        let row = store.read::<State>(&StateKey::Rotation(number));
        number = number.checked_add(1)?;
        match row {
            Err(error) => Some(Err(error)),
            Ok(Some(StateRow::Rotation(rotation)))
                if rotation.number.checked_add(1) == Some(number) =>
            {
                Some(Ok(rotation))
            }
            Ok(None) => None,
            Ok(Some(_)) => {
                let text = "a rotation stands under the number of another";
                Some(Err(StoreError::Corrupt(text.to_owned())))
            }
        }
    })
}

/// All keys of the log, of which the current one is given.
pub fn chain(store: &dyn Store, current: &VerifierKey) -> Result<KeyChain, KeyError> {
    let rotations: Vec<Rotation> = rotations(store, 0)
        .take(ROTATIONS_MAX)
        .collect::<Result<_, _>>()?;
    let retired = rotations.iter().map(|rotation| &rotation.retired);
    let mut keys = retired.chain([current]).cloned();
    let Some(first) = keys.next() else {
        return Ok(KeyChain::new(current.clone()));
    };
    let mut chain = KeyChain::new(first);
    for (rotation, key) in rotations.iter().zip(keys) {
        let number = rotation.number;
        let taken = chain.rotate(key, rotation.size());
        taken.map_err(|flaw| KeyError::Rotation { number, flaw })?;
    }
    Ok(chain)
}

/// Of which act a detail is: the code of its row beside it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DetailOf {
    /// On a hold.
    Hold(LeafIndex, u8),
    /// The erasure of a record.
    Erasure(LeafIndex, u8),
}

impl From<DetailOf> for SecretUse {
    fn from(of: DetailOf) -> Self {
        match of {
            DetailOf::Hold(hold, step) => Self::HoldDetail {
                hold: hold.get(),
                step,
            },
            DetailOf::Erasure(record, step) => Self::ErasureDetail {
                record: record.get(),
                step,
            },
        }
    }
}

fn held_use(copy: HeldCopy) -> SecretUse {
    SecretUse::Held {
        interval: copy.interval.get(),
        class: copy.class,
        carried: copy.carried,
    }
}

fn class_use(interval: IntervalId, class: Class) -> SecretUse {
    SecretUse::Class {
        interval: interval.get(),
        class,
    }
}
