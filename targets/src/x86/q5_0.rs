//! Q5_0: a scale and five bits around 16.
//!
//! ```text
//! byte of a tile  0        16                    48                            176
//!                 | 8 x d   | 8 x 32 fifth bits   | 4 quads: nibbles of k and k + 16 |
//! ```

use super::lanes::{at, halves, load};
use super::product::{Kind, Scales, Tile, Unit};
use super::q4_0::nibbles;
use core::arch::x86_64::{
    __m256i, _mm_add_epi8, _mm_set1_epi8, _mm_setr_epi8, _mm256_and_si256,
    _mm256_broadcastsi128_si256, _mm256_cmpeq_epi8, _mm256_or_si256, _mm256_set1_epi8,
    _mm256_set1_epi32, _mm256_setzero_ps, _mm256_shuffle_epi8,
};
use dram_quant::{EIGHT, Format};

/// Five bits: 4 pairs of products are at most 4 · 2 · 31 · 127 < 2^15.
pub(crate) struct Q5_0;

impl Kind for Q5_0 {
    const DEPTH: usize = 4;
    const OFFSET: i16 = 16;
}

impl Tile<22> for Q5_0 {
    const FORMAT: Format = Format::Q5_0;
    const NEW: Self = Self;

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn unit<Caller>(&self, tile: &[[u8; 22]; EIGHT], _: usize) -> Unit {
        let tile = tile.as_flattened();
        Unit::new(fives(at(tile, 16)))
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn begin(&mut self, tile: &[[u8; 22]; EIGHT]) -> Scales {
        let tile = tile.as_flattened();
        Scales { d: halves(at(tile, 0)), m: _mm256_setzero_ps() }
    }
}

/// The fifth bits of eight rows, then their nibbles, to five bits each.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn fives(bytes: &[u8; 160]) -> [__m256i; 8] {
    let high = load(at(bytes, 0));
    let mut q = nibbles(&bytes[32..]);
    for (g, q) in q.iter_mut().enumerate() {
        // Four bits of a row to its four bytes: the byte they are in, and one bit of it each.
        let byte = _mm_setr_epi8(0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12);
        let byte = _mm256_broadcastsi128_si256(_mm_add_epi8(byte, _mm_set1_epi8(g as i8 / 2)));
        let bit = _mm256_set1_epi32(if g % 2 == 0 { 0x0804_0201 } else { 0x8040_2010_u32 as i32 });
        let high = _mm256_and_si256(_mm256_shuffle_epi8(high, byte), bit);
        let fifth = _mm256_and_si256(_mm256_cmpeq_epi8(high, bit), _mm256_set1_epi8(16));
        *q = _mm256_or_si256(*q, fifth);
    }
    q
}
