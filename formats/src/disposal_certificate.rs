//! The certificate of a disposal: what its signature is over, canonical JSON. Listed in `docs/formats.md`.
//!
//! It proves what the archive declares, when. That no copy is left elsewhere it cannot prove, and says so.

use crate::canonical::{Integer, ObjectReader, ObjectWriter, Text};
use crate::digest::{Sha256, decode_hex};
use crate::disposal::DisposalUnit;
use crate::id::{INTEGER_MAX, IntervalId, LeafIndex, TreeSize, UtcMillis};
use crate::leaf::Class;
use crate::metadata::LeafRange;

/// The type that it says it is.
pub const DISPOSAL_CERTIFICATE: &str = "disposal-certificate";

/// A principal's approval.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GivenApproval {
    /// The leaf of it.
    pub leaf: LeafIndex,
    /// Who gave it.
    pub principal: Text,
}

/// A fresh token that proved the time.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TimeWitness {
    /// The authority, by its name in the configuration.
    pub authority: Text,
    /// `genTime`, milliseconds since 1970.
    pub gen_time: UtcMillis,
    /// The serial number of the token.
    pub serial: Vec<u8>,
    /// SHA-256 of the token.
    pub token: Sha256,
}

/// What a certificate of a disposal says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DisposalCertificate {
    /// The two approvals.
    pub approvals: [GivenApproval; 2],
    /// The tokens by which the time was proven.
    pub authorities: Vec<TimeWitness>,
    /// The reading of the software clock.
    pub clock: UtcMillis,
    /// The leaf that says that it is complete; none before.
    pub completed: Option<LeafIndex>,
    /// When it was complete, by the archive's clock; none before.
    pub completed_at: Option<UtcMillis>,
    /// Whether the log is one to try the archive out.
    pub is_development: bool,
    /// When the secrets were destroyed, by the archive's clock.
    pub executed_at: UtcMillis,
    /// Index of the first leaf of the interval, and the size of the tree at its end: the leaves lie between.
    pub first: LeafIndex,
    /// See there.
    pub size: TreeSize,
    /// Octets of files and tables that were freed, as far as they were measured.
    pub freed_bytes: u64,
    /// The grace after the second approval, in hours.
    pub grace_hours: u16,
    /// Leaves that a hold kept, carried over: ascending.
    pub held: Vec<LeafRange>,
    /// Holds that the log had set and released when it was judged.
    pub holds_set: u64,
    /// See there.
    pub holds_released: u64,
    /// The leaf of the intent.
    pub intent: LeafIndex,
    /// The end of the interval.
    pub interval_end: UtcMillis,
    /// The first instant at which disposal was lawful.
    pub lawful_from: UtcMillis,
    /// SHA-256 of the leaf hashes of the records disposed of, concatenated in log order.
    pub leaf_hashes: Sha256,
    /// The origin of the log.
    pub log: Text,
    /// What was done, a word for each step, in order.
    pub method: Vec<Text>,
    /// The term, in months.
    pub months: u16,
    /// The proven time on which it was done.
    pub proven: UtcMillis,
    /// Which witness of the time was the earliest: authorities, chain or clock.
    pub proven_by: Text,
    /// Records disposed of.
    pub records: u64,
    /// The rule, with its article, in Italian.
    pub rule: Text,
    /// The software.
    pub software: Text,
    /// What the certificate proves and what it cannot, in Italian.
    pub statement: Text,
    /// The unit.
    pub unit: DisposalUnit,
}

type Read<T> = Result<T, &'static str>;

fn integer(value: u64) -> Integer {
    Integer::try_from(value.min(INTEGER_MAX)).unwrap_or(Integer::ZERO)
}

fn number(r: &mut ObjectReader, key: &'static str) -> Read<u64> {
    maybe(r, key)?.ok_or(key)
}

fn maybe(r: &mut ObjectReader, key: &'static str) -> Read<Option<u64>> {
    let value = r.integer(key)?.map(|value| u64::try_from(value.get()));
    value.transpose().map_err(|_| key)
}

fn text(r: &mut ObjectReader, key: &'static str) -> Read<Text> {
    r.text(key)?.ok_or(key)
}

fn digest(r: &mut ObjectReader, key: &'static str) -> Read<Sha256> {
    let text = text(r, key)?;
    text.to_str().and_then(Sha256::from_hex).ok_or(key)
}

fn small(r: &mut ObjectReader, key: &'static str) -> Read<u16> {
    u16::try_from(number(r, key)?).map_err(|_| key)
}

impl DisposalCertificate {
    /// Canonical JSON.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = String::new();
        ObjectWriter::write(&mut out, |w| self.write(w));
        out.into_bytes()
    }

    fn write(&self, w: &mut ObjectWriter<'_>) {
        w.objects("approvals", &self.approvals, |given, w| {
            w.integer("leaf", integer(given.leaf.get()));
            w.text("principal", given.principal.as_bytes());
        });
        if !self.authorities.is_empty() {
            w.objects("authorities", &self.authorities, |witness, w| {
                w.text("authority", witness.authority.as_bytes());
                w.integer("gen_ms", integer(witness.gen_time.get()));
                w.text("serial", hex::encode(&witness.serial).as_bytes());
                w.text("token", witness.token.to_string().as_bytes());
            });
        }
        w.integer("carried", integer(self.unit.carried.into()));
        w.integer("class", integer(self.unit.class.code().into()));
        w.integer("clock_ms", integer(self.clock.get()));
        let completed = self.completed.map(|leaf| integer(leaf.get()));
        w.maybe_integer("completed", completed);
        let completed_at = self.completed_at.map(|at| integer(at.get()));
        w.maybe_integer("completed_ms", completed_at);
        w.integer("development", integer(self.is_development.into()));
        w.integer("executed_ms", integer(self.executed_at.get()));
        w.integer("first", integer(self.first.get()));
        w.integer("freed_bytes", integer(self.freed_bytes));
        w.integer("grace_hours", integer(self.grace_hours.into()));
        LeafRange::write(w, "held", &self.held);
        w.integer("holds_released", integer(self.holds_released));
        w.integer("holds_set", integer(self.holds_set));
        w.integer("intent", integer(self.intent.get()));
        w.integer("interval_end_ms", integer(self.interval_end.get()));
        w.integer("interval_ms", integer(self.unit.interval.get()));
        w.integer("lawful_from_ms", integer(self.lawful_from.get()));
        w.text("leaf_hashes", self.leaf_hashes.to_string().as_bytes());
        w.text("log", self.log.as_bytes());
        w.texts("method", &self.method);
        w.integer("months", integer(self.months.into()));
        w.text("proven_by", self.proven_by.as_bytes());
        w.integer("proven_ms", integer(self.proven.get()));
        w.integer("records", integer(self.records));
        w.text("rule", self.rule.as_bytes());
        w.integer("schema", integer(1));
        w.integer("size", integer(self.size.get()));
        w.text("software", self.software.as_bytes());
        w.text("statement", self.statement.as_bytes());
        w.text("type", DISPOSAL_CERTIFICATE.as_bytes());
    }

    /// Reads what [`DisposalCertificate::to_bytes`] wrote; `None` for anything else.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut r = ObjectReader::parse(bytes).ok()?;
        let certificate = Self::read(&mut r).ok()?;
        r.end().ok()?;
        Some(certificate)
    }

    fn read(r: &mut ObjectReader) -> Read<Self> {
        if number(r, "schema")? != 1 || text(r, "type")?.to_str() != Some(DISPOSAL_CERTIFICATE) {
            return Err("type");
        }
        let approvals = r.objects("approvals", |r| {
            Ok(GivenApproval {
                leaf: LeafIndex::new(number(r, "leaf")?),
                principal: text(r, "principal")?,
            })
        })?;
        let authorities = r.objects("authorities", |r| {
            let serial = text(r, "serial")?;
            let serial = serial.to_str().and_then(decode_hex);
            Ok(TimeWitness {
                authority: text(r, "authority")?,
                gen_time: UtcMillis::new(number(r, "gen_ms")?),
                serial: serial.ok_or("serial")?,
                token: digest(r, "token")?,
            })
        })?;
        let unit = DisposalUnit {
            interval: IntervalId::new(number(r, "interval_ms")?),
            class: Class::try_from(small(r, "class")?).map_err(|_| "class")?,
            carried: u32::try_from(number(r, "carried")?).map_err(|_| "carried")?,
        };
        Ok(Self {
            approvals: approvals.try_into().map_err(|_| "approvals")?,
            authorities,
            clock: UtcMillis::new(number(r, "clock_ms")?),
            completed: maybe(r, "completed")?.map(LeafIndex::new),
            completed_at: maybe(r, "completed_ms")?.map(UtcMillis::new),
            is_development: match number(r, "development")? {
                0 => false,
                1 => true,
                _ => return Err("development"),
            },
            executed_at: UtcMillis::new(number(r, "executed_ms")?),
            first: LeafIndex::new(number(r, "first")?),
            size: TreeSize::new(number(r, "size")?),
            freed_bytes: number(r, "freed_bytes")?,
            grace_hours: small(r, "grace_hours")?,
            held: LeafRange::read(r, "held")?,
            holds_set: number(r, "holds_set")?,
            holds_released: number(r, "holds_released")?,
            intent: LeafIndex::new(number(r, "intent")?),
            interval_end: UtcMillis::new(number(r, "interval_end_ms")?),
            lawful_from: UtcMillis::new(number(r, "lawful_from_ms")?),
            leaf_hashes: digest(r, "leaf_hashes")?,
            log: text(r, "log")?,
            method: r.texts("method")?,
            months: small(r, "months")?,
            proven: UtcMillis::new(number(r, "proven_ms")?),
            proven_by: text(r, "proven_by")?,
            records: number(r, "records")?,
            rule: text(r, "rule")?,
            software: text(r, "software")?,
            statement: text(r, "statement")?,
            unit,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vector_of_a_certificate_is_reproduced() {
        let given = |leaf, name: &str| GivenApproval {
            leaf: LeafIndex::new(leaf),
            principal: name.into(),
        };
        let at = |ms| UtcMillis::new(ms);
        let certificate = DisposalCertificate {
            approvals: [given(8, "anna"), given(10, "bruno")],
            authorities: vec![TimeWitness {
                authority: "uno".into(),
                gen_time: at(1_850_000_000_000),
                serial: vec![0x0a, 0xff],
                token: Sha256::from_bytes([2; 32]),
            }],
            clock: at(1_850_000_000_001),
            completed: Some(LeafIndex::new(12)),
            completed_at: Some(at(1_850_000_000_003)),
            is_development: false,
            executed_at: at(1_850_000_000_002),
            first: LeafIndex::new(1),
            size: TreeSize::new(5),
            freed_bytes: 4096,
            grace_hours: 72,
            held: vec![LeafRange {
                first: 3.into(),
                last: 3.into(),
            }],
            holds_set: 2,
            holds_released: 1,
            intent: LeafIndex::new(7),
            interval_end: at(1_763_769_600_000),
            lawful_from: at(1_842_688_800_000),
            leaf_hashes: Sha256::from_bytes([1; 32]),
            log: "pec.example.test/log".into(),
            method: vec!["secrets".into(), "rows".into()],
            months: 30,
            proven: at(1_849_999_999_000),
            proven_by: "authorities".into(),
            records: 3,
            rule: "Da conservare".into(),
            software: "ceralacca 0.1.0".into(),
            statement: "Dichiarazione".into(),
            unit: DisposalUnit {
                interval: IntervalId::new(1_763_683_200_000),
                class: Class::Trace,
                carried: 0,
            },
        };
        let bytes = certificate.to_bytes();
        let vector = include_str!("../vectors/disposal-certificate.json");
        assert_eq!(std::str::from_utf8(&bytes).unwrap(), vector.trim_end());
        assert_eq!(DisposalCertificate::parse(&bytes), Some(certificate));
        for (right, wrong) in [
            ("\"schema\":1", "\"schema\":2"),
            ("disposal-certificate", "certificate"),
            (",{\"leaf\":10,\"principal\":\"bruno\"}", ""),
            ("\"development\":0", "\"development\":2"),
        ] {
            let twin = vector.trim_end().replacen(right, wrong, 1);
            assert_eq!(DisposalCertificate::parse(twin.as_bytes()), None, "{wrong}");
        }
    }
}
