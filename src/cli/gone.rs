//! What was disposed of, as `search` and `reissue` tell it, and its certificates as files.

use super::output::{Existing, Output};
use super::{show, v1};
use anyhow::{Context as _, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ceralacca_formats::id::UtcMillis;
use ceralacca_formats::leaf::Class;
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;

/// A unit, and its certificate where that came with it.
struct Unit {
    interval_ms: u64,
    class: Class,
    carried: u32,
    certificate: Option<Vec<u8>>,
}

/// What is gone.
#[derive(Default)]
pub(super) struct Gone(Vec<Unit>);

impl Gone {
    /// Of an answer.
    pub(super) fn of(
        units: Vec<v1::DisposalUnit>,
        mut certificates: Vec<v1::DisposalCertificate>,
    ) -> Result<Self> {
        let unit = |unit: v1::DisposalUnit| {
            let place = certificates
                .iter()
                .position(|certificate| certificate.unit.as_ref() == Some(&unit));
            let class = u16::try_from(unit.retention_class).ok();
            let Some(Ok(class)) = class.map(Class::try_from) else {
                bail!("the answer names a class that is not known");
            };
            Ok(Unit {
                interval_ms: unit.interval_ms,
                class,
                carried: unit.carried,
                certificate: place.map(|at| certificates.swap_remove(at).certificate.into()),
            })
        };
        units.into_iter().map(unit).collect::<Result<_>>().map(Self)
    }

    pub(super) fn json(&self) -> Value {
        let unit = |unit: &Unit| {
            json!({
                "interval_ms": unit.interval_ms,
                "class": unit.class.word(),
                "carried": unit.carried,
                "certificate": unit.certificate.as_ref().map(|octets| STANDARD.encode(octets)),
            })
        };
        self.0.iter().map(unit).collect()
    }

    /// A line for each; `with` says where a certificate that came is to be had.
    pub(super) fn tell(&self, with: &str, out: &mut impl Write) -> Result<()> {
        for unit in &self.0 {
            let at = show::utc(UtcMillis::new(unit.interval_ms));
            let certificate = match unit.certificate {
                Some(_) => with,
                None => "its certificate is had by `dispose certificate`",
            };
            writeln!(
                out,
                "DISPOSED OF: class {} of the interval of {at}; {certificate}.",
                unit.class
            )?;
        }
        Ok(())
    }

    /// Writes the certificates, one a file; what is there is kept, and an error.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let attempt = || format!("write into {}", folder.display());
        std::fs::create_dir_all(folder).with_context(attempt)?;
        for unit in &self.0 {
            let Some(octets) = &unit.certificate else {
                continue;
            };
            let stem = format!("{}-{}", unit.interval_ms, unit.class);
            let name = match unit.carried {
                0 => format!("{stem}.p7m"),
                carried => format!("{stem}-{carried}.p7m"),
            };
            let mut output = Output::create(&folder.join(name), Existing::Keep)?;
            output.write(octets)?;
            output.finish()?;
        }
        Ok(())
    }
}
