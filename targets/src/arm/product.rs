//! The one product: eight rows, whose integers lie in registers, times up to four columns.
//!
//! Quads are multiplied with the same four numbers of a column, so that the sums of a
//! row come to lie in the lane of the row; rows with the same sixteen, and then the lanes of each
//! row are added. A format's offset comes off through the sums of activations:
//! `Σ (u − o) x = Σ u x − o Σ x`, exactly; in panels it is off already.

use super::panel::{Unpacked, fill, part};
use super::source::{Kind, Rows, Source, Tile, Tiles};
use crate::kernels::{Group, Groups};
use crate::panel::Panel;
use crate::scratch::Scratch;
use dram_quant::{EIGHT, Order, Q8, UNIT};

/// How an instruction set multiplies.
pub(crate) trait Isa {
    /// How it multiplies few columns, with rows where they lie: in need of no other features.
    type Few: Isa;

    /// The most columns its registers are enough for in a pass over quads: 2 or 4.
    const COLUMNS: usize;

    /// Columns from which two groups of rows are multiplied together.
    const PAIRS_FROM: usize = usize::MAX;

    /// Whether the integers of panels lie in rows.
    const PANEL_ROWS: bool;

    /// Whether the integers of panels lie in pairs; if neither, in quads.
    const PANEL_PAIRS: bool = false;

    /// The largest magnitude of integers whose panels hold eight rows of two weights a register:
    /// then [`Self::panel`] multiplies them in a way of its own.
    const PANEL_LANES: i16 = 0;

    /// Multiplies with columns `first..first + N`, blocks in order.
    ///
    /// # Safety
    ///
    /// The CPU must have the features.
    unsafe fn pass<S: Source, const N: usize>(
        w: &S,
        x: &Q8<'_>,
        first: usize,
        y: &mut [[f32; EIGHT]],
    );

    /// Multiplies a panel of one or two groups with every column; `y` is `(groups, columns)`.
    ///
    /// # Safety
    ///
    /// The CPU must have the features.
    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn panel<K: Kind>(panel: &Panel<'_>, x: &Q8<'_>, y: &mut [[f32; EIGHT]])
    where
        Self: Sized,
    {
        // SAFETY: as the caller promises.
        unsafe { panel_product::<Self, K>(panel, x, y) }
    }
}

/// Multiplies groups of rows in blocks of `B` bytes with every column: where they lie if there are
/// few columns, else unpacked.
///
/// # Safety
///
/// The CPU must have the features of `I`.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) unsafe fn product<I: Isa, T: Tile<B>, const B: usize>(
    w: &Groups<'_>,
    x: &Q8<'_>,
    scratch: &mut Scratch<'_>,
    y: &mut [[f32; EIGHT]],
) {
    if x.count() <= few::<I>(w.order) {
        for (w, y) in w.groups().zip(y.chunks_exact_mut(x.count())) {
            // SAFETY: as the caller promises; `Few` needs no other features.
            unsafe { in_place::<I::Few, T, B>(&w, x, y) }
        }
        return;
    }
    let (panel, most) = (&mut scratch.panel(x.len / UNIT), together::<I>(x));
    for (w, y) in w.together(most).zip(y.chunks_mut(most * x.count())) {
        for (group, w) in w.groups().enumerate() {
            unpack::<I, T, B>(&w, &mut part(panel, group, x.len / UNIT));
        }
        // SAFETY: as the caller promises.
        unsafe { I::panel::<T::Panel>(panel, x, y) }
    }
}

/// How many groups are multiplied together.
pub(super) fn together<I: Isa>(x: &Q8<'_>) -> usize {
    if x.count() >= I::PAIRS_FROM { 2 } else { 1 }
}

/// Columns up to which units are not worth unpacking ahead.
fn few<I: Isa>(order: Order) -> usize {
    match order {
        Order::Tiles => I::COLUMNS,
        Order::Rows => 1,
    }
}

/// Multiplies rows where they lie, with few columns.
///
/// # Safety
///
/// The CPU must have the features of `I`.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn in_place<I: Isa, T: Tile<B>, const B: usize>(
    w: &Group<'_>,
    x: &Q8<'_>,
    y: &mut [[f32; EIGHT]],
) {
    let blocks = w.bytes.as_chunks().0;
    match w.order {
        // SAFETY: as the caller promises.
        Order::Tiles => unsafe { pass::<I, _>(&Tiles::<T, B>::new(blocks), x, 0, y) },
        // SAFETY: as above.
        Order::Rows => unsafe { I::pass::<_, 1>(&Rows::<T, B>::new(blocks, w.rows), x, 0, y) },
    }
}

/// Unpacks rows.
#[inline]
#[target_feature(enable = "neon")]
fn unpack<I: Isa, T: Tile<B>, const B: usize>(w: &Group<'_>, panel: &mut Panel<'_>) {
    let blocks = w.bytes.as_chunks().0;
    match w.order {
        Order::Tiles => fill::<I, _>(&Tiles::<T, B>::new(blocks), panel),
        Order::Rows => fill::<I, _>(&Rows::<T, B>::new(blocks, w.rows), panel),
    }
}

/// Multiplies groups of a panel with every column, one group after the other.
///
/// # Safety
///
/// The CPU must have the features of `I`.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) unsafe fn panel_product<I: Isa, K: Kind>(
    panel: &Panel<'_>,
    x: &Q8<'_>,
    y: &mut [[f32; EIGHT]],
) {
    for (group, y) in y.chunks_mut(x.count()).enumerate() {
        let w = &Unpacked::<I, K>::new(panel, group * (x.len / UNIT));
        // SAFETY: as the caller promises.
        unsafe { columns::<I, _>(w, x, y) }
    }
}

/// Multiplies with every column, as many in a pass as there are registers for: two if integers come
/// in rows.
///
/// # Safety
///
/// The CPU must have the features of `I`.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn columns<I: Isa, S: Source>(w: &S, x: &Q8<'_>, y: &mut [[f32; EIGHT]]) {
    let most = if S::ROWS { 2 } else { I::COLUMNS };
    for (c, y) in y.chunks_mut(most).enumerate() {
        // SAFETY: as the caller promises.
        unsafe { pass::<I, S>(w, x, c * most, y) }
    }
}

/// Multiplies with the columns from `first` on, as many as a pass takes at most.
///
/// # Safety
///
/// The CPU must have the features of `I`.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn pass<I: Isa, S: Source>(w: &S, x: &Q8<'_>, first: usize, y: &mut [[f32; EIGHT]]) {
    let four = const { I::COLUMNS == 4 && !S::ROWS };
    match y.len() {
        // SAFETY: as the caller promises.
        4 if four => unsafe { I::pass::<S, 4>(w, x, first, y) },
        // SAFETY: as above.
        3 if four => unsafe { I::pass::<S, 3>(w, x, first, y) },
        // SAFETY: as above.
        2 => unsafe { I::pass::<S, 2>(w, x, first, y) },
        // SAFETY: as above.
        _ => unsafe { I::pass::<S, 1>(w, x, first, y) },
    }
}
