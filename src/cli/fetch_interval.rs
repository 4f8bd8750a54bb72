//! `fetch-interval`: the package of a closed interval, fetched file by file.
//!
//! # Invariants
//! 1. A file is there whole, with the digest of the catalogue, or not at all: a run that broke off goes on at the next
//!    file.
//! 2. What is there with another digest is an error: nothing is replaced.
//! 3. A path is one of a catalogue, which leads nowhere but into the folder.

use super::output::{Existing, Output};
use super::v1::stream_file_response::Part;
use super::{Answer, remote, show};
use anyhow::{Context as _, Result, bail, ensure};
use ceralacca_formats::catalogue::{CATALOGUE_BYTES_MAX, Catalogue};
use ceralacca_formats::digest::{ContentHasher, Sha256};
use remote::{Remote, RemoteError};
use serde_json::json;
use std::fs::File;
use std::io::{ErrorKind, Read as _, Write};
use std::path::{Path, PathBuf};

/// What `fetch-interval` is told.
#[derive(clap::Args)]
pub struct Arguments {
    /// The interval: its start, milliseconds since 1970 (see intervals)
    #[arg(long, value_name = "ID")]
    interval: u64,
    /// The folder to write; what it has of this package stays
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Answer as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: remote::Arguments,
}

const CATALOGUE: &str = "catalogue.json";
/// Files beside the catalogue: which leaf closed the interval, and its proof.
const BESIDE: [&str; 2] = ["closing.json", "closing.tlog-proof"];
/// Why a file is not for this role, or for nobody any more.
const WITHHELD: [&str; 2] = ["FILE_DENIED", "DISPOSED"];
const PIECE_BYTES: usize = 256 << 10;

#[derive(Default)]
struct Fetched {
    files: u64,
    bytes: u64,
    /// Were there already.
    kept: u64,
    withheld: Vec<String>,
}

/// Fetches, checks, writes.
pub(super) fn run(arguments: &Arguments) -> Result<Answer> {
    let attempt = || format!("make folder {}", arguments.dir.display());
    std::fs::create_dir_all(&arguments.dir).with_context(attempt)?;
    let fetched = remote::run(async {
        let remote = arguments.remote.connect().await?;
        fetch(&remote, arguments.interval, &arguments.dir).await
    })?;
    let mut out = std::io::stdout().lock();
    if arguments.json {
        let answer = json!({
            "interval_ms": arguments.interval,
            "dir": arguments.dir.display().to_string(),
            "files": fetched.files,
            "bytes": fetched.bytes,
            "kept": fetched.kept,
            "withheld": fetched.withheld,
        });
        writeln!(out, "{}", show::json(&answer))?;
        return Ok(Answer::Yes);
    }
    let dir = show::printable(&arguments.dir.display().to_string());
    writeln!(
        out,
        "{} files, {} bytes, in {dir}; {} were there already.",
        fetched.files, fetched.bytes, fetched.kept
    )?;
    for path in &fetched.withheld {
        writeln!(out, "Not handed out: {path}")?;
    }
    writeln!(out, "Check it: ceralacca verify-interval {dir} --key VKEY")?;
    Ok(Answer::Yes)
}

async fn fetch(remote: &Remote, interval: u64, dir: &Path) -> Result<Fetched> {
    let mut fetched = Fetched::default();
    let expected = catalogue_digest(remote, interval).await?;
    let path = dir.join(CATALOGUE);
    one(
        remote,
        interval,
        CATALOGUE,
        dir,
        Some(expected),
        &mut fetched,
    )
    .await?;
    let mut octets = Vec::new();
    let file = File::open(&path).with_context(|| format!("read {}", path.display()))?;
    file.take(CATALOGUE_BYTES_MAX as u64)
        .read_to_end(&mut octets)?;
    let catalogue = Catalogue::parse(&octets).context("catalogue.json is no catalogue")?;
    ensure!(
        catalogue.interval.get() == interval,
        "catalogue.json is of another interval"
    );
    let bar = show::progress(catalogue.files.len() as u64, "receiving");
    for entry in &catalogue.files {
        let expected = Some(entry.sha256);
        match one(remote, interval, &entry.path, dir, expected, &mut fetched).await {
            Err(error) => match error.downcast_ref::<RemoteError>() {
                Some(refused) if WITHHELD.contains(&refused.reason.as_str()) => {
                    fetched.withheld.push(entry.path.clone());
                }
                _ => return Err(error),
            },
            Ok(()) => bar.inc(1),
        }
    }
    for path in BESIDE {
        one(remote, interval, path, dir, None, &mut fetched).await?;
    }
    bar.finish_and_clear();
    Ok(fetched)
}

/// The digest that the closing leaf has of the catalogue.
async fn catalogue_digest(remote: &Remote, interval: u64) -> Result<Sha256> {
    let page = remote.intervals(interval.checked_sub(1)).await?;
    let mut intervals = page.intervals.into_iter();
    let found = intervals.find(|found| found.interval_ms == interval);
    let Some(found) = found else {
        bail!("no interval starts at {interval}");
    };
    let Some(closed) = found.closed else {
        bail!("interval {interval} is not closed");
    };
    let digest = <[u8; 32]>::try_from(closed.catalogue_sha256.as_ref());
    Ok(Sha256::from_bytes(
        digest.context("the answer has no digest")?,
    ))
}

/// One file: kept where it is there with its digest, fetched otherwise.
async fn one(
    remote: &Remote,
    interval: u64,
    path: &str,
    dir: &Path,
    expected: Option<Sha256>,
    fetched: &mut Fetched,
) -> Result<()> {
    let target = dir.join(path);
    if let Some(found) = digest(&target)? {
        match expected {
            Some(expected) if found != expected => {
                bail!("{} is there, and is another file", target.display());
            }
            // The proof is of the checkpoint of that day: it stays.
            _ => {
                fetched.kept += 1;
                return Ok(());
            }
        }
    }
    let mut pieces = remote.package_file(interval, path).await?;
    let first = pieces.next().await?.and_then(|piece| piece.part);
    let Some(Part::Head(head)) = first else {
        bail!("the answer does not begin with the head of {path}");
    };
    let stated = <[u8; 32]>::try_from(head.sha256.as_ref());
    let stated = Sha256::from_bytes(stated.context("the answer has no digest")?);
    ensure!(
        expected.is_none_or(|expected| expected == stated),
        "{path} is not the file of the catalogue"
    );
    if let Some(parent) = target.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let mut output = Output::create(&target, Existing::Keep)?;
    let mut hasher = ContentHasher::default();
    while let Some(piece) = pieces.next().await? {
        let Some(Part::Chunk(bytes)) = piece.part else {
            bail!("the answer has something else among the bytes of {path}");
        };
        hasher.update(&bytes);
        ensure!(
            hasher.bytes() <= head.bytes,
            "{path} is longer than its head says"
        );
        output.write(&bytes)?;
    }
    let digest = hasher.finish();
    ensure!(
        digest.sha256 == stated && digest.bytes == head.bytes,
        "the bytes received are not those of {path}"
    );
    output.finish()?;
    fetched.files += 1;
    fetched.bytes = fetched.bytes.saturating_add(digest.bytes);
    Ok(())
}

/// The digest of a file that is there.
fn digest(path: &Path) -> Result<Option<Sha256>> {
    let attempt = || format!("read {}", path.display());
    let mut file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        other => other.with_context(attempt)?,
    };
    let mut hasher = ContentHasher::default();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let read = file.read(&mut piece).with_context(attempt)?;
        if read == 0 {
            return Ok(Some(hasher.finish().sha256));
        }
        hasher.update(piece.get(..read).unwrap_or_default());
    }
}
