//! What a verdict rests on: certificates, CRLs and the directory, handed in and read once.

use super::certificate::{CERTIFICATE_BYTES_MAX, Certificate};
use super::directory::Directory;
use super::known::{Known, edges};
use super::ocsp::Response;
use super::remembered::Remembered;
use super::revocation::{CRL_BYTES_MAX, Crl};
use super::verdict::Signer;
use super::verify::{AlgorithmId, Failure, PublicKey, SignatureAlgorithm, verify_with};
use crate::digests::DigestAlgorithm;
use aws_lc_rs::signature::ParsedPublicKey;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

/// The most certificates, and the most CRLs, of a kind.
pub const ITEMS_MAX: usize = 4096;

/// Trust material, as octets. None of it is fetched: who judges hands it in.
#[derive(Clone, Debug, Default)]
pub struct Material {
    /// Certificates (DER) that chains may end in: the roots of the time, or an authority itself. Their own
    /// dates, key usage and name constraints count.
    pub anchors: Vec<Vec<u8>>,
    /// Certificates (DER) of authorities to build chains with, beside those in the message. Several of one key
    /// may be given; each is tried.
    pub intermediates: Vec<Vec<u8>>,
    /// Certificates (DER) of signers that are trusted as they are, as a trust list names them.
    pub pinned: Vec<Vec<u8>>,
    /// CRLs (DER).
    pub crls: Vec<Vec<u8>>,
    /// OCSP responses (DER), of certificates of signers and of authorities.
    pub ocsp: Vec<Vec<u8>>,
    /// The directories of providers.
    pub directories: Option<Arc<dyn Directories>>,
}

/// The directories of providers at hand. An old message is judged by that of its day: it changes daily.
pub trait Directories: std::fmt::Debug + Send + Sync {
    /// The directory of the day of an instant (milliseconds since 1970), or of the nearest day there is.
    fn at(&self, at_ms: i64) -> Option<DirectoryAt>;
}

/// A directory, found for an instant.
#[derive(Clone, Debug)]
pub struct DirectoryAt {
    /// The directory.
    pub directory: Arc<Directory>,
    /// Whether it is the one of that day.
    pub of_that_day: bool,
}

/// One directory, taken for that of every day.
impl Directories for Arc<Directory> {
    fn at(&self, _: i64) -> Option<DirectoryAt> {
        Some(DirectoryAt {
            directory: Arc::clone(self),
            of_that_day: true,
        })
    }
}

/// Why trust material was refused. The caller's to change: judging with half of it would mislead.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TrustError {
    /// An anchor, an intermediate or a pinned certificate is no certificate.
    Certificate {
        /// The list it is in: `anchors`, `intermediates` or `pinned`.
        list: &'static str,
        /// Its index there.
        index: usize,
    },
    /// A CRL is none, or a delta or partial one, or too long.
    Crl {
        /// Its index.
        index: usize,
    },
    /// An OCSP response is none, or too long. An error that a responder answered with is a response.
    Ocsp {
        /// Its index.
        index: usize,
    },
    /// A list is too long.
    TooMany {
        /// The list.
        list: &'static str,
    },
}

impl std::fmt::Display for TrustError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Certificate { list, index } => {
                write!(f, "{list}: number {index} is no readable certificate")
            }
            Self::Crl { index } => write!(f, "crls: number {index} is no readable complete CRL"),
            Self::Ocsp { index } => write!(f, "ocsp: number {index} is no readable OCSP response"),
            Self::TooMany { list } => write!(f, "{list}: more than {ITEMS_MAX}"),
        }
    }
}

impl std::error::Error for TrustError {}

/// Trust material that was read. To be made once and shared: judging does not change what it says.
#[derive(Debug, Default)]
pub struct Trust {
    pub(crate) anchors: Vec<Held>,
    pub(crate) intermediates: Vec<Held>,
    pub(crate) pinned: Vec<Held>,
    pub(crate) crls: Vec<Crl>,
    pub(crate) ocsp: Vec<Response>,
    pub(crate) directories: Option<Arc<dyn Directories>>,
    pub(crate) memo: Memo,
    /// When the certificates of authorities begin and end, in order.
    pub(crate) edges: Vec<i64>,
    pub(crate) known: Known,
}

/// A certificate, findable by its subject without reading it again.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    der: Vec<u8>,
    subject: Vec<u8>,
}

impl Held {
    pub(crate) fn certificate(&self) -> Option<Certificate<'_>> {
        Certificate::read(&self.der)
    }

    /// Whether these are its octets.
    pub(crate) fn is(&self, der: &[u8]) -> bool {
        self.der == der
    }
}

impl Trust {
    /// Nothing to trust: signatures are verified, and no chain is established.
    pub fn none() -> Self {
        Self {
            anchors: Vec::new(),
            intermediates: Vec::new(),
            pinned: Vec::new(),
            crls: Vec::new(),
            ocsp: Vec::new(),
            directories: None,
            memo: Memo::default(),
            edges: Vec::new(),
            known: Known::default(),
        }
    }

    /// Reads trust material.
    pub fn new(material: Material) -> Result<Self, TrustError> {
        let crls = material.crls.iter().enumerate();
        let crls = crls.map(|(index, der)| {
            let crl = Some(der).filter(|der| der.len() <= CRL_BYTES_MAX);
            crl.and_then(|der| Crl::read(der))
                .ok_or(TrustError::Crl { index })
        });
        if material.crls.len() > ITEMS_MAX {
            return Err(TrustError::TooMany { list: "crls" });
        }
        if material.ocsp.len() > ITEMS_MAX {
            return Err(TrustError::TooMany { list: "ocsp" });
        }
        let ocsp = material.ocsp.iter().enumerate();
        let ocsp = ocsp.map(|(index, der)| Response::read(der).ok_or(TrustError::Ocsp { index }));
        let anchors = held("anchors", material.anchors)?;
        let intermediates = held("intermediates", material.intermediates)?;
        let authorities = anchors.iter().chain(&intermediates);
        let authorities = authorities.filter_map(Held::certificate);
        let mut edges: Vec<i64> = authorities.flat_map(|c| edges(&c)).collect();
        edges.sort_unstable();
        edges.dedup();
        Ok(Self {
            anchors,
            intermediates,
            pinned: held("pinned", material.pinned)?,
            crls: crls.collect::<Result<_, _>>()?,
            ocsp: ocsp.collect::<Result<_, _>>()?,
            directories: material.directories,
            memo: Memo::default(),
            edges,
            known: Known::default(),
        })
    }

    /// Whether nothing is there that a chain could end in.
    pub(crate) fn is_empty(&self) -> bool {
        self.anchors.is_empty() && self.pinned.is_empty()
    }

    /// Whether this very certificate is an anchor or pinned.
    pub(crate) fn names(&self, der: &[u8]) -> bool {
        let mut named = self.anchors.iter().chain(&self.pinned);
        named.any(|held| held.der == der)
    }
}

fn held(list: &'static str, certificates: Vec<Vec<u8>>) -> Result<Vec<Held>, TrustError> {
    if certificates.len() > ITEMS_MAX {
        return Err(TrustError::TooMany { list });
    }
    let held = certificates.into_iter().enumerate().map(|(index, der)| {
        let certificate = Some(&der).filter(|der| der.len() <= CERTIFICATE_BYTES_MAX);
        let subject = certificate
            .and_then(|der| Certificate::read(der))
            .map(|certificate| certificate.subject.whole.to_vec());
        let subject = subject.ok_or(TrustError::Certificate { list, index })?;
        Ok(Held { der, subject })
    });
    held.collect()
}

/// Those of these certificates that have a subject.
pub(crate) fn with_subject<'t>(
    held: &'t [Held],
    subject: &[u8],
) -> impl Iterator<Item = Certificate<'t>> {
    let named = held.iter().filter(move |held| held.subject == subject);
    named.filter_map(Held::certificate)
}

/// The signatures of certificates and CRLs that verified before: thousands of messages share a few certificates.
///
/// It changes the cost of an answer, never the answer: what is remembered is the digest of key, algorithm,
/// octets and signature together. So are the keys of signers, as the library has them, and what their certificates say.
#[derive(Debug, Default)]
pub(crate) struct Memo {
    verified: Mutex<HashSet<[u8; 32]>>,
    keys: Mutex<HashMap<Vec<u8>, Arc<ParsedPublicKey>>>,
    signers: Remembered<Signer>,
    digests: Remembered<Vec<u8>>,
}

/// The most signatures remembered; then it begins anew.
const REMEMBERED_MAX: usize = 4096;
/// The most keys; each takes some kilobytes.
const KEYS_MAX: usize = 512;
/// The longest key that is remembered, in bytes: that of RSA with 8192 bits has a little more than a thousand.
const KEY_BYTES_MAX: usize = 1200;

impl Memo {
    /// Verifies that the key of a certificate signed some octets.
    pub(crate) fn verify(
        &self,
        issuer: &Certificate<'_>,
        algorithm: &AlgorithmId<'_>,
        octets: &[u8],
        signature: &[u8],
    ) -> Result<(), Failure> {
        let octets = (octets, &*super::sha256(octets));
        self.verify_digested(issuer, algorithm, octets, signature)
    }

    /// The same of octets whose SHA-256 is known.
    pub(crate) fn verify_digested(
        &self,
        issuer: &Certificate<'_>,
        algorithm: &AlgorithmId<'_>,
        (octets, sha256): (&[u8], &[u8]),
        signature: &[u8],
    ) -> Result<(), Failure> {
        let algorithm = algorithm.signature(None).ok_or(Failure::Unsupported)?;
        self.remember(
            &[&algorithm.id(), issuer.key_info.whole, sha256, signature],
            || {
                let digest = algorithm.digest.of(octets);
                issuer.key.verify(algorithm, digest.as_ref(), signature)
            },
        )
    }

    /// Verifies a signature over a digest. The answer is not remembered, the key is.
    pub(crate) fn verify_digest(
        &self,
        key: &PublicKey<'_>,
        algorithm: SignatureAlgorithm,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<(), Failure> {
        let (kind, bytes) = key.id();
        if bytes.len() > KEY_BYTES_MAX {
            return key.verify(algorithm, digest, signature);
        }
        let id = [&algorithm.id()[..], &[kind], bytes].concat();
        let keys = || self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let remembered = keys().get(&id).map(Arc::clone);
        let key = match remembered {
            Some(key) => key,
            None => {
                let key = Arc::new(key.parsed(algorithm)?);
                let mut keys = keys();
                if keys.len() >= KEYS_MAX {
                    keys.clear();
                }
                keys.insert(id, Arc::clone(&key));
                key
            }
        };
        verify_with(&key, algorithm, digest, signature)
    }

    /// Who signed, as its certificate says.
    pub(crate) fn signer(&self, certificate: &Certificate<'_>) -> Signer {
        self.signers.of(certificate.der, || Signer::of(certificate))
    }

    /// SHA-256 of octets that come again.
    pub(crate) fn sha256(&self, octets: &[u8]) -> Vec<u8> {
        self.digests.of(octets, || super::sha256(octets))
    }

    /// Carries out a verification of these parts, unless it succeeded before.
    pub(crate) fn remember<E>(
        &self,
        parts: &[&[u8]],
        verify: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        let mut all = Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum());
        for part in parts {
            all.extend_from_slice(&(part.len() as u64).to_be_bytes());
            all.extend_from_slice(part);
        }
        let digest = DigestAlgorithm::Sha256.of(&all);
        let key = digest.as_ref().first_chunk::<32>().copied();
        let remembered = || self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        if key.is_some_and(|key| remembered().contains(&key)) {
            return Ok(());
        }
        verify()?;
        let mut remembered = remembered();
        if remembered.len() >= REMEMBERED_MAX {
            remembered.clear();
        }
        remembered.extend(key);
        Ok(())
    }
}
