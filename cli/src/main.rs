//! The program dram.
#![forbid(unsafe_code)]
fn main() {}
