//! What a signature is worth, as the service records it: with the trust material of its configuration.

use crate::support::START_MS;
use crate::support::tls::{Installation, Served};
use ceralacca_synthetic::damage;
use ceralacca_synthetic::mail::{Family, Message, PkiOptions, Postal};
use ceralacca_synthetic::pki::Keys;
use serde_json::Value;
use std::path::Path;

const LOG: &str = "gestore-1";

/// A service with this trust, and these messages in it.
fn archive(trust: &[(&str, &str)], messages: &[Vec<u8>], folder: &Path) -> Served {
    let installation = Installation::new(&[LOG]);
    let mut table = "[trust]\n".to_owned();
    for (name, pem) in trust {
        std::fs::write(installation.path(&format!("{name}.pem")), pem).unwrap();
        table += &format!("{name} = [\"{name}.pem\"]\n");
    }
    let tables = format!("[development]\nplain_text = true\n{table}[[log]]\nid = \"{LOG}\"\n");
    installation.configure("127.0.0.1:0", &tables);
    let served = installation.serve();
    let mail = folder.join("mail");
    std::fs::create_dir_all(&mail).unwrap();
    for (number, message) in messages.iter().enumerate() {
        std::fs::write(mail.join(format!("{number:04}.eml")), message).unwrap();
    }
    run(&served, folder, &["import", "mail"]);
    served
}

fn run(served: &Served, folder: &Path, arguments: &[&str]) -> String {
    let output = served.command(folder, arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Metadata of the objects under a level or a finding.
fn under(served: &Served, folder: &Path, code: &str) -> Vec<Value> {
    let arguments = ["search", "--json", "--limit", "1000", "--finding", code];
    let output = run(served, folder, &arguments);
    let lines = output
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines
        .map(|line| line["metadata"].clone())
        .filter(Value::is_object)
        .collect()
}

fn messages(postal: &Postal) -> Vec<Message> {
    let families = [Family::A, Family::B, Family::C, Family::D];
    families
        .into_iter()
        .flat_map(|family| postal.one_of_each_type(family))
        .collect()
}

#[test]
fn a_configured_root_makes_good_signatures_trusted_and_damage_breaks_them() {
    let folder = tempfile::tempdir().unwrap();
    let postal = Postal::new(&PkiOptions::with_keys(Keys::P256), START_MS as i64).unwrap();
    let good = messages(&postal);
    let broken: Vec<Vec<u8>> = good.iter().filter_map(damage::flip_in_postacert).collect();
    assert!(broken.len() >= 10);
    let mut all: Vec<Vec<u8>> = good.iter().map(|message| message.bytes.clone()).collect();
    all.extend(broken.iter().cloned());
    all.push(b"From: a@example.test\r\nSubject: prova\r\n\r\nprova\r\n".to_vec());
    let root = postal.pki().root_pem().to_owned();
    let served = archive(&[("anchors", &root)], &all, folder.path());
    let trusted = under(&served, folder.path(), "integral-trusted");
    assert_eq!(trusted.len(), good.len());
    for object in &trusted {
        // Signer, authority, root.
        assert_eq!(object["chain"].as_array().unwrap().len(), 3, "{object}");
        assert!(object["signing_ms"].is_i64(), "{object}");
    }
    assert_eq!(under(&served, folder.path(), "broken").len(), broken.len());
    assert_eq!(
        under(&served, folder.path(), "digest-differs").len(),
        broken.len()
    );
    // Ordinary mail has nothing to judge, and is no finding.
    assert_eq!(under(&served, folder.path(), "absent").len(), 0);
    assert_eq!(under(&served, folder.path(), "nothing-like-it").len(), 0);
}

#[test]
fn without_a_root_no_chain_is_established_and_old_digests_are_remarked() {
    let folder = tempfile::tempdir().unwrap();
    let postal = Postal::new(&PkiOptions::with_keys(Keys::Rsa2048), START_MS as i64).unwrap();
    let all: Vec<Vec<u8>> = messages(&postal)
        .into_iter()
        .map(|message| message.bytes)
        .collect();
    let served = archive(&[], &all, folder.path());
    assert_eq!(
        under(&served, folder.path(), "integral-untrusted").len(),
        all.len()
    );
    assert_eq!(
        under(&served, folder.path(), "anchors-missing").len(),
        all.len()
    );
    // Engines of families A, B and D sign with SHA-1.
    let sha1 = under(&served, folder.path(), "sha1").len();
    assert!(sha1 > 0 && sha1 < all.len(), "{sha1} of {}", all.len());
}

#[test]
fn a_configured_ocsp_response_is_read_and_one_that_is_none_keeps_the_service_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    let postal = Postal::new(&PkiOptions::with_keys(Keys::P256), START_MS as i64).unwrap();
    let good: Vec<Vec<u8>> = messages(&postal)
        .into_iter()
        .map(|message| message.bytes)
        .collect();
    let root = postal.pki().root_pem().to_owned();
    // OCSPResponse { responseStatus tryLater }.
    let later = "\u{30}\u{3}\u{a}\u{1}\u{3}";
    let trust = [("anchors", root.as_str()), ("ocsp", later)];
    let served = archive(&trust, &good, folder.path());
    for code in ["ocsp-not-evaluated", "integral-trusted"] {
        let found = under(&served, folder.path(), code).len();
        assert_eq!(found, good.len(), "{code}");
    }
    let installation = Installation::new(&[LOG]);
    std::fs::write(installation.path("ocsp.der"), "no response").unwrap();
    let tables = format!(
        "[development]\nplain_text = true\n[trust]\nocsp = [\"ocsp.der\"]\n[[log]]\nid = \"{LOG}\"\n"
    );
    installation.configure("127.0.0.1:0", &tables);
    let output = installation.serve_in_vain();
    assert_eq!(output.status.code(), Some(2));
    let line = String::from_utf8(output.stderr).unwrap();
    let expected = "ocsp: number 0 is no readable OCSP response";
    assert!(line.contains(expected), "{line}");
}

#[test]
fn trust_material_that_is_none_keeps_the_service_from_starting() {
    let installation = Installation::new(&[LOG]);
    std::fs::write(
        installation.path("anchors.pem"),
        "-----BEGIN NOTHING-----\n",
    )
    .unwrap();
    let tables = format!(
        "[development]\nplain_text = true\n[trust]\nanchors = [\"anchors.pem\"]\n[[log]]\nid = \"{LOG}\"\n"
    );
    installation.configure("127.0.0.1:0", &tables);
    let output = installation.serve_in_vain();
    assert_eq!(output.status.code(), Some(2));
    let line = String::from_utf8(output.stderr).unwrap();
    assert!(
        line.contains("holds nothing of the kind it is named for"),
        "{line}"
    );
}
