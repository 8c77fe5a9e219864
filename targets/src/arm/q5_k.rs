//! Q5_K: Q4_K with a fifth bit.
//!
//! ```text
//! byte of a tile  0        16          32               128            384         1408
//!                 | 8 x d   | 8 x dmin  | 12 x 8 scales  | 8 quads high | 32 quads  |
//! ```
//!
//! Bit `i` of the high bytes belongs to unit `i`.

use super::lanes::at;
use super::q4_k::{Head, scales};
use super::source::{Integers, Kind, Place, Scales, Tile, Unit};
use core::arch::aarch64::{
    int8x16_t, vandq_u8, vdupq_n_s8, vdupq_n_u8, vreinterpretq_s8_u8, vshlq_u8, vsliq_n_u8,
    vsriq_n_u8,
};
use dram_quant::{EIGHT, Format};

#[allow(non_camel_case_types, reason = "the format's own name")]
pub(crate) struct Q5_K;

impl Kind for Q5_K {
    const LARGEST: i16 = 31;
    const UNITS: usize = 8;
    const SHARE: usize = 2;
    const MIN: bool = true;
}

impl Tile<176> for Q5_K {
    const FORMAT: Format = Format::Q5_K;

    type Panel = Self;
    type Head = Head;

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn head<Caller>(tile: &[[u8; 176]; EIGHT]) -> Head {
        Head::read::<Caller>(at(tile.as_flattened(), 32))
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn scales(tile: &[[u8; 176]; EIGHT]) -> Scales {
        scales(at(tile.as_flattened(), 0))
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn unit<Caller, const I: usize, const SHARE: usize>(
        head: &Head,
        _: &[[u8; 176]; EIGHT],
        q: Integers,
    ) -> Unit {
        head.unit(I, SHARE, q)
    }

    /// A shift with insertion joins nibble and bit; what else is in the byte goes.
    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn pair<Caller, const I: usize>(place: Place<'_>) -> [int8x16_t; 2] {
        let (both, bits) = (place.at(48 + I / 2 * 32), place.at(16));
        let join = |both, bits| {
            let five = if I.is_multiple_of(2) {
                vsliq_n_u8::<4>(both, vshlq_u8(bits, vdupq_n_s8(-(I as i8))))
            } else {
                vsriq_n_u8::<4>(vshlq_u8(bits, vdupq_n_s8(4 - I as i8)), both)
            };
            vreinterpretq_s8_u8(vandq_u8(five, vdupq_n_u8(31)))
        };
        [join(both[0], bits[0]), join(both[1], bits[1])]
    }
}
