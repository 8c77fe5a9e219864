//! Weights that become tiles while a session works.
//!
//! The first answer does not wait until a whole model is arranged: its passes multiply rows where
//! they lie, and each later pass begins by arranging one layer, until all are in tiles. Rows are
//! let go of piece by piece, so that weights are never in memory twice.

use super::Session;
use super::pool::{Pieces, Pool};
use super::state::Worker;
use crate::arena::Arena;
use crate::error::Error;
use crate::model::{Layer, Plan, Slot};
use core::{mem, ptr};
use dram_quant::{EIGHT, Matrix, Order, tile};

/// Rows are let go of when this many bytes of them are arranged.
const PIECE: usize = 1 << 21;

/// Where a session arranges its weights, all brought by the caller.
pub struct Tiling<'a> {
    /// At least [`Tiling::bytes`].
    pub room: &'a mut [u8],
    /// A slot for each layer.
    pub layers: &'a mut [Slot<'a>],
    /// Called with bytes of the model that will hardly be read again, if at all; the same bytes may be
    /// passed more than once.
    pub release: &'a (dyn Fn(&[u8]) + Sync),
}

/// What is arranged already.
pub(super) struct Tiled<'a> {
    /// Room for the rest.
    room: Arena<'a>,
    layers: &'a mut [Slot<'a>],
    release: &'a (dyn Fn(&[u8]) + Sync),
    /// How many layers are arranged.
    arranged: usize,
    lm_head: Option<Matrix<'a>>,
    /// Whether no pass was made yet.
    is_new: bool,
}

impl Tiling<'_> {
    /// Bytes of room that a session needs to arrange the weights in tiles.
    ///
    /// # Errors
    ///
    /// [`Error::NoRoom`] if no machine could address them.
    pub fn bytes(plan: &Plan<'_>) -> Result<usize, Error> {
        let mut arena = Arena::measuring("the model in tiles");
        for i in 0..plan.config.layers {
            for bytes in moved(plan.layer(i)) {
                arena.take::<u8>(bytes.len())?;
            }
        }
        if becomes_tiles(&plan.lm_head) {
            arena.take::<u8>(plan.lm_head.bytes().len())?;
        }
        Ok(arena.bytes())
    }
}

impl<'a> Session<'a> {
    /// From its second pass on, arranges its weights in tiles: a layer at the start of every
    /// pass. No result changes by it.
    ///
    /// # Errors
    ///
    /// [`Error::NoRoom`] if the room is too small; [`Error::Slots`] if there are fewer slots than layers.
    pub fn arrange_in(&mut self, tiling: Tiling<'a>) -> Result<(), Error> {
        let Tiling { room, layers, release } = tiling;
        let room = Arena::new("the model in tiles", room, Tiling::bytes(self.plan)?)?;
        let (needed, given) = (self.plan.config.layers, layers.len());
        if given < needed {
            return Err(Error::Slots { needed, given });
        }
        layers.fill(None);
        let tiled = Tiled { room, layers, release, arranged: 0, lm_head: None, is_new: true };
        self.tiled = Some(tiled);
        Ok(())
    }

    /// Arranges all that is still in rows, if the session arranges at all.
    pub fn arrange(&mut self) {
        let Some(tiled) = &mut self.tiled else { return };
        while tiled.arrange_next(self.plan, &mut self.pool, &mut self.workers) {}
    }

    /// Arranges a layer before a pass, unless it is the first.
    pub(super) fn arrange_some(&mut self) {
        let Some(tiled) = &mut self.tiled else { return };
        if !mem::take(&mut tiled.is_new) {
            tiled.arrange_next(self.plan, &mut self.pool, &mut self.workers);
        }
    }

    /// Layer `i` as it lies now.
    pub(super) fn layer(&self, i: usize) -> Layer<'a> {
        let tiled = self.tiled.as_ref().and_then(|tiled| *tiled.layers.get(i)?);
        tiled.unwrap_or(*self.plan.layer(i))
    }

    /// The output matrix as it lies now.
    pub(super) fn lm_head(&self) -> Matrix<'a> {
        self.tiled.as_ref().and_then(|tiled| tiled.lm_head).unwrap_or(self.plan.lm_head)
    }

    /// The embedding as it lies now: where it is the output matrix too, with that.
    pub(super) fn embedding(&self) -> Matrix<'a> {
        let Plan { embedding, lm_head, .. } = *self.plan;
        let is_tied = ptr::eq(embedding.bytes(), lm_head.bytes());
        if is_tied { self.lm_head() } else { embedding }
    }
}

impl<'a> Tiled<'a> {
    /// Arranges the next layer, or after the last the output matrix; false if that is done too.
    fn arrange_next(
        &mut self,
        plan: &Plan<'a>,
        pool: &mut Pool,
        workers: &mut [Worker<'_>],
    ) -> bool {
        if self.arranged < plan.config.layers {
            let layer = plan.layer(self.arranged);
            let layer = layer.map(|w| self.arrange(w, pool, workers), |x| x);
            self.layers[self.arranged] = Some(layer.map(|w| w, |x| self.copy(x)));
            moved(plan.layer(self.arranged)).for_each(self.release);
            self.arranged += 1;
            return true;
        }
        let is_next = self.lm_head.is_none();
        if is_next {
            self.lm_head = Some(self.arrange(plan.lm_head, pool, workers));
        }
        is_next
    }

    /// `w` in tiles, or as it is.
    fn arrange(
        &mut self,
        w: Matrix<'a>,
        pool: &mut Pool,
        workers: &mut [Worker<'_>],
    ) -> Matrix<'a> {
        if !becomes_tiles(&w) {
            return w;
        }
        let rows = w.bytes();
        let to = self.room.take::<u8>(rows.len()).expect(MEASURED);
        let eight = rows.len() / w.rows() * EIGHT;
        let whole = w.rows() / EIGHT * eight;
        let piece = (PIECE / eight).max(1) * eight;
        for (rows, to) in rows[..whole].chunks(piece).zip(to[..whole].chunks_mut(piece)) {
            pool.run(workers, Pieces::new(to, eight), |_, i, to| {
                tile(w.format(), &rows[i * eight..][..eight], to);
            });
            (self.release)(rows);
        }
        to[whole..].copy_from_slice(&rows[whole..]);
        let tiles = Matrix::new(to, w.format(), Order::Tiles, w.rows(), w.len());
        tiles.expect("tiles are as many bytes as rows")
    }

    /// `x` beside the tiles: to read it where it was would bring rows around it back.
    fn copy(&mut self, x: &[f32]) -> &'a [f32] {
        let to = self.room.take(x.len()).expect(MEASURED);
        to.copy_from_slice(x);
        to
    }
}

const MEASURED: &str = "`arrange_in` has seen that there is room";

/// The bytes of all weights of a layer that are elsewhere once it is arranged.
fn moved<'a>(layer: &Layer<'a>) -> impl Iterator<Item = &'a [u8]> {
    let rows = |w: Matrix<'a>| if becomes_tiles(&w) { w.bytes() } else { &[] };
    let bytes = layer.map(rows, bytemuck::cast_slice).into_array();
    bytes.into_iter().filter(|bytes| !bytes.is_empty())
}

/// Whether a matrix is not in tiles yet and can be.
fn becomes_tiles(w: &Matrix<'_>) -> bool {
    w.order() == Order::Rows && !w.format().is_float() && w.rows() >= EIGHT
}
