//! A key in a token, over PKCS#11: signs, and is never seen.
//!
//! # Invariants
//! 1. One session, one signature at a time (a session is not to be shared).
//! 2. Opening signs a trial message and verifies it with the certificate: a key of another one does not open.

use super::OpenError;
use super::pem::Chain;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
};
use ceralacca_evidence::certificates::public_key;
use ceralacca_evidence::seal_key::{SealAlgorithm, SealError, SealSigner};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsPssParams};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use zeroize::Zeroizing;

/// What is looked for.
pub(super) struct Wanted<'a> {
    pub module: &'a Path,
    pub token: &'a str,
    pub key: &'a str,
    pub pin: &'a Zeroizing<String>,
}

/// Octets of r and of s.
const SCALAR: usize = 32;
/// What is signed once to see whether key and certificate go together.
const TRIAL: &[u8] = b"ceralacca: trial of the seal key\n";

pub(super) struct TokenKey {
    session: Mutex<Session>,
    key: ObjectHandle,
    algorithm: SealAlgorithm,
    chain: Chain,
    is_development: bool,
}

pub(super) fn open(wanted: &Wanted<'_>, chain: Chain) -> Result<TokenKey, OpenError> {
    let failed = |attempt: &'static str| {
        move |source: Error| OpenError::Token {
            token: wanted.token.to_owned(),
            attempt,
            source: Box::new(source),
        }
    };
    let context = Pkcs11::new(wanted.module).map_err(failed("load its module"))?;
    match context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        // A module is initialized once in a process.
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
        Err(error) => return Err(failed("initialize its module")(error)),
    }
    let slots = context.get_slots_with_token();
    let slots = slots.map_err(failed("list the tokens"))?;
    let slot = slot(&context, &slots, wanted.token)?;
    let session = context.open_ro_session(slot);
    let session = session.map_err(failed("open a session"))?;
    let pin = AuthPin::from(wanted.pin.as_str());
    match session.login(UserType::User, Some(&pin)) {
        // One login is for all sessions of a process.
        Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
        Err(error) => return Err(failed("log in with the PIN")(error)),
    }
    let template = [
        Attribute::Class(ObjectClass::PRIVATE_KEY),
        Attribute::Label(wanted.key.as_bytes().to_vec()),
    ];
    let found = session.find_objects(&template);
    let key = match &found.map_err(failed("look for the key"))?[..] {
        [key] => *key,
        found => {
            let (token, key) = (wanted.token, wanted.key);
            let count = found.len();
            let why = format!("token {token:?} has {count} private keys labelled {key:?}, not one");
            return Err(OpenError::Label(why));
        }
    };
    let algorithm = algorithm(&session, key).map_err(failed("read the kind of the key"))?;
    let refused = |source| OpenError::Key {
        path: wanted.module.to_owned(),
        source,
    };
    let algorithm = algorithm
        .ok_or_else(|| refused(SealError::Key("neither an RSA nor an elliptic key".into())))?;
    let is_development = chain.is_development();
    let key = TokenKey {
        session: Mutex::new(session),
        key,
        algorithm,
        chain,
        is_development,
    };
    key.trial().map_err(refused)?;
    Ok(key)
}

fn slot(context: &Pkcs11, slots: &[Slot], label: &str) -> Result<Slot, OpenError> {
    let mut labelled = slots.iter().filter(|slot| {
        let info = context.get_token_info(**slot);
        info.is_ok_and(|info| info.label().trim_end() == label)
    });
    match (labelled.next(), labelled.next()) {
        (Some(slot), None) => Ok(*slot),
        (None, _) => Err(OpenError::Label(format!("no token is labelled {label:?}"))),
        (Some(_), Some(_)) => {
            let why = format!("more than one token is labelled {label:?}");
            Err(OpenError::Label(why))
        }
    }
}

fn algorithm(session: &Session, key: ObjectHandle) -> Result<Option<SealAlgorithm>, Error> {
    let attributes = session.get_attributes(key, &[AttributeType::KeyType])?;
    let kind = attributes.iter().find_map(|attribute| match attribute {
        Attribute::KeyType(KeyType::EC) => Some(SealAlgorithm::EcdsaP256Sha256),
        Attribute::KeyType(KeyType::RSA) => Some(SealAlgorithm::RsaPssSha256),
        _ => None,
    });
    Ok(kind)
}

impl TokenKey {
    /// A signature that the certificate's key does not verify is of another key, curve or length.
    fn trial(&self) -> Result<(), SealError> {
        let signature = self.sign(TRIAL)?;
        let verification: &'static dyn VerificationAlgorithm = match self.algorithm {
            SealAlgorithm::EcdsaP256Sha256 => &ECDSA_P256_SHA256_ASN1,
            SealAlgorithm::RsaPssSha256 => &RSA_PSS_2048_8192_SHA256,
        };
        let key = public_key(&self.chain.certificate)?;
        if self.algorithm == SealAlgorithm::RsaPssSha256 {
            ceralacca_evidence::software_key::check_rsa_length(signature.len() * 8)?;
        }
        UnparsedPublicKey::new(verification, key)
            .verify(TRIAL, &signature)
            .map_err(|_| SealError::Key("the certificate is of another key".into()))
    }
}

impl SealSigner for TokenKey {
    fn certificate(&self) -> &[u8] {
        &self.chain.certificate
    }

    fn chain(&self) -> &[Vec<u8>] {
        &self.chain.others
    }

    fn algorithm(&self) -> SealAlgorithm {
        self.algorithm
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SealError> {
        // The digest is made here: not every token has the mechanisms that hash.
        let digest = digest(&SHA256, message);
        let mechanism = match self.algorithm {
            SealAlgorithm::EcdsaP256Sha256 => Mechanism::Ecdsa,
            SealAlgorithm::RsaPssSha256 => Mechanism::RsaPkcsPss(PkcsPssParams {
                hash_alg: MechanismType::SHA256,
                mgf: PkcsMgfType::MGF1_SHA256,
                s_len: 32.into(),
            }),
        };
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let signed = session.sign(&mechanism, self.key, digest.as_ref());
        let signed = signed.map_err(|error| SealError::Key(format!("PKCS#11: {error}")))?;
        match self.algorithm {
            SealAlgorithm::RsaPssSha256 => Ok(signed),
            SealAlgorithm::EcdsaP256Sha256 => der_signature(&signed),
        }
    }

    fn is_development(&self) -> bool {
        self.is_development
    }
}

/// r and s one after the other, as tokens give them, to SEQUENCE { r, s } (RFC 3279 section 2.2.3).
fn der_signature(raw: &[u8]) -> Result<Vec<u8>, SealError> {
    let halves = raw.split_at_checked(SCALAR);
    let halves = halves.filter(|(_, s)| s.len() == SCALAR);
    let Some((r, s)) = halves else {
        let why = format!("the token's signature has {} octets, not 64", raw.len());
        return Err(SealError::Key(why));
    };
    let mut inside = Vec::with_capacity(72);
    for number in [r, s] {
        let zeros = number.iter().take_while(|octet| **octet == 0).count();
        let significant = number.get(zeros..).unwrap_or_default();
        let sign = significant.first().is_none_or(|first| *first >= 0x80);
        let length = significant.len() + usize::from(sign);
        // At most 33 octets.
        inside.extend([0x02, u8::try_from(length).unwrap_or_default()]);
        inside.extend(sign.then_some(0));
        inside.extend_from_slice(significant);
    }
    let length = u8::try_from(inside.len()).unwrap_or_default();
    Ok([&[0x30, length], &inside[..]].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_raw_signature_becomes_two_minimal_positive_numbers() {
        let mut raw = [0; 64];
        (raw[31], raw[32]) = (1, 0x80);
        let der = der_signature(&raw).unwrap();
        assert_eq!(der[..7], [0x30, 38, 2, 1, 1, 2, 33]);
        assert_eq!((der[7], der[8], der.len()), (0, 0x80, 40));
        assert!(der_signature(&raw[1..]).is_err());
    }
}
