//! Intervals, and the files of their packages.
//!
//! ```text
//! open to every role of the act   checkpoint, leaves, frontier, contents, tokens, index, evidence, material, proof
//! providers and operators only    log files, maps, salts: they may name somebody; each is a disclosure
//! ```
//!
//! # Invariants
//! 1. What a path is, is decided in [`holding`] alone; a path that it does not know is of the second kind.
//! 2. A file goes out as the catalogue has it: its digest is computed while it passes, and another one is an error.

use super::{Desk, DeskError, LeafName};
use crate::access::{Preserve, Role};
use crate::seal::folder::FileReader;
use crate::seal::{Package, SealError, Sealer};
use crate::sequencer::Span;
use ceralacca_formats::closing::Closing;
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::id::{IntervalId, LeafIndex};
use ceralacca_formats::leaf::Class;
use ceralacca_formats::metadata::{CustodyRecord, Metadata};

/// Intervals in one answer: a megabyte or so, and as many records read.
pub const INTERVALS_PAGE: usize = 100;

const CATALOGUE: &str = "catalogue.json";
const CLOSING: &str = "closing.json";
const PROOF: &str = "closing.tlog-proof";
/// Files that name nobody and outlive every class.
const OPEN: [&str; 11] = [
    CATALOGUE,
    CLOSING,
    PROOF,
    "PIndex.xml",
    "PIndex.xml.p7m",
    "checkpoint",
    "contents.json",
    "evidence-tree.bin",
    "frontier.bin",
    "leaves.bin",
    "package.ers",
];
/// Requests, answers and tokens of authorities, and what the archive takes them for: digests of files with a random
/// head, and times.
const STAMPS: [&str; 4] = [".tsq", ".tsr", ".tst", ".stamp.json"];
const OPEN_FOLDERS: [&str; 3] = ["material/", "schemas/", "trust/"];

/// What a file of a package may say.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Holding {
    /// It names nobody.
    Open,
    /// It may name somebody, and ends with this class.
    Class(Class),
    /// Not known here: held like a class file, as if of the longest-lived class.
    Unknown,
}

fn holding(path: &str) -> Holding {
    let is_stamp = STAMPS.iter().any(|end| path.ends_with(end));
    let in_folder = OPEN_FOLDERS.iter().any(|folder| path.starts_with(folder));
    if OPEN.contains(&path) || is_stamp || in_folder {
        return Holding::Open;
    }
    let class = |class: &&Class| {
        let word = class.word();
        let part = path.strip_prefix("log-").and_then(|p| p.strip_prefix(word));
        path == format!("map-{word}.bin")
            || path == format!("salt-{word}.bin")
            || part.is_some_and(|part| part.starts_with('-') && part.ends_with(".jsonl"))
    };
    match Class::ALL.iter().find(class) {
        Some(class) => Holding::Class(*class),
        None => Holding::Unknown,
    }
}

/// An interval, and what its closing leaf says.
pub struct ListedInterval {
    /// The interval.
    pub span: Span,
    /// The closing leaf's record; none before it is closed.
    pub closing: Option<Closing>,
}

/// A file that is handed out. Its disclosure, where it is one, is recorded.
pub struct HandedOut {
    source: Source,
    bytes: u64,
    sha256: Sha256,
}

enum Source {
    Octets(Vec<u8>),
    File(FileReader),
}

impl HandedOut {
    fn of(octets: Vec<u8>) -> Self {
        Self {
            bytes: octets.len() as u64,
            sha256: Sha256::of(&octets),
            source: Source::Octets(octets),
        }
    }

    /// Its length.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Its digest.
    pub fn sha256(&self) -> Sha256 {
        self.sha256
    }

    /// Hands out the bytes, a mebibyte or less at a time, and checks their digest at the end: on an error what was
    /// taken is not the file.
    pub fn each(self, mut take: impl FnMut(&[u8])) -> Result<(), DeskError> {
        let mut file = match self.source {
            Source::Octets(octets) => {
                take(&octets);
                return Ok(());
            }
            Source::File(file) => file,
        };
        let read = file.each(|piece| {
            take(piece);
            Ok::<(), SealError>(())
        });
        match read.map_err(DeskError::Package)? == self.sha256 {
            true => Ok(()),
            false => Err(DeskError::Package(SealError::Corrupt(
                "a file of a package is not that of its catalogue",
            ))),
        }
    }
}

/// The intervals of one log, and their packages, for the holder of a permit.
pub struct Packages<'a> {
    desk: Desk<'a, Preserve>,
    sealer: &'a Sealer,
}

impl<'a> Packages<'a> {
    pub(crate) fn new(desk: Desk<'a, Preserve>, sealer: &'a Sealer) -> Self {
        Self { desk, sealer }
    }

    /// Intervals that start after an instant, oldest first, and whether there are more. Nothing is disclosed. The
    /// caller keeps to [`INTERVALS_PAGE`].
    pub fn intervals(
        &self,
        after: Option<IntervalId>,
        limit: usize,
    ) -> Result<(Vec<ListedInterval>, bool), DeskError> {
        let spans = &self.desk.published().spans;
        let from = spans.partition_point(|span| after.is_some_and(|after| span.id <= after));
        let left = spans.get(from..).unwrap_or_default();
        let listed = left.iter().take(limit).map(|span| {
            let closing = span.closed.map(|_| self.sealer.closing(span)).transpose();
            Ok(ListedInterval {
                span: *span,
                closing: closing.map_err(DeskError::Package)?,
            })
        });
        let listed = listed.collect::<Result<_, DeskError>>()?;
        Ok((listed, left.len() > limit))
    }

    /// A file of the package of a closed interval. A disclosure where it may name somebody.
    pub fn file(&self, interval: IntervalId, path: &str) -> Result<HandedOut, DeskError> {
        let (package, closed) = self.package(interval)?;
        let names_nobody = holding(path) == Holding::Open;
        if !names_nobody && !self.sees_everything() {
            return Err(DeskError::FileDenied);
        }
        match path {
            CATALOGUE => return Ok(HandedOut::of(package.catalogue_octets().to_vec())),
            CLOSING => {
                let closing = Box::new(package.closing().clone());
                let metadata = Metadata::Custody(CustodyRecord::IntervalClosed(closing));
                return Ok(HandedOut::of(metadata.to_bytes()));
            }
            PROOF => return self.proof(closed),
            _ => {}
        }
        let entry = package.catalogue().file(path).cloned();
        let entry = entry.ok_or(DeskError::NoFile(interval))?;
        if let Holding::Class(class) = holding(path) {
            self.is_there(interval, class)?;
        }
        let file = package.file(path).map_err(DeskError::Package)?;
        let file = file.ok_or(DeskError::NoFile(interval))?;
        let class = match holding(path) {
            Holding::Open => None,
            Holding::Class(class) => Some(class),
            Holding::Unknown => Some(Class::Justice),
        };
        if let Some(class) = class {
            self.disclose_file(&package, path, class)?;
        }
        Ok(HandedOut {
            source: Source::File(file),
            bytes: entry.bytes,
            sha256: entry.sha256,
        })
    }

    /// Whether files that may name somebody are for this role: the provider, whose log it is, and who runs the service.
    fn sees_everything(&self) -> bool {
        matches!(self.desk.permit.role(), Role::Provider | Role::Operator)
    }

    fn package(&self, interval: IntervalId) -> Result<(Package, LeafIndex), DeskError> {
        let spans = &self.desk.published().spans;
        let span = spans.iter().find(|span| span.id == interval);
        let span = span.ok_or(DeskError::IntervalUnknown(interval))?;
        let closed = span.closed.ok_or(DeskError::IntervalNotClosed(interval))?;
        let package = self.sealer.package(interval).map_err(DeskError::Package)?;
        Ok((
            package.ok_or(DeskError::IntervalNotClosed(interval))?,
            closed,
        ))
    }

    /// Whether a class of an interval is still there.
    fn is_there(&self, interval: IntervalId, class: Class) -> Result<(), DeskError> {
        let reader = self.desk.reader;
        let disposed = reader.is_disposed(interval, class);
        match disposed.map_err(|error| DeskError::Package(error.into()))? {
            true => Err(DeskError::Disposed { interval, class }),
            false => Ok(()),
        }
    }

    /// The proof of the closing leaf: an act of the archive itself, which names nobody.
    fn proof(&self, closed: LeafIndex) -> Result<HandedOut, DeskError> {
        let index = self.desk.index_of(LeafName::Index(closed))?;
        let record = self.desk.visible(index)?;
        let proof = self.desk.proof_of(&record)?;
        Ok(HandedOut::of(proof.into_bytes()))
    }

    fn disclose_file(&self, package: &Package, path: &str, class: Class) -> Result<(), DeskError> {
        let closing = package.closing();
        let query = format!("package interval={} file={path}", closing.interval);
        let leaves = closing.first.get()..closing.size.get();
        let (disclosures, permit) = (self.desk.disclosures, self.desk.permit);
        let recorded = disclosures.record_file(permit, &query, leaves, class);
        recorded.map_err(DeskError::Disclosure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_to_name_nobody_is_open() {
        for open in OPEN {
            assert_eq!(holding(open), Holding::Open);
        }
        for open in [
            "checkpoint.tst",
            "log-trace-0001.jsonl.tsr",
            "log-trace-0001.jsonl.stamp.json",
            "material/00.der",
            "schemas/x.xsd",
            "trust/crl-00.der",
        ] {
            assert_eq!(holding(open), Holding::Open, "{open}");
        }
        for class in Class::ALL {
            for path in [
                format!("log-{class}-0001.jsonl"),
                format!("map-{class}.bin"),
                format!("salt-{class}.bin"),
            ] {
                assert_eq!(holding(&path), Holding::Class(*class), "{path}");
            }
        }
        for unknown in [
            "",
            "log-other-0001.jsonl",
            "log-trace.jsonl",
            "x",
            "map-trace",
        ] {
            assert_eq!(holding(unknown), Holding::Unknown, "{unknown}");
        }
    }
}
