//! The formats of Ceralacca, and their verification.
#![forbid(unsafe_code)]
