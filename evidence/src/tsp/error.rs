//! What is wrong with an answer, and what follows from it.

use ceralacca_formats::id::UtcMillis;
use ceralacca_pec::tsp::{Failure, Refusal};

/// Why an answer gives no time-stamp. Each has one [`Consequence`].
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AnswerError {
    /// It is no TimeStampResp, or has a status that RFC 3161 does not know. Security: somebody else answers.
    #[error("no readable time-stamp answer")]
    Malformed,
    /// The authority cannot now: timeNotAvailable, systemFailure, or it waits. Transient.
    #[error("the authority cannot stamp now ({})", named(.failures, .words))]
    Unavailable {
        /// The reasons it names.
        failures: Vec<Failure>,
        /// Its words.
        words: String,
    },
    /// The authority will not: algorithm, policy, extension or request. The configuration's to change.
    #[error("the authority refused ({})", named(.failures, .words))]
    Rejected {
        /// The reasons it names.
        failures: Vec<Failure>,
        /// Its words.
        words: String,
    },
    /// Granted, and no token came. Security.
    #[error("granted without a token")]
    TokenMissing,
    /// The imprint's algorithm or octets are not those sent. Security.
    #[error("the token is of another imprint")]
    Imprint,
    /// The nonce is missing or another: an old answer, or somebody else's. Security.
    #[error("the token has another nonce, or none")]
    Nonce,
    /// The policy is neither the one asked for nor an allowed one. Security.
    #[error("the token was made under policy {found}")]
    Policy {
        /// The policy it names.
        found: String,
    },
    /// The token does not verify: signer, signing certificate, purpose, chain, revocation. Security.
    #[error("the token does not verify: {} ({}{})", .0.english(), .0.code(), ground(.0))]
    Token(Refusal),
    /// Its time is further from our clock than accuracy and tolerance allow. Theirs or ours is wrong: kept, and
    /// never used as proven time.
    #[error("its time {stated} is too far from ours, {ours} (milliseconds since 1970)")]
    TimeApart {
        /// genTime.
        stated: UtcMillis,
        /// Our clock when the answer came.
        ours: UtcMillis,
    },
}

/// What an asker does next.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Consequence {
    /// Ask the same authority again with a fresh nonce, later; then the next.
    Retry,
    /// Do not ask it again; tell the operator; next authority.
    Configuration,
    /// Discard the answer, raise an alarm, next authority.
    Security,
    /// Keep the answer as suspect, raise an alarm, next authority.
    Suspect,
}

impl AnswerError {
    /// What follows.
    pub const fn consequence(&self) -> Consequence {
        match self {
            Self::Unavailable { .. } => Consequence::Retry,
            Self::Rejected { .. } => Consequence::Configuration,
            Self::TimeApart { .. } => Consequence::Suspect,
            Self::Malformed
            | Self::TokenMissing
            | Self::Imprint
            | Self::Nonce
            | Self::Policy { .. }
            | Self::Token(_) => Consequence::Security,
        }
    }

    /// A stable word for it.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed => "answer-malformed",
            Self::Unavailable { .. } => "authority-unavailable",
            Self::Rejected { .. } => "request-rejected",
            Self::TokenMissing => "token-missing",
            Self::Imprint => "imprint-differs",
            Self::Nonce => "nonce-differs",
            Self::Policy { .. } => "policy-differs",
            Self::Token(refusal) => refusal.code(),
            Self::TimeApart { .. } => "time-apart",
        }
    }
}

fn named(failures: &[Failure], words: &str) -> String {
    let names = failures.iter().map(|failure| match failure {
        Failure::BadAlgorithm => "badAlg".to_owned(),
        Failure::BadRequest => "badRequest".to_owned(),
        Failure::BadDataFormat => "badDataFormat".to_owned(),
        Failure::TimeNotAvailable => "timeNotAvailable".to_owned(),
        Failure::UnacceptedPolicy => "unacceptedPolicy".to_owned(),
        Failure::UnacceptedExtension => "unacceptedExtension".to_owned(),
        Failure::AddInfoNotAvailable => "addInfoNotAvailable".to_owned(),
        Failure::SystemFailure => "systemFailure".to_owned(),
        Failure::Other(bit) => format!("bit {bit}"),
    });
    let mut all: Vec<_> = names.collect();
    if all.is_empty() {
        all.push("no reason named".into());
    }
    if !words.is_empty() {
        all.push(format!("{words:?}"));
    }
    all.join(", ")
}

fn ground(refusal: &Refusal) -> String {
    let ground = refusal
        .ground()
        .map(|ground| format!(", {}", ground.code()));
    ground.unwrap_or_default()
}
