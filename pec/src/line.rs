//! Lines out of pieces, in bounded memory.
//!
//! # Invariants
//! 1. The octets of all pieces given out, in order, are the octets pushed in.
//! 2. A line of at most [`LINE_BYTES_MAX`] octets comes in one piece, marked `whole`; a longer one comes
//!    in several, none of them `whole`. Neither depends on how the input was cut.
//! 3. Only LF ends a line; a CR alone does not.
//! 4. Lines come together, as a run, only to who asks for them so, and only lines that are no delimiter whatever
//!    the boundary: each ended, none beginning with `--`.

use memchr::memmem::Finder;

/// The longest line that is kept together, its break included: far above the 998 octets of RFC 5322
/// section 2.1.1. No longer line can be a delimiter or end a header.
pub const LINE_BYTES_MAX: usize = 4096;

/// A line, a stretch of a long one, or a run of lines.
#[derive(Clone, Copy)]
pub(crate) struct Piece<'a> {
    /// Where it stands in the input.
    pub at: u64,
    /// Its octets, with the line break if it ends the line.
    pub bytes: &'a [u8],
    /// Whether this is a line complete in one piece.
    pub whole: bool,
    /// Octets of the line break this piece ends with: none, one (LF) or two (CR LF).
    pub break_bytes: u8,
    /// Whether these are lines, one or more, each ended.
    pub run: bool,
}

/// Who takes the pieces.
pub(crate) trait Sink {
    /// Takes a piece.
    fn take(&mut self, piece: Piece<'_>);

    /// Whether from here on, until a line that may be a delimiter, it makes no difference where lines end.
    fn takes_runs(&self) -> bool {
        false
    }
}

impl<F: FnMut(Piece<'_>)> Sink for F {
    fn take(&mut self, piece: Piece<'_>) {
        self(piece);
    }
}

/// Puts lines together.
pub(crate) struct Lines {
    /// Of a line break, and the beginning of a line that may be a delimiter.
    may_delimit: Finder<'static>,
    /// The beginning of a line whose end has not come yet; empty within a long line.
    head: Vec<u8>,
    /// Whether the rest of a long line is being passed on.
    long: bool,
    /// Whether the last octet given out was a CR.
    after_cr: bool,
    /// Where the next piece begins.
    at: u64,
}

impl Default for Lines {
    fn default() -> Self {
        Self {
            may_delimit: Finder::new(b"\n--"),
            head: Vec::new(),
            long: false,
            after_cr: false,
            at: 0,
        }
    }
}

impl Lines {
    /// Takes octets, and gives out what can be decided.
    pub(crate) fn push(&mut self, mut bytes: &[u8], sink: &mut impl Sink) {
        while !bytes.is_empty() {
            if sink.takes_runs() && !self.long && self.head.is_empty() {
                let (run, rest) = bytes.split_at(self.run_bytes(bytes));
                if !run.is_empty() {
                    self.give_run(run, sink);
                    bytes = rest;
                    continue;
                }
            }
            let end = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1);
            let (line, rest) = bytes.split_at(end);
            bytes = rest;
            self.take(line, sink);
        }
    }

    /// How many octets from the beginning of a line on are whole lines that are no delimiters.
    fn run_bytes(&self, bytes: &[u8]) -> usize {
        if bytes.starts_with(b"--") {
            return 0;
        }
        let last = match self.may_delimit.find(bytes) {
            Some(at) => Some(at),
            // A single hyphen at the end may be the first of two.
            None => memchr::memrchr(b'\n', bytes),
        };
        last.map_or(0, |at| at + 1)
    }

    fn give_run(&mut self, bytes: &[u8], sink: &mut impl Sink) {
        sink.take(Piece {
            at: self.at,
            bytes,
            whole: false,
            break_bytes: if bytes.ends_with(b"\r\n") { 2 } else { 1 },
            run: true,
        });
        self.at += bytes.len() as u64;
    }

    /// The input has ended: gives out the line that has no break.
    pub(crate) fn finish(&mut self, sink: &mut impl Sink) {
        let head = std::mem::take(&mut self.head);
        if !head.is_empty() {
            self.give(&head, true, sink);
        }
    }

    /// Takes octets that hold no line break except at their end.
    fn take(&mut self, line: &[u8], sink: &mut impl Sink) {
        let ends = line.last() == Some(&b'\n');
        if self.long {
            self.give(line, false, sink);
            self.long = !ends;
        } else if self.head.len() + line.len() > LINE_BYTES_MAX {
            let head = std::mem::take(&mut self.head);
            if !head.is_empty() {
                self.give(&head, false, sink);
            }
            self.give(line, false, sink);
            self.long = !ends;
        } else if !ends {
            self.head.extend_from_slice(line);
        } else if self.head.is_empty() {
            self.give(line, true, sink);
        } else {
            let mut head = std::mem::take(&mut self.head);
            head.extend_from_slice(line);
            self.give(&head, true, sink);
            head.clear();
            self.head = head;
        }
    }

    fn give(&mut self, bytes: &[u8], whole: bool, sink: &mut impl Sink) {
        let break_bytes = match bytes {
            [.., b'\r', b'\n'] => 2,
            [b'\n'] if self.after_cr => 2,
            [.., b'\n'] => 1,
            _ => 0,
        };
        sink.take(Piece {
            at: self.at,
            bytes,
            whole,
            break_bytes,
            run: false,
        });
        self.after_cr = bytes.last() == Some(&b'\r');
        self.at += bytes.len() as u64;
    }
}

/// Whether among these lines is one that ends in LF alone, and one that ends in CR LF.
pub(crate) fn line_ends(lines: &[u8]) -> (bool, bool) {
    let begins_bare = lines.first() == Some(&b'\n');
    let next = lines.get(1..).unwrap_or_default();
    // Without branches, so that it is done for many octets at once.
    let ends = |(bare, crlf), (octet, next): (&u8, &u8)| {
        let (is_cr, is_lf) = (*octet == b'\r', *next == b'\n');
        (bare | (is_lf & !is_cr), crlf | (is_lf & is_cr))
    };
    lines.iter().zip(next).fold((begins_bare, false), ends)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Offset, octets, and the sum of breaks of each line; the pieces of a long line put together.
    fn lines(pieces: &[&[u8]]) -> Vec<(u64, Vec<u8>, bool, u8)> {
        let (mut lines, mut out) = (Lines::default(), Vec::<(u64, Vec<u8>, bool, u8)>::new());
        let mut sink = |piece: Piece<'_>| match out.last_mut() {
            Some((_, bytes, false, breaks)) if bytes.last() != Some(&b'\n') => {
                bytes.extend_from_slice(piece.bytes);
                *breaks = piece.break_bytes;
            }
            _ => out.push((
                piece.at,
                piece.bytes.to_vec(),
                piece.whole,
                piece.break_bytes,
            )),
        };
        for piece in pieces {
            lines.push(piece, &mut sink);
        }
        lines.finish(&mut sink);
        out
    }

    #[test]
    fn only_a_line_feed_ends_a_line() {
        assert_eq!(
            lines(&[b"a\rb\r\n\nc"]),
            [
                (0, b"a\rb\r\n".to_vec(), true, 2),
                (5, b"\n".to_vec(), true, 1),
                (6, b"c".to_vec(), true, 0),
            ]
        );
    }

    #[test]
    fn a_long_line_is_passed_on_without_being_kept() {
        let mut lines = Lines::default();
        for _ in 0..1000 {
            lines.push(&[b'x'; 1000], &mut |_: Piece<'_>| {});
            assert!(lines.head.capacity() <= 2 * LINE_BYTES_MAX);
        }
        let exact = [vec![b'x'; LINE_BYTES_MAX - 1], vec![b'\n']].concat();
        let over = [vec![b'x'; LINE_BYTES_MAX], vec![b'\n']].concat();
        assert!(super::tests::lines(&[&exact])[0].2);
        assert!(!super::tests::lines(&[&over])[0].2);
    }

    /// Takes runs.
    #[derive(Default)]
    struct Runs(Vec<(Vec<u8>, bool, bool)>);

    impl Sink for Runs {
        fn take(&mut self, piece: Piece<'_>) {
            let Piece {
                bytes, whole, run, ..
            } = piece;
            self.0.push((bytes.to_vec(), whole, run));
        }

        fn takes_runs(&self) -> bool {
            true
        }
    }

    #[test]
    fn a_line_that_may_delimit_comes_alone() {
        let (mut lines, mut sink) = (Lines::default(), Runs::default());
        lines.push(b"a\r\nb\n--B\nc\n-", &mut sink);
        lines.push(b"-B\n--\n-x\ny", &mut sink);
        lines.finish(&mut sink);
        let piece = |bytes: &[u8], whole, run| (bytes.to_vec(), whole, run);
        assert_eq!(
            sink.0,
            [
                piece(b"a\r\nb\n", false, true),
                piece(b"--B\n", true, false),
                piece(b"c\n", false, true),
                piece(b"--B\n", true, false),
                piece(b"--\n", true, false),
                piece(b"-x\n", false, true),
                piece(b"y", true, false),
            ]
        );
    }

    proptest! {
        #[test]
        fn line_ends_are_told_wherever_they_stand(kinds in proptest::collection::vec(0usize..5, 0..80)) {
            let octets: Vec<u8> = kinds.iter().flat_map(|kind| {
                [&b"\n"[..], b"\r\n", b"\r", b"a", b"0123456789abcdef"][*kind].to_vec()
            }).collect();
            let at = |pair: &[u8]| octets.windows(2).any(|found| found == pair);
            let breaks = octets.iter().filter(|c| **c == b'\n').count();
            let crlf = octets.windows(2).filter(|pair| pair == b"\r\n").count();
            prop_assert_eq!(line_ends(&octets), (breaks > crlf, at(b"\r\n")));
        }

        #[test]
        fn the_cuts_do_not_matter(
            parts in proptest::collection::vec((0usize..5, 0usize..3000), 0..12),
            cuts in proptest::collection::vec(0usize..20_000, 0..6),
        ) {
            let bytes: Vec<u8> = parts.iter().flat_map(|(kind, n)| {
                [vec![b'x'; *n], [&b"\n"[..], b"\r\n", b"\r", b"\r\r\n", b""][*kind].to_vec()].concat()
            }).collect();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(bytes.len())).collect();
            cuts.sort_unstable();
            let (mut from, mut pieces) = (0, Vec::new());
            for cut in cuts {
                pieces.push(&bytes[from..cut]);
                from = cut;
            }
            pieces.push(&bytes[from..]);
            prop_assert_eq!(lines(&pieces), lines(&[&bytes]));
        }
    }
}
