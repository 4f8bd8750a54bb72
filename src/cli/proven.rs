//! Records and proofs as a service gives them: checked before anything is made of them.
//!
//! # Invariants
//! 1. A record whose leaf does not commit to what came with it is an error, never shown.
//! 2. A proof file is over the record it came with. Only with the log's key, from a source of its own, is
//!    anything proven.

use super::rotations;
use super::v1::{self, record::Facts};
use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use ceralacca_formats::checkpoint::Checkpoint;
use ceralacca_formats::digest::{Blake3, ContentDigest, Sha256};
use ceralacca_formats::leaf::{Leaf, Opening};
use ceralacca_formats::note::VerifierKey;
use ceralacca_formats::proof::{ProofFile, ProvenMetadata, ProvenRecord};
use ceralacca_formats::rotation::KeyChain;
use serde_json::{Value, json};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The key that proofs are checked with.
#[derive(clap::Args)]
#[command(next_help_heading = "Proof")]
pub struct KeyArguments {
    /// The log's verifier key, name+id+base64, from a source of its own
    #[arg(long, value_name = "VKEY", value_parser = super::log_key, conflicts_with = "key_file")]
    key: Option<VerifierKey>,
    /// File that holds it
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    #[command(flatten)]
    rotations: rotations::Arguments,
}

/// A verifier key has some hundred characters, most of them the name.
const KEY_BYTES_MAX: u64 = 1024;

impl KeyArguments {
    /// The key that signs today, if one is given: that one, or the one to which the rotations lead.
    pub fn read(&self) -> Result<Option<VerifierKey>> {
        let chain = self.read_chain()?;
        Ok(chain.map(|chain| chain.current().clone()))
    }

    /// The keys of the log from the given one on, if one is given.
    pub fn read_chain(&self) -> Result<Option<KeyChain>> {
        let pinned = match &self.key_file {
            None => self.key.clone(),
            Some(path) => Some(key_of(path)?),
        };
        let followed = pinned.map(|pinned| Ok(self.rotations.follow(&pinned)??));
        followed.transpose()
    }
}

fn key_of(path: &Path) -> Result<VerifierKey> {
    let attempt = || format!("read verifier key {}", path.display());
    let file = File::open(path).with_context(attempt)?;
    let mut text = String::new();
    file.take(KEY_BYTES_MAX)
        .read_to_string(&mut text)
        .with_context(attempt)?;
    super::log_key(text.trim_end()).with_context(attempt)
}

/// 32 bytes of an answer.
pub fn bytes32(bytes: &Bytes, what: &'static str) -> Result<[u8; 32]> {
    let bytes = <[u8; 32]>::try_from(bytes.as_ref());
    bytes.with_context(|| format!("the answer has a {what} that is not 32 bytes"))
}

/// The record of an answer, checked against its leaf.
pub fn record(record: &v1::Record) -> Result<ProvenRecord> {
    let index = record.index;
    let leaf = Leaf::from_bytes(&record.leaf).with_context(|| format!("record {index}"))?;
    let proven = ProvenRecord {
        leaf,
        opening: Opening::from_bytes(bytes32(&record.opening, "opening")?),
        content: ContentDigest {
            bytes: record.content_bytes,
            sha256: Sha256::from_bytes(bytes32(&record.content_sha256, "SHA-256")?),
            blake3: Blake3::from_bytes(bytes32(&record.content_blake3, "BLAKE3")?),
        },
        metadata: ProvenMetadata::Bytes(record.metadata.to_vec()),
    };
    ensure!(
        leaf.seq.get() == index && proven.is_committed(),
        "record {index}: its leaf does not commit to what the service says of it"
    );
    Ok(proven)
}

/// Checks a proof file that came with a record; under the key, if there is one, also that it proves it.
pub fn proof(
    text: &str,
    record: &ProvenRecord,
    key: Option<&VerifierKey>,
) -> Result<Option<Checkpoint>> {
    let index = record.leaf.seq;
    let attempt = || format!("proof of record {index}");
    let file = ProofFile::parse(text.as_bytes()).with_context(attempt)?;
    ensure!(
        file.index == index && file.record == *record,
        "proof of record {index}: it is over another record"
    );
    key.map(|key| file.verify(key).with_context(attempt))
        .transpose()
}

/// A record with all its fields. Its metadata as the JSON it is; exact, octet by octet, it stands in the proof.
pub fn to_json(record: &v1::Record, proven: &ProvenRecord) -> Value {
    let metadata: Value = serde_json::from_slice(&record.metadata).unwrap_or(Value::Null);
    json!({
        "index": record.index,
        "kind": proven.leaf.kind.word(),
        "class": proven.leaf.class.word(),
        "time_ms": record.time_ms,
        "interval_ms": record.interval_ms,
        "companion": record.companion,
        "leaf": hex::encode(&record.leaf),
        "opening": hex::encode(&record.opening),
        "content_bytes": record.content_bytes,
        "content_sha256": hex::encode(&record.content_sha256),
        "content_blake3": hex::encode(&record.content_blake3),
        "metadata_sha256": proven.metadata.sha256().to_string(),
        "metadata": metadata,
    })
}

/// Index of the object that a record is, or is the facts of.
pub fn object_of(record: &v1::Record) -> Option<u64> {
    match record.facts {
        Some(Facts::Object(_)) => Some(record.index),
        Some(Facts::Trace(_)) => record.companion,
        None => None,
    }
}
