//! Synthetic PEC mail.
#![forbid(unsafe_code)]
