//! Every other format: unpacked to a panel of signed bytes by its definition, then multiplied.

use super::lanes::{floats, load, pairs};
use super::panel::{Place, fill};
use super::product::{Isa, Kind, Scales, Source, Unit};
use crate::defined::Defined;
use crate::kernels::Groups;
use crate::scratch::Scratch;
use core::arch::x86_64::_mm256_setzero_si256;
use core::marker::PhantomData;
use dram_quant::{EIGHT, Q8, UNIT};

/// Signed bytes, as in Q8_0; in blocks of several units, halves have factors.
struct Any<const BLOCK: usize, const MIN: bool>;

impl<const BLOCK: usize, const MIN: bool> Kind for Any<BLOCK, MIN> {
    const BLOCK: usize = BLOCK;
    const DEPTH: usize = 1;
    const SIGNED: bool = true;
    const HALVES: bool = BLOCK > 1;
    const MIN: bool = MIN;
}

/// Multiplies groups of rows with every column.
///
/// # Safety
///
/// The CPU must have the features of `I`.
#[target_feature(enable = "avx2,fma,f16c")]
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

/// The product of groups of kind `K`, one after the other: to unpack them takes the most time.
///
/// # Safety
///
/// The CPU must have the features of `I`.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn unpacked<I: Isa, K: Kind>(
    w: &Groups<'_>,
    x: &Q8<'_>,
    scratch: &mut Scratch<'_>,
    y: &mut [[f32; EIGHT]],
) {
    let panel = &mut scratch.panel(x.len / UNIT);
    for (w, y) in w.groups().zip(y.chunks_exact_mut(x.count())) {
        let w = Integers::<K> { w: Defined::new(w), kind: PhantomData };
        fill::<I, _>(w, panel, Place { group: 0, groups: 1 }, x.len);
        // SAFETY: as the caller promises.
        unsafe { I::panel::<K>(panel, x, y) }
    }
}

/// Eight rows as their format is defined, as registers.
struct Integers<'a, K> {
    w: Defined<'a>,
    kind: PhantomData<K>,
}

impl<K: Kind> Source for Integers<'_, K> {
    type Kind = K;

    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn begin<Caller>(&mut self, block: usize) -> Scales {
        let [d, m] = self.w.read(block, K::BLOCK);
        Scales { d: floats(&d), m: floats(&m) }
    }

    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn unit<Caller>(&self, i: usize) -> Unit {
        let units = self.w.block.each_ref().map(|row| &row[i]);
        let mut q = [_mm256_setzero_si256(); 8];
        for (g, q) in q.iter_mut().enumerate() {
            let four = |r: usize| units[r].q.as_chunks::<4>().0[g].map(i8::cast_unsigned);
            let rows: [[u8; 4]; EIGHT] = core::array::from_fn(four);
            *q = load(rows.as_flattened().first_chunk().expect("32 bytes"));
        }
        let s = pairs(&units.map(|unit| unit.s.map(i16::from)));
        Unit { q, s, n: pairs(&units.map(|unit| unit.n.map(i16::from))) }
    }
}
