//! Time-stamps (RFC 3161, updated by RFC 5816): read, and verified over the octets they are of.
//!
//! ```text
//! TimeStampResp (.tsr)  SEQUENCE { status, TimeStampToken }
//! TimeStampToken        CMS SignedData over TSTInfo { policy, messageImprint, serialNumber, genTime, accuracy … }
//! ```
//!
//! # Invariants
//! 1. Pure: the octets' digest and the trusted roots are arguments. What is not verified is a claim of nobody:
//!    [`Token::info`] before [`Token::verify`].
//! 2. Every check of RFC 3161 section 2.4.2 and of RFC 5816 that can be made without the request is made: imprint,
//!    content type, one signer, signature, ESSCertID of either version, purpose critical and alone, chain to a root
//!    at `genTime`, revocation as far as CRLs are at hand. The first that fails is the [`Refusal`].
//! 3. Total and bounded: by [`TOKEN_BYTES_MAX`] and by the limits of the CMS reader.
//! 4. The octets of a token are never written again: what is kept is what came.
//!
//! # Not here
//! What goes out: whoever asked compares [`Info::nonce_is`] and [`Info::policy`]. Base64 and
//! PEM. RFC 3161 section 4 lets tokens older than a revocation stand for some reasons of it: here none stands
//! whose signer was ever revoked ([`Refusal::Revoked`]).

mod answer;
mod asked;
mod info;

pub use answer::{Answer, Failure};
pub use asked::Asked;
pub use info::{ACCURACY_MS_MAX, Accuracy, Imprint, Info};

use crate::digests::DigestAlgorithm;
use crate::digests::SignedDigests;
use crate::judge::ber::{self, Value};
use crate::judge::certificate::Certificate;
use crate::judge::cms::{Content, SignedData};
use crate::judge::path::Search;
use crate::judge::revocation::Crl;
use crate::judge::said::of_chain;
use crate::judge::verify::AlgorithmId;
use crate::judge::{Ground, Material, Revocation, SignatureAlgorithm, Signer, Times, Trust};

/// The longest answer that is read: tokens with their certificates and CRLs have some kilobytes.
pub const TOKEN_BYTES_MAX: usize = 4 << 20;

/// 1.2.840.113549.1.9.16.1.4, id-ct-TSTInfo.
const OID_TST_INFO: &[u8] = &[
    0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04,
];
/// 1.2.840.113549.1.9.16.2: attributes of S/MIME; 12 and 47 are signing-certificate and its second version.
const OID_SMIME_ATTRIBUTE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02];
/// 1.3.6.1.5.5.7.3.8, id-kp-timeStamping.
const OID_TIME_STAMPING: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08];
/// 2.5.29.37, extKeyUsage.
const OID_EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
/// How far the clocks of an authority and of who receives may be apart.
const CLOCKS_MS: i64 = 300_000;
/// The most attributes and extensions looked through.
const ITEMS_MAX: usize = 256;

/// Why a time-stamp proves nothing here. The codes are stable.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Refusal {
    /// Neither a token nor an answer that holds one, or longer than is read.
    NotAToken,
    /// The answer says that the request was not granted.
    NotGranted,
    /// What was signed is no TSTInfo of version 1, or has an extension that must be understood and is not.
    InfoMalformed,
    /// The time is none, or not in UTC.
    TimeMalformed,
    /// The accuracy is none, or larger than what is accepted.
    Accuracy,
    /// The digest algorithm of the imprint is none of those that can be made.
    ImprintAlgorithm,
    /// The imprint is of other octets.
    ImprintDiffers,
    /// There is not exactly one signer.
    Signers,
    /// The signature does not verify.
    Signature(Ground),
    /// There are no signed attributes, or no signing-certificate among them.
    SigningCertificateMissing,
    /// The signing-certificate attribute names another certificate.
    SigningCertificateDiffers,
    /// The purpose of the certificate is not time-stamping alone, or is not critical (RFC 3161 section 2.3).
    Purpose,
    /// No chain to a root at the time of the token.
    Chain(Ground),
    /// The certificate of the signer or of an authority was revoked, at the time or later.
    Revoked,
    /// It was made later than it was received.
    Future,
}

impl Refusal {
    /// Each of them, with one ground where it has one.
    pub const ALL: [Self; 15] = [
        Self::NotAToken,
        Self::NotGranted,
        Self::InfoMalformed,
        Self::TimeMalformed,
        Self::Accuracy,
        Self::ImprintAlgorithm,
        Self::ImprintDiffers,
        Self::Signers,
        Self::Signature(Ground::SignatureInvalid),
        Self::SigningCertificateMissing,
        Self::SigningCertificateDiffers,
        Self::Purpose,
        Self::Chain(Ground::IssuerUnknown),
        Self::Revoked,
        Self::Future,
    ];

    /// The code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotAToken => "time-stamp-not-a-token",
            Self::NotGranted => "time-stamp-not-granted",
            Self::InfoMalformed => "time-stamp-info-malformed",
            Self::TimeMalformed => "time-stamp-time-malformed",
            Self::Accuracy => "time-stamp-accuracy",
            Self::ImprintAlgorithm => "time-stamp-imprint-algorithm",
            Self::ImprintDiffers => "time-stamp-imprint-differs",
            Self::Signers => "time-stamp-signers",
            Self::Signature(_) => "time-stamp-signature",
            Self::SigningCertificateMissing => "time-stamp-signing-certificate-missing",
            Self::SigningCertificateDiffers => "time-stamp-signing-certificate-differs",
            Self::Purpose => "time-stamp-purpose",
            Self::Chain(_) => "time-stamp-chain",
            Self::Revoked => "time-stamp-revoked",
            Self::Future => "time-stamp-future",
        }
    }

    /// The finding about signatures behind it, where there is one.
    pub const fn ground(self) -> Option<Ground> {
        match self {
            Self::Signature(ground) | Self::Chain(ground) => Some(ground),
            _ => None,
        }
    }

    /// The same, for an Italian reader.
    pub const fn italian(self) -> &'static str {
        match self {
            Self::NotAToken => "Il file non è una marca temporale RFC 3161 leggibile.",
            Self::NotGranted => "La risposta dice che la marca temporale non è stata concessa.",
            Self::InfoMalformed => "Il contenuto firmato non è un TSTInfo leggibile di versione 1.",
            Self::TimeMalformed => "L'istante della marca temporale non è leggibile.",
            Self::Accuracy => "L'accuratezza della marca temporale è illeggibile o troppo ampia.",
            Self::ImprintAlgorithm => "L'algoritmo dell'impronta non è tra quelli calcolabili.",
            Self::ImprintDiffers => "L'impronta della marca temporale è di altri byte.",
            Self::Signers => "La marca temporale non ha esattamente un firmatario.",
            Self::Signature(_) => "La firma della marca temporale non si verifica.",
            Self::SigningCertificateMissing => {
                "Manca l'attributo firmato che indica il certificato del firmatario."
            }
            Self::SigningCertificateDiffers => {
                "L'attributo firmato indica un certificato diverso da quello del firmatario."
            }
            Self::Purpose => "Il certificato non è riservato alla marcatura temporale.",
            Self::Chain(_) => "Nessuna catena porta a una radice fidata all'istante della marca.",
            Self::Revoked => "Un certificato della catena risulta revocato.",
            Self::Future => "La marca temporale è successiva alla ricezione.",
        }
    }

    /// The same, in English.
    pub const fn english(self) -> &'static str {
        match self {
            Self::NotAToken => "The file is no readable RFC 3161 time-stamp.",
            Self::NotGranted => "The answer says that no time-stamp was granted.",
            Self::InfoMalformed => "What was signed is no readable TSTInfo of version 1.",
            Self::TimeMalformed => "The time of the time-stamp cannot be read.",
            Self::Accuracy => "The accuracy of the time-stamp cannot be read, or is too large.",
            Self::ImprintAlgorithm => "The digest algorithm of the imprint cannot be made.",
            Self::ImprintDiffers => "The imprint of the time-stamp is of other bytes.",
            Self::Signers => "The time-stamp has not exactly one signer.",
            Self::Signature(_) => "The signature of the time-stamp does not verify.",
            Self::SigningCertificateMissing => {
                "There is no signed attribute that names the certificate of the signer."
            }
            Self::SigningCertificateDiffers => {
                "The signed attribute names another certificate than the signer's."
            }
            Self::Purpose => "The certificate is not for time-stamping alone.",
            Self::Chain(_) => "No chain leads to a trusted root at the time of the time-stamp.",
            Self::Revoked => "A certificate of the chain was revoked.",
            Self::Future => "The time-stamp is later than its receipt.",
        }
    }
}

/// A time-stamp as it came. Nothing it says is vouched for.
pub struct Token<'a> {
    der: &'a [u8],
    info: Info,
}

/// A time-stamp that was verified.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verified {
    /// What it says.
    pub info: Info,
    /// Who signed it.
    pub signer: Signer,
    /// SHA-256 of each certificate of the chain, the signer's first.
    pub chain: Vec<Vec<u8>>,
    /// The certificates of the chain, DER, the signer's first and the root last.
    pub certificates: Vec<Vec<u8>>,
    /// The latest instant at which every certificate of the chain is valid, in milliseconds since 1970.
    pub valid_until_ms: i64,
    /// What the token rests on: its own signature first, then that under each certificate below the root.
    pub signatures: Vec<SignedWith>,
    /// Whether imprint or signature rest on SHA-1.
    pub is_weak: bool,
    /// Whether CRLs or OCSP responses at hand say that the signer's certificate was good.
    pub is_revocation_known: bool,
}

/// How something was signed, and with how long a key.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct SignedWith {
    /// The algorithm.
    pub algorithm: SignatureAlgorithm,
    /// The length of the key in bits: the modulus of RSA, the order of a curve.
    pub key_bits: usize,
}

impl SignedWith {
    /// All that a chain rests on. The root is trusted for itself: its own signature says nothing.
    fn all(token: Option<SignatureAlgorithm>, chain: &[Certificate<'_>]) -> Vec<Self> {
        let below = chain.iter().map(|c| c.signature_algorithm.signature(None));
        let algorithms = std::iter::once(token).chain(below);
        let signed = algorithms.zip(chain).filter_map(|(algorithm, by)| {
            Some(Self {
                algorithm: algorithm?,
                key_bits: by.key.bits(),
            })
        });
        signed.collect()
    }
}

impl<'a> Token<'a> {
    /// Reads a TimeStampToken, or the one within a TimeStampResp.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Refusal> {
        let der = token_of(bytes)?;
        let data = SignedData::read(der).map_err(|_| Refusal::NotAToken)?;
        if data.content_type != OID_TST_INFO {
            return Err(Refusal::NotAToken);
        }
        let content = data.content.ok_or(Refusal::InfoMalformed)?;
        let info = Info::read(&content)?;
        Ok(Self { der, info })
    }

    /// What it claims.
    pub fn info(&self) -> &Info {
        &self.info
    }

    /// The token itself, without the answer around it.
    pub fn der(&self) -> &'a [u8] {
        self.der
    }

    /// What it rests on by its own word: its chain up to whichever certificate, of those in it and of these, is
    /// self-issued. It says when it must be renewed, and vouches for nothing.
    pub fn by_its_own_word(&self, certificates: &[Vec<u8>]) -> Result<Verified, Refusal> {
        let data = SignedData::read(self.der).map_err(|_| Refusal::NotAToken)?;
        let own = data.certificates.iter().map(|der| der.to_vec());
        let all = own.chain(certificates.iter().cloned()).filter_map(|der| {
            let read = Certificate::read(&der)?;
            let is_self_issued = read.issuer.whole == read.subject.whole;
            Some((is_self_issued, der))
        });
        let (roots, others): (Vec<_>, Vec<_>) = all.partition(|(is_root, _)| *is_root);
        let ders = |all: Vec<(bool, Vec<u8>)>| all.into_iter().map(|(_, der)| der).collect();
        let material = Material {
            anchors: ders(roots),
            intermediates: ders(others),
            ..Material::default()
        };
        let trust = Trust::new(material).map_err(|_| Refusal::NotAToken)?;
        self.verify(&self.info.imprint, &trust, Times::default())
    }

    /// Verifies it over octets with this digest, made with [`Info::algorithm`].
    ///
    /// `trust` holds the roots of time-stamping authorities, and what helps to reach them; `times` says when it was
    /// received.
    pub fn verify(&self, imprint: &[u8], trust: &Trust, times: Times) -> Result<Verified, Refusal> {
        self.verify_at(self.info.gen_ms, imprint, trust, times)
    }

    /// The same, with the chain and its revocation looked at as of another instant, in milliseconds since 1970:
    /// whether a token still holds when a later one covers it (RFC 4998 section 5.3).
    pub fn verify_at(
        &self,
        at_ms: i64,
        imprint: &[u8],
        trust: &Trust,
        times: Times,
    ) -> Result<Verified, Refusal> {
        if imprint != self.info.imprint {
            return Err(Refusal::ImprintDiffers);
        }
        let latest = times.received_ms.map(|ms| ms.saturating_add(CLOCKS_MS));
        if latest.is_some_and(|latest| self.info.gen_ms > latest) {
            return Err(Refusal::Future);
        }
        let data = SignedData::read(self.der).map_err(|_| Refusal::NotAToken)?;
        let content = data.content.as_ref().ok_or(Refusal::InfoMalformed)?;
        let signers = data.signers.as_ref().map_err(|g| Refusal::Signature(*g))?;
        let [signer] = &signers[..] else {
            return Err(Refusal::Signers);
        };
        let own = data.certificates.iter();
        let own: Vec<_> = own.filter_map(|der| Certificate::read(der)).collect();
        let handed_in = trust.pinned.iter().chain(&trust.intermediates);
        let handed_in = handed_in.filter_map(|held| held.certificate());
        let candidates: Vec<_> = own.iter().cloned().chain(handed_in).collect();
        let digests = SignedDigests::as_stored_of(content);
        let (claim, result) = data.verify(Content(&digests), &candidates, &trust.memo);
        result.map_err(Refusal::Signature)?;
        let attributes = signer
            .attributes
            .ok_or(Refusal::SigningCertificateMissing)?;
        let certificate = claim.certificate.as_ref();
        let certificate = certificate.ok_or(Refusal::Signature(Ground::CertificateMissing))?;
        names_signer(attributes, certificate)?;
        if !is_for_time_stamps(certificate) {
            return Err(Refusal::Purpose);
        }
        let search = Search::new(trust, &own, at_ms).for_other_purposes();
        let chain = search.chain(certificate).map_err(|grounds| {
            Refusal::Chain(grounds.first().copied().unwrap_or(Ground::IssuerUnknown))
        })?;
        let crls = data.crls.iter().filter_map(|der| Crl::read(der));
        let crls: Vec<_> = crls.collect();
        let is_revocation_known = revocation_known(at_ms, &chain, &crls, trust)?;
        let weak = [claim.digest, claim.signature.map(|s| s.digest)];
        let weak = weak.contains(&Some(DigestAlgorithm::Sha1));
        Ok(Verified {
            info: self.info.clone(),
            signer: Signer::of(certificate),
            chain: chain.iter().map(|c| sha256(c.der)).collect(),
            certificates: chain.iter().map(|c| c.der.to_vec()).collect(),
            valid_until_ms: chain.iter().map(|c| c.until_ms).min().unwrap_or(at_ms),
            signatures: SignedWith::all(claim.signature, &chain),
            is_weak: weak || self.info.algorithm == DigestAlgorithm::Sha1,
            is_revocation_known,
        })
    }
}

/// Whether CRLs or OCSP responses at hand know the signer's certificate for good; an error if any of the chain was
/// revoked.
fn revocation_known(
    at_ms: i64,
    chain: &[Certificate<'_>],
    crls: &[Crl],
    trust: &Trust,
) -> Result<bool, Refusal> {
    let mut known = false;
    for (place, said) in of_chain(chain, crls, trust, at_ms).into_iter().enumerate() {
        match said {
            // An authority that was revoked later had issued the certificate while it was good.
            Revocation::Later(_) if place > 0 => {}
            Revocation::Revoked(_) | Revocation::Later(_) => return Err(Refusal::Revoked),
            Revocation::Good => known |= place == 0,
            Revocation::Unknown => {}
        }
    }
    Ok(known)
}

/// The token within an answer, or the token itself.
fn token_of(bytes: &[u8]) -> Result<&[u8], Refusal> {
    let outer = Some(bytes).filter(|bytes| bytes.len() <= TOKEN_BYTES_MAX);
    let outer = outer.and_then(Value::first_of).ok_or(Refusal::NotAToken)?;
    if outer.tag != ber::SEQUENCE {
        return Err(Refusal::NotAToken);
    }
    let mut inside = outer.inside();
    if inside.optional(ber::OID).is_some() {
        return Ok(outer.whole);
    }
    let status = inside.expect(ber::SEQUENCE);
    let status = status.and_then(|status| status.inside().next()?.small());
    match status.ok_or(Refusal::NotAToken)? {
        // granted, grantedWithMods
        0 | 1 => {
            let token = inside.expect(ber::SEQUENCE);
            Ok(token.ok_or(Refusal::NotGranted)?.whole)
        }
        _ => Err(Refusal::NotGranted),
    }
}

/// RFC 5035 section 5, RFC 5816: the first certificate named is the signer's. Where both versions stand, both.
pub(crate) fn names_signer(attributes: Value<'_>, signer: &Certificate<'_>) -> Result<(), Refusal> {
    let mut found = false;
    let all = attributes.inside().rest(ITEMS_MAX);
    for attribute in all.ok_or(Refusal::SigningCertificateMissing)? {
        let mut inside = attribute.inside();
        let oid = inside.expect(ber::OID).map(|oid| oid.content);
        let version = oid.and_then(|oid| oid.strip_prefix(OID_SMIME_ATTRIBUTE));
        let named = match version {
            Some([12]) => first_id(inside.next()).and_then(|id| named_v1(id)),
            Some([47]) => first_id(inside.next()).and_then(|id| named_v2(id)),
            _ => continue,
        };
        let (algorithm, hash) = named.ok_or(Refusal::SigningCertificateDiffers)?;
        if algorithm.of(signer.der).as_ref() != hash {
            return Err(Refusal::SigningCertificateDiffers);
        }
        found = true;
    }
    found
        .then_some(())
        .ok_or(Refusal::SigningCertificateMissing)
}

/// The first identifier of a SigningCertificate, within the set of an attribute's values.
fn first_id(values: Option<Value<'_>>) -> Option<Value<'_>> {
    let signing_certificate = values?.inside().expect(ber::SEQUENCE)?;
    let certificates = signing_certificate.inside().expect(ber::SEQUENCE)?;
    certificates.inside().expect(ber::SEQUENCE)
}

fn named_v1(id: Value<'_>) -> Option<(DigestAlgorithm, &[u8])> {
    let hash = id.inside().expect(ber::OCTET_STRING)?.content;
    Some((DigestAlgorithm::Sha1, hash))
}

fn named_v2(id: Value<'_>) -> Option<(DigestAlgorithm, &[u8])> {
    let mut inside = id.inside();
    let algorithm = match inside.optional(ber::SEQUENCE) {
        None => DigestAlgorithm::Sha256,
        Some(algorithm) => AlgorithmId::of(algorithm)?.digest()?,
    };
    Some((algorithm, inside.expect(ber::OCTET_STRING)?.content))
}

/// RFC 3161 section 2.3: extendedKeyUsage critical, with id-kp-timeStamping alone.
fn is_for_time_stamps(certificate: &Certificate<'_>) -> bool {
    purposes(certificate).is_some_and(|(critical, purposes)| {
        let is_alone = matches!(&purposes[..], [only] if only.content == OID_TIME_STAMPING);
        critical && is_alone
    })
}

/// Whether the extension is critical, and the purposes in it.
fn purposes<'a>(certificate: &Certificate<'a>) -> Option<(bool, Vec<Value<'a>>)> {
    let mut inside = Value::first_of(certificate.tbs)?.inside();
    let extensions = loop {
        let value = inside.next()?;
        if value.tag == ber::CONTEXT_3 {
            break value.inside().expect(ber::SEQUENCE)?;
        }
    };
    for extension in extensions.inside().rest(ITEMS_MAX)? {
        let mut inside = extension.inside();
        if inside.expect(ber::OID)?.content != OID_EXTENDED_KEY_USAGE {
            continue;
        }
        let critical = inside.optional(ber::BOOLEAN);
        let critical = critical.is_some_and(|critical| critical.content != [0]);
        let list = Value::first_of(inside.expect(ber::OCTET_STRING)?.content)?;
        return Some((critical, list.inside().rest(ITEMS_MAX)?));
    }
    None
}

fn sha256(der: &[u8]) -> Vec<u8> {
    DigestAlgorithm::Sha256.of(der).as_ref().to_vec()
}
