//! The push reader: what is looked for in an object while it passes.
//!
//! # Invariants
//! 1. Kept at any time: the header block up to [`HEADER_BYTES_MAX`], one line, what `scan` or `nested` keeps, and
//!    XML that may be evidence.
//! 2. Each octet is looked at once by each of them, however the object is cut.

use crate::conclude::{Found, conclude};
use crate::digests::{self, Hasher, SignedDigests};
use crate::head::Head;
use crate::header::{Block, Fields};
use crate::line::{Lines, Piece, Sink};
use crate::nested::Walker;
use crate::param::Structured;
use crate::reading::{Reading, cut};
use crate::rem::{Alone, Capture};
use crate::scan::{self, Scanner};

pub use crate::line::LINE_BYTES_MAX;
pub use crate::scan::{
    BOUNDARY_BYTES_MAX, DATICERT_BYTES_MAX, DELIMITERS_MAX, PART_HEADER_BYTES_MAX, TEXT_BYTES_MAX,
};

/// The longest header block of a message that is read.
pub const HEADER_BYTES_MAX: usize = 1 << 20;
/// The longest Message-ID or Date that is kept; a longer one is left out.
pub const VALUE_BYTES_MAX: usize = 4 << 10;
/// The most canonical metadata that facts may make. A reader takes 4 MiB (docs/formats.md); the archive
/// adds its own members, and the digests of the content.
pub const FACTS_BYTES_MAX: usize = (4 << 20) - 1024;

/// Reads a whole message.
pub fn read(bytes: &[u8]) -> Reading {
    let mut reader = Reader::new();
    reader.push(bytes);
    reader.finish()
}

/// Reads a whole message that stays at hand: of the digests of what is signed only those are made that its header
/// states, if it states any. [`crate::judge::judge_at_hand`] makes the others where the signature is over one of them.
pub fn read_at_hand(bytes: &[u8]) -> Reading {
    let mut reader = Reader::new();
    reader.stage = Stage::Header(Block::new(HEADER_BYTES_MAX), Signed::AtHand);
    reader.push(bytes);
    let mut reading = reader.finish();
    let signed = reading.signed.as_ref().and_then(|range| cut(bytes, range));
    reading.signed_digests = signed.map(|signed| {
        let mut algorithms = digests::stated(reading.micalg.as_ref());
        if algorithms.is_empty() {
            algorithms = digests::usual(None);
        }
        SignedDigests::with(&algorithms, signed)
    });
    reading
}

/// How the digests of the signed octets are made.
#[derive(Clone, Copy)]
enum Signed {
    /// While they pass.
    Passing,
    /// Afterwards.
    AtHand,
}

/// Reads a message that comes in pieces.
pub struct Reader {
    lines: Lines,
    stage: Stage,
    alone: Alone,
    bytes: u64,
}

enum Stage {
    /// In the header block.
    Header(Block, Signed),
    /// After it.
    Body(Box<Head>, Body),
}

/// What a body is read for.
enum Body {
    /// Nothing.
    Nothing,
    /// The parts of a multipart/signed.
    Signed(Box<Scanner>),
    /// Ordinary mail: what is nested in it.
    Mail(Box<Walker>),
    /// XML that may be evidence.
    Evidence(Box<Capture>),
}

impl Body {
    /// What the body is to be read for.
    fn of(head: &Head, fields: Fields<'_>, signed: Signed) -> Body {
        if head.is_too_long {
            return Body::Nothing;
        }
        if head.content_type.value == b"multipart/signed" {
            let boundary = scan::boundary(&head.content_type);
            let hasher = match signed {
                Signed::Passing => Some(Hasher::new(&digests::usual(head.micalg.as_ref()))),
                Signed::AtHand => None,
            };
            return boundary.map_or(Body::Nothing, |boundary| {
                Body::Signed(Box::new(Scanner::new(boundary, hasher)))
            });
        }
        let mut capture = Box::new(Capture::default());
        let disposition = fields.value("content-disposition").unwrap_or_default();
        if capture.begins(fields, &head.content_type, &Structured::parse(&disposition)) {
            return Body::Evidence(capture);
        }
        Body::Mail(Box::new(Walker::of_body(&head.content_type)))
    }
}

impl Default for Reader {
    fn default() -> Self {
        Self::new()
    }
}

impl Reader {
    /// A reader that has read nothing.
    pub fn new() -> Self {
        Self {
            lines: Lines::default(),
            stage: Stage::Header(Block::new(HEADER_BYTES_MAX), Signed::Passing),
            alone: Alone::default(),
            bytes: 0,
        }
    }

    /// Takes the next octets, as many or as few as there are.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.alone.push(bytes);
        if !self.stage.is_done() {
            self.lines.push(bytes, &mut self.stage);
        }
    }

    /// The message has ended.
    pub fn finish(mut self) -> Reading {
        self.lines.finish(&mut self.stage);
        let (head, body) = match self.stage {
            Stage::Header(block, _) => (Box::new(Head::of(&block)), Body::Nothing),
            Stage::Body(head, body) => (head, body),
        };
        let mut found = Found::default();
        match body {
            Body::Nothing => {}
            Body::Signed(scanner) => found.scan = Some(scanner.finish(self.bytes)),
            Body::Mail(walker) => found.nested = walker.finish(),
            Body::Evidence(capture) => found.captured = capture.finish(),
        }
        if let Some(scan) = &mut found.scan {
            found.captured = std::mem::take(&mut scan.capture).finish();
            found.nested = std::mem::take(&mut scan.nested);
        }
        found.alone = self.alone.finish();
        conclude(self.bytes, *head, found)
    }
}

impl Stage {
    fn is_done(&self) -> bool {
        match self {
            Self::Header(..) => false,
            Self::Body(_, Body::Nothing) => true,
            Self::Body(_, Body::Signed(scanner)) => scanner.is_done(),
            Self::Body(_, Body::Mail(walker)) => walker.is_done(),
            Self::Body(_, Body::Evidence(capture)) => capture.is_full(),
        }
    }
}

impl Sink for Stage {
    fn takes_runs(&self) -> bool {
        match self {
            Self::Header(..) => false,
            Self::Body(_, Body::Signed(scanner)) => scanner.takes_runs(),
            Self::Body(_, Body::Mail(walker)) => walker.takes_runs(),
            Self::Body(_, Body::Nothing | Body::Evidence(_)) => true,
        }
    }

    fn take(&mut self, piece: Piece<'_>) {
        match self {
            Self::Header(block, signed) => {
                if !block.push(piece) {
                    let head = Box::new(Head::of(block));
                    let body = Body::of(&head, block.fields(), *signed);
                    *self = Self::Body(head, body);
                }
            }
            Self::Body(_, Body::Signed(scanner)) => scanner.push(piece),
            Self::Body(_, Body::Mail(walker)) => walker.push(piece),
            Self::Body(_, Body::Evidence(capture)) => capture.keep(piece.bytes),
            Self::Body(_, Body::Nothing) => {}
        }
    }
}
