//! Invented records and receipts for the demo: people and providers on reserved domains (RFC 2606).
//!
//! Drawn from SHA-256 of the transaction's number, so that every demo shows the same ones.

use ceralacca_formats::canonical::Integer;
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::id::UtcMillis;
use ceralacca_formats::metadata::{Recipient, TraceRecord};

const FORENAMES: [&str; 8] = [
    "anna", "carla", "davide", "elena", "luca", "marco", "paola", "stefano",
];
const SURNAMES: [&str; 8] = [
    "bellini", "conti", "donati", "ferri", "greco", "lombardi", "riva", "serra",
];
const DOMAINS: [&str; 4] = [
    "pec.comune.example",
    "pec.ditta.example",
    "pec.studio.example",
    "legalmail.test",
];
const SUBJECTS: [&str; 4] = [
    "Invio documentazione",
    "Convocazione assemblea",
    "Diffida",
    "Fattura",
];
/// The operations of one delivered message, in order.
const EVENTS: [&str; 4] = [
    "accettazione",
    "posta-certificata",
    "presa-in-carico",
    "avvenuta-consegna",
];

/// One number after the other, each below 2^16, from a digest.
struct Draws {
    digest: Sha256,
    used: usize,
}

impl Draws {
    fn of(transaction: u64) -> Self {
        Self {
            digest: Sha256::of(&transaction.to_be_bytes()),
            used: 0,
        }
    }

    fn next(&mut self) -> usize {
        let (pairs, _) = self.digest.as_bytes().as_chunks::<2>();
        // Sixteen draws a digest; no transaction needs more.
        let pair = pairs
            .get(self.used % pairs.len())
            .copied()
            .unwrap_or_default();
        self.used += 1;
        u16::from_be_bytes(pair).into()
    }

    fn pick(&mut self, from: &[&'static str]) -> &'static str {
        let at = self.next() % from.len();
        from.get(at).copied().unwrap_or_default()
    }

    fn address(&mut self) -> String {
        let (forename, surname) = (self.pick(&FORENAMES), self.pick(&SURNAMES));
        let (number, domain) = (self.next() % 1000, self.pick(&DOMAINS));
        format!("{forename}.{surname}{number}@{domain}")
    }
}

/// The trace records of whole transactions, without end; the first happens at `start`, one every 10 ms.
pub fn traces(start: UtcMillis) -> impl Iterator<Item = TraceRecord> {
    (0..).flat_map(move |transaction| {
        let base = transaction_of(transaction);
        EVENTS.into_iter().zip(0u64..).map(move |(event, step)| {
            let at = start.get() + transaction * 10 + step * 700;
            operation(&base, event, transaction, at)
        })
    })
}

fn transaction_of(transaction: u64) -> TraceRecord {
    let mut draws = Draws::of(transaction);
    let provider = draws.next() % 12;
    let recipient = Recipient {
        address: draws.address().as_str().into(),
        kind: Some("certificato".into()),
    };
    let identificativo = format!(
        "opec{}.{transaction:08}.{:05}@pec.g{provider}.example",
        210 + draws.next() % 100,
        draws.next()
    );
    TraceRecord {
        identificativo: Some(identificativo.as_str().into()),
        sender: Some(draws.address().as_str().into()),
        recipients: vec![recipient],
        subject: Some(
            format!("{} n. {}", draws.pick(&SUBJECTS), draws.next())
                .as_str()
                .into(),
        ),
        provider: Some(format!("Gestore {provider} S.p.A.").as_str().into()),
        msgid: Some(
            format!("<{transaction}.{}@client.example>", draws.next())
                .as_str()
                .into(),
        ),
        ..TraceRecord::default()
    }
}

fn operation(base: &TraceRecord, event: &str, transaction: u64, at: u64) -> TraceRecord {
    let mut record = base.clone();
    record.event = Some(event.into());
    record.event_ms = Integer::try_from(at).ok();
    let id = format!("<{event}.{transaction}@pec.example.test>");
    record.message_ids = vec![id.as_str().into()];
    if event == "avvenuta-consegna" {
        record.delivered_to = record.recipients.first().map(|r| r.address.clone());
        record.receipt_form = Some("completa".into());
    }
    record
}

/// A receipt-like message of at least `bytes` bytes. Not signed: nothing of PEC is read or judged yet.
pub fn receipt(number: u64, bytes: usize) -> Vec<u8> {
    let mut text = format!(
        "From: posta-certificata@pec.g1.example\r\n\
         To: {to}\r\n\
         Subject: CONSEGNA: messaggio inventato {number}\r\n\
         Message-ID: <consegna.{number}@pec.example.test>\r\n\
         X-Ricevuta: avvenuta-consegna\r\n\
         MIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\
         \r\n\
         Ricevuta di avvenuta consegna: esempio inventato, senza firma e senza valore.\r\n",
        to = Draws::of(number).address(),
    );
    let mut line = 0u64;
    while text.len() < bytes {
        // Lines of digits that do not compress to nothing, as an attachment would not.
        text.push_str(&Sha256::of_parts(&[&number.to_be_bytes(), &line.to_be_bytes()]).to_string());
        text.push_str("\r\n");
        line += 1;
    }
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_records_of_a_transaction_share_their_identificativo_and_no_other_does() {
        let records: Vec<_> = traces(UtcMillis::new(0)).take(4000).collect();
        let names: BTreeSet<_> = records
            .iter()
            .map(|record| &record.identificativo)
            .collect();
        assert_eq!(names.len(), 1000);
        for four in records.as_chunks::<4>().0 {
            assert!(
                four.iter()
                    .all(|record| record.identificativo == four[0].identificativo)
            );
        }
    }

    #[test]
    fn a_receipt_is_as_long_as_asked() {
        assert!(receipt(1, 0).len() < 1000);
        assert!((3 << 20..(3 << 20) + 100).contains(&receipt(2, 3 << 20).len()));
    }
}
