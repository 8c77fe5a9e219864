//! Every table gives the bits of `scalar`, and `scalar` what its definition says.

#![allow(clippy::unwrap_used, reason = "tests")]

mod exp;
mod floats;
mod noise;
mod products;
mod sources;

use dram_targets::Kernels;

/// The truth, and every other table of this CPU.
fn tables() -> (&'static Kernels, Vec<&'static Kernels>) {
    let (scalar, others): (Vec<_>, Vec<_>) =
        dram_targets::all().partition(|table| table.name() == "scalar");
    (scalar[0], others)
}

/// Asserts that two results have the same bits, any NaN being like any other.
#[track_caller]
fn assert_same(found: &[f32], expected: &[f32], what: impl Fn() -> String) {
    assert_eq!(found.len(), expected.len());
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        let same = a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
        assert!(same, "{}: element {i} is {a:e}, not {b:e}", what());
    }
}
