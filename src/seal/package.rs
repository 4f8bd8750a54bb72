//! A package that is complete, as it is handed out.

use super::SealError;
use super::closing::CATALOGUE;
use super::folder::{FileReader, Folder};
use crate::audit::Reader;
use crate::sequencer::Span;
use ceralacca_formats::catalogue::{CATALOGUE_BYTES_MAX, Catalogue};
use ceralacca_formats::closing::Closing;
use ceralacca_formats::digest::Sha256;

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
}
