//! The key that seals: signs indexes of packages, attestations and certificates. Checkpoints are not its.

/// Why nothing was signed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SealError {
    /// The key, file or token, did not sign. The operator's to look at.
    #[error("the seal key did not sign: {0}")]
    Key(String),
    /// A structure could not be encoded.
    #[error("encode the signature: {0}")]
    Encode(String),
}

/// How the seal key signs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SealAlgorithm {
    /// ECDSA on P-256 with SHA-256; the signature is DER.
    EcdsaP256Sha256,
    /// RSASSA-PSS, 3072 bits or more, SHA-256, MGF1 with SHA-256, salt of 32 bytes.
    RsaPssSha256,
}

/// Holds the seal key; the only thing that signs with it.
pub trait SealSigner: Send + Sync {
    /// The signer's certificate, DER.
    fn certificate(&self) -> &[u8];

    /// Certificates that lead to its root, DER, the issuer's first; the root may be among them.
    fn chain(&self) -> &[Vec<u8>];

    /// How it signs.
    fn algorithm(&self) -> SealAlgorithm;

    /// Signs these bytes (they are hashed here).
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SealError>;

    /// Whether it is a key that `init` made for development: marked so in every artefact.
    fn is_development(&self) -> bool;
}
