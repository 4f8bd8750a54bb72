//! A private key in memory that signs: what a key file holds once it is decrypted.

use crate::asn1::{NULL, bits, oid, sequence};
use crate::oids;
use crate::seal_key::{SealAlgorithm, SealError};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PSS_SHA256,
};

/// The shortest RSA modulus a seal is made with, in bits (TS 119 312; ECCG agreed mechanisms).
pub const RSA_BITS_MIN: usize = 3072;

/// Refuses an RSA key that is too short to seal.
pub fn check_rsa_length(bits: usize) -> Result<(), SealError> {
    match bits < RSA_BITS_MIN {
        true => {
            let why = format!("RSA of {bits} bits; at least {RSA_BITS_MIN} are needed");
            Err(SealError::Key(why))
        }
        false => Ok(()),
    }
}

/// A private key that signs.
pub struct PrivateKey(Kind);

enum Kind {
    Ecdsa(EcdsaKeyPair),
    Rsa(rsa::KeyPair),
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PrivateKey({:?}, [REDACTED])", self.algorithm())
    }
}

impl PrivateKey {
    /// From PKCS#8, not encrypted, DER: P-256, or RSA of [`RSA_BITS_MIN`] bits or more.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, SealError> {
        if let Ok(pair) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, der) {
            return Ok(Self(Kind::Ecdsa(pair)));
        }
        let pair = rsa::KeyPair::from_pkcs8(der);
        let pair = pair.map_err(|_| SealError::Key("neither a P-256 nor an RSA key".into()))?;
        check_rsa_length(pair.public_modulus_len() * 8)?;
        Ok(Self(Kind::Rsa(pair)))
    }

    /// How it signs.
    pub fn algorithm(&self) -> SealAlgorithm {
        match self.0 {
            Kind::Ecdsa(_) => SealAlgorithm::EcdsaP256Sha256,
            Kind::Rsa(_) => SealAlgorithm::RsaPssSha256,
        }
    }

    /// Its SubjectPublicKeyInfo, DER.
    pub fn public_key(&self) -> Vec<u8> {
        match &self.0 {
            Kind::Ecdsa(pair) => {
                let algorithm = sequence(&[&oid(oids::EC_PUBLIC_KEY), &oid(oids::P256)]);
                sequence(&[&algorithm, &bits(pair.public_key().as_ref())])
            }
            Kind::Rsa(pair) => {
                let algorithm = sequence(&[&oid(oids::RSA), NULL]);
                sequence(&[&algorithm, &bits(pair.public_key().as_ref())])
            }
        }
    }

    /// Signs these bytes (they are hashed here).
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SealError> {
        // What the schemes draw at random is the library's own affair.
        let random = SystemRandom::new();
        let refused = |_| SealError::Key("the key did not sign".into());
        match &self.0 {
            Kind::Ecdsa(pair) => {
                let signature = pair.sign(&random, message).map_err(refused)?;
                Ok(signature.as_ref().to_vec())
            }
            Kind::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PSS_SHA256, &random, message, &mut signature)
                    .map_err(refused)?;
                Ok(signature)
            }
        }
    }
}
