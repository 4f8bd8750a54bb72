//! `[seal]` and `[[tsa]]` of the configuration: what seals, who is named in an index, who stamps.

use super::config::{self, ConfigError};
use crate::ambient::{Clock, Entropy};
use crate::seal::{self, Authorities, RenewalRules};
use crate::seal_key::{self, DevelopmentFiles, OpenError, Passphrase, Source};
use crate::tsa::{BuildError, Client, Journal, Remote};
use ceralacca_evidence::authority::{self, Authority};
use ceralacca_evidence::certificates::MARK;
use ceralacca_evidence::ers::renewal::{MARGIN_DAYS_MIN, Margin};
use ceralacca_evidence::pindex::{
    Agent, AgentId, AgentName, Holder, HolderRole, Process, Signatory,
};
use ceralacca_evidence::tsp::{Policy, Rules};
use ceralacca_evidence::{SealSigner, Stamper};
use ceralacca_formats::id::UtcMillis;
use ceralacca_pec::judge::{Material, TrustError};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    key: Option<PathBuf>,
    certificates: Option<PathBuf>,
    passphrase_file: Option<PathBuf>,
    passphrase_variable: Option<String>,
    pkcs11: Option<TokenEntry>,
    submitter: Option<AgentEntry>,
    #[serde(default)]
    holder: Vec<AgentEntry>,
    #[serde(default)]
    signatory: Vec<AgentEntry>,
    laws: Option<String>,
    algorithms: Option<PathBuf>,
    renewal_margin_days: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenEntry {
    module: PathBuf,
    token: String,
    key: String,
    pin_file: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AgentEntry {
    name: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    #[serde(default)]
    ids: Vec<String>,
    documents: Vec<String>,
    role: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuthorityEntry {
    name: String,
    url: String,
    anchors: Vec<PathBuf>,
    #[serde(default)]
    intermediates: Vec<PathBuf>,
    #[serde(default)]
    crls: Vec<PathBuf>,
    #[serde(default)]
    ocsp: Vec<PathBuf>,
    policy: Option<String>,
    #[serde(default)]
    policies: Vec<String>,
    accuracy_ms: Option<u64>,
    timeout_seconds: Option<u64>,
    tolerance_seconds: Option<u64>,
    own_clock: Option<bool>,
}

/// What seals, who is named, who stamps.
#[derive(Clone, Debug)]
pub struct Seal {
    /// The seal key.
    pub source: Source,
    /// Who is named in an index.
    pub agents: Agents,
    /// Who stamps, in order; where there is none, the embedded development authority.
    pub authorities: Vec<AuthoritySettings>,
    /// The development keys beside the master key.
    pub development: DevelopmentFiles,
    /// By what evidence is renewed.
    pub rules: RenewalRules,
}

/// Who is named in the index of a package (UNI 11386:2020, Process).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Agents {
    /// Who hands the documents in.
    pub submitter: Agent,
    /// Whose they are.
    pub holders: Vec<Holder>,
    /// Who signs.
    pub signatories: Vec<Signatory>,
    /// The rules that are followed.
    pub laws: Option<String>,
}

/// A time-stamping authority, as it is configured.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AuthoritySettings {
    /// Its name, as evidence and alarms have it.
    pub name: String,
    /// Where it is asked.
    pub url: String,
    /// Roots, PEM.
    pub anchors: Vec<PathBuf>,
    /// Authorities between, PEM.
    pub intermediates: Vec<PathBuf>,
    /// Revocation lists, PEM.
    pub crls: Vec<PathBuf>,
    /// OCSP responses, DER.
    pub ocsp: Vec<PathBuf>,
    /// The policy asked for.
    pub policy: Option<Policy>,
    /// Policies that are taken where none is asked for.
    pub policies: Vec<Policy>,
    /// How exact its time is where a token does not say so.
    pub accuracy_ms: u64,
    /// How long one question may take.
    pub timeout: Duration,
    /// How far its time may be from ours beyond the accuracy.
    pub tolerance_ms: u64,
    /// Whether its clock is its own, so that its tokens prove time.
    pub own_clock: bool,
}

/// Why nothing can be sealed or stamped with this configuration. The operator's to change.
#[derive(Debug, thiserror::Error)]
pub enum SealSettingsError {
    /// A file of an authority cannot be read.
    #[error("tsa {name:?}: read {path}")]
    Read {
        /// The authority.
        name: String,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file that is not PEM of what it should be.
    #[error("tsa {name:?}: {path} has nothing of its kind in PEM")]
    Pem {
        /// The authority.
        name: String,
        /// The file.
        path: PathBuf,
    },
    /// Certificates, CRLs or responses that cannot be read.
    #[error("tsa {0:?}")]
    Trust(String, #[source] TrustError),
    /// A key.
    #[error(transparent)]
    Key(#[from] OpenError),
    /// The client of the authorities.
    #[error(transparent)]
    Client(#[from] BuildError),
}

impl Seal {
    /// Whether there is anything to seal with: nothing is configured, and `init` made no development keys.
    pub fn is_absent(&self) -> bool {
        let development = self.development.folder();
        self.authorities.is_empty() && !development.join("tsa.key").exists()
    }

    /// Opens the seal key, and makes the client of the authorities.
    pub fn open(
        &self,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        journal: Arc<dyn Journal>,
    ) -> Result<Authorities, SealSettingsError> {
        let agents = self.agents.clone();
        Ok(Authorities {
            stamper: self.stamper(clock, entropy, journal)?,
            signer: self.signer()?,
            process: Process {
                submitter: agents.submitter,
                holders: agents.holders,
                signatories: agents.signatories,
                time: UtcMillis::new(0),
                has_time_stamp: true,
                laws: agents.laws,
            },
            tolerance_ms: seal::TOLERANCE_MS,
            file_bytes_max: seal::FILE_BYTES_MAX,
        })
    }

    /// Opens the seal key.
    pub fn signer(&self) -> Result<Arc<dyn SealSigner>, SealSettingsError> {
        Ok(seal_key::open(&self.source)?)
    }

    /// Makes the client of the time-stamping authorities, or of the embedded one.
    pub fn stamper(
        &self,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        journal: Arc<dyn Journal>,
    ) -> Result<Arc<dyn Stamper>, SealSettingsError> {
        if !self.authorities.is_empty() {
            let remotes = self.authorities.iter().map(remote);
            let remotes = remotes.collect::<Result<_, _>>()?;
            return Ok(Arc::new(Client::new(remotes, clock, entropy, journal)?));
        }
        let (key, certificates) = self.development.authority();
        let passphrase = self.development.passphrase();
        let key = seal_key::open_file(&key, &certificates, &passphrase)?;
        let name = format!("{MARK} (incorporata)");
        let material = Material {
            anchors: pem::<CertificateDer<'_>>(&name, &[self.development.root()])?,
            ..Material::default()
        };
        let rules = Rules::new(&name, material, false);
        let mut rules = rules.map_err(|error| SealSettingsError::Trust(name, error))?;
        rules.policies = Policy::try_from(authority::DEVELOPMENT_POLICY)
            .into_iter()
            .collect();
        rules.accuracy_ms = authority::ACCURACY_MS;
        let authority = Authority::new(Box::new(key));
        let client = Client::embedded(authority, rules, clock, entropy, journal);
        Ok(Arc::new(client))
    }
}

fn remote(settings: &AuthoritySettings) -> Result<Remote, SealSettingsError> {
    let name = &settings.name;
    let material = Material {
        anchors: pem::<CertificateDer<'_>>(name, &settings.anchors)?,
        intermediates: pem::<CertificateDer<'_>>(name, &settings.intermediates)?,
        crls: pem::<CertificateRevocationListDer<'_>>(name, &settings.crls)?,
        ocsp: settings
            .ocsp
            .iter()
            .map(|path| octets(name, path))
            .collect::<Result<_, _>>()?,
        ..Material::default()
    };
    let rules = Rules::new(name, material, settings.own_clock);
    let mut rules = rules.map_err(|error| SealSettingsError::Trust(name.clone(), error))?;
    rules.policies.clone_from(&settings.policies);
    rules.accuracy_ms = settings.accuracy_ms;
    rules.tolerance_ms = settings.tolerance_ms;
    Ok(Remote {
        url: settings.url.clone(),
        timeout: settings.timeout,
        policy: settings.policy.clone(),
        rules,
    })
}

fn octets(name: &str, path: &Path) -> Result<Vec<u8>, SealSettingsError> {
    std::fs::read(path).map_err(|source| SealSettingsError::Read {
        name: name.to_owned(),
        path: path.to_owned(),
        source,
    })
}

fn pem<T: PemObject + AsRef<[u8]>>(
    name: &str,
    paths: &[PathBuf],
) -> Result<Vec<Vec<u8>>, SealSettingsError> {
    let mut all = Vec::new();
    for path in paths {
        let octets = octets(name, path)?;
        let found: Result<Vec<T>, _> = T::pem_slice_iter(&octets).collect();
        let found = found.ok().filter(|found| !found.is_empty());
        let found = found.ok_or_else(|| SealSettingsError::Pem {
            name: name.to_owned(),
            path: path.clone(),
        })?;
        all.extend(found.iter().map(|der| der.as_ref().to_vec()));
    }
    Ok(all)
}

fn refused(why: impl std::fmt::Display) -> ConfigError {
    ConfigError::Seal(why.to_string())
}

pub(super) fn read(
    entry: Option<Entry>,
    authorities: Vec<AuthorityEntry>,
    folder: &Path,
    master_key: &Path,
) -> Result<Seal, ConfigError> {
    let entry = entry.unwrap_or_default();
    let development = DevelopmentFiles::beside(master_key);
    let mut known = Vec::new();
    for entry in authorities {
        let settings = authority_settings(entry, folder)?;
        if known
            .iter()
            .any(|one: &AuthoritySettings| one.name == settings.name)
        {
            return Err(refused(format!(
                "tsa {:?} is configured twice",
                settings.name
            )));
        }
        known.push(settings);
    }
    Ok(Seal {
        rules: rules(&entry, folder)?,
        source: source(&entry, folder)?.unwrap_or_else(|| development.seal()),
        agents: agents(entry)?,
        authorities: known,
        development,
    })
}

fn rules(entry: &Entry, folder: &Path) -> Result<RenewalRules, ConfigError> {
    let mut rules = RenewalRules::default();
    if let Some(path) = &entry.algorithms {
        rules.table = config::table(&folder.join(path))?;
    }
    if let Some(days) = entry.renewal_margin_days {
        let few = || {
            refused(format!(
                "renewal_margin_days must be {MARGIN_DAYS_MIN} at least"
            ))
        };
        rules.margin = Margin::days(days).ok_or_else(few)?;
    }
    Ok(rules)
}

fn source(entry: &Entry, folder: &Path) -> Result<Option<Source>, ConfigError> {
    let passphrase = match (&entry.passphrase_file, &entry.passphrase_variable) {
        (Some(file), None) => Some(Passphrase::File(folder.join(file))),
        (None, Some(name)) => Some(Passphrase::Variable(name.clone())),
        (None, None) => None,
        (Some(_), Some(_)) => {
            return Err(refused(
                "give passphrase_file or passphrase_variable, not both",
            ));
        }
    };
    let certificates = entry.certificates.as_ref().map(|path| folder.join(path));
    match (&entry.key, &entry.pkcs11, certificates, passphrase) {
        (None, None, None, None) => Ok(None),
        (Some(key), None, Some(certificates), Some(passphrase)) => Ok(Some(Source::File {
            key: folder.join(key),
            certificates,
            passphrase,
        })),
        (None, Some(token), Some(certificates), None) => Ok(Some(Source::Token {
            module: folder.join(&token.module),
            token: token.token.clone(),
            key: token.key.clone(),
            pin: folder.join(&token.pin_file),
            certificates,
        })),
        _ => Err(refused(
            "give key, certificates and passphrase_file or passphrase_variable; or pkcs11 and certificates; or none of \
             them, for the development key",
        )),
    }
}

fn agents(entry: Entry) -> Result<Agents, ConfigError> {
    let development = || {
        let documents = vec![format!("Manuale di conservazione ({MARK})")];
        let name = AgentName::Organization(MARK.to_owned());
        Agent::new(Vec::new(), name, documents).map_err(refused)
    };
    let configured = [
        entry.submitter.is_some(),
        !entry.holder.is_empty(),
        !entry.signatory.is_empty(),
    ];
    if configured.iter().any(|one| *one) && !configured.iter().all(|one| *one) {
        return Err(refused(
            "give [seal.submitter], [[seal.holder]] and [[seal.signatory]], or none of them",
        ));
    }
    let Some(submitter) = entry.submitter else {
        let agent = development()?;
        return Ok(Agents {
            submitter: agent.clone(),
            holders: vec![Holder {
                agent: agent.clone(),
                role: HolderRole::Producer,
            }],
            signatories: vec![Signatory { agent, role: None }],
            laws: entry.laws,
        });
    };
    if submitter.role.is_some() {
        return Err(refused("[seal.submitter] has no role"));
    }
    let holder = |entry: AgentEntry| {
        let role = entry.role.as_deref().and_then(HolderRole::from_words);
        let role = role.ok_or_else(|| {
            refused("role of [[seal.holder]]: soggetto produttore, proprietario, possessore or detentore")
        })?;
        let agent = agent(entry)?;
        Ok(Holder { agent, role })
    };
    let signatory = |mut entry: AgentEntry| {
        let role = entry.role.take();
        let agent = agent(entry)?;
        Ok(Signatory { agent, role })
    };
    Ok(Agents {
        submitter: agent(submitter)?,
        holders: entry
            .holder
            .into_iter()
            .map(holder)
            .collect::<Result<_, _>>()?,
        signatories: entry
            .signatory
            .into_iter()
            .map(signatory)
            .collect::<Result<_, _>>()?,
        laws: entry.laws,
    })
}

fn agent(entry: AgentEntry) -> Result<Agent, ConfigError> {
    let name = match (entry.name, entry.first_name, entry.last_name) {
        (Some(name), None, None) => AgentName::Organization(name),
        (None, Some(first), Some(last)) => AgentName::Person { first, last },
        _ => {
            return Err(refused(
                "an agent has either name, or first_name and last_name",
            ));
        }
    };
    let ids = entry.ids.iter().map(|id| AgentId::try_from(&id[..]));
    let ids = ids.collect::<Result<_, _>>().map_err(refused)?;
    Agent::new(ids, name, entry.documents).map_err(refused)
}

fn authority_settings(
    entry: AuthorityEntry,
    folder: &Path,
) -> Result<AuthoritySettings, ConfigError> {
    let refused = |why: String| refused(format!("tsa {:?}: {why}", entry.name));
    if !entry.url.starts_with("https://") && !entry.url.starts_with("http://") {
        return Err(refused(
            "its url must begin with https:// or http://".into(),
        ));
    }
    if entry.anchors.is_empty() {
        return Err(refused("it has no anchors".into()));
    }
    let timeout = entry.timeout_seconds.unwrap_or(20);
    if timeout == 0 {
        return Err(refused("timeout_seconds must be above zero".into()));
    }
    let policy = |text: &String| Policy::try_from(&text[..]).map_err(|e| refused(e.to_string()));
    let asked = entry.policy.as_ref().map(policy).transpose()?;
    let taken = entry
        .policies
        .iter()
        .map(policy)
        .collect::<Result<_, _>>()?;
    let within = |paths: &[PathBuf]| paths.iter().map(|path| folder.join(path)).collect();
    Ok(AuthoritySettings {
        anchors: within(&entry.anchors),
        intermediates: within(&entry.intermediates),
        crls: within(&entry.crls),
        ocsp: within(&entry.ocsp),
        policy: asked,
        policies: taken,
        accuracy_ms: entry.accuracy_ms.unwrap_or(1000),
        timeout: Duration::from_secs(timeout),
        tolerance_ms: entry.tolerance_seconds.unwrap_or(300).saturating_mul(1000),
        own_clock: entry.own_clock.unwrap_or(true),
        name: entry.name,
        url: entry.url,
    })
}
