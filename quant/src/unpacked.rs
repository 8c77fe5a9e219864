//! The form every quantised format unpacks to, and the arithmetic it defines.

/// Weights in one unpacked unit: every format's blocks are a whole number of these.
pub const UNIT: usize = 32;

/// No block of any format has more units.
pub const MAX_UNITS: usize = 8;

/// 32 consecutive weights of one row as integers with scales.
///
/// Weight `j` of half `h = j / 16` is `(d * s[h]) * q[j] + m * n[h]`; the units of a block share
/// `d` and `m`. The product of a block with activations (integers `x`, one scale `dx` for the
/// block) is defined, for every kernel on every CPU, as
///
/// ```text
/// i   = Σ over units and halves of  s[h] * Σ q[j] x[j]        exact, i32
/// k   = Σ over units and halves of  n[h] * Σ x[j]             exact, i32
/// acc = fma(i as f32, d * dx, acc)
/// acc = fma(m, k as f32 * dx, acc)          only for formats with minima
/// ```
///
/// with one `acc` per output and blocks in order. `i` stays below 2^31, and below 2^24 in blocks
/// of one unit; beyond that its conversion rounds to nearest, ties to even. `k` stays below 2^24.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unpacked {
    /// The integers.
    pub q: [i8; UNIT],
    /// Scale of the block.
    pub d: f32,
    /// Integer scale of each half; 1 where a block has one scale.
    pub s: [i8; 2],
    /// Minimum of the block, 0 where the format has none.
    pub m: f32,
    /// Integer factor of the minimum in each half; 1 where a block has one minimum.
    pub n: [i8; 2],
}

impl Unpacked {
    /// A unit of zeros, to unpack into.
    pub const ZERO: Self = Self { q: [0; UNIT], d: 0.0, s: [1; 2], m: 0.0, n: [1; 2] };
}
