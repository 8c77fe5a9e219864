//! Q5_K: Q4_K with a fifth bit.
//!
//! ```text
//! byte of a tile  0        16          32               128            384         1408
//!                 | 8 x d   | 8 x dmin  | 12 x 8 scales  | 8 quads high | 32 quads  |
//! ```
//!
//! Bit `i` of the high bytes belongs to unit `i`.

use super::lanes::{at, load};
use super::product::{Kind, Scales, Tile, Unit};
use super::q4_k::{self, Factors, nibbles};
use core::arch::x86_64::{
    _mm256_and_si256, _mm256_or_si256, _mm256_set1_epi8, _mm256_set1_epi32, _mm256_slli_epi16,
    _mm256_srlv_epi32,
};
use dram_quant::{EIGHT, Format};

/// Five bits: 4 pairs of products are at most 4 · 2 · 31 · 127 < 2^15.
#[allow(non_camel_case_types, reason = "the format's own name")]
pub(crate) struct Q5_K(Factors);

impl Kind for Q5_K {
    const BLOCK: usize = 8;
    const SHARE: usize = 2;
    const DEPTH: usize = 4;
    const MIN: bool = true;
}

impl Tile<176> for Q5_K {
    const FORMAT: Format = Format::Q5_K;
    const NEW: Self = Self(Factors::ZERO);

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn unit<Caller>(&self, tile: &[[u8; 176]; EIGHT], i: usize) -> Unit {
        let tile = tile.as_flattened();
        let shift = _mm256_set1_epi32(i as i32);
        let mut q = nibbles(at(tile, 384), i);
        for (g, q) in q.iter_mut().enumerate() {
            let high = _mm256_srlv_epi32(load(at(tile, 128 + g * 32)), shift);
            let high = _mm256_and_si256(high, _mm256_set1_epi8(1));
            *q = _mm256_or_si256(*q, _mm256_slli_epi16::<4>(high));
        }
        self.0.unit(q, i)
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn begin(&mut self, tile: &[[u8; 176]; EIGHT]) -> Scales {
        let tile = tile.as_flattened();
        self.0.read(at(tile, 32));
        q4_k::scales(at(tile, 0))
    }
}
