//! The push reader, and what a message is from what was found in it.
//!
//! A message is classified by its daticert, not by its outer headers, which nobody signed. These only tell
//! an ordinary message from a PEC message that lost something, and an anomaly envelope, which has no
//! daticert, from both.
//!
//! # Invariants
//! 1. Kept at any time: the header block up to [`HEADER_BYTES_MAX`], one line, and what `scan` keeps.
//! 2. Facts need both parts of the multipart/signed: what is cut off before its signature certifies nothing.
//! 3. The facts given out fit into the metadata of a record, with room for what the archive adds.

use crate::daticert::{self, Daticert, Tipo};
use crate::digests::DigestAlgorithm;
use crate::header::{Block, Fields};
use crate::line::{Lines, Piece};
use crate::param::Structured;
use crate::reading::{Finding, Reading};
use crate::reason::Reason;
use crate::scan::{self, Part, Scan, Scanner};
use crate::time::Moment;
use ceralacca_formats::canonical::Text;
use ceralacca_formats::leaf::Kind;
use ceralacca_formats::metadata::{Metadata, TraceRecord};

pub use crate::line::LINE_BYTES_MAX;
pub use crate::scan::{
    BOUNDARY_BYTES_MAX, DATICERT_BYTES_MAX, DELIMITERS_MAX, PART_HEADER_BYTES_MAX,
};

/// The longest header block of a message that is read.
pub const HEADER_BYTES_MAX: usize = 1 << 20;
/// The longest Message-ID or Date that is kept; a longer one is left out.
pub const VALUE_BYTES_MAX: usize = 4 << 10;
/// The longest `micalg` that is kept; a longer one is left out.
const MICALG_BYTES_MAX: usize = 256;
/// The most canonical metadata that facts may make. A reader takes 4 MiB (docs/formats.md); the archive
/// adds its own members, and the digests of the content.
pub const FACTS_BYTES_MAX: usize = (4 << 20) - 1024;

/// Type of event of an anomaly envelope, which has no daticert to say one.
const ANOMALY: &str = "busta-anomalia";

/// Reads a whole message.
pub fn read(bytes: &[u8]) -> Reading {
    let mut reader = Reader::new();
    reader.push(bytes);
    reader.finish()
}

/// Reads a message that comes in pieces.
pub struct Reader {
    lines: Lines,
    stage: Stage,
    bytes: u64,
}

enum Stage {
    /// In the header block.
    Header(Block),
    /// After it; scanning, where the body is a multipart/signed.
    Body(Box<Head>, Option<Box<Scanner>>),
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
            stage: Stage::Header(Block::new(HEADER_BYTES_MAX)),
            bytes: 0,
        }
    }

    /// Takes the next octets, as many or as few as there are.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        if !self.stage.is_done() {
            let stage = &mut self.stage;
            self.lines.push(bytes, |piece| stage.take(piece));
        }
    }

    /// The message has ended.
    pub fn finish(mut self) -> Reading {
        self.lines.finish(|piece| self.stage.take(piece));
        let (head, scan) = match self.stage {
            Stage::Header(block) => (Box::new(Head::of(&block)), None),
            Stage::Body(head, scanner) => (head, scanner.map(|s| s.finish(self.bytes))),
        };
        conclude(self.bytes, *head, scan)
    }
}

impl Stage {
    fn is_done(&self) -> bool {
        match self {
            Self::Header(_) => false,
            Self::Body(_, scanner) => scanner.as_ref().is_none_or(|scanner| scanner.is_done()),
        }
    }

    fn take(&mut self, piece: Piece<'_>) {
        match self {
            Self::Header(block) => {
                if !block.push(piece) {
                    let mut head = Box::new(Head::of(block));
                    let scanner = head.boundary.take();
                    let scanner = scanner.map(|b| Box::new(Scanner::new(b, &head.digests())));
                    *self = Self::Body(head, scanner);
                }
            }
            Self::Body(_, Some(scanner)) => scanner.push(piece),
            Self::Body(_, None) => {}
        }
    }
}

/// What the header block of the message says.
struct Head {
    message_id: Option<Text>,
    date: Option<Text>,
    from: Option<Text>,
    /// The digest the Content-Type states.
    micalg: Option<Text>,
    /// The boundary, where the body is a multipart/signed that has one.
    boundary: Option<Vec<u8>>,
    /// Whether it has a field that every message has some of.
    is_mail: bool,
    /// Whether it has headers of the PEC system.
    is_pec: bool,
    /// Whether it claims to be an anomaly envelope.
    is_anomaly: bool,
    /// Whether it is the header of a signed part that stands alone.
    is_fragment: bool,
    /// Whether a mailing list sent it on.
    is_from_list: bool,
    is_too_long: bool,
    findings: Vec<Finding>,
}

impl Head {
    fn of(block: &Block) -> Self {
        let fields = block.fields();
        let has_any = |names: &[&str]| names.iter().any(|name| fields.has(name));
        let content_type = Structured::parse(&fields.value("content-type").unwrap_or_default());
        let is_signed = content_type.value == b"multipart/signed" && !block.is_too_long();
        let trasporto = fields.value("x-trasporto").unwrap_or_default();
        let (message_id, too_long) = kept(fields, "message-id");
        let mut findings = Vec::new();
        findings.extend(has_repeated(fields).then_some(Finding::RepeatedHeader));
        findings.extend(too_long.then_some(Finding::MessageIdTooLong));
        Self {
            message_id,
            date: kept(fields, "date").0,
            from: kept(fields, "from").0,
            micalg: is_signed
                .then(|| content_type.parameter("micalg"))
                .flatten()
                .filter(|micalg| micalg.len() <= MICALG_BYTES_MAX)
                .map(|micalg| Text::from(micalg.as_slice())),
            boundary: is_signed.then(|| scan::boundary(&content_type)).flatten(),
            is_mail: has_any(&["from", "message-id", "date", "subject"]),
            is_pec: has_any(&["x-trasporto", "x-ricevuta"]),
            is_anomaly: trasporto.eq_ignore_ascii_case(b"errore"),
            is_fragment: content_type.value == b"multipart/mixed" && is_part_header(fields),
            is_from_list: has_any(&["list-id", "list-post", "list-unsubscribe"]),
            is_too_long: block.is_too_long(),
            findings,
        }
    }
}

impl Head {
    /// The digests to make: the two that engines use, and another if the header asks for it.
    fn digests(&self) -> Vec<DigestAlgorithm> {
        let mut digests = vec![DigestAlgorithm::Sha256, DigestAlgorithm::Sha1];
        let stated = self.micalg.as_ref().map(Text::as_bytes).unwrap_or_default();
        for name in stated.split(|c| *c == b',') {
            let stated = DigestAlgorithm::from_micalg(name);
            digests.extend(stated.filter(|stated| !digests.contains(stated)));
        }
        digests
    }
}

/// A value to keep, and whether it was too long for that.
fn kept(fields: Fields<'_>, name: &str) -> (Option<Text>, bool) {
    let value = fields.value(name).unwrap_or_default();
    let too_long = value.len() > VALUE_BYTES_MAX;
    let keep = !value.is_empty() && !too_long;
    (keep.then(|| Text::from(value.as_ref())), too_long)
}

fn has_repeated(fields: Fields<'_>) -> bool {
    let names = [
        "content-type",
        "message-id",
        "date",
        "x-trasporto",
        "x-ricevuta",
    ];
    let mut firsts = names.iter().filter_map(|name| fields.first(name));
    firsts.any(|(_, repeated)| repeated)
}

/// Whether there are only the fields a part of a message has.
fn is_part_header(fields: Fields<'_>) -> bool {
    fields.iter().all(|(name, _)| {
        let name = name.to_ascii_lowercase();
        name.starts_with(b"content-") || name == b"mime-version"
    })
}

/// What a message is.
struct Verdict {
    kind: Kind,
    facts: Option<TraceRecord>,
    unclassified: Option<Reason>,
    finding: Option<Finding>,
}

impl Verdict {
    fn of(kind: Kind, facts: Option<TraceRecord>) -> Self {
        Self {
            kind,
            facts,
            unclassified: None,
            finding: None,
        }
    }
}

impl From<Reason> for Verdict {
    fn from(reason: Reason) -> Self {
        Self {
            unclassified: Some(reason),
            ..Self::of(Kind::Unclassified, None)
        }
    }
}

fn conclude(bytes: u64, head: Head, scan: Option<Scan>) -> Reading {
    let is_signed = scan.is_some();
    let mut scan = scan.unwrap_or_default();
    let verdict = if bytes == 0 {
        Reason::Empty.into()
    } else if head.is_too_long {
        Reason::HeaderTooLong.into()
    } else if scan.has_daticert || (head.is_pec && is_signed) {
        judge_signed(&head, &mut scan).unwrap_or_else(Verdict::from)
    } else {
        judge_unsigned(&head)
    };
    let mut findings = [head.findings, scan.findings].concat();
    findings.extend(verdict.finding);
    findings.sort_unstable();
    findings.dedup();
    Reading {
        kind: verdict.kind,
        message_id: head.message_id,
        facts: verdict.facts,
        unclassified: verdict.unclassified,
        signed: scan.signed,
        signature: scan.signature,
        signed_digests: scan.signed_digests,
        signature_entity: scan.signature_entity,
        from: head.from,
        micalg: head.micalg,
        postacert: scan.postacert,
        findings,
    }
}

/// A message that is no multipart/signed of the PEC system.
fn judge_unsigned(head: &Head) -> Verdict {
    if head.is_pec && !head.is_from_list {
        Reason::NotSigned.into()
    } else if head.is_mail {
        Verdict::of(Kind::Message, None)
    } else if head.is_fragment {
        Reason::Fragment.into()
    } else {
        Reason::NotMail.into()
    }
}

/// A multipart/signed with a daticert, or with headers of the PEC system.
fn judge_signed(head: &Head, scan: &mut Scan) -> Result<Verdict, Reason> {
    if let Some(problem) = scan.problem {
        return Err(problem);
    }
    let message_ids = Vec::from_iter(head.message_id.clone());
    let Some(part) = scan.daticert.take() else {
        let facts = head.is_anomaly.then(|| anomaly_facts(head, message_ids));
        return Ok(Verdict::of(
            Kind::Envelope,
            Some(facts.ok_or(Reason::NoDaticert)?),
        ));
    };
    let Daticert {
        mut facts,
        tipo,
        finding,
    } = read_daticert(part)?;
    facts.message_ids = message_ids;
    let facts = fitting(facts)?;
    let kind = match tipo {
        Some(Tipo::Envelope) => Kind::Envelope,
        Some(Tipo::Receipt) => Kind::Receipt,
        None => Kind::Unclassified,
    };
    Ok(Verdict {
        unclassified: tipo.is_none().then_some(Reason::DaticertTipoUnknown),
        finding,
        ..Verdict::of(kind, Some(facts))
    })
}

/// The facts, if they fit into the metadata of a record.
fn fitting(facts: TraceRecord) -> Result<TraceRecord, Reason> {
    let metadata = Metadata::from(facts);
    let fits = metadata.to_bytes().len() <= FACTS_BYTES_MAX;
    match metadata {
        Metadata::Trace(facts) if fits => Ok(*facts),
        _ => Err(Reason::FactsTooLarge),
    }
}

fn read_daticert(part: Part) -> Result<Daticert, Reason> {
    let decoded = part.encoding.decode(part.body);
    let decoded = decoded.ok_or(Reason::DaticertEncoding)?;
    daticert::read(&decoded, part.charset.as_deref())
}

/// Nothing of the message inside: what is certified in there, if anything, is another's.
fn anomaly_facts(head: &Head, message_ids: Vec<Text>) -> TraceRecord {
    let date = head.date.as_ref();
    let moment = date.and_then(Text::to_str).and_then(Moment::from_header);
    TraceRecord {
        event: Some(ANOMALY.into()),
        event_ms: moment.map(|moment| moment.ms),
        event_offset_min: moment.map(|moment| moment.offset_min),
        event_text: date.cloned(),
        message_ids,
        ..TraceRecord::default()
    }
}
