//! Two groups of eight rows in registers of 512 bits: half the loads of activations, and on Intel
//! twice the products.

use super::Dpbusd;
use crate::x86::lanes::{self, pair, word};
use crate::x86::product::{Column, Kind, Scales, Source, Unit};
use core::arch::x86_64::{
    __m256, __m256i, __m512, __m512i, _mm256_castps_si256, _mm256_castsi256_ps, _mm512_add_epi32,
    _mm512_castps_si512, _mm512_castsi256_si512, _mm512_castsi512_ps, _mm512_castsi512_si256,
    _mm512_cvtepi32_ps, _mm512_dpbusd_epi32, _mm512_dpwssd_epi32, _mm512_extracti64x4_epi64,
    _mm512_fmadd_ps, _mm512_inserti64x4, _mm512_mul_ps, _mm512_mullo_epi16, _mm512_mullo_epi32,
    _mm512_set1_epi8, _mm512_set1_epi16, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps,
    _mm512_setzero_si512, _mm512_slli_epi32, _mm512_srai_epi32, _mm512_xor_si512,
};
use core::ops::Range;
use dram_quant::{EIGHT, Q8, UNIT};

/// [`Unit`] of two groups of rows.
struct Sixteen {
    q: [__m512i; 8],
    s: __m512i,
    n: __m512i,
}

/// Multiplies two groups of rows with columns `first..first + N`, units in order; `y` is
/// `(2, columns)`.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
pub(super) fn pass<S: Source, const N: usize>(
    [a, b]: &mut [S; 2],
    x: Q8<'_>,
    first: usize,
    y: &mut [[f32; EIGHT]],
) {
    let columns = Column::of::<N>(x, first);
    let mut acc = [_mm512_setzero_ps(); N];
    for block in 0..x.len / UNIT / S::Kind::BLOCK {
        // SAFETY: the CPU has the features because this function has them.
        let lower = unsafe { a.begin::<(Dpbusd, [S; N])>(block) };
        // SAFETY: as above.
        let upper = unsafe { b.begin::<(Dpbusd, [S; N], S)>(block) };
        let mut sums = [_mm512_setzero_si512(); N];
        let mut minima = sums;
        let x = columns.map(|x| x.block::<S::Kind>(block * S::Kind::BLOCK));
        for i in 0..S::Kind::BLOCK {
            // SAFETY: as above.
            let lower = unsafe { a.unit::<(Dpbusd, [S; N])>(i) };
            // SAFETY: as above.
            let upper = unsafe { b.unit::<(Dpbusd, [S; N], S)>(i) };
            let w = sixteen(&lower, &upper);
            add_products::<S, N>(&mut sums, &w, &x, i);
            if S::Kind::MIN && S::Kind::BLOCK > 1 {
                add_sums(&mut minima, w.n, &x, i);
            }
        }
        add::<S::Kind, N>(&mut acc, &[lower, upper], &sums, &minima, &x);
    }
    for (half, y) in y.chunks_exact_mut(x.count()).enumerate() {
        for (y, acc) in y[first..].iter_mut().zip(acc) {
            lanes::store_floats(y, eight(acc, half));
        }
    }
}

/// Adds the products of unit `i` with each column, a lane a row.
///
/// One pass alone has these types: then the compiler inlines it, however long. So of [`dot`].
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn add_products<S: Source, const N: usize>(
    sums: &mut [__m512i; N],
    w: &Sixteen,
    x: &[Column<'_>; N],
    i: usize,
) {
    let offset = if S::Kind::SIGNED { 128 } else { S::Kind::OFFSET };
    if offset != 0 {
        let offset = _mm512_set1_epi16(-offset);
        let offset = if S::Kind::BLOCK == 1 { offset } else { _mm512_mullo_epi16(w.s, offset) };
        add_sums(sums, offset, x, i);
    }
    if S::Kind::BLOCK == 1 {
        return dot::<S, N>(sums, w, x, i, 0..8);
    }
    let halves = if S::Kind::HALVES { 2 } else { 1 };
    for half in 0..halves {
        let mut dots = [_mm512_setzero_si512(); N];
        let groups = 8 / halves;
        dot::<S, N>(&mut dots, w, x, i, half * groups..(half + 1) * groups);
        let s = if half == 0 { _mm512_slli_epi32::<16>(w.s) } else { w.s };
        let s = _mm512_srai_epi32::<16>(s);
        for c in 0..N {
            sums[c] = _mm512_add_epi32(sums[c], _mm512_mullo_epi32(dots[c], s));
        }
    }
}

/// Adds the products of some groups of unit `i`, without factors.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn dot<S: Source, const N: usize>(
    sums: &mut [__m512i; N],
    w: &Sixteen,
    x: &[Column<'_>; N],
    i: usize,
    groups: Range<usize>,
) {
    let offset = _mm512_set1_epi8(if S::Kind::SIGNED { -128 } else { 0 });
    for g in groups {
        let w = _mm512_xor_si512(w.q[g], offset);
        for c in 0..N {
            let x = _mm512_set1_epi32(word(&x[c].q[i][g]));
            sums[c] = _mm512_dpbusd_epi32(sums[c], w, x);
        }
    }
}

/// Adds the sums of activations in both halves of unit `i`, times the pairs in `w`.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn add_sums<const N: usize>(sums: &mut [__m512i; N], w: __m512i, x: &[Column<'_>; N], i: usize) {
    for c in 0..N {
        sums[c] = _mm512_dpwssd_epi32(sums[c], _mm512_set1_epi32(pair(x[c].sums[i])), w);
    }
}

/// Adds a block of each column to the outputs, as [`dram_quant::Unpacked`] defines it.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn add<K: Kind, const N: usize>(
    acc: &mut [__m512; N],
    w: &[Scales; 2],
    sums: &[__m512i; N],
    minima: &[__m512i; N],
    x: &[Column<'_>; N],
) {
    let (d, m) = (floats(w[0].d, w[1].d), floats(w[0].m, w[1].m));
    for c in 0..N {
        let dx = _mm512_set1_ps(x[c].d[0]);
        acc[c] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums[c]), _mm512_mul_ps(d, dx), acc[c]);
        if K::MIN {
            let minima = match K::BLOCK {
                1 => _mm512_set1_ps(x[c].ds[0]),
                _ => _mm512_mul_ps(_mm512_cvtepi32_ps(minima[c]), dx),
            };
            acc[c] = _mm512_fmadd_ps(m, minima, acc[c]);
        }
    }
}

#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn sixteen(a: &Unit, b: &Unit) -> Sixteen {
    let mut q = [_mm512_setzero_si512(); 8];
    for (q, (a, b)) in q.iter_mut().zip(a.q.into_iter().zip(b.q)) {
        *q = join(a, b);
    }
    Sixteen { q, s: join(a.s, b.s), n: join(a.n, b.n) }
}

#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn join(a: __m256i, b: __m256i) -> __m512i {
    _mm512_inserti64x4::<1>(_mm512_castsi256_si512(a), b)
}

#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn floats(a: __m256, b: __m256) -> __m512 {
    _mm512_castsi512_ps(join(_mm256_castps_si256(a), _mm256_castps_si256(b)))
}

/// Half of a register.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn eight(v: __m512, half: usize) -> __m256 {
    let v = _mm512_castps_si512(v);
    let upper = _mm512_extracti64x4_epi64::<1>(v);
    _mm256_castsi256_ps(if half == 0 { _mm512_castsi512_si256(v) } else { upper })
}
