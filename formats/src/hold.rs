//! Holds: the leaves that say that one was set, that its release was proposed, that it was released.
//!
//! Kinds 6, 13 and 7, class 6. Leaf indexes, roles and words of a closed list: never a name, an act or a query; those
//! stand in the leaf after each ([`ActDetail`]). Listed in `docs/formats.md`.
//!
//! ```text
//! {"authority":"judicial","end_ms":…,"holds_released":m,"holds_set":n,"ranges":[{"first":…,"last":…}],"role":"…",
//!  "schema":1,"start_ms":…,"type":"hold-set"}
//! {"hold":…,"role":"…","schema":1,"type":"hold-release-proposed"}
//! {"hold":…,"holds_released":m,"holds_set":n,"proposal":…,"role":"…","schema":1,"type":"hold-released"}
//! ```
//!
//! # Invariants
//! 1. The leaves of kinds 6 and 7 count themselves: each says how many holds the log has set and released, itself
//!    included. A table of holds that was emptied is told by the last of them.

use crate::canonical::{Integer, ObjectReader, ObjectWriter, Text};
use crate::id::{INTEGER_MAX, LeafIndex, UtcMillis};
use crate::metadata::LeafRange;

/// The type of event under which the index finds every hold that was set.
pub const HOLD_SET: &str = "hold-set";
/// The type of event under which the index finds every release that was proposed.
pub const HOLD_RELEASE_PROPOSED: &str = "hold-release-proposed";
/// The type of event under which the index finds every hold that was released.
pub const HOLD_RELEASED: &str = "hold-released";

type Read<T> = Result<T, &'static str>;

/// Who orders a hold.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum HoldAuthority {
    /// A judge or a public prosecutor (*autorità giudiziaria*).
    Judicial = 1,
    /// A supervisor or another public body (*autorità amministrativa*).
    Administrative = 2,
}

impl HoldAuthority {
    /// Every one.
    pub const ALL: [Self; 2] = [Self::Judicial, Self::Administrative];

    /// The code in rows.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The word in metadata and on the command line.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Judicial => "judicial",
            Self::Administrative => "administrative",
        }
    }

    /// The authority of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.word() == word)
    }

    /// The authority of a code.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.code() == code)
    }
}

/// How many holds a log has set and released.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct HoldCounts {
    /// Leaves of kind 6.
    pub set: u64,
    /// Leaves of kind 7.
    pub released: u64,
}

/// A hold was set: its number is the index of the leaf that says so.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HoldPlaced {
    /// Who ordered it.
    pub authority: HoldAuthority,
    /// The role that allowed it, a word of a closed list.
    pub role: Text,
    /// From when it is in force, as the act says or as it was set.
    pub start: UtcMillis,
    /// The first instant at which it no longer is, where it has an end.
    pub end: Option<UtcMillis>,
    /// The leaves it names: ascending, apart, at least one.
    pub ranges: Vec<LeafRange>,
    /// Holds set and released, this one included.
    pub counts: HoldCounts,
}

/// The release of a hold was proposed; another principal is to confirm it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HoldReleaseProposed {
    /// The hold.
    pub hold: LeafIndex,
    /// The role that allowed it.
    pub role: Text,
}

/// A hold was released, by a principal that is not the one who proposed it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HoldReleased {
    /// The hold.
    pub hold: LeafIndex,
    /// The leaf that proposed it.
    pub proposal: LeafIndex,
    /// The role that allowed it.
    pub role: Text,
    /// Holds set and released, this release included.
    pub counts: HoldCounts,
}

/// Who did what the leaf before says, and on what ground: kept as long as the longest-lived record it concerns.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ActDetail {
    /// The principal, by its name in the configuration.
    pub principal: Text,
    /// The act of an authority that it rests on, as it is cited.
    pub act: Option<Text>,
    /// What was asked, or why.
    pub statement: Text,
}

fn integer(value: u64) -> Integer {
    Integer::try_from(value.min(INTEGER_MAX)).unwrap_or(Integer::ZERO)
}

fn number(r: &mut ObjectReader, key: &'static str) -> Read<u64> {
    let value = r.integer(key)?.ok_or(key)?;
    u64::try_from(value.get()).map_err(|_| key)
}

fn role(r: &mut ObjectReader) -> Read<Text> {
    r.text("role")?.ok_or("role")
}

impl HoldCounts {
    fn write(self, w: &mut ObjectWriter<'_>) {
        w.integer("holds_released", integer(self.released));
        w.integer("holds_set", integer(self.set));
    }

    fn read(r: &mut ObjectReader) -> Read<Self> {
        Ok(Self {
            set: number(r, "holds_set")?,
            released: number(r, "holds_released")?,
        })
    }
}

impl HoldPlaced {
    pub(crate) fn write(&self, w: &mut ObjectWriter<'_>, schema: Integer) {
        w.text("authority", self.authority.word().as_bytes());
        w.maybe_integer("end_ms", self.end.map(|end| integer(end.get())));
        self.counts.write(w);
        LeafRange::write(w, "ranges", &self.ranges);
        w.text("role", self.role.as_bytes());
        w.integer("schema", schema);
        w.integer("start_ms", integer(self.start.get()));
        w.text("type", HOLD_SET.as_bytes());
    }

    pub(crate) fn read(r: &mut ObjectReader) -> Read<Self> {
        let authority = r.text("authority")?.ok_or("authority")?;
        let authority = authority.to_str().and_then(HoldAuthority::from_word);
        let end = match r.integer("end_ms")? {
            None => None,
            Some(end) => Some(u64::try_from(end.get()).map_err(|_| "end_ms")?),
        };
        Ok(Self {
            authority: authority.ok_or("authority")?,
            role: role(r)?,
            start: UtcMillis::new(number(r, "start_ms")?),
            end: end.map(UtcMillis::new),
            ranges: LeafRange::read(r, "ranges")?,
            counts: HoldCounts::read(r)?,
        })
    }
}

impl HoldReleaseProposed {
    pub(crate) fn write(&self, w: &mut ObjectWriter<'_>, schema: Integer) {
        w.integer("hold", integer(self.hold.get()));
        w.text("role", self.role.as_bytes());
        w.integer("schema", schema);
        w.text("type", HOLD_RELEASE_PROPOSED.as_bytes());
    }

    pub(crate) fn read(r: &mut ObjectReader) -> Read<Self> {
        Ok(Self {
            hold: LeafIndex::new(number(r, "hold")?),
            role: role(r)?,
        })
    }
}

impl HoldReleased {
    pub(crate) fn write(&self, w: &mut ObjectWriter<'_>, schema: Integer) {
        w.integer("hold", integer(self.hold.get()));
        self.counts.write(w);
        w.integer("proposal", integer(self.proposal.get()));
        w.text("role", self.role.as_bytes());
        w.integer("schema", schema);
        w.text("type", HOLD_RELEASED.as_bytes());
    }

    pub(crate) fn read(r: &mut ObjectReader) -> Read<Self> {
        Ok(Self {
            hold: LeafIndex::new(number(r, "hold")?),
            proposal: LeafIndex::new(number(r, "proposal")?),
            role: role(r)?,
            counts: HoldCounts::read(r)?,
        })
    }
}

impl ActDetail {
    pub(crate) fn write(&self, w: &mut ObjectWriter<'_>) {
        w.maybe_text("act", self.act.as_ref());
        w.text("principal", self.principal.as_bytes());
        w.integer("schema", Integer::from(crate::metadata::SCHEMA));
        w.text("statement", self.statement.as_bytes());
        w.text("type", b"act-detail");
    }

    pub(crate) fn read(r: &mut ObjectReader) -> Read<Self> {
        Ok(Self {
            principal: r.text("principal")?.ok_or("principal")?,
            act: r.text("act")?,
            statement: r.text("statement")?.ok_or("statement")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::{CustodyRecord, Field, Metadata};

    fn both_ways(metadata: Metadata, text: &str, word: Option<&str>) {
        let bytes = metadata.to_bytes();
        assert_eq!(std::str::from_utf8(&bytes).unwrap(), text);
        assert_eq!(Metadata::parse(&bytes), Ok(metadata.clone()));
        if let Some(word) = word {
            assert!(metadata.has_term(Field::Event, word.as_bytes()));
        }
    }

    #[test]
    fn the_vectors_of_the_acts_on_holds_are_reproduced() {
        let counts = HoldCounts {
            set: 3,
            released: 1,
        };
        let range = LeafRange {
            first: Integer::from(7u32),
            last: Integer::from(9u32),
        };
        let placed = HoldPlaced {
            authority: HoldAuthority::Judicial,
            role: "provider".into(),
            start: UtcMillis::new(1_763_700_000_000),
            end: Some(UtcMillis::new(1_863_700_000_000)),
            ranges: vec![range],
            counts,
        };
        both_ways(
            Metadata::Custody(CustodyRecord::HoldPlaced(placed.clone())),
            "{\"authority\":\"judicial\",\"end_ms\":1863700000000,\"holds_released\":1,\"holds_set\":3,\
             \"ranges\":[{\"first\":7,\"last\":9}],\"role\":\"provider\",\"schema\":1,\
             \"start_ms\":1763700000000,\"type\":\"hold-set\"}",
            Some(HOLD_SET),
        );
        let proposed = HoldReleaseProposed {
            hold: LeafIndex::new(12),
            role: "approver".into(),
        };
        both_ways(
            Metadata::Custody(CustodyRecord::HoldReleaseProposed(proposed)),
            "{\"hold\":12,\"role\":\"approver\",\"schema\":1,\"type\":\"hold-release-proposed\"}",
            Some(HOLD_RELEASE_PROPOSED),
        );
        let released = HoldReleased {
            hold: LeafIndex::new(12),
            proposal: LeafIndex::new(14),
            role: "approver".into(),
            counts,
        };
        both_ways(
            Metadata::Custody(CustodyRecord::HoldReleased(released)),
            "{\"hold\":12,\"holds_released\":1,\"holds_set\":3,\"proposal\":14,\"role\":\"approver\",\"schema\":1,\
             \"type\":\"hold-released\"}",
            Some(HOLD_RELEASED),
        );
        let detail = ActDetail {
            principal: "anna".into(),
            act: Some("decreto 12/2026".into()),
            statement: "sender=x@pec.example".into(),
        };
        both_ways(
            Metadata::ActDetail(detail),
            "{\"act\":\"decreto 12/2026\",\"principal\":\"anna\",\"schema\":1,\
             \"statement\":\"sender=x@pec.example\",\"type\":\"act-detail\"}",
            None,
        );
        let open = HoldPlaced {
            end: None,
            ..placed
        };
        let bytes = Metadata::Custody(CustodyRecord::HoldPlaced(open)).to_bytes();
        let text = std::str::from_utf8(&bytes).unwrap();
        assert!(!text.contains("end_ms"));
        for (right, wrong) in [
            ("judicial", "divine"),
            ("\"holds_set\":3", "\"holds_set\":-3"),
            (",\"role\":\"provider\"", ""),
        ] {
            let twin = text.replacen(right, wrong, 1);
            assert!(Metadata::parse(twin.as_bytes()).is_err(), "{wrong}");
        }
    }
}
