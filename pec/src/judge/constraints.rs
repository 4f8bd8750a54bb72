//! Name constraints (RFC 5280 section 4.2.1.10), for the names that signers of mail have.
//!
//! The path library takes every constraint on directoryName or rfc822Name for violated; the authority of PEC has
//! both. So they are checked here, and for every certificate below the one that states them.
//!
//! # Invariants
//! 1. What is not understood is violated: other minima than zero, constraints of a kind that is not known on a
//!    name of that kind.
//! 2. A name of a kind with permitted subtrees must be in one; no name may be in an excluded one.
//! 3. Bounded, for anybody may make an authority and have it constrain: each name is read once, and more than
//!    [`COMPARISONS_MAX`] comparisons are not made, but taken for violated.

use super::ber::{self, Value};
use super::certificate::{Certificate, RFC822_NAME, text};
use std::borrow::Cow;

/// Subtrees in one extension: the real authority has some seventy.
const SUBTREES_MAX: usize = 2000;
/// Comparisons of a name of one certificate with a subtree: the real authority asks for some hundred.
const COMPARISONS_MAX: usize = 1 << 14;

const DNS_NAME: u8 = 0x82;
const DIRECTORY_NAME: u8 = 0xa4;
const IP_ADDRESS: u8 = 0x87;

/// Whether the names of a certificate satisfy the constraints of one above it.
pub(crate) fn allows(constraints: Value<'_>, certificate: &Certificate<'_>) -> bool {
    check(constraints, certificate).unwrap_or(false)
}

fn check(constraints: Value<'_>, certificate: &Certificate<'_>) -> Option<bool> {
    let mut inside = constraints.inside();
    let permitted = subtrees(inside.optional(ber::CONTEXT_0))?;
    let excluded = subtrees(inside.optional(ber::CONTEXT_1))?;
    if !inside.is_empty() {
        return None;
    }
    let subject = certificate.subject;
    let directory = (!subject.content.is_empty()).then_some((DIRECTORY_NAME, subject.whole));
    let addresses = certificate.subject_addresses().into_iter();
    let names = certificate.extensions.alt_names.iter();
    let names = names.map(|name| (name.tag, name.content));
    let names: Vec<_> = directory
        .into_iter()
        .chain(addresses.map(|address| (RFC822_NAME, address)))
        .chain(names)
        .collect();
    let subtrees = permitted.len() + excluded.len();
    if names.len().saturating_mul(subtrees) > COMPARISONS_MAX {
        return None;
    }
    let [permitted, excluded] = [permitted, excluded].map(Base::all);
    for (kind, name) in names {
        let of_kind = |base: &&Base<'_>| base.value.tag == kind;
        let mut permitted = permitted.iter().filter(of_kind).peekable();
        let mut excluded = excluded.iter().filter(of_kind).peekable();
        if permitted.peek().is_none() && excluded.peek().is_none() {
            continue;
        }
        let name = match kind {
            DIRECTORY_NAME => Name::Directory(directory_name(Value::first_of(name)?)?),
            _ => Name::Other(name),
        };
        let mut is_permitted = permitted.peek().is_none();
        for base in permitted {
            is_permitted |= base.holds(&name)?;
        }
        for base in excluded {
            is_permitted &= !base.holds(&name)?;
        }
        if !is_permitted {
            return Some(false);
        }
    }
    Some(true)
}

/// A name, read once.
enum Name<'a> {
    Directory(DirectoryName<'a>),
    Other(&'a [u8]),
}

/// The base of a subtree, read once.
struct Base<'a> {
    value: Value<'a>,
    /// Of a directoryName, unless it cannot be read.
    directory: Option<DirectoryName<'a>>,
}

impl<'a> Base<'a> {
    fn all(values: Vec<Value<'a>>) -> Vec<Self> {
        let bases = values.into_iter().map(|value| {
            let directory = (value.tag == DIRECTORY_NAME).then(|| value.inside().next());
            Self {
                value,
                directory: directory.flatten().and_then(directory_name),
            }
        });
        bases.collect()
    }

    /// Whether a name of the same kind is in the subtree; `None` where that cannot be told.
    fn holds(&self, name: &Name<'_>) -> Option<bool> {
        match name {
            Name::Directory(name) => Some(name.starts_with(self.directory.as_ref()?)),
            Name::Other(name) => is_within(self.value, name),
        }
    }
}

/// The bases of subtrees.
fn subtrees(value: Option<Value<'_>>) -> Option<Vec<Value<'_>>> {
    let Some(value) = value else {
        return Some(Vec::new());
    };
    let subtrees = value.inside().rest(SUBTREES_MAX)?;
    let mut bases = Vec::new();
    for subtree in subtrees {
        let mut inside = subtree.inside();
        bases.push(inside.next()?);
        let minimum = inside.optional(0x80);
        if minimum.is_some_and(|minimum| minimum.content != [0]) || !inside.is_empty() {
            return None;
        }
    }
    Some(bases)
}

/// Whether a name that is no directoryName is in the subtree of a base of its kind; `None` where that cannot be
/// told.
fn is_within(base: Value<'_>, name: &[u8]) -> Option<bool> {
    match base.tag {
        RFC822_NAME => address_is_within(base.content, name),
        DNS_NAME => Some(domain_is_within(base.content, name)),
        IP_ADDRESS => Some(ip_is_within(base.content, name)),
        _ => None,
    }
}

fn address_is_within(base: &[u8], address: &[u8]) -> Option<bool> {
    let at = address.iter().rposition(|c| *c == b'@')?;
    let (local, host) = (address.get(..at)?, address.get(at + 1..)?);
    if let Some(at) = base.iter().rposition(|c| *c == b'@') {
        let same_host = base.get(at + 1..)?.eq_ignore_ascii_case(host);
        return Some(same_host && base.get(..at)? == local);
    }
    if base.is_empty() {
        return None;
    }
    Some(match base.starts_with(b".") {
        true => ends_with(host, base) && host.len() > base.len(),
        false => base.eq_ignore_ascii_case(host),
    })
}

fn domain_is_within(base: &[u8], domain: &[u8]) -> bool {
    let base = base.strip_prefix(b".").unwrap_or(base);
    let dotted = [b".", base].concat();
    base.is_empty() || base.eq_ignore_ascii_case(domain) || ends_with(domain, &dotted)
}

fn ends_with(name: &[u8], suffix: &[u8]) -> bool {
    let at = name.len().checked_sub(suffix.len());
    at.and_then(|at| name.get(at..))
        .is_some_and(|end| end.eq_ignore_ascii_case(suffix))
}

/// A base is an address and its mask.
fn ip_is_within(base: &[u8], address: &[u8]) -> bool {
    let (network, mask) = base.split_at(base.len() / 2);
    let mut octets = network.iter().zip(mask).zip(address);
    network.len() == address.len() && octets.all(|((n, m), a)| n & m == a & m)
}

/// Whether two names are one. Software that writes a name again may choose another kind of string.
pub(crate) fn is_same_name(one: Value<'_>, other: Value<'_>) -> bool {
    let same = || Some(directory_name(one)? == directory_name(other)?);
    one.whole == other.whole || same() == Some(true)
}

/// The relative names of a directoryName, each a set: a subtree holds the names that begin with those of its base.
type DirectoryName<'a> = Vec<Vec<Attribute<'a>>>;

fn directory_name(name: Value<'_>) -> Option<DirectoryName<'_>> {
    let sets = name.inside().rest(SUBTREES_MAX)?.into_iter();
    sets.map(relative_name).collect()
}

/// Kind and value of an attribute.
type Attribute<'a> = (&'a [u8], Cow<'a, [u8]>);

/// The attributes of a relative name in a form that can be compared: RFC 5280 section 7.1, without case, with
/// single blanks, whatever the kind of string.
fn relative_name(set: Value<'_>) -> Option<Vec<Attribute<'_>>> {
    let mut attributes = Vec::new();
    for attribute in Some(set)
        .filter(|set| set.tag == ber::SET)?
        .inside()
        .rest(SUBTREES_MAX)?
    {
        let mut inside = Some(attribute).filter(|a| a.tag == ber::SEQUENCE)?.inside();
        let oid = inside.expect(ber::OID)?.content;
        let value = inside.next()?;
        if !inside.is_empty() {
            return None;
        }
        let value = match value.tag {
            // UTF8String, PrintableString, TeletexString, IA5String, BMPString.
            0x0c | 0x13 | 0x14 | 0x16 | 0x1e => {
                let words = text(value).to_ascii_lowercase();
                let words: Vec<&str> = words.split_ascii_whitespace().collect();
                Cow::Owned(words.join(" ").into_bytes())
            }
            _ => Cow::Borrowed(value.whole),
        };
        attributes.push((oid, value));
    }
    attributes.sort();
    Some(attributes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_held_against_hosts_domains_and_mailboxes() {
        for (base, address, expected) in [
            ("pec.example", "a@pec.example", true),
            ("PEC.example", "a@pec.EXAMPLE", true),
            ("pec.example", "a@x.pec.example", false),
            ("pec.example", "a@xpec.example", false),
            (".pec.example", "a@x.pec.example", true),
            (".pec.example", "a@pec.example", false),
            (".pec.example", "a@xpec.example", false),
            ("a@pec.example", "a@PEC.example", true),
            ("a@pec.example", "b@pec.example", false),
        ] {
            let within = address_is_within(base.as_bytes(), address.as_bytes());
            assert_eq!(within, Some(expected), "{base} {address}");
        }
        assert_eq!(address_is_within(b"pec.example", b"no address"), None);
        assert_eq!(address_is_within(b"", b"a@pec.example"), None);
    }

    #[test]
    fn hosts_and_networks_are_held_against_theirs() {
        assert!(domain_is_within(b"", b"a.example"));
        assert!(domain_is_within(b"example", b"a.example"));
        assert!(!domain_is_within(b"example", b"aexample"));
        assert!(ip_is_within(&[10, 0, 0, 0, 255, 0, 0, 0], &[10, 1, 2, 3]));
        assert!(!ip_is_within(&[10, 0, 0, 0, 255, 0, 0, 0], &[11, 1, 2, 3]));
        assert!(!ip_is_within(&[0; 32], &[10, 1, 2, 3]));
    }

    #[test]
    fn names_are_compared_without_case_blanks_and_kind_of_string() {
        let name = |kind: u8, text: &str| {
            let wrap = |tag: u8, bytes: &[u8]| {
                [&[tag, u8::try_from(bytes.len()).unwrap()][..], bytes].concat()
            };
            let value = wrap(kind, text.as_bytes());
            let attribute = wrap(0x30, &[&[6, 3, 0x55, 4, 10][..], &value].concat());
            wrap(0x30, &wrap(0x31, &attribute))
        };
        let within = |base: &[u8], of: &[u8]| {
            let read = |name| directory_name(Value::first_of(name).unwrap());
            Some(read(of)?.starts_with(&read(base)?))
        };
        let base = name(0x0c, "Gestore  Alfa");
        assert_eq!(within(&base, &name(0x13, "gestore alfa ")), Some(true));
        assert_eq!(within(&base, &name(0x13, "gestorealfa")), Some(false));
        assert_eq!(within(&base, &[0x30, 0]), Some(false));
        assert_eq!(within(&[0x30, 0], &base), Some(true));
    }
}
