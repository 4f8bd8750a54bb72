//! Log files of providers: from lines to trace records.
//!
//! # Invariants
//! 1. Nothing is dropped in silence: every octet of a file belongs to an [`Item`] or to noise that is
//!    counted in the [`Summary`]. Items come in order and never overlap.
//! 2. Linear in the file; kept at any time: one record up to [`RECORD_BYTES_MAX`], the beginning of one
//!    line, and what a record becomes.
//! 3. The same file gives the same items, however it was cut into pieces.
//! 4. Text is octets as they came, line breaks of folded text included. Of identifiers and addresses the white
//!    space around them is left out.
//! 5. A record begins at column zero. Folded text begins with a blank, so that a subject cannot forge a
//!    record; what is written into a line to look like a field is told as [`Finding::LabelInText`].
//!
//! # Not here
//! The signature and the time-stamp of a file: [`p7m`] only takes the content out.
//!
//! # Map
//! [`mod@format`] declares what a log looks like; `lines` finds records, `record` reads one, `civil` its time.

mod civil;
pub mod format;
mod lines;
pub mod p7m;
mod record;
#[cfg(test)]
mod tests;

pub use civil::{FileDate, Zone};
pub use format::Format;
pub use lines::{HEAD_BYTES_MAX, LogReader, RECORD_BYTES_MAX, read};

use ceralacca_formats::canonical::Text;
use ceralacca_formats::metadata::TraceRecord;
use std::ops::Range;

/// A stretch of a log file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Item {
    /// A record.
    Entry(Box<Entry>),
    /// What should have been one, and is not understood.
    Unread(Unread),
}

impl Item {
    /// The octets of the file it is of, line breaks included.
    pub fn range(&self) -> &Range<u64> {
        match self {
            Self::Entry(entry) => &entry.range,
            Self::Unread(unread) => &unread.range,
        }
    }
}

/// A record of the log.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Entry {
    /// The octets it was read from: one line or more, their breaks included.
    pub range: Range<u64>,
    /// What it says. The event is what the label means; where the label means nothing, `tipo` as it came.
    pub record: TraceRecord,
    /// `tipo` as it came.
    pub kind: Option<Text>,
    /// The label in parentheses after it.
    pub label: Option<Text>,
    /// The provider's queue identifier.
    pub queue_id: Option<Text>,
    /// What was noticed, each once, in order.
    pub findings: Vec<Finding>,
}

/// A stretch that is not understood.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unread {
    /// Its octets: one line or more, their breaks included.
    pub range: Range<u64>,
    /// Why.
    pub reason: UnreadReason,
}

/// Why a stretch is not understood. The codes are stable.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum UnreadReason {
    /// Lines that begin no record and follow none.
    NoHead,
    /// A line of the process that has none of type, sender and Message-ID.
    NoFields,
    /// Longer than what is kept.
    RecordTooLong,
    /// The facts do not fit into the metadata of a record.
    FactsTooLarge,
}

impl UnreadReason {
    /// Each of them.
    pub const ALL: [Self; 4] = [
        Self::NoHead,
        Self::NoFields,
        Self::RecordTooLong,
        Self::FactsTooLarge,
    ];

    /// The same, for an Italian reader.
    pub const fn italian(self) -> &'static str {
        match self {
            Self::NoHead => "Righe che non iniziano una registrazione e non ne seguono alcuna.",
            Self::NoFields => "Una riga del programma senza tipo, mittente e Message-ID.",
            Self::RecordTooLong => "Una registrazione più lunga di quanto si legge.",
            Self::FactsTooLarge => "I dati della registrazione non entrano nei metadati.",
        }
    }

    /// The same, in English.
    pub const fn english(self) -> &'static str {
        match self {
            Self::NoHead => "Lines that begin no record and follow none.",
            Self::NoFields => "A line of the program without type, sender and Message-ID.",
            Self::RecordTooLong => "A record longer than what is read.",
            Self::FactsTooLarge => "The facts of the record do not fit into metadata.",
        }
    }

    /// The code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoHead => "no-head",
            Self::NoFields => "no-fields",
            Self::RecordTooLong => "record-too-long",
            Self::FactsTooLarge => "record-facts-too-large",
        }
    }
}

/// Something noticed in a record that did not hinder reading.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Finding {
    /// The time cannot be read, or is before 1970.
    TimeMalformed,
    /// The time has no year, and no date of the file says which.
    YearMissing,
    /// The time has no year; that of the file was taken.
    YearFromFile,
    /// The hour came twice, at the end of summer time; the first of the two was taken.
    DoubledHour,
    /// The hour never was, at the beginning of summer time: there is no instant.
    SkippedHour,
    /// The day is not that of the file.
    OtherDay,
    /// There is no `identificativo`, though the label is not one that may go without.
    IdMissing,
    /// `tipo` is empty or missing, though the label is not one that may go without.
    TypeMissing,
    /// The label is missing, or not declared; the event is `tipo` as it came.
    LabelUnknown,
    /// `tipo` does not go with the label; the label counted.
    TypeAndLabelDiffer,
    /// A label, of a type or of a field, is not spelled as declared.
    LabelMisspelt,
    /// Something that looks like a field stands inside the text of another: somebody's text, or a field that
    /// came twice.
    LabelInText,
    /// Text between two fields, or before the first: a field that is not declared, perhaps.
    UnknownField,
    /// The file ends in the record, without a line break: it may be cut off.
    NoLineBreak,
}

impl Finding {
    /// Each of them.
    pub const ALL: [Self; 14] = [
        Self::TimeMalformed,
        Self::YearMissing,
        Self::YearFromFile,
        Self::DoubledHour,
        Self::SkippedHour,
        Self::OtherDay,
        Self::IdMissing,
        Self::TypeMissing,
        Self::LabelUnknown,
        Self::TypeAndLabelDiffer,
        Self::LabelMisspelt,
        Self::LabelInText,
        Self::UnknownField,
        Self::NoLineBreak,
    ];

    /// The same, for an Italian reader.
    pub const fn italian(self) -> &'static str {
        match self {
            Self::TimeMalformed => "L'istante non è leggibile, o è anteriore al 1970.",
            Self::YearMissing => "Manca l'anno, e nessuna data del file lo indica.",
            Self::YearFromFile => "Manca l'anno; si è preso quello del file.",
            Self::DoubledHour => {
                "L'ora si è ripetuta alla fine dell'ora legale; si è presa la prima."
            }
            Self::SkippedHour => "L'ora non è mai esistita, all'inizio dell'ora legale.",
            Self::OtherDay => "Il giorno non è quello del file.",
            Self::IdMissing => "Manca l'identificativo.",
            Self::TypeMissing => "Il tipo è vuoto o manca.",
            Self::LabelUnknown => "L'etichetta manca o non è tra quelle dichiarate.",
            Self::TypeAndLabelDiffer => "Tipo ed etichetta non vanno insieme; è valsa l'etichetta.",
            Self::LabelMisspelt => "Un'etichetta non è scritta come dichiarato.",
            Self::LabelInText => "Qualcosa che somiglia a un campo sta nel testo di un altro.",
            Self::UnknownField => "Del testo tra due campi: forse un campo non dichiarato.",
            Self::NoLineBreak => "Il file finisce nella registrazione, senza fine riga.",
        }
    }

    /// The same, in English.
    pub const fn english(self) -> &'static str {
        match self {
            Self::TimeMalformed => "The time cannot be read, or is before 1970.",
            Self::YearMissing => "There is no year, and no date of the file says which.",
            Self::YearFromFile => "There is no year; that of the file was taken.",
            Self::DoubledHour => {
                "The hour came twice, at the end of summer time; the first of the two was taken."
            }
            Self::SkippedHour => "The hour never was, at the beginning of summer time.",
            Self::OtherDay => "The day is not that of the file.",
            Self::IdMissing => "There is no identificativo.",
            Self::TypeMissing => "The type is empty or missing.",
            Self::LabelUnknown => "The label is missing, or none of those declared.",
            Self::TypeAndLabelDiffer => "Type and label do not go together; the label counted.",
            Self::LabelMisspelt => "A label is not spelled as declared.",
            Self::LabelInText => "Something that looks like a field stands in the text of another.",
            Self::UnknownField => "Text between two fields: a field that is not declared, perhaps.",
            Self::NoLineBreak => "The file ends in the record, without a line break.",
        }
    }

    /// A stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::TimeMalformed => "time-malformed",
            Self::YearMissing => "year-missing",
            Self::YearFromFile => "year-from-file",
            Self::DoubledHour => "doubled-hour",
            Self::SkippedHour => "skipped-hour",
            Self::OtherDay => "other-day",
            Self::IdMissing => "id-missing",
            Self::TypeMissing => "type-missing",
            Self::LabelUnknown => "label-unknown",
            Self::TypeAndLabelDiffer => "type-and-label-differ",
            Self::LabelMisspelt => "label-misspelt",
            Self::LabelInText => "label-in-text",
            Self::UnknownField => "unknown-field",
            Self::NoLineBreak => "no-line-break",
        }
    }
}

/// Lines that are no record, and what they sum to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counted {
    /// How many lines.
    pub lines: u64,
    /// How many octets, line breaks included.
    pub bytes: u64,
}

/// What a file came to. The octets of items and of the three kinds of noise sum to `bytes`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Summary {
    /// Length of the file.
    pub bytes: u64,
    /// Entries given out.
    pub entries: u64,
    /// Stretches given out as unread.
    pub unread: u64,
    /// Blank lines, save those inside a record.
    pub blank: Counted,
    /// Lines with a time, of other processes.
    pub other_process: Counted,
    /// Lines that say that the log was rotated.
    pub rotation: Counted,
}
