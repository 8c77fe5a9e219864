//! NEON, as every 64-bit ARM core has it: bytes are multiplied to 16 bits, eight at a time.
//!
//! ```text
//! weights of a group   row 0: k k k k | row 1: k k k k       bytes
//! activations                 k k k k |        k k k k
//! smull, smlal         row 0: k k k k | row 1: k k k k       16 bits, as many groups as fit
//! addp, sadalp         row 0 | row 1 | row 2 | row 3         32 bits
//! ```

use crate::arm::product::{
    Column, Isa, Kind, Source, Unit, activations, add, begin, block, converted, scaled, store,
};
use core::arch::aarch64::{
    float32x4_t, int8x16_t, int16x8_t, int32x4_t, vaddq_s32, vdupq_laneq_s32, vdupq_n_f32,
    vdupq_n_s16, vdupq_n_s32, vget_low_s8, vmlal_high_s8, vmlal_s8, vpadalq_s16, vpaddq_s16,
    vpaddq_s32, vreinterpretq_s8_s32, vreinterpretq_s32_s8,
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
#[target_feature(enable = "neon")]
fn sums<S: Source, const N: usize>(
    w: &Unit,
    x: &[Column<'_>; N],
    i: usize,
) -> [[float32x4_t; 2]; N] {
    let zero = vdupq_n_s32(0);
    if S::Kind::HALVES {
        let mut low = Sums::<N>::new();
        low.half::<S::Kind, 0, 4>(w, x, i);
        let mut high = Sums::<N>::new();
        high.half::<S::Kind, 1, 4>(w, x, i);
        let low = low.end::<S::Kind, 4>(begin::<S::Kind, N, 0>(zero, x, i));
        return scaled(w, low, high.end::<S::Kind, 4>(begin::<S::Kind, N, 1>(zero, x, i)));
    }
    let mut sums = Sums::<N>::new();
    sums.half::<S::Kind, 0, 8>(w, x, i);
    sums.half::<S::Kind, 1, 8>(w, x, i);
    converted(sums.end::<S::Kind, 8>(begin::<S::Kind, N, 2>(zero, x, i)))
}

/// Sums of products, for each column: registers 0 and 1 of the first four rows, 2 and 3 of the
/// last.
struct Sums<const N: usize> {
    /// In 16 bits, four lanes a row.
    deep: [[int16x8_t; 4]; N],
    /// In 32 bits, two lanes a row.
    wide: [[int32x4_t; 4]; N],
}

/// How many of `count` groups may be added in 16 bits, if activations are at most 127.
const fn depth(largest: i16, count: usize) -> usize {
    let depth = 1 << (i16::MAX / (largest * 127)).ilog2();
    if depth < count { depth } else { count }
}

impl<const N: usize> Sums<N> {
    #[inline]
    #[target_feature(enable = "neon")]
    fn new() -> Self {
        Self { deep: [[vdupq_n_s16(0); 4]; N], wide: [[vdupq_n_s32(0); 4]; N] }
    }

    /// Adds the products of half a unit, when `COUNT` groups are added in all.
    #[inline]
    #[target_feature(enable = "neon")]
    fn half<K: Kind, const HALF: usize, const COUNT: usize>(
        &mut self,
        w: &Unit,
        x: &[Column<'_>; N],
        i: usize,
    ) {
        let depth = const { depth(K::LARGEST, COUNT) };
        let groups = &w.q[HALF * 4..];
        let x = activations::<N, HALF>(x, i);
        self.group::<0>(&groups[0], &x);
        self.group::<1>(&groups[1], &x);
        if depth == 2 {
            self.widen();
        }
        self.group::<2>(&groups[2], &x);
        self.group::<3>(&groups[3], &x);
        if depth == 2 || depth == 4 && COUNT == 8 {
            self.widen();
        }
    }

    /// Adds the products of a group with lane `LANE` of each column.
    #[inline]
    #[target_feature(enable = "neon")]
    fn group<const LANE: i32>(&mut self, [first, last]: &[int8x16_t; 2], x: &[int8x16_t; N]) {
        for c in 0..N {
            let x = vdupq_laneq_s32::<LANE>(vreinterpretq_s32_s8(x[c]));
            let x = vreinterpretq_s8_s32(x);
            let deep = &mut self.deep[c];
            deep[0] = vmlal_s8(deep[0], vget_low_s8(*first), vget_low_s8(x));
            deep[1] = vmlal_high_s8(deep[1], *first, x);
            deep[2] = vmlal_s8(deep[2], vget_low_s8(*last), vget_low_s8(x));
            deep[3] = vmlal_high_s8(deep[3], *last, x);
        }
    }

    /// Empties the sums in 16 bits.
    #[inline]
    #[target_feature(enable = "neon")]
    fn widen(&mut self) {
        for c in 0..N {
            for l in 0..4 {
                self.wide[c][l] = vpadalq_s16(self.wide[c][l], self.deep[c][l]);
                self.deep[c][l] = vdupq_n_s16(0);
            }
        }
    }

    /// The sums of each row, and `begin`.
    #[inline]
    #[target_feature(enable = "neon")]
    fn end<K: Kind, const COUNT: usize>(
        mut self,
        begin: [[int32x4_t; 2]; N],
    ) -> [[int32x4_t; 2]; N] {
        let mut sums = begin;
        // Pairs of sums still fit in 16 bits.
        if const { depth(K::LARGEST, 2 * COUNT) == 2 * COUNT } {
            for (sums, deep) in sums.iter_mut().zip(&self.deep) {
                for (sum, [a, b]) in sums.iter_mut().zip(deep.as_chunks().0) {
                    *sum = vpadalq_s16(*sum, vpaddq_s16(*a, *b));
                }
            }
            return sums;
        }
        if const { depth(K::LARGEST, COUNT) == COUNT } {
            self.widen();
        }
        for (sums, wide) in sums.iter_mut().zip(&self.wide) {
            for (sum, [a, b]) in sums.iter_mut().zip(wide.as_chunks().0) {
                *sum = vaddq_s32(*sum, vpaddq_s32(*a, *b));
            }
        }
        sums
    }
}
