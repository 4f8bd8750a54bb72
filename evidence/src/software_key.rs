//! A seal key in memory, with its certificates; what the development authority signs with, too.

use crate::certificates;
use crate::seal_key::{SealAlgorithm, SealError, SealSigner};

pub use crate::private_key::{PrivateKey, RSA_BITS_MIN, check_rsa_length};

/// A private key with its certificates.
#[derive(Debug)]
pub struct SoftwareKey {
    key: PrivateKey,
    certificate: Vec<u8>,
    chain: Vec<Vec<u8>>,
    is_development: bool,
}

impl SoftwareKey {
    /// Key and certificate must belong together; `chain` leads to the root, the issuer's certificate first.
    pub fn new(
        key: PrivateKey,
        certificate: Vec<u8>,
        chain: Vec<Vec<u8>>,
        is_development: bool,
    ) -> Result<Self, SealError> {
        certificates::check_key(&certificate, &key.public_key())?;
        Ok(Self {
            key,
            certificate,
            chain,
            is_development,
        })
    }
}

impl SealSigner for SoftwareKey {
    fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    fn chain(&self) -> &[Vec<u8>] {
        &self.chain
    }

    fn algorithm(&self) -> SealAlgorithm {
        self.key.algorithm()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SealError> {
        self.key.sign(message)
    }

    fn is_development(&self) -> bool {
        self.is_development
    }
}
