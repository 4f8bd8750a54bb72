//! A log that must not open does not, says precisely why, and is not touched.

use crate::support::*;
use ceralacca::archive::{self, ArchiveError, Log};
use ceralacca::ingest::Submission;
use ceralacca::sequencer::OpenError;
use ceralacca::store::{StoreError, outside};
use ceralacca_formats::leaf::Class;
use std::process::Command;

fn message(result: Result<Log, ArchiveError>) -> String {
    match result {
        Ok(_) => panic!("the log opened"),
        Err(error) => format!("{:#}", anyhow::Error::from(error)),
    }
}

fn fill(test: &TestLog, seed: u64, count: usize) {
    let log = test.open();
    for record in traces(seed, count) {
        ingest(&log)
            .record(Submission::trace(Class::Trace, record, None))
            .unwrap();
    }
    log.stop().unwrap();
}

#[test]
fn opening_never_creates() {
    let directory = tempfile::tempdir().unwrap();
    let clock = MovableClock::at(START_MS);
    let path = directory.path().join("nothing");
    let found = message(Log::open(&path, &master(), &settings(&clock)));
    assert!(found.starts_with("no log in "), "{found}");
    assert!(!path.exists());
}

#[test]
fn init_never_overwrites() {
    let test = TestLog::new();
    fill(&test, 1, 3);
    let again = archive::init(
        &test.path(),
        &log_id(),
        &origin(),
        &master(),
        &test.settings,
    );
    assert!(matches!(
        again,
        Err(ArchiveError::Store(StoreError::Exists(_)))
    ));
    assert_eq!(test.check().leaves, 4);
}

#[test]
fn an_init_that_was_interrupted_is_begun_again() {
    let test = TestLog::new();
    std::fs::remove_file(test.path().join("format")).unwrap();
    let found = message(Log::open(&test.path(), &master(), &test.settings));
    assert!(found.starts_with("no log in "), "{found}");
    archive::init(
        &test.path(),
        &log_id(),
        &origin(),
        &master(),
        &test.settings,
    )
    .unwrap();
    fill(&test, 1, 3);
    assert!(test.check().is_clean());
}

#[test]
fn a_directory_in_use_is_refused() {
    let test = TestLog::new();
    let log = test.open();
    let found = message(Log::open(&test.path(), &master(), &test.settings));
    assert!(found.contains("is in use by another process"), "{found}");
    drop(log);
    test.open();
}

#[test]
fn an_unknown_disk_format_is_refused_before_the_database_is_touched() {
    let test = TestLog::new();
    fill(&test, 1, 3);
    let before = listing(&test);
    std::fs::write(test.path().join("format"), "ceralacca log format 2\n").unwrap();
    let found = message(Log::open(&test.path(), &master(), &test.settings));
    assert_eq!(found, "disk format version 2 is not 1");
    std::fs::write(test.path().join("format"), "something else").unwrap();
    let found = message(Log::open(&test.path(), &master(), &test.settings));
    assert!(found.contains("file `format` is malformed"), "{found}");
    std::fs::write(test.path().join("format"), "ceralacca log format 1\n").unwrap();
    assert_eq!(listing(&test), before);
    test.open();
}

fn listing(test: &TestLog) -> Vec<(std::path::PathBuf, u64)> {
    let mut files: Vec<_> = std::fs::read_dir(outside::database_of(&test.path()))
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.path(), entry.metadata().unwrap().len()))
        .collect();
    files.sort();
    files
}

#[test]
fn a_store_behind_its_published_checkpoint_is_refused() {
    let test = TestLog::new();
    fill(&test, 1, 10);
    let old = tempfile::tempdir().unwrap();
    let copy = old.path().join("db");
    copy_directory(&outside::database_of(&test.path()), &copy);
    fill(&test, 2, 10);
    // The operator restores an old copy of the database: ten acknowledged records are missing.
    std::fs::remove_dir_all(outside::database_of(&test.path())).unwrap();
    copy_directory(&copy, &outside::database_of(&test.path()));
    let found = Log::open(&test.path(), &master(), &test.settings);
    let Err(ArchiveError::Open(OpenError::Behind { store, published })) = found else {
        panic!("not refused")
    };
    assert_eq!((store.get(), published.get()), (11, 22));
}

#[test]
fn a_store_that_contradicts_its_published_checkpoint_is_refused() {
    let (one, other) = (TestLog::new(), TestLog::new());
    fill(&one, 1, 10);
    // Another history under the same keys: the copy of a log, continued differently.
    std::fs::remove_dir_all(other.path()).unwrap();
    copy_directory(&one.path(), &other.path());
    fill(&one, 2, 10);
    fill(&other, 3, 20);
    std::fs::copy(
        one.path().join("checkpoint"),
        other.path().join("checkpoint"),
    )
    .unwrap();
    let found = Log::open(&other.path(), &master(), &other.settings);
    assert!(matches!(
        found,
        Err(ArchiveError::Open(OpenError::Fork { .. }))
    ));
}

#[test]
fn a_missing_checkpoint_beside_the_database_is_refused() {
    let test = TestLog::new();
    fill(&test, 1, 3);
    std::fs::remove_file(test.path().join("checkpoint")).unwrap();
    let found = message(Log::open(&test.path(), &master(), &test.settings));
    assert!(
        found.contains("`checkpoint` beside the database is missing"),
        "{found}"
    );
}

fn copy_directory(from: &std::path::Path, to: &std::path::Path) {
    let done = Command::new("cp")
        .arg("-a")
        .arg(from)
        .arg(to)
        .status()
        .unwrap();
    assert!(done.success());
}

/// Runs a test of this binary as a child inside a small or read-only file system of its own.
fn in_mount(mount: &str, child: &str) -> Option<String> {
    let program = std::env::current_exe().unwrap();
    let script = format!(
        "set -e; d=$(mktemp -d); {mount}; CERALACCA_CHILD=$d exec {} --exact {child} --nocapture",
        program.display()
    );
    let output = Command::new("unshare")
        .args(["-rm", "sh", "-c", &script])
        .output();
    let output = match output {
        Ok(output) => output,
        Err(error) => return skipped(&format!("unshare: {error}")),
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    if text.contains("unshare failed") || text.contains("permission denied") {
        return skipped(&text);
    }
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}"
    );
    Some(text)
}

fn skipped(why: &str) -> Option<String> {
    assert!(
        std::env::var_os("CI").is_none(),
        "user namespaces are needed in CI: {why}"
    );
    println!("SKIPPED: needs user namespaces: {why}");
    None
}

#[test]
fn a_full_disk_is_said_loses_nothing_acknowledged_and_is_over_when_there_is_room() {
    in_mount(
        "mount -t tmpfs -o size=96m none $d",
        "refusals::child_on_a_full_disk",
    );
}

#[test]
fn child_on_a_full_disk() {
    let Some(directory) = std::env::var_os("CERALACCA_CHILD") else {
        return;
    };
    let directory = std::path::PathBuf::from(directory);
    let clock = MovableClock::at(START_MS);
    let (settings, path) = (settings(&clock), directory.join("log"));
    archive::init(&path, &log_id(), &origin(), &master(), &settings).unwrap();
    // Room that can be made later.
    std::fs::write(directory.join("ballast"), vec![7; 60 << 20]).unwrap();
    let log = Log::open(&path, &master(), &settings).unwrap();
    let mut acknowledged = Vec::new();
    let mut content = vec![0; 60_000];
    let error = loop {
        use ceralacca::ambient::Entropy;
        SeededEntropy::new(acknowledged.len() as u64).fill(&mut content);
        let object = ceralacca_formats::metadata::ObjectRecord::default();
        let held = ingest(&log)
            .content(Class::Content, content.clone())
            .unwrap();
        let submission = Submission::object(
            ceralacca_formats::leaf::Kind::Message,
            Class::Content,
            object,
            held,
            None,
            None,
        );
        match ingest(&log).record(submission) {
            Ok(acknowledgement) => acknowledged.push(acknowledgement),
            Err(error) => break error,
        }
        assert!(acknowledged.len() < 2000, "the disk never filled");
    };
    assert!(acknowledged.len() > 20);
    assert_eq!(error.to_string(), "writer stopped");
    let stopped = log.stop().unwrap_err();
    assert_eq!(
        format!("{:#}", anyhow::Error::from(stopped)),
        "commit: disk is full"
    );
    drop(log);
    std::fs::remove_file(directory.join("ballast")).unwrap();
    let log = Log::open(&path, &master(), &settings).unwrap();
    let state = log.reader().published();
    for acknowledgement in &acknowledged {
        let checkpoint = acknowledgement.verify(log.verifier()).unwrap();
        let opened = log
            .reader()
            .record(&state, acknowledgement.records[0].leaf.seq)
            .unwrap();
        opened.content(log.reader().store(), |_| {}).unwrap();
        let path = log
            .reader()
            .consistency(&state, checkpoint.size(), state.tip.size)
            .unwrap();
        ceralacca_formats::tree::verify_consistency(&checkpoint, &state.checkpoint, &path).unwrap();
    }
    drop(log);
    let report = check_directory(&path);
    assert!(report.is_clean(), "{:?}", report.damages);
}

#[test]
fn a_read_only_directory_is_said_and_not_touched() {
    in_mount(
        "mount -t tmpfs none $d",
        "refusals::child_on_a_read_only_disk",
    );
}

#[test]
fn child_on_a_read_only_disk() {
    let Some(directory) = std::env::var_os("CERALACCA_CHILD") else {
        return;
    };
    let path = std::path::PathBuf::from(&directory).join("log");
    let clock = MovableClock::at(START_MS);
    let settings = settings(&clock);
    archive::init(&path, &log_id(), &origin(), &master(), &settings).unwrap();
    let done = Command::new("mount")
        .args(["-o", "remount,ro"])
        .arg(&directory)
        .status()
        .unwrap();
    assert!(done.success());
    let found = message(Log::open(&path, &master(), &settings));
    assert!(found.ends_with("is read-only"), "{found}");
    let other = std::path::PathBuf::from(&directory).join("other");
    let found = archive::init(&other, &log_id(), &origin(), &master(), &settings);
    assert!(matches!(
        found,
        Err(ArchiveError::Store(StoreError::ReadOnly(_)))
    ));
    let report = check_directory(&path);
    assert!(report.is_clean(), "a read-only log can still be checked");
}
