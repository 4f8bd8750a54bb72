//! What stands in an index.

use super::{Agent, Holder, Interval, Signatory};
use ceralacca_formats::id::UtcMillis;

/// Why a value cannot stand in an index. The caller's or the configuration's to change.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ValueError {
    /// A path that is empty, absolute, leaves the package, or has characters beyond `A-Z a-z 0-9 . _ - /`.
    #[error("{0:?} is no path within a package")]
    Path(String),
    /// An identifier of an agent that is not of the form the standard fixes (EN 319 412-1 section 5.1.3).
    #[error("{0:?} is no agent identifier such as VATIT-01234567890")]
    AgentId(String),
    /// An agent without a document that gives it its part; the standard wants at least one.
    #[error("agent {0:?} has no relevant document")]
    NoDocument(String),
    /// A text that is empty, or has control characters, which XML cannot carry.
    #[error("{0:?} is empty or has control characters")]
    Text(String),
    /// A digest whose length is not its function's.
    #[error("a digest of {0} bytes")]
    Hash(usize),
}

/// Text that XML carries unchanged: no control characters, not even tab and line ends, and not nothing.
pub(super) fn checked(text: &str) -> Result<&str, ValueError> {
    let is_carried = |c: char| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}');
    match !text.is_empty() && text.chars().all(is_carried) {
        true => Ok(text),
        false => Err(ValueError::Text(shown(text))),
    }
}

/// What is shown of a text that anybody may have written: its first characters.
pub(super) fn shown(text: &str) -> String {
    const SHOWN: usize = 100;
    text.chars().take(SHOWN).collect()
}

/// An index.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PIndex {
    /// Its identifier, a URN.
    pub id: String,
    /// What made it.
    pub application: Application,
    /// The indices before it.
    pub sources: Vec<Source>,
    /// The package.
    pub volume: Volume,
    /// Its files, in groups; at least one.
    pub groups: Vec<FileGroup>,
    /// Who, when, under which rules.
    pub process: Process,
}

/// The program that made an index.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Application {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Who makes it.
    pub producer: String,
}

/// How an index stems from another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Derivation {
    /// One from one.
    OneToOne,
    /// One from many.
    ManyToOne,
    /// Many from one.
    OneToMany,
}

impl Derivation {
    pub(super) const ALL: [Self; 3] = [Self::OneToOne, Self::ManyToOne, Self::OneToMany];

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::OneToOne => "onetoone",
            Self::ManyToOne => "manytoone",
            Self::OneToMany => "onetomany",
        }
    }
}

/// An index that this one follows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Source {
    /// How.
    pub derivation: Derivation,
    /// Its identifier.
    pub id: String,
    /// Where it was found; nothing is opened by it.
    pub path: String,
    /// The digest of its signed bytes.
    pub hash: Hash,
}

/// The package.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Volume {
    /// Its identifier, a URN.
    pub id: String,
    /// A short name.
    pub label: Option<String>,
    /// What it is, for people.
    pub description: Option<String>,
    /// The packages before it.
    pub sources: Vec<VolumeSource>,
    /// What the log says of the interval.
    pub interval: Option<Interval>,
}

/// A package that this one follows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct VolumeSource {
    /// Its identifier.
    pub id: String,
    /// The identifier of its index.
    pub index: String,
}

/// Files that belong together.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FileGroup {
    /// Its identifier.
    pub id: String,
    /// A short name.
    pub label: Option<String>,
    /// What it is, for people.
    pub description: Option<String>,
    /// The files; at least one.
    pub files: Vec<FileEntry>,
}

/// A file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FileEntry {
    /// Its identifier, its own within the index.
    pub id: String,
    /// Where it stands in the package.
    pub path: PackagePath,
    /// Its media type.
    pub format: String,
    /// The extension of its name, with the dot.
    pub extension: Option<String>,
    /// The digest of its bytes.
    pub hash: Hash,
    /// An older digest, kept when the function changed.
    pub previous: Option<PreviousHash>,
}

/// A digest function.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum HashFunction {
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl HashFunction {
    pub(super) const ALL: [Self; 2] = [Self::Sha256, Self::Sha512];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA-256",
            Self::Sha512 => "SHA-512",
        }
    }

    const fn bytes(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

/// A digest of exact bytes.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Hash {
    function: HashFunction,
    value: Vec<u8>,
}

impl Hash {
    /// A SHA-256.
    pub fn sha256(value: [u8; 32]) -> Self {
        Self {
            function: HashFunction::Sha256,
            value: value.to_vec(),
        }
    }

    /// A digest of a function, of its length.
    pub fn new(function: HashFunction, value: Vec<u8>) -> Result<Self, ValueError> {
        match value.len() == function.bytes() {
            true => Ok(Self { function, value }),
            false => Err(ValueError::Hash(value.len())),
        }
    }

    /// The function.
    pub fn function(&self) -> HashFunction {
        self.function
    }

    /// The digest.
    pub fn as_bytes(&self) -> &[u8] {
        &self.value
    }
}

/// A digest under an older function.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PreviousHash {
    /// The digest.
    pub hash: Hash,
    /// The identifier of the index it stood in.
    pub related: String,
}

/// Where a file stands in a package: relative, with `/`, of letters, digits, `.`, `_` and `-`. No identifier of a
/// message and no address fits into it.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PackagePath(String);

/// The longest path, in characters.
const PATH_CHARS_MAX: usize = 200;

impl TryFrom<&str> for PackagePath {
    type Error = ValueError;

    fn try_from(path: &str) -> Result<Self, ValueError> {
        let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
        let is_step =
            |step: &str| !step.is_empty() && step != "." && step != ".." && step.bytes().all(plain);
        match path.len() <= PATH_CHARS_MAX && path.split('/').all(is_step) {
            true => Ok(Self(path.to_owned())),
            false => Err(ValueError::Path(shown(path))),
        }
    }
}

impl PackagePath {
    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Who made the package, when, under which rules.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Process {
    /// Who handed the documents in.
    pub submitter: Agent,
    /// Whose they are; at least one.
    pub holders: Vec<Holder>,
    /// Who signs the index; at least one.
    pub signatories: Vec<Signatory>,
    /// When it was made.
    pub time: UtcMillis,
    /// Whether the signature of the index carries a time-stamp.
    pub has_time_stamp: bool,
    /// The rules it follows.
    pub laws: Option<String>,
}
