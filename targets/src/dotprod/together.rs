//! Units that share bytes, multiplied together, so that these are loaded once.
//!
//! Each unit has sums of its own.

use super::{Sdot, quad};
use crate::arm::column::{Run, activations};
use crate::arm::lanes::in_order;
use crate::arm::source::{Source, Unit};
use crate::arm::step::{Block, Sums, Totals, spread_lane};
use core::arch::aarch64::{int8x16_t, int32x4_t, vdupq_n_s32};
use dram_quant::EIGHT;

/// Adds the units of a block, two together, whose sums run on.
#[inline]
#[target_feature(enable = "neon,dotprod")]
pub(super) fn twos<'a, S: Source + 'a, const N: usize>(
    block: &mut Block<N>,
    w: &S::Block<'a>,
    x: &[Run<'_, 8>; N],
) {
    let totals = &mut [[[vdupq_n_s32(0); EIGHT]; N]; 2];
    two::<S, N, 0, 1>(block, totals, w, x);
    two::<S, N, 2, 3>(block, totals, w, x);
    two::<S, N, 4, 5>(block, totals, w, x);
    two::<S, N, 6, 7>(block, totals, w, x);
}

/// Adds units `A` and `B`.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn two<'a, S: Source + 'a, const N: usize, const A: usize, const B: usize>(
    block: &mut Block<N>,
    totals: &mut [Totals<N>; 2],
    w: &S::Block<'a>,
    x: &[Run<'_, 8>; N],
) {
    S::ahead(w, A);
    pair::<S, N, A, B, 0>(totals, w, x);
    pair::<S, N, A, B, 1>(totals, w, x);
    for (i, unit) in [unit::<S, A, 2, [(); N]>(w), unit::<S, B, 2, [(); N]>(w)].iter().enumerate() {
        block.add(reduced(&totals[i]), unit.steps[0]);
        block.minima::<S::Kind>(unit, A + i);
    }
    block.in_order();
}

/// Adds the products of halves `HALF` of units `A` and `B`.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn pair<'a, S: Source + 'a, const N: usize, const A: usize, const B: usize, const HALF: usize>(
    totals: &mut [Totals<N>; 2],
    w: &S::Block<'a>,
    x: &[Run<'_, 8>; N],
) {
    let x = [activations::<N, 8, HALF>(x, A), activations::<N, 8, HALF>(x, B)];
    pair_group::<S, N, A, B, HALF, 0>(totals, w, &x);
    pair_group::<S, N, A, B, HALF, 1>(totals, w, &x);
    pair_group::<S, N, A, B, HALF, 2>(totals, w, &x);
    pair_group::<S, N, A, B, HALF, 3>(totals, w, &x);
}

/// Adds the products of a quad of units `A` and `B`.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn pair_group<
    'a,
    S: Source + 'a,
    const N: usize,
    const A: usize,
    const B: usize,
    const HALF: usize,
    const LANE: usize,
>(
    totals: &mut [Totals<N>; 2],
    w: &S::Block<'a>,
    x: &[[int8x16_t; N]; 2],
) {
    let units = [
        unit::<S, A, 2, ([(); N], [(); HALF], [(); LANE])>(w),
        unit::<S, B, 2, ([(); N], [(); HALF], [(); LANE])>(w),
    ];
    for i in 0..2 {
        quad::<N, LANE>(&mut totals[i], &units[i].q[HALF * 4 + LANE], &x[i]);
    }
    pin(totals);
}

/// Adds the units of a block, four together, whose halves have sums of their own.
#[inline]
#[target_feature(enable = "neon,dotprod")]
pub(super) fn fours<'a, S: Source + 'a, const N: usize>(
    block: &mut Block<N>,
    w: &S::Block<'a>,
    x: &[Run<'_, 8>; N],
) {
    let begins = &block.begins::<S::Kind>();
    four::<S, N, 0, 0>(block, begins, w, x);
    four::<S, N, 0, 1>(block, begins, w, x);
    four::<S, N, 1, 0>(block, begins, w, x);
    four::<S, N, 1, 1>(block, begins, w, x);
}

/// Adds halves `HALF` of the first or last four units.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn four<'a, S: Source + 'a, const N: usize, const LAST: usize, const HALF: usize>(
    block: &mut Block<N>,
    begins: &[[int32x4_t; 4]; N],
    w: &S::Block<'a>,
    x: &[Run<'_, 8>; N],
) {
    S::ahead(w, LAST * 4 + HALF);
    let mut totals = [[[vdupq_n_s32(0); EIGHT]; N]; 4];
    for (i, totals) in totals.iter_mut().enumerate() {
        for c in 0..N {
            totals[c] = [spread_lane(&begins[c], (LAST * 4 + i) * 2 + HALF); EIGHT];
        }
    }
    let x = [0, 1, 2, 3].map(|i| activations::<N, 8, HALF>(x, LAST * 4 + i));
    quads::<S, N, LAST, HALF, 0>(&mut totals, w, &x);
    quads::<S, N, LAST, HALF, 1>(&mut totals, w, &x);
    quads::<S, N, LAST, HALF, 2>(&mut totals, w, &x);
    quads::<S, N, LAST, HALF, 3>(&mut totals, w, &x);
    let units = four_units::<S, LAST, ([(); N], [(); HALF])>(w);
    for (totals, unit) in totals.iter().zip(units) {
        block.add(reduced(totals), unit.steps[HALF]);
    }
    block.in_order();
}

/// Adds the products of a quad of four units: of all that the units are, the compiler loads only
/// this, because all else is loaded elsewhere.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn quads<
    'a,
    S: Source + 'a,
    const N: usize,
    const LAST: usize,
    const HALF: usize,
    const LANE: usize,
>(
    totals: &mut [Totals<N>; 4],
    w: &S::Block<'a>,
    x: &[[int8x16_t; N]; 4],
) {
    let units = four_units::<S, LAST, ([(); N], [(); HALF], [(); LANE])>(w);
    for i in 0..4 {
        quad::<N, LANE>(&mut totals[i], &units[i].q[HALF * 4 + LANE], &x[i]);
    }
    pin(totals);
}

/// [`in_order`] of totals.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn pin<const N: usize>(totals: &mut [Totals<N>]) {
    for totals in totals.as_flattened_mut() {
        totals[0] = in_order(totals[0]);
        totals[1] = in_order(totals[1]);
    }
}

/// The first or last four units. Those of high nibbles are taken first: to take low nibbles
/// overwrites both.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn four_units<'a, S: Source + 'a, const LAST: usize, Caller>(w: &S::Block<'a>) -> [Unit; 4] {
    if LAST == 0 {
        let high = [unit::<S, 2, 4, Caller>(w), unit::<S, 3, 4, Caller>(w)];
        return [unit::<S, 0, 4, Caller>(w), unit::<S, 1, 4, Caller>(w), high[0], high[1]];
    }
    let high = [unit::<S, 6, 4, Caller>(w), unit::<S, 7, 4, Caller>(w)];
    [unit::<S, 4, 4, Caller>(w), unit::<S, 5, 4, Caller>(w), high[0], high[1]]
}

/// Unit `I`.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn unit<'a, S: Source + 'a, const I: usize, const SHARE: usize, Caller>(w: &S::Block<'a>) -> Unit {
    // SAFETY: the CPU has the features because this function has them.
    unsafe { S::unit::<(Sdot, Caller), I, SHARE>(w) }
}

/// Totals of quads, whose lanes are rows already.
fn reduced<const N: usize>(totals: &Totals<N>) -> Sums<N> {
    totals.map(|[first, last, ..]| [first, last])
}
