//! DER, as much of it as an evidence record has: definite lengths, tags of one octet.
//!
//! Values are found where they stand and never written again; what is inside attributes and tokens is not looked at.

pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OID: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;
/// `[0]`, `[1]` and `[2]`, constructed.
pub(super) const CONTEXT_0: u8 = 0xa0;
pub(super) const CONTEXT_1: u8 = 0xa1;
pub(super) const CONTEXT_2: u8 = 0xa2;

/// A value.
#[derive(Clone, Copy)]
pub(super) struct Value<'a> {
    pub tag: u8,
    pub content: &'a [u8],
    /// Tag and length included.
    pub whole: &'a [u8],
}

impl<'a> Value<'a> {
    /// The content, if this is the tag.
    pub fn expect(self, tag: u8) -> Option<&'a [u8]> {
        (self.tag == tag).then_some(self.content)
    }
}

/// The values that these octets are, and nothing else; `None` for more than `most`: two octets of anybody's shall not
/// become the forty that a value has here.
pub(super) fn values(octets: &[u8], most: usize) -> Option<Vec<Value<'_>>> {
    let values: Option<Vec<_>> = each(octets).take(most.saturating_add(1)).collect();
    values.filter(|values| values.len() <= most)
}

/// The values that these octets are, one after another; the last is `None` where they are something else.
pub(super) fn each(octets: &[u8]) -> impl Iterator<Item = Option<Value<'_>>> {
    let mut rest = octets;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let value = first(rest);
        let after = value.and_then(|value| rest.get(value.whole.len()..));
        rest = after.unwrap_or_default();
        Some(value)
    })
}

/// The one value that these octets are.
pub(super) fn only(octets: &[u8]) -> Option<Value<'_>> {
    first(octets).filter(|value| value.whole.len() == octets.len())
}

fn first(octets: &[u8]) -> Option<Value<'_>> {
    let (tag, rest) = octets.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match *length {
        short @ 0..=0x7f => (usize::from(short), rest),
        // Four octets hold any length that is read here.
        long @ 0x81..=0x84 => {
            let (octets, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            let length = octets.iter().fold(0, |n, o| n << 8 | usize::from(*o));
            let shortest = length >= 0x80 && octets.first() != Some(&0);
            (Some(length).filter(|_| shortest)?, rest)
        }
        _ => return None,
    };
    let (content, after) = rest.split_at_checked(length)?;
    let whole = octets.get(..octets.len() - after.len())?;
    // A tag of several octets: none of ours.
    let tag = Some(*tag).filter(|tag| tag & 0x1f != 0x1f)?;
    Some(Value {
        tag,
        content,
        whole,
    })
}

/// Writes a value.
pub(super) fn value(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut octets = vec![tag];
    match u8::try_from(content.len()) {
        Ok(short) if short < 0x80 => octets.push(short),
        _ => {
            let length = content.len().to_be_bytes();
            let length: Vec<u8> = length.into_iter().skip_while(|o| *o == 0).collect();
            // At most eight octets of length.
            octets.push(0x80 | length.len() as u8);
            octets.extend(length);
        }
    }
    octets.extend_from_slice(content);
    octets
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(content in proptest::collection::vec(any::<u8>(), 0..70_000)) {
            let written = value(OCTET_STRING, &content);
            let read = only(&written).unwrap();
            prop_assert_eq!(read.expect(OCTET_STRING).unwrap(), content.as_slice());
        }

        #[test]
        fn no_octets_make_it_panic(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Some(values) = values(&octets, 100) {
                let whole: Vec<u8> = values.iter().flat_map(|v| v.whole).copied().collect();
                prop_assert_eq!(whole, octets);
            }
        }
    }

    #[test]
    fn no_more_values_are_read_than_may_be() {
        let three = [0x30, 0].repeat(3);
        assert_eq!(values(&three, 3).map(|values| values.len()), Some(3));
        assert!(values(&three, 2).is_none());
        assert!(values(&three[..5], 3).is_none());
        assert!(values(&[], 0).is_some());
    }

    #[test]
    fn lengths_have_one_spelling() {
        for bad in [
            &[0x30, 0x80, 0, 0][..],
            &[0x30, 0x81, 1, 0],
            &[0x30, 0x82, 0, 0x80],
            &[0x30, 2, 0],
            &[0x3f, 1, 0],
            &[0x30],
        ] {
            assert!(only(bad).is_none(), "{bad:?}");
        }
    }
}
