//! How far a round is, as it is kept and as it is shown.
//!
//! ```text
//! ceralacca scrub 1
//! round N | started MS | finished MS | last DAMAGED        one a line; decimal
//! until SIZE ROOT                                          the tree of this round
//! counts N N N N N N N N N N N
//! at PHASE [WHERE [WHERE]]                                 the cursor; bytes in hexadecimal
//! found N
//! finding KIND TAB INDEX or - TAB ITEM TAB WHY TAB HANGS
//! candidate NAME                                           not referenced when the round began
//! stray NAME                                               not referenced throughout the last whole round
//! sha256 HEX                                               of all lines before
//! ```

use super::finding::{FINDINGS_MAX, Finding};
use crate::store::cf::Family;
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::id::{TreeSize, UtcMillis};
use ceralacca_formats::tree::RootHash;
use std::fmt::Write;

const HEAD: &str = "ceralacca scrub 1";

/// Where a round is. Each begins with what its first step needs.
#[derive(Clone, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Cursor {
    /// The database is to be opened anew.
    Database,
    /// Piece of a file, or of the first file behind it.
    File(String, u64),
    /// The interval table.
    Intervals,
    /// Checkpoints of cuts, from this start of an interval.
    Cuts(u64),
    /// Kept checkpoints, from this size.
    Checkpoints(u64),
    /// From this leaf.
    Log(u64),
    /// From this run of leaf hashes.
    Hashes(u64),
    /// Of this family, by its place in [`Family::ALL`], from this key.
    Rows(usize, Vec<u8>),
    /// Which files are unreferenced still.
    End,
    /// No round is under way.
    #[default]
    Idle,
}

/// What a round is doing.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Phase {
    /// Opening the database anew.
    Database,
    /// Reading files.
    Files,
    /// Checking the interval table and the checkpoints of cuts.
    Intervals,
    /// Checking kept checkpoints.
    Checkpoints,
    /// Checking leaves, records and tiles.
    Log,
    /// Checking leaves by hash.
    Hashes,
    /// Reading the rows of the other families.
    Rows,
    /// Looking for files that nothing references.
    End,
}

impl Phase {
    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Files => "files",
            Self::Intervals => "intervals",
            Self::Checkpoints => "checkpoints",
            Self::Log => "log",
            Self::Hashes => "hashes",
            Self::Rows => "rows",
            Self::End => "end",
        }
    }
}

/// What a round checked so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Files read whole.
    pub files: u64,
    /// Of these, files seen for the first time: their digests were kept, there was nothing to compare with.
    pub files_new: u64,
    /// Bytes of files.
    pub file_bytes: u64,
    /// Intervals.
    pub intervals: u64,
    /// Checkpoints verified.
    pub checkpoints: u64,
    /// Leaves.
    pub leaves: u64,
    /// Tiles compared.
    pub tiles: u64,
    /// Records opened.
    pub records: u64,
    /// Bytes of content.
    pub content_bytes: u64,
    /// Terms looked up in the index.
    pub postings: u64,
    /// Rows of other families.
    pub rows: u64,
}

impl Counts {
    fn all(&mut self) -> [&mut u64; 11] {
        [
            &mut self.files,
            &mut self.files_new,
            &mut self.file_bytes,
            &mut self.intervals,
            &mut self.checkpoints,
            &mut self.leaves,
            &mut self.tiles,
            &mut self.records,
            &mut self.content_bytes,
            &mut self.postings,
            &mut self.rows,
        ]
    }
}

/// A round, as it is shown.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Report {
    /// Number of the round; 0 before the first.
    pub round: u64,
    /// What it is doing; none when it has ended.
    pub phase: Option<Phase>,
    /// Leaves of this round that are checked, and all of them.
    pub leaves: (u64, u64),
    /// When it began.
    pub started: UtcMillis,
    /// When the last whole round ended; 0 before.
    pub finished: UtcMillis,
    /// Damages of the last whole round.
    pub last_damaged: u64,
    /// What it checked.
    pub counts: Counts,
    /// The first [`FINDINGS_MAX`] damages.
    pub findings: Vec<Finding>,
    /// All damages.
    pub damaged: u64,
    /// Files that nothing referenced throughout the last whole round: not damage.
    pub unreferenced: Vec<String>,
    /// Why it cannot go on now.
    pub failure: Option<String>,
}

#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct State {
    pub round: u64,
    pub started: u64,
    pub finished: u64,
    pub last_damaged: u64,
    pub until: u64,
    pub root: Option<RootHash>,
    pub counts: Counts,
    pub cursor: Cursor,
    pub findings: Vec<Finding>,
    pub damaged: u64,
    pub candidates: Vec<String>,
    pub strays: Vec<String>,
}

impl State {
    pub fn begin(&mut self, now: UtcMillis) {
        *self = Self {
            round: self.round + 1,
            started: now.get(),
            finished: self.finished,
            last_damaged: self.last_damaged,
            strays: std::mem::take(&mut self.strays),
            cursor: Cursor::Database,
            ..Self::default()
        };
    }

    pub fn until(&self) -> TreeSize {
        TreeSize::new(self.until)
    }

    /// Takes a finding, once.
    pub fn find(&mut self, finding: Finding) {
        if self.findings.contains(&finding) {
            return;
        }
        self.damaged += 1;
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        }
    }

    pub fn report(&self, failure: Option<String>) -> Report {
        let (phase, done) = match &self.cursor {
            Cursor::Idle => (None, self.until),
            Cursor::Database => (Some(Phase::Database), 0),
            Cursor::File(..) => (Some(Phase::Files), 0),
            Cursor::Intervals | Cursor::Cuts(_) => (Some(Phase::Intervals), 0),
            Cursor::Checkpoints(_) => (Some(Phase::Checkpoints), 0),
            Cursor::Log(index) => (Some(Phase::Log), *index),
            Cursor::Hashes(_) => (Some(Phase::Hashes), self.until),
            Cursor::Rows(..) => (Some(Phase::Rows), self.until),
            Cursor::End => (Some(Phase::End), self.until),
        };
        Report {
            round: self.round,
            phase,
            leaves: (done, self.until),
            started: UtcMillis::new(self.started),
            finished: UtcMillis::new(self.finished),
            last_damaged: self.last_damaged,
            counts: self.counts,
            findings: self.findings.clone(),
            damaged: self.damaged,
            unreferenced: self.strays.clone(),
            failure,
        }
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!(
            "{HEAD}\nround {}\nstarted {}\nfinished {}\nlast {}\n",
            self.round, self.started, self.finished, self.last_damaged
        );
        let mut line = |line: String| {
            text.push_str(&line);
            text.push('\n');
        };
        let root = self.root.unwrap_or_else(RootHash::empty);
        line(format!(
            "until {} {}",
            self.until,
            hex::encode(root.as_bytes())
        ));
        let mut counts = self.counts;
        let counts = counts.all().map(|count| count.to_string());
        line(format!("counts {}", counts.join(" ")));
        line(match &self.cursor {
            Cursor::Idle => "at idle".to_owned(),
            Cursor::Database => "at database".to_owned(),
            Cursor::File(name, piece) => format!("at files {} {piece}", hex::encode(name)),
            Cursor::Intervals => "at intervals".to_owned(),
            Cursor::Cuts(start) => format!("at cuts {start}"),
            Cursor::Checkpoints(size) => format!("at checkpoints {size}"),
            Cursor::Log(index) => format!("at log {index}"),
            Cursor::Hashes(run) => format!("at hashes {run}"),
            Cursor::Rows(family, start) => format!("at rows {family} {}", hex::encode(start)),
            Cursor::End => "at end".to_owned(),
        });
        line(format!("found {}", self.damaged));
        for f in &self.findings {
            let index = f.index.map_or_else(|| "-".to_owned(), |i| i.to_string());
            line(format!(
                "finding {}\t{index}\t{}\t{}\t{}",
                f.kind, f.item, f.why, f.hangs
            ));
        }
        for name in &self.candidates {
            line(format!("candidate {name}"));
        }
        for name in &self.strays {
            line(format!("stray {name}"));
        }
        let all = Sha256::of(text.as_bytes());
        // Writing to a string does not fail.
        let _ = writeln!(text, "sha256 {all}");
        text.into_bytes()
    }

    /// Reads it back; none where it is altered or of another version.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let end = text.rfind("sha256 ")?;
        let (body, last) = text.split_at_checked(end)?;
        if last != format!("sha256 {}\n", Sha256::of(body.as_bytes())) {
            return None;
        }
        let mut lines = body.lines();
        if lines.next()? != HEAD {
            return None;
        }
        let mut state = Self::default();
        for line in lines {
            let (name, rest) = line.split_once(' ')?;
            match name {
                "round" => state.round = rest.parse().ok()?,
                "started" => state.started = rest.parse().ok()?,
                "finished" => state.finished = rest.parse().ok()?,
                "last" => state.last_damaged = rest.parse().ok()?,
                "found" => state.damaged = rest.parse().ok()?,
                "until" => {
                    let (size, root) = rest.split_once(' ')?;
                    state.until = size.parse().ok()?;
                    state.root = Some(RootHash::from_hex(root)?);
                }
                "counts" => {
                    let mut found = rest.split(' ');
                    for count in state.counts.all() {
                        *count = found.next()?.parse().ok()?;
                    }
                }
                "at" => state.cursor = cursor(rest)?,
                "finding" => {
                    let mut fields = rest.split('\t');
                    let (kind, index) = (fields.next()?, fields.next()?);
                    let index = match index {
                        "-" => None,
                        index => Some(index.parse().ok()?),
                    };
                    let (item, why, hangs) = (fields.next()?, fields.next()?, fields.next()?);
                    let finding = Finding::new(kind, index, item, why, hangs);
                    state.findings.push(finding);
                }
                "candidate" => state.candidates.push(rest.to_owned()),
                "stray" => state.strays.push(rest.to_owned()),
                _ => return None,
            }
        }
        Some(state)
    }
}

fn cursor(text: &str) -> Option<Cursor> {
    let mut words = text.split(' ');
    let phase = words.next()?;
    let mut word = || words.next();
    let number = |word: Option<&str>| word?.parse::<u64>().ok();
    Some(match phase {
        "idle" => Cursor::Idle,
        "database" => Cursor::Database,
        "files" => {
            let name = String::from_utf8(hex::decode(word()?).ok()?).ok()?;
            Cursor::File(name, number(word())?)
        }
        "intervals" => Cursor::Intervals,
        "cuts" => Cursor::Cuts(number(word())?),
        "checkpoints" => Cursor::Checkpoints(number(word())?),
        "log" => Cursor::Log(number(word())?),
        "hashes" => Cursor::Hashes(number(word())?),
        "rows" => {
            let family: usize = word()?.parse().ok()?;
            Family::ALL.get(family)?;
            Cursor::Rows(family, hex::decode(word()?).ok()?)
        }
        "end" => Cursor::End,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_read_back_as_it_was_kept_or_not_at_all() {
        for at in [
            Cursor::Idle,
            Cursor::Database,
            Cursor::File(String::new(), 0),
            Cursor::File("000012.sst".to_owned(), 3),
            Cursor::Intervals,
            Cursor::Cuts(7),
            Cursor::Checkpoints(8),
            Cursor::Log(9),
            Cursor::Hashes(1),
            Cursor::Rows(3, Vec::new()),
            Cursor::Rows(3, vec![0, 255]),
            Cursor::End,
        ] {
            let mut state = State {
                round: 3,
                until: 600,
                root: Some(RootHash::empty()),
                cursor: at,
                candidates: vec!["db/a b".to_owned()],
                strays: vec!["x".to_owned()],
                ..State::default()
            };
            state.counts.rows = 5;
            let finding = Finding::new("leaf", Some(7), "leaf 7", "gone\tand\nlost", "");
            state.find(finding.clone());
            state.find(finding);
            assert_eq!(state.damaged, 1);
            let bytes = state.to_bytes();
            assert_eq!(State::from_bytes(&bytes), Some(state));
            for at in 0..bytes.len() {
                let mut altered = bytes.clone();
                altered[at] ^= 1;
                assert_eq!(State::from_bytes(&altered), None, "byte {at}");
            }
        }
    }
}
