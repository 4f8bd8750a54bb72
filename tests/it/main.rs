//! The tests that need a store: one binary, because linking RocksDB is slow.

#[path = "../support/mod.rs"]
#[allow(dead_code)]
mod support;

mod audit_cli;
mod cli;
mod closing_by_itself;
mod conformance;
mod crash;
mod custody_cli;
mod damage;
mod disposal;
mod families;
mod figures;
mod findings;
mod foreign_client;
mod gone;
mod holds;
mod infected;
mod judged;
mod layering;
mod life;
mod metrics;
mod presence;
mod rebuild;
mod refusals;
mod reissue;
mod remarked;
mod remote_cli;
mod remote_log;
mod remote_transaction;
mod renewal;
mod renewal_by_itself;
mod retention;
mod rotation;
mod scrub;
mod seal;
mod seal_killed;
mod seal_served;
mod services;
mod static_face;
mod store;
mod told;
mod trust;
mod tsa;
mod verify_interval;
mod watched;
