//! Hashes of an evidence record, and what they are of.

use super::RecordError;
use crate::stamp::Imprint;
use ceralacca_pec::DigestAlgorithm;
use ceralacca_pec::tsp;
use std::fmt;

/// The longest hash, in bytes.
pub const HASH_BYTES_MAX: usize = 64;

/// A hash and its algorithm. Hashes of one algorithm are ordered by their octets, as RFC 4998 sorts them.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Hash {
    algorithm: DigestAlgorithm,
    bytes: [u8; HASH_BYTES_MAX],
}

impl Hash {
    /// One computed elsewhere; `None` where the algorithm makes longer or shorter ones.
    pub fn from_bytes(algorithm: DigestAlgorithm, hash: &[u8]) -> Option<Self> {
        let mut bytes = [0; HASH_BYTES_MAX];
        if hash.len() != bytes_of(algorithm) {
            return None;
        }
        bytes.get_mut(..hash.len())?.copy_from_slice(hash);
        Some(Self { algorithm, bytes })
    }

    /// The hash of some octets.
    pub fn of(algorithm: DigestAlgorithm, octets: &[u8]) -> Self {
        let digest = algorithm.of(octets);
        let mut bytes = [0; HASH_BYTES_MAX];
        for (to, from) in bytes.iter_mut().zip(digest.as_ref()) {
            *to = *from;
        }
        Self { algorithm, bytes }
    }

    /// The hash of these hashes one after another, as they stand.
    pub(super) fn of_all(algorithm: DigestAlgorithm, hashes: &[Self]) -> Self {
        let octets: Vec<u8> = hashes
            .iter()
            .flat_map(|hash| hash.as_bytes())
            .copied()
            .collect();
        Self::of(algorithm, &octets)
    }

    /// The octets.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..bytes_of(self.algorithm)).unwrap_or(&[])
    }

    /// What to ask a time-stamp of; `None` for hashes that nothing new is stamped with.
    pub fn imprint(&self) -> Option<Imprint> {
        match self.algorithm {
            DigestAlgorithm::Sha256 => self.as_bytes().try_into().ok().map(Imprint::Sha256),
            DigestAlgorithm::Sha512 => Some(Imprint::Sha512(self.bytes)),
            DigestAlgorithm::Sha1 | DigestAlgorithm::Sha384 => None,
        }
    }

    /// How it was made.
    pub fn algorithm(&self) -> DigestAlgorithm {
        self.algorithm
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.as_bytes()))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{self}", self.algorithm.name())
    }
}

/// How long a hash of an algorithm is.
pub(super) const fn bytes_of(algorithm: DigestAlgorithm) -> usize {
    match algorithm {
        DigestAlgorithm::Sha1 => 20,
        DigestAlgorithm::Sha256 => 32,
        DigestAlgorithm::Sha384 => 48,
        DigestAlgorithm::Sha512 => 64,
    }
}

/// The hash of a data object group (RFC 4998 section 4.2.1 step 3): the hash of its documents' hashes, sorted; of
/// a group of one, that hash itself. `None` for a group of none.
pub fn group_hash(documents: &[Hash]) -> Option<Hash> {
    let mut sorted = documents.to_vec();
    sorted.sort_unstable();
    match sorted.as_slice() {
        [] => None,
        [one] => Some(*one),
        [first, ..] => Some(Hash::of_all(first.algorithm, &sorted)),
    }
}

/// What stands for a document after a renewal of the hash tree: H( H(document) | H(archiveTimeStampSequence) ),
/// unsorted, the document first (RFC 4998 section 5.3 step 4; its figure 4 errs).
pub fn renewed(document: &Hash, sequence: &Hash) -> Hash {
    Hash::of_all(document.algorithm, &[*document, *sequence])
}

/// The hashes of one document, by every algorithm that a record needs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Document(Vec<Hash>);

impl Document {
    /// From hashes made elsewhere.
    pub fn new(hashes: Vec<Hash>) -> Self {
        Self(hashes)
    }

    /// Of octets in memory.
    pub fn of(octets: &[u8], algorithms: &[DigestAlgorithm]) -> Self {
        Self(algorithms.iter().map(|a| Hash::of(*a, octets)).collect())
    }

    /// Its hash by an algorithm.
    pub fn hash(&self, algorithm: DigestAlgorithm) -> Result<Hash, RecordError> {
        let hash = self.0.iter().find(|hash| hash.algorithm == algorithm);
        hash.copied().ok_or(RecordError::NoHash(algorithm))
    }
}

/// Hashes a document of any size in one pass.
pub struct DocumentHasher(Vec<(DigestAlgorithm, tsp::Imprint)>);

impl DocumentHasher {
    /// By these algorithms: [`super::EvidenceRecord::algorithms`].
    pub fn new(algorithms: &[DigestAlgorithm]) -> Self {
        Self(
            algorithms
                .iter()
                .map(|a| (*a, tsp::Imprint::new(*a)))
                .collect(),
        )
    }

    /// Takes the next octets.
    pub fn push(&mut self, octets: &[u8]) {
        self.0.iter_mut().for_each(|(_, hash)| hash.push(octets));
    }

    /// The hashes.
    pub fn finish(self) -> Document {
        let hashes = self.0.into_iter();
        Document(
            hashes
                .filter_map(|(algorithm, hash)| Hash::from_bytes(algorithm, &hash.finish()))
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use DigestAlgorithm::{Sha1, Sha256, Sha384, Sha512};

    #[test]
    fn a_document_in_pieces_has_the_hashes_of_the_whole() {
        let octets: Vec<u8> = (0..10_000u32).map(|n| (n % 251) as u8).collect();
        let mut hasher = DocumentHasher::new(&[Sha256, Sha512]);
        octets.chunks(977).for_each(|piece| hasher.push(piece));
        let document = hasher.finish();
        assert_eq!(document, Document::of(&octets, &[Sha256, Sha512]));
        assert_eq!(document.hash(Sha384), Err(RecordError::NoHash(Sha384)));
    }

    #[test]
    fn a_hash_has_the_length_of_its_algorithm_and_is_stamped_where_it_is_strong() {
        for algorithm in DigestAlgorithm::ALL {
            let hash = Hash::of(algorithm, b"x");
            assert_eq!(hash.as_bytes(), algorithm.of(b"x").as_ref());
            assert_eq!(Hash::from_bytes(algorithm, hash.as_bytes()), Some(hash));
            assert_eq!(Hash::from_bytes(algorithm, &[0; 63]), None);
            let imprint = hash.imprint();
            let digest = imprint.as_ref().map(Imprint::digest);
            let is_strong = !matches!(algorithm, Sha1 | Sha384);
            assert_eq!(digest, is_strong.then_some(hash.as_bytes()));
        }
    }

    #[test]
    fn a_renewed_document_is_data_first_and_unsorted() {
        let [low, high] = [Hash::of(Sha256, b"alpha"), Hash::of(Sha256, b"beta")];
        assert!(low < high);
        let joined = |a: &Hash, b: &Hash| Hash::of(Sha256, &[a.as_bytes(), b.as_bytes()].concat());
        assert_eq!(renewed(&high, &low), joined(&high, &low));
        assert_eq!(renewed(&low, &high), joined(&low, &high));
        assert_eq!(group_hash(&[high, low]), Some(joined(&low, &high)));
        assert_eq!(group_hash(&[]), None);
    }
}
