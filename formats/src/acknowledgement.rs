//! The acknowledgement (*rapporto di versamento*): what a submitter holds against the archive.
//!
//! One canonical JSON object (RFC 8785), schema `ceralacca-acknowledgement/1`; digests in lower-case
//! hexadecimal, leaves and openings too, the note as text. A record's members are those needed to
//! recompute its commitment. Drawn field by field in `docs/formats.md`.
//!
//! # Invariants
//! 1. Made after the sync of the batch that holds its records, never before.
//! 2. Its level names the durability reached, and is never better than the truth.

use crate::canonical::{CanonicalError, Integer, ObjectReader, ObjectWriter, Text};
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::digest::{Blake3, ContentDigest, Sha256, decode_hex32};
use crate::id::{INTEGER_MAX, LeafIndex, Origin, UtcMillis};
use crate::leaf::{Kind, Leaf, LeafError, Opening};
use crate::note::VerifierKey;
use crate::proof::{ProvenMetadata, ProvenRecord};
use std::sync::Arc;

/// How durable the records are.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Level {
    /// Synced to the local store.
    Local,
    /// Stored in the tier as well.
    Stored,
    /// Stored in the tier under a lock.
    Locked,
}

impl Level {
    /// The word in the acknowledgement.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Local => "LOCAL",
            Self::Stored => "STORED",
            Self::Locked => "LOCKED",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::Local, Self::Stored, Self::Locked]
            .into_iter()
            .find(|level| level.word() == word)
    }
}

/// One record of an acknowledged submission.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AcknowledgedRecord {
    /// The leaf.
    pub leaf: Leaf,
    /// The opening of its commitment.
    pub opening: Opening,
    /// Length and digests of its content.
    pub content: ContentDigest,
    /// SHA-256 of its canonical metadata.
    pub metadata_sha256: Sha256,
}

impl AcknowledgedRecord {
    /// The record as a proof would carry it, without its facts.
    pub fn proven(&self) -> ProvenRecord {
        ProvenRecord {
            leaf: self.leaf,
            opening: self.opening,
            content: self.content,
            metadata: ProvenMetadata::Digest(self.metadata_sha256),
        }
    }
}

/// What the archive answers to a submission.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Acknowledgement {
    /// The log.
    pub origin: Origin,
    /// How durable the records are.
    pub level: Level,
    /// When they were sequenced (UTC).
    pub time: UtcMillis,
    /// SHA-256 of what was received: the object's bytes, or the canonical metadata of a trace record.
    pub received_sha256: Sha256,
    /// Whether the submission had been recorded before under the same client key.
    pub repeated: bool,
    /// Its records, in order of index: at least one.
    pub records: Vec<AcknowledgedRecord>,
    /// Note of a checkpoint that covers them.
    pub checkpoint: Arc<str>,
}

/// Why an acknowledgement is refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AcknowledgementError {
    /// Not canonical JSON.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
    /// A member that is missing, malformed or unknown.
    #[error("acknowledgement member {0} is missing or malformed")]
    Member(&'static str),
    /// A leaf that is not a leaf.
    #[error(transparent)]
    Leaf(#[from] LeafError),
    /// A leaf that does not commit to what is acknowledged.
    #[error("leaf {0} does not commit to what is acknowledged")]
    Commitment(LeafIndex),
    /// None of the records is over the bytes it says were received.
    #[error("no record is of the bytes received")]
    Received,
    /// The checkpoint does not cover a record.
    #[error("checkpoint does not cover leaf {0}")]
    NotCovered(LeafIndex),
    /// The checkpoint is refused.
    #[error("checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
}

const SCHEMA: &str = "ceralacca-acknowledgement/1";

impl Acknowledgement {
    /// The identifier of the submission: origin, slash, index of its first leaf.
    pub fn id(&self) -> String {
        let first = self.records.first().map_or(0, |r| r.leaf.seq.get());
        format!("{}/{first}", self.origin)
    }

    /// The canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = String::with_capacity(1024);
        ObjectWriter::write(&mut out, |w| {
            w.text("checkpoint", self.checkpoint.as_bytes());
            w.text("id", self.id().as_bytes());
            w.text("level", self.level.word().as_bytes());
            w.text("origin", self.origin.as_str().as_bytes());
            w.text(
                "received_sha256",
                self.received_sha256.to_string().as_bytes(),
            );
            w.objects("records", &self.records, |record, w| {
                w.text(
                    "content_blake3",
                    record.content.blake3.to_string().as_bytes(),
                );
                w.text("content_bytes", record.content.bytes.to_string().as_bytes());
                w.text(
                    "content_sha256",
                    record.content.sha256.to_string().as_bytes(),
                );
                w.text("leaf", hex::encode(record.leaf.to_bytes()).as_bytes());
                w.text(
                    "metadata_sha256",
                    record.metadata_sha256.to_string().as_bytes(),
                );
                w.text("opening", hex::encode(record.opening.as_bytes()).as_bytes());
            });
            w.text("repeated", if self.repeated { b"yes" } else { b"no" });
            w.text("schema", SCHEMA.as_bytes());
            // A clock beyond the year 287396 is told as that year; the leaf has the instant.
            let time = self.time.get().min(INTEGER_MAX);
            w.integer("time_ms", Integer::try_from(time).unwrap_or(Integer::ZERO));
        });
        out.into_bytes()
    }

    /// Reads canonical bytes; nothing is verified yet.
    pub fn parse(bytes: &[u8]) -> Result<Self, AcknowledgementError> {
        let member = AcknowledgementError::Member;
        let mut r = ObjectReader::parse(bytes)?;
        if need(&mut r, "schema").map_err(member)? != SCHEMA {
            return Err(member("schema"));
        }
        let origin = need(&mut r, "origin").map_err(member)?;
        let origin = Origin::try_from(origin.as_str()).map_err(|_| member("origin"))?;
        let level = need(&mut r, "level").map_err(member)?;
        let time = r
            .integer("time_ms")
            .map_err(member)?
            .ok_or(member("time_ms"))?;
        let repeated = match need(&mut r, "repeated").map_err(member)?.as_str() {
            "yes" => true,
            "no" => false,
            _ => return Err(member("repeated")),
        };
        let checkpoint = need(&mut r, "checkpoint").map_err(member)?;
        let received = need(&mut r, "received_sha256").map_err(member)?;
        let id = need(&mut r, "id").map_err(member)?;
        let mut leaves = Vec::new();
        let records = r.objects("records", |r| {
            leaves.push(need(r, "leaf")?);
            read_record(r)
        });
        let records = records.map_err(member)?;
        r.end().map_err(|_| member("unknown"))?;
        let mut read = Vec::new();
        for ((opening, content, metadata_sha256), leaf) in records.into_iter().zip(leaves) {
            let leaf = hex::decode(leaf).map_err(|_| member("leaf"))?;
            read.push(AcknowledgedRecord {
                leaf: Leaf::from_bytes(&leaf)?,
                opening,
                content,
                metadata_sha256,
            });
        }
        let acknowledgement = Self {
            origin,
            level: Level::from_word(&level).ok_or(member("level"))?,
            time: UtcMillis::new(time.get().try_into().map_err(|_| member("time_ms"))?),
            received_sha256: Sha256::from_hex(&received).ok_or(member("received_sha256"))?,
            repeated,
            records: read,
            checkpoint: checkpoint.into(),
        };
        if acknowledgement.records.is_empty() || acknowledgement.id() != id {
            return Err(member("id"));
        }
        // Numbers and digests have one spelling too.
        if acknowledgement.to_bytes() != bytes {
            return Err(member("spelling"));
        }
        Ok(acknowledgement)
    }

    /// Checks what the submitter can check alone: the leaves commit to the bytes received, and the
    /// checkpoint is the log's and covers them. Inclusion is proven by the log.
    pub fn verify(&self, key: &VerifierKey) -> Result<Checkpoint, AcknowledgementError> {
        let checkpoint = Checkpoint::open(self.checkpoint.as_bytes(), key)?;
        let mut received = false;
        for record in &self.records {
            let seq = record.leaf.seq;
            if !record.proven().is_committed() {
                return Err(AcknowledgementError::Commitment(seq));
            }
            if !seq.is_within(checkpoint.size()) {
                return Err(AcknowledgementError::NotCovered(seq));
            }
            // A trace record is its facts; anything else is its bytes, even when there are none.
            let of = match record.leaf.kind {
                Kind::Trace => record.metadata_sha256,
                _ => record.content.sha256,
            };
            received |= of == self.received_sha256;
        }
        received
            .then_some(checkpoint)
            .ok_or(AcknowledgementError::Received)
    }
}

fn need(r: &mut ObjectReader, key: &'static str) -> Result<String, &'static str> {
    let text: Option<Text> = r.text(key)?;
    let text = text.ok_or(key)?;
    Ok(text.to_str().ok_or(key)?.to_owned())
}

fn read_record(r: &mut ObjectReader) -> Result<(Opening, ContentDigest, Sha256), &'static str> {
    let opening = decode_hex32(&need(r, "opening")?).ok_or("opening")?;
    let content = ContentDigest {
        bytes: need(r, "content_bytes")?
            .parse()
            .map_err(|_| "content_bytes")?,
        sha256: Sha256::from_hex(&need(r, "content_sha256")?).ok_or("content_sha256")?,
        blake3: Blake3::from_hex(&need(r, "content_blake3")?).ok_or("content_blake3")?,
    };
    let metadata = need(r, "metadata_sha256")?;
    let metadata = Sha256::from_hex(&metadata).ok_or("metadata_sha256")?;
    Ok((Opening::from_bytes(opening), content, metadata))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::TreeSize;
    use crate::leaf::{Class, Commitment, Epoch};
    use crate::note::NoteSigner;
    use crate::secret::SigningSeed;
    use crate::tree::RootHash;

    fn signer() -> NoteSigner {
        NoteSigner::new("pec.example.test/log", &SigningSeed::from_bytes([1; 32])).unwrap()
    }

    fn sample() -> Acknowledgement {
        let origin = Origin::try_from("pec.example.test/log").unwrap();
        let opening = Opening::from_bytes([5; 32]);
        let content = ContentDigest::of(b"ricevuta");
        let metadata_sha256 = Sha256::of(b"{}");
        let commitment = Commitment::new(&opening, Kind::Receipt, &content, &metadata_sha256);
        let leaf = Leaf {
            kind: Kind::Receipt,
            epoch: Epoch(1),
            seq: LeafIndex::new(7),
            time: UtcMillis::new(1_763_700_000_000),
            class: Class::Receipt,
            commitment,
        };
        let root = RootHash::from_bytes([3; 32]);
        let checkpoint = Checkpoint::sign(&signer(), &origin, TreeSize::new(8), root).unwrap();
        Acknowledgement {
            origin,
            level: Level::Local,
            time: leaf.time,
            received_sha256: content.sha256,
            repeated: false,
            records: vec![AcknowledgedRecord {
                leaf,
                opening,
                content,
                metadata_sha256,
            }],
            checkpoint: checkpoint.shared_note(),
        }
    }

    #[test]
    fn the_acknowledgement_vector_is_reproduced_and_verifies() {
        let bytes = sample().to_bytes();
        assert_eq!(
            std::str::from_utf8(&bytes).unwrap(),
            include_str!("../vectors/acknowledgement.json").trim_end()
        );
        let read = Acknowledgement::parse(&bytes).unwrap();
        assert_eq!(read, sample());
        assert!(read.verify(signer().verifier()).is_ok());
    }

    #[test]
    fn a_submitter_finds_every_disagreement() {
        let key = signer();
        let verify = |change: &dyn Fn(&mut Acknowledgement)| {
            let mut acknowledgement = sample();
            change(&mut acknowledgement);
            acknowledgement.verify(key.verifier()).err()
        };
        assert_eq!(
            verify(&|a| a.received_sha256 = Sha256::of(b"other")),
            Some(AcknowledgementError::Received)
        );
        assert_eq!(
            verify(&|a| a.records[0].opening = Opening::from_bytes([6; 32])),
            Some(AcknowledgementError::Commitment(LeafIndex::new(7)))
        );
        assert_eq!(
            verify(&|a| a.records[0].leaf.seq = LeafIndex::new(8)),
            Some(AcknowledgementError::NotCovered(LeafIndex::new(8)))
        );
        assert!(matches!(
            verify(&|a| a.checkpoint = a.checkpoint.replace("\n8\n", "\n9\n").into()),
            Some(AcknowledgementError::Checkpoint(_))
        ));
    }

    #[test]
    fn members_that_are_missing_or_unknown_are_named() {
        let text = String::from_utf8(sample().to_bytes()).unwrap();
        for (from, to, member) in [
            ("\"level\":\"LOCAL\",", "", "level"),
            ("LOCAL", "GLOBAL", "level"),
            ("acknowledgement/1", "acknowledgement/2", "schema"),
            ("log/7", "log/8", "id"),
            (
                "\"content_bytes\":\"8\"",
                "\"content_bytes\":\"08\"",
                "spelling",
            ),
            ("\"leaf\":\"5045434c", "\"leaf\":\"5045434C", "spelling"),
            (
                "\"time_ms\":1763700000000",
                "\"time_ms\":1763700000000,\"z\":1",
                "unknown",
            ),
        ] {
            let found = Acknowledgement::parse(text.replace(from, to).as_bytes());
            assert_eq!(found, Err(AcknowledgementError::Member(member)), "{to}");
        }
    }
}
