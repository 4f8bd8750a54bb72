//! The octets of a message, as the engine of each family writes them.
//!
//! ```text
//! header
//! preamble                                        A, B, sometimes C
//! --outer
//! multipart/mixed { text, daticert, postacert }   the signed part; D: { text, postacert, daticert }
//! --outer
//! smime.p7s
//! --outer--
//! ```

use super::daticert::escaped;
use super::encode::{base64, latin1, line, quoted_printable};
use super::header::Multipart;
use super::{Draft, Family, Message, MessageKind, Postal, Provider, text};
use crate::civil::Civil;
use crate::cms::{self, Encoding, Extra, Form};
use crate::pki::DigestKind;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::borrow::Cow;
use std::ops::Range;

/// Where the parts of a message stand among its octets. A part goes from the line of its delimiter to the line of
/// the next.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Places {
    /// The header, with the empty line that ends it.
    pub header: Range<usize>,
    /// The signed octets.
    pub signed: Range<usize>,
    /// The text part, or the alternative of text and HTML.
    pub text: Range<usize>,
    /// The daticert parts.
    pub daticert: Vec<Range<usize>>,
    /// The attached original, its own octets only.
    pub postacert: Option<Range<usize>>,
    /// The signature part.
    pub signature: Range<usize>,
    /// The closing delimiter.
    pub close: Range<usize>,
}

/// A draft of no provider of this system gives no octets.
pub(crate) fn write(postal: &Postal, draft: Draft) -> Message {
    let Some(provider) = postal.providers().get(draft.provider) else {
        return Message {
            bytes: Vec::new(),
            family: Family::A,
            places: Places::default(),
            draft,
        };
    };
    let family = provider.options().family;
    let mut writer = Writer {
        draft: &draft,
        provider,
        family,
        digest: provider.signer().digest(provider.options().digest),
        rng: ChaCha8Rng::seed_from_u64(draft.layout_seed),
        out: Vec::with_capacity(
            16 * 1024
                + draft
                    .postacert
                    .as_ref()
                    .map_or(0, |original| original.len()),
        ),
        places: Places::default(),
    };
    writer.message();
    let (bytes, places) = (writer.out, writer.places);
    Message {
        bytes,
        family,
        places,
        draft,
    }
}

/// Writes one message.
pub(super) struct Writer<'a> {
    pub(super) draft: &'a Draft,
    pub(super) provider: &'a Provider,
    pub(super) family: Family,
    pub(super) digest: DigestKind,
    pub(super) rng: ChaCha8Rng,
    pub(super) out: Vec<u8>,
    pub(super) places: Places,
}

impl Writer<'_> {
    fn message(&mut self) {
        let outer = self.outer_boundary();
        self.header(&outer);
        self.line("");
        self.places.header = 0..self.out.len();
        match self.family {
            Family::A | Family::B => {
                self.line("This is an S/MIME signed message");
                self.line("");
            }
            Family::C if self.rng.random() => {
                self.line("This is a S/MIME signed message");
                self.line("");
            }
            Family::C | Family::D => {}
        }
        self.line(&format!("--{outer}"));
        let start = self.out.len();
        self.mixed();
        self.places.signed = start..self.out.len();
        let p7s = self.signature();
        // This line break belongs to the delimiter, not to what is signed.
        self.line("");
        let start = self.out.len();
        self.line(&format!("--{outer}"));
        self.signature_part(&p7s);
        self.line("");
        self.places.signature = start..self.out.len();
        let start = self.out.len();
        self.line(&format!("--{outer}--"));
        self.places.close = start..self.out.len();
    }

    fn signature(&self) -> Vec<u8> {
        let (encoding, extra) = match self.family {
            Family::A | Family::B => (Encoding::Der, Extra::Capabilities),
            Family::C => (Encoding::Indefinite, Extra::AlgorithmProtection),
            Family::D => (
                Encoding::IndefiniteConstructed,
                Extra::CapabilitiesAndPreference,
            ),
        };
        let form = Form {
            digest: self.digest,
            encoding,
            extra,
        };
        let signed = self.out.get(self.places.signed.clone()).unwrap_or_default();
        let signing_ms = self.draft.facts.at_ms + self.draft.signing_offset_ms;
        cms::sign(self.provider.signer(), form, signed, signing_ms)
    }

    // The signed part.

    fn mixed(&mut self) {
        let boundary = self.inner_boundary();
        self.multipart_header(Multipart::Mixed, &boundary);
        if self.family == Family::A {
            self.line("This is a multi-part message in MIME format...");
            self.line("");
        }
        let start = self.out.len();
        self.line(&format!("--{boundary}"));
        self.text();
        self.places.text = start..self.out.len();
        if self.family == Family::D {
            self.postacert(&boundary);
            self.daticerts(&boundary);
        } else {
            self.daticerts(&boundary);
            self.postacert(&boundary);
        }
        if self.draft.has_rem && self.draft.kind == MessageKind::TransportEnvelope {
            self.evidence(&boundary);
        }
        self.line(&format!("--{boundary}--"));
    }

    fn text(&mut self) {
        let (title, lines) = text::italian(self.draft.kind, &self.draft.facts);
        let mut paragraphs = vec![(title, lines)];
        if matches!(self.family, Family::C | Family::D) {
            paragraphs.push(text::english(self.draft.kind, &self.draft.facts));
        }
        if self.family == Family::A {
            self.plain(&paragraphs);
            self.line("");
            return;
        }
        let boundary = self.inner_boundary();
        self.multipart_header(Multipart::Alternative, &boundary);
        self.line(&format!("--{boundary}"));
        self.plain(&paragraphs);
        self.line("");
        self.line(&format!("--{boundary}"));
        self.html(&paragraphs);
        self.line("");
        self.line(&format!("--{boundary}--"));
        self.line("");
    }

    fn plain(&mut self, paragraphs: &[(String, Vec<String>)]) {
        let charset = match self.family {
            Family::A | Family::B => "charset=\"iso-8859-1\"",
            Family::C => "charset=iso-8859-1",
            Family::D => "charset=\"ISO-8859-1\"",
        };
        self.line(&format!("Content-Type: text/plain; {charset}"));
        if self.family != Family::D {
            self.line("Content-Disposition: inline");
        }
        self.line("Content-Transfer-Encoding: quoted-printable");
        self.line("");
        let mut text = String::new();
        for (title, lines) in paragraphs {
            text.push_str(title);
            text.push('\n');
            for line in lines {
                text.push_str(line);
                text.push('\n');
            }
            if paragraphs.len() > 1 {
                text.push('\n');
            }
        }
        let octets = self.under_its_label(&text);
        quoted_printable(&mut self.out, &octets, b"\n");
    }

    fn html(&mut self, paragraphs: &[(String, Vec<String>)]) {
        let style = match self.family {
            Family::C | Family::D => {
                " style=\"font-family: Verdana, Arial, sans-serif; font-size: 12px; color: #333333\""
            }
            Family::A | Family::B => "",
        };
        let title = paragraphs.first().map_or("", |(title, _)| title.as_str());
        let mut html = format!(
            "<html>\n<head><title>{}</title></head>\n<body{style}>\n",
            escaped(title)
        );
        for (title, lines) in paragraphs {
            html.push_str(&format!("<h3>{}</h3>\n<hr>\n", escaped(title)));
            for line in lines {
                html.push_str(&escaped(line));
                html.push_str("<br>\n");
            }
        }
        html.push_str("</body>\n</html>\n");
        let (charset, encoding) = match self.family {
            Family::D => ("charset=\"ISO-8859-1\"", "7bit"),
            _ => ("charset=\"iso-8859-1\"", "quoted-printable"),
        };
        self.line(&format!("Content-Type: text/html; {charset}"));
        if self.family != Family::D {
            self.line("Content-Disposition: inline");
        }
        self.line(&format!("Content-Transfer-Encoding: {encoding}"));
        self.line("");
        if self.family == Family::D {
            for text in html.lines() {
                let text = entities(text);
                self.line(&text);
            }
            return;
        }
        let octets = self.under_its_label(&html);
        quoted_printable(&mut self.out, &octets, b"\n");
    }

    /// The octets of a text labelled Latin-1, which in one family are UTF-8.
    fn under_its_label(&self, text: &str) -> Vec<u8> {
        match self.family {
            Family::C => text.as_bytes().to_vec(),
            _ => latin1(text),
        }
    }

    fn daticerts(&mut self, boundary: &str) {
        let made;
        let xml = match &self.draft.xml {
            Some(xml) => xml.as_slice(),
            None => {
                made = self.draft.facts.to_xml(self.family);
                made.as_slice()
            }
        };
        for _ in 0..self.draft.daticert_parts {
            let start = self.out.len();
            self.line(&format!("--{boundary}"));
            self.daticert(xml);
            self.places.daticert.push(start..self.out.len());
        }
    }

    fn daticert(&mut self, xml: &[u8]) {
        match self.family {
            Family::A | Family::B => {
                self.line("Content-Type: application/xml; name=\"daticert.xml\"");
                self.line("Content-Disposition: inline; filename=\"daticert.xml\"");
                self.line("Content-Transfer-Encoding: base64");
                self.line("");
                base64(&mut self.out, xml, 60);
            }
            Family::C => {
                self.line("Content-Type: application/xml; charset=UTF-8; name=\"daticert.xml\"");
                self.line("Content-Transfer-Encoding: base64");
                self.line("Content-Disposition: inline; filename=\"daticert.xml\"");
                self.rem("extension");
                self.line("");
                base64(&mut self.out, xml, 76);
            }
            Family::D => {
                self.line("Content-Type: application/xml; charset=UTF-8; name=daticert.xml");
                self.line("Content-Transfer-Encoding: quoted-printable");
                self.line("Content-Disposition: attachment; filename=daticert.xml");
                self.line("");
                quoted_printable(&mut self.out, xml, b"\r\n");
            }
        }
        self.line("");
    }

    fn postacert(&mut self, boundary: &str) {
        let Some(original) = self.draft.postacert.clone() else {
            return;
        };
        self.line(&format!("--{boundary}"));
        match self.family {
            Family::A | Family::B => {
                self.line("Content-Type: message/rfc822; name=\"postacert.eml\"");
                self.line("Content-Disposition: inline; filename=\"postacert.eml\"");
                self.line("Content-Transfer-Encoding: 7bit");
            }
            Family::C => {
                self.line("Content-Type: message/rfc822; name=postacert.eml");
                self.line("Content-Transfer-Encoding: 7bit");
                self.line("Content-Disposition: inline; filename=\"postacert.eml\"");
                self.rem("original");
            }
            Family::D => {
                self.line("Content-Type: message/rfc822; name=postacert.eml");
                self.line("Content-Disposition: attachment; filename=postacert.eml");
            }
        }
        self.line("");
        let start = self.out.len();
        self.out.extend_from_slice(&original);
        self.places.postacert = Some(start..self.out.len());
        self.line("");
    }

    /// What one family adds as the last field of a part's header, from 2023 on.
    pub(super) fn rem(&mut self, section: &str) {
        if self.draft.has_rem {
            self.line(&format!("REM-Section-Type: rem_message/{section}"));
        }
    }

    /// The evidence of the European system. Its signature has the shape of XAdES and signs nothing: nobody is to
    /// verify it.
    fn evidence(&mut self, boundary: &str) {
        self.line(&format!("--{boundary}"));
        self.line(
            "Content-Type: application/xml; charset=UTF-8; name=\"SubmissionAcceptance.xml\"",
        );
        self.line("Content-Transfer-Encoding: base64");
        self.line("Content-Disposition: attachment; filename=\"SubmissionAcceptance.xml\"");
        self.rem("xml_evidence");
        self.line("");
        let time = Civil::utc(self.draft.facts.at_ms);
        let uuid: u128 = self.rng.random();
        let uuid = format!("{uuid:032x}");
        let uuid = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| uuid.get(part).unwrap_or(""));
        let xml = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <ev:Evidence xmlns:ev=\"http://uri.etsi.org/19522/v1#\" version=\"EN319522v1.1.1\">\n  \
             <ev:EvidenceIdentifier>urn:uuid:{}</ev:EvidenceIdentifier>\n  \
             <ev:ERDSEventId>http://uri.etsi.org/19522/Event/SubmissionAcceptance</ev:ERDSEventId>\n  \
             <EventTime xmlns=\"\">{:04}-{:02}-{:02}T{}Z</EventTime>\n  \
             <ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><ds:Object>\
             <xades:QualifyingProperties xmlns:xades=\"http://uri.etsi.org/01903/v1.3.2#\"/>\
             </ds:Object></ds:Signature>\n</ev:Evidence>\n",
            uuid.join("-"),
            time.year,
            time.month,
            time.day,
            time.ora()
        );
        base64(&mut self.out, xml.as_bytes(), 76);
        self.line("");
    }

    // The signature part.

    fn signature_part(&mut self, p7s: &[u8]) {
        let protocol = self.protocol();
        match self.family {
            Family::A | Family::B => {
                self.line(&format!("Content-Type: {protocol}; name=\"smime.p7s\""));
                self.line("Content-Transfer-Encoding: base64");
                self.line("Content-Disposition: attachment; filename=\"smime.p7s\"");
                self.line("");
                base64(&mut self.out, p7s, 64);
            }
            Family::C | Family::D => {
                let more = match self.family {
                    Family::D => "; smime-type=signed-data",
                    _ => "",
                };
                self.line(&format!("Content-Type: {protocol}; name=smime.p7s{more}"));
                self.line("Content-Transfer-Encoding: base64");
                self.line("Content-Disposition: attachment; filename=\"smime.p7s\"");
                self.line("Content-Description: S/MIME Cryptographic Signature");
                self.line("");
                base64(&mut self.out, p7s, 76);
            }
        }
    }

    pub(super) fn line(&mut self, text: &str) {
        line(&mut self.out, text);
    }
}

/// HTML in ASCII.
fn entities(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            'è' => out.push_str("&egrave;"),
            'à' => out.push_str("&agrave;"),
            'ì' => out.push_str("&igrave;"),
            'é' => out.push_str("&eacute;"),
            c if c.is_ascii() => out.push(c),
            c => out.push_str(&format!("&#{};", u32::from(c))),
        }
    }
    Cow::Owned(out)
}
