//! What closed the intervals of a package, and who cosigned it.

use super::parts::{NO_KEY, Parts};
use super::tree::Node;
use crate::cli::show;
use anyhow::Result;
use ceralacca_formats::checkpoint::Checkpoint;
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::id::UtcMillis;
use ceralacca_formats::metadata::{CustodyRecord, Metadata};
use ceralacca_formats::note::VerifierKey;
use ceralacca_formats::proof::{ProofFile, ProvenMetadata};

impl Parts<'_> {
    /// What closed each interval: index, evidence record and contents are those that the closing leaf names.
    pub(super) fn closings(&mut self) -> Result<Vec<Node>> {
        let mut nodes = Vec::new();
        for name in self.named("/closing.tlog-proof") {
            let folder = name.trim_end_matches("/closing.tlog-proof").to_owned();
            let octets = self.octets(&name)?.unwrap_or_default();
            let closing = ProofFile::parse(&octets).ok().and_then(|proof| {
                let ProvenMetadata::Bytes(canonical) = &proof.record.metadata else {
                    return None;
                };
                match Metadata::parse(canonical) {
                    Ok(Metadata::Custody(CustodyRecord::IntervalClosed(closing))) => Some(closing),
                    _ => None,
                }
            });
            let Some(closing) = closing else {
                nodes.push(Node::bad(name, "not the leaf of a closing"));
                continue;
            };
            let mut children = Vec::new();
            let contents = Sha256::of(&closing.contents.to_bytes());
            for (file, expected) in [
                ("PIndex.xml.p7m", closing.pindex),
                ("package.ers", closing.evidence),
                ("contents.json", contents),
            ] {
                let path = format!("{folder}/{file}");
                children.push(match self.verified.digests.get(&path) {
                    Some(found) if *found == expected => {
                        Node::good(path, "the one that the closing leaf names")
                    }
                    Some(_) => Node::bad(path, "not the one that the closing leaf names"),
                    None => Node::bad(path, "it is not there"),
                });
            }
            children.push(self.checkpoint(&folder, closing.size.get())?);
            children.extend(self.witnesses(&octets));
            let path = format!("{folder}/PIndex.xml.p7m");
            if let Ok(cms) = self.octets(&path)? {
                children.push(self.cades(&format!("{path}, its signature"), &cms, None));
            }
            nodes.push(Node::group(format!("{folder}: interval closed"), children));
        }
        if nodes.is_empty() {
            nodes.push(Node::open(
                "interval closed",
                "the seal is to follow: the interval was open when the package was made",
            ));
        }
        Ok(nodes)
    }

    /// Whether the witnesses that were named cosigned the checkpoint under which a closing is proven.
    fn witnesses(&self, proof: &[u8]) -> Vec<Node> {
        let note = ProofFile::parse(proof).map(|proof| proof.note);
        let note = note.unwrap_or_default();
        let opened = self.keys.map(|keys| keys.open(note.as_bytes()));
        let witnesses = self.anchors.witnesses.iter();
        let by = |witness: &VerifierKey| {
            let part = format!("cosigned by {}", witness.name());
            let (found, key) = match &opened {
                None => return Node::open(part, NO_KEY),
                Some(Err(error)) => return Node::bad(part, error.to_string()),
                Some(Ok(opened)) => opened,
            };
            match Checkpoint::open_cosigned(note.as_bytes(), &[key], &[witness]) {
                Err(error) => Node::bad(part, error.to_string()),
                Ok((_, by)) => match by.first() {
                    None => Node::open(part, "its cosignature is not there"),
                    Some((_, seconds)) => {
                        let at = show::utc(UtcMillis::new(seconds.saturating_mul(1000)));
                        Node::good(part, format!("at {at}, {} leaves", found.size()))
                    }
                },
            }
        };
        witnesses.map(by).collect()
    }

    /// The checkpoint of a closing, and that the proofs are under it.
    fn checkpoint(&mut self, folder: &str, size: u64) -> Result<Node> {
        let path = format!("{folder}/checkpoint");
        let note = match self.octets(&path)? {
            Ok(note) => note,
            Err(why) => return Ok(Node::bad(path, why)),
        };
        let Some(keys) = self.keys else {
            return Ok(Node::open(path, NO_KEY));
        };
        Ok(match keys.open(&note) {
            Ok((checkpoint, _)) if checkpoint.size().get() == size => {
                Node::good(path, format!("signed, {size} leaves"))
            }
            Ok(_) => Node::bad(path, "of another size than the closing leaf says"),
            Err(error) => Node::bad(path, error.to_string()),
        })
    }
}
