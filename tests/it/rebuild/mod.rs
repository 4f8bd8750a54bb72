//! A log built again from packages, contents and secrets alone: the same tree, indexes and proofs, or a refusal that
//! names what is wrong.

#![allow(clippy::disallowed_methods, reason = "a child is killed in real time")]

mod again;
mod damage;
mod gone;
mod program;
mod same;

use crate::support::sealing::{Sealing, close_all};
use crate::support::*;
use ceralacca::access::{self, Principal, Role, Standing};
use ceralacca::archive::{Archive, Log};
use ceralacca::desk::{HoldOrder, Scope, SearchQuery};
use ceralacca::ingest::{ClientKey, LogDeclared, Submission};
use ceralacca::rebuild::{self, RebuildError, Rebuilt, Sources, export};
use ceralacca::sequencer;
use ceralacca::store::rocks::{Mode, RocksStore};
use ceralacca::store::{Order, outside};
use ceralacca::trust::{Bundle, Item, What};
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::hold::HoldAuthority;
use ceralacca_formats::id::{IntervalId, LeafIndex, TreeSize, UtcMillis};
use ceralacca_formats::leaf::{Class, Kind};
use ceralacca_formats::metadata::{Field, ObjectRecord};
use ceralacca_formats::note::VerifierKey;
use ceralacca_pec::logs::Format;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// A log at rest that holds every kind of record, and what it was exported to.
struct World {
    test: TestLog,
    exported: tempfile::TempDir,
    closed: Vec<IntervalId>,
    size: TreeSize,
    first_key: VerifierKey,
}

impl World {
    fn packages(&self) -> PathBuf {
        self.test.path().join("packages")
    }

    fn contents(&self) -> PathBuf {
        self.exported.path().join("contents")
    }

    fn secrets(&self) -> PathBuf {
        self.exported.path().join("secrets")
    }

    /// The checkpoint beside the database: the newest that anybody holds.
    fn checkpoint(&self) -> Vec<u8> {
        outside::read_checkpoint(&self.test.path())
            .unwrap()
            .unwrap()
    }

    /// Rebuilds from what was exported, each source replaced where a test says so.
    fn rebuild(&self, from: &From<'_>, data: &Path) -> Result<Rebuilt, RebuildError> {
        let packages = [from.packages.map_or(self.packages(), Path::to_owned)];
        let contents = from.contents.map_or(self.contents(), Path::to_owned);
        let secrets = from.secrets.map_or(self.secrets(), Path::to_owned);
        let known = [(
            "prova".to_owned(),
            from.known.clone().unwrap_or(self.checkpoint()),
        )];
        let sources = Sources {
            packages: &packages,
            contents: &contents,
            secrets: &secrets,
            known: &known,
        };
        rebuild::rebuild(&sources, data, &master(), &self.test.settings, &|_, _| {})
    }
}

/// Where a rebuild reads something else.
#[derive(Default)]
struct From<'a> {
    packages: Option<&'a Path>,
    contents: Option<&'a Path>,
    secrets: Option<&'a Path>,
    known: Option<Vec<u8>>,
}

fn directory(data: &Path) -> PathBuf {
    Archive::directory_of(data, &log_id())
}

fn copy(from: &Path, to: &Path) {
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

fn copied(from: &Path) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    copy(from, to.path());
    to
}

fn put_traces(log: &Log, seed: u64, count: usize) {
    let ingest = ingest(log);
    for (number, record) in traces(seed, count).into_iter().enumerate() {
        let key = ClientKey(format!("{seed}-{number}").into_bytes());
        let submission = Submission::trace(Class::Trace, record, Some(key));
        ingest.record(submission).unwrap();
    }
}

/// Objects of these lengths, each with the facts beside it.
fn put_objects(log: &Log, seed: u64, class: Class, lengths: &[usize]) {
    let facts = traces(seed, lengths.len());
    for (length, facts) in lengths.iter().zip(facts) {
        let bytes: Vec<u8> = (0..*length)
            .map(|i| (i as u64 * 131 + seed) as u8)
            .collect();
        let content = ingest(log).content(class, bytes).unwrap();
        let record = ObjectRecord::default();
        let facts = Some((Class::Trace, facts));
        let submission = Submission::object(Kind::Receipt, class, record, content, facts, None);
        ingest(log).record(submission).unwrap();
    }
}

fn put_log_file(log: &Log) {
    let text = "Mag  7 09:00:05 2007 PEC_Milter root [7]: avviato\naltro che non si legge\n";
    let files = ingest(log).log_files();
    let declared = LogDeclared {
        name: "PEC2-2007-05-07.log".to_owned(),
        format: Format::ALL[0],
        date: None,
        piece: None,
        migration: None,
    };
    let mut upload = files.upload(declared).unwrap();
    upload.write(text.as_bytes()).unwrap();
    let import = upload.finish(&Sha256::of(text.as_bytes())).unwrap();
    import.lines(|_| ControlFlow::Continue(())).unwrap();
}

/// A search, which is a disclosure.
fn search(log: &Log, field: Field, term: &[u8]) -> Vec<u64> {
    let permit = permit::<access::Search>("gestore-lettura", Role::Provider);
    let desk = log.desk(&permit).unwrap();
    let query = SearchQuery {
        party: None,
        terms: vec![(field, term.to_vec())],
        ..SearchQuery::default()
    };
    let page = desk.search(&query, Order::Ascending, 1000, None).unwrap();
    let records = page.unwrap().records;
    let indexes = records.iter().map(|shown| shown.opened.leaf.seq.get());
    indexes.collect()
}

fn permit<A: access::Act>(name: &str, role: Role) -> access::Permit<A> {
    let principal = Principal::new(name, vec![(log_id(), Standing::Role(role))]);
    access::authorize(&principal, &log_id(), UtcMillis::new(START_MS)).unwrap()
}

fn set_hold(log: &Log, event: &[u8]) -> LeafIndex {
    let permit = permit::<access::Hold>("anna", Role::Provider);
    let query = SearchQuery {
        terms: vec![(Field::Event, event.to_vec())],
        ..SearchQuery::default()
    };
    let order = HoldOrder {
        scope: Scope::Query(query),
        authority: HoldAuthority::Judicial,
        act: "decreto 12/2026".to_owned(),
        start: None,
        end: None,
    };
    log.desk(&permit).unwrap().set_hold(order).unwrap().hold
}

fn release_hold(log: &Log, hold: LeafIndex) {
    let [anna, bruno] =
        ["anna", "bruno"].map(|name| permit::<access::Release>(name, Role::Approver));
    let proposed = log.desk(&anna).unwrap().propose_release(hold, "prova");
    proposed.unwrap();
    let released = log.desk(&bruno).unwrap().release_hold(hold, "prova");
    released.unwrap();
}

fn make() -> World {
    let test = TestLog::new();
    let sealing = Sealing::new(&test.clock, true);
    let log = test.open();
    let first_key = log.verifier().clone();
    let anchor = Item::held(What::Anchor, sealing.root.clone());
    log.judge_with(&Bundle::new(vec![Arc::new(anchor)]).unwrap())
        .unwrap();
    put_traces(&log, 1, 600);
    put_objects(&log, 2, Class::Receipt, &[0, 1, 5000, 65_537, 3 << 20]);
    put_objects(&log, 3, Class::Infected, &[700]);
    put_objects(&log, 4, Class::Content, &[90_000]);
    let unclassified = b"nulla che si capisca".to_vec();
    let declared = ceralacca::ingest::Declared::default();
    let submission = ingest(&log).object(unclassified, declared, None).unwrap();
    ingest(&log).record(submission).unwrap();
    put_log_file(&log);
    search(&log, Field::Event, b"accettazione");
    let held = set_hold(&log, b"posta-certificata");
    set_hold(&log, b"presa-in-carico");
    release_hold(&log, held);
    test.clock.pass(DAY_MS);
    log.tick().unwrap();
    // An interval without a record.
    test.clock.pass(DAY_MS);
    log.tick().unwrap();
    close_all(&log, &sealing);
    log.rotate_key(&first_key).unwrap();
    let log = test.open();
    put_traces(&log, 5, 300);
    put_objects(&log, 6, Class::Receipt, &[300]);
    test.clock.pass(DAY_MS);
    log.tick().unwrap();
    let closed = close_all(&log, &sealing);
    assert_eq!(closed.len(), 1);
    // What no package holds: an interval that was cut, and the open one.
    put_traces(&log, 7, 40);
    put_objects(&log, 8, Class::Receipt, &[100, 70_000]);
    test.clock.pass(DAY_MS);
    log.tick().unwrap();
    put_traces(&log, 9, 20);
    log.stop().unwrap();
    let state = log.reader().published();
    let spans = state.spans.iter().filter(|span| span.closed.is_some());
    let closed: Vec<IntervalId> = spans.map(|span| span.id).collect();
    assert_eq!((closed.len(), state.spans.len()), (3, 5));
    let size = state.tip.size;
    drop(log);
    let exported = tempfile::tempdir().unwrap();
    let world = World {
        test,
        exported,
        closed,
        size,
        first_key,
    };
    write_export(&world.test.path(), &world.contents(), &world.secrets());
    world
}

fn write_export(log: &Path, contents: &Path, secrets: &Path) -> [export::Summary; 2] {
    let store = RocksStore::open(&outside::database_of(log), Mode::Read).unwrap();
    let checkpoint = outside::read_checkpoint(log).unwrap().unwrap();
    let log = export::Log {
        store: &store,
        checkpoint: std::str::from_utf8(&checkpoint).unwrap(),
    };
    assert!(sequencer::tip(&store).unwrap().size.get() > 0);
    [
        export::contents(&log, contents, &mut |_| {}).unwrap(),
        export::secrets(&log, secrets).unwrap(),
    ]
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(make)
}
