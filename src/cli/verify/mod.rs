//! `verify`: checks the proof file of one record, a package that was given again, or the proof that nothing is held,
//! offline.
//!
//! A proof needs the log's key and nothing else. A package (`package`) is checked part by part with the anchors given;
//! what has none is not checked, and said so.
//!
//! The library says whether a file verifies ([`ProofFile::verify`]); the checks shown here are its own, in its
//! order, told apart by the error it gives.

mod absence;
mod anchors;
mod closings;
mod disposals;
mod folder;
mod ingest;
mod package;
mod parts;
mod tree;

pub(super) use folder::Folder;

use super::{Answer, rotations, show};
use anyhow::{Context as _, Result, anyhow, bail};
use ceralacca_formats::checkpoint::Checkpoint;
use ceralacca_formats::digest::{ContentDigest, ContentHasher, Sha256};
use ceralacca_formats::note::VerifierKey;
use ceralacca_formats::proof::{ProofError, ProofFile, ProvenMetadata};
use ceralacca_formats::rotation::{KeyChain, RotationError};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

const HELP: &str = "\
Status 0: verified: nothing failed, and all on which the rest stands was checked. 1: not verified: something failed, or
the roots or the log's key are missing; of a package every part that failed is named. 2: it cannot be read, or an option
is wrong: one line on standard error says which.

--json of a package: verified, failed, not_checked (counts), italian and english (the final sentence), checks: a tree of
part, outcome (ok, FAILED, not checked), why, checks.";

/// What `verify` is told.
#[derive(clap::Args)]
#[command(after_help = HELP)]
pub struct Arguments {
    /// A proof file (.tlog-proof), or a package: .asice, .zip, or its folder
    #[arg(value_name = "FILE")]
    proof: PathBuf,
    /// The log's verifier key: name+id+base64; of a package also the name of a file that holds it
    #[arg(long, value_name = "VKEY")]
    key: Option<String>,
    #[command(flatten)]
    anchors: anchors::Arguments,
    #[command(flatten)]
    rotations: rotations::Arguments,
    /// The content at hand (duplicato.eml): also checks that it is the record's
    #[arg(long, value_name = "FILE")]
    content: Option<PathBuf>,
    /// Answer as one JSON object
    #[arg(long)]
    json: bool,
}

/// A proof file is some kilobytes; the longest metadata an archive reads has 4 MiB. A longer file is no proof.
const PROOF_BYTES_MAX: u64 = 16 << 20;

/// A verifier key has some hundred characters, most of them the name.
const KEY_BYTES_MAX: u64 = 1024;

/// What is read of a content at a time, in bytes.
const PIECE_BYTES: usize = 256 << 10;

/// What is checked, in the order of [`ProofFile::verify`].
const CHECKS: [&str; 5] = [
    "the file is a proof of one record",
    "its checkpoint is signed with the log's key",
    "the leaf commits to the record: metadata, and digests of the content",
    "the leaf says the index that the proof says",
    "the path leads from the leaf to the root in the checkpoint",
];

/// What is checked beside, where the content is at hand.
const CONTENT_CHECK: &str = "the content is that of the record: length, SHA-256, BLAKE3";

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

/// A file that verifies.
struct Proven {
    file: ProofFile,
    checkpoint: Checkpoint,
    /// The key that signed it, where it signs no more.
    retired: Option<VerifierKey>,
}

/// What came of verifying a proof file.
pub(super) struct Verdict {
    proof: Result<Proven, ProofError>,
    /// Of the content at hand, if there is any.
    content: Option<ContentDigest>,
}

/// Why a record is not proven, or a content is not its own.
#[derive(Debug, thiserror::Error)]
enum Flaw {
    #[error(transparent)]
    Proof(ProofError),
    #[error("content has {found} bytes, that of the record {recorded}")]
    Length { found: u64, recorded: u64 },
    #[error("content has SHA-256 {found}, that of the record {recorded}")]
    Digest { found: Sha256, recorded: Sha256 },
    #[error("content has another BLAKE3 than that of the record")]
    Blake3,
}

impl Verdict {
    /// Verifies the bytes of a file under the key of its time.
    pub(super) fn on(bytes: &[u8], keys: &KeyChain) -> Self {
        let proof = if bytes.len() as u64 > PROOF_BYTES_MAX {
            Err(ProofError::Malformed)
        } else {
            ProofFile::parse(bytes).and_then(|file| {
                let (_, key) = keys.open(file.note.as_bytes())?;
                let checkpoint = file.verify(key)?;
                let retired = (key != keys.current()).then(|| key.clone());
                Ok(Proven {
                    file,
                    checkpoint,
                    retired,
                })
            })
        };
        Self {
            proof,
            content: None,
        }
    }

    /// The same, with the content at hand.
    fn with_content(self, digest: ContentDigest) -> Self {
        let content = Some(digest);
        Self { content, ..self }
    }

    fn flaw(&self) -> Option<Flaw> {
        let file = match &self.proof {
            Err(error) => return Some(Flaw::Proof(*error)),
            Ok(proven) => &proven.file,
        };
        let (found, recorded) = (self.content?, file.record.content);
        if found.bytes != recorded.bytes {
            let (found, recorded) = (found.bytes, recorded.bytes);
            return Some(Flaw::Length { found, recorded });
        }
        if found.sha256 != recorded.sha256 {
            let (found, recorded) = (found.sha256, recorded.sha256);
            return Some(Flaw::Digest { found, recorded });
        }
        (found != recorded).then_some(Flaw::Blake3)
    }

    /// Whether the record is proven.
    pub(super) fn answer(&self) -> Answer {
        match self.flaw() {
            None => Answer::Yes,
            Some(_) => Answer::No,
        }
    }

    fn checks(&self) -> impl Iterator<Item = (&'static str, Ended)> {
        let failed = self.flaw().map(|flaw| match flaw {
            Flaw::Proof(error) => failed_check(&error),
            Flaw::Length { .. } | Flaw::Digest { .. } | Flaw::Blake3 => CHECKS.len(),
        });
        let content = self.content.map(|_| CONTENT_CHECK);
        let checks = CHECKS.into_iter().chain(content);
        checks.enumerate().map(move |(number, check)| {
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
        let proven = match &self.proof {
            Err(error) => {
                writeln!(out, "NOT VERIFIED: {error}.")?;
                return Ok(());
            }
            Ok(proven) => proven,
        };
        let (file, checkpoint) = (&proven.file, &proven.checkpoint);
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
        if let Some(key) = &proven.retired {
            writeln!(
                out,
                "Its checkpoint is signed with a key that was retired later: {key}"
            )?;
        }
        match self.flaw() {
            None => writeln!(out, "VERIFIED.")?,
            Some(flaw) => writeln!(out, "NOT VERIFIED: {flaw}.")?,
        }
        Ok(())
    }

    fn to_json(&self) -> Value {
        let checks: Vec<Value> = self
            .checks()
            .map(|(check, ended)| json!({ "check": check, "ended": ended.word() }))
            .collect();
        let proven = match (&self.proof, self.flaw()) {
            (Ok(proven), None) => proven,
            (_, flaw) => {
                let why = flaw.map(|flaw| flaw.to_string());
                return json!({ "verified": false, "checks": checks, "why": why });
            }
        };
        let (file, checkpoint) = (&proven.file, &proven.checkpoint);
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
            "retired_key": proven.retired.as_ref().map(ToString::to_string),
            "content_bytes": record.content.bytes,
            "content_sha256": record.content.sha256.to_string(),
        })
    }
}

/// Verifies the file and tells.
pub(super) fn run(arguments: &Arguments) -> Result<Answer> {
    let key = arguments.key.as_deref().map(key_of).transpose()?;
    if package::is_one(&arguments.proof)? {
        return package::run(arguments, key.as_ref());
    }
    let Some(key) = key else {
        bail!("--key is required: a proof is checked with the log's verifier key");
    };
    let bytes = read(&arguments.proof)?;
    let keys = match arguments.rotations.follow(&key)? {
        Ok(keys) => keys,
        Err(refused) => return not_followed(&refused, arguments.json),
    };
    let mut verdict = Verdict::on(&bytes, &keys);
    if let Some(path) = &arguments.content {
        verdict = verdict.with_content(digest(path)?);
    }
    let mut out = std::io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", verdict.to_json())?;
    } else {
        verdict.tell(&mut out)?;
    }
    Ok(verdict.answer())
}

/// The key of a log, written out or in a file of that name.
fn key_of(text: &str) -> Result<VerifierKey> {
    match super::log_key(text) {
        Ok(key) => Ok(key),
        Err(error) if !Path::new(text).is_file() => Err(anyhow!("--key: {error}")),
        Err(_) => {
            let attempt = || format!("read verifier key {text}");
            let mut held = String::new();
            let file = File::open(text).with_context(attempt)?;
            file.take(KEY_BYTES_MAX)
                .read_to_string(&mut held)
                .with_context(attempt)?;
            super::log_key(held.trim_end()).with_context(attempt)
        }
    }
}

/// Without the chain of keys nothing is proven.
fn not_followed(refused: &RotationError, json: bool) -> Result<Answer> {
    let mut out = std::io::stdout().lock();
    if json {
        let answer = json!({ "verified": false, "checks": [], "why": refused.to_string() });
        writeln!(out, "{answer}")?;
    } else {
        writeln!(out, "NOT VERIFIED: {refused}.")?;
    }
    Ok(Answer::No)
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

/// The digests of a file of any length.
fn digest(path: &Path) -> Result<ContentDigest> {
    let attempt = || format!("read content {}", path.display());
    let mut file = File::open(path).with_context(attempt)?;
    let mut hasher = ContentHasher::default();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let read = file.read(&mut piece).with_context(attempt)?;
        if read == 0 {
            return Ok(hasher.finish());
        }
        hasher.update(piece.get(..read).unwrap_or_default());
    }
}
