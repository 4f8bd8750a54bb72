//! TimeStampResp: what an authority answered, and why where it did not grant (RFC 3161 section 2.4.2).

use super::TOKEN_BYTES_MAX;
use crate::judge::ber::{self, Value};
use crate::judge::certificate::text;

/// The longest statusString that is kept, in characters: it is shown to people, and anybody may have written it.
const TEXT_CHARS_MAX: usize = 200;
/// The most strings of it that are read.
const TEXTS_MAX: usize = 16;

/// A reason that PKIFailureInfo names. A bit that RFC 3161 does not list is [`Failure::Other`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Failure {
    /// badAlg: the digest algorithm is not taken.
    BadAlgorithm,
    /// badRequest: no such transaction.
    BadRequest,
    /// badDataFormat: the request was not readable.
    BadDataFormat,
    /// timeNotAvailable: its time source is out of order.
    TimeNotAvailable,
    /// unacceptedPolicy: the policy asked for is none of its own.
    UnacceptedPolicy,
    /// unacceptedExtension: an extension asked for is not supported.
    UnacceptedExtension,
    /// addInfoNotAvailable: something asked for cannot be had.
    AddInfoNotAvailable,
    /// systemFailure: it failed.
    SystemFailure,
    /// Another bit.
    Other(u8),
}

impl Failure {
    const fn of_bit(bit: u8) -> Self {
        match bit {
            0 => Self::BadAlgorithm,
            2 => Self::BadRequest,
            5 => Self::BadDataFormat,
            14 => Self::TimeNotAvailable,
            15 => Self::UnacceptedPolicy,
            16 => Self::UnacceptedExtension,
            17 => Self::AddInfoNotAvailable,
            25 => Self::SystemFailure,
            bit => Self::Other(bit),
        }
    }

    /// Its bit in the BIT STRING.
    pub const fn bit(self) -> u8 {
        match self {
            Self::BadAlgorithm => 0,
            Self::BadRequest => 2,
            Self::BadDataFormat => 5,
            Self::TimeNotAvailable => 14,
            Self::UnacceptedPolicy => 15,
            Self::UnacceptedExtension => 16,
            Self::AddInfoNotAvailable => 17,
            Self::SystemFailure => 25,
            Self::Other(bit) => bit,
        }
    }
}

/// An answer, without looking into its token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    /// PKIStatus: 0 granted, 1 grantedWithMods, 2 rejection, 3 waiting, 4 and 5 revocation.
    pub status: u32,
    /// What it says in words, printable and shortened.
    pub words: String,
    /// Every reason it names.
    pub failures: Vec<Failure>,
    /// Whether a token follows.
    pub has_token: bool,
}

impl Answer {
    /// Reads an answer; `None` if it is none, or longer than is read, or if something follows it.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let outer = Some(bytes).filter(|bytes| bytes.len() <= TOKEN_BYTES_MAX);
        let outer = outer.and_then(Value::first_of)?;
        if outer.tag != ber::SEQUENCE || outer.whole.len() != bytes.len() {
            return None;
        }
        let mut inside = outer.inside();
        let mut info = inside.expect(ber::SEQUENCE)?.inside();
        let status = info.next()?.small()?;
        let words = match info.optional(ber::SEQUENCE) {
            None => String::new(),
            Some(words) => shown(&words.inside().rest(TEXTS_MAX)?),
        };
        let failures = match info.optional(ber::BIT_STRING) {
            None => Vec::new(),
            Some(bits) => failures(bits.content)?,
        };
        let has_token = inside.optional(ber::SEQUENCE).is_some();
        let is_whole = info.is_empty() && inside.is_empty();
        is_whole.then_some(Self {
            status,
            words,
            failures,
            has_token,
        })
    }
}

fn shown(words: &[Value<'_>]) -> String {
    let all: Vec<_> = words.iter().map(|value| text(*value)).collect();
    let all = all.join(" ");
    let printable = all.chars().filter(|c| !c.is_control());
    printable.take(TEXT_CHARS_MAX).collect()
}

/// The bits that are set: the first octet of a BIT STRING says how many at its end do not count.
fn failures(content: &[u8]) -> Option<Vec<Failure>> {
    let (_, octets) = content.split_first()?;
    let mut all = Vec::new();
    for (place, octet) in octets.iter().take(32).enumerate() {
        let place = u8::try_from(place * 8).ok()?;
        let set = (0..8u8).filter(|bit| octet & (0x80 >> bit) != 0);
        all.extend(set.map(|bit| Failure::of_bit(place + bit)));
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_tells_status_words_and_reasons() {
        // rejection, "no\n", unacceptedPolicy.
        let bytes = [
            0x30, 16, 0x30, 14, 2, 1, 2, 0x30, 5, 0x0c, 3, b'n', b'o', b'\n', 3, 2, 0, 0x80,
        ];
        let answer = Answer::read(&bytes).unwrap();
        assert_eq!((answer.status, answer.words.as_str()), (2, "no"));
        assert_eq!(answer.failures, [Failure::BadAlgorithm]);
        assert!(!answer.has_token);
        let mut longer = bytes.to_vec();
        longer.push(0);
        assert_eq!(Answer::read(&longer), None);
        assert_eq!(Answer::read(&bytes[..10]), None);
    }

    #[test]
    fn every_bit_has_its_reason() {
        for bit in 0..32 {
            assert_eq!(Failure::of_bit(bit).bit(), bit);
        }
        let far = [7, 0, 0x01, 0x80];
        let expected = [Failure::UnacceptedPolicy, Failure::UnacceptedExtension];
        assert_eq!(failures(&far).unwrap(), expected);
    }
}
