//! What the header block of a message says of it.

use crate::finding::Finding;
use crate::header::{Block, Fields};
use crate::outer::Outer;
use crate::param::Structured;
use ceralacca_formats::canonical::Text;

/// The longest `micalg` that is kept; a longer one is left out.
const MICALG_BYTES_MAX: usize = 256;

/// What the header block of the message says.
pub(crate) struct Head {
    pub outer: Outer,
    pub content_type: Structured,
    /// The digest the Content-Type states.
    pub micalg: Option<Text>,
    /// Whether it has a field that every message has some of.
    pub is_mail: bool,
    /// Whether it has headers of the PEC system.
    pub is_pec: bool,
    /// Whether it claims to be an anomaly envelope.
    pub is_anomaly: bool,
    /// Whether it is the header of a signed part that stands alone.
    pub is_fragment: bool,
    /// Whether a mailing list sent it on.
    pub is_from_list: bool,
    pub is_too_long: bool,
    pub findings: Vec<Finding>,
}

impl Head {
    /// From the block, complete.
    pub(crate) fn of(block: &Block) -> Self {
        let fields = block.fields();
        let has_any = |there: &[Option<_>]| there.iter().any(Option::is_some);
        let first = fields.first("content-type");
        let type_repeated = first.as_ref().is_some_and(|(_, repeated)| *repeated);
        let content_type = Structured::parse(&first.unwrap_or_default().0);
        let outer = Outer::of(fields);
        let trasporto = outer.trasporto.as_ref().map(Text::as_bytes);
        let mut findings = Vec::new();
        let is_repeated = outer.has_repeated || type_repeated;
        findings.extend(is_repeated.then_some(Finding::RepeatedHeader));
        let too_long = outer.message_id_too_long;
        findings.extend(too_long.then_some(Finding::MessageIdTooLong));
        Self {
            is_anomaly: trasporto.is_some_and(|value| value.eq_ignore_ascii_case(b"errore")),
            is_mail: has_any(&fields.values(["from", "message-id", "date", "subject"])),
            is_pec: has_any(&fields.values(["x-trasporto", "x-ricevuta"])),
            is_fragment: content_type.value == b"multipart/mixed" && is_part_header(fields),
            is_from_list: has_any(&fields.values(["list-id", "list-post", "list-unsubscribe"])),
            is_too_long: block.is_too_long(),
            micalg: content_type
                .parameter("micalg")
                .filter(|_| content_type.value == b"multipart/signed" && !block.is_too_long())
                .filter(|micalg| micalg.len() <= MICALG_BYTES_MAX)
                .map(|micalg| Text::from(micalg.as_slice())),
            outer,
            content_type,
            findings,
        }
    }
}

/// Whether there are only the fields a part of a message has.
fn is_part_header(fields: Fields<'_>) -> bool {
    fields.iter().all(|(name, _)| {
        let name = name.to_ascii_lowercase();
        name.starts_with(b"content-") || name == b"mime-version"
    })
}
