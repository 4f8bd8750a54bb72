//! What signatures were judged with when they came in, fetched from the log: enough to reach every verdict again.
//!
//! A verdict names the leaf of a trust set, and that the leaves of its items, archived before anything was judged with
//! them (`trust`). Here they are read back, the verdict is reached again, and what it rests on is handed out.
//!
//! # Invariants
//! 1. Nothing but what the log holds is used, and nothing is fetched.
//! 2. A directory of providers is read when a message of its day is judged, few at a time.
//! 3. What is too large to be handed out is named by its digest and its leaf.

use super::ReissueError;
use super::facts::Item;
use super::files::{File, of_material};
use crate::audit::Reader;
use crate::desk::DeskError;
use crate::sequencer::Published;
use crate::trust::directory;
use ceralacca_evidence::asic::{AsicError, measure};
use ceralacca_formats::checkpoint::Checkpoint;
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::id::LeafIndex;
use ceralacca_formats::metadata::{CustodyRecord, LeafRange, Metadata, ObjectRecord};
use ceralacca_pec::Reading;
use ceralacca_pec::judge::cms;
use ceralacca_pec::judge::{
    Directories, Directory, DirectoryAt, Material as Octets, Times, Trust, Verdict, judge,
};
use ceralacca_retention::{CivilDate, UtcMillis};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

/// The most items of a trust set that are looked at.
const ITEMS_MAX: usize = 4096;
/// The most octets of certificates, CRLs and OCSP responses of a set, together, in bytes: they are in memory.
const SET_BYTES_MAX: u64 = 32 << 20;
/// CRLs, and OCSP responses, of a set that are handed out: those archived last. A set has one for each authority.
const SPEAKING_MAX: usize = 8;
/// The same, where the verdict is not reached by those.
const SPEAKING_LIMIT: usize = 64;
/// The longest piece that is handed out, in bytes.
const HANDED_OUT_MAX: u64 = 8 << 20;
/// The longest directory that is read, in bytes.
const DIRECTORY_BYTES_MAX: u64 = 65 << 20;

/// A piece of trust material.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Piece {
    /// What it is, a word of the trust set.
    pub(super) what: String,
    /// The day it speaks of.
    pub(super) day: Option<String>,
    /// Its record.
    pub(super) leaf: LeafIndex,
    /// SHA-256 of its octets.
    pub(super) sha256: Sha256,
    /// Its length.
    pub(super) bytes: u64,
}

impl Piece {
    /// Its file in the package; none where it is too large to go along.
    pub(super) fn file(&self) -> Option<String> {
        let end = match self.what.as_str() {
            "directory" => "ldif",
            _ => "der",
        };
        let name = format!("proof/material/{}.{end}", self.sha256);
        (self.bytes <= HANDED_OUT_MAX).then_some(name)
    }
}

/// What one trust set puts at hand.
pub(super) struct Set {
    trust: Trust,
    pieces: Vec<Piece>,
    shelf: Arc<Shelf>,
}

/// A signature, judged again with what it was judged with.
pub(super) struct Again {
    /// The verdict.
    pub(super) verdict: Verdict,
    /// Names in the directory of that day of the providers that have the signer's certificate; none where there is no
    /// directory of that day.
    pub(super) providers: Option<Vec<String>>,
    /// What it rests on and the log holds.
    pub(super) pieces: Vec<Piece>,
}

/// The trust sets of some objects.
pub(super) struct Sets<'a> {
    pub(super) reader: &'a Reader,
    pub(super) state: Arc<Published>,
    pub(super) read: BTreeMap<LeafIndex, Set>,
}

impl Sets<'_> {
    /// Judges an object again with the set of its day; none where it was not judged with any.
    pub(super) fn judge(
        &mut self,
        object: &ObjectRecord,
        reading: &Reading,
    ) -> Result<Option<Again>, ReissueError> {
        let leaf = object.trust.and_then(|leaf| u64::try_from(leaf.get()).ok());
        let Some(leaf) = leaf.map(LeafIndex::new) else {
            return Ok(None);
        };
        if !self.read.contains_key(&leaf) {
            let Some(set) = self.set(leaf)? else {
                return Ok(None);
            };
            self.read.insert(leaf, set);
        }
        let Some(set) = self.read.get(&leaf) else {
            return Ok(None);
        };
        let times = Times {
            received_ms: object.received_ms.map(|ms| ms.get()),
        };
        let verdict = judge(reading, &set.trust, times);
        let mut pieces = set.pieces_of(&verdict, SPEAKING_MAX);
        let is_short = ["crl", "ocsp"]
            .into_iter()
            .any(|what| set.pieces.iter().filter(|p| p.what == what).count() > SPEAKING_MAX);
        if is_short {
            // Whoever has the package must reach the verdict by what is in it.
            let trust = self.trust(&pieces, set.directories())?;
            let again = judge(reading, &trust, times);
            if (again.level, &again.grounds) != (verdict.level, &verdict.grounds) {
                pieces = set.pieces_of(&verdict, SPEAKING_LIMIT);
            }
        }
        Ok(Some(Again {
            providers: set.providers(&verdict),
            pieces,
            verdict,
        }))
    }

    /// What these pieces make, and directories of providers.
    fn trust(
        &self,
        pieces: &[Piece],
        directories: Option<Arc<dyn Directories>>,
    ) -> Result<Trust, ReissueError> {
        let mut material = Octets {
            directories,
            ..Octets::default()
        };
        let mut room = SET_BYTES_MAX;
        for piece in pieces {
            let list = match piece.what.as_str() {
                "anchor" => &mut material.anchors,
                "intermediate" => &mut material.intermediates,
                "signer" => &mut material.pinned,
                "crl" => &mut material.crls,
                "ocsp" => &mut material.ocsp,
                _ => continue,
            };
            if let Some(left) = room.checked_sub(piece.bytes) {
                room = left;
                list.push(octets(self.reader, &self.state, piece.leaf)?);
            }
        }
        // What was in force was read before: only a damaged log has material that is refused.
        Ok(Trust::new(material).unwrap_or_else(|_| Trust::none()))
    }

    fn set(&self, leaf: LeafIndex) -> Result<Option<Set>, ReissueError> {
        let opened = self
            .reader
            .record(&self.state, leaf)
            .map_err(DeskError::Read)?;
        let Metadata::Custody(CustodyRecord::TrustSet { items }) = opened.metadata()? else {
            return Ok(None);
        };
        let mut pieces = Vec::new();
        for index in indexes(&items).take(ITEMS_MAX) {
            let opened = self.reader.record(&self.state, index);
            let opened = opened.map_err(DeskError::Read)?;
            if let Metadata::Custody(CustodyRecord::TrustItem { what, day }) = opened.metadata()? {
                let text = |text: &ceralacca_formats::canonical::Text| {
                    String::from_utf8_lossy(text.as_bytes()).into_owned()
                };
                pieces.push(Piece {
                    what: text(&what),
                    day: day.as_ref().map(text),
                    leaf: index,
                    sha256: opened.content.sha256,
                    bytes: opened.content.bytes,
                });
            }
        }
        let days = pieces.iter().filter(|piece| piece.what == "directory");
        let days = days.filter_map(|piece| Some((piece.day.clone()?, piece)));
        let shelf = Arc::new(Shelf {
            reader: self.reader.clone(),
            state: Arc::clone(&self.state),
            days: days.map(|(day, piece)| (day, piece.clone())).collect(),
            read: Mutex::default(),
        });
        Ok(Some(Set {
            trust: self.trust(&pieces, directories(&shelf))?,
            pieces,
            shelf,
        }))
    }
}

/// As judging takes them; none where there is none.
fn directories(shelf: &Arc<Shelf>) -> Option<Arc<dyn Directories>> {
    let is_any = !shelf.days.is_empty();
    is_any.then(|| Arc::clone(shelf) as Arc<dyn Directories>)
}

impl Set {
    fn directories(&self) -> Option<Arc<dyn Directories>> {
        directories(&self.shelf)
    }

    /// The directory of the day, and who has the signer's certificate there.
    fn providers(&self, verdict: &Verdict) -> Option<Vec<String>> {
        let found = self.shelf.at(verdict.judged_ms?)?;
        let signer = verdict.signer.as_ref().filter(|_| found.of_that_day)?;
        let named = found.directory.with_certificate(&signer.sha1);
        Some(named.map(|provider| provider.name.clone()).collect())
    }

    /// What a verdict rests on: certificates of its chain, what speaks of revocation, the directory looked at.
    fn pieces_of(&self, verdict: &Verdict, speaking: usize) -> Vec<Piece> {
        let in_chain = |piece: &Piece| {
            let mut chain = verdict.chain.iter();
            chain.any(|sha256| sha256.as_slice() == piece.sha256.as_bytes())
        };
        let day = verdict.judged_ms.and_then(|at| self.shelf.nearest(at));
        let day = day.map(|(_, piece)| piece.leaf);
        let of = |what: &'static str| self.pieces.iter().filter(move |p| p.what == what);
        let crls = of("crl").rev().take(speaking);
        let speaking = crls.chain(of("ocsp").rev().take(speaking));
        let wanted = self
            .pieces
            .iter()
            .filter(|piece| match piece.what.as_str() {
                "crl" | "ocsp" => false,
                "directory" => Some(piece.leaf) == day,
                _ => in_chain(piece),
            });
        wanted.chain(speaking).cloned().collect()
    }
}

fn indexes(items: &[LeafRange]) -> impl Iterator<Item = LeafIndex> {
    let ranges = items.iter().filter_map(|range| {
        let first = u64::try_from(range.first.get()).ok()?;
        Some(first..=u64::try_from(range.last.get()).ok()?)
    });
    ranges.flatten().map(LeafIndex::new)
}

/// The content of a record, in memory: callers bound it.
pub(super) fn octets(
    reader: &Reader,
    state: &Published,
    leaf: LeafIndex,
) -> Result<Vec<u8>, ReissueError> {
    let opened = reader.record(state, leaf).map_err(DeskError::Read)?;
    let mut octets = Vec::new();
    opened.content(reader.store(), |piece| octets.extend_from_slice(piece))?;
    Ok(octets)
}

/// Each piece that a verdict rests on once, as files, with the proof that the log held it.
pub(super) fn files(
    (reader, state): (&Reader, &Published),
    shown: &Checkpoint,
    items: &[Item],
    files: &mut Vec<File>,
) -> Result<(), ReissueError> {
    let again = items.iter().filter_map(|item| item.again.as_ref());
    let pieces: BTreeSet<&Piece> = again.flat_map(|again| &again.pieces).collect();
    let mut names = BTreeSet::new();
    for piece in pieces {
        let Some(name) = piece.file().filter(|name| names.insert(name.clone())) else {
            continue;
        };
        let opened = reader.record(state, piece.leaf).map_err(DeskError::Read)?;
        let proof = reader.proof_under(state, &opened, shown);
        let proof = proof.map_err(DeskError::Read)?;
        let measured = measure(opened.pieces(reader.store())?).map_err(AsicError::from)?;
        of_material(name, opened, measured, &proof, files);
    }
    Ok(())
}

/// SHA-256 of the certificates that travel in a message.
pub(super) fn within(p7s: &[u8]) -> Vec<Sha256> {
    let certificates = cms::certificates(p7s);
    certificates.iter().map(|der| Sha256::of(der)).collect()
}

/// The directories of a set, each of its day.
struct Shelf {
    reader: Reader,
    state: Arc<Published>,
    /// By day, `YYYY-MM-DD`: in the order of time.
    days: BTreeMap<String, Piece>,
    /// The last one read: the records of a package are mostly of one day.
    read: Mutex<Option<(LeafIndex, Arc<Directory>)>>,
}

impl std::fmt::Debug for Shelf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shelf")
            .field("days", &self.days.len())
            .finish_non_exhaustive()
    }
}

impl Shelf {
    /// The directory of the day of an instant, or the last one before it, or the first one after; as judging has it.
    fn nearest(&self, at_ms: i64) -> Option<(bool, &Piece)> {
        let day = CivilDate::in_rome(UtcMillis::new(at_ms)).ok()?;
        let day = day.to_string();
        let before = self.days.range(..=day.clone()).next_back();
        let (found, piece) = before.or_else(|| self.days.range(day.clone()..).next())?;
        Some((*found == day, piece))
    }

    fn read(&self, piece: &Piece) -> Option<Arc<Directory>> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((leaf, directory)) = read.as_ref()
            && *leaf == piece.leaf
        {
            return Some(Arc::clone(directory));
        }
        if piece.bytes > DIRECTORY_BYTES_MAX {
            return None;
        }
        let octets = octets(&self.reader, &self.state, piece.leaf).ok()?;
        let found = Arc::new(directory(&octets).ok()?);
        *read = Some((piece.leaf, Arc::clone(&found)));
        Some(found)
    }
}

impl Directories for Shelf {
    fn at(&self, at_ms: i64) -> Option<DirectoryAt> {
        let (of_that_day, piece) = self.nearest(at_ms)?;
        Some(DirectoryAt {
            directory: self.read(piece)?,
            of_that_day,
        })
    }
}
