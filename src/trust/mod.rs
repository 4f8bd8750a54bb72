//! Trust material of a log: what signatures are judged with, and the record of it.
//!
//! ```text
//! files ─▶ Bundle ─▶ archived where the log does not hold it yet (ingest) ─▶ InForce ─▶ judging
//! ```
//!
//! # Invariants
//! 1. Nothing is judged with material that is not in the log, durable: a verdict names the set it rests on, so that
//!    it can be reached again when all that judged has expired.
//! 2. An old message is judged by the directory of its day, or it is said that another day's was looked at.

mod shelf;

use ceralacca_formats::canonical::Integer;
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::id::LeafIndex;
use ceralacca_pec::judge::directory::LDIF_BYTES_MAX;
use ceralacca_pec::judge::{Directories, Material, Trust, TrustError};
use ceralacca_retention::CivilDate;
pub use shelf::DirectoryUnusable;
use shelf::Shelf;
pub(crate) use shelf::directory;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

/// The largest file that is taken for a directory of providers, in bytes: the longest LDIF, and its signature.
const FILE_BYTES_MAX: u64 = LDIF_BYTES_MAX as u64 + (1 << 20);

/// What a piece of trust material is.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum What {
    /// A certificate that chains may end in.
    Anchor,
    /// A certificate of an authority to build chains with.
    Intermediate,
    /// A certificate of a signer that is trusted as it is.
    Signer,
    /// A revocation list.
    Crl,
    /// An OCSP response.
    Ocsp,
    /// A certificate that chains of time-stamping authorities may end in.
    TsaAnchor,
    /// A directory of providers.
    Directory,
}

impl What {
    /// The word in the log.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Anchor => "anchor",
            Self::Intermediate => "intermediate",
            Self::Signer => "signer",
            Self::Crl => "crl",
            Self::Ocsp => "ocsp",
            Self::TsaAnchor => "tsa-anchor",
            Self::Directory => "directory",
        }
    }
}

/// A piece of trust material.
pub struct Item {
    /// What it is.
    pub what: What,
    /// The day it speaks of.
    pub day: Option<CivilDate>,
    /// SHA-256 of its octets.
    pub sha256: Sha256,
    octets: Octets,
}

enum Octets {
    Held(Vec<u8>),
    File(PathBuf),
}

impl Item {
    /// A piece in memory.
    pub fn held(what: What, octets: Vec<u8>) -> Self {
        Self {
            what,
            day: None,
            sha256: Sha256::of(&octets),
            octets: Octets::Held(octets),
        }
    }

    /// The directory of providers of a day, which stays in its file until it is needed.
    pub fn directory(day: CivilDate, path: &Path) -> io::Result<Self> {
        let octets = read(path)?;
        Ok(Self {
            what: What::Directory,
            day: Some(day),
            sha256: Sha256::of(&octets),
            octets: Octets::File(path.to_owned()),
        })
    }

    /// The octets, as they were when the item was made: a file that changed since is an error.
    pub fn octets(&self) -> io::Result<Vec<u8>> {
        let path = match &self.octets {
            Octets::Held(octets) => return Ok(octets.clone()),
            Octets::File(path) => path,
        };
        let octets = read(path)?;
        match Sha256::of(&octets) == self.sha256 {
            true => Ok(octets),
            false => Err(io::Error::other("the file changed after it was read")),
        }
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    let mut file = File::open(path)?.take(FILE_BYTES_MAX + 1);
    file.read_to_end(&mut octets)?;
    match octets.len() as u64 > FILE_BYTES_MAX {
        true => Err(io::Error::other("larger than any directory that is read")),
        false => Ok(octets),
    }
}

/// All the trust material of a moment.
pub struct Bundle {
    items: Vec<Arc<Item>>,
    trust: Arc<Trust>,
    tsa: Arc<Trust>,
}

impl Bundle {
    /// Material of these pieces.
    pub fn new(items: Vec<Arc<Item>>) -> Result<Self, TrustError> {
        let of = |what: What| {
            let items = items.iter().filter(|item| item.what == what);
            let held = items.filter_map(|item| match &item.octets {
                Octets::Held(octets) => Some(octets.clone()),
                Octets::File(_) => None,
            });
            held.collect::<Vec<_>>()
        };
        let material = Material {
            anchors: of(What::Anchor),
            intermediates: of(What::Intermediate),
            pinned: of(What::Signer),
            crls: of(What::Crl),
            ocsp: of(What::Ocsp),
            directories: Shelf::of(&items).map(|shelf| -> Arc<dyn Directories> { Arc::new(shelf) }),
        };
        let of_stamps = Material {
            anchors: of(What::TsaAnchor),
            intermediates: of(What::Intermediate),
            crls: of(What::Crl),
            ocsp: of(What::Ocsp),
            ..Material::default()
        };
        Ok(Self {
            trust: Arc::new(Trust::new(material)?),
            tsa: Arc::new(Trust::new(of_stamps)?),
            items,
        })
    }

    /// The pieces.
    pub fn items(&self) -> &[Arc<Item>] {
        &self.items
    }

    /// What it puts in force, under the record of it.
    pub(crate) fn in_force(&self, set: Option<LeafIndex>) -> InForce {
        InForce {
            trust: Arc::clone(&self.trust),
            tsa: Arc::clone(&self.tsa),
            pieces: self
                .items
                .iter()
                .filter(|item| item.what != What::Directory)
                .cloned()
                .collect(),
            set,
        }
    }

    /// Whether another bundle is of the same pieces.
    pub fn is_same(&self, other: &Self) -> bool {
        let key = |item: &Arc<Item>| (item.what, item.day, item.sha256);
        let keys = |bundle: &Self| bundle.items.iter().map(key).collect::<Vec<_>>();
        keys(self) == keys(other)
    }
}

/// What a log judges with, and the record that says so.
#[derive(Clone, Debug)]
pub struct InForce {
    /// What signatures of mail and of log files are judged with.
    pub trust: Arc<Trust>,
    /// What time-stamps are verified with.
    pub tsa: Arc<Trust>,
    /// The pieces of both, in memory: certificates, revocation lists, OCSP responses.
    pub pieces: Arc<[Arc<Item>]>,
    /// Leaf of the trust set; none where no material was configured.
    pub set: Option<LeafIndex>,
}

impl InForce {
    /// What a verdict names: when the object was received, and the set it was judged with.
    pub fn named(&self, received_ms: Option<i64>) -> (Option<Integer>, Option<Integer>) {
        let received = received_ms.and_then(|at| Integer::try_from(at).ok());
        let set = self.set.and_then(|set| Integer::try_from(set.get()).ok());
        (received, set)
    }
}

/// What a log judges with now.
#[derive(Clone, Debug)]
pub struct TrustCell(Arc<RwLock<InForce>>);

impl Default for TrustCell {
    /// No material: signatures are verified, and no chain is established.
    fn default() -> Self {
        Self(Arc::new(RwLock::new(InForce {
            trust: Arc::new(Trust::none()),
            tsa: Arc::new(Trust::none()),
            pieces: Arc::default(),
            set: None,
        })))
    }
}

impl TrustCell {
    /// What is in force.
    pub fn get(&self) -> InForce {
        // A value is replaced whole: whoever panicked left none half made.
        let held = self.0.read().unwrap_or_else(PoisonError::into_inner);
        held.clone()
    }

    /// Puts material in force; its set must be durable.
    pub(crate) fn put(&self, in_force: InForce) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = in_force;
    }
}
