//! Whether every octet of a CMS with one signer is answered for.
//!
//! A signature covers its content and its signed attributes. The rest of a CMS (versions, list of digests, names of
//! the signer, certificates, CRLs, unsigned attributes) no signature covers: whoever keeps a signature as evidence
//! wants to know that those octets too are as they were written. They are, where each is the only one that RFC 5652
//! allows in its place, or stands in a certificate, a CRL or a time-stamp that is itself signed.
//!
//! # Invariants
//! 1. Asked of a CMS that verified ([`crate::cades`], [`crate::tsp`]): nothing is said here of its signature.
//! 2. One signer, DER, nothing after it; no unsigned attribute but signature-time-stamps, each exact in its turn.
//! 3. Every certificate and CRL in it was signed by another one in it, by itself, or by one that is trusted. A sound
//!    CMS that holds a certificate of an issuer that is nowhere at hand is refused too: nothing tells its octets from
//!    altered ones. Whoever verifies hands in that issuer.

use crate::cades::OID_SIGNATURE_TIME_STAMP;
use crate::judge::Trust;
use crate::judge::ber::{self, Value, Values};
use crate::judge::certificate::Certificate;
use crate::judge::cms::{CERTIFICATES_MAX, CMS_BYTES_MAX};
use crate::judge::path::signed_by;
use crate::judge::revocation::Crl;
use crate::judge::verify::AlgorithmId;

/// The most levels within each other.
const DEPTH_MAX: usize = 32;
/// The most digests, CRLs, unsigned attributes, and values of one.
const ITEMS_MAX: usize = 16;
/// 1.2.840.113549.1.7.1, id-data.
const OID_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01];
const CONSTRUCTED: u8 = 0x20;

/// Where octets stand for which nobody answers.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Loose {
    /// It is no CMS of one signer in DER, or something follows it.
    Form,
    /// A version is not the one that RFC 5652 asks for.
    Version,
    /// The list of digest algorithms is not that of its signer, or an algorithm has parameters it cannot have.
    Algorithms,
    /// Issuer and serial number, or key identifier, are those of no certificate in it.
    Signer,
    /// A certificate in it is signed by none that is at hand.
    Certificate,
    /// A CRL in it is signed by no certificate that is at hand.
    Crl,
    /// An unsigned attribute is no signature-time-stamp.
    Unsigned,
}

impl std::fmt::Display for Loose {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Form => "it is not written as DER has it",
            Self::Version => "a version is not that of RFC 5652",
            Self::Algorithms => "the list of algorithms is not that of its signer",
            Self::Signer => "the signer is named otherwise than its certificate",
            Self::Certificate => "a certificate in it is vouched for by no issuer at hand",
            Self::Crl => "a revocation list in it is vouched for by no issuer at hand",
            Self::Unsigned => "an unsigned attribute is no time-stamp of the signature",
        })
    }
}

impl std::error::Error for Loose {}

/// Looks at every octet that the signature does not cover.
///
/// # Errors
/// [`Loose`]: the first place found.
pub fn check(cms: &[u8], trust: &Trust) -> Result<(), Loose> {
    check_one(cms, trust, true)
}

fn check_one(cms: &[u8], trust: &Trust, may_be_stamped: bool) -> Result<(), Loose> {
    let parts = Parts::read(cms).ok_or(Loose::Form)?;
    let certificates = parts.certificates(trust)?;
    parts.check_crls(&certificates, trust)?;
    let signer = Signer::read(parts.signer).ok_or(Loose::Form)?;
    let by_issuer = signer.id.tag == ber::SEQUENCE;
    let signer_version = if by_issuer { 1 } else { 3 };
    // RFC 5652 section 5.1, where every certificate is one of X.509.
    let is_plain = by_issuer && parts.content_type == OID_DATA;
    let version = if is_plain { 1 } else { 3 };
    if parts.version != version || signer.version != signer_version {
        return Err(Loose::Version);
    }
    check_algorithms(parts.digests, &signer)?;
    let is_named = certificates.iter().any(|c| signer.names(c));
    if !is_named {
        return Err(Loose::Signer);
    }
    match signer.unsigned {
        None => Ok(()),
        Some(_) if !may_be_stamped => Err(Loose::Unsigned),
        Some(unsigned) => check_unsigned(unsigned, trust),
    }
}

/// A SignedData of one signer, taken apart so that nothing is passed over.
struct Parts<'a> {
    version: u32,
    digests: Value<'a>,
    content_type: &'a [u8],
    certificates: Option<Value<'a>>,
    crls: Option<Value<'a>>,
    signer: Value<'a>,
}

/// A value that must be the last one where it stands.
fn only(mut inside: Values<'_>, tag: u8) -> Option<Value<'_>> {
    inside.expect(tag).filter(|_| inside.is_empty())
}

impl<'a> Parts<'a> {
    fn read(cms: &'a [u8]) -> Option<Self> {
        let info = Value::first_of(cms).filter(|info| info.whole.len() == cms.len())?;
        if cms.len() > CMS_BYTES_MAX || info.tag != ber::SEQUENCE || !is_der(info, DEPTH_MAX) {
            return None;
        }
        let mut inside = info.inside();
        inside.expect(ber::OID)?;
        let wrapped = only(inside, ber::CONTEXT_0)?;
        let mut inside = only(wrapped.inside(), ber::SEQUENCE)?.inside();
        let version = inside.next()?.small()?;
        let digests = inside.expect(ber::SET)?;
        let mut encapsulated = inside.expect(ber::SEQUENCE)?.inside();
        let content_type = encapsulated.expect(ber::OID)?.content;
        if let Some(content) = encapsulated.optional(ber::CONTEXT_0) {
            only(content.inside(), ber::OCTET_STRING)?;
        }
        let certificates = inside.optional(ber::CONTEXT_0);
        let crls = inside.optional(ber::CONTEXT_1);
        let signers = only(inside, ber::SET)?;
        encapsulated.is_empty().then_some(())?;
        Some(Self {
            version,
            digests,
            content_type,
            certificates,
            crls,
            signer: only(signers.inside(), ber::SEQUENCE)?,
        })
    }

    /// The certificates in it, each vouched for.
    fn certificates(&self, trust: &Trust) -> Result<Vec<Certificate<'a>>, Loose> {
        let all = self
            .certificates
            .map_or(Some(Vec::new()), |set| set.inside().rest(CERTIFICATES_MAX));
        let read = |value: &Value<'a>| exact_certificate(*value).ok_or(Loose::Certificate);
        let all = all.ok_or(Loose::Form)?;
        let all = all.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let is_vouched = |certificate: &Certificate<'a>| {
            let is_by = |issuer: &Certificate<'_>| {
                issuer.subject.whole == certificate.issuer.whole
                    && signed_by(certificate, issuer, &trust.memo).is_ok()
            };
            all.iter().any(is_by) || trusted(trust).any(|issuer| is_by(&issuer))
        };
        match all.iter().all(is_vouched) {
            true => Ok(all),
            false => Err(Loose::Certificate),
        }
    }

    fn check_crls(&self, certificates: &[Certificate<'a>], trust: &Trust) -> Result<(), Loose> {
        let all = self
            .crls
            .map_or(Some(Vec::new()), |set| set.inside().rest(ITEMS_MAX));
        let is_vouched = |value: &Value<'a>| {
            let crl = exact_signed(*value).and_then(|_| Crl::read(value.whole));
            crl.is_some_and(|crl| {
                let is_by = |issuer: &Certificate<'_>| crl.counts_for(issuer, &trust.memo);
                certificates.iter().any(is_by) || trusted(trust).any(|issuer| is_by(&issuer))
            })
        };
        let all = all.ok_or(Loose::Form)?;
        all.iter().all(is_vouched).then_some(()).ok_or(Loose::Crl)
    }
}

fn trusted(trust: &Trust) -> impl Iterator<Item = Certificate<'_>> {
    let held = trust.anchors.iter().chain(&trust.intermediates);
    held.chain(&trust.pinned)
        .filter_map(|held| held.certificate())
}

/// Something signed, an algorithm, a signature, and nothing else; the algorithm.
fn exact_signed(value: Value<'_>) -> Option<AlgorithmId<'_>> {
    let mut inside = value.inside();
    inside.expect(ber::SEQUENCE)?;
    let algorithm = exact_algorithm(inside.expect(ber::SEQUENCE)?)?;
    only(inside, ber::BIT_STRING)?;
    (value.tag == ber::SEQUENCE).then_some(algorithm)
}

fn exact_certificate(value: Value<'_>) -> Option<Certificate<'_>> {
    exact_signed(value)?;
    Certificate::read(value.whole)
}

/// An algorithm with no parameters, NULL, or those of RSASSA-PSS, and nothing else.
fn exact_algorithm(value: Value<'_>) -> Option<AlgorithmId<'_>> {
    let mut inside = value.inside();
    inside.expect(ber::OID)?;
    if !inside.is_empty() {
        let parameters = inside.next()?;
        let is_null = parameters.whole == [ber::NULL, 0];
        if !inside.is_empty() || !(is_null || parameters.tag == ber::SEQUENCE) {
            return None;
        }
    }
    AlgorithmId::of(value)
}

struct Signer<'a> {
    version: u32,
    id: Value<'a>,
    digest: Value<'a>,
    algorithm: Value<'a>,
    unsigned: Option<Value<'a>>,
}

impl<'a> Signer<'a> {
    fn read(value: Value<'a>) -> Option<Self> {
        let mut inside = value.inside();
        let version = inside.next()?.small()?;
        let id = inside.next()?;
        let digest = inside.expect(ber::SEQUENCE)?;
        // The signature is over them with the tag of a SET: that they are there says that they were read so.
        inside.expect(ber::CONTEXT_0)?;
        let algorithm = inside.expect(ber::SEQUENCE)?;
        inside.expect(ber::OCTET_STRING)?;
        let unsigned = inside.optional(ber::CONTEXT_1);
        inside.is_empty().then_some(Self {
            version,
            id,
            digest,
            algorithm,
            unsigned,
        })
    }

    /// Octet by octet: names are compared without case elsewhere.
    fn names(&self, certificate: &Certificate<'_>) -> bool {
        if self.id.tag != ber::SEQUENCE {
            return self.id.tag == 0x80
                && certificate.extensions.subject_key_id == Some(self.id.content);
        }
        let mut inside = self.id.inside();
        let issuer = inside.expect(ber::SEQUENCE);
        let serial = only(inside, ber::INTEGER);
        issuer.is_some_and(|issuer| issuer.whole == certificate.issuer.whole)
            && serial.is_some_and(|serial| serial.content == certificate.serial)
    }
}

/// The list is of the signer's digest alone, as RFC 5652 section 5.1 has it for one signer.
fn check_algorithms(digests: Value<'_>, signer: &Signer<'_>) -> Result<(), Loose> {
    let own = exact_algorithm(signer.digest).ok_or(Loose::Algorithms)?;
    exact_algorithm(signer.algorithm).ok_or(Loose::Algorithms)?;
    let listed = digests.inside().rest(ITEMS_MAX).ok_or(Loose::Form)?;
    let is_known = |value: &Value<'_>| {
        let algorithm = exact_algorithm(*value).filter(|_| value.tag == ber::SEQUENCE);
        algorithm.is_some_and(|algorithm| algorithm.is(&own))
    };
    let is_exact = !listed.is_empty() && listed.iter().all(is_known);
    is_exact.then_some(()).ok_or(Loose::Algorithms)
}

fn check_unsigned(unsigned: Value<'_>, trust: &Trust) -> Result<(), Loose> {
    let attributes = unsigned.inside().rest(ITEMS_MAX).ok_or(Loose::Form)?;
    for attribute in attributes {
        let mut inside = attribute.inside();
        let oid = inside.expect(ber::OID).map(|oid| oid.content);
        let values = only(inside, ber::SET).and_then(|set| set.inside().rest(ITEMS_MAX));
        let values = values.filter(|values| !values.is_empty());
        if attribute.tag != ber::SEQUENCE || oid != Some(OID_SIGNATURE_TIME_STAMP) {
            return Err(Loose::Unsigned);
        }
        for value in values.ok_or(Loose::Unsigned)? {
            check_one(value.whole, trust, false)?;
        }
    }
    Ok(())
}

/// Whether every length, down to the last level, is stated in the shortest way.
fn is_der(value: Value<'_>, depth: usize) -> bool {
    let length = value.content.len();
    let octets = match length {
        0..0x80 => 0,
        _ => usize::BITS
            .saturating_sub(length.leading_zeros())
            .div_ceil(8),
    };
    let header = usize::try_from(octets).map_or(usize::MAX, |octets| octets.saturating_add(2));
    if !value.definite || value.whole.len().checked_sub(length) != Some(header) {
        return false;
    }
    if value.tag & CONSTRUCTED == 0 {
        return true;
    }
    let Some(depth) = depth.checked_sub(1) else {
        return false;
    };
    let mut inside = value.inside();
    while !inside.is_empty() {
        if !inside.next().is_some_and(|value| is_der(value, depth)) {
            return false;
        }
    }
    true
}
