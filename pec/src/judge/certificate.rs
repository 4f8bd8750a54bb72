//! What a certificate says, read without copying. Only its bearer's chain says whether it is true.

use super::ber::{self, Value, Values};
use super::time::instant;
use super::verify::{AlgorithmId, PublicKey};
use std::borrow::Cow;

/// The longest certificate that is read.
pub(crate) const CERTIFICATE_BYTES_MAX: usize = 64 << 10;
/// The most extensions, and the most names in one of them.
const ITEMS_MAX: usize = 256;
/// As many extensions as a certificate usually has, and more.
const EXTENSIONS: usize = 12;

/// 2.5.29: the extensions of X.509.
const OID_EXTENSION: &[u8] = &[0x55, 0x1d];
/// 1.3.6.1.5.5.7.3: purposes of keys.
const OID_PURPOSE: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03];
const OID_ANY_PURPOSE: &[u8] = &[0x55, 0x1d, 0x25, 0x00];
/// 1.2.840.113549.1.9.1.
const OID_EMAIL: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x01];

/// A certificate.
#[derive(Clone, Debug)]
pub(crate) struct Certificate<'a> {
    pub der: &'a [u8],
    pub tbs: &'a [u8],
    pub serial: &'a [u8],
    pub issuer: Value<'a>,
    pub subject: Value<'a>,
    pub from_ms: i64,
    pub until_ms: i64,
    pub key_info: Value<'a>,
    pub key: PublicKey<'a>,
    pub signature_algorithm: AlgorithmId<'a>,
    pub signature: &'a [u8],
    pub extensions: Extensions<'a>,
}

/// The extensions that matter here.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extensions<'a> {
    pub subject_key_id: Option<&'a [u8]>,
    pub authority_key_id: Option<&'a [u8]>,
    /// Its bits, the first octet of them, and whether the extension is critical.
    pub key_usage: Option<(u8, bool)>,
    /// Whether it is an authority's, and how many authorities may stand below it.
    pub basic_constraints: Option<(bool, Option<u32>)>,
    /// Whether signing mail is among the purposes, where purposes are stated.
    pub for_mail: Option<bool>,
    /// Whether answering for its issuer (id-kp-OCSPSigning) is among the purposes, by name.
    pub for_ocsp: bool,
    pub alt_names: Vec<Value<'a>>,
    pub name_constraints: Option<Value<'a>>,
    pub unknown_critical: bool,
    /// Whether they could not be read: then none of the others says anything.
    pub unreadable: bool,
}

/// Bits of keyUsage, from the left: digitalSignature, contentCommitment, …, keyCertSign, cRLSign.
pub(crate) const SIGNING: u8 = 0b1100_0000;
pub(crate) const CERTIFICATE_SIGNING: u8 = 0b0000_0100;
pub(crate) const CRL_SIGNING: u8 = 0b0000_0010;

impl<'a> Certificate<'a> {
    /// Reads a certificate; `None` if it is none.
    pub(crate) fn read(der: &'a [u8]) -> Option<Self> {
        let certificate = Value::first_of(der).filter(|_| der.len() <= CERTIFICATE_BYTES_MAX)?;
        if certificate.tag != ber::SEQUENCE || certificate.whole.len() != der.len() {
            return None;
        }
        let mut outer = certificate.inside();
        let tbs = outer.expect(ber::SEQUENCE)?;
        let signature_algorithm = AlgorithmId::of(outer.expect(ber::SEQUENCE)?)?;
        let signature = outer.expect(ber::BIT_STRING)?.content.strip_prefix(&[0])?;

        let mut inside = tbs.inside();
        inside.optional(ber::CONTEXT_0);
        let serial = inside.expect(ber::INTEGER)?.content;
        let inner_algorithm = AlgorithmId::of(inside.expect(ber::SEQUENCE)?)?;
        if !inner_algorithm.is(&signature_algorithm) {
            return None;
        }
        let issuer = inside.expect(ber::SEQUENCE)?;
        let mut validity = inside.expect(ber::SEQUENCE)?.inside();
        let (from_ms, until_ms) = (instant(validity.next()?)?, instant(validity.next()?)?);
        let subject = inside.expect(ber::SEQUENCE)?;
        let key_info = inside.expect(ber::SEQUENCE)?;
        let mut extensions = Extensions::default();
        while !inside.is_empty() {
            let value = inside.next()?;
            if value.tag == ber::CONTEXT_3 {
                extensions = Extensions::of(value);
            }
        }
        Some(Self {
            der,
            tbs: tbs.whole,
            serial,
            issuer,
            subject,
            from_ms,
            until_ms,
            key_info,
            key: PublicKey::of(key_info)?,
            signature_algorithm,
            signature,
            extensions,
        })
    }

    /// Whether this may be the certificate of the issuer of another, by name and, where stated, key.
    pub(crate) fn may_have_issued(&self, other: &Certificate<'_>) -> bool {
        let same_key = match (
            self.extensions.subject_key_id,
            other.extensions.authority_key_id,
        ) {
            (Some(own), Some(stated)) => own == stated,
            _ => true,
        };
        self.subject.whole == other.issuer.whole && same_key
    }

    /// Whether it holds at an instant.
    pub(crate) fn is_valid_at(&self, ms: i64) -> bool {
        (self.from_ms..=self.until_ms).contains(&ms)
    }

    /// The mail addresses among its alternative names.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = &'a [u8]> {
        let names = self.extensions.alt_names.iter();
        names
            .filter(|name| name.tag == RFC822_NAME)
            .map(|n| n.content)
    }

    /// The mail addresses within its subject, where old certificates have them.
    pub(crate) fn subject_addresses(&self) -> Vec<&'a [u8]> {
        let attributes = attributes(self.subject).unwrap_or_default();
        let email = attributes.into_iter().filter(|(oid, _)| *oid == OID_EMAIL);
        email.map(|(_, value)| value.content).collect()
    }

    /// The text of an attribute of the subject: `10` is the organization, `3` the common name.
    pub(crate) fn subject_text(&self, attribute: u8) -> Option<String> {
        named_text(self.subject, attribute)
    }

    /// The same of its issuer.
    pub(crate) fn issuer_text(&self, attribute: u8) -> Option<String> {
        named_text(self.issuer, attribute)
    }
}

fn named_text(name: Value<'_>, attribute: u8) -> Option<String> {
    let attributes = attributes(name)?;
    let named = attributes
        .iter()
        .find(|(oid, _)| *oid == [0x55, 0x04, attribute]);
    named.map(|(_, value)| text(*value).into_owned())
}

/// Tag of rfc822Name in a GeneralName.
pub(crate) const RFC822_NAME: u8 = 0x81;

/// The attributes of a name, without the sets they stand in.
fn attributes(name: Value<'_>) -> Option<Vec<(&[u8], Value<'_>)>> {
    let mut all = Vec::new();
    for set in name.inside().rest(ITEMS_MAX)? {
        for attribute in set.inside().rest(ITEMS_MAX)? {
            let mut inside = attribute.inside();
            all.push((inside.expect(ber::OID)?.content, inside.next()?));
        }
    }
    Some(all)
}

/// The text of a string of any kind.
pub(crate) fn text(value: Value<'_>) -> Cow<'_, str> {
    let latin = |bytes: &[u8]| bytes.iter().map(|octet| char::from(*octet)).collect();
    match value.tag {
        // BMPString.
        0x1e => {
            let units = value.content.chunks_exact(2);
            let units = units.map(|pair| pair.iter().fold(0, |n, o| n << 8 | u16::from(*o)));
            Cow::Owned(
                char::decode_utf16(units)
                    .map(|c| c.unwrap_or('\u{fffd}'))
                    .collect(),
            )
        }
        // TeletexString, used as Latin-1.
        0x14 => Cow::Owned(latin(value.content)),
        _ => String::from_utf8_lossy(value.content),
    }
}

impl<'a> Extensions<'a> {
    fn of(value: Value<'a>) -> Self {
        let extensions = value.inside().expect(ber::SEQUENCE);
        let read = extensions.and_then(|extensions| Self::read(extensions.inside()));
        read.unwrap_or_else(|| Self {
            unreadable: true,
            ..Self::default()
        })
    }

    fn read(mut values: Values<'a>) -> Option<Self> {
        let (mut found, mut seen) = (Self::default(), Vec::with_capacity(EXTENSIONS));
        while !values.is_empty() {
            if seen.len() == ITEMS_MAX {
                return None;
            }
            let mut inside = values.next()?.inside();
            let oid = inside.expect(ber::OID)?.content;
            // RFC 5280 section 4.2: one of each. Of two, no one can say which counts.
            if seen.contains(&oid) {
                return None;
            }
            seen.push(oid);
            let critical = inside.optional(ber::BOOLEAN);
            let critical = critical.is_some_and(|critical| critical.content != [0]);
            let content = inside.expect(ber::OCTET_STRING)?.content;
            found.add(oid, critical, content)?;
        }
        Some(found)
    }

    fn add(&mut self, oid: &[u8], critical: bool, content: &'a [u8]) -> Option<()> {
        let value = Value::first_of(content).filter(|value| value.whole.len() == content.len());
        match oid.strip_prefix(OID_EXTENSION) {
            Some([14]) => self.subject_key_id = Some(value?.content),
            Some([15]) => {
                let bits = value.filter(|v| v.tag == ber::BIT_STRING)?.content;
                self.key_usage = Some((bits.get(1).copied().unwrap_or(0), critical));
            }
            Some([17]) => self.alt_names = value?.inside().rest(ITEMS_MAX)?,
            Some([19]) => {
                let mut inside = value?.inside();
                let authority = inside.optional(ber::BOOLEAN);
                let authority = authority.is_some_and(|authority| authority.content != [0]);
                let below = match inside.is_empty() {
                    true => None,
                    false => Some(inside.next()?.small()?),
                };
                self.basic_constraints = Some((authority, below));
            }
            Some([30]) => self.name_constraints = Some(value?),
            Some([35]) => {
                let mut inside = value?.inside();
                self.authority_key_id = inside.optional(0x80).map(|id| id.content);
            }
            Some([37]) => {
                let purposes = value?.inside().rest(ITEMS_MAX)?;
                let for_mail = purposes.iter().any(|purpose| {
                    purpose.content == OID_ANY_PURPOSE
                        || purpose.content.strip_prefix(OID_PURPOSE) == Some(&[4])
                });
                self.for_mail = Some(for_mail);
                self.for_ocsp = purposes
                    .iter()
                    .any(|purpose| purpose.content.strip_prefix(OID_PURPOSE) == Some(&[9]));
            }
            // Policies: every policy is accepted.
            Some([32]) => {}
            _ => self.unknown_critical |= critical,
        }
        Some(())
    }
}
