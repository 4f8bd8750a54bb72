//! The door of the seal key: files that are refused, and a token behind PKCS#11 (SoftHSM2).

use super::*;
use ceralacca::seal_key::{OpenError, Passphrase, Source, open};
use ceralacca_evidence::cades::{self, Content};
use ceralacca_evidence::seal_key::SealAlgorithm;
use std::os::unix::fs::PermissionsExt;

fn secret(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn a_key_file_opens_with_its_passphrase_alone_and_never_where_others_may_read_it() {
    let keys = Keys::new();
    let Source::File {
        key,
        certificates,
        passphrase,
    } = keys.files.seal()
    else {
        panic!("not a file");
    };
    let with = |key: &Path, certificates: &Path, passphrase: &Passphrase| {
        open(&Source::File {
            key: key.to_owned(),
            certificates: certificates.to_owned(),
            passphrase: passphrase.clone(),
        })
        .map(|signer| signer.algorithm())
    };
    let opened = with(&key, &certificates, &passphrase).unwrap();
    assert_eq!(opened, SealAlgorithm::EcdsaP256Sha256);

    let wrong = keys.folder.path().join("wrong");
    secret(&wrong, b"x\n");
    let error = with(&key, &certificates, &Passphrase::File(wrong.clone())).unwrap_err();
    assert!(matches!(error, OpenError::Passphrase(_)), "{error}");
    let error = with(&wrong, &certificates, &passphrase).unwrap_err();
    assert!(matches!(error, OpenError::NotEncrypted(_)), "{error}");
    let unset = Passphrase::Variable("CERALACCA_TEST_VARIABLE_THAT_IS_NOT_SET".into());
    let error = with(&key, &certificates, &unset).unwrap_err();
    assert!(matches!(error, OpenError::Variable(_)), "{error}");
    let error = with(&key, &key, &passphrase).unwrap_err();
    assert!(matches!(error, OpenError::Certificates(_)), "{error}");
    let (_, others) = keys.files.authority();
    let error = with(&key, &others, &passphrase).unwrap_err();
    assert!(matches!(error, OpenError::Key { .. }), "{error}");
    let error = with(Path::new("nowhere"), &certificates, &passphrase).unwrap_err();
    assert!(matches!(error, OpenError::Read { .. }), "{error}");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let error = with(&key, &certificates, &passphrase).unwrap_err();
    assert!(
        matches!(error, OpenError::Open { mode: 0o644, .. }),
        "{error}"
    );
}

#[test]
fn a_key_that_openssl_made_and_encrypted_seals() {
    if !are_there(&[OPENSSL]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    secret(&here.join("pass"), b"una frase\n");
    for (kind, algorithm) in [
        (
            "EC -pkeyopt ec_paramgen_curve:P-256",
            SealAlgorithm::EcdsaP256Sha256,
        ),
        (
            "RSA -pkeyopt rsa_keygen_bits:3072",
            SealAlgorithm::RsaPssSha256,
        ),
    ] {
        does(
            here,
            &format!("openssl genpkey -algorithm {kind} -out plain.key"),
        );
        does(
            here,
            "openssl pkcs8 -topk8 -v2 aes-256-cbc -in plain.key -out k.key -passout file:pass",
        );
        does(
            here,
            "openssl req -x509 -key plain.key -subj /CN=Sigillo -days 9 -out k.pem",
        );
        let source = |key: &str| Source::File {
            key: here.join(key),
            certificates: here.join("k.pem"),
            passphrase: Passphrase::File(here.join("pass")),
        };
        secret(
            &here.join("plain.key"),
            &std::fs::read(here.join("plain.key")).unwrap(),
        );
        secret(
            &here.join("k.key"),
            &std::fs::read(here.join("k.key")).unwrap(),
        );
        let signer = open(&source("k.key")).unwrap();
        assert_eq!(signer.algorithm(), algorithm);
        assert!(!signer.is_development());
        let plain = open(&source("plain.key")).map(|signer| signer.algorithm());
        assert!(
            matches!(plain, Err(OpenError::NotEncrypted(_))),
            "{plain:?}"
        );
    }
}

const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
const CHILD: &str = "CERALACCA_TEST_TOKEN";
const NAME: &str = "tsa::keys::a_token_seals_by_both_algorithms_and_its_key_is_never_seen";
const DATA: &[u8] = b"indice";

/// The module finds its configuration in the environment: so the test runs itself again, with another one.
#[test]
fn a_token_seals_by_both_algorithms_and_its_key_is_never_seen() {
    if let Some(folder) = std::env::var_os(CHILD) {
        return within(Path::new(&folder));
    }
    if !are_there(&[OPENSSL, ("softhsm2-util", "--version")]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    std::fs::create_dir(here.join("tokens")).unwrap();
    let tokens = here.join("tokens");
    let configuration = format!(
        "directories.tokendir = {}\nlog.level = ERROR\n",
        tokens.display()
    );
    std::fs::write(here.join("softhsm2.conf"), configuration).unwrap();
    secret(&here.join("pin"), b"1234\n");
    let softhsm = |line: &str| {
        let mut command = Command::new("softhsm2-util");
        command.args(line.split_whitespace()).current_dir(here);
        let output = command
            .env("SOFTHSM2_CONF", here.join("softhsm2.conf"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{line}\n{}", said(&output));
    };
    softhsm("--init-token --free --label ceralacca --pin 1234 --so-pin 5678");
    for (place, (name, kind)) in [
        ("ec", "EC -pkeyopt ec_paramgen_curve:P-256"),
        ("rsa", "RSA -pkeyopt rsa_keygen_bits:3072"),
        ("short", "RSA -pkeyopt rsa_keygen_bits:2048"),
    ]
    .into_iter()
    .enumerate()
    {
        does(
            here,
            &format!("openssl genpkey -algorithm {kind} -out {name}.key"),
        );
        does(
            here,
            &format!("openssl req -x509 -key {name}.key -subj /CN=Sigillo -days 9 -out {name}.pem"),
        );
        let id = place + 1;
        softhsm(&format!(
            "--import {name}.key --token ceralacca --label {name} --id 0{id} --pin 1234"
        ));
        std::fs::remove_file(here.join(format!("{name}.key"))).unwrap();
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", NAME, "--nocapture"])
        .env(CHILD, here);
    let output = command
        .env("SOFTHSM2_CONF", here.join("softhsm2.conf"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("1 passed"), "{}", said(&output));

    std::fs::write(here.join("data"), DATA).unwrap();
    std::fs::write(here.join("twin"), b"indicE").unwrap();
    for name in ["ec", "rsa"] {
        let verify = format!(
            "openssl cms -verify -cades -binary -inform DER -in {name}.p7s -CAfile {name}.pem -purpose any -out out -content"
        );
        does(here, &format!("{verify} data"));
        refuses(here, &format!("{verify} twin"), "verification failure");
    }
}

fn within(here: &Path) {
    let source = |token: &str, key: &str, certificates: &str, pin: &str| Source::Token {
        module: MODULE.into(),
        token: token.into(),
        key: key.into(),
        pin: here.join(pin),
        certificates: here.join(certificates),
    };
    let now = SystemClock::default().wall();
    let mut opened = Vec::new();
    for (name, algorithm) in [
        ("ec", SealAlgorithm::EcdsaP256Sha256),
        ("rsa", SealAlgorithm::RsaPssSha256),
    ] {
        let certificates = format!("{name}.pem");
        let signer = open(&source("ceralacca", name, &certificates, "pin")).unwrap();
        assert_eq!(signer.algorithm(), algorithm);
        let signed = cades::sign(Content::detached(DATA), now, &*signer).unwrap();
        std::fs::write(here.join(format!("{name}.p7s")), signed).unwrap();
        opened.push(signer);
    }
    // Two sessions side by side, and each from several threads.
    std::thread::scope(|scope| {
        for signer in opened.iter().chain(&opened) {
            scope.spawn(|| signer.sign(b"x").unwrap());
        }
    });
    let refused = |token: &str, key: &str, certificates: &str, pin: &str| {
        let source = source(token, key, certificates, pin);
        open(&source).map(|signer| signer.algorithm()).unwrap_err()
    };
    let error = refused("altro", "ec", "ec.pem", "pin");
    assert!(
        matches!(&error, OpenError::Label(said) if said.contains("no token")),
        "{error}"
    );
    let error = refused("ceralacca", "altra", "ec.pem", "pin");
    assert!(
        matches!(&error, OpenError::Label(said) if said.contains("has 0 private keys")),
        "{error}"
    );
    let error = refused("ceralacca", "rsa", "ec.pem", "pin");
    assert!(matches!(error, OpenError::Key { .. }), "{error}");
    let OpenError::Key { source: short, .. } = refused("ceralacca", "short", "short.pem", "pin")
    else {
        panic!("a short key opened");
    };
    assert!(short.to_string().contains("2048 bits"), "{short}");
    let error = refused("ceralacca", "ec", "ec.pem", "nowhere");
    assert!(matches!(error, OpenError::Read { .. }), "{error}");
}
