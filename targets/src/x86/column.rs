//! Columns of activations, and what kernels want of a run of their units.

use super::lanes::{floats, kept, pairs, store_floats, store_integers, store_pairs};
use super::product::Kind;
use core::arch::x86_64::{
    _mm256_castps_si256, _mm256_castsi256_ps, _mm256_hadd_epi16, _mm256_madd_epi16,
    _mm256_permute4x64_epi64, _mm256_set1_epi16,
};
use dram_quant::{Q8, UNIT};

/// Runs of `R` units of one column.
#[derive(Clone, Copy)]
pub(crate) struct Column<'a, const R: usize> {
    /// `(runs, units, 8 quads, 4)`
    q: &'a [[[[i8; 4]; 8]; R]],
    d: &'a [[f32; R]],
    ds: &'a [[f32; R]],
    /// Of each half of a unit.
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
}

/// The integers of `R` units, `(units, 8 quads, 4)`.
pub(crate) type Integers<const R: usize> = [[[i8; 4]; 8]; R];

/// `R` units of `N` columns, for formats of one unit a block.
///
/// All but the integers are copies, side by side on the stack: there are too few registers for the
/// addresses of every part of every column.
pub(crate) struct Run<'a, const N: usize, const R: usize> {
    pub q: [&'a Integers<R>; N],
    pub d: [[f32; R]; N],
    pub ds: [[f32; R]; N],
    /// What sums of products begin with: the offset times the sum of activations taken off.
    pub begin: [[i32; R]; N],
}

impl<'a, const N: usize, const R: usize> Run<'a, N, R> {
    /// Run `i` of columns, for integers that are `offset` larger than the weights.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    pub(crate) fn of<K: Kind>(x: &[Column<'a, R>; N], i: usize, offset: i16) -> Self {
        let mut run =
            Self { q: x.map(|x| &x.q[i]), d: [[0.0; R]; N], ds: [[0.0; R]; N], begin: [[0; R]; N] };
        for (c, x) in x.iter().enumerate() {
            run.d[c] = copied(&x.d[i]);
            if K::MIN {
                run.ds[c] = copied(&x.ds[i]);
            }
            if offset != 0 {
                run.begin[c] = times(&x.sums[i], -offset);
            }
        }
        run
    }
}

/// A copy, which the compiler does not see through.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn copied<const R: usize>(x: &[f32; R]) -> [f32; R] {
    let mut copy = *x;
    if let (Some(x), Some(copy)) = (x.first_chunk(), copy.first_chunk_mut()) {
        store_floats(copy, _mm256_castsi256_ps(kept(_mm256_castps_si256(floats(x)))));
    }
    copy
}

/// The sum of each pair, times `factor`.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn times<const R: usize>(sums: &[[i16; 2]; R], factor: i16) -> [i32; R] {
    let mut products = sums.map(|[a, b]| (i32::from(a) + i32::from(b)) * i32::from(factor));
    if let (Some(sums), Some(products)) = (sums.first_chunk(), products.first_chunk_mut()) {
        store_integers(products, _mm256_madd_epi16(pairs(sums), _mm256_set1_epi16(factor)));
    }
    products
}

/// Eight units of `N` columns, for formats of eight units a block; copies as in [`Run`].
pub(crate) struct Block<'a, const N: usize> {
    pub q: [&'a Integers<8>; N],
    /// The scale of all.
    pub d: [f32; N],
    /// Sums of activations, in pairs whose factors differ: of the two halves of each unit, or,
    /// where these have the same factors, of units `2i` and `2i + 1`.
    pub sums: [[[i16; 2]; 8]; N],
}

impl<'a, const N: usize> Block<'a, N> {
    /// Block `i` of columns.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    pub(crate) fn of<K: Kind>(x: &[Column<'a, 8>; N], i: usize) -> Self {
        let mut block =
            Self { q: x.map(|x| &x.q[i]), d: x.map(|x| x.d[i][0]), sums: [[[0; 2]; 8]; N] };
        for (to, x) in block.sums.iter_mut().zip(x) {
            let sums = pairs(&x.sums[i]);
            let fours = _mm256_hadd_epi16(sums, sums);
            let eight = _mm256_permute4x64_epi64::<0b10_00_10_00>(fours);
            store_pairs(to, if K::HALVES { kept(sums) } else { eight });
        }
        block
    }
}
