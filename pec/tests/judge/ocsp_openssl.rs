//! Revocation by OCSP: what openssl answers as a responder, judged here and by openssl.

use crate::make::{AT_MS, Chain, Mail, Party, dates};
use crate::ocsp::{responder, said, with, year};
use crate::openssl::is_there;
use crate::respond::serial;
use ceralacca_pec::judge::{Ground, Material, Revocation, Trust};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose};
use std::process::Command;

/// openssl as a responder for a chain that holds until 2099: it makes its responses now.
struct Openssl {
    folder: tempfile::TempDir,
    chain: Chain,
}

impl Openssl {
    fn new() -> Self {
        let long = |params: &mut CertificateParams| dates(params, 2020, 2099);
        let mut chain = Chain::with(long, long);
        // The root too, whose dates `Chain` has set.
        let mut params = chain.root.params.clone();
        long(&mut params);
        let der = params.self_signed(&chain.root.key).unwrap().der().to_vec();
        chain.root.der = der;
        let made = Self {
            folder: tempfile::tempdir().unwrap(),
            chain,
        };
        made.write("ca", &made.chain.middle);
        made.write("root", &made.chain.root);
        made
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, party: &Party) {
        std::fs::write(self.path(&format!("{name}.der")), &party.der).unwrap();
        let key = party.key.serialize_pem();
        std::fs::write(self.path(&format!("{name}.key")), key).unwrap();
        let (from, to) = (format!("{name}.der"), format!("{name}.pem"));
        self.run(&["x509", "-inform", "DER", "-in", &from, "-out", &to]);
    }

    fn run(&self, args: &[&str]) -> (bool, String) {
        let output = Command::new("openssl")
            .args(args)
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        (output.status.success(), said)
    }

    fn serial(&self) -> String {
        let serial = serial(&self.chain.signer);
        let digits: Vec<String> = serial.iter().map(|octet| format!("{octet:02X}")).collect();
        digits.concat().trim_start_matches("00").to_owned()
    }

    /// A response of a responder whose index of certificates says this of the signer.
    fn response(&self, index: Option<&str>, signer: &str, options: &[&str]) -> Vec<u8> {
        let serial = self.serial();
        let line = index.map(|index| {
            let (state, revoked) = index.split_at(1);
            format!("{state}\t20990101000000Z\t{revoked}\t{serial}\tunknown\t/CN=prova\n")
        });
        std::fs::write(self.path("index"), line.unwrap_or_default()).unwrap();
        std::fs::write(self.path("index.attr"), "unique_subject = no\n").unwrap();
        let (pem, key) = (format!("{signer}.pem"), format!("{signer}.key"));
        let serial = format!("0x{serial}");
        let fixed = [
            "ocsp",
            "-index",
            "index",
            "-CA",
            "ca.pem",
            "-rsigner",
            &pem,
            "-rkey",
            &key,
            "-issuer",
            "ca.pem",
            "-serial",
            &serial,
            "-no_nonce",
            "-ndays",
            "7",
            "-respout",
            "response",
        ];
        // The digest of the certificate's name stands before the certificate.
        let at = fixed.iter().position(|arg| *arg == "-issuer").unwrap();
        let (before, after) = fixed.split_at(at);
        let (success, said) = self.run(&[before, options, after].concat());
        assert!(success, "{said}");
        std::fs::read(self.path("response")).unwrap()
    }

    /// Whether openssl accepts the response of the last call, with the root as its only anchor.
    fn verifies(&self) -> bool {
        let serial = format!("0x{}", self.serial());
        let (_, said) = self.run(&[
            "ocsp",
            "-respin",
            "response",
            "-CAfile",
            "root.pem",
            "-verify_other",
            "ca.pem",
            "-issuer",
            "ca.pem",
            "-serial",
            &serial,
            "-no_nonce",
        ]);
        let verified = said.contains("Response verify OK");
        assert_ne!(verified, said.contains("Response Verify Failure"), "{said}");
        verified
    }
}

#[test]
fn what_openssl_answers_is_judged_as_openssl_judges_it() {
    use ExtendedKeyUsagePurpose::{EmailProtection, OcspSigning};
    if !is_there() {
        return;
    }
    let made = Openssl::new();
    let chain = &made.chain;
    let years = (2024, 2099);
    made.write("delegate", &responder(&chain.middle, &[OcspSigning], years));
    made.write("mail", &responder(&chain.middle, &[EmailProtection], years));
    let stranger = Chain::with(|ca| dates(ca, 2020, 2099), |_| {});
    made.write(
        "stranger",
        &responder(&stranger.middle, &[OcspSigning], years),
    );
    let good = (Revocation::Good, vec![]);
    let refused = (Revocation::Unknown, vec![Ground::OcspRefused]);
    let since = |at| (Revocation::Revoked(year(at)), vec![]);
    for (name, index, signer, options, expected) in [
        ("good", Some("V"), "ca", &[][..], good.clone()),
        ("good, SHA-256", Some("V"), "ca", &["-sha256"], good.clone()),
        (
            "good, by key",
            Some("V"),
            "ca",
            &["-resp_key_id"],
            good.clone(),
        ),
        ("delegated", Some("V"), "delegate", &[], good.clone()),
        (
            "delegated, by key, SHA-256",
            Some("V"),
            "delegate",
            &["-resp_key_id", "-rmd", "sha512", "-sha256"],
            good,
        ),
        (
            "revoked",
            Some("R250101000000Z,keyCompromise"),
            "ca",
            &[],
            since(2025),
        ),
        (
            "suspended",
            Some("R250101000000Z,certificateHold"),
            "delegate",
            &[],
            since(2025),
        ),
        (
            "revoked since the signature",
            Some("R260201000000Z,superseded"),
            "delegate",
            &[],
            (Revocation::Later(1_769_904_000_000), vec![]),
        ),
        (
            "unknown",
            None,
            "ca",
            &[],
            (Revocation::Unknown, vec![Ground::OcspUnknown]),
        ),
        ("not authorised", Some("V"), "mail", &[], refused.clone()),
        ("another's", Some("V"), "stranger", &[], refused.clone()),
    ] {
        let response = made.response(index, signer, options);
        let verdict = with(chain, response.clone());
        assert_eq!(said(&verdict), expected, "{name}");
        assert_eq!(made.verifies(), expected != refused, "{name}");

        // Its twin, of which the last octet of what was signed has been changed: still a response.
        let mut forged = response;
        let at = forged.windows(3).rposition(|w| w == b"Z\xa0\x11").unwrap();
        forged[at - 1] ^= 1;
        std::fs::write(made.path("response"), &forged).unwrap();
        assert!(!made.verifies(), "{name}");
        assert_eq!(said(&with(chain, forged)), refused, "{name}, forged");
    }
}

#[test]
fn a_response_of_openssl_does_not_reach_a_later_signature() {
    if !is_there() {
        return;
    }
    let made = Openssl::new();
    let response = made.response(Some("V"), "ca", &[]);
    // Far later: without a signing time the receipt counts.
    let mail = Mail {
        signed: b"Content-Type: text/plain\r\n\r\nprova".to_vec(),
        ..Mail::default()
    };
    let mut info = crate::make::SignerInfo::new(&made.chain.signer, &mail.signed);
    info.attributes = None;
    info.signed = Some(mail.signed.clone());
    let mut cms = made.chain.cms(&mail.signed);
    cms.signers = vec![info.bytes(&made.chain.signer)];
    let material = Material {
        ocsp: vec![response],
        ..made.chain.material()
    };
    let trust = Trust::new(material).unwrap();
    let at = |received_ms| {
        let reading = ceralacca_pec::read(&mail.bytes(&cms.bytes()));
        let times = ceralacca_pec::judge::Times {
            received_ms: Some(received_ms),
        };
        ceralacca_pec::judge::judge(&reading, &trust, times)
    };
    assert_eq!(said(&at(AT_MS)), (Revocation::Good, vec![]));
    let out_of_date = (Revocation::Unknown, vec![Ground::OcspOutOfDate]);
    assert_eq!(said(&at(year(2098))), out_of_date);
}
