//! XML to an index: strict, element by element in the order of the standard.

use super::values::{checked, shown};
use super::{
    Agent, AgentId, AgentName, Application, Count, Derivation, FileEntry, FileGroup, Hash,
    HashFunction, Holder, HolderRole, INTERVAL_NAMESPACE, Interval, Map, NAMESPACE, PIndex,
    PackagePath, PreviousHash, Process, SCHEME, Signatory, Source, VERSION, ValueError, Volume,
    VolumeSource,
};
use ceralacca_formats::id::UtcMillis;
use chrono::{DateTime, Datelike as _};
use roxmltree::{Document, Node, ParsingOptions};

/// The longest index that is read, in bytes.
pub const BYTES_MAX: usize = 16 << 20;
/// The most elements, texts and attributes' bearers in it.
const NODES_MAX: u32 = 1_000_000;

/// Why an index cannot be read. Whoever wrote it is to be asked.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ReadError {
    /// Longer than [`BYTES_MAX`].
    #[error("an index of {0} bytes")]
    TooLong(usize),
    /// Not UTF-8, or not well-formed XML, or with a document type declaration.
    #[error("no XML: {0}")]
    Xml(String),
    /// Of another namespace or version than the 2020 edition.
    #[error("not an index of UNI 11386:2020")]
    Edition,
    /// An element is missing here, or another stands in its place.
    #[error("{parent}: expected {expected}, found {found}")]
    Element {
        /// Inside of which element.
        parent: String,
        /// What was expected.
        expected: String,
        /// What stands there, or `nothing`.
        found: String,
    },
    /// An attribute is missing, or its value or the text of the element is none.
    #[error("{element}: {what}")]
    Malformed {
        /// The element.
        element: String,
        /// What of it.
        what: String,
    },
    /// A value that the standard, or safety, does not allow.
    #[error("{0}")]
    Value(#[from] ValueError),
}

/// Reads an index.
pub fn read(bytes: &[u8]) -> Result<PIndex, ReadError> {
    if bytes.len() > BYTES_MAX {
        return Err(ReadError::TooLong(bytes.len()));
    }
    let xml = |error: &dyn std::fmt::Display| ReadError::Xml(shown(&error.to_string()));
    let text = std::str::from_utf8(bytes).map_err(|error| xml(&error))?;
    let options = ParsingOptions {
        allow_dtd: false,
        nodes_limit: NODES_MAX,
        ..ParsingOptions::default()
    };
    let document = Document::parse_with_options(text, options).map_err(|error| xml(&error))?;
    let root = document.root_element();
    let version = root.attribute((NAMESPACE, "sincroVersion"));
    if !root.has_tag_name((NAMESPACE, "PIndex")) || version != Some(VERSION) {
        return Err(ReadError::Edition);
    }
    let mut inside = Inside::of(root);
    let mut own = Inside::of(inside.expect("SelfDescription")?);
    let id = own.id("ID")?;
    let mut application = Inside::of(own.expect("CreatingApplication")?);
    let application = Application {
        name: application.text("Name")?,
        version: application.text("Version")?,
        producer: application.text("Producer")?,
    };
    let mut sources = Vec::new();
    while let Some(node) = own.optional("PIndexSource") {
        sources.push(source(node)?);
    }
    own.end()?;
    let volume = volume(inside.expect("PVolume")?)?;
    let mut groups = vec![group(inside.expect("FileGroup")?)?];
    while let Some(node) = inside.optional("FileGroup") {
        groups.push(group(node)?);
    }
    let process = process(inside.expect("Process")?)?;
    inside.end()?;
    Ok(PIndex {
        id,
        application,
        sources,
        volume,
        groups,
        process,
    })
}

/// The elements inside of one, taken in order.
struct Inside<'d> {
    parent: Node<'d, 'd>,
    namespace: &'static str,
    next: Option<Node<'d, 'd>>,
}

impl<'d> Inside<'d> {
    fn of(parent: Node<'d, 'd>) -> Self {
        Self::in_namespace(parent, NAMESPACE)
    }

    fn in_namespace(parent: Node<'d, 'd>, namespace: &'static str) -> Self {
        Self {
            parent,
            namespace,
            next: parent.first_element_child(),
        }
    }

    fn optional(&mut self, name: &str) -> Option<Node<'d, 'd>> {
        let node = self.next?;
        if !node.has_tag_name((self.namespace, name)) {
            return None;
        }
        self.next = node.next_sibling_element();
        Some(node)
    }

    fn expect(&mut self, name: &str) -> Result<Node<'d, 'd>, ReadError> {
        self.optional(name).ok_or_else(|| self.instead_of(name))
    }

    fn end(&self) -> Result<(), ReadError> {
        match self.next {
            None => Ok(()),
            Some(_) => Err(self.instead_of("nothing")),
        }
    }

    fn instead_of(&self, expected: &str) -> ReadError {
        let found = self.next.map_or("nothing", |node| node.tag_name().name());
        ReadError::Element {
            parent: self.parent.tag_name().name().to_owned(),
            expected: expected.to_owned(),
            found: shown(found),
        }
    }

    fn text(&mut self, name: &str) -> Result<String, ReadError> {
        text(self.expect(name)?)
    }

    fn optional_text(&mut self, name: &str) -> Result<Option<String>, ReadError> {
        self.optional(name).map(text).transpose()
    }

    fn id(&mut self, name: &str) -> Result<String, ReadError> {
        id(self.expect(name)?)
    }
}

fn malformed(node: Node<'_, '_>, what: &str) -> ReadError {
    ReadError::Malformed {
        element: shown(node.tag_name().name()),
        what: what.to_owned(),
    }
}

/// The text of an element that has nothing else.
fn text(node: Node<'_, '_>) -> Result<String, ReadError> {
    let is_plain = node.children().all(|child| child.is_text());
    let text: String = node.children().filter_map(|child| child.text()).collect();
    // What would not be written is not read either.
    match is_plain && checked(&text).is_ok() {
        true => Ok(text),
        false => Err(malformed(node, "its text")),
    }
}

fn id<'d>(node: Node<'d, 'd>) -> Result<String, ReadError> {
    match attribute(node, "scheme")? {
        SCHEME => text(node),
        _ => Err(malformed(node, "its scheme")),
    }
}

fn attribute<'d>(node: Node<'d, 'd>, name: &str) -> Result<&'d str, ReadError> {
    let value = optional_attribute(node, name)?;
    value.ok_or_else(|| malformed(node, &format!("attribute {name} is missing")))
}

fn optional_attribute<'d>(node: Node<'d, 'd>, name: &str) -> Result<Option<&'d str>, ReadError> {
    let value = node.attribute((NAMESPACE, name));
    Ok(value.map(checked).transpose()?)
}

/// A value parsed out of an attribute without namespace.
fn own<T>(
    node: Node<'_, '_>,
    name: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<T, ReadError> {
    let value = node.attribute(name).filter(|text| checked(text).is_ok());
    let value = value.and_then(parse);
    value.ok_or_else(|| malformed(node, &format!("attribute {name}")))
}

fn number<T: std::str::FromStr + ToString>(text: &str) -> Option<T> {
    text.parse().ok().filter(|n: &T| n.to_string() == text)
}

fn digest(text: &str) -> Option<[u8; 32]> {
    let mut out = [0; 32];
    hex::decode_to_slice(text, &mut out).ok()?;
    (hex::encode(out) == text).then_some(out)
}

fn instant(text: &str) -> Option<UtcMillis> {
    let at = DateTime::parse_from_rfc3339(text).ok()?.to_utc();
    let at = Some(at).filter(|at| at.year() <= 9999)?;
    u64::try_from(at.timestamp_millis())
        .ok()
        .map(UtcMillis::new)
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

fn hash<'d>(node: Node<'d, 'd>) -> Result<Hash, ReadError> {
    let name = attribute(node, "hashFunction")?;
    let mut functions = HashFunction::ALL.into_iter();
    let function = functions.find(|function| function.name() == name);
    let function = function.ok_or_else(|| malformed(node, "its hash function"))?;
    let value = hex::decode(text(node)?);
    let value = value.map_err(|_| malformed(node, "its digest"))?;
    Ok(Hash::new(function, value)?)
}

fn source<'d>(node: Node<'d, 'd>) -> Result<Source, ReadError> {
    let word = attribute(node, "derivation")?;
    let mut all = Derivation::ALL.into_iter();
    let derivation = all.find(|derivation| derivation.word() == word);
    let mut inside = Inside::of(node);
    let source = Source {
        derivation: derivation.ok_or_else(|| malformed(node, "its derivation"))?,
        id: inside.id("ID")?,
        path: inside.text("Path")?,
        hash: hash(inside.expect("Hash")?)?,
    };
    inside.end()?;
    Ok(source)
}

fn volume<'d>(node: Node<'d, 'd>) -> Result<Volume, ReadError> {
    let mut inside = Inside::of(node);
    let id = inside.id("ID")?;
    let label = inside.optional_text("Label")?;
    let description = inside.optional_text("Description")?;
    let mut sources = Vec::new();
    while let Some(node) = inside.optional("PVolumeSource") {
        let mut inside = Inside::of(node);
        sources.push(VolumeSource {
            id: inside.id("ID")?,
            index: inside.id("PIndexID")?,
        });
        inside.end()?;
    }
    let interval = inside.optional("MoreInfo").map(interval).transpose()?;
    inside.end()?;
    Ok(Volume {
        id,
        label,
        description,
        sources,
        interval,
    })
}

fn interval<'d>(more: Node<'d, 'd>) -> Result<Interval, ReadError> {
    let mut inside = Inside::of(more);
    let embedded = inside.expect("EmbeddedMetadata")?;
    inside.end()?;
    let mut inside = Inside::in_namespace(embedded, INTERVAL_NAMESPACE);
    let node = inside.expect("Interval")?;
    inside.end()?;
    let mut inside = Inside::in_namespace(node, INTERVAL_NAMESPACE);
    let mut maps = Vec::new();
    while let Some(map) = inside.optional("Map") {
        maps.push(Map {
            class: own(map, "class", number)?,
            keys: own(map, "keys", number)?,
            root: own(map, "root", digest)?,
            salt_hash: own(map, "saltHash", digest)?,
        });
    }
    let mut counts = Vec::new();
    while let Some(count) = inside.optional("Count") {
        counts.push(Count {
            event: own(count, "event", |text| Some(text.to_owned()))?,
            number: own(count, "number", number)?,
        });
    }
    inside.end()?;
    Ok(Interval {
        origin: own(node, "origin", |text| Some(text.to_owned()))?,
        start: own(node, "start", instant)?,
        cut: own(node, "cut", instant)?,
        first: own(node, "first", number)?,
        size: own(node, "size", number)?,
        tree_size: own(node, "treeSize", number)?,
        root: own(node, "root", digest)?,
        is_development: own(node, "development", boolean)?,
        maps,
        counts,
    })
}

fn group<'d>(node: Node<'d, 'd>) -> Result<FileGroup, ReadError> {
    let mut inside = Inside::of(node);
    let id = inside.id("ID")?;
    let label = inside.optional_text("Label")?;
    let description = inside.optional_text("Description")?;
    let mut files = vec![file(inside.expect("File")?)?];
    while let Some(node) = inside.optional("File") {
        files.push(file(node)?);
    }
    inside.end()?;
    Ok(FileGroup {
        id,
        label,
        description,
        files,
    })
}

fn file<'d>(node: Node<'d, 'd>) -> Result<FileEntry, ReadError> {
    if attribute(node, "encoding")? != "binary" {
        return Err(malformed(node, "its encoding"));
    }
    let mut inside = Inside::of(node);
    let file = FileEntry {
        id: inside.id("ID")?,
        path: PackagePath::try_from(&inside.text("Path")?[..])?,
        format: attribute(node, "format")?.to_owned(),
        extension: optional_attribute(node, "extension")?.map(str::to_owned),
        hash: hash(inside.expect("Hash")?)?,
        previous: inside.optional("PreviousHash").map(previous).transpose()?,
    };
    inside.end()?;
    Ok(file)
}

fn previous<'d>(node: Node<'d, 'd>) -> Result<PreviousHash, ReadError> {
    Ok(PreviousHash {
        hash: hash(node)?,
        related: attribute(node, "relatedPIndex")?.to_owned(),
    })
}

fn process<'d>(node: Node<'d, 'd>) -> Result<Process, ReadError> {
    let mut inside = Inside::of(node);
    let submitter = agent(inside.expect("Submitter")?)?;
    let mut holders = vec![holder(inside.expect("Holder")?)?];
    while let Some(node) = inside.optional("Holder") {
        holders.push(holder(node)?);
    }
    let mut signatories = vec![signatory(inside.expect("AuthorizedSigner")?)?];
    while let Some(node) = inside.optional("AuthorizedSigner") {
        signatories.push(signatory(node)?);
    }
    let mut reference = Inside::of(inside.expect("TimeReference")?);
    let info = reference.expect("TimeInfo")?;
    reference.end()?;
    let attached = boolean(attribute(info, "attachedTimeStamp")?);
    let laws = inside.optional_text("LawsAndRegulations")?;
    inside.end()?;
    Ok(Process {
        submitter,
        holders,
        signatories,
        time: instant(&text(info)?).ok_or_else(|| malformed(info, "its time"))?,
        has_time_stamp: attached.ok_or_else(|| malformed(info, "attachedTimeStamp"))?,
        laws,
    })
}

fn holder<'d>(node: Node<'d, 'd>) -> Result<Holder, ReadError> {
    let role = HolderRole::from_words(attribute(node, "holderRole")?);
    Ok(Holder {
        agent: agent(node)?,
        role: role.ok_or_else(|| malformed(node, "its role"))?,
    })
}

fn signatory<'d>(node: Node<'d, 'd>) -> Result<Signatory, ReadError> {
    Ok(Signatory {
        agent: agent(node)?,
        role: optional_attribute(node, "signerRole")?.map(str::to_owned),
    })
}

fn agent<'d>(node: Node<'d, 'd>) -> Result<Agent, ReadError> {
    let mut inside = Inside::of(node);
    let mut ids = Vec::new();
    while let Some(id) = inside.optional("AgentID") {
        ids.push(AgentId::try_from(&text(id)?[..])?);
    }
    let mut named = Inside::of(inside.expect("AgentName")?);
    let name = match named.optional("FormalName") {
        Some(name) => AgentName::Organization(text(name)?),
        None => {
            let mut person = Inside::of(named.expect("NameAndSurname")?);
            let name = AgentName::Person {
                first: person.text("FirstName")?,
                last: person.text("LastName")?,
            };
            person.end()?;
            name
        }
    };
    named.end()?;
    if attribute(node, "agentType")? != name.kind() {
        return Err(malformed(node, "its kind"));
    }
    let mut documents = Vec::new();
    while let Some(document) = inside.optional("RelevantDocument") {
        documents.push(text(document)?);
    }
    inside.end()?;
    Ok(Agent::new(ids, name, documents)?)
}
