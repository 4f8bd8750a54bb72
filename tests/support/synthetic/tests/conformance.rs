//! What others' tools say of the messages: openssl of the signatures, xmllint of the XML.
//!
//! A missing tool fails in CI and is skipped aloud elsewhere.

use ceralacca_synthetic::damage::{self, Cut};
use ceralacca_synthetic::mail::{
    Attachment, Family, Message, MessageKind, PkiOptions, Plan, Postal, ReceiptForm, Story,
};
use ceralacca_synthetic::pki::{DigestKind, Keys, Pki, Validity};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const START_MS: i64 = 1_767_225_600_000;

/// The grammar of the rules (RFC 6109, 4.4).
const DTD: &str = r#"<!ELEMENT postacert (intestazione, dati)>
<!ATTLIST postacert
  tipo (accettazione | non-accettazione | presa-in-carico | avvenuta-consegna |
        posta-certificata | errore-consegna | preavviso-errore-consegna |
        rilevazione-virus) #REQUIRED
  errore (nessuno | no-dest | no-dominio | virus | altro) "nessuno">
<!ELEMENT intestazione (mittente, destinatari+, risposte, oggetto?)>
<!ELEMENT mittente (#PCDATA)>
<!ELEMENT destinatari (#PCDATA)>
<!ATTLIST destinatari tipo (certificato | esterno) "certificato">
<!ELEMENT risposte (#PCDATA)>
<!ELEMENT oggetto (#PCDATA)>
<!ELEMENT dati (gestore-emittente, data, identificativo, msgid?, ricevuta?,
                consegna?, ricezione*, errore-esteso?)>
<!ELEMENT gestore-emittente (#PCDATA)>
<!ELEMENT data (giorno, ora)>
<!ATTLIST data zona CDATA #REQUIRED>
<!ELEMENT giorno (#PCDATA)>
<!ELEMENT ora (#PCDATA)>
<!ELEMENT identificativo (#PCDATA)>
<!ELEMENT msgid (#PCDATA)>
<!ELEMENT ricevuta EMPTY>
<!ATTLIST ricevuta tipo (completa | breve | sintetica) #REQUIRED>
<!ELEMENT consegna (#PCDATA)>
<!ELEMENT ricezione (#PCDATA)>
<!ELEMENT errore-esteso (#PCDATA)>
"#;

/// False, aloud, when a tool is missing; in CI that is a failure.
fn has(tool: &str, argument: &str) -> bool {
    let found = Command::new(tool)
        .arg(argument)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok();
    if !found {
        let in_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!in_ci, "{tool} is missing");
        eprintln!("SKIPPED: {tool} is missing");
    }
    found
}

struct Openssl {
    directory: tempfile::TempDir,
    root: PathBuf,
}

impl Openssl {
    fn new(pki: &Pki) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("root.pem");
        std::fs::write(&root, pki.root_pem()).unwrap();
        Self { directory, root }
    }

    fn cms(&self, file: &Path, at_ms: i64, form: &str, content: Option<&Path>) -> (bool, String) {
        let mut command = Command::new("openssl");
        command
            .args(["cms", "-verify", "-purpose", "any", "-inform", form])
            .args(["-attime", &(at_ms / 1000).to_string()])
            .arg("-CAfile")
            .arg(&self.root)
            .arg("-in")
            .arg(file)
            .arg("-out")
            .arg(self.directory.path().join("out"));
        if let Some(content) = content {
            command.arg("-binary").arg("-content").arg(content);
        }
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.success(), said)
    }

    fn verify(&self, bytes: &[u8], at_ms: i64) -> (bool, String) {
        let file = self.directory.path().join("message.eml");
        std::fs::write(&file, bytes).unwrap();
        self.cms(&file, at_ms, "SMIME", None)
    }
}

fn postal(keys: Keys) -> Postal {
    Postal::new(&PkiOptions::with_keys(keys), START_MS).unwrap()
}

fn everything(postal: &Postal) -> Vec<Message> {
    (0..postal.providers().len())
        .flat_map(|provider| postal.one_of_each_type_by(provider))
        .collect()
}

fn name(message: &Message) -> String {
    format!("{:?} {:?}", message.family, message.kind())
}

fn openssl_accepts_everything(keys: Keys) {
    if !has("openssl", "version") {
        return;
    }
    let postal = postal(keys);
    let openssl = Openssl::new(postal.pki());
    let messages = everything(&postal);
    assert_eq!(messages.len(), 5 * MessageKind::ALL.len());
    for message in &messages {
        for (line_ends, bytes) in [("CRLF", message.bytes.clone()), ("LF", message.as_lf())] {
            let (good, said) = openssl.verify(&bytes, message.signing_ms());
            assert!(good, "{} {line_ends}: {said}", name(message));
        }
    }
}

#[test]
fn openssl_accepts_every_type_in_every_family_with_rsa_keys() {
    openssl_accepts_everything(Keys::Rsa2048);
}

#[test]
fn openssl_accepts_every_type_in_every_family_with_p256_keys() {
    openssl_accepts_everything(Keys::P256);
}

#[test]
fn openssl_rejects_every_damaged_twin() {
    if !has("openssl", "version") {
        return;
    }
    let postal = postal(Keys::P256);
    let openssl = Openssl::new(postal.pki());
    let mut tried = 0;
    for message in everything(&postal) {
        let mut twins = vec![
            (
                "closing boundary",
                damage::without_closing_boundary(&message),
            ),
            ("signature", damage::without_signature(&message)),
        ];
        let maybe = [
            ("trailing space", damage::strip_trailing_space(&message)),
            ("postacert", damage::flip_in_postacert(&message)),
            ("daticert", damage::without_daticert(&message)),
        ];
        twins.extend(maybe.into_iter().filter_map(|(n, b)| Some((n, b?))));
        // Where a message breaks off does not depend on its type.
        if message.kind() == MessageKind::DeliveryComplete {
            for cut in Cut::ALL {
                twins.push(("truncated", damage::truncated(&message, cut).unwrap()));
            }
        }
        for (damage, bytes) in twins {
            assert_ne!(bytes, message.bytes, "{} {damage}", name(&message));
            let (good, said) = openssl.verify(&bytes, message.signing_ms());
            assert!(!good, "{} {damage} is accepted", name(&message));
            // What is whole in form fails for its octets, and for nothing else.
            if matches!(damage, "trailing space" | "postacert" | "daticert") {
                let reason = said.contains("verification failure");
                assert!(reason, "{} {damage}: {said}", name(&message));
            }
            tried += 1;
        }
    }
    println!("{tried} damaged messages rejected");
}

#[test]
fn families_c_and_d_have_a_trailing_space_to_lose_in_every_message() {
    for message in everything(&postal(Keys::P256)) {
        if matches!(message.family, Family::C | Family::D) {
            let header = message.signed_part().split(|o| *o == b'\n').next().unwrap();
            assert!(header.ends_with(b"; \r"), "{}", name(&message));
        }
    }
}

#[test]
fn openssl_accepts_what_is_wrong_outside_the_signed_octets() {
    if !has("openssl", "version") {
        return;
    }
    let postal = postal(Keys::P256);
    let openssl = Openssl::new(postal.pki());
    for family in Family::ALL {
        let messages = postal.one_of_each_type(family);
        let message = messages
            .iter()
            .find(|m| m.kind() == MessageKind::DeliveryComplete)
            .unwrap();
        let at = message.signing_ms();
        for (what, bytes) in [
            (
                "other subject",
                damage::with_other_subject(message, "CONSEGNA: altro"),
            ),
            (
                "two daticert",
                damage::with_daticert_parts(&postal, message, 2).bytes,
            ),
            (
                "no daticert",
                damage::with_daticert_parts(&postal, message, 0).bytes,
            ),
            // The octets differ, and openssl forgives it.
            ("CR CR LF", damage::cr_cr_lf(&message.bytes)),
            (
                "given xml",
                damage::with_xml(&postal, message, b"<postacert>\n\xff\r".to_vec()).bytes,
            ),
        ] {
            let (good, said) = openssl.verify(&bytes, at);
            assert!(good, "{family:?} {what}: {said}");
        }
    }
}

#[test]
fn openssl_accepts_large_forwarding_and_crowded_messages() {
    if !has("openssl", "version") {
        return;
    }
    let postal = postal(Keys::P256);
    let openssl = Openssl::new(postal.pki());
    for family in Family::ALL {
        let provider = postal.provider_of(family).unwrap();
        let ordinary = Plan {
            from: provider,
            to: Some(provider),
            story: Story::Delivered,
            form: ReceiptForm::Complete,
            ..postal.plan(7)
        };
        let older = postal.carry_out(8, &ordinary);
        let older = older.first(MessageKind::TransportEnvelope).unwrap();
        let plans = [
            Plan {
                attachments: vec![3_000_000],
                ..ordinary.clone()
            },
            Plan {
                also_attached: Attachment::of_forwarded(older),
                ..ordinary.clone()
            },
            Plan {
                given_recipients: Some(damage::many_recipients(300)),
                ..ordinary.clone()
            },
        ];
        for plan in plans {
            let transaction = postal.carry_out(9, &plan);
            for kind in [
                MessageKind::TransportEnvelope,
                MessageKind::DeliveryComplete,
            ] {
                let message = transaction.first(kind).unwrap();
                let (good, said) = openssl.verify(&message.bytes, message.signing_ms());
                assert!(good, "{}: {said}", name(message));
            }
        }
    }
}

#[test]
fn openssl_accepts_name_constraints_and_rejects_strangers_and_expired_signers() {
    if !has("openssl", "version") {
        return;
    }
    let options = PkiOptions {
        has_name_constraints: true,
        ..PkiOptions::default()
    };
    let postal = Postal::new(&options, START_MS).unwrap();
    let stranger = self::postal(Keys::P256);
    let openssl = Openssl::new(postal.pki());
    let message = postal.one_of_each_type(Family::C).remove(0);
    let (good, said) = openssl.verify(&message.bytes, message.signing_ms());
    assert!(good, "{said}");
    let (good, _) = openssl.verify(&message.bytes, message.signing_ms() + 900 * 86_400_000);
    assert!(!good, "an expired chain is accepted");
    let (good, _) = openssl.verify(
        &stranger.sign(message.draft.clone()).bytes,
        message.signing_ms(),
    );
    assert!(!good, "another root's signer is accepted");
    let outside = postal
        .pki()
        .signer("Altro S.p.A.", "altro.example", Keys::P256)
        .unwrap();
    let form = ceralacca_synthetic::cms::Form {
        digest: DigestKind::Sha256,
        encoding: ceralacca_synthetic::cms::Encoding::Der,
        extra: ceralacca_synthetic::cms::Extra::Nothing,
    };
    let (p7s, content) = (
        openssl.directory.path().join("x.p7s"),
        openssl.directory.path().join("x"),
    );
    std::fs::write(&content, b"octets\r\n").unwrap();
    let signature = ceralacca_synthetic::cms::sign(&outside, form, b"octets\r\n", START_MS);
    std::fs::write(&p7s, signature).unwrap();
    let (good, _) = openssl.cms(&p7s, START_MS, "DER", Some(&content));
    assert!(!good, "a name outside the constraints is accepted");
}

#[test]
fn openssl_accepts_bare_signatures_in_every_form() {
    use ceralacca_synthetic::cms::{Encoding, Extra, Form, sign};
    if !has("openssl", "version") {
        return;
    }
    let validity = Validity {
        from_ms: START_MS - 1000,
        until_ms: START_MS + 1000,
    };
    let pki = Pki::new(validity, Keys::P256).unwrap();
    let openssl = Openssl::new(&pki);
    let (p7s, content) = (
        openssl.directory.path().join("x.p7s"),
        openssl.directory.path().join("x"),
    );
    let octets = b"bare\n LF and \r CR\x00\xff";
    std::fs::write(&content, octets).unwrap();
    for keys in [Keys::Rsa2048, Keys::P256] {
        let signer = pki.signer("Prova S.p.A.", "prova.example", keys).unwrap();
        for digest in [DigestKind::Sha1, DigestKind::Sha256] {
            for encoding in [
                Encoding::Der,
                Encoding::Indefinite,
                Encoding::IndefiniteConstructed,
            ] {
                for extra in [
                    Extra::Nothing,
                    Extra::Capabilities,
                    Extra::AlgorithmProtection,
                    Extra::CapabilitiesAndPreference,
                ] {
                    let form = Form {
                        digest,
                        encoding,
                        extra,
                    };
                    let signature = sign(&signer, form, octets, START_MS);
                    std::fs::write(&p7s, signature).unwrap();
                    let (good, said) = openssl.cms(&p7s, START_MS, "DER", Some(&content));
                    assert!(good, "{keys:?} {form:?}: {said}");
                }
            }
        }
    }
}

#[test]
fn xmllint_validates_every_daticert() {
    if !has("xmllint", "--version") {
        return;
    }
    let postal = postal(Keys::P256);
    let directory = tempfile::tempdir().unwrap();
    let dtd = directory.path().join("daticert.dtd");
    std::fs::write(&dtd, DTD).unwrap();
    let mut command = Command::new("xmllint");
    command.args(["--noout", "--dtdvalid"]).arg(&dtd);
    let mut count = 0;
    let messages = everything(&postal).into_iter().map(|m| m.draft);
    let mut stream = postal.stream(11, ceralacca_synthetic::mail::Select::All);
    for draft in messages.chain((0..300).map(|_| stream.next_draft())) {
        if draft.kind == MessageKind::AnomalyEnvelope {
            continue;
        }
        let family = postal.providers()[draft.provider].options().family;
        let file = directory.path().join(format!("{count}.xml"));
        std::fs::write(&file, draft.facts.to_xml(family)).unwrap();
        command.arg(file);
        count += 1;
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    println!("{count} daticert valid");
}
