//! Synthetic PEC traffic: trace records of whole transactions, any number, from a seed.
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
const DOMAINS: u32 = 600;
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

    /// A mailbox: some write every minute, most hardly ever.
    fn mailbox(&mut self) -> String {
        let skew = self.rng.random::<f64>();
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
        format!("{local}@{}", domain_name(domain))
    }

    fn subject(&mut self) -> String {
        let rng = &mut self.rng;
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
                let words: Vec<&str> = (0..count).map(|_| pick(rng, &WORDS)).collect();
                words.join(" ")
            }
        }
    }

    fn msgid(&mut self) -> String {
        let (a, b): (u64, u64) = (self.rng.random(), self.rng.random());
        match self.rng.random_range(0..3) {
            0 => format!("<{a:016x}{:08x}@mail.example>", b as u32),
            1 => format!("<{a:016X}.{b:016X}@webmail.example>"),
            _ => format!(
                "<{:012x}${:08x}${b:016x}@client.example>",
                a >> 16,
                a as u32
            ),
        }
    }

    fn identificativo(&mut self, provider: u32) -> String {
        let rng = &mut self.rng;
        format!(
            "opec{}.{}.{:05}.{:02}.{}.{}@pec.g{provider}.example",
            rng.random_range(210..320),
            compact_time(self.now_ms),
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
            subject: Some(self.subject().into()),
            provider: Some(format!("Gestore {from} S.p.A.").into()),
            msgid: Some(self.msgid().into()),
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

fn pick<'a>(rng: &mut ChaCha8Rng, from: &[&'a str]) -> &'a str {
    from.choose(rng).copied().unwrap_or_default()
}

fn domain_name(number: u32) -> String {
    match number % 3 {
        0 => format!("pec.ditta{number}.example"),
        1 => format!("legalmail{number}.test"),
        _ => format!("pec.comune{number}.example"),
    }
}

/// `yyyymmddhhmmss` in UTC, without a calendar library: this file is shared with the pure crate.
fn compact_time(ms: i64) -> String {
    let (days, second) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000) / 1000);
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (day, month) = (
        doy - (153 * mp + 2) / 5 + 1,
        if mp < 10 { mp + 3 } else { mp - 9 },
    );
    let year = yoe + era * 400 + i64::from(month <= 2);
    let (h, m, s) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}{month:02}{day:02}{h:02}{m:02}{s:02}")
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
        compact_time(ms),
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
