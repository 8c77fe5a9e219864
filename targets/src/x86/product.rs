//! The one product: eight rows, whose integers lie in registers, times some columns.
//!
//! ```text
//! register  group g: weights 4 g .. 4 g + 4 of  row 0 | row 1 | … | row 7     bytes
//! ```
//!
//! A group is multiplied with the same four numbers of a column in every lane of 32 bits, so that
//! the sums of a row come to lie in the lane of the row. Integers are unsigned where the format
//! is, because instructions want one factor so; its offset comes off through the sums of
//! activations: `Σ (u − o) x = Σ u x − o Σ x`, exactly.

use super::lanes::{self, load, pairs, store_floats, store_pairs};
use super::source::{Rows, Tiles, Unpacked};
use crate::Panel;
use crate::kernels::Eight;
use core::arch::x86_64::{
    __m256, __m256i, _mm256_and_si256, _mm256_cvtepi32_ps, _mm256_fmadd_ps, _mm256_mul_ps,
    _mm256_or_si256, _mm256_set1_epi16, _mm256_set1_ps, _mm256_setzero_si256, _mm256_slli_epi16,
    _mm256_srai_epi16,
};
use dram_quant::{EIGHT, Format, Order, Q8, UNIT};

/// What the integers of a format's units are.
pub(crate) trait Kind {
    /// Units in a block. Where there are many they have factors, [`Unit::s`] and [`Unit::n`].
    const BLOCK: usize = 1;
    /// Units in turn that share bytes, which are loaded once.
    const SHARE: usize = 1;
    /// Groups whose products `maddubs` gives may be added in 16 bits.
    const DEPTH: usize;
    /// Whether integers are signed, of 8 bits, and not unsigned.
    const SIGNED: bool = false;
    /// How much larger unsigned integers are than the weights.
    const OFFSET: i16 = 0;
    /// Whether the halves of a unit differ in their factors.
    const HALVES: bool = false;
    /// Whether weights have a minimum.
    const MIN: bool = false;
}

/// How the tiles of a format, of blocks of `B` bytes, become registers.
pub(crate) trait Tile<const B: usize>: Kind {
    const FORMAT: Format;

    /// A value to begin any row with.
    const NEW: Self;

    /// Begins a tile: its scales and minima.
    ///
    /// # Safety
    ///
    /// The CPU must have the features.
    unsafe fn begin(&mut self, tile: &[[u8; B]; EIGHT]) -> Scales;

    /// Unit `i` of the tile that was begun.
    ///
    /// # Safety
    ///
    /// The CPU must have the features.
    unsafe fn unit<Caller>(&self, tile: &[[u8; B]; EIGHT], i: usize) -> Unit;
}

/// Where the units of eight rows come from.
pub(crate) trait Source {
    type Kind: Kind;

    /// Begins a block: its scales and minima.
    ///
    /// One place alone calls it with each `Caller`: then the compiler inlines it, however long.
    ///
    /// # Safety
    ///
    /// The CPU must have the features.
    unsafe fn begin<Caller>(&mut self, block: usize) -> Scales;

    /// Unit `i` of the block that was begun; `Caller` as above.
    ///
    /// # Safety
    ///
    /// The CPU must have the features.
    unsafe fn unit<Caller>(&self, i: usize) -> Unit;
}

/// How an instruction set multiplies.
pub(crate) trait Isa {
    /// The most columns its registers are enough for in a pass: 4 or 8.
    const COLUMNS: usize;

    /// Whether it multiplies two groups of rows in one pass.
    const PAIRS: bool;

    /// Multiplies eight rows with columns `first..first + N`, units in order; `y` has all columns.
    ///
    /// # Safety
    ///
    /// The CPU must have the features.
    unsafe fn pass<S: Source, const N: usize>(
        w: &mut S,
        x: Q8<'_>,
        first: usize,
        y: &mut [[f32; EIGHT]],
    );

    /// The same of two groups of eight rows; `y` is `(2, columns)`.
    ///
    /// # Safety
    ///
    /// As above.
    unsafe fn pair<S: Source, const N: usize>(
        w: &mut [S; 2],
        x: Q8<'_>,
        first: usize,
        y: &mut [[f32; EIGHT]],
    ) {
        for (w, y) in w.iter_mut().zip(y.chunks_exact_mut(x.count())) {
            // SAFETY: as the caller promises.
            unsafe { Self::pass::<S, N>(w, x, first, y) }
        }
    }
}

/// Unit of eight rows in registers, a lane of 32 bits a row.
pub(crate) struct Unit {
    /// Integers, in groups of four.
    pub q: [__m256i; 8],
    /// Factors of the two halves, a pair a row; read where [`Kind::BLOCK`] is not 1.
    pub s: __m256i,
    /// Factors of the minimum in the two halves; read where there are minima too.
    pub n: __m256i,
}

/// Scales and minima of a block of eight rows, a lane a row; minima are read where [`Kind::MIN`].
pub(crate) struct Scales {
    pub d: __m256,
    pub m: __m256,
}

impl Unit {
    /// One whose factors are 1.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    pub(super) fn new(q: [__m256i; 8]) -> Self {
        Self { q, s: _mm256_set1_epi16(1), n: _mm256_set1_epi16(1) }
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    pub(super) fn from_panel(panel: &Panel<'_>, i: usize) -> Self {
        let mut q = [_mm256_setzero_si256(); 8];
        for (q, group) in q.iter_mut().zip(panel.q[i].as_chunks().0) {
            *q = load(group);
        }
        let factors = pairs(&panel.s[i]);
        let s = _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(factors));
        Self { q, s, n: _mm256_srai_epi16::<8>(factors) }
    }

    /// Writes the unit; factors share 16 bits, `s` the lower half.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    fn to_panel(&self, panel: &mut Panel<'_>, i: usize) {
        for (q, group) in self.q.iter().zip(panel.q[i].as_chunks_mut::<32>().0) {
            lanes::store(group, *q);
        }
        let s = _mm256_and_si256(self.s, _mm256_set1_epi16(0xff));
        store_pairs(&mut panel.s[i], _mm256_or_si256(s, _mm256_slli_epi16::<8>(self.n)));
    }
}

/// Multiplies eight rows in blocks of `B` bytes with every column: where they lie if there are few
/// columns, else unpacked; two groups are always unpacked.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn product<I: Isa, T: Tile<B>, const B: usize>(
    w: Eight<'_>,
    x: Q8<'_>,
    panel: &mut Panel<'_>,
    y: &mut [[f32; EIGHT]],
) {
    let few = match w.order {
        Order::Tiles => y.len() <= 2 * I::COLUMNS,
        // One pass: rows become tiles in each.
        Order::Rows => y.len() <= 4 || y.len() == I::COLUMNS,
    };
    if few && w.next.is_none() {
        return match w.order {
            Order::Tiles => columns::<I, _>(&mut Tiles::<T, B>::new(w.bytes), x, 0, y),
            Order::Rows => columns::<I, _>(&mut Rows::<T, B>::new(w.bytes, w.rows), x, 0, y),
        };
    }
    let units = x.len / UNIT;
    for (group, w) in core::iter::once(&w).chain(w.next).enumerate() {
        match w.order {
            Order::Tiles => {
                unpack::<I, _>(Tiles::<T, B>::new(w.bytes), panel, group * units, units)
            }
            Order::Rows => {
                unpack::<I, _>(Rows::<T, B>::new(w.bytes, w.rows), panel, group * units, units);
            }
        }
    }
    panel_product::<I, T>(panel, x, y);
}

/// Writes `units` units of eight rows to the panel, from its unit `first` on.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn unpack<I: Isa, S: Source>(mut w: S, panel: &mut Panel<'_>, first: usize, units: usize) {
    for block in 0..units / S::Kind::BLOCK {
        let first = first + block * S::Kind::BLOCK;
        // SAFETY: the CPU has the features because this function has them.
        let scales = unsafe { w.begin::<I>(block) };
        store_floats(&mut panel.d[first], scales.d);
        store_floats(&mut panel.m[first], scales.m);
        for i in 0..S::Kind::BLOCK {
            // SAFETY: as above.
            unsafe { w.unit::<I>(i) }.to_panel(panel, first + i);
        }
    }
}

/// Multiplies a panel of one or two groups with every column.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn panel_product<I: Isa, K: Kind>(panel: &Panel<'_>, x: Q8<'_>, y: &mut [[f32; EIGHT]]) {
    let (units, count) = (x.len / UNIT, x.count());
    let mut groups = [0, units].map(|first| Unpacked::<K>::new(panel, first));
    let both = if I::PAIRS && y.len() > count { count / 8 * 8 } else { 0 };
    for first in (0..both).step_by(8) {
        // SAFETY: `I` is named only by the table that has its features.
        unsafe { I::pair::<_, 8>(&mut groups, x, first, y) };
    }
    for (y, mut group) in y.chunks_exact_mut(count).zip(groups) {
        columns::<I, _>(&mut group, x, both, y);
    }
}

/// Multiplies a group with columns `first..`, as many in a pass as there are registers for.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn columns<I: Isa, S: Source>(w: &mut S, x: Q8<'_>, first: usize, y: &mut [[f32; EIGHT]]) {
    let mut first = first;
    while I::COLUMNS == 8 && y.len() - first >= 8 {
        // SAFETY: `I` is named only by the table that has its features.
        unsafe { I::pass::<S, 8>(w, x, first, y) };
        first += 8;
    }
    while y.len() - first >= 4 {
        // SAFETY: as above.
        unsafe { I::pass::<S, 4>(w, x, first, y) };
        first += 4;
    }
    match y.len() - first {
        // SAFETY: as above.
        3 => unsafe { I::pass::<S, 3>(w, x, first, y) },
        // SAFETY: as above.
        2 => unsafe { I::pass::<S, 2>(w, x, first, y) },
        // SAFETY: as above.
        1 => unsafe { I::pass::<S, 1>(w, x, first, y) },
        _ => {}
    }
}

/// One column of activations.
#[derive(Clone, Copy)]
pub(crate) struct Column<'a> {
    /// `(units, 8 groups, 4)`
    pub q: &'a [[[i8; 4]; 8]],
    pub d: &'a [f32],
    pub ds: &'a [f32],
    /// Of each half of a unit.
    pub sums: &'a [[i16; 2]],
}

impl<'a> Column<'a> {
    /// Columns `first..first + N`.
    #[inline(always)]
    pub(crate) fn of<const N: usize>(x: Q8<'a>, first: usize) -> [Self; N] {
        let units = x.len / UNIT;
        let q = x.q.as_chunks().0.as_chunks().0;
        let mut columns = [Self { q: &[], d: &[], ds: &[], sums: &[] }; N];
        for (c, column) in columns.iter_mut().enumerate() {
            let start = (first + c) * units;
            *column = Self {
                q: &q[start..][..units],
                d: &x.d[start..][..units],
                ds: &x.ds[start..][..units],
                sums: &x.sums[start..][..units],
            };
        }
        columns
    }

    /// Units `first..`, as many as a block has.
    #[inline(always)]
    pub(crate) fn block<K: Kind>(&self, first: usize) -> Self {
        let units = first..first + K::BLOCK;
        Self {
            q: &self.q[units.clone()],
            d: &self.d[units.clone()],
            ds: &self.ds[units.clone()],
            sums: &self.sums[units],
        }
    }
}

/// Adds a block of each column to the outputs, as [`dram_quant::Unpacked`] defines it.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn add<K: Kind, const N: usize>(
    acc: &mut [__m256; N],
    w: &Scales,
    sums: &[__m256i; N],
    minima: &[__m256i; N],
    x: &[Column<'_>; N],
) {
    for c in 0..N {
        let dx = _mm256_set1_ps(x[c].d[0]);
        acc[c] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sums[c]), _mm256_mul_ps(w.d, dx), acc[c]);
        if K::MIN {
            let minima = match K::BLOCK {
                1 => _mm256_set1_ps(x[c].ds[0]),
                _ => _mm256_mul_ps(_mm256_cvtepi32_ps(minima[c]), dx),
            };
            acc[c] = _mm256_fmadd_ps(w.m, minima, acc[c]);
        }
    }
}
