//! TimeStampReq: what somebody asks of an authority (RFC 3161 section 2.4.1).

use super::info::dotted;
use crate::digests::DigestAlgorithm;
use crate::judge::ber::{self, Value};
use crate::judge::verify::AlgorithmId;

/// The longest request that is read.
const REQUEST_BYTES_MAX: usize = 16 << 10;
/// The longest nonce, in octets.
const NONCE_BYTES_MAX: usize = 64;

/// A request as it came.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Asked {
    /// The digest algorithm of the imprint; `None` where it is none that is known.
    pub algorithm: Option<DigestAlgorithm>,
    /// The imprint.
    pub imprint: Vec<u8>,
    /// The policy asked for, in dotted decimal.
    pub policy: Option<String>,
    /// The nonce, the octets of an INTEGER.
    pub nonce: Option<Vec<u8>>,
    /// Whether the certificate of the authority shall be in the token.
    pub wants_certificate: bool,
    /// Whether it has extensions.
    pub has_extensions: bool,
}

impl Asked {
    /// Reads a request; `None` if it is none of version 1, or if something follows it.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let outer = Some(bytes).filter(|bytes| bytes.len() <= REQUEST_BYTES_MAX);
        let outer = outer.and_then(Value::first_of)?;
        if outer.tag != ber::SEQUENCE || outer.whole.len() != bytes.len() {
            return None;
        }
        let mut inside = outer.inside();
        inside.next()?.small().filter(|version| *version == 1)?;
        let mut imprint = inside.expect(ber::SEQUENCE)?.inside();
        let algorithm = AlgorithmId::of(imprint.expect(ber::SEQUENCE)?)?.digest();
        let octets = imprint.expect(ber::OCTET_STRING)?.content;
        let policy = match inside.optional(ber::OID) {
            None => None,
            Some(policy) => Some(dotted(policy.content)?),
        };
        let nonce = inside.optional(ber::INTEGER).map(|nonce| nonce.content);
        let wants = inside.optional(ber::BOOLEAN);
        let has_extensions = inside.optional(ber::CONTEXT_0).is_some();
        let fits = nonce.is_none_or(|n| (1..=NONCE_BYTES_MAX).contains(&n.len()));
        let is_whole = imprint.is_empty() && inside.is_empty() && fits;
        is_whole.then(|| Self {
            algorithm,
            imprint: octets.to_vec(),
            policy,
            nonce: nonce.map(<[u8]>::to_vec),
            wants_certificate: wants.is_some_and(|wants| wants.content != [0]),
            has_extensions,
        })
    }
}
