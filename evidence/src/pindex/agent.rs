//! The agents of a package: from the configuration, never from a message.

use super::ValueError;
use super::values::shown;

/// The identifier of an agent, by its semantics (EN 319 412-1): `VATIT-01234567890`, `TINIT-…`, or a scheme of
/// two characters and a colon.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct AgentId(String);

impl TryFrom<&str> for AgentId {
    type Error = ValueError;

    fn try_from(text: &str) -> Result<Self, ValueError> {
        is_agent_id(text.as_bytes())
            .then(|| Self(text.to_owned()))
            .ok_or_else(|| ValueError::AgentId(shown(text)))
    }
}

impl AgentId {
    /// The identifier.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `(PAS|IDC|PNO|TIN|VAT|NTR|[A-Za-z0-9]{2}:)[A-Z]{2}-[a-zA-Z0-9]+`.
fn is_agent_id(text: &[u8]) -> bool {
    let Some((scheme, rest)) = text.split_at_checked(3) else {
        return false;
    };
    let known: [&[u8]; 6] = [b"PAS", b"IDC", b"PNO", b"TIN", b"VAT", b"NTR"];
    let own =
        matches!(scheme, [a, b, b':'] if a.is_ascii_alphanumeric() && b.is_ascii_alphanumeric());
    let [a, b, b'-', number @ ..] = rest else {
        return false;
    };
    (own || known.contains(&scheme))
        && a.is_ascii_uppercase()
        && b.is_ascii_uppercase()
        && !number.is_empty()
        && number.iter().all(u8::is_ascii_alphanumeric)
}

/// The name of an agent, and so its kind.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AgentName {
    /// A natural person.
    Person {
        /// First name.
        first: String,
        /// Last name.
        last: String,
    },
    /// A legal person.
    Organization(String),
}

impl AgentName {
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Person { .. } => "natural person",
            Self::Organization(_) => "legal person",
        }
    }
}

/// An agent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Agent {
    /// Its identifiers.
    pub ids: Vec<AgentId>,
    /// Its name.
    pub name: AgentName,
    documents: Vec<String>,
}

impl Agent {
    /// With the documents that give it its part: at least one.
    pub fn new(
        ids: Vec<AgentId>,
        name: AgentName,
        documents: Vec<String>,
    ) -> Result<Self, ValueError> {
        if documents.is_empty() {
            let named = match &name {
                AgentName::Person { last, .. } => last,
                AgentName::Organization(name) => name,
            };
            return Err(ValueError::NoDocument(shown(named)));
        }
        Ok(Self {
            ids,
            name,
            documents,
        })
    }

    /// The documents that give it its part.
    pub fn documents(&self) -> &[String] {
        &self.documents
    }
}

/// How an agent holds the documents.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HolderRole {
    /// Soggetto produttore.
    Producer,
    /// Soggetto proprietario.
    Owner,
    /// Soggetto possessore.
    Possessor,
    /// Soggetto detentore.
    Keeper,
}

impl HolderRole {
    pub(super) const ALL: [Self; 4] = [Self::Producer, Self::Owner, Self::Possessor, Self::Keeper];

    /// The words of the standard.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Producer => "soggetto produttore",
            Self::Owner => "soggetto proprietario",
            Self::Possessor => "soggetto possessore",
            Self::Keeper => "soggetto detentore",
        }
    }

    /// From the words of the standard.
    pub fn from_words(words: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.words() == words)
    }
}

/// An agent that holds the documents.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Holder {
    /// Who.
    pub agent: Agent,
    /// How.
    pub role: HolderRole,
}

/// An agent that signs the index.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Signatory {
    /// Who.
    pub agent: Agent,
    /// As what, such as `Responsabile della conservazione`.
    pub role: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agent_identifiers_have_the_form_of_the_standard() {
        for good in [
            "VATIT-01234567890",
            "TINIT-RSSMRA80A01H501U",
            "a1:IT-x",
            "NTRDE-HRB1",
        ] {
            assert_eq!(AgentId::try_from(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "VAT",
            "01234567890",
            "VATit-1",
            "VATIT-",
            "VATIT 1",
            "XXXIT-1",
            "VATIT-1 ",
            "a:IT-1",
            "VATIT-1\n",
            "à1:IT-1",
        ] {
            assert_eq!(AgentId::try_from(bad), Err(ValueError::AgentId(bad.into())));
        }
    }
}
