//! 256 weights in 84 bytes: 2-bit integers, and a 4-bit scale and minimum for every 16.
//!
//! ```text
//! byte  0          16                   80    82     84
//!       |  scales  | 64 bytes of 2 bits |  d  | dmin |
//!         16 bytes                        f16   f16
//!
//! unit i of 32:  q[j] = bits 2 (i % 4) and up of 2-bit byte 32 (i / 4) + j
//! half h of it:  s = low nibble, n = high nibble of scales[2 i + h]
//! w[j] = (d * s) * q[j] - dmin * n
//! ```

use crate::Unpacked;
use crate::float::f16_at;
use crate::format::Row;
use crate::tile::Field;

pub(crate) const ROW: Row = Row {
    id: 10,
    name: "Q2_K",
    weights: 256,
    bytes: 84,
    fields: &[Field::of(16, 1), Field::of(16, 4), Field::of(1, 2), Field::of(1, 2)],
    has_min: true,
    unpack: Some(unpack),
    encode: None,
};

fn unpack(block: &[u8], i: usize, out: &mut Unpacked) {
    let scales = [block[2 * i], block[2 * i + 1]];
    out.d = f16_at(block, 80);
    out.s = scales.map(|scale| (scale & 15) as i8);
    out.m = -f16_at(block, 82);
    out.n = scales.map(|scale| (scale >> 4) as i8);
    for (q, two) in out.q.iter_mut().zip(twos(&block[16..80], i)) {
        *q = two as i8;
    }
}

/// The 2-bit integers of unit `i`: four units share 32 bytes.
pub(crate) fn twos(bytes: &[u8], i: usize) -> impl Iterator<Item = u8> {
    bytes[i / 4 * 32..][..32].iter().map(move |byte| byte >> (2 * (i % 4)) & 3)
}
