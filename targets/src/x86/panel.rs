//! Panels: the units of one or four groups of eight rows, unpacked.
//!
//! ```text
//! unit of one group    quad 0: 8 rows | 1: 8 rows | …                        one element
//!         of four           0: 32 rows | 1: 32 rows | …                            four elements
//! ```
//!
//! Factors share 16 bits, `s` the lower half.

use super::lanes::{floats, load, pairs, store, store_floats, store_pairs};
use super::product::{Isa, Kind, Scales, Source, Unit};
use crate::panel::Panel;
use core::arch::x86_64::{
    _mm256_and_si256, _mm256_or_si256, _mm256_set1_epi16, _mm256_setzero_si256, _mm256_slli_epi16,
    _mm256_srai_epi16,
};
use core::marker::PhantomData;
use dram_quant::UNIT;

/// The panel of one group.
pub(crate) struct Unpacked<'a, K> {
    panel: &'a Panel<'a>,
    /// The first unit of the block begun.
    unit: usize,
    kind: PhantomData<K>,
}

impl<'a, K> Unpacked<'a, K> {
    pub(crate) fn new(panel: &'a Panel<'a>) -> Self {
        Self { panel, unit: 0, kind: PhantomData }
    }
}

impl<K: Kind> Source for Unpacked<'_, K> {
    type Kind = K;

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn begin<Caller>(&mut self, block: usize) -> Scales {
        self.unit = block * K::BLOCK;
        Scales { d: floats(&self.panel.d[self.unit]), m: floats(&self.panel.m[self.unit]) }
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn unit<Caller>(&self, i: usize) -> Unit {
        let i = self.unit + i;
        let mut q = [_mm256_setzero_si256(); 8];
        for (q, quad) in q.iter_mut().zip(self.panel.q[i].as_chunks().0) {
            *q = load(quad);
        }
        let factors = pairs(&self.panel.s[i]);
        let s = _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(factors));
        Unit { q, s, n: _mm256_srai_epi16::<8>(factors) }
    }
}

/// Which group of how many is meant.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub group: usize,
    pub groups: usize,
}

impl Place {
    /// The element with the scales and factors of unit `i`.
    fn element(self, i: usize) -> usize {
        i * self.groups + self.group
    }
}

/// Unpacks eight rows of `len` weights.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn fill<I: Isa, S: Source>(mut w: S, panel: &mut Panel<'_>, place: Place, len: usize) {
    for block in 0..len / UNIT / S::Kind::BLOCK {
        let first = block * S::Kind::BLOCK;
        // SAFETY: the CPU has the features because this function has them.
        let scales = unsafe { w.begin::<I>(block) };
        let element = place.element(first);
        store_floats(&mut panel.d[element], scales.d);
        store_floats(&mut panel.m[element], scales.m);
        for i in 0..S::Kind::BLOCK {
            // SAFETY: as above.
            put(&unsafe { w.unit::<I>(i) }, panel, place, first + i);
        }
    }
}

/// Writes unit `i`.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn put(w: &Unit, panel: &mut Panel<'_>, place: Place, i: usize) {
    let integers = panel.q[i * place.groups..][..place.groups].as_flattened_mut();
    let eights = integers.as_chunks_mut::<32>().0.iter_mut().skip(place.group);
    for (to, q) in eights.step_by(place.groups).zip(w.q) {
        store(to, q);
    }
    let s = _mm256_and_si256(w.s, _mm256_set1_epi16(0xff));
    let factors = _mm256_or_si256(s, _mm256_slli_epi16::<8>(w.n));
    store_pairs(&mut panel.s[place.element(i)], factors);
}
