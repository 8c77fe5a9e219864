//! 256 weights in 110 bytes: 3-bit integers around 4, and a 6-bit scale for every 16.
//!
//! ```text
//! byte  0          32                   96         108   110
//!       |   high   | 64 bytes of 2 bits |  scales  |  d  |
//!         32 bytes                        12 bytes   f16
//!
//! unit i of 32:  low  = bits 2 (i % 4) and up of 2-bit byte 32 (i / 4) + j
//!                q[j] = (low | bit i of high[j] << 2) - 4
//! half h of it:  low  = nibble k / 8 of scales[k % 8], where k = 2 i + h
//!                top  = bits 2 (k / 4) and up of scales[8 + k % 4]
//!                s    = (low | top << 4) - 32
//! w[j] = (d * s) * q[j]
//! ```

use crate::Unpacked;
use crate::float::f16_at;
use crate::format::Row;
use crate::q2_k::twos;
use crate::tile::Field;

pub(crate) const ROW: Row = Row {
    id: 11,
    name: "Q3_K",
    weights: 256,
    bytes: 110,
    fields: &[Field::of(8, 4), Field::of(16, 4), Field::of(12, 1), Field::of(1, 2)],
    has_min: false,
    unpack: Some(unpack),
    encode: None,
};

fn unpack(block: &[u8], i: usize, out: &mut Unpacked) {
    let s = [2 * i, 2 * i + 1].map(|k| scale(&block[96..108], k));
    *out = Unpacked { d: f16_at(block, 108), s, ..Unpacked::ZERO };
    let twos = twos(&block[32..96], i);
    for ((q, two), high) in out.q.iter_mut().zip(twos).zip(&block[..32]) {
        *q = (two | (high >> i & 1) << 2) as i8 - 4;
    }
}

/// The 6-bit scale of 16 weights `k`.
fn scale(scales: &[u8], k: usize) -> i8 {
    let low = scales[k % 8] >> (4 * (k / 8)) & 15;
    let high = scales[8 + k % 4] >> (2 * (k / 4)) & 3;
    (low | high << 4) as i8 - 32
}
