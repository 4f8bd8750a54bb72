//! A package that is complete, as it is handed out.

use super::SealError;
use super::closing::CATALOGUE;
use super::folder::{FileReader, Folder, FolderError};
use super::scan::{map_name, salt_name};
use super::stamps::{self, StampFacts};
use crate::audit::Reader;
use crate::sequencer::Span;
use ceralacca_formats::catalogue::{CATALOGUE_BYTES_MAX, Catalogue};
use ceralacca_formats::closing::Closing;
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::id::IntervalId;
use ceralacca_formats::leaf::Class;
use std::path::Path;

/// Removes what the package of an interval holds of a class: its log files, map and salt. Everything else stays, and
/// stays provable. Gives the octets that were removed; none where they were removed before.
pub fn remove_class(
    packages: &Path,
    interval: IntervalId,
    class: Class,
) -> Result<u64, FolderError> {
    let folder = Folder::at(&super::path_of(packages, interval));
    let log = format!("log-{class}-");
    let is_of = |name: &str| {
        // With or without encryption at rest; the time-stamps over them name nobody.
        let name = name.strip_suffix(".tmp").unwrap_or(name);
        let plain = name.strip_suffix(".enc").unwrap_or(name);
        plain == map_name(class)
            || plain == salt_name(class)
            || (plain.starts_with(&log) && plain.ends_with(".jsonl"))
    };
    let mut removed = 0u64;
    for (name, is_folder) in folder.names("")? {
        if !is_folder && is_of(&name) {
            removed = removed.saturating_add(folder.remove_for_good(&name)?);
        }
    }
    folder.sync()?;
    Ok(removed)
}

/// The package of a closed interval.
pub struct Package {
    pub(super) reader: Reader,
    pub(super) folder: Folder,
    pub(super) span: Span,
    closing: Closing,
    pub(super) catalogue: Catalogue,
    octets: Vec<u8>,
}

impl Package {
    pub(super) fn open(
        reader: Reader,
        folder: Folder,
        span: Span,
        closing: Closing,
    ) -> Result<Self, SealError> {
        let octets = folder.read(CATALOGUE, CATALOGUE_BYTES_MAX)?;
        let octets = octets.ok_or(SealError::Corrupt("the package of a closed interval"))?;
        if Sha256::of(&octets) != closing.catalogue {
            return Err(SealError::Corrupt("the catalogue of a package"));
        }
        let catalogue = Catalogue::parse(&octets);
        let catalogue = catalogue.ok_or(SealError::Corrupt("the catalogue of a package"))?;
        Ok(Self {
            reader,
            folder,
            span,
            closing,
            catalogue,
            octets,
        })
    }

    /// The interval.
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// What its closing leaf says.
    pub fn closing(&self) -> &Closing {
        &self.closing
    }

    /// Its files, but for the catalogue itself.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// The octets of the catalogue.
    pub fn catalogue_octets(&self) -> &[u8] {
        &self.octets
    }

    /// A file of the catalogue, as handed out; `None` where the catalogue has no such file.
    pub fn file(&self, path: &str) -> Result<Option<FileReader>, SealError> {
        if self.catalogue.file(path).is_none() {
            return Ok(None);
        }
        let file = self.folder.open(path, &self.secrets())?;
        match file {
            None => Err(SealError::Corrupt("a file of a package is missing")),
            some => Ok(some),
        }
    }

    /// A file of the catalogue in memory; an error where it is longer than `limit`, or other than the catalogue says.
    pub fn octets(&self, path: &str, limit: u64) -> Result<Vec<u8>, SealError> {
        let known = self
            .catalogue
            .file(path)
            .filter(|known| known.bytes <= limit);
        let file = self.file(path)?.zip(known);
        let (mut file, known) = file.ok_or(SealError::Corrupt("a file of a package is missing"))?;
        let mut octets = Vec::new();
        let sha256 = file.each(|piece| {
            octets.extend_from_slice(piece);
            Ok::<(), SealError>(())
        })?;
        (sha256 == known.sha256)
            .then_some(octets)
            .ok_or(SealError::Corrupt("a file of a package"))
    }

    /// What the package says of its time-stamp over a file; `None` where there is none, or it is of something else.
    pub fn stamp(&self, name: &str, digest: &Sha256) -> Result<Option<StampFacts>, SealError> {
        stamps::kept(&self.folder, name, digest)
    }
}
