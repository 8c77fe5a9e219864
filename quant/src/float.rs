//! Floats: weights that are multiplied as they are, and the half precision scales of the others.

use crate::Format;
use crate::format::Row;
use crate::tile::Field;

pub(crate) const F32: Row = Row {
    id: 0,
    name: "F32",
    weights: 1,
    bytes: 4,
    fields: &[Field::of(1, 4)],
    has_min: false,
    unpack: None,
    encode: Some(|x, out| out.copy_from_slice(&x[0].to_le_bytes())),
};

pub(crate) const F16: Row = Row {
    id: 1,
    name: "F16",
    weights: 1,
    bytes: 2,
    fields: &[Field::of(1, 2)],
    has_min: false,
    unpack: None,
    encode: Some(|x, out| out.copy_from_slice(&f32_to_f16(x[0]).to_le_bytes())),
};

/// The upper half of an F32.
pub(crate) const BF16: Row = Row {
    id: 30,
    name: "BF16",
    weights: 1,
    bytes: 2,
    fields: &[Field::of(1, 2)],
    has_min: false,
    unpack: None,
    encode: Some(|x, out| out.copy_from_slice(&f32_to_bf16(x[0]).to_le_bytes())),
};

/// Decodes a row of a float format; `row` and `out` have the same number of weights.
pub(crate) fn decode(format: Format, row: &[u8], out: &mut [f32]) {
    match format {
        Format::F16 => {
            let (halves, _) = row.as_chunks();
            halves.iter().zip(out).for_each(|(h, y)| *y = f16_to_f32(u16::from_le_bytes(*h)));
        }
        Format::BF16 => {
            let (halves, _) = row.as_chunks();
            halves.iter().zip(out).for_each(|(&[a, b], y)| *y = f32::from_le_bytes([0, 0, a, b]));
        }
        _ => {
            let (words, _) = row.as_chunks();
            words.iter().zip(out).for_each(|(w, y)| *y = f32::from_le_bytes(*w));
        }
    }
}

/// The half precision scale at byte `offset` of a block.
pub(crate) fn f16_at(block: &[u8], offset: usize) -> f32 {
    f16_to_f32(u16::from_le_bytes([block[offset], block[offset + 1]]))
}

/// The value of an IEEE 754 half precision number, given its bits.
///
/// Exact for every number; a NaN keeps its sign and payload and becomes quiet, as CPUs do it.
pub const fn f16_to_f32(half: u16) -> f32 {
    /// Makes up for the different exponent biases, 127 and 15.
    const BIAS: f32 = f32::from_bits((127 + 112) << 23);
    let sign = (half as u32 & 0x8000) << 16;
    let magnitude = (half as u32 & 0x7fff) << 13;
    f32::from_bits(match half & 0x7fff {
        0..0x7c00 => sign | (f32::from_bits(magnitude) * BIAS).to_bits(),
        0x7c00 => sign | 0x7f80_0000,
        _ => sign | 0x7fc0_0000 | magnitude,
    })
}

/// The bits of the IEEE 754 half precision number nearest to `x`, ties to even.
///
/// From 65520 on the nearest is infinity. A NaN keeps its sign and the upper bits of its payload
/// and becomes quiet, as CPUs do it.
pub const fn f32_to_f16(x: f32) -> u16 {
    let sign = (x.to_bits() >> 16) & 0x8000;
    let magnitude = x.to_bits() & 0x7fff_ffff;
    let half = match magnitude {
        0..0x3300_0000 => 0,
        // Less than 2^-14: a multiple of 2^-24, the implicit leading bit made explicit.
        0x3300_0000..0x3880_0000 => {
            round_shift(magnitude & 0x007f_ffff | 0x0080_0000, 126 - (magnitude >> 23))
        }
        // Exponent bias 127 becomes 15; a carry out of the mantissa is the next exponent.
        0x3880_0000..0x477f_f000 => round_shift(magnitude - (112 << 23), 13),
        0x477f_f000..=0x7f80_0000 => 0x7c00,
        _ => 0x7e00 | (magnitude >> 13) & 0x3ff,
    };
    (sign | half) as u16
}

/// The bits of the BF16 nearest to `x`, ties to even; a NaN becomes quiet.
const fn f32_to_bf16(x: f32) -> u16 {
    let bits = x.to_bits();
    (if x.is_nan() { bits >> 16 | 0x40 } else { round_shift(bits, 16) }) as u16
}

/// `x / 2^shift`, rounded to the nearest integer, ties to even.
const fn round_shift(x: u32, shift: u32) -> u32 {
    let odd = (x >> shift) & 1;
    (x + (1 << (shift - 1)) - 1 + odd) >> shift
}
