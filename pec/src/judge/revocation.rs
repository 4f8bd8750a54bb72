//! Whether a certificate was revoked at an instant, by the CRLs at hand; by OCSP responses: see `ocsp`.
//!
//! # Invariants
//! 1. A CRL counts if the issuer of the certificate signed it. Delta and partial CRLs (a critical extension)
//!    never count.
//! 2. An entry says revoked from its date on, whenever the CRL was made. That there is none says something only
//!    for instants the CRL covers: up to its making, or while it was current; and only while the certificate had
//!    not expired when it was made, since expired ones are taken off (RFC 5280 section 3.3), unless it says that
//!    they stay.

use super::ber::{self, Value};
use super::certificate::{CRL_SIGNING, Certificate};
use super::sha256;
use super::time::instant;
use super::trust::Memo;
use super::verify::AlgorithmId;
use std::collections::HashMap;

/// The longest CRL that is read.
pub const CRL_BYTES_MAX: usize = 16 << 20;

/// 2.5.29.60, expiredCertsOnCRL.
const OID_EXPIRED_STAY: &[u8] = &[0x55, 0x1d, 0x3c];
/// 2.5.29.21, and the reason that takes a certificate off again.
const OID_REASON: &[u8] = &[0x55, 0x1d, 0x15];
const REMOVED: u8 = 8;

/// What is known of a certificate at an instant.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Revocation {
    /// Not revoked, as far as the CRL or the OCSP response reaches.
    Good,
    /// Not yet revoked at the instant, but later: from this instant (milliseconds since 1970).
    Later(i64),
    /// Revoked before or at the instant: from this instant.
    Revoked(i64),
    /// Nothing at hand says.
    Unknown,
}

/// A CRL.
#[derive(Clone, Debug)]
pub(crate) struct Crl {
    issuer: Vec<u8>,
    tbs: Vec<u8>,
    /// Made once: a list has megabytes, and every message asks whether it counts.
    tbs_sha256: Vec<u8>,
    algorithm: Vec<u8>,
    signature: Vec<u8>,
    made_ms: i64,
    next_ms: Option<i64>,
    expired_stay: bool,
    revoked: HashMap<Vec<u8>, i64>,
}

impl Crl {
    /// Reads a CRL; `None` if it is none, or one that never counts.
    pub(crate) fn read(der: &[u8]) -> Option<Self> {
        let list = Value::first_of(der).filter(|_| der.len() <= CRL_BYTES_MAX)?;
        let mut outer = list.inside();
        let tbs = outer.expect(ber::SEQUENCE)?;
        let algorithm = outer.expect(ber::SEQUENCE)?;
        let signature = outer.expect(ber::BIT_STRING)?.content.strip_prefix(&[0])?;
        let mut inside = tbs.inside();
        inside.optional(ber::INTEGER);
        inside.expect(ber::SEQUENCE)?;
        let issuer = inside.expect(ber::SEQUENCE)?.whole;
        let made_ms = instant(inside.next()?)?;
        let next = inside.optional(ber::UTC_TIME);
        let next = next.or_else(|| inside.optional(ber::GENERALIZED_TIME));
        let revoked = inside.optional(ber::SEQUENCE);
        let mut expired_stay = false;
        if let Some(extensions) = inside.optional(ber::CONTEXT_0) {
            let mut extensions = extensions.inside().expect(ber::SEQUENCE)?.inside();
            while !extensions.is_empty() {
                let mut extension = extensions.next()?.inside();
                let oid = extension.expect(ber::OID)?.content;
                expired_stay |= oid == OID_EXPIRED_STAY;
                let critical = extension.optional(ber::BOOLEAN);
                if critical.is_some_and(|critical| critical.content != [0]) {
                    return None;
                }
            }
        }
        Some(Self {
            issuer: issuer.to_vec(),
            tbs: tbs.whole.to_vec(),
            tbs_sha256: sha256(tbs.whole),
            algorithm: algorithm.whole.to_vec(),
            signature: signature.to_vec(),
            made_ms,
            next_ms: match next {
                None => None,
                Some(next) => Some(instant(next)?),
            },
            expired_stay,
            revoked: match revoked {
                None => HashMap::new(),
                Some(revoked) => entries(revoked)?,
            },
        })
    }

    /// Whether this issuer made it.
    pub(crate) fn counts_for(&self, issuer: &Certificate<'_>, memo: &Memo) -> bool {
        let may_sign = issuer.extensions.key_usage;
        let may_sign = may_sign.is_none_or(|(bits, _)| bits & CRL_SIGNING != 0);
        let algorithm = Value::first_of(&self.algorithm).and_then(AlgorithmId::of);
        self.issuer == issuer.subject.whole
            && may_sign
            && algorithm.is_some_and(|algorithm| {
                let tbs = (self.tbs.as_slice(), self.tbs_sha256.as_slice());
                memo.verify_digested(issuer, &algorithm, tbs, &self.signature)
                    .is_ok()
            })
    }

    fn status(&self, certificate: &Certificate<'_>, at_ms: i64) -> Revocation {
        if let Some(from_ms) = self.revoked.get(certificate.serial) {
            return match *from_ms <= at_ms {
                true => Revocation::Revoked(*from_ms),
                false => Revocation::Later(*from_ms),
            };
        }
        let covers = at_ms <= self.made_ms || self.next_ms.is_some_and(|next| at_ms <= next);
        let still_listed = self.expired_stay || self.made_ms <= certificate.until_ms;
        match covers && still_listed {
            true => Revocation::Good,
            false => Revocation::Unknown,
        }
    }
}

fn entries(list: Value<'_>) -> Option<HashMap<Vec<u8>, i64>> {
    let (mut list, mut all) = (list.inside(), HashMap::new());
    while !list.is_empty() {
        let mut entry = list.expect(ber::SEQUENCE)?.inside();
        let serial = entry.expect(ber::INTEGER)?.content;
        let from_ms = instant(entry.next()?)?;
        if !entry.optional(ber::SEQUENCE).is_some_and(is_removed) {
            all.insert(serial.to_vec(), from_ms);
        }
    }
    Some(all)
}

fn is_removed(extensions: Value<'_>) -> bool {
    let mut extensions = extensions.inside();
    while let Some(extension) = extensions.next() {
        let mut inside = extension.inside();
        let is_reason = inside
            .expect(ber::OID)
            .is_some_and(|o| o.content == OID_REASON);
        inside.optional(ber::BOOLEAN);
        let value = inside.expect(ber::OCTET_STRING);
        if is_reason && value.is_some_and(|v| v.content == [ber::ENUMERATED, 1, REMOVED]) {
            return true;
        }
    }
    false
}

/// What the CRLs say of a certificate of this issuer: the worst that any of them says, and unknown last.
pub(crate) fn status<'c>(
    crls: impl Iterator<Item = &'c Crl>,
    certificate: &Certificate<'_>,
    issuer: &Certificate<'_>,
    at_ms: i64,
    memo: &Memo,
) -> Revocation {
    let counting = crls.filter(|crl| crl.counts_for(issuer, memo));
    let said = counting.map(|crl| crl.status(certificate, at_ms));
    said.fold(Revocation::Unknown, worse)
}

/// The worse of two that were said, and unknown last; of two of a kind, the earlier.
pub(crate) fn worse(one: Revocation, other: Revocation) -> Revocation {
    let rank = |status: Revocation| match status {
        Revocation::Unknown => (0, 0),
        Revocation::Good => (1, 0),
        Revocation::Later(from_ms) => (2, from_ms),
        Revocation::Revoked(from_ms) => (3, from_ms),
    };
    let ((one_kind, one_ms), (other_kind, other_ms)) = (rank(one), rank(other));
    match one_kind.cmp(&other_kind).then(other_ms.cmp(&one_ms)) {
        std::cmp::Ordering::Less => other,
        _ => one,
    }
}
