//! PIndex, the index of a package (UNI 11386:2020 SInCRO): written, and read as far as verification needs.
//!
//! ```text
//! PIndex
//!   SelfDescription  ID, CreatingApplication, PIndexSource …      the index of the interval before
//!   PVolume          ID, MoreInfo: Interval                       what the log says of the interval
//!   FileGroup …      File: path, format, SHA-256
//!   Process          Submitter, Holder …, AuthorizedSigner …, TimeReference, LawsAndRegulations
//! ```
//!
//! # Invariants
//! 1. The same values give the same bytes: two spaces of indentation, line feeds, attributes in a fixed order.
//! 2. Digests are written in lower-case hexadecimal (the standard leaves their encoding open), and the function is
//!    named `SHA-256` or `SHA-512`.
//! 3. What was read by [`read`] and written again is the same value. What is not understood is refused.
//! 4. Nothing in it says of a person: no identifier, address or digest of a message, only of whole files; the
//!    agents are those of the configuration. [`PackagePath`] has no room for more.
//! 5. Reading is bounded by [`BYTES_MAX`]; document type declarations are refused, a path never leaves the package.
//!
//! # Not here
//! The 2010 edition (`IdC`). The signature around the index ([`crate::cades`]).

mod agent;
mod interval;
mod read;
mod values;
mod write;

pub use agent::{Agent, AgentId, AgentName, Holder, HolderRole, Signatory};
pub use interval::{
    Count, INTERVAL_NAMESPACE, INTERVAL_SCHEMA, INTERVAL_SCHEMA_PATH, Interval, Map,
};
pub use read::{BYTES_MAX, ReadError, read};
pub use values::{
    Application, Derivation, FileEntry, FileGroup, Hash, HashFunction, PIndex, PackagePath,
    PreviousHash, Process, Source, ValueError, Volume, VolumeSource,
};
pub use write::{WriteError, write};

/// The namespace of the 2020 edition.
pub const NAMESPACE: &str = "http://www.uni.com/U3011/sincro-v2/";
/// The fixed value of `sincro:uri`.
const SCHEMA_URI: &str = "http://www.uni.com/U3011/sincro-v2/PIndex.xsd";
/// The fixed value of `sincro:sincroVersion`.
const VERSION: &str = "2.0";
/// The scheme of every identifier here.
const SCHEME: &str = "local";
