//! That the interval maps are those of the log files: built again, to the octet.
//!
//! Keys are digests, so their first bits cut them into shares of like size: the log file of a class is read once for
//! each share, and never more than [`HELD_MAX`] entries or so are in memory.

use super::folder::Package;
use super::lines::each_batch;
use super::report::{Ended, Report};
use super::{Documents, FolderError, Given};
use ceralacca_formats::digest::{ContentHasher, Sha256};
use ceralacca_formats::leaf::Class;
use ceralacca_formats::map::file::{Entry, bits_for};
use ceralacca_formats::map::{MapKey, MapSaltDigest, MapValue, MapWriter, subtree_root};
use ceralacca_formats::tree::LeafHash;
use rayon::prelude::*;
use std::collections::BTreeSet;
use std::convert::Infallible;

/// About the most entries in memory: 256 MiB.
const HELD_MAX: u64 = 1 << 22;
/// Below so few bits a bucket is built where it is written.
const PARALLEL_BITS: u8 = 5;

pub(super) fn check(
    package: &Package,
    documents: &Documents,
    absent: &BTreeSet<u16>,
    given: &Given<'_>,
    report: &mut Report,
) -> Result<(), FolderError> {
    for held in &documents.contents.classes {
        let class = held.class;
        let what =
            format!("map of class {class}: built again from the log file, it is the one fixed");
        let why = match (given.maps, absent.contains(&class.code())) {
            (false, _) => Some("not asked for"),
            (_, true) => Some("log file, map and salt were not handed out"),
            _ => None,
        };
        if let Some(why) = why {
            report.add("maps", &what, Ended::NotChecked(why.to_owned()));
            continue;
        }
        let salt = package.small(&format!("salt-{class}.bin"), 32)?;
        let salt = salt.and_then(|salt| <[u8; 32]>::try_from(salt).ok());
        let salt = salt.filter(|salt| Sha256::of(salt) == held.salt);
        let Some(salt) = salt else {
            let why = "the salt is missing, or another than was fixed".to_owned();
            report.add("maps", &what, Ended::Badly(why));
            continue;
        };
        let built = build(package, documents, class, &salt)?;
        let map = documents.sha256(&format!("map-{class}.bin"));
        let result = built.and_then(|built| {
            report.keys += built.keys;
            match () {
                () if built.keys != held.keys => Err(format!("{} keys", built.keys)),
                () if built.root != held.map_root => Err(format!("root {}", built.root)),
                () if Some(built.sha256) != map => Err("another map file".to_owned()),
                () => Ok(()),
            }
        });
        report.result("maps", &what, result);
    }
    Ok(())
}

struct Built {
    keys: u64,
    root: Sha256,
    sha256: Sha256,
}

type Keyed = (MapKey, LeafHash);

/// Hands out the entries of one share of so many bits, sorted; how many there are in all.
fn share(
    package: &Package,
    parts: &[String],
    salt: &[u8; 32],
    bits: u8,
    number: usize,
) -> Result<(Vec<Keyed>, u64), FolderError> {
    let (mut entries, mut total) = (Vec::new(), 0);
    for path in parts {
        each_batch(package, path, |_, lines| {
            let keyed = lines.par_iter().filter_map(|line| {
                let line = line.as_ref().ok()?;
                let term = line.identificativo.as_ref()?;
                Some((MapKey::of_identificativo(salt, term.as_bytes()), line.hash))
            });
            let keyed: Vec<Keyed> = keyed.collect();
            total += keyed.len() as u64;
            entries.extend(
                keyed
                    .into_iter()
                    .filter(|(key, _)| key.prefix(bits) == number),
            );
        })?;
    }
    entries.par_sort_unstable();
    Ok((entries, total))
}

fn values(records: &[Keyed]) -> Result<Vec<Entry>, String> {
    let same = records.chunk_by(|(a, _), (b, _)| a == b);
    let values = same.filter_map(|records| {
        let (key, _) = records.first()?;
        let hashes: Vec<LeafHash> = records.iter().map(|(_, hash)| *hash).collect();
        Some(MapValue::of(&hashes).map(|value| (*key, value)))
    });
    values
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())
}

fn build(
    package: &Package,
    documents: &Documents,
    class: Class,
    salt: &[u8; 32],
) -> Result<Result<Built, String>, FolderError> {
    let parts = documents.parts(class);
    let records = documents
        .contents
        .class(class)
        .map_or(0, |held| held.records);
    let shares = records.div_ceil(HELD_MAX).max(1).next_power_of_two();
    // At most 2^20 shares, as many as a map has buckets.
    let share_bits = u8::try_from(shares.trailing_zeros()).unwrap_or(20).min(20);
    let (mut entries, total) = share(package, &parts, salt, share_bits, 0)?;
    let mut hasher = ContentHasher::default();
    let sink = |octets: &[u8]| {
        hasher.update(octets);
        Ok::<(), Infallible>(())
    };
    let bits = bits_for(total);
    let writer = MapWriter::new(&MapSaltDigest::of(salt), bits, sink);
    let mut writer = match writer {
        Ok(writer) => writer,
        Err(error) => return Ok(Err(error.to_string())),
    };
    for number in 0..1usize << share_bits {
        if number > 0 {
            (entries, _) = share(package, &parts, salt, share_bits, number)?;
        }
        if let Err(why) = put(&mut writer, bits, share_bits, &entries) {
            return Ok(Err(why));
        }
    }
    let finished = writer.finish().map_err(|error| error.to_string());
    Ok(finished.map(|(keys, root)| Built {
        keys,
        root: Sha256::from_bytes(*root.as_bytes()),
        sha256: hasher.finish().sha256,
    }))
}

fn put<W: FnMut(&[u8]) -> Result<(), Infallible>>(
    writer: &mut MapWriter<W>,
    bits: u8,
    share_bits: u8,
    entries: &[Keyed],
) -> Result<(), String> {
    if bits < PARALLEL_BITS.max(share_bits) {
        for (key, value) in values(entries)? {
            let pushed = writer.push(key, value);
            pushed.map_err(|error| error.to_string())?;
        }
        return Ok(());
    }
    let buckets = entries.chunk_by(|(a, _), (b, _)| a.prefix(bits) == b.prefix(bits));
    let buckets: Vec<&[Keyed]> = buckets.collect();
    for some in buckets.chunks(1 << 10) {
        let built = some.par_iter().map(|bucket| {
            let entries = values(bucket)?;
            let number = entries.first().map_or(0, |(key, _)| key.prefix(bits));
            let root = subtree_root(bits.into(), &entries).map_err(|error| error.to_string())?;
            Ok::<_, String>((number, entries, root))
        });
        for (number, entries, root) in built.collect::<Result<Vec<_>, String>>()? {
            let pushed = writer.push_bucket(number, &entries, root);
            pushed.map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}
