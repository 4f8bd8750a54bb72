//! BER values out of octets, without copying and without changing them.
//!
//! What was signed are the octets as they came, and a certificate is known by the digest of its own: so they are
//! found here, never written again. Indefinite lengths and constructed octet strings are read: half of the
//! engines write them.
//!
//! # Invariants
//! 1. Every value lies inside the octets it was read from; a length that says otherwise is no value.
//! 2. At most [`DEPTH_MAX`] levels are followed, so that reading is linear in the octets, times that.
//! 3. Tags of more than one octet, which none of our structures has, are no values.

use std::borrow::Cow;

/// The most levels within each other that are followed.
const DEPTH_MAX: usize = 24;

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const NULL: u8 = 0x05;
pub(crate) const OID: u8 = 0x06;
pub(crate) const ENUMERATED: u8 = 0x0a;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;
/// `[0]`, constructed.
pub(crate) const CONTEXT_0: u8 = 0xa0;
/// `[1]`, constructed.
pub(crate) const CONTEXT_1: u8 = 0xa1;
/// `[2]`, constructed.
pub(crate) const CONTEXT_2: u8 = 0xa2;
/// `[3]`, constructed.
pub(crate) const CONTEXT_3: u8 = 0xa3;

const CONSTRUCTED: u8 = 0x20;

/// A value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Value<'a> {
    pub tag: u8,
    /// What is inside, without the marker that ends an indefinite length.
    pub content: &'a [u8],
    /// All of it, tag and length included.
    pub whole: &'a [u8],
    /// Whether its length is stated.
    pub definite: bool,
}

impl<'a> Value<'a> {
    /// The first of some octets. What follows it is not looked at.
    pub(crate) fn first_of(bytes: &'a [u8]) -> Option<Self> {
        read(bytes, DEPTH_MAX)
    }

    /// The values inside.
    pub(crate) fn inside(self) -> Values<'a> {
        Values(self.content)
    }

    /// The octets of an octet string, put together if it came in pieces. `tag` is the one it has when it is
    /// primitive: an implicit one takes the place of its own.
    pub(crate) fn octets(self, tag: u8) -> Option<Cow<'a, [u8]>> {
        if self.tag == tag {
            return Some(Cow::Borrowed(self.content));
        }
        if self.tag != tag | CONSTRUCTED {
            return None;
        }
        let mut all = Vec::new();
        collect(self.inside(), &mut all, DEPTH_MAX)?;
        Some(Cow::Owned(all))
    }

    /// An integer small enough for what is counted here.
    pub(crate) fn small(self) -> Option<u32> {
        let number = self.content.strip_prefix(&[0]).unwrap_or(self.content);
        let fits = self.tag == INTEGER && !self.content.is_empty() && number.len() <= 3;
        let negative = self.content.first().is_some_and(|first| *first >= 0x80);
        (fits && !negative).then(|| number.iter().fold(0, |n, octet| n << 8 | u32::from(*octet)))
    }
}

fn collect(values: Values<'_>, all: &mut Vec<u8>, depth: usize) -> Option<()> {
    let mut values = values;
    while !values.is_empty() {
        let value = values.next()?;
        match value.tag {
            OCTET_STRING => all.extend_from_slice(value.content),
            tag if tag == OCTET_STRING | CONSTRUCTED => {
                collect(value.inside(), all, depth.checked_sub(1)?)?;
            }
            _ => return None,
        }
    }
    Some(())
}

/// Values one after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Values<'a>(&'a [u8]);

impl<'a> Values<'a> {
    /// Whether all were taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next one; `None` at the end, and where there is no value.
    pub(crate) fn next(&mut self) -> Option<Value<'a>> {
        let value = Value::first_of(self.0)?;
        self.0 = self.0.get(value.whole.len()..)?;
        Some(value)
    }

    /// The next one, which has this tag.
    pub(crate) fn expect(&mut self, tag: u8) -> Option<Value<'a>> {
        self.next().filter(|value| value.tag == tag)
    }

    /// The next one if it has this tag; otherwise it stays.
    pub(crate) fn optional(&mut self, tag: u8) -> Option<Value<'a>> {
        (self.0.first() == Some(&tag))
            .then(|| self.next())
            .flatten()
    }

    /// All that are left, at most so many; `None` if one is none, or if there are more.
    pub(crate) fn rest(mut self, count_max: usize) -> Option<Vec<Value<'a>>> {
        let mut all = Vec::new();
        while !self.is_empty() {
            if all.len() == count_max {
                return None;
            }
            all.push(self.next()?);
        }
        Some(all)
    }
}

fn read(bytes: &[u8], depth: usize) -> Option<Value<'_>> {
    let (&tag, after_tag) = bytes.split_first()?;
    if tag & 0x1f == 0x1f {
        return None;
    }
    let (&length, after_length) = after_tag.split_first()?;
    if length == 0x80 {
        return indefinite(bytes, tag, depth);
    }
    let (length, header) = if length < 0x80 {
        (usize::from(length), 2)
    } else {
        let count = usize::from(length & 0x7f);
        let octets = after_length.get(..count).filter(|_| count <= 4)?;
        let length = octets
            .iter()
            .fold(0usize, |n, octet| n << 8 | usize::from(*octet));
        (length, 2 + count)
    };
    let whole = bytes.get(..header.checked_add(length)?)?;
    Some(Value {
        tag,
        content: whole.get(header..)?,
        whole,
        definite: true,
    })
}

/// A value that ends where its marker stands: two zero octets, at its own level.
fn indefinite(bytes: &[u8], tag: u8, depth: usize) -> Option<Value<'_>> {
    if tag & CONSTRUCTED == 0 {
        return None;
    }
    let depth = depth.checked_sub(1)?;
    let mut end = 2;
    loop {
        let rest = bytes.get(end..)?;
        if rest.starts_with(&[0, 0]) {
            return Some(Value {
                tag,
                content: bytes.get(2..end)?,
                whole: bytes.get(..end + 2)?,
                definite: false,
            });
        }
        end += read(rest, depth)?.whole.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lengths_are_read_in_every_form() {
        for bytes in [
            &[4, 2, 7, 8][..],
            &[4, 0x81, 2, 7, 8],
            &[4, 0x84, 0, 0, 0, 2, 7, 8],
            &[0x24, 0x80, 4, 1, 7, 4, 1, 8, 0, 0],
            &[0x24, 0x80, 0x24, 0x80, 4, 1, 7, 0, 0, 4, 1, 8, 0, 0],
            &[0x24, 6, 4, 1, 7, 4, 1, 8],
        ] {
            let value = Value::first_of(bytes).unwrap();
            assert_eq!(value.octets(OCTET_STRING).unwrap().as_ref(), [7, 8]);
            assert_eq!(value.whole, bytes);
            let longer = [bytes, b"more"].concat();
            assert_eq!(Value::first_of(&longer).unwrap().whole, bytes);
        }
    }

    #[test]
    fn what_is_no_value_is_none() {
        for bytes in [
            &[][..],
            &[4],
            &[4, 2, 7],
            &[4, 0x80, 0, 0],
            &[0x24, 0x80, 4, 1, 7],
            &[0x24, 0x80, 0],
            &[4, 0x85, 0, 0, 0, 0, 1, 7],
            &[4, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[0x1f, 1, 0],
        ] {
            assert!(Value::first_of(bytes).is_none(), "{bytes:?}");
        }
        let deep = [0x30, 0x80].repeat(100_000);
        assert!(Value::first_of(&deep).is_none());
    }

    proptest! {
        #[test]
        fn any_octets_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Some(value) = Value::first_of(&bytes) {
                prop_assert!(value.whole.len() <= bytes.len());
                let _ = value.octets(OCTET_STRING);
                let _ = value.inside().rest(64);
            }
        }
    }
}
