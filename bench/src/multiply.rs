//! Products of weights, decoded to f32, with many columns.

use dram_quant::{EIGHT, Matrix};
use std::{iter, thread};

/// Columns whose sums are held in registers at once.
const BLOCK: usize = 4;

/// `y = W·x` in f32, one sum per output in the order of the row.
///
/// `x` is `(columns, len)`, the result `(columns, rows)`.
pub(crate) fn multiply(w: &Matrix<'_>, x: &[f32], threads: usize) -> Vec<f32> {
    let columns = x.len() / w.len();
    let mut eights = vec![[0.0; EIGHT]; w.groups() * columns];
    let share = w.groups().div_ceil(threads);
    thread::scope(|scope| {
        for (i, part) in eights.chunks_mut(share * columns).enumerate() {
            scope.spawn(move || strip(w, i * share, x, part));
        }
    });
    gather(&eights, columns, w.rows())
}

/// From `(rows / 8, columns, 8)` to `(columns, rows)`.
fn gather(eights: &[[f32; EIGHT]], columns: usize, rows: usize) -> Vec<f32> {
    let mut y = Vec::with_capacity(columns * rows);
    for column in 0..columns {
        let rows_of_column = eights.iter().skip(column).step_by(columns).flatten();
        y.extend(rows_of_column.take(rows));
    }
    y
}

/// The products of as many groups of eight rows, from group `first` on, as `y` has room for.
fn strip(w: &Matrix<'_>, first: usize, x: &[f32], y: &mut [[f32; EIGHT]]) {
    let len = w.len();
    let columns = x.len() / len;
    let (mut row, mut panel) = (vec![0.0; len], vec![[0.0; EIGHT]; len]);
    for (eight, y) in iter::zip(first.., y.chunks_exact_mut(columns)) {
        for r in 0..EIGHT.min(w.rows() - eight * EIGHT) {
            w.decode_row(eight * EIGHT + r, &mut row);
            panel.iter_mut().zip(&row).for_each(|(panel, w)| panel[r] = *w);
        }
        let (blocks, rest) = y.as_chunks_mut::<BLOCK>();
        let (x, x_rest) = x.split_at(blocks.len() * BLOCK * len);
        blocks.iter_mut().zip(x.chunks_exact(BLOCK * len)).for_each(|(y, x)| block(&panel, x, y));
        rest.iter_mut().zip(x_rest.chunks_exact(len)).for_each(|(y, x)| {
            block(&panel, x, std::array::from_mut(y));
        });
    }
}

/// Eight rows with `N` columns; `panel` is `(len, 8)`.
fn block<const N: usize>(panel: &[[f32; EIGHT]], x: &[f32], y: &mut [[f32; EIGHT]; N]) {
    let x: [&[f32]; N] = std::array::from_fn(|c| &x[c * panel.len()..][..panel.len()]);
    let mut sums = [[0.0; EIGHT]; N];
    for (k, w) in panel.iter().enumerate() {
        for (sums, x) in sums.iter_mut().zip(x) {
            sums.iter_mut().zip(w).for_each(|(sum, w)| *sum += w * x[k]);
        }
    }
    *y = sums;
}

#[cfg(test)]
mod tests {
    use super::multiply;
    use dram_quant::{Format, Matrix, Order};

    #[test]
    fn products_of_ragged_shapes_are_the_plain_sums() {
        for (rows, len, columns) in [(1, 1, 1), (9, 5, 7), (16, 3, 4), (19, 8, 9)] {
            let weight = |i: usize| (i % 7) as f32 - 3.0;
            let bytes: Vec<u8> = (0..rows * len).flat_map(|i| weight(i).to_le_bytes()).collect();
            let w = Matrix::new(&bytes, Format::F32, Order::Rows, rows, len).unwrap();
            let x: Vec<f32> = (0..columns * len).map(|i| (i % 5) as f32 - 2.0).collect();
            let expected = (0..columns * rows).map(|i| {
                let (c, r) = (i / rows, i % rows);
                (0..len).map(|k| weight(r * len + k) * x[c * len + k]).sum::<f32>()
            });
            let expected: Vec<f32> = expected.collect();
            assert_eq!(multiply(&w, &x, 3), expected, "{rows} {len} {columns}");
        }
    }
}
