//! What is added to a container that was signed before: further files, and a manifest over those of both.
//!
//! # Invariants
//! 1. The earlier files are known by the manifest that was signed, and by nothing else: who adds need not hold them, and
//!    must verify that signature first.
//! 2. The manifest that is signed lists every file before it, the earlier manifests and signatures included.

use super::error::{AsicError, FinishError};
use super::files::{Measured, copy};
use super::manifest::{CADES, Listed, Manifest};
use super::name::FileName;
use super::write::{Book, Part, Sink};
use ceralacca_formats::digest::Sha256;
use std::io::Read;

/// A file to be added, in its order. The last two are the manifest over all files and its signature.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AddedFile {
    /// Its name.
    pub name: String,
    /// Its media type.
    pub media_type: String,
    /// Its octets.
    pub octets: Vec<u8>,
}

/// Files that are added.
pub struct Addition {
    book: Book,
    added: Added,
    earlier: usize,
}

#[derive(Default)]
struct Added(Vec<Vec<u8>>);

impl Sink for Added {
    fn put(&mut self, _: &FileName, _: &Measured, content: &mut dyn Read) -> Result<(), AsicError> {
        let mut octets = Vec::new();
        copy(content, &mut octets)?;
        self.0.push(octets);
        Ok(())
    }
}

impl Addition {
    /// After the last manifest of a container and its signature, which the caller verified.
    ///
    /// # Errors
    /// [`AsicError::Manifest`] for octets that are no manifest over a signature.
    pub fn after(manifest: &[u8], signature: &[u8]) -> Result<Self, AsicError> {
        let read = Manifest::read("the manifest", manifest)?;
        let refused = || AsicError::Manifest {
            name: "the manifest".to_owned(),
            what: "it is over no signature".to_owned(),
        };
        let number = read.target.as_str().strip_prefix("META-INF/signature");
        let number = number.and_then(|rest| rest.strip_suffix(".p7s"));
        let number = number.filter(|_| read.target_type == CADES);
        let name = format!("META-INF/ASiCManifest{}.xml", number.ok_or_else(refused)?);
        let mut book = Book::default();
        for file in read.listed {
            book.known(file)?;
        }
        book.known(Listed {
            name: FileName::new(&name)?,
            media_type: "text/xml".to_owned(),
            sha256: Sha256::of(manifest),
        })?;
        book.known(Listed {
            name: read.target,
            media_type: CADES.to_owned(),
            sha256: Sha256::of(signature),
        })?;
        Ok(Self {
            earlier: book.listed.len(),
            book,
            added: Added::default(),
        })
    }

    /// The digest of a file, as it was signed or is added.
    pub fn digest(&self, name: &str) -> Option<Sha256> {
        let mut files = self.book.listed.iter();
        let found = files.find(|file| file.name.as_str() == name)?;
        Some(found.sha256)
    }

    /// Names and digests of all files so far, in their order; those that were signed are followed by their manifest
    /// and its signature.
    pub fn digests(&self) -> impl Iterator<Item = (&str, Sha256)> {
        self.book.digests()
    }

    /// The names of all files so far.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.book.listed.iter().map(|file| file.name.as_str())
    }

    /// Adds a data file.
    ///
    /// # Errors
    /// [`AsicError`]; nothing of the addition may be used after one.
    pub fn add(&mut self, part: Part<'_>) -> Result<(), AsicError> {
        if FileName::new(part.name)?.is_meta() {
            return Err(AsicError::Name(part.name.to_owned()));
        }
        self.book.put(&mut self.added, part)
    }

    /// Adds an evidence record over data files, earlier or added, with its manifest before it.
    ///
    /// # Errors
    /// As [`Self::add`]; [`AsicError::Absent`].
    pub fn evidence_record(&mut self, covers: &[&str], ers: &[u8]) -> Result<(), AsicError> {
        self.book.evidence_record(&mut self.added, covers, ers)
    }

    /// Has the manifest over everything signed, and gives what is added.
    ///
    /// # Errors
    /// [`FinishError::Sign`] is the signer's own.
    pub fn sign<E>(
        mut self,
        sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>,
    ) -> Result<Vec<AddedFile>, FinishError<E>> {
        self.book.sign(&mut self.added, sign)?;
        let listed = self.book.listed.into_iter().skip(self.earlier);
        let files = listed.zip(self.added.0).map(|(file, octets)| AddedFile {
            name: file.name.to_string(),
            media_type: file.media_type,
            octets,
        });
        Ok(files.collect())
    }
}

/// Names and media types of the files that a manifest lists.
///
/// # Errors
/// [`AsicError::Manifest`].
pub fn listed(manifest: &[u8]) -> Result<Vec<(String, String)>, AsicError> {
    let read = Manifest::read("the manifest", manifest)?;
    let files = read.listed.into_iter();
    Ok(files
        .map(|file| (file.name.to_string(), file.media_type))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::super::{Container, ContainerWriter, Files, Form, verify};
    use super::*;
    use std::convert::Infallible;
    use std::io::Cursor;

    fn signed(_: &[u8]) -> Result<Vec<u8>, Infallible> {
        Ok(b"one".to_vec())
    }

    fn container() -> Vec<u8> {
        let mut writer = ContainerWriter::begin(Vec::new(), Form::AsicE).unwrap();
        writer
            .add(Part::of("a.eml", "message/rfc822", b"mail"))
            .unwrap();
        writer.evidence_record(&["a.eml"], b"record").unwrap();
        writer.sign(signed).unwrap();
        writer.finish().unwrap()
    }

    #[test]
    fn what_is_added_by_who_holds_only_the_manifest_fits_the_container() {
        let octets = container();
        let mut old = Container::open(Cursor::new(octets)).unwrap();
        let manifest = old.read("META-INF/ASiCManifest001.xml", 1 << 16).unwrap();
        let mut addition = Addition::after(&manifest, b"one").unwrap();
        assert_eq!(addition.digest("a.eml"), Some(Sha256::of(b"mail")));
        assert_eq!(addition.digest("b.txt"), None);
        addition
            .add(Part::of("b.txt", "text/plain", b"seal"))
            .unwrap();
        assert!(
            addition
                .add(Part::of("A.eml", "text/plain", b"twice"))
                .is_err()
        );
        addition
            .evidence_record(&["a.eml", "b.txt"], b"later")
            .unwrap();
        let two = |_: &[u8]| Ok::<_, Infallible>(b"two".to_vec());
        let added = addition.sign(two).unwrap();
        let names: Vec<&str> = added.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "b.txt",
                "META-INF/ASiCEvidenceRecordManifest002.xml",
                "META-INF/evidencerecord002.ers",
                "META-INF/ASiCManifest002.xml",
                "META-INF/signature002.p7s",
            ]
        );
        // Who holds the container writes the same manifest.
        let mut writer = ContainerWriter::begin(Vec::new(), Form::AsicE).unwrap();
        writer
            .add(Part::of("a.eml", "message/rfc822", b"mail"))
            .unwrap();
        let metas = old.names();
        for name in metas.iter().filter(|name| name.starts_with("META-INF/")) {
            let octets = old.read(name, 1 << 16).unwrap();
            writer.keep(name, &octets).unwrap();
        }
        writer
            .add(Part::of("b.txt", "text/plain", b"seal"))
            .unwrap();
        for file in &added[1..3] {
            writer.keep(&file.name, &file.octets).unwrap();
        }
        let expected = added[3].octets.clone();
        let same = |manifest: &[u8]| {
            assert_eq!(manifest, expected);
            two(manifest)
        };
        writer.sign(same).unwrap();
        let whole = writer.finish().unwrap();
        let mut whole = Container::open(Cursor::new(whole)).unwrap();
        let found = verify(&mut whole).unwrap();
        assert_eq!(found.problems, []);
        assert_eq!((found.signed.len(), found.evidence_records.len()), (2, 2));
        assert_eq!(found.signed[0].octets, manifest);
    }

    #[test]
    fn what_is_no_manifest_over_a_signature_takes_no_addition() {
        let octets = container();
        let mut old = Container::open(Cursor::new(octets)).unwrap();
        let name = "META-INF/ASiCEvidenceRecordManifest001.xml";
        let other = old.read(name, 1 << 16).unwrap();
        for octets in [&other[..], b"", b"<a/>"] {
            let refused = Addition::after(octets, b"one");
            assert!(matches!(refused, Err(AsicError::Manifest { .. })));
        }
    }
}
