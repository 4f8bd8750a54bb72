//! What is made here, held against other people's programs; and damaged twins, which they refuse too.
//!
//! A missing program fails in CI and is skipped aloud elsewhere.

mod authority;
mod bouncy;
mod ers;
mod foreign;
mod indices;
mod interval;
mod made;
mod map;
mod signatures;
mod time_stamps;
