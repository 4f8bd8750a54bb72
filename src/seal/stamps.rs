//! Time-stamps of a package: asked for, and every answer kept.
//!
//! ```text
//! <name>.tsq  <name>.tsr  <name>.tst     what was asked, what came, the token in it
//! <name>.stamp.json                      what the archive takes it for (below); written last
//! material/<sha256>.der                  certificates, CRLs and OCSP answers beyond the token
//!
//! {"accuracy_ms":n,"authority":"…","digest":"<SHA-256 that was stamped>","proven":0|1,"serial":"…","time_ms":n,
//!  "valid_until_ms":n}
//! ```

use super::SealError;
use super::folder::Folder;
use ceralacca_evidence::{Imprint, Stamped, Stamper};
use ceralacca_formats::canonical::{Integer, ObjectReader, ObjectWriter};
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::id::{INTEGER_MAX, UtcMillis};

const FACTS_BYTES_MAX: usize = 4096;

/// What a time-stamp of a package says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StampFacts {
    /// What was stamped.
    pub digest: Sha256,
    /// genTime.
    pub time: UtcMillis,
    /// How exact it is, in milliseconds.
    pub accuracy_ms: u64,
    /// The serial number.
    pub serial: Vec<u8>,
    /// Name of the authority in the configuration of that day.
    pub authority: String,
    /// The earliest end of a certificate of its chain.
    pub valid_until: UtcMillis,
    /// Whether the authority's clock was its own.
    pub is_proven: bool,
}

impl StampFacts {
    fn of(stamped: &Stamped, digest: Sha256) -> Self {
        Self {
            digest,
            time: stamped.time,
            accuracy_ms: stamped.accuracy_ms,
            serial: stamped.serial.clone(),
            authority: stamped.authority.clone(),
            valid_until: stamped.valid_until,
            is_proven: stamped.is_proven,
        }
    }

    fn to_bytes(&self) -> Vec<u8> {
        let integer = |n: u64| Integer::try_from(n.min(INTEGER_MAX)).unwrap_or(Integer::ZERO);
        let mut out = String::new();
        ObjectWriter::write(&mut out, |w| {
            w.integer("accuracy_ms", integer(self.accuracy_ms));
            w.text("authority", self.authority.as_bytes());
            w.text("digest", self.digest.to_string().as_bytes());
            w.integer("proven", integer(self.is_proven.into()));
            w.text("serial", hex::encode(&self.serial).as_bytes());
            w.integer("time_ms", integer(self.time.get()));
            w.integer("valid_until_ms", integer(self.valid_until.get()));
        });
        out.into_bytes()
    }

    /// Reads what a package holds; `None` for anything else.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut r = ObjectReader::parse(bytes).ok()?;
        let number = |r: &mut ObjectReader, key| u64::try_from(r.integer(key).ok()??.get()).ok();
        let facts = Self {
            accuracy_ms: number(&mut r, "accuracy_ms")?,
            authority: r.text("authority").ok()??.to_str()?.to_owned(),
            digest: Sha256::from_hex(r.text("digest").ok()??.to_str()?)?,
            is_proven: number(&mut r, "proven")? == 1,
            serial: hex::decode(r.text("serial").ok()??.to_str()?).ok()?,
            time: UtcMillis::new(number(&mut r, "time_ms")?),
            valid_until: UtcMillis::new(number(&mut r, "valid_until_ms")?),
        };
        r.end().ok()?;
        Some(facts)
    }
}

/// What a package says of a time-stamp; `None` where there is none, or it is of something else.
pub(super) fn kept(
    folder: &Folder,
    name: &str,
    digest: &Sha256,
) -> Result<Option<StampFacts>, SealError> {
    let facts = folder.read(&format!("{name}.stamp.json"), FACTS_BYTES_MAX)?;
    let facts = facts.as_deref().and_then(StampFacts::parse);
    Ok(facts.filter(|facts| facts.digest == *digest))
}

/// Asks for a time-stamp over a digest, unless the package has one.
pub(super) fn stamp(
    folder: &Folder,
    name: &str,
    digest: Sha256,
    stamper: &dyn Stamper,
) -> Result<StampFacts, SealError> {
    if let Some(facts) = kept(folder, name, &digest)? {
        return Ok(facts);
    }
    let stamped = stamper.stamp(&Imprint::Sha256(*digest.as_bytes()))?;
    keep(folder, name, digest, &stamped)
}

/// Puts a time-stamp into a package.
pub(super) fn keep(
    folder: &Folder,
    name: &str,
    digest: Sha256,
    stamped: &Stamped,
) -> Result<StampFacts, SealError> {
    folder.write(&format!("{name}.tsq"), &stamped.request)?;
    folder.write(&format!("{name}.tsr"), &stamped.response)?;
    folder.write(&format!("{name}.tst"), &stamped.token)?;
    for material in stamped.certificates.iter().chain(&stamped.revocation) {
        let name = format!("material/{}.der", Sha256::of(material));
        folder.write(&name, material)?;
    }
    let facts = StampFacts::of(stamped, digest);
    folder.write(&format!("{name}.stamp.json"), &facts.to_bytes())?;
    Ok(facts)
}
