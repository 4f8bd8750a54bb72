//! Evidence in the parts of a message.
//!
//! A second pass over the signed part of a message in memory. Only its direct children count, as for the
//! daticert: what is further in is another's.

use super::evidence::{is_evidence, read};
use super::{Evidence, Refusal};
use crate::mime::{PARTS_MAX, Part};
use crate::reading::Reading;
use std::ops::Range;

/// The longest part that is decoded, as encoded.
pub const ENCODED_BYTES_MAX: usize = 8 << 20;

/// Evidence found in a message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Found {
    /// The body of its part, as encoded, in the message.
    pub range: Range<u64>,
    /// What it says, or why it is not read.
    pub evidence: Result<Evidence, Refusal>,
}

/// The evidence among the direct children of the signed part, whatever their names and types. `reading` is
/// of this message; without a signed part there is none.
pub fn find(message: &[u8], reading: &Reading) -> Vec<Found> {
    let signed = reading.signed.as_ref().and_then(|signed| {
        let range = usize::try_from(signed.start).ok()?..usize::try_from(signed.end).ok()?;
        Some((range.start, message.get(range)?))
    });
    let Some((start, entity)) = signed else {
        return Vec::new();
    };
    let entity = Part::of(entity);
    if entity.content_type.value != b"multipart/mixed" {
        return Vec::new();
    }
    let (children, _) = entity.children(PARTS_MAX);
    let found = children.into_iter().filter_map(|(child_at, child)| {
        let part = Part::of(child);
        let evidence = evidence(&part)?;
        let at = (start + entity.body_at + child_at + part.body_at) as u64;
        Some(Found {
            range: at..at + part.body.len() as u64,
            evidence,
        })
    });
    found.collect()
}

fn evidence(part: &Part<'_>) -> Option<Result<Evidence, Refusal>> {
    let is_leaf = !part.is_multipart() && !part.is_message();
    if !is_leaf || part.body.len() > ENCODED_BYTES_MAX {
        return None;
    }
    let decoded = part.decoded()?;
    let charset = part.content_type.parameter("charset");
    is_evidence(&decoded, charset.as_deref()).then(|| read(&decoded, charset.as_deref()))
}
