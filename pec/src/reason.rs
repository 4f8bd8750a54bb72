//! Why an object was not understood: a closed list of stable codes.
//!
//! The codes are written into metadata and read in ten years: never renamed, never used again.

/// Why an object is unclassified. Archived as received all the same.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Reason {
    /// No octets at all.
    Empty,
    /// No header field of a message: none of From, Message-ID, Date and Subject.
    NotMail,
    /// A header block, the message's or a part's, is longer than the reader keeps.
    HeaderTooLong,
    /// Only the signed part was kept: it begins with a multipart/mixed, without a message's header.
    Fragment,
    /// PEC headers or a daticert, but no multipart/signed of two parts.
    NotSigned,
    /// The multipart/signed ends before its second part begins.
    Truncated,
    /// The signed part has more parts than the reader follows.
    TooManyParts,
    /// PEC headers and a signed part, but no daticert.xml among its direct children.
    NoDaticert,
    /// More than one daticert.xml among the direct children.
    TwoDaticert,
    /// The daticert part is longer than the reader keeps.
    DaticertTooLarge,
    /// The transfer encoding of the daticert is unknown, or its body is not in it.
    DaticertEncoding,
    /// The character set of the daticert is unknown, or its octets are not in it.
    DaticertCharset,
    /// The daticert is no well-formed XML, or its root is not `postacert`.
    DaticertMalformed,
    /// The daticert declares entities or an internal DTD subset.
    DaticertDtd,
    /// The daticert has more nodes, levels or attributes than the reader follows.
    DaticertTooComplex,
    /// `postacert` has no `tipo`, or an empty one.
    DaticertTipoMissing,
    /// `tipo` is none of the eight values; the facts are kept.
    DaticertTipoUnknown,
    /// The facts do not fit into the metadata of a record.
    FactsTooLarge,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::Empty,
        Self::NotMail,
        Self::HeaderTooLong,
        Self::Fragment,
        Self::NotSigned,
        Self::Truncated,
        Self::TooManyParts,
        Self::NoDaticert,
        Self::TwoDaticert,
        Self::DaticertTooLarge,
        Self::DaticertEncoding,
        Self::DaticertCharset,
        Self::DaticertMalformed,
        Self::DaticertDtd,
        Self::DaticertTooComplex,
        Self::DaticertTipoMissing,
        Self::DaticertTipoUnknown,
        Self::FactsTooLarge,
    ];

    /// The code, as metadata carries it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::NotMail => "not-mail",
            Self::HeaderTooLong => "header-too-long",
            Self::Fragment => "fragment",
            Self::NotSigned => "not-signed",
            Self::Truncated => "truncated",
            Self::TooManyParts => "too-many-parts",
            Self::NoDaticert => "no-daticert",
            Self::TwoDaticert => "two-daticert",
            Self::DaticertTooLarge => "daticert-too-large",
            Self::DaticertEncoding => "daticert-encoding",
            Self::DaticertCharset => "daticert-charset",
            Self::DaticertMalformed => "daticert-malformed",
            Self::DaticertDtd => "daticert-dtd",
            Self::DaticertTooComplex => "daticert-too-complex",
            Self::DaticertTipoMissing => "daticert-tipo-missing",
            Self::DaticertTipoUnknown => "daticert-tipo-unknown",
            Self::FactsTooLarge => "facts-too-large",
        }
    }

    /// In Italian.
    pub const fn italian(self) -> &'static str {
        match self {
            Self::Empty => "non c'è nemmeno un byte",
            Self::NotMail => "manca ogni campo d'intestazione di un messaggio",
            Self::HeaderTooLong => "un'intestazione è più lunga di quanto il lettore conservi",
            Self::Fragment => "è rimasta la sola parte firmata, senza l'intestazione del messaggio",
            Self::NotSigned => {
                "intestazioni PEC o daticert, ma nessun multipart/signed di due parti"
            }
            Self::Truncated => "il multipart/signed finisce prima che cominci la seconda parte",
            Self::TooManyParts => "la parte firmata ha più parti di quante il lettore segua",
            Self::NoDaticert => {
                "intestazioni PEC e parte firmata, ma nessun daticert.xml tra le parti dirette"
            }
            Self::TwoDaticert => "più di un daticert.xml tra le parti dirette",
            Self::DaticertTooLarge => "il daticert è più lungo di quanto il lettore conservi",
            Self::DaticertEncoding => {
                "la codifica di trasferimento del daticert è ignota o non è rispettata"
            }
            Self::DaticertCharset => {
                "l'insieme di caratteri del daticert è ignoto o non è rispettato"
            }
            Self::DaticertMalformed => {
                "il daticert non è XML ben formato, o la radice non è postacert"
            }
            Self::DaticertDtd => "il daticert dichiara entità o un DTD interno",
            Self::DaticertTooComplex => {
                "il daticert ha più nodi, livelli o attributi di quanti il lettore segua"
            }
            Self::DaticertTipoMissing => "postacert non ha tipo",
            Self::DaticertTipoUnknown => {
                "il tipo non è uno degli otto previsti; i fatti sono conservati"
            }
            Self::FactsTooLarge => "i fatti non stanno nei metadati di un record",
        }
    }

    /// In English.
    pub const fn english(self) -> &'static str {
        match self {
            Self::Empty => "no bytes at all",
            Self::NotMail => "no header field of a message",
            Self::HeaderTooLong => "a header block is longer than the reader keeps",
            Self::Fragment => "only the signed part was kept, without the message's header",
            Self::NotSigned => "PEC headers or a daticert, but no multipart/signed of two parts",
            Self::Truncated => "the multipart/signed ends before its second part begins",
            Self::TooManyParts => "the signed part has more parts than the reader follows",
            Self::NoDaticert => {
                "PEC headers and a signed part, but no daticert.xml among its direct children"
            }
            Self::TwoDaticert => "more than one daticert.xml among the direct children",
            Self::DaticertTooLarge => "the daticert is longer than the reader keeps",
            Self::DaticertEncoding => {
                "the transfer encoding of the daticert is unknown, or its body is not in it"
            }
            Self::DaticertCharset => {
                "the character set of the daticert is unknown, or its bytes are not in it"
            }
            Self::DaticertMalformed => {
                "the daticert is no well-formed XML, or its root is not postacert"
            }
            Self::DaticertDtd => "the daticert declares entities or an internal DTD subset",
            Self::DaticertTooComplex => {
                "the daticert has more nodes, levels or attributes than the reader follows"
            }
            Self::DaticertTipoMissing => "postacert has no tipo",
            Self::DaticertTipoUnknown => "tipo is none of the eight values; the facts are kept",
            Self::FactsTooLarge => "the facts do not fit into the metadata of a record",
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_reason_has_a_code_of_its_own() {
        let codes: BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        assert_eq!(codes.len(), Reason::ALL.len());
        for code in codes {
            assert!(code.bytes().all(|c| c.is_ascii_lowercase() || c == b'-'));
        }
    }
}
