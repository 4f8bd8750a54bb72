//! A development installation made for a test, and openssl to judge it.

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use ceralacca_evidence::authority::Authority;
use ceralacca_evidence::certificates::{Purpose, Wanted, make};
use ceralacca_evidence::software_key::{PrivateKey, SoftwareKey};
use ceralacca_evidence::tsp::{Request, Rules};
use ceralacca_evidence::{Imprint, SealSigner, StampError, Stamped, Stamper};
use ceralacca_formats::id::UtcMillis;
use ceralacca_pec::judge::Material;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

pub const DAY_MS: u64 = 86_400_000;

#[expect(
    clippy::disallowed_methods,
    reason = "a test against programs that read the clock themselves"
)]
pub fn now() -> UtcMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    UtcMillis::new(u64::try_from(since.as_millis()).unwrap())
}

pub fn after(ms: u64) -> UtcMillis {
    UtcMillis::new(now().get() + ms)
}

pub fn has(program: &str, version: &str) -> bool {
    let mut command = Command::new(program);
    let quiet = command
        .arg(version)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let found = quiet.status().is_ok();
    if !found {
        assert!(std::env::var_os("CI").is_none(), "{program} is missing");
        eprintln!("SKIPPED: {program} is missing");
    }
    found
}

pub fn ecdsa() -> PrivateKey {
    let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new());
    PrivateKey::from_pkcs8(made.unwrap().as_ref()).unwrap()
}

pub fn rsa(size: KeySize) -> Vec<u8> {
    let pair = RsaKeyPair::generate(size).unwrap();
    let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    der.as_ref().to_vec()
}

pub fn certificate(purpose: Purpose, key: &PrivateKey, issuer: &PrivateKey) -> Vec<u8> {
    let wanted = Wanted {
        purpose,
        public_key: &key.public_key(),
        serial: rand::random(),
        from: UtcMillis::new(now().get() - DAY_MS),
        until: after(365 * DAY_MS),
    };
    make(&wanted, issuer).unwrap()
}

/// A root, a seal key and a time-stamping authority below it, and a folder for openssl.
pub struct Made {
    pub folder: tempfile::TempDir,
    pub root: Vec<u8>,
    pub seal: SoftwareKey,
    pub authority: Authority,
    serial: AtomicU64,
}

impl Made {
    pub fn new() -> Self {
        Self::with_seal(ecdsa())
    }

    pub fn with_seal(seal: PrivateKey) -> Self {
        let root_key = ecdsa();
        let root = certificate(Purpose::Root, &root_key, &root_key);
        let signer = |purpose, key: PrivateKey| {
            let own = certificate(purpose, &key, &root_key);
            SoftwareKey::new(key, own, vec![root.clone()], true).unwrap()
        };
        let made = Self {
            folder: tempfile::tempdir().unwrap(),
            seal: signer(Purpose::Seal, seal),
            authority: Authority::new(Box::new(signer(Purpose::TimeStamping, ecdsa()))),
            root,
            serial: AtomicU64::new(1),
        };
        made.write("root.pem", pem(&made.root).as_bytes());
        made.write("seal.pem", pem(made.seal.certificate()).as_bytes());
        made.write("tsa.pem", pem(made.authority.certificate()).as_bytes());
        made
    }

    pub fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub fn openssl(&self, arguments: &str) -> Output {
        let mut command = Command::new("openssl");
        command.args(arguments.split_whitespace());
        command.current_dir(self.folder.path()).output().unwrap()
    }

    pub fn rules(&self) -> Rules {
        let material = Material {
            anchors: vec![self.root.clone()],
            ..Material::default()
        };
        Rules::new("sviluppo", material, false).unwrap()
    }

    pub fn answer(&self, request: &[u8], at: UtcMillis) -> Vec<u8> {
        let number = u128::from(self.serial.fetch_add(1, Ordering::Relaxed));
        let serial = (number << 64 | 1).to_be_bytes();
        self.authority.answer(request, at, serial).unwrap()
    }
}

impl Stamper for Made {
    fn stamp(&self, imprint: &Imprint) -> Result<Stamped, StampError> {
        let request = Request::new(*imprint, rand::random(), None);
        let answer = self.answer(request.der(), now());
        let checked = self.rules().check(&request, &answer, now());
        checked
            .map(|checked| checked.stamped)
            .map_err(|error| StampError::Refused(error.to_string()))
    }

    fn is_development(&self) -> bool {
        true
    }
}

pub fn pem(der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<_> = text
        .as_bytes()
        .chunks(64)
        .map(|c| std::str::from_utf8(c).unwrap())
        .collect();
    format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        lines.join("\n")
    )
}

pub fn says(output: &Output) -> String {
    let [out, err] =
        [&output.stdout, &output.stderr].map(|b| String::from_utf8_lossy(b).into_owned());
    out + &err
}

pub fn accepts(output: &Output) {
    assert!(output.status.success(), "{}", says(output));
}

pub fn refuses(output: &Output, why: &str) {
    assert!(!output.status.success(), "{}", says(output));
    assert!(says(output).contains(why), "{}", says(output));
}

/// Holds a text against its vector; with `CERALACCA_BLESS` set it becomes the vector.
pub fn is_vector(name: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("vectors")
        .join(name);
    if std::env::var_os("CERALACCA_BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(path).unwrap(), "{name}");
}
