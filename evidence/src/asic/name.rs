//! Names of files in a container: such that every system can hold them and none is led astray.

use super::error::AsicError;
use std::fmt;

/// Bytes of a name, at most.
const LENGTH_MAX: usize = 200;

/// A relative path with `/`, of letters, digits, `.`, `-`, `_`; no segment is empty or begins or ends with a point.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct FileName(String);

impl FileName {
    /// The name, if it is one.
    ///
    /// # Errors
    /// [`AsicError::Name`].
    pub fn new(name: &str) -> Result<Self, AsicError> {
        let is_plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b'_');
        let is_segment = |segment: &str| {
            !segment.is_empty()
                && !segment.starts_with('.')
                && !segment.ends_with('.')
                && segment.bytes().all(is_plain)
        };
        if name.len() <= LENGTH_MAX && name.split('/').all(is_segment) {
            Ok(Self(name.to_owned()))
        } else {
            Err(AsicError::Name(name.to_owned()))
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is of the container itself: under META-INF, or `mimetype`.
    pub fn is_meta(&self) -> bool {
        let lower = self.folded();
        lower == "mimetype" || lower == "meta-inf" || lower.starts_with("meta-inf/")
    }

    /// For comparing as systems do that do not tell case.
    pub(super) fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_lead_outside_or_surprise_a_system() {
        for good in [
            "ricevuta.eml",
            "proof/a-b_c.1.tst",
            "META-INF/signature001.p7s",
        ] {
            assert!(FileName::new(good).is_ok(), "{good}");
        }
        let long = "a".repeat(LENGTH_MAX + 1);
        for bad in [
            "", "/a", "a/", "a//b", "../a", "a/../b", ".", "a/.b", "a.", "C:\\a", "a b", "è",
            "a\0", &long,
        ] {
            assert!(FileName::new(bad).is_err(), "{bad:?}");
        }
    }
}
