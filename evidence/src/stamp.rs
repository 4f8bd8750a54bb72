//! Time-stamps as the archive uses them: an imprint goes out, a verified token comes back.

use ceralacca_formats::id::UtcMillis;

/// What is stamped: the digest of exact octets (RFC 3161 section 2.4.1, messageImprint).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Imprint {
    /// SHA-256.
    Sha256([u8; 32]),
    /// SHA-512: after a renewal of the hash tree.
    Sha512([u8; 64]),
}

impl Imprint {
    /// The digest.
    pub const fn digest(&self) -> &[u8] {
        match self {
            Self::Sha256(digest) => digest,
            Self::Sha512(digest) => digest,
        }
    }
}

/// A time-stamp that an authority granted and that passed every check (RFC 3161 section 2.4.2).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stamped {
    /// The TimeStampToken, DER, as it came.
    pub token: Vec<u8>,
    /// The TimeStampReq that was sent, DER.
    pub request: Vec<u8>,
    /// The whole TimeStampResp that came, DER.
    pub response: Vec<u8>,
    /// genTime.
    pub time: UtcMillis,
    /// How exact it is, in milliseconds: the token's accuracy, or the configured one of the policy where it says none.
    pub accuracy_ms: u64,
    /// The serial number, big-endian, as the token has it.
    pub serial: Vec<u8>,
    /// Name of the authority in the configuration.
    pub authority: String,
    /// The latest instant until which the token stays verifiable: the earliest notAfter of its chain.
    pub valid_until: UtcMillis,
    /// Whether the authority's clock is its own: what it says about time is then proven, not repeated.
    pub is_proven: bool,
    /// Certificates of the chain beyond those in the token, DER.
    pub certificates: Vec<Vec<u8>>,
    /// CRLs and OCSP answers about the chain that were at hand, DER.
    pub revocation: Vec<Vec<u8>>,
}

impl Stamped {
    /// The latest instant that is certainly past: genTime less accuracy.
    pub fn proven_past(&self) -> UtcMillis {
        UtcMillis::new(self.time.get().saturating_sub(self.accuracy_ms))
    }
}

/// Why no time-stamp was had.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum StampError {
    /// No authority answered, or none in time. Transient: ask again later.
    #[error("no time-stamping authority answered: {0}")]
    Silent(String),
    /// Every authority that answered refused, or answered what does not verify. The operator's to look at.
    #[error("no time-stamping authority gave a good answer: {0}")]
    Refused(String),
}

/// Gives time-stamps. Blocks until there is one or every authority was tried; retries and order of authorities are
/// the implementation's.
pub trait Stamper: Send + Sync {
    /// A fresh token over the imprint.
    fn stamp(&self, imprint: &Imprint) -> Result<Stamped, StampError>;

    /// A fresh token over the imprint of each authority, and why of those that gave none: what proves the time is more
    /// than one of them.
    fn stamp_each(&self, imprint: &Imprint) -> Vec<Result<Stamped, StampError>> {
        vec![self.stamp(imprint)]
    }

    /// Roots, DER, in which the chains of its authorities end: what a token that it gave before is verified under.
    fn anchors(&self) -> Vec<Vec<u8>> {
        Vec::new()
    }

    /// Whether nothing but the embedded development authority is configured.
    fn is_development(&self) -> bool;
}
