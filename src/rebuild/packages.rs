//! Packages, found and taken over: every file compared with the catalogue, and what may name somebody encrypted.

use super::{RebuildError, damaged, io};
use crate::ambient::Entropy;
use crate::seal::folder::{FileWriter, Folder, Secrets};
use crate::verification::class_of;
use ceralacca_formats::catalogue::{CATALOGUE_BYTES_MAX, Catalogue, Entry};
use ceralacca_formats::closing::{Closing, Contents};
use ceralacca_formats::digest::{ContentHasher, Sha256};
use ceralacca_formats::id::Origin;
use ceralacca_formats::leaf::Class;
use ceralacca_formats::metadata::{CustodyRecord, Metadata, metadata_digest};
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

const CATALOGUE: &str = "catalogue.json";
const CLOSING: &str = "closing.json";
const CONTENTS: &str = "contents.json";
const SIGNED: &str = "PIndex.xml.p7m";
const RECORD: &str = "package.ers";
const LEAVES: &str = "leaves.bin";
const CHECKPOINT: &str = "checkpoint";
const NOTE_BYTES_MAX: usize = 1 << 16;
const SMALL_BYTES_MAX: usize = 32 << 20;
const PIECE_BYTES: usize = 1 << 20;
const RENEWALS_MAX: u32 = 480;

/// A package, as it lies at rest or was handed out.
pub(super) struct Package {
    path: PathBuf,
    octets: Vec<u8>,
    closing_octets: Vec<u8>,
    pub(super) catalogue: Catalogue,
    pub(super) closing: Closing,
}

/// Whether a file is part of a log file.
pub(super) fn is_log(path: &str) -> bool {
    path.starts_with("log-") && path.ends_with(".jsonl")
}

/// Whether a file outlives the disposal of these classes.
fn stays(entry: &Entry, gone: &[Class]) -> bool {
    class_of(&entry.path).is_none_or(|class| !gone.contains(&class))
}

/// Every package in these folders and one below them, in order of their intervals.
pub(super) fn find(folders: &[PathBuf], origin: &Origin) -> Result<Vec<Package>, RebuildError> {
    let mut packages = Vec::new();
    for folder in folders {
        if folder.join(CATALOGUE).is_file() {
            packages.push(Package::open(folder, origin)?);
            continue;
        }
        // A folder that is not there holds no package: that must not look like an empty log.
        std::fs::metadata(folder).map_err(io("read", folder))?;
        for (name, is_folder) in Folder::at(folder).names("")? {
            let below = folder.join(&name);
            if is_folder && !name.ends_with(".partial") && below.join(CATALOGUE).is_file() {
                packages.push(Package::open(&below, origin)?);
            }
        }
    }
    packages.sort_by_key(|package| package.catalogue.interval);
    let twice = packages.windows(2).find_map(|pair| match pair {
        [one, other] if one.catalogue.interval == other.catalogue.interval => Some(other),
        _ => None,
    });
    match twice {
        None => Ok(packages),
        Some(package) => Err(package.bad("a second package of its interval")),
    }
}

impl Package {
    fn open(path: &Path, origin: &Origin) -> Result<Self, RebuildError> {
        let shown = |name: &str| path.join(name).display().to_string();
        let folder = Folder::at(path);
        let small = |name: &str, limit| {
            let octets = folder.read(name, limit)?;
            octets.ok_or_else(|| damaged(&shown(name), "it is missing"))
        };
        let octets = small(CATALOGUE, CATALOGUE_BYTES_MAX)?;
        let catalogue = Catalogue::parse(&octets);
        let catalogue = catalogue.ok_or_else(|| damaged(&shown(CATALOGUE), "no catalogue"))?;
        let closing_octets = small(CLOSING, SMALL_BYTES_MAX)?;
        let closing = match Metadata::parse(&closing_octets) {
            Ok(Metadata::Custody(CustodyRecord::IntervalClosed(closing))) => *closing,
            _ => return Err(damaged(&shown(CLOSING), "not that of a closing leaf")),
        };
        let contents = small(CONTENTS, SMALL_BYTES_MAX)?;
        let contents = Contents::parse(&contents);
        let contents = contents.ok_or_else(|| damaged(&shown(CONTENTS), "not readable"))?;
        let sha256 = |name: &str| catalogue.file(name).map(|entry| entry.sha256);
        let flaws = [
            (catalogue.origin != *origin, CATALOGUE, "of another log"),
            (
                closing.catalogue != Sha256::of(&octets),
                CATALOGUE,
                "not the catalogue that closing.json names",
            ),
            (
                closing.interval != catalogue.interval,
                CLOSING,
                "of another interval than the catalogue",
            ),
            (
                closing.contents != contents,
                CONTENTS,
                "not what closing.json says",
            ),
            (
                sha256(SIGNED) != Some(closing.pindex),
                SIGNED,
                "not the index that closing.json names",
            ),
            (
                sha256(RECORD) != Some(closing.evidence),
                RECORD,
                "not the evidence record that closing.json names",
            ),
        ];
        if let Some((_, name, why)) = flaws.into_iter().find(|(is_flaw, ..)| *is_flaw) {
            return Err(damaged(&shown(name), why));
        }
        Ok(Self {
            path: path.to_owned(),
            octets,
            closing_octets,
            catalogue,
            closing,
        })
    }

    /// A damage of this package.
    pub(super) fn bad(&self, why: &str) -> RebuildError {
        damaged(&self.path.display().to_string(), why)
    }

    /// A damage of a file of this package.
    pub(super) fn bad_file(&self, name: &str, why: &str) -> RebuildError {
        damaged(&self.path.join(name).display().to_string(), why)
    }

    /// What the leaf that closed it commits to.
    pub(super) fn closing_sha256(&self) -> Sha256 {
        metadata_digest(&self.closing_octets)
    }

    /// The file of its leaves.
    pub(super) fn leaves(&self) -> PathBuf {
        self.path.join(LEAVES)
    }

    /// The note of its checkpoint.
    pub(super) fn checkpoint(&self) -> Result<Option<String>, RebuildError> {
        let note = Folder::at(&self.path).read(CHECKPOINT, NOTE_BYTES_MAX)?;
        Ok(note.and_then(|note| String::from_utf8(note).ok()))
    }

    /// Takes over log files, which are compared where they are read; not those of classes that are gone.
    pub(super) fn copy_logs(
        &self,
        to: &Folder,
        gone: &[Class],
        secrets: &Secrets<'_>,
        entropy: &dyn Entropy,
    ) -> Result<(), RebuildError> {
        let mut files = self.catalogue.files.iter().filter(|e| stays(e, gone));
        files.try_for_each(|entry| match is_log(&entry.path) {
            true => self.copy(entry, to, secrets, entropy),
            false => Ok(()),
        })
    }

    /// Takes over all other files, and the renewals of its evidence.
    pub(super) fn copy_others(
        &self,
        to: &Folder,
        gone: &[Class],
        secrets: &Secrets<'_>,
        entropy: &dyn Entropy,
    ) -> Result<(), RebuildError> {
        let others = self.catalogue.files.iter().filter(|e| !is_log(&e.path));
        for entry in others.filter(|e| stays(e, gone)) {
            self.copy(entry, to, secrets, entropy)?;
        }
        self.put(to, CATALOGUE, &self.octets)?;
        self.put(to, CLOSING, &self.closing_octets)?;
        for number in 1..=RENEWALS_MAX {
            let name = format!("renewals/catalogue-{number:04}.json");
            let octets = Folder::at(&self.path).read(&name, CATALOGUE_BYTES_MAX)?;
            let Some(octets) = octets else { break };
            let renewal = Catalogue::parse(&octets);
            let renewal = renewal.filter(|r| r.interval == self.catalogue.interval);
            let renewal = renewal.ok_or_else(|| self.bad_file(&name, "not of this package"))?;
            for entry in &renewal.files {
                self.copy(entry, to, secrets, entropy)?;
            }
            self.put(to, &name, &octets)?;
        }
        Ok(())
    }

    fn put(&self, to: &Folder, name: &str, octets: &[u8]) -> Result<(), RebuildError> {
        let path = to.path().join(name);
        std::fs::write(&path, octets).map_err(io("write", &path))
    }

    fn copy(
        &self,
        entry: &Entry,
        to: &Folder,
        secrets: &Secrets<'_>,
        entropy: &dyn Entropy,
    ) -> Result<(), RebuildError> {
        let name = entry.path.as_str();
        let source = self.path.join(name);
        let target = to.path().join(name);
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent).map_err(io("make", parent))?;
        }
        let other = || self.bad_file(name, "another length or digest than its catalogue has");
        let class = class_of(name);
        if class.is_some() && !source.is_file() {
            let source = self.path.join(format!("{name}.enc"));
            let target = to.path().join(format!("{name}.enc"));
            std::fs::copy(&source, &target).map_err(io("copy", &source))?;
            if is_log(name) {
                return Ok(());
            }
            let file = to.open(name, secrets)?;
            let mut file = file.ok_or_else(|| self.bad_file(name, "it is missing"))?;
            let bytes = file.bytes();
            let sha256 = file.each(|_| Ok::<(), RebuildError>(()))?;
            return match (bytes, sha256) == (entry.bytes, entry.sha256) {
                true => Ok(()),
                false => Err(other()),
            };
        }
        let mut from = File::open(&source).map_err(io("open", &source))?;
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        if let Some(class) = class {
            let mut writer: FileWriter = to.encrypted(name, class, secrets, entropy)?;
            while fill(&mut from, &mut piece).map_err(io("read", &source))? > 0 {
                writer.write(&piece)?;
            }
            return match writer.finish()? == *entry {
                true => Ok(()),
                false => Err(other()),
            };
        }
        let mut into = File::create(&target).map_err(io("create", &target))?;
        let mut hasher = ContentHasher::default();
        while fill(&mut from, &mut piece).map_err(io("read", &source))? > 0 {
            hasher.update(&piece);
            into.write_all(&piece).map_err(io("write", &target))?;
        }
        let digest = hasher.finish();
        match (digest.bytes, digest.sha256) == (entry.bytes, entry.sha256) {
            true => Ok(()),
            false => Err(other()),
        }
    }
}

/// The next octets of a file, in place of those before; none at its end.
fn fill(file: &mut File, piece: &mut Vec<u8>) -> std::io::Result<usize> {
    piece.clear();
    let mut limited = Read::by_ref(file).take(PIECE_BYTES as u64);
    limited.read_to_end(piece)
}

/// Brings every file below a folder to disk.
pub(super) fn sync_all(folder: &Path) -> Result<(), RebuildError> {
    for entry in std::fs::read_dir(folder).map_err(io("list", folder))? {
        let entry = entry.map_err(io("list", folder))?;
        let path = entry.path();
        if entry.file_type().map_err(io("list", &path))?.is_dir() {
            sync_all(&path)?;
        } else {
            let file = File::open(&path).map_err(io("open", &path))?;
            file.sync_all().map_err(io("sync", &path))?;
        }
    }
    let this = File::open(folder).map_err(io("open", folder))?;
    this.sync_all().map_err(io("sync", folder))
}
