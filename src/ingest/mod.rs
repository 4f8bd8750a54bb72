//! x
/// x
pub const INLINE_BYTES_MAX: usize = 64 << 10;
