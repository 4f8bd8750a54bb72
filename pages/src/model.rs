//! The facts a report is made of. The same value, as JSON, is `proof/validation.json`.
//!
//! # Invariants
//! 1. Plain data: whoever fills it decides what is true; the pages show it and decide nothing but order and words.
//! 2. Every check of [`CheckId`] is there: [`Checks`] cannot be made without an answer to each.
//! 3. Unknown fields are refused on reading, and absent facts are `null`: silence is never a fact.

pub use crate::checks::{Check, CheckId, Checks, Datum, Outcome, Reason};
pub use crate::instant::Instant;
use serde::{Deserialize, Serialize};

/// The language of pages and words. Keys in JSON are English always.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Italian: what Italian courts read.
    #[default]
    It,
    /// English, on request.
    En,
}

/// Which report, and so which layout of the JSON. It rises when a field changes its meaning.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub enum Schema {
    /// The first.
    #[default]
    #[serde(rename = "ceralacca.report/1")]
    V1,
}

/// What is handed out.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The objects' exact bytes, with this report beside them.
    Duplicato,
    /// A statement from the trace records only.
    Attestazione,
}

/// In which capacity somebody asks (pec.md 6.6).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Capacity {
    /// Holder of a mailbox that is party to the message.
    Holder,
    /// A court, or who acts by its order.
    Court,
    /// The supervising authority.
    Authority,
}

/// Who asked, for what, under which act.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The requester as the provider identified him.
    pub requester: String,
    /// In which capacity.
    pub capacity: Capacity,
    /// The act under which it is asked: order, number, date; of a holder, the written request.
    pub act: String,
    /// What it is for.
    pub purpose: String,
    /// When it was asked.
    pub at: Instant,
    /// Index of the custody leaf that records this disclosure.
    pub disclosure_leaf: Option<u64>,
}

/// Which parts come from development keys or authorities, and so are not qualified.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Development {
    /// The key that signs packages and attestations.
    SealKey,
    /// The time-stamping authority.
    TimeStampingAuthority,
    /// The key that signs checkpoints.
    LogKey,
    /// Trust material that is not the official one.
    TrustMaterial,
}

/// Whether every interval concerned is closed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "lowercase", deny_unknown_fields)]
pub enum Seal {
    /// Closed and time-stamped.
    Sealed,
    /// The seal is to follow.
    Pending {
        /// When the interval ends, if it is known.
        expected: Option<Instant>,
    },
}

/// Whether a recipient's mailbox is certified.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mailbox {
    /// `certificato`.
    Certified,
    /// `esterno`: ordinary mail.
    Ordinary,
    /// Not said in any record.
    Unknown,
}

/// The furthest state reached for a recipient; the words of the trace service.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Named, and nothing more.
    Named,
    /// Accepted by the sender's provider.
    Accepted,
    /// Accepted towards an ordinary mailbox: nothing more will come.
    OrdinaryMail,
    /// The recipient's provider took charge.
    TakenOver,
    /// Not delivered within twelve or twenty-four hours, said the sender's provider.
    Overdue,
    /// Not accepted.
    NotAccepted,
    /// Not delivered.
    Failed,
    /// Delivered.
    Delivered,
}

/// What the rules ask for and no record shows (pec.md 2.7).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Missing {
    /// No acceptance though later steps are known.
    Acceptance,
    /// No takeover within twelve hours.
    Takeover,
    /// Neither delivery nor failure within twenty-four hours.
    Outcome,
}

/// A station of a message on its way to one recipient.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Acceptance.
    Accepted,
    /// Non-acceptance.
    NotAccepted,
    /// Takeover.
    TakenOver,
    /// Notice of delay, twelve or twenty-four hours.
    Notice,
    /// Delivery.
    Delivered,
    /// Non-delivery.
    Failed,
}

/// A step that a record shows.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct StepAt {
    /// Which.
    pub step: Step,
    /// When, by the record.
    pub at: Option<Instant>,
    /// The leaf of the record.
    pub leaf: u64,
}

/// What became of the message for one recipient.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Recipient {
    /// As the records name it.
    pub address: String,
    /// Certified or not.
    pub mailbox: Mailbox,
    /// The furthest state.
    pub state: State,
    /// When it was reached.
    pub at: Option<Instant>,
    /// Of a delivery by night: when it takes effect for the recipient (c.p.c. art. 147).
    pub effective: Option<Instant>,
    /// Both a delivery and a failure are on record.
    pub is_contradictory: bool,
    /// What is missing as of the report's time.
    pub missing: Vec<Missing>,
    /// Every step on record, in order of time.
    pub steps: Vec<StepAt>,
}

/// The message as its records describe it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// `identificativo`: the transaction.
    pub identificativo: Option<String>,
    /// `msgid`: the Message-ID the sender's client gave.
    pub msgid: Option<String>,
    /// Sender.
    pub from: Option<String>,
    /// Subject.
    pub subject: Option<String>,
    /// When it was accepted.
    pub accepted: Option<Instant>,
    /// What is missing of the whole.
    pub missing: Vec<Missing>,
    /// Recipients in the order they were first named.
    pub recipients: Vec<Recipient>,
}

/// Where the object of a record is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Object {
    /// Handed out, in this file.
    HandedOut {
        /// The file's name in the package.
        file: String,
    },
    /// The log never had it: only the trace was submitted.
    TraceOnly,
    /// Disposed of at the end of its term; the leaf stays.
    Disposed,
    /// Erased singly, on a ground of its own; the leaf stays.
    Erased {
        /// The leaf that says so.
        leaf: u64,
    },
    /// Infected: kept apart, and not handed out among others (DPR 68/2005 art. 12).
    Isolated,
}

/// What of the time asked of, or of the objects of the records, was disposed of.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Disposed {
    /// The start of its interval.
    pub interval: Instant,
    /// The class, by its word.
    pub class: String,
    /// How often it was carried over under a hold before: 0 as it was sealed.
    pub carried: u32,
    /// The file of its certificate in the package; none where that is not issued yet, or has no room.
    pub certificate: Option<String>,
}

/// What was kept to judge a signature, and is handed out.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Material {
    /// What it is, a word of the trust set (`anchor`, `intermediate`, `signer`, `crl`, `ocsp`, `directory`), or
    /// `certificate` for one of the chain that travels in the message itself.
    pub kind: String,
    /// Of a directory of providers: its day.
    pub day: Option<String>,
    /// The leaf under which it was archived before anything was judged with it.
    pub leaf: Option<u64>,
    /// SHA-256, hexadecimal.
    pub sha256: String,
    /// Its file in the package, when it is there.
    pub file: Option<String>,
}

/// How the original signature stood when the object came in.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SignatureAtIngest {
    /// The verdict recorded then.
    pub outcome: Outcome,
    /// Its level, one word as recorded.
    pub verdict: String,
    /// On what grounds, the codes as recorded.
    pub grounds: Vec<String>,
    /// The instant of receipt that the verdict took.
    pub received: Option<Instant>,
    /// The instant at which the chain was looked at.
    pub judged: Option<Instant>,
    /// The leaf of the set of trust material it was judged with.
    pub trust_set: Option<u64>,
    /// Whether the same level was reached again from that material when the report was made; none where nothing was
    /// judged.
    pub is_reproduced: Option<bool>,
    /// Signer's name.
    pub signer: Option<String>,
    /// Issuer's name.
    pub issuer: Option<String>,
    /// Serial number, hexadecimal.
    pub serial: Option<String>,
    /// Algorithm of digest and signature.
    pub algorithm: Option<String>,
    /// The certificate's first instant.
    pub not_before: Option<Instant>,
    /// The certificate's last instant.
    pub not_after: Option<Instant>,
    /// What was kept.
    pub material: Vec<Material>,
}

/// One record of the log.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Leaf index.
    pub leaf: u64,
    /// Leaf hash, hexadecimal.
    pub leaf_hash: String,
    /// The event: `postacert/@tipo`, as it stands in the record.
    pub event: Option<String>,
    /// `identificativo`.
    pub identificativo: Option<String>,
    /// `msgid`.
    pub msgid: Option<String>,
    /// The object's own Message-ID.
    pub message_id: Option<String>,
    /// Sender.
    pub from: Option<String>,
    /// Recipients.
    pub recipients: Vec<String>,
    /// Of them, those the event is about (`consegna`, `ricezione`); none when it is about all.
    pub concerns: Vec<String>,
    /// Subject.
    pub subject: Option<String>,
    /// Provider that issued it.
    pub provider: Option<String>,
    /// When it happened, by the record.
    pub event_time: Option<Instant>,
    /// When the archive acknowledged it.
    pub ingest_time: Instant,
    /// The instant proven by the token of its interval.
    pub proven_time: Option<Instant>,
    /// SHA-256 of the object as received, hexadecimal.
    pub sha256: Option<String>,
    /// BLAKE3 of the object as received, hexadecimal.
    pub blake3: Option<String>,
    /// Bytes of the object.
    pub bytes: Option<u64>,
    /// Where the object is.
    pub object: Object,
    /// The signature as judged at ingest.
    pub signature: Option<SignatureAtIngest>,
    /// Start of the interval that closed it.
    pub interval: Instant,
}

/// A time-stamp token.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// What it covers: a file name.
    pub covers: String,
    /// genTime.
    pub time: Instant,
    /// The authority.
    pub authority: String,
    /// Serial number, hexadecimal.
    pub serial: String,
    /// SHA-256 of the token, hexadecimal.
    pub sha256: String,
    /// Common name of the certificate that signed it.
    pub signer: Option<String>,
    /// SHA-256 of that certificate, hexadecimal.
    pub certificate: Option<String>,
    /// Whether the token says of itself that it is qualified (esi4-qtstStatement-1). Whether it is, the trusted list
    /// says, which is not at hand.
    pub is_qualified: bool,
    /// Its file in the package.
    pub file: Option<String>,
}

/// A renewal of evidence.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Renewal {
    /// When.
    pub time: Instant,
    /// What was renewed: `time-stamp` (certificates were about to end) or `hash-tree` (the hash was).
    pub kind: String,
    /// The digest algorithm from then on.
    pub algorithm: String,
    /// The authority of the new token.
    pub authority: String,
    /// Its serial number, hexadecimal.
    pub serial: String,
    /// What was stamped, the root of the new tree, hexadecimal.
    pub root_hash: String,
}

/// A signed checkpoint.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// Origin of the log.
    pub origin: String,
    /// Leaves under the root.
    pub tree_size: u64,
    /// Root hash, hexadecimal.
    pub root_hash: String,
    /// The verifier key of the log that signed it.
    pub key: String,
    /// Witnesses that cosigned it, or a later one under which the leaf that closed the interval is proven.
    pub witnesses: Vec<Witness>,
}

/// A witness's cosignature.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Witness {
    /// Its name.
    pub name: String,
    /// Its verifier key.
    pub key: String,
    /// When it signed.
    pub time: Option<Instant>,
    /// Size of the tree it cosigned.
    pub tree_size: u64,
    /// The file whose checkpoint bears the cosignature.
    pub file: Option<String>,
}

/// How one interval was closed and is kept.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    /// First instant.
    pub start: Instant,
    /// First instant after it.
    pub end: Option<Instant>,
    /// Index of the closing leaf.
    pub closing_leaf: Option<u64>,
    /// The checkpoint at its end, or the newest one while it is open.
    pub checkpoint: Checkpoint,
    /// Tokens: over the log file, over the checkpoint.
    pub tokens: Vec<Token>,
    /// Renewals, oldest first.
    pub renewals: Vec<Renewal>,
}

/// What the QR code says: enough to ask anybody with a copy of the log.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Anchor {
    /// Origin of the log.
    pub origin: String,
    /// Tree size.
    pub tree_size: u64,
    /// Root hash, hexadecimal.
    pub root_hash: String,
    /// Leaf index.
    pub leaf: u64,
    /// Leaf hash, hexadecimal.
    pub leaf_hash: String,
}

/// A file of the package.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PackageFile {
    /// Path in the package, with `/`.
    pub name: String,
    /// What it is.
    pub role: FileRole,
    /// Its size.
    pub bytes: u64,
    /// SHA-256, hexadecimal.
    pub sha256: String,
}

/// What a file of the package is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileRole {
    /// An object's exact bytes, a signed message.
    Object,
    /// An object's exact bytes, without a signature to check.
    UnsignedObject,
    /// Daticert, extracted for reading.
    Daticert,
    /// A report for people.
    Page,
    /// A time-stamp token, DER.
    Token,
    /// What a token covers.
    Stamped,
    /// Certificates to trust, PEM.
    Roots,
    /// What a signature was judged with when it came in.
    Material,
    /// A checkpoint note, proof, leaf, opening, record.
    Proof,
    /// Machine-readable report.
    Report,
    /// A program that verifies.
    Program,
    /// The certificate of a disposal, signed and stamped.
    Certificate,
}

/// Everything the pages show.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Layout of this value.
    pub schema: Schema,
    /// Language of the pages.
    pub language: Language,
    /// Duplicato or attestazione.
    pub kind: Kind,
    /// Identifier of this re-issue: never one of a message.
    pub id: String,
    /// When it was made.
    pub made: Instant,
    /// The provider that keeps the archive.
    pub provider: String,
    /// Name and version of the software.
    pub software: String,
    /// Who asked.
    pub request: Request,
    /// What is of development only; empty in earnest.
    pub development: Vec<Development>,
    /// Whether the seal is to follow.
    pub seal: Seal,
    /// The message.
    pub message: Message,
    /// Its records, in log order.
    pub records: Vec<Record>,
    /// The intervals that closed them, in order.
    pub intervals: Vec<Interval>,
    /// Every check.
    pub checks: Checks,
    /// What the QR code says.
    pub anchor: Option<Anchor>,
    /// What was disposed of, in the order of the log; empty where nothing is known to be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disposed: Vec<Disposed>,
    /// Files of the package, in its order; what the signature itself adds is not among them.
    pub files: Vec<PackageFile>,
}

impl Report {
    /// The report as it stands in `proof/validation.json`: indented JSON with a line feed at its end.
    ///
    /// # Errors
    /// [`crate::PageError::Json`], never for values made by the types alone.
    pub fn to_json(&self) -> Result<Vec<u8>, crate::PageError> {
        let json = |error: serde_json::Error| crate::PageError::Json(error.to_string());
        let mut bytes = serde_json::to_vec_pretty(self).map_err(json)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads [`Report::to_json`].
    ///
    /// # Errors
    /// [`crate::PageError::Json`] when it is not one, or a check is missing.
    pub fn from_json(bytes: &[u8]) -> Result<Self, crate::PageError> {
        serde_json::from_slice(bytes).map_err(|error| crate::PageError::Json(error.to_string()))
    }

    /// The interval that starts then.
    pub(crate) fn interval(&self, start: Instant) -> Option<&Interval> {
        self.intervals
            .iter()
            .find(|interval| interval.start == start)
    }
}
