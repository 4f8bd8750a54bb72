//! Disposal, carried out in store and packages: what goes, what stays, what is refused, and what a crash leaves.

mod afterwards;
mod attacks;
mod carried_out;
mod decade;
pub mod held;
mod markers;
mod served;
mod steps;

use crate::support::sealing::{Sealing, close_all};
use crate::support::*;
use ceralacca::access::{self, Act, Permit, Principal, Role, Standing};
use ceralacca::archive::{self, ArchiveError, Log, Settings};
use ceralacca::disposal::{
    Approved, DisposalError, DisposalProbe, DisposalRules, Intended, Step, UnitVerdict,
};
use ceralacca::ingest::Submission;
use ceralacca::seal::Authorities;
use ceralacca::sequencer::OpenError;
use ceralacca::store::StoreError;
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::disposal::DisposalUnit;
use ceralacca_formats::id::{IntervalId, LeafIndex, UtcMillis};
use ceralacca_formats::leaf::{Class, Kind};
use ceralacca_formats::metadata::{ObjectRecord, TraceRecord};
use ceralacca_retention::{Policy, Refusal, RetentionClass, StoreKind, Term};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// Days that the first interval of the archive lies back: a month, its holidays and a reserve.
const DAYS: usize = 36;
/// Objects of the first interval whose class is due: small ones, and a large one.
pub const RECEIPTS: usize = 7;
/// The one of them that has a trace record of its facts beside it.
const ACCOMPANIED: usize = 5;
/// What that trace record is found by.
const IDENTIFICATIVO: &str = "t5@pec.example.test";

/// What the archive of [`base`] holds of its first interval.
#[derive(Clone)]
pub struct Known {
    pub interval: IntervalId,
    /// Leaf, content and Message-ID of each receipt.
    pub receipts: Vec<(LeafIndex, Vec<u8>, String)>,
    /// Leaf and content of an object whose class is not due.
    pub content: (LeafIndex, Vec<u8>),
    /// Leaves of the trace.
    traces: Vec<LeafIndex>,
    /// Proof files made while everything was there: of a receipt, and of a trace record.
    proofs: [String; 2],
}

struct Base {
    directory: tempfile::TempDir,
    /// The root of what sealed and stamped it, PEM.
    root: String,
    now: u64,
    known: Known,
}

/// Receipts for a month; all else as the law has it.
pub fn rules() -> DisposalRules {
    let month = Term::of_months(1).unwrap();
    DisposalRules {
        policy: Policy::default()
            .with(RetentionClass::Receipt, month)
            .unwrap(),
        ..DisposalRules::default()
    }
}

fn settings_of(clock: &Arc<MovableClock>) -> Settings {
    Settings {
        disposal: rules(),
        ..settings(clock)
    }
}

fn receipt(number: usize) -> Vec<u8> {
    let mark = format!("MARCATORE-{number:04}-ricevuta inventata ");
    let length = if number + 1 == RECEIPTS {
        2_600_000
    } else {
        400 + 40_000 * (number % 2)
    };
    let mut bytes = mark.repeat(length / mark.len() + 1).into_bytes();
    bytes.truncate(length);
    bytes
}

fn put(log: &Log, class: Class, kind: Kind, bytes: &[u8], id: &str) -> LeafIndex {
    put_with(log, (class, kind), bytes, id, None)
}

fn put_with(
    log: &Log,
    (class, kind): (Class, Kind),
    bytes: &[u8],
    id: &str,
    facts: Option<TraceRecord>,
) -> LeafIndex {
    let content = ingest(log).content(class, bytes.to_vec()).unwrap();
    let record = ObjectRecord {
        message_id: Some(id.into()),
        ..ObjectRecord::default()
    };
    let facts = facts.map(|facts| (Class::Trace, facts));
    let submission = Submission::object(kind, class, record, content, facts, None);
    let acknowledged = ingest(log).record(submission).unwrap();
    acknowledged.records[0].leaf.seq
}

fn make(kind: StoreKind, days: usize) -> Base {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let clock = MovableClock::at(START_MS);
    let sealing = Sealing::named(&clock, kind == StoreKind::Production, "uno");
    let settings = settings_of(&clock);
    archive::init_as(&path, &log_id(), &origin(), &master(), &settings, kind).unwrap();
    let log = Log::open(&path, &master(), &settings).unwrap();
    let mut traces_at = Vec::new();
    for record in traces(1, 40) {
        let submission = Submission::trace(Class::Trace, record, None);
        let acknowledged = ingest(&log).record(submission).unwrap();
        traces_at.push(acknowledged.records[0].leaf.seq);
    }
    let mut receipts = Vec::new();
    for number in 0..RECEIPTS {
        let (bytes, id) = (receipt(number), format!("r{number}@pec.example.test"));
        let facts = (number == ACCOMPANIED).then(|| TraceRecord {
            identificativo: Some(IDENTIFICATIVO.into()),
            ..traces(2, 1).remove(0)
        });
        let of = (Class::Receipt, Kind::Receipt);
        let index = put_with(&log, of, &bytes, &id, facts);
        receipts.push((index, bytes, id));
    }
    let other = vec![b'x'; 50_000];
    let content = put(
        &log,
        Class::Content,
        Kind::Envelope,
        &other,
        "b@pec.example.test",
    );
    let state = log.reader().published();
    let proof = |index| log.reader().proof(&state, index).unwrap().to_text();
    let known = Known {
        interval: state.spans[0].id,
        proofs: [proof(receipts[0].0), proof(traces_at[0])],
        receipts,
        content: (content, other),
        traces: traces_at,
    };
    for day in 0..days {
        if day == 20 {
            // Another interval has receipts too: they are not due yet.
            put(
                &log,
                Class::Receipt,
                Kind::Receipt,
                b"domani",
                "d@pec.example.test",
            );
        }
        clock.pass(DAY_MS);
        log.tick().unwrap();
        assert_eq!(close_all(&log, &sealing).len(), 1);
    }
    log.stop().unwrap();
    Base {
        directory,
        root: sealing.root_pem(),
        now: clock.now(),
        known,
    }
}

/// An archive whose first interval has receipts that are due, made once: each test takes a copy.
fn base() -> &'static Base {
    static BASE: OnceLock<Base> = OnceLock::new();
    BASE.get_or_init(|| make(StoreKind::Production, DAYS))
}

pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// A copy of the archive, open, with two authorities whose clock is right.
pub struct House {
    pub directory: tempfile::TempDir,
    pub clock: Arc<MovableClock>,
    pub settings: Settings,
    /// The first authority, who seals too, and the second.
    pub sealings: [Sealing; 2],
    pub known: Known,
    pub log: Log,
}

impl House {
    pub fn new() -> Self {
        Self::of(base())
    }

    fn of(base: &Base) -> Self {
        let directory = tempfile::tempdir().unwrap();
        copy(base.directory.path(), directory.path());
        let clock = MovableClock::at(base.now);
        let settings = settings_of(&clock);
        let sealings = ["uno", "due"].map(|name| Sealing::named(&clock, true, name));
        let log = open(&directory.path().join("log"), &settings);
        Self {
            directory,
            clock,
            settings,
            sealings,
            known: base.known.clone(),
            log,
        }
    }

    pub fn path(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    /// Stops the log and opens it again.
    pub fn reopen(self) -> Self {
        self.log.stop().unwrap();
        let Self {
            directory,
            clock,
            settings,
            sealings,
            known,
            log,
        } = self;
        drop(log);
        let log = open(&directory.path().join("log"), &settings);
        Self {
            directory,
            clock,
            settings,
            sealings,
            known,
            log,
        }
    }

    pub fn authorities(&self) -> Authorities {
        let [one, two] = &self.sealings;
        one.with(vec![Arc::clone(&one.tsa) as _, Arc::clone(&two.tsa) as _])
    }

    pub fn unit(&self) -> DisposalUnit {
        DisposalUnit {
            interval: self.known.interval,
            class: Class::Receipt,
            carried: 0,
        }
    }

    /// Hours go by, in which the service ticks.
    fn pass_hours(&self, hours: u64) {
        for _ in 0..hours {
            self.clock.pass(HOUR_MS);
            self.log.disposer().tick().unwrap();
        }
    }

    fn intend(&self) -> Intended {
        let permit = permit::<access::Dispose>("gestione", Role::Operator);
        let disposer = self.log.disposer();
        disposer.intend(&permit, &self.authorities(), &[]).unwrap()
    }

    fn approve(&self, name: &str, intent: &Intended) -> Result<Approved, DisposalError> {
        let permit = permit::<access::Approve>(name, Role::Approver);
        let disposer = self.log.disposer();
        disposer.approve(&permit, intent.intent, intent.hash)
    }

    /// An intent of what is due, approved by two; the grace is over.
    pub fn ready(&self) -> Intended {
        let intent = self.intend();
        self.approve("anna", &intent).unwrap();
        self.approve("bruno", &intent).unwrap();
        self.pass_hours(73);
        intent
    }

    /// Takes every step that is due.
    pub fn run(&self) -> Vec<(DisposalUnit, Step)> {
        let mut taken = Vec::new();
        let probe = DisposalProbe::default();
        while let Some(step) = self
            .log
            .disposer()
            .advance(&self.authorities(), &probe)
            .unwrap()
        {
            taken.push(step);
        }
        taken
    }

    pub fn advance(&self) -> Result<Option<(DisposalUnit, Step)>, DisposalError> {
        let probe = DisposalProbe::default();
        self.log.disposer().advance(&self.authorities(), &probe)
    }

    fn verdict(&self, unit: DisposalUnit) -> Option<UnitVerdict> {
        let plan = self.log.disposer().plan(&self.authorities()).unwrap();
        let units = plan.units.iter();
        units
            .filter(|report| report.unit == unit)
            .map(|report| report.verdict)
            .next()
    }

    pub fn content(&self, index: LeafIndex) -> Vec<u8> {
        let reader = self.log.reader();
        let opened = reader.record(&reader.published(), index).unwrap();
        let mut bytes = Vec::new();
        opened
            .content(reader.store(), |piece| bytes.extend_from_slice(piece))
            .unwrap();
        bytes
    }

    /// The oracle, with the log closed.
    fn check(self) -> ceralacca::audit::fsck::Report {
        self.log.stop().unwrap();
        let path = self.path();
        drop(self.log);
        let report = check_directory(&path);
        assert!(report.is_clean(), "{:?}", report.damages);
        report
    }
}

/// What is refused because an approval, or the intent, is not in the log.
fn assert_not_on_record<T: std::fmt::Debug>(refused: &Result<T, DisposalError>) {
    let is_refused = matches!(
        refused,
        Err(DisposalError::Refused(Refusal::NotOnRecord { .. }))
    );
    assert!(is_refused, "{refused:?}");
}

fn open(path: &Path, settings: &Settings) -> Log {
    for _ in 0..200 {
        match Log::open(path, &master(), settings) {
            // A child of another test may still hold a copy of the lock.
            Err(
                ArchiveError::Open(OpenError::Store(StoreError::InUse(_)))
                | ArchiveError::Store(StoreError::InUse(_)),
            ) => std::thread::sleep(std::time::Duration::from_millis(10)),
            opened => return opened.unwrap(),
        }
    }
    panic!("the log stays in use");
}

fn permit<A: Act>(name: &str, role: Role) -> Permit<A> {
    let principal = Principal::new(name, vec![(log_id(), Standing::Role(role))]);
    access::authorize(&principal, &log_id(), UtcMillis::new(START_MS)).unwrap()
}

/// SHA-256 of a leaf's hash, as an approval names it.
fn hash_of(log: &Log, index: LeafIndex) -> Sha256 {
    let reader = log.reader();
    let leaf = reader.leaf(&reader.published(), index).unwrap();
    Sha256::from_bytes(*leaf.hash().as_bytes())
}
