//! Trains `dict/trace-1.zdict` on synthetic records only, never on mail:
//!
//! ```text
//! cargo run --release -p ceralacca-synthetic --example train_dictionary -- formats/dict/trace-1.zdict
//! ```
//! A dictionary that is in use is never replaced: a better one takes the next number.

use ceralacca_formats::metadata::Metadata;
use ceralacca_synthetic::traffic::Traffic;

fn main() {
    let path = std::env::args()
        .nth(1)
        .expect("path of the dictionary to write");
    // A seed and a day that no test and no bench uses.
    let samples: Vec<Vec<u8>> = Traffic::new(0xd1c7, 1_700_000_000_000)
        .take(40_000)
        .map(|record| Metadata::from(record).to_bytes())
        .collect();
    let dictionary = zstd::dict::from_samples(&samples, 16 * 1024).expect("train dictionary");
    std::fs::write(&path, &dictionary).expect("write dictionary");
    let bytes: usize = samples.iter().map(Vec::len).sum();
    println!(
        "{} samples, mean {} bytes, dictionary {} bytes",
        samples.len(),
        bytes / samples.len(),
        dictionary.len()
    );
}
