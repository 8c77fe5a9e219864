//! Panels of four groups of eight rows in registers of 512 bits.
//!
//! A pass has four columns of two registers: every activation that is loaded is multiplied with 32
//! rows, and eight sums are on their way, as many as keep two units busy that give a sum after four
//! cycles (Zen 5). Six columns are no faster, one register of eight columns is slower.

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

/// Groups of eight rows in a panel.
pub(super) const GROUPS: usize = 4;

/// Columns of a pass.
const N: usize = 4;

/// Of 32 rows: what 16 have, twice.
type Rows<T> = [T; 2];

/// Multiplies a panel with every column, of which there are more than [`N`]; `y` is
/// `(GROUPS, columns)`.
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
    let mut acc = [[_mm512_setzero_ps(); 2]; N];
    let columns = Column::<8>::of::<N>(x, first, 0, runs);
    for i in 0..runs {
        if K::BLOCK == 1 {
            run::<K, 8>(&mut acc, &Units::of(panel, i * 8), &Run::of::<K>(&columns, i, offset));
        } else {
            block::<K>(&mut acc, &Units::of(panel, i * 8), &Block::of::<K>(&columns, i));
        }
    }
    let rest = Column::<1>::of::<N>(x, first, runs * 8, x.len / UNIT % 8);
    for i in 0..x.len / UNIT % 8 {
        run::<K, 1>(&mut acc, &Units::of(panel, runs * 8 + i), &Run::of::<K>(&rest, i, offset));
    }
    for (group, y) in y.chunks_exact_mut(x.count()).enumerate() {
        for (y, acc) in y[first..].iter_mut().zip(acc) {
            store_floats(y, eight(acc[group / 2], group % 2));
        }
    }
}

/// `R` units of all groups: an index below `R` needs no check.
struct Units<'a, const R: usize> {
    q: &'a [Rows<[[u8; 256]; 2]>; R],
    d: &'a [Rows<[[f32; EIGHT]; 2]>; R],
    m: &'a [Rows<[[f32; EIGHT]; 2]>; R],
    s: &'a [Rows<[[[i16; 2]; EIGHT]; 2]>; R],
}

impl<'a, const R: usize> Units<'a, R> {
    /// Units from `first` on.
    #[inline]
    fn of(panel: &'a Panel<'_>, first: usize) -> Self {
        Self {
            q: units(panel.q, first),
            d: units(panel.d, first),
            m: units(panel.m, first),
            s: units(panel.s, first),
        }
    }
}

/// The elements of `R` units from `first` on.
#[inline]
fn units<T, const R: usize>(elements: &[T], first: usize) -> &[Rows<[T; 2]>; R] {
    let sixteens = elements.as_chunks().0;
    sixteens.as_chunks().0[first..].first_chunk().expect("a panel of all groups")
}

/// Adds `R` blocks of one unit.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn run<K: Kind, const R: usize>(acc: &mut [Rows<__m512>; N], w: &Units<'_, R>, x: &Run<'_, N, R>) {
    for i in 0..R {
        let mut sums = [[_mm512_setzero_si512(); 2]; N];
        for (sums, begin) in sums.iter_mut().zip(&x.begin) {
            *sums = [_mm512_set1_epi32(begin[i]); 2];
        }
        dot::<K, R, ()>(&mut sums, &w.q[i], &x.q, i, 0..8);
        let (d, m) = (floats(&w.d[i]), floats(&w.m[i]));
        for c in 0..N {
            let (dx, ds) = (_mm512_set1_ps(x.d[c][i]), _mm512_set1_ps(x.ds[c][i]));
            for r in 0..2 {
                let sum = _mm512_cvtepi32_ps(sums[c][r]);
                acc[c][r] = _mm512_fmadd_ps(sum, _mm512_mul_ps(d[r], dx), acc[c][r]);
                if K::MIN {
                    acc[c][r] = _mm512_fmadd_ps(m[r], ds, acc[c][r]);
                }
            }
        }
    }
}

/// Adds a block of eight units.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn block<K: Kind>(acc: &mut [Rows<__m512>; N], w: &Units<'_, 8>, x: &Block<'_, N>) {
    let mut sums = [[_mm512_setzero_si512(); 2]; N];
    let mut minima = sums;
    let offset = _mm512_set1_epi16(-super::offset::<K>());
    let step = if K::HALVES { 1 } else { 2 };
    for i in (0..8).step_by(step) {
        let [mut s, mut m] = factors(&w.s[i]);
        add_unit::<K, [(); 0]>(&mut sums, &w.q[i], s, x, i);
        if !K::HALVES {
            let [next, next_m] = factors(&w.s[i + 1]);
            add_unit::<K, [(); 1]>(&mut sums, &w.q[i + 1], next, x, i + 1);
            (s, m) = (in_pairs(s, next), in_pairs(m, next_m));
        }
        for r in 0..2 {
            if super::offset::<K>() != 0 {
                add_pairs(&mut sums, r, _mm512_mullo_epi16(s[r], offset), x, i / step);
            }
            if K::MIN {
                add_pairs(&mut minima, r, m[r], x, i / step);
            }
        }
    }
    let (d, m) = (floats(&w.d[0]), floats(&w.m[0]));
    for c in 0..N {
        let dx = _mm512_set1_ps(x.d[c]);
        for r in 0..2 {
            let sum = _mm512_cvtepi32_ps(sums[c][r]);
            acc[c][r] = _mm512_fmadd_ps(sum, _mm512_mul_ps(d[r], dx), acc[c][r]);
            if K::MIN {
                let minima = _mm512_mul_ps(_mm512_cvtepi32_ps(minima[c][r]), dx);
                acc[c][r] = _mm512_fmadd_ps(m[r], minima, acc[c][r]);
            }
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
    sums: &mut [Rows<__m512i>; N],
    w: &Rows<[[u8; 256]; 2]>,
    s: Rows<__m512i>,
    x: &Block<'_, N>,
    i: usize,
) {
    let halves = if K::HALVES { 2 } else { 1 };
    for half in 0..halves {
        let mut dots = [[_mm512_setzero_si512(); 2]; N];
        let groups = half * 8 / halves..(half + 1) * 8 / halves;
        dot::<K, 8, Caller>(&mut dots, w, &x.q, i, groups);
        for r in 0..2 {
            let s = if half == 0 { _mm512_slli_epi32::<16>(s[r]) } else { s[r] };
            let s = _mm512_srai_epi32::<16>(s);
            for c in 0..N {
                let product = _mm512_mullo_epi32(dots[c][r], s);
                sums[c][r] = _mm512_add_epi32(sums[c][r], product);
            }
        }
    }
}

/// Adds the products of some groups of weights of unit `i`, without factors.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn dot<K: Kind, const R: usize, Caller>(
    sums: &mut [Rows<__m512i>; N],
    w: &Rows<[[u8; 256]; 2]>,
    x: &[&Integers<R>; N],
    i: usize,
    groups: Range<usize>,
) {
    let offset = _mm512_set1_epi8(if K::SIGNED { -128 } else { 0 });
    let (bytes, _) = w.as_flattened().as_flattened().as_chunks();
    let w: &[Rows<_>; 8] = bytes.as_chunks().0.first_chunk().expect("1024 bytes");
    for g in groups {
        let w = w[g].each_ref().map(|w| _mm512_xor_si512(load(w), offset));
        for c in 0..N {
            let x = _mm512_set1_epi32(word(&x[c][i][g]));
            for r in 0..2 {
                sums[c][r] = _mm512_dpbusd_epi32(sums[c][r], w[r], x);
            }
        }
    }
}

/// Adds to register `r` of every column its pair `i` of sums of activations, times the factors `w`.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn add_pairs(sums: &mut [Rows<__m512i>; N], r: usize, w: __m512i, x: &Block<'_, N>, i: usize) {
    for (sums, x) in sums.iter_mut().zip(&x.sums) {
        sums[r] = add_pair(sums[r], w, &x[i]);
    }
}

/// The factors of two units side by side, where those of both halves are the same.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn in_pairs(a: Rows<__m512i>, b: Rows<__m512i>) -> Rows<__m512i> {
    let odd = 0xaaaa_aaaa;
    [_mm512_mask_blend_epi16(odd, a[0], b[0]), _mm512_mask_blend_epi16(odd, a[1], b[1])]
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

/// The factors of a unit, and those of the minimum.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn factors(unit: &Rows<[[[i16; 2]; EIGHT]; 2]>) -> [Rows<__m512i>; 2] {
    let [[a, am], [b, bm]] = [sixteen(&unit[0]), sixteen(&unit[1])];
    [[a, b], [am, bm]]
}

/// The factors of 16 rows, and those of the minimum.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn sixteen(pairs: &[[[i16; 2]; EIGHT]; 2]) -> [__m512i; 2] {
    // SAFETY: the array is 64 readable bytes; the load needs no alignment.
    let both = unsafe { _mm512_loadu_si512(pairs.as_ptr().cast()) };
    [_mm512_srai_epi16::<8>(_mm512_slli_epi16::<8>(both)), _mm512_srai_epi16::<8>(both)]
}

/// Scales or minima of a unit.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn floats(unit: &Rows<[[f32; EIGHT]; 2]>) -> Rows<__m512> {
    // SAFETY: the array is 64 readable bytes; the load needs no alignment.
    unit.each_ref().map(|rows| unsafe { _mm512_loadu_ps(rows.as_ptr().cast()) })
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
