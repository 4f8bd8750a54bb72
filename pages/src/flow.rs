//! Composing: blocks flow down the page, break over pages, and become marks.
//!
//! Text enters raw and is passed through [`Fonts::shown`] here, once, so that no block can forget it.

use crate::fonts::{Face, Fonts};
use crate::sheet::{BLACK, Bookmark, GREY, GROUND, HEIGHT, Mark, WIDTH};

/// Left edge of the text.
pub(crate) const LEFT: f32 = 51.0;
/// Right edge of the text.
pub(crate) const RIGHT: f32 = WIDTH - 51.0;
/// Upper edge of the text.
const TOP: f32 = 66.0;
/// Lower edge of the text.
const BOTTOM: f32 = HEIGHT - 58.0;
/// Line distance, as a multiple of the size.
const LEADING: f32 = 1.32;
/// Size of running text.
pub(crate) const TEXT: f32 = 9.0;
/// Size of tables and lists.
pub(crate) const SMALL: f32 = 7.8;
/// Blank above and below the lines of a row.
const PAD: f32 = 2.6;

/// How text looks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    pub face: Face,
    pub size: f32,
    pub grey: u8,
}

impl Style {
    pub(crate) const fn new(face: Face, size: f32) -> Self {
        Self {
            face,
            size,
            grey: BLACK,
        }
    }
}

/// Pieces of a table cell or of a value; each begins on a line of its own.
pub(crate) type Pieces = Vec<(Face, String)>;

/// A value in running type.
pub(crate) fn plain(text: impl Into<String>) -> Pieces {
    vec![(Face::Regular, text.into())]
}

/// A value in bold type.
pub(crate) fn bold(text: impl Into<String>) -> Pieces {
    vec![(Face::Bold, text.into())]
}

/// A value in type of one width.
pub(crate) fn mono(text: impl Into<String>) -> Pieces {
    vec![(Face::Mono, text.into())]
}

/// A digest as a value, in groups.
pub(crate) fn digest(digest: &str) -> Pieces {
    mono(grouped(digest))
}

/// Digits in groups of eight, so that two people can read them to each other.
pub(crate) fn grouped(digest: &str) -> String {
    let mut grouped = String::with_capacity(digest.len().saturating_mul(2));
    for (at, digit) in digest.chars().enumerate() {
        if at > 0 && at % 8 == 0 {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}

/// A table. Widths are shares of the frame.
pub(crate) struct Table<'a> {
    pub widths: &'a [f32],
    pub heads: &'a [&'a str],
    pub rows: Vec<Vec<Pieces>>,
}

/// Pages being composed.
pub(crate) struct Flow<'f> {
    pub fonts: &'f Fonts,
    pub pages: Vec<Vec<Mark>>,
    pub bookmarks: Vec<Bookmark>,
    /// Where the next block begins.
    pub y: f32,
    left: f32,
    right: f32,
}

impl<'f> Flow<'f> {
    pub(crate) fn new(fonts: &'f Fonts) -> Self {
        Self {
            fonts,
            pages: vec![Vec::new()],
            bookmarks: Vec::new(),
            y: TOP,
            left: LEFT,
            right: RIGHT,
        }
    }

    pub(crate) const fn left(&self) -> f32 {
        self.left
    }

    pub(crate) const fn right(&self) -> f32 {
        self.right
    }

    /// Narrows the column.
    pub(crate) const fn set_frame(&mut self, left: f32, right: f32) {
        self.left = left;
        self.right = right;
    }

    pub(crate) fn push(&mut self, mark: Mark) {
        if let Some(page) = self.pages.last_mut() {
            page.push(mark);
        }
    }

    pub(crate) fn new_page(&mut self) {
        self.pages.push(Vec::new());
        self.y = TOP;
    }

    pub(crate) fn space(&mut self, points: f32) {
        self.y += points;
    }

    /// Goes to the next page when less than this is left.
    pub(crate) fn need(&mut self, points: f32) {
        if self.y + points > BOTTOM && self.y > TOP {
            self.new_page();
        }
    }

    /// The height that is left on the page.
    pub(crate) fn room(&self) -> f32 {
        BOTTOM - self.y
    }

    /// One line of text at a place; gives its width.
    pub(crate) fn put(&mut self, x: f32, y: f32, style: Style, text: &str) -> f32 {
        let shown = self.fonts.shown(style.face, text);
        self.put_shown(x, y, style, shown)
    }

    fn put_shown(&mut self, x: f32, y: f32, style: Style, shown: String) -> f32 {
        let width = self.fonts.width(style.face, style.size, &shown);
        self.push(Mark::Text {
            x,
            y,
            face: style.face,
            size: style.size,
            grey: style.grey,
            shown,
        });
        width
    }

    /// One line of text centred on `x`.
    pub(crate) fn put_centred(&mut self, x: f32, y: f32, style: Style, text: &str) {
        let shown = self.fonts.shown(style.face, text);
        let width = self.fonts.width(style.face, style.size, &shown);
        self.put_shown(x - width / 2.0, y, style, shown);
    }

    pub(crate) fn line(&mut self, from: (f32, f32), to: (f32, f32), width: f32, dashed: bool) {
        self.push(Mark::Line {
            from,
            to,
            width,
            grey: BLACK,
            dashed,
        });
    }

    /// A thin line across the column.
    pub(crate) fn rule(&mut self) {
        self.need(6.0);
        let y = self.y + 2.0;
        self.push(Mark::Line {
            from: (self.left, y),
            to: (self.right, y),
            width: 0.5,
            grey: GREY,
            dashed: false,
        });
        self.y += 6.0;
    }

    /// The document's title.
    pub(crate) fn title(&mut self, text: &str) {
        self.block(Style::new(Face::Bold, 16.0), self.left, text);
        self.y += 2.0;
    }

    /// A chapter, with a bookmark.
    pub(crate) fn heading(&mut self, text: &str) {
        self.need(70.0);
        if self.y > TOP {
            self.y += 9.0;
        }
        let y = self.y;
        let title = self.fonts.shown(Face::Bold, text);
        let page = self.pages.len().saturating_sub(1);
        self.bookmarks.push(Bookmark { title, page, y });
        self.block(Style::new(Face::Bold, 12.0), self.left, text);
        self.rule();
    }

    /// A section.
    pub(crate) fn subheading(&mut self, text: &str) {
        self.need(46.0);
        self.y += 5.0;
        self.block(Style::new(Face::Bold, 9.6), self.left, text);
        self.y += 1.5;
    }

    /// A paragraph.
    pub(crate) fn paragraph(&mut self, text: &str) {
        self.block(Style::new(Face::Regular, TEXT), self.left, text);
        self.y += 3.5;
    }

    /// A paragraph in another type.
    pub(crate) fn styled(&mut self, style: Style, text: &str) {
        self.block(style, self.left, text);
        self.y += 2.0;
    }

    /// An item of a list.
    pub(crate) fn item(&mut self, size: f32, text: &str) {
        self.need(size * LEADING);
        let style = Style::new(Face::Regular, size);
        let base = self.y + size;
        self.put(self.left + 1.0, base, style, "–");
        self.block(style, self.left + 10.0, text);
        self.y += 1.5;
    }

    /// Lines of text from `x` to the right edge, over as many pages as they take.
    fn block(&mut self, style: Style, x: f32, text: &str) {
        let shown = self.fonts.shown(style.face, text);
        for line in self.wrap(style, self.right - x, &shown) {
            self.need(style.size * LEADING);
            let base = self.y + style.size;
            self.put_shown(x, base, style, line);
            self.y += style.size * LEADING;
        }
    }

    /// Labels and values.
    pub(crate) fn pairs(&mut self, label_width: f32, pairs: Vec<(&str, Pieces)>) {
        for (label, value) in pairs {
            let width = self.right - self.left - label_width;
            let lines = self.lines(width, SMALL, &value);
            let label_style = Style::new(Face::Bold, SMALL);
            let shown = self.fonts.shown(Face::Bold, label);
            let labels = self.wrap(label_style, label_width - 6.0, &shown);
            let label_height = rows(labels.len()) * SMALL * LEADING;
            self.need(label_height.max(SMALL * LEADING));
            let (page, top) = (self.pages.len(), self.y);
            for (line, label) in labels.into_iter().enumerate() {
                let base = top + SMALL + rows(line) * SMALL * LEADING;
                self.put_shown(self.left, base, label_style, label);
            }
            for (face, line) in lines {
                self.need(SMALL * LEADING);
                let base = self.y + SMALL;
                self.put_shown(self.left + label_width, base, Style::new(face, SMALL), line);
                self.y += SMALL * LEADING;
            }
            if self.pages.len() == page {
                self.y = self.y.max(top + label_height);
            }
            self.y += 1.2;
        }
    }

    /// A table; its head is repeated on each page.
    pub(crate) fn table(&mut self, table: Table<'_>) {
        let frame = self.right - self.left;
        let widths: Vec<f32> = table.widths.iter().map(|share| share * frame).collect();
        let heads = table
            .heads
            .iter()
            .map(|head| bold(*head))
            .collect::<Vec<_>>();
        let heads = self.cells(&widths, &heads);
        // A head stands above its first row, never alone.
        let first = table.rows.first();
        let first = first.map(|row| height(&self.cells(&widths, row)));
        let both = height(&heads) + first.unwrap_or_default();
        self.need(both.min(BOTTOM - TOP));
        self.row(&widths, &heads, true);
        for row in table.rows {
            let mut cells = self.cells(&widths, &row);
            let whole_page = BOTTOM - TOP - height(&heads);
            if self.y + height(&cells) > BOTTOM && height(&cells) <= whole_page {
                self.new_page();
                self.row(&widths, &heads, true);
            }
            // A row longer than a page is cut between lines.
            while self.y + height(&cells) > BOTTOM {
                let line = SMALL * LEADING;
                let mut fit = 0usize;
                while self.y + 2.0 * PAD + rows(fit.saturating_add(1)) * line <= BOTTOM {
                    fit = fit.saturating_add(1);
                }
                let rest = cells
                    .iter_mut()
                    .map(|lines| lines.split_off(fit.min(lines.len())))
                    .collect();
                self.row(&widths, &cells, false);
                self.new_page();
                self.row(&widths, &heads, true);
                cells = rest;
            }
            self.row(&widths, &cells, false);
        }
        self.y += 4.0;
    }

    fn cells(&self, widths: &[f32], row: &[Pieces]) -> Vec<Pieces> {
        let cell = |(pieces, width): (&Pieces, &f32)| self.lines(width - 2.0 * PAD, SMALL, pieces);
        row.iter().zip(widths).map(cell).collect()
    }

    fn row(&mut self, widths: &[f32], cells: &[Pieces], is_head: bool) {
        let height = height(cells);
        if is_head {
            let rectangles = vec![[self.left, self.y, self.right - self.left, height]];
            let grey = GROUND;
            self.push(Mark::Fill { rectangles, grey });
        }
        let mut x = self.left;
        for (lines, width) in cells.iter().zip(widths) {
            let mut base = self.y + PAD + SMALL;
            for (face, line) in lines {
                self.put_shown(x + PAD, base, Style::new(*face, SMALL), line.clone());
                base += SMALL * LEADING;
            }
            x += width;
        }
        self.y += height;
        self.push(Mark::Line {
            from: (self.left, self.y),
            to: (self.right, self.y),
            width: if is_head { 0.8 } else { 0.35 },
            grey: GREY,
            dashed: false,
        });
    }

    /// Pieces as lines no wider than `width`.
    fn lines(&self, width: f32, size: f32, pieces: &Pieces) -> Pieces {
        let mut lines = Vec::new();
        for (face, text) in pieces {
            let shown = self.fonts.shown(*face, text);
            let broken = self.wrap(Style::new(*face, size), width, &shown);
            lines.extend(broken.into_iter().map(|line| (*face, line)));
        }
        lines
    }

    /// Breaks shown text at blanks; a word wider than the line, after `@ . - _ / : ,` or wherever it must.
    fn wrap(&self, style: Style, width: f32, shown: &str) -> Vec<String> {
        let measure = |text: &str| self.fonts.width(style.face, style.size, text);
        let blank = measure(" ");
        let mut lines = Vec::new();
        let (mut line, mut used) = (String::new(), 0.0);
        for word in shown.split(' ') {
            let mut word = word.to_owned();
            let mut wide = measure(&word);
            if !line.is_empty() && used + blank + wide > width {
                lines.push(std::mem::take(&mut line));
                used = 0.0;
            }
            if wide > width {
                // Measured line by line: a word may be as long as a stranger likes.
                while let Some(cut) = self.break_at(style, width, &word) {
                    let rest = word.split_off(cut);
                    lines.push(std::mem::replace(&mut word, rest));
                }
                wide = measure(&word);
            }
            if !line.is_empty() {
                line.push(' ');
                used += blank;
            }
            line.push_str(&word);
            used += wide;
        }
        lines.push(line);
        lines
    }

    /// Where a word is cut that is too wide: at least one character goes on the line. Nothing when it fits.
    fn break_at(&self, style: Style, width: f32, word: &str) -> Option<usize> {
        let (mut used, mut fits, mut good) = (0.0, 0usize, 0usize);
        let mut octets = [0u8; 4];
        for (at, character) in word.char_indices() {
            let text = character.encode_utf8(&mut octets);
            used += self.fonts.width(style.face, style.size, text);
            if used > width && fits > 0 {
                return Some(if good > fits / 2 { good } else { fits });
            }
            fits = at.saturating_add(character.len_utf8());
            if matches!(character, '@' | '.' | '-' | '_' | '/' | ':' | ',') {
                good = fits;
            }
        }
        None
    }
}

/// A small count as a length.
fn rows(count: usize) -> f32 {
    f32::from(u16::try_from(count).unwrap_or(u16::MAX))
}

fn height(cells: &[Pieces]) -> f32 {
    let lines = cells.iter().map(Vec::len).max().unwrap_or_default();
    rows(lines.max(1)) * SMALL * LEADING + 2.0 * PAD
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fonts::fonts;
    use proptest::prelude::*;

    #[test]
    fn a_digest_is_read_in_groups_of_eight() {
        assert_eq!(grouped("0123456789abcdef01"), "01234567 89abcdef 01");
    }

    proptest! {
        #[test]
        fn breaking_lines_loses_no_character_and_overruns_no_edge(
            text in "[a-zA-Z0-9@._/ èà-]{0,200}",
            width in 20.0f32..300.0,
        ) {
            let flow = Flow::new(fonts().unwrap());
            let style = Style::new(Face::Regular, 9.0);
            let lines = flow.wrap(style, width, &text);
            let glued: String = lines.concat();
            let dense = |text: &str| text.replace(' ', "");
            prop_assert_eq!(dense(&glued), dense(&text));
            for line in lines {
                let is_one = line.chars().count() <= 1;
                prop_assert!(is_one || flow.fonts.width(style.face, style.size, &line) <= width + 0.01);
            }
        }

        #[test]
        fn a_table_of_any_length_keeps_every_line_within_the_page(
            lengths in prop::collection::vec(0usize..9000, 1..6),
        ) {
            let mut flow = Flow::new(fonts().unwrap());
            let rows: Vec<Vec<Pieces>> = lengths.iter().map(|&n| vec![plain("x "), mono("a".repeat(n))]).collect();
            flow.table(Table { widths: &[0.3, 0.7], heads: &["uno", "due"], rows });
            let mut letters = 0;
            for page in &flow.pages {
                for mark in page {
                    if let Mark::Text { y, shown, face, .. } = mark {
                        prop_assert!(*y > TOP && *y <= BOTTOM);
                        letters += if *face == Face::Mono { shown.len() } else { 0 };
                    }
                }
            }
            prop_assert_eq!(letters, lengths.iter().sum::<usize>());
        }
    }
}
