//! The configuration: one TOML file, every field documented, unknown ones refused.
//!
//! # Invariants
//! 1. Parsed into domain types before anything starts: what is accepted can be served.
//! 2. Plain text is for loopback, and only where it is asked for by name.
//! 3. Secrets stand in files of their own; this file names them.
//! 4. Legal minima are not settings (`ceralacca_retention`).

use super::retention;
use super::seal::{self, Seal};
use super::witness::{self, Witnesses};
use crate::access::{Grant, Principal, Role, Standing};
use crate::api::{CertificateDigest, Limits, Principals};
use crate::disposal::DisposalRules;
use crate::ingest::OBJECT_BYTES_MAX;
use crate::sequencer::{Schedule, ScheduleError};
use ceralacca_evidence::ers::Table;
use ceralacca_formats::id::{IdError, LogId, UtcMillis};
use chrono::DateTime;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Why a configuration is refused: always the operator's to change.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Not TOML, an unknown field, or one of the wrong shape.
    #[error("{path}: {message}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and what, on one line.
        message: String,
    },
    /// A log id that is none.
    #[error("log {0:?}: {1}")]
    LogId(String, #[source] IdError),
    /// No log at all.
    #[error("no [[log]] is configured")]
    NoLog,
    /// A log twice.
    #[error("log {0} is configured twice")]
    LogTwice(LogId),
    /// Neither or both of the ways to listen.
    #[error("configure either [tls] or [development] plain_text = true")]
    Transport,
    /// Plain text on an address that others reach.
    #[error("plain text is for loopback only, and {0} is not")]
    PlainText(SocketAddr),
    /// A principal where there are no certificates to know it by.
    #[error("in development everybody is the development principal: remove [[principal]]")]
    DevelopmentPrincipal,
    /// A certificate digest that is none.
    #[error(
        "principal {0:?}: a certificate is named by its SHA-256, 64 hexadecimal digits, with or without colons"
    )]
    Certificate(String),
    /// Two principals with one certificate.
    #[error("principal {0:?}: its certificate is another principal's too")]
    CertificateTwice(String),
    /// Two principals with one name.
    #[error("principal {0:?} is configured twice")]
    PrincipalTwice(String),
    /// A role nobody has.
    #[error("principal {0:?}: unknown role {1:?}")]
    Role(String, String),
    /// A role on a log that is not configured.
    #[error("principal {0:?}: log {1:?} is not configured")]
    UnknownLog(String, String),
    /// A court without act, end or scope, or these on another role.
    #[error(
        "principal {0:?}: role court needs act, until (RFC 3339) and identificativi or parties; other roles have none of them"
    )]
    Grant(String),
    /// Witnesses that cannot be asked, or never be a quorum.
    #[error("witness: {0}")]
    Witness(String),
    /// What seals or stamps is configured in part, or wrongly.
    #[error("seal: {0}")]
    Seal(String),
    /// A term under the floor of the law, or a grace or size that is none.
    #[error("retention: {0}")]
    Retention(String),
    /// An interval that the law does not allow, or that does not divide the day.
    #[error("interval: {0}")]
    Interval(ScheduleError),
    /// A limit that is zero.
    #[error("limits: {0} must be above zero")]
    Zero(&'static str),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    data: PathBuf,
    master_key: PathBuf,
    listen: SocketAddr,
    tls: Option<TlsEntry>,
    development: Option<DevelopmentEntry>,
    #[serde(rename = "static")]
    static_face: Option<FaceEntry>,
    metrics: Option<FaceEntry>,
    #[serde(default)]
    trust: TrustEntry,
    #[serde(default)]
    scrub: ScrubEntry,
    #[serde(default)]
    interval: IntervalEntry,
    #[serde(default)]
    retention: retention::Entry,
    #[serde(default)]
    limits: LimitsEntry,
    witness: Option<witness::Entry>,
    seal: Option<seal::Entry>,
    #[serde(default)]
    tsa: Vec<seal::AuthorityEntry>,
    #[serde(default)]
    log: Vec<LogEntry>,
    #[serde(default)]
    principal: Vec<PrincipalEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TlsEntry {
    certificate: PathBuf,
    key: PathBuf,
    client_ca: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DevelopmentEntry {
    plain_text: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FaceEntry {
    listen: SocketAddr,
    connections_max: Option<usize>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct TrustEntry {
    #[serde(default)]
    anchors: Vec<PathBuf>,
    #[serde(default)]
    intermediates: Vec<PathBuf>,
    #[serde(default)]
    signers: Vec<PathBuf>,
    #[serde(default)]
    crls: Vec<PathBuf>,
    #[serde(default)]
    ocsp: Vec<PathBuf>,
    #[serde(default)]
    tsa_anchors: Vec<PathBuf>,
    #[serde(default)]
    directories: Vec<PathBuf>,
    reread_seconds: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScrubEntry {
    every_hours: Option<u64>,
    bytes_per_second: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct IntervalEntry {
    seconds: Option<u64>,
    offset_seconds: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsEntry {
    object_bytes_max: Option<u64>,
    message_bytes_max: Option<usize>,
    batch_items_max: Option<usize>,
    uploads_max: Option<usize>,
    reissues_max: Option<usize>,
    packages_max: Option<usize>,
    connections_max: Option<usize>,
    stream_idle_seconds: Option<u64>,
    drain_seconds: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogEntry {
    id: String,
    #[serde(default)]
    justice: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PrincipalEntry {
    name: String,
    certificates: Vec<String>,
    #[serde(default)]
    role: Vec<RoleEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleEntry {
    log: String,
    role: String,
    act: Option<String>,
    until: Option<String>,
    #[serde(default)]
    identificativi: Vec<String>,
    #[serde(default)]
    parties: Vec<String>,
}

/// Files of what signatures are judged with; each PEM, of one or many, or DER.
#[derive(Clone, Debug)]
pub struct TrustFiles {
    /// Roots.
    pub anchors: Vec<PathBuf>,
    /// Authorities to build chains with.
    pub intermediates: Vec<PathBuf>,
    /// Signers trusted as they are.
    pub signers: Vec<PathBuf>,
    /// Revocation lists.
    pub crls: Vec<PathBuf>,
    /// OCSP responses, DER.
    pub ocsp: Vec<PathBuf>,
    /// Roots of time-stamping authorities.
    pub tsa_anchors: Vec<PathBuf>,
    /// Directories of providers (IGPEC), or folders of them: LDIF, or signed ones; the name of each holds its day.
    pub directories: Vec<PathBuf>,
    /// Every how long the files are read again.
    pub reread: Duration,
}

/// How the service is reached.
#[derive(Debug)]
pub enum Transport {
    /// Mutual TLS.
    Tls {
        /// Chain of the server, PEM.
        certificate: PathBuf,
        /// Its private key, PEM.
        key: PathBuf,
        /// Authority of client certificates, PEM.
        client_ca: PathBuf,
    },
    /// Plain text on loopback, for development.
    Plain,
}

/// Something given over plain HTTP, without callers being known.
#[derive(Debug)]
pub struct Face {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Connections at a time.
    pub connections_max: usize,
}

/// How everything that is held is checked while it is in use.
#[derive(Clone, Copy, Debug)]
pub struct Scrubbing {
    /// From the beginning of one round to that of the next, in milliseconds; none where it is only done when asked for.
    pub every_ms: Option<u64>,
    /// What it may read, of each log.
    pub bytes_per_second: u64,
}

/// A configuration that can be served. Fields as in [`EXAMPLE`].
#[derive(Debug)]
pub struct Config {
    /// The data directory.
    pub data: PathBuf,
    /// File of the master key.
    pub master_key: PathBuf,
    /// Where to listen.
    pub listen: SocketAddr,
    /// How.
    pub transport: Transport,
    /// Limits of the services.
    pub limits: Limits,
    /// The largest object, in bytes.
    pub object_bytes_max: u64,
    /// Connections at a time.
    pub connections_max: usize,
    /// How long calls may take to end when the service stops.
    pub drain: Duration,
    /// The static face; none unless it is asked for.
    pub static_face: Option<Face>,
    /// The state of the logs in numbers; none unless it is asked for.
    pub metrics: Option<Face>,
    /// What signatures are judged with.
    pub trust: TrustFiles,
    /// Who cosigns checkpoints; none where nobody is asked.
    pub witnesses: Option<Witnesses>,
    /// What seals, who is named in indices, who stamps.
    pub seal: Seal,
    /// How the logs are scrubbed.
    pub scrubbing: Scrubbing,
    /// Terms, grace and sizes of disposals.
    pub disposal: DisposalRules,
    /// When intervals are cut.
    pub schedule: Schedule,
    /// The logs.
    pub logs: Vec<LogId>,
    /// Logs of the Ministry of Justice's provider.
    pub justice: BTreeSet<LogId>,
    /// Who the clients are.
    pub principals: Principals,
}

/// A configuration with every field, its unit, its default and its effect. A test reads it.
pub const EXAMPLE: &str = include_str!("example.toml");

impl Config {
    /// Reads a file. Paths in it are relative to its folder.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(&text, path, folder)
    }

    fn parse(text: &str, path: &Path, folder: &Path) -> Result<Self, ConfigError> {
        let file: File = toml::from_str(text).map_err(|error| ConfigError::Syntax {
            path: path.to_owned(),
            message: one_line(text, &error),
        })?;
        let mut logs = Vec::new();
        let mut justice = BTreeSet::new();
        for entry in &file.log {
            let id = LogId::try_from(entry.id.as_str());
            let id = id.map_err(|error| ConfigError::LogId(entry.id.clone(), error))?;
            if logs.contains(&id) {
                return Err(ConfigError::LogTwice(id));
            }
            if entry.justice {
                justice.insert(id.clone());
            }
            logs.push(id);
        }
        if logs.is_empty() {
            return Err(ConfigError::NoLog);
        }
        let plain = file.development.as_ref().is_some_and(|d| d.plain_text);
        let transport = match file.tls {
            Some(tls) if !plain => Transport::Tls {
                certificate: folder.join(tls.certificate),
                key: folder.join(tls.key),
                client_ca: folder.join(tls.client_ca),
            },
            None if plain && !file.listen.ip().is_loopback() => {
                return Err(ConfigError::PlainText(file.listen));
            }
            None if plain => Transport::Plain,
            _ => return Err(ConfigError::Transport),
        };
        let principals = match transport {
            Transport::Plain if file.principal.is_empty() => Principals::Development,
            Transport::Plain => return Err(ConfigError::DevelopmentPrincipal),
            Transport::Tls { .. } => Principals::Certificates(principals(&file.principal, &logs)?),
        };
        let entry = file.limits;
        let default = Limits::default();
        let limits = Limits {
            message_bytes_max: above("message_bytes_max", entry.message_bytes_max)?
                .unwrap_or(default.message_bytes_max),
            batch_items_max: above("batch_items_max", entry.batch_items_max)?
                .unwrap_or(default.batch_items_max),
            uploads_max: above("uploads_max", entry.uploads_max)?.unwrap_or(default.uploads_max),
            reissues_max: above("reissues_max", entry.reissues_max)?
                .unwrap_or(default.reissues_max),
            packages_max: above("packages_max", entry.packages_max)?
                .unwrap_or(default.packages_max),
            stream_idle: above("stream_idle_seconds", entry.stream_idle_seconds)?
                .map_or(default.stream_idle, Duration::from_secs),
            ..default
        };
        Ok(Self {
            data: folder.join(file.data),
            master_key: folder.join(&file.master_key),
            listen: file.listen,
            transport,
            limits,
            object_bytes_max: above("object_bytes_max", entry.object_bytes_max)?
                .unwrap_or(OBJECT_BYTES_MAX),
            connections_max: above("connections_max", entry.connections_max)?.unwrap_or(1024),
            drain: Duration::from_secs(entry.drain_seconds.unwrap_or(30)),
            static_face: file
                .static_face
                .map(|f| face("static.connections_max", f))
                .transpose()?,
            metrics: file
                .metrics
                .map(|f| face("metrics.connections_max", f))
                .transpose()?,
            trust: TrustFiles {
                anchors: within(folder, file.trust.anchors),
                intermediates: within(folder, file.trust.intermediates),
                signers: within(folder, file.trust.signers),
                crls: within(folder, file.trust.crls),
                tsa_anchors: within(folder, file.trust.tsa_anchors),
                ocsp: within(folder, file.trust.ocsp),
                directories: within(folder, file.trust.directories),
                reread: Duration::from_secs(
                    above("reread_seconds", file.trust.reread_seconds)?.unwrap_or(300),
                ),
            },
            witnesses: file
                .witness
                .map(|entry| witness::read(entry, folder))
                .transpose()?,
            seal: seal::read(file.seal, file.tsa, folder, &folder.join(&file.master_key))?,
            scrubbing: scrubbing(&file.scrub)?,
            disposal: retention::rules(&file.retention)?,
            schedule: schedule(&file.interval)?,
            logs,
            justice,
            principals,
        })
    }
}

fn schedule(entry: &IntervalEntry) -> Result<Schedule, ConfigError> {
    let day = 24 * 60 * 60;
    let period = entry.seconds.unwrap_or(day).saturating_mul(1000);
    let offset = entry.offset_seconds.unwrap_or(0).saturating_mul(1000);
    Schedule::new(period, offset).map_err(ConfigError::Interval)
}

fn scrubbing(entry: &ScrubEntry) -> Result<Scrubbing, ConfigError> {
    let every = entry.every_hours.unwrap_or(7 * 24);
    let bytes = above("scrub.bytes_per_second", entry.bytes_per_second)?;
    Ok(Scrubbing {
        every_ms: (every > 0).then(|| every.saturating_mul(3_600_000)),
        bytes_per_second: bytes.unwrap_or(8 << 20),
    })
}

fn face(limit: &'static str, entry: FaceEntry) -> Result<Face, ConfigError> {
    let connections_max = above(limit, entry.connections_max)?;
    Ok(Face {
        listen: entry.listen,
        connections_max: connections_max.unwrap_or(256),
    })
}

fn within(folder: &Path, paths: Vec<PathBuf>) -> Vec<PathBuf> {
    paths.into_iter().map(|path| folder.join(path)).collect()
}

fn above<T: Default + PartialEq>(
    name: &'static str,
    value: Option<T>,
) -> Result<Option<T>, ConfigError> {
    match value {
        Some(value) if value == T::default() => Err(ConfigError::Zero(name)),
        other => Ok(other),
    }
}

/// Reads a table of algorithms.
pub(super) fn table(path: &Path) -> Result<Table, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })?;
    toml::from_str(&text).map_err(|error| ConfigError::Syntax {
        path: path.to_owned(),
        message: one_line(&text, &error),
    })
}

fn one_line(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    let message = error.message().replace('\n', " ");
    match before {
        Some(before) => format!("line {}: {message}", before.matches('\n').count() + 1),
        None => message,
    }
}

fn principals(
    entries: &[PrincipalEntry],
    logs: &[LogId],
) -> Result<BTreeMap<CertificateDigest, Principal>, ConfigError> {
    let mut known = BTreeMap::new();
    let mut names = BTreeSet::new();
    for entry in entries {
        if !names.insert(&entry.name) {
            return Err(ConfigError::PrincipalTwice(entry.name.clone()));
        }
        let standings = entry.role.iter().map(|role| standing(entry, role, logs));
        let principal = Principal::new(&entry.name, standings.collect::<Result<_, _>>()?);
        for text in &entry.certificates {
            let digits = text.replace(':', "").to_ascii_lowercase();
            let mut digest = [0; 32];
            if hex::decode_to_slice(digits, &mut digest).is_err() {
                return Err(ConfigError::Certificate(entry.name.clone()));
            }
            if known
                .insert(CertificateDigest(digest), principal.clone())
                .is_some()
            {
                return Err(ConfigError::CertificateTwice(entry.name.clone()));
            }
        }
    }
    Ok(known)
}

fn standing(
    principal: &PrincipalEntry,
    entry: &RoleEntry,
    logs: &[LogId],
) -> Result<(LogId, Standing), ConfigError> {
    let name = || principal.name.clone();
    let log = logs.iter().find(|log| log.as_str() == entry.log);
    let log = log.ok_or_else(|| ConfigError::UnknownLog(name(), entry.log.clone()))?;
    let role = Role::from_word(&entry.role);
    let role = role.ok_or_else(|| ConfigError::Role(name(), entry.role.clone()))?;
    let scoped = !entry.identificativi.is_empty() || !entry.parties.is_empty();
    let standing = match (role, &entry.act, &entry.until) {
        (Role::Court, Some(act), Some(until)) if scoped => {
            let until = DateTime::parse_from_rfc3339(until).ok();
            let until = until.and_then(|until| u64::try_from(until.timestamp_millis()).ok());
            let until = until.ok_or_else(|| ConfigError::Grant(name()))?;
            let ids = entry.identificativi.iter().map(String::as_str);
            let parties = entry.parties.iter().map(String::as_str);
            let grant = Grant::new(act, ids, parties, UtcMillis::new(until));
            Standing::Grant(Arc::new(grant))
        }
        (role, None, None) if role != Role::Court && !scoped => Standing::Role(role),
        _ => return Err(ConfigError::Grant(name())),
    };
    Ok((log.clone(), standing))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ceralacca_retention::RetentionClass;

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse(text, Path::new("c.toml"), Path::new("/etc/ceralacca"))
    }

    const WITNESS: &str =
        "witness.example.test/w1+b4f59ab9+BIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU";
    const PLAIN: &str = "data = \"d\"\nmaster_key = \"k\"\nlisten = \"127.0.0.1:0\"\n\
                         [development]\nplain_text = true\n[[log]]\nid = \"a\"\n";

    #[test]
    fn the_example_is_accepted_and_has_every_field() {
        let config = parse(EXAMPLE).unwrap();
        assert_eq!(config.data, Path::new("/var/lib/ceralacca"));
        let Principals::Certificates(known) = &config.principals else {
            panic!("no certificates");
        };
        assert!(!known.is_empty());
        for field in [
            "object_bytes_max",
            "message_bytes_max",
            "batch_items_max",
            "uploads_max",
            "reissues_max",
            "packages_max",
            "connections_max",
            "stream_idle_seconds",
            "drain_seconds",
            "justice",
            "client_ca",
            "anchors",
            "intermediates",
            "signers",
            "crls",
            "tsa_anchors",
            "directory",
            "static",
            "metrics",
            "plain_text",
            "quorum",
            "policy",
            "on_missing",
            "interval_seconds",
            "timeout_seconds",
            "ca",
            "verifier_key",
            "identificativi",
            "parties",
            "until",
            "act",
            "[interval]",
            "offset_seconds",
            "[retention]",
            "trace_months",
            "infected_months",
            "justice_months",
            "receipt_months",
            "content_months",
            "custody_months",
            "grace_hours",
            "units_max",
            "overdue_days",
            "[seal]",
            "certificates",
            "passphrase_file",
            "passphrase_variable",
            "pin_file",
            "[seal.submitter]",
            "[[seal.holder]]",
            "[[seal.signatory]]",
            "laws",
            "algorithms",
            "renewal_margin_days",
            "[[tsa]]",
            "accuracy_ms",
            "tolerance_seconds",
            "own_clock",
            "policies",
        ] {
            assert!(EXAMPLE.contains(field), "{field} is not explained");
        }
    }

    #[test]
    fn an_interval_longer_than_the_law_allows_is_refused_by_its_article() {
        let of = |seconds: u64| parse(&format!("{PLAIN}[interval]\nseconds = {seconds}\n"));
        let refused = of(86_401).unwrap_err().to_string();
        assert!(refused.contains("art. 10"), "{refused}");
        assert!(of(7 * 3600).is_err());
        assert_eq!(
            of(3600).unwrap().schedule,
            Schedule::new(3_600_000, 0).unwrap()
        );
        assert_eq!(parse(PLAIN).unwrap().schedule, Schedule::default());
    }

    #[test]
    fn a_term_shorter_than_the_law_allows_is_refused_by_its_article() {
        let of = |line: &str| parse(&format!("{PLAIN}[retention]\n{line}\n"));
        for (line, article) in [
            ("trace_months = 1", "DPR 68/2005 art. 11(2)"),
            ("trace_months = 29", "DPR 68/2005 art. 11(2)"),
            ("infected_months = 29", "DPR 68/2005 art. 12(1) and (2)"),
            ("justice_months = 59", "DM 44/2011 art. 4(3)"),
            ("grace_hours = 71", "under 72"),
            ("units_max = 0", "between 1 and 366"),
            ("receipt_months = 0", "at least one month"),
        ] {
            let refused = of(line).unwrap_err().to_string();
            assert!(refused.contains(article), "{line}: {refused}");
        }
        let rules = of("trace_months = 36\nreceipt_months = 1\ngrace_hours = 100")
            .unwrap()
            .disposal;
        let term = |class| rules.policy.term(class).months();
        let all = [
            RetentionClass::Trace,
            RetentionClass::Receipt,
            RetentionClass::Justice,
        ];
        assert_eq!(all.map(term), [36, 1, 60]);
        assert_eq!(rules.grace_hours, 100);
    }

    #[test]
    fn every_refusal_says_what_is_wrong() {
        let certificate = "00".repeat(32);
        let tls = |more: &str| {
            format!(
                "data = \"d\"\nmaster_key = \"k\"\nlisten = \"127.0.0.1:0\"\n[tls]\ncertificate = \"c\"\n\
                 key = \"k\"\nclient_ca = \"a\"\n[[log]]\nid = \"a\"\n{more}"
            )
        };
        let principal = |role: &str| {
            tls(&format!(
                "[[principal]]\nname = \"p\"\ncertificates = [\"{certificate}\"]\n[[principal.role]]\n{role}"
            ))
        };
        let cases = [
            (
                PLAIN.replace("127.0.0.1", "0.0.0.0"),
                "plain text is for loopback only, and 0.0.0.0:0 is not",
            ),
            (
                format!("{PLAIN}[witness]\nquorum = 1\n"),
                "witness: quorum must be between 1 and",
            ),
            (format!("{PLAIN}[witness]\n"), "witness: give either quorum"),
            (
                format!(
                    "{PLAIN}[witness]\nquorum = 1\n[[witness.member]]\nurl = \"x\"\nverifier_key = \"y\"\n"
                ),
                "not that of a witness",
            ),
            (
                format!(
                    "{PLAIN}[witness]\nquorum = 1\n[[witness.member]]\nurl = \"ftp://w.example\"\nverifier_key = \"{WITNESS}\"\n"
                ),
                "its url must begin with",
            ),
            (
                format!(
                    "{PLAIN}[witness]\nquorum = 1\ntimeout_seconds = 0\n[[witness.member]]\nurl = \"http://w.example\"\nverifier_key = \"{WITNESS}\"\n"
                ),
                "timeout_seconds must be above zero",
            ),
            (
                format!("{PLAIN}[seal]\nkey = \"k\"\n"),
                "seal: give key, certificates and",
            ),
            (
                format!("{PLAIN}[seal.submitter]\nname = \"x\"\ndocuments = [\"d\"]\n"),
                "seal: give [seal.submitter], [[seal.holder]] and",
            ),
            (
                format!("{PLAIN}[[tsa]]\nname = \"t\"\nurl = \"tsa.example\"\nanchors = [\"a\"]\n"),
                "tsa \"t\": its url must begin with",
            ),
            (
                format!("{PLAIN}[[tsa]]\nname = \"t\"\nurl = \"http://t.example\"\nanchors = []\n"),
                "tsa \"t\": it has no anchors",
            ),
            (
                format!(
                    "{PLAIN}[[tsa]]\nname = \"t\"\nurl = \"http://t.example\"\nanchors = [\"a\"]\npolicy = \"x\"\n"
                ),
                "no object identifier",
            ),
            (
                PLAIN.replace("true", "false"),
                "configure either [tls] or [development] plain_text = true",
            ),
            (
                format!("{PLAIN}[[log]]\nid = \"a\"\n"),
                "log a is configured twice",
            ),
            (
                PLAIN.replace("[[log]]\nid = \"a\"\n", ""),
                "no [[log]] is configured",
            ),
            (PLAIN.replace("\"a\"", "\"A b\""), "log \"A b\""),
            (
                format!("{PLAIN}colour = 1\n"),
                "c.toml: line 8: unknown field `colour`",
            ),
            (
                format!("{PLAIN}[static]\nlisten = \"127.0.0.1:0\"\nconnections_max = 0\n"),
                "limits: static.connections_max must be above zero",
            ),
            (
                format!("{PLAIN}[static]\nconnections_max = 1\n"),
                "missing field `listen`",
            ),
            (
                format!("{PLAIN}[limits]\nuploads_max = 0\n"),
                "limits: uploads_max must be above zero",
            ),
            (
                format!("{PLAIN}[[principal]]\nname = \"p\"\ncertificates = []\n"),
                "in development everybody",
            ),
            (
                tls("[[principal]]\nname = \"p\"\ncertificates = [\"xx\"]\n"),
                "a certificate is named by its SHA-256",
            ),
            (
                principal("log = \"b\"\nrole = \"provider\"\n"),
                "log \"b\" is not configured",
            ),
            (
                principal("log = \"a\"\nrole = \"king\"\n"),
                "unknown role \"king\"",
            ),
            (
                principal("log = \"a\"\nrole = \"court\"\n"),
                "role court needs act",
            ),
            (
                principal(
                    "log = \"a\"\nrole = \"court\"\nact = \"x\"\nuntil = \"2027-01-01T00:00:00Z\"\n",
                ),
                "role court needs act",
            ),
            (
                principal("log = \"a\"\nrole = \"provider\"\nact = \"x\"\n"),
                "role court needs act",
            ),
            (
                principal(
                    "log = \"a\"\nrole = \"court\"\nact = \"x\"\nuntil = \"tomorrow\"\nparties = [\"a@b\"]\n",
                ),
                "role court needs act",
            ),
        ];
        for (text, expected) in cases {
            let found = parse(&text).unwrap_err().to_string();
            assert!(found.contains(expected), "{found:?} for\n{text}");
        }
        assert!(
            parse(PLAIN).unwrap().static_face.is_none(),
            "off by default"
        );
        assert!(matches!(
            parse(PLAIN).unwrap().principals,
            Principals::Development
        ));
    }
}
