//! Every check of an answer: RFC 3161 section 2.4.2, RFC 5816, EN 319 422.

use super::{AnswerError, Policy, Request};
use crate::stamp::{Imprint, Stamped};
use ceralacca_formats::id::UtcMillis;
use ceralacca_pec::DigestAlgorithm;
use ceralacca_pec::judge::{Material, Times, Trust, TrustError, cms};
use ceralacca_pec::tsp::{Accuracy, Answer, Failure, Refusal, Token};

/// What an authority's answers are held against.
#[derive(Debug)]
pub struct Rules {
    trust: Trust,
    /// The anchors of that trust, as they were handed in.
    anchors: Vec<Vec<u8>>,
    /// CRLs and OCSP responses as they were handed in, to be kept with the token.
    revocation: Vec<Vec<u8>>,
    /// Name of the authority.
    pub authority: String,
    /// Policies that are taken beside the one asked for. Where none is asked for and none stands here, any is.
    pub policies: Vec<Policy>,
    /// How exact its time is where a token does not say so, in milliseconds: its policy states it.
    pub accuracy_ms: u64,
    /// How far its time may be from ours beyond the accuracy, in milliseconds.
    pub tolerance_ms: u64,
    /// Whether its clock is its own.
    pub is_proven: bool,
}

/// An answer that passed every check.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Checked {
    /// To be kept.
    pub stamped: Stamped,
    /// Whether CRLs or OCSP responses say that the signer's certificate was good.
    pub is_revocation_known: bool,
    /// Whether a signature or digest in it is weak.
    pub is_weak: bool,
}

impl Rules {
    /// With anchors, intermediates, CRLs and OCSP responses of this authority. Policy, accuracy and tolerance are
    /// to be set; unset they are none, one second and five minutes.
    pub fn new(authority: &str, material: Material, is_proven: bool) -> Result<Self, TrustError> {
        let revocation = material
            .crls
            .iter()
            .chain(&material.ocsp)
            .cloned()
            .collect();
        Ok(Self {
            anchors: material.anchors.clone(),
            trust: Trust::new(material)?,
            revocation,
            authority: authority.to_owned(),
            policies: Vec::new(),
            accuracy_ms: 1000,
            tolerance_ms: 300_000,
            is_proven,
        })
    }

    /// The roots of this authority, DER.
    pub fn anchors(&self) -> &[Vec<u8>] {
        &self.anchors
    }

    /// Checks an answer that came at `now` by our clock.
    pub fn check(
        &self,
        request: &Request,
        response: &[u8],
        now: UtcMillis,
    ) -> Result<Checked, AnswerError> {
        granted(response)?;
        let token = Token::read(response).map_err(AnswerError::Token)?;
        let info = token.info();
        if !is_of(request.imprint(), info.algorithm, &info.imprint) {
            return Err(AnswerError::Imprint);
        }
        if !info.nonce_is(&request.nonce()) {
            return Err(AnswerError::Nonce);
        }
        if !self.takes(request.policy(), &info.policy) {
            let found = info.policy.clone();
            return Err(AnswerError::Policy { found });
        }
        let times = Times { received_ms: None };
        let verified = token.verify(request.imprint().digest(), &self.trust, times);
        let verified = verified.map_err(AnswerError::Token)?;
        let instant = |ms: i64| {
            let ms = u64::try_from(ms).map_err(|_| AnswerError::Token(Refusal::TimeMalformed));
            ms.map(UtcMillis::new)
        };
        let time = instant(info.gen_ms)?;
        let accuracy_ms = match info.accuracy {
            Accuracy::Ms(ms) => ms,
            Accuracy::Unstated => self.accuracy_ms,
        };
        let allowed = accuracy_ms.saturating_add(self.tolerance_ms);
        if time.get().abs_diff(now.get()) > allowed {
            return Err(AnswerError::TimeApart {
                stated: time,
                ours: now,
            });
        }
        let own = cms::certificates(token.der());
        let beyond = verified.certificates.iter().filter(|c| !own.contains(c));
        Ok(Checked {
            stamped: Stamped {
                token: token.der().to_vec(),
                request: request.der().to_vec(),
                response: response.to_vec(),
                time,
                accuracy_ms,
                serial: hex::decode(&info.serial).unwrap_or_default(),
                authority: self.authority.clone(),
                valid_until: instant(verified.valid_until_ms)?,
                is_proven: self.is_proven,
                certificates: beyond.cloned().collect(),
                revocation: self.revocation.clone(),
            },
            is_revocation_known: verified.is_revocation_known,
            is_weak: verified.is_weak,
        })
    }

    fn takes(&self, asked: Option<&Policy>, found: &str) -> bool {
        match asked {
            Some(asked) => asked.as_str() == found,
            None if self.policies.is_empty() => true,
            None => self.policies.iter().any(|policy| policy.as_str() == found),
        }
    }
}

/// Status 0 or 1 with a token, or why not.
fn granted(response: &[u8]) -> Result<(), AnswerError> {
    let answer = Answer::read(response).ok_or(AnswerError::Malformed)?;
    let (failures, words) = (answer.failures, answer.words);
    match answer.status {
        0 | 1 if answer.has_token => Ok(()),
        0 | 1 => Err(AnswerError::TokenMissing),
        // waiting: RFC 3161 has no way to fetch it later, so it is asked for again.
        3 => Err(AnswerError::Unavailable { failures, words }),
        2 if failures.iter().any(is_transient) => Err(AnswerError::Unavailable { failures, words }),
        // revocationWarning and revocationNotification are the authority's last words: its operator's to look at.
        2 | 4 | 5 => Err(AnswerError::Rejected { failures, words }),
        _ => Err(AnswerError::Malformed),
    }
}

const fn is_transient(failure: &Failure) -> bool {
    matches!(failure, Failure::TimeNotAvailable | Failure::SystemFailure)
}

fn is_of(imprint: &Imprint, algorithm: DigestAlgorithm, octets: &[u8]) -> bool {
    let own = match imprint {
        Imprint::Sha256(_) => DigestAlgorithm::Sha256,
        Imprint::Sha512(_) => DigestAlgorithm::Sha512,
    };
    own == algorithm && imprint.digest() == octets
}
