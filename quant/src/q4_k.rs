//! 256 weights in 144 bytes: 4-bit integers, and a 6-bit scale and minimum for every 32.
//!
//! ```text
//! byte  0     2      4          16                      144
//!       |  d  | dmin |  scales  | 128 bytes of nibbles  |
//!         f16   f16    12 bytes
//!
//! unit i of 32:  q[j] = nibble i % 2 of nibble byte 32 (i / 2) + j
//!                scale i is the i-th upper case letter, minimum i the i-th lower case one:
//!
//!                   scales   0        1        2        3
//!                      + 0   EEAAAAAA FFBBBBBB GGCCCCCC HHDDDDDD
//!                      + 4   eeaaaaaa ffbbbbbb ggcccccc hhdddddd
//!                      + 8   eeeeEEEE ffffFFFF ggggGGGG hhhhHHHH
//!
//! w[j] = (d * scale) * q[j] - dmin * minimum
//! ```

use crate::Unpacked;
use crate::float::f16_at;
use crate::format::Row;
use crate::tile::Field;

pub(crate) const ROW: Row = Row {
    id: 12,
    name: "Q4_K",
    weights: 256,
    bytes: 144,
    fields: &[Field::of(1, 2), Field::of(1, 2), Field::of(12, 1), Field::of(32, 4)],
    has_min: true,
    unpack: Some(unpack),
    encode: None,
};

fn unpack(block: &[u8], i: usize, out: &mut Unpacked) {
    *out = scales(block, i);
    for (q, nibble) in out.q.iter_mut().zip(nibbles(&block[16..], i)) {
        *q = nibble as i8;
    }
}

/// Unit `i` without its integers, from the head that Q4_K and Q5_K share.
pub(crate) fn scales(block: &[u8], i: usize) -> Unpacked {
    let at = |j: usize| block[4 + j];
    let (scale, minimum) = match i {
        0..4 => (at(i) & 63, at(i + 4) & 63),
        _ => (at(i + 4) & 15 | at(i - 4) >> 6 << 4, at(i + 4) >> 4 | at(i) >> 6 << 4),
    };
    let (s, n) = ([scale as i8; 2], [minimum as i8; 2]);
    Unpacked { d: f16_at(block, 0), s, m: -f16_at(block, 2), n, ..Unpacked::ZERO }
}

/// The nibbles of unit `i`: two units share 32 bytes.
pub(crate) fn nibbles(bytes: &[u8], i: usize) -> impl Iterator<Item = u8> {
    bytes[i / 2 * 32..][..32].iter().map(move |byte| byte >> (4 * (i % 2)) & 15)
}
