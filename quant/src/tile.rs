//! Eight rows interleaved: the order that lets one load serve eight rows.
//!
//! A block is a list of fields, each a whole number of units. In a tile the fields keep their
//! order and sizes (times eight), and inside a field the units of the eight rows alternate:
//!
//! ```text
//! rows    row 0: d d  q q q q q q q q …      row 1: D D  Q Q Q Q Q Q Q Q …
//! tile    d d D D … (8 rows)   q q q q Q Q Q Q … (8 rows)   q q q q Q Q Q Q … (8 rows)   …
//! ```
//!
//! so that a 32-byte load of a quant field is 4 bytes of each of 8 rows.

use crate::{EIGHT, Format};

/// A part of a block: `count` units of `unit` bytes.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Bytes that stay together in a tile: 1, 2 or 4.
    pub unit: usize,
    /// Units in a block.
    pub count: usize,
}

impl Field {
    pub(crate) const fn of(count: usize, unit: usize) -> Self {
        Self { unit, count }
    }
}

/// Calls `each(start in a block, field)` for every field.
fn fields(format: Format, mut each: impl FnMut(usize, Field)) {
    let mut start = 0;
    for field in format.row().fields {
        each(start, *field);
        start += field.unit * field.count;
    }
}

/// Interleaves eight rows: `rows` in [`crate::Order::Rows`] to `out` in [`crate::Order::Tiles`].
///
/// # Panics
///
/// If the two are not the same length or not eight rows of whole blocks.
pub fn tile(format: Format, rows: &[u8], out: &mut [u8]) {
    let block = format.bytes();
    assert_eq!(rows.len(), out.len());
    assert!(rows.len().is_multiple_of(block * EIGHT), "not eight rows of whole blocks");
    fields(format, |start, field| match field.unit {
        1 => interleave::<1>(rows, block, start, field.count, out),
        2 => interleave::<2>(rows, block, start, field.count, out),
        _ => interleave::<4>(rows, block, start, field.count, out),
    });
}

/// Interleaves one field of `count` units of `N` bytes; a constant `N` makes a copy one move.
fn interleave<const N: usize>(
    rows: &[u8],
    block: usize,
    start: usize,
    count: usize,
    out: &mut [u8],
) {
    let row_bytes = rows.len() / EIGHT;
    let rows: [&[u8]; EIGHT] = core::array::from_fn(|row| &rows[row * row_bytes..][..row_bytes]);
    for (b, tile) in out.chunks_exact_mut(block * EIGHT).enumerate() {
        let field = &mut tile[start * EIGHT..][..N * count * EIGHT];
        let blocks = rows.map(|row| row[b * block + start..][..N * count].as_chunks::<N>().0);
        for (i, eight) in eights(field).iter_mut().enumerate() {
            *eight = blocks.map(|units| units[i]);
        }
    }
}

/// The units of a field in a tile, eight rows at a time.
fn eights<const N: usize>(field: &mut [u8]) -> &mut [[[u8; N]; EIGHT]] {
    field.as_chunks_mut().0.as_chunks_mut().0
}

/// The inverse of [`tile`].
///
/// # Panics
///
/// As [`tile`].
pub fn untile(format: Format, tiles: &[u8], out: &mut [u8]) {
    let (block, row_bytes) = (format.bytes(), tiles.len() / EIGHT);
    assert_eq!(tiles.len(), out.len());
    assert!(tiles.len().is_multiple_of(block * EIGHT), "not eight rows of whole blocks");
    for (b, tile) in tiles.chunks_exact(block * EIGHT).enumerate() {
        for row in 0..EIGHT {
            untile_row(format, tile, row, &mut out[row * row_bytes + b * block..][..block]);
        }
    }
}

/// Takes the block of `row` out of one tile.
pub(crate) fn untile_row(format: Format, tile: &[u8], row: usize, out: &mut [u8]) {
    assert!(row < EIGHT, "row {row} of a tile is out of range");
    fields(format, |start, Field { unit, count }| {
        let field = &tile[start * EIGHT..][..unit * count * EIGHT];
        let out = &mut out[start..][..unit * count];
        match unit {
            1 => pick::<1>(field, row, out),
            2 => pick::<2>(field, row, out),
            _ => pick::<4>(field, row, out),
        }
    });
}

/// Takes every eighth unit of `N` bytes.
fn pick<const N: usize>(field: &[u8], row: usize, out: &mut [u8]) {
    let (eights, _) = field.as_chunks::<N>().0.as_chunks::<EIGHT>();
    for (unit, eight) in out.as_chunks_mut::<N>().0.iter_mut().zip(eights) {
        *unit = eight[row];
    }
}
