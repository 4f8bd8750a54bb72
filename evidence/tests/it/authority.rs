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

    /// A token of a year, past or to come, over a SHA-256 or SHA-512: the same structure, signed as a plain CMS.
    pub fn stamp_in(&self, year: i32, imprint: &Hash) -> Vec<u8> {
        let value = |tag: u8, parts: &[&[u8]]| {
            let content = parts.concat();
            [&[tag, u8::try_from(content.len()).unwrap()], &content[..]].concat()
        };
        let last = if imprint.as_bytes().len() == 32 { 1 } else { 3 };
        let oid = [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, last];
        let algorithm = value(0x30, &[&value(6, &[&oid])]);
        let info = value(
            0x30,
            &[
                &[2, 1, 1, 6, 3, 0x2a, 3, 4],
                &value(0x30, &[&algorithm, &value(4, &[imprint.as_bytes()])]),
                &[2, 1, 1],
                &value(0x18, &[format!("{year}0601120000Z").as_bytes()]),
            ],
        );
        self.write("info", &info);
        self.openssl(
            "cms -sign -binary -nodetach -nosmimecap -cades -outform DER -md sha256 \
             -econtent_type 1.2.840.113549.1.9.16.1.4 -in info -signer tsa.pem -inkey tsa.key -out t.tst",
        );
        std::fs::read(self.path().join("t.tst")).unwrap()
    }

    pub fn trust(&self) -> Trust {
        Self::trust_of(&[self])
    }

    /// The certificates that its chains end in.
    pub fn certificates(&self) -> Vec<Vec<u8>> {
        vec![self.root.clone()]
    }

    /// Trust in several.
    pub fn trust_of(all: &[&Self]) -> Trust {
        Trust::new(Material {
            anchors: all.iter().map(|one| one.root.clone()).collect(),
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
