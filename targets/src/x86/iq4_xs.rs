//! IQ4_XS: the nibbles of IQ4_NL, and a 6-bit scale for every 32.
//!
//! ```text
//! byte of a tile  0        16                   32                  64           1088
//!                 | 8 x d   | 8 x 8 high 2 bits  | 4 x 8 low nibbles  | 32 groups  |
//! ```

use super::iq4_nl::values;
use super::lanes::{at, halves, load8, load16};
use super::product::{Isa, Kind, Tile, Unit, product};
use crate::Panel;
use crate::kernels::Eight;
use core::arch::x86_64::{
    __m256, _mm256_and_si256, _mm256_cvtepi32_ps, _mm256_cvtepu8_epi32, _mm256_cvtepu16_epi32,
    _mm256_mul_ps, _mm256_or_si256, _mm256_set1_epi32, _mm256_setzero_ps, _mm256_slli_epi32,
    _mm256_srlv_epi32, _mm256_sub_epi32,
};
use dram_quant::{EIGHT, Format, Q8};

/// Signed bytes, as in Q8_0.
#[allow(non_camel_case_types, reason = "the format's own name")]
struct IQ4_XS;

impl Kind for IQ4_XS {
    const DEPTH: usize = 1;
    const SIGNED: bool = true;
}

/// The product of eight rows.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn multiply<I: Isa>(
    w: Eight<'_>,
    x: Q8<'_>,
    panel: &mut Panel<'_>,
    y: &mut [[f32; EIGHT]],
) {
    product::<I, IQ4_XS, 136>(w, x, panel, y);
}

impl Tile<136> for IQ4_XS {
    const FORMAT: Format = Format::IQ4_XS;
    const NEW: Self = Self;

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn unit<Caller>(&mut self, tile: &[[u8; 136]; EIGHT], i: usize) -> Unit {
        let tile = tile.as_flattened();
        let d = _mm256_mul_ps(halves(at(tile, 0)), scales(at(tile, 16), i));
        Unit::new(values(&tile[64 + i * 128..]), d, _mm256_setzero_ps())
    }
}

/// The scales of unit `i`.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn scales(bytes: &[u8; 48], i: usize) -> __m256 {
    let shifted = |v, shift: usize| _mm256_srlv_epi32(v, _mm256_set1_epi32(shift as i32));
    let low = shifted(_mm256_cvtepu8_epi32(load8(at(bytes, 16 + i / 2 * 8))), i % 2 * 4);
    let high = shifted(_mm256_cvtepu16_epi32(load16(at(bytes, 0))), i * 2);
    let low = _mm256_and_si256(low, _mm256_set1_epi32(15));
    let high = _mm256_and_si256(high, _mm256_set1_epi32(3));
    let six = _mm256_or_si256(low, _mm256_slli_epi32::<4>(high));
    _mm256_cvtepi32_ps(_mm256_sub_epi32(six, _mm256_set1_epi32(32)))
}
