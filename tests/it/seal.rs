//! Intervals are closed: complete, in order, time-stamped, and judged by other people's programs.

use crate::conformance::{PYTHON, are_there, folder};
use crate::support::sealing::Sealing;
use crate::support::*;
use ceralacca::archive::Log;
use ceralacca::ingest::Submission;
use ceralacca::seal::{Probe, SealError};
use ceralacca::trust::{Bundle, Item, What};
use ceralacca_formats::catalogue::Catalogue;
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::id::IntervalId;
use ceralacca_formats::leaf::{Class, Kind};
use ceralacca_formats::metadata::{CustodyRecord, Metadata, ObjectRecord};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::Ordering;

fn fill(log: &Log, seed: u64, count: usize) {
    for record in traces(seed, count) {
        let submission = Submission::trace(Class::Trace, record, None);
        ingest(log).record(submission).unwrap();
    }
}

fn put_object(log: &Log, bytes: &[u8]) {
    let content = ingest(log).content(Class::Receipt, bytes.to_vec()).unwrap();
    let record = ObjectRecord::default();
    let submission = Submission::object(Kind::Receipt, Class::Receipt, record, content, None, None);
    ingest(log).record(submission).unwrap();
}

/// The next interval begins.
fn next_day(test: &TestLog, log: &Log) {
    test.clock.pass(DAY_MS);
    log.tick().unwrap();
}

fn close_all(log: &Log, sealing: &Sealing) -> Vec<IntervalId> {
    let authorities = sealing.authorities();
    let mut closed = Vec::new();
    while let Some(sealed) = log.close_next(&authorities, &Probe::default()).unwrap() {
        closed.push(sealed.closing.interval);
    }
    closed
}

/// Writes a package as it is handed out.
fn hand_out(log: &Log, interval: IntervalId, to: &Path) -> Catalogue {
    let package = log.sealer().package(interval).unwrap().unwrap();
    std::fs::create_dir_all(to).unwrap();
    std::fs::write(to.join("catalogue.json"), package.catalogue_octets()).unwrap();
    for entry in &package.catalogue().files {
        let mut file = package.file(&entry.path).unwrap().unwrap();
        let mut octets = Vec::new();
        let digest = file.each(|piece| {
            octets.extend_from_slice(piece);
            Ok::<(), SealError>(())
        });
        assert_eq!(digest.unwrap(), entry.sha256, "{}", entry.path);
        let path = to.join(&entry.path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, octets).unwrap();
    }
    package.catalogue().clone()
}

fn openssl(folder: &Path, arguments: &str) -> Output {
    let mut command = Command::new("openssl");
    command.args(arguments.split_whitespace());
    command.current_dir(folder).output().unwrap()
}

fn says(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|b| String::from_utf8_lossy(b));
    format!("{out}{err}")
}

/// Alters one octet of a file, has `check` refuse it, and puts it back.
fn refused_when_damaged(path: &Path, check: impl Fn() -> Output) {
    let octets = std::fs::read(path).unwrap();
    let mut altered = octets.clone();
    // Of a signed file in the content it envelops; of others near the end, where all that they are counts.
    let at = match path.extension().is_some_and(|e| e == "p7m") {
        true => altered.len() / 4,
        false => altered.len() - 7,
    };
    altered[at] ^= 1;
    std::fs::write(path, altered).unwrap();
    let output = check();
    assert!(
        !output.status.success(),
        "{}: {}",
        path.display(),
        says(&output)
    );
    std::fs::write(path, octets).unwrap();
    let output = check();
    assert!(
        output.status.success(),
        "{}: {}",
        path.display(),
        says(&output)
    );
}

#[test]
fn a_closing_merges_the_runs_of_its_interval() {
    let test = TestLog::new();
    let sealing = Sealing::new(&test.clock, true);
    // A stop writes what is in memory as a run. Nothing is recorded after the last: a run could come while they are merged.
    for seed in 1..=3 {
        let log = test.open();
        fill(&log, seed, 20);
        log.stop().unwrap();
    }
    let log = test.open();
    next_day(&test, &log);
    let tables = |log: &Log, interval: IntervalId| {
        let store = log.reader();
        let scratch = test.directory.path().join("scratch");
        let inspection = store.store().inspect(&scratch, &mut |_| {});
        let first = interval.get().to_be_bytes();
        let files = inspection.unwrap().unwrap().files.into_iter();
        let files = files.filter(|file| file.family.as_deref() == Some("index"));
        files
            .filter(|file| {
                file.keys
                    .as_ref()
                    .is_some_and(|(from, _)| from.starts_with(&first))
            })
            .count()
    };
    let day = log.reader().published().spans[0].id;
    assert!(tables(&log, day) >= 3);
    assert_eq!(close_all(&log, &sealing), [day]);
    assert_eq!(tables(&log, day), 1);
    log.stop().unwrap();
    assert!(check_directory(&test.path()).is_clean());
}

#[test]
fn intervals_are_closed_in_order_the_empty_ones_too_and_each_names_the_one_before() {
    let test = TestLog::new();
    let sealing = Sealing::new(&test.clock, true);
    let log = test.open();
    fill(&log, 1, 300);
    for _ in 0..3 {
        next_day(&test, &log);
    }
    let closed = close_all(&log, &sealing);
    assert_eq!(closed.len(), 3);
    let state = log.reader().published();
    let spans: Vec<_> = state.spans.iter().collect();
    assert!(spans[..3].iter().all(|span| span.closed.is_some()));
    assert!(spans[3].closed.is_none() && spans[3].cut.is_none());
    let mut before: Option<(ceralacca_formats::id::LeafIndex, Sha256)> = None;
    for span in &spans[..3] {
        let index = span.closed.unwrap();
        let opened = log.reader().record(&state, index).unwrap();
        let Metadata::Custody(CustodyRecord::IntervalClosed(closing)) = opened.metadata().unwrap()
        else {
            panic!("another leaf");
        };
        assert_eq!((closing.interval, closing.first), (span.id, span.first));
        assert_eq!(Some(closing.size), span.cut);
        assert!(closing.is_proven);
        assert_eq!(closing.previous, before.map(|(leaf, _)| leaf));
        let records: u64 = closing.contents.classes.iter().map(|c| c.records).sum();
        assert_eq!(records, closing.size.get() - closing.first.get());
        before = Some((index, closing.pindex));
    }
    log.stop().unwrap();
    drop(log);
    let report = test.check();
    assert!(report.is_clean(), "{:?}", report.damages);
    let log = test.open();
    assert_eq!(close_all(&log, &sealing), []);
}

#[test]
fn a_closing_that_ends_before_any_step_goes_on_to_the_same_end() {
    let test = TestLog::new();
    let sealing = Sealing::new(&test.clock, true);
    let mut log = test.open();
    for (day, step) in (0u64..).zip(Probe::STEPS) {
        fill(&log, day, 40);
        put_object(&log, format!("oggetto {day}").as_bytes());
        next_day(&test, &log);
        let size = log.reader().published().tip.size;
        let ended = log.close_next(&sealing.authorities(), &Probe::before(step));
        assert!(
            matches!(ended, Err(SealError::Probed(at)) if at == step),
            "{step}"
        );
        // Nothing says that it is closed.
        assert_eq!(log.reader().published().tip.size, size, "{step}");
        log.stop().unwrap();
        drop(log);
        log = test.open();
        let given = sealing.tsa.given.load(Ordering::SeqCst);
        let closed = close_all(&log, &sealing);
        assert_eq!(closed.len(), 1, "{step}");
        let asked = sealing.tsa.given.load(Ordering::SeqCst) - given;
        let at = Probe::STEPS.iter().position(|s| *s == step).unwrap();
        // What was stamped before the end is not stamped again.
        let expected = [6, 6, 5, 5, 5, 2, 1, 1, 0, 0, 0, 0, 0][at];
        assert_eq!(asked, expected, "{step}");
        let out = tempfile::tempdir().unwrap();
        hand_out(&log, closed[0], out.path());
        let left = std::fs::read_dir(log.sealer().packages().unwrap()).unwrap();
        let left = left.filter(|e| {
            let name = e.as_ref().unwrap().file_name();
            name.to_string_lossy().ends_with(".partial")
        });
        assert_eq!(left.count(), 0, "{step}");
    }
    log.stop().unwrap();
    drop(log);
    assert!(test.check().is_clean());
}

#[test]
fn nothing_is_closed_beyond_proven_time_however_far_ahead_our_clock_is() {
    for ahead in [HOUR_MS, DAY_MS, 3650 * DAY_MS] {
        let test = TestLog::new();
        // The authority's clock is its own, and right.
        let theirs = MovableClock::at(test.clock.now());
        let sealing = Sealing::new(&theirs, true);
        let log = test.open();
        fill(&log, 1, 5);
        // Ours runs: the monotone one too, as on a machine whose oscillator is set wrong.
        test.clock.pass(DAY_MS + ahead);
        log.tick().unwrap();
        let cut = log.reader().published().spans.len() - 1;
        assert!(cut >= 1);
        let ended = log.close_next(&sealing.authorities(), &Probe::default());
        assert!(matches!(ended, Err(SealError::Early { .. })), "{ahead}");
        // When time has really passed it is closed, and no interval after it.
        theirs.pass(DAY_MS);
        let authorities = sealing.authorities();
        let sealed = log.close_next(&authorities, &Probe::default()).unwrap();
        assert_eq!(
            sealed.unwrap().closing.interval,
            log.reader().published().spans[0].id
        );
        if cut > 1 {
            let ended = log.close_next(&authorities, &Probe::default());
            assert!(matches!(ended, Err(SealError::Early { .. })), "{ahead}");
        }
    }
}

#[test]
fn a_silent_authority_leaves_the_interval_cut_and_is_recorded_once() {
    let test = TestLog::new();
    let sealing = Sealing::new(&test.clock, true);
    let log = test.open();
    fill(&log, 1, 10);
    next_day(&test, &log);
    sealing.tsa.silent.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        let ended = log.close_next(&sealing.authorities(), &Probe::default());
        assert!(matches!(ended, Err(SealError::Stamp(_))));
        fill(&log, 2, 1);
    }
    let state = log.reader().published();
    assert!(state.spans[0].closed.is_none());
    let outages = (0..state.tip.size.get()).filter(|index| {
        let index = ceralacca_formats::id::LeafIndex::new(*index);
        let metadata = log.reader().record(&state, index).unwrap().metadata();
        let stamp = |act: &CustodyRecord| matches!(act, CustodyRecord::StampOutage { .. });
        matches!(metadata, Ok(Metadata::Custody(act)) if stamp(&act))
    });
    assert_eq!(outages.count(), 1);
    sealing.tsa.silent.store(false, Ordering::SeqCst);
    assert_eq!(close_all(&log, &sealing).len(), 1);
}

#[test]
fn under_an_authority_whose_clock_is_ours_the_time_is_marked_unproven() {
    let test = TestLog::new();
    let sealing = Sealing::new(&test.clock, false);
    let log = test.open();
    next_day(&test, &log);
    let authorities = sealing.authorities();
    let sealed = log.close_next(&authorities, &Probe::default()).unwrap();
    assert!(!sealed.unwrap().closing.is_proven);
}

#[test]
fn what_may_name_somebody_is_encrypted_at_rest() {
    let test = TestLog::new();
    let sealing = Sealing::new(&test.clock, true);
    let log = test.open();
    fill(&log, 1, 50);
    next_day(&test, &log);
    close_all(&log, &sealing);
    let marks: Vec<Vec<u8>> = traces(1, 50)
        .iter()
        .filter_map(|t| Some(t.identificativo.as_ref()?.as_bytes().to_vec()))
        .collect();
    assert!(!marks.is_empty());
    let mut files = 0;
    let mut folders = vec![log.sealer().packages().unwrap().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            files += 1;
            let octets = std::fs::read(&path).unwrap();
            for mark in &marks {
                let found = octets.windows(mark.len()).any(|w| w == mark);
                assert!(!found, "{}", path.display());
            }
        }
    }
    assert!(files > 10);
    // The positive control: as handed out it names them.
    let out = tempfile::tempdir().unwrap();
    let interval = log.reader().published().spans[0].id;
    hand_out(&log, interval, out.path());
    let octets = std::fs::read(out.path().join("log-trace-0001.jsonl")).unwrap();
    assert!(octets.windows(marks[0].len()).any(|w| w == marks[0]));
}

#[test]
fn other_peoples_programs_accept_a_package_and_refuse_its_damaged_twins() {
    let tools: [(&str, &[&str]); 3] = [
        (PYTHON, &["--version"]),
        ("openssl", &["version"]),
        ("xmllint", &["--version"]),
    ];
    if !are_there(&tools) {
        return;
    }
    let test = TestLog::new();
    let sealing = Sealing::new(&test.clock, true);
    let log = test.open();
    fill(&log, 7, 2500);
    put_object(&log, b"ricevuta inventata");
    next_day(&test, &log);
    fill(&log, 8, 30);
    next_day(&test, &log);
    let closed = close_all(&log, &sealing);
    for interval in closed {
        let out = tempfile::tempdir().unwrap();
        let dir = out.path();
        let catalogue = hand_out(&log, interval, dir);
        std::fs::write(dir.join("root.pem"), sealing.root_pem()).unwrap();
        let python = || {
            let mut command = Command::new(PYTHON);
            command.arg(folder().join("check_package.py")).arg(dir);
            command.output().unwrap()
        };
        for name in [
            "leaves.bin",
            "frontier.bin",
            "log-trace-0001.jsonl",
            "contents.json",
        ] {
            refused_when_damaged(&dir.join(name), python);
        }
        let at = test.clock.now() / 1000;
        let stamped = catalogue.files.iter().filter(|f| f.path.ends_with(".tst"));
        let mut tokens = 0;
        for token in stamped {
            let name = token.path.strip_suffix(".tst").unwrap();
            tokens += 1;
            if name == "PIndex" || name == "evidence" {
                continue;
            }
            let check = || {
                openssl(
                    dir,
                    &format!(
                        "ts -verify -data {name} -in {name}.tst -token_in -CAfile root.pem -attime {at}"
                    ),
                )
            };
            refused_when_damaged(&dir.join(name), check);
            refused_when_damaged(&dir.join(&token.path), check);
            let asked = openssl(
                dir,
                &format!(
                    "ts -verify -queryfile {name}.tsq -in {name}.tsr -CAfile root.pem -attime {at}"
                ),
            );
            assert!(asked.status.success(), "{}", says(&asked));
        }
        assert!(tokens >= 5, "{tokens}");
        let signed = || {
            openssl(
                dir,
                &format!(
                    "cms -verify -cades -binary -inform DER -in PIndex.xml.p7m -CAfile root.pem \
                 -purpose any -attime {at} -out signed.xml"
                ),
            )
        };
        refused_when_damaged(&dir.join("PIndex.xml.p7m"), signed);
        let xml = std::fs::read(dir.join("PIndex.xml")).unwrap();
        assert_eq!(std::fs::read(dir.join("signed.xml")).unwrap(), xml);
        let schema = folder().join("../vectors/schemas/sincro-v2-PIndex.xsd");
        let valid = || {
            let mut command = Command::new("xmllint");
            command.arg("--noout").arg("--schema").arg(&schema);
            command.arg(dir.join("PIndex.xml")).output().unwrap()
        };
        refused_when_damaged(&dir.join("PIndex.xml"), valid);
        let text = String::from_utf8(xml).unwrap();
        for file in &catalogue.files {
            let late = ["PIndex", "evidence", "package"];
            if !late.iter().any(|late| file.path.starts_with(late)) {
                assert!(text.contains(&file.sha256.to_string()), "{}", file.path);
            }
        }
    }
}

/// A root, and revocation lists of it as of these days of a month.
fn revocation_lists(days: &[u8]) -> (Vec<u8>, Vec<Vec<u8>>) {
    use rcgen::{
        BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer,
        KeyIdMethod, KeyPair, KeyUsagePurpose, SerialNumber,
    };
    let key = KeyPair::generate().unwrap();
    let mut root = CertificateParams::default();
    let name = "Radice di prova";
    root.distinguished_name.push(DnType::CommonName, name);
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    root.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = root.self_signed(&key).unwrap();
    let lists = (1u64..).zip(days).map(|(number, day)| {
        let params = CertificateRevocationListParams {
            this_update: rcgen::date_time_ymd(2025, 11, *day),
            next_update: rcgen::date_time_ymd(2025, 12, *day),
            crl_number: SerialNumber::from(number),
            issuing_distribution_point: None,
            revoked_certs: Vec::new(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = params.signed_by(&Issuer::from_params(&root, &key)).unwrap();
        list.der().to_vec()
    });
    let lists = lists.collect();
    (certificate.der().to_vec(), lists)
}

#[test]
fn what_signatures_are_judged_with_is_captured_again_at_each_closing() {
    let test = TestLog::new();
    let sealing = Sealing::new(&test.clock, true);
    let log = test.open();
    let (root, lists) = revocation_lists(&[21, 22]);
    let judge_with = |list: &Vec<u8>| {
        let items = [(What::Anchor, &root), (What::Crl, list)];
        let items = items.map(|(what, octets)| Arc::new(Item::held(what, octets.clone())));
        log.judge_with(&Bundle::new(items.to_vec()).unwrap())
            .unwrap();
    };
    let folder = tempfile::tempdir().unwrap();
    for (day, list) in lists.iter().enumerate() {
        judge_with(list);
        fill(&log, day as u64, 20);
        next_day(&test, &log);
        let closed = close_all(&log, &sealing);
        let here = folder.path().join(day.to_string());
        let catalogue = hand_out(&log, closed[0], &here);
        let trust = |path: &&str| path.starts_with("trust/");
        let paths = catalogue.files.iter().map(|entry| entry.path.as_str());
        let paths: Vec<&str> = paths.filter(trust).collect();
        assert_eq!(paths.len(), 2, "{paths:?}");
        let crl = format!("trust/crl-{}.der", Sha256::of(list));
        assert_eq!(std::fs::read(here.join(&crl)).unwrap(), *list);
        let index = std::fs::read_to_string(here.join("PIndex.xml")).unwrap();
        assert!(index.contains(&crl), "the index does not list it");
        // Another's word: the list is what it was issued as, by the root beside it.
        let root = paths.iter().find(|path| path.contains("anchor")).unwrap();
        let made = openssl(&here, &format!("x509 -inform DER -in {root} -out root.pem"));
        assert!(made.status.success(), "{}", says(&made));
        let check = || {
            openssl(
                &here,
                &format!("crl -inform DER -in {crl} -CAfile root.pem -noout"),
            )
        };
        let verified = says(&check());
        assert!(verified.contains("verify OK"), "{verified}");
        let mut damaged = list.clone();
        *damaged.last_mut().unwrap() ^= 1;
        std::fs::write(here.join(&crl), damaged).unwrap();
        let refused = says(&check());
        assert!(!refused.contains("verify OK"), "{refused}");
    }
    log.stop().unwrap();
    drop(log);
    assert!(test.check().is_clean());
}
