//! The one door of the seal key, which signs indexes of packages, attestations and certificates: a file, or a token
//! behind PKCS#11.
//!
//! # Invariants
//! 1. A private key is never read from a file that is not encrypted, nor from one that others may read.
//! 2. What opens can sign: certificate and key belong together, by a trial signature where the key cannot be seen.
//! 3. Keys made here are for development, and their certificates say so in their subjects.
//!
//! # Not here
//! The keys of checkpoints (`keyring`) and of TLS.

mod development;
mod pem;
mod token;

pub use development::{DevelopmentFiles, make};

use ceralacca_evidence::SealSigner;
use ceralacca_evidence::seal_key::SealError;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where the seal key is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Source {
    /// An encrypted PKCS#8 file, PEM.
    File {
        /// The key.
        key: PathBuf,
        /// Its certificate and those that lead to its root, PEM.
        certificates: PathBuf,
        /// What decrypts it.
        passphrase: Passphrase,
    },
    /// A key in a token.
    Token {
        /// The module of its maker, a shared library.
        module: PathBuf,
        /// The label of the token.
        token: String,
        /// The label of the private key.
        key: String,
        /// A file with the PIN.
        pin: PathBuf,
        /// The certificate and those that lead to its root, PEM.
        certificates: PathBuf,
    },
}

/// Where a passphrase is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Passphrase {
    /// In a file; a line feed at its end does not count.
    File(PathBuf),
    /// In an environment variable of this name.
    Variable(String),
}

/// Why the seal key cannot be used. Always the operator's to change.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file cannot be read.
    #[error("read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A secret that others may read, or the group may change.
    #[error("{path} is open to others (mode {mode:04o}): chmod 600 it")]
    Open {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The key file is no encrypted PKCS#8 in PEM.
    #[error("{0} is no encrypted private key (PKCS#8, PEM, ENCRYPTED PRIVATE KEY)")]
    NotEncrypted(PathBuf),
    /// The passphrase does not decrypt it.
    #[error("the passphrase does not open {0}")]
    Passphrase(PathBuf),
    /// The environment variable is not set.
    #[error("environment variable {0} with the passphrase is not set")]
    Variable(String),
    /// No certificate in the file.
    #[error("{0} has no certificate in PEM")]
    Certificates(PathBuf),
    /// The key cannot seal, or is of another certificate.
    #[error("seal key {path}")]
    Key {
        /// The file, or the module.
        path: PathBuf,
        /// Why.
        #[source]
        source: SealError,
    },
    /// The token does not do what it is asked to.
    #[error("token {token:?}: {attempt}")]
    Token {
        /// Its label.
        token: String,
        /// What was tried.
        attempt: &'static str,
        /// Why it failed, in the words of the module.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No token, or no one key in it, has the label.
    #[error("{0}")]
    Label(String),
    /// A development key or certificate could not be made or written.
    #[error("make development keys in {path}")]
    Make {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Opens the seal key.
pub fn open(source: &Source) -> Result<Arc<dyn SealSigner>, OpenError> {
    match source {
        Source::File {
            key,
            certificates,
            passphrase,
        } => Ok(Arc::new(open_file(key, certificates, passphrase)?)),
        Source::Token {
            module,
            token,
            key,
            pin,
            certificates,
        } => {
            let chain = pem::certificates(certificates)?;
            let wanted = token::Wanted {
                module,
                token,
                key,
                pin: &pem::secret(pin)?,
            };
            Ok(Arc::new(token::open(&wanted, chain)?))
        }
    }
}

/// Opens a key file, of the seal or of the development time-stamping authority.
pub fn open_file(
    key: &Path,
    certificates: &Path,
    passphrase: &Passphrase,
) -> Result<ceralacca_evidence::software_key::SoftwareKey, OpenError> {
    pem::open(key, certificates, passphrase)
}
