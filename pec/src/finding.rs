//! What the reader remarks of an object it has understood: a closed list of stable codes.
//!
//! The codes are written into metadata and read in ten years: never renamed, never used again. Sources: RFC 6109
//! sections 3 and 4, the annex to DM 2 November 2005, and what genuine messages of 2008 to 2026 have in common.
//! Nothing here speaks of the signature: that is [`crate::judge`]'s.

/// What a finding asks of who reads it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Weight {
    /// Something is not as the rules, or every genuine message, would have it.
    Deviation,
    /// Nothing deviates; it is to be known.
    Note,
}

impl Weight {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Deviation => "deviation",
            Self::Note => "note",
        }
    }
}

/// Each line: the variant, its code and weight, its wording in Italian and in English.
macro_rules! findings {
    ($($name:ident $code:literal $weight:ident $italian:literal $english:literal)*) => {
        /// Something noticed that did not hinder reading.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Finding { $(#[doc = $english] $name,)* }

        impl Finding {
            /// All of them, in the order in which they are told.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// A stable code.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// What it asks of who reads it.
            pub const fn weight(self) -> Weight {
                match self { $(Self::$name => Weight::$weight,)* }
            }

            /// In Italian.
            pub const fn italian(self) -> &'static str {
                match self { $(Self::$name => $italian,)* }
            }

            /// In English.
            pub const fn english(self) -> &'static str {
                match self { $(Self::$name => $english,)* }
            }
        }
    };
}

findings! {
    // Form of the message.
    RepeatedHeader "repeated-header" Deviation
        "un campo d'intestazione che il lettore usa compare più volte: vale il primo"
        "a header field the reader uses stands more than once; the first counted"
    MessageIdTooLong "message-id-too-long" Deviation
        "il Message-ID è più lungo di quanto si conservi, ed è tralasciato"
        "the Message-ID is longer than what is kept, and left out"
    NoCloseDelimiter "no-close-delimiter" Deviation
        "il multipart/signed non ha il delimitatore di chiusura"
        "the multipart/signed has no close delimiter"
    ExtraPart "extra-part" Deviation
        "il multipart/signed ha più di due parti: si guardano solo le prime due"
        "the multipart/signed has more than two parts; only the first two were looked at"
    StrayText "stray-text" Deviation
        "il daticert ha testo tra i suoi elementi"
        "the daticert has text between its elements"
    SignaturePartType "signature-part-type" Deviation
        "la seconda parte del multipart/signed non è di tipo application/pkcs7-signature"
        "the second part of the multipart/signed is not of type application/pkcs7-signature"
    MixedLineEnds "mixed-line-ends" Deviation
        "nella parte firmata alcune righe finiscono in CR LF e altre in LF"
        "in the signed part some lines end in CR LF and others in LF"
    RawEightBit "raw-eight-bit" Deviation
        "fuori dall'originale la parte firmata ha ottetti a 8 bit non codificati"
        "outside the original the signed part has 8-bit octets that are not encoded"
    TextPartMissing "text-part-missing" Deviation
        "la prima parte non è il testo per l'utente"
        "the first part is not the text for the user"
    TextDiffers "text-differs" Deviation
        "il testo per l'utente non riporta data, ora e identificativo del daticert"
        "the text for the user does not state day, hour and identificativo of the daticert"
    DaticertMediaType "daticert-media-type" Deviation
        "il daticert non è di tipo application/xml"
        "the daticert is not of type application/xml"
    DaticertNotUtf8 "daticert-not-utf8" Deviation
        "il daticert non è in UTF-8, o dichiara un altro insieme di caratteri"
        "the daticert is not in UTF-8, or states another character set"
    DaticertDoctype "daticert-doctype" Deviation
        "il daticert dichiara un tipo di documento"
        "the daticert has a document type declaration"
    DaticertNamespace "daticert-namespace" Deviation
        "il daticert è in uno spazio di nomi, che le regole non prevedono"
        "the daticert is in a namespace, which the rules do not know"

    // Outer header against the daticert: the daticert is what counts.
    PecHeaderMissing "pec-header-missing" Deviation
        "manca il campo X-Ricevuta o X-Trasporto che il tipo del daticert richiede"
        "the field X-Ricevuta or X-Trasporto that the daticert's tipo asks for is missing"
    RicevutaDiffers "x-ricevuta-differs" Deviation
        "X-Ricevuta non corrisponde al tipo del daticert"
        "X-Ricevuta is not the daticert's tipo"
    TrasportoDiffers "x-trasporto-differs" Deviation
        "X-Trasporto non corrisponde al tipo del daticert"
        "X-Trasporto does not agree with the daticert's tipo"
    TipoRicevutaDiffers "x-tiporicevuta-differs" Deviation
        "X-TipoRicevuta (se manca: completa) non è la forma di ricevuta del daticert"
        "X-TipoRicevuta (completa if missing) is not the daticert's form of receipt"
    VerificaSicurezzaDiffers "x-verificasicurezza-differs" Deviation
        "X-VerificaSicurezza non corrisponde all'errore del daticert"
        "X-VerificaSicurezza does not agree with the daticert's errore"
    MittenteHeaderDiffers "x-mittente-differs" Deviation
        "X-Mittente manca dove serve, o non è il mittente del daticert"
        "X-Mittente is missing where it belongs, or is not the daticert's mittente"
    RiferimentoDiffers "x-riferimento-differs" Deviation
        "X-Riferimento-Message-ID non è il msgid del daticert"
        "X-Riferimento-Message-ID is not the daticert's msgid"
    MessageIdMissing "message-id-missing" Deviation
        "il messaggio non ha Message-ID"
        "the message has no Message-ID"
    MessageIdDiffers "message-id-differs" Deviation
        "il Message-ID della busta non è l'identificativo del daticert"
        "the Message-ID of the envelope is not the daticert's identificativo"
    MessageIdReused "message-id-reused" Deviation
        "la ricevuta ha per Message-ID l'identificativo del messaggio, e non uno proprio"
        "the receipt has the transaction's identificativo for its Message-ID, and none of its own"
    DateMissing "date-missing" Deviation
        "il campo Date manca o non è una data"
        "Date is missing, or is no date"
    DateDiffers "date-differs" Deviation
        "Date e la data del daticert differiscono di più di un secondo"
        "Date and the daticert's data are more than one second apart"
    DateZoneDiffers "date-zone-differs" Deviation
        "Date è lo stesso istante della data del daticert, ma con un altro fuso"
        "Date is the instant of the daticert's data, in another zone"
    FromNotService "from-not-service" Deviation
        "l'indirizzo del campo From non è posta-certificata@ di un dominio"
        "the address in From is not posta-certificata@ of some domain"
    FromNameDiffers "from-name-differs" Deviation
        "il nome nel campo From della busta non è «Per conto di:» e il mittente del daticert"
        "the name in the envelope's From is not «Per conto di:» and the daticert's mittente"
    SenderDiffers "sender-differs" Deviation
        "il campo Sender non ha l'indirizzo del campo From"
        "Sender has not the address of From"
    ReplyToDiffers "reply-to-differs" Deviation
        "il campo Reply-To della busta non corrisponde a risposte nel daticert"
        "the envelope's Reply-To is not the daticert's risposte"
    ToDiffers "to-differs" Deviation
        "il campo To della ricevuta non indica il mittente del daticert"
        "the receipt's To does not name the daticert's mittente"
    SubjectPrefixDiffers "subject-prefix-differs" Deviation
        "l'oggetto dell'intestazione non comincia come il tipo del daticert vuole"
        "Subject does not begin as the daticert's tipo has it"
    SubjectDiffers "subject-differs" Deviation
        "l'oggetto dell'intestazione, tolto l'inizio, non è l'oggetto del daticert"
        "Subject, without its beginning, is not the daticert's oggetto"

    // The daticert in itself (RFC 6109 section 4.4).
    MittenteMissing "mittente-missing" Deviation
        "nel daticert manca il mittente"
        "the daticert has no mittente"
    DestinatariMissing "destinatari-missing" Deviation
        "nel daticert mancano i destinatari"
        "the daticert has no destinatari"
    DestinatariKind "destinatari-kind" Deviation
        "un destinatario non è né certificato né esterno"
        "a recipient is neither certificato nor esterno"
    GestoreMissing "gestore-missing" Deviation
        "nel daticert manca il gestore emittente"
        "the daticert has no gestore-emittente"
    DataMissing "data-missing" Deviation
        "nel daticert manca la data"
        "the daticert has no data"
    DataMalformed "data-malformed" Deviation
        "giorno, ora e zona del daticert non fanno un istante"
        "giorno, ora and zona of the daticert are no instant"
    ZonaNotItalian "zona-not-italian" Deviation
        "la zona del daticert non è quella dell'ora italiana di quel giorno"
        "the daticert's zona is not that of Italian time on that day"
    IdentificativoMissing "identificativo-missing" Deviation
        "nel daticert manca l'identificativo"
        "the daticert has no identificativo"
    IdentificativoOdd "identificativo-odd" Deviation
        "l'identificativo non ha la forma stringa@dominio"
        "identificativo has not the form string@domain"
    ErroreUnknown "errore-unknown" Deviation
        "l'errore del daticert non è tra i valori previsti"
        "the daticert's errore is none of the known values"
    ErroreDiffers "errore-differs" Deviation
        "l'errore del daticert non si accorda con il suo tipo"
        "the daticert's errore does not agree with its tipo"
    ErroreEstesoMissing "errore-esteso-missing" Deviation
        "manca errore-esteso, che il tipo richiede"
        "errore-esteso is missing, which the tipo asks for"
    ErroreEstesoUnexpected "errore-esteso-unexpected" Deviation
        "c'è errore-esteso, che il tipo non prevede"
        "there is errore-esteso, which the tipo does not have"
    RicevutaMissing "ricevuta-missing" Deviation
        "manca la forma di ricevuta, che il tipo richiede"
        "the form of receipt (ricevuta) is missing, which the tipo asks for"
    RicevutaUnexpected "ricevuta-unexpected" Deviation
        "c'è la forma di ricevuta, che il tipo non prevede"
        "there is a form of receipt (ricevuta), which the tipo does not have"
    RicevutaUnknown "ricevuta-unknown" Deviation
        "la forma di ricevuta non è completa, breve o sintetica"
        "the form of receipt is not completa, breve or sintetica"
    ConsegnaMissing "consegna-missing" Deviation
        "manca il destinatario della consegna, che il tipo richiede"
        "consegna is missing, which the tipo asks for"
    ConsegnaUnexpected "consegna-unexpected" Deviation
        "c'è il destinatario della consegna, che il tipo non prevede"
        "there is consegna, which the tipo does not have"
    ConsegnaNotRecipient "consegna-not-recipient" Deviation
        "il destinatario della consegna non è tra i destinatari"
        "consegna is none of the destinatari"
    ConsegnaToExternal "consegna-to-external" Deviation
        "la consegna è a un destinatario di posta ordinaria"
        "consegna is a recipient of ordinary mail"
    RicezioneMissing "ricezione-missing" Deviation
        "mancano i destinatari presi in carico, che il tipo richiede"
        "ricezione is missing, which the tipo asks for"
    RicezioneUnexpected "ricezione-unexpected" Deviation
        "ci sono destinatari presi in carico, che il tipo non prevede"
        "there is ricezione, which the tipo does not have"
    RicezioneNotRecipient "ricezione-not-recipient" Deviation
        "un destinatario preso in carico non è tra i destinatari"
        "a ricezione is none of the destinatari"
    RepeatedElement "repeated-element" Deviation
        "un elemento del daticert che può stare una volta è ripetuto: vale il primo"
        "an element of the daticert that may stand once is repeated; the first counted"
    UnknownElement "unknown-element" Deviation
        "il daticert ha un elemento che le regole non prevedono"
        "the daticert has an element that the rules do not know"

    // The original.
    PostacertMissing "postacert-missing" Deviation
        "manca l'originale (postacert.eml), che il tipo richiede; di un destinatario in copia può mancare"
        "the original (postacert.eml) is missing, which the tipo asks for; for a recipient in copy it may be"
    PostacertUnexpected "postacert-unexpected" Deviation
        "c'è l'originale, che il tipo non prevede"
        "there is an original, which the tipo does not have"
    PostacertUnnamed "postacert-unnamed" Deviation
        "l'originale non si chiama postacert.eml"
        "the original is not called postacert.eml"
    PostacertSeveral "postacert-several" Deviation
        "più di un messaggio allegato tra le parti dirette: vale il primo che si chiama postacert.eml"
        "more than one message among the direct children; the first called postacert.eml counted"
    AnomalyExtraPart "anomaly-extra-part" Deviation
        "la busta di anomalia ha altre parti oltre al testo e al messaggio ricevuto"
        "the anomaly envelope has parts other than the text and the message received"
    OriginalMessageIdDiffers "original-message-id-differs" Deviation
        "il Message-ID dell'originale non è quello che le regole vogliono"
        "the Message-ID of the original is not what the rules make it"
    OriginalReferenceDiffers "original-reference-differs" Deviation
        "X-Riferimento-Message-ID dell'originale non è il msgid del daticert"
        "X-Riferimento-Message-ID of the original is not the daticert's msgid"
    OriginalSenderDiffers "original-sender-differs" Deviation
        "il mittente dell'originale non è quello del daticert"
        "From of the original is not the daticert's mittente"
    OriginalSubjectDiffers "original-subject-differs" Deviation
        "l'oggetto dell'originale non è quello del daticert"
        "Subject of the original is not the daticert's oggetto"
    BriefPartInClear "brief-part-in-clear" Deviation
        "nell'originale di una ricevuta breve un allegato non è sostituito dalla sua impronta"
        "in the original of a brief receipt an attachment is not replaced by its hash"

    // To be known.
    Notice12h "notice-12h" Note
        "preavviso delle dodici ore: la consegna può ancora avvenire"
        "notice of twelve hours: delivery may still follow"
    Notice24h "notice-24h" Note
        "avviso delle ventiquattro ore: la spedizione è da ritenere non riuscita"
        "notice of twenty-four hours: the dispatch is to be held failed"
    NoticeUndecided "notice-undecided" Note
        "avviso di mancata consegna per tempo: non dice se delle dodici o delle ventiquattro ore"
        "notice of non-delivery in time: it does not say whether of twelve or of twenty-four hours"
    ExternalOnly "external-only" Note
        "tutti i destinatari sono di posta ordinaria: nessuna consegna sarà certificata"
        "all recipients are of ordinary mail: no delivery will be certified"
    CecPac "cec-pac" Note
        "il mittente o un destinatario ha una casella CEC-PAC, che valeva tra cittadini e amministrazioni"
        "sender or recipient has a CEC-PAC mailbox, which held between citizens and administrations"
    CecPacClosed "cec-pac-closed" Deviation
        "una casella CEC-PAC invia o riceve dopo la chiusura del servizio (18 luglio 2015)"
        "a CEC-PAC mailbox sends or receives after the service closed (18 July 2015)"
    NestedPec "nested-pec" Note
        "contiene un altro messaggio PEC, da cui non si prende alcun fatto"
        "another PEC message is inside, from which no fact is taken"
    NestedDaticert "nested-daticert" Note
        "tra gli allegati c'è un altro daticert, da cui non si prende alcun fatto"
        "another daticert is among the attachments, from which no fact is taken"
    NestingNotFollowed "nesting-not-followed" Note
        "il contenuto ha più parti o livelli di quanti il lettore segua: può esserci altro"
        "the content has more parts or levels than the reader follows; there may be more in it"
    OriginalAlone "original-alone" Note
        "sembra l'originale di un messaggio PEC salvato da solo: non certifica nulla"
        "it looks like the original of a PEC message, saved alone: it certifies nothing"
    ExplanationNotTried "explanation-not-tried" Note
        "la firma non corrisponde; perché, non si è cercato: l'oggetto è troppo grande"
        "the signature does not match; why was not looked for: the object is too large"
    RemEvidence "rem-evidence" Note
        "contiene un'evidenza REM (ETSI EN 319 522)"
        "REM evidence (ETSI EN 319 522) is inside"
    RemEvidenceSeveral "rem-evidence-several" Note
        "contiene più evidenze REM: è letta la prima"
        "more than one REM evidence is inside; the first was read"
    XadesNotEvaluated "xades-not-evaluated" Note
        "la firma XAdES dell'evidenza REM è conservata, non valutata"
        "the XAdES signature of the REM evidence is kept, not evaluated"
}
