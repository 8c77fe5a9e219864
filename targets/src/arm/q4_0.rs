//! Q4_0: a scale and nibbles around 8.
//!
//! ```text
//! byte of a tile  0        16                            144
//!                 | 8 x d   | 4 quads: nibbles of k and k + 16 |
//! ```

use super::lanes::{at, halves, quad};
use super::source::{Integers, Kind, Place, Scales, Tile};
use core::arch::aarch64::{
    int8x16_t, uint8x16_t, vandq_u8, vdupq_n_s8, vdupq_n_u8, vreinterpretq_s8_u8, vshrq_n_u8,
};
use dram_quant::{EIGHT, Format};

#[allow(non_camel_case_types, reason = "the format's own name")]
pub(crate) struct Q4_0;

impl Kind for Q4_0 {
    const LARGEST: i16 = 15;
    const OFFSET: i8 = 8;
}

impl Tile<18> for Q4_0 {
    const FORMAT: Format = Format::Q4_0;

    type Panel = Self;
    type Head = ();

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn scales(tile: &[[u8; 18]; EIGHT]) -> Scales {
        Scales::of(halves(at(tile.as_flattened(), 0)))
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn quads<Caller, const I: usize>(tile: &[[u8; 18]; EIGHT]) -> Integers {
        four_quads(at(tile.as_flattened(), 16))
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn pair<Caller, const I: usize>(row: Place<'_>) -> [int8x16_t; 2] {
        nibbles(row.half(2))
    }
}

/// Low nibbles of four quads, then the high ones.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn four_quads(quads: &[u8; 128]) -> Integers {
    let mut q = [[vdupq_n_s8(0); 2]; 8];
    for g in 0..4 {
        let [first, last] = quad(at(quads, g * 32)).map(|both| nibbles(both));
        [q[g], q[g + 4]] = [[first[0], last[0]], [first[1], last[1]]];
    }
    q
}

/// Low nibbles, and high ones.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn nibbles(both: uint8x16_t) -> [int8x16_t; 2] {
    [vandq_u8(both, vdupq_n_u8(15)), vshrq_n_u8::<4>(both)].map(|q| vreinterpretq_s8_u8(q))
}
