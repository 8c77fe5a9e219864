//! Panels in which rows are lanes, of integers so small that many products fit in 16 bits.
//!
//! ```text
//! weights of a quad    k: row 0 | row 1 | … row 7 | k + 1: row 0 | … row 7   bytes
//! activations          k, sixteen times; k + 1, sixteen times
//! smlal, smlal2        row 0 | row 1 | … row 7                               16 bits
//! ```
//!
//! Nothing is added across lanes. Two groups share the activations, which one instruction loads and
//! spreads, four numbers at a time.

use super::fits;
use crate::arm::column::{BIG, Column, Run};
use crate::arm::lanes::{eight, floats, in_order, load_spread, signed_quad, store_floats};
use crate::arm::panel::largest;
use crate::arm::source::Kind;
use crate::panel::Panel;
use core::arch::aarch64::{
    float32x4_t, int16x8_t, int32x4_t, vaddw_high_s16, vaddw_s16, vcvtq_f32_s32, vdupq_n_f32,
    vdupq_n_s16, vdupq_n_s32, vfmaq_f32, vfmaq_n_f32, vget_low_s8, vget_low_s16,
    vmlal_high_laneq_s16, vmlal_high_s8, vmlal_high_s16, vmlal_laneq_s16, vmlal_s8, vmlal_s16,
    vmulq_n_f32, vreinterpretq_f32_s32, vreinterpretq_s16_s32, vreinterpretq_s32_f32,
    vreinterpretq_s32_s16, vsubq_f32,
};
use dram_quant::{EIGHT, Q8, UNIT};

/// The largest magnitude of which eight products fit in 16 bits.
pub(super) const LARGEST: i16 = 32;

/// How many products fit in 16 bits: those of a unit, of a half or of a fourth.
const fn depth<K: Kind>() -> usize {
    let mut depth = UNIT;
    while !fits(largest::<K>(), depth as i32) {
        depth /= 2;
    }
    depth
}

/// How many columns a pass takes: more would take more registers than there are.
const fn most<K: Kind>() -> usize {
    match (K::UNITS, depth::<K>()) {
        (1, UNIT) => 3,
        (1, _) => 2,
        (_, 16) => 4,
        _ => 2,
    }
}

/// Something of each column and group.
type Of<T, const N: usize> = [[T; 2]; N];

/// A group of eight rows of a panel, an element a unit.
#[derive(Clone, Copy)]
struct Group<'a> {
    q: &'a [[u8; 256]],
    d: &'a [[f32; EIGHT]],
    m: &'a [[f32; EIGHT]],
    /// Factors of both halves, or factor and minimum.
    s: &'a [[i16; 2 * EIGHT]],
}

impl<'a> Group<'a> {
    /// `units` units from `first` on.
    #[inline(always)]
    fn of(panel: &'a Panel<'_>, first: usize, units: usize) -> Self {
        let s = panel.s.as_flattened().as_flattened().as_chunks().0;
        Self {
            q: &panel.q[first..][..units],
            d: &panel.d[first..][..units],
            m: &panel.m[first..][..units],
            s: &s[first..][..units],
        }
    }
}

/// Multiplies one or two groups with every column; `y` is `(groups, columns)`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn product<K: Kind>(panel: &Panel<'_>, x: &Q8<'_>, y: &mut [[f32; EIGHT]]) {
    let columns = x.count();
    let most = const { most::<K>() };
    for c in (0..columns).step_by(most) {
        match (columns - c).min(most) {
            4 if most == 4 => pass::<K, 4>(panel, x, c, y),
            3 if most >= 3 => pass::<K, 3>(panel, x, c, y),
            2 => pass::<K, 2>(panel, x, c, y),
            _ => pass::<K, 1>(panel, x, c, y),
        }
    }
}

/// Multiplies with columns `first..first + N`, blocks in order.
#[inline]
#[target_feature(enable = "neon")]
fn pass<K: Kind, const N: usize>(
    panel: &Panel<'_>,
    x: &Q8<'_>,
    first: usize,
    y: &mut [[f32; EIGHT]],
) {
    let blocks = x.len / UNIT / K::UNITS;
    // One group alone is multiplied twice.
    let second = if y.len() > x.count() { x.len / UNIT } else { 0 };
    let units = blocks * K::UNITS;
    let w = &[Group::of(panel, 0, units), Group::of(panel, second, units)];
    let mut acc = [[[vdupq_n_f32(0.0); 2]; 2]; N];
    // An exception to the rule against walking by pointers, as of `arm::source::Rows`: the load
    // moves its address on.
    let mut places = [x.q.as_ptr(); N];
    for (c, place) in places.iter_mut().enumerate() {
        *place = x.q[(first + c) * x.len..].as_ptr();
    }
    if K::UNITS == 1 {
        let x = Column::<1>::of::<N>(x, first, 0, blocks);
        for b in 0..blocks {
            one::<K, N>(&mut acc, w, b, &mut places, &Column::runs(&x, b));
        }
    } else {
        let x = Column::<8>::of::<N>(x, first, 0, blocks);
        for b in 0..blocks {
            many::<K, N>(&mut acc, w, b, &mut places, &Column::runs(&x, b));
        }
    }
    for (group, y) in y.chunks_mut(x.count()).enumerate() {
        for (y, acc) in y[first..].iter_mut().zip(&acc) {
            store_floats(y, acc[group]);
        }
    }
}

/// Adds block `b` of one unit.
#[inline]
#[target_feature(enable = "neon")]
fn one<K: Kind, const N: usize>(
    acc: &mut Of<[float32x4_t; 2], N>,
    w: &[Group<'_>; 2],
    b: usize,
    places: &mut [*const i8; N],
    x: &[Run<'_, 1>; N],
) {
    let q = [&w[0].q[b], &w[1].q[b]];
    let big = vdupq_n_f32(BIG);
    let mut sums = [[[vreinterpretq_s32_f32(big); 2]; 2]; N];
    let mut last = products::<K, N, 0>(q, places);
    if const { depth::<K>() < UNIT } {
        widen(&mut sums, &last);
        last = products::<K, N, 1>(q, places);
    }
    widen(&mut sums, &last);
    for g in 0..2 {
        let (d, m) = (floats(&w[g].d[b]), floats(&w[g].m[b]));
        for c in 0..N {
            for r in 0..2 {
                let sum = vsubq_f32(vreinterpretq_f32_s32(sums[c][g][r]), big);
                acc[c][g][r] = vfmaq_f32(acc[c][g][r], sum, vmulq_n_f32(d[r], x[c].scale()));
                if K::MIN {
                    acc[c][g][r] = vfmaq_n_f32(acc[c][g][r], m[r], x[c].scaled_sum());
                }
            }
        }
    }
}

/// Adds sums of 16 bits.
#[inline]
#[target_feature(enable = "neon")]
fn widen<const N: usize>(sums: &mut Of<[int32x4_t; 2], N>, products: &Of<int16x8_t, N>) {
    for (sums, products) in sums.as_flattened_mut().iter_mut().zip(products.as_flattened()) {
        sums[0] = vaddw_s16(sums[0], vget_low_s16(*products));
        sums[1] = vaddw_high_s16(sums[1], *products);
    }
}

/// Adds block `b` of eight units.
#[inline]
#[target_feature(enable = "neon")]
fn many<K: Kind, const N: usize>(
    acc: &mut Of<[float32x4_t; 2], N>,
    w: &[Group<'_>; 2],
    b: usize,
    places: &mut [*const i8; N],
    x: &[Run<'_, 8>; N],
) {
    let units = b * 8..b * 8 + 8;
    let mut sums = [[[vdupq_n_s32(0); 2]; 2]; N];
    let [first, last] = w.map(|w| (&w.q[units.clone()], &w.s[units.clone()]));
    for i in 0..8 {
        let (q, s) = ([&first.0[i], &last.0[i]], [&first.1[i], &last.1[i]]);
        scale::<K, N, 0>(&mut sums, &products::<K, N, 0>(q, places), s);
        scale::<K, N, 1>(&mut sums, &products::<K, N, 1>(q, places), s);
        if const { depth::<K>() == UNIT / 4 } {
            scale::<K, N, 2>(&mut sums, &products::<K, N, 2>(q, places), s);
            scale::<K, N, 3>(&mut sums, &products::<K, N, 3>(q, places), s);
        }
    }
    for g in 0..2 {
        let d = floats(&w[g].d[b * 8]);
        for c in 0..N {
            for r in 0..2 {
                let d = vmulq_n_f32(d[r], x[c].scale());
                acc[c][g][r] = vfmaq_f32(acc[c][g][r], vcvtq_f32_s32(sums[c][g][r]), d);
            }
        }
    }
    if K::MIN {
        minima::<K, N>(acc, w, b, x);
    }
}

/// Adds sums of part `PART` of a unit times its factors.
#[inline]
#[target_feature(enable = "neon")]
fn scale<K: Kind, const N: usize, const PART: usize>(
    sums: &mut Of<[int32x4_t; 2], N>,
    products: &Of<int16x8_t, N>,
    factors: [&[i16; 2 * EIGHT]; 2],
) {
    let half = if K::HALVES { PART * depth::<K>() / (UNIT / 2) } else { 0 };
    for g in 0..2 {
        let factor = eight(&factors[g].as_chunks().0[half]);
        for c in 0..N {
            let [low, high] = &mut sums[c][g];
            *low = vmlal_s16(*low, vget_low_s16(products[c][g]), vget_low_s16(factor));
            *high = vmlal_high_s16(*high, products[c][g], factor);
        }
    }
}

/// Adds the minima of block `b`.
#[inline]
#[target_feature(enable = "neon")]
fn minima<K: Kind, const N: usize>(
    acc: &mut Of<[float32x4_t; 2], N>,
    w: &[Group<'_>; 2],
    b: usize,
    x: &[Run<'_, 8>; N],
) {
    let mut sums = [[[vdupq_n_s32(0); 2]; 2]; N];
    let mut activations = [vdupq_n_s16(0); N];
    for c in 0..N {
        activations[c] = x[c].sums::<K>()[0];
    }
    for g in 0..2 {
        let factors: &[_; 8] = w[g].s[b * 8..].first_chunk().expect("eight units");
        for c in 0..N {
            let sums = &mut sums[c][g];
            minimum::<0, N>(sums, &factors[0], activations[c]);
            minimum::<1, N>(sums, &factors[1], activations[c]);
            minimum::<2, N>(sums, &factors[2], activations[c]);
            minimum::<3, N>(sums, &factors[3], activations[c]);
            minimum::<4, N>(sums, &factors[4], activations[c]);
            minimum::<5, N>(sums, &factors[5], activations[c]);
            minimum::<6, N>(sums, &factors[6], activations[c]);
            minimum::<7, N>(sums, &factors[7], activations[c]);
        }
        let m = floats(&w[g].m[b * 8]);
        for c in 0..N {
            for r in 0..2 {
                let minima = vmulq_n_f32(vcvtq_f32_s32(sums[c][g][r]), x[c].scale());
                acc[c][g][r] = vfmaq_f32(acc[c][g][r], m[r], minima);
            }
        }
    }
}

/// Adds the sum of the activations of unit `I` times the factors of its minima.
#[inline]
#[target_feature(enable = "neon")]
fn minimum<const I: i32, const N: usize>(
    [low, high]: &mut [int32x4_t; 2],
    factors: &[i16; 2 * EIGHT],
    x: int16x8_t,
) {
    let n = eight(&factors.as_chunks().0[1]);
    *low = vmlal_laneq_s16::<I>(*low, vget_low_s16(n), x);
    *high = vmlal_high_laneq_s16::<I>(*high, n, x);
}

/// Sums of the products of part `PART` of a unit, as many as fit; the places go behind it.
#[inline]
#[target_feature(enable = "neon")]
fn products<K: Kind, const N: usize, const PART: usize>(
    q: [&[u8; 256]; 2],
    x: &mut [*const i8; N],
) -> Of<int16x8_t, N> {
    let mut sums = [[vdupq_n_s16(0); 2]; N];
    let depth = const { depth::<K>() };
    four::<K, N, PART, 0>(&mut sums, q, x);
    four::<K, N, PART, 1>(&mut sums, q, x);
    if depth >= 16 {
        four::<K, N, PART, 2>(&mut sums, q, x);
        four::<K, N, PART, 3>(&mut sums, q, x);
    }
    if depth == 32 {
        four::<K, N, PART, 4>(&mut sums, q, x);
        four::<K, N, PART, 5>(&mut sums, q, x);
        four::<K, N, PART, 6>(&mut sums, q, x);
        four::<K, N, PART, 7>(&mut sums, q, x);
    }
    sums
}

/// Adds the products of the `I`th four weights of part `PART`.
#[inline]
#[target_feature(enable = "neon")]
fn four<K: Kind, const N: usize, const PART: usize, const I: usize>(
    sums: &mut Of<int16x8_t, N>,
    q: [&[u8; 256]; 2],
    x: &mut [*const i8; N],
) {
    let place = PART * depth::<K>() / 4 + I;
    let w = [signed_quad(q[0], place), signed_quad(q[1], place)];
    for c in 0..N {
        // SAFETY: `pass` goes through a column's units once and through their fours in order.
        let x = unsafe { load_spread(&mut x[c]) };
        let sum = &mut sums[c];
        // Turn about: cores that work in order wait for a sum before they add to it.
        for g in 0..2 {
            sum[g] = vmlal_s8(sum[g], vget_low_s8(w[g][0]), vget_low_s8(x.0));
        }
        for g in 0..2 {
            sum[g] = vmlal_high_s8(sum[g], w[g][0], x.1);
        }
        for g in 0..2 {
            sum[g] = vmlal_s8(sum[g], vget_low_s8(w[g][1]), vget_low_s8(x.2));
        }
        for g in 0..2 {
            let last = vreinterpretq_s32_s16(vmlal_high_s8(sum[g], w[g][1], x.3));
            sum[g] = vreinterpretq_s16_s32(in_order(last));
        }
    }
}
