//! MXFP4: a power of two, and nibbles that stand for 4-bit floats.
//!
//! ```text
//! byte of a tile  0       8                             136
//!                 | 8 x e | 4 quads: nibbles of k and k + 16 |
//! ```

use super::lanes::{at, load8, load16};
use super::product::{Kind, Scales, Tile, Unit};
use super::q4_0::nibbles;
use core::arch::x86_64::{
    __m256, _mm256_blendv_epi8, _mm256_broadcastsi128_si256, _mm256_castsi256_ps,
    _mm256_cmpgt_epi32, _mm256_cvtepu8_epi32, _mm256_set1_epi32, _mm256_setzero_ps,
    _mm256_shuffle_epi8, _mm256_slli_epi32, _mm256_sllv_epi32, _mm256_sub_epi32,
};
use dram_quant::{EIGHT, Format};

/// Values 0 to 24 around 12: 4 pairs of products are at most 4 · 2 · 24 · 127 < 2^15.
pub(crate) struct Mxfp4;

impl Kind for Mxfp4 {
    const DEPTH: usize = 4;
    const OFFSET: i16 = 12;
}

/// Twice the values of E2M1, and 12.
const VALUES: [u8; 16] = [12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0];

impl Tile<17> for Mxfp4 {
    const FORMAT: Format = Format::MXFP4;
    const NEW: Self = Self;

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn unit<Caller>(&self, tile: &[[u8; 17]; EIGHT], _: usize) -> Unit {
        let table = _mm256_broadcastsi128_si256(load16(&VALUES));
        let mut q = nibbles(&tile.as_flattened()[8..]);
        for q in &mut q {
            *q = _mm256_shuffle_epi8(table, *q);
        }
        Unit::new(q)
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn begin(&mut self, tile: &[[u8; 17]; EIGHT]) -> Scales {
        Scales { d: half_powers(at(tile.as_flattened(), 0)), m: _mm256_setzero_ps() }
    }
}

/// `2^(e - 128)`, which is subnormal for the first two.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn half_powers(e: &[u8; 8]) -> __m256 {
    let e = _mm256_cvtepu8_epi32(load8(e));
    let one = _mm256_set1_epi32(1);
    let normal = _mm256_slli_epi32::<23>(_mm256_sub_epi32(e, one));
    let subnormal = _mm256_sllv_epi32(_mm256_set1_epi32(1 << 21), e);
    _mm256_castsi256_ps(_mm256_blendv_epi8(subnormal, normal, _mm256_cmpgt_epi32(e, one)))
}
