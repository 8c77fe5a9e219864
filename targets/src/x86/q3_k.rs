//! Q3_K: three bits around 4, and a 6-bit scale for every 16.
//!
//! ```text
//! byte of a tile  0               256                 768             864
//!                 | 8 quads high | 16 quads of 2 bits | 12 x 8 scales | 8 x d |
//! ```
//!
//! Bit `i` of the high bytes belongs to unit `i`; the two bits lie as in Q2_K.

use super::lanes::{at, halves, load, zip};
use super::product::{Kind, Scales, Tile, Unit};
use super::q2_k::twos;
use core::arch::x86_64::{
    __m256i, _mm256_and_si256, _mm256_cvtepu8_epi16, _mm256_or_si256, _mm256_set1_epi8,
    _mm256_set1_epi16, _mm256_set1_epi32, _mm256_setzero_ps, _mm256_slli_epi16, _mm256_srlv_epi32,
    _mm256_sub_epi16,
};
use dram_quant::{EIGHT, Format};

/// Three bits: 4 pairs of products are at most 4 · 2 · 7 · 127 < 2^15.
#[allow(non_camel_case_types, reason = "the format's own name")]
pub(crate) struct Q3_K;

impl Kind for Q3_K {
    const BLOCK: usize = 8;
    const SHARE: usize = 4;
    const DEPTH: usize = 4;
    const OFFSET: i16 = 4;
    const HALVES: bool = true;
}

impl Tile<110> for Q3_K {
    const FORMAT: Format = Format::Q3_K;
    const NEW: Self = Self;

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn unit<Caller>(&self, tile: &[[u8; 110]; EIGHT], i: usize) -> Unit {
        let tile = tile.as_flattened();
        let shift = _mm256_set1_epi32(i as i32);
        let mut q = twos(at(tile, 256), i);
        for (g, q) in q.iter_mut().enumerate() {
            let high = _mm256_srlv_epi32(load(at(tile, g * 32)), shift);
            let high = _mm256_and_si256(high, _mm256_set1_epi8(1));
            *q = _mm256_or_si256(*q, _mm256_slli_epi16::<2>(high));
        }
        Unit { s: factors(at(tile, 768), i), ..Unit::new(q) }
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn begin(&mut self, tile: &[[u8; 110]; EIGHT]) -> Scales {
        Scales { d: halves(at(tile.as_flattened(), 864)), m: _mm256_setzero_ps() }
    }
}

/// The factors of unit `i`, from four bits in each of eight bytes a row and two in each of four.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn factors(bytes: &[u8; 96], i: usize) -> __m256i {
    let shifted = |byte: usize, shift: usize| {
        let pair = _mm256_cvtepu8_epi16(zip(at(bytes, byte * 8)));
        _mm256_srlv_epi32(pair, _mm256_set1_epi32(shift as i32))
    };
    let low = _mm256_and_si256(shifted(i % 4 * 2, i / 4 * 4), _mm256_set1_epi16(15));
    let high = _mm256_and_si256(shifted(8 + i % 2 * 2, i / 2 * 2), _mm256_set1_epi16(3));
    let six = _mm256_or_si256(low, _mm256_slli_epi16::<4>(high));
    _mm256_sub_epi16(six, _mm256_set1_epi16(32))
}
