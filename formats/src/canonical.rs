//! Canonical JSON: RFC 8785 (JCS), narrowed to what needs no floating point.
//!
//! # Invariants
//! 1. One value has one spelling: keys sorted, no white space, shortest escapes, integers only.
//! 2. Keys are ASCII, so that byte order and the UTF-16 order of RFC 8785 are the same.
//! 3. Integers lie within ±(2^53-1) (RFC 7493 section 2.2); a larger one is refused, never rounded.
//! 4. Text that is not UTF-8 is an object `{"base64":"…"}`: nothing is replaced, nothing is lost.

use crate::id::INTEGER_MAX;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::fmt::Write as _;

/// Why bytes are not canonical metadata. Corruption or a foreign writer; never retried.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CanonicalError {
    /// Not JSON at all.
    #[error("not json")]
    NotJson,
    /// JSON, but not in its one canonical spelling (order, spaces, escapes, repeated keys).
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

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(Self(text.as_bytes().to_vec())),
            Value::Object(map) => {
                let (key, value) = map.iter().next()?;
                let bytes = STANDARD.decode(value.as_str()?).ok()?;
                let only = map.len() == 1 && key == "base64";
                // Text that is UTF-8 has its one spelling as a string.
                (only && std::str::from_utf8(&bytes).is_err()).then_some(Self(bytes))
            }
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
pub(crate) fn write_string(out: &mut String, text: &str) {
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
pub struct ObjectReader(serde_json::Map<String, Value>);

impl ObjectReader {
    /// Reads bytes that must be one object in its canonical spelling.
    pub fn parse(bytes: &[u8]) -> Result<Self, CanonicalError> {
        let value: Value = serde_json::from_slice(bytes).map_err(|_| CanonicalError::NotJson)?;
        let mut spelling = String::with_capacity(bytes.len());
        write_value(&mut spelling, &value)?;
        match value {
            Value::Object(map) if spelling.as_bytes() == bytes => Ok(Self(map)),
            _ => Err(CanonicalError::NotCanonical),
        }
    }

    /// Takes a string member. `Err` when it is there and is not text.
    pub fn text(&mut self, key: &'static str) -> Result<Option<Text>, &'static str> {
        match self.0.remove(key) {
            None => Ok(None),
            Some(value) => Text::from_value(&value).map(Some).ok_or(key),
        }
    }

    /// Takes a number member. `Err` when it is there and is not an integer.
    pub fn integer(&mut self, key: &'static str) -> Result<Option<Integer>, &'static str> {
        match self.0.remove(key) {
            None => Ok(None),
            Some(value) => value.as_i64().map(|n| Some(Integer(n))).ok_or(key),
        }
    }

    /// Takes an array of strings; absent is empty.
    pub fn texts(&mut self, key: &'static str) -> Result<Vec<Text>, &'static str> {
        let items = self.items(key)?;
        items
            .iter()
            .map(|item| Text::from_value(item).ok_or(key))
            .collect()
    }

    /// Takes an array of objects; absent is empty.
    pub fn objects<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&mut ObjectReader) -> Result<T, &'static str>,
    ) -> Result<Vec<T>, &'static str> {
        let items = self.items(key)?;
        items
            .into_iter()
            .map(|item| match item {
                Value::Object(map) => {
                    let mut reader = ObjectReader(map);
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
        match self.0.remove(key) {
            None => Ok(None),
            Some(Value::Object(map)) => {
                let mut reader = ObjectReader(map);
                let value = read(&mut reader)?;
                reader.end().map_err(|_| key)?;
                Ok(Some(value))
            }
            Some(_) => Err(key),
        }
    }

    fn items(&mut self, key: &'static str) -> Result<Vec<Value>, &'static str> {
        match self.0.remove(key) {
            None => Ok(Vec::new()),
            // An empty array has its one spelling as no member.
            Some(Value::Array(items)) if !items.is_empty() => Ok(items),
            Some(_) => Err(key),
        }
    }

    /// The first member nobody took, if any.
    pub fn end(self) -> Result<(), String> {
        match self.0.into_iter().next() {
            None => Ok(()),
            Some((key, _)) => Err(key),
        }
    }
}

fn write_value(out: &mut String, value: &Value) -> Result<(), CanonicalError> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => {
            let number = number.as_i64().ok_or(CanonicalError::Number)?;
            let number = Integer::try_from(number)?;
            // Writing to a String cannot fail.
            let _ = write!(out, "{}", number.0);
        }
        Value::String(text) => write_string(out, text),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_value(out, item)?;
            }
            out.push(']');
        }
        Value::Object(map) => {
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

    proptest! {
        #[test]
        fn strings_survive_and_agree_with_another_reader(text in ".*") {
            let mut out = String::new();
            write_string(&mut out, &text);
            let back: String = serde_json::from_str(&out).unwrap();
            prop_assert_eq!(back, text);
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = ObjectReader::parse(&bytes);
        }
    }
}
