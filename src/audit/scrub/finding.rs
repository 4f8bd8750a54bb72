//! One damaged item, and what hangs on it.

use crate::audit::fsck::Damage;
use crate::store::StoreFile;
use crate::store::cf::ColumnFamily;
use crate::store::cf::leaf::Leaves;
use crate::store::cf::metadata::EncryptedMetadata;
use crate::store::cf::tile::Tiles;
use ceralacca_formats::tile::{TileId, TilePath};

/// Findings named in a report; the rest is counted.
pub const FINDINGS_MAX: usize = 1000;

/// A damaged item. Names numbers and files, never a person.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// What kind of item: `leaf`, `tile`, `record`, `checkpoint`, `interval`, `tip`, `index`, `leaf-hash`,
    /// `client-key`, `dictionary`, `family`, `file`, `database`.
    pub kind: String,
    /// Its leaf index, where it is of one leaf.
    pub index: Option<u64>,
    /// Which one.
    pub item: String,
    /// What is wrong.
    pub why: String,
    /// What cannot be relied on until it is mended.
    pub hangs: String,
}

impl Finding {
    pub(super) fn new(kind: &str, index: Option<u64>, item: &str, why: &str, hangs: &str) -> Self {
        let plain = |text: &str| text.replace(char::is_control, "\u{fffd}");
        Self {
            kind: plain(kind),
            index,
            item: plain(item),
            why: plain(why),
            hangs: plain(hangs),
        }
    }

    pub(super) fn database(why: &str) -> Self {
        let hangs = "the next start of the log, and what was written last";
        Self::new("database", None, "database", why, hangs)
    }

    /// A file of the database, from one byte to before another.
    pub(super) fn file(file: &StoreFile, bytes: (u64, u64), why: &str) -> Self {
        let family = file.family.as_deref().unwrap_or("");
        let item = match family {
            "" => format!("file {}, bytes {} to {}", file.name, bytes.0, bytes.1),
            family => format!(
                "file {} of {family}, bytes {} to {}",
                file.name, bytes.0, bytes.1
            ),
        };
        let hangs = hangs_on_file(file, family);
        Self::new("file", None, &item, why, &hangs)
    }

    /// What `fsck` names, with what hangs on it.
    pub(super) fn of(damage: &Damage) -> Self {
        match damage {
            Damage::Unreadable { family, why } => Self::new(
                "family",
                None,
                &format!("family {family}"),
                why,
                &hangs_on_family(family),
            ),
            Damage::Leaf { index, why } => {
                let tile = TileId {
                    level: 0,
                    number: index / 256,
                };
                let hangs = format!(
                    "record {index} and its object; proofs that need {}; the root of every tree of more than {index} leaves",
                    tile.path()
                );
                Self::new("leaf", Some(*index), &format!("leaf {index}"), why, &hangs)
            }
            Damage::Tile { path, why } => {
                let id = TilePath::parse(path).map(|path| path.id);
                let hangs = id.map_or_else(String::new, |id| {
                    let (first, last) = leaves_of(id, id);
                    format!("proofs of leaves {first} to {last}")
                });
                Self::new("tile", None, path, why, &hangs)
            }
            Damage::Tip(why) => Self::new(
                "tip",
                None,
                "tip",
                why,
                "every proof under the published checkpoint",
            ),
            Damage::Checkpoint { which, why } => Self::new(
                "checkpoint",
                None,
                which,
                why,
                "audits and proofs that begin at this checkpoint",
            ),
            Damage::Rotation { number, why } => Self::new(
                "rotation",
                None,
                &format!("rotation {number} of the log key"),
                why,
                "following the log's key from an older one",
            ),
            Damage::Interval { start, why } => Self::new(
                "interval",
                None,
                &format!("interval {start}"),
                why,
                "the records of the interval: their keys, and their place in time",
            ),
            Damage::Disposal { start, class, why } => Self::new(
                "disposal",
                None,
                &format!("disposal of class {class} of interval {start}"),
                why,
                "that those records were lawfully disposed of: without it they were destroyed",
            ),
            Damage::Record { index, why } => Self::new(
                "record",
                Some(*index),
                &format!("record {index}"),
                why,
                "what the record says, its object, its proof file and re-issue; its leaf still proves that it was there",
            ),
            Damage::Orphans { family, rows } => Self::new(
                "family",
                None,
                &format!("family {family}"),
                &format!("{rows} rows belong to no record"),
                "nothing",
            ),
            Damage::Index { index, why } => Self::new(
                "index",
                Some(*index),
                &format!("index, record {index}"),
                why,
                "finding the record by a search; the record itself is whole",
            ),
            Damage::LeafHash { bucket, run, why } => {
                let first = run.saturating_mul(1 << 16);
                let hangs = format!(
                    "finding leaves {first} to {} by their hash, where it begins with {bucket:02x}",
                    first.saturating_add((1 << 16) - 1)
                );
                let item = format!("leaves by hash, bucket {bucket} of run {run}");
                Self::new("leaf-hash", None, &item, why, &hangs)
            }
            Damage::ClientKey { start, index } => Self::new(
                "client-key",
                Some(*index),
                &format!("client key of interval {start}"),
                &format!("names leaf {index}, which is not there or of another interval"),
                "a repeated submission under this key",
            ),
            Damage::Holds { why } => Self::new(
                "holds",
                None,
                "holds",
                why,
                "every disposal and erasure: none is carried out until the holds are whole",
            ),
            Damage::Dictionary(id) => Self::new(
                "dictionary",
                None,
                &format!("dictionary {id}"),
                "is missing or altered",
                "every record compressed with it",
            ),
        }
    }
}

/// The first and the last leaf below tiles of one level.
fn leaves_of(first: TileId, last: TileId) -> (u64, u64) {
    let shift = 8 * (u32::from(first.level) + 1);
    let start = |number: u64| number.saturating_mul(1u64.checked_shl(shift).unwrap_or(0));
    let end = start(last.number.saturating_add(1)).saturating_sub(1);
    (start(first.number), end)
}

fn hangs_on_file(file: &StoreFile, family: &str) -> String {
    if file.name.ends_with(".blob") {
        return "objects of records whose contents are large".to_owned();
    }
    if file.name.starts_with("OPTIONS-") {
        return "nothing: the program has these settings itself".to_owned();
    }
    let Some((first, last)) = &file.keys else {
        return "what was written last".to_owned();
    };
    let keys = match family {
        "leaf" => match (Leaves::decode_key(first), Leaves::decode_key(last)) {
            (Ok(first), Ok(last)) => Some(format!("leaves {first} to {last}, and their proofs")),
            _ => None,
        },
        "tile" => match (Tiles::decode_key(first), Tiles::decode_key(last)) {
            (Ok(first), Ok(last)) if first.level == last.level => {
                let (first, last) = leaves_of(first, last);
                Some(format!("proofs of leaves {first} to {last}"))
            }
            (Ok(first), Ok(last)) => Some(format!("{} to {}", first.path(), last.path())),
            _ => None,
        },
        "metadata" => match (
            EncryptedMetadata::decode_key(first),
            EncryptedMetadata::decode_key(last),
        ) {
            (Ok(first), Ok(last)) => Some(format!(
                "records from {} (class {}, interval {}) to {} (class {}, interval {})",
                first.index, first.class, first.interval, last.index, last.class, last.interval
            )),
            _ => None,
        },
        _ => None,
    };
    keys.unwrap_or_else(|| hangs_on_family(family))
}

fn hangs_on_family(family: &str) -> String {
    let hangs = match family {
        "state" => "the next start of the log",
        "leaf" => "leaves, their proofs, and the root of the tree",
        "tile" => "proofs",
        "metadata" => "records: what they say, and their proof files",
        "content" | "chunk" => "objects of records",
        "staging" => "uploads that are under way",
        "secret" => "every record whose keys these are",
        "idempotency" => "repeated submissions under a client key",
        "index" => "finding records by a search; the records themselves are whole",
        "leaf-hash" => "finding leaves by their hash",
        "interval" => "the place of records in time, and their keys",
        "checkpoint" => "audits and proofs that begin at a kept checkpoint",
        "dictionary" => "every compressed record",
        "erasure" => "telling records that were erased from damaged ones; their certificates",
        "hold" => "every disposal and erasure: none is carried out until the holds are whole",
        _ => "the whole log",
    };
    hangs.to_owned()
}
