//! Types of PEC event that are told apart by name, and the word under which a record is counted (docs/formats.md 19).

use crate::leaf::Kind;
use crate::metadata::Metadata;

/// Types of event with a word of their own (the `tipo` of DM 2 November 2005); all others are `other`.
pub const EVENTS: [&str; 8] = [
    "accettazione",
    "avvenuta-consegna",
    "errore-consegna",
    "non-accettazione",
    "posta-certificata",
    "preavviso-errore-consegna",
    "presa-in-carico",
    "rilevazione-virus",
];

/// A record whose metadata this program cannot interpret, or whose type of event it does not know.
pub const OTHER: &str = "other";

/// The word of a record: of an operation its type of event, and its direction where it is known; of all else its kind.
pub fn counted_as(metadata: &Metadata, kind: Kind) -> String {
    let Metadata::Trace(trace) = metadata else {
        return kind.word().to_owned();
    };
    let text = trace.event.as_ref().and_then(|event| event.to_str());
    let known = EVENTS.iter().find(|event| text == Some(**event));
    let event = known.copied().unwrap_or(OTHER);
    match trace.direction.as_ref().and_then(|d| d.to_str()) {
        Some(direction @ ("emesso" | "ricevuto")) => format!("{event} {direction}"),
        _ => event.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::{ObjectRecord, TraceRecord};

    #[test]
    fn an_operation_counts_by_event_and_direction_and_all_else_by_kind() {
        let trace = |event: &str, direction: Option<&str>| {
            Metadata::from(TraceRecord {
                event: Some(event.into()),
                direction: direction.map(Into::into),
                ..TraceRecord::default()
            })
        };
        for (metadata, word) in [
            (trace("accettazione", Some("emesso")), "accettazione emesso"),
            (trace("accettazione", Some("altrove")), "accettazione"),
            (trace("mai-visto", Some("ricevuto")), "other ricevuto"),
            (trace("Accettazione", None), "other"),
        ] {
            assert_eq!(counted_as(&metadata, Kind::Trace), word);
        }
        let object = Metadata::Object(ObjectRecord::default());
        assert_eq!(counted_as(&object, Kind::Receipt), Kind::Receipt.word());
    }
}
