//! The daticert: what a PEC message certifies of itself.
//!
//! Grammar: RFC 6109 section 4.4, and the annex to DM 2 November 2005. Read by local names, in any order,
//! with anything missing and anything added: what is there is told, what is not is absent.
//!
//! # Invariants
//! 1. Values stand as the XML has them, entity references and line ends resolved (XML 1.0 section 2.11),
//!    nothing trimmed. Empty, blank and absent are one value: absent.
//! 2. Of an element that may stand once, the first counts.

use crate::finding::Finding;
use crate::reason::Reason;
use crate::time::Moment;
use crate::xml;
use ceralacca_formats::canonical::Text;
use ceralacca_formats::metadata::{Recipient, TraceRecord};
use memchr::memmem;
use roxmltree::Node;

/// What a daticert says.
#[derive(Debug)]
pub(crate) struct Daticert {
    /// The facts; Message-IDs are the message's to add.
    pub facts: TraceRecord,
    /// Of which of the eight kinds it is, if of any.
    pub tipo: Option<Tipo>,
    /// `risposte`.
    pub reply_to: Option<Text>,
    /// What was noticed.
    pub findings: Vec<Finding>,
}

/// What the value of `tipo` makes of a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Tipo {
    /// `posta-certificata`.
    Envelope,
    /// The seven others: receipts and notices.
    Receipt,
}

impl Tipo {
    fn named(tipo: &Text) -> Option<Self> {
        match tipo.to_str()? {
            "posta-certificata" => Some(Self::Envelope),
            "accettazione"
            | "non-accettazione"
            | "presa-in-carico"
            | "avvenuta-consegna"
            | "errore-consegna"
            | "preavviso-errore-consegna"
            | "rilevazione-virus" => Some(Self::Receipt),
            _ => None,
        }
    }
}

/// Reads the decoded part. `charset` is what its Content-Type says, used where the XML itself says nothing.
pub(crate) fn read(bytes: &[u8], charset: Option<&[u8]>) -> Result<Daticert, Reason> {
    let text = xml::decode(bytes, charset)?;
    let document = xml::parse(&text)?;
    let root = document.root_element();
    if !is_named(root, "postacert") {
        return Err(Reason::DaticertMalformed);
    }
    let event = attribute(root, "tipo").ok_or(Reason::DaticertTipoMissing)?;
    let tipo = Tipo::named(&event);
    let mut collected = Collected::default();
    collected.sections(root);
    let facts = TraceRecord {
        event: Some(event),
        error: attribute(root, "errore"),
        ..collected.facts
    };
    let prolog = text.get(..root.range().start).unwrap_or_default();
    let noticed = [
        (has_stray_text(root), Finding::StrayText),
        (!is_utf8(bytes, charset), Finding::DaticertNotUtf8),
        (
            memmem::find(prolog.as_bytes(), b"<!DOCTYPE").is_some(),
            Finding::DaticertDoctype,
        ),
        (
            root.tag_name().namespace().is_some(),
            Finding::DaticertNamespace,
        ),
        (collected.has_repeated, Finding::RepeatedElement),
        (collected.has_unknown, Finding::UnknownElement),
    ];
    let noticed = noticed.into_iter().filter(|(noticed, _)| *noticed);
    Ok(Daticert {
        facts,
        tipo,
        reply_to: collected.reply_to,
        findings: noticed.map(|(_, finding)| finding).collect(),
    })
}

/// Whether the octets are UTF-8, and nothing says otherwise.
fn is_utf8(bytes: &[u8], charset: Option<&[u8]>) -> bool {
    let labels = [xml::declared_encoding(bytes), charset];
    let mut labels = labels.into_iter().flatten();
    let is_label =
        |label: &[u8]| label.eq_ignore_ascii_case(b"utf-8") || label.eq_ignore_ascii_case(b"utf8");
    std::str::from_utf8(bytes).is_ok() && labels.all(is_label)
}

/// What the elements say.
#[derive(Default)]
struct Collected {
    facts: TraceRecord,
    reply_to: Option<Text>,
    /// Whether an element that may stand once stands twice.
    has_repeated: bool,
    /// Whether there is an element that the grammar does not have.
    has_unknown: bool,
}

impl Collected {
    fn sections(&mut self, root: Node<'_, '_>) {
        let (mut headers, mut data) = (0, 0);
        for section in elements(root) {
            match section.tag_name().name() {
                "intestazione" => {
                    headers += 1;
                    elements(section).for_each(|node| self.add_header(node));
                }
                "dati" => {
                    data += 1;
                    elements(section).for_each(|node| self.add_data(node));
                }
                _ => self.has_unknown = true,
            }
        }
        self.has_repeated |= headers > 1 || data > 1;
    }

    fn add_header(&mut self, node: Node<'_, '_>) {
        let facts = &mut self.facts;
        self.has_repeated |= match node.tag_name().name() {
            "mittente" => first(&mut facts.sender, text(node)),
            "oggetto" => first(&mut facts.subject, text(node)),
            "risposte" => first(&mut self.reply_to, text(node)),
            "destinatari" => {
                facts.recipients.extend(text(node).map(|address| Recipient {
                    address,
                    kind: attribute(node, "tipo"),
                }));
                false
            }
            _ => {
                self.has_unknown = true;
                false
            }
        };
    }

    fn add_data(&mut self, node: Node<'_, '_>) {
        let facts = &mut self.facts;
        self.has_repeated |= match node.tag_name().name() {
            "gestore-emittente" => first(&mut facts.provider, text(node)),
            "data" if facts.event_text.is_none() => {
                add_time(facts, node);
                false
            }
            "data" => true,
            "identificativo" => first(&mut facts.identificativo, text(node)),
            "msgid" => first(&mut facts.msgid, text(node)),
            "ricevuta" => first(&mut facts.receipt_form, attribute(node, "tipo")),
            "consegna" => first(&mut facts.delivered_to, text(node)),
            "ricezione" => {
                facts.taken_over.extend(text(node));
                false
            }
            "errore-esteso" => first(&mut facts.error_detail, text(node)),
            _ => {
                self.has_unknown = true;
                false
            }
        };
    }
}

/// `giorno`, `ora` and `zona`: together an instant; as text, what there is of them, with a space between.
fn add_time(facts: &mut TraceRecord, data: Node<'_, '_>) {
    let child = |name: &str| {
        let mut named = elements(data).filter(|node| is_named(*node, name));
        named.find_map(string)
    };
    let zone = data.attribute("zona").filter(|zone| !is_blank(zone));
    let (day, hour, zone) = (child("giorno"), child("ora"), zone.map(str::to_owned));
    if let (Some(day), Some(hour), Some(zone)) = (&day, &hour, &zone) {
        let moment = Moment::from_daticert(day, hour, zone);
        facts.event_ms = moment.map(|moment| moment.ms);
        facts.event_offset_min = moment.map(|moment| moment.offset_min);
    }
    let written: Vec<String> = [day, hour, zone].into_iter().flatten().collect();
    facts.event_text = (!written.is_empty()).then(|| written.join(" ").into());
}

/// Elements only may stand between these; text there was left by a hand.
fn has_stray_text(root: Node<'_, '_>) -> bool {
    let sections =
        elements(root).filter(|node| is_named(*node, "intestazione") || is_named(*node, "dati"));
    let has_text = |node: Node<'_, '_>| {
        node.children()
            .any(|child| child.is_text() && !is_blank(child.text().unwrap_or_default()))
    };
    has_text(root) || sections.into_iter().any(has_text)
}

/// White space of XML only (XML 1.0 section 2.3): a non-breaking space is something.
fn is_blank(text: &str) -> bool {
    text.bytes()
        .all(|c| matches!(c, b' ' | b'\t' | b'\r' | b'\n'))
}

/// The first value counts; whether this is one more.
fn first(slot: &mut Option<Text>, value: Option<Text>) -> bool {
    let is_repeated = slot.is_some() && value.is_some();
    if slot.is_none() {
        *slot = value;
    }
    is_repeated
}

pub(crate) fn elements<'a, 'input>(
    node: Node<'a, 'input>,
) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children().filter(Node::is_element)
}

pub(crate) fn is_named(node: Node<'_, '_>, name: &str) -> bool {
    node.tag_name().name() == name
}

fn attribute(node: Node<'_, '_>, name: &str) -> Option<Text> {
    let value = node.attribute(name)?;
    (!is_blank(value)).then(|| value.into())
}

fn text(node: Node<'_, '_>) -> Option<Text> {
    string(node).map(Text::from)
}

/// The text of an element, that of elements within it included.
pub(crate) fn string(node: Node<'_, '_>) -> Option<String> {
    let texts = node.descendants().filter(Node::is_text);
    let text: String = texts.filter_map(|node| node.text()).collect();
    (!is_blank(&text)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELIVERY: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<postacert tipo="avvenuta-consegna" errore="nessuno">
    <intestazione>
        <mittente>anna@example.test</mittente>
        <destinatari tipo="certificato">PROTOCOLLO@pec.example.test</destinatari>
        <destinatari tipo="esterno">ufficio@example.test</destinatari>
        <risposte></risposte>
        <oggetto>Due  spazi e 5° elenco &amp; altro</oggetto>
    </intestazione>
    <dati>
        <gestore-emittente>GESTORE ALFA PEC S.p.A.</gestore-emittente>
        <data zona="+0200">
            <giorno>07/05/2024</giorno>
            <ora>09:10:11</ora>
        </data>
        <identificativo>alfa7.20240507091011.1@pec.alfa.example</identificativo>
        <msgid>&lt;AB1$CD2@portatile&gt;</msgid>
        <ricevuta tipo="completa" />
        <consegna>PROTOCOLLO@pec.example.test</consegna>
    </dati>
</postacert>
"#;

    fn facts(xml: &str) -> TraceRecord {
        read(xml.as_bytes(), None).unwrap().facts
    }

    fn shown(text: Option<Text>) -> String {
        text.map_or("absent".into(), |text| text.to_str().unwrap().to_owned())
    }

    #[test]
    fn every_fact_stands_as_it_came() {
        let daticert = read(DELIVERY.as_bytes(), None).unwrap();
        assert_eq!(
            (daticert.tipo, daticert.findings),
            (Some(Tipo::Receipt), vec![])
        );
        let facts = daticert.facts;
        assert_eq!(
            shown(facts.identificativo),
            "alfa7.20240507091011.1@pec.alfa.example"
        );
        assert_eq!(facts.event_ms.unwrap().get(), 1_715_065_811_000);
        assert_eq!(facts.event_offset_min.unwrap().get(), 120);
        assert_eq!(shown(facts.event_text), "07/05/2024 09:10:11 +0200");
        assert_eq!(shown(facts.sender), "anna@example.test");
        let recipient = |address: &str, kind: &str| Recipient {
            address: address.into(),
            kind: Some(kind.into()),
        };
        assert_eq!(
            facts.recipients,
            [
                recipient("PROTOCOLLO@pec.example.test", "certificato"),
                recipient("ufficio@example.test", "esterno"),
            ]
        );
        assert_eq!(shown(facts.subject), "Due  spazi e 5° elenco & altro");
        assert_eq!(shown(facts.event), "avvenuta-consegna");
        assert_eq!(shown(facts.provider), "GESTORE ALFA PEC S.p.A.");
        assert_eq!(shown(facts.msgid), "<AB1$CD2@portatile>");
        assert_eq!(shown(facts.delivered_to), "PROTOCOLLO@pec.example.test");
        assert_eq!(shown(facts.receipt_form), "completa");
        assert_eq!(shown(facts.error), "nessuno");
        assert_eq!((facts.error_detail, facts.taken_over.len()), (None, 0));
        assert_eq!(
            (facts.point, facts.direction, facts.companion),
            (None, None, None)
        );
    }

    #[test]
    fn the_eight_kinds_are_known_and_no_other() {
        let tipo = |tipo: &str| {
            let xml = DELIVERY.replace("avvenuta-consegna", tipo);
            read(xml.as_bytes(), None).map(|daticert| daticert.tipo)
        };
        assert_eq!(tipo("posta-certificata"), Ok(Some(Tipo::Envelope)));
        for receipt in [
            "accettazione",
            "non-accettazione",
            "presa-in-carico",
            "avvenuta-consegna",
            "errore-consegna",
            "preavviso-errore-consegna",
            "rilevazione-virus",
        ] {
            assert_eq!(tipo(receipt), Ok(Some(Tipo::Receipt)), "{receipt}");
        }
        for unknown in ["mancata-consegna", "Accettazione", "accettazione "] {
            assert_eq!(tipo(unknown), Ok(None), "{unknown}");
        }
        assert_eq!(tipo(" "), Err(Reason::DaticertTipoMissing));
        assert_eq!(
            read(b"<postacert/>", None).unwrap_err(),
            Reason::DaticertTipoMissing
        );
    }

    #[test]
    fn a_daticert_may_be_all_but_empty() {
        let facts = facts("<postacert tipo='accettazione'/>");
        let expected = TraceRecord {
            event: Some("accettazione".into()),
            ..TraceRecord::default()
        };
        assert_eq!(facts, expected);
    }

    #[test]
    fn order_additions_and_namespaces_do_not_matter() {
        let facts = facts(
            "<p:postacert xmlns:p='urn:x' tipo='presa-in-carico'><altro/>\
             <p:dati><ricezione>b@example.test</ricezione><nuovo>1</nuovo><ricezione/>\
             <ricezione>c@example.test</ricezione>\
             <data zona='+01:00'><ora>10:00:00</ora><giorno>12/01/2026</giorno></data></p:dati>\
             <p:intestazione><oggetto>a<b>b</b><![CDATA[<c>]]></oggetto><oggetto>no</oggetto>\
             <destinatari>b@example.test</destinatari></p:intestazione></p:postacert>\n\r\n",
        );
        assert_eq!(
            facts.taken_over,
            [Text::from("b@example.test"), "c@example.test".into()]
        );
        assert_eq!(shown(facts.subject), "ab<c>");
        assert_eq!(facts.recipients[0].kind, None);
        assert_eq!(shown(facts.event_text), "12/01/2026 10:00:00 +01:00");
        assert!(facts.event_ms.is_some());
    }

    #[test]
    fn values_are_not_trimmed_and_blank_is_absent() {
        let xml = DELIVERY
            .replace("anna@example.test", "\n anna@example.test ")
            .replace("GESTORE ALFA PEC S.p.A.", " \n\t");
        let facts = facts(&xml);
        assert_eq!(shown(facts.sender), "\n anna@example.test ");
        assert_eq!(facts.provider, None);
    }

    #[test]
    fn a_time_that_is_none_stays_as_text() {
        let facts = facts(&DELIVERY.replace("07/05/2024", "31/02/2024"));
        assert_eq!((facts.event_ms, facts.event_offset_min), (None, None));
        assert_eq!(shown(facts.event_text), "31/02/2024 09:10:11 +0200");
        let facts = self::facts(&DELIVERY.replace(" zona=\"+0200\"", ""));
        assert_eq!(facts.event_ms, None);
        assert_eq!(shown(facts.event_text), "07/05/2024 09:10:11");
    }

    #[test]
    fn a_letter_left_between_elements_is_a_finding() {
        let xml = DELIVERY.replace("<dati>", "x<dati>");
        assert_eq!(
            read(xml.as_bytes(), None).unwrap().findings,
            [Finding::StrayText]
        );
    }

    #[test]
    fn text_after_the_root_or_another_root_is_malformed() {
        for xml in [
            &format!("{DELIVERY}x"),
            "<Evidence tipo='accettazione'/>",
            "",
            "testo",
        ] {
            assert_eq!(
                read(xml.as_bytes(), None).unwrap_err(),
                Reason::DaticertMalformed
            );
        }
    }

    #[test]
    fn ten_thousand_recipients_are_read() {
        let one = "<destinatari tipo=\"certificato\">PROTOCOLLO@pec.example.test</destinatari>\n";
        let xml = DELIVERY.replace(one, &one.repeat(10_000));
        assert_eq!(facts(&xml).recipients.len(), 10_001);
    }
}
