//! The one product: eight rows, whose integers lie in registers, times up to four columns.
//!
//! ```text
//! register  group g: weights 4 g .. 4 g + 4 of  row 0 | row 1 | … | row 7     unsigned bytes u
//! activation         the same four of a column, in every lane of 32 bits      signed bytes x
//!
//! maddubs   u0 x0 + u1 x1 | u2 x2 + u3 x3      a lane of 32 bits, DEPTH groups added in 16 bits
//! madd      · (s, s)                           32 bits, one sum a row
//! ```
//!
//! Integers are unsigned because `maddubs` wants one factor so. A format's offset comes off
//! through the sums of activations: `Σ (u − o) x = Σ u x − o Σ x`, exactly.

use super::lanes::{
    floats, load, pairs, prefetch, repeat, repeat_pair, store, store_floats, store_pairs,
};
use super::tile::interleave;
use crate::Panel;
use crate::kernels::Eight;
use core::arch::x86_64::{
    __m256, __m256i, _mm256_abs_epi8, _mm256_add_epi16, _mm256_add_epi32, _mm256_and_si256,
    _mm256_blend_epi16, _mm256_cvtepi32_ps, _mm256_fmadd_ps, _mm256_madd_epi16,
    _mm256_maddubs_epi16, _mm256_mul_ps, _mm256_mullo_epi16, _mm256_or_si256, _mm256_set1_epi16,
    _mm256_set1_ps, _mm256_setzero_ps, _mm256_setzero_si256, _mm256_sign_epi8, _mm256_slli_epi16,
    _mm256_slli_epi32, _mm256_srai_epi16, _mm256_srli_epi32,
};
use core::marker::PhantomData;
use dram_quant::{EIGHT, Format, Order, Q8, UNIT};

/// What the integers of a format's units are.
pub(super) trait Kind {
    /// Groups whose products `maddubs` gives may be added in 16 bits.
    const DEPTH: usize;
    /// Whether integers are signed, of 8 bits, and not unsigned.
    const SIGNED: bool = false;
    /// How much larger unsigned integers are than the weights.
    const OFFSET: i16 = 0;
    /// Whether the halves of a unit have integer factors, [`Unit::s`] and [`Unit::n`].
    const HALVES: bool = false;
    /// Whether weights have a minimum.
    const MIN: bool = false;
}

/// How the tiles of a format, of blocks of `B` bytes, become registers.
pub(super) trait Tile<const B: usize>: Kind {
    const FORMAT: Format;

    /// A value to begin any row with.
    const NEW: Self;

    /// Unit `i` of a tile; units of a tile are asked for in order.
    ///
    /// # Safety
    ///
    /// The CPU must have the features.
    unsafe fn unit<const CALLER: usize>(&mut self, tile: &[[u8; B]; EIGHT], i: usize) -> Unit;
}

/// Where the units of eight rows come from.
trait Source {
    type Kind: Kind;

    /// Unit `i`; units of a row are asked for in order.
    ///
    /// One place alone calls it with each `CALLER`: then the compiler inlines it, however long.
    ///
    /// # Safety
    ///
    /// The CPU must have the features.
    unsafe fn unit<const CALLER: usize>(&mut self, i: usize) -> Unit;
}

/// Unit of eight rows in registers, a lane of 32 bits a row.
pub(super) struct Unit {
    /// Integers, in groups of four.
    pub q: [__m256i; 8],
    /// Scales.
    pub d: __m256,
    /// Minima; read where [`Kind::MIN`].
    pub m: __m256,
    /// Scales of the two halves, a pair a row; read where [`Kind::HALVES`].
    pub s: __m256i,
    /// Factors of the minimum in the two halves; read where both are.
    pub n: __m256i,
}

impl Unit {
    /// One with a scale and a minimum.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    pub(super) fn new(q: [__m256i; 8], d: __m256, m: __m256) -> Self {
        Self { q, d, m, s: _mm256_set1_epi16(1), n: _mm256_set1_epi16(1) }
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
        let n = _mm256_srai_epi16::<8>(factors);
        Self { q, d: floats(&panel.d[i]), m: floats(&panel.m[i]), s, n }
    }

    /// Writes the unit; factors share 16 bits, `s` the lower half.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    fn to_panel(&self, panel: &mut Panel<'_>, i: usize) {
        for (q, group) in self.q.iter().zip(panel.q[i].as_chunks_mut::<32>().0) {
            store(group, *q);
        }
        store_floats(&mut panel.d[i], self.d);
        store_floats(&mut panel.m[i], self.m);
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
    fn new(w: Eight<'a>) -> Self {
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
    unsafe fn unit<const CALLER: usize>(&mut self, i: usize) -> Unit {
        let units = const { T::FORMAT.weights() / UNIT };
        let unit_bytes = const { T::FORMAT.bytes() * UNIT / T::FORMAT.weights() * EIGHT };
        let bytes = self.blocks.as_flattened();
        let ahead = match self.order {
            Order::Tiles => AHEAD,
            // The next eight rows, as one stream: faster than eight streams, one a row.
            Order::Rows => bytes.len(),
        };
        for line in 0..unit_bytes.div_ceil(64) {
            prefetch(bytes, ahead + i * unit_bytes + line * 64);
        }
        let (block, i) = (i / units, i % units);
        let tile = match self.order {
            Order::Tiles => &self.blocks.as_chunks().0[block],
            Order::Rows => {
                if i == 0 {
                    interleave::<T, B>(&self.rows, block, &mut self.scratch);
                }
                &self.scratch
            }
        };
        // SAFETY: the CPU has the features because this function has them.
        unsafe { self.tile.unit::<CALLER>(tile, i) }
    }
}

/// Eight rows unpacked.
struct Unpacked<'a, K> {
    panel: &'a Panel<'a>,
    kind: PhantomData<K>,
}

impl<K: Kind> Source for Unpacked<'_, K> {
    type Kind = K;

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn unit<const CALLER: usize>(&mut self, i: usize) -> Unit {
        Unit::from_panel(self.panel, i)
    }
}

/// Columns to which a unit of tiles is multiplied where it lies; more are worth a panel.
const FEW: usize = 8;

/// Multiplies eight rows in blocks of `B` bytes with every column.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn product<T: Tile<B>, const B: usize>(
    w: Eight<'_>,
    x: Q8<'_>,
    panel: &mut Panel<'_>,
    y: &mut [[f32; EIGHT]],
) {
    let mut source = Blocks::<T, B>::new(w);
    if y.len() <= FEW {
        return columns(x, y, &mut source);
    }
    for i in 0..x.len / UNIT {
        // SAFETY: the CPU has the features because this function has them.
        unsafe { source.unit::<0>(i) }.to_panel(panel, i);
    }
    panel_product::<T>(panel, x, y);
}

/// Multiplies a panel with every column.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn panel_product<K: Kind>(panel: &Panel<'_>, x: Q8<'_>, y: &mut [[f32; EIGHT]]) {
    columns(x, y, &mut Unpacked::<K> { panel, kind: PhantomData });
}

/// Multiplies with every column, four in a pass.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn columns<S: Source>(x: Q8<'_>, y: &mut [[f32; EIGHT]], w: &mut S) {
    let (fours, rest) = y.as_chunks_mut::<4>();
    let first = fours.len() * 4;
    for (c, y) in fours.iter_mut().enumerate() {
        pass::<S, 4>(x, c * 4, y, w);
    }
    match rest.len() {
        3 => pass::<S, 3>(x, first, rest, w),
        2 => pass::<S, 2>(x, first, rest, w),
        1 => pass::<S, 1>(x, first, rest, w),
        _ => {}
    }
}

/// Multiplies with columns `first..first + N`, units in order.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn pass<S: Source, const N: usize>(
    x: Q8<'_>,
    first: usize,
    y: &mut [[f32; EIGHT]],
    source: &mut S,
) {
    let units = x.len / UNIT;
    let mut columns = [Column { q: &[], d: &[], ds: &[], sums: &[] }; N];
    for (c, column) in columns.iter_mut().enumerate() {
        *column = Column::of(x.columns(first + c, 1), units);
    }
    let mut acc = [_mm256_setzero_ps(); N];
    for i in 0..units {
        // SAFETY: the CPU has the features because this function has them.
        let w = unsafe { source.unit::<N>(i) };
        let sums = sums::<S, N>(&w, &columns, i);
        for c in 0..N {
            let d = _mm256_mul_ps(w.d, _mm256_set1_ps(columns[c].d[i]));
            acc[c] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sums[c]), d, acc[c]);
            if S::Kind::MIN {
                acc[c] = _mm256_fmadd_ps(w.m, minima::<S::Kind>(&w, &columns[c], i), acc[c]);
            }
        }
    }
    for (y, acc) in y.iter_mut().zip(acc) {
        store_floats(y, acc);
    }
}

/// One column of activations.
#[derive(Clone, Copy)]
struct Column<'a> {
    /// `(units, 8 groups, 4)`
    q: &'a [[[i8; 4]; 8]],
    d: &'a [f32],
    ds: &'a [f32],
    sums: &'a [[i16; 2]],
}

impl<'a> Column<'a> {
    #[inline]
    fn of(x: Q8<'a>, units: usize) -> Self {
        let q = &x.q.as_chunks().0.as_chunks().0[..units];
        Self { q, d: &x.d[..units], ds: &x.ds[..units], sums: &x.sums[..units] }
    }
}

/// The integer sums of a unit, for each row (lane) and column.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn sums<S: Source, const N: usize>(w: &Unit, x: &[Column<'_>; N], i: usize) -> [__m256i; N] {
    let mut sums = [_mm256_setzero_si256(); N];
    if S::Kind::OFFSET != 0 {
        let offset = _mm256_set1_epi16(-S::Kind::OFFSET);
        let offsets = if S::Kind::HALVES { _mm256_mullo_epi16(w.s, offset) } else { offset };
        for c in 0..N {
            sums[c] = _mm256_madd_epi16(repeat_pair(x[c].sums[i]), offsets);
        }
    }
    for first in (0..8).step_by(S::Kind::DEPTH) {
        let mut deep = [_mm256_setzero_si256(); N];
        for g in first..first + S::Kind::DEPTH {
            for c in 0..N {
                let products = multiply::<S::Kind>(w.q[g], repeat(&x[c].q[i][g]));
                deep[c] = _mm256_add_epi16(deep[c], products);
            }
        }
        let scale = scale::<S::Kind>(w.s, first / 4);
        for c in 0..N {
            sums[c] = _mm256_add_epi32(sums[c], _mm256_madd_epi16(deep[c], scale));
        }
    }
    sums
}

/// Products of bytes, added in pairs.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn multiply<K: Kind>(w: __m256i, x: __m256i) -> __m256i {
    if K::SIGNED {
        return _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
    }
    _mm256_maddubs_epi16(w, x)
}

/// The factor of half `half`, twice in each lane; 1 where halves have none.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn scale<K: Kind>(s: __m256i, half: usize) -> __m256i {
    match (K::HALVES, half) {
        (false, _) => _mm256_set1_epi16(1),
        (true, 0) => _mm256_blend_epi16::<0xaa>(s, _mm256_slli_epi32::<16>(s)),
        (true, _) => _mm256_blend_epi16::<0x55>(s, _mm256_srli_epi32::<16>(s)),
    }
}

/// What the minima of a unit are multiplied with.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn minima<K: Kind>(w: &Unit, x: &Column<'_>, i: usize) -> __m256 {
    if !K::HALVES {
        return _mm256_set1_ps(x.ds[i]);
    }
    let sums = _mm256_madd_epi16(repeat_pair(x.sums[i]), w.n);
    _mm256_mul_ps(_mm256_cvtepi32_ps(sums), _mm256_set1_ps(x.d[i]))
}
