//! What there is to import, and how: format, old time-stamp, parts.
//!
//! # Invariants
//! 1. Parts follow each other without gap, and begin where a record begins; only a stretch longer than a part, which
//!    is no record, is cut elsewhere.
//! 2. A file is read here once or twice, and never kept.

use super::Arguments;
use crate::cli::import::walk::{Met, walk};
use anyhow::{Context as _, Result, bail, ensure};
use ceralacca_formats::digest::{ContentDigest, ContentHasher, Sha256};
use ceralacca_pec::logs::{FileDate, Format, LogReader, p7m};
use ceralacca_pec::tsp::TOKEN_BYTES_MAX;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// How the file of an old time-stamp ends.
const TOKEN_ENDINGS: [&str; 3] = ["tsr", "tst", "p7"];
/// What is read at a time, in bytes.
const READ_BYTES: usize = 256 << 10;

/// A format by its name.
pub fn format(name: &str) -> Result<&'static str, String> {
    let known = Format::named(name).map(|format| format.name);
    let names: Vec<_> = Format::ALL.iter().map(|format| format.name).collect();
    known.ok_or_else(|| format!("no such format, there are: {}", names.join(", ")))
}

/// A day, as the service checks it.
pub fn date(text: &str) -> Result<String, String> {
    let is_date = file_date(text).is_some();
    let why = || "not a day of the form yyyy-mm-dd".to_owned();
    is_date.then(|| text.to_owned()).ok_or_else(why)
}

/// The form is checked as it stands in the names of files.
fn file_date(text: &str) -> Option<FileDate> {
    let format = Format::ALL.first()?;
    let name = format!("{}{text}{}", format.file_prefix, format.file_suffix);
    FileDate::from_name(format, &name)
}

/// Files met on a path of the command line.
#[derive(Default)]
pub struct Found {
    /// In the order of their names.
    pub files: Vec<PathBuf>,
    /// What cannot be read.
    pub unreadable: Vec<(PathBuf, anyhow::Error)>,
    /// Links, devices, time-stamps.
    pub ignored: u64,
}

/// Walks a path. A file that it names itself is taken whatever its name is.
pub fn files(path: &Path, own: (u64, u64)) -> Found {
    let mut found = Found::default();
    let flow = walk(path, &mut |met| {
        match met {
            Met::File(file, _) if file == path => found.files.push(file.to_owned()),
            Met::File(file, _) if is_token(file) || identity(file) == Some(own) => {
                found.ignored += 1;
            }
            Met::File(file, _) => found.files.push(file.to_owned()),
            Met::Ignored => found.ignored += 1,
            Met::Unreadable(path, error) => {
                found.unreadable.push((path.to_owned(), error.into()));
            }
        }
        ControlFlow::Continue(())
    });
    // Nobody ended the walk.
    let _ = flow;
    found
}

fn is_token(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| TOKEN_ENDINGS.contains(&ending.to_ascii_lowercase().as_str()))
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    let metadata = path.metadata().ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// How a file is migrated.
pub struct Migration {
    /// Leaf index of the declaration.
    pub declaration: u64,
    /// The old time-stamp beside the file, and its name.
    pub token: Option<(PathBuf, Vec<u8>)>,
}

/// A file to import.
pub struct Job {
    /// Where it is.
    pub path: PathBuf,
    /// Its name, without the folder.
    pub name: String,
    /// Its format.
    pub format: &'static Format,
    /// The day it is of, where it is told.
    pub date: String,
    /// Where it is migrated.
    pub migration: Option<Migration>,
}

impl Job {
    /// A file as the command line says.
    pub fn of(path: &Path, arguments: &Arguments) -> Result<Self> {
        let name = path.file_name().unwrap_or_default();
        let name = name.to_string_lossy().into_owned();
        let format = match arguments.format {
            Some(format) => Format::named(format),
            None => Format::of_file(&name),
        };
        let format = format.context("its name is of no known format: give --format")?;
        let migration = match arguments.migration {
            None => None,
            Some(declaration) => Some(Migration {
                declaration,
                token: token(path)?,
            }),
        };
        Ok(Self {
            path: path.to_owned(),
            name,
            format,
            date: arguments.date.clone().unwrap_or_default(),
            migration,
        })
    }

    /// Its name in messages and in the file of acknowledgements.
    pub fn shown(&self) -> String {
        let path = self.path.display();
        match &self.migration {
            None => path.to_string(),
            Some(migration) => format!("{path} (migration {})", migration.declaration),
        }
    }

    /// Whether it is migrated.
    pub fn is_migrated(&self) -> bool {
        self.migration.is_some()
    }

    /// The file of its old time-stamp, where there is one.
    pub fn token_name(&self) -> Option<String> {
        let (path, _) = self.migration.as_ref()?.token.as_ref()?;
        Some(path.display().to_string())
    }

    /// Its parts: the whole, where it fits.
    pub fn parts(&self, part_bytes: u64) -> Result<Vec<Part>> {
        let mut file = File::open(&self.path)?;
        let mut beginning = Vec::new();
        (&mut file)
            .take(READ_BYTES as u64)
            .read_to_end(&mut beginning)?;
        let whole = self.digest(0..u64::MAX)?;
        if whole.bytes <= part_bytes || p7m::is_signed(&self.name, &beginning) {
            return Ok(vec![Part {
                number: 0,
                from: 0,
                digest: whole,
                whole,
            }]);
        }
        ensure!(
            !self.is_migrated(),
            "larger than {part_bytes} bytes, and its time-stamp covers the whole: raise --part-bytes and \
             limits.object_bytes_max of the archive"
        );
        let cuts = self.cuts(part_bytes)?;
        let ends = cuts.iter().skip(1).copied().chain([whole.bytes]);
        let parts = cuts.iter().zip(ends).zip(1..);
        let parts = parts.map(|((from, until), number)| {
            Ok(Part {
                number,
                from: *from,
                digest: self.digest(*from..until)?,
                whole,
            })
        });
        parts.collect()
    }

    /// Where parts begin.
    fn cuts(&self, part_bytes: u64) -> Result<Vec<u64>> {
        let mut file = File::open(&self.path)?;
        let mut cuts = Cuts {
            all: vec![0],
            begun: 0,
            part_bytes,
        };
        // Where records begin does not depend on the date.
        let mut reader = LogReader::new(self.format, None);
        let (mut piece, mut bytes) = (vec![0; READ_BYTES], 0u64);
        loop {
            let read = file.read(&mut piece)?;
            let Some(read) = piece.get(..read).filter(|read| !read.is_empty()) else {
                break;
            };
            bytes += read.len() as u64;
            reader.push(read, |item| cuts.add(item.range().start));
        }
        reader.finish(|item| cuts.add(item.range().start));
        cuts.end(bytes);
        Ok(cuts.all)
    }

    fn digest(&self, range: std::ops::Range<u64>) -> Result<ContentDigest> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(range.start))?;
        let mut rest = file.take(range.end - range.start);
        let (mut hasher, mut piece) = (ContentHasher::default(), vec![0; READ_BYTES]);
        loop {
            let read = rest.read(&mut piece)?;
            let Some(read) = piece.get(..read).filter(|read| !read.is_empty()) else {
                return Ok(hasher.finish());
            };
            hasher.update(read);
        }
    }
}

/// Where parts begin, found while records pass.
struct Cuts {
    all: Vec<u64>,
    /// Where the record before this one began.
    begun: u64,
    part_bytes: u64,
}

impl Cuts {
    fn last(&self) -> u64 {
        self.all.last().copied().unwrap_or(0)
    }

    /// A record begins here: what came before it is whole.
    fn add(&mut self, start: u64) {
        self.end(start);
        self.begun = start;
    }

    /// What came before `end` must fit.
    fn end(&mut self, end: u64) {
        while end - self.last() > self.part_bytes {
            let cut = match self.begun > self.last() {
                true => self.begun,
                false => self.last() + self.part_bytes,
            };
            self.all.push(cut);
        }
    }
}

/// A part of a file, or the whole.
pub struct Part {
    /// From 1; 0 for the whole.
    pub number: u64,
    /// Offset of its first octet.
    pub from: u64,
    /// Its length and digests.
    pub digest: ContentDigest,
    whole: ContentDigest,
}

impl Part {
    /// Its offset, where it is not the whole.
    pub fn offset(&self) -> Option<u64> {
        (self.number > 0).then_some(self.from)
    }

    /// Length and SHA-256 of the whole file.
    pub fn whole(&self) -> (u64, &Sha256) {
        (self.whole.bytes, &self.whole.sha256)
    }
}

/// The old time-stamp beside a file.
fn token(path: &Path) -> Result<Option<(PathBuf, Vec<u8>)>> {
    for ending in TOKEN_ENDINGS {
        let mut after = path.as_os_str().to_owned();
        after.push(format!(".{ending}"));
        for candidate in [PathBuf::from(after), path.with_extension(ending)] {
            if candidate == path || !candidate.is_file() {
                continue;
            }
            let attempt = || format!("time-stamp {}", candidate.display());
            let file = File::open(&candidate).with_context(attempt)?;
            let mut bytes = Vec::new();
            let limit = TOKEN_BYTES_MAX as u64;
            file.take(limit + 1)
                .read_to_end(&mut bytes)
                .with_context(attempt)?;
            if bytes.len() as u64 > limit {
                bail!("{}: larger than any time-stamp", attempt());
            }
            return Ok(Some((candidate, bytes)));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cuts(part_bytes: u64, starts: &[u64], end: u64) -> Vec<u64> {
        let mut cuts = Cuts {
            all: vec![0],
            begun: 0,
            part_bytes,
        };
        starts.iter().for_each(|start| cuts.add(*start));
        cuts.end(end);
        cuts.all
    }

    #[test]
    fn parts_begin_where_records_begin_and_none_is_too_long() {
        assert_eq!(cuts(100, &[0, 40, 80, 120, 160], 200), [0, 80, 160]);
        assert_eq!(cuts(100, &[0, 100, 200], 300), [0, 100, 200]);
        assert_eq!(cuts(100, &[0, 99], 100), [0]);
        // A stretch longer than a part is cut where it must be.
        assert_eq!(cuts(100, &[10, 350], 360), [0, 10, 110, 210, 310]);
        assert_eq!(cuts(100, &[], 250), [0, 100, 200]);
    }

    #[test]
    fn a_date_is_of_one_form() {
        assert!(date("2007-05-07").is_ok());
        for text in ["", "2007-5-7", "2007-02-30", "2007-05-07x", "07-05-2007"] {
            assert!(date(text).is_err(), "{text}");
        }
    }

    #[test]
    fn formats_are_known_by_name() {
        assert_eq!(format("milter"), Ok("milter"));
        assert!(format("altro").unwrap_err().contains("milter"));
    }
}
