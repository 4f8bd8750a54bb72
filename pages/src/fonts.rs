//! The typefaces, their widths, and which characters they can show.
//!
//! The only door to skrifa and dejavu. There is no shaping: a character is a glyph, left to right. That holds for
//! Latin, Greek and Cyrillic; every other script is shown as escapes, so that nothing is reordered or joined
//! behind the reader's back.

use krilla::text::{Font, GlyphId, KrillaGlyph};
use skrifa::charmap::Charmap;
use skrifa::instance::{LocationRef, Size};
use skrifa::metrics::GlyphMetrics;
use skrifa::{FontRef, MetadataProvider};
use std::sync::LazyLock;

/// A typeface of the page.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Face {
    /// Text.
    Regular,
    /// Headings, labels.
    Bold,
    /// Asides.
    Italic,
    /// Digests, file names, commands.
    Mono,
}

/// One loaded typeface.
struct Loaded {
    font: Font,
    /// Glyph and width of each character of Latin, Greek and Cyrillic, most of what there is to show.
    common: Vec<Option<(skrifa::GlyphId, f32)>>,
    charmap: Charmap<'static>,
    metrics: GlyphMetrics<'static>,
}

/// All typefaces.
pub(crate) struct Fonts {
    regular: Loaded,
    bold: Loaded,
    italic: Loaded,
    mono: Loaded,
}

/// Characters below this have their glyphs looked up once.
const COMMON: u32 = 0x530;

impl Loaded {
    fn new(file: &'static [u8]) -> Option<Self> {
        let parsed = FontRef::new(file).ok()?;
        let mut loaded = Self {
            font: Font::new(file.into(), 0)?,
            common: Vec::new(),
            charmap: parsed.charmap(),
            metrics: parsed.glyph_metrics(Size::new(1.0), LocationRef::default()),
        };
        let common = (0..COMMON).map(|code| loaded.found(char::from_u32(code)?));
        loaded.common = common.collect();
        Some(loaded)
    }

    fn found(&self, character: char) -> Option<(skrifa::GlyphId, f32)> {
        let glyph = self.charmap.map(character)?;
        let advance = self.metrics.advance_width(glyph);
        Some((glyph, advance.unwrap_or_default()))
    }

    /// The glyph of a character, and its width at one point of size.
    fn glyph(&self, character: char) -> Option<(skrifa::GlyphId, f32)> {
        let place = usize::try_from(u32::from(character)).unwrap_or(usize::MAX);
        match self.common.get(place) {
            Some(known) => *known,
            None => self.found(character),
        }
    }
}

static FONTS: LazyLock<Option<Fonts>> = LazyLock::new(Fonts::load);

/// The typefaces; nothing when the compiled-in files do not parse.
pub(crate) fn fonts() -> Option<&'static Fonts> {
    FONTS.as_ref()
}

impl Fonts {
    fn load() -> Option<Self> {
        Some(Self {
            regular: Loaded::new(dejavu::sans_condensed::regular())?,
            bold: Loaded::new(dejavu::sans_condensed::bold())?,
            italic: Loaded::new(dejavu::sans_condensed::oblique())?,
            mono: Loaded::new(dejavu::sans_mono::regular())?,
        })
    }

    fn face(&self, face: Face) -> &Loaded {
        match face {
            Face::Regular => &self.regular,
            Face::Bold => &self.bold,
            Face::Italic => &self.italic,
            Face::Mono => &self.mono,
        }
    }

    /// What krilla draws with.
    pub(crate) fn font(&self, face: Face) -> Font {
        self.face(face).font.clone()
    }

    /// Width of shown text at one point of size.
    fn advance(&self, face: Face, character: char) -> f32 {
        let glyph = self.face(face).glyph(character);
        glyph.map_or(0.0, |(_, advance)| advance)
    }

    /// Width of shown text, in points.
    pub(crate) fn width(&self, face: Face, size: f32, shown: &str) -> f32 {
        let advance = |character| self.advance(face, character);
        shown.chars().map(advance).sum::<f32>() * size
    }

    /// The glyphs of shown text, one for each character.
    pub(crate) fn glyphs(&self, face: Face, shown: &str) -> Vec<KrillaGlyph> {
        let loaded = self.face(face);
        let glyph = |(at, character): (usize, char)| {
            let (id, advance) = loaded.glyph(character).unwrap_or_default();
            let range = at..at.saturating_add(character.len_utf8());
            let id = GlyphId::new(id.to_u32());
            KrillaGlyph::new(id, advance, 0.0, 0.0, 0.0, range, None)
        };
        shown.char_indices().map(glyph).collect()
    }

    /// Text as it can be put on paper: what has no glyph here, or would change how its neighbours look (controls,
    /// marks, directions, blanks that are not the blank), becomes `\u{…}` with its code point in hexadecimal.
    /// What looks like an escape in the text has its backslash escaped, so that none is mistaken for ours.
    pub(crate) fn shown(&self, face: Face, text: &str) -> String {
        let mut shown = String::with_capacity(text.len());
        for (at, character) in text.char_indices() {
            let rest = text.get(at..).and_then(|rest| rest.strip_prefix("\\u{"));
            let digit = rest.and_then(|rest| rest.chars().next());
            let forged = digit.is_some_and(|digit| digit.is_ascii_hexdigit());
            let has_glyph = self.face(face).glyph(character).is_some();
            if !forged && is_plain(character) && has_glyph {
                shown.push(character);
            } else {
                shown.extend(character.escape_unicode());
            }
        }
        shown
    }
}

/// Whether a character stands alone, left to right, and leaves ink or is the blank.
fn is_plain(character: char) -> bool {
    matches!(character,
        ' '..='~'
        | '\u{a1}'..='\u{ac}' | '\u{ae}'..='\u{2ff}'   // Latin, without the soft hyphen
        | '\u{370}'..='\u{482}' | '\u{48a}'..='\u{52f}' // Greek, Cyrillic, without its marks
        | '\u{1e00}'..='\u{1fff}'                       // Latin and Greek with accents
        | '\u{2010}'..='\u{2027}' | '\u{2030}'..='\u{205e}' // punctuation
        | '\u{2070}'..='\u{209c}' | '\u{20a0}'..='\u{20c0}' // small figures, currencies
        | '\u{2100}'..='\u{23ff}' | '\u{2460}'..='\u{27ff}' // letter-like, arrows, mathematics, shapes
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        fonts().unwrap().shown(Face::Regular, text)
    }

    #[test]
    fn italian_is_shown_as_it_is() {
        let text = "È così: «perché» costa 10 € – l’ùltima àncora, naïve Ærø Ω Жук";
        assert_eq!(shown(text), text);
    }

    #[test]
    fn what_has_no_glyph_is_escaped_and_never_dropped() {
        assert_eq!(shown("a漢b"), "a\\u{6f22}b");
        assert_eq!(shown("😀"), "\\u{1f600}");
    }

    #[test]
    fn what_would_turn_or_hide_its_neighbours_is_escaped() {
        assert_eq!(shown("gpj\u{202e}exe"), "gpj\\u{202e}exe");
        assert_eq!(shown("a\u{200b}b\tc\nd"), "a\\u{200b}b\\u{9}c\\u{a}d");
        assert_eq!(shown("e\u{300}\u{a0}\u{ad}"), "e\\u{300}\\u{a0}\\u{ad}");
        assert_eq!(shown("שלום"), "\\u{5e9}\\u{5dc}\\u{5d5}\\u{5dd}");
    }

    #[test]
    fn an_escape_in_the_text_is_not_mistaken_for_ours() {
        assert_eq!(shown("\\u{202e} C:\\x"), "\\u{5c}u{202e} C:\\x");
    }

    #[test]
    fn whatever_is_shown_has_a_glyph_in_every_face() {
        let fonts = fonts().unwrap();
        for face in [Face::Regular, Face::Bold, Face::Italic, Face::Mono] {
            for character in (0..=0x10_ffff).filter_map(char::from_u32) {
                let shown = fonts.shown(face, &character.to_string());
                for character in shown.chars() {
                    let glyph = fonts.face(face).charmap.map(character);
                    assert!(
                        glyph.is_some_and(|glyph| glyph.to_u32() != 0),
                        "{character:?}"
                    );
                }
            }
        }
    }
}
