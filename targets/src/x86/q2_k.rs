//! Q2_K: two bits, and a 4-bit scale and minimum for every 16.
//!
//! ```text
//! byte of a tile  0             128         640     656
//!                 | 16 x 8 scales | 16 quads | 8 x d | 8 x dmin |
//! ```
//!
//! Four units share eight quads, two bits each.

use super::lanes::{at, halves, load, zip};
use super::product::{Kind, Scales, Tile, Unit};
use core::arch::x86_64::{
    __m256i, _mm256_and_si256, _mm256_cvtepu8_epi16, _mm256_set1_epi8, _mm256_set1_epi16,
    _mm256_set1_epi32, _mm256_set1_ps, _mm256_setzero_si256, _mm256_srli_epi16, _mm256_srlv_epi32,
    _mm256_xor_ps,
};
use dram_quant::{EIGHT, Format};

/// Two bits: 4 pairs of products are at most 4 · 2 · 3 · 127 < 2^15.
#[allow(non_camel_case_types, reason = "the format's own name")]
pub(crate) struct Q2_K;

impl Kind for Q2_K {
    const BLOCK: usize = 8;
    const SHARE: usize = 4;
    const DEPTH: usize = 4;
    const HALVES: bool = true;
    const MIN: bool = true;
}

impl Tile<84> for Q2_K {
    const FORMAT: Format = Format::Q2_K;
    const NEW: Self = Self;

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn unit<Caller>(&self, tile: &[[u8; 84]; EIGHT], i: usize) -> Unit {
        let tile = tile.as_flattened();
        let factors = _mm256_cvtepu8_epi16(zip(at(tile, i * 16)));
        let s = _mm256_and_si256(factors, _mm256_set1_epi16(15));
        Unit { q: twos(at(tile, 128), i), s, n: _mm256_srli_epi16::<4>(factors) }
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn begin(&mut self, tile: &[[u8; 84]; EIGHT]) -> Scales {
        let tile = tile.as_flattened();
        let minima = halves(at(tile, 656));
        Scales { d: halves(at(tile, 640)), m: _mm256_xor_ps(minima, _mm256_set1_ps(-0.0)) }
    }
}

/// The two bits of unit `i`, from 16 quads.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn twos(quads: &[u8; 512], i: usize) -> [__m256i; 8] {
    let shift = _mm256_set1_epi32(i as i32 % 4 * 2);
    let mut q = [_mm256_setzero_si256(); 8];
    for (g, q) in q.iter_mut().enumerate() {
        let four = load(at(quads, (i / 4 * 8 + g) * 32));
        *q = _mm256_and_si256(_mm256_srlv_epi32(four, shift), _mm256_set1_epi8(3));
    }
    q
}
