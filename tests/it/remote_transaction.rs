//! What became of a message, told over the shipped program on both sides and known beforehand.

use crate::support::START_MS;
use crate::support::tls::{Installation, Served};
use ceralacca_synthetic::damage;
use ceralacca_synthetic::mail::{
    Message, MessageKind, PkiOptions, Plan, Postal, ReceiptForm, Recipient, Story, Transaction,
};
use serde_json::Value;
use std::process::Output;

struct Archive {
    served: Served,
    folder: tempfile::TempDir,
}

impl Archive {
    /// An archive that holds these transactions.
    fn of(transactions: &[Transaction]) -> Self {
        let archive = Self {
            served: Installation::plain(&["gestore-1"], "").serve(),
            folder: tempfile::tempdir().unwrap(),
        };
        let mail = archive.folder.path().join("mail");
        std::fs::create_dir(&mail).unwrap();
        let messages = transactions.iter().flat_map(|t| &t.messages);
        for (number, message) in messages.enumerate() {
            std::fs::write(mail.join(format!("{number:04}.eml")), &message.bytes).unwrap();
        }
        let imported = archive.run(&["import", "mail"]);
        assert!(imported.status.success(), "{imported:?}");
        archive
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = self.served.command(self.folder.path(), arguments);
        command.output().unwrap()
    }

    fn story(&self, identificativo: &str) -> Value {
        let output = self.run(&["transaction", "--json", identificativo]);
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

fn postal() -> Postal {
    Postal::new(&PkiOptions::default(), START_MS as i64).unwrap()
}

fn states(story: &Value) -> Vec<&str> {
    let recipients = story["recipients"].as_array().unwrap();
    recipients
        .iter()
        .map(|r| r["state"].as_str().unwrap())
        .collect()
}

#[test]
fn every_end_of_a_transaction_is_told_recipient_by_recipient() {
    let postal = postal();
    let ends = [
        (Story::Delivered, "delivered"),
        (Story::Undeliverable, "failed"),
        (Story::Refused, "not-accepted"),
        (Story::RefusedForVirus, "not-accepted"),
        (Story::Infected, "failed"),
        (Story::Silent, "overdue"),
        (Story::Late, "delivered"),
    ];
    let transactions: Vec<Transaction> = (0..)
        .zip(ends)
        .map(|(seed, (story, _))| {
            let recipients = ["uno@pec.comune1.example", "due@pec.comune1.example"];
            let plan = Plan {
                story,
                given_recipients: Some(recipients.map(Recipient::certified).to_vec()),
                ..postal.plan(seed)
            };
            postal.carry_out(seed, &plan)
        })
        .collect();
    let archive = Archive::of(&transactions);
    for (transaction, (end, state)) in transactions.iter().zip(ends) {
        let story = archive.story(&transaction.identificativo);
        assert_eq!(states(&story), [state, state], "{end:?}");
        let events = story["events"].as_array().unwrap();
        assert_eq!(events.len(), transaction.messages.len(), "{end:?}");
        assert_eq!(
            story["sender"].as_str().unwrap(),
            transaction.original.sender,
            "{end:?}"
        );
        // Long past its time, what never came is missing; nothing else is.
        let missing = &story["recipients"][0]["missing"];
        let expected = match end {
            Story::Silent => serde_json::json!(["takeover", "outcome"]),
            _ => serde_json::json!([]),
        };
        assert_eq!(*missing, expected, "{end:?}");
        let contradictory = story["recipients"][0]["contradictory"].as_bool();
        assert_eq!(contradictory, Some(false), "{end:?}");
    }
}

#[test]
fn an_ordinary_mailbox_gets_the_message_and_says_nothing_back() {
    let postal = postal();
    let recipients = vec![
        Recipient::certified("uno@pec.comune1.example"),
        Recipient::external("info@ditta.example"),
    ];
    let plan = Plan {
        story: Story::Delivered,
        given_recipients: Some(recipients),
        ..postal.plan(3)
    };
    let transaction = postal.carry_out(3, &plan);
    let archive = Archive::of(std::slice::from_ref(&transaction));
    let story = archive.story(&transaction.identificativo);
    assert_eq!(states(&story), ["delivered", "ordinary-mail"]);
    assert_eq!(story["recipients"][1]["missing"], serde_json::json!([]));
}

#[test]
fn the_time_line_reads_well_and_one_that_is_unknown_is_status_1() {
    let postal = postal();
    let plan = Plan {
        // 22:30 in Italy: the delivery takes effect at seven.
        at_ms: START_MS as i64 - START_MS as i64 % 86_400_000 + 77_400_000,
        story: Story::Delivered,
        recipients: 1,
        ..postal.plan(5)
    };
    let transaction = postal.carry_out(5, &plan);
    let archive = Archive::of(std::slice::from_ref(&transaction));
    let output = archive.run(&["transaction", &format!("<{}>", transaction.identificativo)]);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let place = |part: &str| {
        text.find(part)
            .unwrap_or_else(|| panic!("{part} is not in\n{text}"))
    };
    assert!(place("accettazione") < place("presa-in-carico"));
    assert!(place("presa-in-carico") < place("avvenuta-consegna"));
    assert!(place("avvenuta-consegna") < place("DELIVERED"));
    assert!(
        text.contains("by night: takes effect for the recipient at"),
        "{text}"
    );
    assert!(text.contains(" 07:00:00 +01:00"), "{text}");
    let unknown = archive.run(&["transaction", "nessuno@pec.example"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(unknown.stdout).unwrap(),
        "No record of this transaction.\n"
    );
    let none = archive.run(&["transaction", ""]);
    assert_eq!(none.status.code(), Some(2));
}

#[test]
fn proofs_and_duplicati_answer_as_json() {
    let postal = postal();
    let transaction = postal.carry_out(7, &postal.plan(7));
    let archive = Archive::of(std::slice::from_ref(&transaction));
    let answer = |arguments: &[&str]| {
        let output = archive.run(arguments);
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let proof = answer(&["prove", "--json", "--index", "1", "--out", "p.tlog-proof"]);
    assert_eq!(
        (&proof["written"], &proof["verified"]),
        (&true.into(), &false.into())
    );
    let key = archive
        .served
        .installation
        .verifier("gestore-1")
        .to_string();
    let arguments = [
        "reissue", "--json", "--index", "1", "--dir", "d", "--key", &key,
    ];
    let duplicato = answer(&arguments);
    assert_eq!(
        (&duplicato["written"], &duplicato["verified"]),
        (&true.into(), &true.into())
    );
    assert_eq!(
        duplicato["content_bytes"],
        transaction.messages[0].bytes.len()
    );
}

#[test]
fn the_original_of_a_brief_receipt_is_held_against_its_hashes() {
    let postal = postal();
    let carried_out = |seed| {
        let plan = Plan {
            story: Story::Delivered,
            form: ReceiptForm::Brief,
            recipients: 1,
            attachments: vec![3000],
            ..postal.plan(seed)
        };
        postal.carry_out(seed, &plan)
    };
    let whole = carried_out(1);
    // The second has an envelope with another attachment; of the third only the receipts are held.
    let mut damaged = carried_out(2);
    let is_envelope = |message: &Message| message.kind() == MessageKind::TransportEnvelope;
    for message in damaged.messages.iter_mut().filter(|m| is_envelope(m)) {
        *message = damage::resigned(&postal, message, |draft| {
            let mut octets = draft.postacert.take().unwrap().to_vec();
            let place = |octets: &[u8], what: &[u8]| {
                let mut windows = octets.windows(what.len());
                windows.position(|window| window == what).unwrap()
            };
            let at = place(&octets, b"Content-Disposition: attachment");
            let at = at + place(&octets[at..], b"\r\n\r\n") + 4;
            octets[at] = if octets[at] == b'A' { b'B' } else { b'A' };
            draft.postacert = Some(octets.into());
        });
    }
    let mut lonely = carried_out(3);
    lonely.messages.retain(|message| !is_envelope(message));
    let archive = Archive::of(&[whole.clone(), damaged.clone(), lonely.clone()]);
    let check = |transaction: &Transaction, status: i32| -> Value {
        let id = &transaction.identificativo;
        let output = archive.run(&["transaction", "--json", "--check-brief", id]);
        assert_eq!(output.status.code(), Some(status), "{output:?}");
        let story: Value = serde_json::from_slice(&output.stdout).unwrap();
        let mut events = story["events"].as_array().unwrap().iter();
        events.find(|event| !event["brief"].is_null()).unwrap()["brief"].clone()
    };
    let outcomes = |check: &Value| -> Vec<String> {
        let parts = check["parts"].as_array().unwrap().iter();
        parts
            .map(|part| part["outcome"].as_str().unwrap().to_owned())
            .collect()
    };
    let found = check(&whole, 0);
    assert!(found["original"].is_u64(), "{found}");
    let all = outcomes(&found);
    assert!(
        !all.is_empty() && all.iter().all(|outcome| outcome == "matches"),
        "{found}"
    );
    let found = check(&damaged, 1);
    assert!(outcomes(&found).contains(&"differs".to_owned()), "{found}");
    let found = check(&lonely, 0);
    assert!(found["original"].is_null(), "{found}");
    let all = outcomes(&found);
    assert!(
        !all.is_empty() && all.iter().all(|outcome| outcome == "not-compared"),
        "{found}"
    );
    let text = archive.run(&["transaction", "--check-brief", &whole.identificativo]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("): matches"), "{text}");
}
