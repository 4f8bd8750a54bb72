//! A witness cosigns what continues, and says precisely why it does not cosign the rest.

use super::*;
use crate::id::{LeafIndex, Origin};
use crate::note::NoteSigner;
use crate::oracle;
use crate::secret::SigningSeed;
use crate::tree::{LeafHash, NodeReader, prove_consistency};
use std::convert::Infallible;

const BODY: &str = include_str!("../vectors/add-checkpoint.txt");

struct Memory(Vec<LeafHash>);

impl NodeReader for Memory {
    type Error = Infallible;

    fn node(&mut self, level: u8, index: u64) -> Result<NodeHash, Infallible> {
        let (start, end) = ((index << level) as usize, ((index + 1) << level) as usize);
        let root = oracle::root(&self.0[start..end]).unwrap();
        Ok(NodeHash::from_bytes(*root.as_bytes()))
    }
}

fn signer(seed: u8, name: &str) -> NoteSigner {
    NoteSigner::new(name, &SigningSeed::from_bytes([seed; 32])).unwrap()
}

const LOG: &str = "pec.example.test/log";

/// The eight leaves of the Certificate Transparency vectors, or others.
fn leaves(fork: bool) -> Vec<LeafHash> {
    let texts = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
    ];
    let texts = texts
        .into_iter()
        .chain(["606162636465666768696a6b6c6d6e6f"]);
    let leaves = texts.enumerate().map(|(at, text)| match fork && at == 4 {
        true => LeafHash::of(b"altro"),
        false => LeafHash::of(&hex::decode(text).unwrap()),
    });
    leaves.collect()
}

fn checkpoint(size: u64, fork: bool) -> Checkpoint {
    let leaves = &leaves(fork)[..size as usize];
    let root = oracle::root(leaves).unwrap_or_else(RootHash::empty);
    let origin = Origin::try_from(LOG).unwrap();
    Checkpoint::sign(&signer(1, LOG), &origin, TreeSize::new(size), root).unwrap()
}

fn request(old: u64, size: u64, fork: bool) -> AddCheckpoint {
    let proof = prove_consistency(
        &mut Memory(leaves(fork)),
        TreeSize::new(old),
        TreeSize::new(size),
    );
    AddCheckpoint {
        old: TreeSize::new(old),
        proof: proof.unwrap(),
        note: checkpoint(size, fork).note().to_owned(),
    }
}

/// The verdict of a witness that cosigned the checkpoint of this size last.
fn verdict(request: &AddCheckpoint, last: Option<u64>) -> Result<TreeSize, Refusal> {
    let known = [
        signer(1, LOG).verifier().clone(),
        signer(7, "altro.example.test/log").verifier().clone(),
    ];
    let last = last.map(|size| (TreeSize::new(size), checkpoint(size, false).root()));
    let judged = judge(request, &known, |_| Ok::<_, Infallible>(last));
    judged.unwrap().map(|checkpoint| checkpoint.size())
}

#[test]
fn the_request_vector_is_reproduced() {
    let request = request(3, 7, false);
    assert_eq!(request.to_text(), BODY);
    assert_eq!(AddCheckpoint::parse(BODY.as_bytes()), Ok(request));
}

#[test]
fn a_checkpoint_that_continues_is_let_through() {
    for (old, size, last) in [
        (0, 0, None),
        (0, 8, None),
        (3, 7, Some(3)),
        (4, 8, Some(4)),
        (8, 8, Some(8)),
        (0, 5, Some(0)),
    ] {
        let found = verdict(&request(old, size, false), last);
        assert_eq!(found, Ok(TreeSize::new(size)), "{old} {size} {last:?}");
    }
}

#[test]
fn every_defect_of_a_request_has_its_refusal() {
    let good = || request(3, 7, false);
    let with = |change: &dyn Fn(&mut AddCheckpoint)| {
        let mut request = good();
        change(&mut request);
        verdict(&request, Some(3))
    };
    assert_eq!(with(&|_| {}), Ok(TreeSize::new(7)));
    let inconsistent = |error| Err(Refusal::Inconsistent(error));
    // Rollback: smaller than what was cosigned, said plainly or with an older size.
    assert_eq!(
        verdict(&request(3, 7, false), Some(8)),
        Err(Refusal::Conflict {
            known: TreeSize::new(8)
        })
    );
    assert_eq!(
        with(&|r| r.old = TreeSize::new(8)),
        Err(Refusal::OldAboveNew)
    );
    // Fork: of the same size, and of a larger one.
    let same_size = AddCheckpoint {
        note: checkpoint(7, true).note().to_owned(),
        old: TreeSize::new(7),
        proof: Vec::new(),
    };
    assert_eq!(
        verdict(&same_size, Some(7)),
        inconsistent(VerifyError::OtherRoot)
    );
    assert_eq!(
        verdict(&request(5, 8, true), Some(5)),
        inconsistent(VerifyError::OtherRoot)
    );
    // Proofs that are not whole, or more than whole.
    assert_eq!(
        with(&|r| {
            r.proof.pop();
        }),
        inconsistent(VerifyError::TooShort)
    );
    assert_eq!(
        with(&|r| r.proof.push(r.proof[0])),
        inconsistent(VerifyError::ExtraHashes)
    );
    assert_eq!(
        with(&|r| r.proof.swap(0, 1)),
        inconsistent(VerifyError::OtherRoot)
    );
    let mut first = request(0, 8, false);
    assert_eq!(verdict(&first, None), Ok(TreeSize::new(8)));
    first.proof.push(NodeHash::from_bytes([0; 32]));
    assert_eq!(
        verdict(&first, None),
        inconsistent(VerifyError::ExtraHashes)
    );
    // The size 0 has one root.
    let origin = Origin::try_from(LOG).unwrap();
    let root = RootHash::from_bytes([9; 32]);
    let odd = Checkpoint::sign(&signer(1, LOG), &origin, TreeSize::default(), root).unwrap();
    let odd = AddCheckpoint {
        old: TreeSize::default(),
        proof: Vec::new(),
        note: odd.note().to_owned(),
    };
    assert_eq!(verdict(&odd, None), inconsistent(VerifyError::OtherRoot));
    // Signatures and origins.
    assert_eq!(
        with(&|r| r.note = r.note.replace("\n7\n", "\n6\n")),
        Err(Refusal::Unsigned)
    );
    assert_eq!(
        with(&|r| {
            let body = r.note.split("\n\n").next().unwrap();
            r.note = signer(2, LOG).sign(&format!("{body}\n"));
        }),
        Err(Refusal::Unsigned)
    );
    assert_eq!(
        with(&|r| r.note = r.note.replace(LOG, "pec.example.test/strano")),
        Err(Refusal::UnknownOrigin)
    );
    // A log's key signs for its own origin only.
    assert_eq!(
        with(&|r| {
            let body = r.note.split("\n\n").next().unwrap();
            let body = body.replace(LOG, "altro.example.test/log");
            r.note = signer(1, LOG).sign(&format!("{body}\n"));
        }),
        Err(Refusal::Unsigned)
    );
    assert_eq!(
        with(&|r| r.note = signer(1, LOG).sign(&format!("{LOG}\nsette\n"))),
        Err(Refusal::Malformed)
    );
    assert_eq!(
        with(&|r| r.note = "un log\n".to_owned()),
        Err(Refusal::Malformed)
    );
}

#[test]
fn lines_that_are_no_request_are_refused() {
    let hash = BODY.lines().nth(1).unwrap();
    let lines = |count| format!("{hash}\n").repeat(count);
    let note = checkpoint(7, false).note().to_owned();
    let most = format!("old 3\n{}\n{note}", lines(PROOF_MAX));
    assert!(AddCheckpoint::parse(most.as_bytes()).is_ok());
    for text in [
        String::new(),
        "old 3".to_owned(),
        BODY.replace("old 3", "old 03"),
        BODY.replace("old 3", "old +3"),
        BODY.replace("old 3", "old"),
        BODY.replace("old 3", "old 99999999999999999999"),
        BODY.replace("old 3", "size 3"),
        BODY.replacen(hash, &hash[4..], 1),
        BODY.replacen(hash, &hash.replace('=', ""), 1),
        format!("old 3\n{}\n{note}", lines(PROOF_MAX + 1)),
        "x".repeat(REQUEST_BYTES_MAX + 1),
    ] {
        let found = AddCheckpoint::parse(text.as_bytes());
        assert_eq!(found, Err(Refusal::Malformed), "{text:.80}");
    }
    assert_eq!(
        AddCheckpoint::parse(b"old 0\n\n\xff"),
        Err(Refusal::Malformed)
    );
}

#[test]
fn refusals_have_the_statuses_of_the_protocol() {
    let known = TreeSize::new(1);
    let index = LeafIndex::new(0);
    let wrong = VerifyError::OutOfRange { index, size: known };
    for (refusal, status) in [
        (Refusal::Malformed, 400),
        (Refusal::OldAboveNew, 400),
        (Refusal::Unsigned, 403),
        (Refusal::UnknownOrigin, 404),
        (Refusal::Conflict { known }, 409),
        (Refusal::Inconsistent(wrong), 422),
    ] {
        assert_eq!(refusal.status(), status);
    }
}
