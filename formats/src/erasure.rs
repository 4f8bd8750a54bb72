//! Single erasure: the leaves that say that the erasure of one record was proposed, and that it was carried out; and
//! its certificate.
//!
//! Kinds 12 and 5, class 6: an index, a class, words of a closed list; who acted stands in the leaf after each
//! (`act-detail`). Listed in `docs/formats.md`.
//!
//! ```text
//! {"ground":"contract-end","record":…,"role":"…","schema":1,"type":"erasure-proposed"}
//! {"class":4,"facts":…,"ground":"…","proposal":…,"record":…,"role":"…","schema":1,"type":"record-erased"}
//! ```

use crate::canonical::{Integer, ObjectReader, ObjectWriter, Text};
use crate::digest::decode_hex;
use crate::id::{INTEGER_MAX, IntervalId, LeafIndex, UtcMillis};
use crate::leaf::{Class, LEAF_BYTES, Leaf};

/// The type of event under which the index finds every proposal.
pub const ERASURE_PROPOSED: &str = "erasure-proposed";
/// The type of event under which the index finds every erasure.
pub const RECORD_ERASED: &str = "record-erased";
/// The type that a certificate says it is.
pub const ERASURE_CERTIFICATE: &str = "erasure-certificate";

type Read<T> = Result<T, &'static str>;

/// Why a record is erased before its term.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Ground {
    /// A person asked for it (GDPR art. 17).
    DataSubject = 1,
    /// The contract under which it was kept ended.
    ContractEnd = 2,
    /// A supervisory authority ordered it (GDPR art. 58(2)(g)).
    AuthorityOrder = 3,
}

impl Ground {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::DataSubject, Self::ContractEnd, Self::AuthorityOrder];

    /// The code in rows.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The word in metadata and on the command line.
    pub const fn word(self) -> &'static str {
        match self {
            Self::DataSubject => "data-subject",
            Self::ContractEnd => "contract-end",
            Self::AuthorityOrder => "authority-order",
        }
    }

    /// The rule, in Italian, as the certificate cites it.
    pub const fn italian(self) -> &'static str {
        match self {
            Self::DataSubject => {
                "richiesta dell'interessato (art. 17 del regolamento (UE) 2016/679)"
            }
            Self::ContractEnd => "cessazione del contratto di conservazione",
            Self::AuthorityOrder => {
                "ordine dell'autorità di controllo (art. 58, par. 2, lett. g, del regolamento (UE) 2016/679)"
            }
        }
    }

    /// The ground of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.word() == word)
    }

    /// The ground of a code.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.code() == code)
    }
}

/// The erasure of a record was proposed; another principal is to confirm it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ErasureProposed {
    /// The record.
    pub record: LeafIndex,
    /// Why.
    pub ground: Ground,
    /// The role that allowed it, a word of a closed list.
    pub role: Text,
}

/// A record was erased: its keys, its rows, what it was found by. Its leaf stays.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RecordErased {
    /// The record.
    pub record: LeafIndex,
    /// Its class.
    pub class: Class,
    /// The trace record of its facts, which stays; none where it had none.
    pub facts: Option<LeafIndex>,
    /// Why.
    pub ground: Ground,
    /// The leaf that proposed it.
    pub proposal: LeafIndex,
    /// The role that allowed it.
    pub role: Text,
}

/// A principal's part in an erasure.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ErasureAct {
    /// The leaf that says so.
    pub leaf: LeafIndex,
    /// Who.
    pub principal: Text,
}

/// What the certificate of an erasure says: canonical JSON, inside the signature.
///
/// It proves what the archive declares, when. That no copy is left elsewhere it cannot prove, and says so.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ErasureCertificate {
    /// Who proposed and who confirmed it.
    pub acts: [ErasureAct; 2],
    /// When the keys were destroyed, by the archive's clock.
    pub erased_at: UtcMillis,
    /// The trace record of its facts, which stays; none where it had none.
    pub facts: Option<LeafIndex>,
    /// Why.
    pub ground: Ground,
    /// Holds that the log had set and released when it was judged: none of them named the record.
    pub holds_set: u64,
    /// See there.
    pub holds_released: u64,
    /// The interval of the record.
    pub interval: IntervalId,
    /// The leaf of the record, which stays.
    pub leaf: Leaf,
    /// Until when a ciphertext without its key stays locked in a tier; none where no copy is locked.
    pub locked_until: Option<UtcMillis>,
    /// The origin of the log.
    pub log: Text,
    /// What was done, a word for each step, in order.
    pub method: Vec<Text>,
    /// The software.
    pub software: Text,
    /// What the certificate proves and what it cannot, in Italian.
    pub statement: Text,
}

fn integer(value: u64) -> Integer {
    Integer::try_from(value.min(INTEGER_MAX)).unwrap_or(Integer::ZERO)
}

fn maybe(r: &mut ObjectReader, key: &'static str) -> Read<Option<u64>> {
    let value = r.integer(key)?.map(|value| u64::try_from(value.get()));
    value.transpose().map_err(|_| key)
}

fn number(r: &mut ObjectReader, key: &'static str) -> Read<u64> {
    maybe(r, key)?.ok_or(key)
}

fn text(r: &mut ObjectReader, key: &'static str) -> Read<Text> {
    r.text(key)?.ok_or(key)
}

fn ground(r: &mut ObjectReader) -> Read<Ground> {
    let word = text(r, "ground")?;
    word.to_str().and_then(Ground::from_word).ok_or("ground")
}

fn class(r: &mut ObjectReader) -> Read<Class> {
    let code = u16::try_from(number(r, "class")?).map_err(|_| "class")?;
    Class::try_from(code).map_err(|_| "class")
}

fn index(r: &mut ObjectReader, key: &'static str) -> Read<LeafIndex> {
    number(r, key).map(LeafIndex::new)
}

impl ErasureProposed {
    pub(crate) fn write(&self, w: &mut ObjectWriter<'_>, schema: Integer) {
        w.text("ground", self.ground.word().as_bytes());
        w.integer("record", integer(self.record.get()));
        w.text("role", self.role.as_bytes());
        w.integer("schema", schema);
        w.text("type", ERASURE_PROPOSED.as_bytes());
    }

    pub(crate) fn read(r: &mut ObjectReader) -> Read<Self> {
        Ok(Self {
            record: index(r, "record")?,
            ground: ground(r)?,
            role: text(r, "role")?,
        })
    }
}

impl RecordErased {
    pub(crate) fn write(&self, w: &mut ObjectWriter<'_>, schema: Integer) {
        w.integer("class", integer(self.class.code().into()));
        w.maybe_integer("facts", self.facts.map(|facts| integer(facts.get())));
        w.text("ground", self.ground.word().as_bytes());
        w.integer("proposal", integer(self.proposal.get()));
        w.integer("record", integer(self.record.get()));
        w.text("role", self.role.as_bytes());
        w.integer("schema", schema);
        w.text("type", RECORD_ERASED.as_bytes());
    }

    pub(crate) fn read(r: &mut ObjectReader) -> Read<Self> {
        Ok(Self {
            record: index(r, "record")?,
            class: class(r)?,
            facts: maybe(r, "facts")?.map(LeafIndex::new),
            ground: ground(r)?,
            proposal: index(r, "proposal")?,
            role: text(r, "role")?,
        })
    }
}

impl ErasureCertificate {
    /// Canonical JSON.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = String::new();
        ObjectWriter::write(&mut out, |w| {
            w.objects("acts", &self.acts, |act, w| {
                w.integer("leaf", integer(act.leaf.get()));
                w.text("principal", act.principal.as_bytes());
            });
            w.integer("erased_ms", integer(self.erased_at.get()));
            w.maybe_integer("facts", self.facts.map(|facts| integer(facts.get())));
            w.text("ground", self.ground.word().as_bytes());
            w.integer("holds_released", integer(self.holds_released));
            w.integer("holds_set", integer(self.holds_set));
            w.integer("interval_ms", integer(self.interval.get()));
            w.text("leaf", hex::encode(self.leaf.to_bytes()).as_bytes());
            let locked = self.locked_until.map(|until| integer(until.get()));
            w.maybe_integer("locked_until_ms", locked);
            w.text("log", self.log.as_bytes());
            w.texts("method", &self.method);
            w.integer("schema", Integer::from(crate::metadata::SCHEMA));
            w.text("software", self.software.as_bytes());
            w.text("statement", self.statement.as_bytes());
            w.text("type", ERASURE_CERTIFICATE.as_bytes());
        });
        out.into_bytes()
    }

    /// Reads what [`ErasureCertificate::to_bytes`] wrote; `None` for anything else.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut r = ObjectReader::parse(bytes).ok()?;
        let certificate = Self::read(&mut r).ok()?;
        r.end().ok()?;
        (certificate.to_bytes() == bytes).then_some(certificate)
    }

    fn read(r: &mut ObjectReader) -> Read<Self> {
        let schema = Integer::from(crate::metadata::SCHEMA);
        if r.integer("schema")? != Some(schema) {
            return Err("schema");
        }
        if text(r, "type")?.to_str() != Some(ERASURE_CERTIFICATE) {
            return Err("type");
        }
        let acts = r.objects("acts", |r| {
            Ok(ErasureAct {
                leaf: index(r, "leaf")?,
                principal: text(r, "principal")?,
            })
        })?;
        let leaf = text(r, "leaf")?;
        let leaf = leaf.to_str().and_then(decode_hex);
        let leaf: Option<[u8; LEAF_BYTES]> = leaf.and_then(|leaf| leaf.try_into().ok());
        let leaf = leaf.and_then(|leaf| Leaf::from_bytes(&leaf).ok());
        Ok(Self {
            acts: acts.try_into().map_err(|_| "acts")?,
            erased_at: UtcMillis::new(number(r, "erased_ms")?),
            facts: maybe(r, "facts")?.map(LeafIndex::new),
            ground: ground(r)?,
            holds_set: number(r, "holds_set")?,
            holds_released: number(r, "holds_released")?,
            interval: IntervalId::new(number(r, "interval_ms")?),
            leaf: leaf.ok_or("leaf")?,
            locked_until: maybe(r, "locked_until_ms")?.map(UtcMillis::new),
            log: text(r, "log")?,
            method: r.texts("method")?,
            software: text(r, "software")?,
            statement: text(r, "statement")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leaf::{Commitment, Epoch, Kind};
    use crate::metadata::{CustodyRecord, Field, Metadata};

    #[test]
    fn the_vectors_of_an_erasure_are_reproduced() {
        let proposed = ErasureProposed {
            record: LeafIndex::new(7),
            ground: Ground::ContractEnd,
            role: "provider".into(),
        };
        let erased = RecordErased {
            record: LeafIndex::new(7),
            class: Class::Receipt,
            facts: Some(LeafIndex::new(8)),
            ground: Ground::DataSubject,
            proposal: LeafIndex::new(20),
            role: "approver".into(),
        };
        for (record, text, word) in [
            (
                CustodyRecord::ErasureProposed(proposed),
                "{\"ground\":\"contract-end\",\"record\":7,\"role\":\"provider\",\"schema\":1,\
                 \"type\":\"erasure-proposed\"}",
                ERASURE_PROPOSED,
            ),
            (
                CustodyRecord::RecordErased(erased),
                "{\"class\":4,\"facts\":8,\"ground\":\"data-subject\",\"proposal\":20,\"record\":7,\
                 \"role\":\"approver\",\"schema\":1,\"type\":\"record-erased\"}",
                RECORD_ERASED,
            ),
        ] {
            let metadata = Metadata::Custody(record);
            let bytes = metadata.to_bytes();
            assert_eq!(std::str::from_utf8(&bytes).unwrap(), text);
            assert_eq!(Metadata::parse(&bytes), Ok(metadata.clone()));
            assert!(metadata.has_term(Field::Event, word.as_bytes()));
        }
    }

    #[test]
    fn the_vector_of_a_certificate_is_reproduced() {
        let act = |leaf, name: &str| ErasureAct {
            leaf: LeafIndex::new(leaf),
            principal: name.into(),
        };
        let certificate = ErasureCertificate {
            acts: [act(20, "anna"), act(22, "bruno")],
            erased_at: UtcMillis::new(1_763_700_000_000),
            facts: Some(LeafIndex::new(8)),
            ground: Ground::DataSubject,
            holds_set: 3,
            holds_released: 1,
            interval: IntervalId::new(1_763_683_200_000),
            leaf: Leaf {
                kind: Kind::Receipt,
                epoch: Epoch(1),
                seq: LeafIndex::new(7),
                time: UtcMillis::new(1_763_690_000_000),
                class: Class::Receipt,
                commitment: Commitment::from_bytes([0x44; 32]),
            },
            locked_until: None,
            log: "pec.example.test/log".into(),
            method: vec!["keys-destroyed".into(), "rows-removed".into()],
            software: "ceralacca 0.1.0".into(),
            statement: "Si attesta.".into(),
        };
        let bytes = certificate.to_bytes();
        let line = format!("{}\n", std::str::from_utf8(&bytes).unwrap());
        assert_eq!(line, include_str!("../vectors/erasure-certificate.json"));
        assert_eq!(ErasureCertificate::parse(&bytes), Some(certificate.clone()));
        let locked = ErasureCertificate {
            locked_until: Some(UtcMillis::new(1_900_000_000_000)),
            facts: None,
            ..certificate
        };
        assert_eq!(ErasureCertificate::parse(&locked.to_bytes()), Some(locked));
        for (right, wrong) in [
            ("5045434c", "5045434d"),
            ("data-subject", "mood"),
            ("\"schema\":1", "\"schema\":2"),
            ("\"facts\":8,", "\"facts\":8,\"facts2\":8,"),
        ] {
            let twin = line.trim_end().replacen(right, wrong, 1);
            assert_eq!(ErasureCertificate::parse(twin.as_bytes()), None, "{wrong}");
        }
    }
}
