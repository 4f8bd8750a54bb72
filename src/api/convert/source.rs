//! Log files and what is migrated, on the wire.

use super::{shown, status, v1};
use crate::ingest::{LineTally, LogDeclared, LogImport, LogMigration};
use ceralacca_formats::canonical::Integer;
use ceralacca_formats::id::LeafIndex;
use ceralacca_formats::source::{LogFile, Migrated, Piece, SourceLine, TimeStamp};
use ceralacca_pec::logs::{FileDate, Format};
use tonic::Status;

/// The longest name of a file, in bytes.
const NAME_BYTES_MAX: usize = 1024;

/// Numbers in metadata of ours are not negative.
fn number(integer: Integer) -> u64 {
    integer.get().unsigned_abs()
}

pub(super) fn line(source: &SourceLine) -> v1::SourceLine {
    v1::SourceLine {
        leaf: number(source.leaf),
        from: number(source.from),
        until: number(source.until),
        tipo: shown(source.tipo.as_ref()),
        label: shown(source.label.as_ref()),
        queue_id: shown(source.queue_id.as_ref()),
    }
}

pub(super) fn migrated(migrated: &Migrated) -> v1::Migrated {
    v1::Migrated {
        declaration: number(migrated.declaration),
        token: migrated.token.map(number),
        gen_ms: migrated.gen_ms.map(Integer::get),
        accuracy_ms: migrated.accuracy_ms.map(number),
    }
}

pub(super) fn time_stamp(stamp: &TimeStamp) -> v1::TimeStampFacts {
    v1::TimeStampFacts {
        gen_ms: stamp.gen_ms.get(),
        accuracy_ms: stamp.accuracy_ms.map(number),
        policy: shown(Some(&stamp.policy)),
        serial: shown(Some(&stamp.serial)),
    }
}

pub(super) fn log_file(file: &LogFile) -> v1::LogFileFacts {
    let [blank, other_process, rotation] = file.noise;
    let unread = file.first_unread.iter();
    v1::LogFileFacts {
        name: shown(Some(&file.name)),
        format: shown(Some(&file.format)),
        date: shown(file.date.as_ref()),
        bytes: number(file.bytes),
        entries: number(file.entries),
        unread: number(file.unread.0),
        unread_bytes: number(file.unread.1),
        blank_lines: number(blank),
        other_process_lines: number(other_process),
        rotation_lines: number(rotation),
        first_unread: unread
            .map(|stretch| v1::UnreadStretch {
                from: number(stretch.from),
                until: number(stretch.until),
                reason: shown(Some(&stretch.reason)),
            })
            .collect(),
        piece: file.piece.as_ref().map(|piece| v1::LogPieceFacts {
            number: number(piece.number),
            offset: number(piece.offset),
            file_bytes: number(piece.file_bytes),
            file_sha256: shown(Some(&piece.file_sha256)),
        }),
    }
}

/// A number that goes into metadata.
fn integer(field: &'static str, number: u64) -> Result<Integer, Status> {
    let integer = Integer::try_from(number);
    integer.map_err(|_| status::invalid(field, "OUT_OF_RANGE", "over 2^53 - 1"))
}

/// An interval that is not empty.
pub(in crate::api) fn interval(from_ms: u64, until_ms: u64) -> Result<(Integer, Integer), Status> {
    if from_ms >= until_ms {
        let message = "the interval ends before it begins";
        return Err(status::invalid("until_ms", "EMPTY_INTERVAL", message));
    }
    Ok((integer("from_ms", from_ms)?, integer("until_ms", until_ms)?))
}

/// What is said of a log file, and the digest of its bytes.
pub(in crate::api) fn declared(
    start: v1::ImportLogStart,
) -> Result<(LogDeclared, [u8; 32]), Status> {
    let (found, limit) = (start.name.len() as u64, NAME_BYTES_MAX as u64);
    if found > limit {
        return Err(status::over_limit("name", found, limit));
    }
    let format = Format::named(&start.format);
    let format =
        format.ok_or_else(|| status::invalid("format", "UNKNOWN_FORMAT", "no such format"));
    let date = match start.date.as_str() {
        "" => None,
        text => Some(date(text).ok_or_else(|| {
            status::invalid("date", "NOT_A_DATE", "not a day of the form yyyy-mm-dd")
        })?),
    };
    let digest = |field, bytes: &[u8]| {
        let digest = <[u8; 32]>::try_from(bytes);
        digest.map_err(|_| status::invalid(field, "BAD_LENGTH", "not 32 bytes"))
    };
    let piece = match start.piece {
        None => None,
        Some(piece) => Some(Piece {
            number: integer("piece.number", piece.number)?,
            offset: integer("piece.offset", piece.offset)?,
            file_bytes: integer("piece.file_bytes", piece.file_bytes)?,
            file_sha256: hex::encode(digest("piece.file_sha256", &piece.file_sha256)?).into(),
        }),
    };
    let migration = start.migration.map(|migration| LogMigration {
        declaration: LeafIndex::new(migration.declaration),
        token: migration.token.to_vec(),
    });
    let declared = LogDeclared {
        name: start.name,
        format: format?,
        date,
        piece,
        migration,
    };
    Ok((declared, digest("sha256", &start.sha256)?))
}

/// A day, `yyyy-mm-dd`.
fn date(text: &str) -> Option<FileDate> {
    let is_digits = |part: &&str, digits: usize| {
        part.len() == digits && part.bytes().all(|c| c.is_ascii_digit())
    };
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts[..] else {
        return None;
    };
    let fits = is_digits(&year, 4) && is_digits(&month, 2) && is_digits(&day, 2);
    let date = FileDate::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?);
    date.filter(|_| fits)
}

/// A log file that is archived.
pub(in crate::api) fn imported(import: &LogImport<'_>) -> v1::ImportLogResponse {
    let acknowledgement = super::acknowledgement(&import.acknowledgement, &import.remarks);
    let refusal = import.token.and_then(|(_, refusal)| refusal);
    let file = v1::ImportedLogFile {
        acknowledgement: Some(acknowledgement),
        checkpoint: import.acknowledgement.checkpoint.to_string(),
        facts: Some(log_file(&import.log_file)),
        migrated: import.migrated.as_ref().map(migrated),
        file_is_migrated: import.is_migrated,
        token_refusal: refusal.unwrap_or_default().to_owned(),
    };
    let what = Some(v1::import_log_response::What::File(file));
    v1::ImportLogResponse { what }
}

/// How far its records are.
pub(in crate::api) fn progress(tally: &LineTally, done: bool) -> v1::ImportLogResponse {
    let records = v1::ImportedRecords {
        recorded: tally.recorded,
        repeated: tally.repeated,
        left: tally.left,
        migrated: tally.migrated,
        first_index: tally.first.map(LeafIndex::get),
        last_index: tally.last.map(LeafIndex::get),
        done,
    };
    let what = Some(v1::import_log_response::What::Records(records));
    v1::ImportLogResponse { what }
}
