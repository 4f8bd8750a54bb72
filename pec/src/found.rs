//! What the scanner found in the body of a multipart/signed.

use crate::digests::SignedDigests;
use crate::finding::Finding;
use crate::nested::Nested;
use crate::reason::Reason;
use crate::rem::Capture;
use crate::transfer::Encoding;
use std::ops::Range;

/// The body of the daticert part, and how to read it.
pub(crate) struct Part {
    /// As encoded.
    pub body: Vec<u8>,
    pub encoding: Encoding,
    /// The charset of its Content-Type.
    pub charset: Option<Vec<u8>>,
    /// Whether its type is `application/xml`.
    pub is_application_xml: bool,
}

/// What was found in a body of type multipart/signed.
#[derive(Default)]
pub(crate) struct Scan {
    pub signed: Option<Range<u64>>,
    pub signature: Option<Range<u64>>,
    /// Of the octets of `signed`.
    pub signed_digests: Option<SignedDigests>,
    /// The octets of `signature`, unless there are too many.
    pub signature_entity: Option<Vec<u8>>,
    pub postacert: Option<Range<u64>>,
    /// Whether it has the name that the rules give it.
    pub postacert_named: bool,
    /// How many direct children are messages.
    pub messages: usize,
    /// What is in the original.
    pub nested: Nested,
    /// Whether the first direct child is a text for people.
    pub has_text: bool,
    /// The entity of that text, unless it is too long.
    pub text: Option<Vec<u8>>,
    /// Whether there is a direct child that is neither that, nor a message, nor a daticert.
    pub has_other_part: bool,
    /// XML among the direct children that may be evidence.
    pub capture: Capture,
    pub daticert: Option<Part>,
    /// Whether there was a daticert at all, kept or not.
    pub has_daticert: bool,
    /// The first thing that forbids to take facts from the signed part.
    pub problem: Option<Reason>,
    pub findings: Vec<Finding>,
}
