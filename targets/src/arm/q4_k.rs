//! Q4_K: nibbles, and a 6-bit scale and minimum for every 32.
//!
//! ```text
//! byte of a tile  0        16          32               128         1152
//!                 | 8 x d   | 8 x dmin  | 12 x 8 scales  | 32 quads  |
//! ```
//!
//! Two units share eight quads, one the low nibbles and one the high.

use super::lanes::{at, halves, load, store};
use super::source::{Integers, Kind, Place, Scales, Tile, Unit};
use core::arch::aarch64::{
    int8x16_t, uint8x16_t, vandq_u8, vdupq_n_u8, vget_low_u8, vmovl_high_u8, vnegq_f32, vorrq_u8,
    vreinterpretq_s8_u8, vreinterpretq_s16_u16, vreinterpretq_u8_u64, vreinterpretq_u64_u8,
    vshlq_n_u8, vshrq_n_u8, vsubl_u8, vzip1q_u64, vzip2q_u64,
};
use dram_quant::{EIGHT, Format};

#[allow(non_camel_case_types, reason = "the format's own name")]
pub(crate) struct Q4_K;

impl Kind for Q4_K {
    const LARGEST: i16 = 15;
    const UNITS: usize = 8;
    const SHARE: usize = 2;
    const MIN: bool = true;
}

impl Tile<144> for Q4_K {
    const FORMAT: Format = Format::Q4_K;

    type Panel = Self;
    type Head = Head;

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn head<Caller>(tile: &[[u8; 144]; EIGHT]) -> Head {
        Head::read::<Caller>(at(tile.as_flattened(), 32))
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn scales(tile: &[[u8; 144]; EIGHT]) -> Scales {
        scales(at(tile.as_flattened(), 0))
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn unit<Caller, const I: usize, const SHARE: usize>(
        head: &Head,
        _: &[[u8; 144]; EIGHT],
        q: Integers,
    ) -> Unit {
        head.unit(I, SHARE, q)
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn pair<Caller, const I: usize>(place: Place<'_>) -> [int8x16_t; 2] {
        let both = place.at(16 + I / 2 * 32);
        let nibbles = if I.is_multiple_of(2) {
            both.map(|both| vandq_u8(both, vdupq_n_u8(15)))
        } else {
            both.map(|both| vshrq_n_u8::<4>(both))
        };
        nibbles.map(|q| vreinterpretq_s8_u8(q))
    }
}

/// The scales and minima that tiles of Q4_K and Q5_K begin with.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn scales(bytes: &[u8; 32]) -> Scales {
    let m = halves(at(bytes, 16)).map(|m| vnegq_f32(m));
    Scales { d: halves(at(bytes, 0)), m }
}

/// The factors of a tile of Q4_K or Q5_K, taken apart.
#[derive(Default)]
pub(crate) struct Head {
    /// Factors of scales and minima, `(units, 2, rows)`; after the last unit's come zeros.
    six: [[[u8; EIGHT]; 2]; 10],
}

impl Head {
    /// Reads factors. A register holds two bytes of them, each of eight rows.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(super) fn read<Caller>(bytes: &[u8; 96]) -> Self {
        let mut head = Self { six: [[[0; EIGHT]; 2]; 10] };
        for two in 0..2 {
            let [a, b, c] = [0, 32, 64].map(|start| load(at(bytes, start + two * 16)));
            let low = |v| vandq_u8(v, vdupq_n_u8(63));
            let high = |four, two| vorrq_u8(four, vshlq_n_u8::<4>(vshrq_n_u8::<6>(two)));
            head.put::<Caller>(two * 2, low(a), low(b));
            let [c_low, c_high] = [vandq_u8(c, vdupq_n_u8(15)), vshrq_n_u8::<4>(c)];
            head.put::<Caller>(4 + two * 2, high(c_low, a), high(c_high, b));
        }
        head
    }

    /// Keeps the factors of units `i` and `i + 1`.
    #[inline]
    #[target_feature(enable = "neon")]
    fn put<Caller>(&mut self, i: usize, scales: uint8x16_t, minima: uint8x16_t) {
        let [scales, minima] = [scales, minima].map(|bytes| vreinterpretq_u64_u8(bytes));
        let units = [vzip1q_u64(scales, minima), vzip2q_u64(scales, minima)];
        for (to, unit) in self.six[i..].iter_mut().zip(units) {
            store(to.as_flattened_mut(), vreinterpretq_u8_u64(unit));
        }
    }

    /// `q` with the factors of unit `i`, of which `share` are multiplied together.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(super) fn unit(&self, i: usize, share: usize, q: Integers) -> Unit {
        let [here, next] = [i, i + share].map(|i| load(at(self.six[i].as_flattened(), 0)));
        let steps = vreinterpretq_s16_u16(vsubl_u8(vget_low_u8(here), vget_low_u8(next)));
        let n = vreinterpretq_s16_u16(vmovl_high_u8(here));
        Unit { q, steps: [steps; 2], n: [n; 2] }
    }
}
