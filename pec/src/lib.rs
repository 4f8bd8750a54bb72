//! PEC messages: from received bytes to facts.
#![forbid(unsafe_code)]
