//! Log files to rows: each line is held to its leaf, encrypted anew, and its terms are indexed.
//!
//! ```text
//! reader: decrypt, digest, whole lines ─▶ threads: parse, commit, terms, compress, encrypt ─▶ writer: order, rows
//! ```
//!
//! # Invariants
//! 1. A line enters only as the next leaf of its class: none is left out, repeated or out of order.
//! 2. Every record draws a nonce of its own (`record::carried`).
//! 3. Bounded: a few batches of lines wait between two steps, whatever the length of a file.

use super::held::Held;
use super::packages::Package;
use super::tree::{LeafFile, OfClass, Roll};
use super::{Found, RebuildError, Work, damaged, gone};
use crate::ambient::draw;
use crate::index::bulk::Postings;
use crate::record::{carried, prepare};
use crate::seal::folder::{FileReader, Folder, Secrets};
use crate::store::cf::ColumnFamily;
use crate::store::cf::metadata::{EncryptedMetadata, RecordKey};
use ceralacca_formats::catalogue::Entry;
use ceralacca_formats::digest::ContentDigest;
use ceralacca_formats::encrypt::Place;
use ceralacca_formats::id::IntervalId;
use ceralacca_formats::leaf::{Class, Leaf};
use ceralacca_formats::log_file::{Head, LINE_BYTES_MAX, Line};
use ceralacca_formats::metadata::{Field, Metadata};
use ceralacca_formats::secret::{RecordNonce, Subkeys, Token};
use rayon::prelude::*;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Octets of a batch of lines; a longer line makes it more.
const BATCH_BYTES: usize = 2 << 20;
/// Lines that one thread takes at a time.
const LINES: usize = 256;
/// Batches that wait between two steps.
const WAITING: usize = 2;

/// A line, ready to be written.
struct Ready {
    leaf: Leaf,
    /// Its row of metadata; none of a record whose rows stand among the contents.
    value: Option<Vec<u8>>,
    tokens: Vec<(Field, Token)>,
    found: Option<Found>,
}

type Batch = Vec<Result<Ready, String>>;

/// The log files of one interval.
pub(super) struct Lines<'a> {
    pub(super) work: &'a Work<'a>,
    pub(super) package: &'a Package,
    pub(super) folder: &'a Folder,
    pub(super) leaves: &'a LeafFile,
    /// Classes that were disposed of: their log files are not asked for.
    pub(super) gone: &'a [Class],
}

/// What came of the lines of an interval.
#[derive(Clone, Copy, Default)]
pub(super) struct Taken {
    /// Lines.
    pub(super) lines: u64,
    /// Of these, of objects that were erased.
    pub(super) erased: u64,
    /// Records of classes that were disposed of, which have none.
    pub(super) disposed: u64,
}

/// Where rows and terms go.
pub(super) struct Sink<'a, 'store, 'scope> {
    pub(super) rows: &'a mut Roll<'store>,
    pub(super) postings: &'a mut Postings<'scope>,
    pub(super) found: &'a mut Vec<Found>,
}

impl Lines<'_> {
    /// Takes in every log file; `held` is what the contents have of the interval.
    pub(super) fn run(
        &self,
        held: &mut Held,
        sink: &mut Sink<'_, '_, '_>,
    ) -> Result<Taken, RebuildError> {
        let mut taken = Taken::default();
        for closed in &self.package.closing.contents.classes {
            let class = closed.class;
            if self.gone.contains(&class) {
                taken.disposed += closed.records;
                self.work.done(closed.records);
                continue;
            }
            let mut walk = Walk {
                lines: self,
                class,
                leaves: self.leaves.of_class(class),
                held,
                records: 0,
                erased: 0,
            };
            for (part, sha256) in (1u32..).zip(&closed.files) {
                let name = format!("log-{class}-{part:04}.jsonl");
                let entry = self.package.catalogue.file(&name);
                let entry = entry.filter(|entry| entry.sha256 == *sha256);
                let entry = entry.ok_or_else(|| {
                    self.package
                        .bad_file(&name, "closing.json and catalogue differ")
                })?;
                self.part(entry, part, &mut walk, sink)?;
            }
            if let Some(leaf) = walk.leaves.next()? {
                let why = format!("leaf {} of class {class} has no line", leaf.seq);
                return Err(self.package.bad(&why));
            }
            if walk.records != closed.records {
                let why = format!("closing.json has another number of records of class {class}");
                return Err(self.package.bad(&why));
            }
            taken.lines += walk.records;
            taken.erased += walk.erased;
        }
        Ok(taken)
    }

    fn part(
        &self,
        entry: &Entry,
        part: u32,
        walk: &mut Walk<'_>,
        sink: &mut Sink<'_, '_, '_>,
    ) -> Result<(), RebuildError> {
        let interval = self.package.catalogue.interval;
        let secrets = self.work.secrets(interval);
        let keys = self
            .work
            .keyring
            .class(self.work.store, interval, walk.class);
        let keys = keys?;
        let preparer = Preparer {
            work: self.work,
            interval,
            class: walk.class,
            keys: &keys,
        };
        std::thread::scope(|scope| {
            let (to_prepare, batches) = sync_channel(WAITING);
            let (to_write, ready) = sync_channel(WAITING);
            let reading = scope.spawn(move || self.read(entry, secrets, to_prepare));
            let writing = scope.spawn(move || walk.write(entry, part, &ready, sink));
            preparer.run(&batches, &to_write);
            drop((batches, to_write));
            // The one that failed hung up on the others: what it says comes first.
            let written = writing.join().unwrap_or(Err(RebuildError::Panicked));
            let read = reading.join().unwrap_or(Err(RebuildError::Panicked));
            match (written, read) {
                // What is wrong with a line says more than that the file is another.
                (Err(line), Err(RebuildError::Damaged { .. })) => Err(line),
                (written, read) => read.and(written),
            }
        })
    }

    /// Hands out a file in batches of whole lines, and compares it with the catalogue at its end.
    fn read(
        &self,
        entry: &Entry,
        secrets: Secrets<'_>,
        to: SyncSender<Vec<u8>>,
    ) -> Result<(), RebuildError> {
        let name = &entry.path;
        let file: Option<FileReader> = self.folder.open(name, &secrets)?;
        let missing = || self.package.bad_file(name, "it is missing");
        let mut file = file.ok_or_else(missing)?;
        let bytes = file.bytes();
        let mut buffer: Vec<u8> = Vec::with_capacity(BATCH_BYTES * 2);
        let sha256 = file.each(|piece| {
            buffer.extend_from_slice(piece);
            if buffer.len() < BATCH_BYTES {
                return Ok(());
            }
            let end = buffer.iter().rposition(|octet| *octet == b'\n');
            let Some(end) = end else {
                let long = buffer.len() > LINE_BYTES_MAX;
                let why = "a line longer than there can be";
                return match long {
                    true => Err(self.package.bad_file(name, why)),
                    false => Ok(()),
                };
            };
            let rest = buffer.split_off(end + 1);
            // Who hangs up says why.
            let _ = to.send(std::mem::replace(&mut buffer, rest));
            Ok(())
        })?;
        if !buffer.is_empty() {
            let _ = to.send(buffer);
        }
        match (bytes, sha256) == (entry.bytes, entry.sha256) {
            true => Ok(()),
            false => {
                let why = "another length or digest than its catalogue has";
                Err(self.package.bad_file(name, why))
            }
        }
    }
}

/// What prepares lines of one class.
struct Preparer<'a> {
    work: &'a Work<'a>,
    interval: IntervalId,
    class: Class,
    keys: &'a Subkeys,
}

impl Preparer<'_> {
    /// Each batch in its turn; the head of the file goes before the first.
    fn run(&self, from: &Receiver<Vec<u8>>, to: &SyncSender<(Option<Vec<u8>>, Batch)>) {
        let mut is_first = true;
        for batch in from {
            let Some(whole) = batch.strip_suffix(b"\n") else {
                let why = "the last line does not end".to_owned();
                let _ = to.send((None, vec![Err(why)]));
                return;
            };
            let mut lines: Vec<&[u8]> = whole.split(|octet| *octet == b'\n').collect();
            let head = is_first.then(|| lines.remove(0).to_vec());
            is_first = false;
            let ready = lines.par_chunks(LINES);
            let ready = ready.flat_map_iter(|lines| lines.iter().map(|line| self.line(line)));
            if to.send((head, ready.collect())).is_err() {
                return;
            }
        }
    }

    fn line(&self, line: &[u8]) -> Result<Ready, String> {
        let line = Line::parse(line).map_err(|error| error.to_string())?;
        let (leaf, opening, content, canonical) = match line {
            Line::Bare(leaf) => {
                return Ok(Ready {
                    leaf,
                    value: None,
                    tokens: Vec::new(),
                    found: None,
                });
            }
            Line::Full {
                leaf,
                opening,
                content,
                canonical,
            } => (leaf, opening, content, canonical),
        };
        if content != ContentDigest::EMPTY {
            return Err(format!(
                "leaf {} has a content without keys of its own",
                leaf.seq
            ));
        }
        let place = Place {
            origin_sha256: self.work.keyring.origin_sha256(),
            interval: self.interval,
            class: self.class,
            nonce: RecordNonce::from_bytes(draw(self.work.entropy)),
        };
        let row = carried::encrypt(self.keys, place, &opening, canonical);
        let mut value = Vec::with_capacity(row.ciphertext.len() + 24);
        EncryptedMetadata::encode_value(&row, &mut value);
        // What a newer program wrote is kept as it is: its terms are not ours to know.
        let metadata = Metadata::parse(canonical).ok();
        let tokens = metadata.as_ref().map(|m| prepare::tokens(self.keys, m));
        Ok(Ready {
            leaf,
            value: Some(value),
            tokens: tokens.unwrap_or_default(),
            found: metadata.and_then(|m| Found::of(&leaf, m, canonical)),
        })
    }
}

/// What is found of a class, in order.
struct Walk<'a> {
    lines: &'a Lines<'a>,
    class: Class,
    leaves: OfClass<'a>,
    held: &'a mut Held,
    records: u64,
    erased: u64,
}

impl Walk<'_> {
    fn write(
        &mut self,
        entry: &Entry,
        part: u32,
        from: &Receiver<(Option<Vec<u8>>, Batch)>,
        sink: &mut Sink<'_, '_, '_>,
    ) -> Result<(), RebuildError> {
        let mut key = Vec::with_capacity(18);
        let mut has_head = false;
        for (head, batch) in from {
            if let Some(head) = head {
                has_head = true;
                let first = batch.first().and_then(|line| line.as_ref().ok());
                self.head(entry, part, &head, first.map(|line| &line.leaf))?;
            }
            let done = batch.len() as u64;
            for line in batch {
                let line = line.map_err(|why| self.bad(entry, &why))?;
                self.take(entry, line, &mut key, sink)?;
            }
            self.lines.work.done(done);
        }
        match has_head {
            true => Ok(()),
            false => Err(self.bad(entry, "it has no head")),
        }
    }

    fn bad(&self, entry: &Entry, why: &str) -> RebuildError {
        let number = self.records;
        let why = format!("record {number} of its class: {why}");
        self.lines.package.bad_file(&entry.path, &why)
    }

    fn head(
        &self,
        entry: &Entry,
        part: u32,
        head: &[u8],
        first: Option<&Leaf>,
    ) -> Result<(), RebuildError> {
        let catalogue = &self.lines.package.catalogue;
        let is_of = |head: &Head| {
            head.origin == catalogue.origin
                && head.interval == catalogue.interval
                && (head.class, head.part) == (self.class, part)
                && first.is_none_or(|leaf| leaf.seq == head.first)
        };
        match Head::parse(head).is_ok_and(|head| is_of(&head)) {
            true => Ok(()),
            false => Err(self.bad(entry, "the head is of another file")),
        }
    }

    fn take(
        &mut self,
        entry: &Entry,
        line: Ready,
        key: &mut Vec<u8>,
        sink: &mut Sink<'_, '_, '_>,
    ) -> Result<(), RebuildError> {
        let leaf = line.leaf;
        let expected = self.leaves.next()?;
        if expected != Some(leaf) {
            let expected = expected.map_or("none".to_owned(), |leaf| leaf.seq.to_string());
            let why = format!("leaf {} where leaves.bin has {expected}", leaf.seq);
            return Err(self.bad(entry, &why));
        }
        self.records += 1;
        let interval = self.lines.package.catalogue.interval;
        let Some(value) = line.value else {
            if gone::is_erased(self.lines.work.store, leaf.seq)? {
                self.erased += 1;
                return Ok(());
            }
            return match self.held.take(self.class, leaf.seq) {
                true => Ok(()),
                false => {
                    let what = format!("interval {interval}, leaf {}", leaf.seq);
                    Err(damaged(&what, "the contents do not hold its object"))
                }
            };
        };
        let record = RecordKey {
            interval,
            class: self.class,
            index: leaf.seq,
        };
        key.clear();
        EncryptedMetadata::encode_key(&record, key);
        sink.rows.put(key, &value)?;
        let postings = &mut sink.postings;
        postings.add(interval, self.class, leaf.seq, &line.tokens)?;
        sink.found.extend(line.found);
        Ok(())
    }
}
