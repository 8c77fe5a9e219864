//! The one product: eight rows, whose integers lie in registers, times some columns.
//!
//! ```text
//! register  quad g: weights 4 g .. 4 g + 4 of  row 0 | row 1 | … | row 7     bytes
//! ```
//!
//! A quad is multiplied with the same four numbers of a column in every lane of 32 bits, so that
//! the sums of a row come to lie in the lane of the row. Integers are unsigned where the format
//! is, because instructions want one factor so; its offset comes off through the sums of
//! activations: `Σ (u − o) x = Σ u x − o Σ x`, exactly.

use super::column::Run;
use super::panel::{Place, Unpacked, fill};
use super::source::{Rows, Tiles};
use crate::kernels::{Group, Groups};
use crate::panel::Panel;
use crate::scratch::{Scratch, TOGETHER};
use core::arch::x86_64::{
    __m256, __m256i, _mm256_cvtepi32_ps, _mm256_fmadd_ps, _mm256_mul_ps, _mm256_set1_epi16,
    _mm256_set1_ps,
};
use dram_quant::{EIGHT, Format, Order, Q8, UNIT};

/// What the integers of a format's units are.
pub(crate) trait Kind {
    /// Units in a block, 1 or 8; eight have factors, [`Unit::s`] and [`Unit::n`].
    const BLOCK: usize = 1;
    /// Units in turn that share bytes, which are loaded once.
    const SHARE: usize = 1;
    /// Quads whose products `maddubs` gives may be added in 16 bits.
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

    /// Whether it costs little to unpack tiles, again in every pass.
    const CHEAP: bool = false;

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
    /// Of `Caller` see the crate's documentation.
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
pub(crate) trait Isa: Sized {
    /// The most columns its registers are enough for in a pass: 4 or 8.
    const COLUMNS: usize;

    /// Columns up to which tiles that are cheap to unpack are multiplied faster where they lie than
    /// from a panel, as measured.
    const FEW: usize;

    /// Columns from which tiles of two groups of rows are multiplied together where they lie.
    const PAIRS_FROM: usize = usize::MAX;

    /// Groups of rows that are unpacked and multiplied together, if there are so many.
    const TOGETHER: usize = 1;

    /// Multiplies eight rows with columns `first..first + N`, units in order; `y` has all columns.
    ///
    /// # Safety
    ///
    /// The CPU must have the features.
    unsafe fn pass<S: Source, const N: usize>(
        w: &mut S,
        x: &Q8<'_>,
        first: usize,
        y: &mut [[f32; EIGHT]],
    );

    /// Multiplies two groups of rows with every column, of which there are [`Self::PAIRS_FROM`] or
    /// more; `y` is `(2, columns)`.
    ///
    /// # Safety
    ///
    /// As above.
    unsafe fn pair<S: Source>(w: &mut [S; 2], x: &Q8<'_>, y: &mut [[f32; EIGHT]]) {
        for (w, y) in w.iter_mut().zip(y.chunks_exact_mut(x.count())) {
            // SAFETY: as the caller promises.
            unsafe { columns::<Self, _>(w, x, y) }
        }
    }

    /// Multiplies a panel of [`Self::TOGETHER`] groups or one, as `y`, which is
    /// `(groups, columns)`, has, with every column.
    ///
    /// # Safety
    ///
    /// As above.
    unsafe fn panel<K: Kind>(panel: &Panel<'_>, x: &Q8<'_>, y: &mut [[f32; EIGHT]]) {
        // SAFETY: as the caller promises.
        unsafe { columns::<Self, _>(&mut Unpacked::<K>::new(panel), x, y) }
    }
}

/// Unit of eight rows in registers, a lane of 32 bits a row.
pub(crate) struct Unit {
    /// Integers, in quads of four.
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
}

/// Multiplies groups of rows in blocks of `B` bytes with every column: where they lie if there are
/// few columns, else unpacked.
///
/// # Safety
///
/// The CPU must have the features of `I`.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) unsafe fn product<I: Isa, T: Tile<B>, const B: usize>(
    w: &Groups<'_>,
    x: &Q8<'_>,
    scratch: &mut Scratch<'_>,
    y: &mut [[f32; EIGHT]],
) {
    const { assert!(I::TOGETHER <= TOGETHER, "a panel has room") };
    let count = x.count();
    if count <= few::<I, T, B>(w.order) {
        // SAFETY: as the caller promises.
        return unsafe { in_place::<I, T, B>(w, x, y) };
    }
    let (panel, most) = (&mut scratch.panel(x.len / UNIT), I::TOGETHER);
    for (w, y) in w.together(most).zip(y.chunks_mut(most * count)) {
        let groups = if y.len() == most * count { most } else { 1 };
        for (w, y) in w.together(groups).zip(y.chunks_exact_mut(groups * count)) {
            for (group, w) in w.groups().enumerate() {
                unpack::<I, T, B>(&w, panel, Place { group, groups }, x.len);
            }
            // SAFETY: as the caller promises.
            unsafe { I::panel::<T>(panel, x, y) }
        }
    }
}

/// Columns up to which units are not worth unpacking ahead.
fn few<I: Isa, T: Tile<B>, const B: usize>(order: Order) -> usize {
    match order {
        Order::Tiles if T::CHEAP => I::FEW,
        _ => 2 * I::COLUMNS,
    }
}

/// Multiplies groups with every column, where they lie.
///
/// # Safety
///
/// The CPU must have the features of `I`.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn in_place<I: Isa, T: Tile<B>, const B: usize>(
    w: &Groups<'_>,
    x: &Q8<'_>,
    y: &mut [[f32; EIGHT]],
) {
    let count = x.count();
    let most = if count >= I::PAIRS_FROM { 2 } else { 1 };
    for (w, y) in w.together(most).zip(y.chunks_mut(most * count)) {
        let mut groups = w.groups();
        match (w.order, groups.next(), groups.next()) {
            (Order::Tiles, Some(a), Some(b)) => {
                let mut pair = [Tiles::<T, B>::of_pair(a.bytes), Tiles::of_pair(b.bytes)];
                // SAFETY: as the caller promises.
                unsafe { I::pair(&mut pair, x, y) }
            }
            (Order::Tiles, Some(w), _) => {
                // SAFETY: as above.
                unsafe { columns::<I, _>(&mut Tiles::<T, B>::new(w.bytes), x, y) }
            }
            _ => {
                for (w, y) in w.groups().zip(y.chunks_exact_mut(count)) {
                    // SAFETY: as above.
                    unsafe { columns::<I, _>(&mut Rows::<T, B>::new(w.bytes, w.rows), x, y) }
                }
            }
        }
    }
}

/// Unpacks a group of rows of `len` weights to its place in a panel.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn unpack<I: Isa, T: Tile<B>, const B: usize>(
    w: &Group<'_>,
    panel: &mut Panel<'_>,
    place: Place,
    len: usize,
) {
    match w.order {
        Order::Tiles => fill::<I, _>(Tiles::<T, B>::new(w.bytes), panel, place, len),
        Order::Rows => fill::<I, _>(Rows::<T, B>::new(w.bytes, w.rows), panel, place, len),
    }
}

/// Multiplies a group with every column, as many in a pass as there are registers for.
///
/// # Safety
///
/// The CPU must have the features of `I`.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) unsafe fn columns<I: Isa, S: Source>(w: &mut S, x: &Q8<'_>, y: &mut [[f32; EIGHT]]) {
    let mut first = 0;
    while I::COLUMNS == 8 && y.len() - first >= 8 {
        // SAFETY: as the caller promises.
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

/// Adds block of one unit `i` of a run to the outputs, as [`dram_quant::Unpacked`] defines it.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn add_one<K: Kind, const N: usize, const R: usize>(
    acc: &mut [__m256; N],
    w: &Scales,
    sums: &[__m256i; N],
    x: &Run<'_, N, R>,
    i: usize,
) {
    for c in 0..N {
        let d = _mm256_mul_ps(w.d, _mm256_set1_ps(x.d[c][i]));
        acc[c] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sums[c]), d, acc[c]);
        if K::MIN {
            acc[c] = _mm256_fmadd_ps(w.m, _mm256_set1_ps(x.ds[c][i]), acc[c]);
        }
    }
}

/// Adds a block of eight units to the outputs, as [`dram_quant::Unpacked`] defines it.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn add_eight<K: Kind, const N: usize>(
    acc: &mut [__m256; N],
    w: &Scales,
    sums: &[__m256i; N],
    minima: &[__m256i; N],
    x: &[f32; N],
) {
    for c in 0..N {
        let dx = _mm256_set1_ps(x[c]);
        acc[c] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sums[c]), _mm256_mul_ps(w.d, dx), acc[c]);
        if K::MIN {
            let minima = _mm256_mul_ps(_mm256_cvtepi32_ps(minima[c]), dx);
            acc[c] = _mm256_fmadd_ps(w.m, minima, acc[c]);
        }
    }
}
