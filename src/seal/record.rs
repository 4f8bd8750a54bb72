//! The evidence record of one group of an interval, as it is now: cut from the tree of the closing, and every renewal
//! since appended (RFC 4998).
//!
//! # Invariants
//! 1. Nothing is written: `package.ers` stays as it was closed, and each record is assembled when it is asked for.
//! 2. Each part is checked as it is appended: a tree holds the group, a token is over its root, a renewal over what
//!    was before it.

use super::closing::is_log;
use super::evidence::{PACKAGE_GROUP, RECORD_BYTES_MAX, STAMP, TREE, tree_failed};
use super::folder::{FileReader, Secrets};
use super::{Package, SealError, due};
use ceralacca_evidence::ers::{
    ArchiveTimeStamp, Document, DocumentHasher, EvidenceRecord, Hash, RecordError, ReducedTree,
    TreeFile, file_id,
};
use ceralacca_formats::id::LeafIndex;
use ceralacca_formats::renewal::{RenewalFacts, RenewalKind};
use ceralacca_pec::DigestAlgorithm;

/// The most renewals of a package: one a month for forty years.
pub(super) const RENEWALS_MAX: u32 = 480;
pub(super) const FACTS_BYTES_MAX: usize = 4096;

/// A group of documents that an interval has evidence of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum EvidenceGroup {
    /// An object and the opening of its leaf, by its leaf.
    Object(LeafIndex),
    /// A log file, by its path in the package.
    LogFile(String),
    /// What outlives every class: `PIndex.xml.p7m`, `checkpoint`, `checkpoint.tst`, `contents.json`, `frontier.bin`,
    /// `leaves.bin`.
    Package,
}

/// Name of a file of a renewal, in its package.
pub(super) fn name_of(number: u32, ending: &str) -> String {
    format!("renewals/{number:04}{ending}")
}

/// Name of the catalogue of a renewal: with it the renewal is there.
pub(super) fn catalogue_of(number: u32) -> String {
    format!("renewals/catalogue-{number:04}.json")
}

fn failed(error: RecordError) -> SealError {
    SealError::Evidence(error.to_string())
}

/// A tree that groups are cut out of.
struct Tree {
    reader: FileReader,
    file: TreeFile,
}

impl Tree {
    fn open(package: &Package, name: &str) -> Result<Self, SealError> {
        let reader = package.folder.open(name, &package.secrets())?;
        let mut reader = reader.ok_or(SealError::Corrupt("a tree of evidence is missing"))?;
        let bytes = reader.bytes();
        let file = TreeFile::open(bytes, |at, n| {
            reader.read_at(at, n).map_err(SealError::from)
        });
        let file = file.map_err(tree_failed)?;
        Ok(Self { reader, file })
    }

    fn cut(&mut self, id: u64, documents: &[Hash]) -> Result<ReducedTree, SealError> {
        let reader = &mut self.reader;
        let read_at = |at, n| reader.read_at(at, n).map_err(SealError::from);
        self.file
            .reduced(id, documents, read_at)
            .map_err(tree_failed)
    }
}

enum Kept {
    TimeStamp(Box<ArchiveTimeStamp>),
    HashTree(Box<Tree>, Vec<u8>),
}

/// Assembles records of one package.
pub(super) struct Assembler<'a> {
    package: &'a Package,
    tree: Tree,
    token: Vec<u8>,
    renewals: Vec<Kept>,
    /// The logs, as the ids of their groups count them.
    logs: Vec<String>,
    /// What documents must be hashed by.
    algorithms: Vec<DigestAlgorithm>,
}

impl<'a> Assembler<'a> {
    pub(super) fn open(package: &'a Package) -> Result<Self, SealError> {
        let small = |name: &str| {
            let octets = package.folder.read(name, RECORD_BYTES_MAX)?;
            octets.ok_or(SealError::Corrupt("a file of the evidence is missing"))
        };
        let tree = Tree::open(package, TREE)?;
        let mut algorithms = vec![tree.file.algorithm()];
        let mut renewals = Vec::new();
        for (number, facts) in package.renewals()? {
            renewals.push(match facts.kind {
                RenewalKind::TimeStamp => {
                    let stamp = ArchiveTimeStamp::from_der(&small(&name_of(number, ".ats"))?);
                    Kept::TimeStamp(Box::new(stamp.map_err(failed)?))
                }
                RenewalKind::HashTree => {
                    let tree = Tree::open(package, &name_of(number, "-tree.bin"))?;
                    algorithms.push(tree.file.algorithm());
                    Kept::HashTree(Box::new(tree), small(&name_of(number, ".tst"))?)
                }
            });
        }
        algorithms.sort_unstable();
        algorithms.dedup();
        let files = package.catalogue.files.iter();
        let logs = files.filter(|file| is_log(&file.path));
        Ok(Self {
            package,
            tree,
            token: small(&format!("{STAMP}.tst"))?,
            renewals,
            logs: logs.map(|file| file.path.clone()).collect(),
            algorithms,
        })
    }

    /// What documents must be hashed by for a record as it is.
    pub(super) fn algorithms(&self) -> &[DigestAlgorithm] {
        &self.algorithms
    }

    /// The id of a group in the trees.
    pub(super) fn id(&self, group: &EvidenceGroup) -> Result<u64, SealError> {
        match group {
            EvidenceGroup::Object(index) => Ok(index.get()),
            EvidenceGroup::Package => Ok(file_id(0)),
            EvidenceGroup::LogFile(path) => {
                let numbered = (1u32..).zip(&self.logs);
                let mut found = numbered.filter(|(_, log)| *log == path);
                let number = found.next().map(|(number, _)| number);
                let number = number.ok_or(SealError::Corrupt("a log file of the package"))?;
                Ok(file_id(number))
            }
        }
    }

    /// The documents of a group, hashed by these algorithms: contents are streamed.
    pub(super) fn documents(
        &self,
        group: &EvidenceGroup,
        algorithms: &[DigestAlgorithm],
    ) -> Result<Vec<Document>, SealError> {
        let reader = &self.package.reader;
        let of_file = |path: &str| {
            let file = self.package.file(path)?;
            let mut file = file.ok_or(SealError::Corrupt("a file of a package is missing"))?;
            let mut hasher = DocumentHasher::new(algorithms);
            let digest = file.each(|piece| {
                hasher.push(piece);
                Ok::<(), SealError>(())
            })?;
            let known = self.package.catalogue.file(path).map(|entry| entry.sha256);
            match known == Some(digest) {
                true => Ok(hasher.finish()),
                false => Err(SealError::Corrupt("a file of a package is damaged")),
            }
        };
        match group {
            EvidenceGroup::LogFile(path) => Ok(vec![of_file(path)?]),
            EvidenceGroup::Package => PACKAGE_GROUP.iter().map(|path| of_file(path)).collect(),
            EvidenceGroup::Object(index) => {
                let opened = reader.record(&reader.published(), *index)?;
                let mut hasher = DocumentHasher::new(algorithms);
                opened.content(reader.store(), |piece| hasher.push(piece))?;
                let opening = Document::of(opened.opening.as_bytes(), algorithms);
                Ok(vec![hasher.finish(), opening])
            }
        }
    }

    /// The record of a group whose documents are at hand, hashed by all of [`Assembler::algorithms`].
    pub(super) fn record(
        &mut self,
        id: u64,
        documents: &[Document],
    ) -> Result<EvidenceRecord, SealError> {
        let hashes = documents.iter().map(|d| d.hash(self.tree.file.algorithm()));
        let hashes: Vec<_> = hashes.collect::<Result<_, _>>().map_err(failed)?;
        let reduced = self.tree.cut(id, &hashes)?;
        let mut record = EvidenceRecord::new(reduced, &self.token).map_err(failed)?;
        for kept in &mut self.renewals {
            match kept {
                Kept::TimeStamp(stamp) => {
                    let reduced = stamp.reduced().cloned();
                    let reduced = reduced.ok_or(SealError::Corrupt("a renewal without a tree"))?;
                    record.renew_time_stamp(reduced, stamp.token())
                }
                Kept::HashTree(tree, token) => {
                    let hashes = record.renewed(documents, tree.file.algorithm());
                    let reduced = tree.cut(id, &hashes.map_err(failed)?)?;
                    record.renew_hash_tree(documents, reduced, token)
                }
            }
            .map_err(failed)?;
        }
        Ok(record)
    }
}

impl Package {
    /// The evidence record of a group as it is now, every renewal appended. Of an object that was disposed of there is
    /// none any more: whoever holds the object holds its record.
    pub fn evidence(&self, group: &EvidenceGroup) -> Result<EvidenceRecord, SealError> {
        let mut assembler = Assembler::open(self)?;
        let documents = assembler.documents(group, assembler.algorithms())?;
        let id = assembler.id(group)?;
        assembler.record(id, &documents)
    }

    /// The renewals of its evidence, oldest first, with their numbers from 1.
    pub fn renewals(&self) -> Result<Vec<(u32, RenewalFacts)>, SealError> {
        due::renewals(&self.folder)
    }

    pub(super) fn secrets(&self) -> Secrets<'_> {
        Secrets {
            keyring: self.reader.keyring(),
            store: self.reader.store(),
            interval: self.span.id,
        }
    }
}
