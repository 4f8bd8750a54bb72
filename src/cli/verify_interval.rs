//! `verify-interval`: the package of a closed interval, offline, with no archive.

use super::{Answer, proven, show};
use crate::ambient::SystemClock;
use crate::verification::report::{Ended, Report};
use crate::verification::{self, Given};
use anyhow::{Context as _, Result, bail};
use ceralacca_pec::judge::{Material, Trust};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What `verify-interval` is told.
#[derive(clap::Args)]
#[command(after_help = HELP)]
pub struct Arguments {
    /// The folder of the package
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Roots of the time-stamping authorities (PEM), from a source of their own
    #[arg(long, value_name = "FILE")]
    anchors: Option<PathBuf>,
    /// Roots of the seal that signs the index (PEM), from a source of their own
    #[arg(long, value_name = "FILE")]
    seal_anchors: Option<PathBuf>,
    /// The folder of the package before
    #[arg(long, value_name = "DIR")]
    previous: Option<PathBuf>,
    /// Files that may name somebody may all be absent of a class: they were not handed out to you
    #[arg(long)]
    partial: bool,
    /// Does not build the interval maps again, which takes longer than all the rest
    #[arg(long)]
    no_maps: bool,
    /// Answer as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    key: proven::KeyArguments,
}

const HELP: &str = "\
Without --key, --anchors, --seal-anchors or --previous what they serve for is told as not checked:
status 0 then says that nothing is wrong with what was checked.";

/// Verifies and tells.
pub(super) fn run(arguments: &Arguments) -> Result<Answer> {
    let seal = arguments
        .seal_anchors
        .as_deref()
        .map(certificates)
        .transpose()?;
    let seal = seal.map(|anchors| {
        let material = Material {
            anchors,
            ..Material::default()
        };
        Trust::new(material).context("--seal-anchors")
    });
    let given = Given {
        keys: arguments.key.read_chain()?,
        anchors: arguments.anchors.as_deref().map(certificates).transpose()?,
        seal: seal.transpose()?,
        previous: arguments.previous.clone(),
        partial: arguments.partial,
        maps: !arguments.no_maps,
        clock: &SystemClock::default(),
    };
    let report = verification::verify(&arguments.dir, &given)?;
    let mut out = std::io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", show::json(&to_json(&report)))?;
    } else {
        tell(&report, &mut out)?;
    }
    Ok(match report.is_bad() {
        true => Answer::No,
        false => Answer::Yes,
    })
}

fn certificates(path: &Path) -> Result<Vec<Vec<u8>>> {
    let attempt = || format!("read certificates {}", path.display());
    let read = CertificateDer::pem_file_iter(path).with_context(attempt)?;
    let read: Result<Vec<_>, _> = read.map(|der| der.map(|der| der.to_vec())).collect();
    let read = read.with_context(attempt)?;
    if read.is_empty() {
        bail!("{} has no certificate", path.display());
    }
    Ok(read)
}

fn word(ended: &Ended) -> (&'static str, Option<&str>) {
    match ended {
        Ended::Well => ("ok", None),
        Ended::Badly(why) => ("FAILED", Some(why)),
        Ended::NotChecked(why) => ("not checked", Some(why)),
    }
}

fn per_second(records: u64, time: Duration) -> u64 {
    let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
    records.saturating_mul(1000) / ms
}

fn tell(report: &Report, out: &mut impl Write) -> Result<()> {
    if let Some((origin, interval)) = report.origin.as_ref().zip(report.interval) {
        let start = show::utc(interval.start());
        writeln!(out, "Package of interval {interval} ({start}) of {origin}")?;
    }
    let mut group = "";
    for check in &report.checks {
        if check.group != group {
            group = check.group;
            writeln!(out, "{group}")?;
        }
        let (word, why) = word(&check.ended);
        let what = show::printable(&check.what);
        match why {
            None => writeln!(out, "  {word:<11}  {what}")?,
            Some(why) => writeln!(out, "  {word:<11}  {what}: {}", show::printable(why))?,
        }
    }
    let (lines, maps) = (report.lines_time, report.maps_time);
    writeln!(
        out,
        "{} records in {:.1} s, {} a second; {} map keys in {:.1} s.",
        report.records,
        lines.as_secs_f64(),
        per_second(report.records, lines),
        report.keys,
        maps.as_secs_f64(),
    )?;
    match (report.is_bad(), report.not_checked()) {
        (true, _) => writeln!(out, "NOT VERIFIED: see what failed above.")?,
        (false, 0) => writeln!(out, "VERIFIED.")?,
        (false, open) => writeln!(
            out,
            "VERIFIED as far as checked; {open} checks were not made."
        )?,
    }
    Ok(())
}

fn to_json(report: &Report) -> Value {
    let checks = report.checks.iter().map(|check| {
        let (word, why) = word(&check.ended);
        json!({ "group": check.group, "check": check.what, "ended": word, "why": why })
    });
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    json!({
        "verified": !report.is_bad(),
        "not_checked": report.not_checked(),
        "origin": report.origin.as_ref().map(|origin| origin.as_str()),
        "interval_ms": report.interval.map(|interval| interval.get()),
        "records": report.records,
        "records_ms": millis(report.lines_time),
        "map_keys": report.keys,
        "maps_ms": millis(report.maps_time),
        "checks": checks.collect::<Vec<_>>(),
    })
}
