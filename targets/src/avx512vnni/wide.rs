//! Panels of two groups of eight rows in registers of 512 bits: half the loads of activations, and
//! on Intel twice the products.

use crate::Panel;
use crate::x86::column::{Block, Column, Integers, Run};
use crate::x86::lanes::{store_floats, word};
use crate::x86::product::Kind;
use core::arch::asm;
use core::arch::x86_64::{
    __m256, __m512, __m512i, _mm256_castsi256_ps, _mm512_add_epi32, _mm512_castps_si512,
    _mm512_castsi512_si256, _mm512_cvtepi32_ps, _mm512_dpbusd_epi32, _mm512_extracti64x4_epi64,
    _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_mask_blend_epi16, _mm512_mul_ps,
    _mm512_mullo_epi16, _mm512_mullo_epi32, _mm512_set1_epi8, _mm512_set1_epi16, _mm512_set1_epi32,
    _mm512_set1_ps, _mm512_setzero_ps, _mm512_setzero_si512, _mm512_slli_epi16, _mm512_slli_epi32,
    _mm512_srai_epi16, _mm512_srai_epi32, _mm512_xor_si512,
};
use core::ops::Range;
use dram_quant::{EIGHT, Q8, UNIT};

/// Columns of a pass.
const N: usize = 8;

/// Multiplies a panel with every column, of which there are more than eight; `y` is
/// `(2, columns)`.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
pub(super) fn product<K: Kind>(panel: &Panel<'_>, x: &Q8<'_>, y: &mut [[f32; EIGHT]]) {
    for first in (0..x.count()).step_by(N) {
        // The last columns again with some before them: as quick as by themselves.
        pass::<K>(panel, x, first.min(x.count() - N), y);
    }
}

/// Multiplies with columns `first..first + N`, units in order.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn pass<K: Kind>(panel: &Panel<'_>, x: &Q8<'_>, first: usize, y: &mut [[f32; EIGHT]]) {
    let (runs, offset) = (x.len / UNIT / 8, super::offset::<K>());
    let mut acc = [_mm512_setzero_ps(); N];
    let columns = Column::<8>::of::<N>(x, first, 0, runs);
    for i in 0..runs {
        if K::BLOCK == 1 {
            run::<K, 8>(&mut acc, panel, i * 8, &Run::of::<K>(&columns, i, offset));
        } else {
            block::<K>(&mut acc, panel, i * 8, &Block::of::<K>(&columns, i));
        }
    }
    let rest = Column::<1>::of::<N>(x, first, runs * 8, x.len / UNIT % 8);
    for i in 0..x.len / UNIT % 8 {
        run::<K, 1>(&mut acc, panel, runs * 8 + i, &Run::of::<K>(&rest, i, offset));
    }
    for (half, y) in y.chunks_exact_mut(x.count()).enumerate() {
        for (y, acc) in y[first..].iter_mut().zip(acc) {
            store_floats(y, eight(acc, half));
        }
    }
}

/// Adds `R` blocks of one unit, from `unit` on.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn run<K: Kind, const R: usize>(
    acc: &mut [__m512; N],
    panel: &Panel<'_>,
    unit: usize,
    x: &Run<'_, N, R>,
) {
    for i in 0..R {
        let mut sums = [_mm512_setzero_si512(); N];
        for (sums, begin) in sums.iter_mut().zip(&x.begin) {
            *sums = _mm512_set1_epi32(begin[i]);
        }
        dot::<K, R, ()>(&mut sums, integers(panel, unit + i), &x.q, i, 0..8);
        let (d, m) = (floats(panel.d, unit + i), floats(panel.m, unit + i));
        for (c, acc) in acc.iter_mut().enumerate() {
            let d = _mm512_mul_ps(d, _mm512_set1_ps(x.d[c][i]));
            *acc = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums[c]), d, *acc);
            if K::MIN {
                *acc = _mm512_fmadd_ps(m, _mm512_set1_ps(x.ds[c][i]), *acc);
            }
        }
    }
}

/// Adds the block of eight units from `unit` on.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn block<K: Kind>(acc: &mut [__m512; N], panel: &Panel<'_>, unit: usize, x: &Block<'_, N>) {
    let mut sums = [_mm512_setzero_si512(); N];
    let mut minima = sums;
    for i in (0..8).step_by(2) {
        let [a, b] = [i, i + 1].map(|i| factors(panel, unit + i));
        add_unit::<K, [(); 0]>(&mut sums, panel, unit + i, a[0], x, i);
        add_unit::<K, [(); 1]>(&mut sums, panel, unit + i + 1, b[0], x, i + 1);
        if super::offset::<K>() != 0 {
            let offset = _mm512_set1_epi16(-super::offset::<K>());
            let s = [a[0], b[0]].map(|s| _mm512_mullo_epi16(s, offset));
            add_pairs::<K>(&mut sums, s, x, i);
        }
        if K::MIN {
            add_pairs::<K>(&mut minima, [a[1], b[1]], x, i);
        }
    }
    let (d, m) = (floats(panel.d, unit), floats(panel.m, unit));
    for c in 0..N {
        let dx = _mm512_set1_ps(x.d[c]);
        acc[c] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums[c]), _mm512_mul_ps(d, dx), acc[c]);
        if K::MIN {
            let minima = _mm512_mul_ps(_mm512_cvtepi32_ps(minima[c]), dx);
            acc[c] = _mm512_fmadd_ps(m, minima, acc[c]);
        }
    }
}

/// Adds the products of unit `i` of a block, times its factors `s`.
///
/// One place alone calls it with each `Caller`: then the compiler inlines it, however long. So of
/// [`dot`].
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn add_unit<K: Kind, Caller>(
    sums: &mut [__m512i; N],
    panel: &Panel<'_>,
    unit: usize,
    s: __m512i,
    x: &Block<'_, N>,
    i: usize,
) {
    let halves = if K::HALVES { 2 } else { 1 };
    for half in 0..halves {
        let mut dots = [_mm512_setzero_si512(); N];
        let groups = half * 8 / halves..(half + 1) * 8 / halves;
        dot::<K, 8, Caller>(&mut dots, integers(panel, unit), &x.q, i, groups);
        let s = if half == 0 { _mm512_slli_epi32::<16>(s) } else { s };
        let s = _mm512_srai_epi32::<16>(s);
        for c in 0..N {
            sums[c] = _mm512_add_epi32(sums[c], _mm512_mullo_epi32(dots[c], s));
        }
    }
}

/// Adds the products of some groups of unit `i`, without factors.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn dot<K: Kind, const R: usize, Caller>(
    sums: &mut [__m512i; N],
    w: &[[u8; 64]; 8],
    x: &[&Integers<R>; N],
    i: usize,
    groups: Range<usize>,
) {
    let offset = _mm512_set1_epi8(if K::SIGNED { -128 } else { 0 });
    for g in groups {
        let w = _mm512_xor_si512(load(&w[g]), offset);
        for c in 0..N {
            let x = _mm512_set1_epi32(word(&x[c][i][g]));
            sums[c] = _mm512_dpbusd_epi32(sums[c], w, x);
        }
    }
}

/// Adds the sums of activations in units `i` and `i + 1`, times the factors `w`.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn add_pairs<K: Kind>(sums: &mut [__m512i; N], w: [__m512i; 2], x: &Block<'_, N>, i: usize) {
    for (sums, x) in sums.iter_mut().zip(&x.sums) {
        if K::HALVES {
            *sums = add_pair(*sums, w[0], &x[i]);
            *sums = add_pair(*sums, w[1], &x[i + 1]);
        } else {
            let w = _mm512_mask_blend_epi16(0xaaaa_aaaa, w[0], w[1]);
            *sums = add_pair(*sums, w, &x[i / 2]);
        }
    }
}

/// Adds to each lane its pair of `w` times the pair `x`.
///
/// The compiler would make three instructions of the intrinsic.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn add_pair(sums: __m512i, w: __m512i, x: &[i16; 2]) -> __m512i {
    let mut sums = sums;
    // SAFETY: it reads the pair; the CPU has the instruction because this function has its feature.
    unsafe {
        asm!(
            "vpdpwssd {sums}, {w}, dword ptr [{x}]{{1to16}}",
            sums = inout(zmm_reg) sums, w = in(zmm_reg) w, x = in(reg) x,
            options(pure, readonly, nostack, preserves_flags)
        );
    }
    sums
}

/// The integers of unit `i`, in groups of both.
#[inline]
fn integers<'a>(panel: &'a Panel<'_>, i: usize) -> &'a [[u8; 64]; 8] {
    let groups = panel.q[2 * i..].first_chunk::<2>().expect("a panel of two groups");
    groups.as_flattened().as_chunks().0.first_chunk().expect("512 bytes")
}

/// The factors of unit `i`, and those of the minimum.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn factors(panel: &Panel<'_>, i: usize) -> [__m512i; 2] {
    let both = panel.s[2 * i..].first_chunk::<2>().expect("a panel of two groups");
    // SAFETY: two elements are 64 readable bytes; the load needs no alignment.
    let both = unsafe { _mm512_loadu_si512(both.as_ptr().cast()) };
    [_mm512_srai_epi16::<8>(_mm512_slli_epi16::<8>(both)), _mm512_srai_epi16::<8>(both)]
}

/// Scales or minima of unit `i`.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn floats(scales: &[[f32; EIGHT]], i: usize) -> __m512 {
    let both = scales[2 * i..].first_chunk::<2>().expect("a panel of two groups");
    // SAFETY: two elements are 64 readable bytes; the load needs no alignment.
    unsafe { _mm512_loadu_ps(both.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn load(bytes: &[u8; 64]) -> __m512i {
    // SAFETY: the array is 64 readable bytes; the load needs no alignment.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

/// Half of a register.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn eight(v: __m512, half: usize) -> __m256 {
    let v = _mm512_castps_si512(v);
    let upper = _mm512_extracti64x4_epi64::<1>(v);
    _mm256_castsi256_ps(if half == 0 { _mm512_castsi512_si256(v) } else { upper })
}
