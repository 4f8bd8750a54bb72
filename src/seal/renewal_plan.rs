//! The plan of a renewal under way, as it is kept until its end.
//!
//! ```text
//! {"algorithm":"SHA-256","kind":"time-stamp","packages":[{"interval_ms":…,"number":1},…]}
//! ```

use super::due::Planned;
use ceralacca_evidence::ers::renewal::Action;
use ceralacca_formats::canonical::{Integer, ObjectReader, ObjectWriter};
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::id::{INTEGER_MAX, IntervalId};
use ceralacca_formats::renewal::{EvidenceRenewed, RenewalKind};
use ceralacca_pec::DigestAlgorithm;

/// A package, and the number that its renewal gets.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Target {
    pub(super) interval: IntervalId,
    pub(super) number: u32,
}

/// Packages that one token renews.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Batch {
    pub(super) kind: RenewalKind,
    /// The hash of the new tree.
    pub(super) algorithm: DigestAlgorithm,
    /// Ascending by interval.
    pub(super) targets: Vec<Target>,
}

fn integer(value: u64) -> Integer {
    Integer::try_from(value.min(INTEGER_MAX)).unwrap_or(Integer::ZERO)
}

impl Batch {
    /// How a step is done; `None` where it cannot be: the table has no hash that lasts.
    pub(super) fn of_step(one: &Planned) -> Option<(RenewalKind, DigestAlgorithm)> {
        match one.step.action {
            Action::Nothing | Action::HashTree(None) => None,
            Action::TimeStamp => Some((RenewalKind::TimeStamp, one.algorithm)),
            Action::HashTree(Some(hash)) => Some((RenewalKind::HashTree, hash)),
        }
    }

    /// What is recorded of it.
    pub(super) fn record(&self, token: Sha256) -> EvidenceRenewed {
        let interval = |target: Option<&Target>| target.map_or(IntervalId::new(0), |t| t.interval);
        EvidenceRenewed {
            first: interval(self.targets.first()),
            last: interval(self.targets.last()),
            packages: self.targets.len() as u64,
            kind: self.kind,
            token,
        }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut out = String::new();
        ObjectWriter::write(&mut out, |w| {
            w.text("algorithm", self.algorithm.name().as_bytes());
            w.text("kind", self.kind.word().as_bytes());
            w.objects("packages", &self.targets, |target, w| {
                w.integer("interval_ms", integer(target.interval.get()));
                w.integer("number", integer(target.number.into()));
            });
        });
        out.into_bytes()
    }

    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut r = ObjectReader::parse(bytes).ok()?;
        let algorithm = r.text("algorithm").ok()??;
        let mut all = DigestAlgorithm::ALL.into_iter();
        let algorithm = all.find(|one| algorithm.to_str() == Some(one.name()))?;
        let kind = RenewalKind::from_word(r.text("kind").ok()??.to_str()?)?;
        let targets = r.objects("packages", |r| {
            let interval = r.integer("interval_ms")?.ok_or("interval_ms")?;
            let number = r.integer("number")?.ok_or("number")?;
            Ok(Target {
                interval: IntervalId::new(
                    u64::try_from(interval.get()).map_err(|_| "interval_ms")?,
                ),
                number: u32::try_from(number.get()).map_err(|_| "number")?,
            })
        });
        let targets: Vec<Target> = targets.ok()?;
        r.end().ok()?;
        let is_sound = !targets.is_empty() && targets.is_sorted_by(|a, b| a.interval < b.interval);
        is_sound.then_some(Self {
            kind,
            algorithm,
            targets,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_read_back_and_another_is_refused() {
        let target = |interval, number| Target {
            interval: IntervalId::new(interval),
            number,
        };
        let batch = Batch {
            kind: RenewalKind::TimeStamp,
            algorithm: DigestAlgorithm::Sha256,
            targets: vec![target(1, 2), target(5, 1)],
        };
        let bytes = batch.to_bytes();
        assert_eq!(Batch::parse(&bytes), Some(batch.clone()));
        let record = batch.record(Sha256::of(b"x"));
        assert_eq!(
            (record.first.get(), record.last.get(), record.packages),
            (1, 5, 2)
        );
        for targets in [vec![], vec![target(5, 1), target(1, 1)]] {
            let other = Batch {
                targets,
                ..batch.clone()
            };
            assert_eq!(Batch::parse(&other.to_bytes()), None);
        }
    }
}
