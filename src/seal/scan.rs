//! Every record of an interval, read once: log files, maps, counts, and the digests that evidence is over.
//!
//! # Invariants
//! 1. Records are opened by two threads and written by one, in log order: memory is a batch of them.
//! 2. A record that does not open, or does not recompute its leaf, stops the closing: an alarm, never a gap.
//! 3. Every leaf of the interval is in the log file of its class, once.

use super::SealError;
use super::folder::{FileWriter, Folder, Secrets};
use super::spill::{Keyed, SHARE_BITS, Spill};
use crate::ambient::{Entropy, draw};
use crate::audit::Reader;
use crate::record::held;
use crate::record::open::{self, Opened};
use crate::sequencer::Span;
use crate::store::cf::leaf::Leaves;
use crate::store::cf::metadata::{EncryptedMetadata, MetadataRow, RecordKey};
use crate::store::cf::unit_prefix;
use crate::store::{KeyRange, Order, Rows, StoreError};
use ceralacca_formats::catalogue::Entry;
use ceralacca_formats::closing::{ClosedClass, Contents, EventCount};
use ceralacca_formats::digest::{ContentHasher, Sha256};
use ceralacca_formats::event;
use ceralacca_formats::id::{LeafIndex, Origin, TreeSize};
use ceralacca_formats::leaf::Class;
use ceralacca_formats::log_file::{Head, Line};
use ceralacca_formats::map::file::bits_for;
use ceralacca_formats::map::{
    MapFileError, MapKey, MapNode, MapSaltDigest, MapValue, MapWriter, subtree_root,
};
use ceralacca_formats::metadata::Metadata;
use ceralacca_formats::tree::LeafHash;
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Records opened at a time.
const BATCH: usize = 2048;

/// Name of a part of a log file.
pub(super) fn log_name(class: Class, part: u32) -> String {
    format!("log-{class}-{part:04}.jsonl")
}

/// Name of the map of a class.
pub(super) fn map_name(class: Class) -> String {
    format!("map-{class}.bin")
}

/// Name of the salt of a map: handed out with it, so that whoever has the log file can build it again.
pub(super) fn salt_name(class: Class) -> String {
    format!("salt-{class}.bin")
}

/// An object, as a group of the evidence record: its digest and that of its opening.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    pub(super) index: LeafIndex,
    pub(super) digests: [Sha256; 2],
}

/// What was made of the records.
pub(super) struct Scanned {
    pub(super) contents: Contents,
    pub(super) files: Vec<Entry>,
}

/// What a scan reads and writes with.
pub(super) struct Scan<'a> {
    pub(super) reader: &'a Reader,
    pub(super) origin: &'a Origin,
    pub(super) span: &'a Span,
    pub(super) size: TreeSize,
    pub(super) folder: &'a Folder,
    pub(super) entropy: &'a dyn Entropy,
    /// Octets after which a log file goes on in another part.
    pub(super) file_bytes_max: u64,
}

struct Item {
    hash: LeafHash,
    line: Vec<u8>,
    key: Option<MapKey>,
    event: String,
}

type Counts = BTreeMap<(Class, String), u64>;
/// Objects of a class, each with its row where it is not one that a hold kept.
type Objects<'a> =
    Box<dyn Iterator<Item = Result<(RecordKey, Option<MetadataRow>), StoreError>> + 'a>;

impl Scan<'_> {
    pub(super) fn secrets(&self) -> Secrets<'_> {
        Secrets {
            keyring: self.reader.keyring(),
            store: self.reader.store(),
            interval: self.span.id,
        }
    }

    /// Reads every class in turn.
    pub(super) fn run(&self) -> Result<Scanned, SealError> {
        let mut scanned = Scanned {
            contents: Contents::default(),
            files: Vec::new(),
        };
        let mut counts = Counts::new();
        for class in Class::ALL {
            if let Some(closed) = self.class(*class, &mut counts, &mut scanned.files)? {
                scanned.contents.classes.push(closed);
            }
        }
        let records = scanned.contents.classes.iter().map(|c| c.records);
        let leaves = self.size.get().saturating_sub(self.span.first.get());
        if records.sum::<u64>() != leaves {
            return Err(SealError::Corrupt("records and leaves of the interval"));
        }
        let counts = counts.into_iter();
        let counts = counts.map(|((class, event), count)| EventCount {
            class,
            event: event.as_str().into(),
            count,
        });
        scanned.contents.counts = counts.collect();
        Ok(scanned)
    }

    fn class(
        &self,
        class: Class,
        counts: &mut Counts,
        files: &mut Vec<Entry>,
    ) -> Result<Option<ClosedClass>, SealError> {
        let mut writer = LogWriter::new(self, class);
        let keys = self.secrets();
        let keys = keys.keyring.class(keys.store, self.span.id, class)?;
        let salt = *keys.map_salt();
        let mut spill = Spill::new(&self.folder.path().join(format!("{class}.spill")));
        self.each_batch(class, |rows| {
            let items = rows.into_par_iter().map(|row| self.item(row, &salt));
            let items: Result<Vec<Item>, SealError> = items.collect();
            for item in items? {
                writer.write(&item)?;
                if let Some(key) = item.key {
                    spill.push((key, item.hash))?;
                }
                *counts.entry((class, item.event)).or_default() += 1;
            }
            Ok(())
        })?;
        if writer.records == 0 {
            return Ok(None);
        }
        let (secrets, entropy) = (self.secrets(), self.entropy);
        let name = salt_name(class);
        let mut file = self.folder.encrypted(&name, class, &secrets, entropy)?;
        file.write(&salt)?;
        files.push(file.finish()?);
        let salt = MapSaltDigest::of(&salt);
        let (keys, root, map) = self.map(class, &salt, spill)?;
        let (records, leaf_hashes, parts) = writer.finish()?;
        let closed = ClosedClass {
            class,
            records,
            leaf_hashes,
            files: parts.iter().map(|entry| entry.sha256).collect(),
            keys,
            map_root: root,
            salt: Sha256::from_bytes(*salt.as_bytes()),
        };
        files.extend(parts);
        files.push(map);
        Ok(Some(closed))
    }

    fn each_batch(
        &self,
        class: Class,
        mut take: impl FnMut(Vec<(RecordKey, MetadataRow)>) -> Result<(), SealError>,
    ) -> Result<(), SealError> {
        let range = KeyRange::prefix(&unit_prefix(self.span.id, class));
        let store = self.reader.store();
        let mut batch = Vec::with_capacity(BATCH);
        for row in store.rows::<EncryptedMetadata>(&range, Order::Ascending) {
            batch.push(row?);
            if batch.len() == BATCH {
                take(std::mem::take(&mut batch))?;
            }
        }
        take(batch)
    }

    fn open(&self, key: RecordKey, row: MetadataRow) -> Result<Opened, SealError> {
        let (store, keyring) = (self.reader.store(), self.reader.keyring());
        let leaf = store.read::<Leaves>(&key.index)?;
        let leaf = leaf.filter(|leaf| leaf.class == key.class);
        let leaf = leaf.ok_or(SealError::Corrupt("a record without its leaf"))?;
        Ok(open::open_row(store, keyring, self.span.id, leaf, row)?)
    }

    fn item(
        &self,
        (key, row): (RecordKey, MetadataRow),
        salt: &[u8; 32],
    ) -> Result<Item, SealError> {
        let opened = self.open(key, row)?;
        // What a newer program wrote is archived as it is, and counted as unknown.
        let metadata = opened.metadata().ok();
        let identificativo = match &metadata {
            Some(Metadata::Trace(trace)) => trace.identificativo.as_ref(),
            _ => None,
        };
        let key = identificativo.map(|id| MapKey::of_identificativo(salt, id.as_bytes()));
        let event = match &metadata {
            Some(metadata) => event::counted_as(metadata, opened.leaf.kind),
            None => event::OTHER.to_owned(),
        };
        let mut line = Vec::with_capacity(opened.canonical.len() + 320);
        match opened.has_own_keys() {
            true => Line::Bare(opened.leaf).write(&mut line),
            false => Line::Full {
                leaf: opened.leaf,
                opening: opened.opening,
                content: opened.content,
                canonical: &opened.canonical,
            }
            .write(&mut line),
        }
        Ok(Item {
            hash: opened.leaf.hash(),
            line,
            key,
            event,
        })
    }

    fn map(
        &self,
        class: Class,
        salt: &MapSaltDigest,
        spill: Spill,
    ) -> Result<(u64, Sha256, Entry), SealError> {
        let name = map_name(class);
        let secrets = self.secrets();
        let mut file = self
            .folder
            .encrypted(&name, class, &secrets, self.entropy)?;
        let bits = bits_for(spill.total());
        let sink = |bytes: &[u8]| file.write(bytes).map_err(SealError::from);
        let mut writer = MapWriter::new(salt, bits, sink).map_err(map_failed)?;
        spill.each(|share| {
            // A bucket of so few bits is of several shares.
            if usize::from(bits) < SHARE_BITS {
                let entries = values(share)?;
                let mut entries = entries.into_iter();
                return entries
                    .try_for_each(|(key, value)| writer.push(key, value).map_err(map_failed));
            }
            let buckets = share.chunk_by(|(a, _), (b, _)| a.prefix(bits) == b.prefix(bits));
            let buckets: Vec<_> = buckets.collect();
            let built = buckets
                .into_par_iter()
                .map(|bucket| bucket_of(bucket, bits));
            let built: Result<Vec<_>, SealError> = built.collect();
            for (bucket, entries, root) in built? {
                let pushed = writer.push_bucket(bucket, &entries, root);
                pushed.map_err(map_failed)?;
            }
            Ok::<(), SealError>(())
        })?;
        let (keys, root) = writer.finish().map_err(map_failed)?;
        let entry = file.finish()?;
        Ok((keys, Sha256::from_bytes(*root.as_bytes()), entry))
    }

    /// Hands out the objects of the interval, in log order: the classes are merged.
    pub(super) fn groups(
        &self,
        mut take: impl FnMut(Group) -> Result<(), SealError>,
    ) -> Result<(), SealError> {
        let scans = Class::ALL
            .iter()
            .map(|class| self.objects(*class).map(Iterator::peekable));
        let scans: Result<Vec<_>, SealError> = scans.collect();
        let mut scans = scans?;
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            // An error comes before all else.
            let next = scans.iter_mut().enumerate().filter_map(|(at, scan)| {
                let index = match scan.peek()? {
                    Ok((key, _)) => Some(key.index),
                    Err(_) => None,
                };
                Some((index, at))
            });
            let next = next.min();
            let row = next.and_then(|(_, at)| scans.get_mut(at)?.next());
            let ended = row.is_none();
            batch.extend(row.transpose()?);
            if batch.len() < BATCH && !ended {
                continue;
            }
            let rows = std::mem::take(&mut batch).into_par_iter();
            let groups = rows.map(|(key, row)| self.group(key, row));
            let groups: Result<Vec<Group>, SealError> = groups.collect();
            groups?.into_iter().try_for_each(&mut take)?;
            if ended {
                return Ok(());
            }
        }
    }

    /// The objects of a class, in log order, each with its row; without one those that a hold kept.
    fn objects(&self, class: Class) -> Result<Objects<'_>, SealError> {
        let store = self.reader.store();
        if let Some(copy) = held::in_force(store, self.span.id, class)? {
            let rows = held::records(store, copy);
            return Ok(Box::new(rows.filter_map(move |row| match row {
                Ok((index, row)) => row.has_content.then_some(Ok((copy.record(index), None))),
                Err(error) => Some(Err(error)),
            })));
        }
        let range = KeyRange::prefix(&unit_prefix(self.span.id, class));
        let rows = store.rows::<EncryptedMetadata>(&range, Order::Ascending);
        Ok(Box::new(rows.filter_map(|row| match row {
            Ok((key, row)) => open::has_own_keys(&row).then_some(Ok((key, Some(row)))),
            Err(error) => Some(Err(error)),
        })))
    }

    fn group(&self, key: RecordKey, row: Option<MetadataRow>) -> Result<Group, SealError> {
        let opened = match row {
            Some(row) => self.open(key, row)?,
            None => self.reader.record(&self.reader.published(), key.index)?,
        };
        Ok(Group {
            index: key.index,
            digests: [opened.content.sha256, Sha256::of(opened.opening.as_bytes())],
        })
    }
}

type Entries = Vec<(MapKey, MapValue)>;

/// The keys of sorted records, each with its value.
fn values(records: &[Keyed]) -> Result<Entries, SealError> {
    let same = records.chunk_by(|(a, _), (b, _)| a == b);
    let values = same.filter_map(|records| {
        let (key, _) = records.first()?;
        let hashes: Vec<LeafHash> = records.iter().map(|(_, hash)| *hash).collect();
        Some(MapValue::of(&hashes).map(|value| (*key, value)))
    });
    Ok(values.collect::<Result<_, _>>()?)
}

/// The entries of one bucket, and the root of its subtree.
fn bucket_of(records: &[Keyed], bits: u8) -> Result<(usize, Entries, MapNode), SealError> {
    let entries = values(records)?;
    let bucket = entries.first().map_or(0, |(key, _)| key.prefix(bits));
    let root = subtree_root(bits.into(), &entries)?;
    Ok((bucket, entries, root))
}

fn map_failed(error: MapFileError<SealError>) -> SealError {
    match error {
        MapFileError::Storage(error) => error,
        other => SealError::Map(other.to_string()),
    }
}

/// Writes the log file of a class, part after part.
struct LogWriter<'a> {
    scan: &'a Scan<'a>,
    class: Class,
    records: u64,
    hashes: ContentHasher,
    part: u32,
    file: Option<FileWriter>,
    done: Vec<Entry>,
}

impl<'a> LogWriter<'a> {
    fn new(scan: &'a Scan<'a>, class: Class) -> Self {
        Self {
            scan,
            class,
            records: 0,
            hashes: ContentHasher::default(),
            part: 0,
            file: None,
            done: Vec::new(),
        }
    }

    fn write(&mut self, item: &Item) -> Result<(), SealError> {
        let full =
            |file: &FileWriter| file.bytes() + item.line.len() as u64 > self.scan.file_bytes_max;
        if let Some(file) = self.file.take_if(|file| full(file)) {
            self.done.push(file.finish()?);
        }
        let mut file = match self.file.take() {
            Some(file) => file,
            None => self.begin(item)?,
        };
        file.write(&item.line)?;
        self.file = Some(file);
        self.records += 1;
        self.hashes.update(item.hash.as_bytes());
        Ok(())
    }

    fn begin(&mut self, item: &Item) -> Result<FileWriter, SealError> {
        let line = Line::parse(item.line.strip_suffix(b"\n").unwrap_or(&item.line));
        let first = line.map_err(|_| SealError::Corrupt("a line of the log file"))?;
        self.part += 1;
        let head = Head {
            origin: self.scan.origin.clone(),
            interval: self.scan.span.id,
            class: self.class,
            part: self.part,
            first: first.leaf().seq,
            salt: draw(self.scan.entropy),
        };
        let name = log_name(self.class, self.part);
        let (secrets, entropy) = (self.scan.secrets(), self.scan.entropy);
        let folder = self.scan.folder;
        let mut file = folder.encrypted(&name, self.class, &secrets, entropy)?;
        file.write(head.to_line().as_bytes())?;
        Ok(file)
    }

    fn finish(mut self) -> Result<(u64, Sha256, Vec<Entry>), SealError> {
        if let Some(file) = self.file.take() {
            self.done.push(file.finish()?);
        }
        Ok((self.records, self.hashes.finish().sha256, self.done))
    }
}
