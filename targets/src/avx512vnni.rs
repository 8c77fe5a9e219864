//! The dot product of AVX-512, in registers of 256 bits: server CPUs since Cascade Lake, Zen 4.
//!
//! ```text
//! weights of a group   row 0: k k k k | row 1: k k k k | … row 7      unsigned bytes
//! activations                 k k k k |        k k k k | …            signed bytes
//! dpbusd               row 0          | row 1          | …            32 bits
//! ```
//!
//! Signed weights become unsigned by an offset of 128.

use crate::x86::lanes::repeat;
use crate::x86::product::{Column, Isa, Kind, Source, Unit, add, begin, store};
use core::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_dpbusd_epi32, _mm256_mullo_epi32, _mm256_set1_epi8,
    _mm256_setzero_ps, _mm256_setzero_si256, _mm256_slli_epi32, _mm256_srai_epi32,
    _mm256_xor_si256,
};
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
        for i in 0..x.len / UNIT {
            // SAFETY: the CPU has the features because this function has them.
            let w = w.each_mut().map(|w| unsafe { w.unit::<(Self, [[(); N]; R])>(i) });
            let sums = sums::<S, R, N>(&w, &columns, i);
            for r in 0..R {
                add::<S, N>(&mut acc[r], &w[r], sums[r], &columns, i);
            }
        }
        store(y, first, acc);
    }
}

/// The integer sums of unit `i` for each group of rows and column, a lane a row.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn sums<S: Source, const R: usize, const N: usize>(
    w: &[Unit; R],
    x: &[Column<'_>; N],
    i: usize,
) -> [[__m256i; N]; R] {
    let offset = if S::Kind::SIGNED { 128 } else { S::Kind::OFFSET };
    let mut sums = [[_mm256_setzero_si256(); N]; R];
    for r in 0..R {
        sums[r] = begin::<S, N>(offset, &w[r], x, i);
    }
    for h in 0..2 {
        let mut half = if S::Kind::HALVES { [[_mm256_setzero_si256(); N]; R] } else { sums };
        for g in h * 4..h * 4 + 4 {
            let offset = _mm256_set1_epi8(if S::Kind::SIGNED { -128 } else { 0 });
            for c in 0..N {
                let x = repeat(&x[c].q[i][g]);
                for r in 0..R {
                    let w = _mm256_xor_si256(w[r].q[g], offset);
                    half[r][c] = _mm256_dpbusd_epi32(half[r][c], w, x);
                }
            }
        }
        for r in 0..R {
            if !S::Kind::HALVES {
                break;
            }
            let s = if h == 0 { _mm256_slli_epi32::<16>(w[r].s) } else { w[r].s };
            let s = _mm256_srai_epi32::<16>(s);
            for c in 0..N {
                half[r][c] = _mm256_add_epi32(sums[r][c], _mm256_mullo_epi32(half[r][c], s));
            }
        }
        sums = half;
    }
    sums
}
