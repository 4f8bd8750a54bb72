//! What a witness remembers, whatever happens to it.

use super::*;
use crate::ambient::{SystemClock, SystemEntropy};
use ceralacca_formats::checkpoint::Checkpoint;
use ceralacca_formats::note::NoteSigner;
use ceralacca_formats::oracle;
use ceralacca_formats::tree::{LeafHash, NodeHash, NodeReader, prove_consistency};
use std::convert::Infallible;
use std::thread;

const LOG: &str = "pec.example.test/log";

struct Memory(Vec<LeafHash>);

impl NodeReader for Memory {
    type Error = Infallible;

    fn node(&mut self, level: u8, index: u64) -> Result<NodeHash, Infallible> {
        let (start, end) = ((index << level) as usize, ((index + 1) << level) as usize);
        let root = oracle::root(&self.0[start..end]).unwrap();
        Ok(NodeHash::from_bytes(*root.as_bytes()))
    }
}

fn leaves(size: u64, fork: bool) -> Vec<LeafHash> {
    let leaf = |n: u64| LeafHash::of(&[&n.to_be_bytes()[..], &[u8::from(fork)]].concat());
    (0..size).map(leaf).collect()
}

fn signer() -> NoteSigner {
    NoteSigner::new(LOG, &SigningSeed::from_bytes([1; 32])).unwrap()
}

fn request(old: u64, size: u64, fork: bool) -> AddCheckpoint {
    let leaves = leaves(size, fork);
    let root = oracle::root(&leaves).unwrap_or_else(RootHash::empty);
    let origin = Origin::try_from(LOG).unwrap();
    let size = TreeSize::new(size);
    let note = Checkpoint::sign(&signer(), &origin, size, root).unwrap();
    AddCheckpoint {
        old: TreeSize::new(old),
        proof: prove_consistency(&mut Memory(leaves), TreeSize::new(old), size).unwrap(),
        note: note.note().to_owned(),
    }
}

fn open(directory: &Path) -> Result<Witness, WitnessError> {
    let known = vec![signer().verifier().clone()];
    Witness::open(directory, known, Arc::new(SystemClock::default()))
}

fn made() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    init(directory.path(), "witness.example.test/w1", &SystemEntropy).unwrap();
    directory
}

fn conflict(known: u64) -> Judged {
    let known = TreeSize::new(known);
    Err(Refusal::Conflict { known })
}

#[test]
fn what_was_cosigned_is_remembered_and_never_taken_back() {
    let directory = made();
    let witness = open(directory.path()).unwrap();
    let add = |witness: &Witness, request| witness.add_checkpoint(&request).unwrap();
    let line = add(&witness, request(0, 5, false)).unwrap();
    assert!(line.starts_with("\u{2014} witness.example.test/w1 "));
    // The same again, as after an answer that did not arrive.
    assert_eq!(add(&witness, request(0, 5, false)), conflict(5));
    assert!(add(&witness, request(5, 5, false)).is_ok());
    assert!(add(&witness, request(5, 9, false)).is_ok());
    drop(witness);
    let witness = open(directory.path()).unwrap();
    assert_eq!(add(&witness, request(5, 7, false)), conflict(9));
    assert!(matches!(
        add(&witness, request(9, 12, true)),
        Err(Refusal::Inconsistent(_))
    ));
    assert!(matches!(
        add(&witness, request(9, 9, true)),
        Err(Refusal::Inconsistent(_))
    ));
    assert_eq!(add(&witness, request(0, 12, true)), conflict(9));
    assert!(add(&witness, request(9, 12, false)).is_ok());
    let name = name_of(&Origin::try_from(LOG).unwrap());
    let kept = witness.kept(&name).unwrap().unwrap();
    let kept = checkpoint::read_cosigned(&kept, witness.verifier()).unwrap();
    assert_eq!(kept.1, TreeSize::new(12));
    assert_eq!(witness.kept("key").unwrap(), None);
}

#[test]
fn nothing_is_cosigned_that_could_not_be_kept() {
    let directory = made();
    let witness = open(directory.path()).unwrap();
    witness
        .add_checkpoint(&request(0, 3, false))
        .unwrap()
        .unwrap();
    let name = name_of(&Origin::try_from(LOG).unwrap());
    let before = witness.kept(&name).unwrap();
    // The new file cannot be made.
    let partial = directory.path().join(&name).with_extension("partial");
    std::fs::create_dir(&partial).unwrap();
    let failed = witness.add_checkpoint(&request(3, 4, false));
    assert!(matches!(failed, Err(WitnessError::File { .. })));
    assert_eq!(witness.kept(&name).unwrap(), before);
    std::fs::remove_dir(&partial).unwrap();
    assert!(
        witness
            .add_checkpoint(&request(3, 4, false))
            .unwrap()
            .is_ok()
    );
}

#[test]
fn a_file_that_is_not_ours_is_never_taken_for_a_new_log() {
    let directory = made();
    let witness = open(directory.path()).unwrap();
    witness
        .add_checkpoint(&request(0, 3, false))
        .unwrap()
        .unwrap();
    let path = directory
        .path()
        .join(name_of(&Origin::try_from(LOG).unwrap()));
    let good = std::fs::read(&path).unwrap();
    let smaller = String::from_utf8(good.clone()).unwrap();
    let smaller = smaller.replace("\n3\n", "\n2\n");
    for bad in [&b""[..], &good[..good.len() / 2], smaller.as_bytes()] {
        std::fs::write(&path, bad).unwrap();
        let refused = witness.add_checkpoint(&request(0, 3, false));
        assert!(matches!(refused, Err(WitnessError::Kept { .. })));
    }
    drop(witness);
    assert!(matches!(
        open(directory.path()),
        Err(WitnessError::Kept { .. })
    ));
    std::fs::write(&path, good).unwrap();
    assert!(open(directory.path()).is_ok());
}

#[test]
fn of_two_requests_at_once_one_goes_first() {
    let directory = made();
    let witness = open(directory.path()).unwrap();
    witness
        .add_checkpoint(&request(0, 1, false))
        .unwrap()
        .unwrap();
    // Every size from the same old one, some of a fork: exactly one is let through, the others hear its size.
    let answers: Vec<(u64, Judged)> = thread::scope(|scope| {
        let threads: Vec<_> = (2..34u64)
            .map(|size| {
                let witness = &witness;
                scope.spawn(move || {
                    let request = request(1, size, false);
                    (size, witness.add_checkpoint(&request).unwrap())
                })
            })
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    let good: Vec<u64> = answers
        .iter()
        .filter(|(_, judged)| judged.is_ok())
        .map(|(size, _)| *size)
        .collect();
    assert_eq!(good.len(), 1, "{answers:?}");
    for (size, judged) in &answers {
        assert!(*size == good[0] || *judged == conflict(good[0]));
    }
}

#[test]
fn a_witness_has_one_key_and_one_process() {
    let directory = made();
    let again = init(directory.path(), "witness.example.test/w1", &SystemEntropy);
    assert!(matches!(again, Err(WitnessError::Exists(_))));
    let witness = open(directory.path()).unwrap();
    assert!(matches!(
        open(directory.path()),
        Err(WitnessError::InUse(_))
    ));
    drop(witness);
    let key = directory.path().join("key");
    let mode = |mode| std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode));
    assert_eq!(key.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    mode(0o644).unwrap();
    assert!(matches!(
        open(directory.path()),
        Err(WitnessError::Open { .. })
    ));
    mode(0o600).unwrap();
    std::fs::write(&key, "witness.example.test/w1 00\n").unwrap();
    assert!(matches!(open(directory.path()), Err(WitnessError::Key(_))));
    let bad = tempfile::tempdir().unwrap();
    let named = init(bad.path(), "un testimone", &SystemEntropy);
    assert!(matches!(named, Err(WitnessError::Name(_))));
}
