//! The head of an answer that what was asked for was disposed of: who asked, what is gone, and where its certificates
//! lie beside it. Listed in `docs/formats.md`.
//!
//! ```text
//! {"act":"…","capacity":"court","disclosure":n,"format":"ceralacca disposed 1","made":n,"origin":"…","purpose":"…",
//!  "requester":"…","units":[{"carried":0,"certificate":"proof/scarto/…","class":4,"interval_ms":n},…]}
//! ```
//! One line of canonical JSON (RFC 8785), and a line feed. A unit without `certificate` has none in the answer.
//!
//! # Invariants
//! 1. One spelling: what would be written otherwise is refused.

use crate::canonical::{Integer, ObjectReader, ObjectWriter, Text};
use crate::disposal::DisposalUnit;
use crate::id::{INTEGER_MAX, IntervalId, LeafIndex, Origin, UtcMillis};
use crate::leaf::Class;

const FORMAT: &str = "ceralacca disposed 1";

/// A unit that is gone, as an answer names it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NamedUnit {
    /// Which.
    pub unit: DisposalUnit,
    /// The file of its certificate; none where that is not issued yet, or not among the files.
    pub certificate: Option<String>,
}

/// What such an answer is to, and what it names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DisposedHead {
    /// Origin of the log.
    pub origin: Origin,
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
    /// What is gone.
    pub units: Vec<NamedUnit>,
}

/// Not a head of this format.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a head of an answer that something was disposed of")]
pub struct DisposedHeadError;

fn integer(value: u64) -> Integer {
    Integer::try_from(value.min(INTEGER_MAX)).unwrap_or(Integer::ZERO)
}

fn number(r: &mut ObjectReader, key: &'static str) -> Result<u64, &'static str> {
    let value = r.integer(key)?.ok_or(key)?;
    u64::try_from(value.get()).map_err(|_| key)
}

fn text(r: &mut ObjectReader, key: &'static str) -> Result<Text, &'static str> {
    r.text(key)?.ok_or(key)
}

fn write_unit(named: &NamedUnit, w: &mut ObjectWriter<'_>) {
    w.integer("carried", integer(named.unit.carried.into()));
    if let Some(file) = &named.certificate {
        w.text("certificate", file.as_bytes());
    }
    w.integer("class", integer(named.unit.class.code().into()));
    w.integer("interval_ms", integer(named.unit.interval.get()));
}

fn read_unit(r: &mut ObjectReader) -> Result<NamedUnit, &'static str> {
    let certificate = r.text("certificate")?;
    let certificate = certificate.map(|file| file.to_str().map(str::to_owned).ok_or("certificate"));
    let class = u16::try_from(number(r, "class")?).map_err(|_| "class")?;
    Ok(NamedUnit {
        unit: DisposalUnit {
            interval: IntervalId::new(number(r, "interval_ms")?),
            class: Class::try_from(class).map_err(|_| "class")?,
            carried: u32::try_from(number(r, "carried")?).map_err(|_| "carried")?,
        },
        certificate: certificate.transpose()?,
    })
}

impl DisposedHead {
    /// Canonical JSON (RFC 8785), and a line feed.
    pub fn to_line(&self) -> String {
        let mut line = String::new();
        ObjectWriter::write(&mut line, |w| {
            w.text("act", self.act.as_bytes());
            w.text("capacity", self.capacity.as_bytes());
            w.integer("disclosure", integer(self.disclosure.get()));
            w.text("format", FORMAT.as_bytes());
            w.integer("made", integer(self.made.get()));
            w.text("origin", self.origin.as_str().as_bytes());
            w.text("purpose", self.purpose.as_bytes());
            w.text("requester", self.requester.as_bytes());
            w.objects("units", &self.units, write_unit);
        });
        line.push('\n');
        line
    }

    /// Reads what [`DisposedHead::to_line`] wrote.
    ///
    /// # Errors
    /// [`DisposedHeadError`] for anything else.
    pub fn parse(bytes: &[u8]) -> Result<Self, DisposedHeadError> {
        let line = bytes.strip_suffix(b"\n").ok_or(DisposedHeadError)?;
        let mut r = ObjectReader::parse(line).map_err(|_| DisposedHeadError)?;
        let head = Self::read(&mut r).map_err(|_| DisposedHeadError)?;
        r.end().map_err(|_| DisposedHeadError)?;
        Ok(head)
    }

    fn read(r: &mut ObjectReader) -> Result<Self, &'static str> {
        if text(r, "format")?.to_str() != Some(FORMAT) {
            return Err("format");
        }
        let origin = text(r, "origin")?;
        let origin = origin.to_str().ok_or("origin")?;
        Ok(Self {
            act: text(r, "act")?,
            capacity: text(r, "capacity")?,
            disclosure: LeafIndex::new(number(r, "disclosure")?),
            made: UtcMillis::new(number(r, "made")?),
            origin: Origin::try_from(origin).map_err(|_| "origin")?,
            purpose: text(r, "purpose")?,
            requester: text(r, "requester")?,
            units: r.objects("units", read_unit)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vector_of_the_head_is_reproduced_and_nothing_else_is_one() {
        let unit = |carried, certificate: Option<&str>| NamedUnit {
            unit: DisposalUnit {
                interval: IntervalId::new(1_763_683_200_000),
                class: Class::Receipt,
                carried,
            },
            certificate: certificate.map(str::to_owned),
        };
        let head = DisposedHead {
            origin: Origin::try_from("pec.example.test/log").unwrap(),
            disclosure: LeafIndex::new(7),
            made: UtcMillis::new(1_863_769_600_001),
            requester: "Tribunale di Prova".into(),
            capacity: "court".into(),
            act: "decreto 12/2026".into(),
            purpose: "R.G. 345/2026".into(),
            units: vec![
                unit(0, Some("proof/scarto/1763683200000-receipt.p7m")),
                unit(1, None),
            ],
        };
        let line = head.to_line();
        assert_eq!(line, include_str!("../vectors/disposed-head.json"));
        assert_eq!(DisposedHead::parse(line.as_bytes()), Ok(head));
        for (from, to) in [
            ("disposed 1", "disposed 2"),
            ("\"class\":4", "\"class\":99"),
            ("\"carried\":1", "\"carried\":-1"),
            ("{\"act\"", "{ \"act\""),
        ] {
            let other = line.replacen(from, to, 1);
            assert_ne!(other, line, "{from}");
            assert_eq!(
                DisposedHead::parse(other.as_bytes()),
                Err(DisposedHeadError)
            );
        }
        for length in 0..line.len() {
            assert!(DisposedHead::parse(&line.as_bytes()[..length]).is_err());
        }
    }
}
