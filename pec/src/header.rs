//! Header blocks: fields as they came, in any order and any case.
//!
//! # Invariants
//! 1. A block keeps its first octets up to a bound, and says when there were more.
//! 2. Of a repeated field the first counts.
//! 3. Unfolding removes line breaks only (RFC 5322 section 2.2.3); values keep every other octet.

use crate::line::Piece;
use std::borrow::Cow;

/// A header block that is being collected.
pub(crate) struct Block {
    bytes: Vec<u8>,
    bytes_max: usize,
    too_long: bool,
}

impl Block {
    /// Room for the header of nearly every message, and more than a part has.
    const USUAL_BYTES: usize = 1 << 10;

    /// An empty block that will keep so many octets.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes_max.min(Self::USUAL_BYTES)),
            bytes_max,
            too_long: false,
        }
    }

    /// Takes a line. `false` when it is the blank one that ends the block.
    ///
    /// A blank line may hold CRs: files written twice in text mode end every line in CR CR LF.
    pub(crate) fn push(&mut self, piece: Piece<'_>) -> bool {
        if piece.whole && piece.break_bytes > 0 && trim_break(piece.bytes).is_empty() {
            return false;
        }
        let room = self.bytes_max.saturating_sub(self.bytes.len());
        self.too_long |= piece.bytes.len() > room;
        self.bytes
            .extend_from_slice(piece.bytes.get(..room).unwrap_or(piece.bytes));
        true
    }

    /// What was kept of it.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether the block was longer than what is kept.
    pub(crate) fn is_too_long(&self) -> bool {
        self.too_long
    }

    /// The fields.
    pub(crate) fn fields(&self) -> Fields<'_> {
        Fields(&self.bytes)
    }
}

/// The fields of a header block.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// From the octets of a block, without the blank line.
    pub(crate) fn new(block: &'a [u8]) -> Self {
        Self(block)
    }

    /// Name and folded value of each field, in order. Lines that are no field are passed over.
    pub(crate) fn iter(self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.whole().filter_map(split_field)
    }

    /// What stands between the ends of fields.
    fn whole(self) -> impl Iterator<Item = &'a [u8]> {
        // An editor of another system may have put a byte order mark before everything.
        let mut rest = self.0.strip_prefix(b"\xef\xbb\xbf").unwrap_or(self.0);
        std::iter::from_fn(move || {
            let (field, tail) = rest.split_at(field_end(rest));
            rest = tail;
            (!field.is_empty()).then_some(field)
        })
    }

    /// The folded values of the fields of a name.
    fn named(self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let name = name.as_bytes();
        self.whole().filter_map(move |field| value_of(field, name))
    }

    /// The unfolded, trimmed value of the first field of a name.
    pub(crate) fn value(self, name: &str) -> Option<Cow<'a, [u8]>> {
        self.named(name).next().map(unfold)
    }

    /// The same of several names, in one pass.
    pub(crate) fn values<const N: usize>(self, names: [&str; N]) -> [Option<Cow<'a, [u8]>>; N] {
        let mut found = [const { None }; N];
        for (field, value) in self.iter() {
            let mut named = found.iter_mut().zip(names);
            let named = named.find(|(_, name)| field.eq_ignore_ascii_case(name.as_bytes()));
            if let Some((slot, _)) = named.filter(|(slot, _)| slot.is_none()) {
                *slot = Some(unfold(value));
            }
        }
        found
    }
}

/// Where the field that begins here ends: after the first line that no continuation follows.
fn field_end(bytes: &[u8]) -> usize {
    let mut end = 0;
    loop {
        let Some(tail) = bytes.get(end..) else {
            return bytes.len();
        };
        match memchr::memchr(b'\n', tail) {
            None => return bytes.len(),
            Some(at) => end += at + 1,
        }
        if !matches!(bytes.get(end), Some(b' ' | b'\t')) {
            return end;
        }
    }
}

/// The value of a field, if it has this name.
fn value_of<'a>(field: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let begins = field.get(..name.len())?.eq_ignore_ascii_case(name);
    let (found, value) = begins.then(|| split_field(field)).flatten()?;
    (found.len() == name.len()).then_some(value)
}

/// Name and value of a field, if it is one.
fn split_field(field: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memchr(b':', field)?;
    let (name, value) = field.split_at_checked(colon)?;
    let name = name.trim_ascii_end();
    let printable = name.iter().all(|c| matches!(c, 33..=126));
    (printable && !name.is_empty()).then(|| (name, value.get(1..).unwrap_or_default()))
}

/// A value without its line breaks, trimmed.
pub(crate) fn unfold(value: &[u8]) -> Cow<'_, [u8]> {
    let value = value.trim_ascii();
    if memchr::memchr(b'\n', value).is_none() {
        return Cow::Borrowed(value);
    }
    let mut unfolded = Vec::with_capacity(value.len());
    lines(value).for_each(|line| unfolded.extend_from_slice(trim_break(line)));
    Cow::Owned(unfolded)
}

/// Lines with their breaks; the last may lack its own.
pub(crate) fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
        let (line, tail) = rest.split_at(end);
        rest = tail;
        (!line.is_empty()).then_some(line)
    })
}

/// A line without its break, however many CRs stand before the LF.
pub(crate) fn trim_break(line: &[u8]) -> &[u8] {
    let Some(mut line) = line.strip_suffix(b"\n") else {
        return line;
    };
    while let Some(shorter) = line.strip_suffix(b"\r") {
        line = shorter;
    }
    line
}

/// The address of the first mailbox of an unfolded From: what stands in angle brackets, or else alone.
///
/// Display names may hold anything, brackets in quotes included; only what is outside quotes and comments counts.
pub(crate) fn address(value: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(value.len());
    let mut bracketed = None::<Vec<u8>>;
    let (mut quoted, mut depth) = (false, 0usize);
    let mut octets = value.iter();
    while let Some(&octet) = octets.next() {
        match octet {
            b'\\' if quoted || depth > 0 => {
                octets.next();
            }
            b'"' if depth == 0 => quoted = !quoted,
            _ if quoted => {}
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            b'<' => bracketed = Some(Vec::with_capacity(octets.len())),
            b'>' if bracketed.is_some() => break,
            b',' if bracketed.is_none() => break,
            _ => bracketed.as_mut().unwrap_or(&mut plain).push(octet),
        }
    }
    let address = bracketed.unwrap_or(plain).trim_ascii().to_vec();
    let blank = address.iter().any(u8::is_ascii_whitespace);
    (address.contains(&b'@') && !blank).then_some(address)
}

/// Splits an entity into its header block and its body.
pub(crate) fn split_entity(entity: &[u8]) -> (Fields<'_>, &[u8]) {
    let mut at = 0;
    for line in lines(entity) {
        let next = at + line.len();
        if line.ends_with(b"\n") && trim_break(line).is_empty() {
            let head = entity.get(..at).unwrap_or_default();
            return (Fields::new(head), entity.get(next..).unwrap_or_default());
        }
        at = next;
    }
    (Fields::new(entity), &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(block: &[u8], name: &str) -> Option<String> {
        let value = Fields::new(block).value(name)?;
        Some(String::from_utf8_lossy(&value).into_owned())
    }

    #[test]
    fn names_have_no_case_and_no_order() {
        let block = b"X-TipoRicevuta: breve\r\nmessage-id : <a@example.test>\r\nDATE:x\r\n";
        assert_eq!(value(block, "x-tiporicevuta").unwrap(), "breve");
        assert_eq!(value(block, "Message-ID").unwrap(), "<a@example.test>");
        assert_eq!(value(block, "Date").unwrap(), "x");
        assert_eq!(value(block, "Subject"), None);
    }

    #[test]
    fn folds_lose_their_breaks_and_nothing_else() {
        let block = b"Content-Type: multipart/mixed; \r\n\tboundary=\"b\"\r\nX: 1\n";
        assert_eq!(
            value(block, "content-type").unwrap(),
            "multipart/mixed; \tboundary=\"b\""
        );
        assert_eq!(
            value(b"Message-ID:\r\n <a@b>\r\n", "message-id").unwrap(),
            "<a@b>"
        );
        assert_eq!(value(b"A: 1\r\r\n 2\r\r\n", "a").unwrap(), "1 2");
    }

    #[test]
    fn the_first_of_a_repeated_field_counts() {
        let block = b"A: 1\nB: 3\na: 2\nb:\n";
        assert_eq!(value(block, "a").unwrap(), "1");
        let values = Fields::new(block).values(["b", "a", "c"]);
        let values = values.map(|value| value.map(Cow::into_owned));
        assert_eq!(values, [Some(b"3".to_vec()), Some(b"1".to_vec()), None]);
    }

    #[test]
    fn lines_that_are_no_field_are_passed_over() {
        let block = b"From anna Tue May  7 09:10:11 2024\n>x\n:empty\nnome con spazi: 1\nA: 1\n";
        assert_eq!(Fields::new(block).iter().count(), 1);
        assert_eq!(value(b"\xef\xbb\xbfA: 1\n", "A").unwrap(), "1");
    }

    #[test]
    fn the_address_of_a_from_is_found_whatever_its_display_name() {
        let expected = Some(b"posta-certificata@pec.alfa.example".to_vec());
        for value in [
            "posta-certificata@pec.alfa.example",
            "<posta-certificata@pec.alfa.example>",
            "\"Per conto di: anna@example.test\" <posta-certificata@pec.alfa.example>",
            "\"a \\\" <b@example.test>\"<posta-certificata@pec.alfa.example> (c@example.test)",
            "Per conto di anna@example.test <posta-certificata@pec.alfa.example>, x@example.test",
            "posta-certificata@pec.alfa.example (x <y@example.test>), z@example.test",
        ] {
            assert_eq!(address(value.as_bytes()), expected, "{value}");
        }
        for value in [
            "",
            "nessuno",
            "<>",
            "\"a@example.test\"",
            "a b@example.test",
        ] {
            assert_eq!(address(value.as_bytes()), None, "{value}");
        }
    }

    #[test]
    fn an_entity_without_a_blank_line_is_all_header() {
        let (fields, body) = split_entity(b"A: 1\r\nB: 2");
        assert!(fields.value("b").is_some() && body.is_empty());
        let (fields, body) = split_entity(b"A: 1\r\r\n\r\r\nbody");
        assert_eq!((fields.iter().count(), body), (1, &b"body"[..]));
        assert_eq!(split_entity(b"\nbody").1, b"body");
    }
}
