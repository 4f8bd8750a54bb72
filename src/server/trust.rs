//! Files of trust material: roots, authorities, revocation lists, the directory of providers.

use super::config::TrustFiles;
use ceralacca_pec::judge::{Directory, DirectoryError, Level, Material, Times, Trust, TrustError};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};
use std::path::{Path, PathBuf};

/// Why a file of trust material is refused: the operator's to change. To judge with half of it would mislead.
#[derive(Debug, thiserror::Error)]
pub enum TrustFileError {
    /// It cannot be read.
    #[error("read {path}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It looks like PEM and is none, or has nothing of the kind asked for.
    #[error("{0} holds nothing of the kind it is named for")]
    Empty(PathBuf),
    /// Something in the lists is not what it should be.
    #[error("trust material: {0}")]
    Material(TrustError),
    /// The directory of providers is signed, and what it holds is not what was signed.
    #[error("{0}: the signature does not verify")]
    Signature(PathBuf),
    /// The directory of providers cannot be read.
    #[error("{path}: {source}")]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        source: DirectoryError,
    },
}

/// Reads all of it.
pub(super) fn read(files: &TrustFiles) -> Result<Trust, TrustFileError> {
    let directory = match &files.directory {
        None => None,
        Some(path) => Some(directory(path)?),
    };
    let material = Material {
        anchors: all(&files.anchors, certificates)?,
        intermediates: all(&files.intermediates, certificates)?,
        pinned: all(&files.signers, certificates)?,
        crls: all(&files.crls, revocation_lists)?,
        ocsp: Vec::new(),
        directory,
    };
    Trust::new(material).map_err(TrustFileError::Material)
}

type Items = Option<Vec<Vec<u8>>>;

fn all(paths: &[PathBuf], of_pem: impl Fn(&[u8]) -> Items) -> Result<Vec<Vec<u8>>, TrustFileError> {
    let mut items = Vec::new();
    for path in paths {
        let bytes = bytes(path)?;
        if !bytes.windows(11).any(|window| window == b"-----BEGIN ") {
            items.push(bytes);
            continue;
        }
        let found = of_pem(&bytes).filter(|found| !found.is_empty());
        items.extend(found.ok_or_else(|| TrustFileError::Empty(path.clone()))?);
    }
    Ok(items)
}

fn certificates(pem: &[u8]) -> Items {
    let items = CertificateDer::pem_slice_iter(pem);
    items.map(|item| Some(item.ok()?.to_vec())).collect()
}

fn revocation_lists(pem: &[u8]) -> Items {
    let items = CertificateRevocationListDer::pem_slice_iter(pem);
    items.map(|item| Some(item.ok()?.to_vec())).collect()
}

fn directory(path: &Path) -> Result<Directory, TrustFileError> {
    let bytes = bytes(path)?;
    let failed = |source| TrustFileError::Directory {
        path: path.to_owned(),
        source,
    };
    // DER begins with a SEQUENCE; an LDIF is text.
    match bytes.first() {
        Some(0x30) => {
            let now = Times { received_ms: None };
            let (directory, verdict) = Directory::read_signed(&bytes, &Trust::none(), now);
            if matches!(verdict.level, Level::Broken | Level::Absent) {
                return Err(TrustFileError::Signature(path.to_owned()));
            }
            directory.map_err(failed)
        }
        _ => Directory::read(&bytes).map_err(failed),
    }
}

fn bytes(path: &Path) -> Result<Vec<u8>, TrustFileError> {
    std::fs::read(path).map_err(|source| TrustFileError::Read {
        path: path.to_owned(),
        source,
    })
}
