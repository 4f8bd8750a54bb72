//! A second authority that is not ours: openssl ts, behind a small HTTP server in Python.

use super::*;
use ceralacca_evidence::Stamper as _;
use ceralacca_evidence::tsp::Policy;
use std::io::{BufRead, BufReader};
use std::process::Child;

const CONFIGURATION: &str = "\
[tsa]\ndefault_tsa = t\n[t]\nserial = serial\nsigner_cert = tsa.pem\ncerts = ca.pem\nsigner_key = tsa.key\n\
signer_digest = sha256\ndefault_policy = 1.3.6.1.4.1.99999.1.1\nother_policies = 1.3.6.1.4.1.99999.1.2\n\
digests = sha256, sha512\naccuracy = secs:1, millisecs:500\nclock_precision_digits = 3\nordering = no\n\
tsa_name = no\ness_cert_id_chain = no\ness_cert_id_alg = sha256\n";
const EXTENSIONS: &str = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n\
extendedKeyUsage=critical,timeStamping\n";

struct Foreign {
    folder: tempfile::TempDir,
    server: Child,
    port: u16,
}

impl Drop for Foreign {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Foreign {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        for (name, text) in [
            ("tsa.cnf", CONFIGURATION),
            ("ext", EXTENSIONS),
            ("serial", "01"),
        ] {
            std::fs::write(here.join(name), text).unwrap();
        }
        for line in [
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem \
             -subj /CN=CA.straniera -days 30",
            "openssl req -newkey rsa:3072 -nodes -keyout tsa.key -out tsa.csr -subj /CN=TSA.straniera",
            "openssl x509 -req -in tsa.csr -CA ca.pem -CAkey ca.key -set_serial 7 -extfile ext -days 30 -out tsa.pem",
        ] {
            does(here, line);
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/tsa.py");
        let mut command = Command::new("/usr/bin/python3");
        command.arg(script).current_dir(here).stdout(Stdio::piped());
        let mut server = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let port = line.trim().parse().unwrap();
        Self {
            folder,
            server,
            port,
        }
    }

    fn remote(&self) -> Remote {
        let der = does(
            self.folder.path(),
            "openssl x509 -in ca.pem -outform DER -out ca.der",
        );
        assert_eq!(der, "");
        let root = std::fs::read(self.folder.path().join("ca.der")).unwrap();
        let material = Material {
            anchors: vec![root],
            ..Material::default()
        };
        Remote {
            url: format!("http://127.0.0.1:{}/", self.port),
            timeout: Duration::from_secs(20),
            policy: None,
            rules: Rules::new("straniera", material, true).unwrap(),
        }
    }
}

#[test]
fn a_foreign_authority_over_http_is_asked_and_openssl_verifies_what_was_kept() {
    if !are_there(&[OPENSSL, ("/usr/bin/python3", "--version")]) {
        return;
    }
    let foreign = Foreign::new();
    let here = foreign.folder.path();
    let mut other = foreign.remote();
    other.policy = Some(Policy::try_from("1.3.6.1.4.1.99999.1.2").unwrap());
    for (remote, digits) in [
        (foreign.remote(), "5a".repeat(32)),
        (other, "5a".repeat(32)),
    ] {
        let (client, kept) = client(vec![remote]);
        let stamped = client.stamp(&imprint()).unwrap();
        assert_eq!(stamped.accuracy_ms, 1500);
        assert!(stamped.is_proven && !client.is_development());
        assert_eq!(kept.outcomes(), [("straniera".to_owned(), "good")]);
        std::fs::write(here.join("kept.tsq"), &stamped.request).unwrap();
        std::fs::write(here.join("kept.tsr"), &stamped.response).unwrap();
        std::fs::write(here.join("kept.tst"), &stamped.token).unwrap();
        does(
            here,
            "openssl ts -verify -queryfile kept.tsq -in kept.tsr -CAfile ca.pem",
        );
        let token =
            format!("openssl ts -verify -digest {digits} -in kept.tst -token_in -CAfile ca.pem");
        does(here, &token);
        refuses(
            here,
            &token.replacen("5a", "5b", 1),
            "message imprint mismatch",
        );
    }
    let longer = client(vec![foreign.remote()]).0;
    longer.stamp(&Imprint::Sha512([7; 64])).unwrap();
    let mut unknown = foreign.remote();
    unknown.policy = Some(Policy::try_from("1.3.6.1.4.1.99999.1.3").unwrap());
    let (client, kept) = client(vec![unknown]);
    let error = client.stamp(&imprint()).unwrap_err().to_string();
    assert!(error.contains("unacceptedPolicy"), "{error}");
    assert_eq!(
        kept.outcomes(),
        [("straniera".to_owned(), "request-rejected")]
    );
}
