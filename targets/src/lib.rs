//! What each instruction set can do: one table of kernels for each.
//!
//! The `scalar` table is the truth: every other table gives the same bits for the same input, so
//! an answer never depends on the CPU. Integer products are exact however they are summed; each
//! float operation happens once per block of weights, in order ([`dram_quant::Unpacked`]).
//! Reductions of floats use eight lanes and one fixed tree and are written once, in `float`
//! and `attention`, compiled for each instruction set.
//!
//! This is the only crate that names instruction sets. It knows no models, files or threads.
#![no_std]
#![allow(unsafe_code, reason = "kernels load, store and call by feature here, and nowhere else")]

#[cfg(any(feature = "std", test))]
extern crate std;

mod attention;
mod columns;
#[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
mod defined;
mod float;
#[macro_use]
mod isa;
mod kernels;
mod panel;
mod scalar;
mod scratch;

#[cfg(target_arch = "aarch64")]
#[macro_use]
mod arm;
#[cfg(target_arch = "x86_64")]
#[macro_use]
mod x86;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512vnni;
#[cfg(target_arch = "aarch64")]
mod dotprod;
#[cfg(target_arch = "aarch64")]
mod i8mm;
#[cfg(target_arch = "aarch64")]
mod neon;

pub use columns::Columns;
pub use float::exp;
pub use kernels::{Kernels, all, best, named};
pub use scratch::{groups, scratch_bytes};

/// Every table of this build beside `scalar`, fastest first; `None` where the CPU lacks it.
#[cfg(target_arch = "aarch64")]
fn detected() -> [Option<&'static Kernels>; 3] {
    [
        arm!(i8mm, ["neon", "dotprod", "i8mm"], i8mm::Smmla),
        arm!(dotprod, ["neon", "dotprod"], dotprod::Sdot),
        arm!(neon, ["neon"], neon::Smlal),
    ]
}

/// Every table of this build beside `scalar`, fastest first; `None` where the CPU lacks it.
#[cfg(target_arch = "x86_64")]
fn detected() -> [Option<&'static Kernels>; 2] {
    [
        x86!(
            avx512vnni,
            ["avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl", "avx512vnni"],
            avx512vnni::Dpbusd
        ),
        x86!(avx2, ["avx2", "fma", "f16c"], avx2::Maddubs),
    ]
}

/// No table beside `scalar`.
#[cfg(not(any(target_arch = "aarch64", target_arch = "x86_64")))]
fn detected() -> [Option<&'static Kernels>; 0] {
    []
}

/// Positions in a page of keys and values: the unit attention kernels work on.
pub const PAGE: usize = 32;
