//! Q4_K: nibbles, and a 6-bit scale and minimum for every 32.
//!
//! ```text
//! byte of a tile  0        16          32               128         1152
//!                 | 8 x d   | 8 x dmin  | 12 x 8 scales  | 32 groups  |
//! ```
//!
//! Two units share eight groups, one the low nibbles and one the high.

use super::lanes::{at, group, halves, load, opaque, store};
use super::product::{Isa, Kind, Tile, Unit, product};
use crate::Panel;
use crate::kernels::Eight;
use core::arch::aarch64::{
    float32x4_t, int8x16_t, uint8x16_t, vandq_u8, vcvtq_f32_u32, vdupq_n_s8, vdupq_n_u8,
    vget_low_u8, vget_low_u16, vmovl_high_u8, vmovl_high_u16, vmovl_u8, vmovl_u16, vmulq_f32,
    vnegq_f32, vorrq_u8, vreinterpretq_s8_u8, vreinterpretq_u8_u64, vreinterpretq_u64_u8,
    vshlq_n_u8, vshrq_n_u8, vzip1q_u64, vzip2q_u64,
};
use dram_quant::{EIGHT, Format, Q8};

#[allow(non_camel_case_types, reason = "the format's own name")]
struct Q4_K;

impl Kind for Q4_K {
    const LARGEST: i16 = 15;
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
    product::<I, Q4_K, 144>(w, x, panel, y);
}

impl Tile<144> for Q4_K {
    const FORMAT: Format = Format::Q4_K;

    type Head = Scales;

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn head<Caller>(tile: &[[u8; 144]; EIGHT]) -> Scales {
        Scales::read::<Caller>(at(tile.as_flattened(), 0))
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn unit<Caller>(scales: &Scales, tile: &[[u8; 144]; EIGHT], i: usize) -> Unit {
        let tile = tile.as_flattened();
        let q = nibbles::<Caller>(at(tile, 128 + i / 2 * 256), i % 2 == 1);
        let (d, m) = scales.unit::<Caller>(i);
        Unit { m, ..Unit::new(q, d) }
    }
}

/// The low nibbles of eight groups, or the high ones.
#[inline]
#[target_feature(enable = "neon")]
fn nibbles<Caller>(groups: &[u8; 256], high: bool) -> [[int8x16_t; 2]; 8] {
    let mut q = [[vdupq_n_s8(0); 2]; 8];
    if high {
        for (q, both) in q.iter_mut().zip(groups.as_chunks().0) {
            *q = group(both).map(|both| vreinterpretq_s8_u8(vshrq_n_u8::<4>(both)));
        }
    } else {
        for (q, both) in q.iter_mut().zip(groups.as_chunks().0) {
            *q = group(both).map(|both| vreinterpretq_s8_u8(vandq_u8(both, vdupq_n_u8(15))));
        }
    }
    // Bytes would be widened in each branch, to be multiplied in more instructions.
    q.map(|q| q.map(|q| opaque(q)))
}

/// The head of a tile, which Q4_K and Q5_K share, taken apart.
pub(super) struct Scales {
    d: [float32x4_t; 2],
    /// `-dmin`
    m: [float32x4_t; 2],
    /// Scales and minima: `(units, 2, rows)`.
    six: [[[u8; EIGHT]; 2]; 8],
}

impl Scales {
    /// Reads a head. A register holds two bytes of the scales, each of eight rows.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(super) fn read<Caller>(head: &[u8; 128]) -> Self {
        let d = halves(at(head, 0));
        let m = halves(at(head, 16)).map(|m| vnegq_f32(m));
        let mut scales = Self { d, m, six: [[[0; EIGHT]; 2]; 8] };
        for two in 0..2 {
            let [a, b, c] = [0, 32, 64].map(|start| load(at(head, 32 + start + two * 16)));
            let low = |v| vandq_u8(v, vdupq_n_u8(63));
            let high = |four, two| vorrq_u8(four, vshlq_n_u8::<4>(vshrq_n_u8::<6>(two)));
            scales.put::<Caller>(two * 2, low(a), low(b));
            let [c_low, c_high] = [vandq_u8(c, vdupq_n_u8(15)), vshrq_n_u8::<4>(c)];
            scales.put::<Caller>(4 + two * 2, high(c_low, a), high(c_high, b));
        }
        scales
    }

    /// Keeps the scales and minima of units `i` and `i + 1`.
    #[inline]
    #[target_feature(enable = "neon")]
    fn put<Caller>(&mut self, i: usize, scales: uint8x16_t, minima: uint8x16_t) {
        let [scales, minima] = [scales, minima].map(|bytes| vreinterpretq_u64_u8(bytes));
        let units = [vzip1q_u64(scales, minima), vzip2q_u64(scales, minima)];
        for (to, unit) in self.six[i..].iter_mut().zip(units) {
            store(to.as_flattened_mut(), vreinterpretq_u8_u64(unit));
        }
    }

    /// The scales and minima of unit `i`: products of 11 and 6 bits, exact.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(super) fn unit<Caller>(&self, i: usize) -> ([float32x4_t; 2], [float32x4_t; 2]) {
        let six = load(at(self.six[i].as_flattened(), 0));
        let scale = |[low, high]: [float32x4_t; 2], six| {
            let six =
                [vmovl_u16(vget_low_u16(six)), vmovl_high_u16(six)].map(|six| vcvtq_f32_u32(six));
            [vmulq_f32(low, six[0]), vmulq_f32(high, six[1])]
        };
        let d = scale(self.d, vmovl_u8(vget_low_u8(six)));
        (d, scale(self.m, vmovl_high_u8(six)))
    }
}
