//! Rows unpacked to 8-bit integers, to be multiplied with many columns.

use dram_quant::EIGHT;
#[cfg(target_arch = "aarch64")]
use {
    crate::kernels::Eight,
    dram_quant::{MAX_BYTES, Order, UNIT, Unpacked, untile},
};

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

/// For tables that have no tiles of some formats.
#[cfg(target_arch = "aarch64")]
impl Panel<'_> {
    /// Unpacks every group of `w` by the definition of its format: signed bytes, and factors that
    /// share 16 bits, the scale's in the lower half. Of missing rows it keeps what it had.
    pub(crate) fn unpack(&mut self, w: Eight<'_>) {
        let units = w.bytes.len() / w.rows / w.format.bytes() * (w.format.weights() / UNIT);
        for (group, w) in core::iter::once(&w).chain(w.next).enumerate() {
            self.unpack_group(*w, group * units);
        }
    }

    /// Unpacks one group of rows from unit `first` on.
    fn unpack_group(&mut self, w: Eight<'_>, first: usize) {
        let (bytes, units) = (w.format.bytes(), w.format.weights() / UNIT);
        let row_bytes = w.bytes.len() / w.rows;
        let mut scratch = [0; MAX_BYTES * EIGHT];
        for block in 0..row_bytes / bytes {
            let (rows, stride) = match w.order {
                Order::Rows => (&w.bytes[block * bytes..], row_bytes),
                Order::Tiles => {
                    let scratch = &mut scratch[..bytes * EIGHT];
                    untile(w.format, &w.bytes[block * bytes * EIGHT..][..bytes * EIGHT], scratch);
                    (&*scratch, bytes)
                }
            };
            for r in 0..w.rows {
                for i in 0..units {
                    let mut unit = Unpacked::ZERO;
                    w.format.unpack(&rows[r * stride..], i, &mut unit);
                    self.put(&unit, first + block * units + i, r);
                }
            }
        }
    }

    /// Writes unit `i` of row `r`.
    fn put(&mut self, unit: &Unpacked, i: usize, r: usize) {
        let groups = self.q[i].as_chunks_mut::<4>().0.as_chunks_mut::<EIGHT>().0;
        for (group, q) in groups.iter_mut().zip(unit.q.as_chunks().0) {
            group[r] = q.map(i8::cast_unsigned);
        }
        self.d[i][r] = unit.d;
        self.m[i][r] = unit.m;
        for half in 0..2 {
            self.s[i][r][half] =
                i16::from_le_bytes([unit.s[half], unit.n[half]].map(i8::cast_unsigned));
        }
    }
}
