//! What the log says of the interval, in a namespace of our own, within `PVolume/MoreInfo`.
//!
//! ```xml
//! <c:Interval xmlns:c="urn:ceralacca:interval:1" origin="…" start="…" cut="…" first="…" size="…" treeSize="…"
//!     root="hex" development="true|false">
//!   <c:Map class="1" keys="…" root="hex" saltHash="hex"/> …
//!   <c:Count event="…" number="…"/> …
//! </c:Interval>
//! ```

use ceralacca_formats::id::UtcMillis;

/// The namespace.
pub const INTERVAL_NAMESPACE: &str = "urn:ceralacca:interval:1";
/// Its schema, to be put into the package at [`INTERVAL_SCHEMA_PATH`].
pub const INTERVAL_SCHEMA: &str = include_str!("interval-1.xsd");
/// Where the schema stands in a package.
pub const INTERVAL_SCHEMA_PATH: &str = "schemas/ceralacca-interval-1.xsd";

/// The interval as its checkpoint and its maps have it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Interval {
    /// The origin of the log.
    pub origin: String,
    /// Its start instant: its id.
    pub start: UtcMillis,
    /// When it was cut.
    pub cut: UtcMillis,
    /// The index of its first leaf.
    pub first: u64,
    /// How many leaves it has.
    pub size: u64,
    /// The size of the tree at its checkpoint.
    pub tree_size: u64,
    /// The root hash at its checkpoint.
    pub root: [u8; 32],
    /// Whether seal key or time-stamping authority are those of a development installation.
    pub is_development: bool,
    /// The maps, by class.
    pub maps: Vec<Map>,
    /// How many records of each type of event.
    pub counts: Vec<Count>,
}

/// The interval map of a class.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Map {
    /// The class.
    pub class: u8,
    /// How many keys it has.
    pub keys: u64,
    /// Its root.
    pub root: [u8; 32],
    /// SHA-256 of its salt, which commits to the salt before anybody asks for a proof.
    pub salt_hash: [u8; 32],
}

/// How often a type of event occurred.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Count {
    /// The type, as trace records name it.
    pub event: String,
    /// How often.
    pub number: u64,
}
