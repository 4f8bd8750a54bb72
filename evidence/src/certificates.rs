//! Certificates: those of a development installation are made here, and of any the parts that signatures name are
//! read.
//!
//! Who looks at such a certificate shall see what it is: its subject begins with [`MARK`], in the common name and
//! in the organization.

use crate::asn1::{TRUE, bits, context, integer, octets, oid, sequence, set_of, text, time, value};
use crate::oids;
use crate::private_key::PrivateKey;
use crate::seal_key::SealError;
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use ceralacca_formats::id::UtcMillis;
use der::{Decode as _, Encode as _};
use x509_cert::Certificate;

/// What every subject of a development certificate begins with: development, not qualified.
pub const MARK: &str = "SVILUPPO - NON QUALIFICATO";

/// 2.5.4: .3 commonName, .6 countryName, .10 organizationName.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const COUNTRY: &[u8] = &[0x55, 0x04, 0x06];
const ORGANIZATION: &[u8] = &[0x55, 0x04, 0x0a];
/// 2.5.29: .14 subjectKeyIdentifier, .15 keyUsage, .19 basicConstraints, .35 authorityKeyIdentifier, .37 extKeyUsage.
const SUBJECT_KEY_ID: &[u8] = &[0x55, 0x1d, 0x0e];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
const AUTHORITY_KEY_ID: &[u8] = &[0x55, 0x1d, 0x23];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
/// 1.3.6.1.5.5.7.3.8, id-kp-timeStamping.
const TIME_STAMPING: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08];

/// What a development certificate is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Purpose {
    /// The root of the others; signs itself.
    Root,
    /// The time-stamping authority: extendedKeyUsage critical and alone (RFC 3161 section 2.3).
    TimeStamping,
    /// The seal: digitalSignature and contentCommitment.
    Seal,
}

impl Purpose {
    const fn name(self) -> &'static str {
        match self {
            Self::Root => "radice di Ceralacca",
            Self::TimeStamping => "marca temporale di Ceralacca",
            Self::Seal => "sigillo di Ceralacca",
        }
    }
}

/// A development certificate to be made.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// What for.
    pub purpose: Purpose,
    /// SubjectPublicKeyInfo of its bearer, DER.
    pub public_key: &'a [u8],
    /// Random octets: the serial number, made positive (RFC 5280 section 4.1.2.2).
    pub serial: [u8; 16],
    /// From when it is valid.
    pub from: UtcMillis,
    /// Until when.
    pub until: UtcMillis,
}

/// Makes a development certificate, DER. The issuer's key signs: for a root its own.
pub fn make(wanted: &Wanted<'_>, issuer: &PrivateKey) -> Result<Vec<u8>, SealError> {
    let unencodable = || SealError::Encode("a date beyond the year 9999".into());
    let issuer_key = issuer.public_key();
    let algorithm = oids::signature(issuer.algorithm());
    let validity = [time(wanted.from), time(wanted.until)];
    let [Some(from), Some(until)] = validity else {
        return Err(unencodable());
    };
    let mut serial = wanted.serial;
    if let Some(first) = serial.first_mut() {
        *first = (*first & 0x7f) | 0x40;
    }
    let tbs = sequence(&[
        &context(0, &integer(&[2])),
        &integer(&serial),
        &algorithm,
        &name(Purpose::Root),
        &sequence(&[&from, &until]),
        &name(wanted.purpose),
        wanted.public_key,
        &context(3, &extensions(wanted, &issuer_key)),
    ]);
    let signature = issuer.sign(&tbs)?;
    Ok(sequence(&[&tbs, &algorithm, &bits(&signature)]))
}

fn name(purpose: Purpose) -> Vec<u8> {
    let attribute = |kind: &[u8], value: &[u8]| set_of(vec![sequence(&[&oid(kind), value])]);
    let common = format!("{MARK} - {}", purpose.name());
    sequence(&[
        // RFC 5280 appendix A: the country is a PrintableString.
        &attribute(COUNTRY, &value(0x13, b"IT")),
        &attribute(ORGANIZATION, &text(MARK)),
        &attribute(COMMON_NAME, &text(&common)),
    ])
}

fn extensions(wanted: &Wanted<'_>, issuer_key: &[u8]) -> Vec<u8> {
    let extension = |kind: &[u8], critical: bool, content: &[u8]| {
        let critical = if critical { TRUE } else { &[] };
        sequence(&[&oid(kind), critical, &octets(content)])
    };
    let own_id = octets(&key_id(wanted.public_key));
    let issuer_id = sequence(&[&value(0x80, &key_id(issuer_key))]);
    let mut all = match wanted.purpose {
        Purpose::Root => {
            // keyCertSign and cRLSign.
            let usage = value(0x03, &[1, 0b0000_0110]);
            extension(BASIC_CONSTRAINTS, true, &sequence(&[TRUE]))
                .into_iter()
                .chain(extension(KEY_USAGE, true, &usage))
                .collect::<Vec<_>>()
        }
        Purpose::TimeStamping => [
            extension(BASIC_CONSTRAINTS, true, &sequence(&[])),
            extension(KEY_USAGE, true, &value(0x03, &[7, 0b1000_0000])),
            extension(EXTENDED_KEY_USAGE, true, &sequence(&[&oid(TIME_STAMPING)])),
        ]
        .concat(),
        Purpose::Seal => [
            extension(BASIC_CONSTRAINTS, true, &sequence(&[])),
            extension(KEY_USAGE, true, &value(0x03, &[6, 0b1100_0000])),
        ]
        .concat(),
    };
    all.extend(extension(SUBJECT_KEY_ID, false, &own_id));
    all.extend(extension(AUTHORITY_KEY_ID, false, &issuer_id));
    sequence(&[&all])
}

/// RFC 5280 section 4.2.1.2, method 1: SHA-1 of the subject public key. An identifier, not a protection.
fn key_id(public_key: &[u8]) -> Vec<u8> {
    let info = spki::SubjectPublicKeyInfoRef::from_der(public_key);
    let key = info
        .ok()
        .and_then(|info| info.subject_public_key.as_bytes());
    let key = key.unwrap_or(public_key);
    digest(&SHA1_FOR_LEGACY_USE_ONLY, key).as_ref().to_vec()
}

/// What signatures say of a certificate, as its octets have it.
pub(crate) struct Named {
    /// Name of the issuer, DER.
    pub issuer: Vec<u8>,
    /// Name of the subject, DER.
    pub subject: Vec<u8>,
    /// The serial number, an INTEGER, DER.
    pub serial: Vec<u8>,
}

/// Reads issuer, subject and serial number.
pub(crate) fn named(certificate: &[u8]) -> Result<Named, SealError> {
    let read = read(certificate)?;
    let tbs = read.tbs_certificate();
    let encoded = |result: der::Result<Vec<u8>>| {
        result.map_err(|_| SealError::Encode("a name in the certificate".into()))
    };
    Ok(Named {
        issuer: encoded(tbs.issuer().to_der())?,
        subject: encoded(tbs.subject().to_der())?,
        serial: encoded(tbs.serial_number().to_der())?,
    })
}

/// Whether a certificate is of this key (SubjectPublicKeyInfo, DER).
pub fn check_key(certificate: &[u8], public_key: &[u8]) -> Result<(), SealError> {
    let read = read(certificate)?;
    let info = read.tbs_certificate().subject_public_key_info();
    let own = info.subject_public_key.as_bytes();
    let given = spki::SubjectPublicKeyInfoRef::from_der(public_key).ok();
    let given = given
        .as_ref()
        .and_then(|info| info.subject_public_key.as_bytes());
    match own.is_some() && own == given {
        true => Ok(()),
        false => Err(SealError::Key("the certificate is of another key".into())),
    }
}

/// The public key of a certificate: a point, or an RSAPublicKey, DER.
pub fn public_key(certificate: &[u8]) -> Result<Vec<u8>, SealError> {
    let read = read(certificate)?;
    let info = read.tbs_certificate().subject_public_key_info();
    let key = info.subject_public_key.as_bytes().map(<[u8]>::to_vec);
    key.ok_or_else(|| SealError::Key("the certificate has no readable key".into()))
}

/// Whether a certificate says of itself, in its subject, that it is for development.
pub fn is_development(certificate: &[u8]) -> bool {
    let subject = named(certificate).map(|named| named.subject);
    let mark = MARK.as_bytes();
    subject.is_ok_and(|subject| subject.windows(mark.len()).any(|part| part == mark))
}

fn read(certificate: &[u8]) -> Result<Certificate, SealError> {
    let read = Certificate::from_der(certificate);
    read.map_err(|_| SealError::Key("the certificate cannot be read".into()))
}
