//! Rows unpacked to 8-bit integers, to be multiplied with many columns.

use dram_quant::EIGHT;

/// Groups of eight rows unpacked, one element a unit of 32 weights of a group.
///
/// In which order the units lie and what the integers and factors are, is each instruction set's
/// own affair: a panel is written and read inside one call.
pub(crate) struct Panel<'a> {
    /// Integers of a unit: 8 quads of `(8 rows, 4 weights)`, or any other order.
    pub q: &'a mut [[u8; 256]],
    /// Scales of a unit, one a row.
    pub d: &'a mut [[f32; EIGHT]],
    /// Minima of a unit, one a row.
    pub m: &'a mut [[f32; EIGHT]],
    /// Factors of a unit, 32 bits a row.
    pub s: &'a mut [[[i16; 2]; EIGHT]],
}

/// Bytes of one element of every array of a panel.
pub(crate) const UNIT_BYTES: usize =
    256 + 2 * size_of::<[f32; EIGHT]>() + size_of::<[[i16; 2]; EIGHT]>();
