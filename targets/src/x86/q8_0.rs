//! Q8_0: a scale and signed bytes.
//!
//! ```text
//! byte of a tile  0        16          272
//!                 | 8 x d   | 8 quads  |
//! ```

use super::lanes::{at, halves, load};
use super::product::{Kind, Scales, Tile, Unit};
use core::arch::x86_64::{_mm256_setzero_ps, _mm256_setzero_si256};
use dram_quant::{EIGHT, Format};

/// Signed bytes: one pair of products is at most 2 · 128 · 127 < 2^15.
pub(crate) struct Q8_0;

impl Kind for Q8_0 {
    const DEPTH: usize = 1;
    const SIGNED: bool = true;
}

impl Tile<34> for Q8_0 {
    const FORMAT: Format = Format::Q8_0;
    const CHEAP: bool = true;
    const NEW: Self = Self;

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn unit<Caller>(&self, tile: &[[u8; 34]; EIGHT], _: usize) -> Unit {
        let tile = tile.as_flattened();
        let mut q = [_mm256_setzero_si256(); 8];
        for (g, q) in q.iter_mut().enumerate() {
            *q = load(at(tile, 16 + g * 32));
        }
        Unit::new(q)
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn begin(&mut self, tile: &[[u8; 34]; EIGHT]) -> Scales {
        let tile = tile.as_flattened();
        Scales { d: halves(at(tile, 0)), m: _mm256_setzero_ps() }
    }
}
