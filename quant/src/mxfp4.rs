//! 32 weights in 17 bytes: a power of two and 4-bit floats (OCP Microscaling, E8M0 and E2M1).
//!
//! ```text
//! byte  0    1                      17
//!       | e  | 16 bytes of nibbles  |
//!         u8
//!
//! d         = 2^(e - 128): half the power that e names, because VALUES are doubled
//! w[j]      = d * VALUES[low nibble of byte j]
//! w[j + 16] = d * VALUES[high nibble of byte j]
//! ```

use crate::Unpacked;
use crate::format::Row;
use crate::q4_0::nibbles;
use crate::tile::Field;

pub(crate) const ROW: Row = Row {
    id: 39,
    name: "MXFP4",
    weights: 32,
    bytes: 17,
    fields: &[Field::of(1, 1), Field::of(4, 4)],
    has_min: false,
    unpack: Some(unpack),
    encode: None,
};

/// Twice the values of E2M1.
const VALUES: [i8; 16] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

fn unpack(block: &[u8], _: usize, out: &mut Unpacked) {
    *out = Unpacked { d: half_power(block[0]), ..Unpacked::ZERO };
    for (q, nibble) in out.q.iter_mut().zip(nibbles(&block[1..])) {
        *q = VALUES[usize::from(nibble)];
    }
}

/// `2^(e - 128)`, which is subnormal for the first two; 255 is no NaN here, as in ggml.
const fn half_power(e: u8) -> f32 {
    f32::from_bits(match e {
        0 | 1 => 0x0020_0000 << e,
        _ => (e as u32 - 1) << 23,
    })
}
