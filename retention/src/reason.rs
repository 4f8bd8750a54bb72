//! Why a record is kept, in words, with the article: for the command line, certificates and courts.
//!
//! # Invariants
//! 1. The words say what was reckoned: class, term, both days, the holiday that moved the last one.
//! 2. A term longer than the floor is called the archive's choice, with the floor and its article beside it.

use std::fmt;

use crate::civil::CivilDate;
use crate::class::{Basis, RetentionClass};
use crate::term::{Reckoning, Term};

/// The term that keeps a record. [`fmt::Display`] puts it in English, [`Reason::italian`] in Italian.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Reason {
    class: RetentionClass,
    term: Term,
    reckoning: Reckoning,
    /// The term is not the record's own, but that of the last record it concerns.
    concerned: bool,
}

impl Reason {
    pub(crate) const fn new(class: RetentionClass, term: Term, reckoning: Reckoning) -> Self {
        Self {
            class,
            term,
            reckoning,
            concerned: false,
        }
    }

    pub(crate) const fn of_the_record_concerned(self) -> Self {
        Self {
            concerned: true,
            ..self
        }
    }

    /// The class whose term it is.
    pub const fn class(&self) -> RetentionClass {
        self.class
    }

    /// The term.
    pub const fn term(&self) -> Term {
        self.term
    }

    /// How its end was found.
    pub const fn reckoning(&self) -> &Reckoning {
        &self.reckoning
    }

    /// True when the term is that of the last record concerned by an act of the archive.
    pub const fn is_of_the_record_concerned(&self) -> bool {
        self.concerned
    }

    /// The reason as an Italian sentence.
    pub fn italian(&self) -> String {
        let what = match self.class {
            RetentionClass::Trace => "log dei messaggi",
            RetentionClass::Infected => "messaggio contenente virus",
            RetentionClass::Justice => "log del gestore del Ministero della giustizia",
            RetentionClass::Receipt => "ricevuta o avviso",
            RetentionClass::Content => "contenuto",
            RetentionClass::Custody => "atto dell'archivio",
        };
        let whose = if self.concerned {
            "quanto l'ultima registrazione cui si riferisce, "
        } else {
            ""
        };
        let basis = match self.class.basis() {
            Basis::Law(article) if self.is_above(article.floor()) => format!(
                "per scelta dell'archivio, oltre i {} richiesti dall'{}",
                italian_months(article.floor()),
                article.italian()
            ),
            Basis::Law(article) => format!("ai sensi dell'{}", article.italian()),
            Basis::Contract => "per contratto".to_owned(),
            Basis::Archive => "per regola dell'archivio".to_owned(),
        };
        let extension = if self.reckoning.is_extended() {
            let nominal = italian_date(self.reckoning.nominal());
            format!("; il giorno {nominal} è festivo (art. 2963, terzo comma, c.c.)")
        } else {
            String::new()
        };
        format!(
            "Da conservare {whose}fino a tutto il giorno {}: {what}, {} dal giorno {}, \
             {basis}{extension}.",
            italian_date(self.reckoning.last()),
            italian_months(self.term),
            italian_date(self.reckoning.start()),
        )
    }

    fn is_above(&self, floor: Term) -> bool {
        self.term > floor
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.concerned {
            f.write_str("last record concerned: ")?;
        }
        write!(
            f,
            "class {}, {} from {} ",
            self.class,
            self.term,
            self.reckoning.start()
        )?;
        match self.class.basis() {
            Basis::Law(article) if self.is_above(article.floor()) => {
                write!(
                    f,
                    "by choice of the archive, above the {} of {article}",
                    article.floor()
                )?;
            }
            Basis::Law(article) => write!(f, "by {article}")?,
            Basis::Contract => f.write_str("by contract")?,
            Basis::Archive => f.write_str("by rule of the archive")?,
        }
        write!(f, ", through {}", self.reckoning.last())?;
        if self.reckoning.is_extended() {
            write!(
                f,
                ", {} being a holiday (art. 2963(3) c.c.)",
                self.reckoning.nominal()
            )?;
        }
        Ok(())
    }
}

fn italian_months(term: Term) -> String {
    let unit = if term.months() == 1 { "mese" } else { "mesi" };
    format!("{} {unit}", term.months())
}

/// As in `28/02/2026`.
fn italian_date(date: CivilDate) -> String {
    format!("{:02}/{:02}/{:04}", date.day(), date.month(), date.year())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::Start;
    use crate::time::ProvenTime;

    fn reason(class: RetentionClass, months: u16, year: i32, month: u32, day: u32) -> Reason {
        let midnight = CivilDate::new(year, month, day).unwrap().begins_at();
        let start = Start::new(
            midnight,
            midnight,
            ProvenTime::from_token(midnight, 0).unwrap(),
        );
        let term = Term::of_months(months).unwrap();
        Reason::new(class, term, term.reckon(start).unwrap())
    }

    #[test]
    fn a_term_of_law_is_said_with_its_article() {
        let reason = reason(RetentionClass::Trace, 30, 2023, 5, 15);
        assert_eq!(
            reason.to_string(),
            "class trace, 30 months from 2023-05-15 by DPR 68/2005 art. 11(2), through 2025-11-15"
        );
        assert_eq!(
            reason.italian(),
            "Da conservare fino a tutto il giorno 15/11/2025: log dei messaggi, 30 mesi dal \
             giorno 15/05/2023, ai sensi dell'art. 11, comma 2, del d.P.R. 11 febbraio 2005, n. \
             68."
        );
    }

    #[test]
    fn a_holiday_that_moved_the_end_is_said() {
        let reason = reason(RetentionClass::Receipt, 30, 2023, 6, 25);
        assert_eq!(
            reason.to_string(),
            "class receipt, 30 months from 2023-06-25 by contract, through 2025-12-27, \
             2025-12-25 being a holiday (art. 2963(3) c.c.)"
        );
        assert_eq!(
            reason.italian(),
            "Da conservare fino a tutto il giorno 27/12/2025: ricevuta o avviso, 30 mesi dal \
             giorno 25/06/2023, per contratto; il giorno 25/12/2025 è festivo (art. 2963, terzo \
             comma, c.c.)."
        );
    }

    #[test]
    fn a_term_above_the_floor_is_said_to_be_a_choice() {
        let reason = reason(RetentionClass::Justice, 72, 2023, 5, 15);
        assert_eq!(
            reason.to_string(),
            "class justice, 72 months from 2023-05-15 by choice of the archive, above the 60 \
             months of DM 44/2011 art. 4(3), through 2029-05-15"
        );
        assert_eq!(
            reason.italian(),
            "Da conservare fino a tutto il giorno 15/05/2029: log del gestore del Ministero \
             della giustizia, 72 mesi dal giorno 15/05/2023, per scelta dell'archivio, oltre i \
             60 mesi richiesti dall'art. 4, comma 3, del d.m. Giustizia 21 febbraio 2011, n. 44."
        );
    }

    #[test]
    fn every_class_bound_by_law_names_its_article_in_both_languages() {
        for class in RetentionClass::ALL {
            let Basis::Law(article) = class.basis() else {
                continue;
            };
            for months in [article.floor().months(), 121] {
                let reason = reason(class, months, 2024, 2, 29);
                assert!(
                    reason.to_string().contains(&article.to_string()),
                    "{reason}"
                );
                assert!(reason.italian().contains(article.italian()), "{reason}");
            }
        }
    }

    #[test]
    fn the_term_of_the_record_concerned_is_said_to_be_that() {
        let reason = reason(RetentionClass::Content, 1, 2024, 1, 31).of_the_record_concerned();
        assert_eq!(
            reason.to_string(),
            "last record concerned: class content, 1 month from 2024-01-31 by contract, through \
             2024-02-29"
        );
        assert_eq!(
            reason.italian(),
            "Da conservare quanto l'ultima registrazione cui si riferisce, fino a tutto il \
             giorno 29/02/2024: contenuto, 1 mese dal giorno 31/01/2024, per contratto."
        );
    }
}
