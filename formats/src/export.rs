//! The manifest of an export: what a log is rebuilt from beside its packages.
//!
//! ```text
//! {"checkpoint":"…","files":[{"bytes":n,"path":"log-300.rows","sha256":"<64>"},…],
//!  "format":"ceralacca contents 1","origin":"…","size":300}
//! ```
//! Canonical JSON (RFC 8785), files in ascending order of path. Written last: without it an export is none, with it
//! every file that it names is whole. Nothing in it is secret, and nothing of it is believed: a rebuild holds all that
//! it reads to the log's key.

use crate::canonical::{Integer, ObjectReader, ObjectWriter};
use crate::catalogue::{CATALOGUE_BYTES_MAX, Entry, read_files, write_files};
use crate::id::{INTEGER_MAX, Origin, TreeSize};

/// What an export holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Exported {
    /// Contents, and the records that no package holds yet, as they are stored: encrypted.
    Contents,
    /// Wrapped secrets.
    Secrets,
}

impl Exported {
    const fn format(self) -> &'static str {
        match self {
            Self::Contents => "ceralacca contents 1",
            Self::Secrets => "ceralacca secrets 1",
        }
    }
}

/// The files of an export.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Manifest {
    /// What it is.
    pub exported: Exported,
    /// Origin of the log.
    pub origin: Origin,
    /// Leaves of the log when it was made.
    pub size: TreeSize,
    /// Note of the last published checkpoint.
    pub checkpoint: String,
    /// The files, ascending by path.
    pub files: Vec<Entry>,
}

impl Manifest {
    /// The file at a path.
    pub fn file(&self, path: &str) -> Option<&Entry> {
        let found = self
            .files
            .binary_search_by(|entry| entry.path.as_str().cmp(path));
        found.ok().and_then(|at| self.files.get(at))
    }

    /// Canonical JSON; the files are put in order.
    pub fn to_bytes(&self) -> Vec<u8> {
        let integer = |n: u64| Integer::try_from(n.min(INTEGER_MAX)).unwrap_or(Integer::ZERO);
        let mut files = self.files.clone();
        files.sort();
        let mut out = String::new();
        ObjectWriter::write(&mut out, |w| {
            w.text("checkpoint", self.checkpoint.as_bytes());
            write_files(w, &files);
            w.text("format", self.exported.format().as_bytes());
            w.text("origin", self.origin.as_str().as_bytes());
            w.integer("size", integer(self.size.get()));
        });
        out.into_bytes()
    }

    /// Reads what [`Manifest::to_bytes`] wrote; `None` for anything else.
    pub fn parse(bytes: &[u8], exported: Exported) -> Option<Self> {
        if bytes.len() > CATALOGUE_BYTES_MAX {
            return None;
        }
        let mut r = ObjectReader::parse(bytes).ok()?;
        let checkpoint = r.text("checkpoint").ok()??.to_str()?.to_owned();
        let files = read_files(&mut r)?;
        let format = r.text("format").ok()??;
        let origin = r.text("origin").ok()??;
        let size = u64::try_from(r.integer("size").ok()??.get()).ok()?;
        r.end().ok()?;
        if format.to_str() != Some(exported.format()) {
            return None;
        }
        Some(Self {
            exported,
            origin: Origin::try_from(origin.to_str()?).ok()?,
            size: TreeSize::new(size),
            checkpoint,
            files,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Sha256;
    use proptest::prelude::*;

    fn manifest() -> Manifest {
        let entry = |path: &str, bytes| Entry {
            path: path.to_owned(),
            bytes,
            sha256: Sha256::of(path.as_bytes()),
        };
        Manifest {
            exported: Exported::Contents,
            origin: Origin::try_from("pec.example/log").unwrap(),
            size: TreeSize::new(300),
            checkpoint: "pec.example/log\n300\n".to_owned(),
            files: vec![
                entry("1763683200000.objects", 51),
                entry("log-300.rows", 260),
            ],
        }
    }

    #[test]
    fn the_vector_of_a_manifest_is_reproduced() {
        let vector = include_str!("../vectors/export.json").trim_end();
        let bytes = manifest().to_bytes();
        assert_eq!(std::str::from_utf8(&bytes).unwrap(), vector);
        assert_eq!(
            Manifest::parse(&bytes, Exported::Contents),
            Some(manifest())
        );
        assert_eq!(Manifest::parse(&bytes, Exported::Secrets), None);
        assert_eq!(manifest().file("log-300.rows").unwrap().bytes, 260);
        assert_eq!(manifest().file("log-299.rows"), None);
    }

    #[test]
    fn a_path_that_leaves_the_folder_is_refused() {
        for path in ["../x", "/x", "a//b", ""] {
            let mut leaving = manifest();
            leaving.files.truncate(1);
            leaving.files[0].path = path.to_owned();
            let bytes = leaving.to_bytes();
            assert_eq!(Manifest::parse(&bytes, Exported::Contents), None, "{path}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Manifest::parse(&bytes, Exported::Contents);
        }
    }
}
