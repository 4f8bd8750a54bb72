//! Brief delivery receipts: hashes in the place of attachments, and what an original makes of them.
//!
//! In the copy that a *ricevuta breve* holds, every part with a file name is replaced by its SHA-1, forty
//! hexadecimal digits in a part named as the original with `.hash` at the end (RFC 6109 section 3.3.2.2). Over which
//! octets is not declared anywhere: decoded, or as encoded, with lines in CR LF or in LF. All are tried.
//!
//! # Invariants
//! 1. Linear: each part of the original is hashed a fixed number of times, however many hashes there are.
//! 2. A match is of octets, a name is a hint: a part that matches under another name matches, and it is said.
//! 3. What the receipt does not speak of is said too: an attachment added later to an "original" has no hash.
//!
//! # Not here
//! The parts that stand in clear, the text above all: they are compared by reading. Nor the age of SHA-1: a match
//! says that these octets have the hash that the receipt certifies, and no more.

use crate::mime::{self, Part, comparable};
use crate::reading::{Reading, cut};
use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use ceralacca_formats::canonical::Text;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The most octets of a part that holds a hash, as encoded: forty digits and some liberty.
const HASH_PART_BYTES_MAX: usize = 1024;
/// The end of the name of a part that holds a hash.
const HASH_SUFFIX: &[u8] = b".hash";

/// A SHA-1, as brief receipts have it.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Sha1([u8; 20]);

impl Sha1 {
    /// From forty hexadecimal digits of either case, and nothing else.
    pub fn from_hex(digits: &[u8]) -> Option<Self> {
        let mut octets = [0; 20];
        let (pairs, rest) = digits.as_chunks::<2>();
        if pairs.len() != octets.len() || !rest.is_empty() {
            return None;
        }
        for (octet, pair) in octets.iter_mut().zip(pairs) {
            *octet = crate::transfer::hex_octet(*pair)?;
        }
        Some(Self(octets))
    }

    /// The octets.
    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }

    fn finish(context: Context) -> Self {
        let mut octets = [0; 20];
        for (to, from) in octets.iter_mut().zip(context.finish().as_ref()) {
            *to = *from;
        }
        Self(octets)
    }
}

impl fmt::Display for Sha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl fmt::Debug for Sha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha1:{self}")
    }
}

/// What a brief receipt says of the original.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Brief {
    /// The parts that were replaced, in order.
    pub hashes: Vec<Hashed>,
    /// Whether the original was encrypted or signed opaquely: then nothing is replaced, and the brief receipt
    /// is a complete one.
    pub is_opaque: bool,
    /// Whether the whole copy was looked at: `false` where it has more parts, or deeper ones, than are followed.
    pub is_complete: bool,
}

/// A part that was replaced by its hash.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hashed {
    /// The name it had, as it came, without `.hash`.
    pub name: Text,
    /// The hash; `None` where the part holds anything but forty hexadecimal digits.
    pub sha1: Option<Sha1>,
}

/// Which octets have the hash.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Input {
    /// The part, decoded. A part without encoding, such as an attached message, as it stands.
    Decoded,
    /// The part as encoded, its lines ended by CR LF.
    EncodedCrlf,
    /// The part as encoded, its lines ended by LF.
    EncodedLf,
}

/// What became of one hash.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// A part of the original has it.
    Matches {
        /// Over which octets.
        input: Input,
        /// Whether the line break before the delimiter was taken in, which is not the part's.
        with_last_break: bool,
        /// Whether that part has the name that the receipt says.
        has_that_name: bool,
    },
    /// The original has a part of that name, and no input gives the hash.
    Differs,
    /// The original has no part of that name, and none with that hash.
    Missing,
    /// The receipt states no hash where one should be.
    NoHash,
}

/// An original, held against a brief receipt.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Comparison {
    /// For each of [`Brief::hashes`], in order.
    pub outcomes: Vec<Outcome>,
    /// Names of parts of the original of which no hash of the receipt speaks, as they came.
    pub uncovered: Vec<Text>,
    /// Whether the whole original was looked at.
    pub is_complete: bool,
}

impl Brief {
    /// Reads a brief receipt: the copy of the original among the octets of the message that `reading` is of.
    ///
    /// `None` where the message is no brief receipt ([`Reading::is_brief`]), or has no copy.
    pub fn of_message(bytes: &[u8], reading: &Reading) -> Option<Self> {
        let postacert = reading.postacert.as_ref().filter(|_| reading.is_brief())?;
        Some(Self::read(cut(bytes, postacert)?))
    }

    /// Reads the copy of the original that a brief receipt holds (`postacert.eml`).
    pub fn read(postacert: &[u8]) -> Self {
        let mut hashes = Vec::new();
        let is_complete = mime::walk(postacert, |part| hashes.extend(hashed(&part)));
        Self {
            hashes,
            is_opaque: is_opaque_cms(&Part::of(postacert)),
            is_complete,
        }
    }

    /// Holds an original against the hashes.
    pub fn compare(&self, original: &[u8]) -> Comparison {
        let mut candidates = Candidates::default();
        let is_complete = mime::walk(original, |part| candidates.add(&part));
        let mut spoken_of = BTreeSet::new();
        let outcomes = self
            .hashes
            .iter()
            .map(|hashed| candidates.outcome(hashed, &mut spoken_of));
        let outcomes = outcomes.collect();
        let names = candidates.names.iter().enumerate();
        let uncovered = names.filter(|(at, _)| !spoken_of.contains(at));
        Comparison {
            outcomes,
            uncovered: uncovered
                .filter_map(|(_, names)| names.first().cloned())
                .map(Text::from)
                .collect(),
            is_complete,
        }
    }
}

/// The part as one that was replaced, if it is one.
fn hashed(part: &Part<'_>) -> Option<Hashed> {
    let name = part.names().find_map(|name| original_name(&name))?;
    let is_short = part.body.len() <= HASH_PART_BYTES_MAX;
    let text = is_short.then(|| part.decoded()).flatten();
    Some(Hashed {
        name: name.into(),
        sha1: text.and_then(|text| Sha1::from_hex(text.trim_ascii())),
    })
}

/// A name without `.hash`, as it came; where that stands inside an RFC 2047 word, decoded.
fn original_name(name: &[u8]) -> Option<Vec<u8>> {
    let strip = |name: &[u8]| {
        let (name, end) = name.split_at_checked(name.len().checked_sub(HASH_SUFFIX.len())?)?;
        end.eq_ignore_ascii_case(HASH_SUFFIX).then(|| name.to_vec())
    };
    strip(name.trim_ascii_end()).or_else(|| strip(&comparable(name)))
}

/// Of a message that is one of these nothing is replaced (RFC 6109 section 3.3.2.2); a signed file attached to
/// a message is an attachment as any other.
fn is_opaque_cms(part: &Part<'_>) -> bool {
    let types: [&[u8]; 2] = [b"application/pkcs7-mime", b"application/x-pkcs7-mime"];
    types.contains(&part.content_type.value.as_slice())
}

/// Parts of the original that may have been replaced.
#[derive(Default)]
struct Candidates {
    /// The names of each, as they came.
    names: Vec<Vec<Vec<u8>>>,
    /// Comparable names, and the parts that have them.
    by_name: BTreeMap<Vec<u8>, Vec<usize>>,
    /// Hashes, and part and input that give them; of several inputs of a part the first.
    by_hash: BTreeMap<Sha1, BTreeMap<usize, (Input, bool)>>,
}

impl Candidates {
    /// Takes a leaf of the original: a named part, or an attached message.
    fn add(&mut self, part: &Part<'_>) {
        let names: Vec<Vec<u8>> = part.names().collect();
        if names.is_empty() && !part.is_message() {
            return;
        }
        let at = self.names.len();
        for (hash, input, with_last_break) in hashes(part) {
            let parts = self.by_hash.entry(hash).or_default();
            parts.entry(at).or_insert((input, with_last_break));
        }
        for name in &names {
            self.by_name.entry(comparable(name)).or_default().push(at);
        }
        self.names.push(names);
    }

    fn outcome(&self, hashed: &Hashed, spoken_of: &mut BTreeSet<usize>) -> Outcome {
        let Some(sha1) = &hashed.sha1 else {
            return Outcome::NoHash;
        };
        let name = comparable(hashed.name.as_bytes());
        let named = self.by_name.get(&name).map_or(&[][..], Vec::as_slice);
        let Some(parts) = self.by_hash.get(sha1) else {
            spoken_of.extend(named);
            return if named.is_empty() {
                Outcome::Missing
            } else {
                Outcome::Differs
            };
        };
        // Of equal parts each hash takes one that no other has taken, by its name if it can.
        let is_free = |at: &&usize| parts.contains_key(at) && !spoken_of.contains(at);
        let of_name = named.iter().find(is_free);
        let of_name = of_name.or_else(|| named.iter().find(|at| parts.contains_key(at)));
        let any = || parts.keys().find(is_free).or_else(|| parts.keys().next());
        let at = of_name.or_else(any).copied();
        spoken_of.extend(at);
        let found = at.and_then(|at| parts.get(&at));
        found.map_or(Outcome::Differs, |(input, with_last_break)| {
            Outcome::Matches {
                input: *input,
                with_last_break: *with_last_break,
                has_that_name: of_name.is_some(),
            }
        })
    }
}

/// Every hash that a receipt may have of a part, likelier ones first.
fn hashes(part: &Part<'_>) -> Vec<(Sha1, Input, bool)> {
    let mut hashes = Vec::with_capacity(5);
    if let Some(decoded) = part.decoded() {
        let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
        context.update(&decoded);
        hashes.push((Sha1::finish(context), Input::Decoded, false));
    }
    let endings: [(&[u8], Input); 2] = [(b"\r\n", Input::EncodedCrlf), (b"\n", Input::EncodedLf)];
    for (ending, input) in endings {
        let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
        for line in part.body.split_inclusive(|c| *c == b'\n') {
            match line.strip_suffix(b"\n") {
                Some(text) => {
                    context.update(text.strip_suffix(b"\r").unwrap_or(text));
                    context.update(ending);
                }
                None => context.update(line),
            }
        }
        let mut longer = context.clone();
        longer.update(ending);
        hashes.push((Sha1::finish(context), input, false));
        hashes.push((Sha1::finish(longer), input, true));
    }
    hashes
}

#[cfg(test)]
mod tests {
    use super::*;
    use ceralacca_synthetic::mail::{
        Attachment, Family, HashInput, MessageKind, Original, PkiOptions, Plan, Postal,
        ReceiptForm, Story, as_lf,
    };
    use proptest::prelude::*;
    use std::sync::LazyLock;

    static POSTAL: LazyLock<Postal> =
        LazyLock::new(|| Postal::new(&PkiOptions::default(), 1_767_225_600_000).unwrap());

    fn brief_plan(input: HashInput) -> Plan {
        Plan {
            story: Story::Delivered,
            form: ReceiptForm::Brief,
            hash_input: input,
            attachments: vec![3000, 1, 0, 57, 58],
            ..POSTAL.plan(5)
        }
    }

    fn matches(input: Input) -> Outcome {
        Outcome::Matches {
            input,
            with_last_break: false,
            has_that_name: true,
        }
    }

    /// The forty digits of the SHA-1 of these octets.
    fn digits(octets: &[u8]) -> String {
        let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
        context.update(octets);
        Sha1::finish(context).to_string()
    }

    fn copy(parts: &[(&str, &str)]) -> String {
        let mut out =
            "Content-Type: multipart/mixed; boundary=B\r\n\r\n--B\r\n\r\ntesto\r\n".to_owned();
        for (head, body) in parts {
            out += &format!("--B\r\n{head}\r\n\r\n{body}\r\n");
        }
        out + "--B--\r\n"
    }

    fn named(name: &str) -> String {
        format!("Content-Type: text/plain; name=\"{name}\"")
    }

    fn brief(parts: &[(&str, &str)]) -> Brief {
        Brief::read(copy(parts).as_bytes())
    }

    #[test]
    fn a_sha_1_is_forty_digits_of_either_case() {
        let digits = digits(b"abc");
        assert_eq!(digits, "a9993e364706816aba3e25717850c26c9cd0d89d");
        let sha1 = Sha1::from_hex(digits.as_bytes());
        assert_eq!(Sha1::from_hex(digits.to_ascii_uppercase().as_bytes()), sha1);
        assert_eq!(format!("{:?}", sha1.unwrap()), format!("sha1:{digits}"));
        for wrong in [
            "",
            "a9",
            &digits[1..],
            &(digits.clone() + "0"),
            &digits.replace('e', "g"),
        ] {
            assert_eq!(Sha1::from_hex(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn brief_receipts_match_their_original_in_each_of_the_three_inputs() {
        for (hashed, expected) in [
            (HashInput::Decoded, Input::Decoded),
            (HashInput::EncodedCrlf, Input::EncodedCrlf),
            (HashInput::EncodedLf, Input::EncodedLf),
        ] {
            for seed in 0..6 {
                let transaction = POSTAL.carry_out(seed, &brief_plan(hashed));
                let receipt = transaction.first(MessageKind::DeliveryBrief).unwrap();
                let range = crate::read(&receipt.bytes).postacert.unwrap();
                let brief = Brief::read(&receipt.bytes[range.start as usize..range.end as usize]);
                assert_eq!(brief.hashes.len(), transaction.original.attachments.len());
                assert!(brief.is_complete && !brief.is_opaque);
                let submitted = transaction.original.as_submitted();
                let sent = transaction.original.as_sent(&transaction.identificativo);
                for original in [&submitted[..], &sent, &as_lf(&submitted)] {
                    let comparison = brief.compare(original);
                    for (at, outcome) in comparison.outcomes.iter().enumerate() {
                        let attachment = &transaction.original.attachments[at];
                        // One line of base64, or none, is the same however lines end.
                        let expected = match (expected, attachment.content.len()) {
                            (_, 0) => Input::Decoded,
                            (Input::EncodedLf, 0..=57) => Input::EncodedCrlf,
                            (expected, _) => expected,
                        };
                        assert_eq!(*outcome, matches(expected), "{hashed:?} {at}");
                    }
                    assert_eq!(
                        (comparison.uncovered, comparison.is_complete),
                        (vec![], true)
                    );
                }
            }
        }
    }

    #[test]
    fn a_brief_receipt_gives_its_hashes_and_no_other_message_does() {
        for family in Family::ALL {
            for message in POSTAL.one_of_each_type(family) {
                let reading = crate::read(&message.bytes);
                let brief = Brief::of_message(&message.bytes, &reading);
                let is_brief = message.kind() == MessageKind::DeliveryBrief;
                assert_eq!((reading.is_brief(), brief.is_some()), (is_brief, is_brief));
                assert!(brief.is_none_or(|brief| !brief.hashes.is_empty()));
                assert_eq!(Brief::of_message(b"", &reading), None);
            }
        }
    }

    #[test]
    fn an_attached_message_is_hashed_whole() {
        let inner = b"From: a@example.test\r\nContent-Type: multipart/mixed; boundary=B\r\n\r\n--B\r\n\r\nx\r\n--B--\r\n";
        for (hashed, expected) in [
            (HashInput::Decoded, Input::Decoded),
            (HashInput::EncodedCrlf, Input::Decoded),
            (HashInput::EncodedLf, Input::EncodedLf),
        ] {
            let plan = Plan {
                attachments: vec![],
                also_attached: vec![Attachment::new(
                    "inoltro.eml",
                    "message/rfc822",
                    inner.to_vec(),
                )],
                ..brief_plan(hashed)
            };
            let transaction = POSTAL.carry_out(1, &plan);
            let copy = transaction
                .original
                .brief(&transaction.identificativo, hashed);
            let brief = Brief::read(&copy);
            assert_eq!(brief.hashes[0].name, "inoltro.eml".into());
            let comparison = brief.compare(&transaction.original.as_submitted());
            assert_eq!(comparison.outcomes, [matches(expected)]);
        }
    }

    #[test]
    fn a_changed_attachment_differs_and_a_missing_one_is_missing() {
        let transaction = POSTAL.carry_out(2, &brief_plan(HashInput::Decoded));
        let Original { attachments, .. } = &transaction.original;
        let copy = transaction
            .original
            .brief(&transaction.identificativo, HashInput::Decoded);
        let brief = Brief::read(&copy);
        let mut changed = transaction.original.clone();
        changed.attachments[0].content[100] ^= 1;
        changed.attachments[3].name = b"altro nome.pdf".to_vec();
        changed.attachments.remove(4);
        changed
            .attachments
            .push(Attachment::new("aggiunto.pdf", "application/pdf", vec![1]));
        let comparison = brief.compare(&changed.as_submitted());
        assert_eq!(comparison.outcomes[0], Outcome::Differs);
        assert_eq!(comparison.outcomes[1], matches(Input::Decoded));
        assert_eq!(
            comparison.outcomes[3],
            Outcome::Matches {
                input: Input::Decoded,
                with_last_break: false,
                has_that_name: false
            }
        );
        assert_eq!(comparison.outcomes[4], Outcome::Missing);
        assert_eq!(comparison.uncovered, ["aggiunto.pdf".into()]);
        assert_eq!(attachments.len(), 5);
    }

    #[test]
    fn the_last_line_break_may_have_been_hashed_too() {
        let part = |body: &str| copy(&[(&named("a.txt"), body)]);
        for (octets, input) in [
            ("uno\r\ndue\r\n", Input::EncodedCrlf),
            ("uno\ndue\n", Input::EncodedLf),
        ] {
            let brief = brief(&[(&named("a.txt.hash"), &digits(octets.as_bytes()))]);
            assert_eq!(
                brief.compare(part("uno\r\ndue").as_bytes()).outcomes,
                [Outcome::Matches {
                    input,
                    with_last_break: true,
                    has_that_name: true
                }]
            );
        }
    }

    #[test]
    fn names_are_compared_decoded_and_hash_may_stand_inside_the_word() {
        let hash = digits(b"x");
        for (original, replaced) in [
            ("=?UTF-8?Q?n=C2=B0.pdf?=", "=?UTF-8?Q?n=C2=B0.pdf?=.hash"),
            (
                "=?UTF-8?Q?n=C2=B0.pdf?=",
                "=?UTF-8?Q?n=C2=B0=2Epdf=2Ehash?=",
            ),
            ("=?UTF-8?B?bsKwLnBkZg==?=", "n°.pdf.HASH"),
            ("a.pdf", "a.pdf.hash "),
            ("a.hash", "a.hash.hash"),
        ] {
            let brief = brief(&[(&named(replaced), &hash)]);
            let comparison = brief.compare(copy(&[(&named(original), "x")]).as_bytes());
            assert_eq!(comparison.outcomes, [matches(Input::Decoded)], "{replaced}");
        }
        let disposition = "Content-Disposition: attachment; filename=a.pdf.hash";
        assert_eq!(
            brief(&[(disposition, &hash)]).hashes[0].name,
            "a.pdf".into()
        );
    }

    #[test]
    fn equal_parts_each_take_a_hash() {
        let hash = digits(b"x");
        let brief = brief(&[
            (&named("a.hash"), &hash),
            (&named("a.hash"), &hash),
            (&named("b.hash"), &hash),
        ]);
        let original = copy(&[(&named("a"), "x"), (&named("b"), "x"), (&named("a"), "x")]);
        let comparison = brief.compare(original.as_bytes());
        assert_eq!(
            comparison.outcomes,
            [(); 3].map(|()| matches(Input::Decoded))
        );
        assert_eq!(comparison.uncovered, []);
    }

    #[test]
    fn what_is_no_hash_is_said_to_be_none() {
        let hash = digits(b"x");
        for body in [
            "",
            "testo",
            &hash[1..],
            &format!("{hash} {hash}"),
            &"0".repeat(5000),
        ] {
            let brief = brief(&[(&named("a.hash"), body)]);
            assert_eq!(brief.hashes[0].sha1, None);
            let comparison = brief.compare(copy(&[(&named("a"), "x")]).as_bytes());
            assert_eq!(comparison.outcomes, [Outcome::NoHash]);
            assert_eq!(comparison.uncovered, ["a".into()]);
        }
        let encoded = format!(
            "{}\r\nContent-Transfer-Encoding: quoted-printable",
            named("a.hash")
        );
        let folded = format!("{}=\r\n{}\r\n", &hash[..20], &hash[20..]);
        assert!(brief(&[(&encoded, &folded)]).hashes[0].sha1.is_some());
        assert_eq!(
            brief(&[(&named(".hash.txt"), &hash), ("X: y", &hash)]).hashes,
            []
        );
    }

    #[test]
    fn of_an_opaque_original_nothing_is_replaced() {
        for kind in ["application/pkcs7-mime", "application/x-pkcs7-mime"] {
            let message = format!("Content-Type: {kind}; name=smime.p7m\r\n\r\nAAAA");
            let brief = Brief::read(message.as_bytes());
            assert!(brief.is_opaque && brief.hashes.is_empty());
        }
        let attached = brief(&[(
            "Content-Type: application/pkcs7-mime; name=atto.pdf.p7m",
            "AAAA",
        )]);
        assert!(!attached.is_opaque);
    }

    #[test]
    fn of_a_signed_original_only_the_first_part_is_replaced() {
        let message = |name: &str, body: &str| {
            format!(
                "Content-Type: multipart/signed; boundary=S\r\n\r\n--S\r\n{}--S\r\n\
                 Content-Type: application/pkcs7-signature; name=smime.p7s\r\n\r\nAAAA\r\n--S--\r\n",
                copy(&[(&named(name), body)])
            )
        };
        let brief = Brief::read(message("a.hash", &digits(b"x")).as_bytes());
        let comparison = brief.compare(message("a", "x").as_bytes());
        assert_eq!(comparison.outcomes, [matches(Input::Decoded)]);
        assert_eq!(comparison.uncovered, []);
    }

    #[test]
    fn a_thousand_parts_and_more_are_looked_at_in_bounds() {
        let hash = digits(b"x");
        let (replaced, original) = (named("a.hash"), named("a"));
        let many = vec![(replaced.as_str(), hash.as_str()); 3000];
        let brief = brief(&many);
        assert!(!brief.is_complete && brief.hashes.len() > 900);
        let parts = vec![(original.as_str(), "x"); 3000];
        let comparison = brief.compare(copy(&parts).as_bytes());
        assert!(!comparison.is_complete);
        assert!(
            comparison
                .outcomes
                .iter()
                .all(|outcome| *outcome == matches(Input::Decoded))
        );
    }

    proptest! {
        #[test]
        fn arbitrary_octets_are_read(
            a in prop::collection::vec(any::<u8>(), 0..600),
            b in prop::collection::vec(any::<u8>(), 0..600),
        ) {
            let brief = Brief::read(&a);
            prop_assert_eq!(brief.compare(&b).outcomes.len(), brief.hashes.len());
        }

        #[test]
        fn damaged_copies_and_originals_are_read(
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
            cut in any::<prop::sample::Index>(),
        ) {
            let hash = digits(b"x");
            let damaged = |text: String| {
                let mut bytes = text.into_bytes();
                for (at, octet) in &damage {
                    let at = at.index(bytes.len());
                    bytes[at] = *octet;
                }
                bytes.truncate(cut.index(bytes.len()) + 1);
                bytes
            };
            let brief = Brief::read(&damaged(copy(&[(&named("a.hash"), &hash), (&named("b.hash"), &hash)])));
            let comparison = brief.compare(&damaged(copy(&[(&named("a"), "x"), (&named("c"), "y")])));
            prop_assert_eq!(comparison.outcomes.len(), brief.hashes.len());
        }
    }
}
