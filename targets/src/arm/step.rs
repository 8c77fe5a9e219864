//! From the integer sums of a block to its float step.
//!
//! Sums run on from unit to unit of a block and are not emptied in between: as the sum of all
//! products so far is `T`, and the scale of a unit `s`,
//!
//! ```text
//! Σ s[i] (T[i] − T[i − 1])  =  Σ (s[i] − s[i + 1]) T[i]        where after the last s comes 0
//! ```
//!
//! in integers that may wrap, because the result fits.

use super::column::{BIG, Lanes, Run};
use super::source::{Kind, Scales, Unit};
use crate::arm::lanes::{self, store_floats};
use core::arch::aarch64::{
    float32x4_t, int16x4_t, int16x8_t, int32x4_t, vaddq_s32, vcvtq_f32_s32, vdupq_laneq_s32,
    vdupq_n_f32, vdupq_n_s16, vdupq_n_s32, vfmaq_f32, vfmaq_laneq_f32, vget_high_s16, vget_low_s16,
    vmlal_laneq_s16, vmlaq_laneq_s32, vmlaq_s32, vmovl_high_s16, vmovl_s16, vmull_high_lane_s16,
    vmull_lane_s16, vmulq_laneq_f32, vmulq_n_f32, vreinterpretq_f32_s32, vreinterpretq_s16_s32,
    vreinterpretq_s32_f32, vreinterpretq_s32_s16, vsubq_f32, vsubq_s32,
};
use dram_quant::EIGHT;

/// Sums of products of each column. Rows are lanes: of registers 0 and 1, or, where a row's sum
/// is spread over the lanes of a register, each has its own.
pub(crate) type Totals<const N: usize> = [[int32x4_t; EIGHT]; N];

/// Sums of each column, rows being lanes.
pub(crate) type Sums<const N: usize> = [[int32x4_t; 2]; N];

/// Outputs, rows being lanes.
pub(crate) type Outputs<const N: usize> = [[float32x4_t; 2]; N];

/// Products of blocks of one unit.
///
/// Where a row's total is spread over lanes, it is not emptied for every block: what a block adds
/// is the difference of two reduced totals.
pub(crate) struct Products<const N: usize> {
    pub totals: Totals<N>,
    /// The totals of the blocks so far, reduced, where those are spread.
    before: Sums<N>,
    one: int32x4_t,
}

impl<const N: usize> Products<N> {
    #[inline]
    #[target_feature(enable = "neon")]
    pub(crate) fn new() -> Self {
        let zero = vdupq_n_s32(0);
        // As a constant it would be added, after another instruction spreads the lane.
        let one = lanes::opaque(vdupq_n_s32(1));
        Self { totals: [[zero; EIGHT]; N], before: [[zero; 2]; N], one }
    }

    /// Begins that of lane `J`.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(crate) fn begin<const J: i32>(&mut self, spread: bool, lanes: &[Lanes; N]) {
        if spread {
            return;
        }
        for c in 0..N {
            self.totals[c] = [vdupq_laneq_s32::<J>(lanes[c].begin); EIGHT];
        }
    }

    /// The sums of that of lane `J`, after which the totals reduce to `totals`.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(crate) fn end<const J: i32>(
        &mut self,
        spread: bool,
        totals: Sums<N>,
        lanes: &[Lanes; N],
    ) -> Sums<N> {
        if !spread {
            return totals;
        }
        let mut sums = totals;
        for c in 0..N {
            for r in 0..2 {
                // Else the compiler adds in another order, which takes one more instruction.
                let sum = lanes::opaque(vsubq_s32(totals[c][r], self.before[c][r]));
                sums[c][r] = vmlaq_laneq_s32::<J>(sum, self.one, lanes[c].begin);
            }
        }
        self.before = totals;
        sums
    }
}

/// The float step of a block of one unit, that of lane `J`.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn step<K: Kind, const N: usize, const J: i32>(
    acc: &mut Outputs<N>,
    w: &Scales,
    sums: Sums<N>,
    lanes: &[Lanes; N],
) {
    for c in 0..N {
        for r in 0..2 {
            let sum = vsubq_f32(vreinterpretq_f32_s32(sums[c][r]), vdupq_n_f32(BIG));
            let d = vmulq_laneq_f32::<J>(w.d[r], lanes[c].d);
            acc[c][r] = vfmaq_f32(acc[c][r], sum, d);
            if K::MIN {
                acc[c][r] = vfmaq_laneq_f32::<J>(acc[c][r], w.m[r], lanes[c].ds);
            }
        }
    }
}

/// [`lanes::in_order`] of outputs.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn outputs_in_order<const N: usize>(acc: &mut Outputs<N>) {
    for acc in acc.as_flattened_mut() {
        *acc = vreinterpretq_f32_s32(lanes::in_order(vreinterpretq_s32_f32(*acc)));
    }
}

/// What a block of several units adds up to, for each column.
pub(crate) struct Block<const N: usize> {
    /// Products so far.
    pub totals: Totals<N>,
    /// Products times factors.
    sums: Sums<N>,
    /// Sums of activations times factors of the minima.
    minima: Sums<N>,
    /// What the offset adds to the products of every row; where they are spread, it is apart.
    offsets: [int32x4_t; N],
    /// Sums of activations.
    x: [[int16x8_t; 2]; N],
}

impl<const N: usize> Block<N> {
    #[inline]
    #[target_feature(enable = "neon")]
    pub(crate) fn new<K: Kind>(x: &[Run<'_, 8>; N]) -> Self {
        let (zero, mut activations) = (vdupq_n_s32(0), [[vdupq_n_s16(0); 2]; N]);
        for c in 0..N {
            activations[c] = x[c].sums::<K>();
        }
        Self {
            totals: [[zero; EIGHT]; N],
            sums: [[zero; 2]; N],
            minima: [[zero; 2]; N],
            offsets: [zero; N],
            x: activations,
        }
    }

    /// What the products of each half of a unit begin with: the offset times its sum, taken off.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(crate) fn begins<K: Kind>(&self) -> [[int32x4_t; 4]; N] {
        let mut begins = [[vdupq_n_s32(0); 4]; N];
        if K::OFFSET == 0 {
            return begins;
        }
        let offset = minus_offset::<K>();
        for (begins, [first, last]) in begins.iter_mut().zip(self.x) {
            let four = |x, high| {
                if high {
                    vmull_high_lane_s16::<0>(x, offset)
                } else {
                    vmull_lane_s16::<0>(vget_low_s16(x), offset)
                }
            };
            *begins = [four(first, false), four(first, true), four(last, false), four(last, true)];
        }
        begins
    }

    /// Takes off the offset times the sum of half `half` of all.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(crate) fn offset<K: Kind>(&mut self, spread: bool, half: usize) {
        if K::OFFSET == 0 {
            return;
        }
        let offset = minus_offset::<K>();
        for c in 0..N {
            if spread {
                self.offsets[c] = add_lane(self.offsets[c], offset, &self.x[c], half);
                continue;
            }
            for r in 0..2 {
                self.totals[c][r] = add_lane(self.totals[c][r], offset, &self.x[c], half);
            }
        }
    }

    /// Adds totals, reduced to `totals`, times factors.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(crate) fn add(&mut self, totals: Sums<N>, steps: int16x8_t) {
        let steps = [vmovl_s16(vget_low_s16(steps)), vmovl_high_s16(steps)];
        for (c, totals) in totals.iter().enumerate() {
            for r in 0..2 {
                let total = vaddq_s32(totals[r], self.offsets[c]);
                self.sums[c][r] = vmlaq_s32(self.sums[c][r], total, steps[r]);
            }
        }
    }

    /// Adds the minima of unit `i`.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(crate) fn minima<K: Kind>(&mut self, w: &Unit, i: usize) {
        let (count, first) = if K::HALVES { (2, 2 * i) } else { (1, i) };
        for h in 0..if K::MIN { count } else { 0 } {
            let n = [vget_low_s16(w.n[h]), vget_high_s16(w.n[h])];
            for (minima, x) in self.minima.iter_mut().zip(&self.x) {
                for (minima, n) in minima.iter_mut().zip(n) {
                    *minima = add_lane(*minima, n, x, first + h);
                }
            }
        }
    }

    /// [`lanes::in_order`] of sums.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(crate) fn in_order(&mut self) {
        for sums in self.sums.as_flattened_mut() {
            *sums = lanes::in_order(*sums);
        }
    }

    /// The float step.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(crate) fn step<K: Kind>(self, acc: &mut Outputs<N>, w: &Scales, x: &[Run<'_, 8>; N]) {
        for (c, acc) in acc.iter_mut().enumerate() {
            let dx = x[c].scale();
            for (r, acc) in acc.iter_mut().enumerate() {
                let sum = vcvtq_f32_s32(self.sums[c][r]);
                *acc = vfmaq_f32(*acc, sum, vmulq_n_f32(w.d[r], dx));
                if K::MIN {
                    let minima = vmulq_n_f32(vcvtq_f32_s32(self.minima[c][r]), dx);
                    *acc = vfmaq_f32(*acc, w.m[r], minima);
                }
            }
        }
    }
}

/// As a constant it would be multiplied with in shifts and subtractions.
#[inline]
#[target_feature(enable = "neon")]
fn minus_offset<K: Kind>() -> int16x4_t {
    let offset = vreinterpretq_s32_s16(vdupq_n_s16(-i16::from(K::OFFSET)));
    vget_low_s16(vreinterpretq_s16_s32(lanes::opaque(offset)))
}

/// Lane `lane` of 16, a constant, in every lane.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn spread_lane(x: &[int32x4_t; 4], lane: usize) -> int32x4_t {
    let x = x[lane / 4];
    match lane % 4 {
        0 => vdupq_laneq_s32::<0>(x),
        1 => vdupq_laneq_s32::<1>(x),
        2 => vdupq_laneq_s32::<2>(x),
        _ => vdupq_laneq_s32::<3>(x),
    }
}

/// `sums` and `w` times lane `lane` of 16, a constant.
#[inline]
#[target_feature(enable = "neon")]
fn add_lane(sums: int32x4_t, w: int16x4_t, x: &[int16x8_t; 2], lane: usize) -> int32x4_t {
    let x = x[lane / 8];
    match lane % 8 {
        0 => vmlal_laneq_s16::<0>(sums, w, x),
        1 => vmlal_laneq_s16::<1>(sums, w, x),
        2 => vmlal_laneq_s16::<2>(sums, w, x),
        3 => vmlal_laneq_s16::<3>(sums, w, x),
        4 => vmlal_laneq_s16::<4>(sums, w, x),
        5 => vmlal_laneq_s16::<5>(sums, w, x),
        6 => vmlal_laneq_s16::<6>(sums, w, x),
        _ => vmlal_laneq_s16::<7>(sums, w, x),
    }
}

/// Writes the outputs of columns.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn store<const N: usize>(y: &mut [[f32; EIGHT]], acc: Outputs<N>) {
    for (y, acc) in y.iter_mut().zip(acc) {
        store_floats(y, acc);
    }
}
