//! Canonical JSON: RFC 8785 (JCS), narrowed to what needs no floating point.
//!
//! # Invariants
//! 1. One value has one spelling: keys sorted, no white space, shortest escapes, integers only.
//! 2. Keys are ASCII, so that byte order and the UTF-16 order of RFC 8785 are the same.
//! 3. Integers lie within ±(2^53-1) (RFC 7493 section 2.2); a larger one is refused, never rounded.
//! 4. Text that is not UTF-8 is an object `{"base64":"…"}`: nothing is replaced, nothing is lost.

mod spelling;

use crate::id::INTEGER_MAX;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use spelling::{Member, Value};
use std::borrow::Cow;
use std::fmt::Write as _;

/// Why bytes are not canonical metadata. Corruption or a foreign writer; never retried.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CanonicalError {
    /// Not JSON at all.
    #[error("not json")]
    NotJson,
    /// JSON, but not in its one canonical spelling (order, spaces, escapes, repeated keys), or more values than any
    /// document of ours has.
    #[error("json is not canonical")]
    NotCanonical,
    /// A number that is not an integer within ±(2^53-1).
    #[error("number is not an integer within 2^53-1")]
    Number,
    /// A key that is not ASCII.
    #[error("key is not ascii")]
    Key,
}

/// Writes one canonical JSON object, key after key in ascending order.
///
/// The order is the caller's duty. Whoever adds a member adds it to the test that reads back an object with
/// every member set: [`ObjectReader::parse`] refuses any other order.
pub struct ObjectWriter<'a> {
    out: &'a mut String,
    begun: bool,
}

impl<'a> ObjectWriter<'a> {
    /// Writes `{…}` to `out`, with the members that `fill` writes.
    pub fn write(out: &'a mut String, fill: impl FnOnce(&mut ObjectWriter<'_>)) {
        out.push('{');
        let mut writer = ObjectWriter { out, begun: false };
        fill(&mut writer);
        writer.out.push('}');
    }

    fn key(&mut self, key: &'static str) {
        if self.begun {
            self.out.push(',');
        }
        self.begun = true;
        self.out.push('"');
        self.out.push_str(key);
        self.out.push_str("\":");
    }

    /// A string member; bytes that are not UTF-8 become `{"base64":"…"}`.
    pub fn text(&mut self, key: &'static str, text: &[u8]) {
        self.key(key);
        write_text(self.out, text);
    }

    /// A string member, if there is one.
    pub fn maybe_text(&mut self, key: &'static str, text: Option<&Text>) {
        if let Some(text) = text {
            self.text(key, text.as_bytes());
        }
    }

    /// A number member.
    pub fn integer(&mut self, key: &'static str, value: Integer) {
        self.key(key);
        // Writing to a String cannot fail.
        let _ = write!(self.out, "{}", value.0);
    }

    /// A number member, if there is one.
    pub fn maybe_integer(&mut self, key: &'static str, value: Option<Integer>) {
        if let Some(value) = value {
            self.integer(key, value);
        }
    }

    /// An array of objects.
    pub fn objects<T>(
        &mut self,
        key: &'static str,
        items: &[T],
        mut fill: impl FnMut(&T, &mut ObjectWriter<'_>),
    ) {
        self.array(key, items, |item, out| {
            ObjectWriter::write(out, |w| fill(item, w));
        });
    }

    /// An object within this one.
    pub fn object(&mut self, key: &'static str, fill: impl FnOnce(&mut ObjectWriter<'_>)) {
        self.key(key);
        ObjectWriter::write(self.out, fill);
    }

    /// An array of strings.
    pub fn texts(&mut self, key: &'static str, items: &[Text]) {
        self.array(key, items, |item, out| write_text(out, item.as_bytes()));
    }

    fn array<T>(&mut self, key: &'static str, items: &[T], mut item: impl FnMut(&T, &mut String)) {
        self.key(key);
        self.out.push('[');
        for (i, value) in items.iter().enumerate() {
            if i > 0 {
                self.out.push(',');
            }
            item(value, self.out);
        }
        self.out.push(']');
    }
}

/// An integer that canonical JSON can carry: within ±(2^53-1).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Integer(i64);

impl Integer {
    /// Zero.
    pub const ZERO: Self = Self(0);

    /// The value.
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl From<i32> for Integer {
    fn from(value: i32) -> Self {
        Self(i64::from(value))
    }
}

impl From<u32> for Integer {
    fn from(value: u32) -> Self {
        Self(i64::from(value))
    }
}

impl TryFrom<i64> for Integer {
    type Error = CanonicalError;

    fn try_from(value: i64) -> Result<Self, CanonicalError> {
        if value.unsigned_abs() > INTEGER_MAX {
            return Err(CanonicalError::Number);
        }
        Ok(Self(value))
    }
}

impl TryFrom<u64> for Integer {
    type Error = CanonicalError;

    fn try_from(value: u64) -> Result<Self, CanonicalError> {
        i64::try_from(value)
            .map_err(|_| CanonicalError::Number)?
            .try_into()
    }
}

/// Text as it came: any bytes, usually UTF-8. Its `Debug` shows the length only, since it may name a
/// person.
#[derive(Clone, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Text(Vec<u8>);

impl Text {
    /// The bytes as they came.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text, where it is UTF-8.
    pub fn to_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    fn from_value(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Text(text) => Some(Self(text.into_owned().into_bytes())),
            Value::Object(members) => match members.as_slice() {
                [(key, Some(Value::Text(digits)))] if key == "base64" => {
                    let bytes = STANDARD.decode(digits.as_bytes()).ok()?;
                    // Text that is UTF-8 has its one spelling as a string.
                    std::str::from_utf8(&bytes).is_err().then_some(Self(bytes))
                }
                _ => None,
            },
            _ => None,
        }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text.into_bytes())
    }
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<&[u8]> for Text {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Text({} bytes)", self.0.len())
    }
}

fn write_text(out: &mut String, text: &[u8]) {
    match std::str::from_utf8(text) {
        Ok(text) => write_string(out, text),
        Err(_) => {
            out.push_str("{\"base64\":\"");
            STANDARD.encode_string(text, out);
            out.push_str("\"}");
        }
    }
}

/// RFC 8785 section 3.2.2.2: the seven short escapes, `\u00xx` in lower case for other controls, all
/// else as it is.
fn write_string(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    // Nearly all text needs no escape: one pass without branches, which vectorises, tells.
    let special = |c: u8| (c < b' ') | (c == b'"') | (c == b'\\');
    if !text.bytes().fold(false, |found, c| found | special(c)) {
        out.push_str(text);
        out.push('"');
        return;
    }
    // Everything to be escaped is ASCII, so its position is a character boundary.
    while let Some(at) = rest.bytes().position(special) {
        let (plain, tail) = rest.split_at(at);
        out.push_str(plain);
        let mut chars = tail.chars();
        match chars.next() {
            Some('"') => out.push_str("\\\""),
            Some('\\') => out.push_str("\\\\"),
            Some('\u{8}') => out.push_str("\\b"),
            Some('\t') => out.push_str("\\t"),
            Some('\n') => out.push_str("\\n"),
            Some('\u{c}') => out.push_str("\\f"),
            Some('\r') => out.push_str("\\r"),
            // Writing to a String cannot fail.
            Some(control) => drop(write!(out, "\\u{:04x}", u32::from(control))),
            None => {}
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

/// A canonical object being read: members are taken one by one, and none may be left.
pub struct ObjectReader<'a>(Vec<Member<'a>>);

impl<'a> ObjectReader<'a> {
    /// Reads bytes that must be one object in its canonical spelling.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, CanonicalError> {
        match spelling::object(bytes) {
            Some(members) => Ok(Self(members)),
            None => Err(flaw(bytes)),
        }
    }

    fn take(&mut self, key: &str) -> Option<Value<'a>> {
        let mut members = self.0.iter_mut();
        members.find(|(name, _)| name == key)?.1.take()
    }

    /// Takes a string member. `Err` when it is there and is not text.
    pub fn text(&mut self, key: &'static str) -> Result<Option<Text>, &'static str> {
        match self.take(key) {
            None => Ok(None),
            Some(value) => Text::from_value(value).map(Some).ok_or(key),
        }
    }

    /// Takes a number member. `Err` when it is there and is not an integer.
    pub fn integer(&mut self, key: &'static str) -> Result<Option<Integer>, &'static str> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Integer(number)) => Ok(Some(Integer(number))),
            Some(_) => Err(key),
        }
    }

    /// Takes an array of strings; absent is empty.
    pub fn texts(&mut self, key: &'static str) -> Result<Vec<Text>, &'static str> {
        let items = self.items(key)?.into_iter();
        items
            .map(|item| Text::from_value(item).ok_or(key))
            .collect()
    }

    /// Takes an array of objects; absent is empty.
    pub fn objects<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&mut ObjectReader) -> Result<T, &'static str>,
    ) -> Result<Vec<T>, &'static str> {
        let items = self.items(key)?.into_iter();
        items
            .map(|item| match item {
                Value::Object(members) => {
                    let mut reader = ObjectReader(members);
                    let value = read(&mut reader)?;
                    reader.end().map_err(|_| key)?;
                    Ok(value)
                }
                _ => Err(key),
            })
            .collect()
    }

    /// Takes an object member. `Err` when it is there and is none.
    pub fn object<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut ObjectReader) -> Result<T, &'static str>,
    ) -> Result<Option<T>, &'static str> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Object(members)) => {
                let mut reader = ObjectReader(members);
                let value = read(&mut reader)?;
                reader.end().map_err(|_| key)?;
                Ok(Some(value))
            }
            Some(_) => Err(key),
        }
    }

    fn items(&mut self, key: &'static str) -> Result<Vec<Value<'a>>, &'static str> {
        match self.take(key) {
            None => Ok(Vec::new()),
            // An empty array has its one spelling as no member.
            Some(Value::Array(items)) if !items.is_empty() => Ok(items),
            Some(_) => Err(key),
        }
    }

    /// The first member nobody took, if any.
    pub fn end(self) -> Result<(), String> {
        let left = self.0.into_iter().find(|(_, value)| value.is_some());
        left.map_or(Ok(()), |(key, _)| Err(Cow::into_owned(key)))
    }
}

/// What is wrong with bytes that are not canonical, told by another reader of JSON.
fn flaw(bytes: &[u8]) -> CanonicalError {
    // Which flaw it is, is not worth a tree of them all.
    if bytes.iter().filter(|octet| **octet == b',').count() > spelling::VALUES_MAX {
        return CanonicalError::NotCanonical;
    }
    fn of(value: &serde_json::Value) -> Option<CanonicalError> {
        match value {
            serde_json::Value::Number(number) => {
                let number = number.as_i64().map(Integer::try_from);
                (!matches!(number, Some(Ok(_)))).then_some(CanonicalError::Number)
            }
            serde_json::Value::Array(items) => items.iter().find_map(of),
            serde_json::Value::Object(members) => members.iter().find_map(|(key, value)| {
                let is_foreign = (!key.is_ascii()).then_some(CanonicalError::Key);
                is_foreign.or_else(|| of(value))
            }),
            _ => None,
        }
    }
    match serde_json::from_slice(bytes) {
        Err(_) => CanonicalError::NotJson,
        Ok(value) => of(&value).unwrap_or(CanonicalError::NotCanonical),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes_are_those_of_rfc_8785() {
        let mut out = String::new();
        write_string(
            &mut out,
            "€$\u{f}\nA'B\"\\\\\"/\u{8}\t\u{c}\r\u{7f}\u{2028}",
        );
        assert_eq!(
            out,
            "\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\\b\\t\\f\\r\u{7f}\u{2028}\""
        );
    }

    #[test]
    fn no_more_values_are_read_than_any_document_has() {
        let list = |values: usize| format!("{{\"a\":[{}1]}}", "1,".repeat(values - 1));
        // The object and the list are values too.
        let most = list(spelling::VALUES_MAX - 2);
        assert!(ObjectReader::parse(most.as_bytes()).is_ok());
        for over in [spelling::VALUES_MAX - 1, spelling::VALUES_MAX + 2] {
            let over = list(over);
            let refused = ObjectReader::parse(over.as_bytes());
            assert_eq!(refused.err(), Some(CanonicalError::NotCanonical));
        }
    }

    #[test]
    fn every_other_spelling_is_refused() {
        use CanonicalError::{Key, NotCanonical, NotJson, Number};
        let cases: [(&str, CanonicalError); 11] = [
            ("{\"b\":1,\"a\":2}", NotCanonical),
            ("{\"a\":1, \"b\":2}", NotCanonical),
            ("{\"a\":1,\"a\":1}", NotCanonical),
            ("{\"a\":\"\\u0041\"}", NotCanonical),
            ("{\"a\":\"\\/\"}", NotCanonical),
            ("[]", NotCanonical),
            ("{\"a\":1.5}", Number),
            ("{\"a\":9007199254740992}", Number),
            ("{\"a\":-9007199254740992}", Number),
            ("{\"è\":1}", Key),
            ("{\"a\":", NotJson),
        ];
        for (text, error) in cases {
            assert_eq!(
                ObjectReader::parse(text.as_bytes()).err(),
                Some(error),
                "{text}"
            );
        }
        assert!(ObjectReader::parse(b"{\"a\":9007199254740991,\"b\":-1}").is_ok());
    }

    #[test]
    fn text_that_is_not_utf8_keeps_its_bytes_and_has_one_spelling() {
        let mut out = String::new();
        ObjectWriter::write(&mut out, |w| {
            w.text("latin", b"citt\xe0");
            w.text("utf8", "città".as_bytes());
        });
        assert_eq!(
            out,
            "{\"latin\":{\"base64\":\"Y2l0dOA=\"},\"utf8\":\"città\"}"
        );
        let mut reader = ObjectReader::parse(out.as_bytes()).unwrap();
        assert_eq!(
            reader.text("latin").unwrap().unwrap().as_bytes(),
            b"citt\xe0"
        );
        assert_eq!(
            reader.text("utf8").unwrap().unwrap().to_str(),
            Some("città")
        );
        // The same text in the other spelling would have two canonical forms.
        let mut two = ObjectReader::parse(b"{\"a\":{\"base64\":\"YQ==\"}}").unwrap();
        assert_eq!(two.text("a"), Err("a"));
    }

    /// What the reader must agree with: read by others, written by us, compared.
    fn is_canonical(bytes: &[u8]) -> bool {
        let Ok(value) = serde_json::from_slice::<serde_json::Value>(bytes) else {
            return false;
        };
        let mut spelling = String::new();
        let written = write_value(&mut spelling, &value);
        value.is_object() && written.is_ok() && spelling.as_bytes() == bytes
    }

    fn write_value(out: &mut String, value: &serde_json::Value) -> Result<(), CanonicalError> {
        match value {
            serde_json::Value::Null => out.push_str("null"),
            serde_json::Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            serde_json::Value::Number(number) => {
                let number = number.as_i64().ok_or(CanonicalError::Number)?;
                let number = Integer::try_from(number)?;
                // Writing to a String cannot fail.
                let _ = write!(out, "{}", number.0);
            }
            serde_json::Value::String(text) => write_string(out, text),
            serde_json::Value::Array(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    write_value(out, item)?;
                }
                out.push(']');
            }
            serde_json::Value::Object(map) => {
                let mut keys: Vec<&String> = map.keys().collect();
                keys.sort();
                out.push('{');
                for (i, key) in keys.into_iter().enumerate() {
                    if !key.is_ascii() {
                        return Err(CanonicalError::Key);
                    }
                    if i > 0 {
                        out.push(',');
                    }
                    write_string(out, key);
                    out.push(':');
                    if let Some(value) = map.get(key) {
                        write_value(out, value)?;
                    }
                }
                out.push('}');
            }
        }
        Ok(())
    }

    /// An object as metadata have it, and beyond.
    fn value() -> impl Strategy<Value = serde_json::Value> {
        let limit = INTEGER_MAX as i64;
        let one = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            (-limit..=limit).prop_map(Into::into),
            (-2i64..3).prop_map(Into::into),
            ".{0,12}".prop_map(Into::into),
            "[\\x00-\\x22\\\\a\\u{e8}]{0,6}".prop_map(Into::into),
        ];
        let nested = one.prop_recursive(4, 24, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                proptest::collection::btree_map("[a-c]{0,3}", inner, 0..6)
                    .prop_map(|members| members.into_iter().collect::<serde_json::Value>()),
            ]
        });
        proptest::collection::btree_map("[a-z_]{1,8}", nested, 0..8)
            .prop_map(|members| members.into_iter().collect())
    }

    const PIECES: &[&str] = &[
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\"a\":",
        "\"b\":",
        "0",
        "-",
        "1",
        "9007199254740991",
        "9007199254740992",
        ".",
        "e1",
        " ",
        "\\",
        "\\n",
        "\\u0009",
        "\\u000f",
        "\\u000F",
        "\\u+00f",
        "\\u001",
        "\\u00e8",
        "\\/",
        "è",
        "\u{7f}",
        "\n",
        "null",
        "true",
        "false",
        "\"base64\":\"4A==\"",
    ];

    #[test]
    fn what_is_nested_deeper_than_any_document_is_refused() {
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(ObjectReader::parse(nested(60).as_bytes()).is_ok());
        for depth in [64, 100, 1_000_000] {
            assert!(ObjectReader::parse(nested(depth).as_bytes()).is_err());
        }
    }

    proptest! {
        #[test]
        fn strings_survive_and_agree_with_another_reader(text in ".*") {
            let mut out = String::new();
            write_string(&mut out, &text);
            let back: String = serde_json::from_str(&out).unwrap();
            prop_assert_eq!(back, text);
        }

        #[test]
        fn what_is_canonical_is_agreed_with_another_reader(
            value in value(),
            flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        ) {
            let mut spelling = String::new();
            write_value(&mut spelling, &value).unwrap();
            let mut bytes = spelling.into_bytes();
            for (at, octet) in flips {
                let at = at.index(bytes.len());
                bytes[at] = octet;
            }
            prop_assert_eq!(ObjectReader::parse(&bytes).is_ok(), is_canonical(&bytes));
        }

        #[test]
        fn pieces_of_json_are_agreed_with_another_reader(
            pieces in proptest::collection::vec(prop::sample::select(PIECES), 0..12),
        ) {
            let text = pieces.concat();
            for text in [text.clone(), format!("{{\"a\":{text}}}"), format!("{{\"a\":\"{text}\"}}")] {
                let read = ObjectReader::parse(text.as_bytes());
                prop_assert_eq!(read.is_ok(), is_canonical(text.as_bytes()), "{}", text);
            }
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = ObjectReader::parse(&bytes);
        }
    }
}
