//! `demo`: the core at work on invented records, told in plain words.
//!
//! ```text
//! <dir>/ABOUT.txt             what this folder is; by its first line a later demo knows it
//! <dir>/master.key            the master key, beside the data directory and not inside
//! <dir>/data/                 the data directory
//! <dir>/verifier.key          the key that verifies the log's checkpoints
//! <dir>/checkpoint.txt        the last checkpoint, a signed note
//! <dir>/acknowledgement.json  what the submitter of one record got back
//! <dir>/record.tlog-proof     the proof of that record
//! <dir>/altered.tlog-proof    the same with one character changed
//! ```
//!
//! # Invariants
//! 1. A folder with anything in it is taken only if it is a former demo; then what a demo leaves is replaced,
//!    and nothing else is touched.
//! 2. The shipped path is walked: `init`, `fsck` and `verify` are those of the command line.

mod sample;

use super::verify::Verdict;
use super::{Answer, fsck, key, show};
use crate::access::{self, Principal};
use crate::archive::{self, Archive, Log, Settings};
use crate::audit::Find;
use crate::ingest::{ClientKey, Ingest, Submission, Ticket};
use crate::store::Order;
use anyhow::{Context as _, Result, bail, ensure};
use ceralacca_formats::acknowledgement::Acknowledgement;
use ceralacca_formats::id::{LeafIndex, LogId, Origin, UtcMillis};
use ceralacca_formats::leaf::{Class, Kind};
use ceralacca_formats::metadata::{Field, Metadata, ObjectRecord, TraceRecord};
use ceralacca_formats::note::VerifierKey;
use indicatif::ProgressBar;
use std::collections::VecDeque;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// What `demo` is told.
#[derive(clap::Args)]
pub struct Arguments {
    /// The folder it makes; a former demo there is replaced
    #[arg(long, value_name = "DIR", default_value = "demo")]
    dir: PathBuf,
    /// Trace records to invent
    #[arg(long, hide = true, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(4..))]
    records: u64,
}

/// First line of `ABOUT.txt`.
const MARK: &str = "ceralacca demo 1\n";
const ABOUT: &str = "\
ceralacca demo 1

This folder was made by `ceralacca demo`. Its records are invented. It can be deleted whole;
the next demo replaces it.

data/                 the archive: one log in RocksDB, everything personal in it encrypted
master.key            the key all of it is encrypted under; beside the data, never inside
verifier.key          the public key that verifies the log's checkpoints
checkpoint.txt        the last checkpoint: number of leaves and root of the tree, signed
acknowledgement.json  what the submitter of one record got back
record.tlog-proof     the proof of that record: complete, checkable offline
altered.tlog-proof    the same with one character changed: it must not verify
";
/// All that a demo leaves, beside `ABOUT.txt`.
const FILES: [&str; 6] = [
    "master.key",
    "verifier.key",
    "checkpoint.txt",
    "acknowledgement.json",
    "record.tlog-proof",
    "altered.tlog-proof",
];
/// Invented receipts; the last of them is large.
const RECEIPTS: u64 = 40;
const LARGE_RECEIPT_BYTES: usize = 3_000_000;
/// Submissions under way at once: groups form from what waits.
const WINDOW: usize = 2048;

/// Shows the core at work.
pub(super) fn run(arguments: &Arguments) -> Result<Answer> {
    let mut out = std::io::stdout().lock();
    let folder = Folder::prepare(&arguments.dir)?;
    writeln!(
        out,
        "This demo shows the core of Ceralacca: the log that records, proves and checks. Receiving over\n\
         the network, reading PEC messages, the daily seal, re-issue and disposal are not there yet.\n"
    )?;
    let id = LogId::try_from("demo")?;
    let verifier = make_log(&folder, &id, &mut out)?;
    let shown = record_and_prove(&folder, &id, arguments.records, &mut out)?;
    let clean = check_all(&folder, &id, &mut out)?;
    let proven = verify_offline(&folder, &verifier, &mut out)?;
    tell_what_is_left(&folder, &verifier, shown, &mut out)?;
    match (clean, proven) {
        (Answer::Yes, Answer::Yes) => Ok(Answer::Yes),
        _ => Ok(Answer::No),
    }
}

/// The folder of the demo.
struct Folder(PathBuf);

impl Folder {
    /// Makes the folder, or empties a former demo of what it left.
    fn prepare(path: &Path) -> Result<Self> {
        let folder = Self(path.to_owned());
        let attempt = || format!("make folder {}", path.display());
        fs::create_dir_all(path).with_context(attempt)?;
        let is_empty = fs::read_dir(path).with_context(attempt)?.next().is_none();
        let about = folder.file("ABOUT.txt");
        let is_former = fs::read(&about).is_ok_and(|text| text.starts_with(MARK.as_bytes()));
        if !is_empty && !is_former {
            bail!(
                "{} is not empty and not a former demo: name another --dir",
                path.display()
            );
        }
        fs::write(&about, ABOUT).with_context(|| format!("write {}", about.display()))?;
        for name in FILES {
            absent(fs::remove_file(folder.file(name)))
                .with_context(|| format!("replace {}", folder.file(name).display()))?;
        }
        absent(fs::remove_dir_all(folder.data()))
            .with_context(|| format!("replace {}", folder.data().display()))?;
        Ok(folder)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn data(&self) -> PathBuf {
        self.file("data")
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.file(name);
        fs::write(&path, bytes).with_context(|| format!("write {}", path.display()))
    }

    fn read(&self, name: &str) -> Result<Vec<u8>> {
        let path = self.file(name);
        fs::read(&path).with_context(|| format!("read {}", path.display()))
    }
}

/// What is to be removed need not be there.
fn absent(result: std::io::Result<()>) -> std::io::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn make_log(folder: &Folder, id: &LogId, out: &mut impl Write) -> Result<VerifierKey> {
    let settings = Settings::default();
    let (data, key_file) = (folder.data(), folder.file("master.key"));
    key::outside(&data, &key_file)?;
    key::make(&key_file, &*settings.entropy)?;
    let origin = Origin::try_from("demo.ceralacca.example/log")?;
    let directory = Archive::directory_of(&data, id);
    let verifier = archive::init(&directory, id, &origin, &key::read(&key_file)?, &settings)?;
    folder.write("verifier.key", format!("{verifier}\n").as_bytes())?;
    writeln!(
        out,
        "1. A new log in {}, with a master key of its own beside it.\n   \
         Its checkpoints are verified with this public key:\n   {verifier}\n",
        data.display()
    )?;
    Ok(verifier)
}

/// Records, finds and proves, in the running log; gives the index of the record shown.
fn record_and_prove(
    folder: &Folder,
    id: &LogId,
    records: u64,
    out: &mut impl Write,
) -> Result<LeafIndex> {
    let settings = Settings::default();
    let master = key::read(&folder.file("master.key"))?;
    let log = Log::open(
        &Archive::directory_of(&folder.data(), id),
        &master,
        &settings,
    )?;
    let start = settings.clock.wall();
    let traces: Vec<TraceRecord> = sample::traces(start)
        .take(usize::try_from(records)?)
        .collect();
    // One in the middle is followed to its proof.
    let chosen = usize::try_from(records / 2)?;
    let began = settings.clock.monotone();
    let acknowledgement = record_traces(&log, &traces, chosen)?;
    let traces_took = settings.clock.monotone().saturating_sub(began);
    let began = settings.clock.monotone();
    let bytes = record_receipts(&log, traces.iter().skip(3).step_by(4))?;
    let receipts_took = settings.clock.monotone().saturating_sub(began);
    writeln!(
        out,
        "2. Recorded {records} trace records in {:.2} seconds, {:.0} a second, then {RECEIPTS} receipts of\n   \
         {:.1} MB together (one of 3 MB) with their traces in {:.2} seconds, one after the other. Each was\n   \
         acknowledged only after its bytes were safe on disk, and has a client key: sent again, it would\n   \
         be answered as before, not recorded twice. All records and receipts are invented.\n",
        traces_took.as_secs_f64(),
        records as f64 / traces_took.as_secs_f64().max(1e-9),
        bytes as f64 / 1e6,
        receipts_took.as_secs_f64(),
    )?;
    let index = show_record(folder, &log, traces.get(chosen), &acknowledgement, out)?;
    log.stop()?;
    writeln!(out, "   Then the log was stopped.\n")?;
    Ok(index)
}

/// Records the traces, many at once; gives the acknowledgement of the chosen one.
fn record_traces(log: &Log, traces: &[TraceRecord], chosen: usize) -> Result<Acknowledgement> {
    let bar = show::progress(traces.len() as u64, "recording traces");
    let mut waiting = VecDeque::with_capacity(WINDOW);
    let mut kept = None;
    for (number, record) in traces.iter().enumerate() {
        if waiting.len() == WINDOW {
            finish(log, waiting.pop_front(), chosen, &mut kept, &bar)?;
        }
        let client_key = client_key("traccia", number);
        let submission = Submission::trace(Class::Trace, record.clone(), Some(client_key));
        waiting.push_back((number, submitter(log)?.submit_waiting(submission)?));
    }
    while !waiting.is_empty() {
        finish(log, waiting.pop_front(), chosen, &mut kept, &bar)?;
    }
    bar.finish_and_clear();
    kept.context("the chosen record was not acknowledged")
}

fn finish(
    log: &Log,
    next: Option<(usize, Ticket)>,
    chosen: usize,
    kept: &mut Option<Acknowledgement>,
    bar: &ProgressBar,
) -> Result<()> {
    let Some((number, ticket)) = next else {
        return Ok(());
    };
    let acknowledgement = submitter(log)?.wait(ticket)?;
    if number == chosen {
        *kept = Some(acknowledgement);
    }
    bar.inc(1);
    Ok(())
}

/// Records invented receipts with their facts beside them; gives their bytes.
fn record_receipts<'a>(log: &Log, facts: impl Iterator<Item = &'a TraceRecord>) -> Result<u64> {
    let bar = show::progress(RECEIPTS, "recording receipts");
    let mut total = 0;
    // Few traces, few facts: a receipt without them is recorded alone.
    let mut facts = facts.cloned();
    for number in 0..RECEIPTS {
        let size = match number + 1 == RECEIPTS {
            true => LARGE_RECEIPT_BYTES,
            false => 2000 + 100 * number as usize,
        };
        let bytes = sample::receipt(number, size);
        total += bytes.len() as u64;
        let content = submitter(log)?.content(Class::Receipt, bytes)?;
        let object = ObjectRecord {
            message_id: Some(
                format!("<consegna.{number}@pec.example.test>")
                    .as_str()
                    .into(),
            ),
            ..ObjectRecord::default()
        };
        let submission = Submission::object(
            Kind::Receipt,
            Class::Receipt,
            object,
            content,
            facts.next().map(|facts| (Class::Trace, facts)),
            Some(client_key("ricevuta", number as usize)),
        );
        submitter(log)?.record(submission)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(total)
}

fn client_key(what: &str, number: usize) -> ClientKey {
    ClientKey(format!("{what}-{number}").into_bytes())
}

fn submitter(log: &Log) -> Result<Ingest> {
    let now = UtcMillis::new(0);
    let permit = access::authorize(&Principal::development(), log.id(), now)?;
    Ok(log.ingest(&permit)?)
}

/// Shows the checkpoint, finds the record by its identificativo, writes its proof.
fn show_record(
    folder: &Folder,
    log: &Log,
    record: Option<&TraceRecord>,
    acknowledgement: &Acknowledgement,
    out: &mut impl Write,
) -> Result<LeafIndex> {
    acknowledgement.verify(log.verifier())?;
    folder.write("acknowledgement.json", &acknowledgement.to_bytes())?;
    let state = log.reader().published();
    let note = state.checkpoint.note();
    folder.write("checkpoint.txt", note.as_bytes())?;
    writeln!(
        out,
        "3. The signed checkpoint of all of it: origin, number of leaves, root of the tree, signature.\n"
    )?;
    for line in note.lines() {
        writeln!(out, "{}", format!("   {line}").trim_end())?;
    }
    let acknowledged = acknowledgement.records.first();
    let index = acknowledged
        .context("an acknowledgement without a record")?
        .leaf
        .seq;
    let term = record.and_then(|record| record.identificativo.as_ref());
    let term = term.context("a record without identificativo")?;
    let find = Find {
        interval: state.interval_of(index),
        class: Class::Trace,
        field: Field::Identificativo,
        term: term.as_bytes(),
        after: None,
        order: Order::Ascending,
        limit: 20,
    };
    let found = log.reader().find(&state, &find)?;
    let name = show::printable(&String::from_utf8_lossy(term.as_bytes()));
    writeln!(out, "\n4. Found by identificativo {name}:\n")?;
    for opened in &found {
        let event = match opened.metadata()? {
            Metadata::Trace(trace) => trace.event.unwrap_or_default(),
            _ => Default::default(),
        };
        let event = show::printable(&String::from_utf8_lossy(event.as_bytes()));
        writeln!(out, "   record {:>6}  {event}", opened.leaf.seq)?;
    }
    ensure!(
        found.iter().any(|opened| opened.leaf.seq == index),
        "the index does not find record {index}"
    );
    let proof = log.reader().proof(&state, index)?.to_text();
    folder.write("record.tlog-proof", proof.as_bytes())?;
    writeln!(
        out,
        "\n   The proof that record {index} is in the log went to {}.",
        folder.file("record.tlog-proof").display()
    )?;
    Ok(index)
}

/// `fsck`, as the command does it.
fn check_all(folder: &Folder, id: &LogId, out: &mut impl Write) -> Result<Answer> {
    writeln!(
        out,
        "5. Everything on disk is read again and checked from the beginning:\n"
    )?;
    let master = key::read(&folder.file("master.key"))?;
    let report = fsck::check(&folder.data(), id, &master)?;
    fsck::tell(id, &report, out)?;
    writeln!(out)?;
    Ok(if report.is_clean() {
        Answer::Yes
    } else {
        Answer::No
    })
}

/// `verify`, as the command does it: the proof must pass, a copy with one character changed must not.
fn verify_offline(folder: &Folder, key: &VerifierKey, out: &mut impl Write) -> Result<Answer> {
    writeln!(
        out,
        "6. The proof is verified with the public key alone, as an auditor would:\n"
    )?;
    let proof = folder.read("record.tlog-proof")?;
    let good = Verdict::on(&proof, key);
    good.tell(out)?;
    let (altered, at) = alter(proof)?;
    folder.write("altered.tlog-proof", &altered)?;
    writeln!(
        out,
        "\n7. In a copy, one character of the record's metadata was changed (number {at} of the file).\n   \
         The same check says what no longer agrees:\n"
    )?;
    let bad = Verdict::on(&altered, key);
    bad.tell(out)?;
    writeln!(out)?;
    match (good.answer(), bad.answer()) {
        (Answer::Yes, Answer::No) => Ok(Answer::Yes),
        _ => Ok(Answer::No),
    }
}

/// Changes one character in the middle of the record block, which is inside the metadata.
fn alter(mut proof: Vec<u8>) -> Result<(Vec<u8>, usize)> {
    let text = std::str::from_utf8(&proof)?;
    let start = text.find("\nextra ").context("a proof without record")? + "\nextra ".len();
    let length = text.get(start..).and_then(|rest| rest.find('\n'));
    let at = start + length.context("a proof without end")? / 2;
    let character = proof.get_mut(at).context("a proof without middle")?;
    *character = if *character == b'A' { b'B' } else { b'A' };
    Ok((proof, at))
}

fn tell_what_is_left(
    folder: &Folder,
    key: &VerifierKey,
    index: LeafIndex,
    out: &mut impl Write,
) -> Result<()> {
    let (proof, program) = (folder.file("record.tlog-proof"), std::env::current_exe()?);
    let (proof, program) = (quoted(&proof), quoted(&program));
    writeln!(
        out,
        "Left in {} to look at (ABOUT.txt says what each is):\n   data/ {}\n\n\
         To repeat the check of record {index}, with this program, or from the top of the source tree with\n\
         nothing of ours but a script of under eighty lines (and openssl):\n\n\
         {program} verify {proof} --key {key}\n\
         python3 tests/conformance/verify_proof.py {key} {proof}",
        folder.0.display(),
        FILES.join(" "),
    )?;
    Ok(())
}

/// A path as a word of the shell.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=".contains(c);
    if text.chars().all(plain) {
        return text;
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}
