//! Measures dram and its peers.
#![forbid(unsafe_code)]
fn main() {}
