//! TSTInfo: what a time-stamping authority signed (RFC 3161 section 2.4.2).

use super::{ITEMS_MAX, Refusal};
use crate::digests::DigestAlgorithm;
use crate::judge::ber::{self, Value, Values};
use crate::judge::time::instant;
use crate::judge::verify::AlgorithmId;
use aws_lc_rs::digest::Context;

/// The largest accuracy that is accepted: EN 319 421 asks for a second; what is an hour off proves no time.
pub const ACCURACY_MS_MAX: u64 = 3_600_000;
/// The longest policy, serial number or nonce that is read, in octets. Authorities make serial numbers of 160 bits at
/// most (RFC 3161 section 2.4.2); what a token says is told and kept before anybody vouches for it.
const NAME_BYTES_MAX: usize = 64;
/// `[0]` and `[1]`, primitive: milliseconds and microseconds.
const MILLIS: u8 = 0x80;
const MICROS: u8 = 0x81;

/// 1.3.6.1.5.5.7.1.3, id-pe-qcStatements.
const OID_QC_STATEMENTS: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x03];
/// 0.4.0.19422.1.1, esi4-qtstStatement-1.
const OID_QUALIFIED_STAMP: &[u8] = &[0x04, 0x00, 0x81, 0x97, 0x5e, 0x01, 0x01];

/// How far the true time may be from the one stated, either way.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Accuracy {
    /// At most so many milliseconds, rounded up.
    Ms(u64),
    /// Not said. That is not zero: the policy of the authority says it.
    Unstated,
}

/// What a token says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Info {
    /// The policy it was made under, in dotted decimal.
    pub policy: String,
    /// The digest algorithm of the imprint.
    pub algorithm: DigestAlgorithm,
    /// The digest of what was stamped.
    pub imprint: Vec<u8>,
    /// The serial number, in hexadecimal.
    pub serial: String,
    /// `genTime`, in milliseconds since 1970, rounded down.
    pub gen_ms: i64,
    /// How far it may be off.
    pub accuracy: Accuracy,
    /// The nonce, the octets of an INTEGER: compared as a number, not as text.
    pub nonce: Option<Vec<u8>>,
    /// Whether it says of itself that it is a qualified time-stamp (EN 319 422 clause 9.1: qcStatements with
    /// esi4-qtstStatement-1). A claim: who is qualified, the trusted list says.
    pub claims_qualified: bool,
}

impl Info {
    pub(super) fn read(content: &[u8]) -> Result<Self, Refusal> {
        let outer = Value::first_of(content).filter(|v| v.tag == ber::SEQUENCE);
        let outer = outer.filter(|v| v.whole.len() == content.len());
        let mut inside = outer.ok_or(Refusal::InfoMalformed)?.inside();
        let head = Head::read(&mut inside).ok_or(Refusal::InfoMalformed)?;
        let algorithm = head.algorithm.digest().ok_or(Refusal::ImprintAlgorithm)?;
        if head.imprint.len() != algorithm.of(&[]).as_ref().len() {
            return Err(Refusal::InfoMalformed);
        }
        let gen_ms = inside.next().and_then(gen_time);
        let gen_ms = gen_ms.ok_or(Refusal::TimeMalformed)?;
        let accuracy = match inside.optional(ber::SEQUENCE) {
            None => Accuracy::Unstated,
            Some(value) => accuracy(value).ok_or(Refusal::Accuracy)?,
        };
        let (nonce, claims_qualified) = rest(&mut inside).ok_or(Refusal::InfoMalformed)?;
        Ok(Self {
            policy: head.policy,
            algorithm,
            imprint: head.imprint.to_vec(),
            serial: hexadecimal(head.serial),
            gen_ms,
            accuracy,
            nonce: nonce.map(<[u8]>::to_vec),
            claims_qualified,
        })
    }

    /// Whether the nonce is this number, whatever zeros stand before either.
    pub fn nonce_is(&self, asked: &[u8]) -> bool {
        let significant = |octets: &[u8]| {
            let zeros = octets.iter().take_while(|octet| **octet == 0).count();
            octets.get(zeros..).unwrap_or_default().to_vec()
        };
        let Some(nonce) = &self.nonce else {
            return false;
        };
        let is_negative = |octets: &[u8]| octets.first().is_some_and(|first| *first >= 0x80);
        is_negative(nonce) == is_negative(asked) && significant(nonce) == significant(asked)
    }

    /// Makes the digest that [`super::Token::verify`] asks for, of octets that pass.
    pub fn hasher(&self) -> Imprint {
        Imprint::new(self.algorithm)
    }
}

/// A digest in the making.
#[derive(Clone)]
pub struct Imprint(Context);

impl Imprint {
    /// Of no octets yet.
    pub fn new(algorithm: DigestAlgorithm) -> Self {
        Self(Context::new(algorithm.algorithm()))
    }

    /// Takes the next octets.
    pub fn push(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest.
    pub fn finish(self) -> Vec<u8> {
        self.0.finish().as_ref().to_vec()
    }
}

/// Version to serial number.
struct Head<'a> {
    policy: String,
    algorithm: AlgorithmId<'a>,
    imprint: &'a [u8],
    serial: &'a [u8],
}

impl<'a> Head<'a> {
    fn read(inside: &mut Values<'a>) -> Option<Self> {
        inside.next()?.small().filter(|version| *version == 1)?;
        let policy = dotted(inside.expect(ber::OID)?.content)?;
        let mut imprint = inside.expect(ber::SEQUENCE)?.inside();
        Some(Self {
            policy,
            algorithm: AlgorithmId::of(imprint.expect(ber::SEQUENCE)?)?,
            imprint: imprint.expect(ber::OCTET_STRING)?.content,
            serial: short(inside.expect(ber::INTEGER)?.content)?,
        })
    }
}

/// What follows the accuracy: ordering, nonce, tsa, extensions; the nonce, and whether the extensions claim that the
/// time-stamp is qualified. Nothing may follow them, and no extension may be critical: none must be understood.
fn rest<'a>(inside: &mut Values<'a>) -> Option<(Option<&'a [u8]>, bool)> {
    let mut claims_qualified = false;
    inside.optional(ber::BOOLEAN);
    let nonce = match inside.optional(ber::INTEGER) {
        None => None,
        Some(nonce) => Some(short(nonce.content)?),
    };
    inside.optional(ber::CONTEXT_0);
    if let Some(extensions) = inside.optional(ber::CONTEXT_1) {
        for extension in extensions.inside().rest(ITEMS_MAX)? {
            let mut inside = extension.inside();
            let oid = inside.expect(ber::OID)?.content;
            let critical = inside.optional(ber::BOOLEAN);
            if critical.is_some_and(|critical| critical.content != [0]) {
                return None;
            }
            claims_qualified |= oid == OID_QC_STATEMENTS && states_qualified(inside);
        }
    }
    inside.is_empty().then_some((nonce, claims_qualified))
}

/// Whether QCStatements hold the one of qualified time-stamps.
fn states_qualified(mut inside: Values<'_>) -> bool {
    let held = inside.expect(ber::OCTET_STRING).map(|held| held.content);
    let statements = held.and_then(Value::first_of);
    let statements = statements.and_then(|all| all.inside().rest(ITEMS_MAX));
    let is_it = |statement: &Value<'_>| {
        let mut inside = statement.inside();
        let oid = inside.expect(ber::OID).map(|oid| oid.content);
        oid == Some(OID_QUALIFIED_STAMP)
    };
    statements.is_some_and(|all| all.iter().any(is_it))
}

/// `YYYYMMDDhhmmss[.s…]Z`; a leap second is the next second.
fn gen_time(value: Value<'_>) -> Option<i64> {
    let text = std::str::from_utf8(value.content).ok()?;
    let digits = text.strip_suffix('Z')?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if value.tag != ber::GENERALIZED_TIME || whole.len() != 14 {
        return None;
    }
    let leap = whole.ends_with("60");
    let whole = match leap {
        true => format!("{}59Z", whole.get(..12)?),
        false => format!("{whole}Z"),
    };
    let length = u8::try_from(whole.len()).ok()?;
    let encoded = [&[ber::GENERALIZED_TIME, length], whole.as_bytes()].concat();
    let seconds = instant(Value::first_of(&encoded)?)?;
    if !fraction.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let millis: String = fraction.chars().chain("000".chars()).take(3).collect();
    let millis: i64 = millis.parse().ok()?;
    seconds.checked_add(millis + if leap { 1000 } else { 0 })
}

fn accuracy(value: Value<'_>) -> Option<Accuracy> {
    let mut inside = value.inside();
    let mut part = |tag: u8| match inside.optional(tag) {
        None => Some(0),
        Some(value) => number(value.content),
    };
    let (seconds, millis, micros) = (part(ber::INTEGER)?, part(MILLIS)?, part(MICROS)?);
    let fits = millis <= 999 && micros <= 999 && inside.is_empty();
    let ms = seconds
        .checked_mul(1000)?
        .checked_add(millis + micros.div_ceil(1000))?;
    (fits && ms <= ACCURACY_MS_MAX).then_some(Accuracy::Ms(ms))
}

/// A number that is not negative, of at most four octets.
fn number(content: &[u8]) -> Option<u64> {
    let is_number = matches!(content.first(), Some(0..0x80)) && content.len() <= 4;
    is_number.then(|| content.iter().fold(0, |n, o| n << 8 | u64::from(*o)))
}

/// Octets that are not more than are read.
fn short(content: &[u8]) -> Option<&[u8]> {
    Some(content).filter(|content| content.len() <= NAME_BYTES_MAX)
}

/// An object identifier in dotted decimal; `None` for one that is longer than is read.
pub(super) fn dotted(content: &[u8]) -> Option<String> {
    short(content)?;
    // 128 bits: the arcs below 2.25 are UUIDs (Rec. ITU-T X.667).
    let (mut arcs, mut arc) = (Vec::new(), 0u128);
    for octet in content {
        arc = arc
            .checked_mul(128)?
            .checked_add(u128::from(octet & 0x7f))?;
        if octet & 0x80 == 0 {
            arcs.push(std::mem::take(&mut arc));
        }
    }
    let is_whole = content.last().is_some_and(|last| last & 0x80 == 0);
    let (first, others) = arcs.split_first().filter(|_| is_whole)?;
    let top = (*first / 40).min(2);
    let mut text = format!("{top}.{}", first - top * 40);
    for arc in others {
        text += &format!(".{arc}");
    }
    Some(text)
}

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02X}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Option<i64> {
        let length = u8::try_from(text.len()).unwrap();
        let bytes = [&[ber::GENERALIZED_TIME, length], text.as_bytes()].concat();
        gen_time(Value::first_of(&bytes).unwrap())
    }

    #[test]
    fn the_time_is_utc_with_its_fraction_and_a_leap_second_is_the_next() {
        assert_eq!(at("20261121180853.928Z"), Some(1_795_284_533_928));
        assert_eq!(at("20261121180853Z"), Some(1_795_284_533_000));
        assert_eq!(at("20261121180853.9289Z"), Some(1_795_284_533_928));
        assert_eq!(at("20161231235960Z"), Some(1_483_228_800_000));
        for text in [
            "20261121180853",
            "202611211808Z",
            "20261121180853+0100",
            "20261121180853.9xZ",
            "20261321180853Z",
        ] {
            assert_eq!(at(text), None, "{text}");
        }
    }

    #[test]
    fn a_policy_is_told_up_to_a_length_and_a_longer_one_is_none() {
        assert_eq!(dotted(&[0x2a, 0x86, 0x48]).as_deref(), Some("1.2.840"));
        let longest = dotted(&[0x7f; NAME_BYTES_MAX]).unwrap();
        assert!(longest.len() <= 4 * NAME_BYTES_MAX, "{longest}");
        assert_eq!(dotted(&[0x7f; NAME_BYTES_MAX + 1]), None);
        assert_eq!(dotted(&[0x2a, 0x86]), None);
    }

    fn accurate(content: &[u8]) -> Option<Accuracy> {
        let length = u8::try_from(content.len()).unwrap();
        let bytes = [&[ber::SEQUENCE, length], content].concat();
        accuracy(Value::first_of(&bytes).unwrap())
    }

    #[test]
    fn an_accuracy_is_summed_and_rounded_up() {
        assert_eq!(accurate(&[2, 1, 1]), Some(Accuracy::Ms(1000)));
        let all = [2, 1, 1, MILLIS, 2, 1, 0xf4, MICROS, 1, 1];
        assert_eq!(accurate(&all), Some(Accuracy::Ms(1501)));
        assert_eq!(accurate(&[]), Some(Accuracy::Ms(0)));
        for bad in [
            &[2, 1, 0xff][..],
            &[MILLIS, 2, 3, 0xe8],
            &[2, 2, 0x0e, 0x11],
            &[4, 1, 1],
            &[2, 5, 0, 0, 0, 0, 1],
        ] {
            assert_eq!(accurate(bad), None, "{bad:?}");
        }
    }

    fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        let length = u8::try_from(content.len()).unwrap();
        assert!(length < 0x80);
        [&[tag, length][..], &content].concat()
    }

    /// A TSTInfo with one extension that holds one statement.
    fn with_statement(extension: &[u8], statement: &[u8]) -> Vec<u8> {
        let sha256 = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
        let algorithm = tlv(ber::SEQUENCE, &[&tlv(ber::OID, &[&sha256])]);
        let imprint = tlv(
            ber::SEQUENCE,
            &[&algorithm, &tlv(ber::OCTET_STRING, &[&[7; 32]])],
        );
        let statements = tlv(ber::SEQUENCE, &[&tlv(ber::OID, &[statement])]);
        let held = tlv(ber::OCTET_STRING, &[&tlv(ber::SEQUENCE, &[&statements])]);
        let extension = tlv(ber::SEQUENCE, &[&tlv(ber::OID, &[extension]), &held]);
        let parts: [&[u8]; 6] = [
            &[2, 1, 1],
            &tlv(ber::OID, &[&[0x2b, 1]]),
            &imprint,
            &[2, 1, 9],
            &tlv(ber::GENERALIZED_TIME, &[b"20261121180853Z"]),
            &tlv(ber::CONTEXT_1, &[&extension]),
        ];
        let content = parts.concat();
        let length = u8::try_from(content.len()).unwrap();
        [&[ber::SEQUENCE, 0x81, length][..], &content].concat()
    }

    #[test]
    fn a_token_claims_to_be_qualified_by_its_statement_alone() {
        let claims = |extension: &[u8], statement: &[u8]| {
            let info = Info::read(&with_statement(extension, statement));
            info.unwrap().claims_qualified
        };
        assert!(claims(OID_QC_STATEMENTS, OID_QUALIFIED_STAMP));
        let mut other = OID_QUALIFIED_STAMP.to_vec();
        *other.last_mut().unwrap() = 2;
        assert!(!claims(OID_QC_STATEMENTS, &other));
        assert!(!claims(&[0x55, 0x1d, 0x25], OID_QUALIFIED_STAMP));
    }

    #[test]
    fn identifiers_are_shown_in_dotted_decimal() {
        let policy = [0x2b, 0x06, 0x01, 0x04, 0x01, 0x86, 0x8d, 0x1f, 0x01];
        assert_eq!(dotted(&policy).unwrap(), "1.3.6.1.4.1.99999.1");
        assert_eq!(dotted(&[0x88, 0x37]).unwrap(), "2.999");
        let mut uuid = vec![0x69, 0x83];
        uuid.extend([0xff; 17]);
        uuid.push(0x7f);
        let largest = format!("2.25.{}", u128::MAX);
        assert_eq!(dotted(&uuid).unwrap(), largest);
        uuid[1] = 0x84;
        assert_eq!(dotted(&uuid), None);
        assert_eq!(dotted(&[0x2b, 0x86]), None);
        assert_eq!(dotted(&[]), None);
    }
}
