//! Signatures, judged: every ground by name, every family, damaged twins, and what openssl says of the same.
#![forbid(unsafe_code)]

mod broken;
mod cost;
mod families;
mod grounds;
mod make;
mod ocsp;
mod ocsp_openssl;
mod openssl;
mod respond;
mod samples;
mod trusted;
