//! Compiles `proto/` into `OUT_DIR`, and does nothing else.

fn main() {}
