//! The verdict: a level, its grounds, and what was found on the way.

use super::certificate::Certificate;
use super::cms::Form;
use super::ground::{Effect, Ground};
use super::revocation::Revocation;
use super::sha256;
use super::verify::SignatureAlgorithm;
use crate::digests::DigestAlgorithm;

/// What a signature is worth. From best to worst.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Level {
    /// The octets are those signed, by a signer trusted when it signed.
    IntegralTrusted,
    /// The same, resting on an algorithm or a key that is no longer strong.
    IntegralWeak,
    /// The octets are those signed; that the signer was to be trusted is not established.
    IntegralUntrusted,
    /// It is not shown that the octets are those signed: they are not, or the signature cannot be verified.
    Broken,
    /// There is no signature.
    Absent,
}

impl Level {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::IntegralTrusted,
        Self::IntegralWeak,
        Self::IntegralUntrusted,
        Self::Broken,
        Self::Absent,
    ];

    /// The stable word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::IntegralTrusted => "integral-trusted",
            Self::IntegralWeak => "integral-weak",
            Self::IntegralUntrusted => "integral-untrusted",
            Self::Broken => "broken",
            Self::Absent => "absent",
        }
    }

    /// Whether the octets are those signed.
    pub const fn is_integral(self) -> bool {
        !matches!(self, Self::Broken | Self::Absent)
    }

    pub(super) fn of(grounds: &[Ground]) -> Self {
        let worst = grounds.iter().map(|ground| ground.effect()).min();
        match worst.unwrap_or(Effect::Note) {
            Effect::Absent => Self::Absent,
            Effect::Broken => Self::Broken,
            Effect::Untrusted => Self::IntegralUntrusted,
            Effect::Weak => Self::IntegralWeak,
            Effect::Note => Self::IntegralTrusted,
        }
    }
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

/// The instants to judge at, beside those the message states.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Times {
    /// When the archive received the message, in milliseconds since 1970: it existed then.
    pub received_ms: Option<i64>,
}

/// Who signed, as the certificate says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Signer {
    /// O of the subject.
    pub organization: Option<String>,
    /// CN of the subject.
    pub common_name: Option<String>,
    /// CN of the issuer, or else its O.
    pub issuer: Option<String>,
    /// The rfc822Names of subjectAltName.
    pub addresses: Vec<String>,
    /// The serial number, in hexadecimal.
    pub serial: String,
    /// SHA-256 of the certificate.
    pub sha256: Vec<u8>,
    /// SHA-1 of the certificate: how the directory of providers names it.
    pub sha1: Vec<u8>,
    /// From when it holds, in milliseconds since 1970.
    pub from_ms: i64,
    /// Until when.
    pub until_ms: i64,
}

/// What a signature is worth, and why.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verdict {
    /// The level.
    pub level: Level,
    /// Why, and what else was noticed; each once, in the order of [`Ground::ALL`].
    pub grounds: Vec<Ground>,
    /// Which form of the octets was found signed.
    pub form: Option<Form>,
    /// The digest algorithm of the content.
    pub digest: Option<DigestAlgorithm>,
    /// The signature algorithm.
    pub signature: Option<SignatureAlgorithm>,
    /// The signing time stated in the signature. Of a broken one it is a claim of nobody.
    pub signing_ms: Option<i64>,
    /// The signer the signature names. Of a broken one it is a claim of nobody.
    pub signer: Option<Signer>,
    /// The instant the chain was judged at: the signing time, or else that of the daticert, or else of receipt.
    pub judged_ms: Option<i64>,
    /// SHA-256 of each certificate of the chain, the signer's first, the anchor's last; none if not established.
    pub chain: Vec<Vec<u8>>,
    /// Whether the chain still held when the message was received; `None` where there is no such time.
    pub held_at_receipt: Option<bool>,
    /// What is known of the revocation of the signer's certificate at `judged_ms`.
    pub revocation: Revocation,
}

impl Verdict {
    pub(super) fn of(grounds: Vec<Ground>) -> Self {
        Self {
            level: Level::of(&grounds),
            grounds,
            form: None,
            digest: None,
            signature: None,
            signing_ms: None,
            signer: None,
            judged_ms: None,
            chain: Vec::new(),
            held_at_receipt: None,
            revocation: Revocation::Unknown,
        }
    }

    /// Whether a ground is among the grounds.
    pub fn has(&self, ground: Ground) -> bool {
        self.grounds.contains(&ground)
    }
}

impl Signer {
    pub(crate) fn of(certificate: &Certificate<'_>) -> Self {
        let addresses = certificate.addresses();
        Self {
            organization: certificate.subject_text(10),
            common_name: certificate.subject_text(3),
            issuer: certificate
                .issuer_text(3)
                .or_else(|| certificate.issuer_text(10)),
            addresses: addresses
                .map(|a| String::from_utf8_lossy(a).into_owned())
                .collect(),
            serial: certificate
                .serial
                .iter()
                .flat_map(|octet| [octet >> 4, octet & 15])
                .filter_map(|digit| char::from_digit(digit.into(), 16))
                .map(|digit| digit.to_ascii_uppercase())
                .collect(),
            sha256: sha256(certificate.der),
            sha1: DigestAlgorithm::Sha1.of(certificate.der).as_ref().to_vec(),
            from_ms: certificate.from_ms,
            until_ms: certificate.until_ms,
        }
    }
}
