//! Q8_0: a scale and signed bytes.
//!
//! ```text
//! byte of a tile  0        16          272
//!                 | 8 x d   | 8 quads  |
//! ```

use super::any::Any;
use super::lanes::{at, halves};
use super::source::{Kind, Place, Scales, Tile};
use core::arch::aarch64::{int8x16_t, vreinterpretq_s8_u8};
use dram_quant::{EIGHT, Format};

#[allow(non_camel_case_types, reason = "the format's own name")]
pub(crate) struct Q8_0;

impl Kind for Q8_0 {
    const LARGEST: i16 = 128;
}

impl Tile<34> for Q8_0 {
    const FORMAT: Format = Format::Q8_0;

    type Panel = Any<1, false>;
    type Head = ();

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn scales(tile: &[[u8; 34]; EIGHT]) -> Scales {
        Scales::of(halves(at(tile.as_flattened(), 0)))
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn pair<Caller, const I: usize>(place: Place<'_>) -> [int8x16_t; 2] {
        place.at(2).map(|q| vreinterpretq_s8_u8(q))
    }
}
