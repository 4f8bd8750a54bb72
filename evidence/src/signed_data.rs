//! CMS SignedData with one signer (RFC 5652), as signatures and time-stamp tokens here are written.
//!
//! # Invariants
//! 1. DER throughout. The attributes are signed with the tag of a SET and stand with `[0]` (section 5.4).
//! 2. One digest, SHA-256, for content and attributes (RFC 8933).
//! 3. The signer's certificate is named by signing-certificate-v2 (RFC 5035), its hash SHA-256.

use crate::asn1::{context, integer, octets, oid, sequence, set_of, value};
use crate::certificates::named;
use crate::oids;
use crate::seal_key::{SealError, SealSigner};
use aws_lc_rs::digest::{SHA256, digest};

/// What is signed.
pub(crate) struct ToSign<'a> {
    /// Its type: the content octets of an object identifier.
    pub content_type: &'a [u8],
    /// SHA-256 of it.
    pub digest: [u8; 32],
    /// It itself, where it is enveloped.
    pub content: Option<&'a [u8]>,
    /// Further signed attributes: see [`attribute`].
    pub attributes: Vec<Vec<u8>>,
    /// The certificates that go with it, DER: the signer's, and others.
    pub certificates: Vec<&'a [u8]>,
}

/// A signature that can still be given unsigned attributes.
pub(crate) struct Signed {
    before: Vec<u8>,
    signer: Vec<u8>,
    /// The octets of the signature.
    pub signature: Vec<u8>,
}

/// An attribute with one value, DER.
pub(crate) fn attribute(kind: &[u8], value: Vec<u8>) -> Vec<u8> {
    sequence(&[&oid(kind), &set_of(vec![value])])
}

/// Signs.
pub(crate) fn sign(what: ToSign<'_>, signer: &dyn SealSigner) -> Result<Signed, SealError> {
    let named = named(signer.certificate())?;
    let signature_algorithm = oids::signature(signer.algorithm());
    let mut attributes = what.attributes;
    attributes.push(attribute(oids::CONTENT_TYPE, oid(what.content_type)));
    attributes.push(attribute(oids::MESSAGE_DIGEST, octets(&what.digest)));
    attributes.push(attribute(
        oids::SIGNING_CERTIFICATE_V2,
        signing_certificate(signer.certificate(), &named.issuer, &named.serial),
    ));
    let set = set_of(attributes);
    let signature = signer.sign(&set)?;
    let mut tagged = set;
    if let Some(tag) = tagged.first_mut() {
        *tag = 0xa0;
    }
    let content = what.content.map(|content| context(0, &octets(content)));
    let encapsulated = sequence(&[
        &oid(what.content_type),
        content.as_deref().unwrap_or_default(),
    ]);
    // RFC 5652 section 5.1: version 3 where the content is not id-data.
    let version = if what.content_type == oids::DATA {
        1
    } else {
        3
    };
    let certificates: Vec<_> = what.certificates.iter().map(|der| der.to_vec()).collect();
    let certificates = match certificates.is_empty() {
        true => Vec::new(),
        false => tag_0(set_of(certificates)),
    };
    let before = [
        integer(&[version]),
        set_of(vec![oids::sha256()]),
        encapsulated,
        certificates,
    ];
    let signer = [
        integer(&[1]),
        sequence(&[&named.issuer, &named.serial]),
        oids::sha256(),
        tagged,
        signature_algorithm,
        octets(&signature),
    ];
    Ok(Signed {
        before: before.concat(),
        signer: signer.concat(),
        signature,
    })
}

impl Signed {
    /// The whole, DER, with these unsigned attributes.
    pub(crate) fn finish(&self, unsigned: Vec<Vec<u8>>) -> Vec<u8> {
        let mut signer = self.signer.clone();
        if !unsigned.is_empty() {
            let mut set = set_of(unsigned);
            if let Some(tag) = set.first_mut() {
                *tag = 0xa1;
            }
            signer.extend(set);
        }
        let signers = set_of(vec![sequence(&[&signer])]);
        let data = sequence(&[&self.before, &signers]);
        sequence(&[&oid(oids::SIGNED_DATA), &context(0, &data)])
    }
}

fn tag_0(mut set: Vec<u8>) -> Vec<u8> {
    if let Some(tag) = set.first_mut() {
        *tag = 0xa0;
    }
    set
}

/// SigningCertificateV2 with one certificate: hash and, so that it is found, issuer and serial number. The
/// algorithm is the default, hence not written.
fn signing_certificate(certificate: &[u8], issuer: &[u8], serial: &[u8]) -> Vec<u8> {
    let hash = octets(digest(&SHA256, certificate).as_ref());
    // GeneralNames with one directoryName, [4] EXPLICIT.
    let names = sequence(&[&value(0xa4, issuer)]);
    let id = sequence(&[&hash, &sequence(&[&names, serial])]);
    sequence(&[&sequence(&[&id])])
}
