//! The folder of a demo: made, or emptied of what a former one left.
//!
//! # Invariant
//! A folder with anything in it is taken only if it is a former demo; then what a demo leaves is replaced, and
//! nothing else is touched.

use anyhow::{Context as _, Result, bail};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// First line of `ABOUT.txt`.
const MARK: &str = "ceralacca demo 1\n";
const ABOUT: &str = "\
ceralacca demo 1

This folder was made by `ceralacca demo`. Its people, providers and messages are invented. It can be deleted
whole; the next demo replaces it.

ceralacca.toml        the configuration the service ran with
data/                 the archive: one log in RocksDB, everything personal in it encrypted
master.key            the key all of it is encrypted under; beside the data, never inside
sviluppo/             keys that seal and stamp in development: nothing made with them is qualified
verifier.key          the public key that verifies the log's checkpoints
mail/                 whole PEC transactions of invented providers, as they were imported
root.pem              the authority of those providers' certificates, thrown away after the demo
acknowledgements.jsonl  what the import got back for each message, a line each
receipt.tlog-proof    the proof of one receipt: complete, checkable offline
checkpoint.txt        the signed checkpoint in it: number of leaves and root of the tree
reissue/              that receipt given again: the same bytes, with proofs and LEGGIMI.txt
altered.eml           the receipt with one byte changed: it must not verify
altered.tlog-proof    the proof with one character changed: it must not verify
server.log            what the service logged
";

/// All that a demo leaves, beside `ABOUT.txt`.
const LEFT: [&str; 13] = [
    "ceralacca.toml",
    "data",
    "master.key",
    "sviluppo",
    "verifier.key",
    "mail",
    "root.pem",
    "acknowledgements.jsonl",
    "receipt.tlog-proof",
    "checkpoint.txt",
    "reissue",
    "altered.eml",
    "altered.tlog-proof",
];
const LOG: &str = "server.log";

/// The folder of a demo.
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Makes the folder, or empties a former demo of what it left.
    pub(super) fn prepare(path: &Path) -> Result<Self> {
        let folder = Self(path.to_owned());
        let attempt = || format!("make folder {}", path.display());
        fs::create_dir_all(path).with_context(attempt)?;
        let is_empty = fs::read_dir(path).with_context(attempt)?.next().is_none();
        let about = folder.file("ABOUT.txt");
        let is_former = fs::read(&about).is_ok_and(|text| text.starts_with(MARK.as_bytes()));
        if !is_empty && !is_former {
            bail!(
                "{} is not empty and not a former demo: name another --dir",
                path.display()
            );
        }
        fs::write(&about, ABOUT).with_context(|| format!("write {}", about.display()))?;
        for name in LEFT.into_iter().chain([LOG]) {
            let path = folder.file(name);
            let removed = match path.is_dir() {
                true => fs::remove_dir_all(&path),
                false => fs::remove_file(&path),
            };
            match removed {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("replace {}", path.display()));
                }
                _ => {}
            }
        }
        fs::create_dir(folder.file("mail")).with_context(attempt)?;
        Ok(folder)
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.file(name);
        fs::write(&path, bytes).with_context(|| format!("write {}", path.display()))
    }

    pub(super) fn read(&self, name: &str) -> Result<Vec<u8>> {
        let path = self.file(name);
        fs::read(&path).with_context(|| format!("read {}", path.display()))
    }

    /// Where the service logs.
    pub(super) fn log(&self) -> Result<fs::File> {
        let path = self.file(LOG);
        fs::File::create(&path).with_context(|| format!("write {}", path.display()))
    }
}
