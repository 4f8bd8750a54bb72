//! Key files: encrypted PKCS#8, and certificates, both PEM.

use super::{OpenError, Passphrase};
use ceralacca_evidence::certificates::is_development;
use ceralacca_evidence::software_key::{PrivateKey, SoftwareKey};
use pkcs8::{EncryptedPrivateKeyInfoRef, SecretDocument};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use zeroize::Zeroizing;

/// The longest file that is read: keys and chains have some kilobytes.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// All rights of others, and writing by the group.
const REFUSED_MODE: u32 = 0o027;

/// A certificate, and those that lead to its root.
pub(super) struct Chain {
    pub certificate: Vec<u8>,
    pub others: Vec<Vec<u8>>,
}

impl Chain {
    /// Whether it says of itself that it is for development.
    pub(super) fn is_development(&self) -> bool {
        is_development(&self.certificate)
    }
}

pub(super) fn open(
    key: &Path,
    certificates: &Path,
    passphrase: &Passphrase,
) -> Result<SoftwareKey, OpenError> {
    let not_encrypted = || OpenError::NotEncrypted(key.to_owned());
    let pem = secret(key)?;
    let (label, document) = SecretDocument::from_pem(&pem).map_err(|_| not_encrypted())?;
    let info = EncryptedPrivateKeyInfoRef::try_from(document.as_bytes());
    let info = info.ok().filter(|_| label == "ENCRYPTED PRIVATE KEY");
    let info = info.ok_or_else(not_encrypted)?;
    let secret = match passphrase {
        Passphrase::File(path) => secret(path)?,
        Passphrase::Variable(name) => {
            let value = std::env::var(name).map_err(|_| OpenError::Variable(name.clone()))?;
            Zeroizing::new(value)
        }
    };
    let refused = |_| OpenError::Passphrase(key.to_owned());
    let plain = info.decrypt(secret.as_bytes()).map_err(refused)?;
    let chain = self::certificates(certificates)?;
    let is_development = chain.is_development();
    let private = PrivateKey::from_pkcs8(plain.as_bytes());
    private
        .and_then(|private| {
            SoftwareKey::new(private, chain.certificate, chain.others, is_development)
        })
        .map_err(|source| OpenError::Key {
            path: key.to_owned(),
            source,
        })
}

/// The text of a file that only its owner may read, without the line feed at its end.
pub(super) fn secret(path: &Path) -> Result<Zeroizing<String>, OpenError> {
    let failed = |source| OpenError::Read {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if mode & REFUSED_MODE != 0 {
        let path = path.to_owned();
        return Err(OpenError::Open { path, mode });
    }
    let mut text = Zeroizing::new(String::new());
    file.take(FILE_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(failed)?;
    let end = text.trim_end_matches(['\r', '\n']).len();
    text.truncate(end);
    Ok(text)
}

/// The certificates of a file, the bearer's first.
pub(super) fn certificates(path: &Path) -> Result<Chain, OpenError> {
    let failed = |source| OpenError::Read {
        path: path.to_owned(),
        source,
    };
    let mut pem = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(FILE_BYTES_MAX)
        .read_to_end(&mut pem)
        .map_err(failed)?;
    let none = || OpenError::Certificates(path.to_owned());
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let mut all = all.map_err(|_| none())?.into_iter();
    let certificate = all.next().ok_or_else(none)?.to_vec();
    Ok(Chain {
        certificate,
        others: all.map(|der| der.to_vec()).collect(),
    })
}
