//! Originals: what a client submits, what becomes `postacert.eml`, and its brief copy.

use super::daticert::Recipient;
use super::encode::{WordCharset, base64, line, quoted_printable, words};
use super::{HashInput, Message, ReceiptForm};
use crate::civil::Civil;
use crate::pki::DigestKind;
use crate::traffic;
use rand::{Rng, RngCore};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

/// A named part of an original.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Attachment {
    /// The `name` and `filename` parameter, as raw octets between the quotes: ASCII, an encoded word, or 8-bit.
    pub name: Vec<u8>,
    /// The media type. `message/rfc822` travels without encoding, all else in base64.
    pub media_type: String,
    /// What it holds, decoded.
    pub content: Vec<u8>,
}

impl Attachment {
    /// A file.
    pub fn new(name: &str, media_type: &str, content: Vec<u8>) -> Self {
        Self {
            name: name.as_bytes().to_vec(),
            media_type: media_type.to_owned(),
            content,
        }
    }

    /// What a client attaches when a whole PEC message is forwarded: the message itself, valid as it is, and its
    /// daticert and signature once more as ordinary files. A reader that looks for parts by name finds these first.
    pub fn of_forwarded(message: &Message) -> Vec<Self> {
        let xml = message.draft.facts.to_xml(message.family);
        let signature = message.signature();
        vec![
            Self::new("daticert.xml", "text/xml", xml),
            Self::new("smime.p7s", "application/pkcs7-signature", signature),
            Self::new("postacert.eml", "message/rfc822", message.bytes.clone()),
        ]
    }

    fn is_message(&self) -> bool {
        self.media_type == "message/rfc822"
    }
}

/// How the text of an original is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BodyStyle {
    /// ASCII.
    SevenBit,
    /// UTF-8 in quoted-printable.
    QuotedUtf8,
    /// Raw 8-bit ISO-8859-15: seven bits are promised by the outer part, and not kept.
    EightBitLatin9,
}

/// A message as a person writes it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Original {
    /// The bare address of the author.
    pub sender: String,
    /// The author's display name.
    pub display_name: String,
    /// `To`.
    pub to: Vec<Recipient>,
    /// `Cc`.
    pub cc: Vec<Recipient>,
    /// `Reply-To`, when it is not the author.
    pub reply_to: Option<String>,
    /// `Subject`.
    pub subject: Option<String>,
    /// The client's Message-ID, in brackets.
    pub msgid: Option<String>,
    /// When it was written, in milliseconds since 1970.
    pub written_ms: i64,
    /// The `X-TipoRicevuta` asked for; `None` asks for nothing, hence for the complete form.
    pub asks_for: Option<ReceiptForm>,
    /// The text, its lines parted by `\n`.
    pub body: String,
    /// How the text is written.
    pub body_style: BodyStyle,
    /// The named parts.
    pub attachments: Vec<Attachment>,
    /// Whether the provider also appends the client's Message-ID under its European name (REM).
    pub(crate) has_rem: bool,
    boundary: String,
    received_id: u64,
}

/// What becomes of the named parts.
#[derive(Clone, Copy)]
enum Parts {
    Whole,
    Hashed(HashInput),
}

impl Original {
    /// An invented one: text and attachments of the given sizes, with the entropy of compressed files.
    pub(crate) fn invent(
        rng: &mut ChaCha8Rng,
        sender: String,
        written_ms: i64,
        attachment_sizes: &[usize],
    ) -> Self {
        let body_style = match rng.random_range(0..10) {
            0..=3 => BodyStyle::SevenBit,
            4..=8 => BodyStyle::QuotedUtf8,
            _ => BodyStyle::EightBitLatin9,
        };
        let display_name = display_name(&sender);
        let body = body(rng, &display_name, body_style);
        let attachments = attachment_sizes
            .iter()
            .map(|size| attachment(rng, *size))
            .collect();
        Self {
            display_name,
            sender,
            to: Vec::new(),
            cc: Vec::new(),
            reply_to: None,
            subject: Some(subject(rng)),
            msgid: Some(traffic::msgid(rng)),
            written_ms,
            asks_for: None,
            body,
            body_style,
            attachments,
            has_rem: false,
            boundary: format!("------------{:024x}", rng.random::<u128>() >> 32),
            received_id: rng.random(),
        }
    }

    /// Everybody in `To` and `Cc`.
    pub fn recipients(&self) -> impl Iterator<Item = &Recipient> {
        self.to.iter().chain(&self.cc)
    }

    /// What `risposte` says: Reply-To, else the author.
    pub fn replies_go_to(&self) -> &str {
        self.reply_to.as_deref().unwrap_or(&self.sender)
    }

    /// As the client submitted it, or as ordinary mail would travel.
    pub fn as_submitted(&self) -> Vec<u8> {
        let id = self.msgid.clone();
        self.render(id.as_deref(), None, Parts::Whole)
    }

    /// As it stands in a transport envelope and in a complete receipt: the provider's Message-ID in the place
    /// of the client's, which is appended to the header.
    pub fn as_sent(&self, identificativo: &str) -> Arc<[u8]> {
        self.sent(identificativo, Parts::Whole).into()
    }

    /// As it stands in a brief receipt: each named part replaced by the SHA-1 of the chosen octets.
    pub fn brief(&self, identificativo: &str, input: HashInput) -> Arc<[u8]> {
        self.sent(identificativo, Parts::Hashed(input)).into()
    }

    /// The 40 hexadecimal digits that replace a part.
    pub fn hash(attachment: &Attachment, input: HashInput) -> String {
        hex::encode(
            DigestKind::Sha1
                .of(&attachment.hashed_octets(input))
                .as_ref(),
        )
    }

    fn sent(&self, identificativo: &str, parts: Parts) -> Vec<u8> {
        let id = format!("<{identificativo}>");
        self.render(Some(&id), self.msgid.as_deref(), parts)
    }

    fn render(&self, id: Option<&str>, reference: Option<&str>, parts: Parts) -> Vec<u8> {
        let size: usize = self.attachments.iter().map(|a| a.content.len()).sum();
        let mut out = Vec::with_capacity(4096 + size + size * 2 / 5);
        let date = Civil::rome(self.written_ms).mail_date();
        let client = self.received_id;
        line(
            &mut out,
            &format!(
                "Received: from client-{:x}.test (unknown [198.51.100.{}])",
                client >> 40,
                client % 256
            ),
        );
        line(
            &mut out,
            &format!("\tby submission.test (Postfix) with ESMTPSA id {client:016X};"),
        );
        line(&mut out, &format!("\t{date}"));
        if let Some(id) = id {
            line(&mut out, &format!("Message-ID: {id}"));
        }
        line(&mut out, &format!("Date: {date}"));
        line(&mut out, "MIME-Version: 1.0");
        line(
            &mut out,
            "User-Agent: Mozilla/5.0 (X11; Linux x86_64) Posta di prova/102.1",
        );
        line(&mut out, "Content-Language: it");
        line(
            &mut out,
            &format!("From: \"{}\" <{}>", self.display_name, self.sender),
        );
        address_header(&mut out, "To", &self.to);
        address_header(&mut out, "Cc", &self.cc);
        if let Some(reply_to) = &self.reply_to {
            line(&mut out, &format!("Reply-To: <{reply_to}>"));
        }
        if let Some(subject) = &self.subject {
            let subject = words(subject, WordCharset::Utf8);
            line(&mut out, &format!("Subject: {subject}"));
        }
        if let Some(form) = self.asks_for {
            line(&mut out, &format!("X-TipoRicevuta: {}", form.as_str()));
        }
        if self.attachments.is_empty() {
            self.body_headers(&mut out);
            self.reference(&mut out, reference);
            line(&mut out, "");
            self.body_text(&mut out);
            return out;
        }
        let boundary = &self.boundary;
        line(
            &mut out,
            &format!("Content-Type: multipart/mixed;\r\n boundary=\"{boundary}\""),
        );
        self.reference(&mut out, reference);
        line(&mut out, "");
        line(&mut out, "This is a multi-part message in MIME format.");
        line(&mut out, &format!("--{boundary}"));
        self.body_headers(&mut out);
        line(&mut out, "");
        self.body_text(&mut out);
        for attachment in &self.attachments {
            line(&mut out, &format!("--{boundary}"));
            match parts {
                Parts::Whole => attachment.write(&mut out),
                Parts::Hashed(input) => attachment.write_hash(&mut out, input),
            }
        }
        line(&mut out, &format!("--{boundary}--"));
        out
    }

    /// What the provider appends to the header.
    fn reference(&self, out: &mut Vec<u8>, reference: Option<&str>) {
        let Some(reference) = reference else { return };
        line(out, &format!("X-Riferimento-Message-ID: {reference}"));
        if self.has_rem {
            line(out, &format!("REM-UAMessageIdentifier: {reference}"));
        }
    }

    fn body_headers(&self, out: &mut Vec<u8>) {
        let (charset, encoding) = match self.body_style {
            BodyStyle::SevenBit => ("us-ascii", "7bit"),
            BodyStyle::QuotedUtf8 => ("UTF-8; format=flowed", "quoted-printable"),
            BodyStyle::EightBitLatin9 => ("iso-8859-15", "8bit"),
        };
        line(out, &format!("Content-Type: text/plain; charset={charset}"));
        line(out, &format!("Content-Transfer-Encoding: {encoding}"));
    }

    fn body_text(&self, out: &mut Vec<u8>) {
        match self.body_style {
            BodyStyle::QuotedUtf8 => quoted_printable(out, self.body.as_bytes(), b"\n"),
            BodyStyle::SevenBit | BodyStyle::EightBitLatin9 => {
                for text in self.body.split('\n') {
                    out.extend(text.chars().map(latin9));
                    line(out, "");
                }
            }
        }
    }
}

impl Attachment {
    fn write(&self, out: &mut Vec<u8>) {
        let kind = &self.media_type;
        named(
            out,
            &format!("Content-Type: {kind};\r\n name=\""),
            &self.name,
            b"",
        );
        named(
            out,
            "Content-Disposition: attachment;\r\n filename=\"",
            &self.name,
            b"",
        );
        if self.is_message() {
            line(out, "Content-Transfer-Encoding: 7bit");
            line(out, "");
            out.extend_from_slice(&self.content);
            line(out, "");
            return;
        }
        line(out, "Content-Transfer-Encoding: base64");
        line(out, "");
        base64(out, &self.content, 76);
    }

    fn write_hash(&self, out: &mut Vec<u8>, input: HashInput) {
        named(
            out,
            "Content-Type: text/plain;\r\n name=\"",
            &self.name,
            b".hash",
        );
        named(
            out,
            "Content-Disposition: attachment;\r\n filename=\"",
            &self.name,
            b".hash",
        );
        line(out, "Content-Transfer-Encoding: 7bit");
        line(out, "");
        line(out, &Original::hash(self, input));
    }

    /// The octets of which the hash is taken. The last line break of the base64 belongs to the delimiter.
    fn hashed_octets(&self, input: HashInput) -> Vec<u8> {
        let mut body = Vec::new();
        if self.is_message() || input == HashInput::Decoded {
            body.extend_from_slice(&self.content);
        } else {
            base64(&mut body, &self.content, 76);
            body.truncate(body.len().saturating_sub(2));
        }
        match input {
            HashInput::Decoded | HashInput::EncodedCrlf => body,
            HashInput::EncodedLf => super::as_lf(&body),
        }
    }
}

fn named(out: &mut Vec<u8>, start: &str, name: &[u8], end: &[u8]) {
    out.extend_from_slice(start.as_bytes());
    out.extend_from_slice(name);
    out.extend_from_slice(end);
    line(out, "\"");
}

fn address_header(out: &mut Vec<u8>, name: &str, recipients: &[Recipient]) {
    if recipients.is_empty() {
        return;
    }
    let addresses: Vec<&str> = recipients.iter().map(|r| r.address.as_str()).collect();
    line(out, &format!("{name}: {}", addresses.join(",\r\n ")));
}

/// `mario.rossi12@…` as a person would sign.
fn display_name(address: &str) -> String {
    let local = address.split('@').next().unwrap_or_default();
    let words = local.split('.').map(|word| {
        let word = word.trim_end_matches(|c: char| c.is_ascii_digit());
        let mut letters = word.chars();
        let first = letters.next().map(|c| c.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    });
    words
        .filter(|w| !w.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

fn subject(rng: &mut ChaCha8Rng) -> String {
    let plain = traffic::subject(rng);
    match rng.random_range(0..12) {
        0 => format!("{plain} – perché sì"),
        1 => format!("Elenco n° {} & {plain}", rng.random_range(1..500)),
        2 => format!("Re:  {plain}"),
        3 => format!("{plain} - attività e novità"),
        _ => plain,
    }
}

fn body(rng: &mut ChaCha8Rng, author: &str, style: BodyStyle) -> String {
    let mut lines = vec!["Buongiorno,".to_owned()];
    for _ in 0..rng.random_range(3..8) {
        let count = rng.random_range(5..9);
        lines.push(traffic::words(rng, count));
    }
    lines.push(match style {
        BodyStyle::SevenBit => "in attesa di un cortese riscontro.".to_owned(),
        BodyStyle::QuotedUtf8 => {
            "l’importo è di € 1.250,00; così è già stato più volte.".to_owned()
        }
        BodyStyle::EightBitLatin9 => "l'importo è di € 1.250,00: così è già.".to_owned(),
    });
    // The customary mark before a signature ends in a space, which somebody will strip.
    lines.extend(["-- ".to_owned(), author.to_owned()]);
    lines.join("\n")
}

fn latin9(character: char) -> u8 {
    match character {
        '€' => 0xa4,
        other => u8::try_from(u32::from(other)).unwrap_or(b'?'),
    }
}

fn attachment(rng: &mut ChaCha8Rng, size: usize) -> Attachment {
    let number = rng.random_range(1..100_000);
    let word = traffic::words(rng, 1).replace('.', "");
    let name = match rng.random_range(0..12) {
        0 => format!("=?UTF-8?Q?{word}=5F{number}=C2=B0.pdf?=").into_bytes(),
        1 => {
            let mut raw = format!("{word} n").into_bytes();
            raw.push(0xb0); // a degree sign, in Latin-1 and no UTF-8
            raw.extend(format!(" {number}.pdf").bytes());
            raw
        }
        _ => format!("{word}_{number}.pdf").into_bytes(),
    };
    // As a compressed file: a few readable octets, then noise.
    let mut content = vec![0; size];
    rng.fill_bytes(&mut content);
    for (to, from) in content.iter_mut().zip(b"%PDF-1.7\n%") {
        *to = *from;
    }
    Attachment {
        name,
        media_type: "application/pdf".to_owned(),
        content,
    }
}
