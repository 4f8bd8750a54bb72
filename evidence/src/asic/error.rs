//! Why a container was not written or not read.

/// Why a container was refused. Names the part.
#[derive(Debug, thiserror::Error)]
pub enum AsicError {
    /// Reading or writing failed below us. May be tried again.
    #[error("container: {0}")]
    Io(#[from] std::io::Error),
    /// A name that could lead outside the container, or that some system cannot hold. The writer's fault.
    #[error("{0:?} is not a name for a file in a container")]
    Name(String),
    /// Two files with one name, compared without case. The writer's fault.
    #[error("{0:?} is there twice")]
    Twice(String),
    /// A content differs in size or digest from what was announced. Nothing of the container may be handed out.
    #[error("{0:?} is not what was announced")]
    Changed(String),
    /// More files, or more bytes, than a container holds.
    #[error("{0} is more than a container holds")]
    TooLarge(String),
    /// Octets that are not as this layout has them: altered, or written by something else. Says where.
    #[error("{part} is not as written: {what}")]
    Layout {
        /// The entry or the structure.
        part: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A manifest that does not parse, or is not as this layout writes it.
    #[error("{name}: {what}")]
    Manifest {
        /// Which.
        name: String,
        /// What is wrong with it.
        what: String,
    },
    /// A file that is asked for, or listed, and is not there.
    #[error("{0:?} is not there")]
    Absent(String),
    /// Something was asked for in the wrong order: a signature before any file, an end before any signature.
    #[error("{0}")]
    Order(&'static str),
}

/// Why a container was not signed.
#[derive(Debug, thiserror::Error)]
pub enum FinishError<E> {
    /// The container.
    #[error(transparent)]
    Container(#[from] AsicError),
    /// The signer.
    #[error("sign the manifest: {0}")]
    Sign(E),
}
