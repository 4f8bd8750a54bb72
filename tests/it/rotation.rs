//! The log's key is changed: what was signed before still verifies, whatever breaks on the way.

use crate::support::*;
use ceralacca::archive::{self, ArchiveError, Log};
use ceralacca::ingest::Submission;
use ceralacca::keyring::Keyring;
use ceralacca::sequencer::OpenError;
use ceralacca::store::cf::checkpoint::{Checkpoints, Kept};
use ceralacca::store::cf::secret::{SecretKey, Secrets};
use ceralacca::store::cf::state::{State, StateKey, StateRow};
use ceralacca::store::memory::MemoryStore;
use ceralacca::store::rocks::{Mode, RocksStore};
use ceralacca::store::{Batch, Rows, Store, outside};
use ceralacca_formats::acknowledgement::Acknowledgement;
use ceralacca_formats::checkpoint::{Checkpoint, CheckpointError};
use ceralacca_formats::id::{LeafIndex, TreeSize};
use ceralacca_formats::leaf::{Class, Kind};
use ceralacca_formats::note::{NoteError, VerifierKey};
use ceralacca_formats::proof::ProofFile;
use ceralacca_formats::rotation::{KeyChain, follow};
use std::sync::Arc;

fn record(log: &Log, seed: u64, count: usize) -> Vec<Acknowledgement> {
    let records = traces(seed, count).into_iter();
    let submissions = records.map(|record| Submission::trace(Class::Trace, record, None));
    submissions
        .map(|submission| ingest(log).record(submission).unwrap())
        .collect()
}

fn rotations(log: &Log) -> Vec<ProofFile> {
    let reader = log.reader();
    let state = reader.published();
    reader.rotations(&state, 0, 1000, state.tip.size).unwrap()
}

fn key_events(log: &Log) -> usize {
    let (reader, state) = (log.reader(), log.reader().published());
    let leaves = (0..state.tip.size.get()).map(|i| reader.leaf(&state, LeafIndex::new(i)).unwrap());
    leaves.filter(|leaf| leaf.kind == Kind::KeyEvent).count()
}

fn database(test: &TestLog, mode: Mode) -> RocksStore {
    RocksStore::open(&outside::database_of(&test.path()), mode).unwrap()
}

#[test]
fn acknowledgements_of_every_age_verify_under_the_keys_followed_from_the_first() {
    let test = TestLog::new();
    let (mut acknowledged, mut keys) = (Vec::new(), Vec::new());
    for age in 0..3 {
        let log = test.open();
        keys.push(log.verifier().clone());
        acknowledged.push(record(&log, age, 300));
        // An interval is cut in each age, so that checkpoints are kept.
        test.clock.pass(DAY_MS);
        log.tick().unwrap();
        acknowledged.push(record(&log, age + 10, 5));
        if age < 2 {
            let rotation = log.rotate_key(keys.last().unwrap()).unwrap();
            assert!(!rotation.repeated);
            assert!(!keys.contains(&rotation.current));
            let report = test.check();
            assert!(report.is_clean(), "{:?}", report.damages);
        } else {
            log.stop().unwrap();
        }
    }
    let log = test.open();
    assert_eq!(log.verifier(), &keys[2]);
    let proofs = rotations(&log);
    let chain = follow(&keys[0], &proofs).unwrap();
    assert_eq!(chain.keys().cloned().collect::<Vec<_>>(), keys);
    assert_eq!((proofs.len(), key_events(&log)), (2, 2));
    let state = log.reader().published();
    for (group, acknowledgements) in acknowledged.iter().enumerate() {
        for acknowledgement in acknowledgements {
            let (checkpoint, key) = chain.open(acknowledgement.checkpoint.as_bytes()).unwrap();
            assert_eq!(key, &keys[group / 2]);
            assert_eq!(acknowledgement.verify(key).unwrap(), checkpoint);
            let older = checkpoint.size();
            let path = log
                .reader()
                .consistency(&state, older, state.tip.size)
                .unwrap();
            ceralacca_formats::tree::verify_consistency(&checkpoint, &state.checkpoint, &path)
                .unwrap();
        }
    }
    // The checkpoint of a rotation is kept under its size, with both signatures.
    for (proof, pair) in proofs.iter().zip(keys.windows(2)) {
        let size = TreeSize::new(proof.index.get() + 1);
        let kept = log.reader().kept(&state, size).unwrap();
        assert_eq!(kept.note, proof.note);
        for key in pair {
            let checkpoint = Checkpoint::open(kept.note.as_bytes(), key).unwrap();
            assert_eq!((checkpoint.size(), checkpoint.root()), (size, kept.root));
        }
    }
    // A page begins anywhere, and ends where there are no more.
    let until = |size, first, limit| log.reader().rotations(&state, first, limit, size).unwrap();
    let page = |first, limit| until(state.tip.size, first, limit);
    assert_eq!(page(0, 1), &proofs[..1]);
    assert_eq!(page(1, 10), &proofs[1..]);
    assert_eq!(page(2, 10), []);
    // Up to a size, none whose checkpoint is beyond it.
    let second = proofs[1].index.get() + 1;
    assert_eq!(until(TreeSize::new(second), 0, 10), proofs);
    assert_eq!(until(TreeSize::new(second - 1), 0, 10), &proofs[..1]);
    log.stop().unwrap();
    drop(log);
    let report = test.check();
    assert!(report.is_clean(), "{:?}", report.damages);
}

#[test]
fn the_same_rotation_again_changes_nothing_and_another_key_is_refused() {
    let test = TestLog::new();
    let log = test.open();
    let first = log.verifier().clone();
    let made = log.rotate_key(&first).unwrap();
    let again = test.open().rotate_key(&first).unwrap();
    assert!(again.repeated && !made.repeated);
    assert_eq!((&again.current, &again.proof), (&made.current, &made.proof));
    let second = test.open().rotate_key(&made.current).unwrap();
    // Two rotations ago is no rotation that anybody repeats.
    for stranger in [&first, &VerifierKey::parse(STRANGER).unwrap()] {
        let refused = test.open().rotate_key(stranger);
        let Err(ArchiveError::OtherKey(current)) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(current, second.current);
    }
    let log = test.open();
    assert_eq!((rotations(&log).len(), key_events(&log)), (2, 2));
}

const STRANGER: &str = "pec.example.test/log+b0b5d5af+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c";

#[test]
fn a_rotation_that_breaks_off_anywhere_happens_once_or_not_and_the_log_opens() {
    let (mut under_way, mut in_force, mut whole) = (0, 0, 0);
    for good in 0..8 {
        for fault in [Fault::Lost, Fault::Persisted] {
            let at = format!("after {good} commits, {fault:?}");
            let memory: Arc<dyn Store> = Arc::new(MemoryStore::default());
            let clock = MovableClock::at(START_MS);
            let settings = settings(&clock);
            let entropy = &*settings.entropy;
            let found = archive::found(&*memory, &log_id(), &origin(), &master(), entropy);
            let first = found.unwrap().verifier().clone();
            let over = |store: Arc<dyn Store>| Log::over(store, None, &master(), &settings);
            let log = over(Arc::clone(&memory)).unwrap();
            let before = record(&log, 1, 3);
            log.stop().unwrap();
            drop(log);
            let faulty = FaultyStore::new(Arc::clone(&memory), good, fault);
            let broken = over(faulty).and_then(|log| log.rotate_key(&first));
            whole += usize::from(broken.is_ok());
            let begun = memory
                .read::<Secrets>(&SecretKey::NextSigning)
                .unwrap()
                .is_some();
            let done = memory
                .read::<State>(&StateKey::Rotation(0))
                .unwrap()
                .is_some();
            assert!(!(begun && done), "{at}");
            under_way += usize::from(begun);
            in_force += usize::from(done);
            let report = check_store(&*memory, None);
            assert!(report.is_clean(), "{at}: {:?}", report.damages);
            // The log opens, and a rotation that was begun is completed, or none took place.
            let log = over(Arc::clone(&memory)).unwrap();
            let rotated = usize::from(begun || done);
            assert_eq!(
                (rotations(&log).len(), key_events(&log)),
                (rotated, rotated),
                "{at}"
            );
            assert_eq!(log.verifier() == &first, rotated == 0, "{at}");
            let between = record(&log, 2, 3);
            log.stop().unwrap();
            drop(log);
            let report = check_store(&*memory, None);
            assert!(report.is_clean(), "{at}: {:?}", report.damages);
            // Said again, because nobody knows how the first one ended: it has happened once.
            let again = over(Arc::clone(&memory))
                .unwrap()
                .rotate_key(&first)
                .unwrap();
            assert_eq!(again.repeated, rotated == 1, "{at}");
            let log = over(Arc::clone(&memory)).unwrap();
            assert_eq!((rotations(&log).len(), key_events(&log)), (1, 1), "{at}");
            assert_eq!(log.verifier(), &again.current);
            let chain = follow(&first, &rotations(&log)).unwrap();
            let after = record(&log, 3, 3);
            for acknowledgement in [before, between, after].iter().flatten() {
                let (_, key) = chain.open(acknowledgement.checkpoint.as_bytes()).unwrap();
                acknowledgement.verify(key).unwrap();
            }
            log.stop().unwrap();
            drop(log);
            let report = check_store(&*memory, None);
            assert!(report.is_clean(), "{at}: {:?}", report.damages);
        }
    }
    // Every state there is was met: the leaf without its key in force, and the key in force with no answer given.
    assert!(
        under_way >= 2 && in_force > whole && whole > 0,
        "{under_way} {in_force} {whole}"
    );
}

#[test]
fn a_stop_before_the_checkpoint_outside_is_written_is_no_harm_and_of_a_retired_key_no_seed_is_left()
{
    let test = TestLog::new();
    let log = test.open();
    let first = log.verifier().clone();
    record(&log, 1, 5);
    log.stop().unwrap();
    drop(log);
    let path = test.path().join("checkpoint");
    let before = std::fs::read(&path).unwrap();
    let store = database(&test, Mode::Read);
    let (_, retired) = Keyring::open(&store, &master(), &origin()).unwrap();
    let seed = store.read::<Secrets>(&SecretKey::Signing).unwrap();
    drop(store);
    test.open().rotate_key(&first).unwrap();
    std::fs::write(&path, &before).unwrap();
    let report = test.check();
    assert!(report.is_clean(), "{:?}", report.damages);
    let log = test.open();
    assert_ne!(log.verifier(), &first);
    record(&log, 2, 5);
    log.stop().unwrap();
    let state = log.reader().published();
    drop(log);
    let store = database(&test, Mode::Read);
    assert_ne!(store.read::<Secrets>(&SecretKey::Signing).unwrap(), seed);
    assert_eq!(
        store.read::<Secrets>(&SecretKey::NextSigning).unwrap(),
        None
    );
    drop(store);
    // Whoever kept the retired key all the same signs for this log no more, not even the truth.
    let (size, root) = (state.tip.size, state.tip.root);
    let signed = Checkpoint::sign(&retired, &origin(), size, root).unwrap();
    let good = std::fs::read(&path).unwrap();
    std::fs::write(&path, signed.note()).unwrap();
    assert!(!test.check().is_clean());
    let refused = Log::open(&test.path(), &master(), &test.settings).err();
    let Some(ArchiveError::Open(OpenError::Checkpoint { source, .. })) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(source, CheckpointError::Note(NoteError::UnknownSigner));
    std::fs::write(&path, good).unwrap();
    drop(test.open());
}

#[test]
fn fsck_names_a_rotation_that_is_not_proven() {
    let change = |change: &dyn Fn(&RocksStore, &mut Batch, StateRow)| {
        let test = TestLog::new();
        let log = test.open();
        let first = log.verifier().clone();
        // A checkpoint of the first key is kept.
        test.clock.pass(DAY_MS);
        log.tick().unwrap();
        log.rotate_key(&first).unwrap();
        assert!(test.check().is_clean());
        let store = database(&test, Mode::Write);
        let row = store.read::<State>(&StateKey::Rotation(0)).unwrap();
        let mut batch = Batch::new();
        change(&store, &mut batch, row.unwrap());
        store.commit(&batch).unwrap();
        drop(store);
        let report = test.check();
        let damages = report.damages.iter().map(ToString::to_string);
        damages.collect::<Vec<_>>().join("\n")
    };
    let other_event = change(&|_, batch, row| {
        let StateRow::Rotation(mut rotation) = row else {
            panic!("{row:?}")
        };
        rotation.event = LeafIndex::new(0);
        let row = StateRow::Rotation(rotation);
        batch.put::<State>(&row.key(), &row);
    });
    let says = "rotation 0 of the log key: its key event names other keys";
    assert!(other_event.contains(says), "{other_event}");
    let other_key = change(&|_, batch, row| {
        let StateRow::Rotation(mut rotation) = row else {
            panic!("{row:?}")
        };
        rotation.retired = VerifierKey::parse(STRANGER).unwrap();
        let row = StateRow::Rotation(rotation);
        batch.put::<State>(&row.key(), &row);
    });
    assert!(other_key.contains(says), "{other_key}");
    let no_row = change(&|_, batch, row| batch.delete::<State>(&row.key()));
    assert!(no_row.contains("not signed by a known key"), "{no_row}");
    let no_checkpoint = change(&|_, batch, row| {
        let StateRow::Rotation(rotation) = row else {
            panic!("{row:?}")
        };
        batch.delete::<Checkpoints>(&Kept::Own(rotation.size()));
    });
    let says = "rotation 0 of the log key: its checkpoint is missing";
    assert!(no_checkpoint.contains(says), "{no_checkpoint}");
    let one_signature = change(&|store, batch, row| {
        let StateRow::Rotation(rotation) = row else {
            panic!("{row:?}")
        };
        let size = Kept::Own(rotation.size());
        let note = store.read::<Checkpoints>(&size).unwrap().unwrap();
        let mut lines: Vec<&str> = note.lines().collect();
        lines.remove(4);
        batch.put::<Checkpoints>(&size, &(lines.join("\n") + "\n"));
    });
    let says = "its checkpoint, under the retired key: note is not signed by a known key";
    assert!(one_signature.contains(says), "{one_signature}");
}

#[test]
fn a_chain_forged_by_another_log_of_the_same_name_is_refused() {
    let (ours, theirs) = (TestLog::new(), TestLog::new());
    let rotate = |test: &TestLog| {
        let log = test.open();
        let first = log.verifier().clone();
        (log.rotate_key(&first).unwrap().proof, first)
    };
    let ((proof, first), (forged, other)) = (rotate(&ours), rotate(&theirs));
    assert_ne!(first, other);
    assert!(follow(&first, [&proof]).is_ok());
    assert!(follow(&other, [&forged]).is_ok());
    assert!(follow(&first, [&forged]).is_err());
    // Nor does the true record help with a note of theirs.
    let mixed = ProofFile {
        note: forged.note.clone(),
        ..proof.clone()
    };
    assert!(follow(&first, [&mixed]).is_err());
    let chain = KeyChain::new(first);
    assert!(chain.open(forged.note.as_bytes()).is_err());
}
