//! Q4_0: a scale and nibbles around 8.
//!
//! ```text
//! byte of a tile  0        16                            144
//!                 | 8 x d   | 4 quads: nibbles of k and k + 16 |
//! ```

use super::lanes::{at, halves, load};
use super::product::{Kind, Scales, Tile, Unit};
use core::arch::x86_64::{
    __m256i, _mm256_and_si256, _mm256_set1_epi8, _mm256_setzero_ps, _mm256_setzero_si256,
    _mm256_srli_epi16,
};
use dram_quant::{EIGHT, Format};

/// Nibbles: 8 pairs of products are at most 8 · 2 · 15 · 127 < 2^15.
pub(crate) struct Q4_0;

impl Kind for Q4_0 {
    const DEPTH: usize = 8;
    const OFFSET: i16 = 8;
}

impl Tile<18> for Q4_0 {
    const FORMAT: Format = Format::Q4_0;
    const CHEAP: bool = true;
    const NEW: Self = Self;

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn unit<Caller>(&self, tile: &[[u8; 18]; EIGHT], _: usize) -> Unit {
        let tile = tile.as_flattened();
        Unit::new(nibbles(&tile[16..]))
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn begin(&mut self, tile: &[[u8; 18]; EIGHT]) -> Scales {
        let tile = tile.as_flattened();
        Scales { d: halves(at(tile, 0)), m: _mm256_setzero_ps() }
    }
}

/// Low nibbles of four quads, then the high ones.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn nibbles(quads: &[u8]) -> [__m256i; 8] {
    let fifteen = _mm256_set1_epi8(15);
    let mut q = [_mm256_setzero_si256(); 8];
    for g in 0..4 {
        let both = load(at(quads, g * 32));
        q[g] = _mm256_and_si256(both, fifteen);
        q[g + 4] = _mm256_and_si256(_mm256_srli_epi16::<4>(both), fifteen);
    }
    q
}
