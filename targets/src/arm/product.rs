//! The one product: eight rows, whose integers lie in registers, times up to four columns.
//!
//! ```text
//! registers  group g: weights 4 g .. 4 g + 4 of  row 0 | row 1 | row 2 | row 3     of bytes
//!                                                row 4 | row 5 | row 6 | row 7
//! ```
//!
//! A group is multiplied with the same four numbers of a column, so that the sums of a row come
//! to lie in the lane of the row. A format's offset comes off through the sums of activations:
//! `Σ (u − o) x = Σ u x − o Σ x`, exactly; in panels it is off already.

use super::lanes::{
    self, floats, group, opaque, pair, pairs, prefetch, signed, store_floats, store_pairs,
};
use super::tile::interleave;
use crate::Panel;
use crate::kernels::Eight;
use core::arch::aarch64::{
    float32x4_t, int8x16_t, int16x8_t, int32x4_t, vcvtq_f32_s32, vdupq_n_f32, vdupq_n_s8,
    vdupq_n_s16, vfmaq_f32, vfmaq_n_f32, vget_high_s16, vget_low_s16, vmlal_lane_s16, vmlaq_s32,
    vmovl_high_s16, vmovl_s16, vmull_lane_s16, vmulq_n_f32, vmulq_s32, vreinterpretq_s8_s16,
    vreinterpretq_s8_u8, vreinterpretq_s16_s8, vreinterpretq_u8_s8, vshlq_n_s16, vshrq_n_s16,
    vsliq_n_s16, vsubq_s8,
};
use core::marker::PhantomData;
use dram_quant::{EIGHT, Format, Order, Q8, UNIT};

/// What the integers of a format's units are.
pub(crate) trait Kind {
    /// The largest magnitude of an integer.
    const LARGEST: i16;
    /// How much larger integers are than the weights.
    const OFFSET: i8 = 0;
    /// Whether the halves of a unit have integer factors, [`Unit::s`] and [`Unit::n`].
    const HALVES: bool = false;
    /// Whether weights have a minimum.
    const MIN: bool = false;
}

/// How the tiles of a format, of blocks of `B` bytes, become registers.
pub(crate) trait Tile<const B: usize>: Kind {
    const FORMAT: Format;

    /// What is taken out of a tile once for all its units.
    type Head;

    /// Takes it out.
    ///
    /// # Safety
    ///
    /// The CPU must have the features.
    unsafe fn head<Caller>(tile: &[[u8; B]; EIGHT]) -> Self::Head;

    /// Unit `i` of a tile.
    ///
    /// # Safety
    ///
    /// The CPU must have the features.
    unsafe fn unit<Caller>(head: &Self::Head, tile: &[[u8; B]; EIGHT], i: usize) -> Unit;
}

/// Where the units of eight rows come from.
///
/// One place alone calls `block` and `unit` with each `Caller`: then the compiler inlines them,
/// however long they are.
pub(crate) trait Source {
    type Kind: Kind;

    /// Units in a block.
    const UNITS: usize;

    /// A block of eight rows.
    type Block<'a>
    where
        Self: 'a;

    /// Limits rows to `blocks` blocks, if they have more; returns how many they have now.
    ///
    /// Then the compiler sees that blocks exist.
    fn limit(&mut self, blocks: usize) -> usize;

    /// Block `i`.
    ///
    /// # Safety
    ///
    /// The CPU must have the features.
    unsafe fn block<Caller>(&mut self, i: usize) -> Self::Block<'_>;

    /// Unit `i` of a block.
    ///
    /// # Safety
    ///
    /// The CPU must have the features.
    unsafe fn unit<'a, Caller>(block: &Self::Block<'a>, i: usize) -> Unit
    where
        Self: 'a;
}

/// How an instruction set multiplies.
pub(crate) trait Isa {
    /// Multiplies with columns `first..first + N`, units in order.
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
}

/// Unit of eight rows in registers, a lane of 32 bits a row.
#[derive(Clone, Copy)]
pub(crate) struct Unit {
    /// Integers, in groups of four.
    pub q: [[int8x16_t; 2]; 8],
    /// Scales.
    pub d: [float32x4_t; 2],
    /// Minima; read where [`Kind::MIN`].
    pub m: [float32x4_t; 2],
    /// Scales of each half, a lane of 16 bits a row; read where [`Kind::HALVES`].
    pub s: [int16x8_t; 2],
    /// Factors of the minimum in each half; read where both are.
    pub n: [int16x8_t; 2],
}

impl Unit {
    /// One with a scale.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(super) fn new(q: [[int8x16_t; 2]; 8], d: [float32x4_t; 2]) -> Self {
        let (m, one) = ([vdupq_n_f32(0.0); 2], [vdupq_n_s16(1); 2]);
        Self { q, d, m, s: one, n: one }
    }

    /// Writes the unit without its offset; factors share 16 bits, `s` the lower half.
    #[inline]
    #[target_feature(enable = "neon")]
    fn put<K: Kind>(&self, panel: &mut Panel<'_>, i: usize) {
        for (q, bytes) in self.q.as_flattened().iter().zip(panel.q[i].as_chunks_mut::<16>().0) {
            lanes::store(bytes, vreinterpretq_u8_s8(vsubq_s8(*q, vdupq_n_s8(K::OFFSET))));
        }
        store_floats(&mut panel.d[i], self.d);
        if K::MIN {
            store_floats(&mut panel.m[i], self.m);
        }
        if K::HALVES {
            let [s, n] = [self.s, self.n];
            store_pairs(&mut panel.s[i], [0, 1].map(|h| vsliq_n_s16::<8>(s[h], n[h])));
        }
    }
}

/// Tiles where they lie.
struct Tiles<'a, T, const B: usize> {
    tiles: &'a [[[u8; B]; EIGHT]],
    format: PhantomData<T>,
}

/// Bytes of tiles asked for before they are needed.
const AHEAD: usize = 2048;

impl<'t, T: Tile<B>, const B: usize> Source for Tiles<'t, T, B> {
    type Kind = T;

    const UNITS: usize = T::FORMAT.weights() / UNIT;

    type Block<'a>
        = (T::Head, &'t [[u8; B]; EIGHT])
    where
        Self: 'a;

    #[inline]
    fn limit(&mut self, blocks: usize) -> usize {
        let blocks = blocks.min(self.tiles.len());
        self.tiles = &self.tiles[..blocks];
        blocks
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn block<Caller>(&mut self, i: usize) -> Self::Block<'_> {
        let tile = &self.tiles[i];
        // SAFETY: the CPU has the features because this function has them.
        (unsafe { T::head::<Caller>(tile) }, tile)
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn unit<'a, Caller>((head, tile): &Self::Block<'a>, i: usize) -> Unit
    where
        Self: 'a,
    {
        let bytes = const { T::FORMAT.bytes() * EIGHT / Self::UNITS };
        let here = &tile.as_flattened()[i * bytes..];
        prefetch::<AHEAD>(here);
        if bytes > 64 {
            prefetch::<{ AHEAD + 64 }>(here);
        }
        if bytes > 128 {
            prefetch::<{ AHEAD + 128 }>(here);
        }
        // SAFETY: the CPU has the features because this function has them.
        unsafe { T::unit::<Caller>(head, tile, i) }
    }
}

/// Rows where they lie.
struct Rows<'a, T, const B: usize> {
    /// The blocks of each row; in place of rows that are missing stands the first.
    rows: [&'a [[u8; B]]; EIGHT],
    /// The tile made of one block of each row.
    scratch: [[u8; B]; EIGHT],
    format: PhantomData<T>,
}

impl<'a, T: Tile<B>, const B: usize> Rows<'a, T, B> {
    fn new(blocks: &'a [[u8; B]], count: usize) -> Self {
        let row_blocks = blocks.len() / count;
        let mut rows = [&blocks[..row_blocks]; EIGHT];
        for (to, row) in rows.iter_mut().zip(blocks.chunks_exact(row_blocks)) {
            *to = row;
        }
        Self { rows, scratch: [[0; B]; EIGHT], format: PhantomData }
    }
}

impl<T: Tile<B>, const B: usize> Source for Rows<'_, T, B> {
    type Kind = T;

    const UNITS: usize = T::FORMAT.weights() / UNIT;

    type Block<'a>
        = (T::Head, &'a [[u8; B]; EIGHT])
    where
        Self: 'a;

    #[inline]
    fn limit(&mut self, blocks: usize) -> usize {
        let blocks = blocks.min(self.rows[0].len());
        for row in &mut self.rows {
            *row = &row[..blocks];
        }
        blocks
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn block<Caller>(&mut self, i: usize) -> Self::Block<'_> {
        interleave::<T, B, Caller>(&self.rows, i, &mut self.scratch);
        // SAFETY: the CPU has the features because this function has them.
        (unsafe { T::head::<(Caller,)>(&self.scratch) }, &self.scratch)
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn unit<'a, Caller>((head, tile): &Self::Block<'a>, i: usize) -> Unit
    where
        Self: 'a,
    {
        // SAFETY: the CPU has the features because this function has them.
        unsafe { T::unit::<(Caller,)>(head, tile, i) }
    }
}

/// A panel, from which the offset of `K` was taken.
struct Unpacked<'a, K> {
    q: &'a [[u8; 256]],
    d: &'a [[f32; EIGHT]],
    m: &'a [[f32; EIGHT]],
    s: &'a [[[i16; 2]; EIGHT]],
    kind: PhantomData<K>,
}

impl<K: Kind> Kind for Unpacked<'_, K> {
    const LARGEST: i16 = {
        let (least, largest) = (K::OFFSET as i16, K::LARGEST - K::OFFSET as i16);
        if least > largest { least } else { largest }
    };
    const HALVES: bool = K::HALVES;
    const MIN: bool = K::MIN;
}

impl<K: Kind> Source for Unpacked<'_, K> {
    type Kind = Self;

    const UNITS: usize = 1;

    type Block<'a>
        = Unit
    where
        Self: 'a;

    #[inline]
    fn limit(&mut self, blocks: usize) -> usize {
        let blocks = blocks.min(self.q.len());
        (self.q, self.d) = (&self.q[..blocks], &self.d[..blocks]);
        (self.m, self.s) = (&self.m[..blocks], &self.s[..blocks]);
        blocks
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn block<Caller>(&mut self, i: usize) -> Unit {
        let mut q = [[vdupq_n_s8(0); 2]; 8];
        for (q, bytes) in q.iter_mut().zip(self.q[i].as_chunks().0) {
            *q = group(bytes).map(|q| vreinterpretq_s8_u8(q));
        }
        let factors = pairs(&self.s[i]);
        let s = factors.map(|s| vshrq_n_s16::<8>(vshlq_n_s16::<8>(s)));
        let n = factors.map(|n| vshrq_n_s16::<8>(n));
        Unit { q, d: floats(&self.d[i]), m: floats(&self.m[i]), s, n }
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn unit<'a, Caller>(unit: &Unit, _: usize) -> Unit
    where
        Self: 'a,
    {
        *unit
    }
}

/// Columns in a pass.
const FEW: usize = 4;

/// Multiplies eight rows in blocks of `B` bytes with every column: where they lie if one pass
/// does it, else unpacked.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn product<I: Isa, T: Tile<B>, const B: usize>(
    w: Eight<'_>,
    x: Q8<'_>,
    panel: &mut Panel<'_>,
    y: &mut [[f32; EIGHT]],
) {
    let blocks = w.bytes.as_chunks().0;
    match w.order {
        Order::Tiles => {
            let mut tiles = Tiles { tiles: blocks.as_chunks().0, format: PhantomData::<T> };
            if y.len() <= FEW {
                return columns::<I, _>(&mut tiles, x, y);
            }
            fill::<I, _>(&mut tiles, panel);
        }
        Order::Rows => {
            let mut rows = Rows::<T, B>::new(blocks, w.rows);
            if y.len() == 1 {
                // SAFETY: `I` is named only by the table that has its features.
                return unsafe { I::pass::<Rows<'_, T, B>, 1>(&mut rows, x, 0, y) };
            }
            fill::<I, _>(&mut rows, panel);
        }
    }
    panel_product::<I, T>(panel, x, y);
}

/// Unpacks eight rows.
#[inline]
#[target_feature(enable = "neon")]
fn fill<I: Isa, S: Source>(w: &mut S, panel: &mut Panel<'_>) {
    for b in 0..w.limit(panel.units() / S::UNITS) {
        // SAFETY: the CPU has the features because this function has them.
        let block = unsafe { w.block::<I>(b) };
        for i in 0..S::UNITS {
            // SAFETY: as above.
            let unit = unsafe { S::unit::<I>(&block, i) };
            unit.put::<S::Kind>(panel, b * S::UNITS + i);
        }
    }
}

/// Multiplies a panel with every column.
#[target_feature(enable = "neon")]
pub(super) fn panel_product<I: Isa, K: Kind>(panel: &Panel<'_>, x: Q8<'_>, y: &mut [[f32; EIGHT]]) {
    let Panel { q, d, m, s } = panel;
    columns::<I, _>(&mut Unpacked::<K> { q, d, m, s, kind: PhantomData }, x, y);
}

/// Multiplies with every column.
#[inline]
#[target_feature(enable = "neon")]
fn columns<I: Isa, S: Source>(w: &mut S, x: Q8<'_>, y: &mut [[f32; EIGHT]]) {
    let (fours, rest) = y.as_chunks_mut::<FEW>();
    let first = fours.len() * FEW;
    for (c, y) in fours.iter_mut().enumerate() {
        // SAFETY: `I` is named only by the table that has its features.
        unsafe { I::pass::<S, FEW>(w, x, c * FEW, y) };
    }
    match rest.len() {
        // SAFETY: as above.
        3 => unsafe { I::pass::<S, 3>(w, x, first, rest) },
        // SAFETY: as above.
        2 => unsafe { I::pass::<S, 2>(w, x, first, rest) },
        // SAFETY: as above.
        1 => unsafe { I::pass::<S, 1>(w, x, first, rest) },
        _ => {}
    }
}

/// One column of activations.
#[derive(Clone, Copy)]
pub(crate) struct Column<'a> {
    q: &'a [[[i8; 16]; 2]],
    d: &'a [f32],
    ds: &'a [f32],
    sums: &'a [[i16; 2]],
}

impl<'a> Column<'a> {
    /// `units` units of columns `first..first + N`.
    #[inline(always)]
    pub(crate) fn of<const N: usize>(x: Q8<'a>, first: usize, units: usize) -> [Self; N] {
        let (q, all) = (x.q.as_chunks().0.as_chunks().0, x.len / UNIT);
        let mut columns = [Self { q: &[], d: &[], ds: &[], sums: &[] }; N];
        for (c, column) in columns.iter_mut().enumerate() {
            let start = (first + c) * all;
            *column = Self { q, d: x.d, ds: x.ds, sums: x.sums }.units(start, units);
        }
        columns
    }

    /// Units `first..first + count`.
    #[inline(always)]
    fn units(&self, first: usize, count: usize) -> Self {
        Self {
            q: &self.q[first..][..count],
            d: &self.d[first..][..count],
            ds: &self.ds[first..][..count],
            sums: &self.sums[first..][..count],
        }
    }
}

/// The units of block `i` of each column, `count` in a block.
#[inline(always)]
pub(crate) fn block<'a, const N: usize>(
    x: &[Column<'a>; N],
    i: usize,
    count: usize,
) -> [Column<'a>; N] {
    let mut block = *x;
    for c in 0..N {
        block[c] = x[c].units(i * count, count);
    }
    block
}

/// Half of unit `i` of each column.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn activations<const N: usize, const HALF: usize>(
    x: &[Column<'_>; N],
    i: usize,
) -> [int8x16_t; N] {
    let mut q = [vdupq_n_s8(0); N];
    for c in 0..N {
        q[c] = signed(&x[c].q[i][HALF]);
    }
    q
}

/// What the sums of a unit begin with for each column: `from`, and the offset times the sum of
/// activations taken off. For half a unit if `HALF` is 0 or 1, else for all of it.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn begin<K: Kind, const N: usize, const HALF: usize>(
    from: int32x4_t,
    x: &[Column<'_>; N],
    i: usize,
) -> [[int32x4_t; 2]; N] {
    let mut begin = [[from; 2]; N];
    if K::OFFSET != 0 {
        // As a constant it would be multiplied with in shifts and additions.
        let offset = opaque(vreinterpretq_s8_s16(vdupq_n_s16(-i16::from(K::OFFSET))));
        let offset = vget_low_s16(vreinterpretq_s16_s8(offset));
        for c in 0..N {
            let sums = pair(&x[c].sums[i]);
            begin[c] = [match HALF {
                0 => vmlal_lane_s16::<0>(from, offset, sums),
                1 => vmlal_lane_s16::<1>(from, offset, sums),
                _ => vmlal_lane_s16::<1>(vmlal_lane_s16::<0>(from, offset, sums), offset, sums),
            }; 2];
        }
    }
    begin
}

/// Sums as floats.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn converted<const N: usize>(sums: [[int32x4_t; 2]; N]) -> [[float32x4_t; 2]; N] {
    sums.map(|sums| [vcvtq_f32_s32(sums[0]), vcvtq_f32_s32(sums[1])])
}

/// The sums of the two halves times their factors.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn scaled<const N: usize>(
    w: &Unit,
    low: [[int32x4_t; 2]; N],
    high: [[int32x4_t; 2]; N],
) -> [[float32x4_t; 2]; N] {
    let [s_low, s_high] = w.s.map(|s| [vmovl_s16(vget_low_s16(s)), vmovl_high_s16(s)]);
    let mut sums = low;
    for c in 0..N {
        for r in 0..2 {
            sums[c][r] = vmlaq_s32(vmulq_s32(low[c][r], s_low[r]), high[c][r], s_high[r]);
        }
    }
    converted(sums)
}

/// Adds unit `i` of each column, whose integer sums are `sums`, to the outputs `acc`.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn add<K: Kind, const N: usize>(
    acc: &mut [[float32x4_t; 2]; N],
    w: &Unit,
    sums: [[float32x4_t; 2]; N],
    x: &[Column<'_>; N],
    i: usize,
) {
    for c in 0..N {
        for r in 0..2 {
            let d = vmulq_n_f32(w.d[r], x[c].d[i]);
            acc[c][r] = vfmaq_f32(acc[c][r], sums[c][r], d);
            if K::MIN && K::HALVES {
                let minima = vmulq_n_f32(vcvtq_f32_s32(minima(w, &x[c], i, r)), x[c].d[i]);
                acc[c][r] = vfmaq_f32(acc[c][r], w.m[r], minima);
            } else if K::MIN {
                acc[c][r] = vfmaq_n_f32(acc[c][r], w.m[r], x[c].ds[i]);
            }
        }
    }
}

/// The sums of activations in the two halves times the factors of the minima.
#[inline]
#[target_feature(enable = "neon")]
fn minima(w: &Unit, x: &Column<'_>, i: usize, r: usize) -> int32x4_t {
    let sums = pair(&x.sums[i]);
    let [low, high] = w.n.map(|n| if r == 0 { vget_low_s16(n) } else { vget_high_s16(n) });
    vmlal_lane_s16::<1>(vmull_lane_s16::<0>(low, sums), high, sums)
}

/// Writes the outputs of columns.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn store<const N: usize>(y: &mut [[f32; EIGHT]], acc: [[float32x4_t; 2]; N]) {
    for (y, acc) in y.iter_mut().zip(acc) {
        store_floats(y, acc);
    }
}
