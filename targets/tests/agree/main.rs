//! Every table gives the bits of `scalar`, and `scalar` what its definition says.

#![allow(clippy::unwrap_used, reason = "tests")]

mod exp;
mod floats;
mod noise;
mod products;
mod sources;

use dram_targets::Kernels;
use std::io::Write;

/// Every table that a build for this kind of machine has.
const TABLES: &[&str] = if cfg!(target_arch = "x86_64") {
    &["avx512vnni", "avx2", "scalar"]
} else if cfg!(target_arch = "aarch64") {
    &["i8mm", "dotprod", "neon", "scalar"]
} else {
    &["scalar"]
};

/// What is not compared here is told, also where all is well.
#[test]
fn tables_that_this_cpu_lacks_are_told() {
    let found: Vec<&str> = dram_targets::all().map(Kernels::name).collect();
    assert!(found.iter().all(|name| TABLES.contains(name)), "{TABLES:?} does not list {found:?}");
    let lacking: Vec<_> = TABLES.iter().filter(|name| !found.contains(name)).collect();
    // A test's own output is shown only where it fails.
    writeln!(std::io::stderr(), "compared: {found:?}; this CPU lacks {lacking:?}").unwrap();
    let must = cfg!(target_arch = "x86_64") && std::env::var_os("CI").is_some();
    assert!(!must || found.contains(&"avx2"), "continuous integration needs a CPU with AVX2");
}

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
