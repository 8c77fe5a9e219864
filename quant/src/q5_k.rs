//! 256 weights in 176 bytes: 5-bit integers, and a 6-bit scale and minimum for every 32.
//!
//! ```text
//! byte  0     2      4          16         48                      176
//!       |  d  | dmin |  scales  |   high   | 128 bytes of nibbles  |
//!         f16   f16    12 bytes   32 bytes
//!
//! unit i of 32:  q[j] = nibble i % 2 of nibble byte 32 (i / 2) + j | bit i of high[j] << 4
//!                scale and minimum i lie in scales as in Q4_K
//! w[j] = (d * scale) * q[j] - dmin * minimum
//! ```

use crate::Unpacked;
use crate::format::Row;
use crate::q4_k::{nibbles, scales};
use crate::tile::Field;

pub(crate) const ROW: Row = Row {
    id: 13,
    name: "Q5_K",
    weights: 256,
    bytes: 176,
    fields: &[
        Field::of(1, 2),
        Field::of(1, 2),
        Field::of(12, 1),
        Field::of(8, 4),
        Field::of(32, 4),
    ],
    has_min: true,
    unpack: Some(unpack),
    encode: None,
};

fn unpack(block: &[u8], i: usize, out: &mut Unpacked) {
    *out = scales(block, i);
    let nibbles = nibbles(&block[48..], i);
    for ((q, nibble), high) in out.q.iter_mut().zip(nibbles).zip(&block[16..48]) {
        *q = (nibble | (high >> i & 1) << 4) as i8;
    }
}
