//! What stands on every page: which document, which page of how many, and the marks no page may lack.

use crate::flow::{Flow, LEFT, RIGHT, Style};
use crate::fonts::Face;
use crate::model::{Report, Seal};
use crate::sheet::{GREY, HEIGHT, Mark};
use crate::texts::{Texts, fill};

const SIZE: f32 = 7.2;

/// The beginning of a text where there is room for one line only; the pages have it whole elsewhere. PDF refuses a
/// string of more than 32767 bytes (ISO 19005-1, 6.1.12).
pub(crate) fn clip(text: &str, characters: usize) -> String {
    let mut clipped: String = text.chars().take(characters).collect();
    if clipped.len() < text.len() {
        clipped.push('…');
    }
    clipped
}

/// Puts head and foot on every page.
pub(crate) fn frame(flow: &mut Flow<'_>, texts: &Texts, report: &Report, title: &str) {
    let count = flow.pages.len();
    let mut warnings = Vec::new();
    if !report.development.is_empty() {
        warnings.push(texts.development_mark);
    }
    if matches!(report.seal, Seal::Pending { .. }) {
        warnings.push(texts.seal_pending_mark);
    }
    let warning = warnings.join(" · ");
    for (at, page) in flow.pages.iter_mut().enumerate() {
        let mut put = |x: f32, y: f32, face: Face, size: f32, right: bool, text: &str| {
            let shown = flow.fonts.shown(face, text);
            let width = flow.fonts.width(face, size, &shown);
            page.push(Mark::Text {
                x: if right { x - width } else { x },
                y,
                face,
                size,
                grey: 0,
                shown,
            });
            width
        };
        put(LEFT, 38.0, Face::Bold, SIZE, false, title);
        let id = fill(texts.id_line, &[&clip(&report.id, 40)]);
        put(RIGHT, 38.0, Face::Regular, SIZE, true, &id);
        let foot = HEIGHT - 32.0;
        let number = at.saturating_add(1).to_string();
        let of = fill(texts.page_of, &[&number, &count.to_string()]);
        put(RIGHT, foot, Face::Regular, SIZE, true, &of);
        let provider = fill(texts.provider_line, &[&clip(&report.provider, 50)]);
        let made = fill(texts.made_line, &[&report.made.rome_both()]);
        put(
            LEFT,
            foot,
            Face::Regular,
            SIZE,
            false,
            &format!("{provider} · {made}"),
        );
        if !warning.is_empty() {
            let style = Style::new(Face::Bold, 8.4);
            let width = put(LEFT + 5.0, 52.6, style.face, style.size, false, &warning);
            page.extend(frame_around(LEFT, 43.5, width + 10.0, 12.6));
        }
        for y in [if warning.is_empty() { 43.0 } else { 58.8 }, HEIGHT - 42.0] {
            page.push(Mark::Line {
                from: (LEFT, y),
                to: (RIGHT, y),
                width: 0.5,
                grey: GREY,
                dashed: false,
            });
        }
    }
}

fn frame_around(x: f32, y: f32, width: f32, height: f32) -> [Mark; 4] {
    let line = |from, to| Mark::Line {
        from,
        to,
        width: 1.0,
        grey: 0,
        dashed: false,
    };
    let (right, low) = (x + width, y + height);
    [
        line((x, y), (right, y)),
        line((right, y), (right, low)),
        line((right, low), (x, low)),
        line((x, low), (x, y)),
    ]
}
