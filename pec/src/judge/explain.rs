//! What was done to a message whose signature fails, where one known thing, undone, makes it hold.
//!
//! A diagnosis, never a verdict: the octets stay as they are, and the signature over them stays broken.

use super::certificate::Certificate;
use super::cms::{Content, SignedData};
use super::read_certificates;
use super::trust::Memo;
use crate::digests::SignedDigests;
use crate::reading::Reading;

/// One thing that storage or handling does to a whole file.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Explanation {
    /// Every line ends in CR CR LF: written twice in text mode.
    DoubledCarriageReturns,
    /// Re-encoded from Latin-1 to UTF-8.
    RecodedAsUtf8,
}

impl Explanation {
    /// All of them, in the order they are tried.
    pub const ALL: [Self; 2] = [Self::DoubledCarriageReturns, Self::RecodedAsUtf8];

    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::DoubledCarriageReturns => "doubled-carriage-returns",
            Self::RecodedAsUtf8 => "recoded-as-utf8",
        }
    }

    /// In Italian.
    pub const fn italian(self) -> &'static str {
        match self {
            Self::DoubledCarriageReturns => {
                "La firma corrisponderebbe se ogni fine riga CR CR LF tornasse CR LF."
            }
            Self::RecodedAsUtf8 => {
                "La firma corrisponderebbe se il messaggio, ricodificato in UTF-8, tornasse in Latin-1."
            }
        }
    }

    /// In English.
    pub const fn english(self) -> &'static str {
        match self {
            Self::DoubledCarriageReturns => {
                "The signature would match if every line end CR CR LF were CR LF again."
            }
            Self::RecodedAsUtf8 => {
                "The signature would match if the message, re-encoded as UTF-8, were Latin-1 again."
            }
        }
    }

    /// The octets with this undone; `None` where it was not done.
    fn undo(self, bytes: &[u8]) -> Option<Vec<u8>> {
        let undone = match self {
            Self::DoubledCarriageReturns => {
                let mut out = Vec::with_capacity(bytes.len());
                for line in bytes.split_inclusive(|c| *c == b'\n') {
                    match line.strip_suffix(b"\r\r\n") {
                        Some(text) => {
                            out.extend_from_slice(text);
                            out.extend_from_slice(b"\r\n");
                        }
                        // The first CR of the break before the delimiter, which took the rest.
                        None => out.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line)),
                    }
                }
                out
            }
            Self::RecodedAsUtf8 => {
                let text = std::str::from_utf8(bytes).ok()?;
                let octets = text.chars().map(|c| u8::try_from(c).ok());
                octets.collect::<Option<_>>()?
            }
        };
        (undone != bytes).then_some(undone)
    }
}

/// Why the signature of a message fails, if one known thing explains it. `bytes` is the whole message that
/// `reading` is of. `None` also where the signature holds, and where there is none.
pub fn explain(bytes: &[u8], reading: &Reading) -> Option<Explanation> {
    let detached = reading.detached(bytes)?;
    let data = SignedData::read(&detached.p7s).ok()?;
    let certificates = read_certificates(&data);
    if holds(&data, &certificates, detached.signed) {
        return None;
    }
    let mut known = Explanation::ALL.into_iter();
    known.find(|explanation| {
        let undone = explanation.undo(detached.signed);
        undone.is_some_and(|undone| holds(&data, &certificates, &undone))
    })
}

fn holds<'a>(data: &SignedData<'a>, certificates: &[Certificate<'a>], signed: &[u8]) -> bool {
    let digests = SignedDigests::of(signed);
    data.verify(Content(&digests), certificates, &Memo::default())
        .1
        .is_ok()
}
