//! Rotations that hold, and each way in which one does not.

use super::*;
use crate::digest::ContentDigest;
use crate::id::{LeafIndex, Origin, UtcMillis};
use crate::leaf::{Commitment, Epoch, Leaf, Opening};
use crate::metadata::metadata_digest;
use crate::note::NoteSigner;
use crate::oracle;
use crate::proof::ProvenRecord;
use crate::secret::SigningSeed;
use crate::tree::{LeafHash, VerifyError};

const LOG: &str = "pec.example.test/log";

fn key(seed: u8) -> NoteSigner {
    NoteSigner::new(LOG, &SigningSeed::from_bytes([seed; 32])).unwrap()
}

/// A rotation as it should be; a test changes one thing of it.
struct Rotation {
    /// Size of the tree; the key event is its last leaf.
    size: u64,
    kind: Kind,
    class: Class,
    metadata: Metadata,
    content: ContentDigest,
    retired: NoteSigner,
    successor: NoteSigner,
}

impl Rotation {
    fn new(size: u64, retired: u8, successor: u8) -> Self {
        let (retired, successor) = (key(retired), key(successor));
        Self {
            size,
            kind: Kind::KeyEvent,
            class: Class::Custody,
            metadata: says(&retired.verifier().to_string(), successor.verifier()),
            content: ContentDigest::EMPTY,
            retired,
            successor,
        }
    }

    fn proof(&self) -> ProofFile {
        let metadata = self.metadata.to_bytes();
        let opening = Opening::from_bytes([5; 32]);
        let digest = metadata_digest(&metadata);
        let seq = LeafIndex::new(self.size - 1);
        let leaf = Leaf {
            kind: self.kind,
            epoch: Epoch(1),
            seq,
            time: UtcMillis::new(1_763_700_000_000),
            class: self.class,
            commitment: Commitment::new(&opening, self.kind, &self.content, &digest),
        };
        let before = (1..self.size).map(|number| LeafHash::of(&number.to_be_bytes()));
        let leaves: Vec<LeafHash> = before.chain([leaf.hash()]).collect();
        let tree = oracle::Tree::new(&leaves);
        let root = oracle::root(&leaves).unwrap();
        let origin = Origin::try_from(self.retired.verifier().name()).unwrap();
        let size = TreeSize::new(self.size);
        let signed =
            Checkpoint::sign_both(&self.retired, &self.successor, &origin, size, root).unwrap();
        ProofFile {
            record: ProvenRecord {
                leaf,
                opening,
                content: self.content,
                metadata: ProvenMetadata::Bytes(metadata),
            },
            index: seq,
            path: tree.path(leaves.len() - 1).unwrap(),
            note: signed.note().to_owned(),
        }
    }
}

fn says(old: &str, new: &VerifierKey) -> Metadata {
    Metadata::Custody(CustodyRecord::KeyRotation {
        old: old.into(),
        new: new.to_string().as_str().into(),
    })
}

/// Why a rotation is refused after the good one from key 1 to key 2 at 5 leaves.
fn flaw_after_the_first(proof: &ProofFile) -> Option<RotationFlaw> {
    let proofs = [Rotation::new(5, 1, 2).proof(), proof.clone()];
    let result = follow(key(1).verifier(), &proofs);
    result.err().map(|error| {
        assert_eq!(error.number, 2);
        error.flaw
    })
}

/// The same, of a rotation from key 2 to key 3 at 9 leaves with one change.
fn flaw(change: impl FnOnce(&mut Rotation)) -> Option<RotationFlaw> {
    let mut rotation = Rotation::new(9, 2, 3);
    change(&mut rotation);
    flaw_after_the_first(&rotation.proof())
}

#[test]
fn the_rotation_vector_is_reproduced_and_followed() {
    let proof = Rotation::new(5, 1, 2).proof();
    let vector = include_str!("../vectors/rotation.tlog-proof");
    assert_eq!(proof.to_text(), vector);
    let read = ProofFile::parse(vector.as_bytes()).unwrap();
    let chain = follow(key(1).verifier(), [&read]).unwrap();
    assert_eq!(chain.current(), key(2).verifier());
    assert_eq!((chain.rotations(), chain.since()), (1, TreeSize::new(5)));
}

#[test]
fn all_rotations_are_followed_from_the_first_key_or_from_a_later_one() {
    let proofs = [
        Rotation::new(5, 1, 2).proof(),
        Rotation::new(9, 2, 3).proof(),
        Rotation::new(10, 3, 4).proof(),
    ];
    let chain = follow(key(1).verifier(), &proofs).unwrap();
    let keys: Vec<String> = chain.keys().map(ToString::to_string).collect();
    let expected = [1, 2, 3, 4].map(|seed| key(seed).verifier().to_string());
    assert_eq!(keys, expected);
    assert_eq!(chain.first(), key(1).verifier());
    let later = follow(key(3).verifier(), &proofs[2..]).unwrap();
    assert_eq!(later.current(), chain.current());
    for (seed, left) in [(1, 3), (2, 2), (3, 1), (4, 0), (9, 3)] {
        let pinned = key(seed);
        let rest = after(pinned.verifier(), &proofs);
        assert_eq!(rest, &proofs[3 - left..], "key {seed}");
        assert_eq!(follow(pinned.verifier(), rest).is_ok(), seed < 9);
    }
    let none = follow(key(1).verifier(), &[]).unwrap();
    assert_eq!(none, KeyChain::new(key(1).verifier().clone()));
}

#[test]
fn a_rotation_that_is_missing_or_out_of_order_breaks_the_chain() {
    let proofs = [5, 9, 10].map(|size| {
        let retired = [5, 9, 10].iter().position(|s| *s == size).unwrap() as u8 + 1;
        Rotation::new(size, retired, retired + 1).proof()
    });
    let [a, b, c] = &proofs;
    let unknown = RotationFlaw::Retired(ProofError::Checkpoint(NoteError::UnknownSigner.into()));
    for (order, number) in [
        (vec![b, c], 1),
        (vec![a, c], 2),
        (vec![b, a], 1),
        (vec![a, a], 2),
    ] {
        let error = follow(key(1).verifier(), order.iter().copied()).unwrap_err();
        let flaw = match number {
            // The same rotation again is signed by the key it introduced, and retires another.
            2 if order[1] == a => RotationFlaw::OtherKey,
            _ => unknown,
        };
        assert_eq!(error, RotationError { number, flaw });
    }
    assert!(follow(key(1).verifier(), &proofs).is_ok());
}

#[test]
fn each_defect_of_a_rotation_has_its_name_and_the_same_without_it_is_followed() {
    assert_eq!(flaw(|_| {}), None);
    assert_eq!(
        flaw(|r| r.kind = Kind::TrustMaterial),
        Some(RotationFlaw::Kind)
    );
    assert_eq!(flaw(|r| r.class = Class::Trace), Some(RotationFlaw::Kind));
    let epoch = Metadata::Custody(CustodyRecord::Epoch {
        log_epoch: 1,
        software: "ceralacca 0.1.0".into(),
        store: None,
    });
    assert_eq!(flaw(|r| r.metadata = epoch), Some(RotationFlaw::Record));
    let content = ContentDigest {
        bytes: 1,
        ..ContentDigest::EMPTY
    };
    assert_eq!(flaw(|r| r.content = content), Some(RotationFlaw::Record));
    let third = || key(3).verifier().clone();
    let old = |text: &str| says(text, &third());
    assert_eq!(
        flaw(|r| r.metadata = old(&key(1).verifier().to_string())),
        Some(RotationFlaw::OtherKey)
    );
    assert_eq!(
        flaw(|r| r.metadata = old("no key")),
        Some(RotationFlaw::Key)
    );
    let (second, unknown) = (
        key(2).verifier().to_string(),
        CheckpointError::Note(NoteError::UnknownSigner),
    );
    assert_eq!(
        flaw(|r| r.metadata = says(&second, key(4).verifier())),
        Some(RotationFlaw::Successor(unknown)),
        "signed by another than the leaf says"
    );
    let witness = "witness.example.test/w1+b4f59ab9+BIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU";
    let witness = VerifierKey::parse(witness).unwrap();
    assert_eq!(
        flaw(|r| r.metadata = says(&second, &witness)),
        Some(RotationFlaw::Key)
    );
    let seed = SigningSeed::from_bytes([3; 32]);
    let elsewhere = NoteSigner::new("pec.example.test/other", &seed).unwrap();
    assert_eq!(
        flaw(|r| r.metadata = says(&second, elsewhere.verifier())),
        Some(RotationFlaw::OtherLog)
    );
    for again in [1, 2] {
        assert_eq!(
            flaw_after_the_first(&Rotation::new(9, 2, again).proof()),
            Some(RotationFlaw::Again)
        );
    }
    for size in [2, 5] {
        let flaw = flaw_after_the_first(&Rotation::new(size, 2, 3).proof());
        let (size, before) = (TreeSize::new(size), TreeSize::new(5));
        assert_eq!(flaw, Some(RotationFlaw::Order { size, before }));
    }
}

#[test]
fn both_keys_must_have_signed_and_the_leaf_must_be_in_the_tree() {
    let proof = Rotation::new(9, 2, 3).proof();
    assert_eq!(flaw_after_the_first(&proof), None);
    let lines: Vec<&str> = proof.note.lines().collect();
    let [head @ .., by_retired, by_successor] = lines.as_slice() else {
        panic!("two signatures")
    };
    let note = |signatures: &[&str]| {
        let mut note = head.join("\n");
        for line in signatures {
            note.push('\n');
            note.push_str(line);
        }
        note.push('\n');
        ProofFile {
            note,
            ..proof.clone()
        }
    };
    let unknown = CheckpointError::Note(NoteError::UnknownSigner);
    let bad = CheckpointError::Note(NoteError::BadSignature);
    let retired = |error| Some(RotationFlaw::Retired(ProofError::Checkpoint(error)));
    assert_eq!(
        flaw_after_the_first(&note(&[by_successor, by_retired])),
        None,
        "in either order"
    );
    assert_eq!(
        flaw_after_the_first(&note(&[by_successor])),
        retired(unknown)
    );
    assert_eq!(
        flaw_after_the_first(&note(&[by_retired])),
        Some(RotationFlaw::Successor(unknown))
    );
    // The same four bytes of key id, and another signature.
    let spoil = |line: &str| {
        let at = line.len() - 8;
        let other = if &line[at..=at] == "A" { "B" } else { "A" };
        format!("{}{other}{}", &line[..at], &line[at + 1..])
    };
    assert_eq!(
        flaw_after_the_first(&note(&[&spoil(by_retired), by_successor])),
        retired(bad)
    );
    assert_eq!(
        flaw_after_the_first(&note(&[by_retired, &spoil(by_successor)])),
        Some(RotationFlaw::Successor(bad))
    );
    let mut elsewhere = proof.clone();
    elsewhere.path[0] = elsewhere.record.leaf.hash().node();
    assert_eq!(
        flaw_after_the_first(&elsewhere),
        Some(RotationFlaw::Retired(ProofError::Path(
            VerifyError::OtherRoot
        )))
    );
    let mut closed = proof;
    closed.record.metadata = ProvenMetadata::Digest(closed.record.metadata.sha256());
    assert_eq!(flaw_after_the_first(&closed), Some(RotationFlaw::Record));
}

#[test]
fn a_key_speaks_for_the_checkpoints_of_its_time_only() {
    let proofs = [
        Rotation::new(5, 1, 2).proof(),
        Rotation::new(9, 2, 3).proof(),
    ];
    let chain = follow(key(1).verifier(), &proofs).unwrap();
    let origin = Origin::try_from(LOG).unwrap();
    let opened = |seed: u8, size: u64| {
        let leaf = LeafHash::of(b"a");
        let root = oracle::root(&[leaf]).unwrap();
        let signed = Checkpoint::sign(&key(seed), &origin, TreeSize::new(size), root).unwrap();
        let opened = chain.open(signed.note().as_bytes());
        opened.map(|(found, by)| {
            assert_eq!((&found, by), (&signed, key(seed).verifier()));
        })
    };
    for (seed, good, bad) in [
        (1, vec![0, 4, 5], vec![6, 9, 100]),
        (2, vec![5, 7, 9], vec![4, 10]),
        (3, vec![9, 10, 1 << 40], vec![0, 5, 8]),
        (4, vec![], vec![5, 10]),
    ] {
        for size in good {
            assert_eq!(opened(seed, size), Ok(()), "key {seed} at {size}");
        }
        for size in bad {
            let refused = Err(NoteError::UnknownSigner.into());
            assert_eq!(opened(seed, size), refused, "key {seed} at {size}");
        }
    }
    for proof in &proofs {
        assert!(chain.open(proof.note.as_bytes()).is_ok());
    }
    assert_eq!(
        chain.open(b"no note\n").map(|_| ()),
        Err(NoteError::Malformed.into())
    );
}

#[test]
fn a_chain_has_an_end() {
    let mut chain = KeyChain::new(key(1).verifier().clone());
    let at = |number: usize| TreeSize::new(number as u64);
    let signer = |number: usize| {
        let mut seed = [9; 32];
        seed[..8].copy_from_slice(&number.to_be_bytes());
        let signer = NoteSigner::new(LOG, &SigningSeed::from_bytes(seed));
        signer.unwrap().verifier().clone()
    };
    for number in 1..=ROTATIONS_MAX {
        chain.rotate(signer(number), at(number)).unwrap();
    }
    let more = ROTATIONS_MAX + 1;
    let refused = chain.rotate(signer(more), at(more));
    assert_eq!(refused, Err(RotationFlaw::TooMany));
    assert_eq!(chain.rotations(), ROTATIONS_MAX);
}
