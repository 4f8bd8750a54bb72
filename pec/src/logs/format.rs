//! What a provider's log looks like, declared in one place.
//!
//! A format is data: another provider's is another constant of this type, and a test with invented lines.

use super::civil::Zone;

/// How a provider writes its log.
///
/// ```text
/// Mag  7 09:10:11 2007 PEC_Milter root [812]: id: queueid=q: tipo=… (Label): mittente=…: … eccezioni=…
/// └─────── time ─────┘ └─process┘      body_after └──────────────── fields ─────────────────────────┘
/// ```
///
/// A record begins at column zero with its time and the name of the process; what follows up to the next
/// such line, another process's, or one that says that the log was rotated, belongs to it. A field begins
/// with a colon, white space, its label and an equals sign. Text before the first field is the
/// `identificativo`.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// A word of our own for it.
    pub name: &'static str,
    /// What stands before the date (yyyy-mm-dd) in the name of a file.
    pub file_prefix: &'static str,
    /// What stands after that date; more may follow, as `.p7m` does.
    pub file_suffix: &'static str,
    /// The time, part by part.
    pub time: &'static [TimePart],
    /// Names of months, in lower case, with their numbers.
    pub months: &'static [(&'static str, u32)],
    /// The zone of times, which do not say it themselves.
    pub zone: Zone,
    /// The word after the time that tells a record from lines of other processes; empty: every line
    /// that begins with a time is a record.
    pub process: &'static str,
    /// What ends the head, after the process; may be empty.
    pub body_after: &'static str,
    /// The fields, in the order in which the provider writes them.
    pub fields: &'static [FieldRule],
    /// What the labels of types mean; empty where the format has none.
    pub events: &'static [EventRule],
    /// Phrases, in lower case, of lines that only say that the log was rotated.
    pub rotation: &'static [&'static str],
}

impl Format {
    /// Every format there is.
    pub const ALL: &[&'static Self] = &[&MILTER];

    /// The one of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|format| format.name == name)
    }

    /// The one that names its files so, with the date in the name.
    pub fn of_file(name: &str) -> Option<&'static Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|format| super::FileDate::from_name(format, name).is_some())
    }
}

/// A part of a time. White space between parts is not declared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TimePart {
    /// The name of a month, in any case.
    MonthName,
    /// The day of the month, in one or two digits.
    Day,
    /// `hh:mm:ss`.
    Clock,
    /// Four digits, or nothing at all.
    YearIfThere,
    /// `yyyymmddhhmmss`.
    Compact,
}

/// A field of a record.
#[derive(Clone, Copy, Debug)]
pub struct FieldRule {
    /// Its label, without the equals sign.
    pub label: &'static str,
    /// Other spellings that were met or must be expected.
    pub spellings: &'static [&'static str],
    /// Where it goes.
    pub slot: Slot,
    /// What its value may hold.
    pub shape: Shape,
}

/// Where a field goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Slot {
    /// The provider's queue identifier: kept beside the record.
    QueueId,
    /// `tipo`, with the label in parentheses.
    Type,
    /// `mittente`.
    Sender,
    /// `destinatari`, each with its kind in parentheses.
    Recipients,
    /// `oggetto`.
    Subject,
    /// Message-ID of the original.
    Msgid,
    /// Message-ID of what was generated.
    MessageId,
    /// `gestore-emittente`.
    Provider,
    /// `completa`, `breve` or `sintetica`.
    ReceiptForm,
    /// `ricezione`: who was taken over.
    TakenOver,
    /// `consegna`: the one recipient.
    DeliveredTo,
    /// `errore`.
    Error,
    /// Text on what went wrong: the first such field gives the value, those that follow it stay in it with
    /// their labels.
    ErrorDetail,
}

/// What a value may hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Shape {
    /// No colon followed by white space: where one stands, something undeclared begins.
    Closed,
    /// Anything, written by the provider itself.
    Text,
    /// Anything, written by others: only a field declared later ends it. The first such field of a record
    /// ends at the last place where the next declared field stands with a value of one word.
    Foreign,
}

/// What a label means.
#[derive(Clone, Copy, Debug)]
pub struct EventRule {
    /// The label, as in `(Accettazione)`.
    pub label: &'static str,
    /// The values of `tipo` that go with it, an empty one where it may be empty.
    pub types: &'static [&'static str],
    /// The event, as metadata names it.
    pub event: &'static str,
    /// The point that acts, where the label alone tells.
    pub point: Option<&'static str>,
    /// Whether the object was made here, where the label alone tells.
    pub direction: Option<&'static str>,
}

const fn field(label: &'static str, slot: Slot, shape: Shape) -> FieldRule {
    spelled(label, &[], slot, shape)
}

const fn spelled(
    label: &'static str,
    spellings: &'static [&'static str],
    slot: Slot,
    shape: Shape,
) -> FieldRule {
    FieldRule {
        label,
        spellings,
        slot,
        shape,
    }
}

/// Everything but the transport envelope is made by who logs it: this product does not log what others'
/// receipts bring.
const fn made(
    label: &'static str,
    types: &'static [&'static str],
    event: &'static str,
    point: &'static str,
) -> EventRule {
    EventRule {
        label,
        types,
        event,
        point: Some(point),
        direction: Some("emesso"),
    }
}

/// The log of a mail filter, files `PEC2-yyyy-mm-dd.log`, seen from 2006 to 2008.
///
/// `BustaTrasporto` is written both where an envelope is made and where one comes in, so that point and
/// direction are left open. The notices of virus and of time-out are the sending provider's; no source says
/// at which of its points they are made.
pub const MILTER: Format = Format {
    name: "milter",
    file_prefix: "PEC2-",
    file_suffix: ".log",
    time: &[
        TimePart::MonthName,
        TimePart::Day,
        TimePart::Clock,
        TimePart::YearIfThere,
    ],
    months: &[
        ("gen", 1),
        ("jan", 1),
        ("feb", 2),
        ("mar", 3),
        ("apr", 4),
        ("mag", 5),
        ("may", 5),
        ("giu", 6),
        ("jun", 6),
        ("lug", 7),
        ("jul", 7),
        ("ago", 8),
        ("aug", 8),
        ("set", 9),
        ("sep", 9),
        ("sept", 9),
        ("ott", 10),
        ("oct", 10),
        ("nov", 11),
        ("dic", 12),
        ("dec", 12),
    ],
    zone: Zone::Rome,
    process: "PEC_Milter",
    body_after: "]:",
    fields: &[
        field("queueid", Slot::QueueId, Shape::Closed),
        field("tipo", Slot::Type, Shape::Closed),
        field("mittente", Slot::Sender, Shape::Closed),
        spelled(
            "destinatari",
            &["destinatario"],
            Slot::Recipients,
            Shape::Closed,
        ),
        field("oggetto", Slot::Subject, Shape::Foreign),
        spelled(
            "message-id",
            &["messageid", "message_id", "msg-id"],
            Slot::MessageId,
            Shape::Closed,
        ),
        field("gestore", Slot::Provider, Shape::Text),
        spelled(
            "tipo_ricevuta",
            &["tipo-ricevuta", "tiporicevuta"],
            Slot::ReceiptForm,
            Shape::Closed,
        ),
        field("ricezione", Slot::TakenOver, Shape::Closed),
        field("consegna", Slot::DeliveredTo, Shape::Closed),
        field("errore", Slot::Error, Shape::Closed),
        spelled(
            "errore-esteso",
            &["errore_esteso", "erroreesteso"],
            Slot::ErrorDetail,
            Shape::Foreign,
        ),
        field("virus", Slot::ErrorDetail, Shape::Foreign),
        spelled(
            "eccezioni",
            &["eccezione"],
            Slot::ErrorDetail,
            Shape::Foreign,
        ),
    ],
    events: &[
        made("Accettazione", &["accettazione"], "accettazione", "accesso"),
        made(
            "NonAccettazione",
            &["non-accettazione"],
            "non-accettazione",
            "accesso",
        ),
        made(
            "NonAccettazioneVirus",
            &["non-accettazione"],
            "non-accettazione",
            "accesso",
        ),
        EventRule {
            label: "BustaTrasporto",
            types: &["posta-certificata"],
            event: "posta-certificata",
            point: None,
            direction: None,
        },
        made(
            "PresaInCarico",
            &["presa-in-carico"],
            "presa-in-carico",
            "ricezione",
        ),
        made(
            "Consegna",
            &["avvenuta-consegna"],
            "avvenuta-consegna",
            "consegna",
        ),
        made(
            "MancataConsegna",
            &["errore-consegna"],
            "errore-consegna",
            "consegna",
        ),
        EventRule {
            label: "MancataConsegnaVirus",
            types: &["errore-consegna"],
            event: "errore-consegna",
            point: None,
            direction: Some("emesso"),
        },
        EventRule {
            label: "MancataConsegna12h",
            types: &["preavviso-errore-consegna"],
            event: "preavviso-errore-consegna",
            point: None,
            direction: Some("emesso"),
        },
        EventRule {
            label: "MancataConsegna24h",
            types: &["preavviso-errore-consegna"],
            event: "preavviso-errore-consegna",
            point: None,
            direction: Some("emesso"),
        },
        made(
            "RilevazioneVirus",
            &["rilevazione-virus"],
            "rilevazione-virus",
            "ricezione",
        ),
        made("BustaAnomalia", &[""], "busta-anomalia", "ricezione"),
    ],
    rotation: &[
        "logfile turned over",
        "log file turned over",
        "log rotat",
        "logrotate",
        "-- mark --",
    ],
};
