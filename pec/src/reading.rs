//! What reading a message gives.
//!
//! # Invariants
//! 1. `facts` stand only in envelopes and receipts, and in what is unclassified for an unknown `tipo`.
//! 2. `unclassified` stands exactly where `kind` is [`Kind::Unclassified`].
//! 3. `signed` and `signature` stand together or not at all, in this order, and never overlap.

use crate::digests::SignedDigests;
use crate::header::split_entity;
use crate::reason::Reason;
use crate::transfer::Encoding;
use ceralacca_formats::canonical::Text;
use ceralacca_formats::leaf::Kind;
use ceralacca_formats::metadata::TraceRecord;
use std::ops::Range;

/// The longest signature entity that is decoded; real ones have some eight thousand octets.
pub const SIGNATURE_BYTES_MAX: usize = 1 << 20;

/// Something noticed that did not hinder reading.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Finding {
    /// A header field the reader uses stands more than once; the first counted.
    RepeatedHeader,
    /// The Message-ID is longer than what is kept, and left out.
    MessageIdTooLong,
    /// The multipart/signed has no close delimiter: cut off, or never written.
    NoCloseDelimiter,
    /// The multipart/signed has more than two parts; only the first two were looked at.
    ExtraPart,
    /// The daticert has text between its elements.
    StrayText,
}

impl Finding {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::RepeatedHeader,
        Self::MessageIdTooLong,
        Self::NoCloseDelimiter,
        Self::ExtraPart,
        Self::StrayText,
    ];

    /// A stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::RepeatedHeader => "repeated-header",
            Self::MessageIdTooLong => "message-id-too-long",
            Self::NoCloseDelimiter => "no-close-delimiter",
            Self::ExtraPart => "extra-part",
            Self::StrayText => "stray-text",
        }
    }

    /// In Italian.
    pub const fn italian(self) -> &'static str {
        match self {
            Self::RepeatedHeader => {
                "un campo d'intestazione che il lettore usa compare più volte: vale il primo"
            }
            Self::MessageIdTooLong => {
                "il Message-ID è più lungo di quanto si conservi, ed è tralasciato"
            }
            Self::NoCloseDelimiter => "il multipart/signed non ha il delimitatore di chiusura",
            Self::ExtraPart => {
                "il multipart/signed ha più di due parti: si guardano solo le prime due"
            }
            Self::StrayText => "il daticert ha testo tra i suoi elementi",
        }
    }

    /// In English.
    pub const fn english(self) -> &'static str {
        match self {
            Self::RepeatedHeader => {
                "a header field the reader uses stands more than once; the first counted"
            }
            Self::MessageIdTooLong => "the Message-ID is longer than what is kept, and left out",
            Self::NoCloseDelimiter => "the multipart/signed has no close delimiter",
            Self::ExtraPart => {
                "the multipart/signed has more than two parts; only the first two were looked at"
            }
            Self::StrayText => "the daticert has text between its elements",
        }
    }
}

/// What a message is, and what it certifies. Nothing here says that its signature verifies.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reading {
    /// [`Kind::Message`], [`Kind::Envelope`], [`Kind::Receipt`] or [`Kind::Unclassified`].
    pub kind: Kind,
    /// The object's own Message-ID, as it came, unfolded and trimmed.
    pub message_id: Option<Text>,
    /// The facts of the daticert; of an anomaly envelope, what its header says.
    pub facts: Option<TraceRecord>,
    /// Why the object was not understood.
    pub unclassified: Option<Reason>,
    /// Where the signed octets are: the first part of the multipart/signed, without the line break before
    /// the delimiter (RFC 1847 section 2.1).
    pub signed: Option<Range<u64>>,
    /// Where the signature entity is, its headers included.
    pub signature: Option<Range<u64>>,
    /// Digests of the octets of `signed`: SHA-256, SHA-1, and what `micalg` states.
    pub signed_digests: Option<SignedDigests>,
    /// The octets of `signature`, unless there are more than [`SIGNATURE_BYTES_MAX`].
    pub signature_entity: Option<Vec<u8>>,
    /// The From of the message, unfolded and trimmed. It is not signed.
    pub from: Option<Text>,
    /// The digest the message says it is signed with, of a multipart/signed.
    pub micalg: Option<Text>,
    /// Where the body of the original is: of the direct child of type message/rfc822, by preference of the
    /// name `postacert.eml`.
    pub postacert: Option<Range<u64>>,
    /// What was noticed, each once, in order.
    pub findings: Vec<Finding>,
}

/// A detached signature and what it is over.
#[derive(Clone, Eq, PartialEq)]
pub struct Detached<'a> {
    /// The signed octets as they are. Where lines end in LF, a verifier makes them CR LF first (RFC 8551
    /// section 3.1.1).
    pub signed: &'a [u8],
    /// The CMS, decoded from the signature entity.
    pub p7s: Vec<u8>,
}

impl Reading {
    /// The CMS, decoded from the signature entity, if that is there and in its transfer encoding.
    pub fn p7s(&self) -> Option<Vec<u8>> {
        decode_signature(self.signature_entity.as_ref()?)
    }

    /// Cuts signature and signed octets out of the whole message this reading is of.
    ///
    /// `None` without a signed part, with bytes that end before it, or with a signature entity that is longer
    /// than [`SIGNATURE_BYTES_MAX`] or not in its transfer encoding.
    pub fn detached<'a>(&self, bytes: &'a [u8]) -> Option<Detached<'a>> {
        let signed = cut(bytes, self.signed.as_ref()?)?;
        let signature = cut(bytes, self.signature.as_ref()?)?;
        if signature.len() > SIGNATURE_BYTES_MAX {
            return None;
        }
        let p7s = decode_signature(signature)?;
        Some(Detached { signed, p7s })
    }
}

/// The CMS in a signature entity; `None` if it is not in its transfer encoding.
pub(crate) fn decode_signature(entity: &[u8]) -> Option<Vec<u8>> {
    let (fields, body) = split_entity(entity);
    let encoding = fields.value("content-transfer-encoding");
    Encoding::named(encoding.as_deref()).decode(body.to_vec())
}

fn cut<'a>(bytes: &'a [u8], range: &Range<u64>) -> Option<&'a [u8]> {
    bytes.get(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?)
}
