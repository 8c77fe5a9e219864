//! The matrix product of Armv8.6: two rows times two columns of eight bytes, added in 32 bits.
//!
//! ```text
//! weights of a pair    row 0: k k k k k k k k          | row 1: k k k k k k k k       bytes
//! activations          column 0: k k k k k k k k       | column 1: k k k k k k k k
//! smmla                row 0, column 0 | row 0, column 1 | row 1, column 0 | row 1, column 1
//! uzp1 of two pairs    row 0           | row 1           | row 2           | row 3      column 0
//! uzp2 of two pairs    row 0           | row 1           | row 2           | row 3      column 1
//! ```
//!
//! Only panels lie in pairs. What is multiplied where it lies has few columns, for which bringing
//! weights into pairs costs more than it saves: that is done as by [`crate::dotprod`].

use crate::arm::column::{Column, Lanes, Run, activations, lanes};
use crate::arm::pass::Lane;
use crate::arm::product::Isa;
use crate::arm::source::{Integers, Kind, Source};
use crate::arm::step::{Block, Outputs, Products, Sums, Totals, outputs_in_order, step, store};
use crate::arm::tile::zip;
use crate::dotprod::Sdot;
use core::arch::aarch64::{int8x16_t, int32x4_t, vdupq_n_f32, vuzp1q_s32, vuzp2q_s32};
use core::arch::asm;
use dram_quant::{EIGHT, Q8, UNIT};

/// Multiplication of two by two rows of eight bytes to 32 bits.
pub(crate) struct Smmla;

impl Isa for Smmla {
    type Few = Sdot;

    const COLUMNS: usize = 4;
    const PANEL_ROWS: bool = false;
    const PANEL_PAIRS: bool = true;

    #[inline]
    #[target_feature(enable = "neon,dotprod,i8mm")]
    unsafe fn pass<S: Source, const N: usize>(
        w: &S,
        x: &Q8<'_>,
        first: usize,
        y: &mut [[f32; EIGHT]],
    ) {
        pass::<S, N>(w, x, first, y);
    }
}

pass!(Smmla, ["neon", "dotprod", "i8mm"], each);

/// Whether a row's total is spread over lanes.
const fn spread(_rows: bool) -> bool {
    false
}

/// Adds the products of half `HALF` of unit `i`, or of both.
///
/// Of two columns, registers `0..4` of the first hold the sums of four pairs of rows; a last column
/// without another is its own.
#[inline]
#[target_feature(enable = "neon,dotprod,i8mm")]
fn products<S: Source, const N: usize, const R: usize, const HALF: usize, Caller>(
    totals: &mut Totals<N>,
    q: &Integers,
    x: &[Run<'_, R>; N],
    i: usize,
) {
    if HALF != 1 {
        half::<N>(totals, &q[..4], &activations::<N, R, 0>(x, i));
    }
    if HALF != 0 {
        half::<N>(totals, &q[4..], &activations::<N, R, 1>(x, i));
    }
}

/// Adds the products of half a unit: four pairs of rows.
#[inline]
#[target_feature(enable = "neon,dotprod,i8mm")]
fn half<const N: usize>(totals: &mut Totals<N>, q: &[[int8x16_t; 2]], x: &[int8x16_t; N]) {
    for c in (0..N).step_by(2) {
        let x = zip(x[c], x[(c + 1).min(N - 1)]);
        for (total, q) in totals[c].iter_mut().zip(q) {
            *total = smmla(smmla(*total, q[0], x[0]), q[1], x[1]);
        }
    }
}

/// Totals with rows as lanes.
#[inline]
#[target_feature(enable = "neon,dotprod,i8mm")]
fn reduced<S: Source, const N: usize>(totals: &Totals<N>) -> Sums<N> {
    let mut sums = [[totals[0][0]; 2]; N];
    for (column, sums) in sums.iter_mut().enumerate() {
        let [a, b, c, d, ..] = totals[column / 2 * 2];
        *sums = if column % 2 == 0 {
            [vuzp1q_s32(a, b), vuzp1q_s32(c, d)]
        } else {
            [vuzp2q_s32(a, b), vuzp2q_s32(c, d)]
        };
    }
    sums
}

/// Adds the products of two rows, in the halves of `w`, with two columns, in the halves of `x`.
#[inline]
#[target_feature(enable = "neon,i8mm")]
fn smmla(sums: int32x4_t, w: int8x16_t, x: int8x16_t) -> int32x4_t {
    let mut sums = sums;
    // SAFETY: an operation on registers, which the CPU has because this function has its feature.
    unsafe {
        asm!(
            "smmla {sums:v}.4s, {w:v}.16b, {x:v}.16b",
            sums = inout(vreg) sums, w = in(vreg) w, x = in(vreg) x,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    sums
}
