//! A log built again: from packages, contents and secrets alone, a fresh store with the same tree, indexes and proofs.
//!
//! ```text
//! export ─▶ contents (objects; what no package holds yet), secrets (wrapped), each in a place of its own
//!
//! contents ──────────▶ what is gone by a leaf ─▶ not asked for below
//! secrets ─▶ keys ┐
//! packages ───────┼─▶ leaves ─▶ tiles, root ─▶ checkpoint, closing leaf, package before
//!                 └─▶ lines  ─▶ leaf, commitment ─▶ encrypted anew, indexed
//! contents ──────────▶ rows  ─▶ opened, digests    ─▶ indexed
//!                                all of it good ─▶ epoch, restore ─▶ the store may be opened
//! ```
//!
//! # Invariants
//! 1. Nothing is believed for where it lies: each leaf is under a checkpoint that a key of the log signed, each line
//!    and each row recomputes the commitment in its leaf, each content has its digests, each package is the one that
//!    the leaf which closed it names, and follows the one before.
//! 2. A store under construction has no `format` file: nothing opens it, and the next rebuild begins it anew. It gets
//!    one when all was checked and the restore is on record.
//! 3. A log goes on only from the largest checkpoint that is known: what is behind it, or contradicts it, is refused.
//! 4. Nothing that is there is changed: neither a source, nor a folder that holds a log.
//! 5. Memory is bounded by batches and buffers, but for the interval table and eight octets an object of one interval.
//!
//! # What comes back otherwise
//! A record without content has a nonce and a key of its own making (`record::carried`); which client key named which
//! submission is known of the last two intervals, as ever; how far a scrub was is forgotten.
//!
//! # Map
//! - [`export`], [`rows`]: what is written of a log at rest, and its files
//! - `packages`: packages found and taken over; `tree`, `lines`, `held`: leaves, log files, rows
//! - `table`: the log's own rows; `holds`: what suspends disposal; `gone`: what was disposed of or erased
//! - `finish`: what holds all of it together

pub mod export;
mod finish;
mod gone;
mod held;
mod holds;
mod lines;
mod packages;
pub mod rows;
mod table;
mod tree;

use crate::ambient::Entropy;
use crate::archive::{Archive, ArchiveError, Log, Settings};
use crate::holds::HoldsError;
use crate::index::bulk::Postings;
use crate::keyring::{KeyError, Keyring};
use crate::record::open::RecordError;
use crate::seal::folder::{Folder, FolderError, Secrets};
use crate::sequencer::{OpenError, SubmitError};
use crate::store::cf::Family;
use crate::store::cf::secret::Secrets as SecretRows;
use crate::store::outside::{self, LogDirectory};
use crate::store::rocks::{Mode, RocksStore};
use crate::store::{Batch, Store, StoreError};
use ceralacca_formats::checkpoint::CheckpointError;
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::export::{Exported, Manifest};
use ceralacca_formats::id::{IntervalId, LeafIndex, LogId, Origin, TreeSize, UtcMillis};
use ceralacca_formats::leaf::{Class, Kind, Leaf};
use ceralacca_formats::metadata::{CustodyRecord, Metadata, metadata_digest};
use ceralacca_formats::note::VerifierKey;
use ceralacca_formats::secret::MasterKey;
use ceralacca_formats::tree::RootHash;
use finish::Finish;
use held::{Held, Rows as HeldRows};
use lines::{Lines, Sink};
use packages::Package;
use rows::RowReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use table::{Interval, LogTable};
use tree::{LeafFile, Roll, Tree};

/// Marks a folder whose log is under construction.
const UNDER_CONSTRUCTION: &str = "rebuild.partial";
const SECRETS_BATCH_BYTES: usize = 4 << 20;

/// Why a log is not exported or not rebuilt. What is under construction stays unusable.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// A file, line or row is not what the log wrote, or is of another log. Take it from another copy.
    #[error("{what}: {why}")]
    Damaged {
        /// What of.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// A record is not what its leaf commits to, or its content has other digests. Take it from another copy.
    #[error("interval {interval}")]
    Record {
        /// Of which interval.
        interval: IntervalId,
        /// What is wrong with it.
        #[source]
        source: RecordError,
    },
    /// A secret of an interval cannot be had: the secrets are older than the contents, or of another log.
    #[error("class {class} of interval {interval}, which no leaf disposed of")]
    Secret {
        /// Which.
        interval: IntervalId,
        /// Of which class.
        class: Class,
        /// Why not.
        #[source]
        source: KeyError,
    },
    /// A package or a later export is needed. The operator's to find.
    #[error("{0}")]
    Missing(String),
    /// A checkpoint that the log signed is ahead of all that is at hand: to go on would fork it. The operator's to
    /// find what is missing.
    #[error(
        "{which} has {known} leaves, packages and contents hold {held}: leaves {held} to {} are missing; find the \
         packages and contents that hold them, and do not continue this log without", .known.get().saturating_sub(1)
    )]
    Behind {
        /// Which checkpoint.
        which: String,
        /// Its size.
        known: TreeSize,
        /// Leaves at hand.
        held: TreeSize,
    },
    /// What is at hand contradicts a checkpoint that the log signed. An alarm: one of the two is of another tree.
    #[error("{which} of {size} leaves has another root than packages and contents give")]
    Fork {
        /// Which checkpoint.
        which: String,
        /// Its size.
        size: TreeSize,
    },
    /// A checkpoint is not signed by this log.
    #[error("{which}: {source}")]
    Checkpoint {
        /// Which.
        which: String,
        /// Why it is refused.
        #[source]
        source: CheckpointError,
    },
    /// The file system failed.
    #[error("{attempt} {path}")]
    Io {
        /// What was attempted.
        attempt: &'static str,
        /// Of which file.
        path: PathBuf,
        /// How it failed.
        #[source]
        source: std::io::Error,
    },
    /// A file of a package or an export.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A secret cannot be had.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The holds are not those that the leaves set and released. Take them from another copy.
    #[error("holds of the contents")]
    Holds(#[from] HoldsError),
    /// The log to be exported, or the one that was built, does not read.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The log that was built does not open.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// Its writer has stopped.
    #[error(transparent)]
    Writer(#[from] SubmitError),
    /// An internal invariant broke.
    #[error("a thread of the rebuild panicked")]
    Panicked,
}

fn damaged(what: &str, why: &str) -> RebuildError {
    RebuildError::Damaged {
        what: what.to_owned(),
        why: why.to_owned(),
    }
}

fn io(attempt: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> RebuildError + use<> {
    let path = path.to_owned();
    move |source| match source.kind() {
        std::io::ErrorKind::StorageFull => StoreError::DiskFull.into(),
        _ => RebuildError::Io {
            attempt,
            path,
            source,
        },
    }
}

/// What a log is rebuilt from.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    /// Folders of packages, or packages: as they lie at rest, or as they were handed out.
    pub packages: &'a [PathBuf],
    /// The export of contents.
    pub contents: &'a Path,
    /// The export of secrets.
    pub secrets: &'a Path,
    /// Checkpoints of the log that others hold, each with its name: the log must not be behind them.
    pub known: &'a [(String, Vec<u8>)],
}

/// A log that was rebuilt.
#[derive(Clone, Debug)]
pub struct Rebuilt {
    /// Its name in this installation.
    pub log: LogId,
    /// Its origin.
    pub origin: Origin,
    /// The key that verifies its checkpoints.
    pub verifier: VerifierKey,
    /// Where it stands.
    pub directory: PathBuf,
    /// Leaves that were found.
    pub size: TreeSize,
    /// Their root.
    pub root: RootHash,
    /// Packages that were read.
    pub packages: u64,
    /// Intervals, the open one among them.
    pub intervals: u64,
    /// Records that came from lines of log files.
    pub lines: u64,
    /// Records that came as rows: objects, and what no package holds yet.
    pub rows: u64,
    /// Records whose class was disposed of, and that were erased: their leaves say so. What a hold kept is among them.
    pub gone: u64,
    /// Octets of content, read back and digested.
    pub content_bytes: u64,
    /// Size of the largest checkpoint that it was held against.
    pub known: Option<TreeSize>,
    /// The leaf that says that the store was built again.
    pub restored: LeafIndex,
}

/// What every step works with.
pub(crate) struct Work<'a> {
    store: &'a dyn Store,
    keyring: &'a Keyring,
    entropy: &'a dyn Entropy,
    done: AtomicU64,
    all: u64,
    progress: Progress<'a>,
}

/// Told how many records are done, of how many.
type Progress<'a> = &'a (dyn Fn(u64, u64) + Sync);

impl Work<'_> {
    fn secrets(&self, interval: IntervalId) -> Secrets<'_> {
        Secrets {
            keyring: self.keyring,
            store: self.store,
            interval,
        }
    }

    /// Tells that so many more records are done.
    fn done(&self, more: u64) {
        let before = self.done.fetch_add(more, Ordering::Relaxed);
        (self.progress)(before.saturating_add(more), self.all);
    }
}

/// A record that says something of the log itself.
#[derive(Clone, Debug)]
enum Found {
    /// An interval was closed.
    Closed {
        interval: IntervalId,
        leaf: LeafIndex,
        at: UtcMillis,
        sha256: Sha256,
    },
    /// The log's key was replaced.
    Rotated {
        event: LeafIndex,
        old: Vec<u8>,
        new: Vec<u8>,
    },
    /// Something goes, or is gone.
    Act { leaf: LeafIndex, act: gone::Act },
}

impl Found {
    fn of(leaf: &Leaf, metadata: Metadata, canonical: &[u8]) -> Option<Self> {
        if leaf.class != Class::Custody {
            return None;
        }
        match (leaf.kind, metadata) {
            (Kind::IntervalClosed, Metadata::Custody(CustodyRecord::IntervalClosed(closing))) => {
                Some(Self::Closed {
                    interval: closing.interval,
                    leaf: leaf.seq,
                    at: leaf.time,
                    sha256: metadata_digest(canonical),
                })
            }
            (Kind::KeyEvent, Metadata::Custody(CustodyRecord::KeyRotation { old, new })) => {
                Some(Self::Rotated {
                    event: leaf.seq,
                    old: old.as_bytes().to_vec(),
                    new: new.as_bytes().to_vec(),
                })
            }
            (_, Metadata::Custody(record)) => gone::Act::of(&record).map(|act| Self::Act {
                leaf: leaf.seq,
                act,
            }),
            _ => None,
        }
    }
}

/// Builds the log again below a data directory that does not hold it; `progress` is told how many records are done, of
/// how many.
pub fn rebuild(
    sources: &Sources<'_>,
    data: &Path,
    master: &MasterKey,
    settings: &Settings,
    progress: Progress<'_>,
) -> Result<Rebuilt, RebuildError> {
    let contents = export::open(sources.contents, Exported::Contents, None)?;
    let origin = contents.origin.clone();
    let secrets = export::open(sources.secrets, Exported::Secrets, Some(&origin))?;
    let table = LogTable::read(sources.contents, &contents)?;
    let packages = packages::find(sources.packages, &origin)?;
    table.hold(&packages)?;
    let into = &Archive::directory_of(data, &table.identity.log);
    let directory = begin(into)?;
    let store = RocksStore::open(&directory.database(), Mode::Create)?;
    let store: Arc<dyn Store> = Arc::new(store);
    gone::put(&*store, sources.contents, &contents)?;
    put_secrets(&*store, sources.secrets, &secrets)?;
    let (keyring, signer) = Keyring::open(&*store, master, &origin)?;
    let keys = table.keys(signer.verifier())?;
    let known = finish::known(sources, &contents, &secrets, &keys)?;
    let work = Work {
        store: &*store,
        keyring: &keyring,
        entropy: &*settings.entropy,
        done: AtomicU64::new(0),
        all: contents.size.get(),
        progress,
    };
    let mut filling = Filling {
        work: &work,
        contents: sources.contents,
        manifest: &contents,
        packages_to: into.join("packages"),
        tree: Tree::new(&*store),
        objects: Roll::new(&*store, Family::Metadata),
        rows: Roll::new(&*store, Family::Metadata),
        found: Vec::new(),
        roots: Vec::new(),
        counted: Counted::default(),
    };
    filling.run(&table, &packages)?;
    let counted = filling.counted;
    let finish = Finish {
        store: &*store,
        table: &table,
        packages: &packages,
        keys: &keys,
        frontier: &filling.tree.frontier,
        last: filling.tree.last,
        found: &filling.found,
        roots: &filling.roots,
        contents: sources.contents,
        manifest: &contents,
        signer: &signer,
        keyring: &keyring,
        holds: filling.tree.holds,
    };
    let (size, root) = (finish.size(), finish.root());
    let known = finish.run(&known, &directory)?;
    packages::sync_all(into)?;
    drop(filling);
    let log = Log::over(store, Some(directory), master, settings)?;
    let count = packages.len() as u64;
    let restored = log.restored(size, count, known)?;
    let verifier = log.verifier().clone();
    log.stop()?;
    drop(log);
    outside::mark_finished(into)?;
    let marker = into.join(UNDER_CONSTRUCTION);
    std::fs::remove_file(&marker).map_err(io("remove", &marker))?;
    Ok(Rebuilt {
        log: table.identity.log.clone(),
        origin,
        verifier,
        directory: into.clone(),
        size,
        root,
        packages: count,
        intervals: table.intervals.len() as u64,
        lines: counted.lines,
        rows: counted.rows,
        gone: counted.gone,
        content_bytes: counted.content_bytes,
        known,
        restored,
    })
}

/// The folder of the log, locked and marked; what an unfinished rebuild left there goes.
fn begin(into: &Path) -> Result<LogDirectory, RebuildError> {
    let marker = into.join(UNDER_CONSTRUCTION);
    let packages = into.join("packages");
    let is_ours = marker.is_file();
    let is_taken = packages.exists() || outside::database_of(into).exists();
    if is_taken && !is_ours {
        return Err(StoreError::Exists(into.to_owned()).into());
    }
    let directory = LogDirectory::create(into)?;
    let marked = std::fs::File::create(&marker).and_then(|file| file.sync_all());
    marked.map_err(io("write", &marker))?;
    let folder = std::fs::File::open(into).and_then(|folder| folder.sync_all());
    folder.map_err(io("sync", into))?;
    if packages.exists() {
        std::fs::remove_dir_all(&packages).map_err(io("remove", &packages))?;
    }
    Ok(directory)
}

fn put_secrets(store: &dyn Store, folder: &Path, manifest: &Manifest) -> Result<(), RebuildError> {
    let name = export::secrets_name(manifest.size);
    let entry = manifest.file(&name);
    let entry = entry.ok_or_else(|| damaged(&name, "the manifest of the secrets lists none"))?;
    let mut reader = RowReader::open(folder, entry)?;
    let mut batch = Batch::new();
    while let Some(row) = reader.next()? {
        if row.family != Family::Secret {
            return Err(reader.bad("a row that is no secret"));
        }
        let (key, _) = row.decode::<SecretRows>().map_err(|why| reader.bad(&why))?;
        if gone::destroyed(store, &key)? {
            continue;
        }
        batch.put_raw(row.family, &row.key, &row.value);
        if batch.bytes() >= SECRETS_BATCH_BYTES {
            store.commit(&batch)?;
            batch.clear();
        }
    }
    Ok(store.commit(&batch)?)
}

#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    lines: u64,
    rows: u64,
    gone: u64,
    content_bytes: u64,
}

/// The store while it is filled, interval after interval.
struct Filling<'a> {
    work: &'a Work<'a>,
    contents: &'a Path,
    manifest: &'a Manifest,
    packages_to: PathBuf,
    tree: Tree<'a>,
    /// Rows of records with keys of their own, and of what no package holds.
    objects: Roll<'a>,
    /// Rows of records from log files. They lie between those above: each kind ascends by itself.
    rows: Roll<'a>,
    found: Vec<Found>,
    /// The root at the end of each interval, in order.
    roots: Vec<(TreeSize, RootHash)>,
    counted: Counted,
}

impl Filling<'_> {
    fn run(&mut self, table: &LogTable, packages: &[Package]) -> Result<(), RebuildError> {
        let store = self.work.store;
        std::thread::scope(|scope| {
            let mut postings = Postings::begin(scope, store);
            let mut intervals = table.intervals.iter();
            let filled: Result<(), RebuildError> = intervals.try_for_each(|interval| {
                let gone = gone::classes(store, interval.id)?;
                for class in Class::ALL.iter().filter(|class| !gone.contains(class)) {
                    let keys = self.work.keyring.class(store, interval.id, *class);
                    keys.map_err(|source| RebuildError::Secret {
                        interval: interval.id,
                        class: *class,
                        source,
                    })?;
                }
                let place = packages.binary_search_by_key(&interval.id, |p| p.closing.interval);
                match place.ok().and_then(|at| packages.get(at)) {
                    Some(package) => self.closed(interval, package, &gone, &mut postings)?,
                    None => self.unclosed(interval, &mut postings)?,
                }
                let range = self.tree.frontier.range();
                self.roots.push((range.size(), range.root()));
                Ok(())
            });
            let written = postings.finish();
            // Who filled was hung up on where writing failed: why it failed comes first.
            written.map_err(RebuildError::from).and(filled)
        })?;
        self.tree.finish()?;
        self.objects.finish()?;
        Ok(self.rows.finish()?)
    }

    fn entry(&self, name: &str) -> Result<&ceralacca_formats::catalogue::Entry, RebuildError> {
        let entry = self.manifest.file(name);
        entry.ok_or_else(|| damaged(name, "the manifest of the contents does not list it"))
    }

    fn closed(
        &mut self,
        interval: &Interval,
        package: &Package,
        gone: &[Class],
        postings: &mut Postings<'_>,
    ) -> Result<(), RebuildError> {
        let (work, id) = (self.work, interval.id);
        let closing = &package.closing;
        let secrets = work.secrets(id);
        let folder = Folder::create(&self.packages_to.join(id.to_string()))?;
        package.copy_logs(&folder, gone, &secrets, work.entropy)?;
        let leaves = LeafFile::open(&package.leaves(), closing.first, closing.size)?;
        let entry = export::objects_of(self.manifest, id)?.clone();
        let (tree, found) = (&mut self.tree, &mut self.found);
        let (objects, rows, contents) = (&mut self.objects, &mut self.rows, self.contents);
        let (counts, held, taken) = std::thread::scope(|scope| {
            let copying =
                scope.spawn(|| package.copy_others(&folder, gone, &secrets, work.entropy));
            let growing = scope.spawn(|| tree.push(&leaves));
            let taken = (|| {
                let held = HeldRows {
                    work,
                    interval: id,
                    leaves: &leaves,
                    all: false,
                    rows: objects,
                    postings,
                    found,
                };
                let mut held = held.run(contents, &entry)?;
                let lines = Lines {
                    work,
                    package,
                    folder: &folder,
                    leaves: &leaves,
                    gone,
                };
                let mut sink = Sink {
                    rows,
                    postings,
                    found,
                };
                let taken = lines.run(&mut held, &mut sink)?;
                match held.left() {
                    None => Ok((held, taken)),
                    Some(index) => Err(held::surplus(id, index)),
                }
            })();
            let grown = growing.join().unwrap_or(Err(RebuildError::Panicked));
            let copied = copying.join().unwrap_or(Err(RebuildError::Panicked));
            // A leaf that is none is the cause where a line differs from it.
            let counts = grown?;
            let (held, taken) = taken?;
            copied.map(|()| (counts, held, taken))
        })?;
        for class in Class::ALL {
            let counted = counts.get(tree::place(*class)).copied().unwrap_or(0);
            let said = closing.contents.class(*class).map_or(0, |c| c.records);
            if counted != said {
                let why = format!("leaves.bin has other leaves of class {class} than log files");
                return Err(package.bad(&why));
            }
        }
        self.count(&held);
        // Objects have a line too, of their leaf alone.
        let without = held.records.saturating_add(taken.erased);
        self.counted.lines += taken.lines.saturating_sub(without);
        self.counted.gone += taken.disposed.saturating_add(taken.erased);
        Ok(())
    }

    fn unclosed(
        &mut self,
        interval: &Interval,
        postings: &mut Postings<'_>,
    ) -> Result<(), RebuildError> {
        let size = self.manifest.size;
        let entry = self.entry(&export::leaves_name(interval.id, size))?;
        let path = self.contents.join(&entry.path);
        let end = interval.cut.as_ref().map_or(size, |cut| cut.size);
        let leaves = LeafFile::open(&path, interval.first, end)?;
        let entry = self
            .entry(&export::records_name(interval.id, size))?
            .clone();
        self.tree.push(&leaves)?;
        let held = HeldRows {
            work: self.work,
            interval: interval.id,
            leaves: &leaves,
            all: true,
            rows: &mut self.objects,
            postings,
            found: &mut self.found,
        };
        let held = held.run(self.contents, &entry)?;
        self.count(&held);
        Ok(())
    }

    fn count(&mut self, held: &Held) {
        self.counted.rows += held.records;
        self.counted.content_bytes += held.bytes;
    }
}
