//! The catalogue of a package: every file of a closed interval, with its length and digest.
//!
//! ```text
//! {"files":[{"bytes":n,"path":"leaves.bin","sha256":"<64>"},…],"format":"ceralacca package 1","interval":…,"origin":"…"}
//! ```
//! Canonical JSON (RFC 8785), files in ascending order of path. The closing leaf commits to its SHA-256. Paths are
//! relative, of the characters `a-z A-Z 0-9 . _ -` and `/`, without empty, `.` or `..` components.

use crate::canonical::{Integer, ObjectReader, ObjectWriter};
use crate::digest::Sha256;
use crate::id::{INTEGER_MAX, IntervalId, Origin};

const FORMAT: &str = "ceralacca package 1";
/// The most files of a package.
pub const FILES_MAX: usize = 1 << 16;
/// The longest catalogue, in bytes.
pub const CATALOGUE_BYTES_MAX: usize = 32 << 20;

/// A file of a package, as handed out.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Entry {
    /// Its path within the package.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// Its digest.
    pub sha256: Sha256,
}

/// The files of a package.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Catalogue {
    /// Origin of the log.
    pub origin: Origin,
    /// The interval.
    pub interval: IntervalId,
    /// The files, ascending by path.
    pub files: Vec<Entry>,
}

/// Whether this may be the path of a file in a package.
pub fn is_path(path: &str) -> bool {
    let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-' | b'/');
    let component = |part: &str| !part.is_empty() && part != "." && part != "..";
    path.len() <= 255 && path.bytes().all(plain) && path.split('/').all(component)
}

impl Catalogue {
    /// A catalogue of these files, put in order.
    pub fn new(origin: Origin, interval: IntervalId, mut files: Vec<Entry>) -> Self {
        files.sort();
        Self {
            origin,
            interval,
            files,
        }
    }

    /// The file at a path.
    pub fn file(&self, path: &str) -> Option<&Entry> {
        let found = self
            .files
            .binary_search_by(|entry| entry.path.as_str().cmp(path));
        found.ok().and_then(|at| self.files.get(at))
    }

    /// Canonical JSON.
    pub fn to_bytes(&self) -> Vec<u8> {
        let integer = |n: u64| Integer::try_from(n.min(INTEGER_MAX)).unwrap_or(Integer::ZERO);
        let mut out = String::new();
        ObjectWriter::write(&mut out, |w| {
            write_files(w, &self.files);
            w.text("format", FORMAT.as_bytes());
            w.integer("interval", integer(self.interval.get()));
            w.text("origin", self.origin.as_str().as_bytes());
        });
        out.into_bytes()
    }

    /// Reads what [`Catalogue::to_bytes`] wrote; `None` for anything else.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > CATALOGUE_BYTES_MAX {
            return None;
        }
        let mut r = ObjectReader::parse(bytes).ok()?;
        let files = read_files(&mut r)?;
        let format = r.text("format").ok()??;
        let interval = u64::try_from(r.integer("interval").ok()??.get()).ok()?;
        let origin = r.text("origin").ok()??;
        r.end().ok()?;
        if format.to_str() != Some(FORMAT) {
            return None;
        }
        Some(Self {
            origin: Origin::try_from(origin.to_str()?).ok()?,
            interval: IntervalId::new(interval),
            files,
        })
    }
}

/// Writes the member `files`: none where there are none.
pub(crate) fn write_files(w: &mut ObjectWriter<'_>, files: &[Entry]) {
    if files.is_empty() {
        return;
    }
    let integer = |n: u64| Integer::try_from(n.min(INTEGER_MAX)).unwrap_or(Integer::ZERO);
    w.objects("files", files, |entry, w| {
        w.integer("bytes", integer(entry.bytes));
        w.text("path", entry.path.as_bytes());
        w.text("sha256", entry.sha256.to_string().as_bytes());
    });
}

/// Reads the member `files`; `None` where paths are none, do not ascend, or are more than [`FILES_MAX`].
pub(crate) fn read_files(r: &mut ObjectReader) -> Option<Vec<Entry>> {
    let files = r.objects("files", |r| {
        let bytes = r.integer("bytes")?.ok_or("bytes")?;
        let path = r.text("path")?.ok_or("path")?;
        let sha256 = r.text("sha256")?.ok_or("sha256")?;
        Ok(Entry {
            path: path.to_str().ok_or("path")?.to_owned(),
            bytes: u64::try_from(bytes.get()).map_err(|_| "bytes")?,
            sha256: sha256.to_str().and_then(Sha256::from_hex).ok_or("sha256")?,
        })
    });
    let files: Vec<Entry> = files.ok()?;
    let ascending = files.is_sorted_by(|a, b| a.path < b.path);
    let sound = ascending && files.iter().all(|file| is_path(&file.path));
    (sound && files.len() <= FILES_MAX).then_some(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn catalogue() -> Catalogue {
        let entry = |path: &str, bytes| Entry {
            path: path.to_owned(),
            bytes,
            sha256: Sha256::of(path.as_bytes()),
        };
        Catalogue::new(
            Origin::try_from("pec.example/log").unwrap(),
            IntervalId::new(1_763_683_200_000),
            vec![entry("leaves.bin", 192), entry("checkpoint", 180)],
        )
    }

    #[test]
    fn the_vector_of_a_catalogue_is_reproduced() {
        let vector = include_str!("../vectors/catalogue.json").trim_end();
        let bytes = catalogue().to_bytes();
        assert_eq!(std::str::from_utf8(&bytes).unwrap(), vector);
        assert_eq!(Catalogue::parse(&bytes), Some(catalogue()));
        assert_eq!(catalogue().file("leaves.bin").unwrap().bytes, 192);
        assert_eq!(catalogue().file("leaves"), None);
    }

    #[test]
    fn a_catalogue_out_of_order_or_with_a_path_that_leaves_is_refused() {
        let mut unordered = catalogue();
        unordered.files.reverse();
        assert_eq!(Catalogue::parse(&unordered.to_bytes()), None);
        let mut twice = catalogue();
        twice.files.insert(0, twice.files[0].clone());
        assert_eq!(Catalogue::parse(&twice.to_bytes()), None);
        for path in ["../x", "/x", "a//b", "a/./b", "", "a b", "a\\b", "è"] {
            let mut leaving = catalogue();
            leaving.files.truncate(1);
            leaving.files[0].path = path.to_owned();
            assert_eq!(Catalogue::parse(&leaving.to_bytes()), None, "{path}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Catalogue::parse(&bytes);
        }
    }
}
