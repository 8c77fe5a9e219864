//! AVX2, with FMA and half-float conversion: every x86-64 CPU since Haswell and Zen.
//!
//! ```text
//! weights of a quad    row 0: k k k k | row 1: k k k k | … row 7      unsigned bytes
//! activations                 k k k k |        k k k k | …            signed bytes
//! maddubs              row 0: kk  kk  | row 1: kk  kk  | …            16 bits, DEPTH quads added
//! madd with s          row 0          | row 1          | …            32 bits
//! ```

use crate::x86::column::{Block, Column, Integers, Run};
use crate::x86::lanes::{pair, store_floats, word};
use crate::x86::product::{Isa, Kind, Source, Unit, add_eight, add_one};
use core::arch::x86_64::{
    __m256, __m256i, _mm256_abs_epi8, _mm256_add_epi16, _mm256_add_epi32, _mm256_blend_epi16,
    _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_mullo_epi16, _mm256_set1_epi16,
    _mm256_set1_epi32, _mm256_setzero_ps, _mm256_setzero_si256, _mm256_sign_epi8,
    _mm256_slli_epi32, _mm256_srli_epi32,
};
use dram_quant::{EIGHT, Q8, UNIT};

/// Multiplication of bytes to 16 bits.
pub(crate) struct Maddubs;

impl Isa for Maddubs {
    const COLUMNS: usize = 4;
    const FEW: usize = usize::MAX;

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn pass<S: Source, const N: usize>(
        w: &mut S,
        x: &Q8<'_>,
        first: usize,
        y: &mut [[f32; EIGHT]],
    ) {
        pass::<S, N>(w, x, first, y);
    }
}

pass!(Maddubs, ["avx2", "fma", "f16c"]);

/// Adds the products of unit `i` of columns, without the offset.
///
/// Of `Caller` see the crate's documentation.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn products<S: Source, const N: usize, const R: usize, Caller>(
    sums: &mut [__m256i; N],
    w: &Unit,
    x: &[&Integers<R>; N],
    i: usize,
) {
    for first in (0..8).step_by(S::Kind::DEPTH) {
        let mut deep = [_mm256_setzero_si256(); N];
        for g in first..first + S::Kind::DEPTH {
            for c in 0..N {
                let x = _mm256_set1_epi32(word(&x[c][i][g]));
                deep[c] = _mm256_add_epi16(deep[c], multiply::<S::Kind>(w.q[g], x));
            }
        }
        let factors = factors::<S::Kind>(w.s, first / 4);
        for c in 0..N {
            sums[c] = _mm256_add_epi32(sums[c], _mm256_madd_epi16(deep[c], factors));
        }
    }
}

/// How much larger integers are than the weights.
const fn offset<K: Kind>() -> i16 {
    K::OFFSET
}

/// Adds to each lane its pair of `w` times the pair `x`.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn add_pair(sums: __m256i, w: __m256i, x: &[i16; 2]) -> __m256i {
    _mm256_add_epi32(sums, _mm256_madd_epi16(_mm256_set1_epi32(pair(x)), w))
}

/// Products of bytes, added in pairs.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn multiply<K: Kind>(w: __m256i, x: __m256i) -> __m256i {
    if K::SIGNED {
        return _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
    }
    _mm256_maddubs_epi16(w, x)
}

/// The factor of half `half`, twice in each lane.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn factors<K: Kind>(s: __m256i, half: usize) -> __m256i {
    match (K::BLOCK, K::HALVES, half) {
        (1, _, _) => _mm256_set1_epi16(1),
        (_, false, _) => s,
        (_, true, 0) => _mm256_blend_epi16::<0xaa>(s, _mm256_slli_epi32::<16>(s)),
        (_, true, _) => _mm256_blend_epi16::<0x55>(s, _mm256_srli_epi32::<16>(s)),
    }
}
