//! Certificates of what was disposed of, and the answer that has nothing else.

use super::parts::Parts;
use super::tree::Node;
use crate::cli::show;
use anyhow::Result;
use ceralacca_evidence::asic::Files;
use ceralacca_formats::disposal_certificate::DisposalCertificate;
use ceralacca_formats::disposed::DisposedHead;
use ceralacca_pec::cades as signatures;

/// Where the head of such an answer lies.
const HEAD: &str = "proof/scarto.json";
const FOLDER: &str = "proof/scarto/";

/// Whether the container is such an answer.
pub(super) fn is_one(files: &dyn Files) -> bool {
    files.names().iter().any(|name| name == HEAD)
}

impl Parts<'_> {
    /// The head of an answer that what was asked for is gone: each certificate it names is there.
    pub(super) fn disposed_head(&mut self) -> Result<Node> {
        let head = match self.octets(HEAD)? {
            Ok(octets) => DisposedHead::parse(&octets).map_err(|error| error.to_string()),
            Err(why) => Err(why),
        };
        let head = match head {
            Ok(head) => head,
            Err(why) => return Ok(Node::bad(HEAD, why)),
        };
        let mut named = head
            .units
            .iter()
            .filter_map(|unit| unit.certificate.as_ref());
        if let Some(file) = named.find(|file| !self.verified.digests.contains_key(*file)) {
            return Ok(Node::bad(HEAD, format!("{file} is not there")));
        }
        if self.named_in(FOLDER, ".p7m").is_empty() {
            return Ok(Node::open(HEAD, "no certificate came with it").needed());
        }
        let requester = String::from_utf8_lossy(head.requester.as_bytes()).into_owned();
        Ok(Node::good(
            HEAD,
            format!(
                "{} units of {} named to {}, disclosure at leaf {}",
                head.units.len(),
                head.origin,
                show::printable(&requester),
                head.disclosure
            ),
        ))
    }

    /// The certificates: signed and stamped, of the unit that their name says, of this log.
    pub(super) fn certificates(&mut self) -> Result<Vec<Node>> {
        let mut nodes = Vec::new();
        for name in self.named_in(FOLDER, ".p7m") {
            let cms = match self.octets(&name)? {
                Ok(cms) => cms,
                Err(why) => {
                    nodes.push(Node::bad(name, why));
                    continue;
                }
            };
            let signature = self.cades(&format!("{name}, its signature"), &cms, None);
            let mut children = vec![signature.needed(), self.said(&name, &cms)];
            let beside = format!("{}.firma", name.trim_end_matches(".p7m"));
            if let Ok(found) = self.octets(&beside)? {
                let is_its_own = signatures::signature_of(&cms).is_ok_and(|own| own == found);
                children.push(match is_its_own {
                    true => Node::good(beside, "the octets of that signature"),
                    false => Node::bad(beside, "not the octets of that signature"),
                });
            }
            nodes.push(Node::group(format!("{name}: disposed of"), children));
        }
        Ok(nodes)
    }

    /// What a certificate says, and that it is of the unit and of the log that it must be of.
    fn said(&self, name: &str, cms: &[u8]) -> Node {
        let part = format!("{name}, what it says");
        let content = signatures::content_of(cms).ok().flatten();
        let certificate = content.and_then(|octets| DisposalCertificate::parse(&octets));
        let Some(certificate) = certificate else {
            return Node::bad(part, "not the certificate of a disposal");
        };
        let unit = certificate.unit;
        let stem = match unit.carried {
            0 => format!("{FOLDER}{}-{}", unit.interval, unit.class),
            carried => format!("{FOLDER}{}-{}-{carried}", unit.interval, unit.class),
        };
        if name != format!("{stem}.p7m") {
            return Node::bad(part, "of another unit than its name says");
        }
        let log = certificate.log.to_str().unwrap_or_default();
        if self.keys.is_some_and(|keys| keys.current().name() != log) {
            return Node::bad(part, "of another log");
        }
        Node::good(
            part,
            format!(
                "{} records of class {} of the interval of {}, gone since {}; lawful from {}",
                certificate.records,
                unit.class,
                show::utc(unit.interval.start()),
                show::utc(certificate.executed_at),
                show::utc(certificate.lawful_from),
            ),
        )
    }
}
