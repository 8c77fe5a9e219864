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
#[derive(Clone, Copy)]
pub(crate) struct Field {
    pub unit: usize,
    pub count: usize,
}

impl Field {
    pub(crate) const fn of(count: usize, unit: usize) -> Self {
        Self { unit, count }
    }
}

/// Calls `copy(offset in a row's block, offset in the tile, bytes)` for every unit of `row`.
fn units(format: Format, row: usize, mut copy: impl FnMut(usize, usize, usize)) {
    let mut start = 0;
    for field in format.row().fields {
        for i in 0..field.count {
            let offset = start + i * field.unit;
            copy(offset, start * EIGHT + (i * EIGHT + row) * field.unit, field.unit);
        }
        start += field.unit * field.count;
    }
}

/// Interleaves eight rows: `rows` in [`crate::Order::Rows`] to `out` in [`crate::Order::Tiles`].
///
/// # Panics
///
/// If the two are not the same length or not eight rows of whole blocks.
pub fn tile(format: Format, rows: &[u8], out: &mut [u8]) {
    let (block, row_bytes) = (format.bytes(), rows.len() / EIGHT);
    assert_eq!(rows.len(), out.len());
    assert!(rows.len().is_multiple_of(block * EIGHT), "not eight rows of whole blocks");
    for (b, out) in out.chunks_exact_mut(block * EIGHT).enumerate() {
        for row in 0..EIGHT {
            let from = &rows[row * row_bytes + b * block..][..block];
            units(format, row, |i, o, n| out[o..o + n].copy_from_slice(&from[i..i + n]));
        }
    }
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
    units(format, row, |i, o, n| out[i..i + n].copy_from_slice(&tile[o..o + n]));
}
