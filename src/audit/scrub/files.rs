//! The files of the store: opened anew, read whole, and those that nothing references.

use super::check::keys;
use super::state::Cursor;
use super::{Finding, Work};
use crate::audit::fsck::chain_of;
use crate::sequencer::tip;
use crate::store::scrub_folder::{PIECE_BYTES, ScrubFolder, Sums, pieces_of};
use crate::store::{Inspection, Store, StoreError, StoreFile};
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::id::UtcMillis;
use std::collections::BTreeSet;

/// What looking at one table costs, in bytes, near enough.
const LOOK_BYTES: u64 = 16 << 10;
/// Names in a log's directory that are not the database's.
const OF_THE_LOG: [&str; 5] = ["checkpoint", "db", "format", "lock", "scrub"];
/// Names in a database that are the engine's own and of no version: locks, identity, its diary.
const OF_THE_ENGINE: [&str; 4] = ["CURRENT", "IDENTITY", "LOCK", "LOG"];

impl Work {
    /// Opens the database anew, and lists the files of the round. The first step, and the first after a restart.
    pub(super) fn database(&mut self) -> Result<u64, StoreError> {
        let published = self.published();
        self.state.until = published.tip.size.get();
        self.state.root = Some(published.tip.root);
        let Some(folder) = self.folder.clone() else {
            self.state.cursor = Cursor::Intervals;
            return Ok(0);
        };
        let before = folder.names()?;
        let bytes = self.look(&folder)?;
        self.beside(&folder)?;
        let files = self.files.get_or_insert_default();
        let names: BTreeSet<&str> = files.keys().map(String::as_str).collect();
        // Where the files could not be named, what is known of them is kept.
        if !names.is_empty() {
            folder.retain_sums(|name| names.contains(name))?;
        }
        self.state.candidates = unreferenced(&before, &names);
        self.state.cursor = Cursor::File(String::new(), 0);
        Ok(bytes)
    }

    /// Opens the database anew; what does not open is found.
    fn look(&mut self, folder: &ScrubFolder) -> Result<u64, StoreError> {
        let published = self.published().tip.size;
        let mut reread = None;
        let store = self.reader.store();
        let seen = store.inspect(&folder.scratch()?, &mut |view: &dyn Store| {
            reread = Some(tip(view));
        });
        let inspection = match seen {
            Ok(inspection) => inspection.unwrap_or_default(),
            Err(error) if is_damage(&error) => {
                self.state.find(Finding::database(&chain_of(&error)));
                Inspection::default()
            }
            Err(error) => return Err(error),
        };
        match reread {
            Some(Ok(tip)) if tip.size < published => {
                let why = format!(
                    "only {} of {published} published leaves would be there after a restart",
                    tip.size
                );
                self.state.find(Finding::database(&why));
            }
            Some(Err(error)) => self.state.find(Finding::database(&chain_of(&error))),
            _ => {}
        }
        self.faulty.clear();
        for (name, why) in inspection.faults {
            let file = inspection
                .files
                .iter()
                .find(|f| Some(&f.name) == name.as_ref());
            match file {
                Some(file) => {
                    self.faulty.insert(file.name.clone());
                    let finding = Finding::file(file, (0, file.bytes), &why);
                    self.state.find(finding);
                }
                None => self.state.find(Finding::database(&why)),
            }
        }
        let copied = inspection.files.iter().filter(|file| !is_immutable(file));
        let mut bytes: u64 = copied.map(|file| file.bytes).sum();
        bytes += LOOK_BYTES * inspection.files.len() as u64;
        let files = inspection.files.into_iter();
        self.files = Some(files.map(|file| (file.name.clone(), file)).collect());
        Ok(bytes)
    }

    /// The small files: CURRENT, `format`, and the checkpoint beside the database.
    fn beside(&mut self, folder: &ScrubFolder) -> Result<(), StoreError> {
        let current = folder.piece("CURRENT", 0)?.unwrap_or_default();
        let current = String::from_utf8_lossy(&current).into_owned();
        let named = current.strip_suffix('\n').unwrap_or_default();
        // The engine may begin a new MANIFEST between the inspection and now: the file itself tells then.
        let known = self.files.as_ref().is_some_and(|f| f.contains_key(named));
        let is_manifest = named.starts_with("MANIFEST-");
        if !(known || is_manifest && folder.piece(named, 0)?.is_some()) {
            let why = "CURRENT names no MANIFEST that is there";
            self.state.find(Finding::database(why));
        }
        if let Err(error) = folder.check_format() {
            self.state.find(Finding::new(
                "file",
                None,
                "file format",
                &chain_of(&error),
                "the next start of the log",
            ));
        }
        let hangs = "the next start of the log: a store that was rolled back would not show";
        let mut wrong = |why: &str| {
            let item = "checkpoint beside the database";
            self.state
                .find(Finding::new("checkpoint", None, item, why, hangs));
        };
        match folder.checkpoint()? {
            None => wrong("is missing"),
            Some(note) => match keys(self.reader.store(), &self.verifier).open(&note) {
                Err(error) => wrong(&chain_of(&error)),
                // Read again: it may have been replaced since the round's tree was taken.
                Ok((found, _)) => {
                    let size = self.reader.published().tip.size;
                    if found.size() > size {
                        wrong("is of more leaves than were published");
                    }
                }
            },
        }
        Ok(())
    }

    /// Reads one piece of a file, against the digest that was kept when the file was first seen.
    pub(super) fn file(&mut self, name: &str, piece: u64) -> Result<u64, StoreError> {
        let Some(folder) = self.folder.clone() else {
            self.state.cursor = Cursor::Intervals;
            return Ok(0);
        };
        if self.files.is_none() {
            return self.look(&folder);
        }
        let files = self.files.get_or_insert_default();
        let mut next = files.range(name.to_owned()..);
        let Some((_, file)) = next.find(|(_, file)| is_immutable(file)) else {
            self.state.cursor = Cursor::Intervals;
            return Ok(0);
        };
        let file = file.clone();
        let sums = folder.sums(&file.name)?;
        let resumed = file.name == name && (sums.is_some() || self.fresh.len() as u64 == piece);
        let piece = if resumed { piece } else { 0 };
        let start = piece.saturating_mul(PIECE_BYTES);
        let done = Cursor::File(format!("{}\0", file.name), 0);
        let bytes = match folder.piece(&file.name, piece) {
            Ok(Some(bytes)) => bytes,
            // Dropped by the store since the round began; one that is missed shows at the end.
            Ok(None) => {
                self.state.cursor = done;
                return Ok(0);
            }
            Err(error) => {
                let why = chain_of(&error);
                self.state
                    .find(Finding::file(&file, (start, file.bytes), &why));
                self.state.cursor = done;
                return Ok(PIECE_BYTES);
            }
        };
        let read = bytes.len() as u64;
        self.state.counts.file_bytes += read;
        self.compare(&file, piece, &bytes, sums.as_ref());
        if piece + 1 < pieces_of(file.bytes.max(1)) {
            self.state.cursor = Cursor::File(file.name, piece + 1);
            return Ok(read);
        }
        self.state.counts.files += 1;
        if sums.is_none() {
            self.state.counts.files_new += 1;
            let sums = Sums {
                bytes: file.bytes,
                pieces: std::mem::take(&mut self.fresh),
            };
            if !self.faulty.contains(&file.name) {
                folder.keep_sums(&file.name, &sums)?;
            }
        }
        self.state.cursor = done;
        Ok(read)
    }

    fn compare(&mut self, file: &StoreFile, piece: u64, bytes: &[u8], sums: Option<&Sums>) {
        let digest = Sha256::of(bytes);
        let Some(sums) = sums else {
            if piece == 0 {
                self.fresh.clear();
            }
            self.fresh.push(digest);
            return;
        };
        if piece == 0 && file.bytes != sums.bytes {
            let why = format!("has {} bytes, and had {}", file.bytes, sums.bytes);
            self.state.find(Finding::file(file, (0, file.bytes), &why));
        }
        let kept = usize::try_from(piece).ok();
        let kept = kept.and_then(|piece| sums.pieces.get(piece));
        if kept.is_some_and(|kept| *kept != digest) {
            let start = piece.saturating_mul(PIECE_BYTES);
            let why = "changed since it was first read; such a file never changes";
            let end = start.saturating_add(bytes.len() as u64);
            self.state.find(Finding::file(file, (start, end), why));
        }
    }

    /// The end of a round: what was unreferenced when it began and is so still.
    pub(super) fn end(&mut self, now: UtcMillis) -> Result<u64, StoreError> {
        let mut bytes = 0;
        self.state.strays.clear();
        if let Some(folder) = self.folder.clone() {
            // Also finds a file that the store references and that is gone: then nothing can be linked.
            bytes = self.look(&folder)?;
            let files = self.files.get_or_insert_default();
            let names: BTreeSet<&str> = files.keys().map(String::as_str).collect();
            let still = unreferenced(&folder.names()?, &names);
            let candidates = std::mem::take(&mut self.state.candidates);
            let strays = candidates.into_iter().filter(|name| still.contains(name));
            self.state.strays = strays.take(super::FINDINGS_MAX).collect();
        }
        self.files = None;
        self.state.finished = now.get();
        self.state.last_damaged = self.state.damaged;
        self.state.cursor = Cursor::Idle;
        Ok(bytes)
    }
}

/// Whether a file never changes once it is referenced.
fn is_immutable(file: &StoreFile) -> bool {
    let name = file.name.as_str();
    name.ends_with(".sst") || name.ends_with(".blob") || name.starts_with("OPTIONS-")
}

/// What of a directory is neither the log's, nor the engine's, nor referenced.
fn unreferenced(names: &[String], referenced: &BTreeSet<&str>) -> Vec<String> {
    // Where the files could not be named, none is a stray.
    if referenced.is_empty() {
        return Vec::new();
    }
    let is_stray = |name: &&String| match name.strip_prefix("db/") {
        None => !OF_THE_LOG.contains(&name.as_str()),
        Some(inside) => {
            let of_the_engine = OF_THE_ENGINE.contains(&inside)
                || inside.starts_with("LOG.old.")
                || inside.starts_with("OPTIONS-");
            !of_the_engine && !referenced.contains(inside)
        }
    };
    let plain = |name: &String| name.replace(char::is_control, "\u{fffd}");
    names.iter().filter(is_stray).map(plain).collect()
}

/// Whether a failure says that what is stored is damaged, rather than that it could not be looked at.
fn is_damage(error: &StoreError) -> bool {
    match error {
        StoreError::Corrupt(_)
        | StoreError::Row { .. }
        | StoreError::Missing(_)
        | StoreError::Engine(_) => true,
        // A file of the database is gone: the engine gives no kind, only these words.
        StoreError::Io { source, .. } => source.to_string().contains("No such file"),
        StoreError::Exists(_)
        | StoreError::InUse(_)
        | StoreError::ReadOnly(_)
        | StoreError::DiskFull
        | StoreError::Version { .. }
        | StoreError::Stopped => false,
    }
}
