//! The one spelling, read: borrowed from the octets wherever they are the text itself.
//!
//! What is read here is canonical by construction: every rule of the spelling is a rule of the reader, so nothing is
//! written again to be compared. Every record of a package, of `fsck` and of a search is read once by this.

use crate::id::INTEGER_MAX;
use std::borrow::Cow;

/// How deep a value may be nested: no canonical document of ours comes near it.
const DEPTH_MAX: usize = 64;
/// The most values of one document: four times what the longest catalogue has. Two octets of anybody's shall not become
/// the thirty-two of a value without end.
pub(super) const VALUES_MAX: usize = 1 << 20;

/// A value in its canonical spelling.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Value<'a> {
    /// `null`, `true`, `false`: no document of ours has any.
    Other,
    /// Within ±(2^53-1).
    Integer(i64),
    Text(Cow<'a, str>),
    Array(Vec<Value<'a>>),
    Object(Vec<Member<'a>>),
}

/// A member of an object; `None` where its value was taken.
pub(super) type Member<'a> = (Cow<'a, str>, Option<Value<'a>>);

/// The object that the octets are, spelt as it must be; `None` where they are anything else.
pub(super) fn object(octets: &[u8]) -> Option<Vec<Member<'_>>> {
    let mut cursor = Cursor {
        rest: std::str::from_utf8(octets).ok()?,
        values_left: VALUES_MAX,
    };
    let value = cursor.value(0)?;
    match value {
        Value::Object(members) if cursor.rest.is_empty() => Some(members),
        _ => None,
    }
}

/// What is still to be read.
struct Cursor<'a> {
    rest: &'a str,
    values_left: usize,
}

impl<'a> Cursor<'a> {
    fn eat(&mut self, token: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(token)?;
        Some(())
    }

    fn value(&mut self, depth: usize) -> Option<Value<'a>> {
        self.values_left = self.values_left.checked_sub(1)?;
        match self.rest.as_bytes().first()? {
            b'"' => self.text().map(Value::Text),
            b'{' => self.members(depth).map(Value::Object),
            b'[' => self.items(depth).map(Value::Array),
            b'-' | b'0'..=b'9' => self.integer().map(Value::Integer),
            _ => ["null", "true", "false"]
                .iter()
                .find_map(|word| self.eat(word))
                .map(|()| Value::Other),
        }
    }

    fn members(&mut self, depth: usize) -> Option<Vec<Member<'a>>> {
        self.eat("{")?;
        let mut members: Vec<Member<'a>> = Vec::new();
        if depth == DEPTH_MAX || self.eat("}").is_some() {
            return (depth < DEPTH_MAX).then_some(members);
        }
        loop {
            let key = self.text()?;
            let rises = members.last().is_none_or(|(before, _)| *before < key);
            if !rises || !key.is_ascii() {
                return None;
            }
            self.eat(":")?;
            members.push((key, Some(self.value(depth + 1)?)));
            match self.eat(",") {
                Some(()) => {}
                None => return self.eat("}").map(|()| members),
            }
        }
    }

    fn items(&mut self, depth: usize) -> Option<Vec<Value<'a>>> {
        self.eat("[")?;
        let mut items = Vec::new();
        if depth == DEPTH_MAX || self.eat("]").is_some() {
            return (depth < DEPTH_MAX).then_some(items);
        }
        loop {
            items.push(self.value(depth + 1)?);
            match self.eat(",") {
                Some(()) => {}
                None => return self.eat("]").map(|()| items),
            }
        }
    }

    /// No leading zero, no `-0`, no fraction, no exponent.
    fn integer(&mut self) -> Option<i64> {
        let sign = usize::from(self.rest.starts_with('-'));
        let rest = self.rest.as_bytes().get(sign..)?;
        let digits = rest.iter().take_while(|c| c.is_ascii_digit()).count();
        let is_plain = rest.first() != Some(&b'0') || (digits == 1 && sign == 0);
        let (number, rest) = self.rest.split_at_checked(sign + digits)?;
        let number: i64 = number.parse().ok()?;
        self.rest = rest;
        (is_plain && number.unsigned_abs() <= INTEGER_MAX).then_some(number)
    }

    fn text(&mut self) -> Option<Cow<'a, str>> {
        self.eat("\"")?;
        let mut text = Cow::Borrowed("");
        loop {
            let special = |c: u8| (c < b' ') | (c == b'"') | (c == b'\\');
            let at = self.rest.bytes().position(special)?;
            let (plain, rest) = self.rest.split_at_checked(at)?;
            self.rest = rest;
            match text.is_empty() {
                true => text = Cow::Borrowed(plain),
                false => text.to_mut().push_str(plain),
            }
            if self.eat("\"").is_some() {
                return Some(text);
            }
            self.eat("\\")?;
            text.to_mut().push(self.escaped()?);
        }
    }

    /// RFC 8785 section 3.2.2.2: a short escape where there is one, `\u00xx` in lower case for the other controls.
    fn escaped(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let escaped = match chars.next()? {
            c @ ('"' | '\\') => c,
            'b' => '\u{8}',
            't' => '\t',
            'n' => '\n',
            'f' => '\u{c}',
            'r' => '\r',
            'u' => {
                let digits = chars.as_str().get(..4)?;
                let is_lower = !digits.bytes().any(|c| c.is_ascii_uppercase() || c == b'+');
                let control = u8::from_str_radix(digits, 16).ok().filter(|_| is_lower)?;
                chars.nth(3);
                let has_short = matches!(control, 8 | 9 | 10 | 12 | 13);
                (control < b' ' && !has_short).then_some(char::from(control))?
            }
            _ => return None,
        };
        self.rest = chars.as_str();
        Some(escaped)
    }
}
