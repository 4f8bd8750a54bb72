//! That every line of every log file is the leaf it says, and that no leaf of its class is missing.
//!
//! A log file is read in batches of whole lines, which threads check each for itself; what goes by order (head, leaves,
//! counts, digests) is then done by one. Of each class the leaves are walked once: the next leaf of the class must be
//! that of the next line, so none is left out, repeated or out of order. A line that is damaged, left out, repeated or
//! out of order is named once; those after it are judged on their own.

use super::folder::{Files, Package};
use super::report::{Ended, Report};
use super::tree::LEAVES;
use super::{Documents, FolderError};
use ceralacca_formats::canonical::Text;
use ceralacca_formats::closing::EventCount;
use ceralacca_formats::digest::{ContentHasher, Sha256};
use ceralacca_formats::event;
use ceralacca_formats::leaf::{Class, LEAF_BYTES, Leaf};
use ceralacca_formats::log_file::{Head, LINE_BYTES_MAX, Line};
use ceralacca_formats::metadata::Metadata;
use ceralacca_formats::tree::LeafHash;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::File;

/// What is read of a file at a time; a longer line makes it more.
const BATCH_BYTES: usize = 4 << 20;
/// Lines that one thread takes at a time.
const LINES: usize = 256;
/// Leaves read at a time.
const LEAVES_BYTES: usize = LEAF_BYTES << 14;
/// How many leaves ahead that of a line is looked for, where lines are left out before it.
const AHEAD_MAX: usize = 4096;
/// Flaws of a class that are told.
const FLAWS_MAX: usize = 20;

/// A line, checked.
pub(super) struct Read {
    pub(super) leaf: Leaf,
    pub(super) hash: LeafHash,
    event: String,
    /// The term under which it stands in the map.
    pub(super) identificativo: Option<Text>,
}

fn read(line: &[u8]) -> Result<Read, String> {
    let parsed = Line::parse(line).map_err(|error| error.to_string())?;
    let leaf = *parsed.leaf();
    let (event, identificativo) = match &parsed {
        // An object's metadata travel with it: its kind is its word.
        Line::Bare(leaf) => (leaf.kind.word().to_owned(), None),
        Line::Full { canonical, .. } => counted(canonical, &leaf),
    };
    Ok(Read {
        hash: leaf.hash(),
        leaf,
        event,
        identificativo,
    })
}

/// The word under which a record is counted, and the identificativo of a trace record.
fn counted(canonical: &[u8], leaf: &Leaf) -> (String, Option<Text>) {
    let Ok(metadata) = Metadata::parse(canonical) else {
        return (event::OTHER.to_owned(), None);
    };
    let word = event::counted_as(&metadata, leaf.kind);
    match metadata {
        Metadata::Trace(trace) => (word, trace.identificativo),
        _ => (word, None),
    }
}

/// Reads a log file in batches: its lines without line feeds, checked; `None` where there is none.
pub(super) fn each_batch(
    package: &Package,
    path: &str,
    mut take: impl FnMut(Option<&[u8]>, Vec<Result<Read, String>>),
) -> Result<Option<(u64, Sha256)>, FolderError> {
    let Some(mut file) = package.open(path)? else {
        return Ok(None);
    };
    let mut hasher = ContentHasher::default();
    let mut buffer: Vec<u8> = Vec::with_capacity(BATCH_BYTES * 2);
    let mut is_first = true;
    loop {
        let before = buffer.len();
        let got = package.fill(path, &mut file, &mut buffer, BATCH_BYTES)?;
        let fresh = buffer.get(before..).unwrap_or_default();
        let last_end = fresh.iter().rposition(|octet| *octet == b'\n');
        let whole = match last_end {
            Some(end) => before + end + 1,
            // What ends without a line feed is given out as it is, to be refused.
            None if got == 0 || buffer.len() > LINE_BYTES_MAX => buffer.len(),
            None => 0,
        };
        let lines = buffer.get(..whole).unwrap_or_default();
        let (lines, ends_well) = match lines.strip_suffix(b"\n") {
            Some(lines) => (lines, true),
            None => (lines, lines.is_empty()),
        };
        let ((), (head, mut checked)) = rayon::join(
            || hasher.update(fresh),
            || {
                if whole == 0 {
                    return (None, Vec::new());
                }
                let mut lines: Vec<&[u8]> = lines.split(|octet| *octet == b'\n').collect();
                let head = is_first.then(|| lines.remove(0));
                let checked = lines.par_chunks(LINES);
                let checked = checked.flat_map_iter(|lines| lines.iter().map(|line| read(line)));
                (head, checked.collect::<Vec<_>>())
            },
        );
        if !ends_well {
            checked.push(Err("the last line does not end".to_owned()));
        }
        if whole > 0 {
            take(head, checked);
            is_first = false;
        }
        buffer.drain(..whole);
        if got == 0 && buffer.is_empty() {
            let digest = hasher.finish();
            return Ok(Some((digest.bytes, digest.sha256)));
        }
    }
}

/// Walks the leaves of one class.
struct Leaves<'a> {
    package: &'a Package,
    class: Class,
    file: Option<File>,
    buffer: Vec<u8>,
    at: usize,
    /// Read, and not passed yet.
    ahead: VecDeque<Leaf>,
}

impl<'a> Leaves<'a> {
    fn of(package: &'a Package, class: Class) -> Result<Self, FolderError> {
        Ok(Self {
            package,
            class,
            file: package.open(LEAVES)?,
            buffer: Vec::with_capacity(LEAVES_BYTES),
            at: 0,
            ahead: VecDeque::new(),
        })
    }

    /// The leaf of the class so many places ahead, 0 for the next.
    fn peek(&mut self, ahead: usize) -> Result<Option<Leaf>, FolderError> {
        while self.ahead.len() <= ahead {
            match self.read()? {
                Some(leaf) => self.ahead.push_back(leaf),
                None => return Ok(None),
            }
        }
        Ok(self.ahead.get(ahead).copied())
    }

    /// Goes on behind as many leaves, of those that were seen.
    fn pass(&mut self, leaves: usize) {
        self.ahead.drain(..leaves.min(self.ahead.len()));
    }

    /// What is wrong with the place of the next line, whose leaf this is; goes on behind it.
    fn follow(&mut self, found: &Leaf) -> Result<Option<String>, FolderError> {
        let Some(expected) = self.peek(0)? else {
            let index = found.seq;
            return Ok(Some(format!(
                "leaf {index} where leaves.bin has none of the class"
            )));
        };
        if expected == *found {
            self.pass(1);
            return Ok(None);
        }
        let (index, next) = (found.seq, expected.seq);
        let differs = format!("leaf {index} where leaves.bin has {next} of the class");
        if expected.commitment == found.commitment || index == next {
            self.pass(1);
            return Ok(Some(format!("{differs}: not the same leaf")));
        }
        // It stands again, or too late: the next leaf still waits for its line.
        if index < next {
            return Ok(Some(differs));
        }
        for ahead in 1..AHEAD_MAX {
            match self.peek(ahead)?.filter(|leaf| leaf.seq <= index) {
                Some(leaf) if leaf == *found => {
                    self.pass(ahead + 1);
                    return Ok(Some(format!(
                        "leaf {next} and {} more before leaf {index} have no line",
                        ahead - 1
                    )));
                }
                Some(_) => {}
                None => break,
            }
        }
        self.pass(1);
        Ok(Some(differs))
    }

    /// The next leaf of the class in the file.
    fn read(&mut self) -> Result<Option<Leaf>, FolderError> {
        loop {
            let end = self.at + LEAF_BYTES;
            let Some(octets) = self.buffer.get(self.at..end) else {
                self.buffer.clear();
                self.at = 0;
                let Some(file) = &mut self.file else {
                    return Ok(None);
                };
                let got = self
                    .package
                    .fill(LEAVES, file, &mut self.buffer, LEAVES_BYTES)?;
                match got < LEAF_BYTES {
                    true => return Ok(None),
                    false => continue,
                }
            };
            self.at = end;
            // What is no leaf was told where the tree was checked.
            if let Some(leaf) = Leaf::from_bytes(octets)
                .ok()
                .filter(|l| l.class == self.class)
            {
                return Ok(Some(leaf));
            }
        }
    }
}

/// What is found of a class.
struct Walk<'a> {
    leaves: Leaves<'a>,
    hashes: ContentHasher,
    records: u64,
    counts: BTreeMap<String, u64>,
    flaws: Vec<String>,
    failed: Option<FolderError>,
}

impl Walk<'_> {
    fn flaw(&mut self, flaw: impl FnOnce() -> String) {
        if self.flaws.len() < FLAWS_MAX {
            self.flaws.push(flaw());
        }
    }

    fn take(&mut self, path: &str, line: Result<Read, String>) {
        let number = self.records;
        self.records += 1;
        let line = match line {
            Ok(line) => line,
            Err(why) => {
                // It stands where the line of the next leaf does.
                match self.leaves.peek(0) {
                    Ok(_) => self.leaves.pass(1),
                    Err(error) => self.failed = Some(error),
                }
                return self.flaw(|| format!("{path}, record {number} of its class: {why}"));
            }
        };
        match self.leaves.follow(&line.leaf) {
            Err(error) => self.failed = Some(error),
            Ok(None) => {}
            Ok(Some(why)) => self.flaw(|| format!("{path}: {why}")),
        }
        self.hashes.update(line.hash.as_bytes());
        match self.counts.get_mut(&line.event) {
            Some(count) => *count += 1,
            None => {
                self.counts.insert(line.event, 1);
            }
        }
    }
}

/// Checks the log files of every class; gives the classes of which there were none to check.
pub(super) fn check(
    package: &Package,
    documents: &Documents,
    files: &Files,
    report: &mut Report,
) -> Result<BTreeSet<u16>, FolderError> {
    for class in Class::ALL {
        let what = format!("log file of class {class}: every line is its leaf, every leaf has one");
        if files.absent.contains(&class.code()) {
            let why = "not handed out".to_owned();
            report.add("log files", &what, Ended::NotChecked(why));
            continue;
        }
        let flaws = check_class(package, documents, *class, report)?;
        report.flaws("log files", &what, &flaws);
    }
    let counted: u64 = documents
        .contents
        .counts
        .iter()
        .map(|count| count.count)
        .sum();
    let size = documents.closing.size.get();
    let leaves = size.saturating_sub(documents.closing.first.get());
    report.tell(
        "log files",
        "the counts of all classes are all leaves",
        counted == leaves,
    );
    Ok(files.absent.clone())
}

fn check_class(
    package: &Package,
    documents: &Documents,
    class: Class,
    report: &mut Report,
) -> Result<Vec<String>, FolderError> {
    let mut walk = Walk {
        leaves: Leaves::of(package, class)?,
        hashes: ContentHasher::default(),
        records: 0,
        counts: BTreeMap::new(),
        flaws: Vec::new(),
        failed: None,
    };
    for (path, part) in documents.parts(class).iter().zip(1u32..) {
        let mut head = None;
        let digest = each_batch(package, path, |first, lines| {
            if let Some(line) = first {
                let leaf = lines.first().and_then(|line| line.as_ref().ok());
                head = Head::parse(line)
                    .ok()
                    .map(|h| (h, leaf.map(|line| line.leaf.seq)));
            }
            for line in lines {
                walk.take(path, line);
            }
        })?;
        let listed = documents.catalogue.file(path);
        let listed = listed.map(|entry| (entry.bytes, entry.sha256));
        if digest.is_none() || digest != listed {
            walk.flaw(|| format!("{path} is not the file of the catalogue"));
        }
        let at = usize::try_from(part.saturating_sub(1)).unwrap_or(usize::MAX);
        let held = documents.contents.class(class);
        let held = held.and_then(|held| held.files.get(at)).copied();
        if digest.is_none() || held != digest.map(|(_, sha256)| sha256) {
            walk.flaw(|| format!("{path} is not the file of contents.json"));
        }
        let is_head = head.is_some_and(|(head, first)| {
            head.origin == documents.catalogue.origin
                && head.interval == documents.catalogue.interval
                && (head.class, head.part) == (class, part)
                && Some(head.first) == first
        });
        if !is_head {
            walk.flaw(|| format!("{path}: the head is of another file"));
        }
    }
    if let Some(error) = walk.failed {
        return Err(error);
    }
    if let Some(leaf) = walk.leaves.peek(0)? {
        let index = leaf.seq;
        walk.flaw(|| format!("leaf {index} and perhaps more have no line"));
    }
    report.records += walk.records;
    let held = documents.contents.class(class);
    let (records, hashes) = held.map_or((0, None), |held| (held.records, Some(held.leaf_hashes)));
    let found = walk.hashes.finish().sha256;
    if records != walk.records || hashes.is_some_and(|hashes| hashes != found) {
        walk.flaws
            .push("contents.json has other records or leaf_hashes".to_owned());
    }
    let counts = documents
        .contents
        .counts
        .iter()
        .filter(|count| count.class == class);
    let said = |count: &EventCount| Some((count.event.to_str()?.to_owned(), count.count));
    let said: Option<BTreeMap<String, u64>> = counts.map(said).collect();
    // An object that travels alone is counted under its kind, as the archive did.
    if said != Some(walk.counts) {
        walk.flaws.push("contents.json has other counts".to_owned());
    }
    Ok(walk.flaws)
}
