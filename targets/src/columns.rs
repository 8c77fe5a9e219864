//! The input of a product.

use dram_quant::{EIGHT, Format, Q8};

/// Columns of activations, as floats and quantised: each weight format takes the form it needs.
#[derive(Clone, Copy, Debug)]
pub struct Columns<'a> {
    /// `(columns, len)`, read by float formats.
    pub x: &'a [f32],
    /// The same numbers quantised, read by integer formats.
    pub q8: Q8<'a>,
}

/// Whether `w` are up to eight rows of a float format, as long as each of `columns` columns.
pub(crate) fn are_float_rows(w: &[u8], format: Format, x: &[f32], columns: usize) -> bool {
    if !format.is_float() || x.is_empty() || columns == 0 || !x.len().is_multiple_of(columns) {
        return false;
    }
    let row_bytes = x.len() / columns * format.bytes() / format.weights();
    w.len().is_multiple_of(row_bytes) && w.len() / row_bytes <= EIGHT
}
