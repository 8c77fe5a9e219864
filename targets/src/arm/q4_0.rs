//! Q4_0: a scale and nibbles around 8.
//!
//! ```text
//! byte of a tile  0        16                            144
//!                 | 8 x d   | 4 groups: nibbles of k and k + 16 |
//! ```

use super::lanes::{at, group, halves};
use super::product::{Isa, Kind, Tile, Unit, product};
use crate::Panel;
use crate::kernels::Eight;
use core::arch::aarch64::{
    int8x16_t, vandq_u8, vdupq_n_s8, vdupq_n_u8, vreinterpretq_s8_u8, vshrq_n_u8,
};
use dram_quant::{EIGHT, Format, Q8};

#[allow(non_camel_case_types, reason = "the format's own name")]
struct Q4_0;

impl Kind for Q4_0 {
    const LARGEST: i16 = 15;
    const OFFSET: i8 = 8;
}

/// The product of eight rows.
#[target_feature(enable = "neon")]
pub(crate) fn multiply<I: Isa>(
    w: Eight<'_>,
    x: Q8<'_>,
    panel: &mut Panel<'_>,
    y: &mut [[f32; EIGHT]],
) {
    product::<I, Q4_0, 18>(w, x, panel, y);
}

impl Tile<18> for Q4_0 {
    const FORMAT: Format = Format::Q4_0;

    type Head = ();

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn head<Caller>(_: &[[u8; 18]; EIGHT]) {}

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn unit<Caller>((): &(), tile: &[[u8; 18]; EIGHT], _: usize) -> Unit {
        let tile = tile.as_flattened();
        Unit::new(nibbles::<Caller>(at(tile, 16)), halves(at(tile, 0)))
    }
}

/// Low nibbles of four groups, then the high ones.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn nibbles<Caller>(groups: &[u8; 128]) -> [[int8x16_t; 2]; 8] {
    let mut q = [[vdupq_n_s8(0); 2]; 8];
    for g in 0..4 {
        let both = group(at(groups, g * 32));
        q[g] = both.map(|both| vreinterpretq_s8_u8(vandq_u8(both, vdupq_n_u8(15))));
        q[g + 4] = both.map(|both| vreinterpretq_s8_u8(vshrq_n_u8::<4>(both)));
    }
    q
}
