//! The closed lists: message types, families of engines, forms of receipts.

/// Every message type of the rules, A to N.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum MessageKind {
    /// A. Busta di trasporto.
    TransportEnvelope,
    /// B. Busta di anomalia: without a daticert.
    AnomalyEnvelope,
    /// C. Ricevuta di accettazione.
    Acceptance,
    /// D. Avviso di non accettazione per eccezioni formali.
    NonAcceptance,
    /// E. Avviso di non accettazione per virus.
    NonAcceptanceVirus,
    /// F. Ricevuta di presa in carico.
    Takeover,
    /// G. Ricevuta completa di avvenuta consegna.
    DeliveryComplete,
    /// H. Ricevuta breve di avvenuta consegna.
    DeliveryBrief,
    /// I. Ricevuta sintetica di avvenuta consegna.
    DeliveryShort,
    /// J. Avviso di mancata consegna.
    NonDelivery,
    /// K. Avviso di rilevazione virus.
    VirusDetected,
    /// L. Avviso di mancata consegna per virus.
    NonDeliveryVirus,
    /// M. Preavviso, after twelve hours.
    Warning12h,
    /// N. Avviso di mancata consegna, after twenty-four hours.
    Warning24h,
}

impl MessageKind {
    /// All of them, in the order of their letters.
    pub const ALL: [Self; 14] = [
        Self::TransportEnvelope,
        Self::AnomalyEnvelope,
        Self::Acceptance,
        Self::NonAcceptance,
        Self::NonAcceptanceVirus,
        Self::Takeover,
        Self::DeliveryComplete,
        Self::DeliveryBrief,
        Self::DeliveryShort,
        Self::NonDelivery,
        Self::VirusDetected,
        Self::NonDeliveryVirus,
        Self::Warning12h,
        Self::Warning24h,
    ];

    /// The letter, `A` to `N`.
    pub fn letter(self) -> char {
        char::from(b'A' + self as u8)
    }

    /// `postacert/@tipo`; an anomaly envelope has none.
    pub fn event(self) -> Option<&'static str> {
        Some(match self {
            Self::TransportEnvelope => "posta-certificata",
            Self::AnomalyEnvelope => return None,
            Self::Acceptance => "accettazione",
            Self::NonAcceptance | Self::NonAcceptanceVirus => "non-accettazione",
            Self::Takeover => "presa-in-carico",
            Self::DeliveryComplete | Self::DeliveryBrief | Self::DeliveryShort => {
                "avvenuta-consegna"
            }
            Self::NonDelivery | Self::NonDeliveryVirus => "errore-consegna",
            Self::VirusDetected => "rilevazione-virus",
            Self::Warning12h | Self::Warning24h => "preavviso-errore-consegna",
        })
    }

    /// What stands before the original's subject.
    pub fn subject_prefix(self) -> &'static str {
        match self {
            Self::TransportEnvelope => "POSTA CERTIFICATA: ",
            Self::AnomalyEnvelope => "ANOMALIA MESSAGGIO: ",
            Self::Acceptance => "ACCETTAZIONE: ",
            Self::NonAcceptance => "AVVISO DI NON ACCETTAZIONE: ",
            Self::NonAcceptanceVirus => "AVVISO DI NON ACCETTAZIONE PER VIRUS: ",
            Self::Takeover => "PRESA IN CARICO: ",
            Self::DeliveryComplete | Self::DeliveryBrief | Self::DeliveryShort => "CONSEGNA: ",
            Self::NonDelivery => "AVVISO DI MANCATA CONSEGNA: ",
            Self::VirusDetected => "PROBLEMA DI SICUREZZA: ",
            Self::NonDeliveryVirus => "AVVISO DI MANCATA CONSEGNA PER VIRUS: ",
            Self::Warning12h | Self::Warning24h => {
                "AVVISO DI MANCATA CONSEGNA PER SUP. TEMPO MASSIMO: "
            }
        }
    }

    /// An envelope, of transport or of anomaly.
    pub fn is_envelope(self) -> bool {
        matches!(self, Self::TransportEnvelope | Self::AnomalyEnvelope)
    }

    /// A receipt that the original was delivered, of any form.
    pub fn is_delivery(self) -> bool {
        matches!(
            self,
            Self::DeliveryComplete | Self::DeliveryBrief | Self::DeliveryShort
        )
    }
}

/// The families of engines, told apart by the form of what they write.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Family {
    /// The oldest: Italian plain text only, SHA-1, one-line headers.
    A,
    /// Plain and HTML, `binary` multiparts; an older release with SHA-1, a later one with SHA-256.
    B,
    /// Java: folded headers with a space before the line break, UTF-8 under a Latin-1 label, BER.
    C,
    /// Java, daticert last and in quoted-printable with CRLF, attachments, SHA-1 in BER.
    D,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::A, Self::B, Self::C, Self::D];
}

/// The form of delivery receipt that an author asks for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ReceiptForm {
    /// With the whole original.
    Complete,
    /// With hashes in the place of attachments.
    Brief,
    /// Without the original.
    Short,
}

impl ReceiptForm {
    /// The value in headers and XML.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "completa",
            Self::Brief => "breve",
            Self::Short => "sintetica",
        }
    }
}

/// Of which octets a brief receipt takes its SHA-1: the rules leave it open.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum HashInput {
    /// The decoded attachment.
    Decoded,
    /// The base64 as it travels, its lines parted by CRLF.
    EncodedCrlf,
    /// The base64, its lines parted by LF.
    EncodedLf,
}

impl HashInput {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Decoded, Self::EncodedCrlf, Self::EncodedLf];
}
