//! Products of matrices with columns.

use crate::sources::{Activations, Bytes, Input, ordered, rows};
use crate::{assert_same, tables};
use dram_quant::{EIGHT, Format, Matrix, Order, Unpacked};
use dram_targets::{Kernels, groups, scratch_bytes};

const ROWS: [usize; 9] = [1, 2, 3, 5, 8, 9, 16, 31, 64];
const COLUMNS: [usize; 10] = [1, 2, 3, 4, 5, 7, 8, 9, 13, 41];
const ALL_COLUMNS: usize = 41;

/// `(columns, rows)`, from as many groups at a time as go together, or of an odd number of rows one
/// fewer.
fn multiply(table: &Kernels, w: &Matrix<'_>, x: &Input, columns: usize) -> Vec<f32> {
    // Full of what an earlier call might have left, and anywhere in memory.
    let mut scratch = vec![0xff; 1 + scratch_bytes(w.len(), columns)];
    let mut y = vec![0.0; columns * w.rows()];
    let together = groups(columns) - w.rows() % 2;
    for first in (0..w.groups()).step_by(together) {
        let groups = first..w.groups().min(first + together);
        let out = table.multiply(w, groups.clone(), x.columns(columns), &mut scratch[1..]);
        assert_eq!(out.len(), groups.len() * columns);
        for (group, out) in groups.zip(out.chunks_exact(columns)) {
            let count = EIGHT.min(w.rows() - group * EIGHT);
            for (y, out) in y.chunks_exact_mut(w.rows()).zip(out) {
                y[group * EIGHT..][..count].copy_from_slice(&out[..count]);
            }
        }
    }
    y
}

/// One block, some, and what a layer has.
fn lens(format: Format) -> Vec<usize> {
    if format.is_float() {
        return vec![1, 7, 8, 9, 33, 576];
    }
    let block = format.weights();
    vec![block, 2 * block, 3 * block, 7 * block, 48 * 32]
}

/// Every table, order and number of columns against `scalar` and rows; and every table again as if
/// it had no kernel of the format's own.
fn check(format: Format, row_count: usize, len: usize, bytes: Bytes, kind: Activations) {
    let (scalar, others) = tables();
    let by_definition: Vec<Kernels> = others.iter().map(|table| table.without_formats()).collect();
    let native = rows(format, row_count, len, bytes);
    let x = Input::new(len, ALL_COLUMNS, kind);
    let w = Matrix::new(&native, format, Order::Rows, row_count, len).unwrap();
    let expected = multiply(scalar, &w, &x, ALL_COLUMNS);
    let orders = if format.is_float() { &[Order::Rows][..] } else { &[Order::Rows, Order::Tiles] };
    for &order in orders {
        let native = ordered(format, order, &native, row_count);
        let w = Matrix::new(&native, format, order, row_count, len).unwrap();
        for table in others.iter().copied().chain([scalar]).chain(&by_definition) {
            for columns in COLUMNS {
                let found = multiply(table, &w, &x, columns);
                assert_same(&found, &expected[..found.len()], || {
                    let name = format.name();
                    format!(
                        "{table:?} {name} {order:?} {row_count} x {len} x {columns} {bytes:?} {kind:?}"
                    )
                });
            }
        }
    }
}

#[test]
fn every_table_order_and_shape_gives_the_bits_of_scalar() {
    for format in Format::ALL {
        for len in lens(format) {
            for row_count in ROWS {
                check(format, row_count, len, Bytes::Ordinary, Activations::Ordinary);
            }
        }
    }
}

#[test]
fn extreme_weights_and_activations_give_the_bits_of_scalar() {
    let bytes = [0x00, 0x7f, 0x80, 0xff, 0x0f, 0xf0].map(Bytes::All);
    let kinds = [127, -127, 0].map(Activations::All);
    for format in Format::ALL {
        let len = 3 * format.weights();
        for bytes in bytes.into_iter().chain([Bytes::ExtremeScales, Bytes::Random]) {
            for kind in kinds.into_iter().chain([Activations::Ordinary, Activations::Extreme]) {
                check(format, 13, len, bytes, kind);
            }
        }
    }
}

/// The definition: decoded weights times activations, summed in f64.
#[test]
fn scalar_multiplies_decoded_weights() {
    let (scalar, _) = tables();
    for format in Format::ALL.into_iter().filter(|format| !format.is_float()) {
        let (row_count, len) = (9, 1536);
        let native = rows(format, row_count, len, Bytes::Ordinary);
        let x = Input::new(len, 2, Activations::Ordinary);
        let w = Matrix::new(&native, format, Order::Rows, row_count, len).unwrap();
        let y = multiply(scalar, &w, &x, 2);
        for column in 0..2 {
            let q8 = x.columns(2).q8.columns(column, 1);
            let block = format.weights();
            let x = |j: usize| f64::from(q8.q[j]) * f64::from(q8.d[j / block * (block / 32)]);
            for r in 0..row_count {
                let mut row = vec![0.0; len];
                w.decode_row(r, &mut row);
                let expected: f64 = (0..len).map(|j| f64::from(row[j]) * x(j)).sum();
                let bytes = &native[r * format.row_bytes(len).unwrap()..];
                let size: f64 = (0..len).map(|j| size(format, bytes, j) * x(j).abs()).sum();
                let error = (f64::from(y[column * row_count + r]) - expected).abs();
                let bound = (len / 32 + 4) as f64 * f64::from(f32::EPSILON) * size;
                assert!(error <= bound, "{} row {r}: {error:e} > {bound:e}", format.name());
            }
        }
    }
}

/// The magnitudes of scaled integer and minimum of a weight, added.
fn size(format: Format, row: &[u8], j: usize) -> f64 {
    let mut unit = Unpacked::ZERO;
    format.unpack(row, j / 32, &mut unit);
    let half = j % 32 / 16;
    let integer = f64::from(unit.q[j % 32]) * f64::from(unit.s[half]) * f64::from(unit.d);
    integer.abs() + (f64::from(unit.n[half]) * f64::from(unit.m)).abs()
}
