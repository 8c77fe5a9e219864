//! Q4_1: a scale, a minimum and nibbles.
//!
//! ```text
//! byte of a tile  0        16       32                            160
//!                 | 8 x d   | 8 x m  | 4 quads: nibbles of k and k + 16 |
//! ```

use super::lanes::{at, halves};
use super::product::{Kind, Scales, Tile, Unit};
use super::q4_0::nibbles;
use dram_quant::{EIGHT, Format};

/// Nibbles with a minimum.
pub(crate) struct Q4_1;

impl Kind for Q4_1 {
    const DEPTH: usize = 8;
    const MIN: bool = true;
}

impl Tile<20> for Q4_1 {
    const FORMAT: Format = Format::Q4_1;
    const CHEAP: bool = true;
    const NEW: Self = Self;

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn unit<Caller>(&self, tile: &[[u8; 20]; EIGHT], _: usize) -> Unit {
        let tile = tile.as_flattened();
        Unit::new(nibbles(&tile[32..]))
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn begin(&mut self, tile: &[[u8; 20]; EIGHT]) -> Scales {
        let tile = tile.as_flattened();
        Scales { d: halves(at(tile, 0)), m: halves(at(tile, 16)) }
    }
}
