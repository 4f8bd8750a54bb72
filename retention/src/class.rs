//! The six retention classes, what binds each, and the terms configured for them.
//!
//! # Invariants
//! 1. A class's code is written in leaves: never reused, never renumbered.
//! 2. A [`Policy`] holds no term under the floor of its class.

use std::fmt;

use crate::term::Term;

/// What a record is, as far as its keeping goes.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(u16)]
pub enum RetentionClass {
    /// 1: the log of messages (*log dei messaggi*), DPR 68/2005 art. 11(2): thirty months at least.
    Trace = 1,
    /// 2: infected messages, DPR 68/2005 art. 12(1) and (2): thirty months at least.
    Infected = 2,
    /// 3: the log of the provider of the Ministry of Justice, DM 44/2011 art. 4(3): five years at least.
    Justice = 3,
    /// 4: receipts and notices as objects. No law wants them kept: by contract.
    Receipt = 4,
    /// 5: other content. By contract.
    Content = 5,
    /// 6: the archive's own acts. Kept at least as long as the last record they concern
    /// ([`crate::Verdict::concerning`]).
    Custody = 6,
}

impl RetentionClass {
    /// Every class, in order of code.
    pub const ALL: [Self; 6] = [
        Self::Trace,
        Self::Infected,
        Self::Justice,
        Self::Receipt,
        Self::Content,
        Self::Custody,
    ];

    /// The code written in leaves.
    pub const fn code(self) -> u16 {
        self as u16 // the discriminants above, which are u16
    }

    /// What binds the class.
    pub const fn basis(self) -> Basis {
        match self {
            Self::Trace => Basis::Law(Article::LogOfMessages),
            Self::Infected => Basis::Law(Article::InfectedMessages),
            Self::Justice => Basis::Law(Article::JusticeLog),
            Self::Receipt | Self::Content => Basis::Contract,
            Self::Custody => Basis::Archive,
        }
    }

    /// Its name in configuration, metrics and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Infected => "infected",
            Self::Justice => "justice",
            Self::Receipt => "receipt",
            Self::Content => "content",
            Self::Custody => "custody",
        }
    }
}

impl TryFrom<u16> for RetentionClass {
    type Error = ClassError;

    fn try_from(code: u16) -> Result<Self, ClassError> {
        let known = Self::ALL.into_iter().find(|class| class.code() == code);
        known.ok_or(ClassError::UnknownCode { code })
    }
}

impl fmt::Display for RetentionClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What makes a class be kept.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Basis {
    /// An article of law, which sets a floor.
    Law(Article),
    /// The contract with the provider: no floor.
    Contract,
    /// The archive's own rule: no floor.
    Archive,
}

/// An article that sets a floor.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Article {
    /// DPR 68/2005 art. 11(2): the log of messages.
    LogOfMessages,
    /// DPR 68/2005 art. 12(1) and (2): infected messages, from own users and from other providers.
    InfectedMessages,
    /// DM 44/2011 art. 4(3): the log of the provider of the Ministry of Justice.
    JusticeLog,
}

impl Article {
    /// The shortest term it allows.
    pub const fn floor(self) -> Term {
        match self {
            Self::LogOfMessages | Self::InfectedMessages => Term::THIRTY_MONTHS,
            Self::JusticeLog => Term::FIVE_YEARS,
        }
    }

    /// How it is cited in Italian.
    pub const fn italian(self) -> &'static str {
        match self {
            Self::LogOfMessages => "art. 11, comma 2, del d.P.R. 11 febbraio 2005, n. 68",
            Self::InfectedMessages => "art. 12, commi 1 e 2, del d.P.R. 11 febbraio 2005, n. 68",
            Self::JusticeLog => "art. 4, comma 3, del d.m. Giustizia 21 febbraio 2011, n. 44",
        }
    }
}

impl fmt::Display for Article {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LogOfMessages => "DPR 68/2005 art. 11(2)",
            Self::InfectedMessages => "DPR 68/2005 art. 12(1) and (2)",
            Self::JusticeLog => "DM 44/2011 art. 4(3)",
        })
    }
}

/// The term of each class, as configured: the legal floors, the usual terms by contract, or longer.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Policy {
    trace: Term,
    infected: Term,
    justice: Term,
    receipt: Term,
    content: Term,
    custody: Term,
}

impl Policy {
    /// The same policy with `term` for `class`. Longer than the floor is accepted; without a floor, any
    /// term is.
    ///
    /// # Errors
    /// [`ClassError::UnderFloor`], naming the article.
    pub fn with(mut self, class: RetentionClass, term: Term) -> Result<Self, ClassError> {
        if let Basis::Law(article) = class.basis()
            && term < article.floor()
        {
            return Err(ClassError::UnderFloor {
                class,
                found: term,
                floor: article.floor(),
                article,
            });
        }
        *match class {
            RetentionClass::Trace => &mut self.trace,
            RetentionClass::Infected => &mut self.infected,
            RetentionClass::Justice => &mut self.justice,
            RetentionClass::Receipt => &mut self.receipt,
            RetentionClass::Content => &mut self.content,
            RetentionClass::Custody => &mut self.custody,
        } = term;
        Ok(self)
    }

    /// The term of `class`.
    pub const fn term(&self, class: RetentionClass) -> Term {
        match class {
            RetentionClass::Trace => self.trace,
            RetentionClass::Infected => self.infected,
            RetentionClass::Justice => self.justice,
            RetentionClass::Receipt => self.receipt,
            RetentionClass::Content => self.content,
            RetentionClass::Custody => self.custody,
        }
    }
}

/// The floors of the law; thirty months for what is kept by contract, ten years for custody.
impl Default for Policy {
    fn default() -> Self {
        Self {
            trace: Article::LogOfMessages.floor(),
            infected: Article::InfectedMessages.floor(),
            justice: Article::JusticeLog.floor(),
            receipt: Term::THIRTY_MONTHS,
            content: Term::THIRTY_MONTHS,
            custody: Term::TEN_YEARS,
        }
    }
}

/// Why a class or its term is refused. The configuration's or the leaf's fault; retrying is useless.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ClassError {
    /// No class has this code. In a leaf it means a newer format, or corruption.
    #[error("no retention class has code {code}")]
    UnknownCode {
        /// The code found.
        code: u16,
    },
    /// The term configured is shorter than the law allows.
    #[error("term of {found} for class {class} is under the floor of {floor} set by {article}")]
    UnderFloor {
        /// The class configured.
        class: RetentionClass,
        /// The term found.
        found: Term,
        /// The shortest lawful one.
        floor: Term,
        /// The article that sets it.
        article: Article,
    },
}

#[cfg(test)]
mod tests;
