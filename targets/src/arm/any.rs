//! Every other format: unpacked to a panel of signed bytes by its definition, then multiplied.

use super::lanes::{eight, floats, signed};
use super::panel::{fill, part};
use super::product::{Isa, together};
use super::source::{Kind, Scales, Source, Unit};
use crate::kernels::{Eight, Eights};
use crate::scratch::Scratch;
use core::marker::PhantomData;
use dram_quant::{EIGHT, MAX_BYTES, MAX_UNITS, Order, Q8, UNIT, Unpacked, untile};

/// Signed bytes; in blocks of several units, halves have factors.
pub(crate) struct Any<const UNITS: usize, const MIN: bool>;

impl<const UNITS: usize, const MIN: bool> Kind for Any<UNITS, MIN> {
    const LARGEST: i16 = 128;
    const UNITS: usize = UNITS;
    const HALVES: bool = UNITS > 1;
    const MIN: bool = MIN;
}

/// The product of eight rows.
#[target_feature(enable = "neon")]
pub(crate) fn multiply<I: Isa>(
    w: &Eights<'_>,
    x: &Q8<'_>,
    scratch: &mut Scratch<'_>,
    y: &mut [[f32; EIGHT]],
) {
    match (w.format.weights() / UNIT, w.format.has_min()) {
        (1, false) => unpacked::<I, Any<1, false>>(w, x, scratch, y),
        (1, true) => unpacked::<I, Any<1, true>>(w, x, scratch, y),
        (_, false) => unpacked::<I, Any<8, false>>(w, x, scratch, y),
        (_, true) => unpacked::<I, Any<8, true>>(w, x, scratch, y),
    }
}

/// The product of eight rows of kind `K`.
#[target_feature(enable = "neon")]
fn unpacked<I: Isa, K: Kind>(
    w: &Eights<'_>,
    x: &Q8<'_>,
    scratch: &mut Scratch<'_>,
    y: &mut [[f32; EIGHT]],
) {
    let (panel, most) = (&mut scratch.panel(x.len / UNIT), together::<I>(x));
    for (w, y) in w.together(most).zip(y.chunks_mut(most * x.count())) {
        for (group, w) in w.groups().enumerate() {
            let block = [[Unpacked::ZERO; MAX_UNITS]; EIGHT];
            let panel = &mut part(panel, group, x.len / UNIT);
            fill::<I, _>(&Defined::<K> { w, block, kind: PhantomData }, panel);
        }
        // SAFETY: `I` is named only by the table that has its features.
        unsafe { I::panel::<K>(panel, x, y) }
    }
}

/// Eight rows as their format is defined.
struct Defined<'a, K> {
    w: Eight<'a>,
    /// Units of each row; of missing rows zeros.
    block: [[Unpacked; MAX_UNITS]; EIGHT],
    kind: PhantomData<K>,
}

impl<K: Kind> Source for Defined<'_, K> {
    type Kind = K;

    const ROWS: bool = true;

    type Block<'a>
        = (Scales, &'a [[Unpacked; MAX_UNITS]; EIGHT])
    where
        Self: 'a;

    fn limit(&self, blocks: usize) -> (Self, usize) {
        let all = self.w.bytes.len() / self.w.rows / self.w.format.bytes();
        (Self { ..*self }, blocks.min(all))
    }

    #[target_feature(enable = "neon")]
    unsafe fn block<Caller>(&mut self, i: usize) -> Self::Block<'_> {
        let Eight { bytes, rows, format, order, .. } = self.w;
        let mut scratch = [0; MAX_BYTES * EIGHT];
        let (from, stride) = match order {
            Order::Rows => (&bytes[i * format.bytes()..], bytes.len() / rows),
            Order::Tiles => {
                let scratch = &mut scratch[..format.bytes() * EIGHT];
                untile(format, &bytes[i * scratch.len()..][..scratch.len()], scratch);
                (&*scratch, format.bytes())
            }
        };
        for (r, row) in self.block.iter_mut().enumerate().take(rows) {
            for (i, unit) in row[..K::UNITS].iter_mut().enumerate() {
                format.unpack(&from[r * stride..], i, unit);
            }
        }
        let first = self.block.each_ref().map(|row| row[0]);
        let [d, m] = [first.map(|unit| unit.d), first.map(|unit| unit.m)];
        (Scales { d: floats(&d), m: floats(&m) }, &self.block)
    }

    unsafe fn scales<'a>((scales, _): &Self::Block<'a>) -> Scales
    where
        Self: 'a,
    {
        *scales
    }

    #[target_feature(enable = "neon")]
    unsafe fn unit<'a, Caller, const I: usize, const SHARE: usize>(
        (_, block): &Self::Block<'a>,
    ) -> Unit
    where
        Self: 'a,
    {
        let q = block.each_ref().map(|row| {
            let [first, last] = row[I].q.as_chunks().0 else { unreachable!("32 weights") };
            [signed(first), signed(last)]
        });
        let steps = [0, 1].map(|h| {
            eight(&block.each_ref().map(|row| {
                let next = match h {
                    0 => row[I].s[1],
                    _ => row[..K::UNITS].get(I + 1).map_or(0, |next| next.s[0]),
                };
                i16::from(row[I].s[h]) - i16::from(next)
            }))
        });
        let n = [0, 1].map(|h| eight(&block.each_ref().map(|row| i16::from(row[I].n[h]))));
        Unit { q, steps, n }
    }
}
