//! 32 weights in 24 bytes: a scale, a minimum and 5-bit integers.
//!
//! ```text
//! byte  0     2     4        8                      24
//!       |  d  |  m  |  high  | 16 bytes of nibbles  |
//!         f16   f16   u32
//!
//! q[j]      = low nibble of byte j  | bit j of high << 4
//! q[j + 16] = high nibble of byte j | bit j + 16 of high << 4
//! w[j]      = d * q[j] + m
//! ```

use crate::Unpacked;
use crate::float::f16_at;
use crate::format::Row;
use crate::q5_0::fives;
use crate::tile::Field;

pub(crate) const ROW: Row = Row {
    id: 7,
    name: "Q5_1",
    weights: 32,
    bytes: 24,
    fields: &[Field::of(1, 2), Field::of(1, 2), Field::of(1, 4), Field::of(4, 4)],
    has_min: true,
    unpack: Some(unpack),
    encode: None,
};

fn unpack(block: &[u8], _: usize, out: &mut Unpacked) {
    *out = Unpacked { d: f16_at(block, 0), m: f16_at(block, 2), ..Unpacked::ZERO };
    for (q, five) in out.q.iter_mut().zip(fives(&block[4..])) {
        *q = five as i8;
    }
}
