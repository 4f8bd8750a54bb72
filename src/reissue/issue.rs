//! The tag by which a log knows again a package that it gave out.
//!
//! Its seal key may be another one by then, and the one before in hands of others: a tag needs a key of the log, which
//! seals nothing else. It stands last of all that a manifest lists, and is over everything before it and over the
//! certificates that travel with the signature. To everybody else it says nothing.

use crate::audit::Reader;
use ceralacca_evidence::SealSigner;
use ceralacca_evidence::asic::{AsicError, ContainerWriter, Part};
use ceralacca_formats::digest::Sha256;
use std::io::Write;

/// The file of the tag under the manifest of this number, from 1.
pub(super) fn name(number: usize) -> String {
    match number {
        0 | 1 => "proof/rilascio.bin".to_owned(),
        number => format!("proof/rilascio-{number:03}.bin"),
    }
}

/// The media type of a tag.
pub(super) const MEDIA_TYPE: &str = "application/octet-stream";

/// The tag of files that come with these certificates.
pub(super) fn tag<'a, 'c>(
    reader: &Reader,
    certificates: impl Iterator<Item = &'c [u8]>,
    files: impl Iterator<Item = (&'a str, Sha256)>,
) -> [u8; 32] {
    let mut digests: Vec<Sha256> = certificates.map(Sha256::of).collect();
    digests.sort_unstable();
    digests.dedup();
    let digests: Vec<u8> = digests.iter().flat_map(|d| *d.as_bytes()).collect();
    reader.keyring().issue_tag(&Sha256::of(&digests), files).0
}

/// The certificates that travel with a signature of a key.
pub(super) fn of_signer(signer: &dyn SealSigner) -> impl Iterator<Item = &[u8]> {
    let chain = signer.chain().iter().map(Vec::as_slice);
    std::iter::once(signer.certificate()).chain(chain)
}

/// Adds the tag of everything written so far, as the last file that is to be signed.
pub(super) fn add<W: Write>(
    reader: &Reader,
    signer: &dyn SealSigner,
    writer: &mut ContainerWriter<W>,
) -> Result<(), AsicError> {
    let tag = tag(reader, of_signer(signer), writer.digests());
    writer.add(Part::of(&name(1), MEDIA_TYPE, &tag))
}
