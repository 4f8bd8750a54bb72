//! Limits of court portals, and files cut into sendings within them.
//!
//! Published by the Italian tax-court portal: EML, XML, PDF and CAdES-signed files, 10 MB a file, 50 files and 50 MB a
//! sending; no ASiC, no ZIP. Other portals differ: the limits are a value.

/// What a portal takes in one sending.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Bytes of a file.
    pub file_bytes_max: u64,
    /// Files of a sending.
    pub files_max: usize,
    /// Bytes of a sending.
    pub bytes_max: u64,
    /// Extensions it takes, lower case, without the point.
    pub extensions: &'static [&'static str],
}

/// The tax-court portal's. A MB is taken as 1 000 000 bytes, the smaller reading.
pub const TAX_COURT: Limits = Limits {
    file_bytes_max: 10_000_000,
    files_max: 50,
    bytes_max: 50_000_000,
    extensions: &["eml", "xml", "pdf", "p7m"],
};

/// Why a file cannot be sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Breach {
    /// It is larger than one file may be.
    TooLarge,
    /// Its extension is not taken.
    Extension,
}

/// Files in sendings, and those that cannot be sent.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Plan {
    /// Names, sending by sending, in the order given.
    pub sendings: Vec<Vec<String>>,
    /// Names left out, with the reason.
    pub refused: Vec<(String, Breach)>,
}

/// Cuts files, named with their sizes, into as few sendings as keeping their order allows.
pub fn plan<'a>(limits: &Limits, files: impl IntoIterator<Item = (&'a str, u64)>) -> Plan {
    let mut plan = Plan::default();
    let mut used = 0u64;
    for (name, bytes) in files {
        let extension = name.rsplit_once('.').map(|(_, extension)| extension);
        let extension = extension.unwrap_or_default().to_ascii_lowercase();
        if !limits.extensions.contains(&extension.as_str()) {
            plan.refused.push((name.to_owned(), Breach::Extension));
            continue;
        }
        if bytes > limits.file_bytes_max.min(limits.bytes_max) {
            plan.refused.push((name.to_owned(), Breach::TooLarge));
            continue;
        }
        match plan.sendings.last_mut() {
            Some(open)
                if open.len() < limits.files_max
                    && used.saturating_add(bytes) <= limits.bytes_max =>
            {
                open.push(name.to_owned());
                used = used.saturating_add(bytes);
            }
            _ => {
                plan.sendings.push(vec![name.to_owned()]);
                used = bytes;
            }
        }
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sending_holds_what_the_portal_takes_and_the_rest_is_named() {
        let files = [
            ("a.eml", 10_000_000),
            ("b.EML", 10_000_001),
            ("c.asice", 1),
            ("d.pdf", 40_000_000),
            ("e.pdf", 9_000_000),
        ];
        let found = plan(&TAX_COURT, files);
        assert_eq!(
            found.sendings,
            [vec!["a.eml".to_owned(), "e.pdf".to_owned()]]
        );
        let refused: Vec<_> = found
            .refused
            .iter()
            .map(|(name, why)| (name.as_str(), *why))
            .collect();
        assert_eq!(
            refused,
            [
                ("b.EML", Breach::TooLarge),
                ("c.asice", Breach::Extension),
                ("d.pdf", Breach::TooLarge)
            ]
        );
    }

    #[test]
    fn the_fifty_first_file_and_the_fifty_first_megabyte_begin_another_sending() {
        let small = vec![("x.eml", 1u64); 101];
        let lengths = |plan: Plan| plan.sendings.iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(lengths(plan(&TAX_COURT, small)), [50, 50, 1]);
        let large = vec![("x.eml", 10_000_000u64); 6];
        assert_eq!(lengths(plan(&TAX_COURT, large)), [5, 1]);
    }
}
