//! Canonical metadata of a record, schema 1.
//!
//! What a leaf commits to beside the content: RFC 8785 JSON with a schema number and a type. The
//! fields of each type are a closed set, listed in `docs/formats.md`.
//!
//! # Invariants
//! 1. The same facts have the same bytes; the SHA-256 in the commitment is over these bytes.
//! 2. A reader that meets another schema, an unknown type or an unknown field says so and interprets
//!    nothing; the bytes still verify.
//! 3. Custody types carry indexes, counts, times and words of a closed list: never a name, an address
//!    or a query.

use crate::canonical::{CanonicalError, Integer, ObjectReader, ObjectWriter, Text};
use crate::closing::{Closing, INTERVAL_CLOSED};
use crate::digest::Sha256;
use crate::disposal::{
    DISPOSAL_APPROVAL, DISPOSAL_COMPLETED, DISPOSAL_INTENT, DISPOSAL_WITHDRAWN, DisposalApproval,
    DisposalCompleted, DisposalIntent, read_withdrawn, write_withdrawn,
};
use crate::erasure::{ERASURE_PROPOSED, ErasureProposed, RECORD_ERASED, RecordErased};
use crate::hold::{
    ActDetail, HOLD_RELEASE_PROPOSED, HOLD_RELEASED, HOLD_SET, HoldPlaced, HoldReleaseProposed,
    HoldReleased,
};
use crate::id::LeafIndex;
use crate::renewal::{EVIDENCE_RENEWED, EvidenceRenewed};
use crate::source::{LogFile, Migrated, SourceLine, TimeStamp};
use std::borrow::Cow;

/// The schema number this program writes.
pub const SCHEMA: i32 = 1;

/// Why metadata cannot be interpreted. The bytes remain what the leaf commits to.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MetadataError {
    /// Not canonical JSON.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
    /// Written under a schema this reader does not know.
    #[error("metadata schema is not 1")]
    Schema,
    /// A type this reader does not know.
    #[error("metadata type is unknown")]
    Type,
    /// A field of the wrong shape, or one that must be there and is not.
    #[error("metadata field {0} is missing or malformed")]
    Field(&'static str),
    /// A field that schema 1 does not have.
    #[error("metadata has an unknown field")]
    UnknownField,
}

/// A recipient of the original message.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Recipient {
    /// The address as it came.
    pub address: Text,
    /// `certificato` or `esterno`, as it came, where it was said.
    pub kind: Option<Text>,
}

/// One operation of the PEC log: the eight fields of annex 6.2 to DM 2 November 2005, and what real
/// logs and receipts say beside them. Everything may be absent; what is there is there as it came.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TraceRecord {
    /// Field 1, `identificativo`: the PEC msgid of the transaction.
    pub identificativo: Option<Text>,
    /// Field 2: when it happened, milliseconds since 1970 (UTC).
    pub event_ms: Option<Integer>,
    /// Offset from UTC the writer stated, in minutes.
    pub event_offset_min: Option<Integer>,
    /// The time as it was written.
    pub event_text: Option<Text>,
    /// Field 3, `mittente`: sender of the original.
    pub sender: Option<Text>,
    /// Field 4, `destinatari`: recipients of the original.
    pub recipients: Vec<Recipient>,
    /// Field 5, `oggetto`: subject of the original.
    pub subject: Option<Text>,
    /// Field 6: type of event (`accettazione`, `avvenuta-consegna`, …).
    pub event: Option<Text>,
    /// Field 7: Message-IDs of the generated messages.
    pub message_ids: Vec<Text>,
    /// Field 8, `gestore-emittente`: sending provider.
    pub provider: Option<Text>,
    /// `msgid`: Message-ID of the original, set by its author's client.
    pub msgid: Option<Text>,
    /// `accesso`, `ricezione` or `consegna`: the point that acted.
    pub point: Option<Text>,
    /// `emesso` or `ricevuto`: whether the object was made here or came here.
    pub direction: Option<Text>,
    /// `consegna`: the one recipient a delivery or failure speaks of.
    pub delivered_to: Option<Text>,
    /// `completa`, `breve` or `sintetica`.
    pub receipt_form: Option<Text>,
    /// `errore`: code of the error.
    pub error: Option<Text>,
    /// `errore-esteso`: its text.
    pub error_detail: Option<Text>,
    /// `ricezione`: the recipients a takeover took charge of.
    pub taken_over: Vec<Text>,
    /// Where the facts come from an archived object: its leaf index minus this record's.
    pub companion: Option<Integer>,
    /// Where the facts come from a line of an archived log file: which.
    pub source: Option<Box<SourceLine>>,
    /// Digests of the content that an evidence of the European system states: address of the algorithm, a space,
    /// hexadecimal digits.
    pub content_digests: Vec<Text>,
    /// What was remarked of that line: codes of a closed list (`docs/findings.md`).
    pub findings: Vec<Text>,
    /// Where the record is of a migrated interval: what its term runs from.
    pub migrated: Option<Migrated>,
}

/// An object: bytes archived as received. Its facts stand in the trace record beside it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ObjectRecord {
    /// Leaf index of the trace record minus this object's, where there is one.
    pub companion: Option<Integer>,
    /// Why the object was not understood, where it was not: a stable code.
    pub unclassified: Option<Text>,
    /// The object's own Message-ID, as it came.
    pub message_id: Option<Text>,
    /// What its signature is worth: a word of a closed list.
    pub signature: Option<Text>,
    /// What was remarked of its form and of its signature: codes of a closed list (`docs/findings.md`).
    pub findings: Vec<Text>,
    /// The signing time stated in the signature, milliseconds since 1970.
    pub signing_ms: Option<Integer>,
    /// SHA-256, in hexadecimal, of each certificate of the chain that was established, the signer's first.
    pub chain: Vec<Text>,
    /// When it was received, as the verdict took it, milliseconds since 1970.
    pub received_ms: Option<Integer>,
    /// Leaf index of the [`CustodyRecord::TrustSet`] it was judged with; none where no material was configured.
    pub trust: Option<Integer>,
    /// Where the object is a provider's log file: what it came to.
    pub log_file: Option<Box<LogFile>>,
    /// Where that file is of a migrated interval: what its term runs from.
    pub migrated: Option<Migrated>,
    /// Where the object is an old time-stamp that was verified: what it says.
    pub time_stamp: Option<Box<TimeStamp>>,
}

/// Who was shown what: the companion of a `disclosure`, kept as long as what was disclosed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct DisclosureDetail {
    /// The principal, by its name in the configuration.
    pub principal: Text,
    /// The act under which it was asked: a grant's, or empty for a standing role.
    pub act: Option<Text>,
    /// What was asked: the call, and its terms.
    pub query: Text,
}

/// Who declared a migration: the companion of a `migration-declared`, kept as long as the log itself.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct MigrationDetail {
    /// The principal, by its name in the configuration.
    pub principal: Text,
    /// What it stated: which archive is migrated, and on what ground.
    pub statement: Text,
}

/// Leaf indexes from `first` to `last`, both included.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LeafRange {
    /// The first.
    pub first: Integer,
    /// The last.
    pub last: Integer,
}

impl LeafRange {
    pub(crate) fn write(w: &mut ObjectWriter<'_>, key: &'static str, ranges: &[Self]) {
        if !ranges.is_empty() {
            w.objects(key, ranges, |range, w| {
                w.integer("first", range.first);
                w.integer("last", range.last);
            });
        }
    }

    pub(crate) fn read(r: &mut ObjectReader, key: &'static str) -> Result<Vec<Self>, &'static str> {
        r.objects(key, |r| {
            Ok(Self {
                first: r.integer("first")?.ok_or("first")?,
                last: r.integer("last")?.ok_or("last")?,
            })
        })
    }
}

/// The archive's own acts, as far as the log alone needs them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CustodyRecord {
    /// A writer took over the log.
    Epoch {
        /// The new epoch.
        log_epoch: u32,
        /// Name and version of the software.
        software: Text,
        /// `development` in the first leaf of a log that was initialised to try the archive out: fixed for its life.
        store: Option<Text>,
    },
    /// The wall clock stepped against the monotone one, or was behind or far beyond the log at start.
    ClockStep {
        /// Wall clock minus expectation, in milliseconds.
        step_ms: Integer,
    },
    /// The wall clock was confirmed by proven time; cuts go on.
    ClockConfirmed {
        /// The proven time, milliseconds since 1970.
        proven_ms: Integer,
    },
    /// An interval was cut late.
    LateCut {
        /// Start instant of the interval, milliseconds since 1970.
        interval_ms: Integer,
        /// Delay of the cut, in milliseconds.
        late_ms: Integer,
    },
    /// Records were disclosed; the leaf after this one says to whom.
    Disclosure {
        /// The role that allowed it, a word of a closed list.
        role: Text,
        /// What was disclosed: ascending, none when nothing was.
        ranges: Vec<LeafRange>,
    },
    /// One piece of trust material; its octets are the content of the record.
    TrustItem {
        /// What it is, a word of a closed list.
        what: Text,
        /// The day it speaks of (`2026-11-21`), of a directory of providers.
        day: Option<Text>,
    },
    /// The trust material that signatures are judged with from here on.
    TrustSet {
        /// The records of its items: ascending.
        items: Vec<LeafRange>,
    },
    /// An interval of an older archive was declared migrated; the leaf after this one says by whom.
    MigrationDeclared {
        /// The role that allowed it, a word of a closed list.
        role: Text,
        /// Its first instant, milliseconds since 1970.
        from_ms: Integer,
        /// The instant it ends before.
        until_ms: Integer,
    },
    /// Another key signs the log's checkpoints from here on (`rotation`).
    KeyRotation {
        /// The verifier key that is retired: name, id, base64.
        old: Text,
        /// The one that follows it.
        new: Text,
    },
    /// An interval was closed: its package is complete (`closing`).
    IntervalClosed(Box<Closing>),
    /// Evidence was renewed (`renewal`).
    EvidenceRenewed(EvidenceRenewed),
    /// No authority gave a time-stamp: an interval that was cut stays unclosed. Recorded once for each interval.
    StampOutage {
        /// Start instant of the interval, milliseconds since 1970.
        interval_ms: Integer,
        /// How long since its end, in milliseconds.
        waiting_ms: Integer,
    },
    /// A hold was set; the leaf after this one says by whom, under which act, on what query (`hold`).
    HoldPlaced(HoldPlaced),
    /// The release of a hold was proposed; the leaf after this one says by whom.
    HoldReleaseProposed(HoldReleaseProposed),
    /// A hold was released; the leaf after this one says by whom.
    HoldReleased(HoldReleased),
    /// The store was built again from packages, contents and secrets; the epoch of its writer goes before.
    Restored {
        /// Leaves it was built with.
        size: Integer,
        /// Packages of closed intervals that were read.
        packages: Integer,
        /// Size of the largest checkpoint that it was held against; none where none was known.
        known: Option<Integer>,
    },
    /// Units are to be disposed of (`disposal`).
    DisposalIntent(DisposalIntent),
    /// An intent was given up; its leaf.
    DisposalWithdrawn(LeafIndex),
    /// A principal approved an intent; the leaf after this one says who.
    DisposalApproval(DisposalApproval),
    /// A unit is gone.
    DisposalCompleted(Box<DisposalCompleted>),
    /// The erasure of a record was proposed; the leaf after this one says by whom (`erasure`).
    ErasureProposed(ErasureProposed),
    /// A record was erased; the leaf after this one says by whom.
    RecordErased(RecordErased),
}

/// What the first leaf of a log says that was initialised to try the archive out.
pub const DEVELOPMENT: &str = "development";
/// The type of event under which the index finds every [`CustodyRecord::TrustSet`].
pub const TRUST_SET: &str = "trust-set";
/// The type of event under which the index finds every [`CustodyRecord::KeyRotation`].
pub const KEY_ROTATION: &str = "key-rotation";
/// The type of event under which the index finds every [`CustodyRecord::Restored`].
pub const RESTORED: &str = "restored";

/// The metadata of a record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Metadata {
    /// `"type":"trace"`.
    Trace(Box<TraceRecord>),
    /// `"type":"object"`.
    Object(ObjectRecord),
    /// `"type":"disclosure-detail"`.
    DisclosureDetail(DisclosureDetail),
    /// `"type":"migration-detail"`.
    MigrationDetail(MigrationDetail),
    /// `"type":"act-detail"`.
    ActDetail(ActDetail),
    /// `"type":"epoch"`, `"clock-step"`, `"clock-confirmed"`, `"late-cut"`, `"disclosure"`, `"trust-item"`,
    /// `"trust-set"`, `"migration-declared"`, `"key-rotation"`, `"interval-closed"`, `"evidence-renewed"`,
    /// `"stamp-outage"`, `"restored"`, `"hold-set"`, `"hold-release-proposed"`, `"hold-released"`, `"disposal-intent"`,
    /// `"disposal-withdrawn"`, `"disposal-approval"`, `"disposal-completed"`,
    /// `"erasure-proposed"`, `"record-erased"`.
    Custody(CustodyRecord),
}

impl From<TraceRecord> for Metadata {
    fn from(record: TraceRecord) -> Self {
        Self::Trace(Box::new(record))
    }
}

impl Metadata {
    /// The canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = String::with_capacity(640);
        ObjectWriter::write(&mut out, |w| match self {
            Self::Trace(record) => record.write(w),
            Self::Object(record) => record.write(w),
            Self::DisclosureDetail(record) => record.write(w),
            Self::MigrationDetail(record) => record.write(w),
            Self::ActDetail(record) => record.write(w),
            Self::Custody(record) => record.write(w),
        });
        out.into_bytes()
    }

    /// Reads canonical bytes, and refuses every other spelling and every unknown field.
    pub fn parse(bytes: &[u8]) -> Result<Self, MetadataError> {
        let mut r = ObjectReader::parse(bytes)?;
        let field = MetadataError::Field;
        if r.integer("schema").map_err(field)? != Some(Integer::from(SCHEMA)) {
            return Err(MetadataError::Schema);
        }
        let kind = r.text("type").map_err(field)?;
        let metadata = match kind.as_ref().and_then(Text::to_str) {
            Some("trace") => Self::Trace(Box::new(TraceRecord::read(&mut r).map_err(field)?)),
            Some("object") => Self::Object(ObjectRecord::read(&mut r).map_err(field)?),
            Some("disclosure-detail") => {
                Self::DisclosureDetail(DisclosureDetail::read(&mut r).map_err(field)?)
            }
            Some("migration-detail") => {
                Self::MigrationDetail(MigrationDetail::read(&mut r).map_err(field)?)
            }
            Some("act-detail") => Self::ActDetail(ActDetail::read(&mut r).map_err(field)?),
            Some(word) => {
                let record = CustodyRecord::read(word, &mut r).ok_or(MetadataError::Type)?;
                Self::Custody(record.map_err(field)?)
            }
            None => return Err(MetadataError::Type),
        };
        r.end().map_err(|_| MetadataError::UnknownField)?;
        Ok(metadata)
    }
}

/// The digest a commitment binds.
pub fn metadata_digest(canonical: &[u8]) -> Sha256 {
    Sha256::of(canonical)
}

impl TraceRecord {
    /// Whether its canonical bytes are no more than these, told without writing them: `false` where only writing tells.
    pub fn is_surely_within(&self, bytes: usize) -> bool {
        let Self {
            identificativo,
            event_ms: _,
            event_offset_min: _,
            event_text,
            sender,
            recipients,
            subject,
            event,
            message_ids,
            provider,
            msgid,
            point,
            direction,
            delivered_to,
            receipt_form,
            error,
            error_detail,
            taken_over,
            companion: _,
            source,
            content_digests,
            findings,
            migrated,
        } = self;
        if source.is_some() || migrated.is_some() {
            return false;
        }
        let single = [
            identificativo,
            event_text,
            sender,
            subject,
            event,
            provider,
            msgid,
            point,
            direction,
            delivered_to,
            receipt_form,
            error,
            error_detail,
        ];
        let several = [message_ids, taken_over, content_digests, findings];
        let kinds = recipients.iter().filter_map(|r| r.kind.as_ref());
        let texts = single
            .into_iter()
            .flatten()
            .chain(several.into_iter().flatten())
            .chain(recipients.iter().map(|r| &r.address))
            .chain(kinds);
        // An octet becomes six at most, and a member's name and marks are fewer than 64; so is everything else.
        let most = texts.map(|text| text.as_bytes().len().saturating_mul(6).saturating_add(64));
        most.fold(1024_usize, usize::saturating_add) <= bytes
    }

    fn write(&self, w: &mut ObjectWriter<'_>) {
        w.maybe_integer("companion", self.companion);
        if !self.content_digests.is_empty() {
            w.texts("content_digests", &self.content_digests);
        }
        w.maybe_text("delivered_to", self.delivered_to.as_ref());
        w.maybe_text("direction", self.direction.as_ref());
        w.maybe_text("error", self.error.as_ref());
        w.maybe_text("error_detail", self.error_detail.as_ref());
        w.maybe_text("event", self.event.as_ref());
        w.maybe_integer("event_ms", self.event_ms);
        w.maybe_integer("event_offset_min", self.event_offset_min);
        w.maybe_text("event_text", self.event_text.as_ref());
        if !self.findings.is_empty() {
            w.texts("findings", &self.findings);
        }
        w.maybe_text("identificativo", self.identificativo.as_ref());
        if !self.message_ids.is_empty() {
            w.texts("message_ids", &self.message_ids);
        }
        if let Some(migrated) = &self.migrated {
            w.object("migrated", |w| migrated.write(w));
        }
        w.maybe_text("msgid", self.msgid.as_ref());
        w.maybe_text("point", self.point.as_ref());
        w.maybe_text("provider", self.provider.as_ref());
        w.maybe_text("receipt_form", self.receipt_form.as_ref());
        if !self.recipients.is_empty() {
            w.objects("recipients", &self.recipients, |recipient, w| {
                w.text("address", recipient.address.as_bytes());
                w.maybe_text("kind", recipient.kind.as_ref());
            });
        }
        w.integer("schema", Integer::from(SCHEMA));
        w.maybe_text("sender", self.sender.as_ref());
        if let Some(source) = &self.source {
            w.object("source", |w| source.write(w));
        }
        w.maybe_text("subject", self.subject.as_ref());
        if !self.taken_over.is_empty() {
            w.texts("taken_over", &self.taken_over);
        }
        w.text("type", b"trace");
    }

    fn read(r: &mut ObjectReader) -> Result<Self, &'static str> {
        Ok(Self {
            identificativo: r.text("identificativo")?,
            event_ms: r.integer("event_ms")?,
            event_offset_min: r.integer("event_offset_min")?,
            event_text: r.text("event_text")?,
            sender: r.text("sender")?,
            recipients: r.objects("recipients", |r| {
                Ok(Recipient {
                    address: r.text("address")?.ok_or("recipients")?,
                    kind: r.text("kind")?,
                })
            })?,
            subject: r.text("subject")?,
            event: r.text("event")?,
            message_ids: r.texts("message_ids")?,
            provider: r.text("provider")?,
            msgid: r.text("msgid")?,
            point: r.text("point")?,
            direction: r.text("direction")?,
            delivered_to: r.text("delivered_to")?,
            receipt_form: r.text("receipt_form")?,
            error: r.text("error")?,
            error_detail: r.text("error_detail")?,
            taken_over: r.texts("taken_over")?,
            companion: r.integer("companion")?,
            source: r.object("source", SourceLine::read)?.map(Box::new),
            content_digests: r.texts("content_digests")?,
            findings: r.texts("findings")?,
            migrated: r.object("migrated", Migrated::read)?,
        })
    }
}

impl ObjectRecord {
    fn write(&self, w: &mut ObjectWriter<'_>) {
        if !self.chain.is_empty() {
            w.texts("chain", &self.chain);
        }
        w.maybe_integer("companion", self.companion);
        if !self.findings.is_empty() {
            w.texts("findings", &self.findings);
        }
        if let Some(file) = &self.log_file {
            w.object("log_file", |w| file.write(w));
        }
        w.maybe_text("message_id", self.message_id.as_ref());
        if let Some(migrated) = &self.migrated {
            w.object("migrated", |w| migrated.write(w));
        }
        w.maybe_integer("received_ms", self.received_ms);
        w.integer("schema", Integer::from(SCHEMA));
        w.maybe_text("signature", self.signature.as_ref());
        w.maybe_integer("signing_ms", self.signing_ms);
        if let Some(stamp) = &self.time_stamp {
            w.object("time_stamp", |w| stamp.write(w));
        }
        w.maybe_integer("trust", self.trust);
        w.text("type", b"object");
        w.maybe_text("unclassified", self.unclassified.as_ref());
    }

    fn read(r: &mut ObjectReader) -> Result<Self, &'static str> {
        Ok(Self {
            companion: r.integer("companion")?,
            unclassified: r.text("unclassified")?,
            message_id: r.text("message_id")?,
            signature: r.text("signature")?,
            findings: r.texts("findings")?,
            signing_ms: r.integer("signing_ms")?,
            chain: r.texts("chain")?,
            received_ms: r.integer("received_ms")?,
            trust: r.integer("trust")?,
            log_file: r.object("log_file", LogFile::read)?.map(Box::new),
            migrated: r.object("migrated", Migrated::read)?,
            time_stamp: r.object("time_stamp", TimeStamp::read)?.map(Box::new),
        })
    }
}

impl DisclosureDetail {
    fn write(&self, w: &mut ObjectWriter<'_>) {
        w.maybe_text("act", self.act.as_ref());
        w.text("principal", self.principal.as_bytes());
        w.text("query", self.query.as_bytes());
        w.integer("schema", Integer::from(SCHEMA));
        w.text("type", b"disclosure-detail");
    }

    fn read(r: &mut ObjectReader) -> Result<Self, &'static str> {
        Ok(Self {
            principal: r.text("principal")?.ok_or("principal")?,
            act: r.text("act")?,
            query: r.text("query")?.ok_or("query")?,
        })
    }
}

impl MigrationDetail {
    fn write(&self, w: &mut ObjectWriter<'_>) {
        w.text("principal", self.principal.as_bytes());
        w.integer("schema", Integer::from(SCHEMA));
        w.text("statement", self.statement.as_bytes());
        w.text("type", b"migration-detail");
    }

    fn read(r: &mut ObjectReader) -> Result<Self, &'static str> {
        Ok(Self {
            principal: r.text("principal")?.ok_or("principal")?,
            statement: r.text("statement")?.ok_or("statement")?,
        })
    }
}

impl CustodyRecord {
    fn write(&self, w: &mut ObjectWriter<'_>) {
        let schema = Integer::from(SCHEMA);
        match self {
            Self::Epoch {
                log_epoch,
                software,
                store,
            } => {
                w.integer("log_epoch", Integer::from(*log_epoch));
                w.integer("schema", schema);
                w.text("software", software.as_bytes());
                w.maybe_text("store", store.as_ref());
                w.text("type", b"epoch");
            }
            Self::ClockStep { step_ms } => {
                w.integer("schema", schema);
                w.integer("step_ms", *step_ms);
                w.text("type", b"clock-step");
            }
            Self::ClockConfirmed { proven_ms } => {
                w.integer("proven_ms", *proven_ms);
                w.integer("schema", schema);
                w.text("type", b"clock-confirmed");
            }
            Self::LateCut {
                interval_ms,
                late_ms,
            } => {
                w.integer("interval_ms", *interval_ms);
                w.integer("late_ms", *late_ms);
                w.integer("schema", schema);
                w.text("type", b"late-cut");
            }
            Self::Disclosure { role, ranges } => {
                LeafRange::write(w, "ranges", ranges);
                w.text("role", role.as_bytes());
                w.integer("schema", schema);
                w.text("type", b"disclosure");
            }
            Self::TrustItem { what, day } => {
                w.maybe_text("day", day.as_ref());
                w.integer("schema", schema);
                w.text("type", b"trust-item");
                w.text("what", what.as_bytes());
            }
            Self::TrustSet { items } => {
                LeafRange::write(w, "items", items);
                w.integer("schema", schema);
                w.text("type", TRUST_SET.as_bytes());
            }
            Self::MigrationDeclared {
                role,
                from_ms,
                until_ms,
            } => {
                w.integer("from_ms", *from_ms);
                w.text("role", role.as_bytes());
                w.integer("schema", schema);
                w.text("type", b"migration-declared");
                w.integer("until_ms", *until_ms);
            }
            Self::KeyRotation { old, new } => {
                w.text("new", new.as_bytes());
                w.text("old", old.as_bytes());
                w.integer("schema", schema);
                w.text("type", KEY_ROTATION.as_bytes());
            }
            Self::IntervalClosed(closing) => closing.write(w, schema),
            Self::EvidenceRenewed(renewed) => renewed.write(w, schema),
            Self::HoldPlaced(placed) => placed.write(w, schema),
            Self::HoldReleaseProposed(proposed) => proposed.write(w, schema),
            Self::HoldReleased(released) => released.write(w, schema),
            Self::ErasureProposed(proposed) => proposed.write(w, schema),
            Self::RecordErased(erased) => erased.write(w, schema),
            Self::StampOutage {
                interval_ms,
                waiting_ms,
            } => {
                w.integer("interval_ms", *interval_ms);
                w.integer("schema", schema);
                w.text("type", b"stamp-outage");
                w.integer("waiting_ms", *waiting_ms);
            }
            Self::Restored {
                size,
                packages,
                known,
            } => {
                w.maybe_integer("known", *known);
                w.integer("packages", *packages);
                w.integer("schema", schema);
                w.integer("size", *size);
                w.text("type", RESTORED.as_bytes());
            }
            Self::DisposalIntent(intent) => intent.write(w, schema),
            Self::DisposalWithdrawn(intent) => write_withdrawn(*intent, w, schema),
            Self::DisposalApproval(approval) => approval.write(w, schema),
            Self::DisposalCompleted(completed) => completed.write(w, schema),
        }
    }

    fn read(word: &str, r: &mut ObjectReader) -> Option<Result<Self, &'static str>> {
        fn need(r: &mut ObjectReader, key: &'static str) -> Result<Integer, &'static str> {
            r.integer(key)?.ok_or(key)
        }
        let epoch = |r: &mut ObjectReader| {
            let log_epoch = need(r, "log_epoch")?.get();
            Ok(Self::Epoch {
                log_epoch: u32::try_from(log_epoch).map_err(|_| "log_epoch")?,
                software: r.text("software")?.ok_or("software")?,
                store: r.text("store")?,
            })
        };
        let disclosure = |r: &mut ObjectReader| {
            Ok(Self::Disclosure {
                role: r.text("role")?.ok_or("role")?,
                ranges: LeafRange::read(r, "ranges")?,
            })
        };
        let trust_item = |r: &mut ObjectReader| {
            Ok(Self::TrustItem {
                what: r.text("what")?.ok_or("what")?,
                day: r.text("day")?,
            })
        };
        let key_rotation = |r: &mut ObjectReader| {
            Ok(Self::KeyRotation {
                old: r.text("old")?.ok_or("old")?,
                new: r.text("new")?.ok_or("new")?,
            })
        };
        let migration = |r: &mut ObjectReader| {
            Ok(Self::MigrationDeclared {
                role: r.text("role")?.ok_or("role")?,
                from_ms: need(r, "from_ms")?,
                until_ms: need(r, "until_ms")?,
            })
        };
        match word {
            "migration-declared" => Some(migration(r)),
            KEY_ROTATION => Some(key_rotation(r)),
            INTERVAL_CLOSED => {
                let closing = Closing::read(r);
                Some(closing.map(|closing| Self::IntervalClosed(Box::new(closing))))
            }
            EVIDENCE_RENEWED => Some(EvidenceRenewed::read(r).map(Self::EvidenceRenewed)),
            HOLD_SET => Some(HoldPlaced::read(r).map(Self::HoldPlaced)),
            HOLD_RELEASE_PROPOSED => {
                Some(HoldReleaseProposed::read(r).map(Self::HoldReleaseProposed))
            }
            HOLD_RELEASED => Some(HoldReleased::read(r).map(Self::HoldReleased)),
            ERASURE_PROPOSED => Some(ErasureProposed::read(r).map(Self::ErasureProposed)),
            RECORD_ERASED => Some(RecordErased::read(r).map(Self::RecordErased)),
            "stamp-outage" => Some(need(r, "interval_ms").and_then(|interval_ms| {
                let waiting_ms = need(r, "waiting_ms")?;
                Ok(Self::StampOutage {
                    interval_ms,
                    waiting_ms,
                })
            })),
            RESTORED => Some(need(r, "size").and_then(|size| {
                let (packages, known) = (need(r, "packages")?, r.integer("known")?);
                Ok(Self::Restored {
                    size,
                    packages,
                    known,
                })
            })),
            DISPOSAL_INTENT => Some(DisposalIntent::read(r).map(Self::DisposalIntent)),
            DISPOSAL_WITHDRAWN => Some(read_withdrawn(r).map(Self::DisposalWithdrawn)),
            DISPOSAL_APPROVAL => Some(DisposalApproval::read(r).map(Self::DisposalApproval)),
            DISPOSAL_COMPLETED => {
                let completed = DisposalCompleted::read(r);
                Some(completed.map(|completed| Self::DisposalCompleted(Box::new(completed))))
            }
            "disclosure" => Some(disclosure(r)),
            "trust-item" => Some(trust_item(r)),
            TRUST_SET => Some(LeafRange::read(r, "items").map(|items| Self::TrustSet { items })),
            "epoch" => Some(epoch(r)),
            "clock-step" => Some(need(r, "step_ms").map(|step_ms| Self::ClockStep { step_ms })),
            "clock-confirmed" => {
                Some(need(r, "proven_ms").map(|proven_ms| Self::ClockConfirmed { proven_ms }))
            }
            "late-cut" => Some(need(r, "interval_ms").and_then(|interval_ms| {
                let late_ms = need(r, "late_ms")?;
                Ok(Self::LateCut {
                    interval_ms,
                    late_ms,
                })
            })),
            _ => None,
        }
    }
}

/// A field that the index knows. Codes are on disk and never reused.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Field {
    /// `identificativo`, octets without white space and angle brackets around them.
    Identificativo = 1,
    /// `msgid` of the original, as `identificativo`.
    Msgid = 2,
    /// Own Message-ID of the object or generated message, as `identificativo`.
    MessageId = 3,
    /// Sender, ASCII letters in lower case.
    Sender = 4,
    /// A recipient, ASCII letters in lower case.
    Recipient = 5,
    /// Type of event, exact octets.
    Event = 6,
    /// Word for a signature's worth, or code of a finding, exact octets.
    Finding = 7,
}

impl Field {
    /// Every field, in order of code.
    pub const ALL: [Self; 7] = [
        Self::Identificativo,
        Self::Msgid,
        Self::MessageId,
        Self::Sender,
        Self::Recipient,
        Self::Event,
        Self::Finding,
    ];

    /// The code on disk.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The term as it is indexed and searched: addresses without case, ids without the white space
    /// and the one pair of angle brackets around them (some software writes them, some does not), all else
    /// as it came.
    pub fn normalise(self, text: &[u8]) -> Cow<'_, [u8]> {
        match self {
            Self::Identificativo | Self::Msgid | Self::MessageId => {
                let bare = text.trim_ascii();
                let inner = bare.strip_prefix(b"<").and_then(|t| t.strip_suffix(b">"));
                inner.unwrap_or(bare).into()
            }
            Self::Sender | Self::Recipient if text.iter().any(u8::is_ascii_uppercase) => {
                text.to_ascii_lowercase().into()
            }
            _ => text.into(),
        }
    }
}

impl Metadata {
    /// Hands out the texts under which the record is found, not yet normalised; a pair may come twice.
    pub fn each_term<'a>(&'a self, mut take: impl FnMut(Field, &'a [u8])) {
        let mut add = |field: Field, text: &'a Text| take(field, text.as_bytes());
        match self {
            Self::Trace(t) => {
                let single = [
                    (Field::Identificativo, &t.identificativo),
                    (Field::Msgid, &t.msgid),
                    (Field::Sender, &t.sender),
                    (Field::Event, &t.event),
                ];
                for (field, text) in single {
                    text.iter().for_each(|text| add(field, text));
                }
                for id in &t.message_ids {
                    add(Field::MessageId, id);
                }
                for recipient in &t.recipients {
                    add(Field::Recipient, &recipient.address);
                }
                if let Some(address) = &t.delivered_to {
                    add(Field::Recipient, address);
                }
                t.findings.iter().for_each(|code| add(Field::Finding, code));
            }
            Self::Object(o) => {
                o.message_id.iter().for_each(|id| add(Field::MessageId, id));
                let remarks = o.signature.iter().chain(&o.findings);
                remarks.for_each(|code| add(Field::Finding, code));
            }
            Self::Custody(CustodyRecord::TrustSet { .. }) => {
                take(Field::Event, TRUST_SET.as_bytes());
            }
            Self::Custody(CustodyRecord::KeyRotation { .. }) => {
                take(Field::Event, KEY_ROTATION.as_bytes());
            }
            Self::Custody(CustodyRecord::IntervalClosed(_)) => {
                take(Field::Event, INTERVAL_CLOSED.as_bytes());
            }
            Self::Custody(CustodyRecord::EvidenceRenewed(_)) => {
                take(Field::Event, EVIDENCE_RENEWED.as_bytes());
            }
            Self::Custody(CustodyRecord::HoldPlaced(_)) => take(Field::Event, HOLD_SET.as_bytes()),
            Self::Custody(CustodyRecord::HoldReleaseProposed(_)) => {
                take(Field::Event, HOLD_RELEASE_PROPOSED.as_bytes());
            }
            Self::Custody(CustodyRecord::HoldReleased(_)) => {
                take(Field::Event, HOLD_RELEASED.as_bytes());
            }
            Self::Custody(CustodyRecord::Restored { .. }) => {
                take(Field::Event, RESTORED.as_bytes());
            }
            Self::Custody(CustodyRecord::DisposalIntent(_)) => {
                take(Field::Event, DISPOSAL_INTENT.as_bytes());
            }
            Self::Custody(CustodyRecord::DisposalWithdrawn(_)) => {
                take(Field::Event, DISPOSAL_WITHDRAWN.as_bytes());
            }
            Self::Custody(CustodyRecord::DisposalApproval(_)) => {
                take(Field::Event, DISPOSAL_APPROVAL.as_bytes());
            }
            Self::Custody(CustodyRecord::DisposalCompleted(_)) => {
                take(Field::Event, DISPOSAL_COMPLETED.as_bytes());
            }
            Self::Custody(CustodyRecord::ErasureProposed(_)) => {
                take(Field::Event, ERASURE_PROPOSED.as_bytes());
            }
            Self::Custody(CustodyRecord::RecordErased(_)) => {
                take(Field::Event, RECORD_ERASED.as_bytes());
            }
            Self::DisclosureDetail(_)
            | Self::MigrationDetail(_)
            | Self::ActDetail(_)
            | Self::Custody(_) => {}
        }
    }

    /// Whether the record is found under a normalised term.
    pub fn has_term(&self, field: Field, term: &[u8]) -> bool {
        let mut found = false;
        self.each_term(|f, text| found |= f == field && *field.normalise(text) == *term);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Piece, UnreadStretch};

    pub(crate) fn sample() -> TraceRecord {
        TraceRecord {
            identificativo: Some("opec21.20261121101500.1.2.3@pec.example.test".into()),
            event_ms: Some(Integer::try_from(1_763_700_000_000_i64).unwrap()),
            event_offset_min: Some(60.into()),
            sender: Some("Mittente@pec.example.test".into()),
            recipients: vec![Recipient {
                address: "destinatario@pec.example.org".into(),
                kind: Some("certificato".into()),
            }],
            subject: Some(b"Prova citt\xe0".as_slice().into()),
            event: Some("accettazione".into()),
            message_ids: vec!["<r1@pec.example.test>".into()],
            provider: Some("Gestore Esempio S.p.A.".into()),
            msgid: Some("<m1@client.example>".into()),
            ..TraceRecord::default()
        }
    }

    fn line() -> SourceLine {
        SourceLine {
            leaf: 7.into(),
            from: 480.into(),
            until: 960.into(),
            label: Some("Accettazione".into()),
            queue_id: Some("l47AB".into()),
            tipo: Some("accettazione".into()),
        }
    }

    fn migrated() -> Migrated {
        Migrated {
            declaration: 4.into(),
            token: Some(6.into()),
            gen_ms: Some(Integer::try_from(1_178_575_501_000_i64).unwrap()),
            accuracy_ms: Some(1500.into()),
        }
    }

    #[test]
    fn the_vector_of_a_restore_is_reproduced() {
        let metadata = Metadata::Custody(CustodyRecord::Restored {
            size: 70_000.into(),
            packages: 2.into(),
            known: Some(69_990.into()),
        });
        let text = r#"{"known":69990,"packages":2,"schema":1,"size":70000,"type":"restored"}"#;
        assert_eq!(metadata.to_bytes(), text.as_bytes());
        assert_eq!(Metadata::parse(text.as_bytes()), Ok(metadata));
    }

    #[test]
    fn the_vector_of_a_migrated_line_is_reproduced() {
        let record = TraceRecord {
            identificativo: Some("alfa.1@pec.example.test".into()),
            event: Some("accettazione".into()),
            source: Some(Box::new(line())),
            findings: vec!["year-from-file".into()],
            migrated: Some(migrated()),
            ..TraceRecord::default()
        };
        let bytes = Metadata::from(record).to_bytes();
        assert_eq!(
            std::str::from_utf8(&bytes).unwrap(),
            "{\"event\":\"accettazione\",\"findings\":[\"year-from-file\"],\
             \"identificativo\":\"alfa.1@pec.example.test\",\
             \"migrated\":{\"accuracy_ms\":1500,\"declaration\":4,\"gen_ms\":1178575501000,\"token\":6},\
             \"schema\":1,\
             \"source\":{\"from\":480,\"label\":\"Accettazione\",\"leaf\":7,\"queue_id\":\"l47AB\",\
             \"tipo\":\"accettazione\",\"until\":960},\"type\":\"trace\"}"
        );
        assert_eq!(
            metadata_digest(&bytes).to_string(),
            "538ef2fd6f2d21f9da828a171ff0e3892c9c0dfd90205f9772b258e510439205"
        );
    }

    #[test]
    fn the_metadata_vector_is_reproduced() {
        let bytes = Metadata::from(sample()).to_bytes();
        assert_eq!(
            std::str::from_utf8(&bytes).unwrap(),
            "{\"event\":\"accettazione\",\"event_ms\":1763700000000,\"event_offset_min\":60,\
             \"identificativo\":\"opec21.20261121101500.1.2.3@pec.example.test\",\
             \"message_ids\":[\"<r1@pec.example.test>\"],\"msgid\":\"<m1@client.example>\",\
             \"provider\":\"Gestore Esempio S.p.A.\",\
             \"recipients\":[{\"address\":\"destinatario@pec.example.org\",\"kind\":\"certificato\"}],\
             \"schema\":1,\"sender\":\"Mittente@pec.example.test\",\
             \"subject\":{\"base64\":\"UHJvdmEgY2l0dOA=\"},\"type\":\"trace\"}"
        );
        assert_eq!(
            metadata_digest(&bytes).to_string(),
            "bf10a86c5e76bbbd5c02fd2928837e70b3f124ff03faab78a0f377f8dde100b3"
        );
    }

    #[test]
    fn what_is_surely_within_is_within_whatever_the_octets() {
        for octet in [b'a', b'"', 1, 0xff] {
            let text = |count: usize| Text::from(vec![octet; count]);
            let integer = Integer::try_from(-(1_i64 << 52)).unwrap();
            for count in [0, 1, 40, 3000] {
                let record = TraceRecord {
                    identificativo: Some(text(count)),
                    event_ms: Some(integer),
                    event_offset_min: Some(integer),
                    event_text: Some(text(count)),
                    sender: Some(text(count)),
                    recipients: (0..count)
                        .map(|_| Recipient {
                            address: text(1),
                            kind: Some(text(0)),
                        })
                        .collect(),
                    subject: Some(text(count)),
                    event: Some(text(count)),
                    message_ids: vec![text(0); count],
                    provider: Some(text(count)),
                    msgid: Some(text(count)),
                    point: Some(text(count)),
                    direction: Some(text(count)),
                    delivered_to: Some(text(count)),
                    receipt_form: Some(text(count)),
                    error: Some(text(count)),
                    error_detail: Some(text(count)),
                    taken_over: vec![text(2); count],
                    companion: Some(integer),
                    content_digests: vec![text(3); count],
                    findings: vec![text(4); count],
                    ..TraceRecord::default()
                };
                let bytes = Metadata::from(record.clone()).to_bytes().len();
                assert!(!record.is_surely_within(bytes - 1), "{octet} {count}");
                assert!(
                    record.is_surely_within(100 * bytes + 2048),
                    "{octet} {count}"
                );
            }
        }
        let read = TraceRecord {
            source: Some(Box::new(line())),
            ..TraceRecord::default()
        };
        assert!(!read.is_surely_within(usize::MAX));
    }

    #[test]
    fn every_type_is_read_back() {
        let number = |n: i64| Integer::try_from(n).unwrap();
        let every_member = TraceRecord {
            event_text: Some("21/11/2026 10:15:00".into()),
            point: Some("accesso".into()),
            direction: Some("emesso".into()),
            delivered_to: Some("destinatario@pec.example.org".into()),
            receipt_form: Some("completa".into()),
            error: Some("no-dest".into()),
            error_detail: Some("5.1.1".into()),
            taken_over: vec!["destinatario@pec.example.org".into()],
            companion: Some((-1).into()),
            source: Some(Box::new(line())),
            content_digests: vec!["http://www.w3.org/2001/04/xmlenc#sha256 00ff".into()],
            findings: vec!["year-from-file".into()],
            migrated: Some(migrated()),
            ..sample()
        };
        let all = [
            Metadata::from(every_member),
            Metadata::from(sample()),
            Metadata::from(TraceRecord::default()),
            Metadata::Object(ObjectRecord {
                companion: Some(1.into()),
                unclassified: Some("no-daticert".into()),
                message_id: Some("<a@b>".into()),
                signature: Some("integral-untrusted".into()),
                findings: vec!["anchors-missing".into(), "sha1".into()],
                signing_ms: Some(number(1_763_700_000_000)),
                chain: vec!["00".repeat(32).as_str().into()],
                received_ms: Some(number(1_763_700_000_500)),
                trust: Some(17.into()),
                log_file: Some(Box::new(LogFile {
                    name: "PEC2-2007-05-07.log".into(),
                    format: "milter".into(),
                    date: Some("2007-05-07".into()),
                    bytes: 900.into(),
                    entries: 2.into(),
                    unread: (1.into(), 20.into()),
                    noise: [1.into(), 2.into(), 3.into()],
                    first_unread: vec![UnreadStretch {
                        from: 10.into(),
                        until: 30.into(),
                        reason: "no-head".into(),
                    }],
                    piece: Some(Piece {
                        number: 1.into(),
                        offset: 0.into(),
                        file_bytes: 1800.into(),
                        file_sha256: "00".repeat(32).as_str().into(),
                    }),
                })),
                migrated: Some(Migrated {
                    token: None,
                    gen_ms: None,
                    accuracy_ms: None,
                    ..migrated()
                }),
                time_stamp: Some(Box::new(TimeStamp {
                    gen_ms: number(1_178_575_501_000),
                    accuracy_ms: Some(1500.into()),
                    policy: "1.2.3".into(),
                    serial: "01".into(),
                })),
            }),
            Metadata::Custody(CustodyRecord::TrustItem {
                what: "directory".into(),
                day: Some("2026-11-21".into()),
            }),
            Metadata::Custody(CustodyRecord::TrustItem {
                what: "anchor".into(),
                day: None,
            }),
            Metadata::Custody(CustodyRecord::TrustSet {
                items: vec![LeafRange {
                    first: 2.into(),
                    last: 16.into(),
                }],
            }),
            Metadata::Object(ObjectRecord {
                log_file: Some(Box::new(LogFile {
                    name: "x".into(),
                    format: "milter".into(),
                    ..LogFile::default()
                })),
                ..ObjectRecord::default()
            }),
            Metadata::MigrationDetail(MigrationDetail {
                principal: "gestione".into(),
                statement: "archivio precedente".into(),
            }),
            Metadata::Custody(CustodyRecord::MigrationDeclared {
                role: "operator".into(),
                from_ms: number(1_178_488_800_000),
                until_ms: number(1_178_575_200_000),
            }),
            Metadata::Custody(CustodyRecord::KeyRotation {
                old: "pec.example.test/log+b0b5d5af+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c"
                    .into(),
                new: "pec.example.test/log+00000000+AQ==".into(),
            }),
            Metadata::Custody(CustodyRecord::Restored {
                size: number(70_000),
                packages: number(2),
                known: None,
            }),
            Metadata::Custody(CustodyRecord::Epoch {
                log_epoch: 3,
                software: "ceralacca 0.1.0".into(),
                store: Some("development".into()),
            }),
            Metadata::Custody(CustodyRecord::ClockStep {
                step_ms: number(-400_000),
            }),
            Metadata::Custody(CustodyRecord::ClockConfirmed {
                proven_ms: number(1_763_700_000_000),
            }),
            Metadata::Custody(CustodyRecord::LateCut {
                interval_ms: number(1_763_683_200_000),
                late_ms: number(5),
            }),
            Metadata::Custody(CustodyRecord::Disclosure {
                role: "auditor".into(),
                ranges: vec![LeafRange {
                    first: 3.into(),
                    last: 7.into(),
                }],
            }),
            Metadata::Custody(CustodyRecord::Disclosure {
                role: "provider".into(),
                ranges: Vec::new(),
            }),
            Metadata::DisclosureDetail(DisclosureDetail {
                principal: "tribunale".into(),
                act: Some("decreto 1/2026".into()),
                query: "search identificativo=a@b".into(),
            }),
        ];
        for metadata in all {
            assert_eq!(Metadata::parse(&metadata.to_bytes()), Ok(metadata));
        }
    }

    #[test]
    fn what_schema_1_does_not_have_is_named() {
        let cases: [(&str, MetadataError); 7] = [
            ("{\"schema\":2,\"type\":\"trace\"}", MetadataError::Schema),
            ("{\"type\":\"trace\"}", MetadataError::Schema),
            ("{\"schema\":1,\"type\":\"other\"}", MetadataError::Type),
            ("{\"schema\":1}", MetadataError::Type),
            (
                "{\"recipients\":[],\"schema\":1,\"type\":\"trace\"}",
                MetadataError::Field("recipients"),
            ),
            (
                "{\"schema\":1,\"type\":\"trace\",\"zzz\":1}",
                MetadataError::UnknownField,
            ),
            (
                "{\"event\":1,\"schema\":1,\"type\":\"trace\"}",
                MetadataError::Field("event"),
            ),
        ];
        for (text, error) in cases {
            assert_eq!(Metadata::parse(text.as_bytes()), Err(error), "{text}");
        }
    }

    #[test]
    fn addresses_are_found_in_any_case_and_ids_with_or_without_brackets() {
        let metadata = Metadata::from(sample());
        assert!(metadata.has_term(Field::Sender, b"mittente@pec.example.test"));
        assert!(!metadata.has_term(Field::Sender, b"Mittente@pec.example.test"));
        assert!(metadata.has_term(Field::MessageId, b"r1@pec.example.test"));
        assert!(!metadata.has_term(Field::MessageId, b"R1@pec.example.test"));
        for spelling in ["<a@b>", " <a@b>\r\n", "a@b", "\ta@b"] {
            let term = Field::Msgid.normalise(spelling.as_bytes());
            assert_eq!(*term, *b"a@b", "{spelling:?}");
        }
        assert_eq!(*Field::Msgid.normalise(b"<<a@b>>"), *b"<a@b>");
        assert_eq!(*Field::Msgid.normalise(b"<a@b"), *b"<a@b");
        let mut count = 0;
        metadata.each_term(|_, _| count += 1);
        assert_eq!(count, 6);
    }
}
