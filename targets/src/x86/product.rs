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

use super::lanes::{self, floats, load, pairs, prefetch, store_floats, store_pairs};
use super::tile::interleave;
use crate::Panel;
use crate::kernels::Eight;
use core::arch::x86_64::{
    __m256, __m256i, _mm256_and_si256, _mm256_cvtepi32_ps, _mm256_fmadd_ps, _mm256_mul_ps,
    _mm256_or_si256, _mm256_set1_epi16, _mm256_set1_ps, _mm256_setzero_ps, _mm256_setzero_si256,
    _mm256_slli_epi16, _mm256_srai_epi16,
};
use core::marker::PhantomData;
use dram_quant::{EIGHT, Format, Order, Q8, UNIT};

/// What the integers of a format's units are.
pub(crate) trait Kind {
    /// Units in a block. Where there are many they have factors, [`Unit::s`] and [`Unit::n`].
    const BLOCK: usize = 1;
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

    /// Unit `i` of a tile; units of a tile are asked for in order.
    ///
    /// # Safety
    ///
    /// The CPU must have the features.
    unsafe fn unit<Caller>(&mut self, tile: &[[u8; B]; EIGHT], i: usize) -> Unit;

    /// Scales and minima of a tile.
    ///
    /// # Safety
    ///
    /// The CPU must have the features.
    unsafe fn scales(tile: &[[u8; B]; EIGHT]) -> Scales;
}

/// Where the units of eight rows come from.
pub(crate) trait Source {
    type Kind: Kind;

    /// Unit `i`, and the scales of its block; units of a row are asked for in order.
    ///
    /// One place alone calls it with each `Caller`: then the compiler inlines it, however long.
    ///
    /// # Safety
    ///
    /// The CPU must have the features.
    unsafe fn unit<Caller>(&mut self, i: usize) -> (Unit, Scales);
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

impl Scales {
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    pub(crate) fn zero() -> Self {
        Self { d: _mm256_setzero_ps(), m: _mm256_setzero_ps() }
    }
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
    fn from_panel(panel: &Panel<'_>, i: usize) -> Self {
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

/// Eight rows where they lie.
struct Blocks<'a, T, const B: usize> {
    order: Order,
    /// All blocks, in order.
    blocks: &'a [[u8; B]],
    /// In [`Order::Rows`], those of each row; in place of rows that are missing stands the first.
    rows: [&'a [[u8; B]]; EIGHT],
    /// The tile made of one block of each row.
    scratch: [[u8; B]; EIGHT],
    tile: T,
}

impl<'a, T: Tile<B>, const B: usize> Blocks<'a, T, B> {
    fn new(w: &Eight<'a>) -> Self {
        let blocks = w.bytes.as_chunks().0;
        let row_blocks = blocks.len() / w.rows;
        let mut rows = [&blocks[..row_blocks]; EIGHT];
        for (to, row) in rows.iter_mut().zip(blocks.chunks_exact(row_blocks)) {
            *to = row;
        }
        Self { order: w.order, blocks, rows, scratch: [[0; B]; EIGHT], tile: T::NEW }
    }
}

/// Bytes of tiles asked for before they are needed.
const AHEAD: usize = 4096;

impl<T: Tile<B>, const B: usize> Source for Blocks<'_, T, B> {
    type Kind = T;

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn unit<Caller>(&mut self, i: usize) -> (Unit, Scales) {
        const { assert!(T::BLOCK * UNIT == T::FORMAT.weights()) };
        let unit_bytes = const { B * EIGHT / T::BLOCK };
        let bytes = self.blocks.as_flattened();
        let ahead = match self.order {
            Order::Tiles => AHEAD,
            // The next eight rows, as one stream: faster than eight streams, one a row.
            Order::Rows => bytes.len(),
        };
        for line in 0..unit_bytes.div_ceil(64) {
            prefetch(bytes, ahead + i * unit_bytes + line * 64);
        }
        let (block, i) = (i / T::BLOCK, i % T::BLOCK);
        if i == 0 && self.order == Order::Rows {
            interleave::<T, B>(&self.rows, block, &mut self.scratch);
        }
        let tile = match self.order {
            Order::Tiles => &self.blocks.as_chunks().0[block],
            Order::Rows => &self.scratch,
        };
        // SAFETY: the CPU has the features because this function has them.
        let scales = unsafe { T::scales(tile) };
        // SAFETY: as above.
        (unsafe { self.tile.unit::<Caller>(tile, i) }, scales)
    }
}

/// Eight rows unpacked.
struct Unpacked<'a, K> {
    panel: &'a Panel<'a>,
    /// Where the rows' units begin.
    first: usize,
    kind: PhantomData<K>,
}

impl<K: Kind> Source for Unpacked<'_, K> {
    type Kind = K;

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn unit<Caller>(&mut self, i: usize) -> (Unit, Scales) {
        let i = self.first + i;
        let (d, m) = (floats(&self.panel.d[i]), floats(&self.panel.m[i]));
        (Unit::from_panel(self.panel, i), Scales { d, m })
    }
}

/// Multiplies eight rows in blocks of `B` bytes with every column: where they lie if there are few
/// columns, else unpacked; two groups are always unpacked.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn product<I: Isa, T: Tile<B>, const B: usize>(
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
        return columns::<I, _>(&mut Blocks::<T, B>::new(&w), x, 0, y);
    }
    let units = x.len / UNIT;
    for (group, w) in core::iter::once(&w).chain(w.next).enumerate() {
        let mut source = Blocks::<T, B>::new(w);
        for i in 0..units {
            // SAFETY: the CPU has the features because this function has them.
            let (unit, scales) = unsafe { source.unit::<I>(i) };
            unit.to_panel(panel, group * units + i);
            store_floats(&mut panel.d[group * units + i], scales.d);
            store_floats(&mut panel.m[group * units + i], scales.m);
        }
    }
    panel_product::<I, T>(panel, x, y);
}

/// Multiplies a panel of one or two groups with every column.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn panel_product<I: Isa, K: Kind>(panel: &Panel<'_>, x: Q8<'_>, y: &mut [[f32; EIGHT]]) {
    let (units, count) = (x.len / UNIT, x.count());
    let mut groups = [0, units].map(|first| Unpacked::<K> { panel, first, kind: PhantomData });
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
}

/// Adds the block that begins with unit `i` of each column to the outputs, as
/// [`dram_quant::Unpacked`] defines it.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn add<K: Kind, const N: usize>(
    acc: &mut [__m256; N],
    w: &Scales,
    sums: &[__m256i; N],
    minima: &[__m256i; N],
    x: &[Column<'_>; N],
    i: usize,
) {
    for c in 0..N {
        let dx = _mm256_set1_ps(x[c].d[i]);
        acc[c] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sums[c]), _mm256_mul_ps(w.d, dx), acc[c]);
        if K::MIN {
            let minima = match K::BLOCK {
                1 => _mm256_set1_ps(x[c].ds[i]),
                _ => _mm256_mul_ps(_mm256_cvtepi32_ps(minima[c]), dx),
            };
            acc[c] = _mm256_fmadd_ps(w.m, minima, acc[c]);
        }
    }
}
