//! A tree of checks, and what it comes to.

use crate::cli::show;
use anyhow::Result;
use serde_json::{Value, json};
use std::io::Write;

/// How a check ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Outcome {
    Good,
    Bad,
    /// Not done: there is nothing to check it with.
    Open,
}

impl Outcome {
    const fn word(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Bad => "FAILED",
            Self::Open => "not checked",
        }
    }
}

/// A check, and those it is made of.
pub(super) struct Node {
    /// The part that is checked.
    pub(super) part: String,
    pub(super) outcome: Outcome,
    /// What was found, or why it was not checked.
    pub(super) why: String,
    /// Whether all rests on it: left open, nothing is verified.
    pub(super) is_needed: bool,
    pub(super) children: Vec<Node>,
}

impl Node {
    fn of(part: impl Into<String>, outcome: Outcome, why: impl Into<String>) -> Self {
        Self {
            part: part.into(),
            outcome,
            why: why.into(),
            is_needed: false,
            children: Vec::new(),
        }
    }

    pub(super) fn good(part: impl Into<String>, why: impl Into<String>) -> Self {
        Self::of(part, Outcome::Good, why)
    }

    pub(super) fn bad(part: impl Into<String>, why: impl Into<String>) -> Self {
        Self::of(part, Outcome::Bad, why)
    }

    pub(super) fn open(part: impl Into<String>, why: impl Into<String>) -> Self {
        Self::of(part, Outcome::Open, why)
    }

    /// All rests on it.
    pub(super) fn needed(mut self) -> Self {
        self.is_needed = true;
        self
    }

    /// A group: bad if one of it is, open if none is done.
    pub(super) fn group(part: impl Into<String>, children: Vec<Self>) -> Self {
        let has = |outcome| children.iter().any(|child| child.outcome == outcome);
        let outcome = match (has(Outcome::Bad), has(Outcome::Good)) {
            (true, _) => Outcome::Bad,
            (false, true) => Outcome::Good,
            (false, false) => Outcome::Open,
        };
        Self {
            children,
            ..Self::of(part, outcome, String::new())
        }
    }

    /// How many checks below it ended so.
    pub(super) fn count(&self, wanted: &impl Fn(&Self) -> bool) -> usize {
        let own = usize::from(self.children.is_empty() && wanted(self));
        let below = self.children.iter().map(|child| child.count(wanted));
        below.sum::<usize>().saturating_add(own)
    }

    /// A check a line, those it is made of under it.
    pub(super) fn tell(&self, depth: usize, out: &mut impl Write) -> Result<()> {
        let (word, part) = (self.outcome.word(), show::printable(&self.part));
        let indent = "  ".repeat(depth);
        match self.why.as_str() {
            "" => writeln!(out, "{word:<11}  {indent}{part}")?,
            why => writeln!(out, "{word:<11}  {indent}{part}: {}", show::printable(why))?,
        }
        let mut below = self.children.iter();
        below.try_for_each(|child| child.tell(depth.saturating_add(1), out))
    }

    pub(super) fn json(&self) -> Value {
        let checks: Vec<Value> = self.children.iter().map(Self::json).collect();
        json!({
            "part": self.part,
            "outcome": self.outcome.word(),
            "why": self.why,
            "checks": checks,
        })
    }
}
