//! Q6_K: six bits around 32, and an 8-bit scale for every 16.
//!
//! ```text
//! byte of a tile  0                    1024                  1536             1664   1680
//!                 | 32 groups of nibbles | 16 groups of 2 bits | 16 x 8 scales  | 8 x d |
//! ```
//!
//! Units 0 to 3 take their nibbles from groups 0, 8, 0, 8 and on, their high bits from group 0 and
//! on; units 4 to 7 likewise from groups 16 and 8 on.

use super::lanes::{at, group, halves, load};
use super::product::{Isa, Kind, Tile, Unit, product};
use crate::Panel;
use crate::kernels::Eight;
use core::arch::aarch64::{
    float32x4_t, int8x16_t, uint8x16_t, vandq_u8, vdupq_n_s8, vdupq_n_u8, vget_low_s8,
    vmovl_high_s8, vmovl_s8, vreinterpretq_s8_u8, vshrq_n_u8, vsliq_n_u8, vsriq_n_u8,
};
use dram_quant::{EIGHT, Format, Q8};

#[allow(non_camel_case_types, reason = "the format's own name")]
struct Q6_K;

impl Kind for Q6_K {
    const LARGEST: i16 = 63;
    const OFFSET: i8 = 32;
    const HALVES: bool = true;
}

/// The product of eight rows.
#[target_feature(enable = "neon")]
pub(crate) fn multiply<I: Isa>(
    w: Eight<'_>,
    x: Q8<'_>,
    panel: &mut Panel<'_>,
    y: &mut [[f32; EIGHT]],
) {
    product::<I, Q6_K, 210>(w, x, panel, y);
}

impl Tile<210> for Q6_K {
    const FORMAT: Format = Format::Q6_K;

    type Head = [float32x4_t; 2];

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn head<Caller>(tile: &[[u8; 210]; EIGHT]) -> Self::Head {
        halves(at(tile.as_flattened(), 1664))
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn unit<Caller>(d: &Self::Head, tile: &[[u8; 210]; EIGHT], i: usize) -> Unit {
        let tile = tile.as_flattened();
        let s = vreinterpretq_s8_u8(load(at(tile, 1536 + i * 16)));
        let s = [vmovl_s8(vget_low_s8(s)), vmovl_high_s8(s)];
        let nibbles = at(tile, (i / 4 * 2 + i % 2) * 256);
        let twos = at(tile, 1024 + i / 4 * 256);
        Unit { s, ..Unit::new(sixes::<Caller>(nibbles, twos, i % 4), *d) }
    }
}

/// The integers of a unit, `quarter` telling which bits of eight groups of nibbles and of twos.
#[inline]
#[target_feature(enable = "neon")]
fn sixes<Caller>(nibbles: &[u8; 256], twos: &[u8; 256], quarter: usize) -> [[int8x16_t; 2]; 8] {
    // A shift with insertion joins the two parts; what else is in the byte goes.
    let six = |six| vandq_u8(six, vdupq_n_u8(63));
    match quarter {
        0 => joined::<Caller>(nibbles, twos, |four, two| six(vsliq_n_u8::<4>(four, two))),
        1 => joined::<Caller>(nibbles, twos, |four, two| {
            six(vsliq_n_u8::<4>(four, vshrq_n_u8::<2>(two)))
        }),
        2 => joined::<Caller>(nibbles, twos, |four, two| six(vsriq_n_u8::<4>(two, four))),
        _ => {
            joined::<Caller>(nibbles, twos, |four, two| vsriq_n_u8::<4>(vshrq_n_u8::<2>(two), four))
        }
    }
}

/// `join` of every byte of eight groups.
#[inline]
#[target_feature(enable = "neon")]
fn joined<Caller>(
    nibbles: &[u8; 256],
    twos: &[u8; 256],
    join: impl Fn(uint8x16_t, uint8x16_t) -> uint8x16_t,
) -> [[int8x16_t; 2]; 8] {
    let six = |four, two| vreinterpretq_s8_u8(join(four, two));
    let mut q = [[vdupq_n_s8(0); 2]; 8];
    let groups = nibbles.as_chunks().0.iter().zip(twos.as_chunks().0);
    for (q, (fours, twos)) in q.iter_mut().zip(groups) {
        let (fours, twos) = (group(fours), group(twos));
        *q = [six(fours[0], twos[0]), six(fours[1], twos[1])];
    }
    q
}
