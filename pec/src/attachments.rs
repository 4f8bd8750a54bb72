//! The attachments of an original: what a complete receipt proves the content of, each with its digest.

use crate::mime::{self, comparable};
use ceralacca_formats::canonical::Text;
use ceralacca_formats::digest::Sha256;

/// A part with a file name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Attachment {
    /// Its name, RFC 2047 words decoded.
    pub name: Text,
    /// Bytes as decoded; of a part that is not in its encoding, as it stands.
    pub bytes: u64,
    /// SHA-256 of the same.
    pub sha256: Sha256,
}

/// The attachments of a message, in order, and whether all of it was looked at: what has more parts, or deeper ones,
/// than are followed, was not.
pub fn attachments(message: &[u8]) -> (Vec<Attachment>, bool) {
    let mut all = Vec::new();
    let is_complete = mime::walk(message, |part| {
        let Some(name) = part.names().next() else {
            return;
        };
        let decoded = part.decoded().unwrap_or_else(|| part.body.to_vec());
        all.push(Attachment {
            name: comparable(&name).into(),
            bytes: decoded.len() as u64,
            sha256: Sha256::of(&decoded),
        });
    });
    (all, is_complete)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_named_part_is_listed_with_the_digest_of_its_decoded_octets() {
        let message = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n\
            --b\r\n\r\ntesto\r\n\
            --b\r\nContent-Disposition: attachment; filename=\"=?utf-8?q?perch=C3=A9.txt?=\"\r\n\
            Content-Transfer-Encoding: base64\r\n\r\nYWJj\r\n\
            --b\r\nContent-Type: text/plain; name=due.txt\r\n\r\nabc\r\n--b--\r\n";
        let (found, is_complete) = attachments(message);
        assert!(is_complete);
        let names: Vec<_> = found.iter().map(|a| a.name.to_str().unwrap()).collect();
        assert_eq!(names, ["perché.txt", "due.txt"]);
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        for attachment in found {
            assert_eq!(
                (attachment.bytes, attachment.sha256.to_string()),
                (3, abc.into())
            );
        }
    }
}
