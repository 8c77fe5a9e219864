//! Q6_K: six bits around 32, and an 8-bit scale for every 16.
//!
//! ```text
//! byte of a tile  0                    1024                  1536             1664   1680
//!                 | 32 quads of nibbles | 16 quads of 2 bits | 16 x 8 scales  | 8 x d |
//! ```
//!
//! Units 0 to 3 take their nibbles from quads 0, 8, 0, 8 and on, their high bits from quad 0 and
//! on; units 4 to 7 likewise from quads 16 and 8 on.

use super::lanes::{at, halves, load, zip};
use super::product::{Kind, Scales, Tile, Unit};
use core::arch::x86_64::{
    __m256i, _mm256_and_si256, _mm256_cvtepi8_epi16, _mm256_or_si256, _mm256_set1_epi8,
    _mm256_set1_epi32, _mm256_setzero_ps, _mm256_setzero_si256, _mm256_slli_epi16,
    _mm256_srlv_epi32,
};
use dram_quant::{EIGHT, Format};

/// Six bits: 2 pairs of products are at most 2 · 2 · 63 · 127 < 2^15.
#[allow(non_camel_case_types, reason = "the format's own name")]
pub(crate) struct Q6_K;

impl Kind for Q6_K {
    const BLOCK: usize = 8;
    const SHARE: usize = 4;
    const DEPTH: usize = 2;
    const OFFSET: i16 = 32;
    const HALVES: bool = true;
}

impl Tile<210> for Q6_K {
    const FORMAT: Format = Format::Q6_K;
    const NEW: Self = Self;

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn unit<Caller>(&self, tile: &[[u8; 210]; EIGHT], i: usize) -> Unit {
        let tile = tile.as_flattened();
        let s = _mm256_cvtepi8_epi16(zip(at(tile, 1536 + i * 16)));
        Unit { s, ..Unit::new(sixes::<Caller>(at(tile, 0), i)) }
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn begin(&mut self, tile: &[[u8; 210]; EIGHT]) -> Scales {
        Scales { d: halves(at(tile.as_flattened(), 1664)), m: _mm256_setzero_ps() }
    }
}

/// The integers of unit `i`, from 32 quads of nibbles and 16 of two bits; inlined as its caller is.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn sixes<Caller>(quads: &[u8; 1536], i: usize) -> [__m256i; 8] {
    let low_shift = _mm256_set1_epi32(i as i32 % 4 / 2 * 4);
    let high_shift = _mm256_set1_epi32(i as i32 % 4 * 2);
    let mut q = [_mm256_setzero_si256(); 8];
    for (g, q) in q.iter_mut().enumerate() {
        let low = load(at(quads, (i / 4 * 16 + i % 2 * 8 + g) * 32));
        let low = _mm256_and_si256(_mm256_srlv_epi32(low, low_shift), _mm256_set1_epi8(15));
        let high = load(at(quads, 1024 + (i / 4 * 8 + g) * 32));
        let high = _mm256_and_si256(_mm256_srlv_epi32(high, high_shift), _mm256_set1_epi8(3));
        *q = _mm256_or_si256(low, _mm256_slli_epi16::<4>(high));
    }
    q
}
