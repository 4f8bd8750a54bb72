//! An acknowledgement held against the log, later: the log still has what it acknowledged, where it said.
//!
//! ```text
//! acknowledgement ── its leaves commit to what was submitted, its checkpoint is the log's and covers them
//!   │ consistency proof: the newest checkpoint continues the one in the acknowledgement
//!   ▼
//! newest checkpoint ◀── inclusion proof of each leaf, at the index in it
//! ```
//!
//! # Invariants
//! 1. All of it or nothing: one record without a proof, one proof that is not strict, and it is not kept.
//! 2. Needs the log's keys and these proofs, nothing else: each checkpoint under the key of its time, so that an
//!    acknowledgement outlives the key that signed it.

use crate::acknowledgement::{Acknowledgement, AcknowledgementError};
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::id::{LeafIndex, TreeSize};
use crate::proof::ProofFile;
use crate::rotation::KeyChain;
use crate::tree::{NodeHash, VerifyError, verify_consistency, verify_inclusion};

/// Why a log does not keep an acknowledgement. It, and the proofs, are evidence.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PromiseError {
    /// The acknowledgement itself does not hold.
    #[error(transparent)]
    Acknowledgement(#[from] AcknowledgementError),
    /// The acknowledgement is of another log than the key.
    #[error("acknowledgement is of another origin")]
    OtherOrigin,
    /// The newest checkpoint is refused.
    #[error("newest checkpoint: {0}")]
    Newest(#[from] CheckpointError),
    /// The newest checkpoint has fewer leaves than the one in the acknowledgement: the log shows none of that size until
    /// witnesses cosigned one, or it was rolled back. To be asked again; the first passes, the second does not.
    #[error(
        "the log shows {second} leaves, and acknowledged under {first}: it holds back what is not witnessed, or was \
         rolled back"
    )]
    Behind {
        /// Size in the acknowledgement.
        first: TreeSize,
        /// Size of the newest checkpoint.
        second: TreeSize,
    },
    /// The newest checkpoint does not continue the one in the acknowledgement.
    #[error("from the acknowledged checkpoint of {first} leaves to {second}: {error}")]
    Inconsistent {
        /// Size in the acknowledgement.
        first: TreeSize,
        /// Size of the newest checkpoint.
        second: TreeSize,
        /// What is wrong with the proof.
        error: VerifyError,
    },
    /// A record without an inclusion proof.
    #[error("there is no proof of leaf {0}")]
    Unproven(LeafIndex),
    /// The leaf that was acknowledged is not in the log where it was said to be.
    #[error("leaf {index}: {error}")]
    NotIncluded {
        /// Which leaf.
        index: LeafIndex,
        /// What is wrong with the proof.
        error: VerifyError,
    },
}

/// What the log shows for an acknowledgement.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Shown {
    /// Note of its newest checkpoint.
    pub newest: String,
    /// Consistency proof from the acknowledgement's checkpoint to that.
    pub consistency: Vec<NodeHash>,
    /// Index and inclusion proof under that, of each record.
    pub inclusions: Vec<(LeafIndex, Vec<NodeHash>)>,
}

/// Checks that the log keeps an acknowledgement; gives the newest checkpoint. `keys` are the pinned key and those that
/// followed it.
pub fn verify(
    acknowledgement: &Acknowledgement,
    shown: &Shown,
    keys: &KeyChain,
) -> Result<Checkpoint, PromiseError> {
    if acknowledgement.origin.as_str() != keys.current().name() {
        return Err(PromiseError::OtherOrigin);
    }
    let (_, key) = keys
        .open(acknowledgement.checkpoint.as_bytes())
        .map_err(AcknowledgementError::from)?;
    let first = acknowledgement.verify(key)?;
    let newest = keys.open(shown.newest.as_bytes())?.0;
    if newest.size() < first.size() {
        let (first, second) = (first.size(), newest.size());
        return Err(PromiseError::Behind { first, second });
    }
    let consistent = verify_consistency(&first, &newest, &shown.consistency);
    consistent.map_err(|error| PromiseError::Inconsistent {
        first: first.size(),
        second: newest.size(),
        error,
    })?;
    for record in &acknowledgement.records {
        let index = record.leaf.seq;
        let mut proofs = shown.inclusions.iter();
        let proof = proofs.find(|(of, _)| *of == index);
        let (_, path) = proof.ok_or(PromiseError::Unproven(index))?;
        let included = verify_inclusion(&newest, index, record.leaf.hash(), path);
        included.map_err(|error| PromiseError::NotIncluded { index, error })?;
    }
    Ok(newest)
}

/// The proof files of the records, to be kept: without their facts, as the acknowledgement has digests only.
pub fn proof_files(acknowledgement: &Acknowledgement, shown: &Shown) -> Vec<ProofFile> {
    let records = acknowledgement.records.iter();
    let files = records.filter_map(|record| {
        let index = record.leaf.seq;
        let (_, path) = shown.inclusions.iter().find(|(of, _)| *of == index)?;
        Some(ProofFile {
            record: record.proven(),
            index,
            path: path.clone(),
            note: shown.newest.clone(),
        })
    });
    files.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acknowledgement::{AcknowledgedRecord, Level};
    use crate::digest::{ContentDigest, Sha256};
    use crate::id::{Origin, UtcMillis};
    use crate::leaf::{Class, Commitment, Epoch, Kind, Leaf, Opening};
    use crate::note::{NoteError, NoteSigner};
    use crate::oracle;
    use crate::secret::SigningSeed;
    use crate::tree::{LeafHash, RootHash};

    fn signer() -> NoteSigner {
        NoteSigner::new("pec.example.test/log", &SigningSeed::from_bytes([1; 32])).unwrap()
    }

    fn keys() -> KeyChain {
        KeyChain::new(signer().verifier().clone())
    }

    fn record(seq: u64, kind: Kind) -> AcknowledgedRecord {
        let opening = Opening::from_bytes([5; 32]);
        let content = ContentDigest::of(b"ricevuta");
        let metadata_sha256 = Sha256::of(b"{}");
        let commitment = Commitment::new(&opening, kind, &content, &metadata_sha256);
        let leaf = Leaf {
            kind,
            epoch: Epoch(1),
            seq: LeafIndex::new(seq),
            time: UtcMillis::new(1_763_700_000_000),
            class: Class::Receipt,
            commitment,
        };
        AcknowledgedRecord {
            leaf,
            opening,
            content,
            metadata_sha256,
        }
    }

    fn checkpoint(leaves: &[LeafHash]) -> Checkpoint {
        let origin = Origin::try_from("pec.example.test/log").unwrap();
        let root = oracle::root(leaves).unwrap_or_else(RootHash::empty);
        Checkpoint::sign(&signer(), &origin, TreeSize::new(leaves.len() as u64), root).unwrap()
    }

    /// Records 1 and 2 acknowledged under four leaves (a power of two, so that the proof is one hash); now
    /// there are six.
    fn sample() -> (Acknowledgement, Shown) {
        let records = vec![record(1, Kind::Receipt), record(2, Kind::Receipt)];
        let other = |n: u8| LeafHash::of(&[n]);
        let leaves = [
            other(0),
            records[0].leaf.hash(),
            records[1].leaf.hash(),
            other(3),
            other(4),
            other(5),
        ];
        let tree = oracle::Tree::new(&leaves);
        let acknowledgement = Acknowledgement {
            origin: Origin::try_from("pec.example.test/log").unwrap(),
            level: Level::Local,
            time: UtcMillis::new(1_763_700_000_000),
            received_sha256: Sha256::of(b"ricevuta"),
            repeated: false,
            records,
            checkpoint: checkpoint(&leaves[..4]).shared_note(),
        };
        let inclusions = [1, 2].map(|at| (LeafIndex::new(at), tree.path(at as usize).unwrap()));
        let right = oracle::root(&leaves[4..]).unwrap();
        let shown = Shown {
            newest: checkpoint(&leaves).note().to_owned(),
            consistency: vec![NodeHash::from_bytes(*right.as_bytes())],
            inclusions: inclusions.into(),
        };
        (acknowledgement, shown)
    }

    #[test]
    fn a_kept_acknowledgement_verifies_and_so_do_its_proof_files() {
        let (acknowledgement, shown) = sample();
        let signer = signer();
        let newest = verify(&acknowledgement, &shown, &keys()).unwrap();
        assert_eq!(newest.size(), TreeSize::new(6));
        let files = proof_files(&acknowledgement, &shown);
        assert_eq!(files.len(), 2);
        for file in files {
            let read = ProofFile::parse(file.to_text().as_bytes()).unwrap();
            assert_eq!(read.verify(signer.verifier()).unwrap(), newest);
        }
    }

    #[test]
    fn an_acknowledgement_is_kept_through_a_rotation_and_each_key_speaks_for_its_time() {
        let (acknowledgement, shown) = sample();
        let next = NoteSigner::new("pec.example.test/log", &SigningSeed::from_bytes([2; 32]));
        let next = next.unwrap();
        let newest = Checkpoint::open(shown.newest.as_bytes(), signer().verifier()).unwrap();
        let (origin, size, root) = (newest.origin().clone(), newest.size(), newest.root());
        let newest = Checkpoint::sign(&next, &origin, size, root).unwrap();
        let shown = Shown {
            newest: newest.note().to_owned(),
            ..shown
        };
        let rotated = |at: u64| {
            let mut keys = keys();
            keys.rotate(next.verifier().clone(), TreeSize::new(at))
                .unwrap();
            keys
        };
        let verify = |keys: &KeyChain| verify(&acknowledgement, &shown, keys);
        assert_eq!(verify(&rotated(5)).unwrap(), newest);
        let unknown = CheckpointError::Note(NoteError::UnknownSigner);
        assert_eq!(verify(&keys()), Err(PromiseError::Newest(unknown)));
        // The next key alone, and a first one that was retired before the acknowledgement.
        let early = AcknowledgementError::from(unknown);
        let alone = KeyChain::new(next.verifier().clone());
        for keys in [alone, rotated(3)] {
            assert_eq!(
                verify(&keys),
                Err(PromiseError::Acknowledgement(early.clone()))
            );
        }
    }

    #[test]
    fn each_way_of_not_keeping_it_has_its_name() {
        let signer = signer();
        let verify = |change: &dyn Fn(&mut Acknowledgement, &mut Shown)| {
            let (mut acknowledgement, mut shown) = sample();
            change(&mut acknowledgement, &mut shown);
            verify(&acknowledgement, &shown, &keys()).unwrap_err()
        };
        let index = LeafIndex::new(2);
        let not_included = |error| PromiseError::NotIncluded { index, error };
        let inconsistent = |error| PromiseError::Inconsistent {
            first: TreeSize::new(4),
            second: TreeSize::new(6),
            error,
        };
        let other = RootHash::from_bytes([9; 32]);
        let origin = Origin::try_from("pec.example.test/log").unwrap();
        let forked = Checkpoint::sign(&signer, &origin, TreeSize::new(6), other).unwrap();
        assert_eq!(
            verify(&|_, s| s.newest = forked.note().to_owned()),
            inconsistent(VerifyError::OtherRoot)
        );
        let rolled_back = Checkpoint::sign(&signer, &origin, TreeSize::new(3), other).unwrap();
        assert_eq!(
            verify(&|_, s| s.newest = rolled_back.note().to_owned()),
            PromiseError::Behind {
                first: TreeSize::new(4),
                second: TreeSize::new(3),
            }
        );
        assert_eq!(
            verify(&|_, s| s.consistency.clear()),
            inconsistent(VerifyError::TooShort)
        );
        assert_eq!(
            verify(&|_, s| s.consistency.push(s.consistency[0])),
            inconsistent(VerifyError::ExtraHashes)
        );
        assert_eq!(
            verify(&|_, s| {
                s.inclusions.pop();
            }),
            PromiseError::Unproven(index)
        );
        assert_eq!(
            verify(&|_, s| s.inclusions[1].1.push(s.consistency[0])),
            not_included(VerifyError::ExtraHashes)
        );
        assert_eq!(
            verify(&|_, s| {
                s.inclusions[1].1.pop();
            }),
            not_included(VerifyError::TooShort)
        );
        assert_eq!(
            verify(&|_, s| s.inclusions[1].1 = s.inclusions[0].1.clone()),
            not_included(VerifyError::OtherRoot)
        );
        assert_eq!(
            verify(&|a, _| a.records[1] = record(2, Kind::Message)),
            not_included(VerifyError::OtherRoot)
        );
        assert_eq!(
            verify(&|_, s| s.newest = s.newest.replace("\n6\n", "\n7\n")),
            PromiseError::Newest(NoteError::BadSignature.into())
        );
        assert_eq!(
            verify(&|a, _| a.received_sha256 = Sha256::of(b"altro")),
            PromiseError::Acknowledgement(AcknowledgementError::Received)
        );
        assert_eq!(
            verify(&|a, _| a.origin = Origin::try_from("altro.example/log").unwrap()),
            PromiseError::OtherOrigin
        );
    }
}
