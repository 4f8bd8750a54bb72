//! Records of an interval as it is closed, and renewed; what the tests of evidence records begin with.

use crate::authority::Authority;
use crate::foreign::are_there;
use ceralacca_evidence::ers::{
    Check, Coverage, Document, EvidenceRecord, Hash, ReducedTree, Table, TreeFile, TreeWriter,
    Verified, VerifyError, file_id, group_hash, verify,
};
use ceralacca_formats::id::UtcMillis;
use ceralacca_pec::DigestAlgorithm::{self, Sha256, Sha512};
use ceralacca_pec::judge::Trust;
use chrono::NaiveDate;
use std::convert::Infallible;

pub const OBJECT: &[u8] = b"Subject: ACCETTAZIONE: prova\r\n\r\nricevuta di test\r\n";
pub const OPENING: &[u8] = &[7; 32];
pub const FILE: &[u8] = b"{\"event\":\"accettazione\"}\n";
pub const ALGORITHMS: &[DigestAlgorithm] = &[Sha256, Sha512];

pub fn is_openssl_there() -> bool {
    are_there(&[("openssl", &["version"])])
}

/// 1 January of a year.
pub fn year(year: i32) -> UtcMillis {
    let day = NaiveDate::from_ymd_opt(year, 1, 1).unwrap();
    let ms = day
        .and_hms_opt(0, 0, 0)
        .unwrap()
        .and_utc()
        .timestamp_millis();
    UtcMillis::new(ms.try_into().unwrap())
}

pub fn documents(all: &[&[u8]]) -> Vec<Document> {
    all.iter()
        .map(|octets| Document::of(octets, ALGORITHMS))
        .collect()
}

pub fn hashes(algorithm: DigestAlgorithm, all: &[&[u8]]) -> Vec<Hash> {
    all.iter()
        .map(|octets| Hash::of(algorithm, octets))
        .collect()
}

/// A tree over groups of hashes, and what cuts one out of it.
pub struct Tree {
    pub bytes: Vec<u8>,
    pub root: Hash,
}

impl Tree {
    pub fn of(groups: &[(u64, Vec<Hash>)]) -> Self {
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

    pub fn cut(&self, id: u64, group: &[Hash]) -> ReducedTree {
        let read = |at: u64, length: usize| {
            let at = usize::try_from(at).unwrap();
            Ok::<_, Infallible>(self.bytes[at..at + length].to_vec())
        };
        let file = TreeFile::open(self.bytes.len() as u64, read).unwrap();
        file.reduced(id, group, read).unwrap()
    }
}

/// Records of one object with its opening (leaf 3), and of a file alone, from one token; then renewed together.
pub struct Interval {
    pub tsa: Authority,
    pub trust: Trust,
    pub object: EvidenceRecord,
    pub file: EvidenceRecord,
}

impl Interval {
    pub fn closed(tsa: Authority) -> Self {
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
    pub fn renew_time_stamp(&mut self) {
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

    pub fn renew_hash_tree(&mut self) {
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

    pub fn check(&self, record: &EvidenceRecord, all: &[&[u8]]) -> Result<Verified, VerifyError> {
        self.check_at(record, all, year(2050), &Table::built_in())
    }

    pub fn check_at(
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

    pub fn stamps(&self) -> usize {
        self.file.chains().iter().map(Vec::len).sum()
    }
}
