//! Under which word a record is counted (docs/formats.md 19), and under which term it stands in the map.

use ceralacca_formats::canonical::Text;
use ceralacca_formats::leaf::Leaf;
use ceralacca_formats::metadata::Metadata;

/// Types of event that are counted by name (the `tipo` of DM 2 November 2005); others are `other`.
const EVENTS: [&str; 8] = [
    "accettazione",
    "avvenuta-consegna",
    "errore-consegna",
    "non-accettazione",
    "posta-certificata",
    "preavviso-errore-consegna",
    "presa-in-carico",
    "rilevazione-virus",
];

/// The word, and the identificativo of a trace record.
pub(super) fn read(canonical: &[u8], leaf: &Leaf) -> (String, Option<Text>) {
    let trace = match Metadata::parse(canonical) {
        Ok(Metadata::Trace(trace)) => trace,
        Ok(_) => return (leaf.kind.word().to_owned(), None),
        Err(_) => return ("other".to_owned(), None),
    };
    let text = trace.event.as_ref().and_then(Text::to_str);
    let known = EVENTS.iter().find(|event| text == Some(**event));
    let event = known.copied().unwrap_or("other");
    let word = match trace.direction.as_ref().and_then(Text::to_str) {
        Some(direction @ ("emesso" | "ricevuto")) => format!("{event} {direction}"),
        _ => event.to_owned(),
    };
    (word, trace.identificativo.clone())
}
