//! NEON, as every 64-bit ARM core has it: bytes are multiplied to 16 bits, eight at a time.
//!
//! ```text
//! weights of a quad    row 0: k k k k | row 1: k k k k       bytes
//! activations                 k k k k |        k k k k
//! smull, smlal         row 0: k k k k | row 1: k k k k       16 bits, as many quads as fit
//! addp, sadalp         row 0 | row 1 | row 2 | row 3         32 bits
//!
//! weights of a row     k k k k k k k k                       bytes
//! smull, smlal         k k k k k k k k                       16 bits, four times in a unit
//! addp, sadalp         row 0 | row 1 | row 2 | row 3         32 bits
//! ```
//!
//! Panels of small integers are multiplied in a way of their own, [`panel`].

mod panel;

use crate::arm::column::{Column, Lanes, Run, activations, lanes};
use crate::arm::lanes::in_order;
use crate::arm::panel::largest;
use crate::arm::pass::Lane;
use crate::arm::product::{Isa, panel_product};
use crate::arm::source::{Integers, Kind, Source};
use crate::arm::step::{Block, Outputs, Products, Sums, Totals, outputs_in_order, step, store};
use crate::panel::Panel;
use core::arch::aarch64::{
    int8x16_t, int16x8_t, int32x4_t, vaddq_s32, vdupq_laneq_s32, vdupq_n_f32, vdupq_n_s16,
    vdupq_n_s32, vget_low_s8, vmlal_high_s8, vmlal_s8, vmull_s8, vpadalq_s16, vpaddlq_s16,
    vpaddq_s16, vpaddq_s32, vreinterpretq_s8_s32, vreinterpretq_s16_s32, vreinterpretq_s32_s8,
    vreinterpretq_s32_s16,
};
use dram_quant::{EIGHT, Q8, UNIT};

/// Multiplication of bytes to 16 bits.
pub(crate) struct Smlal;

impl Isa for Smlal {
    type Few = Self;

    const COLUMNS: usize = 2;
    const PAIRS_FROM: usize = 2;
    const PANEL_ROWS: bool = true;
    const PANEL_LANES: i16 = panel::LARGEST;

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn pass<S: Source, const N: usize>(
        w: &S,
        x: &Q8<'_>,
        first: usize,
        y: &mut [[f32; EIGHT]],
    ) {
        pass::<S, N>(w, x, first, y);
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn panel<K: Kind>(panel: &Panel<'_>, x: &Q8<'_>, y: &mut [[f32; EIGHT]]) {
        if largest::<K>() <= Self::PANEL_LANES {
            panel::product::<K>(panel, x, y);
        } else {
            // SAFETY: as the caller promises.
            unsafe { panel_product::<Self, K>(panel, x, y) }
        }
    }
}

pass!(Smlal, ["neon"], each);

/// Whether a row's total is spread over lanes.
const fn spread(_rows: bool) -> bool {
    false
}

/// Totals with rows as lanes.
#[inline]
#[target_feature(enable = "neon")]
fn reduced<S: Source, const N: usize>(totals: &Totals<N>) -> Sums<N> {
    let mut sums = [[totals[0][0]; 2]; N];
    for (sums, totals) in sums.iter_mut().zip(totals) {
        *sums = [totals[0], totals[1]];
    }
    sums
}

/// Adds the products of half `HALF` of unit `i`, or of both.
#[inline]
#[target_feature(enable = "neon")]
fn products<S: Source, const N: usize, const R: usize, const HALF: usize, Caller>(
    totals: &mut Totals<N>,
    q: &Integers,
    x: &[Run<'_, R>; N],
    i: usize,
) {
    if S::ROWS && HALF == 2 && !fits(S::Kind::LARGEST, 4) {
        rows::<S::Kind, N, R, 0, (Caller, [(); 2])>(totals, q, x, i);
        return rows::<S::Kind, N, R, 1, (Caller, [(); 2])>(totals, q, x, i);
    }
    if S::ROWS {
        return rows::<S::Kind, N, R, HALF, Caller>(totals, q, x, i);
    }
    let mut sums = Quads::<N>::new();
    if HALF == 2 {
        sums.half::<S::Kind, R, 0, 8>(q, x, i);
        sums.half::<S::Kind, R, 1, 8>(q, x, i);
        sums.add::<S::Kind, 8>(totals);
    } else {
        sums.half::<S::Kind, R, HALF, 4>(q, x, i);
        sums.add::<S::Kind, 4>(totals);
    }
}

/// Whether `count` products fit in 16 bits, if activations are at most 127.
const fn fits(largest: i16, count: i32) -> bool {
    largest as i32 * 127 * count <= i16::MAX as i32
}

/// [`products`] of rows; where it is of both halves, these fit in 16 bits.
#[inline]
#[target_feature(enable = "neon")]
fn rows<K: Kind, const N: usize, const R: usize, const HALF: usize, Caller>(
    totals: &mut Totals<N>,
    q: &Integers,
    x: &[Run<'_, R>; N],
    i: usize,
) {
    let x = match HALF {
        0 => [activations::<N, R, 0>(x, i); 2],
        1 => [activations::<N, R, 1>(x, i); 2],
        _ => [activations::<N, R, 0>(x, i), activations::<N, R, 1>(x, i)],
    };
    four_rows::<K, N, HALF, 0, Caller>(totals, q, &x);
    four_rows::<K, N, HALF, 1, Caller>(totals, q, &x);
}

/// Adds the products of rows `4 * FOUR..`.
#[inline]
#[target_feature(enable = "neon")]
fn four_rows<K: Kind, const N: usize, const HALF: usize, const FOUR: usize, Caller>(
    totals: &mut Totals<N>,
    q: &Integers,
    x: &[[int8x16_t; N]; 2],
) {
    let q = &q[FOUR * 4..];
    let first = two_rows::<K, N, HALF, (Caller, [(); FOUR], [(); 0])>(&q[0], &q[1], x);
    let last = two_rows::<K, N, HALF, (Caller, [(); FOUR], [(); 1])>(&q[2], &q[3], x);
    for c in 0..N {
        let total = totals[c][FOUR];
        totals[c][FOUR] = if fits(K::LARGEST, 4 * lane_products(HALF)) {
            let first = vreinterpretq_s16_s32(first[c]);
            let last = vreinterpretq_s16_s32(last[c]);
            vpadalq_s16(total, vpaddq_s16(first, last))
        } else {
            vaddq_s32(total, vpaddq_s32(first[c], last[c]))
        };
        totals[c][FOUR] = in_order(totals[c][FOUR]);
    }
}

/// How many products of a row [`row`] leaves in each lane.
const fn lane_products(half: usize) -> i32 {
    if half == 2 { 4 } else { 2 }
}

/// Sums of products of two rows for each column: lanes of 16 bits, four a row, where four times as
/// many products as are in them fit, else lanes of 32 bits, two a row.
#[inline]
#[target_feature(enable = "neon")]
fn two_rows<K: Kind, const N: usize, const HALF: usize, Caller>(
    first: &[int8x16_t; 2],
    last: &[int8x16_t; 2],
    x: &[[int8x16_t; N]; 2],
) -> [int32x4_t; N] {
    let mut sums = [vdupq_n_s32(0); N];
    for c in 0..N {
        let first = row::<HALF>(first, x[0][c], x[1][c]);
        let last = row::<HALF>(last, x[0][c], x[1][c]);
        sums[c] = if fits(K::LARGEST, 4 * lane_products(HALF)) {
            vreinterpretq_s32_s16(vpaddq_s16(first, last))
        } else if fits(K::LARGEST, 2 * lane_products(HALF)) {
            vpaddlq_s16(vpaddq_s16(first, last))
        } else {
            vpaddq_s32(vpaddlq_s16(first), vpaddlq_s16(last))
        };
    }
    sums
}

/// The products of half `HALF` of a row, two a lane, or of both, four a lane.
#[inline]
#[target_feature(enable = "neon")]
fn row<const HALF: usize>(w: &[int8x16_t; 2], first: int8x16_t, last: int8x16_t) -> int16x8_t {
    let (w0, x0) = if HALF == 1 { (w[1], last) } else { (w[0], first) };
    let sums = vmlal_high_s8(vmull_s8(vget_low_s8(w0), vget_low_s8(x0)), w0, x0);
    if HALF < 2 {
        return sums;
    }
    vmlal_high_s8(vmlal_s8(sums, vget_low_s8(w[1]), vget_low_s8(last)), w[1], last)
}

/// Sums of products of quads, for each column: registers 0 and 1 of the first four rows, 2 and 3
/// of the last.
struct Quads<const N: usize> {
    /// In 16 bits, four lanes a row.
    deep: [[int16x8_t; 4]; N],
    /// In 32 bits, two lanes a row.
    wide: [[int32x4_t; 4]; N],
}

/// How many of `count` quads may be added in 16 bits.
const fn depth(largest: i16, count: i32) -> i32 {
    let mut depth = 1;
    while depth < count && fits(largest, 2 * depth) {
        depth *= 2;
    }
    depth
}

impl<const N: usize> Quads<N> {
    #[inline]
    #[target_feature(enable = "neon")]
    fn new() -> Self {
        Self { deep: [[vdupq_n_s16(0); 4]; N], wide: [[vdupq_n_s32(0); 4]; N] }
    }

    /// Adds the products of half a unit, when `COUNT` quads are added in all.
    #[inline]
    #[target_feature(enable = "neon")]
    fn half<K: Kind, const R: usize, const HALF: usize, const COUNT: i32>(
        &mut self,
        q: &Integers,
        x: &[Run<'_, R>; N],
        i: usize,
    ) {
        let depth = const { depth(K::LARGEST, COUNT) };
        let quads = &q[HALF * 4..];
        let x = activations::<N, R, HALF>(x, i);
        self.quad::<0>(&quads[0], &x);
        self.quad::<1>(&quads[1], &x);
        if depth == 2 {
            self.widen();
        }
        self.quad::<2>(&quads[2], &x);
        self.quad::<3>(&quads[3], &x);
        if depth == 2 || depth == 4 && COUNT == 8 {
            self.widen();
        }
    }

    /// Adds the products of a quad with lane `LANE` of each column.
    #[inline]
    #[target_feature(enable = "neon")]
    fn quad<const LANE: i32>(&mut self, [first, last]: &[int8x16_t; 2], x: &[int8x16_t; N]) {
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

    /// Adds the sums of each row to its total.
    #[inline]
    #[target_feature(enable = "neon")]
    fn add<K: Kind, const COUNT: i32>(mut self, totals: &mut Totals<N>) {
        // Pairs of sums still fit in 16 bits.
        if const { depth(K::LARGEST, 2 * COUNT) == 2 * COUNT } {
            for (totals, deep) in totals.iter_mut().zip(&self.deep) {
                for (total, [a, b]) in totals.iter_mut().zip(deep.as_chunks().0) {
                    *total = vpadalq_s16(*total, vpaddq_s16(*a, *b));
                }
            }
            return;
        }
        if const { depth(K::LARGEST, COUNT) == COUNT } {
            self.widen();
        }
        for (totals, wide) in totals.iter_mut().zip(&self.wide) {
            for (total, [a, b]) in totals.iter_mut().zip(wide.as_chunks().0) {
                *total = vaddq_s32(*total, vpaddq_s32(*a, *b));
            }
        }
    }
}
