//! A throw-away PKI: a root, the intermediate "CA PEC di prova", and signing certificates of providers.
//!
//! Keys are made at run time and never leave the process. The profile of a signing certificate is the one of
//! the rules (RFC 6109, 5.5): the provider's name in O and CN, the service address as rfc822Name, critical
//! keyUsage with digitalSignature, both key identifiers, no basicConstraints.
//!
//! ```text
//! openssl cms -verify -in message.eml -CAfile root.pem -purpose any -attime <second of the message>
//! ```

use crate::SyntheticError;
use crate::modpow::Exponentiation;
use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use der::asn1::{AnyRef, OctetStringRef, UintRef};
use der::{Decode, Encode, SliceReader};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CustomExtension,
    DistinguishedName, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyIdMethod,
    KeyPair, KeyUsagePurpose, NameConstraints, RevocationReason, RevokedCertParams, RsaKeySize,
    SanType, SerialNumber,
};
use std::time::Duration;
use x509_cert::Certificate;

/// Which keys the signers have.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Keys {
    /// RSA, 2048 bits: what real providers have. Some 0.1 s to make, 1 ms to sign with.
    Rsa2048,
    /// ECDSA on P-256: some tens of microseconds to sign with, for volume.
    P256,
}

/// The digest a signer uses.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum DigestKind {
    /// As several engines still did in 2024. RSA only.
    Sha1,
    /// As the rest do.
    Sha256,
}

impl DigestKind {
    /// The digest of some octets.
    pub fn of(self, octets: &[u8]) -> Digest {
        let algorithm = match self {
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &digest::SHA256,
        };
        digest::digest(algorithm, octets)
    }
}

/// When certificates hold, in milliseconds since 1970; whole seconds count.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Validity {
    /// `notBefore`.
    pub from_ms: i64,
    /// `notAfter`.
    pub until_ms: i64,
}

/// A root and an intermediate that can certify providers.
pub struct Pki {
    validity: Validity,
    root: rcgen::Certificate,
    intermediate: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Pki {
    /// Makes both authorities, with keys of this kind; the signers' keys are chosen one by one.
    pub fn new(validity: Validity, keys: Keys) -> Result<Self, SyntheticError> {
        Self::make(validity, keys, None)
    }

    /// As [`Pki::new`], with name constraints in the intermediate as the real one has them: the given
    /// domains and provider names are permitted, all DNS names excluded.
    pub fn constrained(
        validity: Validity,
        keys: Keys,
        permitted: &[(&str, &str)],
    ) -> Result<Self, SyntheticError> {
        let mut subtrees = Vec::new();
        for (provider, domain) in permitted {
            subtrees.push(GeneralSubtree::Rfc822Name((*domain).to_owned()));
            let mut name = DistinguishedName::new();
            name.push(DnType::CountryName, "IT");
            name.push(DnType::OrganizationName, *provider);
            subtrees.push(GeneralSubtree::DirectoryName(name));
        }
        let constraints = NameConstraints {
            permitted_subtrees: subtrees,
            excluded_subtrees: vec![GeneralSubtree::DnsName(String::new())],
        };
        Self::make(validity, keys, Some(constraints))
    }

    fn make(
        validity: Validity,
        keys: Keys,
        constraints: Option<NameConstraints>,
    ) -> Result<Self, SyntheticError> {
        let root_key = key_pair(keys)?;
        let mut params = authority("Autorita' di prova", "Radice di prova", validity);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = params.self_signed(&root_key)?;
        let root_issuer = Issuer::new(params, root_key);

        let key = key_pair(keys)?;
        let mut params = authority("Ufficio di prova", "CA PEC di prova", validity);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.use_authority_key_identifier_extension = true;
        params.name_constraints = constraints;
        let intermediate = params.signed_by(&key, &root_issuer)?;
        Ok(Self {
            validity,
            root,
            intermediate,
            issuer: Issuer::new(params, key),
        })
    }

    /// Certifies a new key of the provider of this name, for `posta-certificata@<domain>`, as long as the
    /// authorities hold.
    pub fn signer(
        &self,
        provider: &str,
        domain: &str,
        keys: Keys,
    ) -> Result<Signer, SyntheticError> {
        self.signer_within(provider, domain, keys, self.validity)
    }

    /// As [`Pki::signer`], with dates of its own: expired, or not yet valid.
    pub fn signer_within(
        &self,
        provider: &str,
        domain: &str,
        keys: Keys,
        validity: Validity,
    ) -> Result<Signer, SyntheticError> {
        let pair = key_pair(keys)?;
        let mut params = CertificateParams::default();
        set_validity(&mut params, validity);
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CountryName, "IT");
        params
            .distinguished_name
            .push(DnType::OrganizationName, provider);
        params.distinguished_name.push(
            DnType::CommonName,
            format!("{provider} - Posta Certificata"),
        );
        let address = format!("posta-certificata@{domain}");
        params.subject_alt_names = vec![SanType::Rfc822Name(address.clone().try_into()?)];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::EmailProtection];
        params.use_authority_key_identifier_extension = true;
        // The library writes a subject key identifier only beside basicConstraints, which must not be there.
        let identifier = params.key_identifier(&pair);
        params.custom_extensions = vec![CustomExtension::from_oid_content(
            &[2, 5, 29, 14],
            OctetStringRef::new(&identifier)?.to_der()?,
        )];
        let certificate = params.signed_by(&pair, &self.issuer)?;
        Signer::new(
            &pair,
            keys,
            address,
            certificate.der().to_vec(),
            self.intermediate.der().to_vec(),
        )
    }

    /// A revocation list of the intermediate, made an hour after an instant, that says of these certificates that
    /// they were revoked at it.
    pub fn crl(&self, certificates: &[&[u8]], at_ms: i64) -> Result<Vec<u8>, SyntheticError> {
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        let at = |ms: i64| epoch + Duration::from_secs(u64::try_from(ms / 1000).unwrap_or(0));
        let revoked = certificates.iter().map(|der| {
            let read = Certificate::from_der(der)?;
            let serial = read.tbs_certificate().serial_number().as_bytes().to_vec();
            Ok(RevokedCertParams {
                serial_number: SerialNumber::from_slice(&serial),
                revocation_time: at(at_ms),
                reason_code: Some(RevocationReason::KeyCompromise),
                invalidity_date: None,
            })
        });
        let params = CertificateRevocationListParams {
            this_update: at(at_ms.saturating_add(3_600_000)),
            next_update: at(at_ms.saturating_add(30 * 86_400_000)),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect::<Result<_, SyntheticError>>()?,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Ok(params.signed_by(&self.issuer)?.der().to_vec())
    }

    /// The root, the anchor of trust.
    pub fn root_der(&self) -> &[u8] {
        self.root.der()
    }

    /// The root, for `-CAfile`.
    pub fn root_pem(&self) -> String {
        pem(self.root_der())
    }

    /// The intermediate, which travels in every signature.
    pub fn intermediate_der(&self) -> &[u8] {
        self.intermediate.der()
    }

    /// The intermediate.
    pub fn intermediate_pem(&self) -> String {
        pem(self.intermediate_der())
    }
}

fn key_pair(keys: Keys) -> Result<KeyPair, rcgen::Error> {
    match keys {
        Keys::Rsa2048 => KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048),
        Keys::P256 => KeyPair::generate(),
    }
}

fn authority(unit: &str, name: &str, validity: Validity) -> CertificateParams {
    let mut params = CertificateParams::default();
    set_validity(&mut params, validity);
    params.distinguished_name = DistinguishedName::new();
    for (kind, value) in [
        (DnType::CountryName, "IT"),
        (DnType::LocalityName, "Roma"),
        (DnType::OrganizationName, "Agenzia di prova"),
        (DnType::OrganizationalUnitName, unit),
        (DnType::CommonName, name),
    ] {
        params.distinguished_name.push(kind, value);
    }
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn set_validity(params: &mut CertificateParams, validity: Validity) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let at = |ms: i64| epoch + Duration::from_secs(u64::try_from(ms / 1000).unwrap_or(0));
    params.not_before = at(validity.from_ms);
    params.not_after = at(validity.until_ms);
}

fn pem(der: &[u8]) -> String {
    let mut text = "-----BEGIN CERTIFICATE-----\n".to_owned();
    for line in der.chunks(48) {
        BASE64_STANDARD.encode_string(line, &mut text);
        text.push('\n');
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}

/// A provider's key with its certificate: what signs messages.
pub struct Signer {
    key: Key,
    address: String,
    certificate: Vec<u8>,
    intermediate: Vec<u8>,
    /// `IssuerAndSerialNumber`, without its own tag and length.
    pub(crate) issuer_and_serial: Vec<u8>,
}

enum Key {
    Rsa(Box<RsaKeyPair>, Box<Exponentiation>),
    P256(EcdsaKeyPair),
}

impl Signer {
    fn new(
        pair: &KeyPair,
        keys: Keys,
        address: String,
        certificate: Vec<u8>,
        intermediate: Vec<u8>,
    ) -> Result<Self, SyntheticError> {
        let pkcs8 = pair.serialize_der();
        let key = match keys {
            Keys::Rsa2048 => {
                let pair = RsaKeyPair::from_pkcs8(&pkcs8)?;
                let (modulus, exponent) = rsa_numbers(&pkcs8)?;
                let legacy = Exponentiation::new(&modulus, &exponent)
                    .ok_or(aws_lc_rs::error::Unspecified)?;
                Key::Rsa(Box::new(pair), Box::new(legacy))
            }
            Keys::P256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &pkcs8)?;
                Key::P256(pair)
            }
        };
        let parsed = Certificate::from_der(&certificate)?;
        let mut issuer_and_serial = parsed.tbs_certificate().issuer().to_der()?;
        issuer_and_serial.extend(parsed.tbs_certificate().serial_number().to_der()?);
        let signer = Self {
            key,
            address,
            certificate,
            intermediate,
            issuer_and_serial,
        };
        // Tried once here: see `sign`.
        signer.try_sign(DigestKind::Sha256, b"prova")?;
        Ok(signer)
    }

    /// The address this signer certifies: the one in `From` of everything it signs.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The signer's certificate.
    pub fn certificate_der(&self) -> &[u8] {
        &self.certificate
    }

    /// The certificate of the issuing authority.
    pub fn intermediate_der(&self) -> &[u8] {
        &self.intermediate
    }

    /// Which keys it has.
    pub fn keys(&self) -> Keys {
        match self.key {
            Key::Rsa(..) => Keys::Rsa2048,
            Key::P256(_) => Keys::P256,
        }
    }

    /// The digest that is really used when one is wished: a P-256 key signs SHA-256 only.
    pub fn digest(&self, wished: DigestKind) -> DigestKind {
        match self.key {
            Key::Rsa(..) => wished,
            Key::P256(_) => DigestKind::Sha256,
        }
    }

    /// The bare signature of some octets.
    #[expect(
        clippy::expect_used,
        reason = "the key signed once when it was made; only lack of memory can stop it now"
    )]
    pub fn sign(&self, digest: DigestKind, octets: &[u8]) -> Vec<u8> {
        self.try_sign(digest, octets)
            .expect("a key that has signed signs again")
    }

    fn try_sign(
        &self,
        digest: DigestKind,
        octets: &[u8],
    ) -> Result<Vec<u8>, aws_lc_rs::error::Unspecified> {
        let random = SystemRandom::new();
        match (&self.key, self.digest(digest)) {
            (Key::P256(pair), _) => Ok(pair.sign(&random, octets)?.as_ref().to_vec()),
            (Key::Rsa(pair, _), DigestKind::Sha256) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, octets, &mut signature)?;
                Ok(signature)
            }
            (Key::Rsa(_, legacy), digest) => Ok(legacy.sign_sha1(digest.of(octets).as_ref())),
        }
    }

    /// The public key, as `SubjectPublicKeyInfo`.
    pub fn public_key_der(&self) -> Vec<u8> {
        let der = match &self.key {
            Key::Rsa(pair, _) => pair.public_key().as_der().map(|k| k.as_ref().to_vec()),
            Key::P256(pair) => pair.public_key().as_der().map(|k| k.as_ref().to_vec()),
        };
        der.unwrap_or_default()
    }
}

/// Modulus and private exponent of a PKCS#8 key (RFC 5958, RFC 8017 A.1.2).
fn rsa_numbers(pkcs8: &[u8]) -> Result<(Vec<u8>, Vec<u8>), der::Error> {
    let outer = AnyRef::from_der(pkcs8)?;
    let mut info = SliceReader::new(outer.value())?;
    UintRef::decode(&mut info)?; // version
    AnyRef::decode(&mut info)?; // algorithm
    let inner = <&OctetStringRef>::decode(&mut info)?;
    let inner = AnyRef::from_der(inner.as_bytes())?;
    let mut numbers = SliceReader::new(inner.value())?;
    UintRef::decode(&mut numbers)?; // version
    let modulus = UintRef::decode(&mut numbers)?.as_bytes().to_vec();
    UintRef::decode(&mut numbers)?; // public exponent
    let exponent = UintRef::decode(&mut numbers)?.as_bytes().to_vec();
    Ok((modulus, exponent))
}
