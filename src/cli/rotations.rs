//! Files of rotations: from a verifier key that was pinned once to the one that signs today.

use anyhow::{Context as _, Result, bail};
use ceralacca_formats::note::VerifierKey;
use ceralacca_formats::proof::ProofFile;
use ceralacca_formats::rotation::{self, KeyChain, ROTATIONS_MAX, RotationError};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A proof of a rotation has some three kilobytes; its note at most 64 KiB. A longer file is none.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The proofs of rotations that are given with a key.
#[derive(clap::Args)]
pub struct Arguments {
    /// Proof of a rotation of the key, or a folder of them (.tlog-proof): the key given may then be an older one
    #[arg(long = "rotations", value_name = "PATH")]
    paths: Vec<PathBuf>,
}

impl Arguments {
    /// The keys of the log from a pinned one on; the inner error says which rotation is refused.
    ///
    /// # Errors
    /// A file cannot be read, or is not a proof file.
    pub fn follow(&self, pinned: &VerifierKey) -> Result<Result<KeyChain, RotationError>> {
        let mut proofs = Vec::new();
        for path in &self.paths {
            for path in files(path)? {
                if proofs.len() >= ROTATIONS_MAX {
                    bail!("over {ROTATIONS_MAX} rotations");
                }
                proofs.push(read(&path)?);
            }
        }
        Ok(follow(pinned, proofs))
    }
}

/// Follows rotations that came in any order, perhaps some of them twice, from the one that retires the pinned key.
pub fn follow(pinned: &VerifierKey, mut proofs: Vec<ProofFile>) -> Result<KeyChain, RotationError> {
    proofs.sort_by_key(|proof| proof.index);
    proofs.dedup();
    rotation::follow(pinned, rotation::after(pinned, &proofs))
}

/// The files below a folder, or the one file.
fn files(path: &Path) -> Result<Vec<PathBuf>> {
    let attempt = || format!("read rotations {}", path.display());
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in path.read_dir().with_context(attempt)? {
        let file = entry.with_context(attempt)?.path();
        if file
            .extension()
            .is_some_and(|ending| ending == "tlog-proof")
        {
            found.push(file);
        }
        if found.len() > ROTATIONS_MAX {
            bail!("over {ROTATIONS_MAX} rotations in {}", path.display());
        }
    }
    Ok(found)
}

fn read(path: &Path) -> Result<ProofFile> {
    let attempt = || format!("read rotation {}", path.display());
    let mut bytes = Vec::new();
    File::open(path)
        .with_context(attempt)?
        .take(FILE_BYTES_MAX)
        .read_to_end(&mut bytes)
        .with_context(attempt)?;
    ProofFile::parse(&bytes).with_context(attempt)
}
