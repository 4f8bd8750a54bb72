//! The facts of a PEC message and the `daticert.xml` that states them.

use super::Family;
use crate::civil::Civil;
use std::borrow::Cow;

/// An addressee and what kind of mailbox it has.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Recipient {
    /// The bare address.
    pub address: String,
    /// True for `certificato`, false for `esterno`.
    pub is_certified: bool,
}

impl Recipient {
    /// A PEC mailbox.
    pub fn certified(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            is_certified: true,
        }
    }

    /// An ordinary mailbox.
    pub fn external(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            is_certified: false,
        }
    }

    /// The value of `destinatari/@tipo`.
    pub fn kind(&self) -> &'static str {
        if self.is_certified {
            "certificato"
        } else {
            "esterno"
        }
    }
}

/// The values of a `daticert.xml`, as a reader must find them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Daticert {
    /// `postacert/@tipo`.
    pub event: &'static str,
    /// `postacert/@errore`; the attribute is left out when `None`, which means `nessuno`.
    pub error: Option<&'static str>,
    /// `mittente`.
    pub sender: String,
    /// `destinatari`, in their order.
    pub recipients: Vec<Recipient>,
    /// `risposte`; some engines leave it empty.
    pub reply_to: String,
    /// `oggetto`; `None` when the original has no Subject.
    pub subject: Option<String>,
    /// `gestore-emittente`.
    pub provider: String,
    /// `data`: a whole second, in milliseconds since 1970. Written in Italian civil time.
    pub at_ms: i64,
    /// `identificativo`.
    pub identificativo: String,
    /// `msgid`, with its angle brackets.
    pub msgid: Option<String>,
    /// `ricevuta/@tipo`.
    pub receipt_form: Option<&'static str>,
    /// `consegna`.
    pub delivered_to: Option<String>,
    /// `ricezione`.
    pub taken_over: Vec<String>,
    /// `errore-esteso`.
    pub error_detail: Option<String>,
}

impl Daticert {
    /// `data/giorno`, `data/ora` and `data/@zona`.
    pub fn civil_time(&self) -> (String, String, String) {
        let civil = Civil::rome(self.at_ms);
        (civil.giorno(), civil.ora(), civil.zona())
    }

    /// The XML as a family of engines writes it, line ends and all.
    pub fn to_xml(&self, family: Family) -> Vec<u8> {
        let eol = if family == Family::D { "\r\n" } else { "\n" };
        let mut xml = Xml {
            text: String::with_capacity(1500),
            eol,
        };
        xml.line("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
        match self.error {
            Some(error) => xml.line(&format!(
                "<postacert tipo=\"{}\" errore=\"{error}\">",
                self.event
            )),
            None => xml.line(&format!("<postacert tipo=\"{}\">", self.event)),
        }
        xml.line("    <intestazione>");
        xml.element(8, "mittente", &self.sender);
        for recipient in &self.recipients {
            xml.line(&format!(
                "        <destinatari tipo=\"{}\">{}</destinatari>",
                recipient.kind(),
                escaped(&recipient.address)
            ));
        }
        xml.element(8, "risposte", &self.reply_to);
        xml.optional("oggetto", self.subject.as_deref());
        xml.line("    </intestazione>");
        xml.line("    <dati>");
        xml.element(8, "gestore-emittente", &self.provider);
        let (giorno, ora, zona) = self.civil_time();
        xml.line(&format!("        <data zona=\"{zona}\">"));
        xml.element(12, "giorno", &giorno);
        xml.element(12, "ora", &ora);
        xml.line("        </data>");
        xml.element(8, "identificativo", &self.identificativo);
        xml.optional("msgid", self.msgid.as_deref());
        if let Some(form) = self.receipt_form {
            let end = match family {
                Family::A | Family::B => " />",
                Family::C | Family::D => "/>",
            };
            xml.line(&format!("        <ricevuta tipo=\"{form}\"{end}"));
        }
        xml.optional("consegna", self.delivered_to.as_deref());
        for address in &self.taken_over {
            xml.element(8, "ricezione", address);
        }
        xml.optional("errore-esteso", self.error_detail.as_deref());
        xml.line("    </dati>");
        xml.line("</postacert>");
        match family {
            Family::A | Family::B => {}
            Family::C | Family::D => xml.text.push_str("\r\n"),
        }
        xml.text.into_bytes()
    }
}

struct Xml {
    text: String,
    eol: &'static str,
}

impl Xml {
    fn line(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push_str(self.eol);
    }

    fn element(&mut self, indent: usize, name: &str, value: &str) {
        self.line(&format!(
            "{:indent$}<{name}>{}</{name}>",
            "",
            escaped(value)
        ));
    }

    fn optional(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.element(8, name, value);
        }
    }
}

/// Character data of XML, and of HTML.
pub(crate) fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>']) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            other => out.push(other),
        }
    }
    Cow::Owned(out)
}
