//! What a verifier trusts, from sources of its own.

use crate::ambient::{Clock, SystemClock};
use crate::cli::show;
use anyhow::{Context as _, Result, anyhow, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ceralacca_formats::id::UtcMillis;
use ceralacca_formats::note::VerifierKey;
use ceralacca_pec::judge::{Material, Trust};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Certificates to trust.
#[derive(clap::Args)]
#[command(next_help_heading = "Of a package")]
pub struct Arguments {
    /// Certificates (PEM) that the seal and the time-stamps of a package may end in
    #[arg(long, value_name = "FILE")]
    roots: Vec<PathBuf>,
    /// Certificates (PEM) that the signatures of the messages in it may end in
    #[arg(long, value_name = "FILE")]
    mail_roots: Vec<PathBuf>,
    /// A witness's verifier key, name+id+base64: whether it cosigned what a package rests on
    #[arg(long = "witness", value_name = "VKEY")]
    witnesses: Vec<String>,
    /// The instant at which it is verified, RFC 3339; now unless given
    #[arg(long, value_name = "WHEN", value_parser = instant)]
    at: Option<UtcMillis>,
}

/// A file of certificates is some kilobytes.
const FILE_BYTES_MAX: u64 = 4 << 20;

fn instant(text: &str) -> Result<UtcMillis, String> {
    let millis = show::instant(text).and_then(|ms| u64::try_from(ms).ok());
    let millis = millis.ok_or("not an instant of RFC 3339")?;
    Ok(UtcMillis::new(millis))
}

/// What is trusted.
pub(super) struct Anchors {
    /// For seals and time-stamps; none where nothing was given.
    pub(super) roots: Option<Trust>,
    /// For messages.
    pub(super) mail: Option<Trust>,
    /// Witnesses.
    pub(super) witnesses: Vec<VerifierKey>,
    pub(super) now: UtcMillis,
}

impl Arguments {
    pub(super) fn read(&self) -> Result<Anchors> {
        Ok(Anchors {
            roots: trust(&self.roots)?,
            mail: trust(&self.mail_roots)?,
            witnesses: self
                .witnesses
                .iter()
                .map(|text| witness(text))
                .collect::<Result<_>>()?,
            now: self.at.unwrap_or_else(|| SystemClock::default().wall()),
        })
    }
}

fn witness(text: &str) -> Result<VerifierKey> {
    let key = VerifierKey::parse(text);
    let key = key.map_err(|error| anyhow!("--witness: {error}"))?;
    match key.is_of_log() {
        true => bail!("--witness: {} is the key of a log", key.name()),
        false => Ok(key),
    }
}

fn trust(files: &[PathBuf]) -> Result<Option<Trust>> {
    if files.is_empty() {
        return Ok(None);
    }
    let mut anchors = Vec::new();
    for path in files {
        anchors.extend(certificates(path)?);
    }
    let material = Material {
        anchors,
        ..Material::default()
    };
    Trust::new(material)
        .map(Some)
        .context("trusted certificates")
}

/// The certificates of a PEM file; one at least.
fn certificates(path: &Path) -> Result<Vec<Vec<u8>>> {
    let attempt = || format!("read certificates {}", path.display());
    let file = File::open(path).with_context(attempt)?;
    let mut text = String::new();
    file.take(FILE_BYTES_MAX)
        .read_to_string(&mut text)
        .with_context(attempt)?;
    let mut found = Vec::new();
    for block in text.split("-----BEGIN CERTIFICATE-----").skip(1) {
        let body = block.split("-----END CERTIFICATE-----").next();
        let body: String = body.unwrap_or_default().split_whitespace().collect();
        found.push(STANDARD.decode(body).with_context(attempt)?);
    }
    if found.is_empty() {
        bail!("{} holds no certificate", path.display());
    }
    Ok(found)
}
