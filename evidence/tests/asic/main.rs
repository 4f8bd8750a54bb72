//! Containers held against other people's tools, and against every octet of themselves.

mod damage;
mod foreign;
mod stream;
mod support;
