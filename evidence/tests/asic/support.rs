//! A small container, and tools whose absence fails in CI and skips aloud elsewhere.

use ceralacca_evidence::asic::{Container, ContainerWriter, Form, Part, Verified, verify};
use std::io::Cursor;
use std::process::{Command, Output, Stdio};

/// An original with bare line feeds, a lone carriage return and an octet that is no UTF-8.
pub const EML: &[u8] = b"From: a@pec.example\nSubject: x\r\n\r\nciao \xe8\rbare\n";
pub const OPENING: &[u8] = &[7u8; 32];
/// What stands for a signature where none is verified.
pub const SIGNATURE: &[u8] = b"signature octets";

pub type Never = std::convert::Infallible;

pub fn fill(writer: &mut ContainerWriter<Vec<u8>>) {
    writer
        .add(Part::of("ricevuta.eml", "message/rfc822", EML))
        .unwrap();
    writer
        .add(Part::of(
            "relazione.pdf",
            "application/pdf",
            b"%PDF-1.7 ...",
        ))
        .unwrap();
    writer
        .add(Part::of("proof/r.bin", "application/octet-stream", OPENING))
        .unwrap();
    writer
        .evidence_record(&["ricevuta.eml", "proof/r.bin"], b"ers octets")
        .unwrap();
}

pub fn container(form: Form) -> Vec<u8> {
    let mut writer = ContainerWriter::begin(Vec::new(), form).unwrap();
    fill(&mut writer);
    writer.sign(|_| Ok::<_, Never>(SIGNATURE.to_vec())).unwrap();
    writer.finish().unwrap()
}

/// What is wrong with a container, in words; empty when nothing is.
pub fn judged(bytes: &[u8]) -> Vec<String> {
    let mut container = match Container::open(Cursor::new(bytes)) {
        Ok(container) => container,
        Err(error) => return vec![error.to_string()],
    };
    let Verified { problems, .. } = verify(&mut container).unwrap();
    problems.iter().map(ToString::to_string).collect()
}

pub fn found(names: &[&str]) -> bool {
    for name in names {
        let version = if *name == "unzip" { "-v" } else { "--version" };
        let run = Command::new(name)
            .arg(version)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if run.is_err() {
            let in_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
            assert!(!in_ci, "{name} is missing");
            eprintln!("SKIPPED: {name} is missing");
            return false;
        }
    }
    true
}

pub fn run(command: &mut Command) -> (bool, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let mut text = String::from_utf8_lossy(&stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&stderr));
    (status.success(), text)
}
