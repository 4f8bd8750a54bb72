//! What reading a message gives.
//!
//! # Invariants
//! 1. `facts` stand only in envelopes and receipts, and in what is unclassified for an unknown `tipo`. They are
//!    never those of an evidence: [`Reading::trace`] chooses.
//! 2. `unclassified` stands exactly where `kind` is [`Kind::Unclassified`].
//! 3. `signed` and `signature` stand together or not at all, in this order, and never overlap.

use crate::digests::SignedDigests;
use crate::finding::Finding;
use crate::header::split_entity;
use crate::reason::Reason;
use crate::rem::{Evidence, Refusal};
use crate::transfer::Encoding;
use ceralacca_formats::canonical::Text;
use ceralacca_formats::leaf::Kind;
use ceralacca_formats::metadata::TraceRecord;
use std::ops::Range;

/// The longest signature entity that is decoded; real ones have some eight thousand octets.
pub const SIGNATURE_BYTES_MAX: usize = 1 << 20;

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
    /// Digests of the octets of `signed`: SHA-256, SHA-1, and what `micalg` states; of a message at hand what that
    /// states only ([`crate::read_at_hand`]).
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
    /// Evidence of the European system among the direct children of the signed part, as the only part, or as
    /// the object itself: the first that was found, or why it was not read.
    pub evidence: Option<Result<Box<Evidence>, Refusal>>,
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
    /// What is recorded of the object in the log: the facts of its daticert, or, where it was understood and
    /// has no daticert, those of its evidence.
    pub fn trace(&self) -> Option<TraceRecord> {
        let of_evidence = || self.evidence.as_ref()?.as_ref().ok()?.trace();
        let is_understood = self.unclassified.is_none();
        let facts = self.facts.clone();
        facts.or_else(|| is_understood.then(of_evidence).flatten())
    }

    /// The same, where nothing else of the reading is wanted any more.
    pub fn into_trace(mut self) -> Option<TraceRecord> {
        let facts = self.facts.take();
        facts.or_else(|| self.trace())
    }

    /// Whether this is a brief delivery receipt: its original has hashes in the place of attachments
    /// ([`crate::brief::Brief::of_message`]).
    pub fn is_brief(&self) -> bool {
        let is =
            |value: &Option<Text>, word: &str| value.as_ref().is_some_and(|v| v == &word.into());
        let facts = self.facts.as_ref();
        facts.is_some_and(|f| is(&f.event, "avvenuta-consegna") && is(&f.receipt_form, "breve"))
    }

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
    Encoding::named(encoding.as_deref()).decode(body)
}

pub(crate) fn cut<'a>(bytes: &'a [u8], range: &Range<u64>) -> Option<&'a [u8]> {
    bytes.get(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?)
}
