//! 32 weights in 18 bytes: a scale and 4-bit indices into a table of unevenly spaced integers.
//!
//! ```text
//! byte  0     2                      18
//!       |  d  | 16 bytes of nibbles  |
//!         f16
//!
//! w[j]      = d * VALUES[low nibble of byte j]
//! w[j + 16] = d * VALUES[high nibble of byte j]
//! ```

use crate::Unpacked;
use crate::float::f16_at;
use crate::format::Row;
use crate::q4_0::nibbles;
use crate::tile::Field;

pub(crate) const ROW: Row = Row {
    id: 20,
    name: "IQ4_NL",
    weights: 32,
    bytes: 18,
    fields: &[Field::of(1, 2), Field::of(4, 4)],
    has_min: false,
    unpack: Some(unpack),
    encode: None,
};

/// What the nibbles of IQ4_NL and IQ4_XS stand for: ggml's `kvalues_iq4nl`.
pub const VALUES: [i8; 16] =
    [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

fn unpack(block: &[u8], _: usize, out: &mut Unpacked) {
    *out = Unpacked { d: f16_at(block, 0), ..Unpacked::ZERO };
    for (q, nibble) in out.q.iter_mut().zip(nibbles(&block[2..])) {
        *q = VALUES[usize::from(nibble)];
    }
}
