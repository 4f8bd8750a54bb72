//! The container a re-issue travels in: ASiC-E with CAdES (ETSI EN 319 162-1 and -2), plain ZIP, folder.
//!
//! ```text
//! mimetype                                     stored, first, no extra field; absent from a plain ZIP and a folder
//! ricevuta.eml, relazione.pdf, proof/…         data files, in the order they were added
//! META-INF/ASiCEvidenceRecordManifest001.xml   the files that the evidence record covers since the closing
//! META-INF/evidencerecord001.ers               RFC 4998
//! META-INF/ASiCManifest001.xml                 every file above, with its SHA-256
//! META-INF/signature001.p7s                    detached CAdES over the exact octets of ASiCManifest001.xml
//! META-INF/ASiCManifest002.xml …               when something was added later: every file above again
//! ```
//!
//! # Invariants
//! 1. One layout for given files: every entry is stored, dated 1980-01-01, without extra field, comment, descriptor or
//!    gap. The reader computes that layout from names, sizes and checksums and refuses any octet that differs.
//! 2. Every file but `mimetype` and the last manifest with its signature is listed in a signed manifest; the reader
//!    names those that are not.
//! 3. Memory does not depend on the size of a file: contents go from reader to writer, digests are taken in passing
//!    and compared with what was announced.
//!
//! # Not protected by this module
//! The octets of the last signature, which no digest can cover: who verifies signatures answers for each of them
//! (`ceralacca_pec::exact`); here they are held to their checksum only. The order of the data files, which says nothing.
//!
//! # Not here
//! Making and verifying signatures and evidence records: they are handed in, and handed out.

mod addition;
mod crc32;
mod error;
mod files;
mod manifest;
mod name;
pub mod portal;
mod read;
mod verify;
mod write;
mod zip;

pub use addition::{AddedFile, Addition, listed};
pub use error::{AsicError, FinishError};
pub use files::{Files, Measured, measure};
pub use name::FileName;
pub use read::Container;
pub use verify::{CoveredFile, EvidenceRecordPart, Problem, SignedPart, Verified, verify};
pub use write::{ContainerWriter, FolderSink, FolderWriter, Form, Part};

/// Content of the entry `mimetype`.
pub const MEDIA_TYPE: &str = "application/vnd.etsi.asic-e+zip";

/// Files in a container, at most.
pub const FILES_MAX: usize = 2000;
/// Bytes of a container, at most: what ZIP can say without its 64-bit extension.
pub const BYTES_MAX: u64 = u32::MAX as u64;
/// Bytes of a manifest, a signature or an evidence record, at most.
pub const META_BYTES_MAX: u64 = 16 * 1024 * 1024;
