//! The truth: products written as their definition reads, for every format.

use crate::Panel;
use crate::float::{Widen, fma, tree};
use crate::kernels::Eight;
use dram_quant::{EIGHT, Format, MAX_UNITS, Order, Q8, UNIT, Unpacked};

/// `y[c][r] = Σ w[r] · x[c]` for the rows of `w` and every column of `x`.
///
/// For each output: blocks in order, the arithmetic of [`Unpacked`]. Of one group alone, as
/// [`Kernels::pairs`](crate::Kernels) asks of this table.
pub(crate) fn product(w: Eight<'_>, x: Q8<'_>, _: &mut Panel<'_>, y: &mut [[f32; EIGHT]]) {
    let mut block = [Unpacked::ZERO; MAX_UNITS];
    let block = &mut block[..w.format.weights() / UNIT];
    for r in 0..w.rows {
        y.iter_mut().for_each(|y| y[r] = 0.0);
        for first in (0..x.len / UNIT).step_by(block.len()) {
            for (i, unit) in block.iter_mut().enumerate() {
                unpack(w, r, first + i, unit);
            }
            for (c, y) in y.iter_mut().enumerate() {
                y[r] = step(block, w.format.has_min(), x.columns(c, 1), first, y[r]);
            }
        }
    }
}

/// Adds a block, whose first unit is unit `first` of one column, to `acc`.
fn step(block: &[Unpacked], has_min: bool, x: Q8<'_>, first: usize, acc: f32) -> f32 {
    let (d, m, dx) = (block[0].d, block[0].m, x.d[first]);
    let (mut sum, mut minima) = (0, 0);
    for (i, w) in (first..).zip(block) {
        for h in 0..2 {
            let x = &x.q[i * UNIT + h * 16..][..16];
            let products = w.q[h * 16..][..16].iter().zip(x);
            let dot: i32 = products.map(|(w, x)| i32::from(*w) * i32::from(*x)).sum();
            sum += i32::from(w.s[h]) * dot;
        }
        minima += i32::from(w.n[0]) * i32::from(x.sums[i][0]);
        minima += i32::from(w.n[1]) * i32::from(x.sums[i][1]);
    }
    let acc = fma(sum as f32, d * dx, acc);
    if has_min { fma(m, minima as f32 * dx, acc) } else { acc }
}

/// Unpacks unit `i` of row `r`, wherever its bytes lie.
fn unpack(w: Eight<'_>, r: usize, i: usize, unit: &mut Unpacked) {
    match w.order {
        Order::Rows => {
            let row_bytes = w.bytes.len() / w.rows;
            w.format.unpack(&w.bytes[r * row_bytes..][..row_bytes], i, unit);
        }
        Order::Tiles => w.format.unpack_tiled(w.bytes, r, i, unit),
    }
}

/// The product of float formats: `y[c][r] = Σ w[r] · x[c]` over 8 lanes, joined by one tree.
///
/// `w` is up to eight rows, `x` is `(columns, len)`, `y` has one element a column.
#[inline(always)]
pub(crate) fn float_rows<W: Widen>(w: &[u8], format: Format, x: &[f32], y: &mut [[f32; EIGHT]]) {
    match format {
        Format::F32 => dots(w.as_chunks().0, |w| w.map(f32::from_le_bytes), x, y),
        Format::F16 => dots(w.as_chunks().0, |w| W::widen(&w.map(u16::from_le_bytes)), x, y),
        _ => dots(w.as_chunks().0, |w| w.map(bf16_to_f32), x, y),
    }
}

/// Multiplies rows of elements of `B` bytes with every column, four rows at once while there are
/// so many: their sums do not wait for each other. `widen` reads eight weights.
#[inline(always)]
fn dots<const B: usize>(
    w: &[[u8; B]],
    widen: impl Fn(&[[u8; B]; 8]) -> [f32; 8],
    x: &[f32],
    y: &mut [[f32; EIGHT]],
) {
    let len = x.len() / y.len();
    for (x, y) in x.chunks_exact(len).zip(y) {
        for (rows, y) in w.chunks(4 * len).zip(y.as_chunks_mut::<4>().0) {
            if rows.len() == 4 * len {
                *y = dot(core::array::from_fn(|r| &rows[r * len..][..len]), &widen, x);
                continue;
            }
            for (row, y) in rows.chunks_exact(len).zip(y) {
                [*y] = dot([row], &widen, x);
            }
        }
    }
}

/// The products of `R` rows with one column.
#[inline(always)]
fn dot<const R: usize, const B: usize>(
    rows: [&[[u8; B]]; R],
    widen: impl Fn(&[[u8; B]; 8]) -> [f32; 8],
    x: &[f32],
) -> [f32; R] {
    let (eights, rest) = x.as_chunks::<8>();
    let rows = rows.map(|row| row.split_at(8 * eights.len()));
    let heads = rows.map(|row| &row.0.as_chunks::<8>().0[..eights.len()]);
    let mut lanes = [[0.0; 8]; R];
    for (j, x) in eights.iter().enumerate() {
        for r in 0..R {
            let w = widen(&heads[r][j]);
            for l in 0..8 {
                lanes[r][l] = fma(w[l], x[l], lanes[r][l]);
            }
        }
    }
    for r in 0..R {
        let mut last = [[0; B]; 8];
        last[..rest.len()].copy_from_slice(rows[r].1);
        for ((lane, w), x) in lanes[r].iter_mut().zip(widen(&last)).zip(rest) {
            *lane = fma(w, *x, *lane);
        }
    }
    lanes.map(tree)
}

#[inline(always)]
fn bf16_to_f32(bytes: [u8; 2]) -> f32 {
    f32::from_bits(u32::from(u16::from_le_bytes(bytes)) << 16)
}
