//! Brief receipts, held against the original of their transaction where that is handed out too.

use super::ReissueError;
use super::facts::Item;
use crate::audit::Reader;

/// Compares the hashes of each brief receipt with the original in an envelope, or in a complete receipt, among the
/// items: what becomes of it stands in the items.
pub(super) fn compare(reader: &Reader, items: &mut [Item]) -> Result<(), ReissueError> {
    for place in 0..items.len() {
        let brief = items.get(place).and_then(|item| {
            let brief = item.examined.as_ref()?.brief.clone()?;
            Some((brief, item.trace()?.identificativo.clone()?))
        });
        let Some((brief, identificativo)) = brief else {
            continue;
        };
        let holds = |item: &&Item| {
            let is_of = item.trace().and_then(|t| t.identificativo.as_ref());
            let examined = item.examined.as_ref();
            is_of == Some(&identificativo)
                && examined.is_some_and(|e| e.original_at.is_some() && e.brief.is_none())
        };
        let Some(holder) = items.iter().find(holds) else {
            continue;
        };
        let (number, examined) = (holder.number(), holder.examined.as_ref());
        let octets = match (examined, &holder.archived.object) {
            (Some(examined), Some(object)) => examined.original_octets(reader, object)?,
            _ => None,
        };
        let compared = octets.map(|octets| (number, brief.compare(&octets)));
        if let Some(item) = items.get_mut(place) {
            item.compared = compared;
        }
    }
    Ok(())
}
