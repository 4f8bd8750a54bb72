//! Each check of the expert's list made to fail by a case of its own, and named: in the report and on the pages.
//!
//! What no case here fails cannot fail in a package ([`NEVER`]): it is not made then, or no record can answer.

use super::checks::{failed, outcome};
use super::*;
use crate::conformance::are_there;
use ceralacca::store::cf::content::Contents;
use ceralacca::store::cf::leaf::Leaves;
use ceralacca::store::{Batch, KeyRange, Order, Rows};
use ceralacca_evidence::asic::{Container, Files};
use ceralacca_formats::leaf::Class;
use ceralacca_pages::model::{CheckId, Outcome};
use ceralacca_pec::DigestAlgorithm;
use ceralacca_pec::judge::{Times, Trust, judge};
use ceralacca_synthetic::damage;
use ceralacca_synthetic::mail::{MessageKind, ReceiptForm};
use ceralacca_synthetic::pki::Validity;
use std::collections::BTreeSet;
use std::io::Cursor;

/// Checks that fail in no package, and why.
const NEVER: [(CheckId, &str); 14] = [
    (
        CheckId::IngestDigest,
        "an object that is not its leaf's is never handed out: there is no package",
    ),
    (
        CheckId::Inclusion,
        "a proof is verified before anything is said of it: there is no package",
    ),
    (CheckId::Unmodified, "as the digest"),
    (
        CheckId::SyntheticContent,
        "it proves no content, by the rules",
    ),
    (
        CheckId::OwnLog,
        "what is handed out is a record of this log",
    ),
    (CheckId::OtherLog, "only the other provider can answer"),
    (
        CheckId::FilesComplete,
        "an interval with other files than its closing leaf names is not opened: no package",
    ),
    (
        CheckId::NoGaps,
        "intervals are cut and closed in order: fsck and verify-interval find a forged one",
    ),
    (CheckId::ExtractedBy, "the archive says who it is"),
    (CheckId::ExtractedWhen, "the archive says when it was"),
    (
        CheckId::ExtractedUnder,
        "as declared, or under a grant that was in force",
    ),
    (CheckId::Identity, "as declared"),
    (
        CheckId::Entitlement,
        "as declared, or under a grant that was in force",
    ),
    (
        CheckId::EachStamped,
        "see `a_log_file_without_its_time_stamp_fails_its_check`",
    ),
];

/// A court whose directory of providers is of the day of the messages, changed in some way.
fn with_directory(change: fn(String) -> String) -> Court {
    Court::made_by(&PkiOptions::with_keys(Keys::P256), |postal, folder| {
        let mut ldif = "version: 1\n\n".to_owned();
        for (index, provider) in postal.providers().iter().enumerate() {
            let name = provider.options().name;
            let hash = DigestAlgorithm::Sha1.of(provider.signer().certificate_der());
            ldif += &format!(
                "dn: providerName={name},o=postacert\nproviderName: {name}\nproviderCertificateHash: {}\n",
                hex::encode(hash.as_ref())
            );
            for domain in postal.managed_domains(index) {
                ldif += &format!("managedDomains: {domain}\n");
            }
            ldif += &format!("managedDomains: {}\n\n", provider.options().domain);
        }
        let path = folder.join("directory.ldif");
        std::fs::write(&path, change(ldif)).unwrap();
        let at = ceralacca_retention::UtcMillis::new(postal.start_ms());
        let day = ceralacca_retention::CivilDate::in_rome(at).unwrap();
        vec![
            Item::held(What::Anchor, postal.pki().root_der().to_vec()),
            Item::directory(day, &path).unwrap(),
        ]
    })
}

fn plain() -> Court {
    Court::new()
}

fn within(from_hours: i64, until_hours: i64) -> Court {
    let start = START_MS as i64;
    let hour = HOUR_MS as i64;
    let options = PkiOptions {
        validity: Some(Validity {
            from_ms: start + from_hours * hour,
            until_ms: start + until_hours * hour,
        }),
        ..PkiOptions::with_keys(Keys::P256)
    };
    Court::made_by(&options, |postal, _| {
        vec![Item::held(What::Anchor, postal.pki().root_der().to_vec())]
    })
}

/// Another authority is trusted.
fn distrusting() -> Court {
    Court::made_by(&PkiOptions::with_keys(Keys::P256), |_, _| {
        let start = START_MS as i64;
        let other = Postal::new(&PkiOptions::with_keys(Keys::P256), start).unwrap();
        vec![Item::held(What::Anchor, other.pki().root_der().to_vec())]
    })
}

/// The signers of every provider are revoked.
fn revoking() -> Court {
    Court::made_by(&PkiOptions::with_keys(Keys::P256), |postal, _| {
        let providers = postal.providers().iter();
        let certificates: Vec<&[u8]> = providers.map(|p| p.signer().certificate_der()).collect();
        let at = postal.start_ms() - HOUR_MS as i64;
        let crl = postal.pki().crl(&certificates, at).unwrap();
        vec![
            Item::held(What::Anchor, postal.pki().root_der().to_vec()),
            Item::held(What::Crl, crl),
        ]
    })
}

/// RSA keys, with which half of the providers still sign SHA-1.
fn of_sha1() -> Court {
    Court::made_by(&PkiOptions::with_keys(Keys::Rsa2048), |postal, _| {
        vec![Item::held(What::Anchor, postal.pki().root_der().to_vec())]
    })
}

/// The message with another signature in its part.
fn with_signature(message: &Message, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    use base64::Engine as _;
    let mut p7s = message.signature();
    change(&mut p7s);
    let part = &message.bytes[message.places.signature.clone()];
    let body = part.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
    let text = base64::engine::general_purpose::STANDARD.encode(&p7s);
    let lines: Vec<String> = text
        .as_bytes()
        .chunks(64)
        .map(|line| String::from_utf8_lossy(line).into_owned() + "\r\n")
        .collect();
    let start = message.places.signature.start;
    [
        &message.bytes[..start + body],
        lines.concat().as_bytes(),
        &message.bytes[message.places.signature.end..],
    ]
    .concat()
}

/// The signer is named by a serial number that no certificate in the signature has.
fn without_its_certificate(_: &Postal, message: &Message) -> Vec<u8> {
    let verdict = judge(
        &ceralacca_pec::read(&message.bytes),
        &Trust::none(),
        Times::default(),
    );
    let serial = hex::decode(verdict.signer.unwrap().serial).unwrap();
    with_signature(message, |p7s| {
        let places = p7s.windows(serial.len()).rposition(|w| w == serial);
        let last = places.unwrap() + serial.len() - 1;
        p7s[last] ^= 1;
    })
}

fn replaced(message: &Message, from: &str, to: &str) -> Vec<u8> {
    let at = message
        .bytes
        .windows(from.len())
        .position(|w| w == from.as_bytes())
        .unwrap();
    [
        &message.bytes[..at],
        to.as_bytes(),
        &message.bytes[at + from.len()..],
    ]
    .concat()
}

type Fault = fn(&Postal, &Message) -> Vec<u8>;

/// As it came.
fn none(_: &Postal, message: &Message) -> Vec<u8> {
    message.bytes.clone()
}

struct Case {
    id: CheckId,
    court: fn() -> Court,
    form: ReceiptForm,
    /// Which messages have the fault.
    of: MessageKind,
    fault: Fault,
}

const DELIVERY: MessageKind = MessageKind::DeliveryComplete;

const fn case(id: CheckId, court: fn() -> Court, fault: Fault) -> Case {
    Case {
        id,
        court,
        form: ReceiptForm::Complete,
        of: DELIVERY,
        fault,
    }
}

fn cases() -> Vec<Case> {
    vec![
        case(CheckId::SignedDigest, plain, |_, m| {
            damage::flip_in_postacert(m).unwrap()
        }),
        case(CheckId::Attachments, plain, |_, m| {
            damage::flip_in_postacert(m).unwrap()
        }),
        case(CheckId::Signature, plain, |_, m| {
            with_signature(m, |p7s| {
                *p7s.iter_mut().rev().find(|o| **o != 0).unwrap() ^= 1
            })
        }),
        case(CheckId::Signer, plain, without_its_certificate),
        case(CheckId::Chain, distrusting, none),
        case(CheckId::Validity, || within(1, 1000), none),
        case(CheckId::Revocation, revoking, none),
        case(CheckId::Algorithms, of_sha1, none),
        case(
            CheckId::Directory,
            || {
                with_directory(|ldif| {
                    ldif.replace("providerCertificateHash: ", "providerCertificateHash: 00")
                })
            },
            none,
        ),
        case(CheckId::SenderAddress, plain, |_, m| {
            let text = String::from_utf8_lossy(&m.bytes).into_owned();
            let at = text.find("\r\nFrom: ").unwrap() + 2;
            let end = at + text[at..].find("\r\n").unwrap();
            let field = &text[at..end];
            replaced(
                m,
                field,
                &field.replace("posta-certificata@", "posta-ordinaria@"),
            )
        }),
        case(
            CheckId::ProviderName,
            || with_directory(|ldif| ldif.replace("\nproviderName: ", "\nproviderName: Altro ")),
            none,
        ),
        case(
            CheckId::ManagedDomain,
            || with_directory(|ldif| ldif.replace("managedDomains: ", "managedDomains: altro.")),
            none,
        ),
        case(CheckId::TextTime, plain, |p, m| {
            let facts = m.facts().unwrap();
            let (_, time, _) = facts.civil_time();
            let xml = String::from_utf8(facts.to_xml(m.family)).unwrap();
            let other = xml.replace(&time, "03:04:05");
            assert_ne!(other, xml);
            damage::with_xml(p, m, other.into_bytes()).bytes
        }),
        case(CheckId::DateHeader, plain, |_, m| {
            let text = String::from_utf8_lossy(&m.bytes).into_owned();
            let at = text.find("\r\nDate: ").unwrap() + 2;
            let end = at + text[at..].find("\r\n").unwrap();
            replaced(m, &text[at..end], "Date: Mon, 12 Jan 2015 09:00:00 +0100")
        }),
        case(CheckId::SigningTime, plain, |p, m| {
            damage::with_signing_offset(p, m, 60_000).bytes
        }),
        case(CheckId::Order, plain, |p, m| {
            damage::resigned(p, m, |d| d.facts.at_ms -= 3_600_000).bytes
        }),
        case(CheckId::TokenAfterEvent, plain, |p, m| {
            damage::resigned(p, m, |d| d.facts.at_ms += 10 * DAY_MS as i64).bytes
        }),
        case(CheckId::TokenBeforeExpiry, || within(-1000, 3), none),
        case(CheckId::SameMsgid, plain, |p, m| {
            damage::resigned(p, m, |d| {
                d.facts.msgid = Some("<altro@casella.example>".into())
            })
            .bytes
        }),
        case(CheckId::OriginalMessageId, plain, |p, m| {
            let other = b"Message-ID: <altro@pec.example>\r\nSubject: x\r\n\r\ntesto\r\n";
            damage::resigned(p, m, |d| d.postacert = Some(other.to_vec().into())).bytes
        }),
        case(CheckId::SameSender, plain, |p, m| {
            damage::resigned(p, m, |d| d.facts.sender = "altro@casella.example".into()).bytes
        }),
        case(CheckId::SameRecipients, plain, |p, m| {
            damage::resigned(p, m, |d| d.facts.recipients.truncate(1)).bytes
        }),
        case(CheckId::SameSubject, plain, |p, m| {
            damage::resigned(p, m, |d| d.facts.subject = Some("Altro".into())).bytes
        }),
        case(CheckId::DeliveredTo, plain, |p, m| {
            damage::resigned(p, m, |d| {
                d.facts.delivered_to = Some("altro@casella.example".into())
            })
            .bytes
        }),
        case(CheckId::OriginalPresent, plain, |p, m| {
            damage::resigned(p, m, |d| d.postacert = None).bytes
        }),
        Case {
            id: CheckId::BriefDigests,
            court: plain,
            form: ReceiptForm::Brief,
            of: MessageKind::TransportEnvelope,
            fault: |p, m| {
                // In the last lines of the last attachment.
                damage::resigned(p, m, |d| {
                    let mut text = d.postacert.as_deref().unwrap_or_default().to_vec();
                    let place = text.len().saturating_sub(250);
                    let octet = text.iter_mut().skip(place).find(|o| o.is_ascii_lowercase());
                    *octet.unwrap() = b'A';
                    d.postacert = Some(text.into());
                })
                .bytes
            },
        },
    ]
}

/// The words of the pages, in one line.
fn pages(made: &Made, folder: &Path) -> String {
    let mut container = Container::open(Cursor::new(&made.octets)).unwrap();
    let pdf = container.read("relazione.pdf", 1 << 24).unwrap();
    std::fs::write(folder.join("pagine.pdf"), pdf).unwrap();
    let output = Command::new("pdftotext")
        .current_dir(folder)
        .args(["pagine.pdf", "-"])
        .output()
        .unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// That a check failed is said in the JSON of the package, on its first page and in the table of checks.
#[track_caller]
fn is_named(made: &Made, id: CheckId, folder: &Path) {
    assert_eq!(
        outcome(made, id),
        Outcome::Failed,
        "{}: {:?}",
        id.number(),
        failed(made)
    );
    let mut container = Container::open(Cursor::new(&made.octets)).unwrap();
    let json = container.read("proof/validation.json", 1 << 24).unwrap();
    let report = Report::from_json(&json).unwrap();
    assert_eq!(
        report.checks.outcome(id),
        Outcome::Failed,
        "{}",
        id.number()
    );
    if !are_there(&[("pdftotext", &["-v"])]) {
        return;
    }
    let text = pages(made, folder);
    let (_, list) = text.split_once("Verifiche fallite: ").expect("first page");
    let (list, _) = list.split_once("Che cosa non si").unwrap_or((list, ""));
    let number = id.number();
    assert!(list.contains(number), "{number}: {list}");
    assert!(text.contains("FALLITA"), "{number}: {text}");
}

#[test]
fn each_check_is_made_to_fail_and_is_named_in_the_report_and_on_the_pages() {
    let folder = tempfile::tempdir().unwrap();
    let mut made_to_fail = BTreeSet::new();
    for Case {
        id,
        court,
        form,
        of,
        fault,
    } in cases()
    {
        let court = court();
        let transaction = court.transaction_of(form);
        let mut faults = 0;
        for message in &transaction.messages {
            match message.kind() == of {
                true => {
                    faults += 1;
                    court.put(&fault(&court.postal, message));
                }
                false => court.put(&message.bytes),
            }
        }
        assert!(faults > 0, "{}", id.number());
        court.seal();
        let made = court.made(&of_transaction(&transaction));
        is_named(&made, id, folder.path());
        made_to_fail.insert(id);
    }
    // Records of two transactions, found by the msgid that both have.
    let court = Court::new();
    let transaction = court.transaction();
    for message in &transaction.messages {
        match message.kind() {
            DELIVERY => {
                let other = |d: &mut ceralacca_synthetic::mail::Draft| {
                    d.facts.identificativo = "altro-identificativo@pec.example".into();
                };
                court.put(&damage::resigned(&court.postal, message, other).bytes);
            }
            _ => court.put(&message.bytes),
        }
    }
    court.seal();
    let msgid = transaction.original.msgid.clone().unwrap();
    let mut asked = wanted(Field::Msgid, &msgid);
    asked.demand.whole_transaction = false;
    is_named(
        &court.made(&asked),
        CheckId::SameIdentificativo,
        folder.path(),
    );
    made_to_fail.insert(CheckId::SameIdentificativo);
    // Thirty-two months later.
    court.test.clock.pass(32 * 31 * DAY_MS);
    let made = court.made(&asked);
    is_named(&made, CheckId::WithinRetention, folder.path());
    made_to_fail.insert(CheckId::WithinRetention);
    let never = NEVER.iter().map(|(id, _)| *id);
    let all: BTreeSet<CheckId> = never.chain(made_to_fail.iter().copied()).collect();
    assert!(NEVER.iter().all(|(id, _)| !made_to_fail.contains(id)));
    assert_eq!(all, CheckId::ALL.iter().copied().collect());
}

/// Why some checks fail in no package: what would fail them stops it, and who asks is told that it cannot be read.
#[test]
fn where_an_object_a_leaf_or_a_closing_is_not_what_was_recorded_there_is_no_package() {
    type Harm = fn(&Court);
    let harms: [(&str, Harm); 4] = [
        ("octets of an object", |court| {
            let store = court.log.reader().store();
            let mut rows = store.rows::<Contents>(&KeyRange::all(), Order::Ascending);
            let (key, mut part) = rows.next().unwrap().unwrap();
            let last = part.ciphertext.len() - 20;
            part.ciphertext[last] ^= 1;
            let mut batch = Batch::new();
            batch.put::<Contents>(&key, &part);
            store.commit(&batch).unwrap();
        }),
        ("the leaf of one", |court| {
            let store = court.log.reader().store();
            let mut rows = store.rows::<Leaves>(&KeyRange::all(), Order::Ascending);
            let is_object = |leaf: &ceralacca_formats::leaf::Leaf| leaf.class == Class::Receipt;
            let row = rows.find(|row| is_object(&row.as_ref().unwrap().1));
            let (key, mut leaf) = row.unwrap().unwrap();
            leaf.time = UtcMillis::new(leaf.time.get() + 1);
            let mut batch = Batch::new();
            batch.put::<Leaves>(&key, &leaf);
            store.commit(&batch).unwrap();
        }),
        ("the digest of a log file", |court| {
            let path = file_of_package(court, "catalogue.json");
            let text = std::fs::read_to_string(&path).unwrap();
            let at = text.find("log-trace").unwrap();
            let at = at + text[at..].find("sha256").unwrap() + 9;
            let digit = if &text[at..=at] == "0" { "1" } else { "0" };
            std::fs::write(path, [&text[..at], digit, &text[at + 1..]].concat()).unwrap();
        }),
        ("what the interval is said to hold", |court| {
            let path = file_of_package(court, "contents.json");
            let mut octets = std::fs::read(&path).unwrap();
            let middle = octets.len() / 2;
            octets[middle] ^= 1;
            std::fs::write(path, octets).unwrap();
        }),
    ];
    for (what, harm) in harms {
        let court = Court::new();
        let transaction = court.transaction();
        court.put_all(&transaction.messages);
        court.seal();
        let asked = of_transaction(&transaction);
        assert_eq!(failed(&court.made(&asked)), [""; 0]);
        harm(&court);
        let refused = court.prepared(&asked, Standing::Role(Role::Provider));
        let error = refused.err().unwrap_or_else(|| panic!("{what}"));
        let is_alarm = matches!(
            error,
            ReissueError::Desk(_)
                | ReissueError::Record(_)
                | ReissueError::Seal(_)
                | ReissueError::Proof(_)
                | ReissueError::Container(_)
        );
        assert!(is_alarm, "{what}: {error:?}");
    }
}

/// A file of the package of the first interval.
fn file_of_package(court: &Court, name: &str) -> PathBuf {
    let interval = court.log.reader().published().spans[0].id;
    let packages = court.log.sealer().packages().unwrap();
    packages.join(interval.to_string()).join(name)
}

#[test]
fn a_log_file_without_its_time_stamp_fails_its_check() {
    let court = Court::new();
    let transaction = court.transaction();
    court.put_all(&transaction.messages);
    court.seal();
    let packages = court.log.sealer().packages().unwrap().to_owned();
    let mut removed = 0;
    let mut folders = vec![packages];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if name.starts_with("log-") && name.ends_with(".stamp.json") {
                std::fs::remove_file(path).unwrap();
                removed += 1;
            }
        }
    }
    assert!(removed > 0);
    let made = court.made(&of_transaction(&transaction));
    let folder = tempfile::tempdir().unwrap();
    is_named(&made, CheckId::EachStamped, folder.path());
}

#[test]
fn with_a_directory_and_a_crl_at_hand_everything_about_the_provider_is_answered_and_handed_out() {
    let court = with_directory(|ldif| ldif);
    let transaction = court.transaction_of(ReceiptForm::Brief);
    court.put_all(&transaction.messages);
    court.seal();
    let made = court.made(&of_transaction(&transaction));
    assert_eq!(failed(&made), [""; 0]);
    for id in [
        CheckId::Chain,
        CheckId::Directory,
        CheckId::ProviderName,
        CheckId::ManagedDomain,
        CheckId::BriefDigests,
    ] {
        assert_eq!(outcome(&made, id), Outcome::Passed, "{}", id.number());
    }
    let signed = made
        .report
        .records
        .iter()
        .filter_map(|r| r.signature.as_ref());
    let mut count = 0;
    for signature in signed {
        count += 1;
        assert_eq!(signature.is_reproduced, Some(true));
        assert!(signature.issuer.is_some() && signature.trust_set.is_some());
        for kind in ["anchor", "directory"] {
            let piece = signature.material.iter().find(|piece| piece.kind == kind);
            let file = piece.unwrap().file.clone().unwrap();
            let mut container = Container::open(Cursor::new(&made.octets)).unwrap();
            let octets = container.read(&file, 1 << 24).unwrap();
            let sha256 = ceralacca_formats::digest::Sha256::of(&octets);
            assert_eq!(sha256.to_string(), piece.unwrap().sha256);
        }
        // The rest of the chain travels in the message.
        let travelling = signature
            .material
            .iter()
            .filter(|p| p.kind == "certificate");
        assert!(travelling.into_iter().all(|piece| piece.file.is_some()));
    }
    assert!(count > 0);
    let folder = tempfile::tempdir().unwrap();
    court.hand_over(&made, folder.path());
    let output = verify(folder.path(), &made.name);
    let text = crate::support::program::out(&output);
    assert_eq!(crate::support::program::status(&output), 0, "{text}");
}
