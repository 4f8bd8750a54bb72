//! An object that is nothing but XML: evidence that stands alone.

use super::{Capture, Captured};

/// An object that begins as XML does, kept as long as it may be evidence that stands alone.
pub(crate) enum Alone {
    /// The first octets, too few to tell.
    Undecided(Vec<u8>),
    /// It does not begin so.
    No,
    /// It does.
    Kept(Box<Capture>),
}

impl Default for Alone {
    fn default() -> Self {
        Self::Undecided(Vec::new())
    }
}

impl Alone {
    /// The most octets of blanks before the first tag.
    const BLANKS_MAX: usize = 1024;

    /// Takes the next octets of the object.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        match self {
            Self::No => {}
            Self::Kept(capture) => capture.keep(bytes),
            Self::Undecided(first) => {
                let room = Self::BLANKS_MAX.saturating_sub(first.len());
                let (kept, rest) = bytes.split_at(room.min(bytes.len()));
                first.extend_from_slice(kept);
                let Some(begins) = begins_as_xml(first) else {
                    return;
                };
                let first = std::mem::take(first);
                *self = match begins {
                    false => Self::No,
                    true => {
                        let mut capture = Box::new(Capture::alone());
                        capture.keep(&first);
                        capture.keep(rest);
                        Self::Kept(capture)
                    }
                };
            }
        }
    }

    /// What the object is, if it is evidence.
    pub(crate) fn finish(self) -> Captured {
        match self {
            Self::Kept(capture) => capture.finish(),
            Self::Undecided(_) | Self::No => Captured::default(),
        }
    }
}

/// Whether octets begin with a tag, in UTF-8 or UTF-16; `None` while there are too few to tell.
fn begins_as_xml(first: &[u8]) -> Option<bool> {
    if first.len() < 4 {
        return None;
    }
    let is_utf16 = first.starts_with(b"\xff\xfe") || first.starts_with(b"\xfe\xff");
    let text = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(first);
    match text.trim_ascii_start().first() {
        _ if is_utf16 => Some(true),
        Some(octet) => Some(*octet == b'<'),
        None => (first.len() >= Alone::BLANKS_MAX).then_some(false),
    }
}
