//! An index to XML.

use super::values::checked;
use super::{
    Agent, AgentName, FileEntry, Hash, INTERVAL_NAMESPACE, INTERVAL_SCHEMA_PATH, Interval,
    NAMESPACE, PIndex, Process, SCHEMA_URI, SCHEME, Source, VERSION, ValueError, Volume,
};
use ceralacca_formats::id::UtcMillis;
use chrono::{DateTime, Datelike as _, SecondsFormat};
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

/// Why an index was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A value that XML or the standard cannot carry. The caller's to change.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// A list that must not be empty: groups, files of a group, holders, signatories.
    #[error("no {0}")]
    Empty(&'static str),
    /// A time beyond the year 9999.
    #[error("a time beyond the year 9999")]
    Time,
    /// The writer of XML failed.
    #[error("write XML")]
    Xml(#[from] std::io::Error),
}

/// Writes an index: the bytes to be signed.
pub fn write(index: &PIndex) -> Result<Vec<u8>, WriteError> {
    let mut out = Out(Writer::new_with_indent(Vec::new(), b' ', 2));
    out.event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let root = [
        ("xmlns:sincro", NAMESPACE),
        ("sincro:language", "it"),
        ("sincro:sincroVersion", VERSION),
        ("sincro:uri", SCHEMA_URI),
    ];
    out.inside("PIndex", &root, |out| {
        out.inside("SelfDescription", &[], |out| {
            out.id("ID", &index.id)?;
            out.inside("CreatingApplication", &[], |out| {
                out.text("Name", &[], &index.application.name)?;
                out.text("Version", &[], &index.application.version)?;
                out.text("Producer", &[], &index.application.producer)
            })?;
            index
                .sources
                .iter()
                .try_for_each(|source| out.source(source))
        })?;
        out.volume(&index.volume)?;
        some("file groups", &index.groups)?;
        for group in &index.groups {
            some("files in a group", &group.files)?;
            out.inside("FileGroup", &[], |out| {
                out.id("ID", &group.id)?;
                out.optional("Label", group.label.as_deref())?;
                out.optional("Description", group.description.as_deref())?;
                group.files.iter().try_for_each(|file| out.file(file))
            })?;
        }
        out.process(&index.process)
    })?;
    let mut bytes = out.0.into_inner();
    bytes.push(b'\n');
    Ok(bytes)
}

fn some<T>(what: &'static str, list: &[T]) -> Result<(), WriteError> {
    match list.is_empty() {
        true => Err(WriteError::Empty(what)),
        false => Ok(()),
    }
}

fn instant(at: UtcMillis) -> Result<String, WriteError> {
    let at = i64::try_from(at.get()).ok();
    let at = at.and_then(DateTime::from_timestamp_millis);
    let at = at.filter(|at| at.year() <= 9999).ok_or(WriteError::Time)?;
    Ok(at.to_rfc3339_opts(SecondsFormat::Millis, true))
}

type Done = Result<(), WriteError>;

struct Out(Writer<Vec<u8>>);

impl Out {
    fn event(&mut self, event: Event<'_>) -> Done {
        Ok(self.0.write_event(event)?)
    }

    fn start<'n>(name: &'n str, attributes: &[(&str, &str)]) -> Result<BytesStart<'n>, WriteError> {
        let mut start = BytesStart::new(name);
        for (attribute, value) in attributes {
            start.push_attribute((*attribute, checked(value)?));
        }
        Ok(start)
    }

    /// An element of the standard with elements inside.
    fn inside(
        &mut self,
        name: &str,
        attributes: &[(&str, &str)],
        content: impl FnOnce(&mut Self) -> Done,
    ) -> Done {
        self.within(&format!("sincro:{name}"), attributes, content)
    }

    fn within(
        &mut self,
        name: &str,
        attributes: &[(&str, &str)],
        content: impl FnOnce(&mut Self) -> Done,
    ) -> Done {
        self.event(Event::Start(Self::start(name, attributes)?))?;
        content(self)?;
        self.event(Event::End(BytesEnd::new(name)))
    }

    /// An element of the standard with text inside.
    fn text(&mut self, name: &str, attributes: &[(&str, &str)], text: &str) -> Done {
        let text = checked(text)?;
        self.inside(name, attributes, |out| {
            out.event(Event::Text(BytesText::new(text)))
        })
    }

    fn optional(&mut self, name: &str, text: Option<&str>) -> Done {
        text.map_or(Ok(()), |text| self.text(name, &[], text))
    }

    fn id(&mut self, name: &str, id: &str) -> Done {
        self.text(name, &[("sincro:scheme", SCHEME)], id)
    }

    fn hash(&mut self, hash: &Hash) -> Done {
        let function = [("sincro:hashFunction", hash.function().name())];
        self.text("Hash", &function, &hex::encode(hash.as_bytes()))
    }

    fn source(&mut self, source: &Source) -> Done {
        let derivation = [("sincro:derivation", source.derivation.word())];
        self.inside("PIndexSource", &derivation, |out| {
            out.id("ID", &source.id)?;
            out.text("Path", &[], &source.path)?;
            out.hash(&source.hash)
        })
    }

    fn volume(&mut self, volume: &Volume) -> Done {
        self.inside("PVolume", &[], |out| {
            out.id("ID", &volume.id)?;
            out.optional("Label", volume.label.as_deref())?;
            out.optional("Description", volume.description.as_deref())?;
            for source in &volume.sources {
                out.inside("PVolumeSource", &[], |out| {
                    out.id("ID", &source.id)?;
                    out.id("PIndexID", &source.index)
                })?;
            }
            let Some(interval) = &volume.interval else {
                return Ok(());
            };
            let schema = [("sincro:xmlSchema", INTERVAL_SCHEMA_PATH)];
            out.inside("MoreInfo", &schema, |out| {
                out.inside("EmbeddedMetadata", &[], |out| out.interval(interval))
            })
        })
    }

    fn interval(&mut self, interval: &Interval) -> Done {
        let attributes = [
            ("xmlns:c", INTERVAL_NAMESPACE.to_owned()),
            ("origin", interval.origin.clone()),
            ("start", instant(interval.start)?),
            ("cut", instant(interval.cut)?),
            ("first", interval.first.to_string()),
            ("size", interval.size.to_string()),
            ("treeSize", interval.tree_size.to_string()),
            ("root", hex::encode(interval.root)),
            ("development", interval.is_development.to_string()),
        ];
        let attributes = attributes
            .each_ref()
            .map(|(name, value)| (*name, &value[..]));
        self.within("c:Interval", &attributes, |out| {
            for map in &interval.maps {
                let attributes = [
                    ("class", map.class.to_string()),
                    ("keys", map.keys.to_string()),
                    ("root", hex::encode(map.root)),
                    ("saltHash", hex::encode(map.salt_hash)),
                ];
                let attributes = attributes
                    .each_ref()
                    .map(|(name, value)| (*name, &value[..]));
                out.event(Event::Empty(Self::start("c:Map", &attributes)?))?;
            }
            for count in &interval.counts {
                let number = count.number.to_string();
                let attributes = [("event", &count.event[..]), ("number", &number)];
                out.event(Event::Empty(Self::start("c:Count", &attributes)?))?;
            }
            Ok(())
        })
    }

    fn file(&mut self, file: &FileEntry) -> Done {
        let mut attributes = vec![
            ("sincro:encoding", "binary"),
            ("sincro:format", &file.format[..]),
        ];
        attributes.extend(file.extension.as_deref().map(|e| ("sincro:extension", e)));
        self.inside("File", &attributes, |out| {
            out.id("ID", &file.id)?;
            out.text("Path", &[], file.path.as_str())?;
            out.hash(&file.hash)?;
            let Some(previous) = &file.previous else {
                return Ok(());
            };
            let attributes = [
                ("sincro:hashFunction", previous.hash.function().name()),
                // The one attribute the schema declares locally, qualified by its attributeFormDefault.
                ("sincro:relatedPIndex", &previous.related),
            ];
            let value = hex::encode(previous.hash.as_bytes());
            out.text("PreviousHash", &attributes, &value)
        })
    }

    fn process(&mut self, process: &Process) -> Done {
        some("holders", &process.holders)?;
        some("signatories", &process.signatories)?;
        self.inside("Process", &[], |out| {
            out.agent("Submitter", &process.submitter, None)?;
            for holder in &process.holders {
                let role = ("sincro:holderRole", holder.role.words());
                out.agent("Holder", &holder.agent, Some(role))?;
            }
            for signatory in &process.signatories {
                let role = signatory.role.as_deref();
                let role = role.map(|role| ("sincro:signerRole", role));
                out.agent("AuthorizedSigner", &signatory.agent, role)?;
            }
            let attached = process.has_time_stamp.to_string();
            let attached = [("sincro:attachedTimeStamp", &attached[..])];
            out.inside("TimeReference", &[], |out| {
                out.text("TimeInfo", &attached, &instant(process.time)?)
            })?;
            out.optional("LawsAndRegulations", process.laws.as_deref())
        })
    }

    fn agent(&mut self, name: &str, agent: &Agent, role: Option<(&str, &str)>) -> Done {
        let mut attributes = vec![("sincro:agentType", agent.name.kind())];
        attributes.extend(role);
        self.inside(name, &attributes, |out| {
            for id in &agent.ids {
                out.text("AgentID", &[], id.as_str())?;
            }
            out.inside("AgentName", &[], |out| match &agent.name {
                AgentName::Organization(name) => out.text("FormalName", &[], name),
                AgentName::Person { first, last } => out.inside("NameAndSurname", &[], |out| {
                    out.text("FirstName", &[], first)?;
                    out.text("LastName", &[], last)
                }),
            })?;
            for document in agent.documents() {
                out.text("RelevantDocument", &[], document)?;
            }
            Ok(())
        })
    }
}
