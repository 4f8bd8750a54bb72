//! Who may do what: principals, roles, and the permit without which no use case runs.
//!
//! ```text
//! principal ─▶ authorize::<Search>(principal, log, now) ─▶ Permit<Search> ─▶ log.desk(&permit)?.search(…)
//! ```
//!
//! # Invariants
//! 1. Deny by default: an act has a list of roles, a principal has roles per log, and nothing else allows.
//! 2. A [`Permit`] is made here only; a use case without one does not compile.
//! 3. A court sees what its grant names, until its grant ends; everything else it is told is the same whether
//!    it exists or not ([`Permit::covers`]).
//!
//! # Not here
//! Certificates and transport (`api`), the record of what was disclosed (`disclosure`).

mod rpc;

pub use rpc::{RPCS, act_of};

use ceralacca_formats::id::{LogId, UtcMillis};
use ceralacca_formats::metadata::{Field, Metadata};
use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::sync::Arc;

/// What a principal is to a log.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Role {
    /// Submits to its log, and reads it.
    Provider,
    /// Asks for proofs and for the records they speak of.
    Auditor,
    /// Sees what an act of a court names.
    Court,
    /// Runs the service.
    Operator,
    /// Approves disposals.
    Approver,
    /// Watches whether the service lives.
    Monitor,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 6] = [
        Self::Provider,
        Self::Auditor,
        Self::Court,
        Self::Operator,
        Self::Approver,
        Self::Monitor,
    ];

    /// The word in configuration and in disclosures.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Auditor => "auditor",
            Self::Court => "court",
            Self::Operator => "operator",
            Self::Approver => "approver",
            Self::Monitor => "monitor",
        }
    }

    /// The role of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.word() == word)
    }
}

/// What can be done to a log.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum ActName {
    /// Submit records.
    Submit,
    /// See checkpoints.
    Checkpoint,
    /// See leaves and proofs.
    Prove,
    /// Open a record by its index.
    Read,
    /// Search the trace.
    Search,
    /// Have an object given again.
    Reissue,
    /// See how the service fares.
    Status,
    /// Declare an interval of an older archive migrated.
    Migrate,
    /// Have everything that is held checked while it is in use.
    Scrub,
    /// See how many records of each type of event there are.
    Totals,
    /// See intervals and their packages; what may name somebody is for some roles of these only.
    Preserve,
    /// Set a hold on records.
    Hold,
    /// Propose to release a hold, or confirm it: two different principals.
    Release,
    /// See holds, and who set them under which act.
    Holds,
    /// Plan a disposal, and record the intent of it.
    Dispose,
    /// Approve an intent of disposal: two different principals.
    Approve,
    /// Give an intent of disposal up.
    Withdraw,
    /// See what was disposed of and is to be, and the certificates.
    Disposals,
    /// Propose to erase an object kept by contract, or confirm it: two different principals.
    Erase,
    /// See that a record was erased, and the certificate of it.
    Erasures,
    /// Take an infected message out of its isolation.
    Infected,
}

impl ActName {
    /// Every act.
    pub const ALL: [Self; 21] = [
        Self::Submit,
        Self::Checkpoint,
        Self::Prove,
        Self::Read,
        Self::Search,
        Self::Reissue,
        Self::Status,
        Self::Migrate,
        Self::Scrub,
        Self::Totals,
        Self::Preserve,
        Self::Hold,
        Self::Release,
        Self::Holds,
        Self::Dispose,
        Self::Approve,
        Self::Withdraw,
        Self::Disposals,
        Self::Erase,
        Self::Erasures,
        Self::Infected,
    ];

    /// The roles that allow it, the plainest first: the first one that a principal has is recorded.
    pub const fn roles(self) -> &'static [Role] {
        use Role::{Approver, Auditor, Court, Monitor, Operator, Provider};
        match self {
            Self::Submit => &[Provider],
            Self::Checkpoint => &[Provider, Auditor, Court, Operator, Approver, Monitor],
            Self::Prove => &[Provider, Auditor, Court, Operator, Approver],
            Self::Read => &[Provider, Auditor, Court],
            Self::Search | Self::Reissue => &[Provider, Court],
            Self::Status => &[Provider, Auditor, Operator, Monitor],
            Self::Migrate | Self::Scrub => &[Operator],
            Self::Totals => &[Provider, Auditor, Operator],
            Self::Preserve => &[Provider, Operator, Auditor],
            Self::Hold | Self::Release | Self::Erase => &[Provider, Approver],
            Self::Erasures => &[Provider, Auditor, Court, Approver],
            // Who must keep it (DPR 68/2005 art. 12) takes it out; a court has it from there.
            Self::Infected => &[Provider],
            Self::Holds => &[Provider, Auditor, Approver],
            Self::Dispose => &[Operator],
            Self::Approve => &[Approver],
            Self::Withdraw => &[Operator, Approver],
            Self::Disposals => &[Provider, Auditor, Operator, Approver],
        }
    }
}

/// An act as a type, so that a permit for one is no permit for another.
pub trait Act {
    /// Which.
    const NAME: ActName;
}

macro_rules! acts {
    ($($(#[$doc:meta])* $name:ident),*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name;
        impl Act for $name {
            const NAME: ActName = ActName::$name;
        }
    )*};
}

acts! {
    /// [`ActName::Submit`].
    Submit,
    /// [`ActName::Checkpoint`].
    Checkpoint,
    /// [`ActName::Prove`].
    Prove,
    /// [`ActName::Read`].
    Read,
    /// [`ActName::Search`].
    Search,
    /// [`ActName::Reissue`].
    Reissue,
    /// [`ActName::Status`].
    Status,
    /// [`ActName::Migrate`].
    Migrate,
    /// [`ActName::Scrub`].
    Scrub,
    /// [`ActName::Totals`].
    Totals,
    /// [`ActName::Preserve`].
    Preserve,
    /// [`ActName::Hold`].
    Hold,
    /// [`ActName::Release`].
    Release,
    /// [`ActName::Holds`].
    Holds,
    /// [`ActName::Dispose`].
    Dispose,
    /// [`ActName::Approve`].
    Approve,
    /// [`ActName::Withdraw`].
    Withdraw,
    /// [`ActName::Disposals`].
    Disposals,
    /// [`ActName::Erase`].
    Erase,
    /// [`ActName::Erasures`].
    Erasures,
    /// [`ActName::Infected`].
    Infected
}

/// What an act of a court allows its bearer to see.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Grant {
    /// The act: court, kind, number, date.
    pub act: String,
    /// Transactions, by `identificativo`.
    pub identificativi: BTreeSet<Vec<u8>>,
    /// Parties: senders or recipients, without case.
    pub parties: BTreeSet<Vec<u8>>,
    /// When it ends.
    pub until: UtcMillis,
}

impl Grant {
    /// A grant over these transactions and parties, as they are written in the act.
    pub fn new<'a>(
        act: &str,
        identificativi: impl IntoIterator<Item = &'a str>,
        parties: impl IntoIterator<Item = &'a str>,
        until: UtcMillis,
    ) -> Self {
        let term =
            |field: Field| move |text: &str| field.normalise(text.trim().as_bytes()).into_owned();
        let ids = identificativi.into_iter();
        Self {
            act: act.to_owned(),
            identificativi: ids.map(term(Field::Identificativo)).collect(),
            parties: parties.into_iter().map(term(Field::Sender)).collect(),
            until,
        }
    }

    /// Whether it names the transaction or a party of this trace record.
    fn covers(&self, metadata: &Metadata) -> bool {
        let mut covered = false;
        metadata.each_term(|field, text| {
            let term = field.normalise(text);
            covered |= match field {
                Field::Identificativo => self.identificativi.contains(&*term),
                Field::Sender | Field::Recipient => self.parties.contains(&*term),
                Field::Msgid | Field::MessageId | Field::Event | Field::Finding => false,
            };
        });
        covered
    }
}

/// A role on a log, with its grant where the role is a court's.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Standing {
    /// A role without end and without limits inside its acts. Not [`Role::Court`].
    Role(Role),
    /// A court's grant.
    Grant(Arc<Grant>),
}

impl Standing {
    fn role(&self) -> Role {
        match self {
            Self::Role(role) => *role,
            Self::Grant(_) => Role::Court,
        }
    }
}

/// Who asks.
#[derive(Clone, Debug)]
pub struct Principal {
    name: Arc<str>,
    kind: PrincipalKind,
}

#[derive(Clone, Debug)]
enum PrincipalKind {
    Configured(Arc<[(LogId, Standing)]>),
    Development,
}

impl Principal {
    /// A principal with these roles.
    pub fn new(name: &str, standings: Vec<(LogId, Standing)>) -> Self {
        Self {
            name: name.into(),
            kind: PrincipalKind::Configured(standings.into()),
        }
    }

    /// The one of a development service on loopback, and of this process itself: every role but a court's, on
    /// every log.
    pub fn development() -> Self {
        Self {
            name: "development".into(),
            kind: PrincipalKind::Development,
        }
    }

    /// Its name in the configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it has any role on a log.
    pub fn knows(&self, log: &LogId) -> bool {
        match &self.kind {
            PrincipalKind::Development => true,
            PrincipalKind::Configured(standings) => standings.iter().any(|(id, _)| id == log),
        }
    }
}

/// The caller may not. Says nothing of what exists.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("no role allows this")]
pub struct Denied;

/// That a principal may do an act on a log, and how far it may see.
#[derive(Clone, Debug)]
pub struct Permit<A> {
    log: LogId,
    principal: Arc<str>,
    role: Role,
    grants: Vec<Arc<Grant>>,
    act: PhantomData<A>,
}

/// Allows an act, or denies it.
pub fn authorize<A: Act>(
    principal: &Principal,
    log: &LogId,
    now: UtcMillis,
) -> Result<Permit<A>, Denied> {
    let permit = |role, grants| Permit {
        log: log.clone(),
        principal: Arc::clone(&principal.name),
        role,
        grants,
        act: PhantomData,
    };
    let allowed = A::NAME.roles();
    let standings = match &principal.kind {
        PrincipalKind::Development => {
            let role = allowed.iter().copied().find(|role| *role != Role::Court);
            return Ok(permit(role.ok_or(Denied)?, Vec::new()));
        }
        PrincipalKind::Configured(standings) => standings,
    };
    let here = || standings.iter().filter(|(id, _)| id == log);
    for role in allowed.iter().filter(|role| **role != Role::Court) {
        if here().any(|(_, standing)| standing.role() == *role) {
            return Ok(permit(*role, Vec::new()));
        }
    }
    let in_force = |(_, standing): &(LogId, Standing)| match standing {
        Standing::Grant(grant) if now < grant.until => Some(Arc::clone(grant)),
        _ => None,
    };
    let grants: Vec<_> = here().filter_map(in_force).collect();
    if grants.is_empty() || !allowed.contains(&Role::Court) {
        return Err(Denied);
    }
    Ok(permit(Role::Court, grants))
}

impl<A> Permit<A> {
    /// The log.
    pub fn log(&self) -> &LogId {
        &self.log
    }

    /// Who asks.
    pub fn principal(&self) -> &str {
        &self.principal
    }

    /// The same, shared.
    pub fn shared_principal(&self) -> Arc<str> {
        Arc::clone(&self.principal)
    }

    /// The role that allowed it.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The acts of court it rests on, where it rests on any.
    pub fn acts(&self) -> Option<String> {
        let acts: Vec<&str> = self.grants.iter().map(|grant| grant.act.as_str()).collect();
        (!acts.is_empty()).then(|| acts.join("; "))
    }

    /// Whether only what a grant names may be seen.
    pub fn is_limited(&self) -> bool {
        self.role == Role::Court
    }

    /// The terms of its grants: every record it covers stands under one of them.
    pub fn granted(&self) -> impl Iterator<Item = (Field, &[u8])> {
        self.grants.iter().flat_map(|grant| {
            let ids = grant.identificativi.iter();
            let ids = ids.map(|id| (Field::Identificativo, id.as_slice()));
            let parties = grant.parties.iter().flat_map(|party| {
                [Field::Sender, Field::Recipient].map(|field| (field, party.as_slice()))
            });
            ids.chain(parties)
        })
    }

    /// Whether a record with these facts may be seen: an object goes by the trace record beside it.
    pub fn covers(&self, facts: &Metadata) -> bool {
        !self.is_limited() || self.grants.iter().any(|grant| grant.covers(facts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ceralacca_formats::metadata::{ObjectRecord, Recipient, TraceRecord};

    fn log(name: &str) -> LogId {
        LogId::try_from(name).unwrap()
    }

    const NOW: UtcMillis = UtcMillis::new(1_763_700_000_000);

    #[test]
    fn a_role_on_one_log_is_none_on_another() {
        let standings = vec![(log("a"), Standing::Role(Role::Provider))];
        let principal = Principal::new("alfa", standings);
        let permit = authorize::<Submit>(&principal, &log("a"), NOW).unwrap();
        assert_eq!(
            (permit.principal(), permit.role()),
            ("alfa", Role::Provider)
        );
        assert_eq!(
            authorize::<Submit>(&principal, &log("b"), NOW).unwrap_err(),
            Denied
        );
    }

    #[test]
    fn each_act_is_allowed_to_its_roles_and_to_no_other() {
        fn allows<A: Act>(role: Role) -> bool {
            let standing = match role {
                Role::Court => Standing::Grant(Arc::new(Grant::new(
                    "decreto 1",
                    ["x@y"],
                    [],
                    UtcMillis::new(NOW.get() + 1),
                ))),
                role => Standing::Role(role),
            };
            let principal = Principal::new("p", vec![(log("a"), standing)]);
            authorize::<A>(&principal, &log("a"), NOW).is_ok()
        }
        for role in Role::ALL {
            let found = [
                allows::<Submit>(role),
                allows::<Checkpoint>(role),
                allows::<Prove>(role),
                allows::<Read>(role),
                allows::<Search>(role),
                allows::<Reissue>(role),
                allows::<Status>(role),
                allows::<Migrate>(role),
                allows::<Scrub>(role),
                allows::<Totals>(role),
                allows::<Preserve>(role),
                allows::<Hold>(role),
                allows::<Release>(role),
                allows::<Holds>(role),
                allows::<Dispose>(role),
                allows::<Approve>(role),
                allows::<Withdraw>(role),
                allows::<Disposals>(role),
                allows::<Erase>(role),
                allows::<Erasures>(role),
                allows::<Infected>(role),
            ];
            let expected = ActName::ALL.map(|act| act.roles().contains(&role));
            assert_eq!(found, expected, "{role:?}");
        }
    }

    #[test]
    fn a_court_sees_what_its_grant_names_until_it_ends() {
        let until = UtcMillis::new(NOW.get() + 1000);
        let grant = Grant::new(
            "decreto 7/2026",
            ["<t1@pec.example>"],
            ["Anna@pec.example"],
            until,
        );
        let standings = vec![(log("a"), Standing::Grant(Arc::new(grant)))];
        let court = Principal::new("tribunale", standings);
        let permit = authorize::<Search>(&court, &log("a"), NOW).unwrap();
        assert_eq!(permit.acts().unwrap(), "decreto 7/2026");
        let record = |id: &str, sender: &str, to: &str| {
            Metadata::from(TraceRecord {
                identificativo: Some(id.into()),
                sender: Some(sender.into()),
                recipients: vec![Recipient {
                    address: to.into(),
                    kind: None,
                }],
                ..TraceRecord::default()
            })
        };
        assert!(permit.covers(&record("t1@pec.example", "x@y.example", "z@y.example")));
        assert!(permit.covers(&record("t2@pec.example", "anna@PEC.example", "z@y.example")));
        assert!(permit.covers(&record("t2@pec.example", "x@y.example", "ANNA@pec.example")));
        assert!(!permit.covers(&record("T1@pec.example", "x@y.example", "z@y.example")));
        assert!(!permit.covers(&Metadata::Object(ObjectRecord::default())));
        assert!(authorize::<Search>(&court, &log("a"), until).is_err());
    }

    #[test]
    fn a_standing_role_is_recorded_before_a_grant() {
        let grant = Grant::new("d", [], [], UtcMillis::new(u64::MAX));
        let standings = vec![
            (log("a"), Standing::Grant(Arc::new(grant))),
            (log("a"), Standing::Role(Role::Provider)),
        ];
        let both = Principal::new("p", standings);
        let permit = authorize::<Search>(&both, &log("a"), NOW).unwrap();
        assert!(!permit.is_limited());
        assert_eq!(permit.acts(), None);
    }
}
