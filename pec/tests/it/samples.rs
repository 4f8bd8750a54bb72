//! Real messages, where a folder of them is named by `CERALACCA_SAMPLES`. They are not part of the project;
//! nothing of their contents is printed.

use ceralacca_formats::leaf::Kind;
use ceralacca_pec::{Reader, read};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Beginnings of the names of samples whose signature verifies: byte-exact as their provider sent them.
const GENUINE: [&str; 5] = [
    "a2014-",
    "b2018-ACCETTAZIONE",
    "b2018-CONSEGNA",
    "b2018-PC_Invio_File_7339338.b7ff4b0",
    "b2018-PC_Ricevuta_di_consegna_6782414.cd77e45",
];

/// Names and octets of the samples.
fn samples() -> Option<Vec<(String, Vec<u8>)>> {
    let Some(folder) = std::env::var_os("CERALACCA_SAMPLES") else {
        eprintln!("NOT RUN: CERALACCA_SAMPLES is not set");
        return None;
    };
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.is_file()).collect();
    files.sort();
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    Some(
        files
            .iter()
            .map(|path| (name(path), std::fs::read(path).unwrap()))
            .collect(),
    )
}

fn is_genuine(name: &str) -> bool {
    GENUINE.iter().any(|start| name.starts_with(start))
}

#[test]
fn real_messages_give_their_facts() {
    let Some(samples) = samples() else { return };
    assert!(samples.iter().any(|(name, _)| is_genuine(name)));
    for (name, bytes) in samples {
        let reading = read(&bytes);
        let mut reader = Reader::new();
        bytes.chunks(7).for_each(|piece| reader.push(piece));
        assert!(
            reader.finish() == reading,
            "{name}: pieces give another reading"
        );
        eprintln!(
            "{name}: {} {:?} {:?}",
            reading.kind, reading.unclassified, reading.findings
        );
        if !is_genuine(&name) {
            continue;
        }
        let facts = reading
            .facts
            .as_ref()
            .unwrap_or_else(|| panic!("{name}: no facts"));
        let id = facts
            .identificativo
            .as_ref()
            .unwrap_or_else(|| panic!("{name}: no identificativo"));
        assert!(
            facts.event_ms.is_some() && !facts.recipients.is_empty(),
            "{name}"
        );
        let message_id = reading.message_id.as_ref().unwrap().as_bytes();
        let own = [b"<", id.as_bytes(), b">"].concat() == message_id;
        assert_eq!(
            own,
            reading.kind == Kind::Envelope,
            "{name}: Message-ID and identificativo"
        );
        let delivered = facts.delivered_to.as_ref();
        assert!(
            delivered.is_none_or(|to| facts.recipients.iter().any(|r| r.address == *to)),
            "{name}"
        );
    }
}

#[test]
fn the_signatures_of_real_messages_verify_over_the_octets_found() {
    let Some(samples) = samples() else { return };
    let folder = std::env::temp_dir().join(format!("ceralacca-pec-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for (name, bytes) in samples {
        let Some(detached) = read(&bytes).detached(&bytes) else {
            assert!(!is_genuine(&name), "{name}: no signature");
            continue;
        };
        let (content, p7s) = (folder.join("content"), folder.join("p7s"));
        std::fs::write(&content, canonical(detached.signed)).unwrap();
        std::fs::write(&p7s, &detached.p7s).unwrap();
        let verifies = openssl_accepts(&content, &p7s);
        assert_eq!(verifies, is_genuine(&name), "{name}: verdict of openssl");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

/// RFC 8551 section 3.1.1: every line ends in CR LF.
fn canonical(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 32);
    for (at, octet) in bytes.iter().enumerate() {
        if *octet == b'\n' && (at == 0 || bytes[at - 1] != b'\r') {
            out.push(b'\r');
        }
        out.push(*octet);
    }
    out
}

fn openssl_accepts(content: &Path, p7s: &Path) -> bool {
    let output = Command::new("openssl")
        .args([
            "cms",
            "-verify",
            "-noverify",
            "-binary",
            "-inform",
            "DER",
            "-out",
            "/dev/null",
            "-in",
        ])
        .arg(p7s)
        .arg("-content")
        .arg(content)
        .output();
    output.expect("openssl must be there").status.success()
}
