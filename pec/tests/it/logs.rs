//! Log files signed by somebody else's program, and the day of a provider.

use ceralacca_pec::logs::{FileDate, Item, format, p7m, read};
use std::path::Path;
use std::process::Command;

/// A day as such files have it: transactions of three records, invented.
fn day(transactions: usize) -> String {
    let mut out = String::new();
    for n in 0..transactions {
        let (minute, second) = (n / 60 % 60, n % 60);
        for (kind, label, more) in [
            ("posta-certificata", "BustaTrasporto", ""),
            (
                "presa-in-carico",
                "PresaInCarico",
                ": ricezione=bruno@pec.beta.example",
            ),
            (
                "avvenuta-consegna",
                "Consegna",
                ": tipo_ricevuta=completa: consegna=bruno@pec.beta.example",
            ),
        ] {
            out += &format!(
                "Mag  7 09:{minute:02}:{second:02} 2007 PEC_Milter root [{n}]: \
                 alfa.{n}@pec.alfa.example: queueid=q{n}: tipo={kind} ({label}): \
                 mittente=anna{n}@pec.alfa.example: \
                 destinatari=bruno@pec.beta.example (certificato): oggetto=Prova: numero {n}: \
                 message-id=<{label}.{n}@pec.alfa.example>: gestore=Gestore Alfa S.p.A.{more}\n"
            );
        }
    }
    out
}

fn openssl(folder: &Path, arguments: &[&str]) {
    let output = Command::new("openssl")
        .args(arguments)
        .current_dir(folder)
        .output();
    let output = output.expect("openssl must be there");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
}

#[test]
fn the_content_of_a_signed_log_is_the_log_in_der_and_in_ber_however_its_signer_ends() {
    let folder = tempfile::tempdir().unwrap();
    let (folder, text) = (folder.path(), day(300));
    std::fs::write(folder.join("log"), &text).unwrap();
    let subject = "/CN=posta-certificata.example";
    openssl(
        folder,
        &[
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key", "-out", "cert",
            "-subj", subject,
        ],
    );
    let sign = [
        "cms",
        "-sign",
        "-binary",
        "-nodetach",
        "-in",
        "log",
        "-signer",
        "cert",
        "-inkey",
        "key",
        "-outform",
    ];
    for (form, stream) in [("DER", false), ("DER", true), ("PEM", false)] {
        let mut arguments = [&sign[..], &[form, "-out", "p7m"]].concat();
        arguments.extend(stream.then_some("-stream"));
        openssl(folder, &arguments);
        let bytes = std::fs::read(folder.join("p7m")).unwrap();
        assert_eq!(p7m::content(&bytes).unwrap(), text.as_bytes());
        if form == "DER" {
            let (end, mut broken) = (bytes.len() - 200, bytes.clone());
            broken[end..].fill(0x55);
            assert_eq!(p7m::content(&broken).unwrap(), text.as_bytes());
            assert_eq!(p7m::content(&bytes[..end]).unwrap(), text.as_bytes());
        }
    }
    let date = FileDate::from_name(&format::MILTER, "PEC2-2007-05-07.log.p7m");
    let (items, summary) = read(&format::MILTER, date, text.as_bytes());
    assert_eq!((summary.entries, summary.unread), (900, 0));
    let is_clean = |item: &Item| matches!(item, Item::Entry(entry) if entry.findings.is_empty());
    assert!(items.iter().all(is_clean));
}
