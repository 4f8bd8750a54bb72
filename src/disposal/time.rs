//! Proven time: fresh tokens of every authority over one nonce, the chain of closings, the software clock.
//!
//! What is stamped is `SHA-256("PEC-ARCHIVE-DISPOSAL-TIME-v1" 00 | SHA-256(origin) 32 | nonce 16)`: a token over anything
//! else, one kept from before above all, answers another question, and does not count.
//!
//! # Invariants
//! 1. An authority is told apart by its name and by the key that signed: one key under two names is one authority.
//! 2. Answers are used for [`ANSWERS_MS`] at most, then asked for again.

use super::{DisposalError, Disposer, from_instant, instant, lock, units::SealedInterval};
use crate::ambient::draw;
use crate::seal::Authorities;
use ceralacca_evidence::{Imprint, StampError, Stamped};
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::disposal_certificate::TimeWitness;
use ceralacca_formats::encrypt::Place;
use ceralacca_formats::id::UtcMillis;
use ceralacca_formats::metadata::{CustodyRecord, DEVELOPMENT, Metadata};
use ceralacca_pec::tsp::Token;
use ceralacca_retention::authority::hear;
use ceralacca_retention::{
    AuthorityClock, AuthorityGrade, AuthorityId, Chain, DisposalTime, FreshToken, Grounds, Inquiry,
    KeptClock, Nonce, SoftClock, StoreKind, prove,
};
use std::sync::Arc;
use std::time::Duration;

const DOMAIN: &[u8] = b"PEC-ARCHIVE-DISPOSAL-TIME-v1\0";
/// For how long answers are used before the authorities are asked again, in milliseconds: ten minutes.
const ANSWERS_MS: u64 = 600_000;

/// What the authorities answered.
pub(super) struct Answers {
    nonce: Nonce,
    asked: Duration,
    tokens: Vec<FreshToken>,
    witnesses: Vec<(AuthorityId, TimeWitness)>,
    /// What those said who gave no token.
    pub(super) silent: Vec<String>,
}

/// The time as it is proven, with what shows it.
pub(super) struct Proven {
    pub(super) time: DisposalTime,
    pub(super) witnesses: Vec<TimeWitness>,
    pub(super) clock: UtcMillis,
}

impl Disposer {
    /// How the log was initialised: its first leaf says so, and nothing later does.
    pub(super) fn kind(&self) -> StoreKind {
        let state = self.reader.published();
        let first = ceralacca_formats::id::LeafIndex::new(0);
        let opened = self.reader.record(&state, first);
        let metadata = opened.ok().and_then(|opened| opened.metadata().ok());
        match metadata {
            Some(Metadata::Custody(CustodyRecord::Epoch {
                store: Some(store), ..
            })) if store.to_str() == Some(DEVELOPMENT) => StoreKind::Development,
            _ => StoreKind::Production,
        }
    }

    /// Proves the time now.
    ///
    /// # Errors
    /// [`DisposalError::NotProven`] with every doubt, and whatever is wrong with the chain.
    pub(super) fn prove(&self, authorities: &Authorities) -> Result<Proven, DisposalError> {
        let sealed = self.sealed()?;
        let chain = chain(&sealed)?.ok_or(DisposalError::NothingSealed)?;
        let answers = self.answers(authorities)?;
        let inquiry = self.inquiry(&answers);
        let clock = lock(&self.soft).unwrap_or_else(not_begun);
        let time = prove(&Grounds {
            kind: self.kind(),
            inquiry: &inquiry,
            tokens: &answers.tokens,
            chain: &chain,
            clock: &clock,
        })?;
        let counted = |authority: &AuthorityId| {
            let mut all = time.testimonies().iter();
            all.any(|one| one.authority == *authority)
        };
        let witnesses = answers.witnesses.iter();
        let witnesses = witnesses.filter(|(authority, _)| counted(authority));
        Ok(Proven {
            witnesses: witnesses.map(|(_, witness)| witness.clone()).collect(),
            clock: from_instant(clock.reading()),
            time,
        })
    }

    /// What those authorities said that gave no token when they were asked last.
    pub(super) fn silent(&self) -> Vec<String> {
        let answers = lock(&self.answers);
        answers.as_ref().map_or_else(Vec::new, |a| a.silent.clone())
    }

    fn inquiry(&self, answers: &Answers) -> Inquiry {
        let age = self.clock.monotone().saturating_sub(answers.asked);
        Inquiry {
            nonce: answers.nonce,
            age_ms: u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// Fresh answers: those of a moment ago, or new ones. The software clock learns of them.
    pub(super) fn answers(&self, authorities: &Authorities) -> Result<Arc<Answers>, DisposalError> {
        let kept = lock(&self.answers).clone();
        if let Some(kept) = kept.filter(|kept| self.inquiry(kept).age_ms < ANSWERS_MS) {
            return Ok(kept);
        }
        let answers = Arc::new(self.ask(authorities));
        *lock(&self.answers) = Some(Arc::clone(&answers));
        let heard = hear(self.kind(), &self.inquiry(&answers), &answers.tokens);
        if let Some(token) = heard.counted.iter().map(|one| one.proven).min() {
            self.learn(token)?;
        }
        Ok(answers)
    }

    /// Has the software clock learn of the authorities; whether any that counts was heard.
    pub fn hear(&self, authorities: &Authorities) -> Result<bool, DisposalError> {
        let answers = self.answers(authorities)?;
        let heard = hear(self.kind(), &self.inquiry(&answers), &answers.tokens);
        Ok(!heard.counted.is_empty())
    }

    /// Forgets the answers, so that the authorities are asked anew.
    pub fn ask_again(&self) {
        *lock(&self.answers) = None;
    }

    fn ask(&self, authorities: &Authorities) -> Answers {
        let stamper = &*authorities.stamper;
        let nonce: [u8; 16] = draw(&*self.entropy);
        let imprint = imprint(&Place::origin_digest(&self.origin), &nonce);
        // As of before the question: answers are then never younger than they seem.
        let asked = self.clock.monotone();
        let mut answers = Answers {
            nonce: Nonce::new(nonce),
            asked,
            tokens: Vec::new(),
            witnesses: Vec::new(),
            silent: Vec::new(),
        };
        let grade = match stamper.is_development() {
            true => AuthorityGrade::Development,
            false => AuthorityGrade::Chosen,
        };
        let mut signers: Vec<(Vec<u8>, AuthorityId)> = Vec::new();
        for answer in stamper.stamp_each(&imprint) {
            match answer {
                Ok(stamped) => answers.take(&stamped, &imprint, grade, &mut signers),
                Err(StampError::Silent(said) | StampError::Refused(said)) => {
                    answers.silent.push(said);
                }
            }
        }
        answers
    }
}

impl Answers {
    fn take(
        &mut self,
        stamped: &Stamped,
        imprint: &Imprint,
        grade: AuthorityGrade,
        signers: &mut Vec<(Vec<u8>, AuthorityId)>,
    ) {
        let token = Token::read(&stamped.token).ok();
        let answers_this = token
            .as_ref()
            .is_some_and(|token| token.info().imprint == imprint.digest());
        let named = AuthorityId::new(&stamped.authority);
        let signer = token.and_then(|token| token.by_its_own_word(&stamped.certificates).ok());
        let signer = signer.and_then(|verified| verified.chain.into_iter().next());
        let authority = match signer {
            None => named,
            Some(signer) => match signers.iter().find(|(known, _)| *known == signer) {
                Some((_, known)) => known.clone(),
                None => {
                    signers.push((signer, named.clone()));
                    named
                }
            },
        };
        self.tokens.push(FreshToken {
            authority: authority.clone(),
            gen_time: instant(stamped.time),
            accuracy_ms: Some(stamped.accuracy_ms),
            nonce: answers_this.then_some(self.nonce),
            clock: match stamped.is_proven {
                true => AuthorityClock::Own,
                false => AuthorityClock::OfTheArchive,
            },
            grade,
        });
        let witness = TimeWitness {
            authority: stamped.authority.as_str().into(),
            gen_time: stamped.time,
            serial: stamped.serial.clone(),
            token: Sha256::of(&stamped.token),
        };
        self.witnesses.push((authority, witness));
    }
}

fn imprint(origin: &Sha256, nonce: &[u8; 16]) -> Imprint {
    let mut octets = DOMAIN.to_vec();
    octets.extend_from_slice(origin.as_bytes());
    octets.extend_from_slice(nonce);
    Imprint::Sha256(*Sha256::of(&octets).as_bytes())
}

/// A clock that has not begun: it shows nothing to be past.
fn not_begun() -> SoftClock {
    let kept = KeptClock {
        reading: ceralacca_retention::UtcMillis::new(0),
        run_ms: 0,
        step_ms: None,
    };
    SoftClock::restart(kept, 0, kept.reading)
}

/// The chain of closings, oldest first; none where no interval is closed.
fn chain(sealed: &[Arc<SealedInterval>]) -> Result<Option<Chain>, DisposalError> {
    let mut chain: Option<Chain> = None;
    for interval in sealed {
        chain = Some(match chain {
            // What came before the first that still opens is not needed: nothing of it is left.
            None => Chain::begin(interval.closing)?,
            Some(chain) => chain.then(interval.closing)?,
        });
    }
    Ok(chain)
}
