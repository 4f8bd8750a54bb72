//! The two documents: a report beside duplicates, and a statement from the trace.

use crate::error::PageError;
use crate::flow::{Flow, Pieces, Table, bold, plain};
use crate::fonts::{Face, fonts};
use crate::model::{Instant, Record, Report};
use crate::sheet::{About, Embedded, Relation};
use crate::texts::{Texts, fill, texts};
use crate::{expert, frame, front, sheet};

/// Bytes up to which an object travels inside the PDF too; a larger one is named by its digest.
pub const EMBEDDED_BYTES_MAX: usize = 5_000_000;

/// `relazione.pdf`: beside duplicates. What is embedded keeps its octets; a [`Relation::Source`] above
/// [`EMBEDDED_BYTES_MAX`] is left out, and the pages say so.
///
/// # Errors
/// [`PageError`]: an instant outside the calendar, a name that cannot be embedded, an origin too long for the code.
pub fn relazione(report: &Report, embedded: Vec<Embedded>) -> Result<Vec<u8>, PageError> {
    let texts = texts(report.language);
    let fonts = fonts().ok_or(PageError::Fonts)?;
    let mut flow = Flow::new(fonts);
    front::opening(&mut flow, texts, report, texts.title_relazione);
    front::story(&mut flow, texts, report);
    front::summary(&mut flow, texts, report)?;
    flow.new_page();
    finish(flow, texts, report, texts.title_relazione, embedded)
}

/// `attestazione.pdf`: a statement in prose and a table, from the trace records only.
///
/// # Errors
/// As [`relazione`].
pub fn attestazione(report: &Report, embedded: Vec<Embedded>) -> Result<Vec<u8>, PageError> {
    let texts = texts(report.language);
    let fonts = fonts().ok_or(PageError::Fonts)?;
    let mut flow = Flow::new(fonts);
    front::opening(&mut flow, texts, report, texts.title_attestazione);
    flow.space(4.0);
    flow.paragraph(&statement(texts, report));
    flow.paragraph(texts.attestazione_not_receipt);
    front::story(&mut flow, texts, report);
    front::summary(&mut flow, texts, report)?;
    flow.new_page();
    table(&mut flow, texts, report);
    finish(flow, texts, report, texts.title_attestazione, embedded)
}

fn statement(texts: &Texts, report: &Report) -> String {
    let identificativo = report.message.identificativo.as_deref();
    fill(
        texts.attestazione_opening,
        &[
            &report.provider,
            &report.request.requester,
            (texts.capacity)(report.request.capacity),
            &report.made.rome_both(),
            identificativo.unwrap_or(texts.unknown),
        ],
    )
}

fn table(flow: &mut Flow<'_>, texts: &Texts, report: &Report) {
    flow.heading(texts.attestazione_table);
    let note = format!("{} {}", texts.attestazione_trace, texts.attestazione_seal);
    flow.paragraph(&note);
    let row = |record: &Record| -> Vec<Pieces> {
        let event = record.event.as_deref().unwrap_or(texts.unknown);
        let at = record.event_time;
        let at = at.map_or_else(|| texts.not_recorded.to_owned(), Instant::rome_both);
        let from = record.from.as_deref().unwrap_or(texts.unknown);
        let to = match record.concerns.is_empty() {
            true => record.recipients.iter(),
            false => record.concerns.iter(),
        };
        let to = to.map(|to| (Face::Regular, to.clone()));
        vec![
            bold(record.leaf.to_string()),
            bold(event),
            plain(at),
            plain(from),
            to.collect(),
        ]
    };
    flow.table(Table {
        widths: &[0.08, 0.17, 0.17, 0.24, 0.34],
        heads: &[
            texts.leaf,
            texts.event,
            texts.event_time,
            texts.from,
            texts.to,
        ],
        rows: report.records.iter().map(row).collect(),
    });
}

fn finish(
    mut flow: Flow<'_>,
    texts: &Texts,
    report: &Report,
    title: &str,
    mut embedded: Vec<Embedded>,
) -> Result<Vec<u8>, PageError> {
    embedded
        .retain(|file| file.relation != Relation::Source || file.bytes.len() <= EMBEDDED_BYTES_MAX);
    expert::recipients(&mut flow, texts, report);
    expert::request(&mut flow, texts, report);
    expert::checks(&mut flow, texts, report);
    expert::records(&mut flow, texts, report);
    expert::intervals(&mut flow, texts, report);
    expert::disposals(&mut flow, texts, report);
    expert::files(&mut flow, texts, report, &embedded);
    frame::frame(&mut flow, texts, report, title);
    let author = frame::clip(&report.provider, 200);
    let author = flow.fonts.shown(Face::Regular, &author);
    let about = About {
        title,
        description: texts.description,
        author: &author,
        language: texts.language,
        made: report.made,
        id: &report.id,
    };
    let bookmarks = std::mem::take(&mut flow.bookmarks);
    sheet::write(flow.fonts, &flow.pages, bookmarks, &about, embedded)
}
