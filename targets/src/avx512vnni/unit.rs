//! Units of rows in registers of 512 bits, and where they come from: a panel of four groups of
//! eight rows, or two groups where they lie.

use crate::panel::Panel;
use crate::x86::product::{self, Kind};
use core::arch::x86_64::{
    __m256, __m256i, __m512, __m512i, _mm256_castps_si256, _mm512_castsi256_si512,
    _mm512_castsi512_ps, _mm512_inserti64x4, _mm512_loadu_ps, _mm512_loadu_si512,
    _mm512_setzero_si512, _mm512_slli_epi16, _mm512_srai_epi16,
};
use core::marker::PhantomData;
use dram_quant::EIGHT;

/// Groups of eight rows in a panel.
pub(super) const GROUPS: usize = 4;

/// A unit of 16 rows in lanes, `Z` times.
pub(super) struct Unit<const Z: usize> {
    /// Integers, in quads of four.
    pub q: [[__m512i; Z]; 8],
    /// Factors of the two halves, a pair a row; read where [`Kind::BLOCK`] is not 1.
    pub s: [__m512i; Z],
    /// Factors of the minimum in the two halves; read where there are minima too.
    pub n: [__m512i; Z],
}

/// Where the units of `Z` times 16 rows come from.
pub(super) trait Source<const Z: usize> {
    type Kind: Kind;

    /// Begins a block: its scales and minima; `Caller` as in [`product::Source`].
    ///
    /// # Safety
    ///
    /// The CPU must have the features.
    unsafe fn begin<Caller>(&mut self, block: usize) -> [[__m512; Z]; 2];

    /// Unit `i` of the block that was begun.
    ///
    /// # Safety
    ///
    /// The CPU must have the features.
    unsafe fn unit<Caller>(&self, i: usize) -> Unit<Z>;
}

/// Of 32 rows: what 16 have, twice.
type Rows<T> = [[T; 2]; 2];

/// The panel of four groups.
pub(super) struct Unpacked<'a, K> {
    q: &'a [Rows<[u8; 256]>],
    d: &'a [Rows<[f32; EIGHT]>],
    m: &'a [Rows<[f32; EIGHT]>],
    s: &'a [Rows<[[i16; 2]; EIGHT]>],
    /// The first unit of the block begun.
    unit: usize,
    kind: PhantomData<K>,
}

impl<'a, K> Unpacked<'a, K> {
    pub(super) fn new(panel: &'a Panel<'_>) -> Self {
        Self {
            q: rows(panel.q),
            d: rows(panel.d),
            m: rows(panel.m),
            s: rows(panel.s),
            unit: 0,
            kind: PhantomData,
        }
    }
}

fn rows<T>(elements: &[T]) -> &[Rows<T>] {
    elements.as_chunks().0.as_chunks().0
}

impl<K: Kind> Source<2> for Unpacked<'_, K> {
    type Kind = K;

    #[inline]
    #[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
    unsafe fn begin<Caller>(&mut self, block: usize) -> [[__m512; 2]; 2] {
        self.unit = block * K::BLOCK;
        let [d, m] = [&self.d[self.unit], &self.m[self.unit]];
        [[floats(&d[0]), floats(&d[1])], [floats(&m[0]), floats(&m[1])]]
    }

    #[inline]
    #[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
    unsafe fn unit<Caller>(&self, i: usize) -> Unit<2> {
        let unit = self.unit + i;
        let (bytes, _) = self.q[unit].as_flattened().as_flattened().as_chunks();
        let quads: &[[_; 2]; 8] = bytes.as_chunks().0.first_chunk().expect("1024 bytes");
        let [[a, an], [b, bn]] = [factors(&self.s[unit][0]), factors(&self.s[unit][1])];
        Unit { q: quads.each_ref().map(|[a, b]| [load(a), load(b)]), s: [a, b], n: [an, bn] }
    }
}

/// Two groups where they lie.
pub(super) struct Pair<'w, S>(pub &'w mut [S; 2]);

impl<S: product::Source> Source<1> for Pair<'_, S> {
    type Kind = S::Kind;

    #[inline]
    #[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
    unsafe fn begin<Caller>(&mut self, block: usize) -> [[__m512; 1]; 2] {
        // SAFETY: the CPU has the features because this function has them.
        let a = unsafe { self.0[0].begin::<(Caller, [(); 0])>(block) };
        // SAFETY: as above.
        let b = unsafe { self.0[1].begin::<(Caller, [(); 1])>(block) };
        [[join_floats(a.d, b.d)], [join_floats(a.m, b.m)]]
    }

    #[inline]
    #[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
    unsafe fn unit<Caller>(&self, i: usize) -> Unit<1> {
        // SAFETY: the CPU has the features because this function has them.
        let a = unsafe { self.0[0].unit::<(Caller, [(); 0])>(i) };
        // SAFETY: as above.
        let b = unsafe { self.0[1].unit::<(Caller, [(); 1])>(i) };
        let mut q = [[_mm512_setzero_si512()]; 8];
        for (q, (a, b)) in q.iter_mut().zip(a.q.iter().zip(&b.q)) {
            *q = [join(*a, *b)];
        }
        Unit { q, s: [join(a.s, b.s)], n: [join(a.n, b.n)] }
    }
}

/// Eight rows and eight more.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn join(a: __m256i, b: __m256i) -> __m512i {
    _mm512_inserti64x4::<1>(_mm512_castsi256_si512(a), b)
}

#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn join_floats(a: __m256, b: __m256) -> __m512 {
    _mm512_castsi512_ps(join(_mm256_castps_si256(a), _mm256_castps_si256(b)))
}

/// The factors of 16 rows, and those of the minimum.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn factors(rows: &[[[i16; 2]; EIGHT]; 2]) -> [__m512i; 2] {
    // SAFETY: the array is 64 readable bytes; the load needs no alignment.
    let both = unsafe { _mm512_loadu_si512(rows.as_ptr().cast()) };
    [_mm512_srai_epi16::<8>(_mm512_slli_epi16::<8>(both)), _mm512_srai_epi16::<8>(both)]
}

/// Scales or minima of 16 rows.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn floats(rows: &[[f32; EIGHT]; 2]) -> __m512 {
    // SAFETY: the array is 64 readable bytes; the load needs no alignment.
    unsafe { _mm512_loadu_ps(rows.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn load(bytes: &[u8; 64]) -> __m512i {
    // SAFETY: the array is 64 readable bytes; the load needs no alignment.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}
