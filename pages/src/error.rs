//! Why there is no page.

/// Why a page or a report was refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PageError {
    /// The compiled-in typefaces do not parse. A broken build; stop.
    #[error("the typefaces do not parse")]
    Fonts,
    /// The PDF writer refused. A defect here; retrying is useless.
    #[error("write the pdf: {0}")]
    Pdf(String),
    /// An instant outside the years 1 to 9999. The caller's fault.
    #[error("instant {0} ms cannot be written as a date")]
    Time(i64),
    /// A file to embed whose name or media type is not plain ASCII. The caller's fault.
    #[error("{0:?} is no name or media type for an embedded file")]
    EmbeddedName(String),
    /// A file name, or a digest, that a shell would not read as it stands. The caller's fault.
    #[error("{0:?} cannot stand in a command")]
    FileName(String),
    /// Two files to embed with one name. The caller's fault.
    #[error("{0:?} is embedded twice")]
    EmbeddedTwice(String),
    /// The data of the report does not fit a QR code. The caller's fault: the origin is too long.
    #[error("the payload of {0} bytes does not fit a qr code")]
    Qr(usize),
    /// The report could not be written as JSON. A defect here.
    #[error("write the report: {0}")]
    Json(String),
}
