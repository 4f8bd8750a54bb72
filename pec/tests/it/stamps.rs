//! Time-stamps of a throw-away authority, made by openssl; and damaged twins, each refused with its own reason.
//!
//! A missing openssl fails in CI and is skipped aloud elsewhere.

use ceralacca_pec::DigestAlgorithm;
use ceralacca_pec::judge::{Ground, Material, Scheme, SignatureAlgorithm, Times, Trust};
use ceralacca_pec::tsp::{Accuracy, Refusal, TOKEN_BYTES_MAX, Token, Verified};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CustomExtension,
    DistinguishedName, DnType, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams, SerialNumber,
};
use std::path::Path;
use std::process::{Command, Output, Stdio};

const DATA: &[u8] = b"Mag  7 09:10:11 2007 PEC_Milter root [1]: una riga\n";
const CONFIGURATION: &str = "\
[tsa]\ndefault_tsa = t\n[t]\nserial = serial\nsigner_cert = tsa.pem\ncerts = ca.pem\nsigner_key = tsa.key\n\
signer_digest = sha256\ndefault_policy = 1.3.6.1.4.1.99999.1.1\nother_policies = 1.3.6.1.4.1.99999.1.2\n\
digests = sha1, sha256, sha512\nordering = no\ntsa_name = no\ness_cert_id_chain = no\nclock_precision_digits = 3\n";
/// id-kp-timeStamping, and that with id-kp-emailProtection.
const TIME_STAMPING: &[u8] = &[0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 8];
const AND_MAIL: &[u8] = &[
    0x30, 20, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 8, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 4,
];

fn is_there() -> bool {
    let mut command = Command::new("openssl");
    let found = command
        .arg("version")
        .stdout(Stdio::null())
        .status()
        .is_ok();
    if !found {
        let in_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!in_ci, "openssl is missing");
        eprintln!("SKIPPED: openssl is missing");
    }
    found
}

/// A throw-away authority with a folder for openssl to work in.
struct Authority {
    folder: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
    root: Vec<u8>,
    key: KeyPair,
}

/// What a certificate of a signer shall be.
#[derive(Clone, Copy)]
struct Kind {
    purposes: &'static [u8],
    critical: bool,
    years: (i32, i32),
    name: &'static str,
}

const GOOD: Kind = Kind {
    purposes: TIME_STAMPING,
    critical: true,
    years: (2020, 2100),
    name: "TSA di prova",
};

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let mut name = DistinguishedName::new();
        name.push(DnType::CommonName, "CA di marche");
        params.distinguished_name = name;
        params.not_before = rcgen::date_time_ymd(2000, 1, 1);
        params.not_after = rcgen::date_time_ymd(2100, 1, 1);
        let key = KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap();
        let made = Self {
            folder: tempfile::tempdir().unwrap(),
            issuer: Issuer::new(params, key),
            root: root.der().to_vec(),
            key: KeyPair::generate().unwrap(),
        };
        made.write("ca.pem", root.pem().as_bytes());
        made.write("tsa.key", made.key.serialize_pem().as_bytes());
        made.write("data", DATA);
        made.write("serial", b"01\n");
        made.write(
            "cnf",
            (CONFIGURATION.to_owned() + "accuracy = secs:1, millisecs:500\n").as_bytes(),
        );
        made.certify(GOOD, "tsa.pem");
        made
    }

    /// A certificate for the one key, under the one serial number.
    fn certify(&self, kind: Kind, file: &str) -> Vec<u8> {
        let mut params = CertificateParams::default();
        let mut name = DistinguishedName::new();
        name.push(DnType::CommonName, kind.name);
        params.distinguished_name = name;
        params.serial_number = Some(SerialNumber::from(7u64));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.not_before = rcgen::date_time_ymd(kind.years.0, 1, 1);
        params.not_after = rcgen::date_time_ymd(kind.years.1, 1, 1);
        let mut purposes =
            CustomExtension::from_oid_content(&[2, 5, 29, 37], kind.purposes.to_vec());
        purposes.set_criticality(kind.critical);
        params.custom_extensions = vec![purposes];
        let certificate = params.signed_by(&self.key, &self.issuer).unwrap();
        self.write(file, certificate.pem().as_bytes());
        certificate.der().to_vec()
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path().join(name), bytes).unwrap();
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path().join(name)).unwrap()
    }

    fn openssl(&self, arguments: &str) -> Output {
        let mut command = Command::new("openssl");
        let command = command.args(arguments.split(' ')).current_dir(self.path());
        command.output().unwrap()
    }

    fn good(&self, arguments: &str) {
        let output = self.openssl(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments}: {said}");
    }

    /// An answer over the data.
    fn stamp(&self, options: &str) -> Vec<u8> {
        self.good(&format!(
            "ts -query -data data -cert {options} -out q.tsq -no_nonce"
        ));
        // It ends badly where it refuses, and writes the answer all the same.
        self.openssl("ts -reply -config cnf -queryfile q.tsq -out r.tsr");
        self.read("r.tsr")
    }

    /// A token over the same TSTInfo, signed as told.
    fn signed(&self, options: &str) -> Vec<u8> {
        self.stamp("-sha256");
        self.good("ts -reply -in r.tsr -token_out -out r.tst");
        self.good("cms -verify -inform DER -in r.tst -noverify -out info");
        self.good(&format!(
            "cms -sign -binary -nodetach -nosmimecap -outform DER -md sha256 \
             -econtent_type 1.2.840.113549.1.9.16.1.4 -in info -inkey tsa.key {options} -out t.tst"
        ));
        self.read("t.tst")
    }

    fn trust(&self, change: impl FnOnce(&mut Material)) -> Trust {
        let mut material = Material {
            anchors: vec![self.root.clone()],
            ..Material::default()
        };
        change(&mut material);
        Trust::new(material).unwrap()
    }

    fn verify(&self, token: &[u8]) -> Result<Verified, Refusal> {
        verify(token, DATA, &self.trust(|_| {}))
    }
}

fn verify(token: &[u8], data: &[u8], trust: &Trust) -> Result<Verified, Refusal> {
    let token = Token::read(token)?;
    let mut hasher = token.info().hasher();
    data.chunks(7).for_each(|piece| hasher.push(piece));
    token.verify(&hasher.finish(), trust, Times::default())
}

fn refused(result: Result<Verified, Refusal>) -> Refusal {
    result.expect_err("accepted")
}

#[test]
fn a_good_stamp_is_verified_in_either_wrapping_and_openssl_says_the_same() {
    if !is_there() {
        return;
    }
    let tsa = Authority::new();
    let answer = tsa.stamp("-sha256");
    let verified = tsa.verify(&answer).unwrap();
    assert_eq!(verified.info.accuracy, Accuracy::Ms(1500));
    assert_eq!(verified.info.policy, "1.3.6.1.4.1.99999.1.1");
    assert_eq!(verified.info.algorithm, DigestAlgorithm::Sha256);
    assert_eq!(verified.info.nonce, None);
    assert_eq!(verified.signer.common_name.as_deref(), Some("TSA di prova"));
    assert_eq!(verified.chain.len(), 2);
    // 1 January 2100: the authority's certificate and the root end together.
    assert_eq!(verified.valid_until_ms, 4_102_444_800_000);
    let signed = verified
        .signatures
        .iter()
        .map(|s| (s.algorithm, s.key_bits));
    let ecdsa = SignatureAlgorithm {
        scheme: Scheme::Ecdsa,
        digest: DigestAlgorithm::Sha256,
    };
    assert!(signed.eq([(ecdsa, 256), (ecdsa, 256)]));
    assert!(!verified.is_weak && !verified.is_revocation_known);
    let made = std::fs::metadata(tsa.path().join("r.tsr")).unwrap();
    let made = made.modified().unwrap();
    let made = made.duration_since(std::time::UNIX_EPOCH).unwrap();
    let apart = verified
        .info
        .gen_ms
        .abs_diff(i64::try_from(made.as_millis()).unwrap());
    assert!(apart < 5000, "{apart}");
    tsa.good("ts -verify -data data -in r.tsr -CAfile ca.pem");
    tsa.good("ts -reply -in r.tsr -token_out -out r.tst");
    let token = tsa.read("r.tst");
    assert_eq!(Token::read(&answer).unwrap().der(), token);
    assert_eq!(tsa.verify(&token), Ok(verified));
    // Signed by the other engine of openssl, with the attribute of CAdES.
    assert!(tsa.verify(&tsa.signed("-signer tsa.pem -cades")).is_ok());
}

#[test]
fn a_stamp_over_sha1_is_verified_and_weak() {
    if !is_there() {
        return;
    }
    let tsa = Authority::new();
    let verified = tsa.verify(&tsa.stamp("-sha1")).unwrap();
    assert!(verified.is_weak);
    assert!(!tsa.verify(&tsa.stamp("-sha512")).unwrap().is_weak);
}

#[test]
fn other_octets_are_not_what_was_stamped() {
    if !is_there() {
        return;
    }
    let tsa = Authority::new();
    let answer = tsa.stamp("-sha256");
    let other = [DATA, b"\n"].concat();
    let result = verify(&answer, &other, &tsa.trust(|_| {}));
    assert_eq!(refused(result), Refusal::ImprintDiffers);
    tsa.write("other", &other);
    let output = tsa.openssl("ts -verify -data other -in r.tsr -CAfile ca.pem");
    assert!(!output.status.success());
}

#[test]
fn an_altered_token_is_refused_wherever_it_was_altered() {
    if !is_there() {
        return;
    }
    let tsa = Authority::new();
    let answer = tsa.stamp("-sha256");
    let mut last = answer.clone();
    *last.last_mut().unwrap() ^= 1;
    let invalid = Refusal::Signature(Ground::SignatureInvalid);
    assert_eq!(refused(tsa.verify(&last)), invalid);
    // The time, an hour and a day forward: the text stands once in TSTInfo.
    // Its fraction has no trailing zeros, so its length is not always the same.
    let is_time = |w: &[u8]| w[0] == 0x18 && (15..=19).contains(&w[1]) && w[2..].starts_with(b"20");
    let at = answer.windows(4).position(is_time).unwrap() + 2;
    let mut later = answer.clone();
    later[at + 3] = if later[at + 3] == b'9' { b'8' } else { b'9' };
    let differs = Refusal::Signature(Ground::DigestDiffers);
    assert_eq!(refused(tsa.verify(&later)), differs);
    // Elsewhere too, whatever the reason; what nobody signed is the status of the answer, and its length.
    let trust = tsa.trust(|_| {});
    let token = Token::read(&answer).unwrap().der().to_vec();
    let verified = verify(&token, DATA, &trust).unwrap();
    for place in (0..token.len()).step_by(3) {
        let mut altered = token.clone();
        altered[place] ^= 0x10;
        if let Ok(other) = verify(&altered, DATA, &trust) {
            assert_eq!(other, verified, "octet {place} changes what is said");
        }
    }
    for end in (0..token.len()).step_by(11) {
        assert!(verify(&token[..end], DATA, &trust).is_err());
    }
}

#[test]
fn a_certificate_for_more_than_time_stamps_or_not_critically_so_is_refused() {
    if !is_there() {
        return;
    }
    let tsa = Authority::new();
    for (purposes, critical) in [
        (AND_MAIL, true),
        (TIME_STAMPING, false),
        (&AND_MAIL[10..], true),
    ] {
        let purposes: Vec<u8> = match purposes.first() {
            Some(0x30) => purposes.to_vec(),
            // Mail alone.
            _ => [&[0x30, 10][..], &purposes[2..]].concat(),
        };
        let kind = Kind {
            purposes: Box::leak(purposes.into_boxed_slice()),
            critical,
            ..GOOD
        };
        tsa.certify(kind, "bad.pem");
        let token = tsa.signed("-signer bad.pem -cades");
        assert_eq!(refused(tsa.verify(&token)), Refusal::Purpose);
    }
}

#[test]
fn a_certificate_out_of_force_at_the_time_of_the_stamp_is_refused() {
    if !is_there() {
        return;
    }
    let tsa = Authority::new();
    for (years, ground) in [
        ((2010, 2012), Ground::CertificateExpired),
        ((2090, 2100), Ground::CertificateNotYetValid),
    ] {
        tsa.certify(Kind { years, ..GOOD }, "bad.pem");
        let token = tsa.signed("-signer bad.pem -cades");
        assert_eq!(refused(tsa.verify(&token)), Refusal::Chain(ground));
    }
}

#[test]
fn another_root_or_none_is_no_chain() {
    if !is_there() {
        return;
    }
    let (tsa, other) = (Authority::new(), Authority::new());
    let answer = tsa.stamp("-sha256");
    // It has the same name and another key.
    let result = verify(&answer, DATA, &other.trust(|_| {}));
    assert!(matches!(refused(result), Refusal::Chain(_)));
    let result = verify(&answer, DATA, &Trust::none());
    assert_eq!(refused(result), Refusal::Chain(Ground::AnchorsMissing));
}

#[test]
fn the_signing_certificate_must_be_named_and_the_right_one() {
    if !is_there() {
        return;
    }
    let tsa = Authority::new();
    let bare = tsa.signed("-signer tsa.pem");
    assert_eq!(
        refused(tsa.verify(&bare)),
        Refusal::SigningCertificateMissing
    );
    let bare = tsa.signed("-signer tsa.pem -noattr");
    // Without attributes nothing says what the content is, nor who signed.
    assert_eq!(
        refused(tsa.verify(&bare)),
        Refusal::SigningCertificateMissing
    );
    // Of the same issuer, number and key, and yet another.
    let name = "Un'altra TSA";
    let other = tsa.certify(Kind { name, ..GOOD }, "other.pem");
    let token = tsa.signed("-signer tsa.pem -cades -nocerts");
    let trust = tsa.trust(|material| material.intermediates = vec![other]);
    assert_eq!(
        refused(verify(&token, DATA, &trust)),
        Refusal::SigningCertificateDiffers
    );
    assert_eq!(
        refused(tsa.verify(&token)),
        Refusal::Signature(Ground::CertificateMissing)
    );
}

#[test]
fn two_signers_are_none() {
    if !is_there() {
        return;
    }
    let tsa = Authority::new();
    let name = "Seconda";
    tsa.certify(Kind { name, ..GOOD }, "two.pem");
    let token = tsa.signed("-signer tsa.pem -inkey tsa.key -signer two.pem -cades");
    assert_eq!(refused(tsa.verify(&token)), Refusal::Signers);
}

#[test]
fn an_accuracy_of_hours_proves_no_time_and_one_that_is_not_stated_is_told() {
    if !is_there() {
        return;
    }
    let tsa = Authority::new();
    tsa.write(
        "cnf",
        (CONFIGURATION.to_owned() + "accuracy = secs:7200\n").as_bytes(),
    );
    let wide = tsa.stamp("-sha256");
    assert_eq!(refused(tsa.verify(&wide)), Refusal::Accuracy);
    tsa.write("cnf", CONFIGURATION.as_bytes());
    let verified = tsa.verify(&tsa.stamp("-sha256")).unwrap();
    assert_eq!(verified.info.accuracy, Accuracy::Unstated);
}

#[test]
fn an_answer_that_refuses_holds_no_token() {
    if !is_there() {
        return;
    }
    let tsa = Authority::new();
    let answer = tsa.stamp("-sha256 -tspolicy 1.2.3.4");
    assert_eq!(refused(tsa.verify(&answer)), Refusal::NotGranted);
}

#[test]
fn a_signer_that_was_ever_revoked_proves_nothing_and_a_good_one_is_told() {
    if !is_there() {
        return;
    }
    let tsa = Authority::new();
    let answer = tsa.stamp("-sha256");
    let list = |serial: u64, year: i32| {
        let params = CertificateRevocationListParams {
            this_update: rcgen::date_time_ymd(2027, 1, 1),
            next_update: rcgen::date_time_ymd(2090, 1, 1),
            crl_number: SerialNumber::from(1u64),
            issuing_distribution_point: None,
            revoked_certs: vec![RevokedCertParams {
                serial_number: SerialNumber::from(serial),
                revocation_time: rcgen::date_time_ymd(year, 1, 1),
                reason_code: None,
                invalidity_date: None,
            }],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&tsa.issuer).unwrap().der().to_vec()
    };
    let with = |crl: Vec<u8>| {
        let trust = tsa.trust(|material| material.crls = vec![crl]);
        verify(&answer, DATA, &trust)
    };
    assert_eq!(refused(with(list(7, 2021))), Refusal::Revoked);
    assert_eq!(refused(with(list(7, 2090))), Refusal::Revoked);
    assert!(with(list(8, 2021)).unwrap().is_revocation_known);
}

#[test]
fn a_stamp_later_than_its_receipt_is_refused() {
    if !is_there() {
        return;
    }
    let tsa = Authority::new();
    let answer = tsa.stamp("-sha256");
    let token = Token::read(&answer).unwrap();
    let mut hasher = token.info().hasher();
    hasher.push(DATA);
    let (imprint, trust) = (hasher.finish(), tsa.trust(|_| {}));
    let received = |ms: i64| {
        let received_ms = Some(token.info().gen_ms + ms);
        token.verify(&imprint, &trust, Times { received_ms })
    };
    // Clocks may be five minutes apart.
    assert_eq!(refused(received(-300_001)), Refusal::Future);
    assert!(received(-300_000).is_ok());
}

#[test]
fn what_is_no_token_says_so() {
    let long = vec![0x30; TOKEN_BYTES_MAX + 1];
    for bytes in [
        &b""[..],
        b"Mag  7 09:10:11",
        &[0x30, 0],
        &[0x30, 0x80, 0, 0],
        &[0x30, 2, 6, 0],
        &[0x30, 5, 0x30, 3, 2, 1, 0],
        &long,
    ] {
        let refusal = Token::read(bytes).err();
        assert!(
            matches!(refusal, Some(Refusal::NotAToken | Refusal::NotGranted)),
            "{refusal:?}"
        );
    }
}

#[test]
fn codes_are_words_and_none_means_two_things() {
    let codes = Refusal::ALL.map(Refusal::code);
    let mut different = codes.to_vec();
    different.sort_unstable();
    different.dedup();
    assert_eq!(different.len(), codes.len());
    for code in codes {
        assert!(code.bytes().all(|c| c.is_ascii_lowercase() || c == b'-'));
    }
}
