//! Members of canonical metadata that speak of log files: where a line stands, what a file came to, and from when
//! what was migrated is kept.
//!
//! They stand within `trace` and `object` metadata (`crate::metadata`), and are listed in `docs/formats.md`.

use crate::canonical::{Integer, ObjectReader, ObjectWriter, Text};

/// Where a trace record was read from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SourceLine {
    /// Leaf index of the source file.
    pub leaf: Integer,
    /// Offset of its first octet in the log: in the file, or in the content that a signed file holds.
    pub from: Integer,
    /// Offset after its last octet, line break included.
    pub until: Integer,
    /// The label in parentheses after `tipo`.
    pub label: Option<Text>,
    /// The provider's queue identifier.
    pub queue_id: Option<Text>,
    /// `tipo` as it came.
    pub tipo: Option<Text>,
}

/// What a source file came to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct LogFile {
    /// The name of the file, without its folder.
    pub name: Text,
    /// The word for its format.
    pub format: Text,
    /// The day it is of, `yyyy-mm-dd`.
    pub date: Option<Text>,
    /// Length of the log in octets: the file's, or that of the content a signed file holds.
    pub bytes: Integer,
    /// Records in it: a trace record each.
    pub entries: Integer,
    /// Stretches that were not understood, and octets in them.
    pub unread: (Integer, Integer),
    /// Blank lines, lines of other processes, lines that say that the log was rotated.
    pub noise: [Integer; 3],
    /// The first stretches that were not understood.
    pub first_unread: Vec<UnreadStretch>,
    /// Which part of a larger file it is.
    pub piece: Option<Piece>,
}

/// A stretch of a log that was not understood.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UnreadStretch {
    /// Offset of its first octet.
    pub from: Integer,
    /// Offset after its last octet.
    pub until: Integer,
    /// Why: a stable code.
    pub reason: Text,
}

/// A part of a file that is larger than an object may be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Piece {
    /// Its number, from 1.
    pub number: Integer,
    /// Offset of its first octet in the file.
    pub offset: Integer,
    /// Length of the file in octets.
    pub file_bytes: Integer,
    /// SHA-256 of the file, hexadecimal, as the submitter says it.
    pub file_sha256: Text,
}

/// That a record is of a migrated interval, and what its term runs from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Migrated {
    /// Leaf index of the declaration.
    pub declaration: Integer,
    /// Leaf index of the old time-stamp, where there is one.
    pub token: Option<Integer>,
    /// `genTime` of the old time-stamp, milliseconds since 1970, only where it was verified: without it the term runs
    /// from ingestion.
    pub gen_ms: Option<Integer>,
    /// Its accuracy in milliseconds, where it states one.
    pub accuracy_ms: Option<Integer>,
}

/// What an old time-stamp says, where it was verified.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TimeStamp {
    /// `genTime`, milliseconds since 1970.
    pub gen_ms: Integer,
    /// Its accuracy in milliseconds, where it states one.
    pub accuracy_ms: Option<Integer>,
    /// The policy it was made under.
    pub policy: Text,
    /// Its serial number, hexadecimal.
    pub serial: Text,
}

type Read<T> = Result<T, &'static str>;

fn need(r: &mut ObjectReader, key: &'static str) -> Read<Integer> {
    r.integer(key)?.ok_or(key)
}

impl SourceLine {
    pub(crate) fn write(&self, w: &mut ObjectWriter<'_>) {
        w.integer("from", self.from);
        w.maybe_text("label", self.label.as_ref());
        w.integer("leaf", self.leaf);
        w.maybe_text("queue_id", self.queue_id.as_ref());
        w.maybe_text("tipo", self.tipo.as_ref());
        w.integer("until", self.until);
    }

    pub(crate) fn read(r: &mut ObjectReader) -> Read<Self> {
        Ok(Self {
            leaf: need(r, "leaf")?,
            from: need(r, "from")?,
            until: need(r, "until")?,
            label: r.text("label")?,
            queue_id: r.text("queue_id")?,
            tipo: r.text("tipo")?,
        })
    }
}

impl LogFile {
    pub(crate) fn write(&self, w: &mut ObjectWriter<'_>) {
        let [blank, other_process, rotation] = self.noise;
        w.integer("blank_lines", blank);
        w.integer("bytes", self.bytes);
        w.maybe_text("date", self.date.as_ref());
        w.integer("entries", self.entries);
        if !self.first_unread.is_empty() {
            w.objects("first_unread", &self.first_unread, |unread, w| {
                w.integer("from", unread.from);
                w.text("reason", unread.reason.as_bytes());
                w.integer("until", unread.until);
            });
        }
        w.text("format", self.format.as_bytes());
        w.text("name", self.name.as_bytes());
        w.integer("other_process_lines", other_process);
        if let Some(piece) = &self.piece {
            w.object("piece", |w| {
                w.integer("file_bytes", piece.file_bytes);
                w.text("file_sha256", piece.file_sha256.as_bytes());
                w.integer("number", piece.number);
                w.integer("offset", piece.offset);
            });
        }
        w.integer("rotation_lines", rotation);
        w.integer("unread", self.unread.0);
        w.integer("unread_bytes", self.unread.1);
    }

    pub(crate) fn read(r: &mut ObjectReader) -> Read<Self> {
        Ok(Self {
            name: r.text("name")?.ok_or("name")?,
            format: r.text("format")?.ok_or("format")?,
            date: r.text("date")?,
            bytes: need(r, "bytes")?,
            entries: need(r, "entries")?,
            unread: (need(r, "unread")?, need(r, "unread_bytes")?),
            noise: [
                need(r, "blank_lines")?,
                need(r, "other_process_lines")?,
                need(r, "rotation_lines")?,
            ],
            first_unread: r.objects("first_unread", |r| {
                Ok(UnreadStretch {
                    from: need(r, "from")?,
                    until: need(r, "until")?,
                    reason: r.text("reason")?.ok_or("reason")?,
                })
            })?,
            piece: r.object("piece", |r| {
                Ok(Piece {
                    number: need(r, "number")?,
                    offset: need(r, "offset")?,
                    file_bytes: need(r, "file_bytes")?,
                    file_sha256: r.text("file_sha256")?.ok_or("file_sha256")?,
                })
            })?,
        })
    }
}

impl Migrated {
    pub(crate) fn write(&self, w: &mut ObjectWriter<'_>) {
        w.maybe_integer("accuracy_ms", self.accuracy_ms);
        w.integer("declaration", self.declaration);
        w.maybe_integer("gen_ms", self.gen_ms);
        w.maybe_integer("token", self.token);
    }

    pub(crate) fn read(r: &mut ObjectReader) -> Read<Self> {
        Ok(Self {
            declaration: need(r, "declaration")?,
            token: r.integer("token")?,
            gen_ms: r.integer("gen_ms")?,
            accuracy_ms: r.integer("accuracy_ms")?,
        })
    }
}

impl TimeStamp {
    pub(crate) fn write(&self, w: &mut ObjectWriter<'_>) {
        w.maybe_integer("accuracy_ms", self.accuracy_ms);
        w.integer("gen_ms", self.gen_ms);
        w.text("policy", self.policy.as_bytes());
        w.text("serial", self.serial.as_bytes());
    }

    pub(crate) fn read(r: &mut ObjectReader) -> Read<Self> {
        Ok(Self {
            gen_ms: need(r, "gen_ms")?,
            accuracy_ms: r.integer("accuracy_ms")?,
            policy: r.text("policy")?.ok_or("policy")?,
            serial: r.text("serial")?.ok_or("serial")?,
        })
    }
}
