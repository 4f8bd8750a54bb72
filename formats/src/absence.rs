//! What intervals say of an identificativo, one after another; as a line of a file, and checked with the log's key alone.
//!
//! ```text
//! {"classes":[{"class":1,"proof":"<hex>","salt":"<64>"},{"class":3,"disposed":1}],
//!  "closing":"c2sp.org/tlog-proof@v1\n…","end":n,"interval":n,"state":"closed"}
//! {"end":n,"interval":n,"state":"open"}
//! ```
//! JSON Lines, an interval a line (broken here), in order; canonical JSON (RFC 8785), binary values in lower case
//! hexadecimal. A class where the identificativo is has `leaf_hashes` too.
//!
//! # Invariants
//! 1. Nothing is taken from an answer that the closing leaf, proven under the log's key, does not bear out.
//! 2. Intervals follow each other leaf by leaf: one that is left out is noticed.
//! 3. One spelling: what would be written otherwise is refused.

use crate::canonical::{Integer, ObjectReader, ObjectWriter, Text};
use crate::closing::{ClosedClass, Closing};
use crate::digest::{Sha256, decode_hex};
use crate::id::{INTEGER_MAX, IntervalId, LeafIndex, Origin, TreeSize, UtcMillis};
use crate::leaf::Class;
use crate::map::{MapAnswer, MapAnswerError, MapProof, MapProofError};
use crate::metadata::{CustodyRecord, Metadata};
use crate::proof::{ProofError, ProofFile, ProvenMetadata};
use crate::rotation::KeyChain;
use crate::tree::LeafHash;

/// The longest line, in bytes: a closing leaf in base64, and what a hundred thousand records of an identificativo have.
pub const LINE_BYTES_MAX: usize = 16 << 20;

/// How far an interval is, as it is told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ToldState {
    /// Records still come into it.
    Open,
    /// It was cut and is not closed yet.
    Cut,
    /// It is closed, by a leaf beyond the checkpoint that is shown as the newest.
    NotShown,
    /// It is closed.
    Closed {
        /// Proof file of the closing leaf.
        closing: String,
        /// A class for each that has records: its answer; none where it was disposed of.
        classes: Vec<(Class, Option<MapAnswer>)>,
    },
}

/// What is told of one interval.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Told {
    /// The interval.
    pub interval: IntervalId,
    /// When it was to be cut.
    pub end: UtcMillis,
    /// How far it is, and what it says.
    pub state: ToldState,
}

/// Why an answer proves nothing. The service that gave it is asked why, never asked again for a better one.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AbsenceError {
    /// Not a line of this format.
    #[error("not a line that says what an interval holds")]
    Shape,
    /// An interval that begins before the one before it ends, or ends before it begins.
    #[error("intervals are not in order")]
    Order,
    /// A closed interval after one that is not.
    #[error("an interval before it is said not to be closed")]
    ClosedAfterOpen,
    /// The proof of the closing leaf.
    #[error("proof of the closing leaf: {0}")]
    Closing(#[from] ProofError),
    /// The proof has no metadata.
    #[error("the proof of the closing leaf does not say what it closes")]
    NoClosing,
    /// The leaf that is proven closes nothing.
    #[error("leaf {0} is not one that closes an interval")]
    OtherLeaf(LeafIndex),
    /// It closes another interval.
    #[error("the closing leaf is of another interval, {0}")]
    OtherInterval(IntervalId),
    /// Its sizes.
    #[error("the closing leaf contradicts itself")]
    Contradiction,
    /// An interval is missing before this one.
    #[error("the closing leaf does not follow that of the interval before: one is left out")]
    LeftOut,
    /// Intervals are missing before the first.
    #[error("intervals before it are left out")]
    LeftOutBefore,
    /// An answer of a class without records.
    #[error("an answer is of a class that the closing leaf does not name")]
    UnknownClass,
    /// A class with records, and no answer.
    #[error("class {0}: there is no answer")]
    NoAnswer(Class),
    /// More than one answer of a class.
    #[error("class {0}: two answers")]
    TwoAnswers(Class),
    /// The proof of a class.
    #[error("class {0}: {1}")]
    Map(Class, #[source] MapAnswerError),
    /// The proof of a class is none.
    #[error("{0}")]
    MapProof(#[from] MapProofError),
}

/// What an interval was proven to say.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Said {
    /// No record of it has the identificativo.
    Absent,
    /// So many records of these classes have it.
    Present(Vec<(Class, usize)>),
    /// These classes were disposed of: nothing can be said of them. Of the others no record has it.
    Disposed(Vec<Class>),
    /// It is not closed, so nothing can be proven yet: why.
    NotClosed(&'static str),
}

/// An interval, and what it was proven to say.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Checked {
    /// The interval.
    pub interval: IntervalId,
    /// The start of the next.
    pub end: UtcMillis,
    /// The closing leaf, and how many records the interval has; none of one that is not closed.
    pub closing: Option<(LeafIndex, u64)>,
    /// What it says.
    pub said: Said,
}

fn integer(value: u64) -> Integer {
    Integer::try_from(value.min(INTEGER_MAX)).unwrap_or(Integer::ZERO)
}

impl Told {
    /// The line, line feed included.
    pub fn to_line(&self) -> String {
        let mut line = String::new();
        let (state, closed) = match &self.state {
            ToldState::Open => ("open", None),
            ToldState::Cut => ("cut", None),
            ToldState::NotShown => ("not-shown", None),
            ToldState::Closed { closing, classes } => ("closed", Some((closing, classes))),
        };
        ObjectWriter::write(&mut line, |w| {
            if let Some((closing, classes)) = closed {
                if !classes.is_empty() {
                    w.objects("classes", classes, write_class);
                }
                w.text("closing", closing.as_bytes());
            }
            w.integer("end", integer(self.end.get()));
            w.integer("interval", integer(self.interval.get()));
            w.text("state", state.as_bytes());
        });
        line.push('\n');
        line
    }

    /// Reads a line without its line feed.
    ///
    /// # Errors
    /// [`AbsenceError::Shape`].
    pub fn parse(line: &[u8]) -> Result<Self, AbsenceError> {
        Self::read(line).ok_or(AbsenceError::Shape)
    }

    fn read(line: &[u8]) -> Option<Self> {
        let mut r = ObjectReader::parse(line).ok()?;
        let classes = r.objects("classes", read_class).ok()?;
        let closing = r.text("closing").ok()?;
        let closing = closing.map(|text| text.to_str().map(str::to_owned));
        let end = number(&mut r, "end").ok()?;
        let interval = number(&mut r, "interval").ok()?;
        let state = match (r.text("state").ok()??.to_str()?, closing) {
            ("closed", Some(closing)) => ToldState::Closed {
                closing: closing?,
                classes,
            },
            ("open", None) if classes.is_empty() => ToldState::Open,
            ("cut", None) if classes.is_empty() => ToldState::Cut,
            ("not-shown", None) if classes.is_empty() => ToldState::NotShown,
            _ => return None,
        };
        r.end().ok()?;
        Some(Self {
            interval: IntervalId::new(interval),
            end: UtcMillis::new(end),
            state,
        })
    }
}

fn write_class((class, answer): &(Class, Option<MapAnswer>), w: &mut ObjectWriter<'_>) {
    w.integer("class", integer(class.code().into()));
    match answer {
        None => w.integer("disposed", integer(1)),
        Some(answer) => {
            let hashes = answer.hashes.iter();
            let hashes: Vec<Text> = hashes
                .map(|hash| hex::encode(hash.as_bytes()).as_str().into())
                .collect();
            if !hashes.is_empty() {
                w.texts("leaf_hashes", &hashes);
            }
            w.text("proof", hex::encode(answer.proof.to_bytes()).as_bytes());
            w.text("salt", hex::encode(answer.salt).as_bytes());
        }
    }
}

fn number(r: &mut ObjectReader, key: &'static str) -> Result<u64, &'static str> {
    let value = r.integer(key)?.ok_or(key)?;
    u64::try_from(value.get()).map_err(|_| key)
}

fn read_class(r: &mut ObjectReader) -> Result<(Class, Option<MapAnswer>), &'static str> {
    let class = u16::try_from(number(r, "class")?).ok();
    let class = class.and_then(|class| Class::try_from(class).ok());
    let class = class.ok_or("class")?;
    if let Some(disposed) = r.integer("disposed")? {
        return match disposed.get() {
            1 => Ok((class, None)),
            _ => Err("disposed"),
        };
    }
    let bytes32 = |text: &Text| text.to_str().and_then(Sha256::from_hex);
    let hashes = r.texts("leaf_hashes")?;
    let hashes: Option<Vec<LeafHash>> = hashes
        .iter()
        .map(|hash| Some(LeafHash::from_bytes(*bytes32(hash)?.as_bytes())))
        .collect();
    let proof = r.text("proof")?.ok_or("proof")?;
    let proof = proof.to_str().and_then(decode_hex);
    let proof = MapProof::from_bytes(&proof.ok_or("proof")?).map_err(|_| "proof")?;
    let salt = r.text("salt")?.ok_or("salt")?;
    Ok((
        class,
        Some(MapAnswer {
            salt: *bytes32(&salt).ok_or("salt")?.as_bytes(),
            proof,
            hashes: hashes.ok_or("leaf_hashes")?,
        }),
    ))
}

const FORMAT: &str = "ceralacca absence 1";

/// What such an answer is to: who asked, what, under which act; and how many lines follow, in how many files.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Head {
    /// Origin of the log.
    pub origin: Origin,
    /// What was asked, normalised.
    pub identificativo: Text,
    /// The beginning of the range.
    pub from: UtcMillis,
    /// Intervals, a line each.
    pub intervals: u64,
    /// Files with the lines, from 1.
    pub parts: u32,
    /// The leaf that records the disclosure.
    pub disclosure: LeafIndex,
    /// When it was made, by the archive's clock.
    pub made: UtcMillis,
    /// Who asked.
    pub requester: Text,
    /// In which capacity: a word.
    pub capacity: Text,
    /// The act under which it was asked.
    pub act: Text,
    /// What for.
    pub purpose: Text,
}

impl Head {
    /// Canonical JSON (RFC 8785), and a line feed.
    pub fn to_line(&self) -> String {
        let mut line = String::new();
        ObjectWriter::write(&mut line, |w| {
            w.text("act", self.act.as_bytes());
            w.text("capacity", self.capacity.as_bytes());
            w.integer("disclosure", integer(self.disclosure.get()));
            w.text("format", FORMAT.as_bytes());
            w.integer("from", integer(self.from.get()));
            w.text("identificativo", self.identificativo.as_bytes());
            w.integer("intervals", integer(self.intervals));
            w.integer("made", integer(self.made.get()));
            w.text("origin", self.origin.as_str().as_bytes());
            w.integer("parts", integer(self.parts.into()));
            w.text("purpose", self.purpose.as_bytes());
            w.text("requester", self.requester.as_bytes());
        });
        line.push('\n');
        line
    }

    /// Reads what [`Head::to_line`] wrote.
    ///
    /// # Errors
    /// [`AbsenceError::Shape`].
    pub fn parse(bytes: &[u8]) -> Result<Self, AbsenceError> {
        let line = bytes.strip_suffix(b"\n");
        line.and_then(Self::read).ok_or(AbsenceError::Shape)
    }

    fn read(line: &[u8]) -> Option<Self> {
        let mut r = ObjectReader::parse(line).ok()?;
        let text = |r: &mut ObjectReader, key| r.text(key).ok().flatten();
        if text(&mut r, "format")?.to_str()? != FORMAT {
            return None;
        }
        let origin = text(&mut r, "origin")?;
        let head = Self {
            act: text(&mut r, "act")?,
            capacity: text(&mut r, "capacity")?,
            disclosure: LeafIndex::new(number(&mut r, "disclosure").ok()?),
            from: UtcMillis::new(number(&mut r, "from").ok()?),
            identificativo: text(&mut r, "identificativo")?,
            intervals: number(&mut r, "intervals").ok()?,
            made: UtcMillis::new(number(&mut r, "made").ok()?),
            origin: Origin::try_from(origin.to_str()?).ok()?,
            parts: u32::try_from(number(&mut r, "parts").ok()?).ok()?,
            purpose: text(&mut r, "purpose")?,
            requester: text(&mut r, "requester")?,
        };
        r.end().ok()?;
        Some(head)
    }
}

struct Last {
    leaf: LeafIndex,
    size: TreeSize,
}

/// Follows the intervals of a range.
pub struct Follower<'a> {
    keys: &'a KeyChain,
    identificativo: &'a [u8],
    last: Option<Last>,
    end: Option<UtcMillis>,
    is_open: bool,
}

impl<'a> Follower<'a> {
    /// Before the first interval.
    pub fn new(keys: &'a KeyChain, identificativo: &'a [u8]) -> Self {
        Self {
            keys,
            identificativo,
            last: None,
            end: None,
            is_open: false,
        }
    }

    /// Up to where intervals were told of; none before the first.
    pub fn end(&self) -> Option<UtcMillis> {
        self.end
    }

    /// Takes the next answer; `from` is the beginning of the range that was asked for.
    ///
    /// # Errors
    /// What it does not prove. Nothing after it is to be believed.
    pub fn take(&mut self, told: &Told, from: UtcMillis) -> Result<Checked, AbsenceError> {
        let (interval, end) = (told.interval, told.end);
        let is_next = self.end.is_none_or(|end| end <= interval.start());
        if !is_next || interval.start() >= end {
            return Err(AbsenceError::Order);
        }
        let is_first = self.end.is_none();
        self.end = Some(end);
        let (text, classes) = match &told.state {
            ToldState::Closed { closing, classes } => (closing, classes),
            ToldState::Open => return Ok(self.not_closed(told, "records still come into it")),
            ToldState::Cut => return Ok(self.not_closed(told, "it was cut and is not closed yet")),
            ToldState::NotShown => {
                return Ok(self.not_closed(told, "its closing is not witnessed yet"));
            }
        };
        if self.is_open {
            return Err(AbsenceError::ClosedAfterOpen);
        }
        let (leaf, closing) = self.closing(text)?;
        if closing.interval != interval || closing.end != end {
            return Err(AbsenceError::OtherInterval(closing.interval));
        }
        match &self.last {
            Some(last)
                if closing.previous != Some(last.leaf)
                    || closing.first.get() != last.size.get() =>
            {
                return Err(AbsenceError::LeftOut);
            }
            None if is_first && interval.start() > from && closing.previous.is_some() => {
                return Err(AbsenceError::LeftOutBefore);
            }
            _ => {}
        }
        self.last = Some(Last {
            leaf,
            size: closing.size,
        });
        let records = closing.size.get().checked_sub(closing.first.get());
        Ok(Checked {
            interval,
            end,
            closing: Some((leaf, records.ok_or(AbsenceError::Contradiction)?)),
            said: self.said(&closing.contents.classes, classes)?,
        })
    }

    fn not_closed(&mut self, told: &Told, why: &'static str) -> Checked {
        self.is_open = true;
        Checked {
            interval: told.interval,
            end: told.end,
            closing: None,
            said: Said::NotClosed(why),
        }
    }

    /// The closing leaf, proven under the log's key of its time.
    fn closing(&self, text: &str) -> Result<(LeafIndex, Closing), AbsenceError> {
        let proof = ProofFile::parse(text.as_bytes())?;
        let (_, key) = self
            .keys
            .open(proof.note.as_bytes())
            .map_err(ProofError::from)?;
        proof.verify(key)?;
        let ProvenMetadata::Bytes(metadata) = &proof.record.metadata else {
            return Err(AbsenceError::NoClosing);
        };
        match Metadata::parse(metadata) {
            Ok(Metadata::Custody(CustodyRecord::IntervalClosed(closing))) => {
                Ok((proof.index, *closing))
            }
            _ => Err(AbsenceError::OtherLeaf(proof.index)),
        }
    }

    fn said(
        &self,
        closed: &[ClosedClass],
        answers: &[(Class, Option<MapAnswer>)],
    ) -> Result<Said, AbsenceError> {
        let known = |(class, _): &(Class, _)| closed.iter().any(|c| c.class == *class);
        if !answers.iter().all(known) {
            return Err(AbsenceError::UnknownClass);
        }
        let (mut present, mut disposed) = (Vec::new(), Vec::new());
        for closed in closed {
            let class = closed.class;
            let mut of_class = answers.iter().filter(|(other, _)| *other == class);
            let (_, answer) = of_class.next().ok_or(AbsenceError::NoAnswer(class))?;
            if of_class.next().is_some() {
                return Err(AbsenceError::TwoAnswers(class));
            }
            let Some(answer) = answer else {
                disposed.push(class);
                continue;
            };
            let records = answer.verify(closed, self.identificativo);
            match records.map_err(|error| AbsenceError::Map(class, error))? {
                0 => {}
                records => present.push((class, records)),
            }
        }
        Ok(match (present.is_empty(), disposed.is_empty()) {
            (true, true) => Said::Absent,
            (true, false) => Said::Disposed(disposed),
            (false, _) => Said::Present(present),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(state: ToldState) -> Told {
        Told {
            interval: IntervalId::new(1_763_683_200_000),
            end: UtcMillis::new(1_763_769_600_000),
            state,
        }
    }

    fn closed() -> Told {
        let proof = [&[1, 0][..], &[0x80], &[0; 31], &[7; 32]].concat();
        let answer = |hashes: Vec<LeafHash>| MapAnswer {
            salt: [9; 32],
            proof: MapProof::from_bytes(&proof).unwrap(),
            hashes,
        };
        told(ToldState::Closed {
            closing: "c2sp.org/tlog-proof@v1\n".to_owned(),
            classes: vec![
                (Class::Trace, Some(answer(Vec::new()))),
                (Class::Infected, None),
                (
                    Class::Justice,
                    Some(answer(vec![LeafHash::from_bytes([5; 32])])),
                ),
            ],
        })
    }

    #[test]
    fn the_vector_of_an_absence_is_reproduced_and_read_back() {
        let open = told(ToldState::Open);
        let text = closed().to_line() + &open.to_line();
        assert_eq!(text, include_str!("../vectors/absence.jsonl"));
        let mut lines = text.lines();
        assert_eq!(Told::parse(lines.next().unwrap().as_bytes()), Ok(closed()));
        assert_eq!(Told::parse(lines.next().unwrap().as_bytes()), Ok(open));
    }

    #[test]
    fn the_head_is_read_back_and_nothing_else_is_one() {
        let head = Head {
            origin: Origin::try_from("pec.example.test/log").unwrap(),
            identificativo: "alfa.1@pec.example.test".into(),
            from: UtcMillis::new(0),
            intervals: 31,
            parts: 2,
            disclosure: LeafIndex::new(7),
            made: UtcMillis::new(1_763_769_600_001),
            requester: "Tribunale di Prova".into(),
            capacity: "court".into(),
            act: "decreto 12/2026".into(),
            purpose: "R.G. 345/2026".into(),
        };
        let line = head.to_line();
        assert_eq!(line, include_str!("../vectors/absence-head.json"));
        assert_eq!(Head::parse(line.as_bytes()), Ok(head));
        for (from, to) in [("absence 1", "absence 2"), ("\"parts\":2", "\"parts\":-2")] {
            let other = line.replacen(from, to, 1);
            assert_eq!(Head::parse(other.as_bytes()), Err(AbsenceError::Shape));
        }
    }

    #[test]
    fn what_is_spelled_otherwise_is_no_line() {
        let line = closed().to_line();
        let line = line.trim_end();
        for (from, to) in [
            ("\"state\":\"closed\"", "\"state\":\"open\""),
            ("\"state\":\"closed\"", "\"state\":\"elsewhere\""),
            ("\"disposed\":1", "\"disposed\":2"),
            ("\"class\":1,", "\"class\":99,"),
            ("{\"classes\"", "{ \"classes\""),
            ("\"salt\":\"09", "\"salt\":\"0"),
        ] {
            let other = line.replacen(from, to, 1);
            assert_ne!(other, line, "{from}");
            let refused = Told::parse(other.as_bytes());
            assert_eq!(refused, Err(AbsenceError::Shape), "{to}");
        }
        let sibling = "07".repeat(32);
        let lower = line.replacen(&sibling, &"ab".repeat(32), 1);
        assert!(Told::parse(lower.as_bytes()).is_ok());
        let upper = line.replacen(&sibling, &"AB".repeat(32), 1);
        let refused = Told::parse(upper.as_bytes());
        assert_eq!(refused, Err(AbsenceError::Shape), "upper case");
        for length in 0..line.len() {
            assert!(Told::parse(&line.as_bytes()[..length]).is_err());
        }
    }

    #[test]
    fn intervals_out_of_order_prove_nothing() {
        let key = "pec.example.test/log+b0b5d5af+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c";
        let keys = KeyChain::new(crate::note::VerifierKey::parse(key).unwrap());
        let mut follower = Follower::new(&keys, b"alfa.1@pec.example.test");
        let open = told(ToldState::Open);
        let checked = follower.take(&open, UtcMillis::new(0)).unwrap();
        assert_eq!(checked.said, Said::NotClosed("records still come into it"));
        let again = follower.take(&open, UtcMillis::new(0));
        assert_eq!(again, Err(AbsenceError::Order));
        let mut follower = Follower::new(&keys, b"alfa.1@pec.example.test");
        let refused = follower.take(&closed(), UtcMillis::new(0));
        assert!(matches!(refused, Err(AbsenceError::Closing(_))));
    }
}
