//! What the tests share: a log in a temporary directory or in memory, clocks that move, stores that fail.

pub mod program;
pub mod sealing;
pub mod tls;

use ceralacca::access::{self, Principal, Role, Standing};
use ceralacca::ambient::{Clock, Entropy};
use ceralacca::archive::{self, ArchiveError, Log, Settings};
use ceralacca::audit::fsck;
use ceralacca::ingest::Ingest;
use ceralacca::keyring::Keyring;
use ceralacca::sequencer::OpenError;
use ceralacca::store::cf::Family;
use ceralacca::store::rocks::{Mode, RocksStore};
use ceralacca::store::{Batch, KeyRange, Order, Scan, Store, StoreError, outside};
use ceralacca_formats::id::{LogId, Origin, UtcMillis};
use ceralacca_formats::metadata::TraceRecord;
use ceralacca_formats::secret::MasterKey;
pub use ceralacca_synthetic::traffic;
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha20Rng;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub const START_MS: u64 = 1_763_700_000_000;
pub const HOUR_MS: u64 = 3_600_000;
pub const DAY_MS: u64 = 24 * HOUR_MS;

/// A clock whose wall and monotone time the test moves, together or apart.
pub struct MovableClock {
    wall: AtomicU64,
    monotone: AtomicU64,
}

impl MovableClock {
    pub fn at(wall: u64) -> Arc<Self> {
        Arc::new(Self {
            wall: AtomicU64::new(wall),
            monotone: AtomicU64::new(0),
        })
    }

    /// Time passes.
    pub fn pass(&self, ms: u64) {
        self.wall.fetch_add(ms, Ordering::SeqCst);
        self.monotone.fetch_add(ms, Ordering::SeqCst);
    }

    /// The wall clock steps; no time passes.
    pub fn step_to(&self, wall: u64) {
        self.wall.store(wall, Ordering::SeqCst);
    }

    pub fn now(&self) -> u64 {
        self.wall.load(Ordering::SeqCst)
    }
}

impl Clock for MovableClock {
    fn wall(&self) -> UtcMillis {
        UtcMillis::new(self.now())
    }

    fn monotone(&self) -> Duration {
        Duration::from_millis(self.monotone.load(Ordering::SeqCst))
    }
}

/// Reproducible bytes from a seed.
pub struct SeededEntropy(Mutex<ChaCha20Rng>);

impl SeededEntropy {
    pub fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self(Mutex::new(ChaCha20Rng::seed_from_u64(seed))))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        self.0.lock().unwrap().fill_bytes(buffer);
    }
}

pub fn master() -> MasterKey {
    MasterKey::from_bytes([0x4d; 32])
}

pub fn log_id() -> LogId {
    LogId::try_from("gestore-1").unwrap()
}

pub fn origin() -> Origin {
    Origin::try_from("pec.example.test/log").unwrap()
}

pub fn settings(clock: &Arc<MovableClock>) -> Settings {
    Settings {
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        ..Settings::default()
    }
}

/// What submits to a log, as its provider does.
pub fn ingest(log: &Log) -> Ingest {
    ingest_as(log, "piattaforma-1")
}

/// What submits to a log for a principal of this name.
pub fn ingest_as(log: &Log, name: &str) -> Ingest {
    let standings = vec![(log.id().clone(), Standing::Role(Role::Provider))];
    let principal = Principal::new(name, standings);
    let permit = access::authorize(&principal, log.id(), UtcMillis::new(START_MS)).unwrap();
    log.ingest(&permit).unwrap()
}

/// A log in a temporary directory.
pub struct TestLog {
    pub directory: tempfile::TempDir,
    pub clock: Arc<MovableClock>,
    pub settings: Settings,
}

impl TestLog {
    pub fn new() -> Self {
        let clock = MovableClock::at(START_MS);
        let settings = settings(&clock);
        let directory = tempfile::tempdir().unwrap();
        archive::init(
            &directory.path().join("log"),
            &log_id(),
            &origin(),
            &master(),
            &settings,
        )
        .unwrap();
        Self {
            directory,
            clock,
            settings,
        }
    }

    pub fn path(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    /// Opens the log. Another test of this process may be starting a program just now: between fork and exec
    /// the child holds a copy of every lock, so a log that was closed a moment ago may still seem in use.
    pub fn open(&self) -> Log {
        for _ in 0..200 {
            match Log::open(&self.path(), &master(), &self.settings) {
                Err(
                    ArchiveError::Open(OpenError::Store(StoreError::InUse(_)))
                    | ArchiveError::Store(StoreError::InUse(_)),
                ) => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                opened => return opened.unwrap(),
            }
        }
        panic!("the log stays in use");
    }

    /// The oracle: everything on disk, checked from scratch. The log must not be open.
    pub fn check(&self) -> fsck::Report {
        check_directory(&self.path())
    }
}

/// `fsck` of a log directory that no process has open.
pub fn check_directory(path: &Path) -> fsck::Report {
    let store = RocksStore::open(&outside::database_of(path), Mode::Read).unwrap();
    check_store(&store, outside::read_checkpoint(path).unwrap())
}

/// `fsck` of a store.
pub fn check_store(store: &dyn Store, outside: Option<Vec<u8>>) -> fsck::Report {
    let (keyring, signer) = Keyring::open(store, &master(), &origin()).unwrap();
    let subject = fsck::Subject {
        store,
        keyring: &keyring,
        verifier: signer.verifier(),
        outside,
    };
    fsck::check(&subject, &mut |_| {})
}

/// Trace records of a seed.
pub fn traces(seed: u64, count: usize) -> Vec<TraceRecord> {
    traffic::Traffic::new(seed, START_MS as i64)
        .take(count)
        .collect()
}

/// What a faulty store does at its chosen commit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// The batch is not written; the commit fails.
    Lost,
    /// The batch is written; the commit fails all the same.
    Persisted,
}

/// A store that fails one commit, and refuses every later write as the trait demands.
pub struct FaultyStore {
    pub inner: Arc<dyn Store>,
    left: AtomicU64,
    fault: Fault,
    stopped: std::sync::atomic::AtomicBool,
}

impl FaultyStore {
    /// Fails the commit after `good` good ones.
    pub fn new(inner: Arc<dyn Store>, good: u64, fault: Fault) -> Arc<Self> {
        Arc::new(Self {
            inner,
            left: AtomicU64::new(good),
            fault,
            stopped: false.into(),
        })
    }
}

impl Store for FaultyStore {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.get(family, key)
    }

    fn scan(&self, family: Family, range: &KeyRange, order: Order) -> Scan<'_> {
        self.inner.scan(family, range, order)
    }

    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        if self.stopped.load(Ordering::SeqCst) {
            return Err(StoreError::Stopped);
        }
        let left = self.left.load(Ordering::SeqCst);
        if left > 0 {
            self.left.store(left - 1, Ordering::SeqCst);
            return self.inner.commit(batch);
        }
        self.stopped.store(true, Ordering::SeqCst);
        if self.fault == Fault::Persisted {
            self.inner.commit(batch)?;
        }
        Err(StoreError::DiskFull)
    }

    fn add_run(
        &self,
        family: Family,
        keys: &mut dyn Iterator<Item = Vec<u8>>,
    ) -> Result<(), StoreError> {
        if self.stopped.load(Ordering::SeqCst) {
            return Err(StoreError::Stopped);
        }
        self.inner.add_run(family, keys)
    }

    fn disk_bytes(&self, family: Family) -> Result<u64, StoreError> {
        self.inner.disk_bytes(family)
    }

    fn settle(&self) -> Result<(), StoreError> {
        self.inner.settle()
    }
}
