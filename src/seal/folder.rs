//! The folder of a package: files written whole, plain or encrypted at rest.
//!
//! ```text
//! <log>/packages/<interval>.partial/   a closing under way
//! <log>/packages/<interval>/           a package that is complete
//!
//! <name>       as handed out
//! <name>.enc   "PECFILE1" | class u16 | interval u64 | nonce 16        of a file that may name somebody
//!              then parts: length u32 | AES-256-GCM(zstd(1 MiB of the file, less at the end)) | tag 16
//! ```
//! The key of an encrypted file is derived from its class secret and its nonce (`formats::secret`, use `file`), its
//! parts are bound to log, interval, class, nonce, number and end (`formats::encrypt`): destroying the class secret
//! destroys them.
//!
//! # Invariants
//! 1. A file is there whole or not at all: written beside its name, synced, renamed.
//! 2. The digest of a file is that of its plain octets, taken while they pass.
//! 3. Memory is a part or two, whatever the length of a file.

use crate::ambient::{Entropy, draw};
use crate::keyring::{KeyError, Keyring};
use crate::store::{Store, StoreError};
use ceralacca_formats::catalogue::Entry;
use ceralacca_formats::digest::{ContentHasher, Sha256};
use ceralacca_formats::encrypt::{Cipher, Dictionary, OpenError, PART_BYTES, Part, Place};
use ceralacca_formats::id::IntervalId;
use ceralacca_formats::leaf::Class;
use ceralacca_formats::secret::RecordNonce;
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"PECFILE1";
const HEAD_BYTES: usize = 8 + 2 + 8 + 16;
/// A part is at most what zstd makes of incompressible octets, and a tag.
const PART_STORED_MAX: usize = PART_BYTES + (PART_BYTES >> 7) + 1024;
const ENCRYPTED: &str = ".enc";

/// Why a file of a package is not written or read.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The disk is full. Make room; closing goes on by itself.
    #[error("disk is full")]
    DiskFull,
    /// The file system failed.
    #[error("{attempt} {name}")]
    Io {
        /// What was attempted.
        attempt: &'static str,
        /// Of which file.
        name: String,
        /// How it failed.
        #[source]
        source: io::Error,
    },
    /// The file is not what was written. An alarm: restore the package from a copy.
    #[error("file {0} of the package is damaged")]
    Damaged(String),
    /// An encrypted file does not open. An alarm, as [`FolderError::Damaged`].
    #[error("file {name} of the package, part {part}")]
    Part {
        /// The file.
        name: String,
        /// The part, from 1.
        part: u32,
        /// How it failed.
        #[source]
        source: OpenError,
    },
    /// A secret cannot be had: its class was disposed of, or the store is damaged.
    #[error(transparent)]
    Keys(#[from] KeyError),
}

fn io(attempt: &'static str, name: &str) -> impl FnOnce(io::Error) -> FolderError {
    let name = name.to_owned();
    move |source| match source.kind() {
        io::ErrorKind::StorageFull => FolderError::DiskFull,
        _ => FolderError::Io {
            attempt,
            name,
            source,
        },
    }
}

impl From<FolderError> for StoreError {
    fn from(error: FolderError) -> Self {
        match error {
            FolderError::DiskFull => Self::DiskFull,
            other => Self::Corrupt(other.to_string()),
        }
    }
}

/// What encrypts and decrypts the files of one interval.
#[derive(Clone, Copy)]
pub struct Secrets<'a> {
    /// The secrets of the log.
    pub keyring: &'a Keyring,
    /// Where wrapped ones are.
    pub store: &'a dyn Store,
    /// The interval.
    pub interval: IntervalId,
}

impl Secrets<'_> {
    fn cipher(&self, class: Class, nonce: RecordNonce) -> Result<Cipher, KeyError> {
        let keys = self.keyring.class(self.store, self.interval, class)?;
        let place = Place {
            origin_sha256: self.keyring.origin_sha256(),
            interval: self.interval,
            class,
            nonce,
        };
        Ok(Cipher::new(&keys.file_key(&nonce), place))
    }
}

/// A folder of a package.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// A folder at a path; made where it is not there.
    pub fn create(path: &Path) -> Result<Self, FolderError> {
        let name = path.display().to_string();
        std::fs::create_dir_all(path).map_err(io("make", &name))?;
        Ok(Self {
            path: path.to_owned(),
        })
    }

    /// A folder that is there.
    pub fn at(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a small file.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<Entry, FolderError> {
        let mut writer = self.plain(name)?;
        writer.write(bytes)?;
        writer.finish()
    }

    /// Begins a file that names nobody.
    pub fn plain(&self, name: &str) -> Result<FileWriter, FolderError> {
        FileWriter::new(&self.path, name, name.to_owned(), None)
    }

    /// Begins a file that may name somebody: encrypted under a class.
    pub fn encrypted(
        &self,
        name: &str,
        class: Class,
        secrets: &Secrets<'_>,
        entropy: &dyn Entropy,
    ) -> Result<FileWriter, FolderError> {
        let nonce = RecordNonce::from_bytes(draw(entropy));
        let cipher = secrets.cipher(class, nonce)?;
        let at_rest = format!("{name}{ENCRYPTED}");
        let mut head = MAGIC.to_vec();
        head.extend(class.code().to_be_bytes());
        head.extend(secrets.interval.get().to_be_bytes());
        head.extend(nonce.as_bytes());
        let parts = Parts {
            cipher,
            plain: Vec::with_capacity(PART_BYTES),
            number: 0,
        };
        FileWriter::new(&self.path, name, at_rest, Some((head, parts)))
    }

    /// Reads a small plain file; `None` where there is none.
    pub fn read(&self, name: &str, limit: usize) -> Result<Option<Vec<u8>>, FolderError> {
        let file = match File::open(self.path.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(io("read", name))?,
        };
        let mut bytes = Vec::new();
        let most = u64::try_from(limit).unwrap_or(u64::MAX);
        file.take(most.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(io("read", name))?;
        match bytes.len() > limit {
            true => Err(FolderError::Damaged(name.to_owned())),
            false => Ok(Some(bytes)),
        }
    }

    /// Opens a file as handed out, decrypting it where it is encrypted; `None` where there is none.
    pub fn open(
        &self,
        name: &str,
        secrets: &Secrets<'_>,
    ) -> Result<Option<FileReader>, FolderError> {
        for encrypted in [false, true] {
            let at_rest = match encrypted {
                false => name.to_owned(),
                true => format!("{name}{ENCRYPTED}"),
            };
            match File::open(self.path.join(&at_rest)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(io("open", name)(error)),
                Ok(file) if encrypted => {
                    return FileReader::encrypted(file, name, secrets).map(Some);
                }
                Ok(file) => return FileReader::plain(file, name).map(Some),
            }
        }
        Ok(None)
    }

    /// Whether a plain file is there: whole, as all are.
    pub fn has(&self, name: &str) -> bool {
        self.path.join(name).is_file()
    }

    /// Opens a plain file that must be there.
    pub fn open_plain(&self, name: &str) -> Result<FileReader, FolderError> {
        let file = File::open(self.path.join(name)).map_err(io("open", name))?;
        FileReader::plain(file, name)
    }

    /// Names in a folder below this one, and whether each is a folder; in order. None where it is not there.
    pub fn names(&self, below: &str) -> Result<Vec<(String, bool)>, FolderError> {
        let entries = match std::fs::read_dir(self.path.join(below)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(io("list", below))?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(io("list", below))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let kind = entry.file_type().map_err(io("list", &name))?;
            names.push((name, kind.is_dir()));
        }
        names.sort();
        Ok(names)
    }

    /// Removes a file that is not to stay; none is no error.
    pub fn remove(&self, name: &str) -> Result<(), FolderError> {
        match std::fs::remove_file(self.path.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other.map_err(io("remove", name)),
        }
    }

    /// Removes a file of a package that is complete; gives its length.
    pub(super) fn remove_for_good(&self, name: &str) -> Result<u64, FolderError> {
        let path = self.path.join(name);
        let bytes = std::fs::metadata(&path).map_err(io("read", name))?.len();
        self.remove(name)?;
        Ok(bytes)
    }

    /// Makes what was removed durable; a folder that is not there has nothing to make so.
    pub(super) fn sync(&self) -> Result<(), FolderError> {
        match sync_folder(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other.map_err(io("sync", &self.path.display().to_string())),
        }
    }

    /// Gives the folder its final name; durable on return.
    pub fn rename(self, to: &Path) -> Result<Self, FolderError> {
        let name = to.display().to_string();
        std::fs::rename(&self.path, to).map_err(io("rename to", &name))?;
        if let Some(parent) = to.parent() {
            sync_folder(parent).map_err(io("sync", &name))?;
        }
        Ok(Self::at(to))
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

struct Parts {
    cipher: Cipher,
    plain: Vec<u8>,
    number: u32,
}

/// A file that is being written; gone unless it is finished.
pub struct FileWriter {
    file: BufWriter<File>,
    temporary: PathBuf,
    target: PathBuf,
    name: String,
    hasher: ContentHasher,
    parts: Option<Parts>,
}

impl FileWriter {
    fn new(
        folder: &Path,
        name: &str,
        at_rest: String,
        encrypted: Option<(Vec<u8>, Parts)>,
    ) -> Result<Self, FolderError> {
        let target = folder.join(&at_rest);
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent).map_err(io("make the folder of", name))?;
        }
        let temporary = folder.join(format!("{at_rest}.tmp"));
        let file = File::create(&temporary).map_err(io("create", name))?;
        let mut writer = Self {
            file: BufWriter::with_capacity(1 << 18, file),
            temporary,
            target,
            name: name.to_owned(),
            hasher: ContentHasher::default(),
            parts: None,
        };
        if let Some((head, parts)) = encrypted {
            writer.put(&head)?;
            writer.parts = Some(parts);
        }
        Ok(writer)
    }

    /// Plain octets so far.
    pub fn bytes(&self) -> u64 {
        self.hasher.bytes()
    }

    /// Appends plain octets.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), FolderError> {
        self.hasher.update(bytes);
        let Some(mut parts) = self.parts.take() else {
            return self.put(bytes);
        };
        let mut rest = bytes;
        while !rest.is_empty() {
            // A full part is written when more comes: the last one must say that it is.
            if parts.plain.len() == PART_BYTES {
                self.put_part(&mut parts, false)?;
            }
            let room = PART_BYTES.saturating_sub(parts.plain.len());
            let (now, later) = rest.split_at(room.min(rest.len()));
            parts.plain.extend_from_slice(now);
            rest = later;
        }
        self.parts = Some(parts);
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), FolderError> {
        self.file.write_all(bytes).map_err(io("write", &self.name))
    }

    fn put_part(&mut self, parts: &mut Parts, last: bool) -> Result<(), FolderError> {
        parts.number = parts.number.saturating_add(1);
        let part = Part {
            number: parts.number,
            last,
        };
        let mut stored = Vec::with_capacity(PART_BYTES / 2);
        let none = Dictionary::None;
        parts
            .cipher
            .encrypt_into(part, none, &parts.plain, &mut stored);
        parts.plain.clear();
        let length = u32::try_from(stored.len()).unwrap_or(u32::MAX);
        self.put(&length.to_be_bytes())?;
        self.put(&stored)
    }

    /// Ends the file: it is durable under its name on return.
    pub fn finish(mut self) -> Result<Entry, FolderError> {
        if let Some(mut parts) = self.parts.take() {
            self.put_part(&mut parts, true)?;
        }
        let name = self.name;
        let file = self.file.into_inner();
        let file = file.map_err(|error| io("write", &name)(error.into_error()))?;
        file.sync_all().map_err(io("sync", &name))?;
        std::fs::rename(&self.temporary, &self.target).map_err(io("rename", &name))?;
        if let Some(parent) = self.target.parent() {
            sync_folder(parent).map_err(io("sync the folder of", &name))?;
        }
        let digest = self.hasher.finish();
        Ok(Entry {
            path: name,
            bytes: digest.bytes,
            sha256: digest.sha256,
        })
    }
}

struct Stored {
    cipher: Cipher,
    /// Offset and length of each part.
    parts: Vec<(u64, u32)>,
    /// The part read last, by its place, and its plain octets.
    read: Option<(usize, Vec<u8>)>,
}

/// A file of a package, as handed out.
pub struct FileReader {
    file: File,
    name: String,
    bytes: u64,
    stored: Option<Stored>,
}

impl FileReader {
    fn plain(file: File, name: &str) -> Result<Self, FolderError> {
        let bytes = file.metadata().map_err(io("read", name))?.len();
        Ok(Self {
            file,
            name: name.to_owned(),
            bytes,
            stored: None,
        })
    }

    fn encrypted(mut file: File, name: &str, secrets: &Secrets<'_>) -> Result<Self, FolderError> {
        let damaged = || FolderError::Damaged(name.to_owned());
        let length = file.metadata().map_err(io("read", name))?.len();
        let mut head = [0; HEAD_BYTES];
        file.read_exact(&mut head).map_err(|_| damaged())?;
        let (class, nonce) = read_head(&head, secrets.interval).ok_or_else(damaged)?;
        let cipher = secrets.cipher(class, nonce)?;
        let mut parts = Vec::new();
        let mut at = HEAD_BYTES as u64;
        while at < length {
            let mut size = [0; 4];
            file.seek(SeekFrom::Start(at)).map_err(io("read", name))?;
            file.read_exact(&mut size).map_err(|_| damaged())?;
            let size = u32::from_be_bytes(size);
            if size as usize > PART_STORED_MAX {
                return Err(damaged());
            }
            parts.push((at + 4, size));
            at += 4 + u64::from(size);
        }
        if at != length || parts.is_empty() {
            return Err(damaged());
        }
        let stored = Stored {
            cipher,
            parts,
            read: None,
        };
        let mut reader = Self {
            file,
            name: name.to_owned(),
            bytes: 0,
            stored: Some(stored),
        };
        let last = reader.parts().saturating_sub(1);
        let tail = reader.part(last)?.len() as u64;
        reader.bytes = last as u64 * PART_BYTES as u64 + tail;
        Ok(reader)
    }

    /// Plain octets in it.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    fn parts(&self) -> usize {
        self.stored.as_ref().map_or(0, |stored| stored.parts.len())
    }

    fn part(&mut self, place: usize) -> Result<&[u8], FolderError> {
        let name = &self.name;
        let damaged = || FolderError::Damaged(name.clone());
        let stored = self.stored.as_mut().ok_or_else(damaged)?;
        if stored.read.as_ref().is_none_or(|(read, _)| *read != place) {
            let (offset, size) = stored.parts.get(place).ok_or_else(damaged)?;
            let mut bytes = vec![0; *size as usize];
            let from = SeekFrom::Start(*offset);
            self.file.seek(from).map_err(io("read", name))?;
            self.file.read_exact(&mut bytes).map_err(|_| damaged())?;
            let part = Part {
                number: u32::try_from(place + 1).unwrap_or(u32::MAX),
                last: place + 1 == stored.parts.len(),
            };
            let none = Dictionary::None;
            let plain = stored.cipher.decrypt(part, none, &bytes, PART_BYTES);
            let plain = plain.map_err(|source| FolderError::Part {
                name: name.clone(),
                part: part.number,
                source,
            })?;
            if !part.last && plain.len() != PART_BYTES {
                return Err(damaged());
            }
            stored.read = Some((place, plain));
        }
        let (_, plain) = stored.read.as_ref().ok_or_else(damaged)?;
        Ok(plain)
    }

    /// The plain octets from an offset on, exactly so many.
    pub fn read_at(&mut self, offset: u64, bytes: usize) -> Result<Vec<u8>, FolderError> {
        let end = offset.checked_add(bytes as u64);
        if end.is_none_or(|end| end > self.bytes) {
            return Err(FolderError::Damaged(self.name.clone()));
        }
        let mut out = Vec::with_capacity(bytes);
        if self.stored.is_none() {
            let from = SeekFrom::Start(offset);
            self.file.seek(from).map_err(io("read", &self.name))?;
            let mut limited = (&self.file).take(bytes as u64);
            let read = limited.read_to_end(&mut out);
            read.map_err(io("read", &self.name))?;
            return Ok(out);
        }
        let mut at = offset;
        while out.len() < bytes {
            let place = usize::try_from(at / PART_BYTES as u64).unwrap_or(usize::MAX);
            let within = usize::try_from(at % PART_BYTES as u64).unwrap_or(0);
            let wanted = bytes - out.len();
            let part = self.part(place)?;
            let piece = part.get(within..).unwrap_or_default();
            let piece = piece.get(..wanted.min(piece.len())).unwrap_or_default();
            if piece.is_empty() {
                return Err(FolderError::Damaged(self.name.clone()));
            }
            out.extend_from_slice(piece);
            at += piece.len() as u64;
        }
        Ok(out)
    }

    /// Hands all octets to `take`, piece by piece, and gives their digest.
    pub fn each<E: From<FolderError>>(
        &mut self,
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<Sha256, E> {
        let mut hasher = ContentHasher::default();
        let mut at = 0;
        while at < self.bytes {
            let left = self.bytes - at;
            let piece = usize::try_from(left).unwrap_or(PART_BYTES).min(PART_BYTES);
            let piece = self.read_at(at, piece)?;
            hasher.update(&piece);
            take(&piece)?;
            at += piece.len() as u64;
        }
        Ok(hasher.finish().sha256)
    }
}

fn read_head(head: &[u8; HEAD_BYTES], interval: IntervalId) -> Option<(Class, RecordNonce)> {
    let rest = head.strip_prefix(MAGIC)?;
    let (class, rest) = rest.split_first_chunk::<2>()?;
    let (of, nonce) = rest.split_first_chunk::<8>()?;
    let class = Class::try_from(u16::from_be_bytes(*class)).ok()?;
    let nonce: [u8; 16] = nonce.try_into().ok()?;
    (u64::from_be_bytes(*of) == interval.get()).then_some((class, RecordNonce::from_bytes(nonce)))
}
