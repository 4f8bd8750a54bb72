//! A throw-away time-stamping authority: openssl signs, with certificates made here.

use ceralacca_evidence::ers::Hash;
use ceralacca_pec::judge::{Material, Trust};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};
use std::path::Path;
use std::process::Command;

const CONFIGURATION: &str = "\
[tsa]\ndefault_tsa = t\n[t]\nserial = serial\nsigner_cert = tsa.pem\ncerts = ca.pem\nsigner_key = tsa.key\n\
signer_digest = sha256\ndefault_policy = 1.3.6.1.4.1.99999.1.1\ndigests = sha256, sha384, sha512\n\
accuracy = secs:1, millisecs:500\nordering = no\ntsa_name = no\ness_cert_id_chain = no\n\
ess_cert_id_alg = sha256\nclock_precision_digits = ";
/// id-kp-timeStamping.
const TIME_STAMPING: &[u8] = &[0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 8];

/// Its name, root and folder.
pub struct Authority {
    folder: tempfile::TempDir,
    root: Vec<u8>,
    certificate: Vec<u8>,
}

impl Authority {
    /// One whose certificate ends with the year before `until`, and whose clock shows so many digits of a second.
    pub fn new(until: i32, digits: u8) -> Self {
        let name = |text: &str| {
            let mut name = DistinguishedName::new();
            name.push(DnType::CommonName, text);
            name
        };
        let mut root = CertificateParams::default();
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        root.distinguished_name = name("CA di prova");
        root.not_before = rcgen::date_time_ymd(2000, 1, 1);
        root.not_after = rcgen::date_time_ymd(2120, 1, 1);
        let root_key = KeyPair::generate().unwrap();
        let root_certificate = root.self_signed(&root_key).unwrap();
        let issuer = Issuer::new(root, root_key);

        let mut own = CertificateParams::default();
        own.distinguished_name = name("TSA di prova");
        own.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        own.not_before = rcgen::date_time_ymd(2020, 1, 1);
        own.not_after = rcgen::date_time_ymd(until, 1, 1);
        let mut purpose =
            CustomExtension::from_oid_content(&[2, 5, 29, 37], TIME_STAMPING.to_vec());
        purpose.set_criticality(true);
        own.custom_extensions = vec![purpose];
        let key = KeyPair::generate().unwrap();
        let certificate = own.signed_by(&key, &issuer).unwrap();

        let made = Self {
            folder: tempfile::tempdir().unwrap(),
            root: root_certificate.der().to_vec(),
            certificate: certificate.der().to_vec(),
        };
        made.write("ca.pem", root_certificate.pem().as_bytes());
        made.write("tsa.pem", certificate.pem().as_bytes());
        made.write("tsa.der", &made.certificate);
        made.write("tsa.key", key.serialize_pem().as_bytes());
        made.write("serial", b"01\n");
        made.write("cnf", format!("{CONFIGURATION}{digits}\n").as_bytes());
        made
    }

    /// A token over a hash.
    pub fn stamp(&self, imprint: &Hash) -> Vec<u8> {
        let algorithm = imprint.algorithm().name().to_lowercase().replace('-', "");
        self.openssl(&format!(
            "ts -query -digest {imprint} -{algorithm} -cert -no_nonce -out q.tsq"
        ));
        self.openssl("ts -reply -config cnf -queryfile q.tsq -out r.tsr");
        self.openssl("ts -reply -in r.tsr -token_out -out r.tst");
        std::fs::read(self.path().join("r.tst")).unwrap()
    }

    pub fn trust(&self) -> Trust {
        Trust::new(Material {
            anchors: vec![self.root.clone()],
            ..Material::default()
        })
        .unwrap()
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file into its folder; the file's path.
    pub fn write(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn openssl(&self, arguments: &str) {
        let mut command = Command::new("openssl");
        let command = command.args(arguments.split(' ')).current_dir(self.path());
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments}: {said}");
    }
}
