//! What openssl makes, judged here; and what openssl says of what is judged here.
//!
//! A missing openssl fails in CI and is skipped aloud elsewhere.

use crate::families;
use crate::make::{Mail, inside};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ceralacca_pec::judge::{Ground, Level, Material, Scheme, Times, Trust, Verdict, judge};
use ceralacca_pec::{DigestAlgorithm, Reading, read};
use ceralacca_synthetic::damage::{self, Cut};
use ceralacca_synthetic::mail::{Message, Postal, Select};
use ceralacca_synthetic::pki::Keys;
use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// False, aloud, when openssl is missing; in CI that is a failure.
pub fn is_there() -> bool {
    let mut command = Command::new("openssl");
    let command = command.arg("version").stdout(Stdio::null());
    let found = command.status().is_ok();
    if !found {
        let in_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!in_ci, "openssl is missing");
        eprintln!("SKIPPED: openssl is missing");
    }
    found
}

/// An authority and a signer, both made by openssl.
pub struct Made {
    folder: tempfile::TempDir,
}

impl Made {
    fn new(key: &[&str], digest: &str) -> Self {
        let made = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let extensions = "keyUsage=critical,digitalSignature\nextendedKeyUsage=emailProtection\n\
             subjectAltName=email:posta-certificata@pec.alfa.example\nsubjectKeyIdentifier=hash\n\
             authorityKeyIdentifier=keyid\n";
        std::fs::write(made.folder.path().join("ext"), extensions).unwrap();
        let digest = format!("-{digest}");
        let request = |subject: &str, rest: &[&str]| {
            let args = [&["req", "-nodes", "-subj", subject], key, rest].concat();
            made.run(&args);
        };
        request(
            "/C=IT/O=Agenzia di prova/CN=CA di prova",
            &[
                "-x509", &digest, "-days", "3650", "-keyout", "ca.key", "-out", "ca.pem",
            ],
        );
        request(
            "/C=IT/O=Gestore Alfa/CN=Posta Certificata",
            &[&digest, "-keyout", "key", "-out", "csr"],
        );
        made.run(&[
            "x509",
            "-req",
            "-in",
            "csr",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-set_serial",
            "7",
            &digest,
            "-days",
            "3650",
            "-extfile",
            "ext",
            "-out",
            "cert.pem",
        ]);
        made
    }

    fn run(&self, args: &[&str]) {
        let output = Command::new("openssl")
            .args(args)
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {said}");
    }

    fn der(&self, name: &str) -> Vec<u8> {
        let pem = std::fs::read_to_string(self.folder.path().join(name)).unwrap();
        let text: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        BASE64_STANDARD.decode(text).unwrap()
    }

    fn trust(&self) -> Trust {
        Trust::new(Material {
            anchors: vec![self.der("ca.pem")],
            ..Material::default()
        })
        .unwrap()
    }

    fn sign(&self, octets: &[u8], options: &[&str]) -> Vec<u8> {
        let path = |name: &str| self.folder.path().join(name);
        std::fs::write(path("content"), octets).unwrap();
        let fixed = [
            "cms",
            "-sign",
            "-binary",
            "-in",
            "content",
            "-signer",
            "cert.pem",
            "-inkey",
            "key",
            "-certfile",
            "ca.pem",
            "-outform",
            "DER",
            "-out",
            "p7s",
        ];
        self.run(&[&fixed, options].concat());
        std::fs::read(path("p7s")).unwrap()
    }

    fn judge(&self, options: &[&str]) -> Verdict {
        let mail = Mail {
            micalg: "\"sha-384,sha-512,sha-256\"",
            ..Mail::default()
        };
        mail.judge(&self.sign(&mail.signed, options), &self.trust())
    }
}

/// A chain of RSA keys of 1024 bits, certified with SHA-1.
pub struct Weak(Made);

impl Weak {
    pub fn get() -> &'static Self {
        static WEAK: OnceLock<Weak> = OnceLock::new();
        WEAK.get_or_init(|| Self(Made::new(&["-newkey", "rsa:1024"], "sha1")))
    }

    pub fn with_digest(&self, digest: &str) -> Verdict {
        self.0.judge(&["-md", digest])
    }
}

#[test]
fn weak_keys_and_digests_are_verified_and_called_weak() {
    if !is_there() {
        return;
    }
    for (digest, sha1) in [("sha1", true), ("sha256", false), ("sha512", false)] {
        let verdict = Weak::get().with_digest(digest);
        assert_eq!(verdict.level, Level::IntegralWeak, "{:?}", verdict.grounds);
        assert_eq!(verdict.has(Ground::Sha1), sha1);
        assert!(verdict.has(Ground::CertificateSha1) && verdict.has(Ground::ShortKey));
    }
    // aws-lc verifies SHA-384 from 2048 bits on.
    let verdict = Weak::get().with_digest("sha384");
    assert_eq!(verdict.grounds, [Ground::SignatureUnsupported]);
}

#[test]
fn every_form_openssl_makes_is_judged_or_said_to_be_unsupported() {
    if !is_there() {
        return;
    }
    let pss = ["-keyopt", "rsa_padding_mode:pss", "-keyopt"];
    let rsa = Made::new(&["-newkey", "rsa:2048"], "sha256");
    let p256 = Made::new(
        &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
        "sha256",
    );
    let p384 = Made::new(
        &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
        "sha384",
    );
    let p521 = Made::new(
        &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-521"],
        "sha256",
    );
    use DigestAlgorithm::{Sha1, Sha256, Sha384, Sha512};
    let unsupported = Err(Ground::SignatureUnsupported);
    for (name, made, options, expected) in [
        (
            "RSA SHA-1",
            &rsa,
            vec!["-md", "sha1"],
            Ok((Scheme::RsaPkcs1, Sha1)),
        ),
        (
            "RSA SHA-256",
            &rsa,
            vec!["-md", "sha256"],
            Ok((Scheme::RsaPkcs1, Sha256)),
        ),
        (
            "RSA SHA-384",
            &rsa,
            vec!["-md", "sha384"],
            Ok((Scheme::RsaPkcs1, Sha384)),
        ),
        (
            "RSA SHA-512",
            &rsa,
            vec!["-md", "sha512"],
            Ok((Scheme::RsaPkcs1, Sha512)),
        ),
        (
            "RSA MD5",
            &rsa,
            vec!["-md", "md5"],
            Err(Ground::DigestUnsupported),
        ),
        (
            "RSA SHA-224",
            &rsa,
            vec!["-md", "sha224"],
            Err(Ground::DigestUnsupported),
        ),
        (
            "key identifier",
            &rsa,
            vec!["-keyid"],
            Ok((Scheme::RsaPkcs1, Sha256)),
        ),
        (
            "no attributes",
            &rsa,
            vec!["-noattr"],
            Ok((Scheme::RsaPkcs1, Sha256)),
        ),
        (
            "streamed",
            &rsa,
            vec!["-stream"],
            Ok((Scheme::RsaPkcs1, Sha256)),
        ),
        (
            "attached",
            &rsa,
            vec!["-nodetach"],
            Ok((Scheme::RsaPkcs1, Sha256)),
        ),
        (
            "CAdES",
            &rsa,
            vec!["-cades"],
            Ok((Scheme::RsaPkcs1, Sha256)),
        ),
        (
            "no certificates",
            &rsa,
            vec!["-nocerts"],
            Err(Ground::CertificateMissing),
        ),
        (
            "PSS",
            &rsa,
            [&pss[..], &["rsa_pss_saltlen:digest"]].concat(),
            Ok((Scheme::RsaPss, Sha256)),
        ),
        (
            "PSS, greatest salt",
            &rsa,
            [&pss[..], &["rsa_pss_saltlen:max"]].concat(),
            unsupported,
        ),
        (
            "PSS, other salt",
            &rsa,
            [&pss[..], &["rsa_pss_saltlen:20"]].concat(),
            unsupported,
        ),
        (
            "PSS SHA-512 without attributes",
            &rsa,
            [
                &["-noattr", "-md", "sha512"],
                &pss[..],
                &["rsa_pss_saltlen:digest"],
            ]
            .concat(),
            Ok((Scheme::RsaPss, Sha512)),
        ),
        ("P-256", &p256, vec![], Ok((Scheme::Ecdsa, Sha256))),
        (
            "P-256 SHA-512",
            &p256,
            vec!["-md", "sha512"],
            Ok((Scheme::Ecdsa, Sha512)),
        ),
        (
            "P-256 no attributes",
            &p256,
            vec!["-noattr"],
            Ok((Scheme::Ecdsa, Sha256)),
        ),
        (
            "P-384",
            &p384,
            vec!["-md", "sha384"],
            Ok((Scheme::Ecdsa, Sha384)),
        ),
        (
            "P-384 SHA-256",
            &p384,
            vec!["-md", "sha256"],
            Ok((Scheme::Ecdsa, Sha256)),
        ),
        ("P-521", &p521, vec!["-md", "sha256"], unsupported),
    ] {
        let verdict = made.judge(&options);
        match expected {
            Ok((scheme, digest)) => {
                let level = match digest {
                    Sha1 => Level::IntegralWeak,
                    _ => Level::IntegralTrusted,
                };
                // Without a signing time the one of the daticert counts: before these certificates.
                let level = match verdict.signing_ms {
                    None => Level::IntegralUntrusted,
                    Some(_) => level,
                };
                assert_eq!(verdict.level, level, "{name}: {:?}", verdict.grounds);
                let signature = verdict.signature.unwrap();
                assert_eq!(
                    (signature.scheme, signature.digest),
                    (scheme, digest),
                    "{name}"
                );
            }
            Err(ground) => {
                assert_eq!(verdict.level, Level::Broken, "{name}");
                assert!(verdict.has(ground), "{name}: {:?}", verdict.grounds);
            }
        }
    }
}

/// How many messages are compared, unless `CERALACCA_DIFFERENTIAL` says.
const COMPARED: usize = 1000;

/// Where a difference is one that is known; everything else fails the test.
///
/// Here integral, refused there: openssl does not read a CMS that holds one unreadable certificate; it wants the
/// digest algorithm named among those of the SignedData, which nobody signs (RFC 5652 section 5.1: it may); a
/// message without its close delimiter is no message there.
///
/// Here broken, accepted there: openssl takes the digest algorithm from its own field only, with any parameters and
/// whatever the signature algorithm says; does not hold the content type against the one that was signed; compares
/// names across more kinds of strings; reads some certificates and lengths that are not read here.
const LENIENT: [&str; 5] = [
    "certificates",
    "digest algorithms",
    "no close delimiter",
    "indefinite, before certificates",
    "indefinite, certificates",
];
/// Of these, where even a chain may be found here and none there.
const LENIENT_IN_TRUST: [&str; 3] = [
    "digest algorithms",
    "no close delimiter",
    "indefinite, before certificates",
];
const STRICT: [&str; 9] = [
    "digest algorithms",
    "signature algorithm",
    "signer name",
    "content type",
    "signer digest",
    "certificates",
    "indefinite, before certificates",
    "indefinite, certificates",
    "indefinite, after certificates",
];

struct Oracle {
    folder: tempfile::TempDir,
}

impl Oracle {
    fn new(postal: &Postal) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("root.pem"), postal.pki().root_pem()).unwrap();
        Self { folder }
    }

    /// Whether openssl takes the octets for those signed, and the signer for trusted.
    fn says(&self, files: &[(&str, &[u8])], form: &[&str], at_ms: i64) -> (bool, bool) {
        for (name, bytes) in files {
            std::fs::write(self.folder.path().join(name), bytes).unwrap();
        }
        let at = (at_ms / 1000).to_string();
        let verify = |options: &[&str]| {
            Command::new("openssl")
                .args([
                    "cms", "-verify", "-purpose", "any", "-out", "out", "-attime", &at,
                ])
                .args(form)
                .args(options)
                .current_dir(self.folder.path())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .unwrap()
                .success()
        };
        let trusted = verify(&["-CAfile", "root.pem"]);
        (trusted || verify(&["-noverify"]), trusted)
    }

    fn of_message(&self, bytes: &[u8], at_ms: i64) -> (bool, bool) {
        self.says(
            &[("message", bytes)],
            &["-inform", "SMIME", "-in", "message"],
            at_ms,
        )
    }

    fn of_parts(&self, signed: &[u8], p7s: &[u8], at_ms: i64) -> (bool, bool) {
        let form = [
            "-inform", "DER", "-binary", "-in", "p7s", "-content", "content",
        ];
        self.says(&[("content", signed), ("p7s", p7s)], &form, at_ms)
    }
}

/// Numbers that look random, the same at every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

/// Names and places of the parts of a DER signature.
fn places(p7s: &[u8]) -> Vec<(&'static str, usize, usize)> {
    let base = p7s.as_ptr() as usize;
    let place = |name, part: &[u8]| {
        let start = part.as_ptr() as usize - base;
        (name, start, start + part.len())
    };
    let data = inside(inside(p7s)[1])[0];
    let parts = inside(data);
    let signer = inside(inside(parts[4])[0]);
    let mut places = vec![
        place("version", parts[0]),
        place("digest algorithms", parts[1]),
        place("content type", parts[2]),
        place("certificates", parts[3]),
    ];
    let names = [
        "signer version",
        "signer name",
        "signer digest",
        "attributes",
        "signature algorithm",
        "signature",
    ];
    places.extend(
        names
            .iter()
            .zip(signer)
            .map(|(name, part)| place(*name, part)),
    );
    places
}

/// One octet of the signature changed, somewhere in a part; the name of the part.
fn flipped(message: &Message, postal: &Postal, dice: &mut Dice) -> (&'static str, Vec<u8>) {
    let mut bytes = message.signature();
    let (mut name, start, end) = if bytes[1] == 0x80 {
        ("indefinite", 0, bytes.len())
    } else {
        let places = places(&bytes);
        places[dice.below(places.len())]
    };
    let at = start + dice.below(end - start);
    if name == "indefinite" {
        let signer = postal.providers()[message.draft.provider].signer();
        let certificates = [signer.certificate_der(), signer.intermediate_der()].concat();
        let first = bytes
            .windows(certificates.len())
            .position(|window| window == certificates);
        let first = first.unwrap();
        name = match at {
            before if before < first => "indefinite, before certificates",
            within if within < first + certificates.len() => "indefinite, certificates",
            _ => "indefinite, after certificates",
        };
    }
    bytes[at] ^= 1 << dice.below(8);
    (name, bytes)
}

fn with_p7s(reading: &Reading, p7s: &[u8]) -> Reading {
    let entity = format!(
        "Content-Transfer-Encoding: base64\r\n\r\n{}",
        BASE64_STANDARD.encode(p7s)
    );
    Reading {
        signature_entity: Some(entity.into_bytes()),
        ..reading.clone()
    }
}

/// The message with something done to it, and what. CR CR LF is left out: openssl drops every CR before an LF
/// when it canonicalises, so it accepts what nobody signed.
fn altered(message: &Message, dice: &mut Dice) -> (&'static str, Option<Vec<u8>>) {
    match dice.below(10) {
        0 => ("as made", Some(message.bytes.clone())),
        1 => ("LF", Some(message.as_lf())),
        2 => ("stripped", damage::strip_trailing_space(message)),
        3 => ("postacert", damage::flip_in_postacert(message)),
        4 => ("no daticert", damage::without_daticert(message)),
        5 => ("no signature", Some(damage::without_signature(message))),
        6 => (
            "no close delimiter",
            Some(damage::without_closing_boundary(message)),
        ),
        7 => (
            "other subject",
            Some(damage::with_other_subject(message, "altro")),
        ),
        8 => (
            "cut",
            damage::truncated(message, Cut::ALL[dice.below(Cut::ALL.len())]),
        ),
        _ => {
            let mut bytes = message.bytes.clone();
            let signed = message.places.signed.clone();
            let from = signed.start + dice.below(signed.len());
            let letter = bytes[from..signed.end].iter().position(u8::is_ascii_digit);
            let at = from + letter.unwrap_or(0);
            let usable = bytes[at].is_ascii_digit();
            bytes[at] = if bytes[at] == b'1' { b'2' } else { b'1' };
            ("digit", usable.then_some(bytes))
        }
    }
}

#[derive(Default)]
struct Tally {
    same: BTreeMap<(&'static str, &'static str), usize>,
    differing: BTreeMap<(&'static str, String), usize>,
}

impl Tally {
    fn add(&mut self, what: &'static str, verdict: &Verdict, theirs: (bool, bool)) {
        let trusted = matches!(verdict.level, Level::IntegralTrusted | Level::IntegralWeak);
        let ours = (verdict.level.is_integral(), trusted);
        if ours == theirs {
            let word = match ours {
                (_, true) => "trusted",
                (true, _) => "integral",
                _ => "refused",
            };
            *self.same.entry((what, word)).or_default() += 1;
            return;
        }
        let codes: Vec<_> = verdict.grounds.iter().map(|g| g.code()).collect();
        let case = format!("here {ours:?}, there {theirs:?}: {}", codes.join(" "));
        *self.differing.entry((what, case)).or_default() += 1;
        let lenient = ours >= theirs;
        let known = if lenient {
            LENIENT.contains(&what)
        } else {
            STRICT.contains(&what)
        };
        let known = known && (!trusted || theirs.1 || LENIENT_IN_TRUST.contains(&what));
        assert!(known, "{what}: here {ours:?} {codes:?}, there {theirs:?}");
    }
}

fn compare(keys: Keys, count: usize) -> Tally {
    let postal = families::postal(keys, true);
    let trust = families::trust(&postal);
    let oracle = Oracle::new(&postal);
    let (mut dice, mut tally) = (Dice(7), Tally::default());
    for message in postal.stream(11, Select::All).take(count) {
        let at_ms = message.signing_ms();
        if dice.below(2) == 0 {
            let (what, bytes) = altered(&message, &mut dice);
            let Some(bytes) = bytes else { continue };
            let verdict = judge(&read(&bytes), &trust, Times::default());
            tally.add(what, &verdict, oracle.of_message(&bytes, at_ms));
        } else {
            let (what, p7s) = flipped(&message, &postal, &mut dice);
            let reading = with_p7s(&read(&message.bytes), &p7s);
            let verdict = judge(&reading, &trust, Times::default());
            tally.add(
                what,
                &verdict,
                oracle.of_parts(message.signed_part(), &p7s, at_ms),
            );
        }
    }
    for ((what, word), count) in &tally.same {
        eprintln!("{count:5} same: {what}: {word}");
    }
    for ((what, case), count) in &tally.differing {
        eprintln!("{count:5} differ: {what}: {case}");
    }
    tally
}

fn count() -> usize {
    let count = std::env::var("CERALACCA_DIFFERENTIAL");
    count
        .ok()
        .and_then(|count| count.parse().ok())
        .unwrap_or(COMPARED)
}

#[test]
fn openssl_says_the_same_of_messages_good_and_damaged() {
    if !is_there() {
        return;
    }
    let tally = compare(Keys::P256, count());
    let same: usize = tally.same.values().sum();
    let differing: usize = tally.differing.values().sum();
    eprintln!("{same} same, {differing} known differences");
    assert!(same > 2 * differing);
}

#[test]
fn openssl_says_the_same_with_rsa_keys() {
    if is_there() {
        compare(Keys::Rsa2048, count() / 5);
    }
}
