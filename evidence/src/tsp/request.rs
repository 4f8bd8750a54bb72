//! TimeStampReq, written (RFC 3161 section 2.4.1).

use super::Policy;
use crate::asn1::{NULL, TRUE, integer, octets, oid, sequence};
use crate::oids;
use crate::stamp::Imprint;

/// A request, made once.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Request {
    der: Vec<u8>,
    imprint: Imprint,
    nonce: [u8; 8],
    policy: Option<Policy>,
}

impl Request {
    /// Over an imprint, with 64 random bits as nonce, for the certificate to be in the token.
    pub fn new(imprint: Imprint, nonce: [u8; 8], policy: Option<Policy>) -> Self {
        let algorithm = match imprint {
            Imprint::Sha256(_) => oids::SHA256,
            Imprint::Sha512(_) => oids::SHA512,
        };
        // With NULL: some authorities refuse absent parameters, and none refuses NULL.
        let message = sequence(&[
            &sequence(&[&oid(algorithm), NULL]),
            &octets(imprint.digest()),
        ]);
        let asked = policy.as_ref().map(|policy| oid(&policy.content()));
        let der = sequence(&[
            &integer(&[1]),
            &message,
            asked.as_deref().unwrap_or_default(),
            &integer(&nonce),
            TRUE,
        ]);
        Self {
            der,
            imprint,
            nonce,
            policy,
        }
    }

    /// What is sent.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// What is stamped.
    pub fn imprint(&self) -> &Imprint {
        &self.imprint
    }

    /// The policy asked for.
    pub fn policy(&self) -> Option<&Policy> {
        self.policy.as_ref()
    }

    /// The nonce as an INTEGER has it: positive.
    pub(crate) fn nonce(&self) -> Vec<u8> {
        [&[0], &self.nonce[..]].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ceralacca_pec::DigestAlgorithm;
    use ceralacca_pec::tsp::Asked;

    #[test]
    fn a_request_says_what_was_asked_with_a_positive_minimal_nonce() {
        let policy = Policy::try_from("1.3.6.1.4.1.99999.1").unwrap();
        for nonce in [[0xff; 8], [0; 8], [0, 0, 0x80, 1, 2, 3, 4, 5]] {
            let request = Request::new(Imprint::Sha256([7; 32]), nonce, Some(policy.clone()));
            let asked = Asked::read(request.der()).unwrap();
            assert_eq!(asked.algorithm, Some(DigestAlgorithm::Sha256));
            assert_eq!(asked.imprint, [7; 32]);
            assert_eq!(asked.policy.as_deref(), Some("1.3.6.1.4.1.99999.1"));
            assert!(asked.wants_certificate && !asked.has_extensions);
            let sent = asked.nonce.unwrap();
            assert!(sent[0] < 0x80, "{sent:?}");
            assert!(
                sent.len() == 1 || sent[0] != 0 || sent[1] >= 0x80,
                "{sent:?}"
            );
            let number = sent
                .iter()
                .fold(0u128, |n, octet| n << 8 | u128::from(*octet));
            assert_eq!(number, u128::from(u64::from_be_bytes(nonce)));
        }
        let longer = Request::new(Imprint::Sha512([7; 64]), [1; 8], None);
        let asked = Asked::read(longer.der()).unwrap();
        assert_eq!(asked.algorithm, Some(DigestAlgorithm::Sha512));
        assert_eq!(asked.policy, None);
    }
}
