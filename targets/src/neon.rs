//! NEON, as every 64-bit ARM core has it: bytes are multiplied to 16 bits, eight at a time.
//!
//! ```text
//! weights of a group   row 0: k k k k | row 1: k k k k       bytes
//! activations                 k k k k |        k k k k
//! smull, smlal         row 0: k k k k | row 1: k k k k       16 bits, as many groups as fit
//! addp, sadalp         row 0 | row 1 | row 2 | row 3         32 bits
//! ```

use crate::arm::lanes::{repeat, signed};
use crate::arm::product::{Column, Isa, Kind, Source, Unit, add, begin, begin_half, scaled, store};
use core::arch::aarch64::{
    int8x16_t, int16x8_t, int32x4_t, vaddq_s32, vdupq_n_f32, vdupq_n_s16, vdupq_n_s32, vget_low_s8,
    vmlal_high_s8, vmlal_s8, vpadalq_s16, vpaddq_s16, vpaddq_s32,
};
use dram_quant::{EIGHT, Q8, UNIT};

/// Multiplication of bytes to 16 bits.
pub(crate) struct Smlal;

impl Isa for Smlal {
    #[inline]
    #[target_feature(enable = "neon")]
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
#[target_feature(enable = "neon")]
fn sums<K: Kind, const CALLER: usize>(
    w: &Unit,
    x: &[[i8; 16]; 2],
    sums: [i16; 2],
) -> [int32x4_t; 2] {
    let x = [signed(&x[0]), signed(&x[1])].map(|x| repeat(x));
    if K::HALVES {
        let half = |h: usize| groups::<K, 4>(begin_half::<K>(sums[h]), &w.q[h * 4..], &x[h]);
        return scaled(w.s, [half(0), half(1)]);
    }
    groups::<K, 8>(begin::<K>(sums), &w.q, x.as_flattened())
}

/// How many of `count` groups may be added in 16 bits, if activations are at most 127.
const fn depth(largest: i16, count: usize) -> usize {
    let depth = 1 << (i16::MAX / (largest * 127)).ilog2();
    if depth < count { depth } else { count }
}

/// `sums` and the products of `COUNT` groups.
#[inline]
#[target_feature(enable = "neon")]
fn groups<K: Kind, const COUNT: usize>(
    sums: [int32x4_t; 2],
    w: &[[int8x16_t; 2]],
    x: &[int8x16_t],
) -> [int32x4_t; 2] {
    if const { depth(K::LARGEST, 2 * COUNT) == 2 * COUNT } {
        let [a, b, c, d] = products(&w[..COUNT], x);
        return [vpadalq_s16(sums[0], vpaddq_s16(a, b)), vpadalq_s16(sums[1], vpaddq_s16(c, d))];
    }
    let mut wide = [vdupq_n_s32(0); 4];
    let depth = const { depth(K::LARGEST, COUNT) };
    for first in (0..COUNT).step_by(depth) {
        let deep = products(&w[first..first + depth], &x[first..]);
        for (wide, deep) in wide.iter_mut().zip(deep) {
            *wide = vpadalq_s16(*wide, deep);
        }
    }
    let [a, b, c, d] = wide;
    [vaddq_s32(sums[0], vpaddq_s32(a, b)), vaddq_s32(sums[1], vpaddq_s32(c, d))]
}

/// The products of groups added in 16 bits: four lanes for each of two rows in each register.
#[inline]
#[target_feature(enable = "neon")]
fn products(w: &[[int8x16_t; 2]], x: &[int8x16_t]) -> [int16x8_t; 4] {
    let mut sums = [vdupq_n_s16(0); 4];
    for ([first, last], x) in w.iter().zip(x) {
        sums[0] = vmlal_s8(sums[0], vget_low_s8(*first), vget_low_s8(*x));
        sums[1] = vmlal_high_s8(sums[1], *first, *x);
        sums[2] = vmlal_s8(sums[2], vget_low_s8(*last), vget_low_s8(*x));
        sums[3] = vmlal_high_s8(sums[3], *last, *x);
    }
    sums
}
