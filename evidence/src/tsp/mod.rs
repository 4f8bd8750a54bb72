//! Time-stamps asked for (RFC 3161, RFC 5816): the request, and every check of the answer.
//!
//! ```text
//! TimeStampReq  SEQUENCE { version 1, messageImprint, reqPolicy?, nonce, certReq TRUE }
//! TimeStampResp SEQUENCE { PKIStatusInfo, TimeStampToken? }
//! ```
//!
//! # Invariants
//! 1. A nonce is for one request: whoever asks again makes another [`Request`].
//! 2. [`Rules::check`] makes all checks or gives nothing; the first that fails is the [`AnswerError`].
//! 3. What is kept are the octets that went and came.
//!
//! # Not here
//! Transport, order of authorities and repetition: whoever implements [`crate::Stamper`].

mod check;
mod error;
mod policy;
mod request;

pub use check::{Checked, Rules};
pub use error::{AnswerError, Consequence};
pub use policy::{Policy, PolicyError};
pub use request::Request;
