//! What CRLs and OCSP responses together say of each certificate of a chain.

use super::certificate::Certificate;
use super::ocsp;
use super::revocation::{self, Crl, Revocation};
use super::trust::Trust;

/// For each certificate but the last, the signer's first: the worst that anything at hand says.
pub(crate) fn of_chain(
    chain: &[Certificate<'_>],
    own: &[Crl],
    trust: &Trust,
    at_ms: i64,
) -> Vec<Revocation> {
    let by_crls = |certificate: &Certificate<'_>, issuer: &Certificate<'_>| {
        let all = trust.crls.iter().chain(own);
        revocation::status(all, certificate, issuer, at_ms, &trust.memo)
    };
    let is_revoked = |certificate: &Certificate<'_>, issuer: &Certificate<'_>| {
        let said = by_crls(certificate, issuer);
        matches!(said, Revocation::Revoked(_) | Revocation::Later(_))
    };
    let judged = ocsp::Judged {
        memo: &trust.memo,
        is_revoked: &is_revoked,
    };
    let pairs = chain.windows(2).filter_map(|pair| match pair {
        [certificate, issuer] => Some((certificate, issuer)),
        _ => None,
    });
    let said = pairs.map(|(certificate, issuer)| {
        let said = ocsp::status(&trust.ocsp, certificate, issuer, at_ms, &judged);
        revocation::worse(said.revocation, by_crls(certificate, issuer))
    });
    said.collect()
}
