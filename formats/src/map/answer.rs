//! What a closed interval answers of one identificativo, class by class, checked against its closing leaf.
//!
//! # Invariants
//! 1. The salt is the one that was fixed at the closing, and the proof leads to the root that was.
//! 2. Presence is of records: their leaf hashes are the ones that the map commits to, all of them.

use super::{MapError, MapKey, MapNode, MapProof, MapProofError, MapSaltDigest, MapValue};
use crate::closing::ClosedClass;
use crate::tree::LeafHash;

/// What the map of one class says of an identificativo.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MapAnswer {
    /// The salt of the map.
    pub salt: [u8; 32],
    /// The proof.
    pub proof: MapProof,
    /// Leaf hashes of all records of the class with the identificativo, ascending; none where it is absent.
    pub hashes: Vec<LeafHash>,
}

/// Why an answer proves nothing. Never retried: the service is asked why it gave it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MapAnswerError {
    /// The salt is not the one of the closing leaf: with another, a key is absent that is not.
    #[error("the salt is not the one that was fixed at the closing")]
    OtherSalt,
    /// The proof does not lead to the root in the closing leaf.
    #[error(transparent)]
    Proof(#[from] MapProofError),
    /// The leaf hashes cannot be those of a value.
    #[error(transparent)]
    Hashes(#[from] MapError),
    /// The leaf hashes are not those the map commits to: some are left out, or are others.
    #[error("the records are not those that the map commits to")]
    OtherRecords,
}

impl MapAnswer {
    /// How many records of the class have the identificativo: proven under what the closing leaf says of the class.
    pub fn verify(
        &self,
        closed: &ClosedClass,
        identificativo: &[u8],
    ) -> Result<usize, MapAnswerError> {
        if MapSaltDigest::of(&self.salt).as_bytes() != closed.salt.as_bytes() {
            return Err(MapAnswerError::OtherSalt);
        }
        let key = MapKey::of_identificativo(&self.salt, identificativo);
        let root = MapNode::from_bytes(*closed.map_root.as_bytes());
        let value = self.proof.verify(&root, &key)?;
        match (value, self.hashes.as_slice()) {
            (None, []) => Ok(0),
            (Some(value), hashes) if MapValue::of(hashes)? == value => Ok(hashes.len()),
            _ => Err(MapAnswerError::OtherRecords),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Sha256;
    use crate::leaf::Class;
    use crate::map::{MapFile, MapWriter};
    use std::convert::Infallible;

    const PRESENT: &[u8] = b"alfa.1@pec.example.test";
    const ABSENT: &[u8] = b"alfa.2@pec.example.test";

    fn hashes() -> Vec<LeafHash> {
        [[1; 32], [2; 32]].map(LeafHash::from_bytes).to_vec()
    }

    fn interval(salt: [u8; 32]) -> (ClosedClass, Vec<u8>) {
        let mut bytes = Vec::new();
        let sink = |piece: &[u8]| {
            bytes.extend_from_slice(piece);
            Ok::<_, Infallible>(())
        };
        let digest = MapSaltDigest::of(&salt);
        let mut writer = MapWriter::new(&digest, 0, sink).unwrap();
        let key = MapKey::of_identificativo(&salt, PRESENT);
        let value = MapValue::of(&hashes()).unwrap();
        writer.push(key, value).unwrap();
        let (keys, root) = writer.finish().unwrap();
        let closed = ClosedClass {
            class: Class::Trace,
            records: 2,
            leaf_hashes: Sha256::of(b""),
            files: Vec::new(),
            keys,
            map_root: Sha256::from_bytes(*root.as_bytes()),
            salt: Sha256::from_bytes(*digest.as_bytes()),
        };
        (closed, bytes)
    }

    fn answer(salt: [u8; 32], file: &[u8], term: &[u8], hashes: Vec<LeafHash>) -> MapAnswer {
        let read_at = |offset: u64, length: usize| {
            let at = usize::try_from(offset).unwrap();
            Ok::<_, Infallible>(file[at..at + length].to_vec())
        };
        let map = MapFile::open(file.len() as u64, read_at).unwrap();
        let key = MapKey::of_identificativo(&salt, term);
        MapAnswer {
            salt,
            proof: map.prove(&key, read_at).unwrap(),
            hashes,
        }
    }

    #[test]
    fn presence_and_absence_are_proven_under_the_closing_leaf_alone() {
        let salt = [7; 32];
        let (closed, file) = interval(salt);
        let present = answer(salt, &file, PRESENT, hashes());
        assert_eq!(present.verify(&closed, PRESENT), Ok(2));
        assert_eq!(
            present.verify(&closed, b" <alfa.1@pec.example.test> "),
            Ok(2)
        );
        let absent = answer(salt, &file, ABSENT, Vec::new());
        assert_eq!(absent.verify(&closed, ABSENT), Ok(0));
    }

    #[test]
    fn each_lie_is_named() {
        let (salt, other) = ([7; 32], [8; 32]);
        let (closed, file) = interval(salt);
        let (_, other_file) = interval(other);
        let chosen = answer(other, &other_file, ABSENT, Vec::new());
        assert_eq!(
            chosen.verify(&closed, PRESENT),
            Err(MapAnswerError::OtherSalt)
        );
        let root = MapAnswerError::Proof(MapProofError::OtherRoot);
        let absent = answer(salt, &file, ABSENT, Vec::new());
        assert_eq!(absent.verify(&closed, PRESENT), Err(root));
        let mut altered = answer(salt, &file, PRESENT, hashes());
        altered.proof.value = MapValue::of(&hashes()[..1]).ok();
        assert_eq!(altered.verify(&closed, PRESENT), Err(root));
        let mut fewer = answer(salt, &file, PRESENT, hashes());
        fewer.hashes.pop();
        assert_eq!(
            fewer.verify(&closed, PRESENT),
            Err(MapAnswerError::OtherRecords)
        );
        fewer.hashes.clear();
        let none = MapAnswerError::Hashes(MapError::NoRecord);
        assert_eq!(fewer.verify(&closed, PRESENT), Err(none));
        let mut more = answer(salt, &file, ABSENT, hashes());
        assert_eq!(
            more.verify(&closed, ABSENT),
            Err(MapAnswerError::OtherRecords)
        );
        more.hashes.reverse();
        assert_eq!(
            more.verify(&closed, ABSENT),
            Err(MapAnswerError::OtherRecords)
        );
    }
}
