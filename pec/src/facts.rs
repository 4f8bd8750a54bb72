//! What fits into the metadata of a record.

use crate::reader::FACTS_BYTES_MAX;
use ceralacca_formats::metadata::{Metadata, TraceRecord};

/// The facts, if they fit.
pub(crate) fn fitting(facts: TraceRecord) -> Option<TraceRecord> {
    // Nearly all are a thousandth of what is allowed.
    if facts.is_surely_within(FACTS_BYTES_MAX) {
        return Some(facts);
    }
    let metadata = Metadata::from(facts);
    let fits = metadata.to_bytes().len() <= FACTS_BYTES_MAX;
    match metadata {
        Metadata::Trace(facts) if fits => Some(*facts),
        _ => None,
    }
}
