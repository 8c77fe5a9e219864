//! Q5_K: Q4_K with a fifth bit.
//!
//! ```text
//! byte of a tile  0        16          32               128            384         1408
//!                 | 8 x d   | 8 x dmin  | 12 x 8 scales  | 8 groups high | 32 groups  |
//! ```
//!
//! Bit `i` of the high bytes belongs to unit `i`.

use super::lanes::{at, group};
use super::product::{Isa, Kind, Tile, Unit, product};
use super::q4_k::Scales;
use crate::Panel;
use crate::kernels::Eight;
use core::arch::aarch64::{
    int8x16_t, vandq_u8, vdupq_n_s8, vdupq_n_u8, vreinterpretq_s8_u8, vshlq_u8, vsliq_n_u8,
    vsriq_n_u8,
};
use dram_quant::{EIGHT, Format, Q8};

#[allow(non_camel_case_types, reason = "the format's own name")]
struct Q5_K;

impl Kind for Q5_K {
    const LARGEST: i16 = 31;
    const MIN: bool = true;
}

/// The product of eight rows.
#[target_feature(enable = "neon")]
pub(crate) fn multiply<I: Isa>(
    w: Eight<'_>,
    x: Q8<'_>,
    panel: &mut Panel<'_>,
    y: &mut [[f32; EIGHT]],
) {
    product::<I, Q5_K, 176>(w, x, panel, y);
}

impl Tile<176> for Q5_K {
    const FORMAT: Format = Format::Q5_K;

    type Head = Scales;

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn head<Caller>(tile: &[[u8; 176]; EIGHT]) -> Scales {
        Scales::read::<Caller>(at(tile.as_flattened(), 0))
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn unit<Caller>(scales: &Scales, tile: &[[u8; 176]; EIGHT], i: usize) -> Unit {
        let tile = tile.as_flattened();
        let q = fives::<Caller>(at(tile, 384 + i / 2 * 256), at(tile, 128), i);
        let (d, m) = scales.unit::<Caller>(i);
        Unit { m, ..Unit::new(q, d) }
    }
}

/// The integers of unit `i`, from eight groups of nibbles and eight of single bits.
#[inline]
#[target_feature(enable = "neon")]
fn fives<Caller>(nibbles: &[u8; 256], bits: &[u8; 256], i: usize) -> [[int8x16_t; 2]; 8] {
    // A shift with insertion joins the two parts; what else is in the byte goes.
    let five = |five| vreinterpretq_s8_u8(vandq_u8(five, vdupq_n_u8(31)));
    let mut q = [[vdupq_n_s8(0); 2]; 8];
    let groups = nibbles.as_chunks().0.iter().zip(bits.as_chunks().0);
    if i.is_multiple_of(2) {
        let shift = vdupq_n_s8(-(i as i8));
        let join = |both, bits| five(vsliq_n_u8::<4>(both, vshlq_u8(bits, shift)));
        for (q, (both, bits)) in q.iter_mut().zip(groups) {
            let (both, bits) = (group(both), group(bits));
            *q = [join(both[0], bits[0]), join(both[1], bits[1])];
        }
    } else {
        let shift = vdupq_n_s8(4 - i as i8);
        let join = |both, bits| five(vsriq_n_u8::<4>(vshlq_u8(bits, shift), both));
        for (q, (both, bits)) in q.iter_mut().zip(groups) {
            let (both, bits) = (group(both), group(bits));
            *q = [join(both[0], bits[0]), join(both[1], bits[1])];
        }
    }
    q
}
