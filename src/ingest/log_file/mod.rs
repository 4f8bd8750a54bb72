//! Log files of providers: archived as they came, and a trace record for each record in them.
//!
//! ```text
//! start ─▶ chunks ─▶ staged, digested, read once for what they come to
//!                        └─▶ old time-stamp (kind 18) ─▶ source file (kind 17) ─▶ its records (kind 3), each
//!                            naming the leaf of the file and its octets, read again from what was archived
//! ```
//!
//! # Invariants
//! 1. The file comes first: no trace record names a leaf that is not durable.
//! 2. Nothing is dropped (P2): what is not understood stays in the file, counted in its metadata, with the first
//!    stretches and every reason. A signed file whose content cannot be had is archived all the same.
//! 3. Idempotent and resumable: the client keys of file and records are made of the file's SHA-256 and their octets,
//!    under a name that no client's own keys have. An import that ended anywhere is done again from its beginning,
//!    and only what is missing is recorded.
//! 4. Memory: one record, one part of the content, [`LINES_IN_FLIGHT_MAX`](lines) records with the writer; of a signed
//!    file the whole, up to [`CMS_BYTES_MAX`].
//! 5. What was declared migrated is so only within the declared interval; without a time-stamp that was verified
//!    here, its term runs from here.

mod lines;
mod read;
mod token;

pub use lines::LineTally;

use super::{ClientKey, ContentUpload, Held, Ingest, IngestError, ObjectContent, Submission};
use crate::record::open::Opened;
use crate::sequencer::SubmitError;
use ceralacca_formats::acknowledgement::Acknowledgement;
use ceralacca_formats::canonical::{Integer, Text};
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::id::{INTEGER_MAX, LeafIndex};
use ceralacca_formats::leaf::{Class, Kind};
use ceralacca_formats::metadata::{CustodyRecord, Metadata, ObjectRecord};
use ceralacca_formats::source::{LogFile, Migrated, Piece};
use ceralacca_pec::judge::Times;
use ceralacca_pec::judge::cms::CMS_BYTES_MAX;
use ceralacca_pec::logs::{FileDate, Format};
use read::{Reading, Survey};
use std::ops::Range;
use token::OldStamp;

/// What is said of a log file before its bytes.
pub struct LogDeclared {
    /// Its name, without the folder.
    pub name: String,
    /// Its format.
    pub format: &'static Format,
    /// The day it is of; else that in its name.
    pub date: Option<FileDate>,
    /// Which part of a larger file it is.
    pub piece: Option<Piece>,
    /// Where it is migrated from an older archive: under which declaration, with which time-stamp.
    pub migration: Option<LogMigration>,
}

/// How a log file is migrated.
pub struct LogMigration {
    /// The leaf of the declaration.
    pub declaration: LeafIndex,
    /// The old time-stamp, a TimeStampResp or TimeStampToken; empty for none.
    pub token: Vec<u8>,
}

/// A declared interval, in milliseconds since 1970.
#[derive(Clone)]
struct Span {
    declaration: LeafIndex,
    ms: Range<i64>,
}

impl Span {
    fn has(&self, event_ms: Option<Integer>) -> bool {
        event_ms.is_some_and(|at| self.ms.contains(&at.get()))
    }
}

/// A small number in canonical metadata; none of these comes near the limit.
fn integer(number: u64) -> Integer {
    Integer::try_from(number.min(INTEGER_MAX)).unwrap_or(Integer::ZERO)
}

/// Takes log files of one principal.
pub struct LogFiles(Ingest);

impl Ingest {
    /// The same, for log files. Client keys of theirs are not the client's own.
    pub fn log_files(&self) -> LogFiles {
        LogFiles(Self {
            principal: format!("log files of {}\n", self.principal).into(),
            ..self.clone()
        })
    }
}

impl LogFiles {
    /// Begins the upload of a log file.
    pub fn upload(&self, declared: LogDeclared) -> Result<LogUpload<'_>, IngestError> {
        let ingest = &self.0;
        let span = match &declared.migration {
            None => None,
            Some(migration) => Some(ingest.declared_span(migration.declaration)?),
        };
        let token = declared.migration.as_ref().map(|m| m.token.as_slice());
        let date = declared.date;
        let date = date.or_else(|| FileDate::from_name(declared.format, &declared.name));
        let survey = Survey::new(declared.format, date, span.clone());
        Ok(LogUpload {
            stamp: OldStamp::begin(token.filter(|token| !token.is_empty())),
            reading: Reading::new(&declared.name, survey),
            upload: ingest.upload(ingest.trace_class()),
            ingest,
            declared,
            date,
            span,
        })
    }
}

/// The upload of a log file, read while it passes.
pub struct LogUpload<'a> {
    ingest: &'a Ingest,
    declared: LogDeclared,
    date: Option<FileDate>,
    span: Option<Span>,
    upload: ContentUpload<'a>,
    reading: Reading,
    stamp: Option<OldStamp>,
}

impl<'a> LogUpload<'a> {
    /// Takes the next bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), IngestError> {
        if let Some(stamp) = &mut self.stamp {
            stamp.push(bytes);
        }
        self.reading.push(bytes);
        self.upload.write(bytes)
    }

    /// Gives it up: what was staged is removed.
    pub fn abandon(self) -> Result<(), IngestError> {
        self.upload.abandon()
    }

    /// The file is whole. Records the old time-stamp, where there is one, and the file.
    pub fn finish(self, announced: &Sha256) -> Result<LogImport<'a>, IngestError> {
        let (ingest, class) = (self.ingest, self.ingest.trace_class());
        let content = self.upload.finish()?;
        if content.sha256() != *announced {
            ingest.forget_content(content)?;
            return Err(IngestError::NotAnnounced);
        }
        let received_ms = i64::try_from(ingest.policy.clock.wall().get()).ok();
        let times = Times { received_ms };
        let in_force = ingest.policy.trust.get();
        let read = self.reading.finish(&in_force.trust, times);
        let judged = read.object.signature.is_some();
        let named = in_force.named(received_ms.filter(|_| judged));
        let token = match self.stamp {
            None => None,
            Some(stamp) => Some(stamp.record(ingest, announced, times)?),
        };
        let migrated = self.span.as_ref().map(|span| Migrated {
            declaration: integer(span.declaration.get()),
            token: token.as_ref().map(|token| integer(token.leaf.get())),
            gen_ms: token.as_ref().and_then(|token| token.proven?.0),
            accuracy_ms: token.as_ref().and_then(|token| token.proven?.1),
        });
        let log_file = LogFile {
            name: self.declared.name.as_str().into(),
            format: self.declared.format.name.into(),
            date: self.date.map(date_text),
            piece: self.declared.piece,
            ..read.log_file
        };
        let object = ObjectRecord {
            migrated: migrated.filter(|_| read.is_within_span),
            log_file: Some(Box::new(log_file.clone())),
            received_ms: named.0,
            trust: named.1.filter(|_| judged),
            ..read.object
        };
        let key = file_key(announced, log_file.piece.as_ref());
        let submission = Submission::object(
            Kind::SourceFile,
            class,
            object.clone(),
            content,
            None,
            Some(key),
        );
        let remarks = submission.remarks();
        let acknowledgement = ingest.record(submission)?;
        let leaf = first_leaf(&acknowledgement)?;
        if acknowledgement.repeated {
            let recorded = ingest.opened(leaf)?;
            if !is_same(&recorded, &object) {
                return Err(IngestError::RecordedOtherwise { first: leaf });
            }
        }
        Ok(LogImport {
            ingest,
            leaf,
            acknowledgement,
            remarks,
            log_file,
            token: token.map(|token| (token.leaf, token.refusal)),
            migrated,
            is_migrated: object.migrated.is_some(),
            format: self.declared.format,
            date: self.date,
            span: self.span,
            name: self.declared.name,
        })
    }
}

/// The archive's own client key of a file, or of a part of a larger one: two parts may have the same octets.
fn file_key(sha256: &Sha256, piece: Option<&Piece>) -> ClientKey {
    let mut key = [b"file\0".as_slice(), sha256.as_bytes()].concat();
    if let Some(piece) = piece {
        key.extend_from_slice(&piece.offset.get().to_be_bytes());
        key.extend_from_slice(piece.file_sha256.as_bytes());
    }
    ClientKey(key)
}

/// Whether the file was recorded as it is to be recorded now: what was remarked of its form may differ between
/// versions of this program, what was said of it may not.
fn is_same(recorded: &Opened, now: &ObjectRecord) -> bool {
    let Ok(Metadata::Object(then)) = recorded.metadata() else {
        return false;
    };
    let said = |object: &ObjectRecord| {
        let file = object.log_file.as_ref();
        file.map(|file| (file.format.clone(), file.date.clone(), file.piece.clone()))
    };
    let declaration = |object: &ObjectRecord| object.migrated.map(|m| (m.declaration, m.token));
    recorded.leaf.kind == Kind::SourceFile
        && said(&then) == said(now)
        && declaration(&then) == declaration(now)
}

/// The leaf that was acknowledged: there is always one.
fn first_leaf(acknowledgement: &Acknowledgement) -> Result<LeafIndex, IngestError> {
    let first = acknowledgement.records.first();
    let leaf = first.map(|record| record.leaf.seq);
    leaf.ok_or(IngestError::Submit(SubmitError::Stopped))
}

fn date_text(date: FileDate) -> Text {
    let (year, month, day) = date.parts();
    format!("{year:04}-{month:02}-{day:02}").into()
}

/// A log file that is archived; its records come next.
pub struct LogImport<'a> {
    ingest: &'a Ingest,
    /// The leaf of the file.
    pub leaf: LeafIndex,
    /// The acknowledgement of the file.
    pub acknowledgement: Acknowledgement,
    /// What was remarked of it.
    pub remarks: super::Remarks,
    /// What it came to.
    pub log_file: LogFile,
    /// The leaf of the old time-stamp, and why it proves nothing where it does not.
    pub token: Option<(LeafIndex, Option<&'static str>)>,
    /// What the term of its records within the declared interval runs from.
    pub migrated: Option<Migrated>,
    /// Whether the file itself is within the declared interval: every record in it is.
    pub is_migrated: bool,
    format: &'static Format,
    date: Option<FileDate>,
    span: Option<Span>,
    name: String,
}

impl Ingest {
    /// A record of the published log.
    fn opened(&self, index: LeafIndex) -> Result<Opened, IngestError> {
        let state = self.reader.published();
        Ok(self.reader.record(&state, index)?)
    }

    fn declared_span(&self, declaration: LeafIndex) -> Result<Span, IngestError> {
        let none = || IngestError::NotADeclaration { index: declaration };
        let state = self.reader.published();
        if !declaration.is_within(state.tip.size) {
            return Err(none());
        }
        let opened = self.reader.record(&state, declaration)?;
        match opened.metadata() {
            Ok(Metadata::Custody(CustodyRecord::MigrationDeclared {
                from_ms, until_ms, ..
            })) if opened.leaf.class == Class::Custody => Ok(Span {
                declaration,
                ms: from_ms.get()..until_ms.get(),
            }),
            _ => Err(none()),
        }
    }

    /// Removes a content that was staged for nothing.
    fn forget_content(&self, content: ObjectContent) -> Result<(), IngestError> {
        if let Held::Staged(staged) = content.0 {
            crate::record::upload::remove(self.reader.store(), staged.upload)?;
        }
        Ok(())
    }
}

impl ObjectContent {
    fn sha256(&self) -> Sha256 {
        match &self.0 {
            Held::Bytes(bytes) => Sha256::of(bytes),
            Held::Staged(staged) => staged.digest.sha256,
        }
    }
}
