//! 32 weights in 22 bytes: a scale and 5-bit integers around 16.
//!
//! ```text
//! byte  0     2        6                      22
//!       |  d  |  high  | 16 bytes of nibbles  |
//!         f16   u32
//!
//! q[j]      = low nibble of byte j  | bit j of high << 4
//! q[j + 16] = high nibble of byte j | bit j + 16 of high << 4
//! w[j]      = d * (q[j] - 16)
//! ```

use crate::Unpacked;
use crate::float::f16_at;
use crate::format::Row;
use crate::q4_0::nibbles;
use crate::tile::Field;

pub(crate) const ROW: Row = Row {
    id: 6,
    name: "Q5_0",
    weights: 32,
    bytes: 22,
    fields: &[Field::of(1, 2), Field::of(1, 4), Field::of(4, 4)],
    has_min: false,
    unpack: Some(unpack),
    encode: None,
};

fn unpack(block: &[u8], _: usize, out: &mut Unpacked) {
    *out = Unpacked { d: f16_at(block, 0), ..Unpacked::ZERO };
    for (q, five) in out.q.iter_mut().zip(fives(&block[2..])) {
        *q = five as i8 - 16;
    }
}

/// 32 5-bit integers from 4 bytes of high bits and 16 bytes of nibbles.
pub(crate) fn fives(bytes: &[u8]) -> impl Iterator<Item = u8> {
    let high = |j: usize| bytes[j / 8] >> (j % 8) & 1;
    nibbles(&bytes[4..]).enumerate().map(move |(j, nibble)| nibble | high(j) << 4)
}
