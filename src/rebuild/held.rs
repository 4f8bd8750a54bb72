//! Records that are held as rows: objects, and what no package holds yet. Put into the store, read back, and held to
//! their leaves and digests.

use super::rows::{Row, RowReader};
use super::tree::{LeafFile, Roll, place};
use super::{Found, RebuildError, Work, damaged};
use crate::index::bulk::Postings;
use crate::record::open::{self, RecordError};
use crate::record::prepare;
use crate::store::Batch;
use crate::store::cf::chunk::Chunks;
use crate::store::cf::content::Contents;
use crate::store::cf::metadata::{EncryptedMetadata, Keys, MetadataRow, RecordKey};
use crate::store::cf::{ColumnFamily, Family};
use ceralacca_formats::catalogue::Entry;
use ceralacca_formats::id::{IntervalId, LeafIndex};
use ceralacca_formats::leaf::{Class, Leaf};
use ceralacca_formats::metadata::{Field, Metadata};
use ceralacca_formats::secret::Token;
use rayon::prelude::*;
use std::collections::VecDeque;
use std::path::Path;

/// Octets of content that are committed at once.
const BATCH_BYTES: usize = 8 << 20;
/// Records that are read back at once.
const RECORDS: usize = 4096;

/// The objects that contents have of an interval: eight octets each.
#[derive(Default)]
pub(super) struct Held {
    objects: [VecDeque<LeafIndex>; Class::ALL.len()],
    pub(super) records: u64,
    pub(super) bytes: u64,
}

impl Held {
    /// Takes the next object of a class, if it is this one.
    pub(super) fn take(&mut self, class: Class, index: LeafIndex) -> bool {
        let objects = self.objects.get_mut(place(class));
        let next = objects.and_then(VecDeque::pop_front);
        next == Some(index)
    }

    /// An object that no line told of.
    pub(super) fn left(&self) -> Option<LeafIndex> {
        self.objects
            .iter()
            .find_map(|objects| objects.front().copied())
    }
}

struct Item {
    key: RecordKey,
    row: MetadataRow,
    value: Vec<u8>,
    leaf: Leaf,
}

struct Checked {
    tokens: Vec<(Field, Token)>,
    found: Option<Found>,
    bytes: u64,
}

/// What takes in the rows of one interval.
pub(super) struct Rows<'a, 'store, 'scope> {
    pub(super) work: &'a Work<'a>,
    pub(super) interval: IntervalId,
    pub(super) leaves: &'a LeafFile,
    /// Whether they are all records of the interval; otherwise only those with keys of their own are taken.
    pub(super) all: bool,
    pub(super) rows: &'a mut Roll<'store>,
    pub(super) postings: &'a mut Postings<'scope>,
    pub(super) found: &'a mut Vec<Found>,
}

impl Rows<'_, '_, '_> {
    /// Takes in a file of them.
    pub(super) fn run(mut self, folder: &Path, entry: &Entry) -> Result<Held, RebuildError> {
        let mut reader = RowReader::open(folder, entry)?;
        let mut held = Held::default();
        let mut items: Vec<Item> = Vec::new();
        let mut batch = Batch::new();
        let mut last = None;
        let mut committed = false;
        let mut weight = 0;
        while let Some(row) = reader.next()? {
            let full = batch.bytes() >= BATCH_BYTES || weight >= BATCH_BYTES;
            if row.family == Family::Metadata {
                if full || committed || items.len() >= RECORDS {
                    self.check(&mut items, &mut batch, &mut held)?;
                    committed = false;
                    weight = 0;
                }
                weight += row.value.len();
                let item = self.item(&row).map_err(|why| match why {
                    Ok(why) => reader.bad(&why),
                    Err(error) => error,
                })?;
                let at = (item.key.class, item.key.index);
                if last.is_some_and(|last| last >= at) {
                    return Err(reader.bad("its records are not in order"));
                }
                last = Some(at);
                items.push(item);
                continue;
            }
            let of = items
                .last()
                .ok_or_else(|| reader.bad("a content without its record"))?;
            if !belongs(&row, of) {
                let why = format!("leaf {}: a content of another record", of.key.index);
                return Err(reader.bad(&why));
            }
            if full {
                self.work.store.commit(&batch)?;
                batch.clear();
                committed = true;
            }
            batch.put_raw(row.family, &row.key, &row.value);
        }
        self.check(&mut items, &mut batch, &mut held)?;
        if self.all && held.records != self.leaves.count {
            return Err(reader.bad("other records than the interval has leaves"));
        }
        Ok(held)
    }

    fn item(&self, row: &Row) -> Result<Item, Result<String, RebuildError>> {
        let (key, decoded) = row.decode::<EncryptedMetadata>().map_err(Ok)?;
        let index = key.index;
        let leaf = self.leaves.leaf(index).map_err(Err)?;
        let leaf = leaf.filter(|leaf| leaf.class == key.class && self.interval == key.interval);
        let leaf = leaf.ok_or_else(|| Ok(format!("leaf {index} is none of this interval")))?;
        if !self.all && decoded.keys != Keys::Own {
            return Err(Ok(format!("leaf {index} has no keys of its own")));
        }
        Ok(Item {
            key,
            row: decoded,
            value: row.value.clone(),
            leaf,
        })
    }

    /// Commits what was gathered, reads each record back, and writes its row.
    fn check(
        &mut self,
        items: &mut Vec<Item>,
        batch: &mut Batch,
        held: &mut Held,
    ) -> Result<(), RebuildError> {
        if !batch.is_empty() {
            self.work.store.commit(batch)?;
            batch.clear();
        }
        let (work, interval) = (self.work, self.interval);
        let checked = items.par_iter().map(|item| read_back(work, interval, item));
        let checked: Vec<Result<Checked, RecordError>> = checked.collect();
        let done = items.len() as u64;
        let mut key = Vec::with_capacity(18);
        for (item, checked) in items.drain(..).zip(checked) {
            let checked = checked.map_err(|source| RebuildError::Record { interval, source })?;
            key.clear();
            EncryptedMetadata::encode_key(&item.key, &mut key);
            self.rows.put(&key, &item.value)?;
            let (class, index) = (item.key.class, item.key.index);
            self.postings.add(interval, class, index, &checked.tokens)?;
            self.found.extend(checked.found);
            held.records += 1;
            held.bytes += checked.bytes;
            if let Some(objects) = held.objects.get_mut(place(class)).filter(|_| !self.all) {
                objects.push_back(index);
            }
        }
        self.work.done(done);
        Ok(())
    }
}

/// Whether a row is of the content of a record.
fn belongs(row: &Row, item: &Item) -> bool {
    match row.family {
        Family::Content => row
            .decode::<Contents>()
            .is_ok_and(|(key, _)| key.record == item.key),
        Family::Chunk => row.decode::<Chunks>().is_ok_and(|(key, _)| {
            let upload = key.upload;
            (upload.interval, upload.class) == (item.key.interval, item.key.class)
                && upload.nonce == item.row.nonce
        }),
        _ => false,
    }
}

/// Opens a record as every reader does, with its whole content.
fn read_back(work: &Work<'_>, interval: IntervalId, item: &Item) -> Result<Checked, RecordError> {
    let row = item.row.clone();
    let opened = open::open_row(work.store, work.keyring, interval, item.leaf, row)?;
    opened.content(work.store, |_| {})?;
    let keys = work.keyring.class(work.store, interval, item.key.class)?;
    let metadata = Metadata::parse(&opened.canonical).ok();
    let tokens = metadata.as_ref().map(|m| prepare::tokens(&keys, m));
    Ok(Checked {
        tokens: tokens.unwrap_or_default(),
        found: metadata.and_then(|m| Found::of(&item.leaf, m, &opened.canonical)),
        bytes: opened.content.bytes,
    })
}

/// A record of this interval that no line told of.
pub(super) fn surplus(interval: IntervalId, index: LeafIndex) -> RebuildError {
    let what = format!("interval {interval}, leaf {index}");
    damaged(
        &what,
        "the contents hold an object that no log file tells of",
    )
}
