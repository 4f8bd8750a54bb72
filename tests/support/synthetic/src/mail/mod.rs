//! Whole transactions of invented providers, as the messages that really travel.
//!
//! ```text
//! Plan      who writes to whom, when, and how it ends         a function of the seed
//! Draft     one message before its signature                  a function of the seed
//! Message   its exact bytes, with the facts it carries        new keys, hence new signatures, at every run
//! ```
//!
//! # Layouts
//! A provider runs an engine of one [`Family`]; the four differ in boundaries, folding, order and encoding of
//! parts, dispositions, line ends inside the XML, digest, attributes and encoding of the signature. A message
//! holds what its family would write; a reader that is right about one is easily wrong about another.
//!
//! # Correlation
//! 1. An envelope's Message-ID is the `identificativo`, and the Message-ID inside `postacert.eml`.
//! 2. A receipt has a Message-ID of its own; its `identificativo` is the envelope's.
//! 3. `X-Riferimento-Message-ID` is the daticert's `msgid`, and the one appended to `postacert.eml`.
//! 4. `Date` and the daticert's time are the same second; `signingTime` is at most one second off.
//! 5. `Return-Path` is the author's in an envelope, the service address in a receipt.
//!
//! # Entropy
//! What makes real mail hard to compress is here too. An attachment is noise but for its first octets, as
//! compressed files are: 8 bits an octet before base64. A transaction has some 50 random bits in its
//! `identificativo` (128 in family D), 96 to 128 in the client's Message-ID, 64 in a `Received` header, 96 in the
//! boundary of the original; each message 128 in its boundaries (families A and B), some 50 more in its own
//! Message-ID, and a signature of 512 (P-256) or 2048 (RSA) bits. Mailboxes, subjects and texts are those of
//! [`crate::traffic`]. The words around them are few and the same, as in life.
//!
//! Measured on streams of 3000 messages: complete delivery receipts have 13.0 kB in the mean and compress, all
//! together, to 3.6 kB each with LZMA at its best; receipts and notices of every type, 8.7 kB to 1.5 kB.
//!
//! # Rate
//! `examples/rate.rs` measures it. With P-256 keys, one core of a virtual machine of 2026 that had other work made
//! 12 000 to 14 500 messages a second of all types, as many receipts, and 8 000 to 11 000 complete delivery receipts:
//! 70 to 120 microseconds each, of which the bare signature takes 21 to 30 and is the largest single cost. With RSA
//! keys some 200 a second: 0.4 ms for a signature over SHA-256, 6 ms over SHA-1 (three of the five providers), which
//! is computed here without haste.
//! [`Postal`] can be shared by threads, a stream each.

mod daticert;
mod encode;
mod header;
mod kind;
mod layout;
mod original;
mod plan;
mod postal;
mod text;

pub use daticert::{Daticert, Recipient};
pub use kind::{Family, HashInput, MessageKind, ReceiptForm};
pub use layout::Places;
pub use original::{Attachment, BodyStyle, Original};
pub use plan::{Plan, Story};
pub use postal::{PkiOptions, Postal, Provider, ProviderOptions, Select, Stream};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use std::sync::Arc;

/// One message before its signature. The fields are free to change: [`Postal::sign`] writes what they say.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Its type.
    pub kind: MessageKind,
    /// Who makes and signs it: an index of [`Postal::providers`].
    pub provider: usize,
    /// The facts. An anomaly envelope has them for its text only.
    pub facts: Daticert,
    /// Its own Message-ID, without brackets.
    pub message_id: String,
    /// `To`, each as it shall be written: a client's faults are passed on.
    pub to: Vec<String>,
    /// `Cc`.
    pub cc: Vec<String>,
    /// The attached original; in an anomaly envelope whatever was received, be it a broken PEC message.
    pub postacert: Option<Arc<[u8]>>,
    /// XML in the place of what the facts would give, to the octet.
    pub xml: Option<Vec<u8>>,
    /// How many daticert parts there are: one, save for an anomaly envelope.
    pub daticert_parts: usize,
    /// `signingTime` less the time of the facts.
    pub signing_offset_ms: i64,
    /// Family C: whether the parts carry the headers of the European system (REM).
    pub has_rem: bool,
    /// Of boundaries and what else the layout leaves to chance.
    pub layout_seed: u64,
}

/// A signed message.
#[derive(Clone, Debug)]
pub struct Message {
    /// The octets, lines ended by CRLF.
    pub bytes: Vec<u8>,
    /// The engine that wrote them.
    pub family: Family,
    /// Where its parts stand in `bytes`.
    pub places: Places,
    /// What it was made from.
    pub draft: Draft,
}

impl Message {
    /// Its type.
    pub fn kind(&self) -> MessageKind {
        self.draft.kind
    }

    /// The facts its daticert states; `None` for an anomaly envelope, or when the XML is not made from them.
    pub fn facts(&self) -> Option<&Daticert> {
        let has_facts = self.draft.kind != MessageKind::AnomalyEnvelope
            && self.draft.xml.is_none()
            && self.draft.daticert_parts == 1;
        has_facts.then_some(&self.draft.facts)
    }

    /// The `signingTime` of the signature, in milliseconds since 1970.
    pub fn signing_ms(&self) -> i64 {
        self.draft.facts.at_ms + self.draft.signing_offset_ms
    }

    /// The signed octets.
    pub fn signed_part(&self) -> &[u8] {
        self.bytes
            .get(self.places.signed.clone())
            .unwrap_or_default()
    }

    /// The signature itself, out of its part.
    pub fn signature(&self) -> Vec<u8> {
        let part = self.bytes.get(self.places.signature.clone());
        let part = part.unwrap_or_default();
        let end = part.windows(4).position(|window| window == b"\r\n\r\n");
        let text = end.and_then(|end| part.get(end..)).unwrap_or_default();
        let text: Vec<u8> = text
            .iter()
            .copied()
            .filter(|o| !o.is_ascii_whitespace())
            .collect();
        BASE64_STANDARD.decode(text).unwrap_or_default()
    }

    /// The same message as a system that stores LF would keep it.
    pub fn as_lf(&self) -> Vec<u8> {
        as_lf(&self.bytes)
    }
}

/// Every CRLF made an LF.
pub fn as_lf(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&octet, tail)) = rest.split_first() {
        if !(octet == b'\r' && tail.first() == Some(&b'\n')) {
            out.push(octet);
        }
        rest = tail;
    }
    out
}

/// One original and all that became of it, in order of time.
#[derive(Clone, Debug)]
pub struct Transaction {
    /// What the author wrote.
    pub original: Original,
    /// The transaction's key.
    pub identificativo: String,
    /// The messages.
    pub messages: Vec<Message>,
}

impl Transaction {
    /// The first message of a type.
    pub fn first(&self, kind: MessageKind) -> Option<&Message> {
        self.messages.iter().find(|m| m.kind() == kind)
    }
}
