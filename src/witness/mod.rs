//! A witness: cosigns the checkpoints of logs it knows, and remembers what it cosigned.
//!
//! ```text
//! <directory>/lock                       held by the process that has it open (flock)
//! <directory>/key                        <name> <seed, 64 hexadecimal digits>\n, mode 0600
//! <directory>/<SHA-256(origin), hex>     note of the last cosigned checkpoint, with the cosignature
//! ```
//!
//! # Invariants
//! 1. Never a smaller tree than the one cosigned last, never a forked one (`ceralacca_formats::witness`).
//! 2. What is cosigned is durable under its name before the cosignature leaves; requests for one origin are
//!    served one after the other, from what is on disk.
//! 3. A file that is there and cannot be read, or is not our cosignature, stops the origin: it is never taken for
//!    a log that was not seen before.
//!
//! # Crash
//! Before the rename nothing was cosigned. After it the log may not have heard: it asks again, is told the size,
//! and is given another cosignature over the same checkpoint.
//!
//! # Not here
//! HTTP ([`http`]). Whether a checkpoint follows (`ceralacca_formats::witness`).

pub mod http;

use crate::ambient::{Clock, Entropy, draw};
use ceralacca_formats::checkpoint::{self, CheckpointError};
use ceralacca_formats::cosignature::Cosigner;
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::id::{Origin, TreeSize};
use ceralacca_formats::note::{NOTE_BYTES_MAX, NoteError, VerifierKey};
use ceralacca_formats::secret::SigningSeed;
use ceralacca_formats::tree::RootHash;
use ceralacca_formats::witness::{AddCheckpoint, Refusal, judge};
use rustix::fs::FlockOperation;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use zeroize::Zeroizing;

/// A name of 255 characters, a seed, and what stands between.
const KEY_BYTES_MAX: u64 = 512;
/// All rights of others, and writing by the group.
const REFUSED_MODE: u32 = 0o027;

/// Why a witness cannot work. Its operator's to mend; nothing was cosigned.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    /// A file cannot be read or written.
    #[error("{attempt} {path}")]
    File {
        /// What was attempted.
        attempt: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is a key already.
    #[error("{0} is there already")]
    Exists(PathBuf),
    /// Another process has the directory open.
    #[error("witness {0} is in use by another process")]
    InUse(PathBuf),
    /// Others may read the key.
    #[error("key {path} is open to others (mode {mode:04o}): chmod 600 it")]
    Open {
        /// Which file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The key is not a name and a seed.
    #[error("key {0} is malformed")]
    Key(PathBuf),
    /// The name is not fit for a note: empty, or with a space or a plus.
    #[error("name of the witness: {0}")]
    Name(#[source] NoteError),
    /// What is kept of a log is not our cosignature. Never taken for a new log.
    #[error("kept checkpoint {path}: {error}")]
    Kept {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        error: CheckpointError,
    },
    /// What is kept of a log is of another log.
    #[error("kept checkpoint {0} is of another log")]
    OtherOrigin(PathBuf),
}

fn file<'a>(
    attempt: &'static str,
    path: &'a Path,
) -> impl FnOnce(io::Error) -> WitnessError + use<'a> {
    move |source| WitnessError::File {
        attempt,
        path: path.to_owned(),
        source,
    }
}

/// Makes the directory and the key of a new witness; gives the key that verifies its cosignatures.
pub fn init(
    directory: &Path,
    name: &str,
    entropy: &dyn Entropy,
) -> Result<VerifierKey, WitnessError> {
    std::fs::create_dir_all(directory).map_err(file("make", directory))?;
    let seed: Zeroizing<[u8; 32]> = Zeroizing::new(draw(entropy));
    let cosigner = Cosigner::new(name, &SigningSeed::from_bytes(*seed));
    let cosigner = cosigner.map_err(WitnessError::Name)?;
    let path = directory.join("key");
    let text = Zeroizing::new(format!("{name} {}\n", *Zeroizing::new(hex::encode(*seed))));
    if path.symlink_metadata().is_ok() {
        return Err(WitnessError::Exists(path));
    }
    // Whole or not at all, and its owner's alone from the first moment on.
    let partial = directory.join("key.partial");
    let mut options = File::options();
    let options = options.write(true).create(true).truncate(true).mode(0o600);
    let mut key = options.open(&partial).map_err(file("make", &partial))?;
    key.write_all(text.as_bytes())
        .and_then(|()| key.sync_all())
        .and_then(|()| std::fs::hard_link(&partial, &path))
        .and_then(|()| std::fs::remove_file(&partial))
        .and_then(|()| File::open(directory)?.sync_all())
        .map_err(file("write", &path))?;
    Ok(cosigner.verifier().clone())
}

/// What a witness answers to a request it can judge.
pub type Judged = Result<String, Refusal>;

/// A witness at work.
pub struct Witness {
    directory: PathBuf,
    /// Held as long as the witness works; the lock goes with it.
    _lock: File,
    cosigner: Cosigner,
    known: Vec<VerifierKey>,
    /// One at a time for each origin.
    origins: BTreeMap<Origin, Mutex<()>>,
    clock: Arc<dyn Clock>,
}

impl Witness {
    /// Takes a witness to work for logs with these keys; several keys may be of one log. What is kept of each is
    /// verified first.
    pub fn open(
        directory: &Path,
        known: Vec<VerifierKey>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, WitnessError> {
        let path = directory.join("lock");
        let mut options = File::options();
        let options = options.create(true).truncate(false).write(true);
        let lock = options.open(&path).map_err(file("open", &path))?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(WitnessError::InUse(directory.to_owned()));
            }
            Err(other) => return Err(file("lock", &path)(other.into())),
        }
        let cosigner = read_key(&directory.join("key"))?;
        let names = known.iter().map(|key| Origin::try_from(key.name()));
        let origins = names.filter_map(Result::ok).map(|o| (o, Mutex::new(())));
        let witness = Self {
            directory: directory.to_owned(),
            _lock: lock,
            cosigner,
            origins: origins.collect(),
            known,
            clock,
        };
        for origin in witness.origins.keys() {
            witness.last(origin)?;
        }
        Ok(witness)
    }

    /// The key that verifies its cosignatures.
    pub fn verifier(&self) -> &VerifierKey {
        self.cosigner.verifier()
    }

    /// Judges a request; the cosignature line where it is let through, after it is durable.
    pub fn add_checkpoint(&self, request: &AddCheckpoint) -> Result<Judged, WitnessError> {
        let mut held = None;
        let judged = judge(request, &self.known, |checkpoint| {
            // From here to the answer no other request for this origin is served.
            held = self.origins.get(checkpoint.origin()).map(|origin| {
                // What it guards is on disk, whatever a holder's panic left undone.
                origin.lock().unwrap_or_else(PoisonError::into_inner)
            });
            self.last(checkpoint.origin())
        })?;
        let checkpoint = match judged {
            Ok(checkpoint) => checkpoint,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let seconds = self.clock.wall().get() / 1000;
        let line = self.cosigner.cosign(&checkpoint, seconds);
        // The note may bring lines of anybody: kept are those of the log, and ours.
        let of_log = |key: &&VerifierKey| key.name() == checkpoint.origin().as_str();
        let keys: Vec<&VerifierKey> = self.known.iter().filter(of_log).collect();
        let kept = checkpoint.only_by(&keys).with_lines(&line);
        self.keep(checkpoint.origin(), kept.note().as_bytes())?;
        // From here on the checkpoint is the last one cosigned, whether or not anybody hears of it.
        drop(held);
        Ok(Ok(line))
    }

    /// The note kept of a log, by the hexadecimal SHA-256 of its origin; nothing for logs that are not known, or
    /// were never seen.
    pub fn kept(&self, name: &str) -> Result<Option<Vec<u8>>, WitnessError> {
        match self.origins.keys().find(|origin| name_of(origin) == name) {
            None => Ok(None),
            Some(origin) => self.read(&self.path_of(origin)),
        }
    }

    fn path_of(&self, origin: &Origin) -> PathBuf {
        self.directory.join(name_of(origin))
    }

    /// Size and root cosigned last.
    fn last(&self, origin: &Origin) -> Result<Option<(TreeSize, RootHash)>, WitnessError> {
        let path = self.path_of(origin);
        let Some(note) = self.read(&path)? else {
            return Ok(None);
        };
        match checkpoint::read_cosigned(&note, self.verifier()) {
            Ok((found, size, root)) if found == *origin => Ok(Some((size, root))),
            Ok(_) => Err(WitnessError::OtherOrigin(path)),
            Err(error) => Err(WitnessError::Kept { path, error }),
        }
    }

    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, WitnessError> {
        let note = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(file("read", path))?,
        };
        let mut bytes = Vec::new();
        let most = NOTE_BYTES_MAX as u64 + 1;
        note.take(most)
            .read_to_end(&mut bytes)
            .map_err(file("read", path))?;
        Ok(Some(bytes))
    }

    /// Replaces what is kept of a log; durable on return.
    fn keep(&self, origin: &Origin, note: &[u8]) -> Result<(), WitnessError> {
        let path = self.path_of(origin);
        let partial = path.with_extension("partial");
        let write = || {
            let mut file = File::create(&partial)?;
            file.write_all(note)?;
            file.sync_all()?;
            std::fs::rename(&partial, &path)?;
            File::open(&self.directory)?.sync_all()
        };
        write().map_err(file("write", &path))
    }
}

/// How a log's file is called: lower-case hexadecimal SHA-256 of its origin, as in the protocol's monitoring URL.
fn name_of(origin: &Origin) -> String {
    Sha256::of(origin.as_str().as_bytes()).to_string()
}

fn read_key(path: &Path) -> Result<Cosigner, WitnessError> {
    let key = File::open(path).map_err(file("read", path))?;
    let mode = key.metadata().map_err(file("read", path))?;
    let mode = mode.permissions().mode() & 0o777;
    if mode & REFUSED_MODE != 0 {
        let path = path.to_owned();
        return Err(WitnessError::Open { path, mode });
    }
    let mut text = Zeroizing::new(String::new());
    key.take(KEY_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(file("read", path))?;
    let malformed = || WitnessError::Key(path.to_owned());
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let (name, digits) = line.split_once(' ').ok_or_else(malformed)?;
    let mut seed = Zeroizing::new([0; 32]);
    hex::decode_to_slice(digits, seed.as_mut_slice()).map_err(|_| malformed())?;
    Cosigner::new(name, &SigningSeed::from_bytes(*seed)).map_err(|_| malformed())
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
