//! The evidence record as octets.
//!
//! ```text
//! EvidenceRecord ::= SEQUENCE {
//!    version                   INTEGER { v1(1) },
//!    digestAlgorithms          SEQUENCE OF AlgorithmIdentifier,
//!    cryptoInfos               [0] SEQUENCE OF Attribute OPTIONAL,
//!    encryptionInfo            [1] EncryptionInfo OPTIONAL,
//!    archiveTimeStampSequence  SEQUENCE OF ArchiveTimeStampChain }
//! ArchiveTimeStampChain ::= SEQUENCE OF ArchiveTimeStamp
//! ArchiveTimeStamp ::= SEQUENCE {
//!    digestAlgorithm           [0] AlgorithmIdentifier OPTIONAL,      absent: that of the token's imprint
//!    attributes                [1] SET OF Attribute OPTIONAL,
//!    reducedHashtree           [2] SEQUENCE OF PartialHashtree OPTIONAL,
//!    timeStamp                 ContentInfo }                          the RFC 3161 token
//! ```
//! (RFC 4998 section 3, implicit tags.) Ours always state the algorithm, without parameters (RFC 5754 section 2), and
//! have neither attributes nor infos; those of others are kept as they came.
//!
//! # Invariants
//! 1. A record that was read is written back octet for octet: archive time-stamps are hashed at renewal.
//! 2. One that is assembled here says the truth of itself: each root is what its token stamped.

use super::hash::Hash;
use super::reduced::ReducedTree;
use super::{RecordError, der};
use ceralacca_pec::DigestAlgorithm;
use ceralacca_pec::tsp::Token;

/// The longest record that is read.
pub const RECORD_BYTES_MAX: usize = 32 << 20;
/// The most archive time-stamps in a record: a renewal a month for forty years.
pub const STAMPS_MAX: usize = 512;

/// The most algorithms that a record names.
const ALGORITHMS_MAX: usize = 64;
/// The parts of an archive time-stamp, of a record, of an AlgorithmIdentifier.
const STAMP_PARTS: usize = 4;
const RECORD_PARTS: usize = 5;
const ALGORITHM_PARTS: usize = 2;
/// The most octets of an unknown identifier that are told of.
const UNKNOWN_BYTES_MAX: usize = 32;

/// One archive time-stamp.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ArchiveTimeStamp {
    whole: Vec<u8>,
    algorithm: DigestAlgorithm,
    reduced: Option<ReducedTree>,
    token: Vec<u8>,
}

impl ArchiveTimeStamp {
    /// A tree whose root this token stamped.
    fn of(reduced: ReducedTree, token: &[u8]) -> Result<Self, RecordError> {
        let algorithm = reduced.algorithm();
        let read = Token::read(token).map_err(RecordError::Token)?;
        let token = read.der();
        let info = read.info();
        if info.algorithm != algorithm {
            return Err(RecordError::TokenAlgorithm);
        }
        if reduced
            .root()
            .is_none_or(|root| root.as_bytes() != info.imprint)
        {
            return Err(RecordError::TokenImprint);
        }
        let token_value = der::only(token).and_then(|value| value.expect(der::SEQUENCE));
        token_value.ok_or(RecordError::Malformed("timeStamp"))?;
        let content = [
            der::value(der::CONTEXT_0, &oid_of(algorithm)),
            der::value(der::CONTEXT_2, &reduced.content()),
            token.to_vec(),
        ];
        Ok(Self {
            whole: der::value(der::SEQUENCE, &content.concat()),
            algorithm,
            reduced: Some(reduced),
            token: token.to_vec(),
        })
    }

    fn read(value: der::Value<'_>) -> Result<Self, RecordError> {
        let malformed = RecordError::Malformed("archiveTimeStamp");
        let content = value.expect(der::SEQUENCE).ok_or(malformed.clone())?;
        let mut parts = der::values(content, STAMP_PARTS)
            .ok_or(malformed.clone())?
            .into_iter()
            .peekable();
        let stated = parts.next_if(|part| part.tag == der::CONTEXT_0);
        parts.next_if(|part| part.tag == der::CONTEXT_1);
        let reduced = parts.next_if(|part| part.tag == der::CONTEXT_2);
        let token = parts.next().filter(|part| part.tag == der::SEQUENCE);
        let token = token.ok_or(RecordError::Malformed("timeStamp"))?.whole;
        if parts.next().is_some() {
            return Err(malformed);
        }
        let algorithm = match stated {
            Some(stated) => algorithm_of(stated.content)?,
            None => {
                Token::read(token)
                    .map_err(RecordError::Token)?
                    .info()
                    .algorithm
            }
        };
        let reduced = reduced.map(|reduced| {
            let tree = ReducedTree::read(reduced.content, algorithm);
            tree.ok_or(RecordError::Malformed("reducedHashtree"))
        });
        Ok(Self {
            whole: value.whole.to_vec(),
            algorithm,
            reduced: reduced.transpose()?,
            token: token.to_vec(),
        })
    }

    /// The octets, as a record holds them.
    pub fn to_der(&self) -> &[u8] {
        &self.whole
    }

    /// Reads one that was kept by itself: total.
    pub fn from_der(octets: &[u8]) -> Result<Self, RecordError> {
        if octets.len() > RECORD_BYTES_MAX {
            return Err(RecordError::TooLarge(octets.len()));
        }
        let value = der::only(octets).ok_or(RecordError::Malformed("archiveTimeStamp"))?;
        Self::read(value)
    }

    /// The algorithm of the tree.
    pub fn algorithm(&self) -> DigestAlgorithm {
        self.algorithm
    }

    /// The reduced hash tree; `None` where the token covers one thing directly.
    pub fn reduced(&self) -> Option<&ReducedTree> {
        self.reduced.as_ref()
    }

    /// The token, as it came.
    pub fn token(&self) -> &[u8] {
        &self.token
    }

    /// What a renewal of the time-stamp is over: the hash of the token, tag and length included.
    pub fn token_hash(&self, algorithm: DigestAlgorithm) -> Hash {
        Hash::of(algorithm, &self.token)
    }
}

/// What proves when a group of documents existed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EvidenceRecord {
    /// digestAlgorithms, each as it stands, and what it is where it is known.
    algorithms: Vec<(Vec<u8>, Option<DigestAlgorithm>)>,
    /// cryptoInfos and encryptionInfo, as they came.
    infos: Vec<u8>,
    chains: Vec<Vec<ArchiveTimeStamp>>,
}

impl EvidenceRecord {
    /// A first record: a tree, and the token over its root.
    pub fn new(reduced: ReducedTree, token: &[u8]) -> Result<Self, RecordError> {
        let stamp = ArchiveTimeStamp::of(reduced, token)?;
        let mut record = Self {
            algorithms: Vec::new(),
            infos: Vec::new(),
            chains: Vec::new(),
        };
        record.declare(stamp.algorithm);
        record.chains.push(vec![stamp]);
        Ok(record)
    }

    /// Renews the time-stamp: a tree over [`ArchiveTimeStamp::token_hash`] of the last token, by the algorithm of
    /// the chain, and the token over its root (RFC 4998 section 5.2).
    pub fn renew_time_stamp(
        &mut self,
        reduced: ReducedTree,
        token: &[u8],
    ) -> Result<(), RecordError> {
        let last = self
            .last()
            .ok_or(RecordError::Malformed("archiveTimeStampChain"))?;
        if reduced.algorithm() != last.algorithm {
            return Err(RecordError::ChainAlgorithm);
        }
        reduced.holds(&[last.token_hash(last.algorithm)], false)?;
        let stamp = ArchiveTimeStamp::of(reduced, token)?;
        if let Some(chain) = self.chains.last_mut() {
            chain.push(stamp);
        }
        Ok(())
    }

    /// Renews the hash tree: a tree whose first list is [`super::renewed`] of every document of the group, over
    /// [`EvidenceRecord::sequence_hash`], and the token over its root (RFC 4998 section 5.3).
    pub fn renew_hash_tree(
        &mut self,
        documents: &[super::Document],
        reduced: ReducedTree,
        token: &[u8],
    ) -> Result<(), RecordError> {
        let expected = self.renewed(documents, reduced.algorithm())?;
        reduced.holds(&expected, true)?;
        let stamp = ArchiveTimeStamp::of(reduced, token)?;
        self.declare(stamp.algorithm);
        self.chains.push(vec![stamp]);
        Ok(())
    }

    /// What stands for each document in the next chain.
    pub fn renewed(
        &self,
        documents: &[super::Document],
        algorithm: DigestAlgorithm,
    ) -> Result<Vec<Hash>, RecordError> {
        self.renewed_before(self.chains.len(), documents, algorithm)
    }

    /// The same for a chain that is there: only those before it count.
    pub(super) fn renewed_before(
        &self,
        chain: usize,
        documents: &[super::Document],
        algorithm: DigestAlgorithm,
    ) -> Result<Vec<Hash>, RecordError> {
        let sequence = Hash::of(algorithm, &self.sequence_der(chain));
        let documents = documents.iter().map(|document| {
            let hash = document.hash(algorithm)?;
            Ok(match chain {
                0 => hash,
                _ => super::renewed(&hash, &sequence),
            })
        });
        documents.collect()
    }

    /// The hash of the archiveTimeStampSequence so far.
    pub fn sequence_hash(&self, algorithm: DigestAlgorithm) -> Hash {
        Hash::of(algorithm, &self.sequence_der(self.chains.len()))
    }

    /// The archiveTimeStampSequence of the first chains, DER, tag and length included.
    fn sequence_der(&self, chains: usize) -> Vec<u8> {
        let chains = self.chains.iter().take(chains).map(|chain| {
            let stamps: Vec<_> = chain.iter().map(|stamp| stamp.whole.as_slice()).collect();
            der::value(der::SEQUENCE, &stamps.concat())
        });
        der::value(der::SEQUENCE, &chains.collect::<Vec<_>>().concat())
    }

    /// The chains, oldest first.
    pub fn chains(&self) -> &[Vec<ArchiveTimeStamp>] {
        &self.chains
    }

    /// The last archive time-stamp: the one that must hold today.
    pub fn last(&self) -> Option<&ArchiveTimeStamp> {
        self.chains.last().and_then(|chain| chain.last())
    }

    /// The algorithms that documents must be hashed by to verify the record.
    pub fn algorithms(&self) -> Vec<DigestAlgorithm> {
        let chains = self.chains.iter().filter_map(|chain| chain.first());
        let mut algorithms: Vec<_> = chains.map(|stamp| stamp.algorithm).collect();
        algorithms.sort_unstable();
        algorithms.dedup();
        algorithms
    }

    /// Whether digestAlgorithms names it.
    pub(super) fn declares(&self, algorithm: DigestAlgorithm) -> bool {
        self.algorithms
            .iter()
            .any(|(_, known)| *known == Some(algorithm))
    }

    fn declare(&mut self, algorithm: DigestAlgorithm) {
        if !self.declares(algorithm) {
            let der = der::value(der::SEQUENCE, &oid_of(algorithm));
            self.algorithms.push((der, Some(algorithm)));
        }
    }

    /// The octets.
    pub fn to_der(&self) -> Vec<u8> {
        let algorithms: Vec<_> = self
            .algorithms
            .iter()
            .map(|(der, _)| der.as_slice())
            .collect();
        let content = [
            der::value(der::INTEGER, &[1]),
            der::value(der::SEQUENCE, &algorithms.concat()),
            self.infos.clone(),
            self.sequence_der(self.chains.len()),
        ];
        der::value(der::SEQUENCE, &content.concat())
    }

    /// Reads a record: total. Attributes, cryptoInfos and encryptionInfo are kept and not looked at.
    pub fn from_der(octets: &[u8]) -> Result<Self, RecordError> {
        let malformed = RecordError::Malformed;
        if octets.len() > RECORD_BYTES_MAX {
            return Err(RecordError::TooLarge(octets.len()));
        }
        let outer = der::only(octets).and_then(|value| value.expect(der::SEQUENCE));
        let parts = outer
            .and_then(|outer| der::values(outer, RECORD_PARTS))
            .ok_or(malformed("evidenceRecord"))?;
        let mut parts = parts.into_iter().peekable();
        let version = parts.next().and_then(|part| part.expect(der::INTEGER));
        if version != Some(&[1]) {
            return Err(malformed("version"));
        }
        let algorithms = parts.next().and_then(|part| part.expect(der::SEQUENCE));
        let algorithms = algorithms
            .and_then(|algorithms| der::values(algorithms, ALGORITHMS_MAX))
            .ok_or(malformed("digestAlgorithms"))?;
        let mut infos = Vec::new();
        for tag in [der::CONTEXT_0, der::CONTEXT_1] {
            let info = parts.next_if(|part| part.tag == tag);
            infos.extend_from_slice(info.map_or(&[], |info| info.whole));
        }
        let sequence = parts.next().and_then(|part| part.expect(der::SEQUENCE));
        let sequence = sequence
            .and_then(|sequence| der::values(sequence, STAMPS_MAX))
            .filter(|_| parts.next().is_none());
        let sequence = sequence.ok_or(malformed("archiveTimeStampSequence"))?;
        let mut chains = Vec::new();
        let mut stamps_left = STAMPS_MAX;
        for chain in sequence {
            let stamps = chain.expect(der::SEQUENCE);
            let stamps = stamps.and_then(|stamps| der::values(stamps, stamps_left));
            let stamps = stamps.filter(|stamps| !stamps.is_empty());
            let stamps = stamps.ok_or(malformed("archiveTimeStampChain"))?;
            stamps_left = stamps_left.saturating_sub(stamps.len());
            let stamps = stamps.into_iter().map(ArchiveTimeStamp::read);
            chains.push(stamps.collect::<Result<Vec<_>, _>>()?);
        }
        if chains.is_empty() {
            return Err(malformed("archiveTimeStampSequence"));
        }
        let algorithms = algorithms.into_iter().map(|algorithm| {
            let content = algorithm.expect(der::SEQUENCE);
            let content = content.ok_or(malformed("digestAlgorithms"))?;
            Ok((algorithm.whole.to_vec(), algorithm_of(content).ok()))
        });
        Ok(Self {
            algorithms: algorithms.collect::<Result<_, RecordError>>()?,
            infos,
            chains,
        })
    }
}

/// 2.16.840.1.101.3.4.2.1, .2, .3 and 1.3.14.3.2.26.
const SHA2: [u8; 8] = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];
const SHA1: &[u8] = &[0x2b, 0x0e, 0x03, 0x02, 0x1a];

/// The content of an AlgorithmIdentifier, without parameters.
fn oid_of(algorithm: DigestAlgorithm) -> Vec<u8> {
    let last = match algorithm {
        DigestAlgorithm::Sha1 => return der::value(der::OID, SHA1),
        DigestAlgorithm::Sha256 => 1,
        DigestAlgorithm::Sha384 => 2,
        DigestAlgorithm::Sha512 => 3,
    };
    der::value(der::OID, &[SHA2.as_slice(), &[last]].concat())
}

/// The algorithm of the content of an AlgorithmIdentifier, with NULL for parameters or none.
fn algorithm_of(content: &[u8]) -> Result<DigestAlgorithm, RecordError> {
    let parts = der::values(content, ALGORITHM_PARTS).unwrap_or_default();
    let (oid, parameters) = match parts.as_slice() {
        [oid] => (oid, None),
        [oid, parameters] => (oid, Some(parameters.whole)),
        _ => return Err(RecordError::Malformed("digestAlgorithm")),
    };
    let oid = oid
        .expect(der::OID)
        .ok_or(RecordError::Malformed("digestAlgorithm"))?;
    let known = match oid.strip_prefix(&SHA2) {
        Some([1]) => Some(DigestAlgorithm::Sha256),
        Some([2]) => Some(DigestAlgorithm::Sha384),
        Some([3]) => Some(DigestAlgorithm::Sha512),
        _ => (oid == SHA1).then_some(DigestAlgorithm::Sha1),
    };
    let known = known.filter(|_| parameters.is_none_or(|p| p == [5, 0]));
    let told = oid.get(..UNKNOWN_BYTES_MAX).unwrap_or(oid);
    known.ok_or_else(|| RecordError::UnknownAlgorithm(hex::encode(told)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Values within values, with the tags of a record.
    fn nested() -> impl Strategy<Value = Vec<u8>> {
        let leaf = prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..40),
            Just(oid_of(DigestAlgorithm::Sha256)),
            Just(der::value(der::INTEGER, &[1])),
        ];
        leaf.prop_recursive(6, 64, 5, |inner| {
            let tags = vec![
                der::SEQUENCE,
                der::CONTEXT_0,
                der::CONTEXT_1,
                der::CONTEXT_2,
                der::OCTET_STRING,
            ];
            let parts = proptest::collection::vec(inner, 0..5);
            (proptest::sample::select(tags), parts)
                .prop_map(|(tag, parts)| der::value(tag, &parts.concat()))
        })
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_back_and_nothing_panics(parts in nested()) {
            let algorithm = der::value(der::SEQUENCE, &oid_of(DigestAlgorithm::Sha256));
            let head = [der::value(der::INTEGER, &[1]), der::value(der::SEQUENCE, &algorithm)];
            let stamp = [der::value(der::CONTEXT_0, &oid_of(DigestAlgorithm::Sha256)), parts.clone()];
            let stamp = der::value(der::SEQUENCE, &stamp.concat());
            let chains = der::value(der::SEQUENCE, &der::value(der::SEQUENCE, &stamp));
            for content in [[head.concat(), parts.clone()], [head.concat(), chains]] {
                let octets = der::value(der::SEQUENCE, &content.concat());
                if let Ok(record) = EvidenceRecord::from_der(&octets) {
                    prop_assert_eq!(record.to_der(), octets);
                }
            }
            let _ = EvidenceRecord::from_der(&parts);
        }
    }

    #[test]
    fn a_record_has_a_chain_and_a_chain_has_a_stamp() {
        let head = [
            der::value(der::INTEGER, &[1]),
            der::value(der::SEQUENCE, &[]),
        ]
        .concat();
        let record = |sequence: &[u8]| {
            let sequence = der::value(der::SEQUENCE, sequence);
            EvidenceRecord::from_der(&der::value(der::SEQUENCE, &[&head[..], &sequence].concat()))
        };
        let malformed = |part| Err(RecordError::Malformed(part));
        assert_eq!(record(&[]), malformed("archiveTimeStampSequence"));
        assert_eq!(record(&[0x30, 0]), malformed("archiveTimeStampChain"));
        assert_eq!(record(&[0x30, 2, 0x30, 0]), malformed("timeStamp"));
        let many = [0x30, 0].repeat(STAMPS_MAX + 1);
        assert_eq!(
            record(&der::value(0x30, &many)),
            malformed("archiveTimeStampChain")
        );
        let long = vec![0; RECORD_BYTES_MAX + 1];
        assert_eq!(
            EvidenceRecord::from_der(&long),
            Err(RecordError::TooLarge(long.len()))
        );
    }
}
