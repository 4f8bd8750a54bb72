//! Builds synthetic messages in the four known families of engines.
//!
//! Everything is built with LF and turned into CR LF at the end, if asked for. People and domains are invented.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A family of engines, by what its messages look like.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Family {
    /// 2014: no html, MIME-Version first, `----` boundaries.
    A,
    /// 2018 on: html, `binary` on multiparts.
    B,
    /// 2023 on: `Part` boundaries, headers folded after a blank, unquoted names, LF CR LF in the XML.
    C,
    /// 2018: the original before the daticert, quoted-printable, CR LF in the XML, attachments.
    D,
}

pub const FAMILIES: [Family; 4] = [Family::A, Family::B, Family::C, Family::D];

/// What the signature part carries: not a CMS, only octets to find again.
pub const P7S: &[u8] = &[0x30, 0x80, 0x06, 0x09, 0xff, 0x00, b'\n', 0xe8];

pub const ID: &str = "alfa7.20240507091011.12345.678.1.9@pec.alfa.example";

/// A message to build.
#[derive(Clone)]
pub struct Pec {
    pub family: Family,
    pub tipo: &'static str,
    /// The daticert, decoded; `None` leaves the part out.
    pub xml: Option<Vec<u8>>,
    /// The original, with LF.
    pub original: Option<Vec<u8>>,
    /// Makes the boundaries differ between messages that hold each other.
    pub tag: u32,
    pub crlf: bool,
}

/// A message, and what a reader must find in it.
pub struct Built {
    pub bytes: Vec<u8>,
    /// The signed octets.
    pub signed: Vec<u8>,
    /// The body of the original.
    pub original: Option<Vec<u8>>,
}

impl Pec {
    pub fn new(family: Family, tipo: &'static str) -> Self {
        let with_original = matches!(tipo, "posta-certificata" | "avvenuta-consegna");
        Self {
            family,
            tipo,
            xml: Some(daticert(tipo).into_bytes()),
            original: with_original.then(|| ORIGINAL.into()),
            tag: 1,
            crlf: true,
        }
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.build().bytes
    }

    pub fn build(&self) -> Built {
        let signed = self.entity();
        let outer = self.outer_boundary();
        let p7s = STANDARD.encode(P7S);
        let kind = if self.family == Family::A {
            "x-pkcs7"
        } else {
            "pkcs7"
        };
        let bytes = [
            self.header().into_bytes(),
            format!("--{outer}\n").into_bytes(),
            signed.clone(),
            format!(
                "\n--{outer}\nContent-Type: application/{kind}-signature; name=\"smime.p7s\"\n\
                 Content-Transfer-Encoding: base64\nContent-Disposition: attachment; \
                 filename=\"smime.p7s\"\n\n{p7s}\n\n--{outer}--\n"
            )
            .into_bytes(),
        ]
        .concat();
        let ends = |bytes: Vec<u8>| if self.crlf { to_crlf(&bytes) } else { bytes };
        Built {
            bytes: ends(bytes),
            signed: ends(signed),
            original: self.original.clone().map(ends),
        }
    }

    fn outer_boundary(&self) -> String {
        match self.family {
            Family::A | Family::B => format!("----0123456789ABCDEF{:016X}", self.tag),
            Family::C | Family::D => format!("----=_Part_{}_7.1714551072333", self.tag),
        }
    }

    fn inner_boundary(&self) -> String {
        match self.family {
            Family::A | Family::B => format!("----------=_1714551072-12345-{}", self.tag),
            // It begins with the outer one, as Java mail software likes it.
            Family::C | Family::D => format!("{}2", self.outer_boundary()),
        }
    }

    fn header(&self) -> String {
        let (tipo, outer) = (self.tipo, self.outer_boundary());
        let kind = match tipo {
            "posta-certificata" => {
                "X-Trasporto: posta-certificata\nX-TipoRicevuta: completa\n".to_owned()
            }
            "rilevazione-virus" => {
                format!("X-Ricevuta: {tipo}\nX-Mittente: anna@example.test\n")
            }
            tipo => format!("X-Ricevuta: {tipo}\n"),
        };
        let id = self.message_id();
        let parties = match tipo {
            "posta-certificata" => {
                "From: \"Per conto di: anna@example.test\"\n <posta-certificata@pec.alfa.example>\n\
                 To: beppe@pec. example.test\n"
            }
            _ => "From: posta-certificata@pec.alfa.example\nTo: anna@example.test\n",
        };
        let prefix = prefix(tipo).replace(' ', "_").replace(':', "=3A");
        let rest = format!(
            "Date: Tue, 7 May 2024 09:10:11 +0200 (CEST)\n{parties}\
             X-Riferimento-Message-ID: <9f2c41.anna@example.test>\n\
             Subject: =?UTF-8?Q?{prefix}_Diffida_n=2E_7=2F2024_?=\n\t=?UTF-8?Q?=E2=80=93_perch=C3=A9_s=C3=AC?=\n"
        );
        match self.family {
            Family::A | Family::B => format!(
                "{kind}MIME-Version: 1.0\nContent-Type: multipart/signed; \
                 protocol=\"application/x-pkcs7-signature\"; micalg=\"sha1\"; boundary=\"{outer}\"\n\
                 Message-ID: {id}\n{rest}\nThis is an S/MIME signed message\n\n"
            ),
            Family::C | Family::D => format!(
                "Return-Path: <anna@example.test>\n{rest}Message-ID: {id}\nMIME-Version: 1.0\n\
                 Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; \n\t\
                 micalg=sha-256; \n\tboundary=\"{outer}\"\n{kind}\n"
            ),
        }
    }

    /// An envelope's own Message-ID is the transaction's; a receipt has another.
    pub fn message_id(&self) -> String {
        match self.tipo {
            "posta-certificata" => format!("<{ID}>"),
            _ => "<alfa7.20240507091012.99@pec.alfa.example>".to_owned(),
        }
    }

    fn entity(&self) -> Vec<u8> {
        let inner = self.inner_boundary();
        let head = match self.family {
            Family::A => format!(
                "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"{inner}\"\n\n\
                 This is a multi-part message in MIME format\n\n"
            ),
            Family::B => format!(
                "Content-Type: multipart/mixed; boundary=\"{inner}\"\n\
                 Content-Transfer-Encoding: binary\nMIME-Version: 1.0\n\n"
            ),
            Family::C | Family::D => {
                format!("Content-Type: multipart/mixed; \n\tboundary=\"{inner}\"\n\n")
            }
        };
        let mut out = head.into_bytes();
        for child in self.children() {
            out.extend(format!("--{inner}\n").into_bytes());
            out.extend(child);
            out.push(b'\n');
        }
        out.extend(format!("--{inner}--\n").into_bytes());
        out
    }

    fn children(&self) -> Vec<Vec<u8>> {
        let mut children = vec![self.text()];
        children.extend(self.xml.as_ref().map(|xml| daticert_part(self.family, xml)));
        children.extend(self.original.as_ref().map(|original| {
            let head = match self.family {
                Family::A | Family::B => {
                    "Content-Type: message/rfc822; name=\"postacert.eml\"\nContent-Disposition: \
                     inline; filename=\"postacert.eml\"\nContent-Transfer-Encoding: 7bit\n\n"
                }
                Family::C => {
                    "Content-Type: message/rfc822; name=postacert.eml\nContent-Transfer-Encoding: \
                     7bit\nContent-Disposition: inline; filename=postacert.eml\n\n"
                }
                Family::D => {
                    "Content-Type: message/rfc822; name=postacert.eml\nContent-Disposition: \
                     attachment; filename=postacert.eml\n\n"
                }
            };
            [head.as_bytes(), original].concat()
        }));
        if self.family == Family::D {
            children[1..].reverse();
        }
        children
    }

    fn text(&self) -> Vec<u8> {
        let plain = "Content-Type: text/plain; charset=\"iso-8859-1\"\n\
                     Content-Transfer-Encoding: quoted-printable\n\nIl giorno 07/05/2024 alle ore \
                     09:10:11 (+0200) il messaggio =E8 qui\nIdentificativo messaggio: \
                     alfa7.20240507091011.12345.678.1.9@pec=\n.alfa.example\n";
        if self.family == Family::A {
            return plain.into();
        }
        let alt = format!("----------=_alt-{}", self.tag);
        format!(
            "Content-Type: multipart/alternative;\n boundary=\"{alt}\"\n\n--{alt}\n{plain}\n--{alt}\n\
             Content-Type: text/html; charset=\"iso-8859-1\"\n\n<html>&egrave;</html>\n\n--{alt}--\n"
        )
        .into_bytes()
    }
}

/// The daticert part as a family writes it.
pub fn daticert_part(family: Family, xml: &[u8]) -> Vec<u8> {
    let part = match family {
        Family::A | Family::B => format!(
            "Content-Type: application/xml; name=\"daticert.xml\"\n\
             Content-Disposition: inline; filename=\"daticert.xml\"\n\
             Content-Transfer-Encoding: base64\n\n{}",
            base64_lines(xml, 60)
        ),
        Family::C => format!(
            "Content-Type: application/xml; charset=UTF-8; \n\tname=daticert.xml\n\
             Content-Transfer-Encoding: base64\nContent-Disposition: inline; \
             filename=daticert.xml\n\n{}",
            base64_lines(&[xml, b"\r\n"].concat(), 76)
        ),
        Family::D => format!(
            "Content-Type: application/xml; charset=UTF-8; name=daticert.xml\n\
             Content-Transfer-Encoding: quoted-printable\n\
             Content-Disposition: attachment; filename=daticert.xml\n\n{}\n",
            quoted_printable(xml)
        ),
    };
    part.into_bytes()
}

fn base64_lines(bytes: &[u8], columns: usize) -> String {
    let encoded = STANDARD.encode(bytes);
    let lines = encoded.as_bytes().chunks(columns);
    lines
        .map(|line| std::str::from_utf8(line).unwrap().to_owned() + "\n")
        .collect()
}

fn quoted_printable(bytes: &[u8]) -> String {
    let (mut out, mut column) = (String::new(), 0);
    for byte in bytes {
        match byte {
            b'\n' => (out.push('\n'), column = 0).0,
            b'=' | 0..=31 | 127.. => out.push_str(&format!("={byte:02X}")),
            plain => out.push(char::from(*plain)),
        }
        column += 1;
        if column > 70 {
            out.push_str("=\n");
            column = 0;
        }
    }
    out
}

/// Turns every LF into CR LF.
pub fn to_crlf(bytes: &[u8]) -> Vec<u8> {
    String::from_utf8(bytes.to_vec()).map_or_else(
        |_| {
            let lines = bytes.split_inclusive(|c| *c == b'\n');
            lines
                .flat_map(|line| match line.strip_suffix(b"\n") {
                    Some(text) => [text, b"\r\n"].concat(),
                    None => line.to_vec(),
                })
                .collect()
        },
        |text| text.replace('\n', "\r\n").into_bytes(),
    )
}

/// Puts one text in the place of another, which must be there.
pub fn replace(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let at = find(bytes, from);
    [&bytes[..at], to.as_bytes(), &bytes[at + from.len()..]].concat()
}

/// Where a text first stands.
pub fn find(bytes: &[u8], text: &str) -> usize {
    let mut windows = bytes.windows(text.len());
    windows
        .position(|window| window == text.as_bytes())
        .expect(text)
}

/// What the Subject of a kind begins with.
pub fn prefix(tipo: &str) -> &'static str {
    match tipo {
        "posta-certificata" => "POSTA CERTIFICATA:",
        "accettazione" => "ACCETTAZIONE:",
        "non-accettazione" => "AVVISO DI NON ACCETTAZIONE:",
        "presa-in-carico" => "PRESA IN CARICO:",
        "avvenuta-consegna" => "CONSEGNA:",
        "errore-consegna" => "AVVISO DI MANCATA CONSEGNA:",
        "preavviso-errore-consegna" => "AVVISO DI MANCATA CONSEGNA PER SUP. TEMPO MASSIMO:",
        _ => "PROBLEMA DI SICUREZZA:",
    }
}

/// A daticert of a kind, with what belongs to that kind.
pub fn daticert(tipo: &str) -> String {
    let more = match tipo {
        "posta-certificata" => "<ricevuta tipo=\"completa\" />",
        "presa-in-carico" => "<ricezione>beppe@pec.example.test</ricezione>",
        "avvenuta-consegna" => {
            "<ricevuta tipo=\"completa\"/>\n        <consegna>beppe@pec.example.test</consegna>"
        }
        "errore-consegna" | "preavviso-errore-consegna" | "rilevazione-virus" => {
            "<consegna>beppe@pec.example.test</consegna>\n        \
             <errore-esteso>5.1.1 - Gestore Beta - indirizzo non valido</errore-esteso>"
        }
        "non-accettazione" => "<errore-esteso>destinatario non valido</errore-esteso>",
        _ => "",
    };
    let error = match tipo {
        "non-accettazione" => "altro",
        "errore-consegna" => "no-dest",
        "rilevazione-virus" => "virus",
        _ => "nessuno",
    };
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<postacert tipo="{tipo}" errore="{error}">
    <intestazione>
        <mittente>anna@example.test</mittente>
        <destinatari tipo="certificato">beppe@pec.example.test</destinatari>
        <destinatari tipo="esterno">ufficio@example.test</destinatari>
        <risposte></risposte>
        <oggetto>Diffida n. 7/2024 – perché sì</oggetto>
    </intestazione>
    <dati>
        <gestore-emittente>Gestore Alfa S.p.A.</gestore-emittente>
        <data zona="+0200">
            <giorno>07/05/2024</giorno>
            <ora>09:10:11</ora>
        </data>
        <identificativo>{ID}</identificativo>
        <msgid>&lt;9f2c41.anna@example.test&gt;</msgid>
        {more}
    </dati>
</postacert>
"#
    )
}

pub const ORIGINAL: &str = "From: anna@example.test\nTo: beppe@pec.example.test\n\
    Message-ID: <alfa7.20240507091011.12345.678.1.9@pec.alfa.example>\n\
    Subject: =?UTF-8?Q?Diffida_n=2E_7=2F2024_=E2=80=93_perch=C3=A9_s=C3=AC?=\n\
    Content-Type: multipart/mixed; boundary=orig\nX-Riferimento-Message-ID: <9f2c41.anna@example.test>\n\n\
    --orig\nContent-Type: text/plain\n\nperch\u{e9} s\u{ec}\n--orig--\n";
