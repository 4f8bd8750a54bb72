//! unzip, python, xmllint, openssl; and the zip crate, which shares no code with ours.

use crate::support::*;
use ceralacca_evidence::asic::{ContainerWriter, Form};
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::process::Command;

fn schemas() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/schemas")
}

#[test]
fn mimetype_is_where_the_standard_has_it() {
    let bytes = container(Form::AsicE);
    assert_eq!(&bytes[..4], b"PK\x03\x04");
    assert_eq!(bytes[18..22], 31u32.to_le_bytes());
    assert_eq!(bytes[28..30], [0, 0], "no extra field");
    assert_eq!(&bytes[30..38], b"mimetype");
    assert_eq!(&bytes[38..69], b"application/vnd.etsi.asic-e+zip");
}

/// `CERALACCA_BLESS=1` writes it.
#[test]
fn the_container_vector_is_reproduced() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/container.asice");
    if std::env::var_os("CERALACCA_BLESS").is_some() {
        std::fs::write(&path, container(Form::AsicE)).unwrap();
    }
    assert_eq!(std::fs::read(path).unwrap(), container(Form::AsicE));
}

#[test]
fn unzip_and_python_read_it_and_reject_a_damaged_twin() {
    if !found(&["unzip", "python3"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for form in [Form::AsicE, Form::Zip] {
        let path = folder.path().join("p.asice");
        let mut bytes = container(form);
        std::fs::write(&path, &bytes).unwrap();
        let script = "import sys, zipfile\n\
            z = zipfile.ZipFile(sys.argv[1])\n\
            assert z.testzip() is None\n\
            assert all(i.compress_type == 0 and not i.extra and not i.flag_bits for i in z.infolist())\n\
            sys.stdout.buffer.write(z.read('ricevuta.eml'))";
        let unzip = || run(Command::new("unzip").arg("-t").arg(&path));
        let python = || {
            Command::new("python3")
                .args(["-c", script])
                .arg(&path)
                .output()
                .unwrap()
        };
        let (ok, said) = unzip();
        assert!(ok, "{said}");
        assert_eq!(python().stdout, EML, "bare line feeds travel unchanged");
        let at = bytes
            .windows(4)
            .position(|octets| octets == b"ciao")
            .unwrap();
        bytes[at] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert!(!unzip().0);
        assert!(!python().status.success());
    }
}

#[test]
fn the_zip_crate_finds_the_same_files() {
    let bytes = container(Form::AsicE);
    let mut archive = zip::ZipArchive::new(Cursor::new(&bytes)).unwrap();
    assert_eq!(
        archive.comment(),
        b"mimetype=application/vnd.etsi.asic-e+zip"
    );
    let mut eml = Vec::new();
    archive
        .by_name("ricevuta.eml")
        .unwrap()
        .read_to_end(&mut eml)
        .unwrap();
    assert_eq!(eml, EML);
    archive.validate_header_consistency().unwrap();
}

#[test]
fn manifests_follow_the_schema_of_the_standard() {
    if !found(&["unzip", "xmllint"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.asice");
    std::fs::write(&path, container(Form::AsicE)).unwrap();
    let (ok, said) = run(Command::new("unzip")
        .arg("-q")
        .arg(&path)
        .current_dir(&folder));
    assert!(ok, "{said}");
    let lint = |file: &Path| {
        run(Command::new("xmllint")
            .args(["--nonet", "--noout", "--schema"])
            .arg(schemas().join("en_31916201v010101.xsd"))
            .arg(file)
            .env("XML_CATALOG_FILES", schemas().join("catalog.xml")))
    };
    for name in ["ASiCManifest001.xml", "ASiCEvidenceRecordManifest001.xml"] {
        let file = folder.path().join("META-INF").join(name);
        let (ok, said) = lint(&file);
        assert!(ok && said.contains("validates"), "{said}");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replace("SigReference", "Reference")).unwrap();
        let (ok, said) = lint(&file);
        assert!(!ok, "{said}");
    }
}

#[test]
fn openssl_verifies_the_signature_over_the_manifest_as_it_lies_in_the_container() {
    if !found(&["unzip", "openssl"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let openssl = |arguments: &[&str]| {
        let mut command = Command::new("openssl");
        run(command.args(arguments).current_dir(&folder))
    };
    let (ok, said) = openssl(&[
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "3650",
        "-subj",
        "/CN=Sigillo di prova",
        "-keyout",
        "k.pem",
        "-out",
        "c.pem",
    ]);
    assert!(ok, "{said}");
    let mut writer = ContainerWriter::begin(Vec::new(), Form::AsicE).unwrap();
    fill(&mut writer);
    writer
        .sign(|manifest| {
            std::fs::write(folder.path().join("m.xml"), manifest)?;
            let (ok, said) = openssl(&[
                "cms",
                "-sign",
                "-binary",
                "-cades",
                "-nosmimecap",
                "-md",
                "sha256",
                "-in",
                "m.xml",
                "-signer",
                "c.pem",
                "-inkey",
                "k.pem",
                "-outform",
                "DER",
                "-out",
                "s.p7s",
            ]);
            assert!(ok, "{said}");
            std::fs::read(folder.path().join("s.p7s"))
        })
        .unwrap();
    std::fs::write(folder.path().join("p.asice"), writer.finish().unwrap()).unwrap();
    let (ok, said) = run(Command::new("unzip")
        .args(["-q", "p.asice"])
        .current_dir(&folder));
    assert!(ok, "{said}");
    let verify = || {
        openssl(&[
            "cms",
            "-verify",
            "-binary",
            "-cades",
            "-inform",
            "DER",
            "-in",
            "META-INF/signature001.p7s",
            "-content",
            "META-INF/ASiCManifest001.xml",
            "-CAfile",
            "c.pem",
            "-purpose",
            "any",
            "-out",
            "/dev/null",
        ])
    };
    let (ok, said) = verify();
    assert!(ok, "{said}");
    let manifest = folder.path().join("META-INF/ASiCManifest001.xml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.replace("message/rfc822", "message/rfc823")).unwrap();
    let (ok, said) = verify();
    assert!(!ok, "{said}");
}
