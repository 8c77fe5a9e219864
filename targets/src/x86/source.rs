//! Where eight rows come from: tiles, or rows that become tiles.

use super::lanes::prefetch;
use super::product::{Scales, Source, Tile, Unit};
use super::tile::interleave;
use dram_quant::{EIGHT, UNIT};

/// Bytes of tiles asked for before they are needed.
const AHEAD: usize = 4096;

/// Eight rows as tiles of blocks of `B` bytes.
pub(super) struct Tiles<'a, T, const B: usize> {
    tiles: &'a [[[u8; B]; EIGHT]],
    /// Bytes behind these that are multiplied at the same time: what is wanted next lies after them.
    skip: usize,
    /// The block begun.
    block: usize,
    /// Bytes from it to those that will be wanted.
    ahead: usize,
    tile: T,
}

impl<'a, T: Tile<B>, const B: usize> Tiles<'a, T, B> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { tiles: bytes.as_chunks().0.as_chunks().0, skip: 0, block: 0, ahead: 0, tile: T::NEW }
    }

    /// One of two groups that are multiplied together.
    pub(super) fn of_pair(bytes: &'a [u8]) -> Self {
        Self { skip: bytes.len(), ..Self::new(bytes) }
    }
}

impl<T: Tile<B>, const B: usize> Source for Tiles<'_, T, B> {
    type Kind = T;

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn begin<Caller>(&mut self, block: usize) -> Scales {
        const { assert!(T::BLOCK * UNIT == T::FORMAT.weights()) };
        self.block = block;
        let is_last = (self.tiles.len() - block) * B * EIGHT <= AHEAD;
        self.ahead = if is_last { AHEAD + self.skip } else { AHEAD };
        // SAFETY: the CPU has the features because this function has them.
        unsafe { self.tile.begin(&self.tiles[block]) }
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn unit<Caller>(&self, i: usize) -> Unit {
        let tile = &self.tiles[self.block];
        prefetch_unit::<T, B>(tile.as_flattened(), self.ahead, i);
        // SAFETY: the CPU has the features because this function has them.
        unsafe { self.tile.unit::<(Self, Caller)>(tile, i) }
    }
}

/// Eight rows of blocks of `B` bytes; in place of rows that are missing stands the first.
pub(super) struct Rows<'a, T, const B: usize> {
    rows: [&'a [[u8; B]]; EIGHT],
    /// The block begun, as a tile.
    scratch: [[u8; B]; EIGHT],
    /// All of them.
    bytes: &'a [u8],
    /// The block begun.
    block: usize,
    tile: T,
}

impl<'a, T: Tile<B>, const B: usize> Rows<'a, T, B> {
    pub(super) fn new(bytes: &'a [u8], count: usize) -> Self {
        let blocks = bytes.as_chunks().0;
        let row_blocks = blocks.len() / count;
        let mut rows = [&blocks[..row_blocks]; EIGHT];
        for (to, row) in rows.iter_mut().zip(blocks.chunks_exact(row_blocks)) {
            *to = row;
        }
        Self { rows, scratch: [[0; B]; EIGHT], bytes, block: 0, tile: T::NEW }
    }
}

impl<T: Tile<B>, const B: usize> Source for Rows<'_, T, B> {
    type Kind = T;

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn begin<Caller>(&mut self, block: usize) -> Scales {
        self.block = block;
        interleave::<T, B>(&self.rows, block, &mut self.scratch);
        // SAFETY: the CPU has the features because this function has them.
        unsafe { self.tile.begin(&self.scratch) }
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn unit<Caller>(&self, i: usize) -> Unit {
        // The next eight rows, as one stream: they lie one behind the other.
        let ahead = self.bytes.len() + self.block * B * EIGHT;
        prefetch_unit::<T, B>(self.bytes, ahead, i);
        // SAFETY: the CPU has the features because this function has them.
        unsafe { self.tile.unit::<(Self, Caller)>(&self.scratch, i) }
    }
}

/// Asks for as many bytes as a unit has, as far from `bytes` as unit `i` of a tile there.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn prefetch_unit<T: Tile<B>, const B: usize>(bytes: &[u8], ahead: usize, i: usize) {
    let unit_bytes = const { B * EIGHT / T::BLOCK };
    for line in 0..unit_bytes.div_ceil(64) {
        prefetch(bytes, ahead + i * unit_bytes + line * 64);
    }
}
