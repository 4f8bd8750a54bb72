//! What is remarked of an evidence, and why one is not read: closed lists of stable codes.
//!
//! The codes are written into metadata and read in ten years: never renamed, never used again.

/// Why octets are not read as evidence.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Refusal {
    /// Longer than what is read.
    TooLarge,
    /// The character set is unknown, or the octets are not in it.
    Charset,
    /// It has a document type declaration.
    Dtd,
    /// More nodes, levels or attributes than are followed.
    TooComplex,
    /// No well-formed XML.
    Malformed,
    /// The root is not `Evidence`, or has neither an event nor an identifier.
    NotEvidence,
}

impl Refusal {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::TooLarge,
        Self::Charset,
        Self::Dtd,
        Self::TooComplex,
        Self::Malformed,
        Self::NotEvidence,
    ];

    const fn row(self) -> [&'static str; 3] {
        match self {
            Self::TooLarge => [
                "evidence-too-large",
                "l'evidenza REM è più lunga di quanto si legga",
                "the REM evidence is longer than what is read",
            ],
            Self::Charset => [
                "evidence-charset",
                "l'insieme di caratteri dell'evidenza REM è ignoto o non è rispettato",
                "the character set of the REM evidence is unknown, or its bytes are not in it",
            ],
            Self::Dtd => [
                "evidence-dtd",
                "l'evidenza REM dichiara un tipo di documento",
                "the REM evidence has a document type declaration",
            ],
            Self::TooComplex => [
                "evidence-too-complex",
                "l'evidenza REM ha più nodi, livelli o attributi di quanti se ne seguono",
                "the REM evidence has more nodes, levels or attributes than are followed",
            ],
            Self::Malformed => [
                "evidence-malformed",
                "l'evidenza REM non è XML ben formato",
                "the REM evidence is no well-formed XML",
            ],
            Self::NotEvidence => [
                "not-evidence",
                "ciò che si dice evidenza REM non ha né evento né identificativo",
                "what calls itself REM evidence has neither an event nor an identifier",
            ],
        }
    }

    /// The code.
    pub const fn code(self) -> &'static str {
        let [code, ..] = self.row();
        code
    }

    /// In Italian.
    pub const fn italian(self) -> &'static str {
        let [_, italian, _] = self.row();
        italian
    }

    /// In English.
    pub const fn english(self) -> &'static str {
        let [.., english] = self.row();
        english
    }
}

/// Something noticed that did not hinder reading.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Finding {
    /// The root is not in the namespace of EN 319 522.
    OtherNamespace,
    /// The event is none of [`super::EVENTS`].
    EventUnknown,
    /// The event time is missing, or no instant.
    TimeMalformed,
    /// A digest is not in base64.
    DigestMalformed,
    /// There is no signature.
    NotSigned,
}

impl Finding {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::OtherNamespace,
        Self::EventUnknown,
        Self::TimeMalformed,
        Self::DigestMalformed,
        Self::NotSigned,
    ];

    const fn row(self) -> [&'static str; 3] {
        match self {
            Self::OtherNamespace => [
                "evidence-namespace",
                "l'evidenza REM non è nello spazio di nomi di ETSI EN 319 522",
                "the REM evidence is not in the namespace of ETSI EN 319 522",
            ],
            Self::EventUnknown => [
                "evidence-event-unknown",
                "l'evento dell'evidenza REM non è tra quelli previsti",
                "the event of the REM evidence is none of those known",
            ],
            Self::TimeMalformed => [
                "evidence-time",
                "l'ora dell'evento manca dall'evidenza REM, o non è un istante",
                "the event time is missing from the REM evidence, or is no instant",
            ],
            Self::DigestMalformed => [
                "evidence-digest",
                "un'impronta nell'evidenza REM non è in base64",
                "a digest in the REM evidence is not in base64",
            ],
            Self::NotSigned => [
                "evidence-not-signed",
                "l'evidenza REM non è firmata",
                "the REM evidence is not signed",
            ],
        }
    }

    /// A stable code.
    pub const fn code(self) -> &'static str {
        let [code, ..] = self.row();
        code
    }

    /// In Italian.
    pub const fn italian(self) -> &'static str {
        let [_, italian, _] = self.row();
        italian
    }

    /// In English.
    pub const fn english(self) -> &'static str {
        let [.., english] = self.row();
        english
    }
}
