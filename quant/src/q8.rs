//! Activations: columns of 8-bit integers in units of 32.

use crate::unpacked::UNIT;

/// Quantised activations: one or more columns of `len` numbers each.
///
/// Number `j` of a unit is `q[j] * d`. Parts lie in arrays of their own so that scales load as
/// vectors; columns follow each other in every array.
#[derive(Clone, Copy, Debug)]
pub struct Q8<'a> {
    /// Numbers in one column, a multiple of 32.
    pub len: usize,
    /// Integers in −127..=127, `(columns, len)`.
    pub q: &'a [i8],
    /// Scale of each unit, `(columns, len / 32)`; where weights come in longer blocks the scale of
    /// a block is that of its first unit.
    pub d: &'a [f32],
    /// `d` times the sum of the unit's integers, `(columns, len / 32)`.
    pub ds: &'a [f32],
    /// Sums of the integers of each half of a unit, `(columns, len / 32)`.
    pub sums: &'a [[i16; 2]],
}

impl<'a> Q8<'a> {
    /// Columns.
    pub const fn count(&self) -> usize {
        self.q.len() / self.len
    }

    /// Columns `first..first + count` alone.
    ///
    /// # Panics
    ///
    /// If there are fewer.
    #[inline]
    pub fn columns(&self, first: usize, count: usize) -> Self {
        let (len, units) = (self.len, self.len / UNIT);
        Self {
            len,
            q: &self.q[first * len..][..count * len],
            d: &self.d[first * units..][..count * units],
            ds: &self.ds[first * units..][..count * units],
            sums: &self.sums[first * units..][..count * units],
        }
    }
}

/// One column of quantised activations, to be written; fields as in [`Q8`].
#[derive(Debug)]
#[allow(missing_docs, reason = "fields as in Q8")]
pub struct Q8Mut<'a> {
    pub q: &'a mut [i8],
    pub d: &'a mut [f32],
    pub ds: &'a mut [f32],
    pub sums: &'a mut [[i16; 2]],
}
