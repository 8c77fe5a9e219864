//! Panels: eight rows unpacked, without offset, in the order in which products want them.

use super::lanes::{self, eight, floats, store_factors, store_floats};
use super::product::Isa;
use super::source::{Integers, Kind, Scales, Source, Unit};
use super::tile::{pairs_of_groups, pairs_of_rows, turn};
use crate::Panel;
use core::arch::aarch64::{
    vdupq_n_s8, vreinterpretq_s8_u8, vreinterpretq_u8_s8, vshlq_n_s16, vshrq_n_s16, vsliq_n_s16,
    vsubq_s8,
};
use core::marker::PhantomData;
use dram_quant::EIGHT;

/// A panel, from which the offset of `K` was taken.
pub(super) struct Unpacked<'a, I, K> {
    q: &'a [[u8; 256]],
    d: &'a [[f32; EIGHT]],
    m: &'a [[f32; EIGHT]],
    s: &'a [[[i16; 2]; EIGHT]],
    kind: PhantomData<(I, K)>,
}

impl<'a, I, K> Unpacked<'a, I, K> {
    pub(super) fn new(panel: &'a Panel<'_>) -> Self {
        let Panel { q, d, m, s } = panel;
        Self { q, d, m, s, kind: PhantomData }
    }
}

impl<I, K: Kind> Kind for Unpacked<'_, I, K> {
    const LARGEST: i16 = {
        let (least, largest) = (K::OFFSET as i16, K::LARGEST - K::OFFSET as i16);
        if least > largest { least } else { largest }
    };
    const UNITS: usize = K::UNITS;
    const HALVES: bool = K::HALVES;
    const MIN: bool = K::MIN;
}

/// The units of a block, and its scales.
type Block<'a> = (&'a [[u8; 256]], &'a [[[i16; 2]; EIGHT]], Scales);

impl<'p, I: Isa, K: Kind> Source for Unpacked<'p, I, K> {
    type Kind = Self;

    const ROWS: bool = I::PANEL_ROWS;
    const PAIRS: bool = I::PANEL_PAIRS;

    type Block<'a>
        = Block<'p>
    where
        Self: 'a;

    #[inline]
    fn limit(&mut self, blocks: usize) -> usize {
        let blocks = blocks.min(self.q.len() / K::UNITS);
        let units = blocks * K::UNITS;
        (self.q, self.d) = (&self.q[..units], &self.d[..units]);
        (self.m, self.s) = (&self.m[..units], &self.s[..units]);
        blocks
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn block<Caller>(&mut self, i: usize) -> Block<'p> {
        let first = i * K::UNITS;
        let scales = Scales { d: floats(&self.d[first]), m: floats(&self.m[first]) };
        (&self.q[first..][..K::UNITS], &self.s[first..][..K::UNITS], scales)
    }

    #[inline]
    fn scales<'a>((_, _, scales): &Block<'p>) -> Scales
    where
        Self: 'a,
    {
        *scales
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn unit<'a, Caller, const U: usize>((q, s, _): &Block<'p>) -> Unit
    where
        Self: 'a,
    {
        let mut integers: Integers = [[vdupq_n_s8(0); 2]; 8];
        let bytes = if U < 4 { &q[U] } else { lanes::near(&q[U]) };
        for (to, bytes) in integers.iter_mut().zip(bytes.as_chunks().0) {
            *to = lanes::group(bytes).map(|q| vreinterpretq_s8_u8(q));
        }
        let unit = Unit::of(integers);
        if K::UNITS == 1 {
            return unit;
        }
        let factors = s[U].as_flattened().as_chunks().0;
        let [first, last] = [eight(&factors[0]), eight(&factors[1])];
        match (K::HALVES, K::MIN) {
            (true, true) => Unit {
                steps: [first, last].map(|both| vshrq_n_s16::<8>(vshlq_n_s16::<8>(both))),
                n: [first, last].map(|both| vshrq_n_s16::<8>(both)),
                ..unit
            },
            (true, false) => Unit { steps: [first, last], ..unit },
            _ => Unit { steps: [first; 2], n: [last; 2], ..unit },
        }
    }
}

/// Unpacks eight rows.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn fill<I: Isa, S: Source>(w: &mut S, panel: &mut Panel<'_>) {
    for b in 0..w.limit(panel.units() / S::Kind::UNITS) {
        // SAFETY: the CPU has the features because this function has them; `b` is below the limit.
        let block = unsafe { w.block::<(I, ())>(b) };
        let (first, scales) = (b * S::Kind::UNITS, S::scales(&block));
        store_floats(&mut panel.d[first], scales.d);
        if S::Kind::MIN {
            store_floats(&mut panel.m[first], scales.m);
        }
        put::<I, S, 0>(&block, panel, first);
        if S::Kind::UNITS > 1 {
            put::<I, S, 1>(&block, panel, first + 1);
            put::<I, S, 2>(&block, panel, first + 2);
            put::<I, S, 3>(&block, panel, first + 3);
            put::<I, S, 4>(&block, panel, first + 4);
            put::<I, S, 5>(&block, panel, first + 5);
            put::<I, S, 6>(&block, panel, first + 6);
            put::<I, S, 7>(&block, panel, first + 7);
        }
    }
}

/// Writes unit `U` of a block as unit `i` of a panel.
#[inline]
#[target_feature(enable = "neon")]
fn put<'a, I: Isa, S: Source + 'a, const U: usize>(
    block: &S::Block<'a>,
    panel: &mut Panel<'_>,
    i: usize,
) {
    // SAFETY: the CPU has the features because this function has them.
    let Unit { q, steps, n } = unsafe { S::unit::<(I, ()), U>(block) };
    let q = match (S::ROWS, I::PANEL_ROWS, I::PANEL_PAIRS) {
        (true, _, true) => pairs_of_rows(q),
        (false, _, true) => pairs_of_groups(q),
        (rows, panel_rows, _) if rows == panel_rows => q,
        _ => turn(q),
    };
    for (q, bytes) in q.as_flattened().iter().zip(panel.q[i].as_chunks_mut::<16>().0) {
        lanes::store(bytes, vreinterpretq_u8_s8(vsubq_s8(*q, vdupq_n_s8(S::Kind::OFFSET))));
    }
    if S::Kind::UNITS == 1 {
        return;
    }
    let factors = match (S::Kind::HALVES, S::Kind::MIN) {
        // Only formats whose factors fit in bytes have both.
        (true, true) => [0, 1].map(|h| vsliq_n_s16::<8>(steps[h], n[h])),
        (true, false) => steps,
        _ => [steps[0], n[0]],
    };
    store_factors(&mut panel.s[i], factors);
}
