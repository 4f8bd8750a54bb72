//! Evidence caught while an object is read in pieces.
//!
//! # Invariants
//! 1. Of one object at most [`CAPTURED_BYTES_MAX`] octets are kept, over all parts that may be evidence.
//! 2. Whether a part is evidence is asked of its XML, not of its name. What was too long to keep is called
//!    evidence only where its header says so.

use super::evidence::{is_evidence, read};
use super::{Evidence, Refusal};
use crate::found::Part;
use crate::header::Fields;
use crate::param::Structured;
use crate::transfer::Encoding;

/// The most octets kept of an object's XML parts, as encoded; evidence of some 13 thousand octets was seen.
pub const CAPTURED_BYTES_MAX: usize = 1 << 20;

/// XML that may be evidence.
#[derive(Default)]
pub(crate) struct Capture {
    parts: Vec<Part>,
    bytes: usize,
    /// Whether the header of the part being kept calls it evidence.
    is_declared: bool,
    /// Whether a part that calls itself evidence was too long.
    has_too_large: bool,
}

/// What was caught.
#[derive(Default)]
pub(crate) struct Captured {
    /// The first evidence, or why it was not read.
    pub evidence: Option<Result<Box<Evidence>, Refusal>>,
    /// Whether there are more.
    pub has_several: bool,
}

impl Capture {
    /// For an object that is nothing but XML.
    pub(crate) fn alone() -> Self {
        let mut capture = Self::default();
        capture.begin(Part {
            body: Vec::new(),
            encoding: Encoding::Identity,
            charset: None,
            is_application_xml: true,
        });
        capture
    }

    /// Whether a part with this header may be evidence; then its body is to be kept.
    pub(crate) fn begins(
        &mut self,
        fields: Fields<'_>,
        content_type: &Structured,
        disposition: &Structured,
    ) -> bool {
        let section = fields.value("rem-section-type").unwrap_or_default();
        let is_declared = section.eq_ignore_ascii_case(b"rem_message/xml_evidence");
        let kind = content_type.value.as_slice();
        let names = [
            content_type.parameter("name"),
            disposition.parameter("filename"),
        ];
        let ends = |name: &Vec<u8>| name.to_ascii_lowercase().ends_with(b".xml");
        let is_leaf = !kind.starts_with(b"multipart/") && !kind.starts_with(b"message/");
        let is_xml = kind.ends_with(b"/xml") || kind.ends_with(b"+xml");
        if !is_leaf || !(is_declared || is_xml || names.iter().flatten().any(ends)) {
            return false;
        }
        let encoding = fields.value("content-transfer-encoding");
        self.begin(Part {
            body: Vec::new(),
            encoding: Encoding::named(encoding.as_deref()),
            charset: content_type.parameter("charset"),
            is_application_xml: kind == b"application/xml",
        });
        self.is_declared = is_declared;
        true
    }

    fn begin(&mut self, part: Part) {
        self.parts.push(part);
    }

    /// Takes octets of the body.
    pub(crate) fn keep(&mut self, bytes: &[u8]) {
        let Some(part) = self.parts.last_mut() else {
            return;
        };
        if self.bytes + bytes.len() <= CAPTURED_BYTES_MAX {
            self.bytes += bytes.len();
            part.body.extend_from_slice(bytes);
        } else {
            // Half of an XML says nothing, and nothing of this object is kept any more.
            self.has_too_large |= self.is_declared;
            self.bytes = CAPTURED_BYTES_MAX + 1;
            part.body = Vec::new();
        }
    }

    /// Whether nothing more is kept.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes > CAPTURED_BYTES_MAX
    }

    /// The part has ended, and the line break before the delimiter is not its own.
    pub(crate) fn end(&mut self, break_bytes: u8) {
        if let Some(part) = self.parts.last_mut() {
            let kept = part.body.len().saturating_sub(break_bytes.into());
            part.body.truncate(kept);
        }
    }

    /// What the kept parts are.
    pub(crate) fn finish(self) -> Captured {
        let mut captured = Captured::default();
        for part in self.parts {
            let charset = part.charset;
            let decoded = part.encoding.decode(part.body);
            let Some(decoded) = decoded.filter(|xml| is_evidence(xml, charset.as_deref())) else {
                continue;
            };
            if captured.evidence.is_some() {
                captured.has_several = true;
                break;
            }
            captured.evidence = Some(read(&decoded, charset.as_deref()).map(Box::new));
        }
        if captured.evidence.is_none() && self.has_too_large {
            captured.evidence = Some(Err(Refusal::TooLarge));
        }
        captured
    }
}
