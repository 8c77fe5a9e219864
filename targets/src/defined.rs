//! Formats as they are defined: blocks of eight rows by [`Format::unpack`](dram_quant::Format).

use crate::kernels::Group;
use dram_quant::{EIGHT, MAX_BYTES, MAX_UNITS, Order, Unpacked, untile};

/// Eight rows of any integer format, and the block of each that was read last.
#[derive(Clone, Copy)]
pub(crate) struct Defined<'a> {
    w: Group<'a>,
    /// Units of each row; of missing rows zeros.
    pub block: [[Unpacked; MAX_UNITS]; EIGHT],
}

impl<'a> Defined<'a> {
    pub(crate) fn new(w: Group<'a>) -> Self {
        Self { w, block: [[Unpacked::ZERO; MAX_UNITS]; EIGHT] }
    }

    /// Reads block `i` of each row, of `units` units; returns scales and minima, one a row.
    pub(crate) fn read(&mut self, i: usize, units: usize) -> [[f32; EIGHT]; 2] {
        let Group { bytes, rows, format, order } = self.w;
        let mut scratch = [0; MAX_BYTES * EIGHT];
        let (from, stride) = match order {
            Order::Rows => (&bytes[i * format.bytes()..], bytes.len() / rows),
            Order::Tiles => {
                let scratch = &mut scratch[..format.bytes() * EIGHT];
                untile(format, &bytes[i * scratch.len()..][..scratch.len()], scratch);
                (&*scratch, format.bytes())
            }
        };
        for (r, row) in self.block.iter_mut().enumerate().take(rows) {
            for (i, unit) in row[..units].iter_mut().enumerate() {
                format.unpack(&from[r * stride..], i, unit);
            }
        }
        let first = self.block.each_ref().map(|row| row[0]);
        [first.map(|unit| unit.d), first.map(|unit| unit.m)]
    }
}
