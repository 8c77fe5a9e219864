//! Q8_0: a scale and signed bytes.
//!
//! ```text
//! byte of a tile  0        16          272
//!                 | 8 x d   | 8 groups  |
//! ```

use super::lanes::{at, group, halves};
use super::product::{Isa, Kind, Tile, Unit, product};
use crate::Panel;
use crate::kernels::Eight;
use core::arch::aarch64::{vdupq_n_s8, vreinterpretq_s8_u8};
use dram_quant::{EIGHT, Format, Q8};

#[allow(non_camel_case_types, reason = "the format's own name")]
struct Q8_0;

impl Kind for Q8_0 {
    const LARGEST: i16 = 128;
}

/// The product of eight rows.
#[target_feature(enable = "neon")]
pub(crate) fn multiply<I: Isa>(
    w: Eight<'_>,
    x: Q8<'_>,
    panel: &mut Panel<'_>,
    y: &mut [[f32; EIGHT]],
) {
    product::<I, Q8_0, 34>(w, x, panel, y);
}

impl Tile<34> for Q8_0 {
    const FORMAT: Format = Format::Q8_0;

    type Head = ();

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn head<Caller>(_: &[[u8; 34]; EIGHT]) {}

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn unit<Caller>((): &(), tile: &[[u8; 34]; EIGHT], _: usize) -> Unit {
        let tile = tile.as_flattened();
        let mut q = [[vdupq_n_s8(0); 2]; 8];
        for (g, q) in q.iter_mut().enumerate() {
            *q = group(at(tile, 16 + g * 32)).map(|q| vreinterpretq_s8_u8(q));
        }
        Unit::new(q, halves(at(tile, 0)))
    }
}
