//! `verify`: checks the proof file of one record, offline, with the log's key and nothing else.
//!
//! The library says whether a file verifies ([`ProofFile::verify`]); the checks shown here are its own, in its
//! order, told apart by the error it gives.

use super::{Answer, show};
use anyhow::{Context as _, Result};
use ceralacca_formats::checkpoint::Checkpoint;
use ceralacca_formats::note::VerifierKey;
use ceralacca_formats::proof::{ProofError, ProofFile, ProvenMetadata};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// What `verify` is told.
#[derive(clap::Args)]
pub struct Arguments {
    /// The proof file (.tlog-proof)
    #[arg(value_name = "PROOF")]
    proof: PathBuf,
    /// The log's verifier key: name+id+base64
    #[arg(long, value_name = "VKEY", value_parser = super::log_key)]
    key: VerifierKey,
    /// Answer as one JSON object
    #[arg(long)]
    json: bool,
}

/// A proof file is some kilobytes; the longest metadata an archive reads has 4 MiB. A longer file is no proof.
const PROOF_BYTES_MAX: u64 = 16 << 20;

/// What is checked, in the order of [`ProofFile::verify`].
const CHECKS: [&str; 5] = [
    "the file is a proof of one record",
    "its checkpoint is signed with the log's key",
    "the leaf commits to the record: metadata, and digests of the content",
    "the leaf says the index that the proof says",
    "the path leads from the leaf to the root in the checkpoint",
];

/// The check that an error comes from.
fn failed_check(error: &ProofError) -> usize {
    match error {
        ProofError::Malformed | ProofError::Block | ProofError::Leaf(_) => 0,
        ProofError::Checkpoint(_) => 1,
        ProofError::Commitment => 2,
        ProofError::Index { .. } => 3,
        ProofError::Path(_) => 4,
    }
}

/// How one check ended.
#[derive(Clone, Copy)]
enum Ended {
    Well,
    Badly,
    NotTried,
}

impl Ended {
    const fn word(self) -> &'static str {
        match self {
            Self::Well => "ok",
            Self::Badly => "FAILED",
            Self::NotTried => "not tried",
        }
    }
}

/// What came of verifying a proof file.
pub(super) struct Verdict(Result<(ProofFile, Checkpoint), ProofError>);

impl Verdict {
    /// Verifies the bytes of a file.
    pub(super) fn on(bytes: &[u8], key: &VerifierKey) -> Self {
        if bytes.len() as u64 > PROOF_BYTES_MAX {
            return Self(Err(ProofError::Malformed));
        }
        Self(ProofFile::parse(bytes).and_then(|file| {
            let checkpoint = file.verify(key)?;
            Ok((file, checkpoint))
        }))
    }

    /// Whether the record is proven.
    pub(super) fn answer(&self) -> Answer {
        match self.0 {
            Ok(_) => Answer::Yes,
            Err(_) => Answer::No,
        }
    }

    fn checks(&self) -> impl Iterator<Item = (&'static str, Ended)> {
        let failed = self.0.as_ref().err().map(failed_check);
        CHECKS.into_iter().enumerate().map(move |(number, check)| {
            let ended = match failed {
                Some(failed) if number == failed => Ended::Badly,
                Some(failed) if number > failed => Ended::NotTried,
                _ => Ended::Well,
            };
            (check, ended)
        })
    }

    /// The verdict in words, a check a line.
    pub(super) fn tell(&self, out: &mut impl Write) -> Result<()> {
        for (check, ended) in self.checks() {
            writeln!(out, "{:<9}  {check}", ended.word())?;
        }
        let (file, checkpoint) = match &self.0 {
            Err(error) => {
                writeln!(out, "NOT VERIFIED: {error}.")?;
                return Ok(());
            }
            Ok(proven) => proven,
        };
        let (leaf, content) = (&file.record.leaf, &file.record.content);
        let (origin, size) = (checkpoint.origin(), checkpoint.size());
        writeln!(
            out,
            "Record {} of {origin}, under the root of {size} leaves.",
            file.index
        )?;
        let time = show::utc(leaf.time);
        writeln!(
            out,
            "Kind {}, class {}, recorded at {time} by the log's clock.",
            leaf.kind, leaf.class
        )?;
        match &file.record.metadata {
            ProvenMetadata::Bytes(bytes) => {
                let text = String::from_utf8_lossy(bytes);
                writeln!(out, "Its metadata: {}", show::printable(&text))?;
            }
            ProvenMetadata::Digest(digest) => {
                writeln!(out, "Its metadata is not in the file; SHA-256 {digest}.")?;
            }
        }
        if content.bytes > 0 {
            writeln!(
                out,
                "Its content has {} bytes, SHA-256 {}.",
                content.bytes, content.sha256
            )?;
        }
        writeln!(out, "VERIFIED.")?;
        Ok(())
    }

    fn to_json(&self) -> Value {
        let checks: Vec<Value> = self
            .checks()
            .map(|(check, ended)| json!({ "check": check, "ended": ended.word() }))
            .collect();
        let (file, checkpoint) = match &self.0 {
            Err(error) => {
                return json!({ "verified": false, "checks": checks, "why": error.to_string() });
            }
            Ok(proven) => proven,
        };
        let record = &file.record;
        let metadata = match &record.metadata {
            ProvenMetadata::Bytes(bytes) => Some(String::from_utf8_lossy(bytes)),
            ProvenMetadata::Digest(_) => None,
        };
        json!({
            "verified": true,
            "checks": checks,
            "origin": checkpoint.origin().as_str(),
            "index": file.index.get(),
            "tree_size": checkpoint.size().get(),
            "root": checkpoint.root().to_string(),
            "kind": record.leaf.kind.word(),
            "class": record.leaf.class.word(),
            "time_ms": record.leaf.time.get(),
            "metadata": metadata,
            "metadata_sha256": record.metadata.sha256().to_string(),
            "content_bytes": record.content.bytes,
            "content_sha256": record.content.sha256.to_string(),
        })
    }
}

/// Verifies the file and tells.
pub(super) fn run(arguments: &Arguments) -> Result<Answer> {
    let verdict = Verdict::on(&read(&arguments.proof)?, &arguments.key);
    let mut out = std::io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", verdict.to_json())?;
    } else {
        verdict.tell(&mut out)?;
    }
    Ok(verdict.answer())
}

/// The bytes of a file, up to the first one too many.
fn read(path: &Path) -> Result<Vec<u8>> {
    let attempt = || format!("read proof {}", path.display());
    let file = File::open(path).with_context(attempt)?;
    let mut bytes = Vec::new();
    file.take(PROOF_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .with_context(attempt)?;
    Ok(bytes)
}
