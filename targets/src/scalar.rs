//! The truth: products written as their definition reads, for every format.

use crate::float::{Widen, fma, tree};
use crate::kernels::{Group, Groups};
use crate::scratch::Scratch;
use dram_quant::{EIGHT, Format, MAX_UNITS, Order, Q8, UNIT, Unpacked};

/// `y[c][r] = Σ w[r] · x[c]` for the rows of `w` and every column of `x`.
///
/// For each output: blocks in order, the arithmetic of [`Unpacked`].
pub(crate) fn product(w: &Groups<'_>, x: &Q8<'_>, _: &mut Scratch<'_>, y: &mut [[f32; EIGHT]]) {
    for (w, y) in w.groups().zip(y.chunks_exact_mut(x.count())) {
        group(&w, x, y);
    }
}

/// The product of one group.
fn group(w: &Group<'_>, x: &Q8<'_>, y: &mut [[f32; EIGHT]]) {
    let mut block = [Unpacked::ZERO; MAX_UNITS];
    let block = &mut block[..w.format.weights() / UNIT];
    for r in 0..w.rows {
        y.iter_mut().for_each(|y| y[r] = 0.0);
        for first in (0..x.len / UNIT).step_by(block.len()) {
            for (i, unit) in block.iter_mut().enumerate() {
                unpack(w, r, first + i, unit);
            }
            for (c, y) in y.iter_mut().enumerate() {
                y[r] = step(block, w.format.has_min(), &x.columns(c, 1), first, y[r]);
            }
        }
    }
}

/// Adds a block, whose first unit is unit `first` of one column, to `acc`.
fn step(block: &[Unpacked], has_min: bool, x: &Q8<'_>, first: usize, acc: f32) -> f32 {
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
fn unpack(w: &Group<'_>, r: usize, i: usize, unit: &mut Unpacked) {
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
pub(crate) fn float_rows<W: Widen>(
    cpu: W,
    w: &[u8],
    format: Format,
    x: &[f32],
    y: &mut [[f32; EIGHT]],
) {
    match format {
        Format::F32 => dots(w.as_chunks().0, |w| w.map(f32::from_le_bytes), x, y),
        Format::F16 => dots(w.as_chunks().0, |w| cpu.widen(&w.map(u16::from_le_bytes)), x, y),
        _ => dots(w.as_chunks().0, |w| cpu.widen_bf16(&w.map(u16::from_le_bytes)), x, y),
    }
}

/// Multiplies rows of elements of `B` bytes with every column: two rows with four columns while
/// there are so many, else four rows with one, so that sums do not wait for each other and a
/// widened weight serves all columns. `widen` reads eight weights.
#[inline(always)]
fn dots<const B: usize>(
    w: &[[u8; B]],
    widen: impl Fn(&[[u8; B]; 8]) -> [f32; 8],
    x: &[f32],
    y: &mut [[f32; EIGHT]],
) {
    let len = x.len() / y.len();
    let (fours, ones) = y.as_chunks_mut::<4>();
    let (x, rest) = x.split_at(4 * fours.len() * len);
    for (x, y) in x.chunks_exact(4 * len).zip(fours) {
        columns::<2, 4, B>(w, &widen, core::array::from_fn(|c| &x[c * len..][..len]), y);
    }
    for (x, y) in rest.chunks_exact(len).zip(ones) {
        columns::<4, 1, B>(w, &widen, [x], core::array::from_mut(y));
    }
}

/// The products of all rows, `R` at once while there are so many, with `C` columns.
#[inline(always)]
fn columns<const R: usize, const C: usize, const B: usize>(
    w: &[[u8; B]],
    widen: impl Fn(&[[u8; B]; 8]) -> [f32; 8],
    x: [&[f32]; C],
    y: &mut [[f32; EIGHT]; C],
) {
    let len = x[0].len();
    let row = |r: usize| &w[r * len..][..len];
    let (rows, mut first) = (w.len() / len, 0);
    while first + R <= rows {
        let sums = dot::<R, C, B>(core::array::from_fn(|r| row(first + r)), &widen, x);
        for (y, sums) in y.iter_mut().zip(sums) {
            y[first..first + R].copy_from_slice(&sums);
        }
        first += R;
    }
    for r in first..rows {
        let sums = dot::<1, C, B>([row(r)], &widen, x);
        for (y, [sum]) in y.iter_mut().zip(sums) {
            y[r] = sum;
        }
    }
}

/// The products of `R` rows with `C` columns.
#[inline(always)]
fn dot<const R: usize, const C: usize, const B: usize>(
    rows: [&[[u8; B]]; R],
    widen: impl Fn(&[[u8; B]; 8]) -> [f32; 8],
    x: [&[f32]; C],
) -> [[f32; R]; C] {
    let count = x[0].len() / 8;
    let x = x.map(|x| x.split_at(8 * count));
    let rows = rows.map(|row| row.split_at(8 * count));
    let eights = x.map(|x| &x.0.as_chunks::<8>().0[..count]);
    let heads = rows.map(|row| &row.0.as_chunks::<8>().0[..count]);
    let mut lanes = [[[0.0; 8]; R]; C];
    for j in 0..count {
        for r in 0..R {
            let w = widen(&heads[r][j]);
            for c in 0..C {
                for l in 0..8 {
                    lanes[c][r][l] = fma(w[l], eights[c][j][l], lanes[c][r][l]);
                }
            }
        }
    }
    for r in 0..R {
        let mut last = [[0; B]; 8];
        last[..rows[r].1.len()].copy_from_slice(rows[r].1);
        let last = widen(&last);
        for c in 0..C {
            for ((lane, w), x) in lanes[c][r].iter_mut().zip(last).zip(x[c].1) {
                *lane = fma(w, *x, *lane);
            }
        }
    }
    lanes.map(|rows| rows.map(tree))
}
