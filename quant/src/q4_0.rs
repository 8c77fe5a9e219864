//! 32 weights in 18 bytes: a scale and 4-bit integers around 8.
//!
//! ```text
//! byte  0     2                      18
//!       |  d  | 16 bytes of nibbles  |
//!         f16
//!
//! w[j]      = d * (low nibble of byte j - 8)
//! w[j + 16] = d * (high nibble of byte j - 8)
//! ```

use crate::Unpacked;
use crate::float::{f16_at, f32_to_f16};
use crate::format::Row;
use crate::tile::Field;

pub(crate) const ROW: Row = Row {
    id: 2,
    name: "Q4_0",
    weights: 32,
    bytes: 18,
    fields: &[Field::of(1, 2), Field::of(4, 4)],
    has_min: false,
    unpack: Some(unpack),
    encode: Some(encode),
};

fn unpack(block: &[u8], _: usize, out: &mut Unpacked) {
    *out = Unpacked { d: f16_at(block, 0), ..Unpacked::ZERO };
    for (q, nibble) in out.q.iter_mut().zip(nibbles(&block[2..])) {
        *q = nibble as i8 - 8;
    }
}

/// The 32 nibbles of 16 bytes: all low ones, then all high ones.
pub(crate) fn nibbles(bytes: &[u8]) -> impl Iterator<Item = u8> {
    bytes.iter().map(|byte| byte & 15).chain(bytes.iter().map(|byte| byte >> 4))
}

/// Rounds so that the weight of the largest magnitude becomes -8, as ggml does it.
fn encode(x: &[f32], out: &mut [u8]) {
    let largest = x.iter().fold(0.0, |a: f32, &b| if a.abs() < b.abs() { b } else { a });
    let d = largest / -8.0;
    out[..2].copy_from_slice(&f32_to_f16(d).to_le_bytes());
    let inverse = if d == 0.0 { 0.0 } else { 1.0 / d };
    put_nibbles(&mut out[2..], |j| x[j] * inverse + 8.5);
}

/// The inverse of [`nibbles`]: nibble `j` is `value(j)`, truncated and at most 15.
pub(crate) fn put_nibbles(bytes: &mut [u8], value: impl Fn(usize) -> f32) {
    let nibble = |j| (value(j) as u8).min(15);
    for (j, byte) in bytes.iter_mut().enumerate() {
        *byte = nibble(j) | nibble(j + 16) << 4;
    }
}
