//! The dot product of Armv8.2: four bytes times four bytes, added in 32 bits.
//!
//! ```text
//! weights of a group   row 0: k k k k | row 1: k k k k | row 2 | row 3       bytes
//! activations          the same four numbers, one lane of a register
//! sdot                 row 0          | row 1          | row 2 | row 3       32 bits
//! ```

use crate::arm::lanes::signed;
use crate::arm::product::{Column, Isa, Kind, Source, Unit, add, begin, begin_half, scaled, store};
use core::arch::aarch64::{int8x16_t, int32x4_t, vdupq_n_f32};
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
        let columns = Column::of::<N>(x, first);
        let mut acc = [[vdupq_n_f32(0.0); 2]; N];
        for i in 0..x.len / UNIT {
            // SAFETY: the CPU has the features because this function has them.
            let w = unsafe { w.unit::<N>(i) };
            for (acc, x) in acc.iter_mut().zip(&columns) {
                let sums = sums::<S::Kind, N>(&w, &x.q[i], x.sums[i]);
                add::<S::Kind>(acc, &w, sums, x, i);
            }
        }
        store(y, acc);
    }
}

/// The integer sums of a unit, a lane a row.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn sums<K: Kind, const CALLER: usize>(
    w: &Unit,
    x: &[[i8; 16]; 2],
    sums: [i16; 2],
) -> [int32x4_t; 2] {
    let (low, high) = w.q.split_at(4);
    let x = [signed(&x[0]), signed(&x[1])];
    if K::HALVES {
        let low = half(begin_half::<K>(sums[0]), low, x[0]);
        let high = half(begin_half::<K>(sums[1]), high, x[1]);
        return scaled(w.s, [low, high]);
    }
    half(half(begin::<K>(sums), low, x[0]), high, x[1])
}

/// `sums` and the products of four groups.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn half(sums: [int32x4_t; 2], w: &[[int8x16_t; 2]], x: int8x16_t) -> [int32x4_t; 2] {
    let mut sums = sums;
    for (r, sums) in sums.iter_mut().enumerate() {
        *sums = sdot::<0>(*sums, w[0][r], x);
        *sums = sdot::<1>(*sums, w[1][r], x);
        *sums = sdot::<2>(*sums, w[2][r], x);
        *sums = sdot::<3>(*sums, w[3][r], x);
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
