//! 32 weights in 20 bytes: a scale, a minimum and 4-bit integers.
//!
//! ```text
//! byte  0     2     4                      20
//!       |  d  |  m  | 16 bytes of nibbles  |
//!         f16   f16
//!
//! w[j]      = d * low nibble of byte j + m
//! w[j + 16] = d * high nibble of byte j + m
//! ```

use crate::Unpacked;
use crate::float::{f16_at, f32_to_f16};
use crate::format::Row;
use crate::q4_0::{nibbles, put_nibbles};
use crate::tile::Field;

pub(crate) const ROW: Row = Row {
    id: 3,
    name: "Q4_1",
    weights: 32,
    bytes: 20,
    fields: &[Field::of(1, 2), Field::of(1, 2), Field::of(4, 4)],
    has_min: true,
    unpack: Some(unpack),
    encode: Some(encode),
};

fn unpack(block: &[u8], _: usize, out: &mut Unpacked) {
    *out = Unpacked { d: f16_at(block, 0), m: f16_at(block, 2), ..Unpacked::ZERO };
    for (q, nibble) in out.q.iter_mut().zip(nibbles(&block[4..])) {
        *q = nibble as i8;
    }
}

/// Rounds to 16 steps from the least to the greatest weight, as ggml does it.
fn encode(x: &[f32], out: &mut [u8]) {
    let least = x.iter().copied().fold(f32::MAX, f32::min);
    let greatest = x.iter().copied().fold(f32::MIN, f32::max);
    let d = (greatest - least) / 15.0;
    out[..2].copy_from_slice(&f32_to_f16(d).to_le_bytes());
    out[2..4].copy_from_slice(&f32_to_f16(least).to_le_bytes());
    let inverse = if d == 0.0 { 0.0 } else { 1.0 / d };
    put_nibbles(&mut out[4..], |j| (x[j] - least) * inverse + 0.5);
}
