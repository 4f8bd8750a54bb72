//! Parts of a message in memory: a walk in bounds, for what the push reader does not look into.
//!
//! # Invariants
//! 1. Delimiters are those of RFC 2046 section 5.1.1, as in `scan`: whole lines, the break before them theirs.
//!    A multipart that is not closed ends where what encloses it ends.
//! 2. At most [`PARTS_MAX`] parts on at most [`LEVELS_MAX`] levels; each level reads its octets once. What
//!    lies beyond is not visited, and the walk says so.
//! 3. An attached message is a leaf: what is in it is another's.

use crate::header::{Fields, lines, split_entity};
use crate::param::{Structured, decode_words};
use crate::scan::{PART_HEADER_BYTES_MAX, boundary};
use crate::transfer::Encoding;

/// The most parts of a message that are followed, multiparts included.
pub(crate) const PARTS_MAX: usize = 1000;
/// The most levels of multiparts.
pub(crate) const LEVELS_MAX: usize = 16;

/// An entity: the message itself, or a part of it.
pub(crate) struct Part<'a> {
    /// Its fields; none when its header block is longer than what is read.
    pub fields: Fields<'a>,
    pub content_type: Structured,
    /// Its body, as encoded.
    pub body: &'a [u8],
    /// Where the body begins in the entity.
    pub body_at: usize,
}

/// A child of a multipart, and where it begins in the body of its parent.
type Child<'a> = (usize, &'a [u8]);

impl<'a> Part<'a> {
    /// Reads the header of an entity.
    pub(crate) fn of(entity: &'a [u8]) -> Self {
        let (fields, body) = split_entity(entity);
        let body_at = entity.len() - body.len();
        let fields = if body_at > PART_HEADER_BYTES_MAX {
            Fields::new(&[])
        } else {
            fields
        };
        let content_type = Structured::parse(&fields.value("content-type").unwrap_or_default());
        Self {
            fields,
            content_type,
            body,
            body_at,
        }
    }

    pub(crate) fn is_multipart(&self) -> bool {
        self.content_type.value.starts_with(b"multipart/")
    }

    pub(crate) fn is_message(&self) -> bool {
        self.content_type.value == b"message/rfc822"
    }

    /// The body, decoded; `None` if it is not in its encoding.
    pub(crate) fn decoded(&self) -> Option<Vec<u8>> {
        let encoding = self.fields.value("content-transfer-encoding");
        Encoding::named(encoding.as_deref()).decode(self.body)
    }

    /// The file names it has, as they came: `filename` of the disposition, `name` of the type.
    pub(crate) fn names(&self) -> impl Iterator<Item = Vec<u8>> {
        let disposition = self.fields.value("content-disposition").unwrap_or_default();
        let filename = Structured::parse(&disposition).parameter("filename");
        let name = self.content_type.parameter("name");
        filename.into_iter().chain(name)
    }

    /// The direct children of a multipart, at most so many, and whether there are more.
    pub(crate) fn children(&self, parts_max: usize) -> (Vec<Child<'a>>, bool) {
        match boundary(&self.content_type) {
            Some(boundary) if self.is_multipart() => split(self.body, &boundary, parts_max),
            _ => (Vec::new(), false),
        }
    }
}

/// A name in the form in which names are compared: RFC 2047 words decoded, blanks around it left out.
pub(crate) fn comparable(name: &[u8]) -> Vec<u8> {
    decode_words(name).trim_ascii().to_vec()
}

/// The parts between the delimiters of this boundary.
fn split<'a>(body: &'a [u8], boundary: &[u8], parts_max: usize) -> (Vec<Child<'a>>, bool) {
    let (mut parts, mut start, mut at) = (Vec::new(), None, 0);
    for line in lines(body) {
        let next = at + line.len();
        if let Some(close) = delimiter(line, boundary) {
            if let Some(start) = start.take() {
                parts.push((
                    start,
                    without_break(body.get(start..at).unwrap_or_default()),
                ));
            }
            if close {
                return (parts, false);
            }
            if parts.len() >= parts_max {
                return (parts, true);
            }
            start = Some(next);
        }
        at = next;
    }
    parts.extend(start.and_then(|start| Some((start, body.get(start..)?))));
    (parts, false)
}

/// Whether a line is a delimiter, and if so whether it is the close delimiter.
fn delimiter(line: &[u8], boundary: &[u8]) -> Option<bool> {
    let rest = line.strip_prefix(b"--")?.strip_prefix(boundary)?;
    let (close, blanks) = match rest.strip_prefix(b"--") {
        Some(blanks) => (true, blanks),
        None => (false, rest),
    };
    blanks.trim_ascii().is_empty().then_some(close)
}

fn without_break(part: &[u8]) -> &[u8] {
    match part.strip_suffix(b"\n") {
        Some(part) => part.strip_suffix(b"\r").unwrap_or(part),
        None => part,
    }
}

/// Visits the leaves of a message in order, of a multipart/signed those that are signed. `false` when there
/// were more, or deeper ones, than are followed.
pub(crate) fn walk<'a>(message: &'a [u8], mut visit: impl FnMut(Part<'a>)) -> bool {
    let mut waiting = vec![(message, 0usize)];
    let (mut parts, mut is_complete) = (0usize, true);
    while let Some((entity, level)) = waiting.pop() {
        parts += 1;
        let part = Part::of(entity);
        if !part.is_multipart() {
            visit(part);
        } else if level == LEVELS_MAX {
            is_complete = false;
        } else {
            let room = PARTS_MAX.saturating_sub(parts + waiting.len());
            let (mut children, has_more) = part.children(room);
            is_complete &= !has_more;
            if part.content_type.value == b"multipart/signed" {
                children.truncate(1);
            }
            waiting.extend(
                children
                    .into_iter()
                    .rev()
                    .map(|(_, child)| (child, level + 1)),
            );
        }
    }
    is_complete
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bodies(message: &str) -> (Vec<String>, bool) {
        let mut bodies = Vec::new();
        let is_complete = walk(message.as_bytes(), |part| {
            bodies.push(String::from_utf8_lossy(part.body).into_owned());
        });
        (bodies, is_complete)
    }

    #[test]
    fn leaves_come_in_order_and_attached_messages_are_not_entered() {
        let message = "Content-Type: multipart/mixed; boundary=B\n\npreamble\n--B\n\na\n--B \n\
                       Content-Type: multipart/alternative; boundary=B.1\n\n--B.1\n\nb\n\n--B.1\n\nc\n--B.1--\nx\n\
                       --Bfoo\n--B\nContent-Type: message/rfc822\n\n\
                       Content-Type: multipart/mixed; boundary=I\n\n--I\n\nno\n--B--\nepilogue\n--B\n\nno";
        let (found, is_complete) = bodies(message);
        assert_eq!(found[..3], ["a", "b\n", "c"]);
        assert!(found[3].contains("--I") && found.len() == 4 && is_complete);
        assert_eq!(bodies(&message.replace('\n', "\r\n")).0[1], "b\r\n");
    }

    #[test]
    fn of_a_signed_multipart_only_what_is_signed_is_visited() {
        let message =
            "Content-Type: multipart/signed; boundary=B\n\n--B\n\na\n--B\n\nsignature\n--B--\n";
        assert_eq!(bodies(message), (vec!["a".into()], true));
    }

    #[test]
    fn a_multipart_without_an_end_ends_with_its_message() {
        let message = "Content-Type: multipart/mixed; boundary=B\n\n--B\n\na\n--B\n\nb\n";
        assert_eq!(bodies(message).0, ["a", "b\n"]);
        assert_eq!(
            bodies("Content-Type: multipart/mixed\n\n--B\n\na").0.len(),
            0
        );
        assert_eq!(bodies("").0, [""]);
    }

    #[test]
    fn parts_and_levels_are_bounded() {
        let many =
            "Content-Type: multipart/mixed; boundary=B\n\n".to_owned() + &"--B\n\nx\n".repeat(5000);
        let (found, is_complete) = bodies(&many);
        assert!(found.len() < PARTS_MAX && found.len() > PARTS_MAX - 3 && !is_complete);
        let deep: String = (0..100)
            .map(|i| format!("Content-Type: multipart/mixed; boundary=B{i}x\n\n--B{i}x\n"))
            .collect();
        assert_eq!(bodies(&deep), (vec![], false));
        let header = format!(
            "X: {}\nContent-Type: multipart/mixed; boundary=B\n\n--B\n\na",
            "x".repeat(PART_HEADER_BYTES_MAX)
        );
        assert_eq!(bodies(&header).0, ["--B\n\na"]);
    }

    proptest! {
        #[test]
        fn leaves_lie_in_the_message_in_order(
            lines in prop::collection::vec(prop::sample::select(vec![
                "--A\n", "--A--\n", "--B\n", "--B--\n", "\n", "x\n", "x", "\r\n",
                "Content-Type: multipart/mixed; boundary=A\n",
                "Content-Type: multipart/signed; boundary=B\n",
            ]), 0..40),
        ) {
            let message = lines.concat();
            let (base, mut end) = (message.as_ptr() as usize, 0);
            walk(message.as_bytes(), |part| {
                let at = part.body.as_ptr() as usize;
                if !part.body.is_empty() {
                    assert!(at >= base + end && at + part.body.len() <= base + message.len());
                    end = at - base + part.body.len();
                }
            });
        }
    }
}
