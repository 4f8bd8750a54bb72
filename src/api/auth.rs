//! Certificates to principals: who calls, and which log is meant.

use super::status;
use crate::access::Principal;
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::id::LogId;
use std::collections::BTreeMap;
use tonic::Status;

/// SHA-256 of a client certificate, DER.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct CertificateDigest(pub [u8; 32]);

impl CertificateDigest {
    /// The digest of a certificate.
    pub fn of(der: &[u8]) -> Self {
        Self(*Sha256::of(der).as_bytes())
    }
}

/// Who the clients are.
///
/// The TLS layer has checked that a certificate is of the configured authority and in force, and that the
/// client holds its key; here it only gets a name.
#[derive(Debug)]
pub enum Principals {
    /// By client certificate. One without an entry is nobody.
    Certificates(BTreeMap<CertificateDigest, Principal>),
    /// Everybody is the development principal: plain text on loopback only.
    Development,
}

/// A caller, authenticated.
#[derive(Clone)]
pub(super) struct Caller {
    principal: Principal,
    development: bool,
}

impl Principals {
    pub(super) fn caller(&self, certificate: Option<&[u8]>) -> Result<Caller, Status> {
        let principal = match self {
            Self::Development => {
                return Ok(Caller {
                    principal: Principal::development(),
                    development: true,
                });
            }
            Self::Certificates(known) => {
                let certificate = certificate.ok_or_else(status::no_certificate)?;
                known.get(&CertificateDigest::of(certificate))
            }
        };
        Ok(Caller {
            principal: principal.ok_or_else(status::unknown_certificate)?.clone(),
            development: false,
        })
    }

    pub(super) fn is_development(&self) -> bool {
        matches!(self, Self::Development)
    }
}

impl Caller {
    pub(super) fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The log that a name means; an empty one means the only log the caller knows. Who has no role on a log
    /// is not told whether it exists.
    pub(super) fn log<'a>(
        &self,
        name: &str,
        logs: impl Iterator<Item = &'a LogId>,
    ) -> Result<LogId, Status> {
        let mut known = logs.filter(|log| self.principal.knows(log));
        if name.is_empty() {
            return match (known.next(), known.next()) {
                (Some(only), None) => Ok(only.clone()),
                (None, _) => Err(status::denied()),
                (Some(_), Some(_)) => Err(status::invalid(
                    "log",
                    "LOG_NEEDED",
                    "the caller knows more than one log",
                )),
            };
        }
        match known.find(|log| log.as_str() == name) {
            Some(log) => Ok(log.clone()),
            None if self.development => Err(status::unknown_log()),
            None => Err(status::denied()),
        }
    }
}
