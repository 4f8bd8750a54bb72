//! Evidence of the European system (REM, ERDS): XML of ETSI EN 319 522, inside a message or alone.
//!
//! Some providers add such a part to PEC messages: the same event as the daticert's, in another language, with
//! a signature of its own inside. It is read for what it says; the facts of a PEC message remain those of its
//! daticert.
//!
//! # Invariants
//! 1. Elements are known by their local names among the children they belong to: real evidence has some of
//!    them in another namespace, or in none.
//! 2. A document type declaration is refused, of whatever kind; size, depth and nodes are bounded before
//!    anything is parsed.
//! 3. The signature is said to be there, and never judged: [`Signature::VERDICT`].
//!
//! # Not here
//! XAdES. The relay metadata and the older TS 102 640, whose roots are other.

mod alone;
mod capture;
mod evidence;
mod notice;
mod parts;
#[cfg(test)]
mod tests;

pub(crate) use alone::Alone;
pub use capture::CAPTURED_BYTES_MAX;
pub(crate) use capture::{Capture, Captured};
pub use evidence::{is_evidence, read};
pub use notice::{Finding, Refusal};
pub use parts::{ENCODED_BYTES_MAX, Found, find};

use ceralacca_formats::canonical::{Integer, Text};
use ceralacca_formats::metadata::{Recipient, TraceRecord};

/// The longest evidence that is read, decoded; one of 13 thousand octets was seen.
pub const EVIDENCE_BYTES_MAX: usize = 4 << 20;

/// The namespace of evidence, in all versions of EN 319 522-3 that were seen.
pub const NAMESPACE: &str = "http://uri.etsi.org/19522/v1#";

/// The events of EN 319 522-1 and -2, those added by version 1.2.1 included.
pub const EVENTS: [&str; 22] = [
    "SubmissionAcceptance",
    "SubmissionRejection",
    "RelayAcceptance",
    "RelayRejection",
    "RelayFailure",
    "NotificationForAcceptance",
    "NotificationForAcceptanceFailure",
    "ConsignmentAcceptance",
    "ConsignmentRejection",
    "AcceptanceRejectionExpiry",
    "ContentConsignment",
    "ContentConsignmentFailure",
    "ConsignmentNotification",
    "ConsignmentNotificationFailure",
    "ContentHandover",
    "ContentHandoverFailure",
    "RelayToNonERDS",
    "RelayToNonERDSFailure",
    "ReceivedFromNonERDS",
    "NotificationDelivered",
    "NotificationAccessTracking",
    "ContentAccessTracking",
];

/// A signature inside the evidence.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Signature {
    /// Whether it has the properties of XAdES.
    pub is_xades: bool,
}

impl Signature {
    /// The verdict on every such signature, present as it may be; the word that stands in metadata where others
    /// have a level of [`crate::judge::Level`].
    pub const VERDICT: &'static str = "not-evaluated";
}

/// Sender or recipient.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Party {
    /// Its identifiers: addresses, or digests of them.
    pub identifiers: Vec<Text>,
}

impl Party {
    /// The first identifier that is an address, without `mailto:`. A digest is none.
    pub fn address(&self) -> Option<Text> {
        self.identifiers.iter().find_map(|identifier| {
            let text = identifier.to_str()?;
            let scheme = text
                .get(.."mailto:".len())
                .filter(|s| s.eq_ignore_ascii_case("mailto:"));
            let bare = text.get(scheme.map_or(0, str::len)..)?;
            bare.contains('@').then(|| bare.into())
        })
    }
}

/// Why something happened.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Reason {
    /// Its code, a word or an address.
    pub code: Option<Text>,
    /// Its text.
    pub details: Option<Text>,
}

/// The digest of a part of the content.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PartDigest {
    /// What the part is called.
    pub identifier: Option<Text>,
    /// Its media type.
    pub content_type: Option<Text>,
    /// The algorithm, by its address.
    pub algorithm: Option<Text>,
    /// The digest; `None` where it is not in base64.
    pub value: Option<Vec<u8>>,
}

impl PartDigest {
    /// Algorithm and digest as a trace record has them; none where one of them is missing.
    fn shown(&self) -> Option<Text> {
        let (algorithm, value) = (self.algorithm.as_ref()?, self.value.as_ref()?);
        let mut shown = algorithm.as_bytes().to_vec();
        shown.push(b' ');
        for octet in value {
            shown.extend_from_slice(format!("{octet:02x}").as_bytes());
        }
        Some(shown.as_slice().into())
    }
}

/// What an evidence says. Texts have no white space around them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Evidence {
    /// `EvidenceIdentifier`.
    pub identifier: Option<Text>,
    /// `ERDSEventId`: the address of the event.
    pub event_id: Option<Text>,
    /// Its last word, `SubmissionAcceptance`.
    pub event: Option<Text>,
    /// `EventTime`, in milliseconds since 1970.
    pub event_ms: Option<Integer>,
    /// The offset it is stated with, in minutes: 0 for `Z`.
    pub event_offset_min: Option<Integer>,
    /// As it was written.
    pub event_text: Option<Text>,
    /// `SubmissionTime` as it was written.
    pub submission_text: Option<Text>,
    /// `version` of the root, or `EvidenceVersion`.
    pub version: Option<Text>,
    /// `EvidenceIssuerPolicyID`: the policies it was issued under.
    pub policy_ids: Vec<Text>,
    /// `SenderDetails`.
    pub sender: Option<Party>,
    /// `RecipientDetails`, each.
    pub recipients: Vec<Party>,
    /// `MessageIdentifier`.
    pub message_id: Option<Text>,
    /// `EventReasons`.
    pub reasons: Vec<Reason>,
    /// `UserContentInfo`: digests of the content. They need not be those of the attached original, to which a
    /// provider adds headers.
    pub digests: Vec<PartDigest>,
    /// The signature, if there is one.
    pub signature: Option<Signature>,
    /// What was noticed, each once, in order.
    pub findings: Vec<Finding>,
}

impl Evidence {
    /// The evidence as a record of the log, for evidence that stands alone: event (the word of EN 319 522, which
    /// is none of the daticert's), time, sender and recipients as far as they are addresses, and the message's
    /// identifier among the Message-IDs.
    ///
    /// `None` when that does not fit into the metadata of a record. `identificativo`, `msgid` and `provider` are
    /// left open: whether an identifier of the European system is one of those, no source says.
    pub fn trace(&self) -> Option<TraceRecord> {
        let addresses = self.recipients.iter().filter_map(Party::address);
        crate::facts::fitting(TraceRecord {
            event: self.event.clone(),
            event_ms: self.event_ms,
            event_offset_min: self.event_offset_min,
            event_text: self.event_text.clone(),
            sender: self.sender.as_ref().and_then(Party::address),
            recipients: addresses
                .map(|address| Recipient {
                    address,
                    kind: None,
                })
                .collect(),
            message_ids: Vec::from_iter(self.message_id.clone()),
            content_digests: self.digests.iter().filter_map(PartDigest::shown).collect(),
            ..TraceRecord::default()
        })
    }
}
