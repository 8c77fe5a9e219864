//! 256 weights in 136 bytes: the indices of IQ4_NL, and a 6-bit scale for every 32.
//!
//! ```text
//! byte  0     2      4         8                       136
//!       |  d  | high |   low   | 128 bytes of nibbles  |
//!         f16   u16    4 bytes
//!
//! unit i of 32:  q[j]      = VALUES[low nibble of nibble byte 16 i + j]
//!                q[j + 16] = VALUES[high nibble of nibble byte 16 i + j]
//!                scale     = (nibble i % 2 of low[i / 2] | bits 2 i and up of high << 4) - 32
//! w[j] = (d * scale) * q[j]
//! ```

use crate::Unpacked;
use crate::float::f16_at;
use crate::format::Row;
use crate::iq4_nl::VALUES;
use crate::q4_0::nibbles;
use crate::tile::Field;

pub(crate) const ROW: Row = Row {
    id: 23,
    name: "IQ4_XS",
    weights: 256,
    bytes: 136,
    fields: &[Field::of(1, 2), Field::of(1, 2), Field::of(4, 1), Field::of(32, 4)],
    has_min: false,
    unpack: Some(unpack),
    encode: None,
};

fn unpack(block: &[u8], i: usize, out: &mut Unpacked) {
    let low = block[4 + i / 2] >> (4 * (i % 2)) & 15;
    let high = block[2 + i / 4] >> (2 * (i % 4)) & 3;
    let scale = (low | high << 4) as i8 - 32;
    *out = Unpacked { d: f16_at(block, 0), s: [scale; 2], ..Unpacked::ZERO };
    for (q, nibble) in out.q.iter_mut().zip(nibbles(&block[8 + 16 * i..][..16])) {
        *q = VALUES[usize::from(nibble)];
    }
}
