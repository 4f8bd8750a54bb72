//! The leaf that closes an interval: what its package holds, in digests and counts.
//!
//! Kind 4, class 6: metadata of type `interval-closed`. It names nobody: digests of files with a random head, roots of
//! salted maps, counts (design of disposal: it outlives every class it speaks of). Listed in `docs/formats.md`.

use crate::canonical::{Integer, ObjectReader, ObjectWriter, Text};
use crate::digest::{Sha256, decode_hex};
use crate::id::{INTEGER_MAX, IntervalId, LeafIndex, TreeSize, UtcMillis};
use crate::leaf::Class;

/// The type of event under which the index finds every closing.
pub const INTERVAL_CLOSED: &str = "interval-closed";

/// An interval that was closed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Closing {
    /// The interval.
    pub interval: IntervalId,
    /// When it was to be cut: the start of the next.
    pub end: UtcMillis,
    /// Index of its first leaf, which may not have come.
    pub first: LeafIndex,
    /// Size of the tree at its cut.
    pub size: TreeSize,
    /// The leaf that closed the interval before; none for the first.
    pub previous: Option<LeafIndex>,
    /// The time-stamp over the checkpoint note: its time.
    pub token_time: UtcMillis,
    /// How exact that time is, in milliseconds.
    pub token_accuracy_ms: u64,
    /// Its serial number.
    pub token_serial: Vec<u8>,
    /// Whether the time is proven: the authority's clock was its own.
    pub is_proven: bool,
    /// SHA-256 of the signed index (`PIndex.xml.p7m`).
    pub pindex: Sha256,
    /// SHA-256 of the evidence record over the package.
    pub evidence: Sha256,
    /// SHA-256 of the catalogue of the package.
    pub catalogue: Sha256,
    /// The set of trust material in force at the closing, by its leaf: what signatures of the interval are judged with
    /// once more; none where none was configured.
    pub trust: Option<LeafIndex>,
    /// What the interval holds.
    pub contents: Contents,
}

/// What an interval holds, in digests and counts.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Contents {
    /// What there is of each class that has records: ascending by class.
    pub classes: Vec<ClosedClass>,
    /// Records by class and type of event: ascending.
    pub counts: Vec<EventCount>,
}

impl Contents {
    /// Canonical JSON, as it stands in a package (`contents.json`).
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = String::new();
        ObjectWriter::write(&mut out, |w| self.write(w));
        out.into_bytes()
    }

    /// Reads what [`Contents::to_bytes`] wrote; `None` for anything else.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut r = ObjectReader::parse(bytes).ok()?;
        let contents = Self::read(&mut r).ok()?;
        r.end().ok()?;
        Some(contents)
    }

    /// What there is of a class.
    pub fn class(&self, class: Class) -> Option<&ClosedClass> {
        self.classes.iter().find(|closed| closed.class == class)
    }

    fn write(&self, w: &mut ObjectWriter<'_>) {
        if !self.classes.is_empty() {
            w.objects("classes", &self.classes, ClosedClass::write);
        }
        if !self.counts.is_empty() {
            w.objects("counts", &self.counts, |count, w| {
                w.integer("class", integer(count.class.code().into()));
                w.integer("count", integer(count.count));
                w.text("event", count.event.as_bytes());
            });
        }
    }

    fn read(r: &mut ObjectReader) -> Read<Self> {
        Ok(Self {
            classes: r.objects("classes", ClosedClass::read)?,
            counts: r.objects("counts", |r| {
                Ok(EventCount {
                    class: class(r)?,
                    count: number(r, "count")?,
                    event: r.text("event")?.ok_or("event")?,
                })
            })?,
        })
    }
}

/// What an interval holds of a class.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClosedClass {
    /// The class.
    pub class: Class,
    /// Its records.
    pub records: u64,
    /// SHA-256 of the leaf hashes of its records, concatenated in log order.
    pub leaf_hashes: Sha256,
    /// SHA-256 of each part of its log file.
    pub files: Vec<Sha256>,
    /// Keys in its map.
    pub keys: u64,
    /// Root of its map.
    pub map_root: Sha256,
    /// SHA-256 of the salt of its map.
    pub salt: Sha256,
}

/// How many records of a class say a type of event.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EventCount {
    /// The class.
    pub class: Class,
    /// A word of the closed list of events, of kinds where a record has no event, or `other`.
    pub event: Text,
    /// How many.
    pub count: u64,
}

type Read<T> = Result<T, &'static str>;

fn integer(value: u64) -> Integer {
    Integer::try_from(value.min(INTEGER_MAX)).unwrap_or(Integer::ZERO)
}

fn number(r: &mut ObjectReader, key: &'static str) -> Read<u64> {
    let value = r.integer(key)?.ok_or(key)?;
    u64::try_from(value.get()).map_err(|_| key)
}

fn maybe_index(r: &mut ObjectReader, key: &'static str) -> Read<Option<LeafIndex>> {
    let Some(value) = r.integer(key)? else {
        return Ok(None);
    };
    let index = u64::try_from(value.get()).map_err(|_| key)?;
    Ok(Some(LeafIndex::new(index)))
}

fn digest(r: &mut ObjectReader, key: &'static str) -> Read<Sha256> {
    let text = r.text(key)?.ok_or(key)?;
    text.to_str().and_then(Sha256::from_hex).ok_or(key)
}

fn class(r: &mut ObjectReader) -> Read<Class> {
    let code = u16::try_from(number(r, "class")?).map_err(|_| "class")?;
    Class::try_from(code).map_err(|_| "class")
}

impl Closing {
    pub(crate) fn write(&self, w: &mut ObjectWriter<'_>, schema: Integer) {
        w.text("catalogue", self.catalogue.to_string().as_bytes());
        self.contents.write(w);
        w.integer("end_ms", integer(self.end.get()));
        w.text("evidence", self.evidence.to_string().as_bytes());
        w.integer("first", integer(self.first.get()));
        w.integer("interval_ms", integer(self.interval.get()));
        w.text("pindex", self.pindex.to_string().as_bytes());
        let previous = self.previous.map(|index| integer(index.get()));
        w.maybe_integer("previous", previous);
        w.integer("proven", integer(self.is_proven.into()));
        w.integer("schema", schema);
        w.integer("size", integer(self.size.get()));
        w.integer("token_accuracy_ms", integer(self.token_accuracy_ms));
        w.integer("token_ms", integer(self.token_time.get()));
        w.text("token_serial", hex::encode(&self.token_serial).as_bytes());
        w.maybe_integer("trust", self.trust.map(|index| integer(index.get())));
        w.text("type", INTERVAL_CLOSED.as_bytes());
    }

    pub(crate) fn read(r: &mut ObjectReader) -> Read<Self> {
        Ok(Self {
            catalogue: digest(r, "catalogue")?,
            contents: Contents::read(r)?,
            end: UtcMillis::new(number(r, "end_ms")?),
            evidence: digest(r, "evidence")?,
            first: LeafIndex::new(number(r, "first")?),
            interval: IntervalId::new(number(r, "interval_ms")?),
            pindex: digest(r, "pindex")?,
            previous: maybe_index(r, "previous")?,
            is_proven: match number(r, "proven")? {
                0 => false,
                1 => true,
                _ => return Err("proven"),
            },
            size: TreeSize::new(number(r, "size")?),
            token_accuracy_ms: number(r, "token_accuracy_ms")?,
            token_time: UtcMillis::new(number(r, "token_ms")?),
            token_serial: {
                let text = r.text("token_serial")?.ok_or("token_serial")?;
                let bytes = text.to_str().and_then(decode_hex);
                bytes.ok_or("token_serial")?
            },
            trust: maybe_index(r, "trust")?,
        })
    }
}

impl ClosedClass {
    fn write(&self, w: &mut ObjectWriter<'_>) {
        w.integer("class", integer(self.class.code().into()));
        let files = self.files.iter().map(|file| file.to_string().into());
        let files: Vec<Text> = files.collect();
        if !files.is_empty() {
            w.texts("files", &files);
        }
        w.integer("keys", integer(self.keys));
        w.text("leaf_hashes", self.leaf_hashes.to_string().as_bytes());
        w.text("map_root", self.map_root.to_string().as_bytes());
        w.integer("records", integer(self.records));
        w.text("salt", self.salt.to_string().as_bytes());
    }

    fn read(r: &mut ObjectReader) -> Read<Self> {
        let files = r.texts("files")?;
        let files = files.iter().map(|text| {
            let digest = text.to_str().and_then(Sha256::from_hex);
            digest.ok_or("files")
        });
        Ok(Self {
            class: class(r)?,
            files: files.collect::<Read<_>>()?,
            keys: number(r, "keys")?,
            leaf_hashes: digest(r, "leaf_hashes")?,
            map_root: digest(r, "map_root")?,
            records: number(r, "records")?,
            salt: digest(r, "salt")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::{CustodyRecord, Field, Metadata};

    fn closing() -> Closing {
        let digest = |byte| Sha256::from_bytes([byte; 32]);
        Closing {
            interval: IntervalId::new(1_763_683_200_000),
            end: UtcMillis::new(1_763_769_600_000),
            first: LeafIndex::new(2),
            size: TreeSize::new(5),
            previous: Some(LeafIndex::new(1)),
            token_time: UtcMillis::new(1_763_769_601_000),
            token_accuracy_ms: 1000,
            token_serial: vec![0x0a, 0xff],
            is_proven: true,
            pindex: digest(1),
            evidence: digest(2),
            trust: Some(LeafIndex::new(0)),
            catalogue: digest(3),
            contents: Contents {
                classes: vec![ClosedClass {
                    class: Class::Trace,
                    records: 3,
                    leaf_hashes: digest(4),
                    files: vec![digest(5)],
                    keys: 2,
                    map_root: digest(6),
                    salt: digest(7),
                }],
                counts: vec![EventCount {
                    class: Class::Trace,
                    event: "accettazione".into(),
                    count: 3,
                }],
            },
        }
    }

    #[test]
    fn the_vector_of_a_closing_is_reproduced() {
        let metadata = Metadata::Custody(CustodyRecord::IntervalClosed(Box::new(closing())));
        let bytes = metadata.to_bytes();
        let vector = include_str!("../vectors/closing.json");
        assert_eq!(std::str::from_utf8(&bytes).unwrap(), vector.trim_end());
        assert_eq!(Metadata::parse(&bytes).unwrap(), metadata);
        assert!(metadata.has_term(Field::Event, b"interval-closed"));
        let upper = vector.trim_end().replace("0aff", "0AFF");
        assert!(Metadata::parse(upper.as_bytes()).is_err());
    }

    #[test]
    fn contents_have_one_spelling() {
        for contents in [closing().contents, Contents::default()] {
            let bytes = contents.to_bytes();
            assert_eq!(Contents::parse(&bytes), Some(contents));
            let spaced = String::from_utf8(bytes).unwrap().replace('{', "{ ");
            assert_eq!(Contents::parse(spaced.as_bytes()), None);
        }
    }
}
