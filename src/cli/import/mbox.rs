//! Messages out of an mbox, one after the other, never the whole file in memory.
//!
//! ```text
//! From somebody@example.test Fri Nov 21 10:00:00 2025     separator: begins the file, or follows an empty line
//! Subject: ...                                            the message, its line ends as they are
//! ...
//! >From here on                                           quoted: given as "From here on"
//!                                                         the empty line belongs to the mbox, not to the message
//! From ...
//! ```
//!
//! # Invariants
//! 1. Read as *mboxrd*: of every line of one or more `>` before `From ` one `>` is taken off. In an mbox of the
//!    older kind (*mboxo*) that takes a `>` too many off a line that had it before: such files cannot be told
//!    apart, and both kinds come out right in all lines but those.
//! 2. One empty line before a separator, or at the end, is the mbox's own; all others are the message's.
//! 3. The same file read again from the offset of a separator gives the same message.

use std::io::{BufRead, Read, Result};

/// How a separator begins.
pub const SEPARATOR: &[u8] = b"From ";
/// A longer line is passed on in pieces; a longer run of `>` is no quoting.
const PIECE_BYTES: u64 = 64 << 10;

/// Reads an mbox from a separator on. As [`Read`] it gives the message it stands in, to its end.
pub struct Mbox<R> {
    input: R,
    /// Offset of the next byte of `input`.
    at: u64,
    /// Where the separator is after which the input stands, until its message begins.
    separator: Option<u64>,
    inside: bool,
    /// The last piece ended its line.
    whole: bool,
    /// What is being given, and how much of it was.
    piece: Vec<u8>,
    given: usize,
    /// An empty line that is the message's only if another line follows.
    empty: Vec<u8>,
}

impl<R: BufRead> Mbox<R> {
    /// Stands before the separator at this offset, where the input is.
    pub fn new(input: R, at: u64) -> Result<Self> {
        let mut mbox = Self {
            input,
            at,
            separator: Some(at),
            inside: false,
            whole: true,
            piece: Vec::new(),
            given: 0,
            empty: Vec::new(),
        };
        mbox.next_piece()?;
        mbox.skip_line()?;
        Ok(mbox)
    }

    /// Goes on to the next message; the offset of its separator, or none at the end.
    pub fn next_message(&mut self) -> Result<Option<u64>> {
        while self.advance()? {}
        let offset = self.separator.take();
        self.inside = offset.is_some();
        Ok(offset)
    }

    /// The next piece of a line, at most; empty at the end.
    fn next_piece(&mut self) -> Result<()> {
        self.piece.clear();
        self.given = 0;
        let mut input = self.input.by_ref().take(PIECE_BYTES);
        let read = input.read_until(b'\n', &mut self.piece)?;
        self.at = self.at.saturating_add(read as u64);
        self.whole = self.piece.ends_with(b"\n");
        Ok(())
    }

    fn skip_line(&mut self) -> Result<()> {
        while !self.whole && !self.piece.is_empty() {
            self.next_piece()?;
        }
        self.piece.clear();
        self.whole = true;
        Ok(())
    }

    /// Makes the next bytes of the message ready; false at its end.
    fn advance(&mut self) -> Result<bool> {
        while self.inside {
            let (begins, at) = (self.whole, self.at);
            self.next_piece()?;
            if self.piece.is_empty() {
                self.inside = false;
                break;
            }
            if begins {
                if !self.empty.is_empty() && self.piece.starts_with(SEPARATOR) {
                    self.skip_line()?;
                    self.separator = Some(at);
                    self.inside = false;
                    break;
                }
                if matches!(self.piece.as_slice(), b"\n" | b"\r\n") {
                    let former = !self.empty.is_empty();
                    std::mem::swap(&mut self.piece, &mut self.empty);
                    if former {
                        return Ok(true);
                    }
                    continue;
                }
                if is_quoted(&self.piece) {
                    self.given = 1;
                }
            }
            if !self.empty.is_empty() {
                let line = self.piece.split_off(self.given);
                self.given = 0;
                std::mem::swap(&mut self.piece, &mut self.empty);
                self.piece.extend_from_slice(&line);
                self.empty.clear();
            }
            return Ok(true);
        }
        self.piece.clear();
        self.given = 0;
        self.empty.clear();
        Ok(false)
    }
}

fn is_quoted(line: &[u8]) -> bool {
    let marks = line.iter().take_while(|byte| **byte == b'>').count();
    marks > 0
        && line
            .get(marks..)
            .is_some_and(|rest| rest.starts_with(SEPARATOR))
}

impl<R: BufRead> Read for Mbox<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        loop {
            let ready = self.piece.get(self.given..).unwrap_or_default();
            if !self.inside && ready.is_empty() {
                return Ok(0);
            }
            let taken = ready.len().min(buffer.len());
            if let (Some(to), Some(from)) = (buffer.get_mut(..taken), ready.get(..taken)) {
                to.copy_from_slice(from);
            }
            self.given += taken;
            if taken > 0 || buffer.is_empty() {
                return Ok(taken);
            }
            if !self.advance()? {
                return Ok(0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    /// Messages with the offsets of their separators.
    fn split(text: &[u8]) -> Vec<(u64, Vec<u8>)> {
        let mut mbox = Mbox::new(Cursor::new(text), 0).unwrap();
        let mut found = Vec::new();
        while let Some(offset) = mbox.next_message().unwrap() {
            let mut message = Vec::new();
            mbox.read_to_end(&mut message).unwrap();
            // Read again from there, it is the same.
            let tail = &text[offset as usize..];
            let mut again = Mbox::new(Cursor::new(tail), offset).unwrap();
            assert_eq!(again.next_message().unwrap(), Some(offset));
            let mut same = Vec::new();
            again.read_to_end(&mut same).unwrap();
            assert_eq!(same, message);
            found.push((offset, message));
        }
        // Skipping messages finds the same ones.
        let mut mbox = Mbox::new(Cursor::new(text), 0).unwrap();
        for (offset, _) in &found {
            assert_eq!(mbox.next_message().unwrap(), Some(*offset));
        }
        assert_eq!(mbox.next_message().unwrap(), None);
        found
    }

    fn messages(text: &[u8]) -> Vec<String> {
        let found = split(text).into_iter();
        found
            .map(|(_, bytes)| String::from_utf8(bytes).unwrap())
            .collect()
    }

    #[test]
    fn separators_are_lines_after_an_empty_one() {
        let text =
            b"From a\nS: 1\n\nbody\n\nFrom b\nS: 2\n\nFrom inside\nFrom inside too\n\nFrom c\n";
        assert_eq!(
            messages(text),
            [
                "S: 1\n\nbody\n",
                // Whoever does not quote loses here, as everywhere.
                "S: 2\n",
                "From inside too\n",
                ""
            ]
        );
        assert_eq!(split(text)[1].0, 19);
    }

    #[test]
    fn one_mark_is_taken_off_quoted_lines_and_off_no_others() {
        let text =
            b"From a\n>From first\n>>From second\n> From third\n>Fromage\nx >From y\n\n>From z\n";
        assert_eq!(
            messages(text),
            ["From first\n>From second\n> From third\n>Fromage\nx >From y\n\nFrom z\n"]
        );
    }

    #[test]
    fn one_empty_line_is_the_mboxes_own() {
        assert_eq!(
            messages(b"From a\nx\n\n\n\nFrom b\ny\n\n"),
            ["x\n\n\n", "y\n"]
        );
        assert_eq!(
            messages(b"From a\r\nx\r\n\r\nFrom b\r\ny\r\n\r\n\r\n"),
            ["x\r\n", "y\r\n\r\n"]
        );
        assert_eq!(messages(b"From a\nno line end"), ["no line end"]);
        assert_eq!(messages(b"From a"), [""]);
        assert_eq!(messages(b"From a\n\n\n"), ["\n"]);
    }

    #[test]
    fn long_lines_are_passed_on_in_pieces() {
        let long = "x".repeat(200_000);
        let marks = ">".repeat(70_000);
        let text = format!("From {long}\n{long}From \n{marks}From \n\nFrom b\n>From {long}\n");
        assert_eq!(
            messages(text.as_bytes()),
            [
                format!("{long}From \n{marks}From \n"),
                format!("From {long}\n")
            ]
        );
    }
}
