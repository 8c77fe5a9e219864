//! What each instruction set can do: one table of kernels for each.
//!
//! The `scalar` table is the truth: every other table gives the same bits for the same input, so
//! an answer never depends on the CPU. Integer products are exact however they are summed; each
//! float operation happens once per block of weights, in order ([`dram_quant::Unpacked`]).
//! Reductions of floats use eight lanes and one fixed tree and are written once, in `float`
//! and `attention`, compiled for each instruction set.
//!
//! This is the only crate that names instruction sets. It knows no models, files or threads.
//!
//! # Words
//!
//! * **column**: the activations of one token, as long as a row, quantised in units.
//! * **unit**: 32 weights of a row, or the 32 numbers of a column that meet them.
//! * **block**: the weights of a row that share a scale in a format: one unit or eight.
//! * **half**: 16 weights of a unit; formats of eight units a block may have a factor for each.
//! * **group**: eight rows of a matrix, multiplied at once: a lane a row.
//! * **quad**: four weights, at one place, of each of a group's rows: 32 bytes, which meet the same
//!   four numbers of a column.
//! * **tile**: the blocks of a group at one place of its rows, their fields interleaved; as many bytes
//!   as eight blocks ([`dram_quant::tile`]).
//! * **panel**: groups unpacked to 8-bit integers in scratch memory, with scales and factors.
//! * **run**: four or eight units of a column whose scales are loaded together.
//! * **pass**: one walk along the rows of a group with some columns, as many as registers hold.
//! * **table**: the kernels of one instruction set; a **kernel** is one function of it.
//!
//! # The product
//!
//! Each architecture tells it once, in its folders `x86` and `arm`, for all formats and tables:
//!
//! ```text
//! for group in groups of the call
//!     if columns are few                   the bytes where they lie: tiles, or rows as tiles
//!         w = source of the group
//!     else                                 unpacked once, multiplied many times
//!         w = panel, filled from that source
//!     for columns, as many at a time as a pass takes
//!         acc[column][row] = 0
//!         for block in the rows
//!             sums[column][row] = 0                                     integers
//!             for unit in the block
//!                 for quad in the unit
//!                     sums[column] += w[quad] · x[column][quad]         each row in its lane
//!                 sums times the unit's factor, if blocks have several units
//!             acc[column] = fma(sums[column], d[block] · dx[column], acc[column])
//!             and for minima fma once more
//! ```
//!
//! Three types fill it in: a `Tile` says how the bytes of a format become registers, a `Source` where
//! units come from (tiles, rows, a panel), an `Isa` how an instruction set multiplies. A format that
//! has no `Tile` is unpacked to a panel by its definition (`any.rs`). Departures from the above, each
//! for speed and none for the result:
//!
//! 1. Integers are unsigned where the format is, and larger than the weights by an offset, which comes
//!    off through the sums of activations: `Σ (u − o) x = Σ u x − o Σ x`.
//! 2. Units that share bytes are taken together, so that these are loaded once (`SHARE`).
//! 3. On ARM rows are multiplied as rows, sixteen weights with sixteen numbers, and lanes are added
//!    afterwards; and sums run on from unit to unit (`arm/step.rs`).
//! 4. Several groups are multiplied together where registers are many (`avx512vnni/wide.rs`) or
//!    activations costly to spread (`neon/panel.rs`); how many a call takes at most, and the scratch,
//!    says `scratch.rs`.
//!
//! What was tried and not taken is listed beside the counts in
//! `bench/record/qemu-aarch64/2026-11-23T100500Z-limits.txt`.
//!
//! # `Caller`
//!
//! Many functions have a type parameter `Caller` that they do not use. They must be inlined, so that
//! registers stay registers, and cannot be told so: `#[inline(always)]` together with
//! `#[target_feature]` is error E0658 (rust-lang/rust issue 145574). Each place that calls such a
//! function names a `Caller` of its own, say `[(); 1]`: the instance then has one call, and LLVM
//! inlines a function that has one call, however long. Once the issue is closed, write
//! `#[inline(always)]` and delete every `Caller`.
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
