//! Indexes, sizes, times and names.
//!
//! Every value has a private field and one checked way in. An instant is [`UtcMillis`]; civil time
//! (Europe/Rome) is for retention and for people and is not known here.

use std::fmt;
use std::sync::Arc;

/// Why a value was refused. The caller's fault; retrying is useless.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum IdError {
    /// A log id is 1 to 63 characters of `a-z`, `0-9`, `-`, not beginning or ending with `-`.
    #[error("log id is not a lower-case label of 1 to 63 characters")]
    LogId,
    /// An origin is 1 to 255 visible ASCII characters without space or `+` (C2SP signed-note key name).
    #[error("origin is not 1 to 255 visible ascii characters without space or plus")]
    Origin,
    /// An integer above 2^53-1 cannot be written in canonical JSON (RFC 7493) without loss.
    #[error("integer {0} is over 2^53-1")]
    TooLarge(u64),
}

/// The largest integer canonical metadata may carry: 2^53-1 (RFC 7493 section 2.2).
pub const INTEGER_MAX: u64 = (1 << 53) - 1;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name(u64);

        impl $name {
            /// The value.
            pub const fn new(value: u64) -> Self {
                Self(value)
            }

            /// The number.
            pub const fn get(self) -> u64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// Position of a leaf in the log, from zero. Never reused, never renumbered.
    LeafIndex
}
number! {
    /// Number of leaves under a root.
    TreeSize
}
number! {
    /// An instant: milliseconds since 1970-01-01T00:00:00Z, without leap seconds.
    UtcMillis
}
number! {
    /// An interval of the log, named by its start instant in milliseconds.
    IntervalId
}

impl LeafIndex {
    /// A tree of size `n` holds the leaves `0..n`.
    pub fn is_within(self, size: TreeSize) -> bool {
        self.0 < size.0
    }
}

impl IntervalId {
    /// The instant at which the interval starts.
    pub fn start(self) -> UtcMillis {
        UtcMillis(self.0)
    }
}

/// Name of a log inside one installation; also the name of its directory.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct LogId(String);

impl TryFrom<&str> for LogId {
    type Error = IdError;

    fn try_from(text: &str) -> Result<Self, IdError> {
        let label = text
            .bytes()
            .all(|c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        let ends = text.starts_with('-') || text.ends_with('-');
        if !label || ends || text.is_empty() || text.len() > 63 {
            return Err(IdError::LogId);
        }
        Ok(Self(text.to_owned()))
    }
}

impl LogId {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Origin of a log: a schema-less URL, unique for ever, and the name of its note key (C2SP
/// tlog-checkpoint).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Origin(Arc<str>);

impl TryFrom<&str> for Origin {
    type Error = IdError;

    fn try_from(text: &str) -> Result<Self, IdError> {
        let visible = text.bytes().all(|c| c.is_ascii_graphic() && c != b'+');
        if !visible || text.is_empty() || text.len() > 255 {
            return Err(IdError::Origin);
        }
        Ok(Self(text.into()))
    }
}

impl Origin {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_id_is_safe_as_a_directory_name() {
        assert!(LogId::try_from("gestore-1").is_ok());
        for bad in [
            "",
            "-a",
            "a-",
            "A",
            "a/b",
            "..",
            "a.b",
            "è",
            &"a".repeat(64),
        ] {
            assert_eq!(LogId::try_from(bad), Err(IdError::LogId), "{bad}");
        }
    }

    #[test]
    fn an_origin_has_no_space_and_no_plus() {
        assert!(Origin::try_from("pec.example.test/log").is_ok());
        for bad in ["", "a b", "a+b", "a\nb", "caffè"] {
            assert_eq!(Origin::try_from(bad), Err(IdError::Origin), "{bad}");
        }
    }
}
