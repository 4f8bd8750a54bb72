//! Trace records of whole transactions, any number, from a seed.
//!
//! Invented providers and people on reserved domains (RFC 2606). A record has about 480 bytes of
//! canonical metadata, as the real day of pec logs that this imitates had per line.
//!
//! # Entropy
//! What makes a real log hard to compress is kept: an original's Message-ID carries 96 to 128 random
//! bits, an `identificativo` about 50 beyond its time, each receipt's Message-ID about 30 more;
//! mailboxes come from some 2^21 with a skew (a few write very much), subjects from templates with
//! numbers and from runs of words. Records of one transaction share what they share in life. The
//! bench `append` prints what a good compressor makes of it: the measured bound on its entropy.
//!
//! The stream of a seed never changes, byte for byte: measured ratios are compared over the years.

use crate::civil::Civil;
use ceralacca_formats::canonical::{Integer, Text};
use ceralacca_formats::metadata::{Recipient, TraceRecord};
use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;

const FORENAMES: [&str; 24] = [
    "andrea",
    "anna",
    "antonio",
    "carla",
    "chiara",
    "claudio",
    "davide",
    "elena",
    "fabio",
    "francesca",
    "gianni",
    "giulia",
    "lorenzo",
    "luca",
    "lucia",
    "marco",
    "maria",
    "matteo",
    "paola",
    "paolo",
    "roberto",
    "sara",
    "silvia",
    "stefano",
];
const SURNAMES: [&str; 32] = [
    "abbiati", "bassani", "bellini", "bruni", "calvi", "cattaneo", "conti", "corsi", "donati",
    "fabbri", "ferri", "fontana", "gallo", "gentile", "grassi", "greco", "leone", "lombardi",
    "longo", "marini", "martini", "moretti", "negri", "orlando", "pagani", "parisi", "rinaldi",
    "riva", "sala", "serra", "testa", "villa",
];
const TRADES: [&str; 16] = [
    "costruzioni",
    "trasporti",
    "immobiliare",
    "servizi",
    "impianti",
    "alimentari",
    "informatica",
    "studio.legale",
    "farmacia",
    "autofficina",
    "edilizia",
    "logistica",
    "energia",
    "meccanica",
    "tessile",
    "agricola",
];
const OFFICES: [&str; 12] = [
    "protocollo",
    "segreteria",
    "ufficio.tributi",
    "anagrafe",
    "ufficio.tecnico",
    "direzione",
    "contenzioso",
    "appalti",
    "fatture",
    "amministrazione",
    "personale",
    "notifiche",
];
const WORDS: [&str; 64] = [
    "trasmissione",
    "documentazione",
    "integrazione",
    "richiesta",
    "comunicazione",
    "convocazione",
    "assemblea",
    "contratto",
    "locazione",
    "diffida",
    "sollecito",
    "pagamento",
    "ricorso",
    "atto",
    "notifica",
    "istanza",
    "accesso",
    "verbale",
    "delibera",
    "determina",
    "gara",
    "offerta",
    "fornitura",
    "disdetta",
    "recesso",
    "polizza",
    "sinistro",
    "perizia",
    "planimetria",
    "visura",
    "certificato",
    "dichiarazione",
    "redditi",
    "cartella",
    "rateizzazione",
    "permesso",
    "costruire",
    "variante",
    "collaudo",
    "cantiere",
    "sicurezza",
    "appalto",
    "servizi",
    "triennale",
    "urgente",
    "seguito",
    "riscontro",
    "nota",
    "prot.",
    "del",
    "per",
    "con",
    "allegati",
    "firmato",
    "avviso",
    "scadenza",
    "termine",
    "udienza",
    "fascicolo",
    "procedimento",
    "controparte",
    "conferma",
    "ordine",
    "preventivo",
];

/// How many providers there are.
pub const PROVIDERS: u32 = 12;
/// How many domains of customers there are.
pub(crate) const DOMAINS: u32 = 600;
const MAILBOXES: u32 = 1 << 21;

/// An endless stream of trace records, the same for the same seed.
pub struct Traffic {
    rng: ChaCha8Rng,
    now_ms: i64,
    waiting: VecDeque<TraceRecord>,
}

impl Traffic {
    /// The stream of a seed, its first transaction at `start_ms` (milliseconds since 1970).
    pub fn new(seed: u64, start_ms: i64) -> Self {
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            now_ms: start_ms,
            waiting: VecDeque::new(),
        }
    }

    fn mailbox(&mut self) -> String {
        let (local, domain) = mailbox(&mut self.rng);
        format!("{local}@{}", domain_name(domain))
    }

    fn identificativo(&mut self, provider: u32) -> String {
        let rng = &mut self.rng;
        format!(
            "opec{}.{}.{:05}.{:02}.{}.{}@pec.g{provider}.example",
            rng.random_range(210..320),
            Civil::utc(self.now_ms).compact(),
            rng.random_range(0..100_000),
            rng.random_range(0..100),
            rng.random_range(1..10),
            rng.random_range(10..10_000),
        )
    }

    fn transaction(&mut self) {
        // A national day has some 8 M transactions: about one every 11 ms.
        self.now_ms += self.rng.random_range(0..22);
        let (from, to) = (
            self.rng.random_range(0..PROVIDERS),
            self.rng.random_range(0..PROVIDERS),
        );
        let recipients = match self.rng.random_range(0..20) {
            0 => self.rng.random_range(2..6),
            _ => 1,
        };
        let base = TraceRecord {
            identificativo: Some(self.identificativo(from).into()),
            sender: Some(self.mailbox().into()),
            recipients: (0..recipients)
                .map(|_| Recipient {
                    address: self.mailbox().into(),
                    kind: Some("certificato".into()),
                })
                .collect(),
            subject: Some(subject(&mut self.rng).into()),
            provider: Some(format!("Gestore {from} S.p.A.").into()),
            msgid: Some(msgid(&mut self.rng).into()),
            ..TraceRecord::default()
        };
        let shape = self.rng.random_range(0..100);
        self.event(&base, "accettazione", from);
        self.event(&base, "posta-certificata", to);
        self.event(&base, "presa-in-carico", to);
        for recipient in &base.recipients {
            let mut one = base.clone();
            one.delivered_to = Some(recipient.address.clone());
            if shape < 97 {
                one.receipt_form = Some("completa".into());
                self.event(&one, "avvenuta-consegna", to);
            } else {
                one.error = Some("no-dest".into());
                one.error_detail = Some("5.1.1 - Pec S.p.A. - indirizzo non valido".into());
                self.event(&one, "errore-consegna", to);
            }
        }
    }

    fn event(&mut self, base: &TraceRecord, event: &str, provider: u32) {
        let at = self.now_ms + self.rng.random_range(0..4000);
        let mut record = base.clone();
        if event != "accettazione" {
            // Later points know the envelope, not always its author's Message-ID.
            record.msgid = None;
        }
        record.event = Some(event.into());
        record.event_ms = Integer::try_from(at).ok();
        let id = format!("<{}>", self.identificativo(provider));
        record.message_ids = vec![id.into()];
        self.waiting.push_back(record);
    }
}

impl Iterator for Traffic {
    type Item = TraceRecord;

    fn next(&mut self) -> Option<TraceRecord> {
        while self.waiting.is_empty() {
            self.transaction();
        }
        self.waiting.pop_front()
    }
}

/// A mailbox, as its local part and the number of its domain: some write every minute, most hardly ever.
pub(crate) fn mailbox(rng: &mut ChaCha8Rng) -> (String, u32) {
    let skew = rng.random::<f64>();
    let number = (skew * skew * skew * f64::from(MAILBOXES)) as u32;
    // The mailbox with this number always has this address.
    let mut own = ChaCha8Rng::seed_from_u64(u64::from(number) ^ 0x5ea1_1000);
    let domain = own.random_range(0..DOMAINS);
    let (name, surname) = (pick(&mut own, &FORENAMES), pick(&mut own, &SURNAMES));
    let local = match own.random_range(0..10) {
        0..=4 => format!("{name}.{surname}{}", own.random_range(1..2000)),
        5..=7 => format!(
            "{surname}.{}{}",
            pick(&mut own, &TRADES),
            own.random_range(1..400)
        ),
        _ => format!("{}.{}", pick(&mut own, &OFFICES), own.random_range(1..8000)),
    };
    (local, domain)
}

/// What people write above their mail.
pub(crate) fn subject(rng: &mut ChaCha8Rng) -> String {
    match rng.random_range(0..10) {
        0 => "Notificazione ai sensi della legge n. 53 del 1994".to_owned(),
        1 => format!("Fattura n. {}/2026", rng.random_range(1..90_000)),
        2 => format!("Invio File {}", rng.random_range(1_000_000..9_999_999)),
        3 => format!(
            "Prot. N. {} del {:02}/{:02}/2026",
            rng.random_range(1..200_000),
            rng.random_range(1..29),
            rng.random_range(1..13)
        ),
        _ => {
            let count = rng.random_range(3..10);
            words(rng, count)
        }
    }
}

/// A run of words.
pub(crate) fn words(rng: &mut ChaCha8Rng, count: usize) -> String {
    let words: Vec<&str> = (0..count).map(|_| pick(rng, &WORDS)).collect();
    words.join(" ")
}

/// A Message-ID as mail clients make them, in its brackets.
pub(crate) fn msgid(rng: &mut ChaCha8Rng) -> String {
    let (a, b): (u64, u64) = (rng.random(), rng.random());
    match rng.random_range(0..3) {
        0 => format!("<{a:016x}{:08x}@mail.example>", b as u32),
        1 => format!("<{a:016X}.{b:016X}@webmail.example>"),
        _ => format!(
            "<{:012x}${:08x}${b:016x}@client.example>",
            a >> 16,
            a as u32
        ),
    }
}

pub(crate) fn pick<'a>(rng: &mut ChaCha8Rng, from: &[&'a str]) -> &'a str {
    from.choose(rng).copied().unwrap_or_default()
}

pub(crate) fn domain_name(number: u32) -> String {
    match number % 3 {
        0 => format!("pec.ditta{number}.example"),
        1 => format!("legalmail{number}.test"),
        _ => format!("pec.comune{number}.example"),
    }
}

/// The record as a line of a provider's daily log, as such logs are written: what the archive
/// replaces, and what its size is compared with.
pub fn text_line(record: &TraceRecord) -> String {
    let text = |t: &Option<Text>| {
        t.as_ref()
            .and_then(Text::to_str)
            .unwrap_or_default()
            .to_owned()
    };
    let ms = record.event_ms.map_or(0, Integer::get);
    let recipients: Vec<String> = record
        .recipients
        .iter()
        .map(|r| {
            format!(
                "{} ({})",
                r.address.to_str().unwrap_or_default(),
                text(&r.kind)
            )
        })
        .collect();
    let ids: Vec<&str> = record.message_ids.iter().filter_map(Text::to_str).collect();
    let mut line = format!(
        "{} {}: tipo={}: mittente={}: destinatari={}: oggetto={}: msgid={}: message-id={}: gestore={}",
        Civil::utc(ms).compact(),
        text(&record.identificativo),
        text(&record.event),
        text(&record.sender),
        recipients.join(", "),
        text(&record.subject),
        text(&record.msgid),
        ids.join(", "),
        text(&record.provider),
    );
    for (name, value) in [
        ("consegna", &record.delivered_to),
        ("tipo_ricevuta", &record.receipt_form),
        ("errore", &record.error),
        ("errore-esteso", &record.error_detail),
    ] {
        if value.is_some() {
            line.push_str(&format!(": {name}={}", text(value)));
        }
    }
    line.push('\n');
    line
}
