//! `audit inclusion`, `audit sample`: that leaves are in the log.

use super::super::output::{self, Existing};
use super::super::remote::{self, Remote};
use super::super::{Answer, proven, v1};
use super::{Common, Verified, hashes, in_words, read_checkpoint, to_json, under};
use anyhow::{Context as _, Result, ensure};
use ceralacca_formats::checkpoint::Checkpoint;
use ceralacca_formats::id::{LeafIndex, TreeSize};
use ceralacca_formats::leaf::Leaf;
use ceralacca_formats::note::VerifierKey;
use ceralacca_formats::sample;
use ceralacca_formats::tree::{LeafHash, verify_inclusion};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What `audit inclusion` is told.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Index of a leaf; may come again
    #[arg(long, value_name = "N", required_unless_present = "leaf_hash")]
    index: Vec<u64>,
    /// Hash of a leaf, SHA-256 of 00 and its 64 bytes, in hexadecimal; may come again
    #[arg(long, value_name = "HEX", value_parser = leaf_hash)]
    leaf_hash: Vec<LeafHash>,
    /// Under a checkpoint you hold, instead of the last one
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// What `audit sample` is told.
#[derive(clap::Args)]
pub(super) struct SampleArguments {
    /// Text that did not exist when the checkpoint was published: a public draw, say
    #[arg(long, value_name = "TEXT", required_unless_present = "seed_hex")]
    seed: Option<String>,
    /// Or its bytes, in hexadecimal
    #[arg(long, value_name = "HEX", conflicts_with = "seed")]
    seed_hex: Option<String>,
    /// How many leaves, 1 to 1000
    #[arg(long, value_name = "N")]
    count: u32,
    /// Under a checkpoint you hold, instead of the last one
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Also opens these records, and keeps their proof files in this folder: a disclosure each
    #[arg(long, value_name = "FOLDER")]
    records: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

fn leaf_hash(text: &str) -> Result<LeafHash, &'static str> {
    LeafHash::from_hex(text).ok_or("not 64 lower-case hexadecimal digits")
}

/// A leaf of an answer, proven.
struct Found {
    index: LeafIndex,
    leaf: Leaf,
}

/// Checks an inclusion proof: the leaf is one, says its own index, and leads to the root.
fn check(proof: &v1::InclusionProof, checkpoint: &Checkpoint) -> Result<Found> {
    let index = LeafIndex::new(proof.index);
    let attempt = || format!("leaf {index}");
    let leaf = Leaf::from_bytes(&proof.leaf).with_context(attempt)?;
    ensure!(leaf.seq == index, "leaf {index} says index {}", leaf.seq);
    let path = hashes(&proof.path)?;
    verify_inclusion(checkpoint, index, leaf.hash(), &path).with_context(attempt)?;
    Ok(Found { index, leaf })
}

fn leaf_json(found: &Found) -> Value {
    json!({
        "index": found.index.get(),
        "kind": found.leaf.kind.word(),
        "class": found.leaf.class.word(),
        "time_ms": found.leaf.time.get(),
        "leaf": hex::encode(found.leaf.to_bytes()),
        "leaf_hash": found.leaf.hash().to_string(),
    })
}

fn leaf_line(found: &Found) -> String {
    let (index, leaf) = (found.index, &found.leaf);
    format!(
        "Leaf {index}: kind {}, class {}, hash {}.",
        leaf.kind,
        leaf.class,
        leaf.hash()
    )
}

fn verified(checkpoint: &Checkpoint, found: &[Found], what: &str) -> Verified {
    let mut lines: Vec<String> = found.iter().map(leaf_line).collect();
    lines.push(format!("VERIFIED: {what} in {}.", in_words(checkpoint)));
    Verified {
        json: json!({
            "verified": true,
            "checkpoint": to_json(checkpoint),
            "leaves": found.iter().map(leaf_json).collect::<Vec<_>>(),
        }),
        lines,
    }
}

fn held(path: Option<&Path>, key: &VerifierKey) -> Result<(Option<Checkpoint>, u64)> {
    let held = path.map(|path| read_checkpoint(path, key)).transpose()?;
    let size = held.as_ref().map_or(0, |held| held.size().get());
    Ok((held, size))
}

pub(super) fn inclusion(arguments: &Arguments) -> Result<Answer> {
    let key = arguments.common.key()?;
    let (held, tree_size) = held(arguments.checkpoint.as_deref(), &key)?;
    let mut indexes = arguments.index.clone();
    indexes.sort_unstable();
    indexes.dedup();
    let hashes = &arguments.leaf_hash;
    let request = v1::GetInclusionProofsRequest {
        indexes: indexes.clone(),
        leaf_hashes: hashes
            .iter()
            .map(|h| h.as_bytes().to_vec().into())
            .collect(),
        tree_size,
        ..v1::GetInclusionProofsRequest::default()
    };
    let answer = remote::run(async {
        let remote = arguments.common.remote.connect().await?;
        Ok(remote.inclusions(request).await?)
    })?;
    let check_all = || {
        let checkpoint = under(held.as_ref(), &answer.checkpoint, answer.tree_size, &key)?;
        let found = answer.proofs.iter().map(|proof| check(proof, &checkpoint));
        let found: Vec<Found> = found.collect::<Result<_>>()?;
        ensure!(
            found.len() == indexes.len() + hashes.len(),
            "the answer proves {} leaves, and not those asked for",
            found.len()
        );
        let (by_index, by_hash) = found.split_at(indexes.len());
        let as_asked = by_index
            .iter()
            .zip(&indexes)
            .all(|(f, i)| f.index.get() == *i)
            && by_hash.iter().zip(hashes).all(|(f, h)| f.leaf.hash() == *h);
        ensure!(
            as_asked,
            "the answer proves other leaves than those asked for"
        );
        Ok(verified(&checkpoint, &found, "all are"))
    };
    arguments.common.conclude(check_all())
}

pub(super) fn sample(arguments: &SampleArguments) -> Result<Answer> {
    let key = arguments.common.key()?;
    let (held, tree_size) = held(arguments.checkpoint.as_deref(), &key)?;
    let seed = match (&arguments.seed, &arguments.seed_hex) {
        (Some(text), _) => text.clone().into_bytes(),
        (None, digits) => hex::decode(digits.as_deref().unwrap_or_default())
            .context("--seed-hex is not hexadecimal")?,
    };
    remote::run(async {
        let remote = arguments.common.remote.connect().await?;
        let answer = remote
            .sample(seed.clone(), arguments.count, tree_size)
            .await?;
        let found = check_sample(&answer, held.as_ref(), &key, &seed, arguments.count);
        let (checkpoint, found) = match found {
            Ok(found) => found,
            Err(error) => return arguments.common.conclude(Err(error)),
        };
        let mut told = verified(&checkpoint, &found, "the seed names these, and all are");
        if let Some(folder) = &arguments.records {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("make {}", folder.display()))?;
            if let Err(error) = keep_records(&remote, &found, &key, folder).await? {
                return arguments.common.conclude(Err(error));
            }
            let line = format!("Their records are proven too: {}.", folder.display());
            told.lines.push(line);
        }
        arguments.common.conclude(Ok(told))
    })
}

fn check_sample(
    answer: &v1::GetSampleResponse,
    held: Option<&Checkpoint>,
    key: &VerifierKey,
    seed: &[u8],
    count: u32,
) -> Result<(Checkpoint, Vec<Found>)> {
    let checkpoint = under(held, &answer.checkpoint, answer.tree_size, key)?;
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let size = TreeSize::new(answer.tree_size);
    let named = sample::sample(seed, size, count).context("derive the sample")?;
    let found = answer.proofs.iter().map(|proof| check(proof, &checkpoint));
    let found: Vec<Found> = found.collect::<Result<_>>()?;
    ensure!(
        found.iter().map(|found| found.index).eq(named),
        "the service proves other leaves than those that the seed names"
    );
    Ok((checkpoint, found))
}

/// Fetches each record with its proof file and checks both; the outer error says that it could not be done.
async fn keep_records(
    remote: &Remote,
    found: &[Found],
    key: &VerifierKey,
    folder: &Path,
) -> Result<Result<()>> {
    for Found { index, leaf } in found {
        let answer = remote.record(index.get(), true).await?;
        let record = answer.record.context("the answer has no record")?;
        let checked = proven::record(&record).and_then(|record| {
            ensure!(
                record.leaf == *leaf,
                "record {index} has another leaf than was proven"
            );
            proven::proof(&answer.proof, &record, Some(key))
        });
        if let Err(error) = checked {
            return Ok(Err(error));
        }
        let path = folder.join(format!("{index}.tlog-proof"));
        output::write(&path, answer.proof.as_bytes(), Existing::Replace)?;
    }
    Ok(Ok(()))
}
