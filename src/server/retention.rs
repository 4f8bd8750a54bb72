//! `[retention]` of the configuration: terms, grace, sizes. Legal floors are not settings: a shorter term is an error
//! that names the article.

use super::config::ConfigError;
use crate::disposal::DisposalRules;
use ceralacca_retention::{BatchCap, Grace, RetentionClass, Term};
use serde::Deserialize;

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    trace_months: Option<u16>,
    infected_months: Option<u16>,
    justice_months: Option<u16>,
    receipt_months: Option<u16>,
    content_months: Option<u16>,
    custody_months: Option<u16>,
    grace_hours: Option<u16>,
    units_max: Option<u16>,
    overdue_days: Option<u16>,
}

pub(super) fn rules(entry: &Entry) -> Result<DisposalRules, ConfigError> {
    let refused = |why: String| ConfigError::Retention(why);
    let mut rules = DisposalRules::default();
    for (class, months) in [
        (RetentionClass::Trace, entry.trace_months),
        (RetentionClass::Infected, entry.infected_months),
        (RetentionClass::Justice, entry.justice_months),
        (RetentionClass::Receipt, entry.receipt_months),
        (RetentionClass::Content, entry.content_months),
        (RetentionClass::Custody, entry.custody_months),
    ] {
        let Some(months) = months else { continue };
        let term = Term::of_months(months).map_err(|error| refused(error.to_string()))?;
        let policy = rules.policy.with(class, term);
        rules.policy = policy.map_err(|error| refused(error.to_string()))?;
    }
    if let Some(hours) = entry.grace_hours {
        rules.grace = Grace::of_hours(hours).map_err(|error| refused(error.to_string()))?;
        rules.grace_hours = hours;
    }
    if let Some(units) = entry.units_max {
        let cap = BatchCap::new(units);
        let most = BatchCap::MAX.units();
        rules.cap = cap.ok_or_else(|| refused(format!("units_max is between 1 and {most}")))?;
    }
    if let Some(days) = entry.overdue_days {
        rules.overdue_ms = i64::from(days).saturating_mul(DAY_MS);
    }
    Ok(rules)
}
