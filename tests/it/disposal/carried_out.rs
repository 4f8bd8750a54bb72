//! What is due goes, bytes and all; everything else stays, and stays provable.

use super::*;
use crate::conformance::{PYTHON, are_there};
use ceralacca::access::{Reissue, Search};
use ceralacca::audit::ReadError;
use ceralacca::desk::{DeskError, LeafName, SearchQuery};
use ceralacca::record::open::RecordError;
use ceralacca::store::cf::secret::{SecretKey, Secrets};
use ceralacca::store::{Order, Rows};
use ceralacca_formats::disposal_certificate::DisposalCertificate;
use ceralacca_formats::metadata::{CustodyRecord, Field, Metadata};
use ceralacca_formats::proof::ProofFile;
use std::process::Command;

fn disposed(error: &ReadError) -> bool {
    matches!(
        error,
        ReadError::Record(RecordError::Disposed {
            class: Class::Receipt,
            ..
        })
    )
}

#[test]
fn what_is_due_goes_and_everything_else_stays_provable() {
    let house = House::new();
    let plan = house.log.disposer().plan(&house.authorities()).unwrap();
    assert!(plan.time.is_ok(), "{:?}", plan.time);
    let due = plan
        .units
        .iter()
        .filter(|unit| unit.verdict == UnitVerdict::Due);
    let due: Vec<_> = due.map(|unit| unit.unit).collect();
    assert_eq!(due, [house.unit()]);
    let kept = plan.units.iter();
    let kept: Vec<_> = kept
        .filter(|unit| unit.unit.class == Class::Trace)
        .collect();
    assert!(!kept.is_empty());
    for unit in kept {
        assert_eq!(unit.verdict, UnitVerdict::Kept);
        assert!(
            unit.english.contains("DPR 68/2005 art. 11(2)"),
            "{}",
            unit.english
        );
        assert!(
            unit.italian.contains("art. 11, comma 2"),
            "{}",
            unit.italian
        );
    }
    let before = house.log.reader().published();
    let intent = house.intend();
    assert_eq!(intent.units, [house.unit()]);
    assert_eq!(intent.hash, hash_of(&house.log, intent.intent));
    assert_eq!(
        house.verdict(house.unit()),
        Some(UnitVerdict::Intended(intent.intent))
    );
    house.approve("anna", &intent).unwrap();
    assert_eq!(house.approve("bruno", &intent).unwrap().approvals, 2);
    // Nothing goes before the grace is over.
    house.pass_hours(71);
    assert!(house.advance().unwrap().is_none());
    assert_eq!(
        house.content(house.known.receipts[0].0),
        house.known.receipts[0].1
    );
    house.pass_hours(2);
    let taken = house.run();
    assert_eq!(taken.first().unwrap().1, Step::Secrets);
    assert_eq!(taken.last().unwrap(), &(house.unit(), Step::Done));
    assert_eq!(taken.len(), Step::ALL.len());

    let house = house.reopen();
    let (reader, known) = (house.log.reader(), house.known.clone());
    let state = reader.published();
    for (index, _, id) in &known.receipts {
        assert!(disposed(&reader.record(&state, *index).err().unwrap()));
        let find = ceralacca::audit::Find {
            interval: known.interval,
            class: Class::Receipt,
            field: Field::MessageId,
            term: id.as_bytes(),
            after: None,
            order: Order::Ascending,
            limit: 10,
        };
        assert_eq!(reader.candidates(&state, &find).unwrap(), []);
    }
    // Others are there.
    assert_eq!(house.content(known.content.0), known.content.1);
    for index in &known.traces {
        reader.record(&state, *index).unwrap();
    }
    // Proofs made before verify; leaves and consistency are as they were.
    for (proof, index) in known
        .proofs
        .iter()
        .zip([known.receipts[0].0, known.traces[0]])
    {
        let proof = ProofFile::parse(proof.as_bytes()).unwrap();
        proof.verify(house.log.verifier()).unwrap();
        assert_eq!(proof.index, index);
    }
    let path = reader
        .consistency(&state, before.tip.size, state.tip.size)
        .unwrap();
    assert!(!path.is_empty());
    for (index, ..) in &known.receipts {
        reader.inclusion(&state, *index, state.tip.size).unwrap();
    }
    // The secret is gone, in the store and in memory.
    let store = reader.store();
    let key = SecretKey::Class(known.interval, Class::Receipt);
    assert_eq!(store.read::<Secrets>(&key).unwrap(), None);
    // Files of the class are gone, and no other.
    let package = house
        .log
        .sealer()
        .packages()
        .unwrap()
        .join(known.interval.to_string());
    let names = std::fs::read_dir(package).unwrap();
    let names: Vec<_> = names
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    let has = |name: &str| names.iter().any(|found| found == name);
    for name in [
        "log-receipt-0001.jsonl.enc",
        "map-receipt.bin.enc",
        "salt-receipt.bin.enc",
    ] {
        assert!(!has(name), "{name}");
    }
    for name in [
        "log-trace-0001.jsonl.enc",
        "map-content.bin.enc",
        "PIndex.xml.p7m",
        "checkpoint.tst",
        "leaves.bin",
        "log-receipt-0001.jsonl.tst",
    ] {
        assert!(has(name), "{name}");
    }
    let gone = house
        .log
        .disposer()
        .gone_of(known.interval, Class::Receipt)
        .unwrap();
    let [gone] = &gone[..] else {
        panic!("one unit")
    };
    assert_eq!(
        (gone.records, gone.held, gone.step),
        (RECEIPTS as u64, 0, Step::Done)
    );
    // The receipts are one text repeated, and are compressed before they are encrypted.
    assert!(gone.freed_bytes > 10_000, "{}", gone.freed_bytes);
    // A leaf says so, and the other unit of the class waits.
    let completed = reader.record(&state, gone.completed.unwrap()).unwrap();
    let Metadata::Custody(CustodyRecord::DisposalCompleted(says)) = completed.metadata().unwrap()
    else {
        panic!("another leaf");
    };
    assert_eq!((says.unit, says.records), (house.unit(), RECEIPTS as u64));
    let sealer = house.log.sealer();
    let closing = sealer.package(known.interval).unwrap().unwrap();
    let class = closing.closing().contents.class(Class::Receipt).unwrap();
    assert_eq!(says.leaf_hashes, class.leaf_hashes);
    assert_eq!(house.verdict(house.unit()), None);
    let report = house.check();
    assert_eq!(report.disposed, RECEIPTS as u64);
}

#[test]
fn a_search_goes_on_past_what_is_gone_and_a_look_at_it_names_interval_and_class() {
    let house = House::new();
    house.ready();
    house.run();
    let search = permit::<Search>("piattaforma-1", Role::Provider);
    let desk = house.log.desk(&search).unwrap();
    let all = SearchQuery::default();
    let page = desk
        .search(&all, Order::Ascending, 1000, None)
        .unwrap()
        .unwrap();
    assert!(page.records.len() > house.known.traces.len());
    assert!(page.records.iter().all(|shown| {
        shown.opened.leaf.class != Class::Receipt || shown.interval != house.known.interval
    }));
    let read = permit::<access::Read>("auditor", Role::Auditor);
    let index = house.known.receipts[0].0;
    let found = house
        .log
        .desk(&read)
        .unwrap()
        .record(LeafName::Index(index), false);
    let is_told = matches!(
        found.err().unwrap(),
        DeskError::Disposed { interval, class: Class::Receipt } if interval == house.known.interval
    );
    assert!(is_told);
    let again = permit::<Reissue>("piattaforma-1", Role::Provider);
    let desk = house.log.desk(&again).unwrap();
    let found = desk.duplicato(index);
    assert!(matches!(found.err().unwrap(), DeskError::Disposed { .. }));
    house.check();
}

#[test]
fn the_certificate_says_what_was_done_and_what_it_cannot_prove_and_openssl_accepts_it() {
    if !are_there(&[("openssl", &["version"]), (PYTHON, &["--version"])]) {
        return;
    }
    let house = House::new();
    house.ready();
    house.run();
    let signed = house
        .log
        .disposer()
        .certificate(house.unit())
        .unwrap()
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("certificate.p7m");
    std::fs::write(&path, &signed).unwrap();
    std::fs::write(folder.path().join("root.pem"), house.sealings[0].root_pem()).unwrap();
    let at = house.clock.now() / 1000;
    let verify = || {
        let line = format!(
            "cms -verify -cades -binary -inform DER -in certificate.p7m -CAfile root.pem -purpose any -attime {at} \
             -out certificate.json"
        );
        let mut command = Command::new("openssl");
        command
            .args(line.split_whitespace())
            .current_dir(folder.path());
        command.output().unwrap()
    };
    let said = verify();
    assert!(
        said.status.success(),
        "{}",
        String::from_utf8_lossy(&said.stderr)
    );
    let octets = std::fs::read(folder.path().join("certificate.json")).unwrap();
    let says = DisposalCertificate::parse(&octets).unwrap();
    assert_eq!((says.unit, says.records), (house.unit(), RECEIPTS as u64));
    assert_eq!(says.months, 1);
    assert_eq!(says.authorities.len(), 2);
    let names = says.approvals.iter();
    let names: Vec<_> = names
        .map(|given| given.principal.to_str().unwrap())
        .collect();
    assert_eq!(names, ["anna", "bruno"]);
    assert!(says.statement.to_str().unwrap().contains("non può provare"));
    assert!(says.executed_at >= says.lawful_from);
    let mut altered = signed;
    let at = altered.len() / 4;
    altered[at] ^= 1;
    std::fs::write(&path, &altered).unwrap();
    assert!(!verify().status.success());
}

/// Every octet of every file below a folder.
fn octets(folder: &std::path::Path, found: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => octets(&path, found),
            false => found.push((path.clone(), std::fs::read(&path).unwrap())),
        }
    }
}

#[test]
fn of_a_wrapped_secret_and_of_ciphertext_no_byte_is_left_on_disk() {
    let house = House::new();
    let store = house.log.reader().store();
    let key = SecretKey::Class(house.known.interval, Class::Receipt);
    let mut marks = vec![store.read::<Secrets>(&key).unwrap().unwrap()];
    let state = house.log.reader().published();
    for (index, ..) in &house.known.receipts {
        let row = ceralacca::store::cf::metadata::RecordKey {
            interval: house.known.interval,
            class: Class::Receipt,
            index: *index,
        };
        marks.push(
            store
                .read::<Secrets>(&SecretKey::Object(row))
                .unwrap()
                .unwrap(),
        );
        let metadata = store
            .read::<ceralacca::store::cf::metadata::EncryptedMetadata>(&row)
            .unwrap();
        marks.push(metadata.unwrap().ciphertext);
        let opened = house.log.reader().record(&state, *index).unwrap();
        let parts = match opened.upload() {
            Some(upload) => ceralacca::store::KeyRange::prefix(&upload.prefix()),
            None => {
                let mut prefix =
                    ceralacca::store::cf::unit_prefix(house.known.interval, Class::Receipt);
                prefix.extend_from_slice(&index.get().to_be_bytes());
                ceralacca::store::KeyRange::prefix(&prefix)
            }
        };
        let family = match opened.upload() {
            Some(_) => ceralacca::store::cf::Family::Chunk,
            None => ceralacca::store::cf::Family::Content,
        };
        for row in store.scan(family, &parts, Order::Ascending) {
            let (_, value) = row.unwrap();
            marks.push(value[value.len() - 40..].to_vec());
        }
    }
    let is_on_disk = |house: &House, mark: &[u8]| {
        let mut files = Vec::new();
        octets(&house.path(), &mut files);
        let finder = memchr_free(mark);
        files.iter().any(|(_, octets)| finder(octets))
    };
    for mark in &marks {
        assert!(is_on_disk(&house, mark), "the control finds every mark");
    }
    house.ready();
    house.run();
    for mark in &marks {
        // Files that nothing references are removed by a thread of the engine.
        let is_gone = (0..100).any(|_| {
            let gone = !is_on_disk(&house, mark);
            if !gone {
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
            gone
        });
        assert!(is_gone);
    }
    house.check();
}

/// Looks for octets in others.
fn memchr_free(mark: &[u8]) -> impl Fn(&[u8]) -> bool + '_ {
    move |octets| {
        let first = mark[0];
        let mut at = 0;
        while let Some(next) = octets[at..].iter().position(|octet| *octet == first) {
            at += next;
            if octets[at..].starts_with(mark) {
                return true;
            }
            at += 1;
        }
        false
    }
}

#[test]
fn a_withdrawn_intent_disposes_of_nothing_and_its_units_can_be_intended_again() {
    let house = House::new();
    let intent = house.ready();
    let withdraw = permit::<access::Withdraw>("bruno", Role::Approver);
    house
        .log
        .disposer()
        .withdraw(&withdraw, intent.intent)
        .unwrap();
    assert!(house.advance().unwrap().is_none());
    let again = house.approve("carla", &intent);
    assert!(matches!(again, Err(DisposalError::Settled(_))));
    let second = house.intend();
    assert_eq!(second.units, intent.units);
    // While it is open no other intent names the same.
    let permit = permit::<access::Dispose>("gestione", Role::Operator);
    let third = house
        .log
        .disposer()
        .intend(&permit, &house.authorities(), &[]);
    assert!(matches!(third, Err(DisposalError::NothingDue)));
}

#[test]
fn what_is_gone_cannot_be_withdrawn() {
    let house = House::new();
    let intent = house.ready();
    house.run();
    let withdraw = permit::<access::Withdraw>("bruno", Role::Approver);
    let late = house.log.disposer().withdraw(&withdraw, intent.intent);
    assert!(matches!(late, Err(DisposalError::Settled(_))), "{late:?}");
}

#[test]
fn a_unit_that_ought_to_be_gone_is_an_alarm() {
    let house = House::new();
    house.log.disposer().ask_again();
    let look = |house: &House| house.log.disposer().look().unwrap();
    // Without an authority nothing is known of the time, so no alarm either.
    assert_eq!(look(&house).overdue, 0);
    house.log.disposer().plan(&house.authorities()).unwrap();
    assert_eq!(look(&house).overdue, 0);
    house.pass_hours(31 * 24);
    let seen = look(&house);
    assert_eq!(seen.oldest.unwrap().0, house.unit());
    assert!(seen.overdue >= 1);
    assert_eq!(house.log.disposer().overview(), seen);
}

/// An act of the archive stays while the log is served, so it must say nothing of anybody; who acted goes with the class
/// of what it was about.
#[test]
fn acts_of_the_archive_are_in_no_plan_and_name_nobody_and_who_acted_stands_beside_them() {
    let house = House::new();
    let plan = house.log.disposer().plan(&house.authorities()).unwrap();
    assert!(!plan.units.is_empty());
    let mut units = plan.units.iter();
    assert!(units.all(|unit| unit.unit.class != Class::Custody));
    let hold = held::hold(&house, house.known.receipts[0].0);
    let intent = house.intend();
    let approved = ["anna", "bruno"].map(|name| house.approve(name, &intent).unwrap().leaf);
    let (reader, names) = (house.log.reader(), ["anna", "bruno", "carla", "gestione"]);
    let state = reader.published();
    for act in [hold, intent.intent, approved[0], approved[1]] {
        let said = reader.record(&state, act).unwrap();
        assert_eq!(said.leaf.class, Class::Custody);
        let text = String::from_utf8(said.canonical).unwrap();
        assert!(!names.iter().any(|name| text.contains(name)), "{text}");
        let beside = LeafIndex::new(act.get() + 1);
        let beside = reader.record(&state, beside).unwrap();
        assert_ne!(beside.leaf.class, Class::Custody);
        let text = String::from_utf8(beside.canonical).unwrap();
        assert!(names.iter().any(|name| text.contains(name)), "{text}");
    }
}

#[test]
fn recording_goes_on_while_a_unit_is_disposed_of() {
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    let house = House::new();
    house.ready();
    let before = house.log.reader().published().tip.size.get();
    let (recorded, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let probe = DisposalProbe::default();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for record in traces(77, 1_000).into_iter().cycle() {
                if is_over.load(Ordering::SeqCst) {
                    break;
                }
                let submission = Submission::trace(Class::Trace, record, None);
                ingest(&house.log).record(submission).unwrap();
                recorded.fetch_add(1, Ordering::SeqCst);
            }
        });
        let mut steps = 0;
        loop {
            let seen = recorded.load(Ordering::SeqCst);
            let taken = house
                .log
                .disposer()
                .advance(&house.authorities(), &probe)
                .unwrap();
            // Whoever records is not made to wait for the next step.
            while recorded.load(Ordering::SeqCst) == seen {
                std::thread::yield_now();
            }
            match taken {
                Some(_) => steps += 1,
                None => break,
            }
        }
        assert_eq!(steps, Step::ALL.len());
        is_over.store(true, Ordering::SeqCst);
    });
    let recorded = recorded.into_inner();
    assert!(recorded > 20, "{recorded}");
    let size = house.log.reader().published().tip.size.get();
    assert!(size >= before + recorded);
    let report = house.check();
    assert_eq!(report.disposed, RECEIPTS as u64);
}
