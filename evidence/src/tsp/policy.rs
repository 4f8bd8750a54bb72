//! The policy of an authority: an object identifier.

use crate::asn1::oid_content;

/// The policy a token is made under.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Policy(String);

/// The text is no object identifier in dotted decimal. The configuration's to change.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0:?} is no object identifier in dotted decimal")]
pub struct PolicyError(pub String);

impl TryFrom<&str> for Policy {
    type Error = PolicyError;

    fn try_from(dotted: &str) -> Result<Self, PolicyError> {
        match oid_content(dotted) {
            Some(_) => Ok(Self(dotted.to_owned())),
            None => Err(PolicyError(dotted.to_owned())),
        }
    }
}

impl Policy {
    /// In dotted decimal.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn content(&self) -> Vec<u8> {
        // Checked on the way in.
        oid_content(&self.0).unwrap_or_default()
    }
}

impl std::fmt::Display for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
