//! Rows unpacked to 8-bit integers, to be multiplied with many columns.

use dram_quant::EIGHT;

/// Scratch memory for groups of eight unpacked rows, one element a unit of 32 weights.
///
/// What the integers mean (signed, or unsigned with an offset) is each table's own affair:
/// a panel is written and read inside one call.
#[derive(Debug, Default)]
pub struct Panel<'a> {
    /// Integers of a unit: 8 groups of `(8 rows, 4 weights)`.
    pub q: &'a mut [[u8; 256]],
    /// Scales of a unit, one a row.
    pub d: &'a mut [[f32; EIGHT]],
    /// Minima of a unit, one a row.
    pub m: &'a mut [[f32; EIGHT]],
    /// Integer scales of the two halves of a unit, a pair a row.
    pub s: &'a mut [[[i16; 2]; EIGHT]],
}

impl Panel<'_> {
    /// Units it has room for.
    pub fn units(&self) -> usize {
        self.q.len().min(self.d.len()).min(self.m.len()).min(self.s.len())
    }

    /// Lends it on.
    pub fn reborrow(&mut self) -> Panel<'_> {
        Panel { q: self.q, d: self.d, m: self.m, s: self.s }
    }
}
