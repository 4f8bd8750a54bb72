//! The header of a message, and the header of each multipart inside it: fields, their order, folding, boundaries.

use super::encode::{WordCharset, words};
use super::layout::Writer;
use super::{Family, MessageKind};
use crate::civil::Civil;
use crate::pki::DigestKind;
use rand::Rng;

/// What a nested multipart knows of its place.
pub(super) enum Multipart<'a> {
    Signed(&'a str),
    Mixed,
    Alternative,
}

impl Writer<'_> {
    pub(super) fn header(&mut self, outer: &str) {
        let kind = self.draft.kind;
        let facts = &self.draft.facts;
        let service = self.provider.service_address().to_owned();
        let from_author = kind.is_envelope();
        let return_path = if from_author { &facts.sender } else { &service };
        self.line(&format!("Return-Path: <{return_path}>"));
        self.received();
        let marks = self.marks();
        let content_type = (
            "Content-Type",
            self.multipart_type(Multipart::Signed(&self.protocol()), outer),
        );
        let version = ("MIME-Version", "1.0".to_owned());
        let mut fields: Vec<(&str, String)> = Vec::new();
        let mut date = Civil::rome(facts.at_ms).mail_date();
        if matches!(self.family, Family::C | Family::D) && self.rng.random() {
            let zone = if date.ends_with("+0200") {
                "CEST"
            } else {
                "CET"
            };
            date += &format!(" ({zone})");
        }
        let from = if from_author {
            format!("\"Per conto di: {}\" <{service}>", facts.sender)
        } else {
            service
        };
        let id = format!("<{}>", self.draft.message_id);
        let subject = self.subject();
        let to = self.draft.to.join(",\r\n ");
        let mut addresses = vec![("From", from)];
        if from_author {
            let replies = if facts.reply_to.is_empty() {
                &facts.sender
            } else {
                &facts.reply_to
            };
            addresses.push(("Reply-To", replies.clone()));
        }
        addresses.push(("To", to));
        if !self.draft.cc.is_empty() {
            addresses.push(("Cc", self.draft.cc.join(",\r\n ")));
        }
        // The order of a header means nothing, and is another in each engine.
        match self.family {
            Family::A => {
                fields.extend(marks);
                fields.push(("Date", date));
                fields.push(("Subject", subject));
                fields.extend(addresses);
                fields.push(("Message-ID", id));
                fields.extend([version, content_type]);
            }
            Family::B => {
                fields.extend([("Date", date), ("Subject", subject)]);
                fields.extend(addresses);
                fields.extend(marks);
                fields.extend([version, content_type, ("Message-ID", id)]);
            }
            Family::C => {
                fields.push(("Date", date));
                fields.extend(addresses);
                fields.extend([("Message-ID", id), ("Subject", subject), version]);
                fields.push(content_type);
                fields.extend(marks);
            }
            Family::D => {
                fields.extend(addresses);
                fields.extend([("Message-ID", id), ("Date", date), ("Subject", subject)]);
                fields.extend(marks);
                fields.extend([version, content_type]);
            }
        }
        for (name, value) in fields {
            self.line(&format!("{name}: {value}"));
        }
    }

    /// The headers that say what a message is, and for which original.
    fn marks(&self) -> Vec<(&'static str, String)> {
        use MessageKind as K;
        let kind = self.draft.kind;
        let mut marks = Vec::new();
        match kind {
            K::TransportEnvelope => marks.push(("X-Trasporto", "posta-certificata".to_owned())),
            K::AnomalyEnvelope => marks.push(("X-Trasporto", "errore".to_owned())),
            _ => marks.push(("X-Ricevuta", kind.event().unwrap_or_default().to_owned())),
        }
        if kind == K::TransportEnvelope
            && let Some(form) = self.draft.facts.receipt_form
            // Some engines leave out what is the default.
            && (self.family != Family::D || form != "completa")
        {
            let name = match self.family {
                Family::B => "X-Tiporicevuta",
                _ => "X-TipoRicevuta",
            };
            marks.push((name, form.to_owned()));
        }
        if matches!(kind, K::NonAcceptanceVirus | K::NonDeliveryVirus) {
            marks.push(("X-VerificaSicurezza", "errore".to_owned()));
        }
        if kind == K::VirusDetected {
            marks.push(("X-Mittente", self.draft.facts.sender.clone()));
        }
        if kind != K::AnomalyEnvelope
            && let Some(msgid) = &self.draft.facts.msgid
        {
            marks.push(("X-Riferimento-Message-ID", msgid.clone()));
        }
        if self.draft.has_rem && kind.is_delivery() {
            let subject = self.draft.facts.subject.as_deref().unwrap_or_default();
            let text = format!("REM ContentConsignment: {subject}");
            marks.push(("X-REM-Subject", words(&text, WordCharset::Utf8)));
        }
        marks
    }

    fn subject(&self) -> String {
        let prefix = self.draft.kind.subject_prefix();
        let subject = self.draft.facts.subject.as_deref().unwrap_or_default();
        match self.family {
            Family::A | Family::B => format!("{prefix}{}", words(subject, WordCharset::Latin1)),
            // The prefix is inside the word.
            Family::C | Family::D => words(&format!("{prefix}{subject}"), WordCharset::Utf8),
        }
    }

    fn received(&mut self) {
        let domain = self.provider.options().domain;
        let (host, id): (u8, u64) = (self.rng.random(), self.rng.random());
        let date = Civil::rome(self.draft.facts.at_ms).mail_date();
        self.line(&format!(
            "Received: from av{host}.{domain} (av{host}.{domain} [192.0.2.{host}])"
        ));
        self.line(&format!(
            "\tby mx.{domain} (Posta di prova) with ESMTPS id {id:016x}"
        ));
        self.line(&format!(
            "\tfor <{}>; {date}",
            self.draft.to.first().cloned().unwrap_or_default()
        ));
    }

    pub(super) fn protocol(&self) -> String {
        match (self.family, self.digest) {
            (Family::A, _) | (Family::B, DigestKind::Sha1) => "application/x-pkcs7-signature",
            _ => "application/pkcs7-signature",
        }
        .to_owned()
    }

    fn micalg(&self) -> &'static str {
        match (self.family, self.digest) {
            (Family::A | Family::C, DigestKind::Sha1) => "sha1",
            (Family::B, DigestKind::Sha1) => "\"sha1\"",
            (Family::B, DigestKind::Sha256) => "\"sha-256\"",
            (Family::D, DigestKind::Sha1) => "sha-1",
            (Family::A | Family::C | Family::D, DigestKind::Sha256) => "sha-256",
        }
    }

    // Boundaries.

    pub(super) fn outer_boundary(&mut self) -> String {
        match self.family {
            Family::A | Family::B => format!("----{:032X}", self.rng.random::<u128>()),
            Family::C | Family::D => self.inner_boundary(),
        }
    }

    pub(super) fn inner_boundary(&mut self) -> String {
        let second = self.draft.facts.at_ms.div_euclid(1000);
        let (a, b) = (
            self.rng.random_range(1000..100_000),
            self.rng.random_range(1..1_000_000),
        );
        match self.family {
            Family::A | Family::B => format!("----------=_{second}-{a}-{b}"),
            Family::C | Family::D => {
                let millis = second * 1000 + self.rng.random_range(0..1000);
                format!(
                    "----=_Part_{b}_{a}{:04}.{millis}",
                    self.rng.random_range(0..10_000)
                )
            }
        }
    }

    /// The value of a multipart's Content-Type.
    fn multipart_type(&self, multipart: Multipart<'_>, boundary: &str) -> String {
        let fold = match (self.family, &multipart) {
            (Family::A, _) | (Family::B, Multipart::Signed(_) | Multipart::Mixed) => " ",
            (Family::B, Multipart::Alternative) => "\r\n ",
            // The space before the line break is signed like all else.
            (Family::C | Family::D, _) => " \r\n\t",
        };
        let kind = match multipart {
            Multipart::Signed(protocol) => {
                let micalg = self.micalg();
                format!("signed; protocol=\"{protocol}\"; micalg={micalg}")
            }
            Multipart::Mixed => "mixed".to_owned(),
            Multipart::Alternative => "alternative".to_owned(),
        };
        format!("multipart/{kind};{fold}boundary=\"{boundary}\"")
    }

    pub(super) fn multipart_header(&mut self, multipart: Multipart<'_>, boundary: &str) {
        let is_top = matches!(multipart, Multipart::Mixed);
        let content_type = self.multipart_type(multipart, boundary);
        match self.family {
            Family::A => {
                if is_top {
                    self.line("MIME-Version: 1.0");
                }
                self.line(&format!("Content-Type: {content_type}"));
            }
            Family::B => {
                self.line(&format!("Content-Type: {content_type}"));
                self.line("Content-Transfer-Encoding: binary");
                if is_top {
                    self.line("MIME-Version: 1.0");
                }
            }
            Family::C | Family::D => self.line(&format!("Content-Type: {content_type}")),
        }
        if !is_top {
            self.rem("introduction");
        }
        self.line("");
    }
}
