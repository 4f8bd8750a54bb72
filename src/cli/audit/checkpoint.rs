//! `audit checkpoint`, `audit consistency`: what was signed, and that it only grew.

use super::super::output::{self, Existing};
use super::super::remote::{self, Remote};
use super::super::{Answer, show, v1};
use super::{Common, Verified, hashes, in_words, read_checkpoint, to_json};
use anyhow::{Context as _, Result, bail, ensure};
use ceralacca_formats::checkpoint::Checkpoint;
use ceralacca_formats::note::VerifierKey;
use ceralacca_formats::tree::verify_consistency;
use serde_json::json;
use std::path::{Path, PathBuf};
use v1::get_checkpoint_request::Which;

/// What `audit checkpoint` is told.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The one of this size, if it was kept
    #[arg(long, value_name = "N", conflicts_with = "interval_at")]
    size: Option<u64>,
    /// The one with which the interval was cut that holds this instant (RFC 3339)
    #[arg(long, value_name = "TIME")]
    interval_at: Option<String>,
    /// Where the signed note is written
    #[arg(long, value_name = "FILE", conflicts_with = "watch")]
    out: Option<PathBuf>,
    /// Replaces a file that is there
    #[arg(long)]
    force: bool,
    /// Goes on with each that is published, checked to continue the one before, until the service stops
    #[arg(long, conflicts_with_all = ["size", "interval_at"])]
    watch: bool,
    #[command(flatten)]
    common: Common,
}

/// What `audit consistency` is told.
#[derive(clap::Args)]
pub(super) struct ConsistencyArguments {
    /// A checkpoint you hold: the earlier one
    #[arg(long, value_name = "FILE", required_unless_present = "first")]
    since: Option<PathBuf>,
    /// Or its size, if the service kept it
    #[arg(long, value_name = "N", conflicts_with = "since")]
    first: Option<u64>,
    /// Size of the later one, if it was kept; the last one when not given
    #[arg(long, value_name = "M")]
    second: Option<u64>,
    /// Where the later note is written
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replaces a file that is there
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    common: Common,
}

fn write(path: Option<&Path>, force: bool, checkpoint: &Checkpoint) -> Result<()> {
    let existing = match force {
        true => Existing::Replace,
        false => Existing::Keep,
    };
    let note = checkpoint.note().as_bytes();
    path.map_or(Ok(()), |path| output::write(path, note, existing))
}

pub(super) fn run(arguments: &Arguments) -> Result<Answer> {
    let key = arguments.common.key()?;
    if arguments.watch {
        return remote::run(watch(arguments, &key));
    }
    let at = match &arguments.interval_at {
        None => None,
        Some(text) => {
            let at = show::instant(text).and_then(|at| u64::try_from(at).ok());
            Some(at.context("--interval-at is not a time such as 2026-11-21T00:00:00Z")?)
        }
    };
    let which = match (arguments.size, at) {
        (Some(size), _) => Some(Which::TreeSize(size)),
        (_, at) => at.map(Which::IntervalAtMs),
    };
    let answer = remote::run(async {
        let remote = arguments.common.remote.connect().await?;
        Ok(remote.checkpoint_of(which).await?)
    })?;
    let found = opened(&answer.note, &key).and_then(|checkpoint| match arguments.size {
        Some(size) if checkpoint.size().get() != size => bail!("it is of another size"),
        _ => Ok(checkpoint),
    });
    if let Ok(checkpoint) = &found {
        write(arguments.out.as_deref(), arguments.force, checkpoint)?;
    }
    arguments
        .common
        .conclude(found.map(|checkpoint| seen(&checkpoint)))
}

fn opened(note: &str, key: &VerifierKey) -> Result<Checkpoint> {
    Checkpoint::open(note.as_bytes(), key).context("checkpoint of the answer")
}

fn seen(checkpoint: &Checkpoint) -> Verified {
    let mut json = to_json(checkpoint);
    if let Some(members) = json.as_object_mut() {
        members.insert("verified".to_owned(), true.into());
    }
    Verified {
        json,
        lines: vec![format!("VERIFIED: {}.", in_words(checkpoint))],
    }
}

/// Each checkpoint a line; ends with the first that does not continue the one before.
async fn watch(arguments: &Arguments, key: &VerifierKey) -> Result<Answer> {
    let remote = arguments.common.remote.connect().await?;
    let mut checkpoints = remote.watch(0).await?;
    let mut before: Option<Checkpoint> = None;
    while let Some(answer) = checkpoints.next().await? {
        let next = match (opened(&answer.note, key), &before) {
            (Ok(next), Some(before)) => follows(&remote, before, next).await?,
            (next, _) => next,
        };
        match next {
            Ok(next) => {
                arguments.common.conclude(Ok(seen(&next)))?;
                before = Some(next);
            }
            Err(error) => return arguments.common.conclude(Err(error)),
        }
    }
    Ok(Answer::Yes)
}

/// Whether a checkpoint continues another; the outer error says that nobody could be asked.
async fn follows(
    remote: &Remote,
    before: &Checkpoint,
    next: Checkpoint,
) -> Result<Result<Checkpoint>> {
    if next.size() < before.size() {
        let why = verify_consistency(before, &next, &[]);
        return Ok(why
            .map(|()| next)
            .context("it does not continue the one before"));
    }
    let (first, second) = (before.size().get(), next.size().get());
    // 0 would be the last published one.
    let path = match second {
        0 => Vec::new(),
        _ => remote.consistency(first, second).await?.path,
    };
    Ok(continues(before, &next, &path).map(|()| next))
}

fn continues(first: &Checkpoint, second: &Checkpoint, path: &[bytes::Bytes]) -> Result<()> {
    let verified = verify_consistency(first, second, &hashes(path)?);
    verified.with_context(|| {
        let (first, second) = (first.size(), second.size());
        format!("the tree of {second} leaves is not proven to continue that of {first}")
    })
}

pub(super) fn consistency(arguments: &ConsistencyArguments) -> Result<Answer> {
    let key = arguments.common.key()?;
    let held = arguments.since.as_deref();
    let held = held.map(|path| read_checkpoint(path, &key)).transpose()?;
    let (first, second, path) = remote::run(async {
        let remote = arguments.common.remote.connect().await?;
        let first = match (&held, arguments.first) {
            (Some(held), _) => held.note().to_owned(),
            (None, size) => remote.checkpoint_of(size.map(Which::TreeSize)).await?.note,
        };
        let second = arguments.second.map(Which::TreeSize);
        let second = remote.checkpoint_of(second).await?.note;
        let checkpoints = opened(&first, &key).and_then(|first| {
            let second = opened(&second, &key)?;
            // A rollback needs no proof, and there is none to ask for.
            let asked = first.size() <= second.size() && second.size().get() > 0;
            let sizes = asked.then(|| (first.size().get(), second.size().get()));
            Ok((first, second, sizes))
        });
        Ok(match checkpoints {
            Err(error) => (Err(error), None, Vec::new()),
            Ok((first, second, None)) => (Ok(first), Some(second), Vec::new()),
            Ok((one, two, Some((first, second)))) => {
                let path = remote.consistency(first, second).await?.path;
                (Ok(one), Some(two), path)
            }
        })
    })?;
    let found = first.and_then(|first| {
        let second = second.context("the answer has no later checkpoint")?;
        ensure!(
            arguments
                .second
                .is_none_or(|size| second.size().get() == size),
            "the later checkpoint is of another size"
        );
        ensure!(
            arguments
                .first
                .is_none_or(|size| first.size().get() == size),
            "the earlier checkpoint is of another size"
        );
        continues(&first, &second, &path)?;
        Ok((first, second))
    });
    if let Ok((_, second)) = &found {
        write(arguments.out.as_deref(), arguments.force, second)?;
    }
    arguments
        .common
        .conclude(found.map(|(first, second)| Verified {
            json: json!({
                "verified": true,
                "first": to_json(&first),
                "second": to_json(&second),
            }),
            lines: vec![
            format!("Earlier: {}.", in_words(&first)),
            format!("Later:   {}.", in_words(&second)),
            "VERIFIED: the later log continues the earlier one; nothing was changed.".to_owned(),
        ],
        }))
}
