//! The file of the master key.
//!
//! ```text
//! 64 hexadecimal digits, and a line feed or none; readable by its owner, at most by his group
//! ```
//!
//! # Invariants
//! 1. Made once, never overwritten.
//! 2. A key that others may read, or the group may change, is refused: it keeps no secret.

use crate::ambient::{Entropy, draw};
use anyhow::{Context as _, Result, bail};
use ceralacca_formats::secret::MasterKey;
use std::ffi::OsString;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Sixty-four digits and a line feed; one byte more shows that a file is longer.
const FILE_BYTES_MAX: u64 = 66;
/// All rights of others, and writing by the group.
const REFUSED_MODE: u32 = 0o027;

/// Reads the master key.
pub fn read(path: &Path) -> Result<MasterKey> {
    let shown = path.display();
    let file = File::open(path).with_context(|| format!("open master key {shown}"))?;
    let mode = file
        .metadata()
        .with_context(|| format!("open master key {shown}"))?;
    let mode = mode.permissions().mode() & 0o777;
    if mode & REFUSED_MODE != 0 {
        bail!("master key {shown} is open to others (mode {mode:04o}): chmod 600 it");
    }
    let mut text = Zeroizing::new(Vec::with_capacity(128));
    file.take(FILE_BYTES_MAX)
        .read_to_end(&mut text)
        .with_context(|| format!("read master key {shown}"))?;
    let digits = text.strip_suffix(b"\n").unwrap_or(&text);
    let mut key = Zeroizing::new([0; 32]);
    if hex::decode_to_slice(digits, key.as_mut_slice()).is_err() {
        bail!("master key {shown} is not 64 hexadecimal digits");
    }
    Ok(MasterKey::from_bytes(*key))
}

/// Makes a new master key, if there is no file yet; whether it did. Durable on return.
pub fn make(path: &Path, entropy: &dyn Entropy) -> Result<bool> {
    let shown = path.display();
    let mut options = File::options();
    // Mode 0600 from the first moment on.
    let made = options.write(true).create_new(true).mode(0o600).open(path);
    let mut file = match made {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(false),
        other => other.with_context(|| format!("make master key {shown}"))?,
    };
    let key: Zeroizing<[u8; 32]> = Zeroizing::new(draw(entropy));
    let text = Zeroizing::new(hex::encode(key.as_slice()) + "\n");
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| File::open(parent(path))?.sync_all())
        .with_context(|| format!("write master key {shown}"))?;
    Ok(true)
}

/// Refuses a master key inside the data directory: who steals or copies the one would have the other.
pub fn outside(data: &Path, key: &Path) -> Result<()> {
    let (data, key) = (real(data)?, real(key)?);
    if key.starts_with(&data) {
        bail!(
            "master key {} is inside the data directory {}: keep it elsewhere",
            key.display(),
            data.display()
        );
    }
    Ok(())
}

/// A path without links and dots. What does not exist yet is taken as it is written.
fn real(path: &Path) -> Result<PathBuf> {
    let context = || format!("find {}", path.display());
    let mut there = std::path::absolute(path).with_context(context)?;
    let mut missing: Vec<OsString> = Vec::new();
    loop {
        match there.canonicalize() {
            Ok(mut found) => {
                found.extend(missing.iter().rev());
                return Ok(found);
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let Some(name) = there.file_name() else {
                    bail!("{} goes up from a folder that is not there", path.display());
                };
                missing.push(name.to_owned());
                there.pop();
            }
            Err(error) => return Err(error).with_context(context),
        }
    }
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}
