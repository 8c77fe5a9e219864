//! The dot product of Armv8.2: four bytes times four bytes, added in 32 bits.
//!
//! ```text
//! weights of a quad    row 0: k k k k | row 1: k k k k | row 2 | row 3       bytes
//! activations          the same four numbers, one lane of a register
//! sdot                 row 0          | row 1          | row 2 | row 3       32 bits
//!
//! weights of a row     k k k k        | k k k k        | k k k k | k k k k   bytes
//! activations          k k k k        | k k k k        | k k k k | k k k k
//! sdot                 row            | row            | row     | row       32 bits
//! addp, twice          row 0          | row 1          | row 2   | row 3
//! ```

mod together;

use crate::arm::column::{Column, Lanes, Run, activations, lanes};
use crate::arm::lanes::opaque;
use crate::arm::pass::Lane;
use crate::arm::product::Isa;
use crate::arm::source::{Integers, Kind, Source};
use crate::arm::step::{Block, Outputs, Products, Sums, Totals, outputs_in_order, step, store};
use core::arch::aarch64::{int8x16_t, int32x4_t, vdupq_n_f32, vpaddq_s32};
use core::arch::asm;
use dram_quant::{EIGHT, Q8, UNIT};

/// Multiplication of four bytes to 32 bits.
pub(crate) struct Sdot;

impl Isa for Sdot {
    type Few = Self;

    const COLUMNS: usize = 4;
    const PANEL_ROWS: bool = false;

    #[inline]
    #[target_feature(enable = "neon,dotprod")]
    unsafe fn pass<S: Source, const N: usize>(
        w: &S,
        x: &Q8<'_>,
        first: usize,
        y: &mut [[f32; EIGHT]],
    ) {
        pass::<S, N>(w, x, first, y);
    }
}

pass!(Sdot, ["neon", "dotprod"], units);

/// Adds the units of a block of eight: those that share bytes together, where there are registers
/// enough for the sums of so many.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn units<'a, S: Source + 'a, const N: usize>(
    block: &mut Block<N>,
    w: &S::Block<'a>,
    x: &[Run<'_, 8>; N],
) {
    match const { if S::ROWS || N * S::Kind::SHARE > 4 { 1 } else { S::Kind::SHARE } } {
        1 => each::<S, N>(block, w, x),
        2 => together::twos::<S, N>(block, w, x),
        _ => together::fours::<S, N>(block, w, x),
    }
}

/// Whether a row's total is spread over lanes.
const fn spread(rows: bool) -> bool {
    rows
}

/// Adds the products of half `HALF` of unit `i`, or of both.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn products<S: Source, const N: usize, const R: usize, const HALF: usize, Caller>(
    totals: &mut Totals<N>,
    q: &Integers,
    x: &[Run<'_, R>; N],
    i: usize,
) {
    if HALF != 1 {
        half::<S, N, R, 0, (Caller, [(); HALF])>(totals, q, x, i);
    }
    if HALF != 0 {
        half::<S, N, R, 1, (Caller, [(); HALF])>(totals, q, x, i);
    }
}

/// Adds the products of half a unit.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn half<S: Source, const N: usize, const R: usize, const HALF: usize, Caller>(
    totals: &mut Totals<N>,
    q: &Integers,
    x: &[Run<'_, R>; N],
    i: usize,
) {
    let x = activations::<N, R, HALF>(x, i);
    if S::ROWS {
        for c in 0..N {
            for r in 0..EIGHT {
                totals[c][r] = sdot(totals[c][r], q[r][HALF], x[c]);
            }
        }
        return;
    }
    let quads = &q[HALF * 4..];
    quad::<N, 0>(totals, &quads[0], &x);
    quad::<N, 1>(totals, &quads[1], &x);
    quad::<N, 2>(totals, &quads[2], &x);
    quad::<N, 3>(totals, &quads[3], &x);
}

/// Adds the products of a quad with lane `LANE` of each column.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn quad<const N: usize, const LANE: usize>(
    totals: &mut Totals<N>,
    w: &[int8x16_t; 2],
    x: &[int8x16_t; N],
) {
    for c in 0..N {
        for r in 0..2 {
            totals[c][r] = sdot_lane::<LANE>(totals[c][r], w[r], x[c]);
        }
    }
}

/// Totals with rows as lanes.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn reduced<S: Source, const N: usize>(totals: &Totals<N>) -> Sums<N> {
    let mut sums = [[totals[0][0]; 2]; N];
    for (sums, totals) in sums.iter_mut().zip(totals) {
        let [a, b, c, d, e, f, g, h] = *totals;
        *sums = if S::ROWS {
            let first = vpaddq_s32(vpaddq_s32(a, b), vpaddq_s32(c, d));
            // Else the compiler takes the additions apart.
            [first, vpaddq_s32(vpaddq_s32(e, f), vpaddq_s32(g, h))].map(|sums| opaque(sums))
        } else {
            [a, b]
        };
    }
    sums
}

/// Adds to each lane its four bytes of `w` times the four bytes of lane `LANE` of `x`.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn sdot_lane<const LANE: usize>(sums: int32x4_t, w: int8x16_t, x: int8x16_t) -> int32x4_t {
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

/// Adds to each lane its four bytes of `w` times its four bytes of `x`.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn sdot(sums: int32x4_t, w: int8x16_t, x: int8x16_t) -> int32x4_t {
    let mut sums = sums;
    // SAFETY: an operation on registers, which the CPU has because this function has its feature.
    unsafe {
        asm!(
            "sdot {sums:v}.4s, {w:v}.16b, {x:v}.16b",
            sums = inout(vreg) sums, w = in(vreg) w, x = in(vreg) x,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    sums
}
