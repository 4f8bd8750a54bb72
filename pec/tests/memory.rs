//! Reading keeps no more than it says, however long the input is. Alone in its program: what is measured is the
//! most memory the whole program ever had.
#![forbid(unsafe_code)]

use ceralacca_pec::logs::{LogReader, format};
use ceralacca_pec::{Reader, read};

const MIB: usize = 1 << 20;
/// Octets of each stream.
const STREAM_BYTES: usize = 64 * MIB;
/// What reading any stream may add: the bounds of a header, a signature, a daticert and a line, some times over.
const ADDED_MAX: usize = 32 * MIB;

/// The most memory this program had so far; `None` where the system does not say.
fn most() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: usize = line.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

#[test]
fn streams_without_end_are_read_in_bounded_memory() {
    let signed =
        "From: a@example.test\r\nContent-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n";
    let mixed = format!("{signed}Content-Type: multipart/mixed; boundary=c\r\n\r\n");
    let daticert = format!(
        "{mixed}--c\r\nContent-Type: application/xml; name=daticert.xml\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n"
    );
    let signature = format!("{signed}\r\n--b\r\nContent-Type: application/pkcs7-signature\r\n\r\n");
    let record = "Mag  7 09:10:11 2007 PEC_Milter root [812]: x: tipo=accettazione (Accettazione)";
    // What is read before is no part of the measure.
    let _ = read(daticert.as_bytes());
    let Some(before) = most() else {
        eprintln!("NOT RUN: the system does not say how much memory a program has");
        return;
    };
    for (name, head, piece) in [
        ("header", "", "X: y\r\n"),
        ("one header line", "From: ", "x"),
        ("folded header", "From: a", "\r\n x"),
        ("signed part", signed, "prova\r\n"),
        ("one line", signed, "x"),
        ("delimiters", signed, "--b\r\n"),
        ("header of a part", &mixed, "--c\r\nX: y\r\n"),
        (
            "one header of a part",
            &format!("{mixed}--c\r\n"),
            "X: y\r\n",
        ),
        ("parts", &mixed, "--c\r\n\r\nx\r\n"),
        ("daticert", &daticert, "QUFB\r\n"),
        ("signature", &signature, "QUFB\r\n"),
    ] {
        let mut reader = Reader::new();
        reader.push(head.as_bytes());
        stream(piece, |bytes| reader.push(bytes));
        drop(reader.finish());
        check(name, before);
    }
    for (name, head, piece) in [
        ("records", "", format!("{record}\n")),
        ("recipients", record, ": destinatari=a@b.example".to_owned()),
        ("folded text", record, "\n x".to_owned()),
        ("blank lines", record, "\n".to_owned()),
        ("stray lines", "", "x\n".to_owned()),
        ("one line", "", "x".to_owned()),
    ] {
        let mut reader = LogReader::new(&format::MILTER, None);
        reader.push(head.as_bytes(), drop);
        stream(&piece, |bytes| reader.push(bytes, drop));
        reader.finish(drop);
        check(name, before);
    }
}

fn stream(piece: &str, mut push: impl FnMut(&[u8])) {
    let bytes = piece.repeat((64 << 10) / piece.len());
    for _ in 0..STREAM_BYTES / bytes.len() {
        push(bytes.as_bytes());
    }
}

fn check(name: &str, before: usize) {
    let added = most().unwrap_or_default().saturating_sub(before);
    println!("{name}: {} KiB", added / 1024);
    assert!(added < ADDED_MAX, "{name}: {added}");
}
