//! Files of trust material, read at start and again while the service runs.
//!
//! ```text
//! start, SIGHUP, every `reread_seconds` ─▶ files ─▶ Bundle, if it changed ─▶ every log: recorded, then in force
//! ```
//!
//! # Invariants
//! 1. At start, unusable material stops the service: to judge with half of it would mislead.
//! 2. Later, what was in force stays so until the whole of the new is usable and recorded.

use super::config::TrustFiles;
use crate::archive::Archive;
use crate::ingest::JudgeWithError;
use crate::trust::{Bundle, Item, What};
use ceralacca_pec::judge::TrustError;
use ceralacca_retention::CivilDate;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;
use tokio::signal::unix::Signal;

/// Why a file of trust material is refused: the operator's to change.
#[derive(Debug, thiserror::Error)]
pub enum TrustFileError {
    /// It cannot be read.
    #[error("read {path}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It looks like PEM and is none, or has nothing of the kind asked for.
    #[error("{0} holds nothing of the kind it is named for")]
    Empty(PathBuf),
    /// A directory of providers does not say of which day it is.
    #[error("{0}: its name holds no day (2026-11-21 or 20261121)")]
    Day(PathBuf),
    /// Two directories of providers of one day.
    #[error("{0} is of the same day as {1}")]
    SameDay(PathBuf, PathBuf),
    /// Something in the lists is not what it should be.
    #[error("trust material: {0}")]
    Material(TrustError),
    /// A log did not take it over.
    #[error("trust material of log {log}")]
    Log {
        /// Which log.
        log: String,
        /// Why.
        #[source]
        source: JudgeWithError,
    },
}

/// Reads the files of a configuration, and knows what it read last.
pub(super) struct TrustReader {
    files: TrustFiles,
    last: Option<Bundle>,
    directories: HashMap<PathBuf, (SystemTime, u64, Arc<Item>)>,
}

impl TrustReader {
    pub(super) fn new(files: TrustFiles) -> Self {
        Self {
            files,
            last: None,
            directories: HashMap::new(),
        }
    }

    /// Puts the material of the files in force in every log, unless it is what was put in force last.
    /// Gives the number of its pieces where it did.
    pub(super) fn apply(&mut self, archive: &Archive) -> Result<Option<usize>, TrustFileError> {
        let bundle = self.read()?;
        if self.last.as_ref().is_some_and(|last| last.is_same(&bundle)) {
            return Ok(None);
        }
        for log in archive.logs() {
            log.judge_with(&bundle)
                .map_err(|source| TrustFileError::Log {
                    log: log.id().to_string(),
                    source,
                })?;
        }
        let pieces = bundle.items().len();
        self.last = Some(bundle);
        Ok(Some(pieces))
    }

    fn read(&mut self) -> Result<Bundle, TrustFileError> {
        let files = &self.files;
        let lists: [(What, &[PathBuf], OfPem); 6] = [
            (What::Anchor, &files.anchors, certificates),
            (What::Intermediate, &files.intermediates, certificates),
            (What::Signer, &files.signers, certificates),
            (What::Crl, &files.crls, revocation_lists),
            (What::Ocsp, &files.ocsp, nothing),
            (What::TsaAnchor, &files.tsa_anchors, certificates),
        ];
        let mut items = Vec::new();
        for (what, paths, of_pem) in lists {
            for path in paths {
                let found = pieces(path, of_pem)?;
                items.extend(
                    found
                        .into_iter()
                        .map(|octets| Arc::new(Item::held(what, octets))),
                );
            }
        }
        items.extend(self.read_directories()?);
        Bundle::new(items).map_err(TrustFileError::Material)
    }

    /// The directories of providers, in order of their days. One that did not change is not read again.
    fn read_directories(&mut self) -> Result<Vec<Arc<Item>>, TrustFileError> {
        let mut found: Vec<(CivilDate, PathBuf, Arc<Item>)> = Vec::new();
        let mut read = HashMap::new();
        for path in listed(&self.files.directories)? {
            let failed = |source| TrustFileError::Read {
                path: path.clone(),
                source,
            };
            let day = day_of(&path).ok_or_else(|| TrustFileError::Day(path.clone()))?;
            let metadata = path.metadata().map_err(failed)?;
            let stamp = (metadata.modified().map_err(failed)?, metadata.len());
            let item = match self.directories.get(&path) {
                Some((at, len, item)) if (*at, *len) == stamp => Arc::clone(item),
                _ => Arc::new(Item::directory(day, &path).map_err(failed)?),
            };
            read.insert(path.clone(), (stamp.0, stamp.1, Arc::clone(&item)));
            found.push((day, path, item));
        }
        self.directories = read;
        found.sort_by_key(|(day, _, _)| *day);
        for pair in found.windows(2) {
            if let [(one, first, _), (other, second, _)] = pair
                && one == other
            {
                return Err(TrustFileError::SameDay(second.clone(), first.clone()));
            }
        }
        Ok(found.into_iter().map(|(_, _, item)| item).collect())
    }
}

/// Reads the files again when told to, and from time to time. Does not end.
pub(super) async fn follow(
    reader: TrustReader,
    archive: Arc<Archive>,
    every: std::time::Duration,
    mut hangup: Signal,
) {
    let mut reader = Some(reader);
    let mut timer = tokio::time::interval(every);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    // The first tick is at once, and the files were read just now.
    timer.tick().await;
    loop {
        tokio::select! {
            _ = timer.tick() => {}
            _ = hangup.recv() => {}
        }
        let Some(mut mine) = reader.take() else {
            return;
        };
        let archive = Arc::clone(&archive);
        let applied = tokio::task::spawn_blocking(move || {
            let result = mine.apply(&archive);
            (mine, result)
        });
        // It ends early only with the runtime.
        let Ok((back, result)) = applied.await else {
            return;
        };
        match result {
            Ok(None) => {}
            Ok(Some(pieces)) => tracing::info!(pieces, "new trust material is in force"),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(
                    error,
                    "trust material is unusable: the former stays in force"
                );
            }
        }
        reader = Some(back);
    }
}

type OfPem = fn(&[u8]) -> Option<Vec<Vec<u8>>>;

/// The pieces in a file: PEM, of one or many, or one in DER.
fn pieces(path: &Path, of_pem: OfPem) -> Result<Vec<Vec<u8>>, TrustFileError> {
    let octets = std::fs::read(path).map_err(|source| TrustFileError::Read {
        path: path.to_owned(),
        source,
    })?;
    if !octets.windows(11).any(|window| window == b"-----BEGIN ") {
        return Ok(vec![octets]);
    }
    let found = of_pem(&octets).filter(|found| !found.is_empty());
    found.ok_or_else(|| TrustFileError::Empty(path.to_owned()))
}

fn certificates(pem: &[u8]) -> Option<Vec<Vec<u8>>> {
    let items = CertificateDer::pem_slice_iter(pem);
    items.map(|item| Some(item.ok()?.to_vec())).collect()
}

fn revocation_lists(pem: &[u8]) -> Option<Vec<Vec<u8>>> {
    let items = CertificateRevocationListDer::pem_slice_iter(pem);
    items.map(|item| Some(item.ok()?.to_vec())).collect()
}

/// OCSP responses have no PEM form.
fn nothing(_: &[u8]) -> Option<Vec<Vec<u8>>> {
    None
}

/// These files, and those in these folders, in order; hidden ones are passed over.
fn listed(paths: &[PathBuf]) -> Result<Vec<PathBuf>, TrustFileError> {
    let mut files = Vec::new();
    for path in paths {
        let failed = |source| TrustFileError::Read {
            path: path.clone(),
            source,
        };
        if !path.metadata().map_err(failed)?.is_dir() {
            files.push(path.clone());
            continue;
        }
        for entry in path.read_dir().map_err(failed)? {
            let file = entry.map_err(failed)?.path();
            let name = file.file_name().map(|name| name.as_encoded_bytes());
            let hidden = name.is_some_and(|name| name.starts_with(b"."));
            if !hidden && file.is_file() {
                files.push(file);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// The day in the name of a file: the first 2026-11-21 or 20261121 in it that is one.
fn day_of(path: &Path) -> Option<CivilDate> {
    let name = path.file_name()?.to_str()?.as_bytes();
    let number = |digits: &[u8]| std::str::from_utf8(digits).ok()?.parse().ok();
    let all_digits = |text: &[u8]| text.iter().all(u8::is_ascii_digit);
    let day = |year: &[u8], month: &[u8], day: &[u8]| {
        let digits = all_digits(year) && all_digits(month) && all_digits(day);
        let year = digits.then(|| number(year)).flatten()?;
        let year = i32::try_from(year).ok()?;
        CivilDate::new(year, number(month)?, number(day)?).ok()
    };
    let mut dashed = name.windows(10).filter_map(|text| match text {
        [y @ .., b'-', m1, m2, b'-', d1, d2] => day(y, &[*m1, *m2], &[*d1, *d2]),
        _ => None,
    });
    let mut plain = name.windows(8).filter_map(|text| match text {
        [y1, y2, y3, y4, m1, m2, d1, d2] => day(&[*y1, *y2, *y3, *y4], &[*m1, *m2], &[*d1, *d2]),
        _ => None,
    });
    dashed.next().or_else(|| plain.next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_of_a_directory_stands_in_its_name() {
        let of = |name: &str| day_of(Path::new(name)).map(|day| day.to_string());
        for name in ["igpec-2026-11-21.ldif", "20261121.p7m", "a1-20261121-2"] {
            assert_eq!(of(name).as_deref(), Some("2026-11-21"), "{name}");
        }
        for name in ["igpec.ldif", "2026-13-21.ldif", "2026112.ldif", "99999999"] {
            assert_eq!(of(name), None, "{name}");
        }
    }
}
