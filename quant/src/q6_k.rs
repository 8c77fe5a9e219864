//! 256 weights in 210 bytes: 6-bit integers around 32, and an 8-bit scale for every 16.
//!
//! ```text
//! byte  0                      128                  192        208   210
//!       | 128 bytes of nibbles | 64 bytes of 2 bits |  scales  |  d  |
//!                                                     16 x i8    f16
//!
//! unit i of 32:  low  = nibble i % 4 / 2 of nibble byte 64 (i / 4) + 32 (i % 2) + j
//!                high = bits 2 (i % 4) and up of 2-bit byte 32 (i / 4) + j
//!                q[j] = (low | high << 4) - 32
//! half h of it:  s = scales[2 i + h]
//! w[j] = (d * s) * q[j]
//! ```

use crate::Unpacked;
use crate::float::f16_at;
use crate::format::Row;
use crate::q2_k::twos;
use crate::tile::Field;

pub(crate) const ROW: Row = Row {
    id: 14,
    name: "Q6_K",
    weights: 256,
    bytes: 210,
    fields: &[Field::of(32, 4), Field::of(16, 4), Field::of(16, 1), Field::of(1, 2)],
    has_min: false,
    unpack: Some(unpack),
    encode: None,
};

fn unpack(block: &[u8], i: usize, out: &mut Unpacked) {
    let s = [block[192 + 2 * i].cast_signed(), block[193 + 2 * i].cast_signed()];
    *out = Unpacked { d: f16_at(block, 208), s, ..Unpacked::ZERO };
    let low = &block[64 * (i / 4) + 32 * (i % 2)..][..32];
    let shift = 4 * (i % 4 / 2);
    for ((q, low), high) in out.q.iter_mut().zip(low).zip(twos(&block[128..192], i)) {
        *q = (low >> shift & 15 | high << 4) as i8 - 32;
    }
}
