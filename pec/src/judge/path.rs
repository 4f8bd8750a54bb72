//! From the certificate of a signer to an anchor, at an instant.
//!
//! The step from the signer to its issuer is the path library's (form, dates, critical extensions, signature); the
//! steps among authorities are ours, because of the name constraints (see `constraints`), which the library
//! cannot check and so takes for violated.
//!
//! # Invariants
//! 1. An issuer is found by name and, where both state one, key identifier; every certificate that fits is tried.
//! 2. Every certificate of a chain, the anchor too, is valid at the instant. That the signer's dates lie within
//!    its issuer's is not asked: authorities were certified again under one key.
//! 3. Bounded: [`CHAIN_MAX`] certificates, [`STEPS_MAX`] steps tried.

use super::certificate::{CERTIFICATE_SIGNING, Certificate, SIGNING};
use super::constraints;
use super::ground::Ground;
use super::trust::{Memo, Trust, with_subject};
use super::verify::{Failure, PublicKey, Scheme, SignatureAlgorithm};
use crate::digests::DigestAlgorithm;
use rustls_pki_types::{
    AlgorithmIdentifier, CertificateDer, InvalidSignature, SignatureVerificationAlgorithm,
    TrustAnchor, UnixTime, alg_id,
};
use std::time::Duration;
use webpki::{EndEntityCert, Error, ExtendedKeyUsageValidator, KeyPurposeIdIter};

/// The most certificates in a chain.
pub const CHAIN_MAX: usize = 6;
/// The most steps from a certificate to an issuer that are tried.
pub const STEPS_MAX: usize = 64;

/// Looks for a chain.
pub(crate) struct Search<'a> {
    trust: &'a Trust,
    /// The certificates that came with the signature.
    own: &'a [Certificate<'a>],
    at_ms: i64,
    for_mail: bool,
    steps_left: usize,
    failures: Vec<Ground>,
}

impl<'a> Search<'a> {
    pub(crate) fn new(trust: &'a Trust, own: &'a [Certificate<'a>], at_ms: i64) -> Self {
        Self {
            trust,
            own,
            at_ms,
            for_mail: true,
            steps_left: STEPS_MAX,
            failures: Vec::new(),
        }
    }

    /// For a signer of anything but mail: whoever asks looks at its purposes.
    pub(crate) fn for_other_purposes(self) -> Self {
        let for_mail = false;
        Self { for_mail, ..self }
    }

    /// The chain of a signer, itself first and the anchor last; or all that stands against it.
    pub(crate) fn chain(
        mut self,
        signer: &Certificate<'a>,
    ) -> Result<Vec<Certificate<'a>>, Vec<Ground>> {
        self.failures.extend(self.against(signer));
        if !self.failures.is_empty() {
            return Err(self.failures);
        }
        let mut chain = vec![signer.clone()];
        if self.trust.names(signer.der) || self.climb(&mut chain) {
            return Ok(chain);
        }
        if self.failures.is_empty() {
            self.failures.push(match self.trust.is_empty() {
                true => Ground::AnchorsMissing,
                false => Ground::IssuerUnknown,
            });
        }
        Err(self.failures)
    }

    /// What stands against a signer whoever issued its certificate.
    fn against(&self, signer: &Certificate<'_>) -> Vec<Ground> {
        let extensions = &signer.extensions;
        let may_sign = extensions
            .key_usage
            .is_none_or(|(bits, _)| bits & SIGNING != 0);
        let grounds = [
            (self.at_ms < signer.from_ms, Ground::CertificateNotYetValid),
            (self.at_ms > signer.until_ms, Ground::CertificateExpired),
            (!may_sign, Ground::KeyUsage),
            (
                self.for_mail && extensions.for_mail == Some(false),
                Ground::ExtendedKeyUsage,
            ),
            (extensions.unknown_critical, Ground::CriticalExtension),
            (extensions.unreadable, Ground::PathRefused),
        ];
        let grounds = grounds.into_iter().filter(|(stands, _)| *stands);
        grounds.map(|(_, ground)| ground).collect()
    }

    /// Lengthens the chain until it ends in an anchor.
    fn climb(&mut self, chain: &mut Vec<Certificate<'a>>) -> bool {
        let Some(top) = chain.last().cloned() else {
            return false;
        };
        let trust = self.trust;
        let subject = top.issuer.whole;
        let anchors = with_subject(&trust.anchors, subject).map(|c| (c, true));
        let handed_in = with_subject(&trust.intermediates, subject);
        let own = self.own.iter().cloned();
        // An anchor may have come with the message too: it was tried as an anchor before.
        let others = handed_in.chain(own).map(|c| (c, false));
        for (issuer, is_anchor) in anchors.chain(others) {
            let known = chain
                .iter()
                .any(|c| c.key_info.whole == issuer.key_info.whole);
            if known || !issuer.may_have_issued(&top) || chain.len() == CHAIN_MAX {
                continue;
            }
            let Some(left) = self.steps_left.checked_sub(1) else {
                self.fail(Ground::PathRefused);
                return false;
            };
            self.steps_left = left;
            if let Err(ground) = self.step(chain, &issuer) {
                self.fail(ground);
                continue;
            }
            chain.push(issuer);
            if is_anchor || self.climb(chain) {
                return true;
            }
            chain.pop();
        }
        false
    }

    fn fail(&mut self, ground: Ground) {
        if !self.failures.contains(&ground) {
            self.failures.push(ground);
        }
    }

    /// Whether this issuer issued the top of the chain, and may have.
    fn step(&self, chain: &[Certificate<'a>], issuer: &Certificate<'a>) -> Result<(), Ground> {
        let extensions = &issuer.extensions;
        let below = u32::try_from(chain.len().saturating_sub(1)).unwrap_or(u32::MAX);
        let is_authority = match extensions.basic_constraints {
            Some((authority, most)) => authority && most.is_none_or(|most| below <= most),
            None => false,
        };
        let may_certify = extensions.key_usage;
        let may_certify = may_certify.is_none_or(|(bits, _)| bits & CERTIFICATE_SIGNING != 0);
        if !is_authority || !may_certify {
            return Err(Ground::IssuerNotAuthority);
        }
        if !issuer.is_valid_at(self.at_ms) {
            return Err(Ground::IssuerOutOfDate);
        }
        if extensions.unknown_critical {
            return Err(Ground::CriticalExtension);
        }
        match chain {
            [signer] => library_step(signer, issuer, self.at_ms, &self.trust.memo)?,
            [.., top] => signed_by(top, issuer, &self.trust.memo)?,
            [] => return Err(Ground::PathRefused),
        }
        let allowed = extensions.name_constraints.is_none_or(|names| {
            let mut below = chain.iter();
            below.all(|certificate| constraints::allows(names, certificate))
        });
        allowed.then_some(()).ok_or(Ground::NameConstraints)
    }
}

/// Whether the key of an issuer signed a certificate.
pub(crate) fn signed_by(
    certificate: &Certificate<'_>,
    issuer: &Certificate<'_>,
    memo: &Memo,
) -> Result<(), Ground> {
    let verified = memo.verify(
        issuer,
        &certificate.signature_algorithm,
        certificate.tbs,
        certificate.signature,
    );
    verified.map_err(|failure| match failure {
        Failure::Unsupported => Ground::IssuerSignatureUnsupported,
        Failure::Invalid => Ground::IssuerSignatureInvalid,
    })
}

/// The step from a signer to its issuer, by the path library. The issuer's name constraints are left out here,
/// and checked by the caller.
fn library_step(
    signer: &Certificate<'_>,
    issuer: &Certificate<'_>,
    at_ms: i64,
    memo: &Memo,
) -> Result<(), Ground> {
    let der = CertificateDer::from(signer.der);
    let certificate = EndEntityCert::try_from(&der).map_err(|error| ground(&error))?;
    let anchors = [TrustAnchor {
        subject: issuer.subject.content.into(),
        subject_public_key_info: issuer.key_info.content.into(),
        name_constraints: None,
    }];
    let seconds = u64::try_from(at_ms.div_euclid(1000)).map_err(|_| Ground::PathRefused)?;
    let at = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let algorithms = ALGORITHMS
        .each_ref()
        .map(|algorithm| Remembering { algorithm, memo });
    let algorithms = algorithms
        .each_ref()
        .map(|a| a as &dyn SignatureVerificationAlgorithm);
    certificate
        .verify_for_usage(&algorithms, &anchors, &[], at, AnyPurpose, None, None)
        .map(|_| ())
        .map_err(|error| ground(&error))
}

fn ground(error: &Error) -> Ground {
    match error {
        Error::CertExpired { .. } => Ground::CertificateExpired,
        Error::CertNotValidYet { .. } => Ground::CertificateNotYetValid,
        Error::UnknownIssuer => Ground::IssuerUnknown,
        Error::InvalidSignatureForPublicKey => Ground::IssuerSignatureInvalid,
        Error::UnsupportedSignatureAlgorithmContext(_)
        | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_)
        | Error::SignatureAlgorithmMismatch => Ground::IssuerSignatureUnsupported,
        Error::UnsupportedCriticalExtension => Ground::CriticalExtension,
        Error::NameConstraintViolation => Ground::NameConstraints,
        _ => Ground::PathRefused,
    }
}

/// Purposes are looked at by [`Search::against`], which knows the one that stands for all.
struct AnyPurpose;

impl ExtendedKeyUsageValidator for AnyPurpose {
    fn validate(&self, purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), Error> {
        purposes
            .into_iter()
            .try_for_each(|purpose| purpose.map(|_| ()))
    }
}

/// An algorithm of certificates: ours, the weak ones among them, as the path library asks for it.
#[derive(Debug)]
struct Algorithm {
    key: AlgorithmIdentifier,
    signature: AlgorithmIdentifier,
    algorithm: SignatureAlgorithm,
    curve: Curve,
}

#[derive(Clone, Copy, Debug)]
enum Curve {
    None,
    P256,
    P384,
}

/// sha1WithRSAEncryption, with NULL.
const RSA_SHA1: AlgorithmIdentifier = AlgorithmIdentifier::from_slice(&[
    0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x05, 0x05, 0x00,
]);

const fn rsa(signature: AlgorithmIdentifier, scheme: Scheme, digest: DigestAlgorithm) -> Algorithm {
    Algorithm {
        key: alg_id::RSA_ENCRYPTION,
        signature,
        algorithm: SignatureAlgorithm { scheme, digest },
        curve: Curve::None,
    }
}

const fn ecdsa(curve: Curve, signature: AlgorithmIdentifier, digest: DigestAlgorithm) -> Algorithm {
    Algorithm {
        key: match curve {
            Curve::P384 => alg_id::ECDSA_P384,
            _ => alg_id::ECDSA_P256,
        },
        signature,
        algorithm: SignatureAlgorithm {
            scheme: Scheme::Ecdsa,
            digest,
        },
        curve,
    }
}

static ALGORITHMS: [Algorithm; 13] = {
    use DigestAlgorithm::{Sha1, Sha256, Sha384, Sha512};
    use Scheme::{RsaPkcs1, RsaPss};
    [
        rsa(alg_id::RSA_PKCS1_SHA256, RsaPkcs1, Sha256),
        ecdsa(Curve::P256, alg_id::ECDSA_SHA256, Sha256),
        rsa(RSA_SHA1, RsaPkcs1, Sha1),
        rsa(alg_id::RSA_PKCS1_SHA384, RsaPkcs1, Sha384),
        rsa(alg_id::RSA_PKCS1_SHA512, RsaPkcs1, Sha512),
        rsa(alg_id::RSA_PSS_SHA256, RsaPss, Sha256),
        rsa(alg_id::RSA_PSS_SHA384, RsaPss, Sha384),
        rsa(alg_id::RSA_PSS_SHA512, RsaPss, Sha512),
        ecdsa(Curve::P256, alg_id::ECDSA_SHA384, Sha384),
        ecdsa(Curve::P256, alg_id::ECDSA_SHA512, Sha512),
        ecdsa(Curve::P384, alg_id::ECDSA_SHA256, Sha256),
        ecdsa(Curve::P384, alg_id::ECDSA_SHA384, Sha384),
        ecdsa(Curve::P384, alg_id::ECDSA_SHA512, Sha512),
    ]
};

/// An algorithm, with what verified before.
#[derive(Debug)]
struct Remembering<'m> {
    algorithm: &'static Algorithm,
    memo: &'m Memo,
}

impl SignatureVerificationAlgorithm for Remembering<'_> {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let Algorithm {
            algorithm, curve, ..
        } = self.algorithm;
        let key = match curve {
            Curve::None => PublicKey::rsa(public_key).ok_or(InvalidSignature)?,
            Curve::P256 => PublicKey::p256(public_key),
            Curve::P384 => PublicKey::p384(public_key),
        };
        let [scheme, digest] = algorithm.id();
        let id = [b'p', scheme, digest, *curve as u8];
        let parts = [&id[..], public_key, message, signature];
        self.memo.remember(&parts, || {
            let digest = algorithm.digest.of(message);
            key.verify(*algorithm, digest.as_ref(), signature)
                .map_err(|_| InvalidSignature)
        })
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.algorithm.key
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.algorithm.signature
    }
}
