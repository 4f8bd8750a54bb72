//! That nothing is held: each interval of the answer, held against its closing leaf under the log's key.

use super::tree::Node;
use crate::cli::show;
use anyhow::Result;
use ceralacca_evidence::asic::{AsicError, Files};
use ceralacca_formats::absence::{Follower, Head, LINE_BYTES_MAX, Said, Told};
use ceralacca_formats::canonical::Text;
use ceralacca_formats::id::UtcMillis;
use ceralacca_formats::rotation::KeyChain;

/// Where the head lies.
const HEAD: &str = "proof/assenza.json";
const HEAD_BYTES_MAX: u64 = 64 << 10;
const INTERVALS: &str =
    "each interval, its closing leaf under the log's key, a map proof for each class";

/// Whether the container is such an answer.
pub(super) fn is_one(files: &dyn Files) -> bool {
    files.names().iter().any(|name| name == HEAD)
}

fn utc(at: UtcMillis) -> String {
    show::utc(at)
}

/// The checks of an answer.
pub(super) fn checks(files: &mut dyn Files, keys: Option<&KeyChain>) -> Result<Vec<Node>> {
    let head = match files.read(HEAD, HEAD_BYTES_MAX) {
        Ok(octets) => Head::parse(&octets).map_err(|error| error.to_string()),
        Err(AsicError::Io(error)) => return Err(error.into()),
        Err(error) => Err(error.to_string()),
    };
    let head = match head {
        Ok(head) => head,
        Err(why) => return Ok(vec![Node::bad(HEAD, why)]),
    };
    let shown = |text: &Text| show::printable(&String::from_utf8_lossy(text.as_bytes()));
    let asked = Node::good(
        HEAD,
        format!(
            "{} asked for {} of {}, disclosure at leaf {}",
            shown(&head.requester),
            shown(&head.identificativo),
            head.origin,
            head.disclosure
        ),
    );
    let Some(keys) = keys else {
        return Ok(vec![
            asked,
            Node::open(INTERVALS, "no --key given").needed(),
        ]);
    };
    let mut nodes = vec![asked];
    nodes.extend(intervals(files, &head, keys)?);
    Ok(nodes)
}

fn intervals(files: &mut dyn Files, head: &Head, keys: &KeyChain) -> Result<Vec<Node>> {
    let mut follower = Follower::new(keys, head.identificativo.as_bytes());
    let (mut nodes, mut told, mut absent) = (Vec::new(), 0u64, 0u64);
    let mut span: Option<(UtcMillis, UtcMillis)> = None;
    for part in 1..=head.parts {
        let name = format!("proof/assenza-{part:03}.jsonl");
        let octets = match files.read(&name, LINE_BYTES_MAX as u64) {
            Ok(octets) => octets,
            Err(AsicError::Io(error)) => return Err(error.into()),
            Err(error) => return Ok(vec![Node::bad(name, error.to_string())]),
        };
        for line in octets.split_inclusive(|octet| *octet == b'\n') {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            let checked = Told::parse(line).and_then(|line| follower.take(&line, head.from));
            let checked = match checked {
                Ok(checked) => checked,
                Err(error) => {
                    let part = format!("{name}, line of interval {told}");
                    nodes.push(Node::bad(part, error.to_string()));
                    return Ok(nodes);
                }
            };
            told = told.saturating_add(1);
            let part = format!("interval of {}", utc(checked.interval.start()));
            match checked.said {
                Said::Absent => {
                    absent = absent.saturating_add(1);
                    let since = span.map_or(checked.interval.start(), |(since, _)| since);
                    span = Some((since, checked.end));
                }
                Said::Present(_) => nodes.push(Node::bad(part, "it has records of it")),
                Said::Disposed(classes) => {
                    let classes: Vec<&str> = classes.iter().map(|class| class.word()).collect();
                    let why = format!("disposed of: class {}", classes.join(", "));
                    nodes.push(Node::open(part, why));
                }
                Said::NotClosed(why) => nodes.push(Node::open(part, why)),
            }
        }
    }
    if told != head.intervals {
        let why = format!("{told} intervals, and the head says {}", head.intervals);
        nodes.push(Node::bad(INTERVALS, why));
        return Ok(nodes);
    }
    let node = match span {
        Some((since, until)) => Node::good(
            INTERVALS,
            format!(
                "no record in {absent} of {told} intervals, from {} to {}",
                utc(since),
                utc(until)
            ),
        ),
        None => Node::open(INTERVALS, "no interval is proven not to hold it"),
    };
    nodes.push(node.needed());
    Ok(nodes)
}
