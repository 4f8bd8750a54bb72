//! Time-stamping authorities, asked in order until one gives a good answer.
//!
//! # Invariants
//! 1. What is handed out passed every check (`ceralacca_evidence::tsp`); an answer is never used in part.
//! 2. Every attempt has a nonce of its own, and goes to the [`Journal`] with all that was sent and came.
//! 3. An authority that cannot now is asked again, at most [`TRIES`] times, ever later; one that will not, or whose
//!    answer is wrong, is not. Then the next one is asked.
//! 4. Bounded: a time for each question, 1 MiB for each answer.
//!
//! # Not here
//! What is done when none answers: `seal`, which leaves the interval cut.

mod ask;
pub mod http;

use crate::ambient::{Clock, Entropy, draw};
use ceralacca_evidence::authority::Authority;
use ceralacca_evidence::tsp::{AnswerError, Checked, Consequence, Policy, Request, Rules};
use ceralacca_evidence::{Imprint, StampError, Stamped, Stamper};
use ceralacca_formats::id::UtcMillis;
use std::sync::Arc;
use std::time::Duration;

use ask::Ask;
pub use ask::BuildError;

/// How often an authority that cannot now is asked.
pub const TRIES: u32 = 3;
/// The pause before the second try; twice it before the third. To each a random part as long is added.
pub const PAUSE: Duration = Duration::from_millis(500);

/// An authority somewhere else.
#[derive(Debug)]
pub struct Remote {
    /// Where it is asked.
    pub url: String,
    /// How long one question may take.
    pub timeout: Duration,
    /// The policy that is asked for.
    pub policy: Option<Policy>,
    /// What its answers are held against; its name.
    pub rules: Rules,
}

/// What went wrong with an attempt.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Trouble {
    /// No connection, or none that held. Transient.
    #[error("cannot be reached")]
    Unreachable,
    /// No answer in time. Transient.
    #[error("no answer in time")]
    Timeout,
    /// An HTTP status that is not 200: from 500 on, and 429, transient; else the configuration's to change.
    #[error("HTTP status {0}")]
    Status(u16),
    /// Not a time-stamp answer by its content type: something else listens there.
    #[error("content type {0:?}")]
    ContentType(String),
    /// Longer than any answer.
    #[error("an answer of more than {0} bytes")]
    TooLong(usize),
    /// The embedded authority's key failed.
    #[error("{0}")]
    Key(String),
    /// The answer.
    #[error("{0}")]
    Answer(#[from] AnswerError),
}

impl Trouble {
    /// What follows.
    pub const fn consequence(&self) -> Consequence {
        match self {
            Self::Unreachable | Self::Timeout | Self::Status(429 | 500..) => Consequence::Retry,
            Self::Status(_) | Self::ContentType(_) | Self::Key(_) => Consequence::Configuration,
            Self::TooLong(_) => Consequence::Security,
            Self::Answer(error) => error.consequence(),
        }
    }

    /// A stable word for it.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Status(_) => "http-status",
            Self::ContentType(_) => "content-type",
            Self::TooLong(_) => "answer-too-long",
            Self::Key(_) => "key",
            Self::Answer(error) => error.code(),
        }
    }
}

/// One question and what came of it.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Name of the authority.
    pub authority: String,
    /// When it ended, by our clock.
    pub at: UtcMillis,
    /// What was sent, DER.
    pub request: Vec<u8>,
    /// What came; nothing where nothing did.
    pub response: Option<Vec<u8>>,
    /// What was wrong; nothing where the answer was good.
    pub trouble: Option<Trouble>,
}

/// Keeps every attempt.
pub trait Journal: Send + Sync {
    /// An attempt has ended. Called before the next one begins.
    fn attempted(&self, attempt: &Attempt);
}

/// Tells of what went wrong in the service's own log, and keeps nothing.
#[derive(Debug)]
pub struct Told;

impl Journal for Told {
    fn attempted(&self, attempt: &Attempt) {
        let Some(trouble) = &attempt.trouble else {
            return;
        };
        let (authority, code) = (&attempt.authority[..], trouble.code());
        match trouble.consequence() {
            Consequence::Retry => tracing::warn!(authority, code, %trouble, "no time-stamp"),
            Consequence::Configuration | Consequence::Security | Consequence::Suspect => {
                tracing::error!(authority, code, %trouble, "no time-stamp");
            }
        }
    }
}

/// Asks authorities in order.
pub struct Client {
    authorities: Vec<Asked>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    journal: Arc<dyn Journal>,
    pause: Duration,
}

enum Asked {
    Remote(Box<Remote>, Ask),
    Embedded(Box<Authority>, Box<Rules>),
}

impl Asked {
    fn rules(&self) -> &Rules {
        match self {
            Self::Remote(remote, _) => &remote.rules,
            Self::Embedded(_, rules) => rules,
        }
    }

    fn name(&self) -> &str {
        &self.rules().authority
    }
}

impl Client {
    /// With authorities elsewhere, in the order they are asked.
    pub fn new(
        remotes: Vec<Remote>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        journal: Arc<dyn Journal>,
    ) -> Result<Self, BuildError> {
        let authorities = remotes.into_iter().map(|remote| {
            let ask = Ask::new(&remote.url, remote.timeout)?;
            Ok(Asked::Remote(Box::new(remote), ask))
        });
        Ok(Self {
            authorities: authorities.collect::<Result<_, _>>()?,
            clock,
            entropy,
            journal,
            pause: PAUSE,
        })
    }

    /// With the embedded development authority alone. What it says of time is the clock of this machine.
    pub fn embedded(
        authority: Authority,
        mut rules: Rules,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        journal: Arc<dyn Journal>,
    ) -> Self {
        rules.is_proven = false;
        Self {
            authorities: vec![Asked::Embedded(Box::new(authority), Box::new(rules))],
            clock,
            entropy,
            journal,
            pause: PAUSE,
        }
    }

    /// The same, with another pause between tries.
    pub fn with_pause(self, pause: Duration) -> Self {
        Self { pause, ..self }
    }

    /// Tries one authority until it gives a good answer or there is no point in trying again.
    fn ask(&self, asked: &Asked, imprint: &Imprint) -> Result<Stamped, Trouble> {
        let mut tries = 1;
        loop {
            let trouble = match self.attempt(asked, imprint) {
                Ok(checked) => return Ok(checked.stamped),
                Err(trouble) => trouble,
            };
            if trouble.consequence() != Consequence::Retry || tries == TRIES {
                return Err(trouble);
            }
            self.wait(tries);
            tries += 1;
        }
    }

    fn attempt(&self, asked: &Asked, imprint: &Imprint) -> Result<Checked, Trouble> {
        let (rules, policy) = match asked {
            Asked::Remote(remote, _) => (&remote.rules, remote.policy.clone()),
            Asked::Embedded(_, rules) => (&**rules, None),
        };
        let request = Request::new(*imprint, draw(&*self.entropy), policy);
        let came = match asked {
            Asked::Remote(_, ask) => ask.post(request.der()),
            Asked::Embedded(authority, _) => authority
                .answer(request.der(), self.clock.wall(), draw(&*self.entropy))
                .map_err(|error| Trouble::Key(error.to_string())),
        };
        let at = self.clock.wall();
        let (response, result) = match came {
            Err(trouble) => (None, Err(trouble)),
            Ok(response) => {
                let checked = rules.check(&request, &response, at);
                (Some(response), checked.map_err(Trouble::Answer))
            }
        };
        self.journal.attempted(&Attempt {
            authority: rules.authority.clone(),
            at,
            request: request.der().to_vec(),
            response,
            trouble: result.as_ref().err().cloned(),
        });
        result
    }

    /// Twice as long each time, and a random part, so that many askers do not come back at once.
    fn wait(&self, tries: u32) {
        let pause = self.pause.saturating_mul(1 << (tries - 1).min(8));
        let part = u16::from_be_bytes(draw(&*self.entropy));
        let random = pause.mul_f64(f64::from(part) / f64::from(u16::MAX));
        std::thread::sleep(pause + random);
    }
}

impl Stamper for Client {
    fn stamp(&self, imprint: &Imprint) -> Result<Stamped, StampError> {
        let mut said = Vec::new();
        let mut is_silent = true;
        for asked in &self.authorities {
            let name = asked.name();
            match self.ask(asked, imprint) {
                Ok(stamped) => return Ok(stamped),
                Err(trouble) => {
                    is_silent &= trouble.consequence() == Consequence::Retry;
                    said.push(format!("{name}: {trouble}"));
                }
            }
        }
        let said = match said.is_empty() {
            true => "none is configured".to_owned(),
            false => said.join("; "),
        };
        Err(match is_silent {
            true => StampError::Silent(said),
            false => StampError::Refused(said),
        })
    }

    fn stamp_each(&self, imprint: &Imprint) -> Vec<Result<Stamped, StampError>> {
        let each = self.authorities.iter().map(|asked| {
            self.ask(asked, imprint).map_err(|trouble| {
                let said = format!("{}: {trouble}", asked.name());
                match trouble.consequence() == Consequence::Retry {
                    true => StampError::Silent(said),
                    false => StampError::Refused(said),
                }
            })
        });
        each.collect()
    }

    fn anchors(&self) -> Vec<Vec<u8>> {
        let each = self.authorities.iter();
        each.flat_map(|asked| asked.rules().anchors().to_vec())
            .collect()
    }

    fn is_development(&self) -> bool {
        let mut all = self.authorities.iter();
        all.all(|asked| matches!(asked, Asked::Embedded(..)))
    }
}
