//! CAdES baseline signatures (EN 319 122-1): read and verified, at the instant they are asked about.
//!
//! # Invariants
//! 1. Pure: trust and instant are arguments. Nothing is vouched for before [`verify`].
//! 2. Exactly one signer, with a signing-certificate attribute that names the certificate that verified (level B-B).
//! 3. Time-stamps of the signature (level B-T) are handed out as they came: whoever asks verifies them
//!    ([`crate::tsp`]) over [`Verified::signature`].

use crate::digests::SignedDigests;
use crate::judge::ber::{self, Value};
use crate::judge::certificate::Certificate;
use crate::judge::cms::{Content, SignedData};
use crate::judge::path::Search;
use crate::judge::revocation::Crl;
use crate::judge::said::of_chain;
use crate::judge::{Ground, Revocation, SignatureAlgorithm, Signer, Trust};
use crate::tsp::{self, names_signer};

/// The most unsigned attributes, and tokens in one.
const ITEMS_MAX: usize = 64;
/// 1.2.840.113549.1.9.16.2.14, id-aa-signatureTimeStampToken.
pub(crate) const OID_SIGNATURE_TIME_STAMP: &[u8] = &[
    0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02, 0x0e,
];

/// Why a signature proves nothing.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Refusal {
    /// No CMS SignedData, or a broken one.
    Cms(Ground),
    /// There is not exactly one signer.
    Signers,
    /// The content is neither in it nor handed in; or both, and they differ.
    Content,
    /// The signature does not verify over the content.
    Signature(Ground),
    /// No signed attribute names the signer's certificate (EN 319 122-1 clause 5.2.2).
    SigningCertificateMissing,
    /// The signing-certificate attribute names another certificate.
    SigningCertificateDiffers,
    /// No chain to a trusted root at the instant.
    Chain(Ground),
    /// A certificate of the chain was revoked at the instant.
    Revoked,
    /// The unsigned attributes cannot be read.
    UnsignedAttributes,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cms(ground) => write!(f, "no readable signed data ({})", ground.code()),
            Self::Signers => f.write_str("not exactly one signer"),
            Self::Content => f.write_str("the signed content is missing, or another one"),
            Self::Signature(ground) => {
                write!(f, "the signature does not verify ({})", ground.code())
            }
            Self::SigningCertificateMissing => {
                f.write_str("no signed attribute names the signer's certificate")
            }
            Self::SigningCertificateDiffers => {
                f.write_str("the signed attribute names another certificate")
            }
            Self::Chain(ground) => write!(f, "no chain to a trusted root ({})", ground.code()),
            Self::Revoked => f.write_str("a certificate of the chain was revoked"),
            Self::UnsignedAttributes => f.write_str("the unsigned attributes cannot be read"),
        }
    }
}

impl std::error::Error for Refusal {}

/// A signature that was verified.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verified {
    /// Who signed.
    pub signer: Signer,
    /// The certificates of the chain, DER, the signer's first and the root last.
    pub certificates: Vec<Vec<u8>>,
    /// The latest instant at which every certificate of the chain is valid, in milliseconds since 1970.
    pub valid_until_ms: i64,
    /// How it was signed.
    pub algorithm: Option<SignatureAlgorithm>,
    /// When the signer says to have signed, in milliseconds since 1970. A claim.
    pub signing_ms: Option<i64>,
    /// The content, where it is enveloped.
    pub content: Option<Vec<u8>>,
    /// The octets of the signature: what a signature-time-stamp is of.
    pub signature: Vec<u8>,
    /// The signature-time-stamp tokens, DER, unverified.
    pub time_stamps: Vec<Vec<u8>>,
}

/// Verifies a CAdES signature over the content it envelops, or over the one handed in where it is detached; the
/// chain and its revocation as of an instant, in milliseconds since 1970.
pub fn verify(
    cms: &[u8],
    content: Option<&[u8]>,
    trust: &Trust,
    at_ms: i64,
) -> Result<Verified, Refusal> {
    let data = SignedData::read(cms).map_err(Refusal::Cms)?;
    let signed = match (data.content.as_deref(), content) {
        (Some(own), None) => own,
        (None, Some(given)) => given,
        (Some(own), Some(given)) if own == given => own,
        _ => return Err(Refusal::Content),
    };
    let signers = data
        .signers
        .as_ref()
        .map_err(|ground| Refusal::Cms(*ground))?;
    let [signer] = &signers[..] else {
        return Err(Refusal::Signers);
    };
    let own = data.certificates.iter();
    let own: Vec<_> = own.filter_map(|der| Certificate::read(der)).collect();
    let digests = SignedDigests::as_stored_of(signed);
    let (claim, result) = data.verify(Content(&digests), &own, &trust.memo);
    result.map_err(Refusal::Signature)?;
    let attributes = signer
        .attributes
        .ok_or(Refusal::SigningCertificateMissing)?;
    let certificate = claim.certificate.as_ref();
    let certificate = certificate.ok_or(Refusal::Signature(Ground::CertificateMissing))?;
    names_signer(attributes, certificate).map_err(|refusal| match refusal {
        tsp::Refusal::SigningCertificateMissing => Refusal::SigningCertificateMissing,
        _ => Refusal::SigningCertificateDiffers,
    })?;
    let search = Search::new(trust, &own, at_ms).for_other_purposes();
    let chain = search.chain(certificate).map_err(|grounds| {
        Refusal::Chain(grounds.first().copied().unwrap_or(Ground::IssuerUnknown))
    })?;
    let crls = data.crls.iter().filter_map(|der| Crl::read(der));
    let said = of_chain(&chain, &crls.collect::<Vec<_>>(), trust, at_ms);
    if said
        .iter()
        .any(|said| matches!(said, Revocation::Revoked(_)))
    {
        return Err(Refusal::Revoked);
    }
    Ok(Verified {
        signer: Signer::of(certificate),
        certificates: chain.iter().map(|c| c.der.to_vec()).collect(),
        valid_until_ms: chain.iter().map(|c| c.until_ms).min().unwrap_or(at_ms),
        algorithm: claim.signature,
        signing_ms: claim.signing_ms,
        content: data.content.as_deref().map(<[u8]>::to_vec),
        signature: signer.signature().to_vec(),
        time_stamps: time_stamps(signer.unsigned).ok_or(Refusal::UnsignedAttributes)?,
    })
}

/// The signature-time-stamp tokens of the one signer, unverified.
pub fn time_stamps_of(cms: &[u8]) -> Result<Vec<Vec<u8>>, Refusal> {
    let data = SignedData::read(cms).map_err(Refusal::Cms)?;
    let signers = data
        .signers
        .as_ref()
        .map_err(|ground| Refusal::Cms(*ground))?;
    let [signer] = &signers[..] else {
        return Err(Refusal::Signers);
    };
    time_stamps(signer.unsigned).ok_or(Refusal::UnsignedAttributes)
}

/// The octets of the one signer's signature, unverified: what its signature-time-stamps are of.
pub fn signature_of(cms: &[u8]) -> Result<Vec<u8>, Refusal> {
    let data = SignedData::read(cms).map_err(Refusal::Cms)?;
    let signers = data
        .signers
        .as_ref()
        .map_err(|ground| Refusal::Cms(*ground))?;
    match &signers[..] {
        [signer] => Ok(signer.signature().to_vec()),
        _ => Err(Refusal::Signers),
    }
}

/// The content that a signature envelops, unverified; none where it is detached.
pub fn content_of(cms: &[u8]) -> Result<Option<Vec<u8>>, Refusal> {
    let data = SignedData::read(cms).map_err(Refusal::Cms)?;
    Ok(data.content.as_deref().map(<[u8]>::to_vec))
}

/// The tokens of every signature-time-stamp attribute.
fn time_stamps(unsigned: Option<Value<'_>>) -> Option<Vec<Vec<u8>>> {
    let mut all = Vec::new();
    let Some(unsigned) = unsigned else {
        return Some(all);
    };
    for attribute in unsigned.inside().rest(ITEMS_MAX)? {
        let mut inside = attribute.inside();
        let oid = inside.expect(ber::OID)?.content;
        let values = inside.expect(ber::SET)?.inside().rest(ITEMS_MAX)?;
        if oid == OID_SIGNATURE_TIME_STAMP {
            all.extend(values.iter().map(|value| value.whole.to_vec()));
        }
    }
    Some(all)
}
