//! Compiles `proto/` into `OUT_DIR`, and does nothing else. No `protoc` is needed.

use prost::Message;
use std::path::PathBuf;

const FILES: [&str; 10] = [
    "ceralacca/v1/record.proto",
    "ceralacca/v1/submission.proto",
    "ceralacca/v1/audit.proto",
    "ceralacca/v1/trace.proto",
    "ceralacca/v1/reissue.proto",
    "ceralacca/v1/operations.proto",
    "ceralacca/v1/preservation.proto",
    "ceralacca/v1/disposal.proto",
    "ceralacca/v1/holds.proto",
    "ceralacca/v1/erasure.proto",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto");
    let descriptors = protox::compile(FILES, ["proto"])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        .bytes(".")
        .compile_fds(descriptors)?;
    Ok(())
}
