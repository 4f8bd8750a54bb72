//! Ceralacca: an archive for Italian certified mail (PEC).
#![forbid(unsafe_code)]
