//! 32 weights in 34 bytes: a scale and 8-bit integers.
//!
//! ```text
//! byte  0     2                   34
//!       |  d  | 32 signed bytes q |
//!         f16
//!
//! w[j] = d * q[j]
//! ```

use crate::Unpacked;
use crate::float::{f16_at, f32_to_f16};
use crate::format::Row;
use crate::tile::Field;

pub(crate) const ROW: Row = Row {
    id: 8,
    name: "Q8_0",
    weights: 32,
    bytes: 34,
    fields: &[Field::of(1, 2), Field::of(8, 4)],
    has_min: false,
    unpack: Some(unpack),
    encode: Some(encode),
};

fn unpack(block: &[u8], _: usize, out: &mut Unpacked) {
    *out = Unpacked { d: f16_at(block, 0), ..Unpacked::ZERO };
    for (q, byte) in out.q.iter_mut().zip(&block[2..]) {
        *q = byte.cast_signed();
    }
}

/// Rounds so that the weight of the largest magnitude becomes 127 or -127, as ggml does it.
fn encode(x: &[f32], out: &mut [u8]) {
    let d = x.iter().fold(0.0, |a: f32, b| a.max(b.abs())) / 127.0;
    out[..2].copy_from_slice(&f32_to_f16(d).to_le_bytes());
    let inverse = if d == 0.0 { 0.0 } else { 1.0 / d };
    for (byte, x) in out[2..].iter_mut().zip(x) {
        *byte = round(x * inverse).cast_unsigned();
    }
}

/// The nearest integer, ties away from zero; `core` has no `f32::round`.
fn round(x: f32) -> i8 {
    let whole = x as i8;
    let rest = x - f32::from(whole);
    if rest.abs() >= 0.5 { whole.saturating_add(rest.signum() as i8) } else { whole }
}
