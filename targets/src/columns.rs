//! The input of a product.

use dram_quant::Q8;

/// Columns of activations, as floats and quantised: each weight format takes the form it needs.
#[derive(Clone, Copy, Debug)]
pub struct Columns<'a> {
    /// `(columns, len)`, read by float formats.
    pub x: &'a [f32],
    /// The same numbers quantised, read by integer formats.
    pub q8: Q8<'a>,
}
