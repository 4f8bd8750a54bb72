//! The files of a package, and that they are those of its catalogue.

use super::report::{Ended, Report};
use super::{CATALOGUE, CLOSING, FolderError};
use crate::verification::closing::PROOF;
use ceralacca_formats::catalogue::{Catalogue, Entry, FILES_MAX};
use ceralacca_formats::digest::{ContentHasher, Sha256};
use ceralacca_formats::leaf::Class;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

const PIECE_BYTES: usize = 1 << 20;
/// Folders in folders of a package: `material`, `schemas`.
const DEPTH_MAX: usize = 4;

/// A folder that holds a package.
pub(super) struct Package {
    path: PathBuf,
}

impl Package {
    pub(super) fn at(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    fn failed(&self, path: &str) -> impl FnOnce(io::Error) -> FolderError + use<> {
        let path = self.path.join(path);
        move |source| FolderError { path, source }
    }

    /// A file; `None` where there is none.
    pub(super) fn open(&self, path: &str) -> Result<Option<File>, FolderError> {
        match File::open(self.path.join(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            other => other.map(Some).map_err(self.failed(path)),
        }
    }

    /// A whole file; `None` where there is none, or a longer one.
    pub(super) fn small(&self, path: &str, limit: usize) -> Result<Option<Vec<u8>>, FolderError> {
        let Some(file) = self.open(path)? else {
            return Ok(None);
        };
        let mut octets = Vec::new();
        let most = u64::try_from(limit).unwrap_or(u64::MAX);
        let read = file.take(most.saturating_add(1)).read_to_end(&mut octets);
        read.map_err(self.failed(path))?;
        Ok((octets.len() <= limit).then_some(octets))
    }

    /// The next octets of an open file, as many as fit; none at its end.
    pub(super) fn fill(
        &self,
        path: &str,
        file: &mut File,
        buffer: &mut Vec<u8>,
        most: usize,
    ) -> Result<usize, FolderError> {
        let limit = u64::try_from(most).unwrap_or(u64::MAX);
        let read = file.by_ref().take(limit).read_to_end(buffer);
        read.map_err(self.failed(path))
    }

    /// Octets of an open file from an offset on.
    pub(super) fn read_at(
        &self,
        path: &str,
        file: &mut File,
        offset: u64,
        bytes: usize,
    ) -> Result<Vec<u8>, FolderError> {
        let sought = file.seek(SeekFrom::Start(offset));
        sought.map_err(self.failed(path))?;
        let mut octets = Vec::new();
        self.fill(path, file, &mut octets, bytes)?;
        Ok(octets)
    }

    /// Hands out a file in pieces.
    pub(super) fn each(
        &self,
        path: &str,
        mut take: impl FnMut(&[u8]),
    ) -> Result<Option<()>, FolderError> {
        let Some(mut file) = self.open(path)? else {
            return Ok(None);
        };
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        while self.fill(path, &mut file, &mut piece, PIECE_BYTES)? > 0 {
            take(&piece);
            piece.clear();
        }
        Ok(Some(()))
    }

    /// Length and digest of a file; `None` where there is none.
    pub(super) fn digest(&self, path: &str) -> Result<Option<(u64, Sha256)>, FolderError> {
        let mut hasher = ContentHasher::default();
        let there = self.each(path, |piece| hasher.update(piece))?;
        Ok(there.map(|()| {
            let digest = hasher.finish();
            (digest.bytes, digest.sha256)
        }))
    }

    /// Every file, by its path within the package; those beyond what a package may have are not gathered.
    fn list(&self, below: &str, depth: usize, found: &mut Vec<String>) -> Result<(), FolderError> {
        let entries = std::fs::read_dir(self.path.join(below)).map_err(self.failed(below))?;
        for entry in entries {
            let entry = entry.map_err(self.failed(below))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = match below {
                "" => name,
                _ => format!("{below}/{name}"),
            };
            let kind = entry.file_type().map_err(self.failed(&path))?;
            if kind.is_dir() && depth < DEPTH_MAX {
                self.list(&path, depth + 1, found)?;
            } else if found.len() <= FILES_MAX {
                found.push(path);
            }
        }
        Ok(())
    }
}

/// What a file of a class is: it may name somebody.
pub(crate) fn class_of(path: &str) -> Option<Class> {
    let of = |class: &&Class| {
        let word = class.word();
        let log = path.strip_prefix("log-").and_then(|p| p.strip_prefix(word));
        path == format!("map-{word}.bin")
            || path == format!("salt-{word}.bin")
            || log.is_some_and(|p| p.starts_with('-') && p.ends_with(".jsonl"))
    };
    Class::ALL.iter().find(of).copied()
}

pub(super) fn is_log(path: &str) -> bool {
    path.starts_with("log-") && path.ends_with(".jsonl")
}

/// Which files are there.
pub(super) struct Files {
    /// Classes whose files were not handed out.
    pub(super) absent: BTreeSet<u16>,
}

impl Files {
    /// That the files of the catalogue are there, are what it says, and no others are. Log files are hashed where their
    /// lines are read.
    pub(super) fn check(
        package: &Package,
        catalogue: &Catalogue,
        partial: bool,
        report: &mut Report,
    ) -> Result<Self, FolderError> {
        let mut found = Vec::new();
        package.list("", 0, &mut found)?;
        let found: BTreeSet<String> = found.into_iter().collect();
        let own = |path: &str| [CATALOGUE, CLOSING, PROOF].contains(&path);
        let listed = |path: &str| own(path) || catalogue.file(path).is_some();
        let unlisted = found.iter().filter(|path| !listed(path));
        let unlisted: Vec<String> = unlisted
            .map(|path| format!("{path} is in no catalogue"))
            .collect();
        report.flaws("files", "nothing is there that is not listed", &unlisted);
        let is_here = |entry: &&Entry| found.contains(&entry.path);
        let mut absent = BTreeSet::new();
        for class in Class::ALL.iter().filter(|_| partial) {
            let mut files = catalogue.files.iter();
            let mut files = files.by_ref().filter(|e| class_of(&e.path) == Some(*class));
            if !files.any(|entry| is_here(&entry)) {
                absent.insert(class.code());
            }
        }
        let is_absent =
            |entry: &Entry| class_of(&entry.path).is_some_and(|c| absent.contains(&c.code()));
        let mut missing = Vec::new();
        let mut other = Vec::new();
        let mut held_back = 0u64;
        for entry in &catalogue.files {
            if is_absent(entry) {
                held_back += 1;
            } else if !is_here(&entry) {
                missing.push(format!("{} is missing", entry.path));
            } else if !is_log(&entry.path) {
                let digest = package.digest(&entry.path)?;
                if digest != Some((entry.bytes, entry.sha256)) {
                    other.push(format!("{} has another length or digest", entry.path));
                }
            }
        }
        report.flaws("files", "every file of the catalogue is there", &missing);
        let what = "every file but the log files is the one of the catalogue";
        report.flaws("files", what, &other);
        if held_back > 0 {
            let why = format!("{held_back} files that may name somebody were not handed out");
            report.add("files", "files of every class", Ended::NotChecked(why));
        }
        Ok(Self { absent })
    }
}
