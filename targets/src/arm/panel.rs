//! Panels: eight rows unpacked, without offset, in the order in which products want them.

use super::lanes::{self, eight, floats, store, store_factors, store_floats};
use super::product::Isa;
use super::source::{Integers, Kind, Scales, Source, Unit};
use super::tile::{pairs_of_quads, pairs_of_rows, transpose_bytes, turn};
use crate::panel::Panel;
use core::arch::aarch64::{
    int8x16_t, int16x8_t, vaddq_s16, vdupq_n_s8, vdupq_n_s16, vreinterpretq_s8_u8,
    vreinterpretq_u8_s8, vshlq_n_s16, vshrq_n_s16, vsliq_n_s16, vsubq_s8,
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
    /// The panel from unit `first` on.
    pub(super) fn new(panel: &'a Panel<'_>, first: usize) -> Self {
        let Panel { q, d, m, s } = panel;
        Self { q: &q[first..], d: &d[first..], m: &m[first..], s: &s[first..], kind: PhantomData }
    }
}

/// What group `group` takes of a panel, all having `units` units.
pub(super) fn part<'a>(panel: &'a mut Panel<'_>, group: usize, units: usize) -> Panel<'a> {
    let part = group * units..(group + 1) * units;
    Panel {
        q: &mut panel.q[part.clone()],
        d: &mut panel.d[part.clone()],
        m: &mut panel.m[part.clone()],
        s: &mut panel.s[part],
    }
}

/// The largest magnitude of an integer of `K` in a panel.
pub(crate) const fn largest<K: Kind>() -> i16 {
    let (least, largest) = (K::OFFSET as i16, K::LARGEST - K::OFFSET as i16);
    if least > largest { least } else { largest }
}

impl<I, K: Kind> Kind for Unpacked<'_, I, K> {
    const LARGEST: i16 = largest::<K>();
    const UNITS: usize = K::UNITS;
    const HALVES: bool = K::HALVES;
    const MIN: bool = K::MIN;
}

/// The units of a block, and its scales.
type Block<'a> = (&'a [[u8; 256]], &'a [[[i16; 2]; EIGHT]], Scales);

impl<'p, I: Isa, K: Kind> Source for Unpacked<'p, I, K> {
    type Kind = Self;

    const ROWS: bool = I::PANEL_ROWS;

    type Block<'a>
        = Block<'p>
    where
        Self: 'a;

    #[inline]
    fn limit(&self, blocks: usize) -> (Self, usize) {
        let blocks = blocks.min(self.q.len() / K::UNITS);
        let units = blocks * K::UNITS;
        let (q, d) = (&self.q[..units], &self.d[..units]);
        let (m, s) = (&self.m[..units], &self.s[..units]);
        (Self { q, d, m, s, kind: PhantomData }, blocks)
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn block<Caller>(&mut self, i: usize) -> Block<'p> {
        let first = i * K::UNITS;
        let scales = Scales { d: floats(&self.d[first]), m: floats(&self.m[first]) };
        (&self.q[first..][..K::UNITS], &self.s[first..][..K::UNITS], scales)
    }

    #[inline]
    unsafe fn scales<'a>((_, _, scales): &Block<'p>) -> Scales
    where
        Self: 'a,
    {
        *scales
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn unit<'a, Caller, const U: usize, const SHARE: usize>((q, s, _): &Block<'p>) -> Unit
    where
        Self: 'a,
    {
        let mut integers: Integers = [[vdupq_n_s8(0); 2]; 8];
        let bytes = if U < 4 { &q[U] } else { lanes::near(&q[U]) };
        for (to, bytes) in integers.iter_mut().zip(bytes.as_chunks().0) {
            *to = lanes::quad(bytes).map(|q| vreinterpretq_s8_u8(q));
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
pub(super) fn fill<I: Isa, S: Source>(w: &S, panel: &mut Panel<'_>) {
    let (mut w, blocks) = w.limit(panel.q.len() / S::Kind::UNITS);
    for b in 0..blocks {
        // SAFETY: the CPU has the features because this function has them; `b` is below the limit.
        let block = unsafe { w.block::<(I, ())>(b) };
        let first = b * S::Kind::UNITS;
        // SAFETY: the CPU has the features because this function has them.
        let scales = unsafe { S::scales(&block) };
        store_floats(&mut panel.d[first], scales.d);
        if S::Kind::MIN {
            store_floats(&mut panel.m[first], scales.m);
        }
        let next = &mut vdupq_n_s16(0);
        if S::Kind::UNITS > 1 {
            put::<I, S, 7>(&block, panel, first + 7, next);
            put::<I, S, 6>(&block, panel, first + 6, next);
            put::<I, S, 5>(&block, panel, first + 5, next);
            put::<I, S, 4>(&block, panel, first + 4, next);
            put::<I, S, 3>(&block, panel, first + 3, next);
            put::<I, S, 2>(&block, panel, first + 2, next);
            put::<I, S, 1>(&block, panel, first + 1, next);
        }
        put::<I, S, 0>(&block, panel, first, next);
    }
}

/// Writes unit `U` of a block as unit `i` of a panel; `next` is the factor that follows it.
#[inline]
#[target_feature(enable = "neon")]
fn put<'a, I: Isa, S: Source + 'a, const U: usize>(
    block: &S::Block<'a>,
    panel: &mut Panel<'_>,
    i: usize,
    next: &mut int16x8_t,
) {
    let lanes = const { largest::<S::Kind>() <= I::PANEL_LANES };
    // SAFETY: the CPU has the features because this function has them.
    let Unit { q, steps, n } = unsafe { S::unit::<(I, ()), U, 1>(block) };
    let mut q = match (S::ROWS, I::PANEL_ROWS && !lanes, I::PANEL_PAIRS) {
        (true, _, true) => pairs_of_rows(q),
        (false, _, true) => pairs_of_quads(q),
        (rows, panel_rows, _) if rows == panel_rows => q,
        _ => turn(q),
    };
    for q in q.as_flattened_mut() {
        *q = vsubq_s8(*q, vdupq_n_s8(S::Kind::OFFSET));
    }
    if lanes {
        let [a, b, c, d, e, f, g, h] = q;
        q = [twos(a), twos(b), twos(c), twos(d), twos(e), twos(f), twos(g), twos(h)];
    }
    for (q, bytes) in q.as_flattened().iter().zip(panel.q[i].as_chunks_mut::<16>().0) {
        store(bytes, vreinterpretq_u8_s8(*q));
    }
    if S::Kind::UNITS == 1 {
        return;
    }
    let mut factors = steps;
    if lanes {
        // The factors themselves: of two halves, or twice that of a unit.
        factors[1] = vaddq_s16(steps[1], *next);
        factors[0] = if S::Kind::HALVES { vaddq_s16(steps[0], factors[1]) } else { factors[1] };
        *next = factors[0];
    }
    let factors = match (S::Kind::HALVES, S::Kind::MIN) {
        // Only formats whose factors fit in bytes have both.
        (true, true) => [0, 1].map(|h| vsliq_n_s16::<8>(factors[h], n[h])),
        (true, false) => factors,
        _ => [factors[0], n[0]],
    };
    store_factors(&mut panel.s[i], factors);
}

/// Four weights of each of eight rows, to eight rows of each of two weights a register.
#[inline]
#[target_feature(enable = "neon")]
fn twos(q: [int8x16_t; 2]) -> [int8x16_t; 2] {
    transpose_bytes(q.map(|q| vreinterpretq_u8_s8(q))).map(|q| vreinterpretq_s8_u8(q))
}
