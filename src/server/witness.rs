//! `[witness]` of the configuration: who cosigns checkpoints, and how they are asked.

use super::config::ConfigError;
use crate::witnessed::{OnMissing, Rule};
use ceralacca_formats::note::VerifierKey;
use ceralacca_formats::policy::{Policy, Witness};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    quorum: Option<usize>,
    policy: Option<PathBuf>,
    #[serde(default)]
    on_missing: Missing,
    interval_seconds: Option<u64>,
    timeout_seconds: Option<u64>,
    ca: Option<PathBuf>,
    #[serde(default)]
    member: Vec<MemberEntry>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Missing {
    #[default]
    PublishMarked,
    HoldBack,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MemberEntry {
    url: String,
    verifier_key: String,
}

/// Who cosigns, and how they are asked.
#[derive(Debug)]
pub struct Witnesses {
    /// The policy, and what is shown meanwhile.
    pub rule: Rule,
    /// Between two rounds of questions.
    pub pause: Duration,
    /// For one question.
    pub timeout: Duration,
    /// The only authority of witnesses over TLS, PEM.
    pub ca: Option<PathBuf>,
}

impl Witnesses {
    /// Whether a witness is reached over TLS.
    pub fn use_tls(&self) -> bool {
        let witnesses = self.rule.policy.witnesses().iter();
        let mut urls = witnesses.filter_map(|witness| witness.url.as_deref());
        urls.any(|url| url.starts_with("https://"))
    }
}

fn refused(why: impl std::fmt::Display) -> ConfigError {
    ConfigError::Witness(why.to_string())
}

pub(super) fn read(entry: Entry, folder: &Path) -> Result<Witnesses, ConfigError> {
    let policy = match (entry.quorum, &entry.policy) {
        (Some(quorum), None) => {
            let members = entry.member.into_iter().map(member);
            let members = members.collect::<Result<_, _>>()?;
            let wrong =
                "quorum must be between 1 and the number of [[witness.member]], whose keys differ";
            Policy::of(quorum, members).map_err(|_| refused(wrong))?
        }
        (None, Some(file)) if entry.member.is_empty() => {
            let path = folder.join(file);
            let text = std::fs::read(&path);
            let text = text.map_err(|source| ConfigError::Read { path, source })?;
            Policy::parse(&text).map_err(refused)?
        }
        _ => {
            return Err(refused(
                "give either quorum and [[witness.member]], or policy",
            ));
        }
    };
    for witness in policy.witnesses() {
        let url = witness.url.as_deref().unwrap_or_default();
        if !url.starts_with("https://") && !url.starts_with("http://") {
            let name = witness.key.name();
            return Err(refused(format!(
                "{name}: its url must begin with https:// or http://"
            )));
        }
    }
    let seconds = |name, value: Option<u64>, default| match value.unwrap_or(default) {
        0 => Err(refused(format!("{name} must be above zero"))),
        seconds => Ok(Duration::from_secs(seconds)),
    };
    Ok(Witnesses {
        rule: Rule {
            policy,
            on_missing: match entry.on_missing {
                Missing::PublishMarked => OnMissing::PublishMarked,
                Missing::HoldBack => OnMissing::HoldBack,
            },
        },
        pause: seconds("interval_seconds", entry.interval_seconds, 10)?,
        timeout: seconds("timeout_seconds", entry.timeout_seconds, 5)?,
        ca: entry.ca.map(|path| folder.join(path)),
    })
}

fn member(entry: MemberEntry) -> Result<Witness, ConfigError> {
    let key = VerifierKey::parse(&entry.verifier_key).ok();
    let key = key.filter(|key| !key.is_of_log());
    let key = key.ok_or_else(|| refused("a member's verifier_key is not that of a witness"))?;
    Ok(Witness {
        name: key.name().to_owned(),
        url: Some(entry.url),
        key,
    })
}
