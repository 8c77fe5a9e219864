//! Q4_1: a scale, a minimum and nibbles.
//!
//! ```text
//! byte of a tile  0        16       32                            160
//!                 | 8 x d   | 8 x m  | 4 quads: nibbles of k and k + 16 |
//! ```

use super::lanes::{at, halves};
use super::q4_0::{four_quads, nibbles};
use super::source::{Integers, Kind, Place, Scales, Tile};
use core::arch::aarch64::int8x16_t;
use dram_quant::{EIGHT, Format};

#[allow(non_camel_case_types, reason = "the format's own name")]
pub(crate) struct Q4_1;

impl Kind for Q4_1 {
    const LARGEST: i16 = 15;
    const MIN: bool = true;
}

impl Tile<20> for Q4_1 {
    const FORMAT: Format = Format::Q4_1;

    type Panel = Self;
    type Head = ();

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn scales(tile: &[[u8; 20]; EIGHT]) -> Scales {
        let tile = tile.as_flattened();
        Scales { d: halves(at(tile, 0)), m: halves(at(tile, 16)) }
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn quads<Caller, const I: usize>(tile: &[[u8; 20]; EIGHT]) -> Integers {
        four_quads(at(tile.as_flattened(), 32))
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn pair<Caller, const I: usize>(row: Place<'_>) -> [int8x16_t; 2] {
        nibbles(row.half(4))
    }
}
