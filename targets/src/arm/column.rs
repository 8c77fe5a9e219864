//! Columns of activations.

use super::lanes::{four_floats, signed, sums};
use super::source::Kind;
use core::arch::aarch64::{
    float32x4_t, int8x16_t, int16x8_t, int32x4_t, vdupq_n_f32, vdupq_n_s8, vdupq_n_s16,
    vdupq_n_s32, vmlaq_n_s32, vpaddlq_s16, vpaddq_s16, vreinterpretq_s32_f32,
};
use dram_quant::{Q8, UNIT};

/// Runs of `R` units of one column of activations.
#[derive(Clone, Copy)]
pub(crate) struct Column<'a, const R: usize> {
    q: &'a [[[[i8; 16]; 2]; R]],
    d: &'a [[f32; R]],
    ds: &'a [[f32; R]],
    sums: &'a [[[i16; 2]; R]],
}

impl<'a, const R: usize> Column<'a, R> {
    /// Columns `first..first + N`, `count` runs from unit `unit` on.
    #[inline(always)]
    pub(crate) fn of<const N: usize>(
        x: &Q8<'a>,
        first: usize,
        unit: usize,
        count: usize,
    ) -> [Self; N] {
        let (q, all) = (x.q.as_chunks().0.as_chunks().0, x.len / UNIT);
        let mut columns = [Self { q: &[], d: &[], ds: &[], sums: &[] }; N];
        for (c, column) in columns.iter_mut().enumerate() {
            let start = (first + c) * all + unit;
            *column = Self {
                q: &q[start..].as_chunks().0[..count],
                d: &x.d[start..].as_chunks().0[..count],
                ds: &x.ds[start..].as_chunks().0[..count],
                sums: &x.sums[start..].as_chunks().0[..count],
            };
        }
        columns
    }

    /// Run `i` of each column.
    #[inline(always)]
    pub(crate) fn runs<const N: usize>(x: &[Self; N], i: usize) -> [Run<'a, R>; N] {
        let run = |x: &Self| Run { q: &x.q[i], d: &x.d[i], ds: &x.ds[i], sums: &x.sums[i] };
        let mut runs = [run(&x[0]); N];
        for c in 1..N {
            runs[c] = run(&x[c]);
        }
        runs
    }
}

/// `R` units of one column.
#[derive(Clone, Copy)]
pub(crate) struct Run<'a, const R: usize> {
    q: &'a [[[i8; 16]; 2]; R],
    d: &'a [f32; R],
    ds: &'a [f32; R],
    sums: &'a [[i16; 2]; R],
}

impl<const R: usize> Run<'_, R> {
    /// The scale of the block that begins with the first unit.
    #[inline(always)]
    pub(crate) fn scale(&self) -> f32 {
        self.d[0]
    }

    /// The scale times the sum of the first unit.
    #[inline(always)]
    pub(crate) fn scaled_sum(&self) -> f32 {
        self.ds[0]
    }

    /// The sums of eight units, or where `K` asks for them of each half of those.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(crate) fn sums<K: Kind>(&self) -> [int16x8_t; 2] {
        if K::OFFSET == 0 && !K::MIN {
            return [vdupq_n_s16(0); 2];
        }
        let [first, last] = [0, 4].map(|i| sums(self.sums[i..].first_chunk().expect("8 units")));
        if K::HALVES { [first, last] } else { [vpaddq_s16(first, last); 2] }
    }
}

/// Half `HALF` of unit `i` of each column.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn activations<const N: usize, const R: usize, const HALF: usize>(
    x: &[Run<'_, R>; N],
    i: usize,
) -> [int8x16_t; N] {
    let mut q = [vdupq_n_s8(0); N];
    for c in 0..N {
        q[c] = signed(&x[c].q[i][HALF]);
    }
    q
}

/// 1.5 · 2^23. Its bits and an integer below 2^22, added, are the float 1.5 · 2^23 and the integer,
/// added. To subtract it then is one operation; to convert is two, and one pipe alone does it.
pub(crate) const BIG: f32 = 12_582_912.0;

/// What belongs to four units of a column, or to one in lane 0.
#[derive(Clone, Copy)]
pub(crate) struct Lanes {
    /// Scales.
    pub d: float32x4_t,
    /// Scales times sums.
    pub ds: float32x4_t,
    /// What integer sums begin with: the bits of [`BIG`], and the offset times the sum taken off.
    pub begin: int32x4_t,
}

impl Lanes {
    /// Of the first units, four or one.
    #[inline]
    #[target_feature(enable = "neon")]
    fn of<K: Kind, const R: usize>(x: &Run<'_, R>) -> Self {
        let mut begin = vreinterpretq_s32_f32(vdupq_n_f32(BIG));
        if let (Some(d), Some(ds), Some(four)) =
            (x.d.first_chunk(), x.ds.first_chunk(), x.sums.first_chunk())
        {
            if K::OFFSET != 0 {
                let four = vpaddlq_s16(sums(four));
                begin = vmlaq_n_s32(begin, four, -i32::from(K::OFFSET));
            }
            return Self { d: four_floats(d), ds: four_floats(ds), begin };
        }
        if K::OFFSET != 0 {
            let sum = i32::from(x.sums[0][0]) + i32::from(x.sums[0][1]);
            begin = vmlaq_n_s32(begin, vdupq_n_s32(sum), -i32::from(K::OFFSET));
        }
        Self { d: vdupq_n_f32(x.d[0]), ds: vdupq_n_f32(x.ds[0]), begin }
    }
}

/// The lanes of each column.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn lanes<K: Kind, const N: usize, const R: usize>(x: &[Run<'_, R>; N]) -> [Lanes; N] {
    let mut lanes = [Lanes::of::<K, R>(&x[0]); N];
    for c in 1..N {
        lanes[c] = Lanes::of::<K, R>(&x[c]);
    }
    lanes
}
