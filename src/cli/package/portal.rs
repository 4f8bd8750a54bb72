//! Sendings that the portal of a court takes: what of a folder can be sent, in how many sendings, and what cannot.
//!
//! # Invariants
//! 1. Files are copied, never altered; a name has no folder, so that a portal shows it as it is.
//! 2. Every file that is left out is named, with the limit it breaks.

use crate::cli::show;
use anyhow::{Context as _, Result};
use ceralacca_evidence::asic::portal::{Breach, Limits, TAX_COURT, plan};
use serde_json::{Map, Value, json};
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Portals whose limits are published.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum Portal {
    /// Tax courts: EML, XML, PDF, P7M; 10 MB a file, 50 files and 50 MB a sending
    TaxCourt,
}

/// The longest name of a file in a sending, in characters.
const NAME_MAX: usize = 100;

/// What was laid out.
pub struct Laid {
    limits: Limits,
    /// Folders, each with the names in it.
    sendings: Vec<(PathBuf, Vec<String>)>,
    /// Files that cannot be sent, their length, and why.
    refused: Vec<(String, u64, Refused)>,
}

enum Refused {
    Breach(Breach),
    Name,
}

impl Refused {
    const fn word(&self) -> &'static str {
        match self {
            Self::Breach(Breach::TooLarge) => "too-large",
            Self::Breach(Breach::Extension) => "type",
            Self::Name => "name",
        }
    }
}

impl Portal {
    const fn limits(self) -> Limits {
        match self {
            Self::TaxCourt => TAX_COURT,
        }
    }

    /// Copies what can be sent of a folder into folders beside it, a sending each.
    pub fn lay(self, folder: &Path) -> Result<Laid> {
        let limits = self.limits();
        let mut files = Vec::new();
        list(folder, "", &mut files)?;
        // Pages first, then what they speak of.
        files.sort_by_key(|(name, _)| (!name.ends_with(".pdf"), name.contains('/'), name.clone()));
        let flat = |name: &str| name.replace('/', "-");
        let mut refused = Vec::new();
        files.retain(|(name, bytes)| {
            let fits = flat(name).len() <= NAME_MAX;
            if !fits {
                refused.push((name.clone(), *bytes, Refused::Name));
            }
            fits
        });
        let named = files.iter().map(|(name, bytes)| (name.as_str(), *bytes));
        let planned = plan(&limits, named);
        for (name, breach) in planned.refused {
            let mut files = files.iter();
            let bytes = files
                .find(|(other, _)| *other == name)
                .map(|(_, bytes)| *bytes);
            refused.push((name, bytes.unwrap_or_default(), Refused::Breach(breach)));
        }
        let mut sendings = Vec::new();
        for (number, names) in (1..).zip(planned.sendings) {
            let mut path: OsString = folder.into();
            path.push(format!("-invio-{number:02}"));
            let path = PathBuf::from(path);
            let attempt = || format!("make sending {}", path.display());
            std::fs::create_dir(&path).with_context(attempt)?;
            for name in &names {
                std::fs::copy(folder.join(name), path.join(flat(name))).with_context(attempt)?;
            }
            sendings.push((path, names.iter().map(|name| flat(name)).collect()));
        }
        Ok(Laid {
            limits,
            sendings,
            refused,
        })
    }
}

fn list(root: &Path, below: &str, files: &mut Vec<(String, u64)>) -> Result<()> {
    let folder = root.join(below);
    let attempt = || format!("read folder {}", folder.display());
    for entry in folder.read_dir().with_context(attempt)? {
        let entry = entry.with_context(attempt)?;
        // Names are ours: letters, digits, points, lines.
        let name = entry.file_name().to_string_lossy().into_owned();
        let name = match below {
            "" => name,
            _ => format!("{below}/{name}"),
        };
        match entry.file_type().with_context(attempt)?.is_dir() {
            true => list(root, &name, files)?,
            false => files.push((name, entry.metadata().with_context(attempt)?.len())),
        }
    }
    Ok(())
}

impl Laid {
    /// Members of an answer.
    pub fn json(&self) -> Map<String, Value> {
        let sendings = self.sendings.iter();
        let sendings = sendings
            .map(|(path, names)| json!({ "path": path.display().to_string(), "files": names }));
        let refused = self
            .refused
            .iter()
            .map(|(name, bytes, why)| json!({ "name": name, "bytes": bytes, "why": why.word() }));
        let mut members = Map::new();
        members.insert("sendings".to_owned(), sendings.collect());
        members.insert("refused".to_owned(), refused.collect());
        members
    }

    /// The same in words.
    pub fn tell(&self, out: &mut impl Write) -> Result<()> {
        for (path, names) in &self.sendings {
            let path = show::printable(&path.display().to_string());
            writeln!(out, "To send: {} files in {path}.", names.len())?;
        }
        let types = self.limits.extensions.join(", ");
        for (name, bytes, why) in &self.refused {
            let why = match why {
                Refused::Breach(Breach::TooLarge) => format!(
                    "{bytes} bytes, over the limit of {}",
                    self.limits.file_bytes_max
                ),
                Refused::Breach(Breach::Extension) => format!("not one of {types}"),
                Refused::Name => format!("its name has over {NAME_MAX} characters"),
            };
            writeln!(out, "Not to be sent: {}: {why}.", show::printable(name))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_portal_takes_is_laid_into_sendings_and_the_rest_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("cartella");
        std::fs::create_dir_all(root.join("proof/1763683200000")).unwrap();
        let put = |name: &str, bytes: u64| {
            let file = std::fs::File::create(root.join(name)).unwrap();
            file.set_len(bytes).unwrap();
        };
        put("relazione.pdf", 1000);
        put("proof/001.tlog-proof", 10);
        put("proof/1763683200000/PIndex.xml.p7m", 10);
        put("001-avvenuta-consegna.eml", 10_000_001);
        for number in 2..62 {
            put(&format!("{number:03}-accettazione.eml"), 1_000_000);
        }
        let laid = Portal::TaxCourt.lay(&root).unwrap();
        let counts: Vec<usize> = laid.sendings.iter().map(|(_, names)| names.len()).collect();
        assert_eq!(counts, [50, 12]);
        for (path, names) in &laid.sendings {
            let entries = std::fs::read_dir(path).unwrap();
            let sizes = entries.map(|entry| entry.unwrap().metadata().unwrap().len());
            let sizes: Vec<u64> = sizes.collect();
            assert_eq!(sizes.len(), names.len());
            assert!(sizes.len() <= 50 && sizes.iter().sum::<u64>() <= 50_000_000);
        }
        assert_eq!(laid.sendings[0].1[0], "relazione.pdf");
        let last = &laid.sendings[1].1;
        assert!(last.contains(&"proof-1763683200000-PIndex.xml.p7m".to_owned()));
        let mut text = Vec::new();
        laid.tell(&mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        for line in [
            "Not to be sent: 001-avvenuta-consegna.eml: 10000001 bytes, over the limit of 10000000.",
            "Not to be sent: proof/001.tlog-proof: not one of eml, xml, pdf, p7m.",
        ] {
            assert!(text.contains(line), "{text}");
        }
        assert_eq!(laid.refused.len(), 2);
    }
}
