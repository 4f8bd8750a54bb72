//! The documents held against other people's tools.

mod pdf;
mod sample;
mod tools;
