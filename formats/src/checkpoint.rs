//! Checkpoints (C2SP tlog-checkpoint v1.0.0): size and root of a log, signed together.
//!
//! ```text
//! <origin>\n
//! <tree size, decimal, no leading zero>\n
//! <root hash, base64>\n
//! ```
//! No extension lines are written; time and interval stand in leaves, where they are proven.
//!
//! # Invariants
//! 1. A [`Checkpoint`] is signed or verified: there is no other way to one, so sizes and roots used in
//!    verification always come from a signed checkpoint.
//! 2. A log never signs two checkpoints that are not consistent: the sequencer signs only what is durable.

use crate::id::{Origin, TreeSize};
use crate::note::{self, NoteError, NoteSigner, VerifierKey};
use crate::tree::RootHash;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::sync::Arc;

/// Why a note is not a checkpoint of this log.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CheckpointError {
    /// The note itself is refused.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The signed text is not a checkpoint.
    #[error("checkpoint body is malformed")]
    Body,
    /// A checkpoint of another log.
    #[error("checkpoint is of another origin")]
    OtherOrigin,
}

/// Size and root of a log, from a note whose signature was verified or just made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Checkpoint {
    origin: Origin,
    size: TreeSize,
    root: RootHash,
    note: Arc<str>,
}

impl Checkpoint {
    /// Signs size and root under the log's key, whose name is the origin.
    pub fn sign(
        signer: &NoteSigner,
        origin: &Origin,
        size: TreeSize,
        root: RootHash,
    ) -> Result<Self, CheckpointError> {
        if signer.verifier().name() != origin.as_str() {
            return Err(CheckpointError::OtherOrigin);
        }
        let text = body(origin, size, root);
        Ok(Self {
            origin: origin.clone(),
            size,
            root,
            note: signer.sign(&text).into(),
        })
    }

    /// Signs size and root under two keys of the log: the one that is retired, then the one that follows it.
    pub fn sign_both(
        retired: &NoteSigner,
        successor: &NoteSigner,
        origin: &Origin,
        size: TreeSize,
        root: RootHash,
    ) -> Result<Self, CheckpointError> {
        if successor.verifier().name() != origin.as_str() {
            return Err(CheckpointError::OtherOrigin);
        }
        let signed = Self::sign(retired, origin, size, root)?;
        let second = successor.signature_line(&body(origin, size, root));
        Ok(Self {
            note: format!("{}{second}", signed.note).into(),
            ..signed
        })
    }

    /// Verifies a note against the log's key and reads the checkpoint in it.
    pub fn open(note: &[u8], key: &VerifierKey) -> Result<Self, CheckpointError> {
        Self::open_cosigned(note, &[key], &[]).map(|(checkpoint, _)| checkpoint)
    }

    /// Verifies a note against the keys of one log, of which one must have signed it, and against those of
    /// witnesses; gives the checkpoint and the cosignatures, each with its time in seconds since 1970.
    /// The cosignature of a known witness that does not verify refuses the note.
    pub fn open_cosigned(
        note: &[u8],
        keys: &[&VerifierKey],
        witnesses: &[&VerifierKey],
    ) -> Result<(Self, Vec<(VerifierKey, u64)>), CheckpointError> {
        // A cosignature speaks for a witness, never for the log.
        let kinds = |key: &&VerifierKey| key.is_of_log();
        if !keys.iter().all(kinds) || witnesses.iter().any(kinds) {
            return Err(NoteError::Key.into());
        }
        let opened = note::open(note, &[keys, witnesses].concat())?;
        if opened.signers.len() == opened.cosigned.len() {
            return Err(NoteError::UnknownSigner.into());
        }
        let (origin, size, root) = parse_body(&opened.text).ok_or(CheckpointError::Body)?;
        if keys.iter().any(|key| key.name() != origin.as_str()) {
            return Err(CheckpointError::OtherOrigin);
        }
        let note = std::str::from_utf8(note).map_err(|_| NoteError::NotText)?;
        let checkpoint = Self {
            origin,
            size,
            root,
            note: note.into(),
        };
        Ok((checkpoint, opened.cosigned))
    }

    /// The signed text: what signatures and cosignatures are over, with its final line feed.
    pub fn text(&self) -> &str {
        // The note was opened or made here: its last blank line ends the text.
        let end = self.note.rfind("\n\n").map_or(0, |at| at + 1);
        self.note.get(..end).unwrap_or_default()
    }

    /// The same checkpoint with one line of each of these keys that has one, and no others.
    pub fn only_by(&self, keys: &[&VerifierKey]) -> Self {
        let lines = self.note.get(self.text().len() + 1..).unwrap_or_default();
        let of = |key: &&VerifierKey| lines.lines().find(|line| key.made(line));
        let kept: String = keys
            .iter()
            .filter_map(of)
            .flat_map(|line| [line, "\n"])
            .collect();
        Self {
            note: format!("{}\n{kept}", self.text()).into(),
            ..self.clone()
        }
    }

    /// The same checkpoint with further signature lines, each ending with a line feed; they are not verified.
    pub fn with_lines(&self, lines: &str) -> Self {
        Self {
            note: format!("{}{lines}", self.note).into(),
            ..self.clone()
        }
    }

    /// The log.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Number of leaves under the root.
    pub fn size(&self) -> TreeSize {
        self.size
    }

    /// The root.
    pub fn root(&self) -> RootHash {
        self.root
    }

    /// The note, with its signatures.
    pub fn note(&self) -> &str {
        &self.note
    }

    /// The note, shared.
    pub fn shared_note(&self) -> Arc<str> {
        Arc::clone(&self.note)
    }
}

/// What a witness itself cosigned: origin, size and root of a note, by its own cosignature alone. A log's key may
/// be another by now; what was cosigned stays cosigned.
pub fn read_cosigned(
    note: &[u8],
    witness: &VerifierKey,
) -> Result<(Origin, TreeSize, RootHash), CheckpointError> {
    let opened = note::open(note, &[witness])?;
    if opened.cosigned.is_empty() {
        return Err(NoteError::Key.into());
    }
    parse_body(&opened.text).ok_or(CheckpointError::Body)
}

/// The origin that a note names, of which nothing is verified: only good to find the keys to verify it with.
pub fn claimed_origin(note: &[u8]) -> Option<Origin> {
    let line = note.split(|byte| *byte == b'\n').next()?;
    Origin::try_from(std::str::from_utf8(line).ok()?).ok()
}

/// The root that a note names, of which nothing is verified: for comparing where there is no key, never for believing.
pub fn claimed_root(note: &[u8]) -> Option<RootHash> {
    let text = std::str::from_utf8(note).ok()?;
    let root = STANDARD.decode(text.split('\n').nth(2)?).ok()?;
    Some(RootHash::from_bytes(root.try_into().ok()?))
}

/// The size that a note names, of which nothing is verified: for asking, never for believing.
pub fn claimed_size(note: &[u8]) -> Option<TreeSize> {
    let text = std::str::from_utf8(note).ok()?;
    text.split('\n').nth(1)?.parse().ok().map(TreeSize::new)
}

fn body(origin: &Origin, size: TreeSize, root: RootHash) -> String {
    format!("{origin}\n{size}\n{}\n", STANDARD.encode(root.as_bytes()))
}

fn parse_body(text: &str) -> Option<(Origin, TreeSize, RootHash)> {
    let mut lines = text.strip_suffix('\n')?.split('\n');
    let origin = Origin::try_from(lines.next()?).ok()?;
    let size = lines.next()?;
    let digits = size.bytes().all(|c| c.is_ascii_digit());
    let leading_zero = size.len() > 1 && size.starts_with('0');
    if !digits || leading_zero {
        return None;
    }
    let root: [u8; 32] = STANDARD.decode(lines.next()?).ok()?.try_into().ok()?;
    // Extension lines may follow; they are signed, not empty, and not ours to interpret.
    if lines.any(str::is_empty) {
        return None;
    }
    let size = TreeSize::new(size.parse().ok()?);
    Some((origin, size, RootHash::from_bytes(root)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::SigningSeed;

    const LOG: &str = "pec.example.test/log+b0b5d5af+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c";
    const WITNESS: &str =
        "witness.example.test/w1+b4f59ab9+BIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU";
    const LOG_LINE: &str = "\u{2014} pec.example.test/log sLXVr6s8zYAcEl4EoFTxsSGY1/HoFIUeMVFjg6s5pXip8pWOymIew5jp3RdSI9BOC5RBJKGeY5ED36DxHsZ2ueKsAw4=\n";
    const WITNESS_LINE: &str = "\u{2014} witness.example.test/w1 tPWauQAAAABpH+0gWRhTLqZNd4KFogXFj+XJABDt32oGXGBZCtjd9dnkbSjB6QpyESg5d9kW5ktHip3iKpcu85SEdeaQw1P55yIvCQ==\n";
    const BODY: &str = "pec.example.test/log\n8\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n";

    fn signer() -> NoteSigner {
        NoteSigner::new("pec.example.test/log", &SigningSeed::from_bytes([1; 32])).unwrap()
    }

    #[test]
    fn the_checkpoint_vector_is_reproduced_and_its_cosignature_verifies() {
        let origin = Origin::try_from("pec.example.test/log").unwrap();
        let root =
            RootHash::from_hex("5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");
        let signer = signer();
        assert_eq!(signer.verifier().to_string(), LOG);
        let size = TreeSize::new(8);
        let made = Checkpoint::sign(&signer, &origin, size, root.unwrap()).unwrap();
        assert_eq!(made.note(), format!("{BODY}\n{LOG_LINE}"));
        let (log, witness) = (
            VerifierKey::parse(LOG).unwrap(),
            VerifierKey::parse(WITNESS).unwrap(),
        );
        assert_eq!(
            Checkpoint::open(made.note().as_bytes(), &log).unwrap(),
            made
        );
        let cosigned = format!("{BODY}\n{LOG_LINE}{WITNESS_LINE}");
        let opened = note::open(cosigned.as_bytes(), &[&log, &witness]).unwrap();
        assert_eq!(
            opened.signers,
            ["pec.example.test/log", "witness.example.test/w1"]
        );
        let as_log = Checkpoint::open(cosigned.as_bytes(), &witness);
        assert_eq!(
            as_log,
            Err(NoteError::Key.into()),
            "a witness is not the log"
        );
        let later = cosigned.replace("AAAABpH+0g", "AAAABpH+0h");
        let found = note::open(later.as_bytes(), &[&log, &witness]);
        assert_eq!(found, Err(NoteError::BadSignature));
    }

    #[test]
    fn bodies_that_are_not_checkpoints_are_refused() {
        let root = "XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=";
        let log = VerifierKey::parse(LOG).unwrap();
        let open = |body: &str| Checkpoint::open(signer().sign(body).as_bytes(), &log);
        assert!(open(&format!("pec.example.test/log\n8\n{root}\n")).is_ok());
        assert!(open(&format!("pec.example.test/log\n0\n{root}\n")).is_ok());
        for body in [
            format!("pec.example.test/log\n08\n{root}\n"),
            format!("pec.example.test/log\n+8\n{root}\n"),
            format!("pec.example.test/log\n-8\n{root}\n"),
            format!("pec.example.test/log\n99999999999999999999\n{root}\n"),
            format!("pec.example.test/log\n8\n{}\n", &root[4..]),
            "pec.example.test/log\n8\n".to_owned(),
            format!("pec example\n8\n{root}\n"),
        ] {
            assert_eq!(open(&body), Err(CheckpointError::Body), "{body}");
        }
        let other = open(&format!("pec.example.test/other\n8\n{root}\n"));
        assert_eq!(other, Err(CheckpointError::OtherOrigin));
    }
}
