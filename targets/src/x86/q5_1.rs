//! Q5_1: a scale, a minimum and five bits.
//!
//! ```text
//! byte of a tile  0        16       32                    64                            192
//!                 | 8 x d   | 8 x m  | 8 x 32 fifth bits   | 4 quads: nibbles of k and k + 16 |
//! ```

use super::lanes::{at, halves};
use super::product::{Kind, Scales, Tile, Unit};
use super::q5_0::fives;
use dram_quant::{EIGHT, Format};

/// Five bits, as in Q5_0, with a minimum.
pub(crate) struct Q5_1;

impl Kind for Q5_1 {
    const DEPTH: usize = 4;
    const MIN: bool = true;
}

impl Tile<24> for Q5_1 {
    const FORMAT: Format = Format::Q5_1;
    const NEW: Self = Self;

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn unit<Caller>(&self, tile: &[[u8; 24]; EIGHT], _: usize) -> Unit {
        let tile = tile.as_flattened();
        Unit::new(fives(at(tile, 32)))
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn begin(&mut self, tile: &[[u8; 24]; EIGHT]) -> Scales {
        let tile = tile.as_flattened();
        Scales { d: halves(at(tile, 0)), m: halves(at(tile, 16)) }
    }
}
