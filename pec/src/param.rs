//! Content types, dispositions, and their parameters.
//!
//! RFC 2045 section 5.1 with the liberties real mail takes: comments, blanks around `=`, RFC 2231
//! continuations and percent signs, RFC 2047 words inside quotes. Octets stay octets: a boundary is what
//! stands there, not what a charset makes of it.

use mail_parser::HeaderValue;
use mail_parser::parsers::MessageStream;

/// Parameters that are looked at; a header with more has them for no honest reason.
const PARAMETERS_MAX: usize = 64;
/// The longest file name that is decoded.
const NAME_BYTES_MAX: usize = 1024;

/// A structured value: `type/subtype` or a disposition, and its parameters.
pub(crate) struct Structured {
    /// What stands before the first semicolon, in lower case.
    pub value: Vec<u8>,
    parameters: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Structured {
    /// Reads an unfolded header value.
    pub(crate) fn parse(text: &[u8]) -> Self {
        let mut cursor = Cursor(text);
        let value = cursor
            .token(|c| matches!(c, b';' | b'('))
            .trim_ascii()
            .to_ascii_lowercase();
        let mut parameters = Vec::new();
        while parameters.len() < PARAMETERS_MAX && cursor.next_parameter() {
            let name = cursor
                .token(|c| matches!(c, b'=' | b';' | b'('))
                .trim_ascii()
                .to_ascii_lowercase();
            cursor.skip_blanks();
            if cursor.eat(b'=') {
                cursor.skip_blanks();
                let value = cursor.value();
                parameters.push((name, value));
            }
        }
        Self { value, parameters }
    }

    /// A parameter: plain, or put together by RFC 2231.
    pub(crate) fn parameter(&self, name: &str) -> Option<Vec<u8>> {
        let plain = self.exact(name).map(<[u8]>::to_vec);
        plain.or_else(|| self.extended(name))
    }

    /// Whether one of the spellings of a parameter, decoded, is this name, without case.
    pub(crate) fn is_named(&self, parameter: &str, name: &str) -> bool {
        let plain = self.exact(parameter).map(decode_words);
        let extended = self.extended(parameter);
        let same = |found: Vec<u8>| found.trim_ascii().eq_ignore_ascii_case(name.as_bytes());
        plain.is_some_and(same) || extended.is_some_and(same)
    }

    fn exact(&self, name: &str) -> Option<&[u8]> {
        let (_, value) = self
            .parameters
            .iter()
            .find(|(found, _)| found == name.as_bytes())?;
        Some(value)
    }

    /// RFC 2231: `name*`, or `name*0`, `name*1*`, … in the order of their numbers.
    fn extended(&self, name: &str) -> Option<Vec<u8>> {
        if !self.parameters.iter().any(|(name, _)| name.contains(&b'*')) {
            return None;
        }
        if let Some(value) = self.exact(&format!("{name}*")) {
            return Some(percent_decode(after_charset(value)));
        }
        let mut whole = None::<Vec<u8>>;
        for section in 0..PARAMETERS_MAX {
            let plain = self.exact(&format!("{name}*{section}"));
            let encoded = self.exact(&format!("{name}*{section}*")).map(|value| {
                let value = if section == 0 {
                    after_charset(value)
                } else {
                    value
                };
                percent_decode(value)
            });
            let Some(value) = plain.map(<[u8]>::to_vec).or(encoded) else {
                break;
            };
            whole.get_or_insert_default().extend(value);
        }
        whole
    }
}

/// What follows `charset'language'`. The charset is dropped: only ASCII names and boundaries matter here.
fn after_charset(value: &[u8]) -> &[u8] {
    let mut parts = value.splitn(3, |c| *c == b'\'');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(_), Some(_), Some(rest)) => rest,
        _ => value,
    }
}

fn percent_decode(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((first, tail)) = rest.split_first() {
        let pair = tail.first_chunk::<2>().filter(|_| *first == b'%');
        match pair.and_then(|pair| crate::transfer::hex_octet(*pair)) {
            Some(octet) => {
                out.push(octet);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    out
}

/// RFC 2047 words inside a parameter: forbidden there, and used there.
pub(crate) fn decode_words(value: &[u8]) -> Vec<u8> {
    if value.len() > NAME_BYTES_MAX || memchr::memmem::find(value, b"=?").is_none() {
        return value.to_vec();
    }
    let line = [value, b"\n"].concat();
    match MessageStream::new(&line).parse_unstructured() {
        HeaderValue::Text(text) => text.into_owned().into_bytes(),
        _ => value.to_vec(),
    }
}

/// The longest field whose words are decoded.
const FIELD_BYTES_MAX: usize = 4 << 10;

/// A field of free text, its RFC 2047 words decoded. What is in no charset that is known, or in none at all, has
/// U+FFFD in its place.
pub(crate) fn decoded(value: &[u8]) -> String {
    let has_words = memchr::memmem::find(value, b"=?").is_some();
    if has_words && value.len() <= FIELD_BYTES_MAX {
        let line = [value, b"\n"].concat();
        if let HeaderValue::Text(text) = MessageStream::new(&line).parse_unstructured() {
            return text.into_owned();
        }
    }
    String::from_utf8_lossy(value).into_owned()
}

/// What of a value has not been read yet.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    /// Everything up to a stop, or the end.
    fn token(&mut self, is_stop: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.0.iter().position(|c| is_stop(*c));
        let (token, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        self.0 = rest;
        token
    }

    fn eat(&mut self, octet: u8) -> bool {
        let rest = self.0.strip_prefix(&[octet]);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// Skips white space and comments. A comment that does not end runs to the end of the value.
    fn skip_blanks(&mut self) {
        loop {
            self.0 = self.0.trim_ascii_start();
            if !self.eat(b'(') {
                return;
            }
            let mut depth = 1usize;
            while depth > 0 {
                let Some((first, rest)) = self.0.split_first() else {
                    return;
                };
                self.0 = rest;
                match first {
                    b'\\' => self.0 = rest.get(1..).unwrap_or_default(),
                    b'(' => depth += 1,
                    b')' => depth -= 1,
                    _ => {}
                }
            }
        }
    }

    /// Goes to the next parameter, if there is one.
    fn next_parameter(&mut self) -> bool {
        loop {
            self.skip_blanks();
            if self.0.is_empty() {
                return false;
            }
            if self.eat(b';') {
                self.skip_blanks();
                return !self.0.is_empty();
            }
            // Text where none belongs: on to the semicolon, if any.
            let stops = |c| matches!(c, b';' | b'(');
            if self.token(stops).is_empty() && self.0.is_empty() {
                return false;
            }
        }
    }

    /// A quoted string, or everything up to a blank or a semicolon.
    fn value(&mut self) -> Vec<u8> {
        if !self.eat(b'"') {
            let stops = |c| matches!(c, b';' | b' ' | b'\t' | b'\r' | b'\n');
            return self.token(stops).to_vec();
        }
        let mut out = Vec::new();
        loop {
            out.extend_from_slice(self.token(|c| matches!(c, b'"' | b'\\')));
            match self.0 {
                [b'\\', escaped, rest @ ..] => {
                    out.push(*escaped);
                    self.0 = rest;
                }
                // The closing quote, or a value that ends without one.
                [_, rest @ ..] => {
                    self.0 = rest;
                    return out;
                }
                [] => return out,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boundary(text: &str) -> Option<String> {
        let boundary = Structured::parse(text.as_bytes()).parameter("boundary")?;
        Some(String::from_utf8_lossy(&boundary).into_owned())
    }

    #[test]
    fn boundaries_are_read_in_every_spelling() {
        for text in [
            "multipart/signed; boundary=abc",
            "multipart/signed; micalg=sha1;boundary=\"abc\"",
            "Multipart/Signed ;protocol=\"x;boundary=no\"; BOUNDARY = abc ; x=y",
            "multipart/signed (a comment; boundary=no); (and another) boundary=abc (end)",
            "multipart/signed; x; boundary=abc",
            "multipart/signed;; boundary=\"a\\bc\"",
            "multipart/signed; boundary*=us-ascii'it'a%62c",
            "multipart/signed; boundary*1=c; boundary*0*=us-ascii''a%62",
            "multipart/signed; \t boundary=\"abc",
        ] {
            assert_eq!(boundary(text).as_deref(), Some("abc"), "{text}");
            assert_eq!(
                Structured::parse(text.as_bytes()).value,
                b"multipart/signed"
            );
        }
        assert_eq!(
            boundary("multipart/signed; boundary=\"\"").as_deref(),
            Some("")
        );
        assert_eq!(boundary("multipart/signed; x=(boundary=a"), None);
    }

    #[test]
    fn names_are_recognised_encoded_or_not() {
        for text in [
            "inline; filename=daticert.xml",
            "inline; filename=\"DatiCert.XML\"",
            "inline; filename=\" daticert.xml \"",
            "inline; filename=\"=?UTF-8?Q?daticert=2Exml?=\"",
            "inline; filename=\"=?us-ascii?B?ZGF0aWNlcnQueG1s?=\"",
            "inline; filename*=UTF-8''daticert%2Exml",
            "inline; filename*0=dati; filename*1=cert.xml",
        ] {
            let structured = Structured::parse(text.as_bytes());
            assert!(structured.is_named("filename", "daticert.xml"), "{text}");
        }
        for text in [
            "",
            "inline",
            "inline; filename=xdaticert.xml",
            "inline; name=daticert.xml",
        ] {
            let structured = Structured::parse(text.as_bytes());
            assert!(!structured.is_named("filename", "daticert.xml"), "{text}");
        }
    }

    #[test]
    fn a_header_of_parameters_without_end_is_read_in_bounds() {
        let text = "a/b; x=1".to_owned() + &"; n=1".repeat(10_000) + "; boundary=late";
        let structured = Structured::parse(text.as_bytes());
        assert_eq!(structured.parameters.len(), PARAMETERS_MAX);
        assert_eq!(structured.parameter("boundary"), None);
    }
}
