//! CMS SignedData (RFC 5652), BER or DER, and the verification of its signers.
//!
//! # Invariants
//! 1. Everything is bounded: the whole by [`CMS_BYTES_MAX`], certificates, signers and attributes by number.
//! 2. The signature is verified over the attributes as they came, with the tag of a SET (RFC 5652 section 5.4);
//!    if that fails, over their DER encoding, which is what a signer hashed who wrote them in another order.
//! 3. One signer is expected. Where there are more, all must verify, and the first is the one reported.
//! 4. Contents, certificates and signers are read apart: a content can be had where no signer can.

use super::ber::{self, Value, Values};
use super::certificate::Certificate;
use super::constraints::is_same_name;
use super::ground::Ground;
use super::time::instant;
use super::trust::Memo;
use super::verify::{AlgorithmId, Failure, SignatureAlgorithm};
use crate::digests::{DigestAlgorithm, Digests, SignedDigests};
use der::{Decode as _, Encode as _};
use std::borrow::Cow;
use x509_cert::attr::Attributes;

/// The longest CMS that is read: a signed directory of providers has some megabytes.
pub const CMS_BYTES_MAX: usize = 64 << 20;
/// The most certificates in one.
pub const CERTIFICATES_MAX: usize = 64;
/// The most signers in one.
pub const SIGNERS_MAX: usize = 16;
/// The most certificates that are tried for one signer, each of another key: beyond the first they are somebody's
/// mistake, or made to have each signature verified with each key.
const TRIED_MAX: usize = 4;
/// The most signed attributes of a signer.
pub const ATTRIBUTES_MAX: usize = 64;
/// The most CRLs in one.
const CRLS_MAX: usize = 16;

const OID_SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
/// 1.2.840.113549.1.9: attributes of PKCS #9.
const OID_ATTRIBUTE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09];
const CONTENT_TYPE: u8 = 3;
const MESSAGE_DIGEST: u8 = 4;
const SIGNING_TIME: u8 = 5;
const ALGORITHM_PROTECTION: u8 = 52;

/// Which form of the octets a signature is over.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Form {
    /// The octets as they are.
    AsStored,
    /// The octets with every bare LF made CR LF.
    Canonical,
}

/// The content that a detached signature is over.
#[derive(Clone, Copy)]
pub(crate) struct Content<'a>(pub &'a SignedDigests);

impl<'a> Content<'a> {
    fn forms(self) -> impl Iterator<Item = (Form, &'a Digests)> {
        let stored = (Form::AsStored, &self.0.as_stored);
        let canonical = self.0.canonical.as_ref().map(|d| (Form::Canonical, d));
        std::iter::once(stored).chain(canonical)
    }
}

/// A SignedData.
pub(crate) struct SignedData<'a> {
    pub content_type: &'a [u8],
    /// The content, where it is not detached.
    pub content: Option<Cow<'a, [u8]>>,
    pub certificates: Vec<&'a [u8]>,
    /// The octets that `certificates` stand in, and nothing but other choices beside them; empty where there are none.
    pub certificate_set: &'a [u8],
    pub crls: Vec<&'a [u8]>,
    /// The signers, or why they were not read.
    pub signers: Result<Vec<SignerInfo<'a>>, Ground>,
}

pub(crate) struct SignerInfo<'a> {
    id: SignerId<'a>,
    digest: AlgorithmId<'a>,
    /// The signed attributes, as they came.
    pub attributes: Option<Value<'a>>,
    algorithm: AlgorithmId<'a>,
    signature: Cow<'a, [u8]>,
    /// The unsigned attributes, as they came.
    pub unsigned: Option<Value<'a>>,
}

enum SignerId<'a> {
    IssuerAndSerial(Value<'a>, &'a [u8]),
    KeyId(Cow<'a, [u8]>),
}

/// What a signer says, as far as it was read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Claim<'a> {
    pub form: Option<Form>,
    pub digest: Option<DigestAlgorithm>,
    pub signature: Option<SignatureAlgorithm>,
    pub signing_ms: Option<i64>,
    pub certificate: Option<Certificate<'a>>,
    pub notes: Vec<Ground>,
}

impl<'a> SignedData<'a> {
    /// Reads a CMS. What follows it is not looked at: nobody signed it.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, Ground> {
        if bytes.len() > CMS_BYTES_MAX {
            return Err(Ground::CmsTooComplex);
        }
        Self::parse(bytes).ok_or(Ground::CmsMalformed)?
    }

    fn parse(bytes: &'a [u8]) -> Option<Result<Self, Ground>> {
        let info = Value::first_of(bytes).filter(|info| info.tag == ber::SEQUENCE)?;
        let mut inside = info.inside();
        let kind = inside.expect(ber::OID)?.content;
        let wrapped = inside.expect(ber::CONTEXT_0)?;
        let mut inside = wrapped.inside().expect(ber::SEQUENCE)?.inside();
        if kind != OID_SIGNED_DATA {
            return None;
        }
        inside.expect(ber::INTEGER)?;
        inside.expect(ber::SET)?;
        let mut encapsulated = inside.expect(ber::SEQUENCE)?.inside();
        let content_type = encapsulated.expect(ber::OID)?.content;
        let content = match encapsulated.optional(ber::CONTEXT_0) {
            None => None,
            Some(wrapped) => Some(wrapped.inside().next()?.octets(ber::OCTET_STRING)?),
        };
        let certificates = inside.optional(ber::CONTEXT_0);
        let certificate_set = certificates.map_or(&[][..], |set| set.content);
        let crls = inside.optional(ber::CONTEXT_1);
        let sequences = |set: Option<Value<'a>>, max| match set {
            None => Ok(Vec::new()),
            Some(set) => sequences(set.inside(), max),
        };
        let (certificates, crls) = match (
            sequences(certificates, CERTIFICATES_MAX),
            sequences(crls, CRLS_MAX),
        ) {
            (Ok(certificates), Ok(crls)) => (certificates, crls),
            (Err(ground), _) | (_, Err(ground)) => return Some(Err(ground)),
        };
        let signers = inside.expect(ber::SET);
        let signers = signers
            .ok_or(Ground::CmsMalformed)
            .and_then(|set| signer_infos(set));
        Some(Ok(Self {
            content_type,
            content,
            certificates,
            certificate_set,
            crls,
            signers,
        }))
    }

    /// Verifies every signer over a content. The claim is the first one's, as far as it was read.
    pub(crate) fn verify(
        &self,
        content: Content<'_>,
        certificates: &[Certificate<'a>],
        memo: &Memo,
    ) -> (Claim<'a>, Result<(), Ground>) {
        let signers = match &self.signers {
            Ok(signers) => signers,
            Err(ground) => return (Claim::default(), Err(*ground)),
        };
        let mut verified = signers.iter().map(|signer| {
            let mut claim = Claim::default();
            let result = self.verify_signer(signer, content, certificates, memo, &mut claim);
            (claim, result)
        });
        let Some((mut claim, mut result)) = verified.next() else {
            return (Claim::default(), Err(Ground::SignerMissing));
        };
        for (_, other) in verified {
            claim.notes.push(Ground::ExtraSigner);
            result = result.and(other);
        }
        (claim, result)
    }

    fn verify_signer(
        &self,
        signer: &SignerInfo<'a>,
        content: Content<'_>,
        certificates: &[Certificate<'a>],
        memo: &Memo,
        claim: &mut Claim<'a>,
    ) -> Result<(), Ground> {
        let mut own: Vec<&Certificate<'a>> = Vec::new();
        for certificate in certificates.iter().filter(|c| signer.id.is_of(c)) {
            let key = certificate.key_info.whole;
            if own.len() < TRIED_MAX && own.iter().all(|tried| tried.key_info.whole != key) {
                own.push(certificate);
            }
        }
        claim.certificate = own.first().map(|certificate| (*certificate).clone());
        let attributes = signer.attributes.map(SignedAttributes::read).transpose()?;
        claim.signing_ms = attributes.as_ref().and_then(|a| a.signing_ms);

        let digest = signer.digest.digest().ok_or(Ground::DigestUnsupported)?;
        claim.digest = Some(digest);
        let algorithm = signer.algorithm.signature(Some(digest));
        let algorithm = algorithm.ok_or(Ground::SignatureUnsupported)?;
        claim.signature = Some(algorithm);

        let forms: Vec<_> = content
            .forms()
            .filter_map(|(form, digests)| Some((form, digests.get(digest)?)))
            .collect();
        if forms.is_empty() {
            return Err(Ground::DigestNotMade);
        }
        let Some(attributes) = attributes else {
            claim.notes.push(Ground::NoSignedAttributes);
            if algorithm.digest != digest {
                return Err(Ground::SignatureUnsupported);
            }
            let candidates = forms
                .iter()
                .map(|(form, made)| (Some(*form), made.to_vec()));
            return matching(candidates, algorithm, signer, &own, memo, claim);
        };
        attributes.check(signer, self.content_type)?;
        let found = forms.iter().find(|(_, made)| attributes.digest == *made);
        let form = Some(found.ok_or(Ground::DigestDiffers)?.0);
        // One encoding of the attributes, and only if it fails the other.
        let encodings = [SignedAttributes::as_is, SignedAttributes::sorted].into_iter();
        let candidates = encodings
            .filter_map(|encoding| encoding(&attributes))
            .map(|octets| {
                let digest = algorithm.digest.of(&octets);
                (form, digest.as_ref().to_vec())
            });
        matching(candidates, algorithm, signer, &own, memo, claim)
    }
}

/// Looks for a digest that was signed, with the key of one of the signer's certificates.
fn matching<'a>(
    digests: impl Iterator<Item = (Option<Form>, Vec<u8>)>,
    algorithm: SignatureAlgorithm,
    signer: &SignerInfo<'a>,
    own: &[&Certificate<'a>],
    memo: &Memo,
    claim: &mut Claim<'a>,
) -> Result<(), Ground> {
    let mut failure = Ground::CertificateMissing;
    for (form, digest) in digests {
        for certificate in own {
            let verified =
                memo.verify_digest(&certificate.key, algorithm, &digest, &signer.signature);
            match verified {
                Ok(()) => {
                    claim.certificate = Some((*certificate).clone());
                    claim.form = form;
                    return Ok(());
                }
                Err(Failure::Unsupported) => failure = Ground::SignatureUnsupported,
                Err(Failure::Invalid) => failure = Ground::SignatureInvalid,
            }
        }
    }
    Err(failure)
}

/// The certificates in a CMS, as they came: to be archived, and their revocation data with them. None if it is
/// not readable.
pub fn certificates(cms: &[u8]) -> Vec<Vec<u8>> {
    let data = SignedData::read(cms);
    let certificates = data.map(|data| data.certificates).unwrap_or_default();
    certificates.into_iter().map(<[u8]>::to_vec).collect()
}

/// The sequences of a set: certificates or CRLs. Other choices, which nothing here reads, are passed over.
fn sequences<'a>(set: Values<'a>, count_max: usize) -> Result<Vec<&'a [u8]>, Ground> {
    let (mut set, mut count, mut all) = (set, 0, Vec::new());
    while !set.is_empty() {
        let value = set.next().ok_or(Ground::CmsMalformed)?;
        count += 1;
        if count > count_max {
            return Err(Ground::CmsTooComplex);
        }
        if value.tag == ber::SEQUENCE {
            all.push(value.whole);
        }
    }
    Ok(all)
}

fn signer_infos(set: Value<'_>) -> Result<Vec<SignerInfo<'_>>, Ground> {
    let (mut set, mut all) = (set.inside(), Vec::new());
    while !set.is_empty() {
        if all.len() == SIGNERS_MAX {
            return Err(Ground::CmsTooComplex);
        }
        let signer = set.expect(ber::SEQUENCE).and_then(SignerInfo::read);
        all.push(signer.ok_or(Ground::CmsMalformed)?);
    }
    Ok(all)
}

impl<'a> SignerInfo<'a> {
    fn read(value: Value<'a>) -> Option<Self> {
        let mut inside = value.inside();
        inside.expect(ber::INTEGER)?;
        let id = inside.next()?;
        let id = match id.tag {
            ber::SEQUENCE => {
                let mut id = id.inside();
                let issuer = id.expect(ber::SEQUENCE)?;
                SignerId::IssuerAndSerial(issuer, id.expect(ber::INTEGER)?.content)
            }
            _ => SignerId::KeyId(id.octets(0x80)?),
        };
        Some(Self {
            id,
            digest: AlgorithmId::of(inside.expect(ber::SEQUENCE)?)?,
            attributes: inside.optional(ber::CONTEXT_0),
            algorithm: AlgorithmId::of(inside.expect(ber::SEQUENCE)?)?,
            signature: inside.next()?.octets(ber::OCTET_STRING)?,
            unsigned: inside.optional(ber::CONTEXT_1),
        })
    }

    /// The octets of the signature.
    pub(crate) fn signature(&self) -> &[u8] {
        &self.signature
    }
}

impl SignerId<'_> {
    fn is_of(&self, certificate: &Certificate<'_>) -> bool {
        match self {
            Self::IssuerAndSerial(issuer, serial) => {
                certificate.serial == *serial && is_same_name(certificate.issuer, *issuer)
            }
            Self::KeyId(id) => certificate.extensions.subject_key_id == Some(id.as_ref()),
        }
    }
}

/// The signed attributes that count; the others are signed all the same, and say nothing here.
struct SignedAttributes<'a> {
    all: Value<'a>,
    content_type: &'a [u8],
    digest: Cow<'a, [u8]>,
    signing_ms: Option<i64>,
    protection: Option<Value<'a>>,
}

impl<'a> SignedAttributes<'a> {
    fn read(all: Value<'a>) -> Result<Self, Ground> {
        let (mut inside, mut count, mut found) = (all.inside(), 0, [None; 4]);
        while !inside.is_empty() {
            count += 1;
            if count > ATTRIBUTES_MAX {
                return Err(Ground::CmsTooComplex);
            }
            let attribute = inside
                .expect(ber::SEQUENCE)
                .ok_or(Ground::AttributesMalformed)?;
            Self::keep(attribute, &mut found).ok_or(Ground::AttributesMalformed)?;
        }
        Self::of(all, found).ok_or(Ground::AttributesMalformed)
    }

    /// Of each attribute that counts there is one, with one value (RFC 5652 section 11).
    fn keep(attribute: Value<'a>, found: &mut [Option<Value<'a>>; 4]) -> Option<()> {
        let mut inside = attribute.inside();
        let oid = inside.expect(ber::OID)?.content;
        let mut values = inside.expect(ber::SET)?.inside();
        let [content_type, digest, time, protection] = found;
        let slot = match oid.strip_prefix(OID_ATTRIBUTE) {
            Some([CONTENT_TYPE]) => content_type,
            Some([MESSAGE_DIGEST]) => digest,
            Some([SIGNING_TIME]) => time,
            Some([ALGORITHM_PROTECTION]) => protection,
            _ => return Some(()),
        };
        let value = values.next()?;
        (slot.replace(value).is_none() && values.is_empty()).then_some(())
    }

    fn of(all: Value<'a>, found: [Option<Value<'a>>; 4]) -> Option<Self> {
        let [content_type, digest, time, protection] = found;
        Some(Self {
            all,
            content_type: content_type.filter(|value| value.tag == ber::OID)?.content,
            digest: digest?.octets(ber::OCTET_STRING)?,
            signing_ms: match time {
                None => None,
                Some(time) => Some(instant(time)?),
            },
            protection,
        })
    }

    fn check(&self, signer: &SignerInfo<'_>, content_type: &[u8]) -> Result<(), Ground> {
        if self.content_type != content_type {
            return Err(Ground::ContentTypeDiffers);
        }
        let Some(protection) = self.protection else {
            return Ok(());
        };
        // RFC 6211 section 2: the digest algorithm, and [1] the signature algorithm.
        let mut inside = protection.inside();
        let digest = inside.expect(ber::SEQUENCE).and_then(AlgorithmId::of);
        let signature = inside.optional(ber::CONTEXT_1).and_then(AlgorithmId::of);
        let same = digest.is_some_and(|digest| digest.is(&signer.digest))
            && signature.is_some_and(|signature| signature.is(&signer.algorithm));
        same.then_some(()).ok_or(Ground::AlgorithmProtectionDiffers)
    }

    /// The attributes as they came, if their length is stated, as DER has it.
    fn as_is(&self) -> Option<Vec<u8>> {
        self.all.definite.then(|| self.as_set())
    }

    /// Their DER encoding, where that is another.
    fn sorted(&self) -> Option<Vec<u8>> {
        let set = self.as_set();
        // The library sorts what it reads as DER, not what it reads as BER: hence twice.
        let definite = Attributes::from_ber(&set).and_then(|attributes| attributes.to_der());
        let sorted = definite
            .and_then(|definite| Attributes::from_der(&definite))
            .and_then(|attributes| attributes.to_der());
        sorted.ok().filter(|sorted| *sorted != set)
    }

    fn as_set(&self) -> Vec<u8> {
        let mut set = self.all.whole.to_vec();
        if let Some(tag) = set.first_mut() {
            *tag = ber::SET;
        }
        set
    }
}
