//! Evidence is renewed before it ends, by the clock of a test that runs for decades; other people's judges agree.

use crate::conformance::are_there;
use crate::support::sealing::Sealing;
use crate::support::*;
use ceralacca::archive::Log;
use ceralacca::ingest::Submission;
use ceralacca::seal::{EvidenceGroup, Package, Probe, RenewalRules, SealError};
use ceralacca_evidence::ers::renewal::{Action, Urgency};
use ceralacca_evidence::ers::{
    Check, Coverage, Document, EvidenceRecord, Table, Verified, VerifyError, verify,
};
use ceralacca_formats::catalogue::Catalogue;
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::id::{IntervalId, LeafIndex, UtcMillis};
use ceralacca_formats::leaf::{Class, Kind};
use ceralacca_formats::metadata::{CustodyRecord, Metadata, ObjectRecord};
use ceralacca_formats::renewal::RenewalKind;
use ceralacca_pec::DigestAlgorithm::{self, Sha256 as SHA256, Sha512 as SHA512};
use ceralacca_pec::judge::{Material, Trust};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::Ordering;

const OBJECT: &[u8] = b"Subject: ACCETTAZIONE: prova\r\n\r\nricevuta inventata\r\n";
const ALGORITHMS: &[DigestAlgorithm] = &[SHA256, SHA512];
/// Of the certificates of the authorities.
const YEARS_15: u64 = 15 * 365 * DAY_MS;

struct Decades {
    test: TestLog,
    log: Option<Log>,
    authorities: Vec<Sealing>,
    intervals: Vec<IntervalId>,
    object: LeafIndex,
}

impl Decades {
    /// Two intervals closed, the first with an object.
    fn begin() -> Self {
        let test = TestLog::new();
        let sealing = Sealing::new(&test.clock, true);
        let log = test.open();
        let content = ingest(&log)
            .content(Class::Receipt, OBJECT.to_vec())
            .unwrap();
        let record = ObjectRecord::default();
        let (kind, class) = (Kind::Receipt, Class::Receipt);
        let submission = Submission::object(kind, class, record, content, None, None);
        ingest(&log).record(submission).unwrap();
        let size = log.reader().published().tip.size.get();
        let state = log.reader().published();
        let mut indexes = (0..size).map(LeafIndex::new);
        let object = indexes.find(|i| log.reader().leaf(&state, *i).unwrap().kind == Kind::Receipt);
        for day in 0..2 {
            for record in traces(day, 60) {
                let submission = Submission::trace(Class::Trace, record, None);
                ingest(&log).record(submission).unwrap();
            }
            test.clock.pass(DAY_MS);
            log.tick().unwrap();
            let closed = log.close_next(&sealing.authorities(), &Probe::default());
            assert!(closed.unwrap().is_some());
        }
        let spans = &log.reader().published().spans;
        let intervals = spans.iter().take(2).map(|span| span.id).collect();
        Self {
            object: object.unwrap(),
            intervals,
            authorities: vec![sealing],
            log: Some(log),
            test,
        }
    }

    fn log(&self) -> &Log {
        self.log.as_ref().unwrap()
    }

    fn reopen(&mut self) {
        self.log().stop().unwrap();
        self.log = None;
        self.log = Some(self.test.open());
    }

    /// Most of the time of the certificates passes, and there is an authority with new ones.
    fn pass_years(&mut self) {
        self.test.clock.pass(YEARS_15 - 100 * DAY_MS);
        self.authorities.push(Sealing::new(&self.test.clock, true));
    }

    fn renew(&self, rules: &RenewalRules, probe: &Probe) -> Result<Option<RenewalKind>, SealError> {
        let tsa = &*self.authorities.last().unwrap().tsa;
        let renewed = self.log().renew_next(rules, tsa, probe)?;
        Ok(renewed.map(|renewed| renewed.record.kind))
    }

    fn package(&self, number: usize) -> Package {
        let interval = self.intervals[number];
        self.log().sealer().package(interval).unwrap().unwrap()
    }

    fn folder(&self, number: usize) -> std::path::PathBuf {
        let packages = self.log().sealer().packages().unwrap();
        packages.join(self.intervals[number].to_string())
    }

    /// What the documents of a group are.
    fn documents(&self, group: &EvidenceGroup) -> Vec<Vec<u8>> {
        let file = |path: &str| {
            let mut file = self.package(0).file(path).unwrap().unwrap();
            let bytes = usize::try_from(file.bytes()).unwrap();
            file.read_at(0, bytes).unwrap()
        };
        match group {
            EvidenceGroup::LogFile(path) => vec![file(path)],
            EvidenceGroup::Package => [
                "PIndex.xml.p7m",
                "checkpoint",
                "checkpoint.tst",
                "contents.json",
                "frontier.bin",
                "leaves.bin",
            ]
            .map(file)
            .to_vec(),
            EvidenceGroup::Object(index) => {
                let log = self.log();
                let opened = log.reader().record(&log.reader().published(), *index);
                vec![OBJECT.to_vec(), opened.unwrap().opening.as_bytes().to_vec()]
            }
        }
    }

    fn groups(&self) -> Vec<EvidenceGroup> {
        vec![
            EvidenceGroup::Object(self.object),
            EvidenceGroup::LogFile("log-trace-0001.jsonl".to_owned()),
            EvidenceGroup::Package,
        ]
    }

    fn verify(
        &self,
        record: &EvidenceRecord,
        documents: &[Vec<u8>],
        table: &Table,
    ) -> Result<Verified, VerifyError> {
        let trust = Trust::new(Material {
            anchors: self
                .authorities
                .iter()
                .map(|one| one.root.clone())
                .collect(),
            ..Material::default()
        });
        let documents = documents
            .iter()
            .map(|octets| Document::of(octets, ALGORITHMS));
        let check = Check {
            trust: &trust.unwrap(),
            table,
            now: UtcMillis::new(self.test.clock.now()),
            coverage: Coverage::WholeGroup,
        };
        verify(record, &documents.collect::<Vec<_>>(), &check)
    }

    /// Each group's record verifies, with so many stamps in each chain, and its damaged twins do not.
    fn all_verify(&self, chains: &[usize], table: &Table) {
        for group in self.groups() {
            let record = self.package(0).evidence(&group).unwrap();
            let found: Vec<usize> = record.chains().iter().map(Vec::len).collect();
            assert_eq!(found, chains, "{group:?}");
            let documents = self.documents(&group);
            let der = record.to_der();
            let read = EvidenceRecord::from_der(&der).unwrap();
            let verified = self.verify(&read, &documents, table).unwrap();
            let first = self.package(0).closing().token_time;
            assert!(verified.existed_at >= first, "{group:?}");
            assert!(
                verified.existed_at.get() < first.get() + DAY_MS,
                "{group:?}"
            );
            let mut other = documents.clone();
            other[0][0] ^= 1;
            assert!(self.verify(&read, &other, table).is_err(), "{group:?}");
            let mut twin = der.clone();
            *twin.last_mut().unwrap() ^= 1;
            let twin = EvidenceRecord::from_der(&twin).unwrap();
            assert!(self.verify(&twin, &documents, table).is_err(), "{group:?}");
        }
    }

    /// How many leaves say that evidence was renewed.
    fn leaves(&self) -> usize {
        let log = self.log();
        let state = log.reader().published();
        let indexes = (0..state.tip.size.get()).map(LeafIndex::new);
        let renewed = indexes.filter(|index| {
            let metadata = log.reader().record(&state, *index).unwrap().metadata();
            matches!(
                metadata,
                Ok(Metadata::Custody(CustodyRecord::EvidenceRenewed(_)))
            )
        });
        renewed.count()
    }
}

/// SHA-256 is not accepted from so many days after an instant on.
pub(crate) fn sha256_ends(now: u64, days: u64) -> RenewalRules {
    let mut rules = RenewalRules::default();
    let row = rules
        .table
        .rows
        .iter_mut()
        .find(|row| row.algorithm == "SHA-256");
    let end = i64::try_from(now + days * DAY_MS).unwrap();
    let end = chrono::DateTime::from_timestamp_millis(end).unwrap();
    row.unwrap().end = Some(end.date_naive());
    rules
}

#[test]
fn evidence_is_renewed_both_ways_before_it_ends_and_every_group_still_verifies() {
    let mut decades = Decades::begin();
    let rules = RenewalRules::default();
    let planned = decades.log().sealer().planned(&rules).unwrap();
    assert_eq!(planned.len(), 2);
    assert!(planned.iter().all(|one| one.step.urgency == Urgency::Later));
    assert_eq!(decades.renew(&rules, &Probe::default()).unwrap(), None);
    decades.all_verify(&[1], &rules.table);
    let closed = std::fs::read(decades.folder(0).join("package.ers")).unwrap();

    decades.pass_years();
    let planned = decades.log().sealer().planned(&rules).unwrap();
    for one in &planned {
        assert_eq!(
            (one.step.action, one.step.urgency),
            (Action::TimeStamp, Urgency::Due)
        );
        let english = one.step.english();
        assert!(
            english.contains("renewal of the time-stamp, because the certificates"),
            "{english}"
        );
    }
    let asked = decades.authorities[1].tsa.given.load(Ordering::SeqCst);
    let renewed = decades.renew(&rules, &Probe::default()).unwrap();
    assert_eq!(renewed, Some(RenewalKind::TimeStamp));
    // One token for both.
    assert_eq!(
        decades.authorities[1].tsa.given.load(Ordering::SeqCst),
        asked + 1
    );
    let tokens =
        [0, 1].map(|n| std::fs::read(decades.folder(n).join("renewals/0001.tst")).unwrap());
    assert_eq!(tokens[0], tokens[1]);
    assert_eq!(decades.renew(&rules, &Probe::default()).unwrap(), None);
    decades.all_verify(&[2], &rules.table);

    let rules = sha256_ends(decades.test.clock.now(), 100);
    assert_eq!(
        decades.renew(&rules, &Probe::default()).unwrap(),
        None,
        "half of its time first"
    );
    decades.test.clock.pass(60 * DAY_MS);
    for _ in 0..2 {
        let renewed = decades.renew(&rules, &Probe::default()).unwrap();
        assert_eq!(renewed, Some(RenewalKind::HashTree));
    }
    assert_eq!(decades.renew(&rules, &Probe::default()).unwrap(), None);
    decades.all_verify(&[2, 1], &rules.table);

    assert_eq!(decades.leaves(), 3);
    assert_eq!(
        std::fs::read(decades.folder(0).join("package.ers")).unwrap(),
        closed
    );
    for number in 0..2 {
        let renewals = decades.package(number).renewals().unwrap();
        let kinds: Vec<_> = renewals.iter().map(|(n, facts)| (*n, facts.kind)).collect();
        assert_eq!(
            kinds,
            [(1, RenewalKind::TimeStamp), (2, RenewalKind::HashTree)]
        );
        for (at, _) in renewals {
            let folder = decades.folder(number);
            let octets = std::fs::read(folder.join(format!("renewals/catalogue-{at:04}.json")));
            let catalogue = Catalogue::parse(&octets.unwrap()).unwrap();
            assert!(catalogue.files.len() >= 5);
            for entry in &catalogue.files {
                let octets = std::fs::read(folder.join(&entry.path)).unwrap();
                assert_eq!(Sha256::of(&octets), entry.sha256, "{}", entry.path);
            }
        }
    }
    // Chains grow on: the new one too.
    decades.pass_years();
    let rules = RenewalRules::default();
    let renewed = decades.renew(&rules, &Probe::default()).unwrap();
    assert_eq!(renewed, Some(RenewalKind::TimeStamp));
    decades.all_verify(&[2, 2], &rules.table);
    decades.log().stop().unwrap();
    decades.log = None;
    assert!(decades.test.check().is_clean());
}

#[test]
fn a_renewal_that_ends_before_any_step_goes_on_to_the_same_end() {
    for step in Probe::RENEWAL_STEPS {
        let mut decades = Decades::begin();
        decades.pass_years();
        let rules = RenewalRules::default();
        let given = || decades.authorities[1].tsa.given.load(Ordering::SeqCst);
        let before = given();
        let ended = decades.renew(&rules, &Probe::before(step));
        assert!(
            matches!(ended, Err(SealError::Probed(at)) if at == step),
            "{step}"
        );
        decades.reopen();
        // A plan that was made is carried out, whatever the table says meanwhile.
        let renewed = decades.renew(&rules, &Probe::default()).unwrap();
        assert_eq!(renewed, Some(RenewalKind::TimeStamp), "{step}");
        let given = || decades.authorities[1].tsa.given.load(Ordering::SeqCst);
        assert_eq!(given(), before + 1, "{step}");
        assert_eq!(
            decades.renew(&rules, &Probe::default()).unwrap(),
            None,
            "{step}"
        );
        assert_eq!(decades.leaves(), 1, "{step}");
        decades.all_verify(&[2], &rules.table);
        assert_eq!(decades.package(1).renewals().unwrap().len(), 1, "{step}");
        let packages = decades.log().sealer().packages().unwrap();
        assert!(!packages.join("renewal.partial").exists(), "{step}");
    }
}

#[test]
fn a_silent_authority_leaves_the_evidence_as_it_was() {
    let mut decades = Decades::begin();
    decades.pass_years();
    let rules = RenewalRules::default();
    decades.authorities[1]
        .tsa
        .silent
        .store(true, Ordering::SeqCst);
    let ended = decades.renew(&rules, &Probe::default());
    assert!(matches!(ended, Err(SealError::Stamp(_))));
    decades.all_verify(&[1], &rules.table);
    decades.authorities[1]
        .tsa
        .silent
        .store(false, Ordering::SeqCst);
    let renewed = decades.renew(&rules, &Probe::default()).unwrap();
    assert_eq!(renewed, Some(RenewalKind::TimeStamp));
}

#[test]
fn bouncy_castle_accepts_renewed_records_and_refuses_their_damaged_twins() {
    const JARS: &str =
        "/usr/share/java/bcpkix.jar:/usr/share/java/bcprov.jar:/usr/share/java/bcutil.jar";
    if !are_there(&[("java", &["--version"])]) {
        return;
    }
    if !Path::new("/usr/share/java/bcpkix.jar").exists() {
        let in_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!in_ci, "missing: bcpkix.jar");
        println!("SKIPPED: missing bcpkix.jar");
        return;
    }
    let mut decades = Decades::begin();
    decades.pass_years();
    decades
        .renew(&RenewalRules::default(), &Probe::default())
        .unwrap()
        .unwrap();
    let judged = |decades: &Decades, stage: &str| {
        let out = tempfile::tempdir().unwrap();
        let write = |name: &str, octets: &[u8]| {
            let path = out.path().join(name);
            std::fs::write(&path, octets).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let mut command = Command::new("java");
        command.args(["-cp", JARS]);
        let judge =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("evidence/tests/it/JudgeRecords.java");
        command.arg(judge);
        let last = decades.authorities.last().unwrap();
        command.arg(write("tsa.der", &last.tsa_certificate));
        command.arg((decades.test.clock.now() + DAY_MS).to_string());
        let mut expected = Vec::new();
        for (number, group) in decades.groups().iter().enumerate() {
            let der = decades.package(0).evidence(group).unwrap().to_der();
            let documents = decades.documents(group);
            let mut twin = der.clone();
            *twin.last_mut().unwrap() ^= 1;
            let mut other = documents.clone();
            other[0][0] ^= 1;
            let cases = [
                (&der, &documents, "OK"),
                (&twin, &documents, "REFUSED"),
                (&der, &other, "REFUSED"),
            ];
            for (case, (record, documents, word)) in cases.into_iter().enumerate() {
                let name = format!("{number}.{case}");
                command.arg(write(&format!("{name}.ers"), record));
                let files = documents.iter().enumerate();
                let files = files.map(|(n, octets)| write(&format!("{name}.{n}"), octets));
                command.arg(files.collect::<Vec<_>>().join(":"));
                expected.push(word);
            }
        }
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let words: Vec<_> = said
            .lines()
            .filter_map(|line| line.split(' ').next())
            .collect();
        assert_eq!(words, expected, "{stage}: {output:?}");
    };
    judged(&decades, "time-stamp renewed");
    let rules = sha256_ends(decades.test.clock.now(), 100);
    decades.test.clock.pass(60 * DAY_MS);
    while decades.renew(&rules, &Probe::default()).unwrap().is_some() {}
    assert_eq!(decades.package(0).renewals().unwrap().len(), 2);
    judged(&decades, "hash tree renewed");
}
