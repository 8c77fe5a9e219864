//! Q6_K: six bits around 32, and an 8-bit scale for every 16.
//!
//! ```text
//! byte of a tile  0                    1024                  1536             1664   1680
//!                 | 32 quads of nibbles | 16 quads of 2 bits | 16 x 8 scales  | 8 x d |
//! ```
//!
//! Units 0 to 3 take their nibbles from quads 0, 8, 0, 8 and on, their high bits from quad 0 and
//! on; units 4 to 7 likewise from quads 16 and 8 on.

use super::lanes::{at, halves, load, near, quad, shift_in};
use super::source::{Integers, Kind, Place, Scales, Tile, Unit};
use core::arch::aarch64::{
    int8x16_t, uint8x16_t, vandq_u8, vdupq_n_s8, vdupq_n_u8, vextq_s8, vget_low_s8, vmovl_high_s8,
    vmovl_s8, vreinterpretq_s8_u8, vshrq_n_u8, vsliq_n_u8, vsriq_n_u8, vsubl_high_s8, vsubl_s8,
};
use dram_quant::{EIGHT, Format};

#[allow(non_camel_case_types, reason = "the format's own name")]
pub(crate) struct Q6_K;

impl Kind for Q6_K {
    const LARGEST: i16 = 63;
    const OFFSET: i8 = 32;
    const UNITS: usize = 8;
    const SHARE: usize = 4;
    const HALVES: bool = true;
}

impl Tile<210> for Q6_K {
    const FORMAT: Format = Format::Q6_K;

    type Panel = Self;
    type Head = ();

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn scales(tile: &[[u8; 210]; EIGHT]) -> Scales {
        Scales::of(halves(at(tile.as_flattened(), 1664)))
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn unit<Caller, const I: usize, const SHARE: usize>(
        (): &(),
        tile: &[[u8; 210]; EIGHT],
        q: Integers,
    ) -> Unit {
        // Of each half of each unit, `(units, 2, rows)`.
        let factors: &[u8; 128] = near(at(tile.as_flattened(), 1536));
        let here = vreinterpretq_s8_u8(load(at(factors, I * 16)));
        if SHARE > 1 {
            let steps = [vmovl_s8(vget_low_s8(here)), vmovl_high_s8(here)];
            return Unit { steps, ..Unit::of(q) };
        }
        // From the second half on; after the last come zeros.
        let next = if I < 7 {
            vreinterpretq_s8_u8(load(at(factors, I * 16 + 8)))
        } else {
            vextq_s8::<8>(here, vdupq_n_s8(0))
        };
        let steps = [vsubl_s8(vget_low_s8(here), vget_low_s8(next)), vsubl_high_s8(here, next)];
        Unit { steps, ..Unit::of(q) }
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn quads<Caller, const I: usize>(tile: &[[u8; 210]; EIGHT]) -> Integers {
        let tile = tile.as_flattened();
        let nibbles: &[u8; 256] = near(at(tile, (I / 4 * 2 + I % 2) * 256));
        let twos: &[u8; 256] = near(at(tile, 1024 + I / 4 * 256));
        let mut q = [[vdupq_n_s8(0); 2]; 8];
        for (g, q) in q.iter_mut().enumerate() {
            *q = joined::<I, true>(quad(at(nibbles, g * 32)), quad(at(twos, g * 32)));
        }
        q
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn pair<Caller, const I: usize>(row: Place<'_>) -> [int8x16_t; 2] {
        joined::<I, false>(row.at((I / 4 * 2 + I % 2) * 32), row.at(128 + I / 4 * 32))
    }
}

/// The integers of unit `I`: a shift with insertion joins nibbles and high bits, and what else is
/// in the bytes goes. Where units are `SHARED`, they have registers and shifts in common.
#[inline]
#[target_feature(enable = "neon")]
fn joined<const I: usize, const SHARED: bool>(
    nibbles: [uint8x16_t; 2],
    twos: [uint8x16_t; 2],
) -> [int8x16_t; 2] {
    let six = |six| vandq_u8(six, vdupq_n_u8(63));
    let join = |four, two| {
        vreinterpretq_s8_u8(match I % 4 {
            0 => six(vsliq_n_u8::<4>(four, two)),
            1 => six(vsliq_n_u8::<4>(four, vshrq_n_u8::<2>(two))),
            2 => six(vsriq_n_u8::<4>(two, four)),
            _ if !SHARED => vshrq_n_u8::<2>(shift_in::<2>(two, four)),
            _ => vshrq_n_u8::<2>(vsriq_n_u8::<2>(two, four)),
        })
    };
    [join(nibbles[0], twos[0]), join(nibbles[1], twos[1])]
}
