//! Evidence records through their renewals, judged by ours and by Bouncy Castle; damaged twins refused by both.

use crate::authority::Authority;
use crate::foreign::are_there;
use ceralacca_evidence::ers::renewal::{Action, Held, Margin, plan};
use ceralacca_evidence::ers::{
    Check, Coverage, Document, EvidenceRecord, Hash, RecordError, ReducedTree, Table, TreeFile,
    TreeWriter, Verified, VerifyError, file_id, group_hash, verify,
};
use ceralacca_formats::id::UtcMillis;
use ceralacca_pec::DigestAlgorithm::{self, Sha256, Sha512};
use ceralacca_pec::judge::Trust;
use ceralacca_pec::tsp::Refusal;
use chrono::NaiveDate;
use std::convert::Infallible;
use std::path::Path;
use std::process::Command;

const JARS: &str =
    "/usr/share/java/bcpkix.jar:/usr/share/java/bcprov.jar:/usr/share/java/bcutil.jar";
const OBJECT: &[u8] = b"Subject: ACCETTAZIONE: prova\r\n\r\nricevuta di test\r\n";
const OPENING: &[u8] = &[7; 32];
const FILE: &[u8] = b"{\"event\":\"accettazione\"}\n";
const ALGORITHMS: &[DigestAlgorithm] = &[Sha256, Sha512];

fn is_openssl_there() -> bool {
    are_there(&[("openssl", &["version"])])
}

/// 1 January of a year.
fn year(year: i32) -> UtcMillis {
    let day = NaiveDate::from_ymd_opt(year, 1, 1).unwrap();
    let ms = day
        .and_hms_opt(0, 0, 0)
        .unwrap()
        .and_utc()
        .timestamp_millis();
    UtcMillis::new(ms.try_into().unwrap())
}

fn documents(all: &[&[u8]]) -> Vec<Document> {
    all.iter()
        .map(|octets| Document::of(octets, ALGORITHMS))
        .collect()
}

fn hashes(algorithm: DigestAlgorithm, all: &[&[u8]]) -> Vec<Hash> {
    all.iter()
        .map(|octets| Hash::of(algorithm, octets))
        .collect()
}

/// A tree over groups of hashes, and what cuts one out of it.
struct Tree {
    bytes: Vec<u8>,
    root: Hash,
}

impl Tree {
    fn of(groups: &[(u64, Vec<Hash>)]) -> Self {
        let mut bytes = Vec::new();
        let sink = |piece: &[u8]| {
            bytes.extend_from_slice(piece);
            Ok::<_, Infallible>(())
        };
        let algorithm = groups[0].1[0].algorithm();
        let mut writer = TreeWriter::new(algorithm, sink).unwrap();
        for (id, group) in groups {
            writer.push(*id, group_hash(group).unwrap()).unwrap();
        }
        let (_, root) = writer.finish().unwrap();
        Self { bytes, root }
    }

    fn cut(&self, id: u64, group: &[Hash]) -> ReducedTree {
        let read = |at: u64, length: usize| {
            let at = usize::try_from(at).unwrap();
            Ok::<_, Infallible>(self.bytes[at..at + length].to_vec())
        };
        let file = TreeFile::open(self.bytes.len() as u64, read).unwrap();
        file.reduced(id, group, read).unwrap()
    }
}

/// Records of one object with its opening (leaf 3), and of a file alone, from one token; then renewed together.
struct Interval {
    tsa: Authority,
    trust: Trust,
    object: EvidenceRecord,
    file: EvidenceRecord,
}

impl Interval {
    fn closed(tsa: Authority) -> Self {
        let mut groups: Vec<_> = (0..5u8)
            .map(|n| (u64::from(n), hashes(Sha256, &[&[n]])))
            .collect();
        groups[3].1 = hashes(Sha256, &[OBJECT, OPENING]);
        groups.push((file_id(0), hashes(Sha256, &[FILE])));
        let tree = Tree::of(&groups);
        let token = tsa.stamp(&tree.root);
        let record = |id: u64, group: &[Hash]| EvidenceRecord::new(tree.cut(id, group), &token);
        Self {
            object: record(3, &groups[3].1).unwrap(),
            file: record(file_id(0), &groups[5].1).unwrap(),
            trust: tsa.trust(),
            tsa,
        }
    }

    /// One new token over both last ones (one and the same here) and one of somebody else.
    fn renew_time_stamp(&mut self) {
        let algorithm = self.object.last().unwrap().algorithm();
        let old = vec![self.object.last().unwrap().token_hash(algorithm)];
        assert_eq!(old, [self.file.last().unwrap().token_hash(algorithm)]);
        let other = hashes(algorithm, &[b"another token"]);
        let tree = Tree::of(&[(1, old.clone()), (2, other)]);
        let token = self.tsa.stamp(&tree.root);
        for record in [&mut self.object, &mut self.file] {
            record.renew_time_stamp(tree.cut(1, &old), &token).unwrap();
        }
    }

    fn renew_hash_tree(&mut self) {
        let (object, file) = (documents(&[OBJECT, OPENING]), documents(&[FILE]));
        let object_group = self.object.renewed(&object, Sha512).unwrap();
        let file_group = self.file.renewed(&file, Sha512).unwrap();
        let groups = [
            (3, object_group.clone()),
            (4, hashes(Sha512, &[b"opaque"])),
            (file_id(0), file_group.clone()),
        ];
        let tree = Tree::of(&groups);
        let token = self.tsa.stamp(&tree.root);
        let cut = tree.cut(3, &object_group);
        self.object.renew_hash_tree(&object, cut, &token).unwrap();
        let cut = tree.cut(file_id(0), &file_group);
        self.file.renew_hash_tree(&file, cut, &token).unwrap();
    }

    fn check(&self, record: &EvidenceRecord, all: &[&[u8]]) -> Result<Verified, VerifyError> {
        self.check_at(record, all, year(2050), &Table::built_in())
    }

    fn check_at(
        &self,
        record: &EvidenceRecord,
        all: &[&[u8]],
        now: UtcMillis,
        table: &Table,
    ) -> Result<Verified, VerifyError> {
        // What is verified is what was written.
        let record = EvidenceRecord::from_der(&record.to_der()).unwrap();
        let check = Check {
            trust: &self.trust,
            table,
            now,
            coverage: Coverage::WholeGroup,
        };
        verify(&record, &documents(all), &check)
    }

    /// What Bouncy Castle says of each record with its documents; damaged twins of documents and record among them.
    fn bouncy(&self, cases: &[(&[u8], &[&[u8]])]) -> Vec<String> {
        let mut command = Command::new("java");
        command.args(["-cp", JARS]);
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/JudgeRecords.java"));
        command.arg(self.tsa.path().join("tsa.der"));
        command.arg(year(2050).to_string());
        for (number, (record, all)) in cases.iter().enumerate() {
            let files = all.iter().enumerate();
            let files = files.map(|(n, file)| self.tsa.write(&format!("{number}.{n}"), file));
            command.arg(self.tsa.write(&format!("{number}.ers"), record));
            command.arg(files.collect::<Vec<_>>().join(":"));
        }
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{output:?}");
        said.lines().map(str::to_owned).collect()
    }

    /// Both judges accept both records, and refuse their twins.
    fn judged(&self, stage: &str) {
        assert_eq!(
            self.check(&self.file, &[FILE]).unwrap().stamps.len(),
            self.stamps(),
            "{stage}"
        );
        self.check(&self.object, &[OPENING, OBJECT]).unwrap();
        let (object, file) = (self.object.to_der(), self.file.to_der());
        // The last octet is in the signature of the last token.
        let mut twin = file.clone();
        *twin.last_mut().unwrap() ^= 1;
        // One octet of the first hash of the reduced tree.
        let mut other_tree = object.clone();
        let hash = *self.object.chains()[0][0]
            .reduced()
            .unwrap()
            .group()
            .first()
            .unwrap();
        let at = other_tree
            .windows(32)
            .position(|w| w == hash.as_bytes())
            .unwrap();
        other_tree[at] ^= 1;
        let said = self.bouncy(&[
            (&file, &[FILE]),
            (&object, &[OBJECT, OPENING]),
            (&file, &[b"another file\n"]),
            (&object, &[b"another object", OPENING]),
            (&twin, &[FILE]),
            (&other_tree, &[OBJECT, OPENING]),
        ]);
        let good: Vec<bool> = said.iter().map(|line| line == "OK").collect();
        assert_eq!(
            good,
            [true, true, false, false, false, false],
            "{stage}: {said:#?}"
        );

        assert!(
            self.check(&self.file, &[b"another file\n"]).is_err(),
            "{stage}"
        );
        assert!(
            self.check(&self.object, &[b"another object", OPENING])
                .is_err(),
            "{stage}"
        );
        let twin = EvidenceRecord::from_der(&twin).unwrap();
        assert!(self.check(&twin, &[FILE]).is_err(), "{stage}");
        let twin = EvidenceRecord::from_der(&other_tree).unwrap();
        assert!(self.check(&twin, &[OBJECT, OPENING]).is_err(), "{stage}");
    }

    fn stamps(&self) -> usize {
        self.file.chains().iter().map(Vec::len).sum()
    }
}

#[test]
fn bouncy_castle_and_ours_agree_on_records_through_both_renewals() {
    if !are_there(&[("openssl", &["version"]), ("java", &["--version"])]) {
        return;
    }
    if !Path::new("/usr/share/java/bcpkix.jar").exists() {
        let in_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!in_ci, "missing: bcpkix.jar");
        println!("SKIPPED: missing bcpkix.jar");
        return;
    }
    let mut interval = Interval::closed(Authority::new(2100, 3));
    interval.judged("closed");
    interval.renew_time_stamp();
    interval.judged("time-stamp renewed");
    interval.renew_hash_tree();
    interval.judged("hash tree renewed");
    interval.renew_time_stamp();
    interval.judged("time-stamp renewed again");
}

#[test]
fn a_record_says_when_its_documents_existed_and_until_when_each_stamp_holds() {
    if !is_openssl_there() {
        return;
    }
    let mut interval = Interval::closed(Authority::new(2100, 3));
    interval.renew_time_stamp();
    interval.renew_hash_tree();
    let verified = interval.check(&interval.file, &[FILE]).unwrap();
    let places: Vec<_> = verified
        .stamps
        .iter()
        .map(|s| (s.chain, s.stamp, s.hash))
        .collect();
    assert_eq!(places, [(0, 0, Sha256), (0, 1, Sha256), (1, 0, Sha512)]);
    assert_eq!(verified.existed_at, verified.stamps[0].time);
    assert!(verified.stamps.is_sorted_by(|a, b| a.time < b.time));
    assert_eq!(verified.until, year(2100));
    assert_eq!(
        verified.stamps[2].authority.as_deref(),
        Some("TSA di prova")
    );
    assert_eq!(interval.file.algorithms(), [Sha256, Sha512]);

    let held = Held::of("2026-11-21", &verified.stamps[2]);
    let step = plan(&[held], &Table::built_in(), Margin::default(), year(2099)).remove(0);
    assert_eq!(step.action, Action::TimeStamp);
    assert!(!step.is_due(), "{}", step.english());
}

#[test]
fn the_last_stamp_must_hold_now_and_the_others_until_the_next() {
    if !is_openssl_there() {
        return;
    }
    let mut interval = Interval::closed(Authority::new(2100, 3));
    let fault = |result: Result<Verified, VerifyError>| {
        let error = result.unwrap_err();
        (error.chain, error.stamp, error.fault)
    };
    let late = interval.check_at(&interval.file, &[FILE], year(2101), &Table::built_in());
    let (_, _, late) = fault(late);
    assert_eq!(
        late,
        RecordError::CertificateEnded {
            until: year(2100),
            at: year(2101)
        }
    );
    let mut table = Table::built_in();
    let sha256 = table
        .rows
        .iter_mut()
        .find(|row| row.algorithm == "SHA-256")
        .unwrap();
    sha256.end = NaiveDate::from_ymd_opt(2040, 1, 1);
    let ended = fault(interval.check_at(&interval.file, &[FILE], year(2050), &table));
    assert!(
        matches!(ended, (0, 0, RecordError::AlgorithmEnded { .. })),
        "{ended:?}"
    );
    // A time-stamp alone does not save the tree; a new tree does not save a token that is signed over SHA-256.
    interval.renew_time_stamp();
    let ended = fault(interval.check_at(&interval.file, &[FILE], year(2050), &table));
    assert!(
        matches!(ended, (0, 0, RecordError::AlgorithmEnded { .. })),
        "{ended:?}"
    );
    interval.renew_hash_tree();
    let ended = fault(interval.check_at(&interval.file, &[FILE], year(2050), &table));
    assert!(
        matches!(ended, (1, 0, RecordError::AlgorithmEnded { .. })),
        "{ended:?}"
    );
    interval
        .check_at(&interval.file, &[FILE], year(2039), &table)
        .unwrap();
    let before = fault(interval.check_at(&interval.file, &[FILE], year(2020), &table));
    assert_eq!(before, (0, 0, RecordError::Token(Refusal::Future)));

    let others = Authority::new(2100, 3).trust();
    let check = Check {
        trust: &others,
        table: &Table::built_in(),
        now: year(2050),
        coverage: Coverage::WholeGroup,
    };
    let foreign = fault(verify(&interval.file, &documents(&[FILE]), &check));
    assert!(
        matches!(foreign, (0, 0, RecordError::Token(Refusal::Chain(_)))),
        "{foreign:?}"
    );
}

#[test]
fn a_group_is_whole_or_says_so_and_openings_are_no_documents_of_others() {
    if !is_openssl_there() {
        return;
    }
    let interval = Interval::closed(Authority::new(2100, 3));
    let alone = interval.check(&interval.object, &[OBJECT]).unwrap_err();
    assert_eq!(alone.fault, RecordError::OthersInFirstList);
    let none = interval.check(&interval.object, &[]).unwrap_err();
    assert_eq!(none.fault, RecordError::NotInFirstList);
    let table = Table::built_in();
    let check = Check {
        trust: &interval.trust,
        table: &table,
        now: year(2050),
        coverage: Coverage::Members,
    };
    verify(&interval.object, &documents(&[OBJECT]), &check).unwrap();
    let unhashed = Document::of(OBJECT, &[Sha512]);
    let unhashed = verify(&interval.object, &[unhashed], &check).unwrap_err();
    assert_eq!(unhashed.fault, RecordError::NoHash(Sha256));
}

#[test]
fn what_does_not_belong_together_is_not_assembled() {
    if !is_openssl_there() {
        return;
    }
    let mut interval = Interval::closed(Authority::new(2100, 3));
    let tree = |algorithm, text: &[u8]| ReducedTree::new(&hashes(algorithm, &[text]), &[]).unwrap();
    let token = interval.tsa.stamp(&Hash::of(Sha256, b"x"));
    assert_eq!(
        EvidenceRecord::new(tree(Sha256, b"y"), &token),
        Err(RecordError::TokenImprint)
    );
    assert_eq!(
        EvidenceRecord::new(tree(Sha512, b"x"), &token),
        Err(RecordError::TokenAlgorithm)
    );
    assert_eq!(
        EvidenceRecord::new(tree(Sha256, b"x"), b"no token"),
        Err(RecordError::Token(Refusal::NotAToken))
    );
    let record = &mut interval.file;
    let untouched = record.clone();
    assert_eq!(
        record.renew_time_stamp(tree(Sha512, b"x"), &token),
        Err(RecordError::ChainAlgorithm)
    );
    assert_eq!(
        record.renew_time_stamp(tree(Sha256, b"x"), &token),
        Err(RecordError::NotInFirstList)
    );
    assert_eq!(
        record.renew_hash_tree(&documents(&[FILE]), tree(Sha256, b"x"), &token),
        Err(RecordError::NotInFirstList)
    );
    assert_eq!(*record, untouched);
}

#[test]
fn times_that_do_not_ascend_are_refused() {
    if !is_openssl_there() {
        return;
    }
    // Whole seconds: of some renewals at once, two have one time.
    let mut interval = Interval::closed(Authority::new(2100, 0));
    for _ in 0..40 {
        interval.renew_time_stamp();
        if let Err(error) = interval.check(&interval.file, &[FILE]) {
            assert!(matches!(error.fault, RecordError::Order { .. }), "{error}");
            return;
        }
    }
    panic!("each token took more than a second");
}

#[test]
fn no_octet_of_a_record_changes_unnoticed_and_none_makes_the_reader_panic() {
    if !is_openssl_there() {
        return;
    }
    let mut interval = Interval::closed(Authority::new(2100, 3));
    interval.renew_time_stamp();
    let der = interval.object.to_der();
    assert_eq!(EvidenceRecord::from_der(&der).unwrap().to_der(), der);
    // Of the old token each octet counts, whatever CMS makes of it: the new one is over all of them.
    let old = interval.object.chains()[0][0].token();
    let start = der.windows(old.len()).position(|w| w == old).unwrap();
    for at in (0..start + old.len()).step_by(3) {
        let mut twin = der.clone();
        twin[at] ^= 0x10;
        let read = EvidenceRecord::from_der(&twin);
        let refused = read.map(|twin| interval.check(&twin, &[OBJECT, OPENING]));
        assert!(!matches!(refused, Ok(Ok(_))), "octet {at}");
    }
    for length in (0..der.len()).step_by(7) {
        assert!(EvidenceRecord::from_der(&der[..length]).is_err());
    }
}

#[test]
fn attributes_and_infos_of_others_are_kept_as_they_came() {
    if !is_openssl_there() {
        return;
    }
    let interval = Interval::closed(Authority::new(2100, 3));
    let value = |tag: u8, content: &[u8]| {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        match content.len() {
            short @ 0..=127 => [&[tag, u8::try_from(short).unwrap()], content].concat(),
            128..=255 => [&[tag, 0x81, length[1]], content].concat(),
            _ => [&[tag, 0x82, length[0], length[1]], content].concat(),
        }
    };
    let attribute = value(
        0x30,
        &[&value(6, &[0x2a, 3])[..], &value(0x31, &[5, 0])].concat(),
    );
    let token = interval.tsa.stamp(&Hash::of(Sha256, FILE));
    // No algorithm, no tree: the token is over the file; parameters NULL, as others write them.
    let stamp = value(0x30, &[&value(0xa1, &attribute)[..], &token].concat());
    let sequence = value(0x30, &value(0x30, &stamp));
    let sha256 = [6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0];
    let unknown = value(0x30, &value(6, &[0x2a, 4]));
    let algorithms = value(0x30, &[&value(0x30, &sha256)[..], &unknown].concat());
    let head = [&[2, 1, 1][..], &algorithms].concat();
    let infos = [value(0xa0, &attribute), value(0xa1, &attribute)].concat();
    let octets = value(0x30, &[&head[..], &infos, &sequence].concat());
    let record = EvidenceRecord::from_der(&octets).unwrap();
    assert_eq!(record.to_der(), octets);
    interval.check(&record, &[FILE]).unwrap();
    let two = interval.check(&record, &[FILE, OBJECT]).unwrap_err();
    assert_eq!(two.fault, RecordError::NoTree);

    let undeclared = value(
        0x30,
        &[&[2, 1, 1][..], &value(0x30, &unknown), &sequence].concat(),
    );
    let undeclared = EvidenceRecord::from_der(&undeclared).unwrap();
    let undeclared = interval.check(&undeclared, &[FILE]).unwrap_err();
    assert_eq!(undeclared.fault, RecordError::Undeclared(Sha256));
    let second = value(0x30, &[&[2, 1, 2][..], &algorithms, &sequence].concat());
    assert_eq!(
        EvidenceRecord::from_der(&second),
        Err(RecordError::Malformed("version"))
    );
}
