//! Writing a container, or the same files plainly.

use super::error::{AsicError, FinishError};
use super::files::{Measured, copy};
use super::manifest::{CADES, ERS, Listed, Manifest, is_media_type};
use super::name::FileName;
use super::zip::{Entry, end};
use super::{BYTES_MAX, FILES_MAX, MEDIA_TYPE};
use ceralacca_formats::digest::Sha256;
use std::collections::BTreeSet;
use std::io::{Read, Write};

/// In which form files are handed out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Form {
    /// ASiC-E, extension `.asice`.
    AsicE,
    /// Plain ZIP: the same files without `mimetype`.
    Zip,
}

/// A file to be written: its content is read once, and must be what was measured.
pub struct Part<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its media type.
    pub media_type: &'a str,
    /// What [`super::measure`] said of it, now or when it was stored.
    pub measured: Measured,
    /// Its octets.
    pub content: Box<dyn Read + 'a>,
}

impl<'a> Part<'a> {
    /// Of bytes at hand.
    pub fn of(name: &'a str, media_type: &'a str, bytes: &'a [u8]) -> Self {
        Self {
            name,
            media_type,
            measured: Measured::of(bytes),
            content: Box::new(bytes),
        }
    }
}

/// Where files go, one after the other.
pub(super) trait Sink {
    /// Takes a file whose name and measure were checked.
    fn put(
        &mut self,
        name: &FileName,
        measured: &Measured,
        content: &mut dyn Read,
    ) -> Result<(), AsicError>;
}

/// Where a folder's files go; the caller makes the files.
pub trait FolderSink {
    /// Opens a file of this name, a relative path with `/`.
    ///
    /// # Errors
    /// Those of the file system.
    fn open(&mut self, name: &FileName) -> std::io::Result<Box<dyn Write + '_>>;
}

/// Writes a container to anything that takes bytes: it never seeks, and never holds a file.
pub struct ContainerWriter<W: Write> {
    zip: Zip<W>,
    form: Form,
    book: Book,
}

/// Writes the same files, manifests and signature into a folder.
pub struct FolderWriter<S: FolderSink> {
    folder: Folder<S>,
    book: Book,
}

macro_rules! writer {
    ($type:ident, $bound:ident, $sink:ident) => {
        impl<T: $bound> $type<T> {
            /// Writes a data file.
            ///
            /// # Errors
            /// [`AsicError`]; nothing of the container may be used after one.
            pub fn add(&mut self, part: Part<'_>) -> Result<(), AsicError> {
                let name = FileName::new(part.name)?;
                if name.is_meta() {
                    return Err(AsicError::Name(part.name.to_owned()));
                }
                self.book.put(&mut self.$sink, part)
            }

            /// Writes a file of META-INF that an earlier container had, octet by octet: before anything is signed
            /// again.
            ///
            /// # Errors
            /// As [`Self::add`]; [`AsicError::Name`] for what is no manifest, signature or evidence record.
            pub fn keep(&mut self, name: &str, octets: &[u8]) -> Result<(), AsicError> {
                let media_type = meta_type(name).ok_or_else(|| AsicError::Name(name.to_owned()))?;
                self.book
                    .put(&mut self.$sink, Part::of(name, media_type, octets))
            }

            /// Writes an evidence record over data files already written, with its manifest before it.
            ///
            /// # Errors
            /// As [`Self::add`]; [`AsicError::Absent`] for a file that was not written.
            pub fn evidence_record(
                &mut self,
                covers: &[&str],
                ers: &[u8],
            ) -> Result<(), AsicError> {
                self.book.evidence_record(&mut self.$sink, covers, ers)
            }

            /// Names and digests of all files written so far, in their order: what the next manifest lists.
            pub fn digests(&self) -> impl Iterator<Item = (&str, Sha256)> {
                self.book.digests()
            }

            /// Lists everything written so far in a manifest, has exactly its octets signed, writes both. The
            /// signature is detached CAdES, DER.
            ///
            /// # Errors
            /// [`FinishError::Sign`] is the signer's own.
            pub fn sign<E>(
                &mut self,
                sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>,
            ) -> Result<(), FinishError<E>> {
                self.book.sign(&mut self.$sink, sign)
            }
        }
    };
}

writer!(ContainerWriter, Write, zip);
writer!(FolderWriter, FolderSink, folder);

impl<W: Write> ContainerWriter<W> {
    /// Begins.
    ///
    /// # Errors
    /// [`AsicError::Io`].
    pub fn begin(out: W, form: Form) -> Result<Self, AsicError> {
        let mut writer = Self {
            zip: Zip {
                out,
                entries: Vec::new(),
                at: 0,
            },
            form,
            book: Book::default(),
        };
        if form == Form::AsicE {
            let name = FileName::new("mimetype")?;
            let mut content = MEDIA_TYPE.as_bytes();
            let measured = Measured::of(content);
            writer.zip.put(&name, &measured, &mut content)?;
        }
        Ok(writer)
    }

    /// Ends: writes the directory. Gives back what was written to.
    ///
    /// # Errors
    /// [`AsicError::Order`] when nothing was signed.
    pub fn finish(self) -> Result<W, AsicError> {
        self.book.check_signed()?;
        self.zip.finish(self.form)
    }
}

impl<S: FolderSink> FolderWriter<S> {
    /// Begins.
    pub fn begin(folder: S) -> Self {
        Self {
            folder: Folder(folder),
            book: Book::default(),
        }
    }

    /// Ends.
    ///
    /// # Errors
    /// [`AsicError::Order`] when nothing was signed.
    pub fn finish(self) -> Result<S, AsicError> {
        self.book.check_signed()?;
        Ok(self.folder.0)
    }
}

/// What was written, whatever the form.
#[derive(Default)]
pub(super) struct Book {
    pub(super) listed: Vec<Listed>,
    folded: BTreeSet<String>,
    /// Files when the last signature was made: nothing may follow it unsigned.
    signed: usize,
}

impl Book {
    pub(super) fn digests(&self) -> impl Iterator<Item = (&str, Sha256)> {
        let files = self.listed.iter();
        files.map(|file| (file.name.as_str(), file.sha256))
    }

    /// A file that was written before, known by what was signed of it.
    pub(super) fn known(&mut self, file: Listed) -> Result<(), AsicError> {
        if !self.folded.insert(file.name.folded()) {
            return Err(AsicError::Twice(file.name.to_string()));
        }
        self.listed.push(file);
        Ok(())
    }

    pub(super) fn put(&mut self, sink: &mut dyn Sink, part: Part<'_>) -> Result<(), AsicError> {
        let name = FileName::new(part.name)?;
        if !is_media_type(part.media_type) {
            return Err(AsicError::Name(part.media_type.to_owned()));
        }
        if !self.folded.insert(name.folded()) {
            return Err(AsicError::Twice(part.name.to_owned()));
        }
        if self.listed.len().saturating_add(1) >= FILES_MAX {
            return Err(AsicError::TooLarge(part.name.to_owned()));
        }
        let mut content = part.content;
        sink.put(&name, &part.measured, &mut content)?;
        self.listed.push(Listed {
            name,
            media_type: part.media_type.to_owned(),
            sha256: part.measured.sha256,
        });
        Ok(())
    }

    pub(super) fn evidence_record(
        &mut self,
        sink: &mut dyn Sink,
        covers: &[&str],
        ers: &[u8],
    ) -> Result<(), AsicError> {
        let find = |name: &&str| {
            let mut there = self.listed.iter();
            there
                .find(|file| file.name.as_str() == *name && !file.name.is_meta())
                .cloned()
                .ok_or_else(|| AsicError::Absent((*name).to_owned()))
        };
        let listed = covers.iter().map(find).collect::<Result<Vec<_>, _>>()?;
        if listed.is_empty() {
            return Err(AsicError::Order("an evidence record covers no file"));
        }
        let number = self.next("META-INF/ASiCEvidenceRecordManifest", ".xml");
        let target = format!("META-INF/evidencerecord{number}.ers");
        let manifest = Manifest {
            target: FileName::new(&target)?,
            target_type: ERS.to_owned(),
            listed,
        };
        let manifest_name = format!("META-INF/ASiCEvidenceRecordManifest{number}.xml");
        self.put(
            sink,
            Part::of(&manifest_name, "text/xml", &manifest.write()),
        )?;
        self.put(sink, Part::of(&target, ERS, ers))
    }

    pub(super) fn sign<E>(
        &mut self,
        sink: &mut dyn Sink,
        sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>,
    ) -> Result<(), FinishError<E>> {
        if !self.listed.iter().any(|file| !file.name.is_meta()) {
            return Err(AsicError::Order("there is no file to sign").into());
        }
        let number = self.next("META-INF/ASiCManifest", ".xml");
        let target = format!("META-INF/signature{number}.p7s");
        let manifest = Manifest {
            target: FileName::new(&target)?,
            target_type: CADES.to_owned(),
            listed: self.listed.clone(),
        };
        let octets = manifest.write();
        let signature = sign(&octets).map_err(FinishError::Sign)?;
        let manifest_name = format!("META-INF/ASiCManifest{number}.xml");
        self.put(sink, Part::of(&manifest_name, "text/xml", &octets))?;
        self.put(sink, Part::of(&target, CADES, &signature))?;
        self.signed = self.listed.len();
        Ok(())
    }

    fn check_signed(&self) -> Result<(), AsicError> {
        if self.signed == 0 || self.signed != self.listed.len() {
            return Err(AsicError::Order("a file was added and not signed"));
        }
        Ok(())
    }

    /// The next free number among files so named, three digits.
    fn next(&self, begin: &str, end: &str) -> String {
        let names = self.listed.iter().map(|file| file.name.as_str());
        let used = names.filter(|name| name.starts_with(begin) && name.ends_with(end));
        format!("{:03}", used.count().saturating_add(1))
    }
}

/// The media type of a file that may stand in META-INF.
fn meta_type(name: &str) -> Option<&'static str> {
    let file = name.strip_prefix("META-INF/")?;
    let is = |begin: &str, end: &str| file.starts_with(begin) && file.ends_with(end);
    if is("ASiCManifest", ".xml") || is("ASiCEvidenceRecordManifest", ".xml") {
        Some("text/xml")
    } else if is("signature", ".p7s") {
        Some(CADES)
    } else if is("evidencerecord", ".ers") {
        Some(ERS)
    } else {
        None
    }
}

struct Zip<W> {
    out: W,
    entries: Vec<Entry>,
    at: u64,
}

impl<W: Write> Sink for Zip<W> {
    fn put(
        &mut self,
        name: &FileName,
        measured: &Measured,
        content: &mut dyn Read,
    ) -> Result<(), AsicError> {
        let too_large = || AsicError::TooLarge(name.to_string());
        let entry = Entry {
            name: name.clone(),
            crc32: measured.crc32,
            bytes: u32::try_from(measured.bytes).map_err(|_| too_large())?,
            offset: u32::try_from(self.at).map_err(|_| too_large())?,
        };
        self.at = entry
            .end()
            .filter(|end| *end < BYTES_MAX)
            .ok_or_else(too_large)?;
        self.out.write_all(&entry.local())?;
        checked_copy(name, measured, content, &mut self.out)?;
        self.entries.push(entry);
        Ok(())
    }
}

impl<W: Write> Zip<W> {
    fn finish(mut self, form: Form) -> Result<W, AsicError> {
        let directory: Vec<u8> = self.entries.iter().flat_map(Entry::central).collect();
        let too_large = || AsicError::TooLarge("central directory".to_owned());
        let length = u32::try_from(directory.len()).map_err(|_| too_large())?;
        let offset = u32::try_from(self.at).map_err(|_| too_large())?;
        let count = self.entries.len();
        let record = end(count, length, offset, &comment(form)).ok_or_else(too_large)?;
        self.out.write_all(&directory)?;
        self.out.write_all(&record)?;
        self.out.flush()?;
        Ok(self.out)
    }
}

/// The comment at the end.
pub(super) fn comment(form: Form) -> String {
    match form {
        Form::AsicE => format!("mimetype={MEDIA_TYPE}"),
        Form::Zip => String::new(),
    }
}

struct Folder<S>(S);

impl<S: FolderSink> Sink for Folder<S> {
    fn put(
        &mut self,
        name: &FileName,
        measured: &Measured,
        content: &mut dyn Read,
    ) -> Result<(), AsicError> {
        let mut out = self.0.open(name)?;
        checked_copy(name, measured, content, &mut out)?;
        Ok(out.flush()?)
    }
}

/// Copies a content and holds it to what was announced: never a byte more than that goes out.
fn checked_copy(
    name: &FileName,
    announced: &Measured,
    content: &mut dyn Read,
    mut out: &mut dyn Write,
) -> Result<(), AsicError> {
    let changed = || AsicError::Changed(name.to_string());
    let copied = copy(content.take(announced.bytes), &mut out)?;
    let mut beyond = [0u8; 1];
    if copied != *announced || content.read(&mut beyond)? != 0 {
        return Err(changed());
    }
    Ok(())
}
