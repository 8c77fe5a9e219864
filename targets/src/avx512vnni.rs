//! The dot product of AVX-512, in registers of 256 bits: server CPUs since Cascade Lake, Zen 4.
//!
//! ```text
//! weights of a group   row 0: k k k k | row 1: k k k k | … row 7      unsigned bytes
//! activations                 k k k k |        k k k k | …            signed bytes
//! dpbusd               row 0          | row 1          | …            32 bits
//! ```
//!
//! Signed weights become unsigned by an offset of 128.

mod wide;

use crate::x86::lanes::{self, pair, word};
use crate::x86::product::{Column, Isa, Kind, Source, Unit, add};
use core::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_dpbusd_epi32, _mm256_dpwssd_epi32, _mm256_mullo_epi16,
    _mm256_mullo_epi32, _mm256_set1_epi8, _mm256_set1_epi16, _mm256_set1_epi32, _mm256_setzero_ps,
    _mm256_setzero_si256, _mm256_slli_epi32, _mm256_srai_epi32, _mm256_xor_si256,
};
use core::ops::Range;
use dram_quant::{EIGHT, Q8, UNIT};

/// Multiplication of four bytes to 32 bits.
pub(crate) struct Dpbusd;

impl Isa for Dpbusd {
    const COLUMNS: usize = 8;
    const PAIRS: bool = true;

    #[inline]
    #[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
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

    #[inline]
    #[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
    unsafe fn pair<S: Source, const N: usize>(
        w: &mut [S; 2],
        x: Q8<'_>,
        first: usize,
        y: &mut [[f32; EIGHT]],
    ) {
        wide::pass::<S, N>(w, x, first, y);
    }
}

/// Adds unit `first + I` of a block.
///
/// One pass alone has these types: then the compiler inlines it, however long. So of what it calls.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn unit<S: Source, const N: usize, const I: usize>(
    w: &S,
    x: &[Column<'_>; N],
    first: usize,
    sums: &mut [__m256i; N],
    minima: &mut [__m256i; N],
) {
    // SAFETY: the CPU has the features because this function has them.
    let w = unsafe { w.unit::<(Dpbusd, [[(); I]; N])>(first + I) };
    add_products::<S, N, I>(sums, &w, x, first + I);
    if S::Kind::MIN && S::Kind::BLOCK > 1 {
        add_sums(minima, w.n, x, first + I);
    }
}

/// Adds the products of unit `i` with each column, a lane a row.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn add_products<S: Source, const N: usize, const I: usize>(
    sums: &mut [__m256i; N],
    w: &Unit,
    x: &[Column<'_>; N],
    i: usize,
) {
    let offset = if S::Kind::SIGNED { 128 } else { S::Kind::OFFSET };
    if offset != 0 {
        let offset = _mm256_set1_epi16(-offset);
        let offset = if S::Kind::BLOCK == 1 { offset } else { _mm256_mullo_epi16(w.s, offset) };
        add_sums(sums, offset, x, i);
    }
    if S::Kind::BLOCK == 1 {
        return dot::<S, N, I>(sums, w, x, i, 0..8);
    }
    let halves = if S::Kind::HALVES { 2 } else { 1 };
    for half in 0..halves {
        let mut dots = [_mm256_setzero_si256(); N];
        let groups = 8 / halves;
        dot::<S, N, I>(&mut dots, w, x, i, half * groups..(half + 1) * groups);
        let s = if half == 0 { _mm256_slli_epi32::<16>(w.s) } else { w.s };
        let s = _mm256_srai_epi32::<16>(s);
        for c in 0..N {
            sums[c] = _mm256_add_epi32(sums[c], _mm256_mullo_epi32(dots[c], s));
        }
    }
}

/// Adds the products of some groups of unit `i`, without factors.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn dot<S: Source, const N: usize, const I: usize>(
    sums: &mut [__m256i; N],
    w: &Unit,
    x: &[Column<'_>; N],
    i: usize,
    groups: Range<usize>,
) {
    let offset = _mm256_set1_epi8(if S::Kind::SIGNED { -128 } else { 0 });
    for g in groups {
        let w = _mm256_xor_si256(w.q[g], offset);
        for c in 0..N {
            let x = _mm256_set1_epi32(word(&x[c].q[i][g]));
            sums[c] = _mm256_dpbusd_epi32(sums[c], w, x);
        }
    }
}

/// Adds the sums of activations in both halves of unit `i`, times the pairs in `w`.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn add_sums<const N: usize>(sums: &mut [__m256i; N], w: __m256i, x: &[Column<'_>; N], i: usize) {
    for c in 0..N {
        sums[c] = _mm256_dpwssd_epi32(sums[c], _mm256_set1_epi32(pair(x[c].sums[i])), w);
    }
}
