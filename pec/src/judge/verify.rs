//! Algorithms: which are known, and the one verification all of them share.
//!
//! # Invariants
//! 1. What is not known is told apart from what does not verify: an unknown algorithm, key or parameter is
//!    [`Failure::Unsupported`], never [`Failure::Invalid`], and never a panic.
//! 2. Weak is verified like the rest, and reported by whoever asks: SHA-1, and RSA from 1024 bits on.
//!
//! # Not here
//! MD5, DSA, RSA-PSS with a salt that is not as long as its digest, curves other than P-256 and P-384.

use super::ber::{self, Value};
use crate::digests::DigestAlgorithm;
use aws_lc_rs::digest::Digest;
use aws_lc_rs::signature::{self, ParsedPublicKey, VerificationAlgorithm};

const OID_SHA1: &[u8] = &[0x2b, 0x0e, 0x03, 0x02, 0x1a];
/// 2.16.840.1.101.3.4.2; .1, .2 and .3 are SHA-256, SHA-384 and SHA-512.
const OID_SHA2: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];
/// 1.2.840.113549.1.1 (PKCS #1).
const OID_PKCS1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
/// 1.2.840.10045.4.3 (ECDSA with SHA-2); .2, .3 and .4 are SHA-256, SHA-384 and SHA-512.
const OID_ECDSA_SHA2: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03];
const OID_ECDSA_SHA1: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01];
/// 1.3.14.3.2.29: sha1WithRSA as some old software names it.
const OID_OIW_SHA1_RSA: &[u8] = &[0x2b, 0x0e, 0x03, 0x02, 0x1d];
const OID_EC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const OID_P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const OID_P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];

/// The lengths of RSA moduli that are verified, in bits.
const RSA_BITS: std::ops::RangeInclusive<usize> = 1024..=8192;
/// Below this, an RSA key is weak (TS 119 312).
const RSA_BITS_STRONG: usize = 2048;

/// Why a signature was not accepted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Failure {
    /// It was not even tried.
    Unsupported,
    /// It was tried, and does not match.
    Invalid,
}

/// The family of a signature algorithm.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Scheme {
    /// RSA PKCS #1 v1.5.
    RsaPkcs1,
    /// RSA-PSS with a salt as long as the digest.
    RsaPss,
    /// ECDSA.
    Ecdsa,
}

/// A signature algorithm.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct SignatureAlgorithm {
    /// Its family.
    pub scheme: Scheme,
    /// The digest that is signed.
    pub digest: DigestAlgorithm,
}

impl SignatureAlgorithm {
    /// A number for each, within this process.
    pub(crate) fn id(self) -> [u8; 2] {
        [self.scheme as u8, self.digest as u8]
    }
}

impl std::fmt::Display for SignatureAlgorithm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = match self.scheme {
            Scheme::RsaPkcs1 => "RSA PKCS#1 v1.5",
            Scheme::RsaPss => "RSA-PSS",
            Scheme::Ecdsa => "ECDSA",
        };
        write!(f, "{scheme}, {}", self.digest)
    }
}

/// An AlgorithmIdentifier.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AlgorithmId<'a> {
    pub oid: &'a [u8],
    pub parameters: Option<Value<'a>>,
}

impl<'a> AlgorithmId<'a> {
    /// From the value that holds it, whatever its tag: it may be implicit.
    pub(crate) fn of(value: Value<'a>) -> Option<Self> {
        let mut inside = value.inside();
        let oid = inside.expect(ber::OID)?.content;
        let parameters = match inside.is_empty() {
            true => None,
            false => Some(inside.next()?),
        };
        Some(Self { oid, parameters })
    }

    /// Whether both name one algorithm; no parameters and NULL are one (RFC 5754 section 2).
    pub(crate) fn is(&self, other: &Self) -> bool {
        let stated = |id: &Self| {
            id.parameters
                .map(|p| p.whole)
                .filter(|p| *p != [ber::NULL, 0])
        };
        self.oid == other.oid && stated(self) == stated(other)
    }

    /// The digest algorithm it names: with no parameters, or NULL.
    pub(crate) fn digest(&self) -> Option<DigestAlgorithm> {
        if self.parameters.is_some_and(|p| p.whole != [ber::NULL, 0]) {
            return None;
        }
        match self.oid.strip_prefix(OID_SHA2) {
            Some([1]) => Some(DigestAlgorithm::Sha256),
            Some([2]) => Some(DigestAlgorithm::Sha384),
            Some([3]) => Some(DigestAlgorithm::Sha512),
            _ => (self.oid == OID_SHA1).then_some(DigestAlgorithm::Sha1),
        }
    }

    /// The signature algorithm it names. A CMS may name the family only, with its digest elsewhere.
    pub(crate) fn signature(&self, digest: Option<DigestAlgorithm>) -> Option<SignatureAlgorithm> {
        use DigestAlgorithm::{Sha1, Sha256, Sha384, Sha512};
        let (scheme, digest) = match self.oid.strip_prefix(OID_PKCS1) {
            Some([1]) => (Scheme::RsaPkcs1, digest?),
            Some([5]) => (Scheme::RsaPkcs1, Sha1),
            Some([11]) => (Scheme::RsaPkcs1, Sha256),
            Some([12]) => (Scheme::RsaPkcs1, Sha384),
            Some([13]) => (Scheme::RsaPkcs1, Sha512),
            Some([10]) => (Scheme::RsaPss, pss_digest(self.parameters?)?),
            _ => match self.oid.strip_prefix(OID_ECDSA_SHA2) {
                Some([2]) => (Scheme::Ecdsa, Sha256),
                Some([3]) => (Scheme::Ecdsa, Sha384),
                Some([4]) => (Scheme::Ecdsa, Sha512),
                _ if self.oid == OID_ECDSA_SHA1 => (Scheme::Ecdsa, Sha1),
                _ if self.oid == OID_OIW_SHA1_RSA => (Scheme::RsaPkcs1, Sha1),
                // Some signers name the key where the algorithm belongs.
                _ if self.oid == OID_EC_KEY => (Scheme::Ecdsa, digest?),
                _ => return None,
            },
        };
        Some(SignatureAlgorithm { scheme, digest })
    }
}

/// The digest of RSASSA-PSS parameters, if mask and salt go with it. The defaults are SHA-1 with 20 octets.
fn pss_digest(parameters: Value<'_>) -> Option<DigestAlgorithm> {
    let mut inside = parameters.inside();
    let digest = match inside.optional(ber::CONTEXT_0) {
        None => DigestAlgorithm::Sha1,
        Some(wrapped) => AlgorithmId::of(wrapped.inside().next()?)?.digest()?,
    };
    let mask = match inside.optional(ber::CONTEXT_1) {
        None => DigestAlgorithm::Sha1,
        Some(wrapped) => {
            let mask = AlgorithmId::of(wrapped.inside().next()?)?;
            let is_mgf1 = mask.oid.strip_prefix(OID_PKCS1) == Some(&[8]);
            AlgorithmId::of(mask.parameters.filter(|_| is_mgf1)?)?.digest()?
        }
    };
    let salt = match inside.optional(ber::CONTEXT_2) {
        None => 20,
        Some(wrapped) => wrapped.inside().next()?.small()?,
    };
    let fits = mask == digest && usize::try_from(salt).ok()? == digest.algorithm().output_len();
    fits.then_some(digest)
}

/// A public key: what a SubjectPublicKeyInfo says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PublicKey<'a> {
    kind: KeyKind,
    bytes: &'a [u8],
}

#[derive(Clone, Copy, Debug)]
enum KeyKind {
    Rsa { bits: usize },
    P256,
    P384,
    Unknown,
}

impl<'a> PublicKey<'a> {
    /// From a SubjectPublicKeyInfo.
    pub(crate) fn of(info: Value<'a>) -> Option<Self> {
        let mut inside = info.inside();
        let algorithm = AlgorithmId::of(inside.expect(ber::SEQUENCE)?)?;
        let bytes = inside.expect(ber::BIT_STRING)?.content.strip_prefix(&[0])?;
        let kind = match algorithm.oid.strip_prefix(OID_PKCS1) {
            Some([1] | [10]) => KeyKind::Rsa {
                bits: rsa_bits(bytes)?,
            },
            _ if algorithm.oid == OID_EC_KEY => match algorithm.parameters?.content {
                OID_P256 => KeyKind::P256,
                OID_P384 => KeyKind::P384,
                _ => KeyKind::Unknown,
            },
            _ => KeyKind::Unknown,
        };
        Some(Self { kind, bytes })
    }

    /// An RSAPublicKey.
    pub(crate) fn rsa(bytes: &'a [u8]) -> Option<Self> {
        let bits = rsa_bits(bytes)?;
        let kind = KeyKind::Rsa { bits };
        Some(Self { kind, bytes })
    }

    /// A point on P-256.
    pub(crate) fn p256(bytes: &'a [u8]) -> Self {
        let kind = KeyKind::P256;
        Self { kind, bytes }
    }

    /// A point on P-384.
    pub(crate) fn p384(bytes: &'a [u8]) -> Self {
        let kind = KeyKind::P384;
        Self { kind, bytes }
    }

    /// Its length: the modulus of an RSA key, the order of a curve; 0 where it is not known.
    pub(crate) fn bits(&self) -> usize {
        match self.kind {
            KeyKind::Rsa { bits } => bits,
            KeyKind::P256 => 256,
            KeyKind::P384 => 384,
            KeyKind::Unknown => 0,
        }
    }

    /// Whether it is shorter than what is held strong.
    pub(crate) fn is_short(&self) -> bool {
        matches!(self.kind, KeyKind::Rsa { bits } if bits < RSA_BITS_STRONG)
    }

    /// Verifies a signature over a digest.
    pub(crate) fn verify(
        &self,
        algorithm: SignatureAlgorithm,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<(), Failure> {
        verify_with(&self.parsed(algorithm)?, algorithm, digest, signature)
    }

    /// The key as the library has it, for one algorithm.
    pub(crate) fn parsed(&self, algorithm: SignatureAlgorithm) -> Result<ParsedPublicKey, Failure> {
        let verification = self.verification(algorithm).ok_or(Failure::Unsupported)?;
        ParsedPublicKey::new(verification, self.bytes).map_err(|_| Failure::Invalid)
    }

    /// What tells keys apart, those of different kinds too.
    pub(crate) fn id(&self) -> (u8, &'a [u8]) {
        let kind = match self.kind {
            KeyKind::Rsa { .. } => 0,
            KeyKind::P256 => 1,
            KeyKind::P384 => 2,
            KeyKind::Unknown => 3,
        };
        (kind, self.bytes)
    }

    fn verification(
        &self,
        algorithm: SignatureAlgorithm,
    ) -> Option<&'static dyn VerificationAlgorithm> {
        use DigestAlgorithm::{Sha1, Sha256, Sha384, Sha512};
        let strong = match self.kind {
            KeyKind::Rsa { bits } if !RSA_BITS.contains(&bits) => return None,
            KeyKind::Rsa { bits } => bits >= RSA_BITS_STRONG,
            _ => true,
        };
        Some(match (algorithm.scheme, self.kind, algorithm.digest) {
            (Scheme::RsaPkcs1, KeyKind::Rsa { .. }, Sha1) => {
                &signature::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY
            }
            (Scheme::RsaPkcs1, KeyKind::Rsa { .. }, Sha256) => {
                &signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY
            }
            (Scheme::RsaPkcs1, KeyKind::Rsa { .. }, Sha512) => {
                &signature::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY
            }
            (Scheme::RsaPkcs1, KeyKind::Rsa { .. }, Sha384) if strong => {
                &signature::RSA_PKCS1_2048_8192_SHA384
            }
            (Scheme::RsaPss, KeyKind::Rsa { .. }, Sha256) if strong => {
                &signature::RSA_PSS_2048_8192_SHA256
            }
            (Scheme::RsaPss, KeyKind::Rsa { .. }, Sha384) if strong => {
                &signature::RSA_PSS_2048_8192_SHA384
            }
            (Scheme::RsaPss, KeyKind::Rsa { .. }, Sha512) if strong => {
                &signature::RSA_PSS_2048_8192_SHA512
            }
            (Scheme::Ecdsa, KeyKind::P256, Sha1) => &signature::ECDSA_P256_SHA1_ASN1,
            (Scheme::Ecdsa, KeyKind::P256, Sha256) => &signature::ECDSA_P256_SHA256_ASN1,
            (Scheme::Ecdsa, KeyKind::P256, Sha384) => &signature::ECDSA_P256_SHA384_ASN1,
            (Scheme::Ecdsa, KeyKind::P256, Sha512) => &signature::ECDSA_P256_SHA512_ASN1,
            (Scheme::Ecdsa, KeyKind::P384, Sha256) => &signature::ECDSA_P384_SHA256_ASN1,
            (Scheme::Ecdsa, KeyKind::P384, Sha384) => &signature::ECDSA_P384_SHA384_ASN1,
            (Scheme::Ecdsa, KeyKind::P384, Sha512) => &signature::ECDSA_P384_SHA512_ASN1,
            _ => return None,
        })
    }
}

/// Verifies a signature over a digest with a key for this algorithm.
pub(crate) fn verify_with(
    key: &ParsedPublicKey,
    algorithm: SignatureAlgorithm,
    digest: &[u8],
    signature: &[u8],
) -> Result<(), Failure> {
    let digest = Digest::import_less_safe(digest, algorithm.digest.algorithm());
    let digest = digest.map_err(|_| Failure::Invalid)?;
    key.verify_digest_sig(&digest, signature)
        .map_err(|_| Failure::Invalid)
}

/// The length of the modulus of an RSAPublicKey.
fn rsa_bits(key: &[u8]) -> Option<usize> {
    let mut inside = Value::first_of(key)?.inside();
    let modulus = inside.expect(ber::INTEGER)?.content;
    let leading = modulus.iter().take_while(|octet| **octet == 0).count();
    let modulus = modulus.get(leading..)?;
    let first = modulus.first()?;
    Some(modulus.len() * 8 - usize::try_from(first.leading_zeros()).ok()?)
}
