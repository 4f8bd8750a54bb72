//! Renewal of evidence: the leaf that says so, and what each package keeps of it.
//!
//! Kind 8, class 6: metadata of type `evidence-renewed`. It names nobody. Listed in `docs/formats.md`.
//!
//! ```text
//! {"first_ms":…,"kind":"time-stamp","last_ms":…,"packages":n,"schema":1,"token":"<64>","type":"evidence-renewed"}
//! ```

use crate::canonical::{Integer, ObjectReader, ObjectWriter};
use crate::digest::{Sha256, decode_hex};
use crate::id::{INTEGER_MAX, IntervalId, UtcMillis};

/// The type of event under which the index finds every renewal.
pub const EVIDENCE_RENEWED: &str = "evidence-renewed";

/// What was renewed (RFC 4998 section 5).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum RenewalKind {
    /// A new token over the old ones (section 5.2).
    TimeStamp,
    /// A new tree over documents and records, and a token over it (section 5.3).
    HashTree,
}

impl RenewalKind {
    /// The word on disk.
    pub const fn word(self) -> &'static str {
        match self {
            Self::TimeStamp => "time-stamp",
            Self::HashTree => "hash-tree",
        }
    }

    /// The kind of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        let all = [Self::TimeStamp, Self::HashTree];
        all.into_iter().find(|kind| kind.word() == word)
    }
}

/// That the evidence of intervals was renewed, by one token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EvidenceRenewed {
    /// The first interval whose evidence it is.
    pub first: IntervalId,
    /// The last one; intervals between whose evidence was not due are not among them.
    pub last: IntervalId,
    /// How many packages were renewed.
    pub packages: u64,
    /// What was renewed.
    pub kind: RenewalKind,
    /// SHA-256 of the new token.
    pub token: Sha256,
}

/// What a package keeps of a renewal beside the token (`renewals/NNNN.json`), canonical JSON.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RenewalFacts {
    /// What was renewed.
    pub kind: RenewalKind,
    /// The hash of the new tree: SHA-256, SHA-384 or SHA-512.
    pub algorithm: String,
    /// Root of the new tree: what was stamped.
    pub root: Vec<u8>,
    /// genTime of the token.
    pub time: UtcMillis,
    /// How exact it is, in milliseconds.
    pub accuracy_ms: u64,
    /// The serial number of the token.
    pub serial: Vec<u8>,
    /// Name of the authority in the configuration of that day.
    pub authority: String,
    /// The earliest end of a certificate of its chain.
    pub valid_until: UtcMillis,
    /// Whether the authority's clock was its own.
    pub is_proven: bool,
}

fn integer(value: u64) -> Integer {
    Integer::try_from(value.min(INTEGER_MAX)).unwrap_or(Integer::ZERO)
}

fn number(r: &mut ObjectReader, key: &'static str) -> Result<u64, &'static str> {
    let value = r.integer(key)?.ok_or(key)?;
    u64::try_from(value.get()).map_err(|_| key)
}

fn word(r: &mut ObjectReader, key: &'static str) -> Result<String, &'static str> {
    let text = r.text(key)?.ok_or(key)?;
    text.to_str().map(str::to_owned).ok_or(key)
}

fn kind(r: &mut ObjectReader) -> Result<RenewalKind, &'static str> {
    RenewalKind::from_word(&word(r, "kind")?).ok_or("kind")
}

fn octets(r: &mut ObjectReader, key: &'static str) -> Result<Vec<u8>, &'static str> {
    decode_hex(&word(r, key)?).ok_or(key)
}

impl EvidenceRenewed {
    pub(crate) fn write(&self, w: &mut ObjectWriter<'_>, schema: Integer) {
        w.integer("first_ms", integer(self.first.get()));
        w.text("kind", self.kind.word().as_bytes());
        w.integer("last_ms", integer(self.last.get()));
        w.integer("packages", integer(self.packages));
        w.integer("schema", schema);
        w.text("token", self.token.to_string().as_bytes());
        w.text("type", EVIDENCE_RENEWED.as_bytes());
    }

    pub(crate) fn read(r: &mut ObjectReader) -> Result<Self, &'static str> {
        Ok(Self {
            first: IntervalId::new(number(r, "first_ms")?),
            kind: kind(r)?,
            last: IntervalId::new(number(r, "last_ms")?),
            packages: number(r, "packages")?,
            token: Sha256::from_hex(&word(r, "token")?).ok_or("token")?,
        })
    }
}

impl RenewalFacts {
    /// Canonical JSON.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = String::new();
        ObjectWriter::write(&mut out, |w| {
            w.integer("accuracy_ms", integer(self.accuracy_ms));
            w.text("algorithm", self.algorithm.as_bytes());
            w.text("authority", self.authority.as_bytes());
            w.text("kind", self.kind.word().as_bytes());
            w.integer("proven", integer(self.is_proven.into()));
            w.text("root", hex::encode(&self.root).as_bytes());
            w.text("serial", hex::encode(&self.serial).as_bytes());
            w.integer("time_ms", integer(self.time.get()));
            w.integer("valid_until_ms", integer(self.valid_until.get()));
        });
        out.into_bytes()
    }

    /// Reads what [`RenewalFacts::to_bytes`] wrote; `None` for anything else.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut r = ObjectReader::parse(bytes).ok()?;
        let facts = Self::read(&mut r).ok()?;
        r.end().ok()?;
        Some(facts)
    }

    fn read(r: &mut ObjectReader) -> Result<Self, &'static str> {
        Ok(Self {
            accuracy_ms: number(r, "accuracy_ms")?,
            algorithm: word(r, "algorithm")?,
            authority: word(r, "authority")?,
            kind: kind(r)?,
            is_proven: match number(r, "proven")? {
                0 => false,
                1 => true,
                _ => return Err("proven"),
            },
            root: octets(r, "root")?,
            serial: octets(r, "serial")?,
            time: UtcMillis::new(number(r, "time_ms")?),
            valid_until: UtcMillis::new(number(r, "valid_until_ms")?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::{CustodyRecord, Field, Metadata};

    #[test]
    fn the_vector_of_a_renewal_is_reproduced() {
        let renewed = EvidenceRenewed {
            first: IntervalId::new(1_763_683_200_000),
            last: IntervalId::new(1_763_769_600_000),
            packages: 2,
            kind: RenewalKind::TimeStamp,
            token: Sha256::of(b"a token"),
        };
        let metadata = Metadata::Custody(CustodyRecord::EvidenceRenewed(renewed));
        let bytes = metadata.to_bytes();
        assert_eq!(
            std::str::from_utf8(&bytes).unwrap(),
            "{\"first_ms\":1763683200000,\"kind\":\"time-stamp\",\"last_ms\":1763769600000,\"packages\":2,\
             \"schema\":1,\"token\":\"e3316e2bafebb6103a3418e8778c0adc960d40213a03a7e7f4fcd3426ed807bf\",\
             \"type\":\"evidence-renewed\"}"
        );
        assert_eq!(Metadata::parse(&bytes), Ok(metadata.clone()));
        assert!(metadata.has_term(Field::Event, b"evidence-renewed"));
    }

    #[test]
    fn the_vector_of_the_facts_of_a_renewal_is_reproduced() {
        let facts = RenewalFacts {
            kind: RenewalKind::HashTree,
            algorithm: "SHA-512".to_owned(),
            root: vec![0xab; 2],
            time: UtcMillis::new(1_763_769_601_000),
            accuracy_ms: 1000,
            serial: vec![0x0a, 0xff],
            authority: "Autorità di prova".to_owned(),
            valid_until: UtcMillis::new(2_000_000_000_000),
            is_proven: true,
        };
        let bytes = facts.to_bytes();
        let text = std::str::from_utf8(&bytes).unwrap();
        assert_eq!(
            text,
            "{\"accuracy_ms\":1000,\"algorithm\":\"SHA-512\",\"authority\":\"Autorità di prova\",\
             \"kind\":\"hash-tree\",\"proven\":1,\"root\":\"abab\",\"serial\":\"0aff\",\
             \"time_ms\":1763769601000,\"valid_until_ms\":2000000000000}"
        );
        assert_eq!(RenewalFacts::parse(&bytes), Some(facts));
        for (right, wrong) in [
            ("abab", "ABAB"),
            ("hash-tree", "tree"),
            (":1,\"root", ":2,\"root"),
        ] {
            let twin = text.replacen(right, wrong, 1);
            assert_eq!(RenewalFacts::parse(twin.as_bytes()), None, "{wrong}");
        }
    }
}
