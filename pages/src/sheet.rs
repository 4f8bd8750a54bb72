//! From marks on pages to a PDF/A-3b: the only door to krilla.
//!
//! Pages are first composed as lists of [`Mark`]s, so that every page knows how many there are, then written in one
//! go. The same marks, date and files give the same bytes: the identifiers in the file are digests of its content.

use crate::error::PageError;
use crate::fonts::{Face, Fonts};
use crate::model::Instant;
use krilla::color::luma;
use krilla::configure::{Archival, ConfigurationBuilder};
use krilla::destination::XyzDestination;
use krilla::embed::{AssociationKind, EmbeddedFile, MimeType};
use krilla::geom::{PathBuilder, Point, Rect};
use krilla::metadata::{DateTime, Metadata};
use krilla::outline::{Outline, OutlineNode};
use krilla::page::PageSettings;
use krilla::paint::{Fill, Stroke, StrokeDash};
use krilla::surface::Surface;
use krilla::{Document, SerializeSettings};

/// Width of an A4 page, in points.
pub(crate) const WIDTH: f32 = 595.28;
/// Height of an A4 page, in points.
pub(crate) const HEIGHT: f32 = 841.89;

/// Black, as a level of grey.
pub(crate) const BLACK: u8 = 0;
/// Grey that survives a photocopier.
pub(crate) const GREY: u8 = 90;
/// Ground of table heads.
pub(crate) const GROUND: u8 = 232;

/// A mark on a page; points from the upper left corner. `y` of text is its base line.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Mark {
    /// Text that [`Fonts::shown`] has passed.
    Text {
        x: f32,
        y: f32,
        face: Face,
        size: f32,
        grey: u8,
        shown: String,
    },
    /// A straight line.
    Line {
        from: (f32, f32),
        to: (f32, f32),
        width: f32,
        grey: u8,
        dashed: bool,
    },
    /// Filled rectangles, each `[x, y, width, height]`.
    Fill { rectangles: Vec<[f32; 4]>, grey: u8 },
    /// A circle; without ground it is hollow.
    Circle {
        centre: (f32, f32),
        radius: f32,
        ground: u8,
        dashed: bool,
    },
}

/// A place in the contents, shown by PDF readers beside the pages.
pub(crate) struct Bookmark {
    pub title: String,
    pub page: usize,
    pub y: f32,
}

/// How an embedded file relates to the page (ISO 32000-2 table 45, AFRelationship).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Relation {
    /// What the document tells about: the receipt itself.
    Source,
    /// What proves it.
    Data,
    /// What helps to read it.
    Supplement,
}

/// A file to be embedded.
#[derive(Clone, Debug)]
pub struct Embedded {
    /// Its name: visible ASCII, no slash.
    pub name: String,
    /// Its media type.
    pub media_type: String,
    /// What it is, for people.
    pub description: String,
    /// Why it is there.
    pub relation: Relation,
    /// The octets, returned unchanged to whoever detaches them.
    pub bytes: Vec<u8>,
}

/// What stands about the document beside its pages.
pub(crate) struct About<'a> {
    pub title: &'a str,
    pub description: &'a str,
    pub author: &'a str,
    pub language: &'a str,
    pub made: Instant,
    pub id: &'a str,
}

/// Writes the pages.
pub(crate) fn write(
    fonts: &Fonts,
    pages: &[Vec<Mark>],
    bookmarks: Vec<Bookmark>,
    about: &About<'_>,
    embedded: Vec<Embedded>,
) -> Result<Vec<u8>, PageError> {
    let configuration = ConfigurationBuilder::new()
        .with_archival_validator(Archival::A3_B)
        .finish()
        .map_err(|error| PageError::Pdf(format!("{error:?}")))?;
    let settings = SerializeSettings {
        configuration,
        ..SerializeSettings::default()
    };
    let mut document = Document::new_with(settings);
    let date = date(about.made)?;
    document.set_metadata(
        Metadata::new()
            .title(about.title.to_owned())
            .description(about.description.to_owned())
            .authors(vec![about.author.to_owned()])
            .creator("Ceralacca".to_owned())
            .language(about.language.to_owned())
            .creation_date(date)
            .document_id(about.id.to_owned()),
    );
    for marks in pages {
        let settings = PageSettings::from_wh(WIDTH, HEIGHT)
            .ok_or_else(|| PageError::Pdf("page size".to_owned()))?;
        let mut page = document.start_page_with(settings);
        let mut surface = page.surface();
        for mark in marks {
            draw(fonts, &mut surface, mark);
        }
        surface.finish();
        page.finish();
    }
    let mut outline = Outline::new();
    for bookmark in bookmarks {
        let point = Point::from_xy(0.0, bookmark.y);
        let destination = XyzDestination::new(bookmark.page, point);
        outline.push_child(OutlineNode::new(bookmark.title, destination));
    }
    document.set_outline(outline);
    for file in embedded {
        embed(&mut document, file, date)?;
    }
    document
        .finish()
        .map_err(|error| PageError::Pdf(format!("{error:?}")))
}

fn embed(document: &mut Document, file: Embedded, date: DateTime) -> Result<(), PageError> {
    let is_plain = |c: u8| c.is_ascii_graphic() && c != b'/' && c != b'\\';
    if file.name.is_empty() || !file.name.bytes().all(is_plain) {
        return Err(PageError::EmbeddedName(file.name));
    }
    let media_type = MimeType::new(&file.media_type)
        .ok_or_else(|| PageError::EmbeddedName(file.media_type.clone()))?;
    let name = file.name.clone();
    document
        .embed_file(EmbeddedFile {
            path: file.name,
            mime_type: Some(media_type),
            description: Some(file.description.chars().take(200).collect()),
            association_kind: match file.relation {
                Relation::Source => AssociationKind::Source,
                Relation::Data => AssociationKind::Data,
                Relation::Supplement => AssociationKind::Supplement,
            },
            data: file.bytes.into(),
            modification_date: Some(date),
            compress: Some(false),
            location: None,
        })
        .ok_or(PageError::EmbeddedTwice(name))
}

fn date(at: Instant) -> Result<DateTime, PageError> {
    use chrono::{Datelike, Timelike};
    let utc = at.utc().ok_or(PageError::Time(at.millis()))?;
    let small = |number: u32| u8::try_from(number).map_err(|_| PageError::Time(at.millis()));
    let year = u16::try_from(utc.year()).map_err(|_| PageError::Time(at.millis()))?;
    Ok(DateTime::new(year)
        .month(small(utc.month())?)
        .day(small(utc.day())?)
        .hour(small(utc.hour())?)
        .minute(small(utc.minute())?)
        .second(small(utc.second())?)
        .utc_offset_hour(0)
        .utc_offset_minute(0))
}

fn fill(grey: u8) -> Option<Fill> {
    Some(Fill {
        paint: luma::Color::new(grey).into(),
        ..Fill::default()
    })
}

fn stroke(grey: u8, width: f32, dashed: bool) -> Option<Stroke> {
    Some(Stroke {
        paint: luma::Color::new(grey).into(),
        width,
        dash: dashed.then(|| StrokeDash {
            array: vec![2.4, 2.0],
            offset: 0.0,
        }),
        ..Stroke::default()
    })
}

fn draw(fonts: &Fonts, surface: &mut Surface<'_>, mark: &Mark) {
    match mark {
        Mark::Text {
            x,
            y,
            face,
            size,
            grey,
            shown,
        } => {
            if shown.is_empty() {
                return;
            }
            surface.set_fill(fill(*grey));
            surface.set_stroke(None);
            let glyphs = fonts.glyphs(*face, shown);
            let start = Point::from_xy(*x, *y);
            surface.draw_glyphs(start, &glyphs, fonts.font(*face), shown, *size, false);
        }
        Mark::Line {
            from,
            to,
            width,
            grey,
            dashed,
        } => {
            let mut path = PathBuilder::new();
            path.move_to(from.0, from.1);
            path.line_to(to.0, to.1);
            surface.set_fill(None);
            surface.set_stroke(stroke(*grey, *width, *dashed));
            if let Some(path) = path.finish() {
                surface.draw_path(&path);
            }
        }
        Mark::Fill { rectangles, grey } => {
            let mut path = PathBuilder::new();
            for &[x, y, width, height] in rectangles {
                if let Some(rectangle) = Rect::from_xywh(x, y, width, height) {
                    path.push_rect(rectangle);
                }
            }
            surface.set_stroke(None);
            surface.set_fill(fill(*grey));
            if let Some(path) = path.finish() {
                surface.draw_path(&path);
            }
        }
        Mark::Circle {
            centre,
            radius,
            ground,
            dashed,
        } => {
            surface.set_fill(fill(*ground));
            surface.set_stroke(stroke(BLACK, 1.0, *dashed));
            if let Some(path) = circle(*centre, *radius) {
                surface.draw_path(&path);
            }
        }
    }
}

/// Four Bézier curves; 0.5523 is the usual distance of their handles, exact within 0.03 %.
fn circle((x, y): (f32, f32), r: f32) -> Option<krilla::geom::Path> {
    let k = r * 0.552_285;
    let mut path = PathBuilder::new();
    path.move_to(x + r, y);
    path.cubic_to(x + r, y + k, x + k, y + r, x, y + r);
    path.cubic_to(x - k, y + r, x - r, y + k, x - r, y);
    path.cubic_to(x - r, y - k, x - k, y - r, x, y - r);
    path.cubic_to(x + k, y - r, x + r, y - k, x + r, y);
    path.close();
    path.finish()
}
