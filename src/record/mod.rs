//! A record on its way into the store and back: drafts, encryption, opening.
//!
//! - [`prepare`]: digest, compress, encrypt, commit; all that needs no index, so that it runs in parallel
//! - [`carried`]: a record whose opening is given, encrypted anew
//! - [`open`]: decrypt, decompress, and check against the leaf before anything is used
//! - [`held`]: what a hold kept of a unit that was disposed of
//! - [`upload`]: large contents, staged part by part before their leaf

pub mod carried;
pub mod held;
pub mod open;
pub mod prepare;
pub mod upload;
