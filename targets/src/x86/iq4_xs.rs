//! IQ4_XS: the nibbles of IQ4_NL, and a 6-bit scale for every 32.
//!
//! ```text
//! byte of a tile  0        16                   32                  64           1088
//!                 | 8 x d   | 8 x 8 high 2 bits  | 4 x 8 low nibbles  | 32 quads  |
//! ```

use super::iq4_nl::values;
use super::lanes::{at, halves, load16, twice};
use super::product::{Kind, Scales, Tile, Unit};
use core::arch::x86_64::{
    __m256i, _mm_unpackhi_epi16, _mm_unpacklo_epi16, _mm256_and_si256, _mm256_or_si256,
    _mm256_set_m128i, _mm256_set1_epi16, _mm256_set1_epi32, _mm256_setzero_ps, _mm256_slli_epi16,
    _mm256_srlv_epi32, _mm256_sub_epi16,
};
use dram_quant::{EIGHT, Format};

/// Signed bytes, as in Q8_0.
#[allow(non_camel_case_types, reason = "the format's own name")]
pub(crate) struct IQ4_XS;

impl Kind for IQ4_XS {
    const BLOCK: usize = 8;
    const SHARE: usize = 2;
    const DEPTH: usize = 1;
    const SIGNED: bool = true;
}

impl Tile<136> for IQ4_XS {
    const FORMAT: Format = Format::IQ4_XS;
    const CHEAP: bool = true;
    const NEW: Self = Self;

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn unit<Caller>(&self, tile: &[[u8; 136]; EIGHT], i: usize) -> Unit {
        let tile = tile.as_flattened();
        let s = factors(at(tile, 16), i);
        Unit { s, ..Unit::new(values(&tile[64 + i * 128..])) }
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn begin(&mut self, tile: &[[u8; 136]; EIGHT]) -> Scales {
        Scales { d: halves(at(tile.as_flattened(), 0)), m: _mm256_setzero_ps() }
    }
}

/// The factors of unit `i`, each twice.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn factors(bytes: &[u8; 48], i: usize) -> __m256i {
    let shifted = |v, shift: usize| _mm256_srlv_epi32(v, _mm256_set1_epi32(shift as i32));
    let high = load16(at(bytes, 0));
    let high = _mm256_set_m128i(_mm_unpackhi_epi16(high, high), _mm_unpacklo_epi16(high, high));
    let low = shifted(twice(at(bytes, 16 + i / 2 * 8)), i % 2 * 4);
    let low = _mm256_and_si256(low, _mm256_set1_epi16(15));
    let high = _mm256_and_si256(shifted(high, i * 2), _mm256_set1_epi16(3));
    let six = _mm256_or_si256(low, _mm256_slli_epi16::<4>(high));
    _mm256_sub_epi16(six, _mm256_set1_epi16(32))
}
