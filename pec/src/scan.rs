//! The parts of a multipart/signed: where they are, and which of them is the daticert.
//!
//! ```text
//! multipart/signed               outer delimiters: three at most
//! ├── multipart/mixed            the signed entity
//! │   ├── text …                 inner delimiters: its direct children, in any order
//! │   ├── daticert.xml           the facts
//! │   ├── evidence of REM        kept too
//! │   └── postacert.eml          whatever is in it is not ours: `nested` looks at it in passing
//! └── the signature entity
//! ```
//!
//! # Invariants
//! 1. A delimiter is a whole line: `--`, the boundary, perhaps `--`, then only blanks (RFC 2046 section
//!    5.1.1). The line break before it belongs to it. Only the close delimiter may lack its own: a file cut off
//!    after `--B` may have been going to say `--B2`.
//! 2. Outer delimiters are looked for everywhere, inner ones only in the signed entity, and nobody else's
//!    anywhere: no nesting, however broken, moves what was signed.
//! 3. A second daticert among the direct children is no choice to make: there is then no daticert.
//! 4. Kept: one header block, one daticert body, the text, XML that may be evidence, one signature entity, and
//!    what `nested` keeps, each within its bound.

use crate::digests::Hasher;
use crate::finding::Finding;
use crate::found::{Part, Scan};
use crate::header::{Block, Fields};
use crate::line::{Piece, line_ends};
use crate::nested::Walker;
use crate::param::Structured;
use crate::reading::SIGNATURE_BYTES_MAX;
use crate::reason::Reason;
use crate::transfer::Encoding;

/// The longest header block of a part that is read.
pub const PART_HEADER_BYTES_MAX: usize = 64 << 10;
/// The longest daticert body, as encoded, that is kept.
pub const DATICERT_BYTES_MAX: usize = 16 << 20;
/// The longest text for the user that is kept, its header included; a longer one is not compared.
pub const TEXT_BYTES_MAX: usize = 64 << 10;
/// The most delimiters of the signed entity that are followed.
pub const DELIMITERS_MAX: usize = 1000;
/// The longest boundary; RFC 2046 allows 70 octets.
pub const BOUNDARY_BYTES_MAX: usize = 1024;

/// Room for the daticert and the text of nearly every message; a signature takes four times as much.
const USUAL_BYTES: usize = 2 << 10;

/// The boundary a Content-Type states. Blanks at its end cannot be part of it.
pub(crate) fn boundary(content_type: &Structured) -> Option<Vec<u8>> {
    let mut boundary = content_type.parameter("boundary")?;
    boundary.truncate(boundary.trim_ascii_end().len());
    (1..=BOUNDARY_BYTES_MAX)
        .contains(&boundary.len())
        .then_some(boundary)
}

/// Where the scanner is.
enum State {
    /// Before the first outer delimiter.
    Preamble,
    /// In the header of the signed entity.
    EntityHead(Block),
    /// In the signed entity, in nothing that is kept.
    Entity,
    /// In the header of a direct child.
    ChildHead(Block),
    /// In the body of the daticert.
    Daticert,
    /// In the text for the user.
    Text,
    /// In XML that may be evidence.
    Evidence,
    /// In the body of the original, which began here.
    Postacert(u64, Box<Walker>),
    /// In the signature entity.
    Signature,
    /// After the third delimiter, or the close delimiter.
    Done,
}

/// Takes the lines of the body.
pub(crate) struct Scanner {
    outer: Vec<u8>,
    /// The boundary of the signed entity, while its delimiters count.
    inner: Option<Vec<u8>>,
    state: State,
    /// Where the current outer part begins.
    part_at: u64,
    /// Length of the break that ended the line before.
    break_bytes: u8,
    /// Inner delimiters so far.
    delimiters: usize,
    /// Direct children so far.
    children: usize,
    /// Whether a line of the signed entity ended in LF alone, and whether one ended in CR LF.
    line_ends: (bool, bool),
    /// Whether there were octets above 127 outside the original.
    has_eight_bit: bool,
    /// Of the signed entity, until it ends; none where its octets stay at hand.
    hasher: Option<Hasher>,
    found: Scan,
}

impl Scanner {
    /// For a multipart/signed of this boundary.
    pub(crate) fn new(boundary: Vec<u8>, hasher: Option<Hasher>) -> Self {
        Self {
            hasher,
            outer: boundary,
            inner: None,
            state: State::Preamble,
            part_at: 0,
            break_bytes: 0,
            delimiters: 0,
            children: 0,
            line_ends: (false, false),
            has_eight_bit: false,
            found: Scan::default(),
        }
    }

    /// Whether nothing that follows matters.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Whether lines that are no delimiters may come together.
    pub(crate) fn takes_runs(&self) -> bool {
        match &self.state {
            State::EntityHead(_) | State::ChildHead(_) => false,
            State::Postacert(_, walker) => walker.takes_runs(),
            _ => true,
        }
    }

    /// Takes a line, a stretch of a long one, or a run of lines.
    pub(crate) fn push(&mut self, piece: Piece<'_>) {
        if let Some(close) = delimiter(piece, Some(&self.outer)) {
            self.outer_delimiter(piece, close);
        } else {
            self.hash(piece);
            if let Some(close) = delimiter(piece, self.inner.as_deref()) {
                self.inner_delimiter(piece, close);
            } else {
                self.line(piece);
            }
        }
        self.break_bytes = piece.break_bytes;
    }

    /// The input has ended here.
    pub(crate) fn finish(mut self, end: u64) -> Scan {
        match self.state {
            State::Done => {}
            State::Signature => {
                self.end_signature(end);
                self.found.findings.push(Finding::NoCloseDelimiter);
            }
            _ => {
                self.break_bytes = 0;
                self.end_child(end);
                self.refuse(Reason::Truncated);
            }
        }
        let noticed = [
            (self.line_ends == (true, true), Finding::MixedLineEnds),
            (self.has_eight_bit, Finding::RawEightBit),
        ];
        let noticed = noticed.into_iter().filter(|(noticed, _)| *noticed);
        self.found.findings.extend(noticed.map(|(_, f)| f));
        self.found
    }

    fn line(&mut self, piece: Piece<'_>) {
        let body_at = piece.at + piece.bytes.len() as u64;
        let is_own = !matches!(
            self.state,
            State::Preamble | State::Entity | State::Postacert(..) | State::Signature | State::Done
        );
        self.has_eight_bit |= is_own && !piece.bytes.is_ascii();
        let head_ends = match &mut self.state {
            State::EntityHead(block) | State::ChildHead(block) => !block.push(piece),
            State::Daticert => {
                self.keep(piece.bytes);
                false
            }
            State::Text => {
                self.keep_text(piece.bytes);
                false
            }
            State::Evidence => {
                self.found.capture.keep(piece.bytes);
                false
            }
            State::Postacert(_, walker) => {
                walker.push(piece);
                false
            }
            State::Signature => {
                self.keep_signature(piece.bytes);
                false
            }
            _ => false,
        };
        if head_ends {
            self.end_head(body_at);
        }
    }

    /// What stands between the first two outer delimiters is signed, inner delimiters included.
    fn hash(&mut self, piece: Piece<'_>) {
        let signed = !matches!(self.state, State::Preamble | State::Signature | State::Done);
        if !signed {
            return;
        }
        let (bare, crlf) = match piece.run {
            true => line_ends(piece.bytes),
            false => (piece.break_bytes == 1, piece.break_bytes == 2),
        };
        self.line_ends.0 |= bare;
        self.line_ends.1 |= crlf;
        if let Some(hasher) = &mut self.hasher {
            match piece.run {
                true if bare => hasher.push(piece.bytes),
                true => hasher.crlf_lines(piece.bytes),
                false => hasher.line(piece.bytes),
            }
        }
    }

    fn outer_delimiter(&mut self, piece: Piece<'_>, close: bool) {
        let end = self.end_before(piece, self.part_at);
        let next_at = piece.at + piece.bytes.len() as u64;
        match self.state {
            State::Done => return,
            State::Preamble if !close => {
                self.state = State::EntityHead(Block::new(PART_HEADER_BYTES_MAX));
            }
            State::Signature => {
                self.end_signature(end);
                if !close {
                    self.found.findings.push(Finding::ExtraPart);
                }
                self.state = State::Done;
            }
            State::Preamble => {
                self.refuse(Reason::NotSigned);
                self.state = State::Done;
            }
            _ => {
                self.end_child(piece.at);
                self.inner = None;
                if close {
                    self.refuse(Reason::NotSigned);
                    self.state = State::Done;
                } else {
                    self.found.signed = Some(self.part_at..end);
                    self.found.signed_digests = self.hasher.take().map(Hasher::finish);
                    self.found.signature_entity = Some(Vec::with_capacity(4 * USUAL_BYTES));
                    self.state = State::Signature;
                }
            }
        }
        self.part_at = next_at;
    }

    fn inner_delimiter(&mut self, piece: Piece<'_>, close: bool) {
        self.end_child(piece.at);
        self.delimiters += 1;
        if self.delimiters > DELIMITERS_MAX {
            self.refuse(Reason::TooManyParts);
        }
        if close || self.delimiters > DELIMITERS_MAX {
            self.inner = None;
            self.state = State::Entity;
        } else {
            self.state = State::ChildHead(Block::new(PART_HEADER_BYTES_MAX));
        }
    }

    /// Where a part that began at `start` ends, if a delimiter follows.
    fn end_before(&self, delimiter: Piece<'_>, start: u64) -> u64 {
        let end = delimiter.at.saturating_sub(u64::from(self.break_bytes));
        end.max(start)
    }

    /// A header block is complete: the state becomes that of the body.
    fn end_head(&mut self, body_at: u64) {
        match std::mem::replace(&mut self.state, State::Entity) {
            State::EntityHead(block) => {
                self.check(&block);
                let content_type = block.fields().value("content-type").unwrap_or_default();
                let content_type = Structured::parse(&content_type);
                if content_type.value == b"multipart/mixed" {
                    self.inner = boundary(&content_type);
                }
            }
            State::ChildHead(block) => {
                self.check(&block);
                self.begin_child(&block, body_at);
            }
            other => self.state = other,
        }
    }

    fn check(&mut self, block: &Block) {
        if block.is_too_long() {
            self.refuse(Reason::HeaderTooLong);
        }
    }

    fn begin_child(&mut self, block: &Block, body_at: u64) {
        let fields: Fields<'_> = block.fields();
        self.children += 1;
        let [content_type, disposition] = fields
            .values(["content-type", "content-disposition"])
            .map(|value| Structured::parse(&value.unwrap_or_default()));
        let is_named = |name: &str| {
            content_type.is_named("name", name) || disposition.is_named("filename", name)
        };
        match content_type.value.as_slice() {
            b"application/xml" | b"text/xml" if is_named("daticert.xml") => {
                let encoding = fields.value("content-transfer-encoding");
                self.begin_daticert(Part {
                    body: Vec::with_capacity(USUAL_BYTES),
                    encoding: Encoding::named(encoding.as_deref()),
                    charset: content_type.parameter("charset"),
                    is_application_xml: content_type.value == b"application/xml",
                });
            }
            b"message/rfc822" => {
                let named = is_named("postacert.eml");
                self.found.messages += 1;
                if self.found.postacert.is_none() || (named && !self.found.postacert_named) {
                    self.found.postacert_named = named;
                    self.state = State::Postacert(body_at, Box::new(Walker::new()));
                }
            }
            kind if self.children == 1 && is_for_people(kind) => {
                self.found.has_text = true;
                let mut text = Vec::with_capacity(USUAL_BYTES);
                text.extend_from_slice(block.bytes());
                text.push(b'\n');
                self.found.text = Some(text);
                self.state = State::Text;
            }
            _ => {
                self.found.has_other_part = true;
                let capture = &mut self.found.capture;
                if capture.begins(fields, &content_type, &disposition) {
                    self.state = State::Evidence;
                }
            }
        }
    }

    fn begin_daticert(&mut self, part: Part) {
        if self.found.has_daticert {
            self.found.daticert = None;
            self.refuse(Reason::TwoDaticert);
        } else {
            self.found.has_daticert = true;
            self.found.daticert = Some(part);
            self.state = State::Daticert;
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let Some(part) = &mut self.found.daticert else {
            return;
        };
        if part.body.len() + bytes.len() > DATICERT_BYTES_MAX {
            self.found.daticert = None;
            self.refuse(Reason::DaticertTooLarge);
        } else {
            part.body.extend_from_slice(bytes);
        }
    }

    fn keep_text(&mut self, bytes: &[u8]) {
        let kept = self.found.text.as_mut();
        if let Some(text) = kept.filter(|text| text.len() + bytes.len() <= TEXT_BYTES_MAX) {
            text.extend_from_slice(bytes);
        } else {
            self.found.text = None;
        }
    }

    fn keep_signature(&mut self, bytes: &[u8]) {
        // The line break before the delimiter is kept until it is known to be one.
        let kept = self.found.signature_entity.as_mut();
        if let Some(entity) = kept.filter(|e| e.len() + bytes.len() <= SIGNATURE_BYTES_MAX + 2) {
            entity.extend_from_slice(bytes);
        } else {
            self.found.signature_entity = None;
        }
    }

    fn end_signature(&mut self, end: u64) {
        let length = end.saturating_sub(self.part_at);
        let entity = self.found.signature_entity.take();
        self.found.signature_entity = usize::try_from(length)
            .ok()
            .filter(|length| *length <= SIGNATURE_BYTES_MAX)
            .zip(entity)
            .map(|(length, mut entity)| {
                entity.truncate(length);
                entity
            });
        self.found.signature = Some(self.part_at..end);
    }

    /// What was being read in the signed entity ends before the line that begins at `at`.
    fn end_child(&mut self, at: u64) {
        if matches!(self.state, State::EntityHead(_) | State::ChildHead(_)) {
            self.end_head(at);
        }
        let end = at.saturating_sub(u64::from(self.break_bytes));
        match std::mem::replace(&mut self.state, State::Entity) {
            State::Daticert => {
                if let Some(part) = &mut self.found.daticert {
                    let kept = part.body.len().saturating_sub(self.break_bytes.into());
                    part.body.truncate(kept);
                }
            }
            // Of a child without a body the break that ended its header is the delimiter's.
            State::Postacert(start, walker) => {
                self.found.postacert = Some(start.min(end)..end);
                self.found.nested = walker.finish();
            }
            State::Evidence => self.found.capture.end(self.break_bytes),
            _ => {}
        }
    }

    /// The first reason stands.
    fn refuse(&mut self, reason: Reason) {
        self.found.problem.get_or_insert(reason);
    }
}

/// Whether a first part of this type is the text for the user.
fn is_for_people(kind: &[u8]) -> bool {
    let is_text = kind.is_empty() || kind.starts_with(b"text/");
    (is_text && !kind.ends_with(b"/xml")) || kind.starts_with(b"multipart/")
}

/// Whether a line is a delimiter of this boundary, and if so whether it is the close delimiter.
fn delimiter(piece: Piece<'_>, boundary: Option<&[u8]>) -> Option<bool> {
    if !piece.whole {
        return None;
    }
    let rest = piece.bytes.strip_prefix(b"--")?.strip_prefix(boundary?)?;
    let (close, blanks) = match rest.strip_prefix(b"--") {
        Some(blanks) => (true, blanks),
        None => (false, rest),
    };
    let blank = blanks
        .iter()
        .all(|c| matches!(c, b' ' | b'\t' | b'\r' | b'\n'));
    let ended = close || piece.break_bytes > 0;
    (blank && ended).then_some(close)
}
