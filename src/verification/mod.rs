//! The package of a closed interval, verified by whoever holds it: no archive, no store, no network.
//!
//! ```text
//! catalogue ─▶ files ─▶ tree ─▶ lines ─▶ maps       what is there, that it is the log's, that it is all of it
//!         └──▶ closing ─▶ stamps ─▶ index ─▶ evidence ─▶ chain      when it was there, who says so, what came before
//! ```
//!
//! # Invariants
//! 1. Nothing in a package is believed because of where it lies: each check names what it compared.
//! 2. What was not checked says so, and is never counted as good.
//! 3. Memory is bounded by batches and shares, whatever the number of records.
//!
//! # Map
//! - [`report`]: checks and how they ended; `folder`: files, read in pieces
//! - `tree`, `lines`, `maps`: leaves, log files, interval maps; `events`: under which word a record is counted
//! - `stamps`, `index`, `evidence`, `closing`, `chain`: tokens, PIndex, evidence record, closing leaf, package before

mod chain;
mod closing;
mod evidence;
mod folder;
mod index;
mod lines;
mod maps;
pub mod report;
mod stamps;
mod tree;

use crate::ambient::Clock;
use ceralacca_formats::catalogue::{CATALOGUE_BYTES_MAX, Catalogue};
use ceralacca_formats::closing::{Closing, Contents};
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::leaf::Class;
use ceralacca_formats::metadata::{CustodyRecord, Metadata};
use ceralacca_formats::rotation::KeyChain;
use ceralacca_pec::judge::Trust;
pub(crate) use folder::class_of;
use folder::{Files, Package};
use report::{Ended, Report};
use std::io;
use std::path::{Path, PathBuf};

const CATALOGUE: &str = "catalogue.json";
const CLOSING: &str = "closing.json";
const CONTENTS: &str = "contents.json";
const SMALL_BYTES_MAX: usize = 32 << 20;

/// What a package is verified with.
pub struct Given<'a> {
    /// The keys of the log; without them no signature of the log is checked.
    pub keys: Option<KeyChain>,
    /// The roots of time-stamping authorities, DER; without them no token is.
    pub anchors: Option<Vec<Vec<u8>>>,
    /// The roots of the seal; without them the signature of the index is not.
    pub seal: Option<Trust>,
    /// The package of the interval before.
    pub previous: Option<PathBuf>,
    /// Whether all files of a class that may name somebody may be absent together: they were not handed out.
    pub partial: bool,
    /// Whether maps are built again.
    pub maps: bool,
    /// Now, and how long things take.
    pub clock: &'a dyn Clock,
}

/// The folder cannot be read: nothing is said of the package.
#[derive(Debug, thiserror::Error)]
#[error("read {path}")]
pub struct FolderError {
    /// What of it.
    pub path: PathBuf,
    /// Why not.
    #[source]
    pub source: io::Error,
}

/// What the documents of a package say, read before anything is compared.
struct Documents {
    catalogue: Catalogue,
    catalogue_sha256: Sha256,
    closing: Closing,
    closing_octets: Vec<u8>,
    contents: Contents,
}

/// Verifies the package in a folder.
pub fn verify(path: &Path, given: &Given<'_>) -> Result<Report, FolderError> {
    let package = Package::at(path);
    let mut report = Report::default();
    let Some(documents) = documents(&package, &mut report)? else {
        return Ok(report);
    };
    report.origin = Some(documents.catalogue.origin.clone());
    report.interval = Some(documents.catalogue.interval);
    let files = Files::check(&package, &documents.catalogue, given.partial, &mut report)?;
    tree::check(&package, &documents, given, &mut report)?;
    let began = given.clock.monotone();
    let absent = lines::check(&package, &documents, &files, &mut report)?;
    report.lines_time = given.clock.monotone().saturating_sub(began);
    let began = given.clock.monotone();
    maps::check(&package, &documents, &absent, given, &mut report)?;
    report.maps_time = given.clock.monotone().saturating_sub(began);
    let trust = given.anchors.as_deref();
    let trust = trust.map(|anchors| stamps::trust(&package, &documents.catalogue, anchors));
    let trust = trust.transpose()?;
    closing::check(&package, &documents, given, &mut report)?;
    let root = evidence::check(&package, &documents, trust.as_ref(), given, &mut report)?;
    let sources = index::check(&package, &documents, trust.as_ref(), given, &mut report)?;
    stamps::check(
        &package,
        &documents,
        root.as_ref(),
        trust.as_ref(),
        &mut report,
    )?;
    chain::check(&documents, sources.as_deref(), given, &mut report)?;
    Ok(report)
}

/// Catalogue, closing and contents; `None` where one is missing or unreadable, which the report then says.
fn documents(package: &Package, report: &mut Report) -> Result<Option<Documents>, FolderError> {
    let octets = package.small(CATALOGUE, CATALOGUE_BYTES_MAX)?;
    let catalogue = octets.as_deref().and_then(Catalogue::parse);
    report.tell(
        "documents",
        "catalogue.json is a catalogue",
        catalogue.is_some(),
    );
    let closing_octets = package.small(CLOSING, SMALL_BYTES_MAX)?;
    let closing = closing_octets.as_deref().and_then(closing_of);
    report.tell(
        "documents",
        "closing.json is that of a closing leaf",
        closing.is_some(),
    );
    let contents = package.small(CONTENTS, SMALL_BYTES_MAX)?;
    let contents = contents.as_deref().and_then(Contents::parse);
    report.tell("documents", "contents.json is readable", contents.is_some());
    let (Some(catalogue), Some(closing), Some(contents)) = (catalogue, closing, contents) else {
        let why = "without these documents nothing else can be checked".to_owned();
        report.add("documents", "everything else", Ended::NotChecked(why));
        return Ok(None);
    };
    Ok(Some(Documents {
        catalogue_sha256: Sha256::of(&octets.unwrap_or_default()),
        catalogue,
        closing,
        closing_octets: closing_octets.unwrap_or_default(),
        contents,
    }))
}

fn closing_of(octets: &[u8]) -> Option<Closing> {
    match Metadata::parse(octets) {
        Ok(Metadata::Custody(CustodyRecord::IntervalClosed(closing))) => Some(*closing),
        _ => None,
    }
}

impl Documents {
    fn sha256(&self, path: &str) -> Option<Sha256> {
        self.catalogue.file(path).map(|entry| entry.sha256)
    }

    /// Names of the parts of the log file of a class, in order.
    fn parts(&self, class: Class) -> Vec<String> {
        let parts = self
            .contents
            .class(class)
            .map_or(0, |held| held.files.len());
        (1..=parts)
            .map(|part| format!("log-{class}-{part:04}.jsonl"))
            .collect()
    }
}
