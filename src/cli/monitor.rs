//! `monitor`: follows a log, holds it to what it signed, and keeps the evidence where it does not.
//!
//! # Invariants
//! 1. What is found is decided in [`ceralacca_formats::monitor`]; here it is fetched, kept and told.
//! 2. The state file is replaced whole, and only after every check of a round was passed.
//! 3. Evidence is durable before the finding is told, and replaces nothing.

use super::output::{self, Existing};
use super::remote::{self, Answered, Pieces, Remote, RemoteError, Verdict};
use super::v1;
use super::{Answer, proven, show};
use crate::ambient::{Clock, SystemClock};
use anyhow::{Context as _, Result, anyhow, ensure};
use bytes::Bytes;
use ceralacca_formats::checkpoint::Checkpoint;
use ceralacca_formats::id::{TreeSize, UtcMillis};
use ceralacca_formats::leaf::LEAF_BYTES;
use ceralacca_formats::monitor::{self, Finding, Next, Proof, Rules, StateError, Trusted};
use ceralacca_formats::policy::{POLICY_BYTES_MAX, Policy};
use ceralacca_formats::proof::ProofFile;
use ceralacca_formats::rotation::{KeyChain, ROTATIONS_MAX};
use ceralacca_formats::tree::NodeHash;
use serde_json::json;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What `monitor` is told.
#[derive(clap::Args)]
pub struct Arguments {
    /// File of what this monitor made sure of; made at the first round
    #[arg(long, value_name = "FILE")]
    state: PathBuf,
    /// Folder for evidence; each finding makes a folder in it
    #[arg(long, value_name = "DIR", default_value = "ceralacca-evidence")]
    evidence: PathBuf,
    /// Seconds between two rounds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    interval: u64,
    /// One round, and no more
    #[arg(long)]
    once: bool,
    /// Holds it against the log when nothing is new for so many seconds
    #[arg(long, value_name = "SECONDS")]
    stale: Option<u64>,
    /// Witness policy (C2SP tlog-policy) that the log's last witnessed checkpoint must meet
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Also fetches every leaf, once, and rebuilds the tree from them
    #[arg(long)]
    replay: bool,
    /// Answer as JSON, one object for each round
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    key: proven::KeyArguments,
    #[command(flatten)]
    remote: remote::Arguments,
}

/// A state file has a note and 64 hashes at most.
const STATE_BYTES_MAX: u64 = 128 << 10;

/// A finding, and what it is made of.
struct Caught {
    finding: Finding,
    trusted: Option<Checkpoint>,
    found: String,
    path: Option<Vec<NodeHash>>,
}

/// Why a round did not end well.
enum Ended {
    /// Something is held against the log.
    Caught(Box<Caught>),
    /// It could not be asked.
    Failed(RemoteError),
    /// The file of what was made sure of is refused.
    State(StateError),
}

impl From<RemoteError> for Ended {
    fn from(error: RemoteError) -> Self {
        Self::Failed(error)
    }
}

/// What a good round saw.
struct Seen {
    is_first: bool,
    is_new: bool,
    witnessed: Option<TreeSize>,
}

/// The leaves of a replay, one by one.
struct Leaves {
    pieces: Pieces<v1::GetLeavesResponse>,
    piece: Bytes,
}

impl Leaves {
    /// The next leaf's bytes; none at the end. What is left of a piece that is no whole leaf is handed out as it is.
    async fn next(&mut self) -> Answered<Option<Bytes>> {
        while self.piece.is_empty() {
            match self.pieces.next().await? {
                None => return Ok(None),
                Some(next) => self.piece = next.leaves,
            }
        }
        let end = self.piece.len().min(LEAF_BYTES);
        Ok(Some(self.piece.split_to(end)))
    }
}

/// Follows the log, for ever or once.
pub(super) fn run(arguments: &Arguments) -> Result<Answer> {
    let key = arguments.key.read()?;
    let key = key.context("the log's key is needed: --key or --key-file")?;
    let policy = arguments.policy.as_deref().map(read_policy).transpose()?;
    if let Some(policy) = &policy {
        let logs = policy.logs();
        ensure!(
            logs.is_empty() || logs.contains(&key),
            "the policy is for other logs"
        );
    }
    let mut rules = Rules {
        keys: KeyChain::new(key),
        policy,
        stale_ms: arguments.stale.map(|seconds| seconds.saturating_mul(1000)),
    };
    let refused = |error| anyhow!("state {}: {error}", arguments.state.display());
    let mut trusted = State::read(&arguments.state)?;
    // Under a key that followed the pinned one it is read when the log has proven that key.
    if !trusted
        .note()
        .is_some_and(|note| rules.is_of_unknown_key(note))
    {
        trusted.trusted(&rules).map_err(refused)?;
    }
    let clock = SystemClock::default();
    remote::run(async {
        loop {
            let ended = match arguments.remote.connect().await {
                Ok(remote) => round(arguments, &mut rules, &remote, &clock, &mut trusted).await,
                Err(error) => Err(Ended::Failed(RemoteError::later(
                    "Unavailable",
                    &super::chain(&error),
                ))),
            };
            match ended {
                Ok(seen) => {
                    if let State::Held(trusted) = &trusted {
                        let state = trusted.to_text();
                        output::write(&arguments.state, state.as_bytes(), Existing::Replace)?;
                        tell(arguments, trusted, &seen)?;
                    }
                }
                Err(Ended::Caught(caught)) => {
                    report(arguments, &rules, &caught, clock.wall())?;
                    return Ok(Answer::No);
                }
                Err(Ended::State(error)) => return Err(refused(error)),
                Err(Ended::Failed(error)) => {
                    if let Some(stale) = silence(&rules, trusted.held(), clock.wall()) {
                        report(arguments, &rules, &stale, clock.wall())?;
                        return Ok(Answer::No);
                    }
                    if arguments.once || error.verdict != Verdict::Later {
                        return Err(error.into());
                    }
                    let line = show::printable(&error.to_string());
                    // With standard error closed the next round says it again.
                    let _ = writeln!(std::io::stderr(), "ceralacca: not reached: {line}");
                }
            }
            if arguments.once {
                return Ok(Answer::Yes);
            }
            remote::pause(Duration::from_secs(arguments.interval)).await;
        }
    })
}

/// A log that does not answer is stale like one that has nothing new.
fn silence(rules: &Rules, trusted: Option<&Trusted>, now: UtcMillis) -> Option<Caught> {
    let trusted = trusted?;
    let finding = rules.fresh(trusted.since, now).err()?;
    Some(caught(finding, Some(&trusted.checkpoint), "", None))
}

fn caught(
    finding: Finding,
    trusted: Option<&Checkpoint>,
    found: &str,
    path: Option<Vec<NodeHash>>,
) -> Caught {
    Caught {
        finding,
        trusted: trusted.cloned(),
        found: found.to_owned(),
        path,
    }
}

/// One round: newest checkpoint, witnessed one, leaves. What was made sure of is in `trusted` only if all was well.
async fn round(
    arguments: &Arguments,
    rules: &mut Rules,
    remote: &Remote,
    clock: &dyn Clock,
    state: &mut State,
) -> Result<Seen, Ended> {
    let answer = remote.checkpoint().await?;
    let unknown = |rules: &Rules, note: &[u8]| rules.is_of_unknown_key(note);
    if unknown(rules, answer.note.as_bytes()) || state.note().is_some_and(|n| unknown(rules, n)) {
        follow_keys(rules, remote).await?;
    }
    let rules = &*rules;
    let trusted = state.trusted(rules).map_err(Ended::State)?;
    let old = trusted.as_ref().map(|trusted| &trusted.checkpoint);
    let catch = |finding| {
        let caught = caught(finding, old, &answer.note, None);
        Ended::Caught(Box::new(caught))
    };
    let next = rules.look(trusted.as_ref(), &stated(&answer), clock.wall());
    let (mut now, is_first, is_new) = match (next.map_err(catch)?, trusted.clone()) {
        (Next::Same, Some(trusted)) => (trusted, false, false),
        (Next::Prove(found), Some(trusted)) => {
            follow(remote, &trusted.checkpoint, &found).await?;
            let now = Trusted {
                checkpoint: found,
                since: clock.wall(),
                ..trusted
            };
            (now, false, true)
        }
        // Without a trusted checkpoint there is nothing to be the same, or to prove from.
        (Next::First(found) | Next::Prove(found), None) | (Next::First(found), Some(_)) => {
            (Trusted::new(found, clock.wall()), true, true)
        }
        (Next::Same, None) => return Err(RemoteError::later("INTERNAL", "no checkpoint").into()),
    };
    let witnessed = match rules.policy {
        None => None,
        Some(_) => Some(witnessed(rules, remote, &now.checkpoint, clock).await?),
    };
    if arguments.replay {
        let (first, size) = (now.replayed.next(), now.checkpoint.size());
        let leaves = Leaves {
            pieces: remote.leaves(first.get(), size.get()).await?,
            piece: Bytes::new(),
        };
        replay(&mut now, leaves).await?;
    }
    *state = State::Held(Box::new(now));
    Ok(Seen {
        is_first,
        is_new,
        witnessed,
    })
}

fn stated(answer: &v1::GetCheckpointResponse) -> monitor::Answer<'_> {
    monitor::Answer {
        note: answer.note.as_bytes(),
        origin: &answer.origin,
        size: answer.tree_size,
        root: &answer.root,
    }
}

/// Has the log prove that one signed checkpoint continues another.
async fn follow(remote: &Remote, first: &Checkpoint, second: &Checkpoint) -> Result<(), Ended> {
    let (from, to) = (first.size(), second.size());
    let catch = |finding, path| {
        let caught = caught(finding, Some(first), second.note(), path);
        Ended::Caught(Box::new(caught))
    };
    let refused = |why: String| Finding::Refused {
        first: from,
        second: to,
        why,
    };
    let answer = match remote.consistency(from.get(), to.get()).await {
        Ok(answer) => answer,
        Err(error) if error.verdict == Verdict::Later => return Err(error.into()),
        Err(error) => return Err(catch(refused(error.to_string()), None)),
    };
    let hashes = answer.path.iter();
    let hashes = hashes.map(|hash| <[u8; 32]>::try_from(hash.as_ref()).map(NodeHash::from_bytes));
    let Ok(path) = hashes.collect::<Result<Vec<_>, _>>() else {
        let why = "a hash of the proof has not 32 bytes".to_owned();
        return Err(catch(refused(why), None));
    };
    let proof = Proof {
        first: answer.first_size,
        second: answer.second_size,
        path: &path,
    };
    let followed = monitor::follow(first, second, &proof);
    followed.map_err(|finding| catch(finding, Some(path.clone())))
}

/// The last witnessed checkpoint: good by itself, and of the same history as the newest.
async fn witnessed(
    rules: &Rules,
    remote: &Remote,
    newest: &Checkpoint,
    clock: &dyn Clock,
) -> Result<TreeSize, Ended> {
    let catch = |finding, found: &str| {
        let caught = caught(finding, Some(newest), found, None);
        Ended::Caught(Box::new(caught))
    };
    let answer = match remote.witnessed_checkpoint().await {
        Err(error) if error.reason == "NOT_WITNESSED" => {
            return Err(catch(Finding::NotWitnessed(newest.size()), ""));
        }
        other => other?,
    };
    let found = rules.look_witnessed(&stated(&answer), clock.wall());
    let found = found.map_err(|finding| catch(finding, &answer.note))?;
    let size = found.size();
    if size == newest.size() {
        let same = found.root() == newest.root();
        return match same {
            true => Ok(size),
            false => Err(catch(Finding::Fork(size), found.note())),
        };
    }
    match size < newest.size() {
        true => follow(remote, &found, newest).await?,
        false => follow(remote, newest, &found).await?,
    }
    Ok(size)
}

/// Rehashes the leaves that were not, up to the checkpoint.
async fn replay(trusted: &mut Trusted, mut leaves: Leaves) -> Result<(), Ended> {
    let checkpoint = trusted.checkpoint.clone();
    let catch = |finding| {
        let caught = caught(finding, Some(&checkpoint), checkpoint.note(), None);
        Ended::Caught(Box::new(caught))
    };
    let mut replayed = trusted.replayed.clone();
    loop {
        match leaves.next().await {
            Ok(Some(leaf)) => replayed.push(&leaf).map_err(catch)?,
            Ok(None) => break,
            Err(error) if error.verdict == Verdict::Later => return Err(error.into()),
            // It signed them and does not give them.
            Err(_) => break,
        }
    }
    replayed.finish(&checkpoint).map_err(catch)?;
    trusted.replayed = replayed;
    Ok(())
}

fn tell(arguments: &Arguments, trusted: &Trusted, seen: &Seen) -> Result<()> {
    let mut out = std::io::stdout();
    let checkpoint = &trusted.checkpoint;
    let (origin, size) = (checkpoint.origin(), checkpoint.size());
    let replayed = trusted.replayed.next();
    if arguments.json {
        let line = json!({
            "verdict": "good",
            "origin": origin.as_str(),
            "tree_size": size.get(),
            "root": checkpoint.root().to_string(),
            "first": seen.is_first,
            "new": seen.is_new,
            "since_ms": trusted.since.get(),
            "witnessed_size": seen.witnessed.map(TreeSize::get),
            "replayed": replayed.get(),
        });
        writeln!(out, "{}", show::json(&line))?;
        return Ok(());
    }
    let how = match (seen.is_first, seen.is_new) {
        (true, _) => "first seen, trusted by its signature alone",
        (_, true) => "follows from the one before",
        _ => "nothing new",
    };
    let mut line = format!("GOOD: {origin}, {size} leaves: {how}");
    if let Some(size) = seen.witnessed {
        line += &format!("; witnessed up to {size}");
    }
    if arguments.replay {
        line += &format!("; {replayed} leaves rehashed");
    }
    writeln!(out, "{line}.")?;
    Ok(())
}

/// Keeps the evidence and says what was found.
fn report(arguments: &Arguments, rules: &Rules, caught: &Caught, now: UtcMillis) -> Result<()> {
    let finding = &caught.finding;
    let folder = format!("{}-{}", now.get(), finding.word());
    let folder = arguments.evidence.join(folder);
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("make folder {}", folder.display()))?;
    let write =
        |name: &str, text: &str| output::write(&folder.join(name), text.as_bytes(), Existing::Keep);
    if let Some(trusted) = &caught.trusted {
        write("trusted.checkpoint", trusted.note())?;
    }
    if !caught.found.is_empty() {
        write("found.checkpoint", &caught.found)?;
    }
    if let (Some(trusted), Some(path)) = (&caught.trusted, &caught.path) {
        let text = monitor::evidence(trusted, &caught.found, path);
        write("consistency.txt", &text)?;
    }
    let told = json!({
        "verdict": "found",
        "finding": finding.word(),
        "why": finding.to_string(),
        "time_ms": now.get(),
        "origin": rules.keys.first().name(),
        "verifier_key": rules.keys.current().to_string(),
        "evidence": folder.display().to_string(),
    });
    write("finding.json", &format!("{}\n", show::json(&told)))?;
    let mut out = std::io::stdout();
    if arguments.json {
        writeln!(out, "{}", show::json(&told))?;
        return Ok(());
    }
    let (why, place) = (finding.to_string(), folder.display().to_string());
    let (why, place) = (show::printable(&why), show::printable(&place));
    writeln!(out, "FOUND: {why}. Evidence in {place}.")?;
    Ok(())
}

fn read_policy(path: &Path) -> Result<Policy> {
    let text = read(path, POLICY_BYTES_MAX as u64 + 1);
    let text = text.with_context(|| format!("read policy {}", path.display()))?;
    Policy::parse(&text).with_context(|| format!("policy {}", path.display()))
}

/// What was made sure of before: as its file has it, until the log's keys are known, or verified.
enum State {
    None,
    Read(Vec<u8>),
    Held(Box<Trusted>),
}

impl State {
    fn read(path: &Path) -> Result<Self> {
        match read(path, STATE_BYTES_MAX) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::None),
            other => Ok(Self::Read(
                other.with_context(|| format!("state {}", path.display()))?,
            )),
        }
    }

    /// The note in a file that was not verified yet.
    fn note(&self) -> Option<&[u8]> {
        let Self::Read(text) = self else {
            return None;
        };
        let at = text.windows(2).position(|two| two == b"\n\n")?;
        text.get(at + 2..)
    }

    fn held(&self) -> Option<&Trusted> {
        match self {
            Self::Held(trusted) => Some(trusted),
            Self::None | Self::Read(_) => None,
        }
    }

    /// What is trusted, the file of it verified under the keys that are known.
    fn trusted(&mut self, rules: &Rules) -> Result<Option<Trusted>, StateError> {
        if let Self::Read(text) = self {
            let trusted = Trusted::parse(text, &rules.keys)?;
            *self = Self::Held(Box::new(trusted));
        }
        Ok(self.held().cloned())
    }
}

/// Follows the log's key through its rotations. Where they do not lead further the keys stay as they were, and the
/// checkpoint that asked for it is found out.
async fn follow_keys(rules: &mut Rules, remote: &Remote) -> Result<(), Ended> {
    let mut proofs: Vec<ProofFile> = Vec::new();
    loop {
        let first = u32::try_from(proofs.len()).unwrap_or(u32::MAX);
        let page = match remote.key_rotations(first).await {
            Ok(page) => page,
            Err(error) if error.verdict == Verdict::Later => return Err(error.into()),
            Err(_) => return Ok(()),
        };
        let given = page
            .proofs
            .iter()
            .map(|text| ProofFile::parse(text.as_bytes()));
        let Ok(given) = given.collect::<Result<Vec<_>, _>>() else {
            return Ok(());
        };
        let goes_on = page.more && !given.is_empty() && proofs.len() < ROTATIONS_MAX;
        proofs.extend(given);
        if !goes_on {
            break;
        }
    }
    if let Ok(chain) = super::rotations::follow(rules.keys.first(), proofs)
        && chain.rotations() > rules.keys.rotations()
    {
        rules.keys = chain;
    }
    Ok(())
}

fn read(path: &Path, most: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}
