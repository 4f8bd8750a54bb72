//! What a log is rebuilt from beside its packages, written: contents, and secrets in a place of their own.
//!
//! ```text
//! <contents>/manifest.json             every other file; written last
//!            log-SIZE.rows             identity, last note, rotations, clock; intervals; kept checkpoints; holds; client
//!                                      keys of the last two intervals
//!            gone-SIZE.rows            disposals, erasures; what a hold kept of a unit that was disposed of
//!            INTERVAL.objects          of a closed interval: rows of the records that have keys of their own
//!            INTERVAL-N.objects        the same, once N of its classes and objects are gone
//!            INTERVAL-SIZE.leaves      of one that is not closed: its leaves, 64 octets each
//!            INTERVAL-SIZE.records     of one that is not closed: rows of all its records
//! <secrets>/manifest.json
//!           secrets-SIZE.rows          wrapped secrets
//! ```
//! SIZE is that of the tree. Rows stand as they are stored: contents and metadata encrypted, secrets wrapped.
//!
//! # Invariants
//! 1. No secret stands among the contents, and nothing of the contents among the secrets.
//! 2. Nothing is decrypted: an export needs no key.
//! 3. The objects of a closed interval are written once: a later export, or one that broke off, goes on from them, but
//!    where some are gone since, which no later export keeps. What an earlier manifest names is there until the next
//!    manifest is.
//! 4. Memory is a row, whatever the size of the log.

use super::{RebuildError, damaged, gone, io, rows};
use crate::keyring;
use crate::seal::folder::{FileWriter, Folder};
use crate::sequencer::{self, Span};
use crate::store::cf::checkpoint::Checkpoints;
use crate::store::cf::chunk::{Chunks, UploadKey};
use crate::store::cf::content::Contents;
use crate::store::cf::disposal::Disposals;
use crate::store::cf::erasure::Erasures;
use crate::store::cf::held::HeldRecords;
use crate::store::cf::hold::Holds;
use crate::store::cf::idempotency::Idempotency;
use crate::store::cf::interval::Intervals;
use crate::store::cf::leaf::Leaves;
use crate::store::cf::metadata::{ContentPlace, EncryptedMetadata, Keys, MetadataRow, RecordKey};
use crate::store::cf::secret::Secrets;
use crate::store::cf::state::{State, StateKey, StateRow};
use crate::store::cf::{ColumnFamily, unit_prefix};
use crate::store::{KeyRange, Order, Rows, Store};
use ceralacca_formats::catalogue::{CATALOGUE_BYTES_MAX, Entry};
use ceralacca_formats::export::{Exported, Manifest};
use ceralacca_formats::id::{IntervalId, Origin, TreeSize};
use ceralacca_formats::leaf::Class;
use std::path::Path;

pub(super) const MANIFEST: &str = "manifest.json";

/// What an export came to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Summary {
    /// Leaves of the log.
    pub size: u64,
    /// Files of the export.
    pub files: u64,
    /// Their octets.
    pub bytes: u64,
    /// Files that were there from an export before.
    pub kept: u64,
}

/// Name of the rows of the log itself.
pub(super) fn log_name(size: TreeSize) -> String {
    format!("log-{size}.rows")
}

/// Name of what is gone, and of what a hold kept of it.
pub(super) fn gone_name(size: TreeSize) -> String {
    format!("gone-{size}.rows")
}

/// Name of the objects of a closed interval, of whose classes and objects so many are gone.
fn objects_name(interval: IntervalId, gone: usize) -> String {
    match gone {
        0 => format!("{interval}.objects"),
        some => format!("{interval}-{some}.objects"),
    }
}

/// The objects of a closed interval, as a manifest lists them.
pub(super) fn objects_of(
    manifest: &Manifest,
    interval: IntervalId,
) -> Result<&Entry, RebuildError> {
    let is_its = |name: &str| {
        let name = name.strip_suffix(".objects");
        name.and_then(|name| name.split('-').next()) == Some(interval.to_string().as_str())
    };
    let entry = manifest.files.iter().find(|file| is_its(&file.path));
    entry.ok_or_else(|| {
        let name = objects_name(interval, 0);
        damaged(&name, "the manifest of the contents does not list it")
    })
}

/// Name of the leaves of an interval that is not closed.
pub(super) fn leaves_name(interval: IntervalId, size: TreeSize) -> String {
    format!("{interval}-{size}.leaves")
}

/// Name of the records of an interval that is not closed.
pub(super) fn records_name(interval: IntervalId, size: TreeSize) -> String {
    format!("{interval}-{size}.records")
}

/// Name of the wrapped secrets.
pub(super) fn secrets_name(size: TreeSize) -> String {
    format!("secrets-{size}.rows")
}

/// What an export reads.
pub struct Log<'a> {
    /// The store, which no writer changes meanwhile.
    pub store: &'a dyn Store,
    /// The checkpoint beside the database.
    pub checkpoint: &'a str,
}

/// Writes contents, and what no package holds yet; `progress` is told how many leaves are done.
pub fn contents(
    log: &Log<'_>,
    to: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<Summary, RebuildError> {
    let store = log.store;
    let identity = sequencer::identity(store)?;
    let tip = sequencer::tip(store)?;
    let folder = Folder::create(to)?;
    let before = read_manifest(&folder, Exported::Contents)?;
    let before = before.filter(|before| before.origin == identity.origin);
    let spans = sequencer::spans(store)?;
    let mut files = Vec::new();
    let mut kept = 0;
    for span in &spans {
        let size = span.cut.unwrap_or(tip.size);
        if span.closed.is_none() {
            let name = leaves_name(span.id, tip.size);
            files.push(leaves(store, &folder, &name, span, size)?);
            let name = records_name(span.id, tip.size);
            files.push(records(store, &folder, &name, span.id, false)?);
        } else {
            let name = objects_name(span.id, gone::count(store, span.id, span.first, size)?);
            let known = before.as_ref().and_then(|before| before.file(&name));
            let there = std::fs::metadata(to.join(&name)).map(|file| file.len());
            match known.filter(|known| there.is_ok_and(|bytes| bytes == known.bytes)) {
                Some(known) => {
                    kept += 1;
                    files.push(known.clone());
                }
                None => files.push(records(store, &folder, &name, span.id, true)?),
            }
        }
        progress(size.get());
    }
    files.push(of_log(store, &folder, &log_name(tip.size), &spans)?);
    files.push(of_gone(store, &folder, &gone_name(tip.size))?);
    let manifest = Manifest {
        exported: Exported::Contents,
        origin: identity.origin,
        size: tip.size,
        checkpoint: log.checkpoint.to_owned(),
        files,
    };
    finish(&folder, &manifest, kept)
}

/// Writes the wrapped secrets, into a place of their own.
pub fn secrets(log: &Log<'_>, to: &Path) -> Result<Summary, RebuildError> {
    let store = log.store;
    let identity = sequencer::identity(store)?;
    let tip = sequencer::tip(store)?;
    let folder = Folder::create(to)?;
    let mut file = begin(&folder, &secrets_name(tip.size))?;
    copy::<Secrets>(store, &KeyRange::all(), &mut file)?;
    let manifest = Manifest {
        exported: Exported::Secrets,
        origin: identity.origin,
        size: tip.size,
        checkpoint: log.checkpoint.to_owned(),
        files: vec![file.finish()?],
    };
    finish(&folder, &manifest, 0)
}

/// The manifest of an export; `None` where there is none.
pub(super) fn read_manifest(
    folder: &Folder,
    exported: Exported,
) -> Result<Option<Manifest>, RebuildError> {
    let octets = folder.read(MANIFEST, CATALOGUE_BYTES_MAX)?;
    let Some(octets) = octets else {
        return Ok(None);
    };
    let path = folder.path().join(MANIFEST);
    let manifest = Manifest::parse(&octets, exported);
    let manifest = manifest.ok_or_else(|| damaged(&path.display().to_string(), "no manifest"));
    manifest.map(Some)
}

/// Puts the manifest in force; what no manifest names any more goes.
fn finish(folder: &Folder, manifest: &Manifest, kept: u64) -> Result<Summary, RebuildError> {
    folder.write(MANIFEST, &manifest.to_bytes())?;
    for (name, is_folder) in folder.names("")? {
        let ours = [".rows", ".leaves", ".records", ".objects", ".tmp"];
        let ours = ours.iter().any(|ending| name.ends_with(ending));
        let listed = manifest.files.iter().any(|file| file.path == name);
        if ours && !listed && !is_folder {
            folder.remove(&name)?;
        }
    }
    Ok(Summary {
        size: manifest.size.get(),
        files: manifest.files.len() as u64,
        bytes: manifest.files.iter().map(|file| file.bytes).sum(),
        kept,
    })
}

fn begin(folder: &Folder, name: &str) -> Result<FileWriter, RebuildError> {
    let mut file = folder.plain(name)?;
    file.write(rows::head())?;
    Ok(file)
}

/// Appends the rows of a range, as they stand.
fn copy<C: ColumnFamily>(
    store: &dyn Store,
    range: &KeyRange,
    file: &mut FileWriter,
) -> Result<(), RebuildError> {
    for row in store.scan(C::FAMILY, range, Order::Ascending) {
        let (key, value) = row?;
        rows::write(file, C::FAMILY, &key, &value)?;
    }
    Ok(())
}

fn put<C: ColumnFamily>(
    key: &C::Key,
    value: &C::Value,
    file: &mut FileWriter,
) -> Result<(), RebuildError> {
    let (mut octets, mut stored) = (Vec::new(), Vec::new());
    C::encode_key(key, &mut octets);
    C::encode_value(value, &mut stored);
    rows::write(file, C::FAMILY, &octets, &stored)
}

/// The rows of the state that are exported, beside rotations: the others follow from the leaves.
const SINGLE: [StateKey; 5] = [
    StateKey::Identity,
    StateKey::Note,
    StateKey::Holds,
    StateKey::Development,
    StateKey::Clock,
];

fn of_gone(store: &dyn Store, folder: &Folder, name: &str) -> Result<Entry, RebuildError> {
    let mut file = begin(folder, name)?;
    copy::<Disposals>(store, &KeyRange::all(), &mut file)?;
    copy::<Erasures>(store, &KeyRange::all(), &mut file)?;
    copy::<HeldRecords>(store, &KeyRange::all(), &mut file)?;
    Ok(file.finish()?)
}

fn of_log(
    store: &dyn Store,
    folder: &Folder,
    name: &str,
    spans: &[Span],
) -> Result<Entry, RebuildError> {
    let mut file = begin(folder, name)?;
    for key in SINGLE {
        if let Some(row) = store.read::<State>(&key)? {
            put::<State>(&key, &row, &mut file)?;
        }
    }
    for rotation in keyring::rotations(store, 0) {
        let row = StateRow::Rotation(rotation?);
        put::<State>(&row.key(), &row, &mut file)?;
    }
    copy::<Intervals>(store, &KeyRange::all(), &mut file)?;
    copy::<Checkpoints>(store, &KeyRange::all(), &mut file)?;
    copy::<Holds>(store, &KeyRange::all(), &mut file)?;
    for span in spans.iter().skip(spans.len().saturating_sub(2)) {
        let range = KeyRange::prefix(&span.id.get().to_be_bytes());
        copy::<Idempotency>(store, &range, &mut file)?;
    }
    Ok(file.finish()?)
}

fn leaves(
    store: &dyn Store,
    folder: &Folder,
    name: &str,
    span: &Span,
    size: TreeSize,
) -> Result<Entry, RebuildError> {
    let mut file = folder.plain(name)?;
    let range = KeyRange {
        start: span.first.get().to_be_bytes().to_vec(),
        end: Some(size.get().to_be_bytes().to_vec()),
    };
    for row in store.rows::<Leaves>(&range, Order::Ascending) {
        let (_, leaf) = row?;
        file.write(&leaf.to_bytes())?;
    }
    Ok(file.finish()?)
}

/// Rows of the records of an interval, each with those of its content after it: all, or those of objects.
fn records(
    store: &dyn Store,
    folder: &Folder,
    name: &str,
    interval: IntervalId,
    objects: bool,
) -> Result<Entry, RebuildError> {
    let mut file = begin(folder, name)?;
    for class in Class::ALL {
        let range = KeyRange::prefix(&unit_prefix(interval, *class));
        for row in store.rows::<EncryptedMetadata>(&range, Order::Ascending) {
            let (key, row) = row?;
            if objects && row.keys != Keys::Own {
                continue;
            }
            put::<EncryptedMetadata>(&key, &row, &mut file)?;
            content(store, key, &row, &mut file)?;
        }
    }
    Ok(file.finish()?)
}

fn content(
    store: &dyn Store,
    key: RecordKey,
    row: &MetadataRow,
    file: &mut FileWriter,
) -> Result<(), RebuildError> {
    match row.place {
        ContentPlace::None => Ok(()),
        ContentPlace::Inline => {
            let mut prefix = Vec::new();
            EncryptedMetadata::encode_key(&key, &mut prefix);
            copy::<Contents>(store, &KeyRange::prefix(&prefix), file)
        }
        ContentPlace::Chunks => {
            let upload = UploadKey {
                interval: key.interval,
                class: key.class,
                nonce: row.nonce,
            };
            copy::<Chunks>(store, &KeyRange::prefix(&upload.prefix()), file)
        }
    }
}

/// Opens an export that must be there and of this log.
pub(super) fn open(
    path: &Path,
    exported: Exported,
    origin: Option<&Origin>,
) -> Result<Manifest, RebuildError> {
    let manifest = read_manifest(&Folder::at(path), exported)?;
    let Some(manifest) = manifest else {
        let name = path.join(MANIFEST);
        let none = std::io::Error::from(std::io::ErrorKind::NotFound);
        return Err(io("read", &name)(none));
    };
    match origin.is_none_or(|origin| *origin == manifest.origin) {
        true => Ok(manifest),
        false => {
            let name = path.join(MANIFEST).display().to_string();
            let why = format!("of another log, {}", manifest.origin);
            Err(damaged(&name, &why))
        }
    }
}
