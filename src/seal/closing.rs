//! The steps of a closing, in order; each is skipped where its file is.

use super::evidence::{self, PACKAGE_GROUP};
use super::folder::{Folder, Secrets};
use super::index::{self, Previous};
use super::scan::{Scan, Scanned};
use super::stamps::{self, StampFacts};
use super::{Authorities, Probe, SealError, tree};
use crate::ambient::{Clock, Entropy};
use crate::audit::Reader;
use crate::sequencer::{Published, Span};
use crate::store::Rows;
use crate::store::cf::interval::{IntervalRow, Intervals, Phase};
use crate::trust::InForce;
use ceralacca_evidence::cades::{self, Content};
use ceralacca_evidence::pindex::{self, INTERVAL_SCHEMA, INTERVAL_SCHEMA_PATH};
use ceralacca_formats::catalogue::{CATALOGUE_BYTES_MAX, Catalogue, Entry};
use ceralacca_formats::closing::{Closing, Contents};
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::id::{LeafIndex, Origin, TreeSize, UtcMillis};
use ceralacca_formats::metadata::{CustodyRecord, Metadata};
use ceralacca_formats::tree::RootHash;

pub(super) const CHECKPOINT: &str = "checkpoint";
pub(super) const CONTENTS: &str = "contents.json";
pub(super) const CATALOGUE: &str = "catalogue.json";
pub(super) const CLOSING: &str = "closing.json";
const TRUST: &str = "trust";
const SCANNED: &str = "scanned.json";
const PINDEX: &str = "PIndex.xml";
const SIGNED: &str = "PIndex.xml.p7m";
const PINDEX_STAMP: &str = "PIndex";
pub(super) const SMALL_BYTES_MAX: usize = 32 << 20;

/// An interval under closing.
pub(super) struct Under<'a> {
    pub(super) reader: &'a Reader,
    pub(super) state: &'a Published,
    pub(super) origin: &'a Origin,
    pub(super) span: &'a Span,
    pub(super) size: TreeSize,
    pub(super) folder: &'a Folder,
    pub(super) clock: &'a dyn Clock,
    pub(super) entropy: &'a dyn Entropy,
    pub(super) file_bytes_max: u64,
    pub(super) is_development: bool,
    pub(super) trust: &'a InForce,
    pub(super) probe: &'a Probe,
}

impl Under<'_> {
    fn scan(&self) -> Scan<'_> {
        Scan {
            reader: self.reader,
            origin: self.origin,
            span: self.span,
            size: self.size,
            folder: self.folder,
            entropy: self.entropy,
            file_bytes_max: self.file_bytes_max,
        }
    }

    /// Says which step comes; a test may end the closing here, as a crash would.
    fn step(&self, name: &'static str) -> Result<(), SealError> {
        self.probe.at(name)
    }

    /// Makes the package, whole but for its final name.
    pub(super) fn package(
        &self,
        authorities: &Authorities,
        previous: Option<&Previous>,
        before: Option<LeafIndex>,
    ) -> Result<Closing, SealError> {
        if let Some(bytes) = self.folder.read(CLOSING, SMALL_BYTES_MAX)? {
            self.folder.remove(SCANNED)?;
            return closing_of(&bytes);
        }
        self.step("checkpoint")?;
        let (note, root) = self.cut()?;
        let checkpoint = self.folder.write(CHECKPOINT, note.as_bytes())?;
        self.step("checkpoint stamp")?;
        let stamper = &*authorities.stamper;
        let stamp = stamps::stamp(self.folder, CHECKPOINT, checkpoint.sha256, stamper)?;
        self.is_over(&stamp, authorities.tolerance_ms)?;
        self.step("tree")?;
        let (found, _) = tree::write(self.reader, self.state, self.span, self.size, self.folder)?;
        if found != root {
            return Err(SealError::Corrupt(
                "leaves of the interval give another root",
            ));
        }
        tree::check_twice(self.reader, self.state, self.span, self.size)?;
        self.step("records")?;
        let scanned = self.scanned()?;
        self.step("log stamps")?;
        let logs: Vec<Entry> = scanned
            .files
            .iter()
            .filter(|f| is_log(&f.path))
            .cloned()
            .collect();
        for log in &logs {
            stamps::stamp(self.folder, &log.path, log.sha256, stamper)?;
        }
        self.step("index")?;
        let pindex = self.index(&scanned, previous, root, authorities)?;
        self.step("evidence tree")?;
        let files = self.files(&scanned.files)?;
        let package = PACKAGE_GROUP.iter().map(|name| {
            let entry = files.iter().find(|entry| entry.path == *name);
            entry
                .cloned()
                .ok_or(SealError::Corrupt("a file of the package group"))
        });
        let package: Vec<Entry> = package.collect::<Result<_, _>>()?;
        let scan = self.scan();
        let tree_root = evidence::write_tree(&scan, self.folder, &logs, &package)?;
        self.step("evidence stamp")?;
        let record = evidence::write_record(&scan, self.folder, &tree_root, &package, stamper)?;
        self.step("catalogue")?;
        let files = self.files(&scanned.files)?;
        let catalogue = Catalogue::new(self.origin.clone(), self.span.id, files);
        let catalogue = self.folder.write(CATALOGUE, &catalogue.to_bytes())?;
        let closing = Closing {
            interval: self.span.id,
            end: self.span.end,
            first: self.span.first,
            size: self.size,
            previous: before,
            token_time: stamp.time,
            token_accuracy_ms: stamp.accuracy_ms,
            token_serial: stamp.serial,
            is_proven: stamp.is_proven,
            pindex,
            evidence: record.sha256,
            catalogue: catalogue.sha256,
            trust: self.trust.set,
            contents: scanned.contents,
        };
        self.step("closing")?;
        let metadata = Metadata::Custody(CustodyRecord::IntervalClosed(Box::new(closing.clone())));
        self.folder.write(CLOSING, &metadata.to_bytes())?;
        // Not before: without it all records would be read again, into files that the index does not know.
        self.step("scanned")?;
        self.folder.remove(SCANNED)?;
        Ok(closing)
    }

    /// The checkpoint note at the cut, with what witnesses signed of it, and its root.
    fn cut(&self) -> Result<(String, RootHash), SealError> {
        let key = (self.span.id, Phase::Cut);
        match self.reader.store().read::<Intervals>(&key)? {
            Some(IntervalRow::Cut {
                size, root, note, ..
            }) if size == self.size => Ok((note, root)),
            _ => Err(SealError::Corrupt("the cut of the interval")),
        }
    }

    /// Proven time must have reached the end of the interval: a clock that ran ahead fabricates nothing.
    fn is_over(&self, stamp: &StampFacts, tolerance_ms: u64) -> Result<(), SealError> {
        let past = stamp.time.get().saturating_sub(stamp.accuracy_ms);
        if past.saturating_add(tolerance_ms) >= self.span.end.get() {
            return Ok(());
        }
        // It is asked again: what it proves is only that it came too early.
        self.folder.remove(&format!("{CHECKPOINT}.stamp.json"))?;
        Err(SealError::Early {
            proven: UtcMillis::new(past),
            end: self.span.end,
        })
    }

    /// Log files, maps and counts: made, or found made.
    fn scanned(&self) -> Result<Scanned, SealError> {
        let done = self.folder.read(SCANNED, CATALOGUE_BYTES_MAX)?;
        let contents = self.folder.read(CONTENTS, SMALL_BYTES_MAX)?;
        if let Some((done, contents)) = done.zip(contents) {
            let catalogue = Catalogue::parse(&done);
            let files = catalogue.map(|catalogue| catalogue.files);
            let both = files.zip(Contents::parse(&contents));
            let (files, contents) = both.ok_or(SealError::Corrupt("a closing under way"))?;
            return Ok(Scanned { contents, files });
        }
        let scanned = self.scan().run()?;
        self.folder.write(CONTENTS, &scanned.contents.to_bytes())?;
        let files = scanned.files.clone();
        let catalogue = Catalogue::new(self.origin.clone(), self.span.id, files);
        self.folder.write(SCANNED, &catalogue.to_bytes())?;
        Ok(Scanned {
            contents: scanned.contents,
            files: catalogue.files,
        })
    }

    /// The index, signed and stamped: made, or found made.
    fn index(
        &self,
        scanned: &Scanned,
        previous: Option<&Previous>,
        root: RootHash,
        authorities: &Authorities,
    ) -> Result<Sha256, SealError> {
        if let Some(signed) = self.folder.read(SIGNED, SMALL_BYTES_MAX)? {
            return Ok(Sha256::of(&signed));
        }
        self.folder
            .write(INTERVAL_SCHEMA_PATH, INTERVAL_SCHEMA.as_bytes())?;
        self.revocation()?;
        let mut files = self.files(&scanned.files)?;
        files.retain(|file| !file.path.starts_with("PIndex"));
        let at = self.clock.wall();
        let process = &authorities.process;
        let index = index::build(self, &scanned.contents, &files, previous, root, at, process)?;
        let xml = pindex::write(&index).map_err(|error| SealError::Index(error.to_string()))?;
        self.folder.write(PINDEX, &xml)?;
        let (signer, stamper) = (&*authorities.signer, &*authorities.stamper);
        let (signed, stamped) =
            cades::sign_stamped(Content::Enveloping(&xml), at, signer, stamper)?;
        // What was stamped is the signature within.
        let digest = stamped_digest(&stamped);
        stamps::keep(self.folder, PINDEX_STAMP, digest, &stamped)?;
        Ok(self.folder.write(SIGNED, &signed)?.sha256)
    }

    /// What signatures were judged with when the interval was closed: a revocation list issued after a receipt of the
    /// interval before says that its certificate was still good then (docs/formats.md 19).
    fn revocation(&self) -> Result<(), SealError> {
        for piece in self.trust.pieces.iter() {
            let name = format!("{TRUST}/{}-{}.der", piece.what.word(), piece.sha256);
            if self.folder.read(&name, SMALL_BYTES_MAX)?.is_none() {
                let octets = piece.octets().map_err(SealError::Trust)?;
                self.folder.write(&name, &octets)?;
            }
        }
        Ok(())
    }

    /// Every file of the package so far, as handed out.
    fn files(&self, scanned: &[Entry]) -> Result<Vec<Entry>, SealError> {
        let mut names = Vec::new();
        list(self.folder, "", &mut names)?;
        let secrets = Secrets {
            keyring: self.reader.keyring(),
            store: self.reader.store(),
            interval: self.span.id,
        };
        let mut files = Vec::with_capacity(names.len());
        for name in names {
            if let Some(known) = scanned.iter().find(|entry| entry.path == name) {
                files.push(known.clone());
                continue;
            }
            let reader = self.folder.open(&name, &secrets)?;
            let mut reader = reader.ok_or(SealError::Corrupt("a file of the package"))?;
            let sha256 = reader.each(|_| Ok::<(), SealError>(()))?;
            files.push(Entry {
                path: name,
                bytes: reader.bytes(),
                sha256,
            });
        }
        files.sort();
        Ok(files)
    }
}

fn stamped_digest(stamped: &ceralacca_evidence::Stamped) -> Sha256 {
    let token = ceralacca_pec::tsp::Token::read(&stamped.token);
    let imprint = token.ok().map(|token| token.info().imprint.clone());
    let imprint = imprint.and_then(|imprint| <[u8; 32]>::try_from(imprint).ok());
    Sha256::from_bytes(imprint.unwrap_or_default())
}

/// The closing that a finished package says it is.
pub(crate) fn closing_of(bytes: &[u8]) -> Result<Closing, SealError> {
    match Metadata::parse(bytes) {
        Ok(Metadata::Custody(CustodyRecord::IntervalClosed(closing))) => Ok(*closing),
        _ => Err(SealError::Corrupt("the closing of a package")),
    }
}

pub(super) fn is_log(path: &str) -> bool {
    path.starts_with("log-") && path.ends_with(".jsonl")
}

/// Names of the files of a package, as handed out; what is only of a closing under way is left out.
pub(super) fn list(folder: &Folder, below: &str, names: &mut Vec<String>) -> Result<(), SealError> {
    for (name, is_folder) in folder.names(below)? {
        let path = match below {
            "" => name,
            _ => format!("{below}/{name}"),
        };
        if is_folder {
            list(folder, &path, names)?;
            continue;
        }
        let passing = [".tmp", ".spill"].iter().any(|end| path.ends_with(end));
        let own = [SCANNED, CATALOGUE, CLOSING, super::OUTAGE].contains(&path.as_str());
        if !passing && !own {
            let plain = path.strip_suffix(".enc").unwrap_or(&path);
            names.push(plain.to_owned());
        }
    }
    Ok(())
}
