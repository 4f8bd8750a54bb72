//! The very lines of LEGGIMI.txt, run by a shell on a package.

use crate::tools::{found, run};
use ceralacca_evidence::asic::{ContainerWriter, Form as ZipForm, Part};
use ceralacca_pages::model::{FileRole, Instant, Language, PackageFile};
use ceralacca_pages::{
    Form, Package, PageError, ProofFile, SignedObject, TokenFile, VERIFY_PROOF, leggimi,
};
use std::path::Path;
use std::process::Command;

/// Golden proof, record 1 of three, and the key of its log (docs/formats.md, sections 7 and 8).
const PROOF: &[u8] = include_bytes!("../../../formats/vectors/record.tlog-proof");
const LOG_KEY: &str = "pec.example.test/log+b0b5d5af+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c";

fn openssl(folder: &Path, arguments: &str) {
    let (ok, said) = run(Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(folder));
    assert!(ok, "openssl {arguments}: {said}");
}

/// Keys, a signed message, a token: made by openssl, and left in the folder.
fn authorities(folder: &Path) {
    std::fs::write(
        folder.join("tsa.cnf"),
        "[tsa]\ndefault_tsa=t\n[t]\nserial=serial\ndefault_policy=1.2.3.4\ndigests=sha256\nsigner_digest=sha256\n",
    )
    .unwrap();
    std::fs::write(folder.join("serial"), "01\n").unwrap();
    let new = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650";
    openssl(
        folder,
        &format!("{new} -subj /CN=Sigillo -keyout k.pem -out c.pem"),
    );
    openssl(
        folder,
        &format!(
            "{new} -subj /CN=TSA -addext extendedKeyUsage=critical,timeStamping -keyout tk.pem -out tc.pem"
        ),
    );
    let both = ["c.pem", "tc.pem"].map(|name| std::fs::read(folder.join(name)).unwrap());
    std::fs::write(folder.join("autorita.pem"), both.concat()).unwrap();
    std::fs::write(
        folder.join("body.txt"),
        "Content-Type: text/plain\r\n\r\nciao\r\n",
    )
    .unwrap();
    openssl(
        folder,
        "cms -sign -in body.txt -signer c.pem -inkey k.pem -out ricevuta.eml",
    );
    std::fs::write(folder.join("checkpoint.note"), "note\n").unwrap();
    openssl(
        folder,
        "ts -query -data checkpoint.note -sha256 -cert -out q.tsq",
    );
    openssl(
        folder,
        "ts -reply -config tsa.cnf -section t -queryfile q.tsq -signer tc.pem -inkey tk.pem -token_out -out t.tst",
    );
}

/// Writes the package and its text; gives the text.
fn package(folder: &Path, language: Language) -> String {
    authorities(folder);
    std::fs::write(folder.join("log.vkey"), LOG_KEY).unwrap();
    let eml = std::fs::read(folder.join("ricevuta.eml")).unwrap();
    let token = std::fs::read(folder.join("t.tst")).unwrap();
    let contents: [(&str, &str, &[u8]); 5] = [
        ("ricevuta.eml", "message/rfc822", &eml),
        ("proof/record.tlog-proof", "text/plain", PROOF),
        (
            "proof/verify_proof.py",
            "text/x-python",
            VERIFY_PROOF.as_bytes(),
        ),
        ("proof/checkpoint.note", "text/plain", b"note\n"),
        (
            "proof/checkpoint.tst",
            "application/timestamp-token",
            &token,
        ),
    ];
    let file = |(name, _, bytes): &(&str, &str, &[u8])| PackageFile {
        name: (*name).to_owned(),
        role: FileRole::Proof,
        bytes: bytes.len() as u64,
        sha256: ceralacca_formats::digest::Sha256::of(bytes).to_string(),
    };
    let files: Vec<_> = contents.iter().map(file).collect();
    let text = leggimi(&Package {
        language,
        form: Form::Archive("pacchetto.asice"),
        roots: "autorita.pem",
        log_key: "log.vkey",
        verify_proof: "proof/verify_proof.py",
        files: &files,
        objects: &[SignedObject {
            file: "ricevuta.eml".to_owned(),
            proven: Some(now()),
            has_bare_line_feeds: false,
        }],
        tokens: &[TokenFile {
            token: "proof/checkpoint.tst".to_owned(),
            covers: "proof/checkpoint.note".to_owned(),
        }],
        certificates: &[],
        proofs: &[ProofFile {
            leaf: 1,
            proof: "proof/record.tlog-proof".to_owned(),
            content: None,
        }],
        signatures: 1,
        is_development: true,
        is_pending: false,
    })
    .unwrap();
    let mut writer = ContainerWriter::begin(Vec::new(), ZipForm::AsicE).unwrap();
    for (name, media_type, bytes) in contents {
        writer.add(Part::of(name, media_type, bytes)).unwrap();
    }
    writer
        .add(Part::of("proof/LEGGIMI.txt", "text/plain", text.as_bytes()))
        .unwrap();
    writer
        .sign(|manifest| {
            std::fs::write(folder.join("m.xml"), manifest)?;
            openssl(
                folder,
                "cms -sign -binary -cades -nosmimecap -md sha256 -in m.xml -signer c.pem -inkey k.pem -outform DER -out s.p7s",
            );
            std::fs::read(folder.join("s.p7s"))
        })
        .unwrap();
    std::fs::write(folder.join("pacchetto.asice"), writer.finish().unwrap()).unwrap();
    text
}

/// An instant within the validity of keys made a moment ago.
fn now() -> Instant {
    let (ok, seconds) = run(Command::new("date").arg("+%s"));
    assert!(ok, "{seconds}");
    Instant::from_millis(seconds.trim().parse::<i64>().unwrap() * 1000)
}

fn shell(folder: &Path, text: &str) -> (bool, String) {
    std::fs::write(folder.join("LEGGIMI.txt"), text).unwrap();
    run(Command::new("sh")
        .args(["-e", "LEGGIMI.txt"])
        .current_dir(folder))
}

#[test]
fn the_lines_of_leggimi_verify_the_package_and_reject_damaged_twins() {
    if !found(&["openssl", "python3", "sha256sum"]) {
        return;
    }
    for language in [Language::It, Language::En] {
        let folder = tempfile::tempdir().unwrap();
        let text = package(folder.path(), language);
        let (ok, said) = shell(folder.path(), &text);
        assert!(ok, "{said}\n{text}");
        for answer in [
            "No errors detected in compressed data of pacchetto.asice.",
            "ricevuta.eml: OK",
            "manifesti esatti",
            "CMS Verification successful",
            "Verification: OK",
            "OK record 1 of ",
        ] {
            assert!(said.contains(answer), "{answer}\n{said}");
        }
        assert_eq!(
            said.matches("CMS Verification successful").count(),
            2,
            "{said}"
        );
        // Without the archive around it, each file is changed in turn where it lies unpacked.
        let unpacked = |text: &str| {
            let rest = text.split_once("cd pacchetto.asice.d").unwrap().1;
            format!("cd pacchetto.asice.d{rest}")
        };
        let text = unpacked(&text);
        for name in [
            "ricevuta.eml",
            "proof/record.tlog-proof",
            "proof/checkpoint.tst",
            "META-INF/ASiCManifest001.xml",
            "META-INF/signature001.p7s",
        ] {
            let path = folder.path().join("pacchetto.asice.d").join(name);
            let good = std::fs::read(&path).unwrap();
            let mut bad = good.clone();
            let middle = bad.len() / 2;
            bad[middle] ^= 1;
            std::fs::write(&path, bad).unwrap();
            let (ok, said) = shell(folder.path(), &text);
            assert!(!ok, "{name}\n{said}");
            std::fs::write(&path, good).unwrap();
        }
        let stray = folder.path().join("pacchetto.asice.d/aggiunto.eml");
        std::fs::write(&stray, "x").unwrap();
        assert!(!shell(folder.path(), &text).0);
        std::fs::remove_file(stray).unwrap();
        let (ok, said) = shell(folder.path(), &text);
        assert!(ok, "{said}");
    }
}

#[test]
fn a_name_that_a_shell_would_read_otherwise_makes_no_command() {
    let file = |name: &str| {
        vec![PackageFile {
            name: name.to_owned(),
            role: FileRole::Object,
            bytes: 1,
            sha256: "0".repeat(64),
        }]
    };
    for name in ["a b", "$(reboot)", "a;b", "-rf", "a\nb", "", "à.eml"] {
        let files = file(name);
        let refused = leggimi(&Package {
            language: Language::It,
            form: Form::Folder("f"),
            roots: "r.pem",
            log_key: "k",
            verify_proof: "v.py",
            files: &files,
            objects: &[],
            tokens: &[],
            certificates: &[],
            proofs: &[],
            signatures: 1,
            is_development: false,
            is_pending: false,
        });
        assert_eq!(refused, Err(PageError::FileName(name.to_owned())));
    }
}
