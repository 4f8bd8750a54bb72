//! The documents held against other people's tools.

mod leggimi;
mod pdf;
mod sample;
mod tools;
mod verapdf;
