//! The proof of one record, for a file: C2SP tlog-proof with record and opening in its `extra` line.
//!
//! ```text
//! c2sp.org/tlog-proof@v1\n
//! extra <base64 of the record block>\n
//! index <decimal>\n
//! <base64 hash>\n ...                       leaf's sibling first
//! \n
//! <checkpoint note, verbatim>
//!
//! record block = "CLX1" | leaf 64 | r 32 | content bytes u64 | SHA-256(content) 32 | BLAKE3(content) 32
//!                | form u8 | 1: canonical metadata to the end; 0: SHA-256(metadata) 32
//! ```
//! With the block anyone recomputes commitment and leaf; with the path and the checkpoint, the root.
//!
//! # Invariants
//! 1. Reading checks the layout and the leaf's fields; verification then checks, in this order, key and
//!    signature of the checkpoint, commitment against digests, index, path. One failure refuses all.

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::digest::{Blake3, ContentDigest, Sha256};
use crate::id::LeafIndex;
use crate::leaf::{Commitment, Leaf, LeafError, Opening};
use crate::metadata::metadata_digest;
use crate::note::{NOTE_BYTES_MAX, VerifierKey};
use crate::tree::{NodeHash, VerifyError, verify_inclusion};
use crate::wire::Cursor;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const HEADER: &str = "c2sp.org/tlog-proof@v1";
const BLOCK_MAGIC: &[u8; 4] = b"CLX1";
/// The most hashes a path can have: a tree of 2^63 leaves.
const PATH_MAX: usize = 63;

/// What the metadata of a proven record is given as.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ProvenMetadata {
    /// The canonical bytes: the facts can be read from the proof.
    Bytes(Vec<u8>),
    /// Their digest only: the proof says nothing of a person.
    Digest(Sha256),
}

impl ProvenMetadata {
    /// The digest that the commitment binds.
    pub fn sha256(&self) -> Sha256 {
        match self {
            Self::Bytes(bytes) => metadata_digest(bytes),
            Self::Digest(digest) => *digest,
        }
    }
}

/// A record with what is needed to recompute its leaf.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProvenRecord {
    /// The leaf.
    pub leaf: Leaf,
    /// The opening of its commitment.
    pub opening: Opening,
    /// Length and digests of its content.
    pub content: ContentDigest,
    /// Its metadata.
    pub metadata: ProvenMetadata,
}

impl ProvenRecord {
    /// Whether the leaf commits to this content and metadata.
    pub fn is_committed(&self) -> bool {
        let sha256 = self.metadata.sha256();
        Commitment::new(&self.opening, self.leaf.kind, &self.content, &sha256)
            == self.leaf.commitment
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut out = BLOCK_MAGIC.to_vec();
        out.extend_from_slice(&self.leaf.to_bytes());
        out.extend_from_slice(self.opening.as_bytes());
        out.extend_from_slice(&self.content.bytes.to_be_bytes());
        out.extend_from_slice(self.content.sha256.as_bytes());
        out.extend_from_slice(self.content.blake3.as_bytes());
        match &self.metadata {
            ProvenMetadata::Bytes(bytes) => {
                out.push(1);
                out.extend_from_slice(bytes);
            }
            ProvenMetadata::Digest(digest) => {
                out.push(0);
                out.extend_from_slice(digest.as_bytes());
            }
        }
        out
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, ProofError> {
        Self::read(bytes).ok_or(ProofError::Block)?
    }

    fn read(bytes: &[u8]) -> Option<Result<Self, ProofError>> {
        let mut cursor = Cursor::new(bytes);
        let magic: [u8; 4] = cursor.array()?;
        let leaf = cursor.take(crate::leaf::LEAF_BYTES)?;
        let opening = Opening::from_bytes(cursor.array()?);
        let content = ContentDigest {
            bytes: cursor.u64()?,
            sha256: Sha256::from_bytes(cursor.array()?),
            blake3: Blake3::from_bytes(cursor.array()?),
        };
        let form = cursor.u8()?;
        let rest = cursor.rest();
        let metadata = match form {
            1 => ProvenMetadata::Bytes(rest.to_vec()),
            0 => ProvenMetadata::Digest(Sha256::from_bytes(rest.try_into().ok()?)),
            _ => return None,
        };
        if &magic != BLOCK_MAGIC {
            return None;
        }
        Some(
            Leaf::from_bytes(leaf)
                .map_err(ProofError::Leaf)
                .map(|leaf| Self {
                    leaf,
                    opening,
                    content,
                    metadata,
                }),
        )
    }
}

/// Why a proof file is refused. What it says is not proven.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ProofError {
    /// Not the lines of a tlog-proof.
    #[error("proof file is malformed")]
    Malformed,
    /// The record block is not well formed.
    #[error("record block is malformed")]
    Block,
    /// The leaf in the block is not a leaf.
    #[error("record block: {0}")]
    Leaf(LeafError),
    /// The leaf does not commit to the content digests and metadata of the block.
    #[error("leaf does not commit to the record")]
    Commitment,
    /// The leaf's own index is not that of the proof.
    #[error("leaf says index {leaf}, proof says {proof}")]
    Index {
        /// Index in the leaf.
        leaf: LeafIndex,
        /// Index of the proof.
        proof: LeafIndex,
    },
    /// The checkpoint is refused.
    #[error("checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// The path is refused.
    #[error("path: {0}")]
    Path(#[from] VerifyError),
}

/// A proof file: a record, its path, and the note of a checkpoint.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProofFile {
    /// The record and its opening.
    pub record: ProvenRecord,
    /// Where it stands.
    pub index: LeafIndex,
    /// The inclusion path.
    pub path: Vec<NodeHash>,
    /// The note, verbatim.
    pub note: String,
}

impl ProofFile {
    /// The text of the file.
    pub fn to_text(&self) -> String {
        let extra = STANDARD.encode(self.record.to_bytes());
        let mut out = format!("{HEADER}\nextra {extra}\nindex {}\n", self.index);
        for hash in &self.path {
            STANDARD.encode_string(hash.as_bytes(), &mut out);
            out.push('\n');
        }
        out.push('\n');
        out.push_str(&self.note);
        out
    }

    /// Reads the text of a file; the checkpoint is not yet verified.
    pub fn parse(text: &[u8]) -> Result<Self, ProofError> {
        let text = std::str::from_utf8(text).map_err(|_| ProofError::Malformed)?;
        let (head, note) = text.split_once("\n\n").ok_or(ProofError::Malformed)?;
        if note.len() > NOTE_BYTES_MAX {
            return Err(ProofError::Malformed);
        }
        let mut lines = head.split('\n');
        let mut line = |prefix: &str| lines.next()?.strip_prefix(prefix);
        let header = line(HEADER).filter(|rest| rest.is_empty());
        let extra = header.and_then(|_| line("extra "));
        let index = line("index ").and_then(decimal);
        let (Some(extra), Some(index)) = (extra, index) else {
            return Err(ProofError::Malformed);
        };
        let block = STANDARD.decode(extra).map_err(|_| ProofError::Malformed)?;
        let mut path = Vec::new();
        for line in lines {
            let bytes = STANDARD.decode(line).map_err(|_| ProofError::Malformed)?;
            let hash: [u8; 32] = bytes.try_into().map_err(|_| ProofError::Malformed)?;
            if path.len() == PATH_MAX {
                return Err(ProofError::Malformed);
            }
            path.push(NodeHash::from_bytes(hash));
        }
        Ok(Self {
            record: ProvenRecord::from_bytes(&block)?,
            index: LeafIndex::new(index),
            path,
            note: note.to_owned(),
        })
    }

    /// Verifies everything in the file under the log's key; gives the verified checkpoint.
    pub fn verify(&self, key: &VerifierKey) -> Result<Checkpoint, ProofError> {
        let checkpoint = Checkpoint::open(self.note.as_bytes(), key)?;
        if !self.record.is_committed() {
            return Err(ProofError::Commitment);
        }
        let leaf = &self.record.leaf;
        if leaf.seq != self.index {
            return Err(ProofError::Index {
                leaf: leaf.seq,
                proof: self.index,
            });
        }
        verify_inclusion(&checkpoint, self.index, leaf.hash(), &self.path)?;
        Ok(checkpoint)
    }
}

/// A decimal number in its one spelling.
fn decimal(text: &str) -> Option<u64> {
    let value: u64 = text.parse().ok()?;
    (value.to_string() == text).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{Origin, TreeSize, UtcMillis};
    use crate::leaf::{Class, Epoch, Kind};
    use crate::metadata::{Metadata, TraceRecord};
    use crate::note::NoteSigner;
    use crate::oracle;
    use crate::secret::SigningSeed;
    use crate::tree::LeafHash;

    fn signer() -> NoteSigner {
        NoteSigner::new("pec.example.test/log", &SigningSeed::from_bytes([1; 32])).unwrap()
    }

    /// Record 2 of a log of three, its neighbours being arbitrary leaf hashes.
    pub(crate) fn sample() -> ProofFile {
        let metadata = Metadata::from(TraceRecord {
            identificativo: Some("opec1.example".into()),
            event: Some("accettazione".into()),
            ..TraceRecord::default()
        })
        .to_bytes();
        let opening = Opening::from_bytes([5; 32]);
        let content = ContentDigest::EMPTY;
        let digest = metadata_digest(&metadata);
        let leaf = Leaf {
            kind: Kind::Trace,
            epoch: Epoch(1),
            seq: LeafIndex::new(1),
            time: UtcMillis::new(1_763_700_000_000),
            class: Class::Trace,
            commitment: Commitment::new(&opening, Kind::Trace, &content, &digest),
        };
        let leaves = [LeafHash::of(b"a"), leaf.hash(), LeafHash::of(b"c")];
        let tree = oracle::Tree::new(&leaves);
        let origin = Origin::try_from("pec.example.test/log").unwrap();
        let root = oracle::root(&leaves).unwrap();
        let checkpoint = Checkpoint::sign(&signer(), &origin, TreeSize::new(3), root).unwrap();
        ProofFile {
            record: ProvenRecord {
                leaf,
                opening,
                content,
                metadata: ProvenMetadata::Bytes(metadata),
            },
            index: LeafIndex::new(1),
            path: tree.path(1).unwrap(),
            note: checkpoint.note().to_owned(),
        }
    }

    #[test]
    fn the_proof_file_vector_is_reproduced_and_verifies() {
        let file = sample();
        assert_eq!(file.to_text(), include_str!("../vectors/record.tlog-proof"));
        let read = ProofFile::parse(file.to_text().as_bytes()).unwrap();
        assert_eq!(read, file);
        assert_eq!(
            read.verify(signer().verifier()).unwrap().size(),
            TreeSize::new(3)
        );
    }

    #[test]
    fn a_proof_without_metadata_proves_the_same_leaf() {
        let mut file = sample();
        file.record.metadata = ProvenMetadata::Digest(file.record.metadata.sha256());
        let read = ProofFile::parse(file.to_text().as_bytes()).unwrap();
        assert_eq!(read, file);
        assert!(read.verify(signer().verifier()).is_ok());
        assert!(!file.to_text().contains("opec1"));
    }

    #[test]
    fn every_altered_character_is_refused() {
        let text = sample().to_text();
        let key = signer();
        for (at, byte) in text.bytes().enumerate() {
            let mut altered = text.clone().into_bytes();
            altered[at] = if byte == b'A' { b'B' } else { b'A' };
            let found = ProofFile::parse(&altered).and_then(|f| f.verify(key.verifier()));
            assert!(found.is_err(), "byte {at}");
        }
    }

    #[test]
    fn each_defect_has_its_name() {
        let key = signer();
        let verify = |change: &dyn Fn(&mut ProofFile)| {
            let mut file = sample();
            change(&mut file);
            file.verify(key.verifier()).err()
        };
        assert_eq!(
            verify(&|f| f.record.opening = Opening::from_bytes([6; 32])),
            Some(ProofError::Commitment)
        );
        assert_eq!(
            verify(&|f| f.record.content.bytes = 1),
            Some(ProofError::Commitment)
        );
        assert_eq!(
            verify(&|f| f.index = LeafIndex::new(0)),
            Some(ProofError::Index {
                leaf: LeafIndex::new(1),
                proof: LeafIndex::new(0)
            })
        );
        assert_eq!(
            verify(&|f| f.path.push(f.path[0])),
            Some(ProofError::Path(VerifyError::ExtraHashes))
        );
        assert_eq!(
            verify(&|f| f.record.leaf.time = UtcMillis::new(0)),
            Some(ProofError::Path(VerifyError::OtherRoot))
        );
        let text = sample().to_text();
        for (from, to) in [
            ("tlog-proof@v1", "tlog-proof@v2"),
            ("index 1", "index 01"),
            ("index 1", "index +1"),
            ("\n\n", "\n"),
        ] {
            let found = ProofFile::parse(text.replacen(from, to, 1).as_bytes());
            assert_eq!(found, Err(ProofError::Malformed), "{to}");
        }
    }
}
