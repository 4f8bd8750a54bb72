//! Intent, approvals and grace: the words in which a disposal is decided.

use super::{LeafIndex, Refusal, UnitId, UtcMillis};
use crate::principal::Principal;
use crate::unit::BatchCap;

/// Names an intent: the hash of its leaf (kind 12).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct IntentId([u8; 32]);

impl IntentId {
    /// The intent whose leaf has this hash.
    pub const fn new(leaf_hash: [u8; 32]) -> Self {
        Self(leaf_hash)
    }
}

/// What is meant to be disposed of, as the log says it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Intent {
    id: IntentId,
    units: Vec<UnitId>,
}

impl Intent {
    /// The intent to dispose of `units`.
    ///
    /// # Errors
    /// [`Refusal::Cap`] when there is none or more than the cap allows.
    pub fn new(id: IntentId, mut units: Vec<UnitId>, cap: BatchCap) -> Result<Self, Refusal> {
        units.sort_unstable();
        units.dedup();
        let found = units.len();
        if found == 0 || found > cap.units() {
            return Err(Refusal::Cap {
                found,
                cap: cap.units(),
            });
        }
        Ok(Self { id, units })
    }

    /// Its name.
    pub const fn id(&self) -> IntentId {
        self.id
    }

    /// True when it names `unit`.
    pub fn names(&self, unit: UnitId) -> bool {
        self.units.binary_search(&unit).is_ok()
    }

    /// The units that it names, in order.
    pub fn units(&self) -> &[UnitId] {
        &self.units
    }
}

/// One principal's approval of an intent, a leaf of the log (kind 13).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Approval {
    /// What is approved.
    pub intent: IntentId,
    /// Who approves.
    pub principal: Principal,
    /// The leaf that records it.
    pub leaf: LeafIndex,
}

/// How long a disposal waits after its second approval.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Grace(u16);

impl Grace {
    /// The shortest: 72 hours.
    pub const SHORTEST: Self = Self(72);

    /// So many hours.
    ///
    /// # Errors
    /// [`Refusal::ShortGrace`] under 72.
    pub const fn of_hours(hours: u16) -> Result<Self, Refusal> {
        if hours < Self::SHORTEST.0 {
            return Err(Refusal::ShortGrace { hours });
        }
        Ok(Self(hours))
    }

    /// Its length in milliseconds.
    pub const fn millis(self) -> u64 {
        self.0 as u64 * 3_600_000 // 16 bits of hours
    }
}

/// When a grace began, by the software clock at the second approval.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GraceStart {
    /// Its running time, in milliseconds.
    pub run_ms: u64,
    /// Its reading.
    pub reading: UtcMillis,
}
