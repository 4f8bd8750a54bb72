//! Detached CMS signatures (RFC 5652) as engines of PEC make them.
//!
//! The encoder is by hand: half of the engines write indefinite lengths, which no library of ours writes, and a
//! reader must be tried on exactly those.
//!
//! ```text
//! ContentInfo { signedData, [0] SignedData {
//!     version 1, { digest algorithm }, { data }, [0] { signer's certificate, intermediate },
//!     { SignerInfo { version 1, issuer and serial, digest algorithm,
//!                    [0] { contentType, signingTime, messageDigest, ... }, signature algorithm, signature } } } }
//! ```

use crate::civil::Civil;
use crate::pki::{DigestKind, Keys, Signer};
use const_oid::ObjectIdentifier;

/// How a signature is encoded. The signed attributes are DER in all of them, as they must be.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Encoding {
    /// DER throughout.
    Der,
    /// Indefinite lengths in the outer layers.
    Indefinite,
    /// Indefinite lengths, and the signature value a constructed octet string of two pieces.
    IndefiniteConstructed,
}

/// The signed attributes beside contentType, signingTime and messageDigest.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Extra {
    /// None.
    Nothing,
    /// The S/MIME capabilities (RFC 8551, 2.5.2).
    Capabilities,
    /// cmsAlgorithmProtection (RFC 6211).
    AlgorithmProtection,
    /// The S/MIME capabilities and the encryption key preference (RFC 8551, 2.5.3).
    CapabilitiesAndPreference,
}

/// The form of a signature.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Form {
    /// The digest wished for; a P-256 key takes SHA-256 whatever is wished.
    pub digest: DigestKind,
    /// The encoding.
    pub encoding: Encoding,
    /// The signed attributes.
    pub extra: Extra,
}

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
const SIGNING_TIME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.5");
const CAPABILITIES: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.15");
const PREFERENCE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.11");
const PROTECTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.52");
const SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");
const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const ECDSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const AES256_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.42");
const AES128_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.2");
const DES_EDE3_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.3.7");

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const CONSTRUCTED: u8 = 0x20;
const CONTEXT_0: u8 = 0xa0;
const CONTEXT_1: u8 = 0xa1;
const VERSION_1: [u8; 3] = [0x02, 0x01, 0x01];
const NULL: [u8; 2] = [0x05, 0x00];

/// Signs the octets at an instant (milliseconds since 1970): the bytes of an `smime.p7s`.
///
/// The octets are signed as they are; who signs mail gives lines that end in CRLF.
pub fn sign(signer: &Signer, form: Form, octets: &[u8], signing_ms: i64) -> Vec<u8> {
    let digest = signer.digest(form.digest);
    let digest_algorithm = match (digest, form.encoding) {
        (DigestKind::Sha1, _) => sequence(&[&oid(SHA1), &NULL]),
        (DigestKind::Sha256, Encoding::Der) => sequence(&[&oid(SHA256)]),
        (DigestKind::Sha256, _) => sequence(&[&oid(SHA256), &NULL]),
    };
    let signature_algorithm = match (signer.keys(), digest, form.encoding) {
        (Keys::P256, ..) => sequence(&[&oid(ECDSA_SHA256)]),
        (Keys::Rsa2048, DigestKind::Sha256, Encoding::Indefinite) => {
            sequence(&[&oid(RSA_SHA256), &NULL])
        }
        (Keys::Rsa2048, ..) => sequence(&[&oid(RSA), &NULL]),
    };
    let mut attributes = vec![
        attribute(CONTENT_TYPE, &oid(DATA)),
        attribute(SIGNING_TIME, &time(signing_ms)),
        attribute(
            MESSAGE_DIGEST,
            &tlv(OCTET_STRING, &[digest.of(octets).as_ref()]),
        ),
    ];
    if matches!(
        form.extra,
        Extra::Capabilities | Extra::CapabilitiesAndPreference
    ) {
        let ciphers = [AES256_CBC, AES128_CBC, DES_EDE3_CBC].map(|c| sequence(&[&oid(c)]));
        let ciphers: Vec<&[u8]> = ciphers.iter().map(Vec::as_slice).collect();
        attributes.push(attribute(CAPABILITIES, &sequence(&ciphers)));
    }
    if form.extra == Extra::CapabilitiesAndPreference {
        let preference = tlv(CONTEXT_0, &[&signer.issuer_and_serial]);
        attributes.push(attribute(PREFERENCE, &preference));
    }
    if form.extra == Extra::AlgorithmProtection {
        // SignatureAlgorithm is [1] IMPLICIT: the tag of its SEQUENCE gives way.
        let mut implicit = signature_algorithm.clone();
        if let Some(tag) = implicit.first_mut() {
            *tag = CONTEXT_1;
        }
        let protection = sequence(&[&digest_algorithm, &implicit]);
        attributes.push(attribute(PROTECTION, &protection));
    }
    // DER orders a SET OF by its encodings.
    attributes.sort();
    let attributes = attributes.concat();
    let signature = signer.sign(digest, &tlv(SET, &[&attributes]));

    let signer_info = sequence(&[
        &VERSION_1,
        &sequence(&[&signer.issuer_and_serial]),
        &digest_algorithm,
        &tlv(CONTEXT_0, &[&attributes]),
        &signature_algorithm,
        &signature_value(form.encoding, &signature),
    ]);
    let outer = match form.encoding {
        Encoding::Der => tlv,
        Encoding::Indefinite | Encoding::IndefiniteConstructed => indefinite,
    };
    let signed_data = outer(
        SEQUENCE,
        &[
            &VERSION_1,
            &tlv(SET, &[&digest_algorithm]),
            &outer(SEQUENCE, &[&oid(DATA)]),
            &outer(
                CONTEXT_0,
                &[signer.certificate_der(), signer.intermediate_der()],
            ),
            &tlv(SET, &[&signer_info]),
        ],
    );
    outer(
        SEQUENCE,
        &[&oid(SIGNED_DATA), &outer(CONTEXT_0, &[&signed_data])],
    )
}

fn signature_value(encoding: Encoding, signature: &[u8]) -> Vec<u8> {
    if encoding != Encoding::IndefiniteConstructed {
        return tlv(OCTET_STRING, &[signature]);
    }
    let (first, second) = signature.split_at(signature.len() / 2);
    indefinite(
        OCTET_STRING | CONSTRUCTED,
        &[&tlv(OCTET_STRING, &[first]), &tlv(OCTET_STRING, &[second])],
    )
}

fn attribute(kind: ObjectIdentifier, value: &[u8]) -> Vec<u8> {
    sequence(&[&oid(kind), &tlv(SET, &[value])])
}

/// UTCTime through 2049, GeneralizedTime after (RFC 5652, 11.3).
fn time(ms: i64) -> Vec<u8> {
    let civil = Civil::utc(ms);
    let text = format!("{}Z", civil.compact());
    if civil.year < 2050 {
        let short: Vec<u8> = text.bytes().skip(2).collect();
        return tlv(UTC_TIME, &[&short]);
    }
    tlv(GENERALIZED_TIME, &[text.as_bytes()])
}

fn oid(identifier: ObjectIdentifier) -> Vec<u8> {
    tlv(OBJECT_IDENTIFIER, &[identifier.as_bytes()])
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(SEQUENCE, parts)
}

/// A value of definite length.
fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = Vec::with_capacity(length + 6);
    out.push(tag);
    if length < 0x80 {
        out.push(length as u8);
    } else {
        let octets = length.to_be_bytes();
        let octets: Vec<u8> = octets.into_iter().skip_while(|o| *o == 0).collect();
        out.push(0x80 | octets.len() as u8);
        out.extend(octets);
    }
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}

/// A constructed value of indefinite length.
fn indefinite(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut out = vec![tag, 0x80];
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out.extend_from_slice(&[0x00, 0x00]);
    out
}
