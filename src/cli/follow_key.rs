//! `follow-key`: from a verifier key that was pinned once to the one that signs today, trusting nobody.

use super::output::{self, Existing};
use super::{Answer, remote, rotations, show};
use anyhow::{Context as _, Result, bail, ensure};
use ceralacca_formats::note::VerifierKey;
use ceralacca_formats::proof::ProofFile;
use ceralacca_formats::rotation::{KeyChain, ROTATIONS_MAX};
use serde_json::json;
use std::io::Write;
use std::path::PathBuf;

/// What `follow-key` is told.
#[derive(clap::Args)]
pub struct Arguments {
    /// The verifier key that was pinned, from a source of its own: the first of the log, or a later one
    #[arg(long, value_name = "VKEY", value_parser = super::log_key)]
    key: VerifierKey,
    /// Folder where the proofs of all rotations are written, as `--rotations` of other commands takes it; made if it is
    /// not there
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Answer as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: remote::Arguments,
}

/// What a service gave: its rotations, and its last checkpoint.
struct Given {
    proofs: Vec<ProofFile>,
    note: String,
}

/// Fetches the rotations and follows them. The current key alone is the answer; what was followed is said beside it.
pub(super) fn run(arguments: &Arguments) -> Result<Answer> {
    let given = remote::run(async {
        let remote = arguments.remote.connect().await?;
        fetch(&remote).await
    })?;
    let mut out = std::io::stdout().lock();
    let chain = match followed(&arguments.key, &given) {
        Ok(chain) => chain,
        Err(error) => {
            let why = super::chain(&error);
            if arguments.json {
                let answer = json!({ "followed": false, "why": why });
                writeln!(out, "{}", show::json(&answer))?;
            } else {
                writeln!(out, "NOT FOLLOWED: {}.", show::printable(&why))?;
            }
            return Ok(Answer::No);
        }
    };
    if let Some(folder) = &arguments.out {
        let attempt = || format!("make folder {}", folder.display());
        std::fs::create_dir_all(folder).with_context(attempt)?;
        for proof in &given.proofs {
            let path = folder.join(format!("rotation-{}.tlog-proof", proof.index));
            output::write(&path, proof.to_text().as_bytes(), Existing::Replace)?;
        }
    }
    let keys: Vec<String> = chain.keys().map(ToString::to_string).collect();
    let rotations = chain.rotations();
    if arguments.json {
        let answer = json!({
            "followed": true,
            "verifier_key": chain.current().to_string(),
            "rotations": rotations,
            "since_size": chain.since().get(),
            "keys": keys,
        });
        writeln!(out, "{}", show::json(&answer))?;
        return Ok(Answer::Yes);
    }
    let followed = match rotations {
        0 => "The pinned key signs the log still.".to_owned(),
        1 => format!(
            "One rotation followed: the key changed at {} leaves.",
            chain.since()
        ),
        many => format!(
            "{many} rotations followed: the last at {} leaves.",
            chain.since()
        ),
    };
    writeln!(std::io::stderr(), "{followed}")?;
    writeln!(out, "{}", chain.current())?;
    Ok(Answer::Yes)
}

/// The keys from the pinned one on, if all rotations hold and the current one signs what the service publishes.
fn followed(pinned: &VerifierKey, given: &Given) -> Result<KeyChain> {
    let chain = rotations::follow(pinned, given.proofs.clone())?;
    let (_, key) = chain
        .open(given.note.as_bytes())
        .context("the last checkpoint of the service")?;
    ensure!(
        key == chain.current(),
        "the last checkpoint of the service is signed with a retired key"
    );
    Ok(chain)
}

async fn fetch(remote: &remote::Remote) -> Result<Given> {
    let mut proofs: Vec<ProofFile> = Vec::new();
    loop {
        let first = u32::try_from(proofs.len()).unwrap_or(u32::MAX);
        let page = remote.key_rotations(first).await?;
        ensure!(
            !page.more || !page.proofs.is_empty(),
            "the service says that there are more rotations, and gives none"
        );
        for text in &page.proofs {
            let number = proofs.len() + 1;
            let proof = ProofFile::parse(text.as_bytes());
            proofs.push(proof.with_context(|| format!("rotation {number} of the service"))?);
        }
        if proofs.len() > ROTATIONS_MAX {
            bail!("the service gives over {ROTATIONS_MAX} rotations");
        }
        if !page.more {
            break;
        }
    }
    let note = remote.checkpoint().await?.note;
    Ok(Given { proofs, note })
}
