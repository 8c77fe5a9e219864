//! Floats: weights that are multiplied as they are, and the half precision scales of the others.

use crate::Format;
use crate::format::Row;
use crate::tile::Field;
use half::{bf16, f16};

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
    encode: Some(|x, out| out.copy_from_slice(&f16::from_f32(x[0]).to_le_bytes())),
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
    encode: Some(|x, out| out.copy_from_slice(&bf16::from_f32(x[0]).to_le_bytes())),
};

/// Decodes a row of a float format; `row` and `out` have the same number of weights.
pub(crate) fn decode(format: Format, row: &[u8], out: &mut [f32]) {
    match format {
        Format::F16 => {
            let (halves, _) = row.as_chunks();
            halves.iter().zip(out).for_each(|(h, y)| *y = f16::from_le_bytes(*h).to_f32());
        }
        Format::BF16 => {
            let (halves, _) = row.as_chunks();
            // The bits as they are, also of a signalling NaN, which `half` would make quiet.
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
#[inline(always)]
pub fn f16_to_f32(half: u16) -> f32 {
    f16::from_bits(half).to_f32()
}

/// The bits of the IEEE 754 half precision number nearest to `x`, ties to even.
///
/// From 65520 on the nearest is infinity. A NaN keeps its sign and the upper bits of its payload
/// and becomes quiet, as CPUs do it.
#[inline(always)]
pub fn f32_to_f16(x: f32) -> u16 {
    f16::from_f32(x).to_bits()
}
