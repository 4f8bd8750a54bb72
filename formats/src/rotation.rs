//! The keys of one log through its rotations, followed from the first pinned one.
//!
//! ```text
//! rotation = proof file (`proof`) of a `key-event` record of type `key-rotation`, whose note is signed
//!            by the key that is retired AND by the one that follows it
//!
//!            key 0          key 1               key 2
//! leaves  0 ─────────── S1 ─────────────── S2 ────────▶     each S: size of a checkpoint signed by both
//! ```
//! Who trusts key 0 checks a rotation with it, trusts key 1 from then on, and so forth to the current one.
//!
//! # Invariants
//! 1. A key speaks for the checkpoints of its time only: from the size at which it was introduced to the one
//!    at which it was retired, both included. A retired key that was stolen signs nothing later.
//! 2. No two keys of a chain have the same id, so that a signature names one of them; sizes ascend.
//! 3. One rotation that is refused refuses all.
//!
//! # Not here
//! Whether a checkpoint of a retired key is consistent with what followed it: whoever stole that key can sign
//! another tree of a size of its time. A consistency proof to a checkpoint of the current key says it, as for
//! every two checkpoints.

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::digest::ContentDigest;
use crate::id::TreeSize;
use crate::leaf::{Class, Kind};
use crate::metadata::{CustodyRecord, Metadata};
use crate::note::{NoteError, VerifierKey};
use crate::proof::{ProofError, ProofFile, ProvenMetadata};

/// The most rotations of one log: one a month for eighty years.
pub const ROTATIONS_MAX: usize = 1000;

/// What is wrong with a rotation.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RotationFlaw {
    /// The key is a witness's, or no key.
    #[error("a key of the rotation is not a log's verifier key")]
    Key,
    /// The proof is refused under the key trusted so far: not signed by it, or not of a leaf of that tree.
    #[error("under the key trusted so far: {0}")]
    Retired(ProofError),
    /// The checkpoint is refused under the key that is to follow.
    #[error("under the key that is to follow: {0}")]
    Successor(CheckpointError),
    /// The leaf is no key event of custody.
    #[error("the leaf is no key event")]
    Kind,
    /// The record is not that of a rotation: other metadata, none that can be read, or a content.
    #[error("the record is not that of a key rotation")]
    Record,
    /// The rotation is from another key than the one trusted so far.
    #[error("the key it retires is not the one trusted so far")]
    OtherKey,
    /// The key that is to follow is of another log.
    #[error("the key that is to follow has another name")]
    OtherLog,
    /// The checkpoint is not larger than that of the rotation before.
    #[error("its checkpoint of {size} leaves does not come after that of {before}")]
    Order {
        /// Size of its checkpoint.
        size: TreeSize,
        /// Size of the one before.
        before: TreeSize,
    },
    /// A key, or one with the same id, was the log's before.
    #[error("the key that is to follow has the id of one that went before")]
    Again,
    /// More than [`ROTATIONS_MAX`].
    #[error("over 1000 rotations")]
    TooMany,
}

/// Which rotation is refused, and why. The key before it is the last that is proven.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("rotation {number}: {flaw}")]
pub struct RotationError {
    /// Its place, from 1.
    pub number: usize,
    /// What is wrong with it.
    pub flaw: RotationFlaw,
}

/// A key that was retired, and the size of the checkpoint that it signed together with the next.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Retired {
    key: VerifierKey,
    until: TreeSize,
}

/// The keys of a log, in order of their times.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyChain {
    retired: Vec<Retired>,
    current: VerifierKey,
}

impl KeyChain {
    /// A log with the key it was made with.
    pub fn new(first: VerifierKey) -> Self {
        Self {
            retired: Vec::new(),
            current: first,
        }
    }

    /// Takes it that another key followed at the checkpoint of this size. Only who knows it otherwise may say so: the
    /// log itself; everybody else follows proofs ([`follow`]).
    pub fn rotate(&mut self, successor: VerifierKey, at: TreeSize) -> Result<(), RotationFlaw> {
        if !successor.is_of_log() || !self.current.is_of_log() {
            return Err(RotationFlaw::Key);
        }
        if successor.name() != self.current.name() {
            return Err(RotationFlaw::OtherLog);
        }
        if self.keys().any(|key| key.id() == successor.id()) {
            return Err(RotationFlaw::Again);
        }
        if self.retired.len() >= ROTATIONS_MAX {
            return Err(RotationFlaw::TooMany);
        }
        let before = self.since();
        if at <= before {
            return Err(RotationFlaw::Order { size: at, before });
        }
        let key = std::mem::replace(&mut self.current, successor);
        self.retired.push(Retired { key, until: at });
        Ok(())
    }

    /// Checks one rotation and takes it; unchanged where it is refused.
    pub fn follow(&mut self, proof: &ProofFile) -> Result<(), RotationFlaw> {
        let checkpoint = proof.verify(&self.current).map_err(RotationFlaw::Retired)?;
        let leaf = &proof.record.leaf;
        if leaf.kind != Kind::KeyEvent || leaf.class != Class::Custody {
            return Err(RotationFlaw::Kind);
        }
        let (old, new) = rotation_of(proof).ok_or(RotationFlaw::Record)?;
        let key = |text: &[u8]| {
            let text = std::str::from_utf8(text).map_err(|_| RotationFlaw::Key)?;
            VerifierKey::parse(text).map_err(|_| RotationFlaw::Key)
        };
        if key(&old)? != self.current {
            return Err(RotationFlaw::OtherKey);
        }
        let new = key(&new)?;
        let mut next = self.clone();
        next.rotate(new, checkpoint.size())?;
        Checkpoint::open(proof.note.as_bytes(), &next.current).map_err(RotationFlaw::Successor)?;
        *self = next;
        Ok(())
    }

    /// The key the log was made with, or the pinned one.
    pub fn first(&self) -> &VerifierKey {
        self.retired
            .first()
            .map_or(&self.current, |first| &first.key)
    }

    /// The key that signs today.
    pub fn current(&self) -> &VerifierKey {
        &self.current
    }

    /// All keys, the first one first.
    pub fn keys(&self) -> impl Iterator<Item = &VerifierKey> {
        let retired = self.retired.iter().map(|retired| &retired.key);
        retired.chain([&self.current])
    }

    /// How often the key was changed.
    pub fn rotations(&self) -> usize {
        self.retired.len()
    }

    /// The size at which the current key was introduced; 0 of the first one.
    pub fn since(&self) -> TreeSize {
        self.retired
            .last()
            .map_or(TreeSize::default(), |last| last.until)
    }

    /// Verifies a checkpoint under the key of its time, and gives both.
    pub fn open(&self, note: &[u8]) -> Result<(Checkpoint, &VerifierKey), CheckpointError> {
        let unknown = CheckpointError::Note(NoteError::UnknownSigner);
        for number in (0..=self.retired.len()).rev() {
            let retired = self.retired.get(number);
            let key = retired.map_or(&self.current, |retired| &retired.key);
            let before = number.checked_sub(1).and_then(|at| self.retired.get(at));
            let since = before.map_or(TreeSize::default(), |before| before.until);
            let until = retired.map(|retired| retired.until);
            match Checkpoint::open(note, key) {
                Ok(found)
                    if found.size() >= since && until.is_none_or(|end| found.size() <= end) =>
                {
                    return Ok((found, key));
                }
                // Signed outside its time: it says nothing, as the signature of an unknown key.
                Ok(_) => {}
                Err(error) if error == unknown => {}
                Err(other) => return Err(other),
            }
        }
        Err(unknown)
    }
}

/// The texts of the two keys, where the record is that of a rotation and nothing else.
fn rotation_of(proof: &ProofFile) -> Option<(Vec<u8>, Vec<u8>)> {
    let ProvenMetadata::Bytes(bytes) = &proof.record.metadata else {
        return None;
    };
    if proof.record.content != ContentDigest::EMPTY {
        return None;
    }
    match Metadata::parse(bytes) {
        Ok(Metadata::Custody(CustodyRecord::KeyRotation { old, new })) => {
            Some((old.as_bytes().to_vec(), new.as_bytes().to_vec()))
        }
        _ => None,
    }
}

/// The rotations that come after a key, of those of a log from its first key on: from the one that retires it, none
/// where the last one introduces it. All of them where none names it, so that [`follow`] refuses the first. What they
/// say is not verified here.
pub fn after<'a>(pinned: &VerifierKey, proofs: &'a [ProofFile]) -> &'a [ProofFile] {
    let names = |at: usize, pinned: &str| {
        let (old, new) = proofs.get(at).and_then(rotation_of)?;
        let pinned = pinned.as_bytes();
        Some((old == pinned, new == pinned))
    };
    let pinned = pinned.to_string();
    for at in 0..proofs.len() {
        match names(at, &pinned) {
            Some((true, _)) => return proofs.get(at..).unwrap_or_default(),
            Some((_, true)) if at + 1 == proofs.len() => return &[],
            _ => {}
        }
    }
    proofs
}

/// Follows all rotations of a log, in order, from the key that was pinned.
///
/// # Errors
/// The first rotation that is refused; nothing of the chain is to be believed then but the pinned key.
pub fn follow<'a>(
    pinned: &VerifierKey,
    proofs: impl IntoIterator<Item = &'a ProofFile>,
) -> Result<KeyChain, RotationError> {
    let mut chain = KeyChain::new(pinned.clone());
    for (number, proof) in (1..).zip(proofs) {
        let taken = chain.follow(proof);
        taken.map_err(|flaw| RotationError { number, flaw })?;
    }
    Ok(chain)
}

#[cfg(test)]
#[path = "rotation_tests.rs"]
mod tests;
