//! `audit`: what the archive says, checked with the log's key from a source of its own; hashes only.
//!
//! # Invariants
//! 1. Nothing is believed: checkpoints by their signature, leaves and proofs under a checkpoint, samples by deriving
//!    them again. Without the log's key there is nothing to check with, and the command says so.
//! 2. What does not verify is status 1, and what was told stays where it was: no file is written.
//!
//! - `checkpoint`: checkpoints, as they come, and their consistency; `proofs`: leaves in the tree, samples
//! - `replay`: all leaves, to the root; `calls`: the calls of all these

mod calls;
mod checkpoint;
mod proofs;
mod replay;

use super::{Answer, chain, proven, remote, show};
use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use ceralacca_formats::checkpoint::Checkpoint;
use ceralacca_formats::note::{NOTE_BYTES_MAX, VerifierKey};
use ceralacca_formats::tree::NodeHash;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

/// What `audit` is told.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Fetches a checkpoint, the last one or one that was kept, and checks its signature
    Checkpoint(checkpoint::Arguments),
    /// Checks that the log only grew: between a checkpoint you hold, or a size, and a later one
    Consistency(checkpoint::ConsistencyArguments),
    /// Checks that leaves are in the log
    Inclusion(proofs::Arguments),
    /// Fetches the leaves that a seed names, derives them again, and checks their proofs
    Sample(proofs::SampleArguments),
    /// Fetches all leaves, recomputes the root, and keeps them: a copy that goes on where it broke off
    Leaves(replay::Arguments),
}

/// Runs one of them.
pub(super) fn run(arguments: &Arguments) -> Result<Answer> {
    match &arguments.command {
        Command::Checkpoint(arguments) => checkpoint::run(arguments),
        Command::Consistency(arguments) => checkpoint::consistency(arguments),
        Command::Inclusion(arguments) => proofs::inclusion(arguments),
        Command::Sample(arguments) => proofs::sample(arguments),
        Command::Leaves(arguments) => replay::run(arguments),
    }
}

/// What all of them are told.
#[derive(clap::Args)]
struct Common {
    /// Answer as JSON, one object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    key: proven::KeyArguments,
    #[command(flatten)]
    remote: remote::Arguments,
}

impl Common {
    fn key(&self) -> Result<VerifierKey> {
        let key = self.key.read()?;
        key.context("--key or --key-file is needed: without the log's key nothing is proven")
    }

    /// Tells what was verified, or why it was not.
    fn conclude(&self, found: Result<Verified>) -> Result<Answer> {
        let mut out = std::io::stdout().lock();
        let answer = match &found {
            Ok(_) => Answer::Yes,
            Err(_) => Answer::No,
        };
        let found = found.map_err(|error| chain(&error));
        if self.json {
            let value = match found {
                Ok(verified) => verified.json,
                Err(why) => json!({ "verified": false, "why": why }),
            };
            writeln!(out, "{}", show::json(&value))?;
            return Ok(answer);
        }
        match found {
            Ok(verified) => {
                for line in &verified.lines {
                    writeln!(out, "{}", show::printable(line))?;
                }
            }
            Err(why) => writeln!(out, "NOT VERIFIED: {}.", show::printable(&why))?,
        }
        out.flush()?;
        Ok(answer)
    }
}

/// What was checked, for programs and for people.
struct Verified {
    json: Value,
    lines: Vec<String>,
}

fn read_checkpoint(path: &Path, key: &VerifierKey) -> Result<Checkpoint> {
    let attempt = || format!("read checkpoint {}", path.display());
    let mut note = Vec::new();
    let file = File::open(path).with_context(attempt)?;
    file.take(NOTE_BYTES_MAX as u64 + 1)
        .read_to_end(&mut note)
        .with_context(attempt)?;
    Checkpoint::open(&note, key).with_context(attempt)
}

/// The checkpoint that an answer is under: the one at hand, or the one in the answer; of the size it speaks of.
fn under(
    held: Option<&Checkpoint>,
    note: &str,
    size: u64,
    key: &VerifierKey,
) -> Result<Checkpoint> {
    let checkpoint = match held {
        Some(checkpoint) => checkpoint.clone(),
        None => {
            ensure!(
                !note.is_empty(),
                "the service kept no checkpoint of {size} leaves: name one you hold with --checkpoint"
            );
            Checkpoint::open(note.as_bytes(), key).context("checkpoint of the answer")?
        }
    };
    let found = checkpoint.size();
    ensure!(
        found.get() == size,
        "the answer is about a tree of {size} leaves, the checkpoint about one of {found}"
    );
    Ok(checkpoint)
}

fn hashes(path: &[Bytes]) -> Result<Vec<NodeHash>> {
    let hashes = path.iter();
    let hashes = hashes.map(|hash| proven::bytes32(hash, "hash").map(NodeHash::from_bytes));
    hashes.collect()
}

/// A checkpoint, in JSON.
fn to_json(checkpoint: &Checkpoint) -> Value {
    json!({
        "origin": checkpoint.origin().as_str(),
        "tree_size": checkpoint.size().get(),
        "root": checkpoint.root().to_string(),
        "note": checkpoint.note(),
    })
}

/// A checkpoint, in words.
fn in_words(checkpoint: &Checkpoint) -> String {
    let (origin, size, root) = (checkpoint.origin(), checkpoint.size(), checkpoint.root());
    format!("{origin}, {size} leaves, root {root}")
}
