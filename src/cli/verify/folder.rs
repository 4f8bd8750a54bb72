//! The files of a folder, as a package that was unpacked.

use anyhow::{Context as _, Result, bail};
use ceralacca_evidence::asic::{AsicError, FILES_MAX, Files, Measured, measure};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// A folder, with the names of all files below it.
pub(in crate::cli) struct Folder {
    path: PathBuf,
    names: Vec<String>,
}

impl Folder {
    pub(in crate::cli) fn open(path: &Path) -> Result<Self> {
        let mut names = Vec::new();
        list(path, "", &mut names)?;
        names.sort();
        Ok(Self {
            path: path.to_owned(),
            names,
        })
    }
}

fn list(root: &Path, below: &str, names: &mut Vec<String>) -> Result<()> {
    let folder = root.join(below);
    let attempt = || format!("read folder {}", folder.display());
    for entry in folder.read_dir().with_context(attempt)? {
        let entry = entry.with_context(attempt)?;
        let Ok(name) = entry.file_name().into_string() else {
            bail!("{} holds a name that is not UTF-8", folder.display());
        };
        let name = match below {
            "" => name,
            _ => format!("{below}/{name}"),
        };
        let kind = entry.file_type().with_context(attempt)?;
        if kind.is_dir() {
            list(root, &name, names)?;
        } else if kind.is_file() {
            names.push(name);
        } else {
            bail!("{name} is neither file nor folder");
        }
        if names.len() > FILES_MAX {
            bail!("{} holds more than {FILES_MAX} files", root.display());
        }
    }
    Ok(())
}

/// Reads, and passes on what was read.
struct Passing<'a, R> {
    from: R,
    to: &'a mut dyn Write,
}

impl<R: Read> Read for Passing<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.from.read(buffer)?;
        self.to
            .write_all(buffer.get(..length).unwrap_or_default())?;
        Ok(length)
    }
}

impl Files for Folder {
    fn names(&self) -> Vec<String> {
        self.names.clone()
    }

    fn copy(&mut self, name: &str, out: &mut dyn Write) -> Result<Measured, AsicError> {
        if !self.names.iter().any(|known| known == name) {
            return Err(AsicError::Absent(name.to_owned()));
        }
        let from = File::open(self.path.join(name))?;
        Ok(measure(Passing { from, to: out })?)
    }
}
