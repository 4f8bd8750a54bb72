//! What the header block of a message says of it.

use crate::finding::Finding;
use crate::header::{Block, unfold};
use crate::outer::{Outer, Seen};
use crate::param::Structured;
use ceralacca_formats::canonical::Text;

/// The longest `micalg` that is kept; a longer one is left out.
const MICALG_BYTES_MAX: usize = 256;

/// The fields of a mailing list (RFC 2369, RFC 2919).
const LIST_FIELDS: [&[u8]; 3] = [b"list-id", b"list-post", b"list-unsubscribe"];

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
        let (mut outer, mut seen) = (Outer::default(), Seen::default());
        let (mut content_type, mut type_repeated) = (None, false);
        let (mut is_from_list, mut is_part) = (false, true);
        for (name, value) in block.fields().iter() {
            outer.take(name, value, &mut seen);
            if name.eq_ignore_ascii_case(b"content-type") {
                type_repeated |= content_type.is_some();
                content_type.get_or_insert_with(|| unfold(value));
            }
            is_from_list |= LIST_FIELDS.iter().any(|of| name.eq_ignore_ascii_case(of));
            is_part &= is_of_part(name);
        }
        let content_type = Structured::parse(&content_type.unwrap_or_default());
        let trasporto = outer.trasporto.as_ref().map(Text::as_bytes);
        let mut findings = Vec::new();
        let is_repeated = outer.has_repeated || type_repeated;
        findings.extend(is_repeated.then_some(Finding::RepeatedHeader));
        let too_long = outer.message_id_too_long;
        findings.extend(too_long.then_some(Finding::MessageIdTooLong));
        Self {
            is_anomaly: trasporto.is_some_and(|value| value.eq_ignore_ascii_case(b"errore")),
            is_mail: seen.is_mail(),
            is_pec: seen.is_pec(),
            is_fragment: content_type.value == b"multipart/mixed" && is_part,
            is_from_list,
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

/// Whether this is a field that a part of a message has.
fn is_of_part(name: &[u8]) -> bool {
    let content = b"content-";
    let begins = name.get(..content.len());
    begins.is_some_and(|begins| begins.eq_ignore_ascii_case(content))
        || name.eq_ignore_ascii_case(b"mime-version")
}
