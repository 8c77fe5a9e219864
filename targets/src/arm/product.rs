//! The one product: eight rows, whose integers lie in registers, times up to four columns.
//!
//! Groups of weights are multiplied with the same four numbers of a column, so that the sums of a
//! row come to lie in the lane of the row; rows with the same sixteen, and then the lanes of each
//! row are added. A format's offset comes off through the sums of activations:
//! `Σ (u − o) x = Σ u x − o Σ x`, exactly; in panels it is off already.

use super::panel::{Unpacked, fill};
use super::source::{Kind, Rows, Source, Tile, Tiles};
use crate::Panel;
use crate::kernels::Eight;
use dram_quant::{EIGHT, Order, Q8};

/// How an instruction set multiplies.
pub(crate) trait Isa {
    /// Whether the integers of panels lie in rows.
    const PANEL_ROWS: bool;

    /// Whether the integers of panels lie in pairs; if neither, in groups.
    const PANEL_PAIRS: bool = false;

    /// Multiplies with columns `first..first + N`, blocks in order.
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

/// Columns for which units are not worth unpacking ahead.
const FEW: usize = 4;

/// Multiplies eight rows in blocks of `B` bytes with every column: where they lie if there are
/// few columns, else unpacked.
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
            let mut tiles = Tiles::<T, B>::new(blocks);
            if y.len() <= FEW {
                return pass::<I, _>(&mut tiles, x, 0, y);
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

/// Multiplies a panel with every column.
#[target_feature(enable = "neon")]
pub(super) fn panel_product<I: Isa, K: Kind>(panel: &Panel<'_>, x: Q8<'_>, y: &mut [[f32; EIGHT]]) {
    columns::<I, _>(&mut Unpacked::<I, K>::new(panel), x, y);
}

/// Multiplies with every column, four in a pass, or two if integers come in rows: then more
/// columns take more registers than there are.
#[inline]
#[target_feature(enable = "neon")]
fn columns<I: Isa, S: Source>(w: &mut S, x: Q8<'_>, y: &mut [[f32; EIGHT]]) {
    let most = if S::ROWS { 2 } else { 4 };
    for (c, y) in y.chunks_mut(most).enumerate() {
        pass::<I, S>(w, x, c * most, y);
    }
}

/// Multiplies with the columns from `first` on, as many as a pass takes at most.
#[inline]
#[target_feature(enable = "neon")]
fn pass<I: Isa, S: Source>(w: &mut S, x: Q8<'_>, first: usize, y: &mut [[f32; EIGHT]]) {
    match y.len() {
        // SAFETY: `I` is named only by the table that has its features.
        4 if !S::ROWS => unsafe { I::pass::<S, 4>(w, x, first, y) },
        // SAFETY: as above.
        3 if !S::ROWS => unsafe { I::pass::<S, 3>(w, x, first, y) },
        // SAFETY: as above.
        2 => unsafe { I::pass::<S, 2>(w, x, first, y) },
        // SAFETY: as above.
        _ => unsafe { I::pass::<S, 1>(w, x, first, y) },
    }
}
