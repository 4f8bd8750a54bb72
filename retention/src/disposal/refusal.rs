//! Why a step of a disposal is refused.

use super::{HoldId, LeafIndex, NotDue, UnitId, UtcMillis};

/// Why a step is refused. Nothing changes by it; what the variant says decides whether to ask again.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// The rule keeps it: term, hold or time. Asked again later.
    #[error(transparent)]
    NotDue(#[from] NotDue),
    /// A step out of order. The caller's fault.
    #[error("no such step for a disposal that is {found}")]
    Step {
        /// How far it has come.
        found: &'static str,
    },
    /// The intent does not name the unit. The caller's fault, or a forged intent.
    #[error("the intent does not name unit {unit}")]
    NotInIntent {
        /// The unit.
        unit: UnitId,
    },
    /// What was approved is not the intent at hand. The approver's fault, or a forged approval.
    #[error("the approval is of another intent")]
    OtherIntent,
    /// One principal approved twice, or one leaf stands for two approvals. Another principal is needed.
    #[error("two different principals must approve, not one twice")]
    SameTwice,
    /// The log has no such approval: forged, an alarm.
    #[error("the log has no such approval at leaf {leaf}")]
    NotOnRecord {
        /// The leaf that the approval names.
        leaf: LeafIndex,
    },
    /// The grace is not over. Asked again later.
    #[error("the grace has {left_ms} ms left")]
    Grace {
        /// What is left of it, in milliseconds.
        left_ms: u64,
    },
    /// A grace under 72 hours. The configuration's fault.
    #[error("a grace of {hours} hours is under 72")]
    ShortGrace {
        /// The hours configured.
        hours: u16,
    },
    /// An intent over no unit, or over more than the cap allows.
    #[error("{found} units in one intent, {cap} at most and one at least")]
    Cap {
        /// How many units.
        found: usize,
        /// How many are allowed.
        cap: usize,
    },
    /// It was disposed of: the certificate says how. Too late for a hold or a withdrawal.
    #[error("unit {unit} was disposed of, on the proven time {proven}")]
    Gone {
        /// The unit.
        unit: UnitId,
        /// The proven time on which it was disposed of.
        proven: UtcMillis,
        /// The hold that comes too late, if it is one.
        hold: Option<HoldId>,
    },
}

impl Refusal {
    /// The refusal as an Italian sentence.
    pub fn italian(&self) -> String {
        match self {
            Self::NotDue(why) => why.italian(),
            Self::Step { found } => {
                format!("Passaggio non ammesso: l'eliminazione è nello stato «{found}».")
            }
            Self::NotInIntent { unit } => {
                format!("L'intento di eliminazione non comprende l'unità {unit}.")
            }
            Self::OtherIntent => "L'approvazione riguarda un altro intento.".to_owned(),
            Self::SameTwice => {
                "Servono le approvazioni di due persone diverse, non due della stessa.".to_owned()
            }
            Self::NotOnRecord { leaf } => {
                format!("Il registro non contiene tale approvazione alla foglia {leaf}.")
            }
            Self::Grace { left_ms } => {
                format!("Il periodo di attesa non è trascorso: mancano {left_ms} ms.")
            }
            Self::ShortGrace { hours } => {
                format!("Un periodo di attesa di {hours} ore è inferiore a 72.")
            }
            Self::Cap { found, cap } => {
                format!("Un intento comprende da 1 a {cap} unità, non {found}.")
            }
            Self::Gone { unit, proven, .. } => format!(
                "L'unità {unit} è stata eliminata (tempo provato {proven}): vedi il certificato."
            ),
        }
    }
}
