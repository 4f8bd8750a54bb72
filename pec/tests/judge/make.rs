//! Makes authorities, signers, signatures and messages with any one thing wrong in them.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ceralacca_pec::judge::{Material, Times, Trust, Verdict, judge, judge_at_hand};
use ceralacca_pec::{DigestAlgorithm, Reading, read, read_at_hand};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType,
};

/// 2026-01-01 00:00:00 UTC: when everything here is signed.
pub const AT_MS: i64 = 1_767_225_600_000;
pub const ADDRESS: &str = "posta-certificata@pec.alfa.example";

pub fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut out = vec![tag];
    match content.len() {
        short @ 0..0x80 => out.push(u8::try_from(short).unwrap()),
        long => {
            let octets = long.to_be_bytes();
            let octets: Vec<u8> = octets.into_iter().skip_while(|octet| *octet == 0).collect();
            out.push(0x80 | u8::try_from(octets.len()).unwrap());
            out.extend(octets);
        }
    }
    [out, content].concat()
}

/// A value of definite length turned into one of indefinite length.
pub fn indefinite(value: &[u8]) -> Vec<u8> {
    [&[value[0], 0x80], &value[header(value)..], &[0, 0]].concat()
}

pub fn oid(content: &[u8]) -> Vec<u8> {
    tlv(6, &[content])
}

pub const SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 1];
pub const SHA512: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 3];
pub const MD5: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x05];
pub const ECDSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 2];
pub const DSA_SHA1: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x03];
pub const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01];
pub const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
pub const PKCS9: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09];

pub fn algorithm(content: &[u8]) -> Vec<u8> {
    tlv(0x30, &[&oid(content)])
}

/// An attribute of PKCS #9.
pub fn attribute(number: u8, values: &[&[u8]]) -> Vec<u8> {
    let kind = oid(&[PKCS9, &[number]].concat());
    tlv(0x30, &[&kind, &tlv(0x31, values)])
}

pub fn utc_time(text: &str) -> Vec<u8> {
    tlv(0x17, &[text.as_bytes()])
}

/// A certificate and its key.
pub struct Party {
    pub der: Vec<u8>,
    pub key: KeyPair,
    pub params: CertificateParams,
}

impl Party {
    pub fn issuer(&self) -> Issuer<'_, &KeyPair> {
        Issuer::new(self.params.clone(), &self.key)
    }

    pub fn sign(&self, octets: &[u8]) -> Vec<u8> {
        let pkcs8 = self.key.serialize_der();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &pkcs8).unwrap();
        pair.sign(&SystemRandom::new(), octets)
            .unwrap()
            .as_ref()
            .to_vec()
    }

    /// Issuer and serial number, as a CMS names a signer.
    pub fn issuer_and_serial(&self) -> Vec<u8> {
        let tbs = inside(inside(&self.der)[0])
            .into_iter()
            .map(<[u8]>::to_vec)
            .collect::<Vec<_>>();
        tlv(0x30, &[&tbs[3], &tbs[1]])
    }
}

/// The values inside a value of definite length.
pub fn inside(value: &[u8]) -> Vec<&[u8]> {
    let (mut at, mut all) = (header(value), Vec::new());
    while at < value.len() {
        let rest = &value[at..];
        let end = header(rest) + length(rest);
        all.push(&rest[..end]);
        at += end;
    }
    all
}

pub fn header(value: &[u8]) -> usize {
    match value[1] {
        0..0x80 => 2,
        long => 2 + usize::from(long & 0x7f),
    }
}

fn length(value: &[u8]) -> usize {
    match value[1] {
        short @ 0..0x80 => usize::from(short),
        long => value[2..2 + usize::from(long & 0x7f)]
            .iter()
            .fold(0, |n, octet| n << 8 | usize::from(*octet)),
    }
}

pub fn name(organization: &str, common: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CountryName, "IT");
    name.push(DnType::OrganizationName, organization);
    name.push(DnType::CommonName, common);
    name
}

pub fn dates(params: &mut CertificateParams, from_year: i32, until_year: i32) {
    params.not_before = rcgen::date_time_ymd(from_year, 1, 1);
    params.not_after = rcgen::date_time_ymd(until_year, 1, 1);
}

pub fn authority(common: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = name("Agenzia di prova", common);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    dates(&mut params, 2020, 2030);
    params
}

/// The parameters of a signer as the rules want it.
pub fn signer(key: &KeyPair) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = name("Gestore Alfa", "Posta Certificata");
    params.subject_alt_names = vec![SanType::Rfc822Name(ADDRESS.try_into().unwrap())];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::EmailProtection];
    params.use_authority_key_identifier_extension = true;
    let id = params.key_identifier(key);
    params.custom_extensions = vec![CustomExtension::from_oid_content(
        &[2, 5, 29, 14],
        tlv(4, &[&id]),
    )];
    dates(&mut params, 2024, 2028);
    params
}

pub fn self_signed(params: CertificateParams) -> Party {
    let key = KeyPair::generate().unwrap();
    let der = params.self_signed(&key).unwrap().der().to_vec();
    Party { der, key, params }
}

pub fn issued(params: CertificateParams, key: KeyPair, by: &Party) -> Party {
    let der = params.signed_by(&key, &by.issuer()).unwrap().der().to_vec();
    Party { der, key, params }
}

/// A root, an authority and a signer.
pub struct Chain {
    pub root: Party,
    pub middle: Party,
    pub signer: Party,
}

impl Chain {
    pub fn new() -> Self {
        Self::with(|_| {}, |_| {})
    }

    pub fn with(
        middle: impl FnOnce(&mut CertificateParams),
        leaf: impl FnOnce(&mut CertificateParams),
    ) -> Self {
        let root = self_signed(authority("Radice di prova"));
        let mut params = authority("CA PEC di prova");
        middle(&mut params);
        let middle = issued(params, KeyPair::generate().unwrap(), &root);
        let key = KeyPair::generate().unwrap();
        let mut params = signer(&key);
        leaf(&mut params);
        let signer = issued(params, key, &middle);
        Self {
            root,
            middle,
            signer,
        }
    }

    pub fn material(&self) -> Material {
        Material {
            anchors: vec![self.root.der.clone()],
            ..Material::default()
        }
    }

    pub fn trust(&self) -> Trust {
        Trust::new(self.material()).unwrap()
    }

    /// A signature as it should be, over some octets.
    pub fn cms(&self, octets: &[u8]) -> Cms {
        let certificates = vec![self.signer.der.clone(), self.middle.der.clone()];
        Cms {
            certificates,
            signers: vec![SignerInfo::new(&self.signer, octets).bytes(&self.signer)],
            ..Cms::default()
        }
    }
}

/// A SignedData to write.
pub struct Cms {
    pub kind: Vec<u8>,
    pub content_type: Vec<u8>,
    pub content: Option<Vec<u8>>,
    pub certificates: Vec<Vec<u8>>,
    pub crls: Vec<Vec<u8>>,
    pub signers: Vec<Vec<u8>>,
}

impl Default for Cms {
    fn default() -> Self {
        Self {
            kind: SIGNED_DATA.to_vec(),
            content_type: DATA.to_vec(),
            content: None,
            certificates: Vec::new(),
            crls: Vec::new(),
            signers: Vec::new(),
        }
    }
}

impl Cms {
    pub fn bytes(&self) -> Vec<u8> {
        let mut encapsulated = oid(&self.content_type);
        if let Some(content) = &self.content {
            encapsulated.extend(tlv(0xa0, &[&tlv(4, &[content])]));
        }
        let mut data = vec![
            vec![2, 1, 1],
            tlv(0x31, &[&algorithm(SHA256)]),
            tlv(0x30, &[&encapsulated]),
            tlv(0xa0, &[&self.certificates.concat()]),
        ];
        if !self.crls.is_empty() {
            data.push(tlv(0xa1, &[&self.crls.concat()]));
        }
        data.push(tlv(0x31, &[&self.signers.concat()]));
        let data = tlv(0x30, &[&data.concat()]);
        tlv(0x30, &[&oid(&self.kind), &tlv(0xa0, &[&data])])
    }
}

/// A signer of a SignedData to write.
pub struct SignerInfo {
    pub id: Vec<u8>,
    pub digest: Vec<u8>,
    /// In the order they are written and signed in.
    pub attributes: Option<Vec<Vec<u8>>>,
    /// Signed in the place of `attributes`.
    pub signed: Option<Vec<u8>>,
    pub algorithm: Vec<u8>,
}

impl SignerInfo {
    pub fn new(party: &Party, octets: &[u8]) -> Self {
        let digest = DigestAlgorithm::Sha256.of(octets);
        let mut attributes = vec![
            attribute(3, &[&oid(DATA)]),
            attribute(5, &[&utc_time("260101000000Z")]),
            attribute(4, &[&tlv(4, &[digest.as_ref()])]),
        ];
        attributes.sort();
        Self {
            id: party.issuer_and_serial(),
            digest: algorithm(SHA256),
            attributes: Some(attributes),
            signed: None,
            algorithm: algorithm(ECDSA_SHA256),
        }
    }

    pub fn bytes(&self, party: &Party) -> Vec<u8> {
        let attributes = self
            .attributes
            .as_ref()
            .map(|attributes| attributes.concat());
        let octets = match (&self.signed, &attributes) {
            (Some(signed), _) => signed.clone(),
            (None, attributes) => tlv(0x31, &[attributes.as_deref().unwrap_or_default()]),
        };
        let attributes = attributes.map(|attributes| tlv(0xa0, &[&attributes]));
        tlv(
            0x30,
            &[
                &[2, 1, 1],
                &self.id,
                &self.digest,
                &attributes.unwrap_or_default(),
                &self.algorithm,
                &tlv(4, &[&party.sign(&octets)]),
            ],
        )
    }
}

/// A message to write around a signature.
pub struct Mail {
    pub from: Option<String>,
    pub micalg: &'static str,
    pub signed: Vec<u8>,
}

impl Default for Mail {
    fn default() -> Self {
        Self::at("00:00:00")
    }
}

impl Mail {
    pub fn at(hour: &'static str) -> Self {
        let signed = format!(
            "Content-Type: multipart/mixed; boundary=\"b\"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n\
             prova\r\n--b\r\nContent-Type: application/xml; name=\"daticert.xml\"\r\n\r\n\
             <postacert tipo=\"accettazione\"><dati><data zona=\"+0000\"><giorno>01/01/2026</giorno>\
             <ora>{hour}</ora></data></dati></postacert>\r\n--b--\r\n"
        );
        Self {
            from: Some(ADDRESS.to_owned()),
            micalg: "sha-256",
            signed: signed.into_bytes(),
        }
    }

    pub fn bytes(&self, p7s: &[u8]) -> Vec<u8> {
        let text = BASE64_STANDARD.encode(p7s);
        let lines: Vec<String> = text
            .as_bytes()
            .chunks(64)
            .map(|line| String::from_utf8_lossy(line).into_owned() + "\r\n")
            .collect();
        self.with_body(&lines.concat())
    }

    pub fn with_body(&self, signature: &str) -> Vec<u8> {
        let from = self.from.as_ref().map(|from| format!("From: {from}\r\n"));
        let head = format!(
            "X-Ricevuta: accettazione\r\nMessage-ID: <1@pec.alfa.example>\r\n{}MIME-Version: 1.0\r\n\
             Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; micalg={}; \
             boundary=\"out\"\r\n\r\n--out\r\n",
            from.unwrap_or_default(),
            self.micalg
        );
        let tail = format!(
            "\r\n--out\r\nContent-Type: application/pkcs7-signature; name=\"smime.p7s\"\r\n\
             Content-Transfer-Encoding: base64\r\n\r\n{signature}\r\n--out--\r\n"
        );
        [head.as_bytes(), &self.signed, tail.as_bytes()].concat()
    }

    pub fn reading(&self, p7s: &[u8]) -> Reading {
        let reading = read(&self.bytes(p7s));
        assert!(reading.facts.is_some(), "{:?}", reading.unclassified);
        reading
    }

    pub fn judge(&self, p7s: &[u8], trust: &Trust) -> Verdict {
        self.judge_at(p7s, trust, Times::default())
    }

    /// The verdict, which is the same of the message at hand.
    fn judge_at(&self, p7s: &[u8], trust: &Trust, times: Times) -> Verdict {
        let verdict = judge(&self.reading(p7s), trust, times);
        let bytes = self.bytes(p7s);
        let at_hand = judge_at_hand(&bytes, &read_at_hand(&bytes), trust, times);
        assert_eq!(at_hand, verdict);
        verdict
    }
}

/// The same message, received at a time.
pub fn judge_received(mail: &Mail, p7s: &[u8], trust: &Trust, received_ms: i64) -> Verdict {
    let times = Times {
        received_ms: Some(received_ms),
    };
    mail.judge_at(p7s, trust, times)
}
