//! The form every quantised format unpacks to, and the arithmetic it defines.

/// Weights in one unpacked unit: every format's blocks are a whole number of these.
pub const UNIT: usize = 32;

/// 32 consecutive weights of one row as integers with scales.
///
/// Weight `j` of half `h = j / 16` is `(d * s[h]) * q[j] + m * n[h]`, and the product with an
/// activation unit (integers `x`, scale `dx`) is defined, for every kernel on every CPU, as
///
/// ```text
/// i   = s[0] * Σ q[j] x[j] (first half) + s[1] * Σ q[j] x[j] (second half)      exact, i32
/// k   = n[0] * Σ x[j]      (first half) + n[1] * Σ x[j]      (second half)      exact, i32
/// acc = fma(i as f32, d * dx, acc)
/// acc = fma(m, k as f32 * dx, acc)          only for formats with minima
/// ```
///
/// with one `acc` per output and units in order. `i` stays below 2^24, so its conversion is exact.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unpacked {
    /// The integers.
    pub q: [i8; UNIT],
    /// Scale of the unit.
    pub d: f32,
    /// Integer scale of each half; 1 where the format has one scale for the unit.
    pub s: [i8; 2],
    /// Minimum of the unit, 0 where the format has none.
    pub m: f32,
    /// Integer factor of the minimum in each half; 1 where the format has one minimum.
    pub n: [i8; 2],
}

impl Unpacked {
    /// A unit of zeros, to unpack into.
    pub const ZERO: Self = Self { q: [0; UNIT], d: 0.0, s: [1; 2], m: 0.0, n: [1; 2] };
}
