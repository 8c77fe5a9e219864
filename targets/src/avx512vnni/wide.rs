//! Products in registers of 512 bits, of four groups of eight rows from a panel, or two where they
//! lie.
//!
//! A pass over a panel has four columns of two registers: every activation that is loaded is
//! multiplied with 32 rows, and eight sums are on their way at once.

use super::unit::{Pair, Source, Unit, Unpacked};
use crate::panel::Panel;
use crate::x86::column::{Block, Column, Integers, Run};
use crate::x86::lanes::{store_floats, word};
use crate::x86::product::{self, Kind};
use core::arch::asm;
use core::arch::x86_64::{
    __m256, __m512, __m512i, _mm256_castsi256_ps, _mm512_add_epi32, _mm512_castps_si512,
    _mm512_castsi512_si256, _mm512_cvtepi32_ps, _mm512_dpbusd_epi32, _mm512_extracti64x4_epi64,
    _mm512_fmadd_ps, _mm512_mask_blend_epi16, _mm512_mul_ps, _mm512_mullo_epi16,
    _mm512_mullo_epi32, _mm512_set1_epi8, _mm512_set1_epi16, _mm512_set1_epi32, _mm512_set1_ps,
    _mm512_setzero_ps, _mm512_setzero_si512, _mm512_slli_epi32, _mm512_srai_epi32,
    _mm512_xor_si512,
};
use core::ops::Range;
use dram_quant::{EIGHT, Q8, UNIT};

/// Multiplies a panel with every column, of which there are four or more; `y` is
/// `(GROUPS, columns)`.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
pub(super) fn panel<K: Kind>(panel: &Panel<'_>, x: &Q8<'_>, y: &mut [[f32; EIGHT]]) {
    passes::<_, 2, 4>(&mut Unpacked::<K>::new(panel), x, y);
}

/// Multiplies two groups where they lie with every column, of which there are eight or more; `y` is
/// `(2, columns)`.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
pub(super) fn pair<S: product::Source>(w: &mut [S; 2], x: &Q8<'_>, y: &mut [[f32; EIGHT]]) {
    passes::<_, 1, 8>(&mut Pair(w), x, y);
}

/// Multiplies with `N` columns at a time.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn passes<S: Source<Z>, const Z: usize, const N: usize>(
    w: &mut S,
    x: &Q8<'_>,
    y: &mut [[f32; EIGHT]],
) {
    for first in (0..x.count()).step_by(N) {
        // The last columns again with some before them: as quick as by themselves.
        pass::<S, Z, N>(w, x, first.min(x.count() - N), y);
    }
}

/// Multiplies with columns `first..first + N`, units in order.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn pass<S: Source<Z>, const Z: usize, const N: usize>(
    w: &mut S,
    x: &Q8<'_>,
    first: usize,
    y: &mut [[f32; EIGHT]],
) {
    let (runs, rest) = (x.len / UNIT / 8, x.len / UNIT % 8);
    let offset = super::offset::<S::Kind>();
    let mut acc = [[_mm512_setzero_ps(); Z]; N];
    let columns = Column::<8>::of::<N>(x, first, 0, runs);
    for i in 0..runs {
        if S::Kind::BLOCK == 1 {
            let x = Run::of::<S::Kind>(&columns, i, offset);
            run::<S, Z, N, 8>(&mut acc, w, i * 8, &x);
        } else {
            block::<S, Z, N>(&mut acc, w, i, &Block::of::<S::Kind>(&columns, i));
        }
    }
    let columns = Column::<1>::of::<N>(x, first, runs * 8, rest);
    for i in 0..rest {
        let x = Run::of::<S::Kind>(&columns, i, offset);
        run::<S, Z, N, 1>(&mut acc, w, runs * 8 + i, &x);
    }
    for (group, y) in y.chunks_exact_mut(x.count()).enumerate() {
        for (y, acc) in y[first..].iter_mut().zip(acc) {
            store_floats(y, half(acc[group / 2], group % 2));
        }
    }
}

/// Adds `R` blocks of one unit, from `block` on.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn run<S: Source<Z>, const Z: usize, const N: usize, const R: usize>(
    acc: &mut [[__m512; Z]; N],
    w: &mut S,
    block: usize,
    x: &Run<'_, N, R>,
) {
    for i in 0..R {
        // SAFETY: the CPU has the features because this function has them.
        let [d, m] = unsafe { w.begin::<[(); R]>(block + i) };
        // SAFETY: as above.
        let unit = unsafe { w.unit::<[(); R]>(0) };
        let mut sums = [[_mm512_setzero_si512(); Z]; N];
        for (sums, begin) in sums.iter_mut().zip(&x.begin) {
            *sums = [_mm512_set1_epi32(begin[i]); Z];
        }
        dot::<S::Kind, Z, N, R, ()>(&mut sums, &unit.q, &x.q, i, 0..8);
        for c in 0..N {
            let (dx, ds) = (_mm512_set1_ps(x.d[c][i]), _mm512_set1_ps(x.ds[c][i]));
            for z in 0..Z {
                let sum = _mm512_cvtepi32_ps(sums[c][z]);
                acc[c][z] = _mm512_fmadd_ps(sum, _mm512_mul_ps(d[z], dx), acc[c][z]);
                if S::Kind::MIN {
                    acc[c][z] = _mm512_fmadd_ps(m[z], ds, acc[c][z]);
                }
            }
        }
    }
}

/// Adds block `i` of eight units.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn block<S: Source<Z>, const Z: usize, const N: usize>(
    acc: &mut [[__m512; Z]; N],
    w: &mut S,
    i: usize,
    x: &Block<'_, N>,
) {
    // SAFETY: the CPU has the features because this function has them.
    let [d, m] = unsafe { w.begin::<()>(i) };
    let mut sums = [[_mm512_setzero_si512(); Z]; N];
    let mut minima = sums;
    let offset = _mm512_set1_epi16(-super::offset::<S::Kind>());
    let step = if S::Kind::HALVES { 1 } else { 2 };
    for i in (0..8).step_by(step) {
        // SAFETY: as above.
        let Unit { q, mut s, mut n } = unsafe { w.unit::<[[(); 0]; 0]>(i) };
        add_unit::<S::Kind, Z, N, [(); 0]>(&mut sums, &q, s, x, i);
        if !S::Kind::HALVES {
            // SAFETY: as above.
            let next = unsafe { w.unit::<[[(); 0]; 1]>(i + 1) };
            add_unit::<S::Kind, Z, N, [(); 1]>(&mut sums, &next.q, next.s, x, i + 1);
            (s, n) = (in_pairs(s, next.s), in_pairs(n, next.n));
        }
        for z in 0..Z {
            if super::offset::<S::Kind>() != 0 {
                add_pairs(&mut sums, z, _mm512_mullo_epi16(s[z], offset), x, i / step);
            }
            if S::Kind::MIN {
                add_pairs(&mut minima, z, n[z], x, i / step);
            }
        }
    }
    for c in 0..N {
        let dx = _mm512_set1_ps(x.d[c]);
        for z in 0..Z {
            let sum = _mm512_cvtepi32_ps(sums[c][z]);
            acc[c][z] = _mm512_fmadd_ps(sum, _mm512_mul_ps(d[z], dx), acc[c][z]);
            if S::Kind::MIN {
                let minima = _mm512_mul_ps(_mm512_cvtepi32_ps(minima[c][z]), dx);
                acc[c][z] = _mm512_fmadd_ps(m[z], minima, acc[c][z]);
            }
        }
    }
}

/// Adds the products of unit `i` of a block, times its factors `s`.
///
/// Of `Caller` see the crate's documentation.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn add_unit<K: Kind, const Z: usize, const N: usize, Caller>(
    sums: &mut [[__m512i; Z]; N],
    w: &[[__m512i; Z]; 8],
    s: [__m512i; Z],
    x: &Block<'_, N>,
    i: usize,
) {
    let halves = if K::HALVES { 2 } else { 1 };
    for half in 0..halves {
        let mut dots = [[_mm512_setzero_si512(); Z]; N];
        let quads = half * 8 / halves..(half + 1) * 8 / halves;
        dot::<K, Z, N, 8, Caller>(&mut dots, w, &x.q, i, quads);
        for z in 0..Z {
            let s = if half == 0 { _mm512_slli_epi32::<16>(s[z]) } else { s[z] };
            let s = _mm512_srai_epi32::<16>(s);
            for c in 0..N {
                let product = _mm512_mullo_epi32(dots[c][z], s);
                sums[c][z] = _mm512_add_epi32(sums[c][z], product);
            }
        }
    }
}

/// Adds the products of some quads of unit `i`, without factors.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn dot<K: Kind, const Z: usize, const N: usize, const R: usize, Caller>(
    sums: &mut [[__m512i; Z]; N],
    w: &[[__m512i; Z]; 8],
    x: &[&Integers<R>; N],
    i: usize,
    quads: Range<usize>,
) {
    let offset = _mm512_set1_epi8(if K::SIGNED { -128 } else { 0 });
    for g in quads {
        let w = w[g].map(|w| _mm512_xor_si512(w, offset));
        for c in 0..N {
            let x = _mm512_set1_epi32(word(&x[c][i][g]));
            for z in 0..Z {
                sums[c][z] = _mm512_dpbusd_epi32(sums[c][z], w[z], x);
            }
        }
    }
}

/// Adds to register `z` of every column its pair `i` of sums of activations, times the factors `w`.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn add_pairs<const Z: usize, const N: usize>(
    sums: &mut [[__m512i; Z]; N],
    z: usize,
    w: __m512i,
    x: &Block<'_, N>,
    i: usize,
) {
    for (sums, x) in sums.iter_mut().zip(&x.sums) {
        sums[z] = add_pair(sums[z], w, &x[i]);
    }
}

/// The factors of two units side by side, where those of both halves are the same.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn in_pairs<const Z: usize>(mut a: [__m512i; Z], b: [__m512i; Z]) -> [__m512i; Z] {
    for z in 0..Z {
        a[z] = _mm512_mask_blend_epi16(0xaaaa_aaaa, a[z], b[z]);
    }
    a
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

/// Half of a register.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn half(v: __m512, half: usize) -> __m256 {
    let v = _mm512_castps_si512(v);
    let upper = _mm512_extracti64x4_epi64::<1>(v);
    _mm256_castsi256_ps(if half == 0 { _mm512_castsi512_si256(v) } else { upper })
}
