//! The dot product of Armv8.2: four bytes times four bytes, added in 32 bits.
//!
//! ```text
//! weights of a group   row 0: k k k k | row 1: k k k k | row 2 | row 3       bytes
//! activations          the same four numbers, one lane of a register
//! sdot                 row 0          | row 1          | row 2 | row 3       32 bits
//! ```

use crate::arm::product::{
    Column, Isa, Kind, Source, Unit, activations, add, begin, block, scaled, store,
};
use core::arch::aarch64::{
    float32x4_t, int8x16_t, int32x4_t, vdupq_n_f32, vdupq_n_s32, vreinterpretq_f32_s32,
    vreinterpretq_s32_f32, vsubq_f32,
};
use core::arch::asm;
use dram_quant::{EIGHT, Q8, UNIT};

/// Multiplication of four bytes to 32 bits.
pub(crate) struct Sdot;

impl Isa for Sdot {
    #[inline]
    #[target_feature(enable = "neon,dotprod")]
    unsafe fn pass<S: Source, const N: usize>(
        w: &mut S,
        x: Q8<'_>,
        first: usize,
        y: &mut [[f32; EIGHT]],
    ) {
        let blocks = w.limit(x.len / UNIT / S::UNITS);
        let x = Column::of::<N>(x, first, blocks * S::UNITS);
        let mut acc = [[vdupq_n_f32(0.0); 2]; N];
        for b in 0..blocks {
            // SAFETY: the CPU has the features because this function has them.
            let here = unsafe { w.block::<(Self, [(); N])>(b) };
            let x = block(&x, b, S::UNITS);
            for i in 0..S::UNITS {
                // SAFETY: as above.
                let w = unsafe { S::unit::<(Self, [(); N])>(&here, i) };
                let sums = sums::<S, N>(&w, &x, i);
                add::<S::Kind, N>(&mut acc, &w, sums, &x, i);
            }
        }
        store(y, acc);
    }
}

/// The integer sums of unit `i` for each column, a lane a row, as floats.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn sums<S: Source, const N: usize>(
    w: &Unit,
    x: &[Column<'_>; N],
    i: usize,
) -> [[float32x4_t; 2]; N] {
    if S::Kind::HALVES {
        let zero = vdupq_n_s32(0);
        let low = half::<N, 0>(begin::<S::Kind, N, 0>(zero, x, i), w, x, i);
        let high = half::<N, 1>(begin::<S::Kind, N, 1>(zero, x, i), w, x, i);
        return scaled(w, low, high);
    }
    // The bits of 1.5 · 2^23 and an integer below 2^22, added, are the float 1.5 · 2^23 and the
    // integer, added. To subtract is one operation; to convert is two, and one pipe alone does it.
    let big = vdupq_n_f32(12_582_912.0);
    let sums = begin::<S::Kind, N, 2>(vreinterpretq_s32_f32(big), x, i);
    let sums = half::<N, 1>(half::<N, 0>(sums, w, x, i), w, x, i);
    sums.map(|sums| sums.map(|sums| vsubq_f32(vreinterpretq_f32_s32(sums), big)))
}

/// `sums` and the products of half a unit.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn half<const N: usize, const HALF: usize>(
    sums: [[int32x4_t; 2]; N],
    w: &Unit,
    x: &[Column<'_>; N],
    i: usize,
) -> [[int32x4_t; 2]; N] {
    let groups = &w.q[HALF * 4..];
    let x = activations::<N, HALF>(x, i);
    let sums = group::<N, 0>(sums, &groups[0], &x);
    let sums = group::<N, 1>(sums, &groups[1], &x);
    let sums = group::<N, 2>(sums, &groups[2], &x);
    group::<N, 3>(sums, &groups[3], &x)
}

/// `sums` and the products of a group with lane `LANE` of each column.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn group<const N: usize, const LANE: usize>(
    sums: [[int32x4_t; 2]; N],
    w: &[int8x16_t; 2],
    x: &[int8x16_t; N],
) -> [[int32x4_t; 2]; N] {
    let mut sums = sums;
    for c in 0..N {
        for r in 0..2 {
            sums[c][r] = sdot::<LANE>(sums[c][r], w[r], x[c]);
        }
    }
    sums
}

/// Adds to each lane its four bytes of `w` times the four bytes of lane `LANE` of `x`.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn sdot<const LANE: usize>(sums: int32x4_t, w: int8x16_t, x: int8x16_t) -> int32x4_t {
    let mut sums = sums;
    // SAFETY: an operation on registers, which the CPU has because this function has its feature.
    unsafe {
        asm!(
            "sdot {sums:v}.4s, {w:v}.16b, {x:v}.4b[{lane}]",
            sums = inout(vreg) sums, w = in(vreg) w, x = in(vreg) x, lane = const LANE,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    sums
}
