//! How many groups of rows go together, and what memory that takes: this crate's own affair.

use crate::panel::{Panel, UNIT_BYTES};
use bytemuck::{Pod, cast_slice_mut};
use dram_quant::{EIGHT, UNIT};

/// Scratch is cut at cache lines.
const LINE: usize = 64;

/// Groups that any table unpacks and multiplies together at most.
pub(crate) const TOGETHER: usize = 4;

/// Groups of eight rows that [`Kernels::multiply`](crate::Kernels::multiply) takes in one call with
/// `columns` columns at most, and is quickest with.
///
/// With few columns they are enough that a call costs nothing beside its work; with more, as many as
/// any table multiplies together. The tables agree on it, so that memory can be measured before one
/// is chosen.
pub const fn groups(columns: usize) -> usize {
    if columns > EIGHT { TOGETHER } else { 8 }
}

/// Bytes of scratch that [`Kernels::multiply`](crate::Kernels::multiply) needs for rows of up to
/// `len` weights and up to `columns` columns, whichever the table is and wherever in memory they
/// begin; `usize::MAX` if no machine could address them.
pub const fn scratch_bytes(len: usize, columns: usize) -> usize {
    let few = if columns < EIGHT { columns } else { EIGHT };
    let (few, all) = (few * groups(few), columns.saturating_mul(groups(columns)));
    let outputs = if few > all { few } else { all };
    let panel = (len / UNIT).saturating_mul(TOGETHER * UNIT_BYTES);
    outputs.saturating_mul(size_of::<[f32; EIGHT]>()).saturating_add(panel).saturating_add(2 * LINE)
}

/// What is left of a thread's scratch memory, to be cut in typed pieces.
pub(crate) struct Scratch<'a>(&'a mut [u8]);

impl<'a> Scratch<'a> {
    pub(crate) fn new(memory: &'a mut [u8]) -> Self {
        Self(memory)
    }

    /// The next `count` elements, from the beginning of a cache line on, as they were.
    pub(crate) fn take<T: Pod>(&mut self, count: usize) -> &'a mut [T] {
        let rest = core::mem::take(&mut self.0);
        let (_, rest) = rest.split_at_mut(rest.as_ptr().align_offset(LINE));
        let (piece, rest) = rest.split_at_mut(count * size_of::<T>());
        self.0 = rest;
        cast_slice_mut(piece)
    }

    /// A panel of as many groups as any table unpacks together, rows having `units` units.
    pub(crate) fn panel(&mut self, units: usize) -> Panel<'_> {
        let mut rest = Scratch(self.0);
        let units = TOGETHER * units;
        Panel { q: rest.take(units), d: rest.take(units), m: rest.take(units), s: rest.take(units) }
    }
}
