//! QR codes as rectangles: the only door to qrcodegen.

use crate::error::PageError;
use crate::model::Anchor;
use crate::sheet::{BLACK, Mark};
use qrcodegen::{QrCode, QrCodeEcc};

/// Blank modules around the code (ISO/IEC 18004: four).
const QUIET: i32 = 4;

impl Anchor {
    /// What the code says, six lines: a word for the format, origin, tree size, root hash, leaf index, leaf hash.
    pub fn payload(&self) -> String {
        format!(
            "ceralacca/1\n{}\n{}\n{}\n{}\n{}\n",
            self.origin, self.tree_size, self.root_hash, self.leaf, self.leaf_hash
        )
    }
}

/// The payload's code in a square of this side; runs of dark modules are one rectangle each.
pub(crate) fn code(anchor: &Anchor, x: f32, y: f32, side: f32) -> Result<Mark, PageError> {
    let payload = anchor.payload();
    let code = QrCode::encode_text(&payload, QrCodeEcc::Medium)
        .map_err(|_| PageError::Qr(payload.len()))?;
    let size = code.size();
    let module = side / length(size.saturating_add(2 * QUIET));
    let place = |at: i32| length(at.saturating_add(QUIET)) * module;
    let mut rectangles = Vec::new();
    for row in 0..size {
        let mut start = None;
        for column in 0..=size {
            let is_dark = code.get_module(column, row);
            match (start, is_dark) {
                (None, true) => start = Some(column),
                (Some(from), false) => {
                    let width = length(column.saturating_sub(from)) * module;
                    rectangles.push([x + place(from), y + place(row), width, module]);
                    start = None;
                }
                _ => {}
            }
        }
    }
    let grey = BLACK;
    Ok(Mark::Fill { rectangles, grey })
}

/// A code has at most 177 modules a side.
fn length(modules: i32) -> f32 {
    f32::from(i16::try_from(modules).unwrap_or(i16::MAX))
}
