//! What is inside an original, or inside ordinary mail: looked at in passing, and never a source of facts.
//!
//! ```text
//! the original          its header is compared with the daticert
//! ├── text …
//! ├── daticert.xml      attached by a client: another's
//! └── message/rfc822    a forwarded message, perhaps of the PEC system: another's
//! ```
//!
//! # Invariants
//! 1. One pass, linear: a line is compared with the open delimiters, [`LEVELS_MAX`] at most.
//! 2. Kept: one header block, the open boundaries, and the fields of the first header, each within its bound.
//! 3. What lies beyond [`PARTS_MAX`] parts or [`LEVELS_MAX`] levels is not looked at, and that is said.
//! 4. Delimiters are those of RFC 2046 section 5.1.1; one of an outer multipart ends all within it.

use crate::header::{Block, Fields};
use crate::line::Piece;
use crate::mime::{LEVELS_MAX, PARTS_MAX};
use crate::outer::kept;
use crate::param::Structured;
use crate::scan::{PART_HEADER_BYTES_MAX, boundary};
use ceralacca_formats::canonical::Text;
use std::borrow::Cow;

/// Fields of the header of an original.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct OriginalHead {
    pub message_id: Option<Text>,
    pub reference: Option<Text>,
    pub from: Option<Text>,
    pub subject: Option<Text>,
}

/// What was found inside.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Nested {
    /// Of the message that was followed; `None` where it was followed from its body on, or has no readable header.
    pub head: Option<OriginalHead>,
    /// Whether a message of the PEC system is inside: by its headers, or by a daticert that was signed.
    pub has_pec: bool,
    /// Whether another daticert is inside, as an attachment.
    pub has_daticert: bool,
    /// Whether a part has a file name that does not end in `.hash`, or is a whole message.
    pub has_clear_part: bool,
    /// Whether there was more than what is followed.
    pub is_incomplete: bool,
}

/// An open multipart.
struct Level {
    boundary: Vec<u8>,
    /// Whether it is a multipart/signed, or within one.
    in_signed: bool,
}

enum State {
    /// In a header block: a message's, or a part's.
    Head { block: Block, is_message: bool },
    /// In a body that is not looked into.
    Body,
    /// More than what is followed.
    Over,
}

/// Takes the lines of a message.
pub(crate) struct Walker {
    state: State,
    levels: Vec<Level>,
    parts: usize,
    found: Nested,
}

impl Walker {
    /// For a message from its first line on.
    pub(crate) fn new() -> Self {
        Self {
            state: head(true),
            levels: Vec::new(),
            parts: 0,
            found: Nested::default(),
        }
    }

    /// For the body of a message of this type.
    pub(crate) fn of_body(content_type: &Structured) -> Self {
        let mut walker = Self::new();
        walker.state = State::Body;
        walker.open(content_type);
        walker
    }

    /// Whether nothing that follows can matter.
    pub(crate) fn is_done(&self) -> bool {
        match self.state {
            State::Over => true,
            State::Body => self.levels.is_empty(),
            State::Head { .. } => false,
        }
    }

    /// Whether lines that are no delimiters may come together.
    pub(crate) fn takes_runs(&self) -> bool {
        !matches!(self.state, State::Head { .. })
    }

    /// Takes a line, a stretch of a long one, or a run of lines.
    pub(crate) fn push(&mut self, piece: Piece<'_>) {
        if matches!(self.state, State::Over) {
            return;
        }
        if piece.whole
            && piece.bytes.starts_with(b"--")
            && let Some((level, close)) = self.delimiter(piece.bytes)
        {
            return self.delimited(level, close);
        }
        let ends = match &mut self.state {
            State::Head { block, .. } => !block.push(piece),
            _ => false,
        };
        if ends {
            self.end_head();
        }
    }

    /// The message has ended.
    pub(crate) fn finish(mut self) -> Nested {
        self.end_head();
        self.found
    }

    /// Which open multipart a line delimits, and whether it closes it.
    fn delimiter(&self, line: &[u8]) -> Option<(usize, bool)> {
        let rest = line.strip_prefix(b"--")?.trim_ascii_end();
        let is = |level: &Level| {
            let rest = rest.strip_prefix(level.boundary.as_slice())?;
            match rest {
                b"" => Some(false),
                b"--" => Some(true),
                _ => None,
            }
        };
        let levels = self.levels.iter().enumerate().rev();
        levels
            .into_iter()
            .find_map(|(at, level)| Some((at, is(level)?)))
    }

    fn delimited(&mut self, level: usize, close: bool) {
        self.end_head();
        if matches!(self.state, State::Over) {
            return;
        }
        self.levels.truncate(if close { level } else { level + 1 });
        self.state = if close { State::Body } else { head(false) };
        self.parts += usize::from(!close);
        if self.parts > PARTS_MAX {
            self.give_up();
        }
    }

    fn give_up(&mut self) {
        self.found.is_incomplete = true;
        self.state = State::Over;
    }

    /// A header block is complete, if one was being read.
    fn end_head(&mut self) {
        let State::Head { block, is_message } = std::mem::replace(&mut self.state, State::Body)
        else {
            return;
        };
        if block.is_too_long() {
            self.found.is_incomplete = true;
        }
        let fields = block.fields();
        let [content_type, disposition] = match is_message {
            true => self.message(fields),
            false => fields.values(["content-type", "content-disposition"]),
        }
        .map(|value| Structured::parse(&value.unwrap_or_default()));
        self.part(&content_type, &disposition);
        self.open(&content_type);
    }

    /// Looks at a message by its header; gives its Content-Type and Content-Disposition.
    fn message<'a>(&mut self, fields: Fields<'a>) -> [Option<Cow<'a, [u8]>>; 2] {
        let [
            content_type,
            disposition,
            trasporto,
            ricevuta,
            message_id,
            reference,
            from,
            subject,
        ] = fields.values([
            "content-type",
            "content-disposition",
            "x-trasporto",
            "x-ricevuta",
            "message-id",
            "x-riferimento-message-id",
            "from",
            "subject",
        ]);
        if self.parts == 0 && self.found.head.is_none() {
            self.found.head = Some(OriginalHead {
                message_id: kept(message_id),
                reference: kept(reference),
                from: kept(from),
                subject: kept(subject),
            });
        }
        self.found.has_pec |= trasporto.is_some() || ricevuta.is_some();
        [content_type, disposition]
    }

    /// Looks at a part by its header.
    fn part(&mut self, content_type: &Structured, disposition: &Structured) {
        let names = [
            content_type.parameter("name"),
            disposition.parameter("filename"),
        ];
        let is_hash = |name: &Vec<u8>| {
            let name = crate::mime::comparable(name).to_ascii_lowercase();
            name.ends_with(b".hash")
        };
        let kind = content_type.value.as_slice();
        // A signature is left as it is, and of what is opaque nothing is replaced (RFC 6109 section 3.3.2.2).
        let is_cms =
            kind.starts_with(b"application/pkcs7-") || kind.starts_with(b"application/x-pkcs7-");
        let mut named = names.iter().flatten().peekable();
        let is_named = named.peek().is_some();
        let is_clear = is_named && !named.any(is_hash);
        let is_message = kind == b"message/rfc822";
        self.found.has_clear_part |= (is_clear && !is_cms) || (is_message && !is_named);
        let is_daticert = content_type.is_named("name", "daticert.xml")
            || disposition.is_named("filename", "daticert.xml");
        if is_daticert && kind.ends_with(b"/xml") {
            match self.levels.last().is_some_and(|level| level.in_signed) {
                true => self.found.has_pec = true,
                false => self.found.has_daticert = true,
            }
        }
    }

    /// Goes into what may hold parts.
    fn open(&mut self, content_type: &Structured) {
        let kind = content_type.value.as_slice();
        if kind == b"message/rfc822" {
            self.parts += 1;
            self.state = head(true);
        } else if kind.starts_with(b"multipart/") {
            let Some(boundary) = boundary(content_type) else {
                return;
            };
            if self.levels.len() >= LEVELS_MAX {
                return self.give_up();
            }
            let outer = self.levels.last().is_some_and(|level| level.in_signed);
            let in_signed = outer || kind == b"multipart/signed";
            self.levels.push(Level {
                boundary,
                in_signed,
            });
        }
        if self.parts > PARTS_MAX {
            self.give_up();
        }
    }
}

fn head(is_message: bool) -> State {
    State::Head {
        block: Block::new(PART_HEADER_BYTES_MAX),
        is_message,
    }
}
