//! What an object shows by itself, read once from beginning to end in bounded memory.

use super::ReissueError;
use super::material::within;
use crate::audit::Reader;
use crate::desk::Shown;
use ceralacca_evidence::asic::{Measured, measure};
use ceralacca_formats::digest::{ContentDigest, ContentHasher, Sha256};
use ceralacca_pec::Reading;
use ceralacca_pec::attachments::{Attachment, attachments};
use ceralacca_pec::brief::Brief;
use ceralacca_pec::judge::{Times, Trust, Verdict, judge};
use std::io::Read;
use std::ops::Range;

/// The most of an embedded original that is looked at for its header, in bytes.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// The longest brief receipt, and original, that are compared here, in bytes: both are in memory.
pub(super) const COMPARED_BYTES_MAX: u64 = 8 << 20;

/// An object, examined.
pub(super) struct Examined {
    /// Length, checksum, digest: as read now.
    pub(super) measured: Measured,
    /// Its form and its facts.
    pub(super) reading: Reading,
    /// Its signature, judged now without any trusted authority: what is integral, who is named.
    pub(super) verdict: Verdict,
    /// Whether a line ends without carriage return.
    pub(super) has_bare_line_feeds: bool,
    /// Of the original within: its Message-ID.
    pub(super) original_id: Option<Vec<u8>>,
    /// Of the original within: its octets.
    pub(super) original: Option<ContentDigest>,
    /// Of the original within, where it is complete and short enough to be looked through: its attachments, and
    /// whether all of it was followed.
    pub(super) attachments: Option<(Vec<Attachment>, bool)>,
    /// Where the original stands in the object.
    pub(super) original_at: Option<Range<u64>>,
    /// Of a brief receipt: its hashes.
    pub(super) brief: Option<Brief>,
    /// SHA-256 of the certificates that travel in its signature.
    pub(super) certificates: Vec<Sha256>,
}

/// Passes bytes on, and has them read.
struct Watching<'a, R> {
    from: R,
    reader: &'a mut ceralacca_pec::Reader,
    last: u8,
    bare: bool,
}

impl<R: Read> Read for Watching<'_, R> {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        let length = self.from.read(to)?;
        let bytes = to.get(..length).unwrap_or_default();
        self.reader.push(bytes);
        for byte in bytes {
            self.bare |= *byte == b'\n' && self.last != b'\r';
            self.last = *byte;
        }
        Ok(length)
    }
}

impl Examined {
    /// Reads an object.
    pub(super) fn of(reader: &Reader, shown: &Shown) -> Result<Self, ReissueError> {
        let mut mail = ceralacca_pec::Reader::new();
        let mut watching = Watching {
            from: shown.opened.pieces(reader.store())?,
            reader: &mut mail,
            last: 0,
            bare: false,
        };
        let measured = measure(&mut watching).map_err(failed)?;
        let has_bare_line_feeds = watching.bare;
        let reading = mail.finish();
        let times = Times {
            received_ms: i64::try_from(shown.opened.leaf.time.get()).ok(),
        };
        let mut examined = Self {
            verdict: judge(&reading, &Trust::none(), times),
            certificates: reading.p7s().map(|p7s| within(&p7s)).unwrap_or_default(),
            measured,
            reading,
            has_bare_line_feeds,
            original_id: None,
            original: None,
            attachments: None,
            original_at: None,
            brief: None,
        };
        examined.look_inside(reader, shown)?;
        Ok(examined)
    }

    fn look_inside(&mut self, reader: &Reader, shown: &Shown) -> Result<(), ReissueError> {
        let Some(range) = self.reading.postacert.clone() else {
            return Ok(());
        };
        let is_kept = range.end.saturating_sub(range.start) <= COMPARED_BYTES_MAX;
        self.original_at = Some(range.clone());
        let (mut hasher, mut head, mut at) = (ContentHasher::default(), Vec::new(), 0u64);
        shown.opened.content(reader.store(), |piece| {
            let end = at.saturating_add(piece.len() as u64);
            let part = part_of(piece, at, end, &range);
            hasher.update(part);
            let room = match is_kept {
                true => part.len(),
                false => HEAD_BYTES_MAX.saturating_sub(head.len()).min(part.len()),
            };
            head.extend_from_slice(part.get(..room).unwrap_or_default());
            at = end;
        })?;
        self.original = Some(hasher.finish());
        match (is_kept, self.reading.is_brief()) {
            (true, true) => self.brief = Some(Brief::read(&head)),
            (true, false) => self.attachments = Some(attachments(&head)),
            (false, _) => {}
        }
        head.truncate(HEAD_BYTES_MAX);
        let original = ceralacca_pec::read(&head);
        self.original_id = original.message_id.map(|id| id.as_bytes().to_vec());
        Ok(())
    }

    /// The octets of the original within, in memory; none where it is longer than [`COMPARED_BYTES_MAX`].
    pub(super) fn original_octets(
        &self,
        reader: &Reader,
        shown: &Shown,
    ) -> Result<Option<Vec<u8>>, ReissueError> {
        let Some(range) = self.original_at.clone() else {
            return Ok(None);
        };
        if range.end.saturating_sub(range.start) > COMPARED_BYTES_MAX {
            return Ok(None);
        }
        let (mut octets, mut at) = (Vec::new(), 0u64);
        shown.opened.content(reader.store(), |piece| {
            let end = at.saturating_add(piece.len() as u64);
            octets.extend_from_slice(part_of(piece, at, end, &range));
            at = end;
        })?;
        Ok(Some(octets))
    }

    /// Codes of what is remarked of its form and of its signature.
    pub(super) fn has(&self, code: &str) -> bool {
        let form = self.reading.findings.iter().map(|finding| finding.code());
        let grounds = self.verdict.grounds.iter().map(|ground| ground.code());
        form.chain(grounds).any(|found| found == code)
    }

    /// Whether the message carries a signature.
    pub(super) fn is_signed(&self) -> bool {
        self.reading.signature.is_some()
    }

    /// SHA-256, as read now.
    pub(super) fn sha256(&self) -> Sha256 {
        self.measured.sha256
    }
}

/// What of a piece that goes from `at` to `end` lies in a range.
fn part_of<'p>(piece: &'p [u8], at: u64, end: u64, range: &Range<u64>) -> &'p [u8] {
    let within = |place: u64| {
        let place = place.clamp(at, end).saturating_sub(at);
        usize::try_from(place).unwrap_or(usize::MAX)
    };
    let part = piece.get(within(range.start)..within(range.end));
    part.unwrap_or_default()
}

/// An error of reading: that of the record below, where there is one.
fn failed(error: std::io::Error) -> ReissueError {
    match error.downcast::<crate::record::open::RecordError>() {
        Ok(error) => ReissueError::Record(error),
        Err(error) => ReissueError::Container(error.into()),
    }
}
