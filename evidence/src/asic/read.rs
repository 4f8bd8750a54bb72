//! Reading a container strictly: octets that this layout does not have are refused, whoever wrote them.

use super::error::AsicError;
use super::files::{Files, Measured, copy};
use super::write::{Form, comment};
use super::zip::{CENTRAL, END, Entry, end};
use super::{BYTES_MAX, FILES_MAX, MEDIA_TYPE};
use std::collections::BTreeSet;
use std::io::{Read, Seek, SeekFrom, Write};

/// Bytes of the central directory, at most.
const DIRECTORY_MAX: u64 = (FILES_MAX as u64) * (CENTRAL as u64 + 200);

/// A container whose every octet around the contents is as it must be.
pub struct Container<R> {
    from: R,
    form: Form,
    entries: Vec<Entry>,
}

impl<R: Read + Seek> Container<R> {
    /// Reads directory and headers; the contents are read when asked for.
    ///
    /// # Errors
    /// [`AsicError::Layout`], naming the entry; [`AsicError::Name`], [`AsicError::Twice`], [`AsicError::TooLarge`].
    pub fn open(mut from: R) -> Result<Self, AsicError> {
        let broken = |part: &str, what| AsicError::Layout {
            part: part.to_owned(),
            what,
        };
        let length = from.seek(SeekFrom::End(0))?;
        if length > BYTES_MAX {
            return Err(AsicError::TooLarge("the container".to_owned()));
        }
        let form = Self::form_of(&mut from, length)?;
        let tail = (END as u64).saturating_add(comment(form).len() as u64);
        let at_end = length.checked_sub(tail);
        let at_end = at_end.ok_or_else(|| broken("end", "it is too short"))?;
        let record = octets(&mut from, at_end, tail)?;
        let long = |at: usize| -> Option<u32> {
            let bytes = record.get(at..at.checked_add(4)?)?;
            Some(u32::from_le_bytes(bytes.try_into().ok()?))
        };
        let (Some(size), Some(offset)) = (long(12), long(16)) else {
            return Err(broken("end", "it is too short"));
        };
        let sum = u64::from(size).checked_add(u64::from(offset));
        if u64::from(size) > DIRECTORY_MAX || sum != Some(at_end) {
            return Err(broken("end", "it does not lead to the central directory"));
        }
        let directory = octets(&mut from, u64::from(offset), u64::from(size))?;
        let entries = entries(&directory)?;
        if end(entries.len(), size, offset, &comment(form)).as_deref() != Some(&record) {
            return Err(broken("end", "it is not as written"));
        }
        let mut container = Self {
            from,
            form,
            entries,
        };
        container.check_headers(u64::from(offset))?;
        Ok(container)
    }

    /// In which form it is.
    pub const fn form(&self) -> Form {
        self.form
    }

    /// The content of a file, to be read once; its checksum is the reader's to check.
    ///
    /// # Errors
    /// [`AsicError::Absent`], [`AsicError::Io`].
    pub fn content(&mut self, name: &str) -> Result<impl Read + '_, AsicError> {
        let mut entries = self.entries.iter();
        let entry = entries.find(|entry| entry.name.as_str() == name);
        let entry = entry.ok_or_else(|| AsicError::Absent(name.to_owned()))?;
        let start = u64::from(entry.offset).saturating_add(entry.local().len() as u64);
        self.from.seek(SeekFrom::Start(start))?;
        Ok((&mut self.from).take(u64::from(entry.bytes)))
    }

    /// A container is ASiC-E when its comment says so.
    fn form_of(from: &mut R, length: u64) -> Result<Form, AsicError> {
        let wanted = comment(Form::AsicE);
        let size = wanted.len() as u64;
        let Some(at) = length.checked_sub(size) else {
            return Ok(Form::Zip);
        };
        let is_asic = octets(from, at, size)? == wanted.as_bytes();
        Ok(if is_asic { Form::AsicE } else { Form::Zip })
    }

    /// Entries follow each other without a gap from the first octet to the directory, each with its header.
    fn check_headers(&mut self, directory: u64) -> Result<(), AsicError> {
        let broken = |entry: &Entry, what| AsicError::Layout {
            part: entry.name.to_string(),
            what,
        };
        let mut at = 0u64;
        let mut folded = BTreeSet::new();
        for entry in &self.entries {
            if !folded.insert(entry.name.folded()) {
                return Err(AsicError::Twice(entry.name.to_string()));
            }
            if u64::from(entry.offset) != at {
                return Err(broken(entry, "it does not follow the entry before it"));
            }
            let wanted = entry.local();
            if octets(&mut self.from, at, wanted.len() as u64)? != wanted {
                return Err(broken(entry, "its header"));
            }
            at = entry.end().ok_or_else(|| broken(entry, "its size"))?;
            if at > directory {
                return Err(broken(entry, "its size"));
            }
        }
        let first = self.entries.first().map(|entry| entry.name.as_str());
        let whole = |what| AsicError::Layout {
            part: "central directory".to_owned(),
            what,
        };
        if at != directory {
            return Err(whole("octets stand between it and the last entry"));
        }
        match (self.form, first == Some("mimetype")) {
            (Form::AsicE, true) if self.read("mimetype", 64)? != MEDIA_TYPE.as_bytes() => {
                Err(AsicError::Layout {
                    part: "mimetype".to_owned(),
                    what: "its content",
                })
            }
            (Form::AsicE, false) => Err(whole("the first entry is not mimetype")),
            (Form::Zip, true) => Err(whole("mimetype stands in a container that is no ASiC-E")),
            _ => Ok(()),
        }
    }
}

fn entries(mut directory: &[u8]) -> Result<Vec<Entry>, AsicError> {
    let mut entries = Vec::new();
    while !directory.is_empty() {
        if entries.len() == FILES_MAX {
            return Err(AsicError::TooLarge("central directory".to_owned()));
        }
        let (entry, rest) = Entry::read(directory)?;
        entries.push(entry);
        directory = rest;
    }
    Ok(entries)
}

/// Octets at a place; fewer where it ends. Callers bound the length.
fn octets<R: Read + Seek>(from: &mut R, at: u64, length: u64) -> Result<Vec<u8>, AsicError> {
    from.seek(SeekFrom::Start(at))?;
    let mut octets = Vec::new();
    from.take(length).read_to_end(&mut octets)?;
    Ok(octets)
}

impl<R: Read + Seek> Files for Container<R> {
    fn names(&self) -> Vec<String> {
        let names = self.entries.iter().map(|entry| entry.name.to_string());
        names.collect()
    }

    fn copy(&mut self, name: &str, out: &mut dyn Write) -> Result<Measured, AsicError> {
        let mut entries = self.entries.iter();
        let entry = entries.find(|entry| entry.name.as_str() == name).cloned();
        let entry = entry.ok_or_else(|| AsicError::Absent(name.to_owned()))?;
        let measured = copy(self.content(name)?, out)?;
        if measured.crc32 == entry.crc32 && measured.bytes == u64::from(entry.bytes) {
            Ok(measured)
        } else {
            Err(AsicError::Layout {
                part: name.to_owned(),
                what: "its content has another checksum",
            })
        }
    }
}
