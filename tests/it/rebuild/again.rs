//! A log that was rebuilt goes on, and only from where it was.

use super::*;
use crate::conformance::{PYTHON, are_there, folder};
use ceralacca::audit::Find;
use ceralacca::seal::SealError;
use ceralacca_formats::checkpoint::Checkpoint;
use ceralacca_formats::metadata::{CustodyRecord, Metadata};
use ceralacca_formats::tree::verify_consistency;
use std::process::Command;

#[test]
fn it_goes_on_with_an_epoch_and_a_restore_closes_intervals_and_is_rebuilt_once_more() {
    if !are_there(&[(PYTHON, &["-c", ""])]) {
        return;
    }
    let world = world();
    let data = tempfile::tempdir().unwrap();
    let rebuilt = world.rebuild(&From::default(), data.path()).unwrap();
    let path = directory(data.path());
    let clock = MovableClock::at(world.test.clock.now());
    let settings = settings(&clock);
    let log = Log::open(&path, &master(), &settings).unwrap();
    let state = log.reader().published();
    let at = |index: u64| {
        let index = LeafIndex::new(index);
        let opened = log.reader().record(&state, index).unwrap();
        (
            opened.leaf.kind,
            opened.leaf.epoch,
            opened.metadata().unwrap(),
        )
    };
    let last = world.size.get();
    let before = at(last - 1);
    assert_eq!((at(last).0, at(last + 1).0), (Kind::Epoch, Kind::Restore));
    assert_eq!(at(last).1.0, before.1.0 + 1);
    assert_eq!(rebuilt.restored, LeafIndex::new(last + 1));
    let restored = Metadata::Custody(CustodyRecord::Restored {
        size: u32::try_from(last).unwrap().into(),
        packages: 3.into(),
        known: Some(u32::try_from(last).unwrap().into()),
    });
    assert_eq!(at(last + 1).2, restored);
    let find = Find {
        interval: state.interval_of(LeafIndex::new(last + 1)),
        class: Class::Custody,
        field: Field::Event,
        term: b"restored",
        after: None,
        order: Order::Ascending,
        limit: 10,
    };
    assert_eq!(
        log.reader().candidates(&state, &find).unwrap(),
        [rebuilt.restored]
    );
    let old = Checkpoint::open(&world.checkpoint(), log.verifier()).unwrap();
    let path_of = log.reader().consistency(&state, old.size(), state.tip.size);
    verify_consistency(&old, &state.checkpoint, &path_of.unwrap()).unwrap();
    // A submission of before is known, as it was; records go on.
    let ticket = traces(9, 1).pop().unwrap();
    let key = ClientKey(b"9-0".to_vec());
    let again = Submission::trace(Class::Trace, ticket, Some(key));
    assert!(ingest(&log).record(again).unwrap().repeated);
    put_traces(&log, 20, 50);
    put_objects(&log, 21, Class::Receipt, &[400, 80_000]);
    clock.pass(DAY_MS);
    log.tick().unwrap();
    // The interval that was cut and the one that was open are closed now, from rows of every form.
    let closed = close_all(&log, &Sealing::new(&clock, true));
    assert_eq!(closed.len(), 2);
    for interval in closed {
        let out = tempfile::tempdir().unwrap();
        let package = log.sealer().package(interval).unwrap().unwrap();
        std::fs::write(
            out.path().join("catalogue.json"),
            package.catalogue_octets(),
        )
        .unwrap();
        for entry in &package.catalogue().files {
            let mut file = package.file(&entry.path).unwrap().unwrap();
            let mut octets = Vec::new();
            let taken = file.each(|piece| {
                octets.extend_from_slice(piece);
                Ok::<(), SealError>(())
            });
            assert_eq!(taken.unwrap(), entry.sha256);
            let path = out.path().join(&entry.path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, octets).unwrap();
        }
        let judge = || {
            let mut command = Command::new(PYTHON);
            command
                .arg(folder().join("check_package.py"))
                .arg(out.path());
            command.output().unwrap()
        };
        let judged = judge();
        assert!(judged.status.success(), "{judged:?}");
        let leaves = out.path().join("leaves.bin");
        let mut altered = std::fs::read(&leaves).unwrap();
        altered[40] ^= 1;
        std::fs::write(&leaves, altered).unwrap();
        assert!(!judge().status.success(), "a damaged twin is refused");
    }
    log.stop().unwrap();
    drop(log);
    let report = check_directory(&path);
    assert!(report.is_clean(), "{:?}", report.damages);
    // What was rebuilt is exported and rebuilt like any log.
    let exported = tempfile::tempdir().unwrap();
    let (contents, secrets) = (exported.path().join("c"), exported.path().join("s"));
    write_export(&path, &contents, &secrets);
    let packages = [path.join("packages")];
    let sources = Sources {
        packages: &packages,
        contents: &contents,
        secrets: &secrets,
        known: &[],
    };
    let twice = tempfile::tempdir().unwrap();
    let built = rebuild::rebuild(&sources, twice.path(), &master(), &settings, &|_, _| {});
    let built = built.unwrap();
    assert_eq!(built.packages, 5);
    assert_eq!(built.size.get(), report.leaves);
    let report = check_directory(&directory(twice.path()));
    assert!(report.is_clean(), "{:?}", report.damages);
}

#[test]
fn a_log_behind_a_checkpoint_that_somebody_holds_or_against_it_is_not_continued() {
    let world = world();
    // The same log goes on elsewhere for a while: what it signs there is ahead.
    let ahead = copied(&world.test.path());
    let log = Log::open(ahead.path(), &master(), &world.test.settings).unwrap();
    put_traces(&log, 30, 7);
    let note = log.reader().published().checkpoint.note().to_owned();
    log.stop().unwrap();
    drop(log);
    let data = tempfile::tempdir().unwrap();
    let from = From {
        known: Some(note.clone().into_bytes()),
        ..From::default()
    };
    let refused = world.rebuild(&from, data.path()).unwrap_err();
    let held = world.size.get();
    let text = refused.to_string();
    assert!(matches!(refused, RebuildError::Behind { .. }), "{text}");
    let missing = format!("leaves {held} to {} are missing", held + 7);
    assert!(text.contains(&missing), "{text}");
    assert!(outside::check_format(&directory(data.path())).is_err());
    // Secrets of later than the contents say the same.
    let later = tempfile::tempdir().unwrap();
    write_export(
        ahead.path(),
        &later.path().join("c"),
        &later.path().join("s"),
    );
    let secrets = later.path().join("s");
    let from = From {
        secrets: Some(&secrets),
        ..From::default()
    };
    let refused = world.rebuild(&from, data.path()).unwrap_err();
    assert!(matches!(refused, RebuildError::Behind { .. }), "{refused}");
    // Another tree under the same key: the first is continued otherwise.
    let other = copied(&world.test.path());
    let log = Log::open(other.path(), &master(), &world.test.settings).unwrap();
    put_traces(&log, 31, 7);
    log.stop().unwrap();
    drop(log);
    let exported = tempfile::tempdir().unwrap();
    let (contents, secrets) = (exported.path().join("c"), exported.path().join("s"));
    write_export(other.path(), &contents, &secrets);
    let from = From {
        packages: None,
        contents: Some(&contents),
        secrets: Some(&secrets),
        known: Some(note.into_bytes()),
    };
    let refused = world.rebuild(&from, data.path()).unwrap_err();
    assert!(matches!(refused, RebuildError::Fork { .. }), "{refused}");
    assert!(outside::check_format(&directory(data.path())).is_err());
    let from = From {
        known: Some(b"pec.example.test/log\n1\nAAAA\n\n".to_vec()),
        ..From::default()
    };
    let refused = world.rebuild(&from, data.path()).unwrap_err();
    assert!(
        matches!(refused, RebuildError::Checkpoint { .. }),
        "{refused}"
    );
}

#[test]
fn a_folder_that_holds_a_log_is_left_alone() {
    let world = world();
    let data = tempfile::tempdir().unwrap();
    world.rebuild(&From::default(), data.path()).unwrap();
    let refused = world.rebuild(&From::default(), data.path()).unwrap_err();
    assert!(
        refused.to_string().contains("there is a log already"),
        "{refused}"
    );
    // Packages of a log whose database was lost are not an unfinished rebuild.
    let data = tempfile::tempdir().unwrap();
    copy(&world.packages(), &directory(data.path()).join("packages"));
    let refused = world.rebuild(&From::default(), data.path()).unwrap_err();
    assert!(
        refused.to_string().contains("there is a log already"),
        "{refused}"
    );
    assert!(directory(data.path()).join("packages").is_dir());
}
