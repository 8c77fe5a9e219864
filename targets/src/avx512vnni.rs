//! The dot product of AVX-512, in registers of 256 bits: server CPUs since Cascade Lake, Zen 4.
//!
//! ```text
//! weights of a group   row 0: k k k k | row 1: k k k k | … row 7      unsigned bytes
//! activations                 k k k k |        k k k k | …            signed bytes
//! dpbusd               row 0          | row 1          | …            32 bits
//! ```
//!
//! Signed weights become unsigned by an offset of 128.

use crate::x86::lanes::{repeat, repeat_pair};
use crate::x86::product::{Column, Isa, Kind, Source, Unit, add, correction, store};
use core::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_dpbusd_epi32, _mm256_dpwssd_epi32, _mm256_mullo_epi32,
    _mm256_set1_epi8, _mm256_setzero_ps, _mm256_setzero_si256, _mm256_slli_epi32,
    _mm256_srai_epi32, _mm256_xor_si256,
};
use core::ops::Range;
use dram_quant::{EIGHT, Q8, UNIT};

/// Multiplication of four bytes to 32 bits.
pub(crate) struct Dpbusd;

impl Isa for Dpbusd {
    const COLUMNS: usize = 8;

    #[inline]
    #[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
    unsafe fn pass<S: Source, const R: usize, const N: usize>(
        w: &mut [S; R],
        x: Q8<'_>,
        first: usize,
        y: &mut [[f32; EIGHT]],
    ) {
        let columns = Column::of::<N>(x, first);
        let mut acc = [[_mm256_setzero_ps(); N]; R];
        for block in (0..x.len / UNIT).step_by(S::Kind::BLOCK) {
            let mut sums = [[_mm256_setzero_si256(); N]; R];
            let mut minima = sums;
            for i in block..block + S::Kind::BLOCK {
                // SAFETY: the CPU has the features because this function has them.
                let w = w.each_mut().map(|w| unsafe { w.unit::<(Self, [[(); N]; R])>(i) });
                add_products::<S, R, N>(&mut sums, &w, &columns, i);
                for r in 0..R {
                    if S::Kind::MIN && S::Kind::BLOCK > 1 {
                        add_sums(&mut minima[r], w[r].n, &columns, i);
                    }
                }
            }
            for r in 0..R {
                // SAFETY: the CPU has the features because this function has them.
                let scales = unsafe { w[r].scales(block) };
                add::<S::Kind, N>(&mut acc[r], &scales, &sums[r], &minima[r], &columns, block);
            }
        }
        store(y, first, acc);
    }
}

/// Adds the products of unit `i` of each group of rows with each column, a lane a row.
///
/// One pass alone has these types: then the compiler inlines it, however long. So of [`dot`].
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn add_products<S: Source, const R: usize, const N: usize>(
    sums: &mut [[__m256i; N]; R],
    w: &[Unit; R],
    x: &[Column<'_>; N],
    i: usize,
) {
    let offset = if S::Kind::SIGNED { 128 } else { S::Kind::OFFSET };
    for r in 0..R {
        if offset != 0 {
            add_sums(&mut sums[r], correction::<S::Kind>(offset, &w[r]), x, i);
        }
    }
    if S::Kind::BLOCK == 1 {
        return dot::<S, R, N>(sums, w, x, i, 0..8);
    }
    let halves = if S::Kind::HALVES { 2 } else { 1 };
    for half in 0..halves {
        let mut dots = [[_mm256_setzero_si256(); N]; R];
        let groups = 8 / halves;
        dot::<S, R, N>(&mut dots, w, x, i, half * groups..(half + 1) * groups);
        for r in 0..R {
            let s = if half == 0 { _mm256_slli_epi32::<16>(w[r].s) } else { w[r].s };
            let s = _mm256_srai_epi32::<16>(s);
            for c in 0..N {
                sums[r][c] = _mm256_add_epi32(sums[r][c], _mm256_mullo_epi32(dots[r][c], s));
            }
        }
    }
}

/// Adds the products of some groups of unit `i`, without factors.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn dot<S: Source, const R: usize, const N: usize>(
    sums: &mut [[__m256i; N]; R],
    w: &[Unit; R],
    x: &[Column<'_>; N],
    i: usize,
    groups: Range<usize>,
) {
    let offset = _mm256_set1_epi8(if S::Kind::SIGNED { -128 } else { 0 });
    for g in groups {
        for c in 0..N {
            let x = repeat(&x[c].q[i][g]);
            for r in 0..R {
                let w = _mm256_xor_si256(w[r].q[g], offset);
                sums[r][c] = _mm256_dpbusd_epi32(sums[r][c], w, x);
            }
        }
    }
}

/// Adds the sums of activations in both halves of unit `i`, times the pairs in `w`.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn add_sums<const N: usize>(sums: &mut [__m256i; N], w: __m256i, x: &[Column<'_>; N], i: usize) {
    for c in 0..N {
        sums[c] = _mm256_dpwssd_epi32(sums[c], repeat_pair(x[c].sums[i]), w);
    }
}
