//! What a court's expert checks on a re-issued receipt, numbered as in the reference (pec.md 10.4).

use serde::{Deserialize, Serialize};

/// How a check came out.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Done, and good.
    Passed,
    /// Not done: the reason says why.
    NotChecked,
    /// Done, and bad.
    Failed,
}

/// Why a check came out so.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// It is as it must be.
    AsExpected,
    /// What was found differs from what must be.
    Mismatch,
    /// What must be there is not.
    Absent,
    /// It cannot be read.
    Unreadable,
    /// The algorithm was no longer good at that time.
    WeakAlgorithm,
    /// The certificate was not valid at that time.
    OutsideValidity,
    /// The certificate was revoked at that time.
    Revoked,
    /// The issuer is not among those trusted at that time.
    NotTrusted,
    /// The object was never in the archive: only its trace.
    TraceOnly,
    /// The object was disposed of at the end of its term.
    Disposed,
    /// The object was erased singly.
    Erased,
    /// The object is infected and stays in its isolation.
    Isolated,
    /// The check does not concern this kind of receipt.
    NotConcerned,
    /// It is longer, or has more parts, than is looked through.
    TooLarge,
    /// The material needed was not kept, or never existed.
    NoMaterial,
    /// Only the other provider can answer.
    OtherProvider,
    /// The interval is not closed yet: the seal is to follow.
    SealPending,
    /// It is taken from the request as recorded; the archive cannot verify it.
    AsDeclared,
    /// Nothing proves it, by the rules themselves.
    NotProvable,
}

/// Something with which to repeat a check.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Datum {
    /// What it is, one technical word: `sha256`, `expected`, `found`, `file`.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// One answer to one check.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// The leaf of the record it concerns; none when it concerns all.
    pub leaf: Option<u64>,
    /// How it came out.
    pub outcome: Outcome,
    /// Why.
    pub reason: Reason,
    /// The data to repeat it.
    pub data: Vec<Datum>,
}

macro_rules! checks {
    ($($variant:ident $number:literal $doc:literal)*) => {
        /// A check. Its number is the reference's, a point after it and one more within it.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum CheckId { $(#[doc = $doc] $variant,)* }

        impl CheckId {
            /// All of them, in order.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The number, `1.1` to `8.5`.
            pub const fn number(self) -> &'static str {
                match self { $(Self::$variant => $number,)* }
            }
        }
    };
}

checks! {
    IngestDigest "1.1" "The file's digest is the one recorded at ingest."
    Inclusion "1.2" "The record is in the sealed log."
    Unmodified "1.3" "The file is an .eml, as it was received."
    SignedDigest "2.1" "Digest over the first part, line ends as the signature wants them."
    Signature "2.2" "The signature."
    Signer "2.3" "The signer's certificate: there, and for this use."
    Chain "2.4" "Its chain to the certification authority of that period."
    Validity "2.5" "It was valid then."
    Revocation "2.6" "It was not revoked then."
    Algorithms "2.7" "Digest and signature algorithms were good then."
    Directory "3.1" "Its digest is in the directory of providers of that day."
    SenderAddress "3.2" "Its address is the From of the receipt."
    ProviderName "3.3" "Its provider is the directory's."
    ManagedDomain "3.4" "The domain of From is one the provider manages."
    TextTime "4.1" "Time in daticert.xml and in the text."
    DateHeader "4.2" "Time in daticert.xml and in the Date header."
    SigningTime "4.3" "Time in daticert.xml and signing time, within seconds."
    Order "4.4" "Acceptance, takeover, delivery in this order, clocks within a second."
    TokenAfterEvent "4.5" "The log file's time-stamp is later than the event."
    TokenBeforeExpiry "4.6" "The log file's time-stamp is earlier than the certificate's end."
    SameIdentificativo "5.1" "The same identificativo in envelope, acceptance, delivery."
    SameMsgid "5.2" "The same msgid."
    OriginalMessageId "5.3" "Message-ID inside postacert.eml is the identificativo."
    SameSender "5.4" "The same sender."
    SameRecipients "5.5" "The same full list of recipients."
    SameSubject "5.6" "The same subject."
    DeliveredTo "5.7" "The one delivered to is among the recipients, as certified."
    OriginalPresent "6.1" "Complete receipt: postacert.eml is in it."
    Attachments "6.2" "Complete receipt: the attachments, each with its digest."
    BriefDigests "6.3" "Brief receipt: the digests of the attachments."
    SyntheticContent "6.4" "Synthetic receipt: it proves no content."
    OwnLog "7.1" "Matching records in this provider's log."
    OtherLog "7.2" "Matching records in the other provider's log."
    FilesComplete "7.3" "The log files are complete."
    NoGaps "7.4" "No gap between intervals."
    EachStamped "7.5" "Each log file has its time-stamp."
    WithinRetention "7.6" "The term of retention has not ended."
    ExtractedBy "8.1" "Who extracted it."
    ExtractedWhen "8.2" "When."
    ExtractedUnder "8.3" "Under which request."
    Identity "8.4" "Identity of the applicant."
    Entitlement "8.5" "Entitlement of the applicant."
}

impl CheckId {
    /// The area it belongs to, 1 to 8.
    pub fn area(self) -> u8 {
        let first = self.number().bytes().next().unwrap_or(b'0');
        first.saturating_sub(b'0')
    }

    fn of_number(number: &str) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|id| id.number() == number)
    }
}

/// The answers to every check: made only by answering each, at least once.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "Vec<Written>", into = "Vec<Written>")]
pub struct Checks(Vec<(CheckId, Vec<Check>)>);

impl Checks {
    /// Asks for the answers to each check. No answer is one too: not checked, for want of material.
    pub fn answer(mut answers: impl FnMut(CheckId) -> Vec<Check>) -> Self {
        let answered = |&id: &CheckId| {
            let mut given = answers(id);
            if given.is_empty() {
                given.push(Check {
                    leaf: None,
                    outcome: Outcome::NotChecked,
                    reason: Reason::NoMaterial,
                    data: Vec::new(),
                });
            }
            (id, given)
        };
        Self(CheckId::ALL.iter().map(answered).collect())
    }

    /// Each check with its answers, in order.
    pub fn iter(&self) -> impl Iterator<Item = (CheckId, &[Check])> {
        self.0.iter().map(|(id, checks)| (*id, checks.as_slice()))
    }

    /// How a check came out over all its answers: failed if one did; passed if the others did or it does not
    /// concern them; otherwise not checked.
    pub fn outcome(&self, id: CheckId) -> Outcome {
        let found = self.0.iter().find(|(of, _)| *of == id);
        found.map_or(Outcome::NotChecked, |(_, checks)| together(checks))
    }

    /// How many checks of an area passed, were not done, failed.
    pub fn count(&self, area: u8) -> Count {
        let mut count = Count::default();
        for (_, checks) in self.iter().filter(|(id, _)| id.area() == area) {
            match together(checks) {
                Outcome::Passed => count.passed = count.passed.saturating_add(1),
                Outcome::NotChecked => count.not_checked = count.not_checked.saturating_add(1),
                Outcome::Failed => count.failed = count.failed.saturating_add(1),
            }
        }
        count
    }
}

/// Outcomes counted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Count {
    /// Passed.
    pub passed: u32,
    /// Not checked.
    pub not_checked: u32,
    /// Failed.
    pub failed: u32,
}

/// What the answers to one check come to.
pub(crate) fn together(checks: &[Check]) -> Outcome {
    let has = |outcome| checks.iter().any(|check| check.outcome == outcome);
    // What is not done for want of anything must not hide behind what passed; what does not concern may.
    let left_open = |check: &Check| {
        check.outcome == Outcome::NotChecked && check.reason != Reason::NotConcerned
    };
    if has(Outcome::Failed) {
        Outcome::Failed
    } else if !has(Outcome::Passed) || checks.iter().any(left_open) {
        Outcome::NotChecked
    } else {
        Outcome::Passed
    }
}

/// A check as it stands in JSON.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Written {
    number: String,
    answers: Vec<Check>,
}

impl From<Checks> for Vec<Written> {
    fn from(checks: Checks) -> Self {
        let written = |(id, answers): (CheckId, Vec<Check>)| Written {
            number: id.number().to_owned(),
            answers,
        };
        checks.0.into_iter().map(written).collect()
    }
}

impl TryFrom<Vec<Written>> for Checks {
    type Error = String;

    fn try_from(written: Vec<Written>) -> Result<Self, String> {
        let numbers = written.iter().map(|check| check.number.as_str());
        if !numbers.eq(CheckId::ALL.iter().map(|id| id.number())) {
            return Err("the checks are not 1.1 to 8.5, each once and in order".to_owned());
        }
        if let Some(silent) = written.iter().find(|check| check.answers.is_empty()) {
            return Err(format!("check {} has no answer", silent.number));
        }
        let known =
            |check: Written| CheckId::of_number(&check.number).map(|id| (id, check.answers));
        Ok(Self(written.into_iter().filter_map(known).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(outcome: Outcome, reason: Reason) -> Check {
        Check {
            leaf: None,
            outcome,
            reason,
            data: Vec::new(),
        }
    }

    #[test]
    fn numbers_rise_and_no_check_can_be_left_out() {
        let numbers: Vec<_> = CheckId::ALL.iter().map(|id| id.number()).collect();
        let mut sorted = numbers.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(numbers, sorted);
        let checks = Checks::answer(|_| Vec::new());
        assert_eq!(checks.iter().count(), CheckId::ALL.len());
        assert!(checks.iter().all(|(_, answers)| !answers.is_empty()));
        let mut json = serde_json::to_value(&checks).unwrap();
        assert_eq!(
            serde_json::from_value::<Checks>(json.clone()).unwrap(),
            checks
        );
        json.as_array_mut().unwrap().remove(7);
        assert!(serde_json::from_value::<Checks>(json).is_err());
    }

    #[test]
    fn what_was_not_done_does_not_hide_behind_what_passed() {
        let passed = one(Outcome::Passed, Reason::AsExpected);
        let open = one(Outcome::NotChecked, Reason::NoMaterial);
        let idle = one(Outcome::NotChecked, Reason::NotConcerned);
        let failed = one(Outcome::Failed, Reason::Mismatch);
        assert_eq!(together(&[passed.clone(), idle.clone()]), Outcome::Passed);
        assert_eq!(
            together(&[passed.clone(), open.clone()]),
            Outcome::NotChecked
        );
        assert_eq!(together(&[open, failed, passed]), Outcome::Failed);
        assert_eq!(together(&[idle]), Outcome::NotChecked);
    }
}
