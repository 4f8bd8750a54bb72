//! The embedded time-stamping authority of a development installation. Its clock is the archive's own: what it says
//! proves no time, and certificate and policy say so.
//!
//! # Invariants
//! 1. Pure: request, instant and serial number are arguments; whoever calls never uses a serial number twice.
//! 2. What is not granted is answered with the failInfo of RFC 3161 section 2.4.2; nothing is granted in part.
//! 3. Every token is under [`DEVELOPMENT_POLICY`].

use crate::asn1::{
    context, integer, named_bit, octets, oid, oid_content, sequence, text, time_with_millis, value,
};
use crate::certificates::named;
use crate::oids;
use crate::seal_key::{SealError, SealSigner};
use crate::signed_data::{self, ToSign};
use aws_lc_rs::digest::{SHA256, digest};
use ceralacca_formats::id::UtcMillis;
use ceralacca_pec::DigestAlgorithm;
use ceralacca_pec::tsp::{Asked, Failure};

/// The policy of development tokens: an identifier below 2.25 (Rec. ITU-T X.667, made from a random UUID), which no
/// trust service has.
pub const DEVELOPMENT_POLICY: &str = "2.25.118142784060346276897761982116217177214";
/// The words of every answer that is not a token.
const WORDS: &str = "Autorita' di sviluppo, non qualificata";
/// How exact its tokens say to be, in milliseconds.
pub const ACCURACY_MS: u64 = 1000;

/// The development authority.
pub struct Authority {
    signer: Box<dyn SealSigner>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authority")
    }
}

impl Authority {
    /// With the key and certificate of the authority (extendedKeyUsage timeStamping, critical and alone).
    pub fn new(signer: Box<dyn SealSigner>) -> Self {
        Self { signer }
    }

    /// Certificates that lead to its root, DER, the issuer's first.
    pub fn chain(&self) -> &[Vec<u8>] {
        self.signer.chain()
    }

    /// Its own certificate, DER.
    pub fn certificate(&self) -> &[u8] {
        self.signer.certificate()
    }

    /// Answers a request: a TimeStampResp, DER. An error is the key's: answer with [`Self::failure`].
    pub fn answer(
        &self,
        request: &[u8],
        now: UtcMillis,
        serial: [u8; 16],
    ) -> Result<Vec<u8>, SealError> {
        let asked = match Asked::read(request) {
            Some(asked) => asked,
            None => return Ok(refused(Failure::BadDataFormat)),
        };
        if let Some(failure) = against(&asked) {
            return Ok(refused(failure));
        }
        let token = self.token(&asked, now, serial)?;
        let status = sequence(&[&integer(&[0])]);
        Ok(sequence(&[&status, &token]))
    }

    /// The answer where the authority itself failed.
    pub fn failure() -> Vec<u8> {
        refused(Failure::SystemFailure)
    }

    fn token(
        &self,
        asked: &Asked,
        now: UtcMillis,
        mut serial: [u8; 16],
    ) -> Result<Vec<u8>, SealError> {
        if let Some(first) = serial.first_mut() {
            *first &= 0x7f;
        }
        let own = named(self.signer.certificate())?;
        let algorithm = match asked.algorithm {
            Some(DigestAlgorithm::Sha512) => oids::SHA512,
            Some(DigestAlgorithm::Sha384) => oids::SHA384,
            _ => oids::SHA256,
        };
        let policy = oid_content(DEVELOPMENT_POLICY);
        let time = time_with_millis(now);
        let (Some(policy), Some(time)) = (policy, time) else {
            return Err(SealError::Encode("the time of a time-stamp".into()));
        };
        let nonce = asked.nonce.as_ref().map(|nonce| value(0x02, nonce));
        let info = sequence(&[
            &integer(&[1]),
            &oid(&policy),
            &sequence(&[&sequence(&[&oid(algorithm)]), &octets(&asked.imprint)]),
            &integer(&serial),
            &time,
            &sequence(&[&integer(&[1])]),
            nonce.as_deref().unwrap_or_default(),
            // tsa [0] EXPLICIT GeneralName: directoryName [4] EXPLICIT.
            &context(0, &value(0xa4, &own.subject)),
        ]);
        let mut certificates = Vec::new();
        if asked.wants_certificate {
            certificates.push(self.signer.certificate());
            certificates.extend(self.signer.chain().iter().map(Vec::as_slice));
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, &info).as_ref());
        let what = ToSign {
            content_type: oids::TST_INFO,
            digest: hash,
            content: Some(&info),
            attributes: Vec::new(),
            certificates,
        };
        Ok(signed_data::sign(what, self.signer.as_ref())?.finish(Vec::new()))
    }
}

/// What stands against granting a request.
fn against(asked: &Asked) -> Option<Failure> {
    let algorithm = match asked.algorithm {
        Some(DigestAlgorithm::Sha1) | None => return Some(Failure::BadAlgorithm),
        Some(algorithm) => algorithm,
    };
    if algorithm.of(&[]).as_ref().len() != asked.imprint.len() {
        return Some(Failure::BadDataFormat);
    }
    let policy = asked.policy.as_deref();
    if policy.is_some_and(|policy| policy != DEVELOPMENT_POLICY) {
        return Some(Failure::UnacceptedPolicy);
    }
    asked.has_extensions.then_some(Failure::UnacceptedExtension)
}

fn refused(failure: Failure) -> Vec<u8> {
    sequence(&[&sequence(&[
        &integer(&[2]),
        &sequence(&[&text(WORDS)]),
        &named_bit(failure.bit()),
    ])])
}

// Stated in the token as whole seconds.
const _: () = assert!(ACCURACY_MS == 1000);
