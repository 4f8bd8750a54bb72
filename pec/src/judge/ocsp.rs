//! Whether a certificate was revoked at an instant, by the OCSP responses at hand (RFC 6960).
//!
//! # Invariants
//! 1. A statement is about a certificate if serial number and digests of the issuer's name and key agree
//!    (section 4.1.1). It counts if the issuer signed the response, or a responder whose certificate is in the
//!    response: issued with the issuer's key, for OCSP signing by name, valid when the response was made, and not
//!    revoked by the CRLs at hand (section 4.2.2.2).
//! 2. Revoked is said from its date on, whenever the response was made; good only for instants the statement
//!    covers: up to its making, or while it was current. It says nothing of a certificate that had expired when it
//!    was made, unless the responder says that it keeps expired ones so long (section 4.4.4). As with CRLs.
//! 3. What speaks of a certificate and does not count is told, never believed: see `Said`.
//! 4. Bounded: [`OCSP_BYTES_MAX`], `STATEMENTS_MAX`, `CERTIFICATES_MAX`.
//!
//! # Not here
//! Nonces: a response kept for years answers nobody's question any more. Responders trusted by configuration alone.

use super::ber::{self, Value, Values};
use super::certificate::{Certificate, SIGNING};
use super::ground::Ground;
use super::path;
use super::revocation::{Revocation, worse};
use super::time::instant;
use super::trust::Memo;
use super::verify::AlgorithmId;
use crate::digests::DigestAlgorithm;

/// The longest response that is read.
pub const OCSP_BYTES_MAX: usize = 1 << 20;
/// The most statements of a response.
const STATEMENTS_MAX: usize = 1024;
/// The most certificates of a response.
const CERTIFICATES_MAX: usize = 16;
/// How far a response may state what its responder had not seen when it was made: clocks differ.
const CLOCKS_MS: i64 = 300_000;

/// `successful`, the one responseStatus with a response.
const SUCCESSFUL: &[u8] = &[0];
/// 1.3.6.1.5.5.7.48.1: .1 is a basic response, .6 the archive cutoff.
const OID_OCSP: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01];
const BASIC: &[u8] = &[1];
const ARCHIVE_CUTOFF: &[u8] = &[6];
/// `[0]` and `[2]` of certStatus, implicit and primitive.
const GOOD: u8 = 0x80;
const UNKNOWN: u8 = 0x82;

/// An OCSP response.
#[derive(Clone, Debug)]
pub(crate) enum Response {
    /// A basic response.
    Basic(Box<Basic>),
    /// An error of the responder, or a response of a type that is not known: it says nothing that is read here.
    Other,
}

/// A basic response.
#[derive(Clone, Debug)]
pub(crate) struct Basic {
    tbs: Vec<u8>,
    algorithm: Vec<u8>,
    signature: Vec<u8>,
    responder: Responder,
    made_ms: i64,
    statements: Vec<Statement>,
    certificates: Vec<Vec<u8>>,
    /// Whether an extension that is not known must be.
    unknown_critical: bool,
}

/// How a responder is named.
#[derive(Clone, Debug)]
enum Responder {
    Name(Vec<u8>),
    /// SHA-1 of its key.
    Key(Vec<u8>),
}

/// What a response says of one certificate.
#[derive(Clone, Debug)]
struct Statement {
    digest: Option<DigestAlgorithm>,
    name_hash: Vec<u8>,
    key_hash: Vec<u8>,
    serial: Vec<u8>,
    status: Status,
    from_ms: i64,
    next_ms: Option<i64>,
    /// Certificates that expired before this are no longer known.
    cutoff_ms: Option<i64>,
    unknown_critical: bool,
}

#[derive(Clone, Copy, Debug)]
enum Status {
    Good,
    Revoked(i64),
    Unknown,
}

impl Response {
    /// Reads an OCSPResponse; `None` if it is none.
    pub(crate) fn read(der: &[u8]) -> Option<Self> {
        let response = Value::first_of(der).filter(|_| der.len() <= OCSP_BYTES_MAX)?;
        if response.tag != ber::SEQUENCE || response.whole.len() != der.len() {
            return None;
        }
        let mut outer = response.inside();
        if outer.expect(ber::ENUMERATED)?.content != SUCCESSFUL {
            return Some(Self::Other);
        }
        let wrapped = outer.expect(ber::CONTEXT_0)?;
        let mut bytes = wrapped.inside().expect(ber::SEQUENCE)?.inside();
        if bytes.expect(ber::OID)?.content.strip_prefix(OID_OCSP) != Some(BASIC) {
            return Some(Self::Other);
        }
        let basic = Basic::read(bytes.expect(ber::OCTET_STRING)?.content)?;
        Some(Self::Basic(Box::new(basic)))
    }
}

impl Basic {
    fn read(der: &[u8]) -> Option<Self> {
        let mut outer = Value::first_of(der)?.inside();
        let tbs = outer.expect(ber::SEQUENCE)?;
        let algorithm = outer.expect(ber::SEQUENCE)?;
        let signature = outer.expect(ber::BIT_STRING)?.content.strip_prefix(&[0])?;
        let certificates = match outer.optional(ber::CONTEXT_0) {
            None => Vec::new(),
            Some(wrapped) => {
                let all = wrapped.inside().expect(ber::SEQUENCE)?.inside();
                all.rest(CERTIFICATES_MAX)?
            }
        };
        let mut inside = tbs.inside();
        inside.optional(ber::CONTEXT_0);
        let responder = inside.next()?;
        let named = responder.inside().next()?;
        let responder = match (responder.tag, named.tag) {
            (ber::CONTEXT_1, ber::SEQUENCE) => Responder::Name(named.whole.to_vec()),
            (ber::CONTEXT_2, ber::OCTET_STRING) => Responder::Key(named.content.to_vec()),
            _ => return None,
        };
        let made_ms = instant(inside.expect(ber::GENERALIZED_TIME)?)?;
        let statements = inside.expect(ber::SEQUENCE)?.inside();
        let statements = statements.rest(STATEMENTS_MAX)?.into_iter();
        let extensions = extensions(inside.optional(ber::CONTEXT_1))?;
        Some(Self {
            tbs: tbs.whole.to_vec(),
            algorithm: algorithm.whole.to_vec(),
            signature: signature.to_vec(),
            responder,
            made_ms,
            statements: statements.map(Statement::read).collect::<Option<_>>()?,
            certificates: certificates.iter().map(|c| c.whole.to_vec()).collect(),
            unknown_critical: extensions.unknown_critical,
        })
    }

    /// Whether who signed this may speak for the issuer.
    fn counts_for(&self, issuer: &Certificate<'_>, judged: &Judged<'_>) -> bool {
        if self.unknown_critical {
            return false;
        }
        if self.is_by(issuer, judged.memo) {
            return true;
        }
        self.certificates.iter().any(|der| {
            Certificate::read(der).is_some_and(|responder| {
                self.is_delegate(&responder, issuer, judged) && self.is_by(&responder, judged.memo)
            })
        })
    }

    fn is_delegate(
        &self,
        responder: &Certificate<'_>,
        issuer: &Certificate<'_>,
        judged: &Judged<'_>,
    ) -> bool {
        let extensions = &responder.extensions;
        let may_sign = extensions.key_usage;
        extensions.for_ocsp
            && may_sign.is_none_or(|(bits, _)| bits & SIGNING != 0)
            && !extensions.unknown_critical
            && !extensions.unreadable
            && responder.is_valid_at(self.made_ms)
            && issuer.may_have_issued(responder)
            && path::signed_by(responder, issuer, judged.memo).is_ok()
            && !(judged.is_revoked)(responder, issuer)
    }

    fn is_by(&self, signer: &Certificate<'_>, memo: &Memo) -> bool {
        let named = match &self.responder {
            Responder::Name(name) => *name == signer.subject.whole,
            Responder::Key(hash) => {
                key_octets(signer).is_some_and(|key| DigestAlgorithm::Sha1.of(key).as_ref() == hash)
            }
        };
        let algorithm = Value::first_of(&self.algorithm).and_then(AlgorithmId::of);
        named
            && algorithm.is_some_and(|algorithm| {
                let verified = memo.verify(signer, &algorithm, &self.tbs, &self.signature);
                verified.is_ok()
            })
    }
}

impl Statement {
    fn read(value: Value<'_>) -> Option<Self> {
        let mut inside = value.inside();
        let mut id = inside.expect(ber::SEQUENCE)?.inside();
        let digest = AlgorithmId::of(id.expect(ber::SEQUENCE)?)?.digest();
        let name_hash = id.expect(ber::OCTET_STRING)?.content.to_vec();
        let key_hash = id.expect(ber::OCTET_STRING)?.content.to_vec();
        let serial = id.expect(ber::INTEGER)?.content.to_vec();
        let status = inside.next()?;
        let status = match status.tag {
            GOOD => Status::Good,
            ber::CONTEXT_1 => {
                let revoked = status.inside().expect(ber::GENERALIZED_TIME)?;
                Status::Revoked(instant(revoked)?)
            }
            UNKNOWN => Status::Unknown,
            _ => return None,
        };
        let from_ms = instant(inside.expect(ber::GENERALIZED_TIME)?)?;
        let next_ms = match inside.optional(ber::CONTEXT_0) {
            None => None,
            Some(next) => Some(instant(next.inside().expect(ber::GENERALIZED_TIME)?)?),
        };
        let extensions = extensions(inside.optional(ber::CONTEXT_1))?;
        Some(Self {
            digest,
            name_hash,
            key_hash,
            serial,
            status,
            from_ms,
            next_ms,
            cutoff_ms: extensions.cutoff_ms,
            unknown_critical: extensions.unknown_critical,
        })
    }

    fn is_about(&self, certificate: &Certificate<'_>, issuer: &Certificate<'_>) -> bool {
        self.serial == certificate.serial
            && self.digest.zip(key_octets(issuer)).is_some_and(|(d, key)| {
                d.of(issuer.subject.whole).as_ref() == self.name_hash
                    && d.of(key).as_ref() == self.key_hash
            })
    }

    /// Whether its times can be: not made before what it states, nor over before it began.
    fn is_possible(&self, made_ms: i64) -> bool {
        let in_order = self.next_ms.is_none_or(|next| self.from_ms <= next);
        in_order && self.from_ms <= made_ms.saturating_add(CLOCKS_MS) && !self.unknown_critical
    }

    fn of(&self, certificate: &Certificate<'_>, at_ms: i64) -> Said {
        match self.status {
            Status::Unknown => Said::note(Ground::OcspUnknown),
            Status::Revoked(from_ms) if from_ms <= at_ms => Said::of(Revocation::Revoked(from_ms)),
            Status::Revoked(from_ms) => Said::of(Revocation::Later(from_ms)),
            Status::Good => {
                let covers = at_ms <= self.from_ms || self.next_ms.is_some_and(|n| at_ms <= n);
                let kept = self.cutoff_ms.is_some_and(|c| c <= certificate.until_ms);
                let still_known = kept || self.from_ms <= certificate.until_ms;
                match covers && still_known {
                    true => Said::of(Revocation::Good),
                    false => Said::note(Ground::OcspOutOfDate),
                }
            }
        }
    }
}

/// What responses say of a certificate, and what is to be told of those that say nothing.
#[derive(Debug)]
pub(crate) struct Said {
    pub revocation: Revocation,
    pub notes: Vec<Ground>,
}

impl Said {
    fn of(revocation: Revocation) -> Self {
        Self {
            revocation,
            notes: Vec::new(),
        }
    }

    fn note(ground: Ground) -> Self {
        Self {
            revocation: Revocation::Unknown,
            notes: vec![ground],
        }
    }

    fn and(mut self, other: Self) -> Self {
        self.revocation = worse(self.revocation, other.revocation);
        for ground in other.notes {
            if !self.notes.contains(&ground) {
                self.notes.push(ground);
            }
        }
        self
    }
}

/// What responses are judged with.
pub(crate) struct Judged<'a> {
    /// Signatures that verified before.
    pub memo: &'a Memo,
    /// Whether the CRLs at hand say that a certificate of this issuer was ever revoked.
    pub is_revoked: &'a dyn Fn(&Certificate<'_>, &Certificate<'_>) -> bool,
}

/// What the responses say of a certificate of this issuer: the worst that any of them says, and unknown last.
pub(crate) fn status(
    responses: &[Response],
    certificate: &Certificate<'_>,
    issuer: &Certificate<'_>,
    at_ms: i64,
    judged: &Judged<'_>,
) -> Said {
    let said = responses.iter().flat_map(|response| match response {
        Response::Other => vec![Said::note(Ground::OcspNotEvaluated)],
        Response::Basic(basic) => {
            let statements = basic.statements.iter();
            let about: Vec<_> = statements
                .filter(|statement| statement.is_about(certificate, issuer))
                .collect();
            let counts = !about.is_empty() && basic.counts_for(issuer, judged);
            let said = about.into_iter().map(|statement| {
                match counts && statement.is_possible(basic.made_ms) {
                    true => statement.of(certificate, at_ms),
                    false => Said::note(Ground::OcspRefused),
                }
            });
            said.collect()
        }
    });
    said.fold(Said::of(Revocation::Unknown), Said::and)
}

/// The octets of a public key, as OCSP digests them: those of the bit string.
fn key_octets<'a>(certificate: &Certificate<'a>) -> Option<&'a [u8]> {
    let mut inside = certificate.key_info.inside();
    inside.expect(ber::SEQUENCE)?;
    inside.expect(ber::BIT_STRING)?.content.strip_prefix(&[0])
}

#[derive(Default)]
struct Extensions {
    cutoff_ms: Option<i64>,
    unknown_critical: bool,
}

/// Reads extensions; `None` where what should be some is none.
fn extensions(wrapped: Option<Value<'_>>) -> Option<Extensions> {
    let mut found = Extensions::default();
    let Some(wrapped) = wrapped else {
        return Some(found);
    };
    let mut all: Values<'_> = wrapped.inside().expect(ber::SEQUENCE)?.inside();
    while !all.is_empty() {
        let mut extension = all.expect(ber::SEQUENCE)?.inside();
        let oid = extension.expect(ber::OID)?.content;
        let critical = extension.optional(ber::BOOLEAN);
        let content = extension.expect(ber::OCTET_STRING)?.content;
        match oid.strip_prefix(OID_OCSP) == Some(ARCHIVE_CUTOFF) {
            true => found.cutoff_ms = Some(instant(Value::first_of(content)?)?),
            false => found.unknown_critical |= critical.is_some_and(|c| c.content != [0]),
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_error_of_the_responder_is_a_response_that_says_nothing() {
        for status in [1, 2, 3, 5, 6] {
            let read = Response::read(&[0x30, 3, 0x0a, 1, status]);
            assert!(matches!(read, Some(Response::Other)), "{status}");
        }
        // Successful without a response, cut off, followed by more, and no response at all.
        for bytes in [
            &[0x30, 3, 0x0a, 1, 0][..],
            &[0x30, 3, 0x0a, 1],
            &[0x30, 3, 0x0a, 1, 1, 0],
            &[0x30, 0],
            b"anything",
        ] {
            assert!(Response::read(bytes).is_none(), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn any_octets_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let length = u8::try_from(bytes.len().min(100)).unwrap();
            let wrapped = [&[0x30, length][..], &bytes].concat();
            let _ = Response::read(&bytes);
            let _ = Basic::read(&wrapped);
        }
    }
}
