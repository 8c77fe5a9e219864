//! Every other format: unpacked to a panel of signed bytes by its definition, then multiplied.

use super::lanes::{eight, floats, signed};
use super::panel::{fill, part};
use super::product::{Isa, together};
use super::source::{Kind, Scales, Source, Unit};
use crate::defined::Defined;
use crate::kernels::Groups;
use crate::scratch::Scratch;
use core::marker::PhantomData;
use dram_quant::{EIGHT, MAX_UNITS, Q8, UNIT, Unpacked};

/// Signed bytes; in blocks of several units, halves have factors.
pub(crate) struct Any<const UNITS: usize, const MIN: bool>;

impl<const UNITS: usize, const MIN: bool> Kind for Any<UNITS, MIN> {
    const LARGEST: i16 = 128;
    const UNITS: usize = UNITS;
    const HALVES: bool = UNITS > 1;
    const MIN: bool = MIN;
}

/// Multiplies groups of rows with every column.
///
/// # Safety
///
/// The CPU must have the features of `I`.
#[target_feature(enable = "neon")]
pub(crate) unsafe fn product<I: Isa>(
    w: &Groups<'_>,
    x: &Q8<'_>,
    scratch: &mut Scratch<'_>,
    y: &mut [[f32; EIGHT]],
) {
    match (w.format.weights() / UNIT, w.format.has_min()) {
        // SAFETY: as the caller promises.
        (1, false) => unsafe { unpacked::<I, Any<1, false>>(w, x, scratch, y) },
        // SAFETY: as above.
        (1, true) => unsafe { unpacked::<I, Any<1, true>>(w, x, scratch, y) },
        // SAFETY: as above.
        (_, false) => unsafe { unpacked::<I, Any<8, false>>(w, x, scratch, y) },
        // SAFETY: as above.
        (_, true) => unsafe { unpacked::<I, Any<8, true>>(w, x, scratch, y) },
    }
}

/// The product of groups of kind `K`.
///
/// # Safety
///
/// The CPU must have the features of `I`.
#[target_feature(enable = "neon")]
unsafe fn unpacked<I: Isa, K: Kind>(
    w: &Groups<'_>,
    x: &Q8<'_>,
    scratch: &mut Scratch<'_>,
    y: &mut [[f32; EIGHT]],
) {
    let (panel, most) = (&mut scratch.panel(x.len / UNIT), together::<I>(x));
    for (w, y) in w.together(most).zip(y.chunks_mut(most * x.count())) {
        for (group, w) in w.groups().enumerate() {
            let w = Rows::<K> { w: Defined::new(w), kind: PhantomData };
            fill::<I, _>(&w, &mut part(panel, group, x.len / UNIT));
        }
        // SAFETY: as the caller promises.
        unsafe { I::panel::<K>(panel, x, y) }
    }
}

/// Eight rows as their format is defined, as registers.
struct Rows<'a, K> {
    w: Defined<'a>,
    kind: PhantomData<K>,
}

impl<K: Kind> Source for Rows<'_, K> {
    type Kind = K;

    const ROWS: bool = true;

    type Block<'a>
        = (Scales, &'a [[Unpacked; MAX_UNITS]; EIGHT])
    where
        Self: 'a;

    fn limit(&self, blocks: usize) -> (Self, usize) {
        (Self { ..*self }, blocks)
    }

    #[target_feature(enable = "neon")]
    unsafe fn block<Caller>(&mut self, i: usize) -> Self::Block<'_> {
        let [d, m] = self.w.read(i, K::UNITS);
        (Scales { d: floats(&d), m: floats(&m) }, &self.w.block)
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
