//! PEC messages, read: built by families of engines, nested, broken, cut; and real ones, where there are.
#![forbid(unsafe_code)]

mod bombs;
mod build;
mod evidence;
mod families;
mod logs;
mod nesting;
mod reasons;
mod remarks;
mod samples;
mod splits;
mod stamps;
