//! CAdES baseline signatures (EN 319 122-1): B-B, and B-T with a time-stamp of the signature.
//!
//! Signed attributes: content-type, message-digest, signing-time, signing-certificate-v2, and
//! CMSAlgorithmProtection (RFC 6211), which stops a substitution of algorithms. Long-term material is not added
//! here: the evidence record of the package does that.
//!
//! # Not here
//! Verification of foreign signatures of mail (`ceralacca_pec::judge`).

use crate::asn1::{sequence, time};
use crate::oids;
use crate::seal_key::{SealError, SealSigner};
use crate::signed_data::{self, Signed, ToSign, attribute};
use crate::stamp::{Imprint, StampError, Stamped, Stamper};
use aws_lc_rs::digest::{SHA256, digest};
use ceralacca_formats::id::UtcMillis;
use ceralacca_pec::judge::{Times, Trust};
use ceralacca_pec::{cades, tsp};

pub use ceralacca_pec::cades::Refusal;

/// Where the content stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Content<'a> {
    /// Beside the signature, which knows its SHA-256 only (`.p7s`).
    Detached([u8; 32]),
    /// Inside the signature (`.p7m`).
    Enveloping(&'a [u8]),
}

impl Content<'_> {
    /// For a detached signature over these bytes.
    pub fn detached(bytes: &[u8]) -> Self {
        Self::Detached(sha256(bytes))
    }
}

/// Why there is no signature.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CadesError {
    /// The seal key did not sign. The operator's to look at.
    #[error("seal")]
    Seal(#[from] SealError),
    /// No time-stamp was had: see there whether to try again. Nothing was made.
    #[error("time-stamp of the signature")]
    Stamp(#[from] StampError),
}

/// Signs, level B-B. `at` is what the signer claims as its time.
pub fn sign(
    content: Content<'_>,
    at: UtcMillis,
    signer: &dyn SealSigner,
) -> Result<Vec<u8>, SealError> {
    Ok(signed(content, at, signer)?.finish(Vec::new()))
}

/// Signs, level B-T: a time-stamp over the octets of the signature proves that it was made before.
pub fn sign_stamped(
    content: Content<'_>,
    at: UtcMillis,
    signer: &dyn SealSigner,
    stamper: &dyn Stamper,
) -> Result<(Vec<u8>, Stamped), CadesError> {
    let signed = signed(content, at, signer)?;
    let stamped = stamper.stamp(&Imprint::Sha256(sha256(&signed.signature)))?;
    let token = attribute(oids::SIGNATURE_TIME_STAMP, stamped.token.clone());
    Ok((signed.finish(vec![token]), stamped))
}

fn signed(
    content: Content<'_>,
    at: UtcMillis,
    signer: &dyn SealSigner,
) -> Result<Signed, SealError> {
    let (digest, content) = match content {
        Content::Detached(digest) => (digest, None),
        Content::Enveloping(bytes) => (sha256(bytes), Some(bytes)),
    };
    let at = time(at).ok_or_else(|| SealError::Encode("a time beyond the year 9999".into()))?;
    let algorithm = oids::signature(signer.algorithm());
    // RFC 6211 section 2: [1] IMPLICIT, in the place of the SEQUENCE.
    let mut tagged = algorithm;
    if let Some(tag) = tagged.first_mut() {
        *tag = 0xa1;
    }
    let protection = sequence(&[&oids::sha256(), &tagged]);
    let chain = signer.chain().iter().map(Vec::as_slice);
    let what = ToSign {
        content_type: oids::DATA,
        digest,
        content,
        attributes: vec![
            attribute(oids::SIGNING_TIME, at),
            attribute(oids::ALGORITHM_PROTECTION, protection),
        ],
        certificates: std::iter::once(signer.certificate()).chain(chain).collect(),
    };
    signed_data::sign(what, signer)
}

/// A signature that was verified.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verified {
    /// Who signed, how, when by its own word, and the content where it is enveloped.
    pub signature: cades::Verified,
    /// The time-stamps of the signature, each verified.
    pub stamps: Vec<tsp::Verified>,
}

/// Why a signature proves nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum VerifyError {
    /// The signature itself.
    #[error("signature: {0}")]
    Signature(#[source] Refusal),
    /// A time-stamp of it: its place, and why.
    #[error("time-stamp {0} of the signature: {text}", text = .1.english())]
    Stamp(usize, tsp::Refusal),
}

/// Verifies a signature of level B-B or B-T, over `content` where it is detached.
///
/// `seal` and `authorities` hold the roots of the seal and those of time-stamping authorities. The seal's chain is
/// looked at as of the earliest of its time-stamps (the proof that it existed), else as of `now`.
pub fn verify(
    cms: &[u8],
    content: Option<&[u8]>,
    seal: &Trust,
    authorities: &Trust,
    now: UtcMillis,
) -> Result<Verified, VerifyError> {
    let now_ms = i64::try_from(now.get()).unwrap_or(i64::MAX);
    let tokens = cades::time_stamps_of(cms).map_err(VerifyError::Signature)?;
    let claimed = tokens
        .iter()
        .filter_map(|token| tsp::Token::read(token).ok());
    let at_ms = claimed.map(|token| token.info().gen_ms).min();
    let signature = cades::verify(cms, content, seal, at_ms.unwrap_or(now_ms));
    let signature = signature.map_err(VerifyError::Signature)?;
    let mut stamps = Vec::new();
    for (place, token) in signature.time_stamps.iter().enumerate() {
        let verified = stamp(token, &signature.signature, authorities);
        stamps.push(verified.map_err(|refusal| VerifyError::Stamp(place, refusal))?);
    }
    Ok(Verified { signature, stamps })
}

fn stamp(token: &[u8], signature: &[u8], trust: &Trust) -> Result<tsp::Verified, tsp::Refusal> {
    let token = tsp::Token::read(token)?;
    let mut hasher = token.info().hasher();
    hasher.push(signature);
    token.verify(&hasher.finish(), trust, Times::default())
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, bytes).as_ref());
    out
}
