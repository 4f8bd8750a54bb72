//! Who acts on retention: principals, told apart by their names, and the rule of two.
//!
//! # Invariants
//! 1. Two names are two principals only when they differ in lower case and without the spaces around them: `anna` and
//!    ` Anna ` are one person, who approves once.
//!
//! # Not here
//! Who a principal is and what it may do: the caller authenticated it before it gave the name.

use std::fmt;

/// An authenticated person or service, by the name under which access is granted.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Principal(String);

impl Principal {
    /// The longest name, in bytes.
    pub const NAME_BYTES_MAX: usize = 256;

    /// The principal so named.
    ///
    /// # Errors
    /// [`PrincipalError::Name`] when the name is empty, too long, or has control characters.
    pub fn new(name: &str) -> Result<Self, PrincipalError> {
        let name = name.trim();
        let fit = (1..=Self::NAME_BYTES_MAX).contains(&name.len());
        if !fit || name.chars().any(char::is_control) {
            return Err(PrincipalError::Name { bytes: name.len() });
        }
        Ok(Self(name.to_owned()))
    }

    /// The name, as it was given.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// True when both names are one principal's (invariant 1).
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.0.to_lowercase() == other.0.to_lowercase()
    }
}

/// The name is personal data: it is shown where it is asked for, and nowhere else.
impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Principal(..)")
    }
}

/// Two principals that differ: what an approval of disposal and the release of a hold need.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TwoPrincipals {
    first: Principal,
    second: Principal,
}

impl TwoPrincipals {
    /// Both of them.
    ///
    /// # Errors
    /// [`PrincipalError::SameTwice`].
    pub fn new(first: Principal, second: Principal) -> Result<Self, PrincipalError> {
        if first.is_same_as(&second) {
            return Err(PrincipalError::SameTwice);
        }
        Ok(Self { first, second })
    }

    /// Who acted first.
    pub const fn first(&self) -> &Principal {
        &self.first
    }

    /// Who acted second.
    pub const fn second(&self) -> &Principal {
        &self.second
    }
}

/// Why principals cannot act. The caller's fault; the second kind is remedied by another person.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PrincipalError {
    /// Not a name: empty, too long, or with control characters. The name is not repeated here.
    #[error("a name of {bytes} bytes is not that of a principal")]
    Name {
        /// Its length.
        bytes: usize,
    },
    /// One principal in place of two.
    #[error("two different principals are needed, not one twice")]
    SameTwice,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Principal {
        Principal::new(name).unwrap()
    }

    #[test]
    fn one_principal_twice_is_refused_however_the_name_is_written() {
        for again in ["anna", "ANNA", " Anna "] {
            assert_eq!(
                TwoPrincipals::new(named("Anna"), named(again)),
                Err(PrincipalError::SameTwice),
                "{again:?}"
            );
        }
        assert!(TwoPrincipals::new(named("Anna"), named("Bruno")).is_ok());
    }

    #[test]
    fn a_name_is_neither_empty_nor_endless_nor_made_of_control_characters() {
        for name in ["", "  ", "a\u{7}b", &"x".repeat(257)] {
            assert!(Principal::new(name).is_err(), "{name:?}");
        }
        assert!(Principal::new(&"x".repeat(256)).is_ok());
    }

    #[test]
    fn a_name_is_not_written_by_debug() {
        assert!(!format!("{:?}", named("anna.verdi")).contains("anna"));
    }
}
