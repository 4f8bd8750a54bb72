#![no_main]

#[allow(dead_code, reason = "the other targets")]
#[path = "../../evidence/tests/corpus/targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::package(data));
