//! Witness policies (C2SP tlog-policy): whose cosignatures make a checkpoint good enough.
//!
//! ```text
//! # comment
//! log <vkey> [<url>]
//! witness <name> <vkey> [<url>]
//! group <name> all|any|<k> <member> ...       members: witnesses and groups of lines before
//! quorum <name>|none                          exactly one
//! ```
//! Items are separated by spaces and tabs. Narrower than the specification in one point: the file is UTF-8.
//!
//! # Invariants
//! 1. Lines refer to lines before them only, so that no group contains itself.
//! 2. A witness counts once: keys differ, and a name is a member of one group at most.
//! 3. Bounded: at most [`POLICY_BYTES_MAX`] bytes and [`ENTRIES_MAX`] of each kind.

use crate::note::VerifierKey;
use std::collections::HashMap;

/// The largest policy that is read, in bytes.
pub const POLICY_BYTES_MAX: usize = 64 * 1024;
/// The most logs, witnesses and groups, each; the specification asks for at least 32.
pub const ENTRIES_MAX: usize = 64;

/// Why a policy is refused: always its author's to change.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PolicyError {
    /// Longer than [`POLICY_BYTES_MAX`], or more than [`ENTRIES_MAX`] entries of a kind.
    #[error("policy is too large")]
    TooLarge,
    /// Not UTF-8, or with control characters other than tab and line feed.
    #[error("policy is not plain utf-8 text")]
    NotText,
    /// A line that is none of the four.
    #[error("policy line {0}: not a log, witness, group or quorum")]
    Line(usize),
    /// A key that is malformed, or not of the kind the line asks for.
    #[error("policy line {0}: the key is malformed, or of another kind")]
    Key(usize),
    /// A key or a name that stands in a line before.
    #[error("policy line {0}: key or name is there already")]
    Twice(usize),
    /// A name that no line before defines, or that is a member of another group.
    #[error("policy line {0}: a member is not defined before, or is in another group")]
    Member(usize),
    /// A threshold of zero, or above the number of members.
    #[error("policy line {0}: the threshold is not between 1 and the number of members")]
    Threshold(usize),
    /// No quorum line, or a second one.
    #[error("policy has not exactly one quorum line")]
    Quorum,
}

/// A witness as a policy names it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Witness {
    /// Its name in the policy.
    pub name: String,
    /// The key of its cosignatures.
    pub key: VerifierKey,
    /// Its submission prefix, where it is stated.
    pub url: Option<String>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Member {
    Witness(usize),
    Group(usize),
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Group {
    threshold: usize,
    members: Vec<Member>,
}

/// Whose cosignatures are asked for.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Policy {
    logs: Vec<VerifierKey>,
    witnesses: Vec<Witness>,
    groups: Vec<Group>,
    quorum: Option<Member>,
}

impl Policy {
    /// `threshold` of these witnesses. Their keys and names must differ, and so many there must be.
    pub fn of(threshold: usize, witnesses: Vec<Witness>) -> Result<Self, PolicyError> {
        let mut reading = Reading::default();
        for (number, witness) in (1..).zip(witnesses) {
            reading.witness(number, witness)?;
        }
        let count = reading.policy.witnesses.len();
        if threshold == 0 || threshold > count {
            return Err(PolicyError::Threshold(0));
        }
        reading.policy.groups.push(Group {
            threshold,
            members: (0..count).map(Member::Witness).collect(),
        });
        reading.policy.quorum = Some(Member::Group(0));
        Ok(reading.policy)
    }

    /// Reads the text of a policy.
    pub fn parse(text: &[u8]) -> Result<Self, PolicyError> {
        if text.len() > POLICY_BYTES_MAX {
            return Err(PolicyError::TooLarge);
        }
        let text = std::str::from_utf8(text).map_err(|_| PolicyError::NotText)?;
        if text.contains(|c: char| c.is_ascii_control() && c != '\n' && c != '\t') {
            return Err(PolicyError::NotText);
        }
        let mut reading = Reading::default();
        for (number, line) in (1..).zip(text.split('\n')) {
            let items = line.split([' ', '\t']).filter(|item| !item.is_empty());
            let items: Vec<&str> = items.collect();
            match items.as_slice() {
                [] => {}
                [first, ..] if first.starts_with('#') => {}
                items => reading.line(number, items)?,
            }
        }
        match reading.has_quorum {
            true => Ok(reading.policy),
            false => Err(PolicyError::Quorum),
        }
    }

    /// The logs it is for; none where they are known from elsewhere.
    pub fn logs(&self) -> &[VerifierKey] {
        &self.logs
    }

    /// The witnesses it knows.
    pub fn witnesses(&self) -> &[Witness] {
        &self.witnesses
    }

    /// The keys of its witnesses.
    pub fn keys(&self) -> Vec<&VerifierKey> {
        self.witnesses.iter().map(|witness| &witness.key).collect()
    }

    /// Whether these witnesses, whose cosignatures were verified, are a quorum.
    pub fn is_met<'a>(&self, cosigned: impl IntoIterator<Item = &'a VerifierKey>) -> bool {
        let cosigned: Vec<&VerifierKey> = cosigned.into_iter().collect();
        let mut met: Vec<bool> = Vec::with_capacity(self.groups.len());
        let holds = |met: &[bool], member: &Member| match member {
            Member::Witness(at) => {
                let witness = self.witnesses.get(*at);
                witness.is_some_and(|witness| cosigned.contains(&&witness.key))
            }
            // Groups refer to groups before them.
            Member::Group(at) => met.get(*at).copied().unwrap_or(false),
        };
        for group in &self.groups {
            let count = group.members.iter().filter(|m| holds(&met, m)).count();
            met.push(count >= group.threshold);
        }
        self.quorum.is_none_or(|quorum| holds(&met, &quorum))
    }
}

/// A policy while it is read.
#[derive(Default)]
struct Reading {
    policy: Policy,
    /// What a name is, and whether it is a member already.
    names: HashMap<String, (Member, bool)>,
    has_quorum: bool,
}

impl Reading {
    fn line(&mut self, number: usize, items: &[&str]) -> Result<(), PolicyError> {
        match *items {
            ["log", key] | ["log", key, _] => self.log(number, key),
            ["witness", name, key] => self.named_witness(number, name, key, None),
            ["witness", name, key, url] => self.named_witness(number, name, key, Some(url)),
            ["group", name, threshold, ref members @ ..] if !members.is_empty() => {
                self.group(number, name, threshold, members)
            }
            ["quorum", name] => self.quorum(number, name),
            _ => Err(PolicyError::Line(number)),
        }
    }

    fn log(&mut self, number: usize, key: &str) -> Result<(), PolicyError> {
        let key = VerifierKey::parse(key).ok().filter(VerifierKey::is_of_log);
        let key = key.ok_or(PolicyError::Key(number))?;
        let logs = &mut self.policy.logs;
        if logs.iter().any(|l| l.public_key() == key.public_key()) {
            return Err(PolicyError::Twice(number));
        }
        push(logs, key)
    }

    fn named_witness(
        &mut self,
        number: usize,
        name: &str,
        key: &str,
        url: Option<&str>,
    ) -> Result<(), PolicyError> {
        let key = VerifierKey::parse(key).map_err(|_| PolicyError::Key(number))?;
        let (name, url) = (name.to_owned(), url.map(str::to_owned));
        self.witness(number, Witness { name, key, url })
    }

    fn witness(&mut self, number: usize, witness: Witness) -> Result<(), PolicyError> {
        if witness.key.is_of_log() {
            return Err(PolicyError::Key(number));
        }
        let public = witness.key.public_key();
        let mut known = self.policy.witnesses.iter();
        if known.any(|known| known.key.public_key() == public) {
            return Err(PolicyError::Twice(number));
        }
        let member = Member::Witness(self.policy.witnesses.len());
        self.define(number, &witness.name, member)?;
        push(&mut self.policy.witnesses, witness)
    }

    fn group(
        &mut self,
        number: usize,
        name: &str,
        threshold: &str,
        members: &[&str],
    ) -> Result<(), PolicyError> {
        let threshold = match threshold {
            "all" => members.len(),
            "any" => 1,
            decimal => {
                let value: Option<usize> = decimal.parse().ok();
                let value = value.filter(|value| value.to_string() == decimal);
                value.ok_or(PolicyError::Threshold(number))?
            }
        };
        if threshold == 0 || threshold > members.len() {
            return Err(PolicyError::Threshold(number));
        }
        let mut found = Vec::new();
        for member in members {
            let known = self.names.get_mut(*member);
            let known = known.filter(|(_, taken)| !taken);
            let (member, taken) = known.ok_or(PolicyError::Member(number))?;
            *taken = true;
            found.push(*member);
        }
        self.define(number, name, Member::Group(self.policy.groups.len()))?;
        let members = found;
        push(&mut self.policy.groups, Group { threshold, members })
    }

    fn quorum(&mut self, number: usize, name: &str) -> Result<(), PolicyError> {
        if std::mem::replace(&mut self.has_quorum, true) {
            return Err(PolicyError::Quorum);
        }
        if name != "none" {
            let known = self.names.get(name).ok_or(PolicyError::Member(number))?;
            self.policy.quorum = Some(known.0);
        }
        Ok(())
    }

    fn define(&mut self, number: usize, name: &str, what: Member) -> Result<(), PolicyError> {
        let known = self.names.insert(name.to_owned(), (what, false));
        match known.is_some() || name == "none" {
            true => Err(PolicyError::Twice(number)),
            false => Ok(()),
        }
    }
}

fn push<T>(entries: &mut Vec<T>, entry: T) -> Result<(), PolicyError> {
    if entries.len() == ENTRIES_MAX {
        return Err(PolicyError::TooLarge);
    }
    entries.push(entry);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cosignature::Cosigner;
    use crate::note::NoteSigner;
    use crate::secret::SigningSeed;

    fn witness(number: u8) -> VerifierKey {
        let name = format!("witness.example.test/w{number}");
        let cosigner = Cosigner::new(&name, &SigningSeed::from_bytes([number; 32]));
        cosigner.unwrap().verifier().clone()
    }

    fn log() -> VerifierKey {
        let seed = SigningSeed::from_bytes([99; 32]);
        let signer = NoteSigner::new("pec.example.test/log", &seed).unwrap();
        signer.verifier().clone()
    }

    fn met(policy: &str, by: &[u8]) -> bool {
        let policy = Policy::parse(policy.as_bytes()).unwrap();
        let keys: Vec<_> = by.iter().map(|number| witness(*number)).collect();
        policy.is_met(&keys)
    }

    fn lines(numbers: &[u8]) -> String {
        let numbers = numbers.iter();
        let lines = numbers.map(|n| format!("witness W{n} {} https://w{n}.example\n", witness(*n)));
        lines.collect()
    }

    /// The example of the specification: two of three, and one of three others.
    fn two_levels() -> String {
        format!(
            "# due organizzazioni\n\n log\t{}  \n{}group X 2 W1 W2 W3\n{}group Y any W4 W5 W6\n\
             group X-and-Y all X Y\nquorum X-and-Y\n",
            log(),
            lines(&[1, 2, 3]),
            lines(&[4, 5, 6]),
        )
    }

    #[test]
    fn a_quorum_of_groups_needs_what_each_group_needs() {
        let policy = Policy::parse(two_levels().as_bytes()).unwrap();
        assert_eq!(policy.logs(), [log()]);
        assert_eq!(policy.witnesses().len(), 6);
        assert_eq!(
            policy.witnesses()[0].url.as_deref(),
            Some("https://w1.example")
        );
        for (by, expected) in [
            (&[1, 2, 4][..], true),
            (&[1, 3, 6], true),
            (&[1, 2, 3, 4, 5, 6], true),
            (&[1, 2, 3], false),
            (&[1, 4, 5, 6], false),
            // Who signs twice is still one.
            (&[1, 1, 4], false),
            (&[7, 8, 9], false),
            (&[], false),
        ] {
            assert_eq!(met(&two_levels(), by), expected, "{by:?}");
        }
    }

    #[test]
    fn a_quorum_may_be_one_witness_or_none() {
        assert!(met(&format!("{}quorum W1", lines(&[1])), &[1]));
        assert!(!met(&format!("{}quorum W1", lines(&[1])), &[2]));
        assert!(met("quorum none\n", &[]));
        let three = |threshold| {
            let witnesses = [1, 2, 3].map(|n| Witness {
                name: format!("W{n}"),
                key: witness(n),
                url: None,
            });
            Policy::of(threshold, witnesses.into())
        };
        assert!(three(2).unwrap().is_met(&[witness(1), witness(3)]));
        assert!(!three(3).unwrap().is_met(&[witness(1), witness(3)]));
        assert_eq!(three(0), Err(PolicyError::Threshold(0)));
        assert_eq!(three(4), Err(PolicyError::Threshold(0)));
    }

    #[test]
    fn every_defect_of_a_policy_is_told_by_its_line() {
        let w = lines(&[1, 2]);
        let parse = |text: &str| Policy::parse(text.as_bytes());
        assert!(parse(&format!("{w}group G any W1 W2\nquorum G\n")).is_ok());
        for (text, expected) in [
            (w.clone(), PolicyError::Quorum),
            ("quorum none\nquorum none\n".to_owned(), PolicyError::Quorum),
            ("witnes W1 x\nquorum none".to_owned(), PolicyError::Line(1)),
            ("group G any\nquorum none".to_owned(), PolicyError::Line(1)),
            ("quorum a b".to_owned(), PolicyError::Line(1)),
            ("witness W1 a+b+c\n".to_owned(), PolicyError::Key(1)),
            (format!("witness W1 {}\n", log()), PolicyError::Key(1)),
            (format!("log {}\n", witness(1)), PolicyError::Key(1)),
            (
                format!("{w}witness W3 {}\n", witness(2)),
                PolicyError::Twice(3),
            ),
            (
                format!("{w}witness W1 {}\n", witness(3)),
                PolicyError::Twice(3),
            ),
            (format!("{w}group W1 any W2\n"), PolicyError::Twice(3)),
            (format!("log {0}\nlog {0}\n", log()), PolicyError::Twice(2)),
            (
                format!("witness none {}\n", witness(1)),
                PolicyError::Twice(1),
            ),
            (format!("{w}group G any W1 W3\n"), PolicyError::Member(3)),
            (format!("{w}group G any W1 W1\n"), PolicyError::Member(3)),
            (format!("{w}group G any none\n"), PolicyError::Member(3)),
            (
                format!("{w}group G any W1\ngroup H any W1 W2\n"),
                PolicyError::Member(4),
            ),
            (format!("group G any G\n{w}"), PolicyError::Member(1)),
            (format!("quorum W1\n{w}"), PolicyError::Member(1)),
            (format!("{w}group G 0 W1\n"), PolicyError::Threshold(3)),
            (format!("{w}group G 3 W1 W2\n"), PolicyError::Threshold(3)),
            (format!("{w}group G 02 W1 W2\n"), PolicyError::Threshold(3)),
            (format!("{w}group G +1 W1 W2\n"), PolicyError::Threshold(3)),
            ("quorum\u{b}none".to_owned(), PolicyError::NotText),
            ("quorum none\r\n".to_owned(), PolicyError::NotText),
            ("#".repeat(POLICY_BYTES_MAX + 1), PolicyError::TooLarge),
        ] {
            assert_eq!(parse(&text), Err(expected), "{text}");
        }
        assert_eq!(
            Policy::parse(b"# \xff\nquorum none"),
            Err(PolicyError::NotText)
        );
        let many: Vec<u8> = (1..=ENTRIES_MAX as u8 + 1).collect();
        let many = format!("{}quorum none", lines(&many));
        assert_eq!(parse(&many), Err(PolicyError::TooLarge));
    }
}
