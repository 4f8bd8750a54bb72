//! Cosignatures (C2SP tlog-cosignature, Ed25519): a witness says that it saw a checkpoint, and when.
//!
//! ```text
//! — <witness name> <base64( key id 4 | seconds u64 | Ed25519 64 )>\n
//!
//! signed: "cosignature/v1\ntime <seconds, decimal>\n" and the text of the checkpoint
//! ```
//!
//! # Invariants
//! 1. A cosigner signs no plain note, and a log's key no cosignature: the types of the keys differ.
//! 2. Whether a checkpoint may be cosigned is decided in [`crate::witness`], not here.

use crate::checkpoint::Checkpoint;
use crate::note::{self, NoteError, TYPE_COSIGNATURE, VerifierKey};
use crate::secret::SigningSeed;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};

/// Cosigns checkpoints under one name.
pub struct Cosigner {
    pair: Ed25519KeyPair,
    verifier: VerifierKey,
}

impl Cosigner {
    /// A cosigner of this name, which must be fit for a note.
    pub fn new(name: &str, seed: &SigningSeed) -> Result<Self, NoteError> {
        let pair =
            Ed25519KeyPair::from_seed_unchecked(seed.as_bytes()).map_err(|_| NoteError::Key)?;
        let public = pair.public_key().as_ref().try_into();
        let public = public.map_err(|_| NoteError::Key)?;
        let verifier = VerifierKey::new(name, TYPE_COSIGNATURE, public).ok_or(NoteError::Key)?;
        Ok(Self { pair, verifier })
    }

    /// The key that verifies its cosignatures.
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// The signature line over a checkpoint, made at this second (since 1970, UTC).
    pub fn cosign(&self, checkpoint: &Checkpoint, seconds: u64) -> String {
        let message = note::cosigned_text(checkpoint.text(), seconds);
        let signature = self.pair.sign(message.as_bytes());
        let payload = [&seconds.to_be_bytes(), signature.as_ref()].concat();
        self.verifier.line(&payload)
    }
}

/// The line of one witness among those of its answer, verified, and the second it names. Lines by other keys are
/// ignored, as the protocol asks; one by this witness that does not verify is refused.
pub fn take(
    checkpoint: &Checkpoint,
    answer: &[u8],
    witness: &VerifierKey,
) -> Result<(String, u64), NoteError> {
    let lines = std::str::from_utf8(answer).map_err(|_| NoteError::NotText)?;
    let note = format!("{}\n{lines}", checkpoint.text());
    let opened = note::open(note.as_bytes(), &[witness])?;
    let own = lines.lines().find(|line| witness.made(line));
    match (own, opened.cosigned.first()) {
        (Some(line), Some((_, seconds))) => Ok((format!("{line}\n"), *seconds)),
        _ => Err(NoteError::UnknownSigner),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{Origin, TreeSize};
    use crate::note::NoteSigner;
    use crate::tree::RootHash;

    const WITNESS: &str =
        "witness.example.test/w1+b4f59ab9+BIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU";
    const LINE: &str = "\u{2014} witness.example.test/w1 tPWauQAAAABpH+0gWRhTLqZNd4KFogXFj+XJABDt32oGXGBZCtjd9dnkbSjB6QpyESg5d9kW5ktHip3iKpcu85SEdeaQw1P55yIvCQ==\n";

    fn checkpoint() -> Checkpoint {
        let origin = Origin::try_from("pec.example.test/log").unwrap();
        let signer = NoteSigner::new(origin.as_str(), &SigningSeed::from_bytes([1; 32])).unwrap();
        let root =
            RootHash::from_hex("5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");
        Checkpoint::sign(&signer, &origin, TreeSize::new(8), root.unwrap()).unwrap()
    }

    fn witness(number: u8) -> Cosigner {
        let name = format!("witness.example.test/w{}", number - 1);
        Cosigner::new(&name, &SigningSeed::from_bytes([number; 32])).unwrap()
    }

    #[test]
    fn the_cosignature_vector_is_reproduced() {
        let witness = witness(2);
        assert_eq!(witness.verifier().to_string(), WITNESS);
        assert!(!witness.verifier().is_of_log());
        let line = witness.cosign(&checkpoint(), 1_763_700_000);
        assert_eq!(line, LINE);
        let taken = take(&checkpoint(), LINE.as_bytes(), witness.verifier()).unwrap();
        assert_eq!(taken, (LINE.to_owned(), 1_763_700_000));
    }

    #[test]
    fn of_an_answer_only_the_known_witness_is_taken_and_only_if_it_verifies() {
        let checkpoint = checkpoint();
        let known = witness(2);
        let take = |answer: &str| take(&checkpoint, answer.as_bytes(), known.verifier());
        let foreign = witness(3).cosign(&checkpoint, 1_763_700_000);
        assert_eq!(take(&format!("{foreign}{LINE}")).unwrap().0, LINE);
        assert_eq!(take(&foreign), Err(NoteError::UnknownSigner));
        assert_eq!(take(""), Err(NoteError::Malformed));
        assert_eq!(take(LINE.trim_end()), Err(NoteError::Malformed));
        // Another second under the same signature; one over another checkpoint.
        let later = LINE.replace("AAAABpH+0g", "AAAABpH+0h");
        assert_eq!(take(&later), Err(NoteError::BadSignature));
        let other = Checkpoint::sign(
            &NoteSigner::new("pec.example.test/log", &SigningSeed::from_bytes([1; 32])).unwrap(),
            checkpoint.origin(),
            TreeSize::new(9),
            checkpoint.root(),
        );
        let over_other = known.cosign(&other.unwrap(), 1_763_700_000);
        assert_eq!(take(&over_other), Err(NoteError::BadSignature));
        // A line is not a way to bring in text: what is signed is ours.
        assert!(take(&format!("altro\n\n{LINE}")).is_err());
    }

    #[test]
    fn a_cosigned_checkpoint_opens_with_its_cosignatures_and_only_for_its_log() {
        let (checkpoint, known) = (checkpoint(), witness(2));
        let log = NoteSigner::new("pec.example.test/log", &SigningSeed::from_bytes([1; 32]));
        let log = log.unwrap();
        let cosigned = checkpoint.with_lines(LINE);
        let note = cosigned.note().as_bytes();
        assert_eq!(cosigned.text(), checkpoint.text());
        let open = |note: &[u8], witnesses: &[&VerifierKey]| {
            Checkpoint::open_cosigned(note, &[log.verifier()], witnesses)
        };
        let (opened, by) = open(note, &[known.verifier()]).unwrap();
        assert_eq!(opened, cosigned);
        assert_eq!(by, [(known.verifier().clone(), 1_763_700_000)]);
        // Who is not known does not count, and does no harm.
        assert_eq!(open(note, &[]).unwrap().1, []);
        let spoiled = cosigned.note().replace("AAAABpH+0g", "AAAABpH+0h");
        assert!(open(spoiled.as_bytes(), &[]).is_ok());
        let found = open(spoiled.as_bytes(), &[known.verifier()]);
        assert_eq!(found, Err(NoteError::BadSignature.into()));
        // Lines of strangers, and second ones, can be left out.
        let crowded = cosigned
            .with_lines(&witness(3).cosign(&checkpoint, 1))
            .with_lines(LINE);
        assert_eq!(
            crowded.only_by(&[log.verifier(), known.verifier()]),
            cosigned
        );
        assert_eq!(crowded.only_by(&[log.verifier()]), checkpoint);
        // Without the log's own signature a witness proves nothing.
        let alone = format!("{}\n{LINE}", checkpoint.text());
        let found = open(alone.as_bytes(), &[known.verifier()]);
        assert_eq!(found, Err(NoteError::UnknownSigner.into()));
    }
}
