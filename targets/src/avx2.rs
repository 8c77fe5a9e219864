//! AVX2, with FMA and half-float conversion: every x86-64 CPU since Haswell and Zen.
//!
//! ```text
//! weights of a group   row 0: k k k k | row 1: k k k k | … row 7      unsigned bytes
//! activations                 k k k k |        k k k k | …            signed bytes
//! maddubs              row 0: kk  kk  | row 1: kk  kk  | …            16 bits, DEPTH groups added
//! madd with s          row 0          | row 1          | …            32 bits
//! ```

use crate::x86::lanes::{self, pair, word};
use crate::x86::product::{Column, Isa, Kind, Source, Unit, add};
use core::arch::x86_64::{
    __m256i, _mm256_abs_epi8, _mm256_add_epi16, _mm256_add_epi32, _mm256_blend_epi16,
    _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_mullo_epi16, _mm256_set1_epi16,
    _mm256_set1_epi32, _mm256_setzero_ps, _mm256_setzero_si256, _mm256_sign_epi8,
    _mm256_slli_epi32, _mm256_srli_epi32,
};
use dram_quant::{EIGHT, Q8, UNIT};

/// Multiplication of bytes to 16 bits.
pub(crate) struct Maddubs;

impl Isa for Maddubs {
    const COLUMNS: usize = 4;
    const PAIRS: bool = false;

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn pass<S: Source, const N: usize>(
        w: &mut S,
        x: Q8<'_>,
        first: usize,
        y: &mut [[f32; EIGHT]],
    ) {
        let columns = Column::of::<N>(x, first);
        let mut acc = [_mm256_setzero_ps(); N];
        for block in 0..x.len / UNIT / S::Kind::BLOCK {
            // SAFETY: the CPU has the features because this function has them.
            let scales = unsafe { w.begin::<(Self, [(); N])>(block) };
            let x = columns.map(|x| x.block::<S::Kind>(block * S::Kind::BLOCK));
            let mut sums = [_mm256_setzero_si256(); N];
            let mut minima = sums;
            for i in (0..S::Kind::BLOCK).step_by(S::Kind::SHARE) {
                // One by one, not in a loop: where a unit lies becomes part of the instructions.
                unit::<S, N, 0>(w, &x, i, &mut sums, &mut minima);
                if S::Kind::SHARE >= 2 {
                    unit::<S, N, 1>(w, &x, i, &mut sums, &mut minima);
                }
                if S::Kind::SHARE == 4 {
                    unit::<S, N, 2>(w, &x, i, &mut sums, &mut minima);
                    unit::<S, N, 3>(w, &x, i, &mut sums, &mut minima);
                }
            }
            add::<S::Kind, N>(&mut acc, &scales, &sums, &minima, &x);
        }
        for (y, acc) in y[first..].iter_mut().zip(acc) {
            lanes::store_floats(y, acc);
        }
    }
}

/// Adds unit `first + I` of a block.
///
/// One pass alone has these types: then the compiler inlines it, however long. So of what it calls.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn unit<S: Source, const N: usize, const I: usize>(
    w: &S,
    x: &[Column<'_>; N],
    first: usize,
    sums: &mut [__m256i; N],
    minima: &mut [__m256i; N],
) {
    // SAFETY: the CPU has the features because this function has them.
    let w = unsafe { w.unit::<(Maddubs, [[(); I]; N])>(first + I) };
    add_products::<S, N, I>(sums, &w, x, first + I);
    if S::Kind::MIN && S::Kind::BLOCK > 1 {
        add_sums(minima, w.n, x, first + I);
    }
}

/// Adds the products of unit `i` with each column, a lane a row.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn add_products<S: Source, const N: usize, const I: usize>(
    sums: &mut [__m256i; N],
    w: &Unit,
    x: &[Column<'_>; N],
    i: usize,
) {
    if S::Kind::OFFSET != 0 {
        let offset = _mm256_set1_epi16(-S::Kind::OFFSET);
        let offset = if S::Kind::BLOCK == 1 { offset } else { _mm256_mullo_epi16(w.s, offset) };
        add_sums(sums, offset, x, i);
    }
    for first in (0..8).step_by(S::Kind::DEPTH) {
        let mut deep = [_mm256_setzero_si256(); N];
        for g in first..first + S::Kind::DEPTH {
            for c in 0..N {
                let products = multiply::<S::Kind>(w.q[g], _mm256_set1_epi32(word(&x[c].q[i][g])));
                deep[c] = _mm256_add_epi16(deep[c], products);
            }
        }
        let factors = factors::<S::Kind>(w.s, first / 4);
        for c in 0..N {
            sums[c] = _mm256_add_epi32(sums[c], _mm256_madd_epi16(deep[c], factors));
        }
    }
}

/// Adds the sums of activations in both halves of unit `i`, times the pairs in `w`.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn add_sums<const N: usize>(sums: &mut [__m256i; N], w: __m256i, x: &[Column<'_>; N], i: usize) {
    for c in 0..N {
        let products = _mm256_madd_epi16(_mm256_set1_epi32(pair(x[c].sums[i])), w);
        sums[c] = _mm256_add_epi32(sums[c], products);
    }
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
