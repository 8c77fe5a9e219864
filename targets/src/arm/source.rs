//! Where the integers of eight rows come from, and what they are.
//!
//! A unit is 16 registers, in one of three orders:
//!
//! ```text
//! quads   register 2 g + p: weights 4 g .. 4 g + 4 of rows 4 p .. 4 p + 4
//! rows     register 2 r + h: weights 16 h .. 16 h + 16 of row r
//! pairs    register 8 h + 2 p + e: weights 16 h + 8 e .. 16 h + 8 e + 8 of rows 2 p and 2 p + 1
//! ```

use super::lanes::{at, load, prefetch, quad};
use super::tile::interleave;
use core::arch::aarch64::{
    float32x4_t, int8x16_t, int16x8_t, uint8x16_t, vdupq_n_f32, vdupq_n_s8, vdupq_n_s16,
};
use core::marker::PhantomData;
use dram_quant::{EIGHT, Format};

/// What the integers of a format's blocks are.
pub(crate) trait Kind {
    /// The largest magnitude of an integer.
    const LARGEST: i16;
    /// How much larger integers are than the weights.
    const OFFSET: i8 = 0;
    /// Units in a block, 1 or 8; eight have integer factors.
    const UNITS: usize = 1;
    /// Units in turn that share bytes: 1, 2 or, with factors of halves, 4.
    const SHARE: usize = 1;
    /// Whether each half of a unit has factors of its own.
    const HALVES: bool = false;
    /// Whether weights have a minimum.
    const MIN: bool = false;
}

/// Scales of a block, a lane a row.
#[derive(Clone, Copy)]
pub(crate) struct Scales {
    pub d: [float32x4_t; 2],
    /// Read where [`Kind::MIN`].
    pub m: [float32x4_t; 2],
}

impl Scales {
    /// Those of a block without minima.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(super) fn of(d: [float32x4_t; 2]) -> Self {
        Self { d, m: [vdupq_n_f32(0.0); 2] }
    }
}

/// The integers of a unit, in quads, in rows or in pairs.
pub(crate) type Integers = [[int8x16_t; 2]; 8];

/// Unit of eight rows in registers.
#[derive(Clone, Copy)]
pub(crate) struct Unit {
    pub q: Integers,
    /// What the sums of the unit, or of each half, are multiplied with. A lane a row; read where
    /// [`Kind::UNITS`] are several.
    ///
    /// It is how much larger the factor is than the next one of those sums that run on through the
    /// block, after the last of which comes 0. Where `SHARE` units are multiplied together, sums
    /// run on `SHARE` units later, or not at all if halves have factors.
    pub steps: [int16x8_t; 2],
    /// The factor of the minimum of the unit, or of each half; read where there are both.
    pub n: [int16x8_t; 2],
}

impl Unit {
    /// One without factors.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(super) fn of(q: Integers) -> Self {
        Self { q, steps: [vdupq_n_s16(0); 2], n: [vdupq_n_s16(0); 2] }
    }
}

/// Where the bytes of eight registers' pairs lie: in a quad of a tile, or in a row's block.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    bytes: &'a [u8],
    /// How much farther apart the fields are than in a block.
    spread: usize,
    first: usize,
}

impl Place<'_> {
    /// What in a block are the 32 bytes from `offset` on, or in quads those of one.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(super) fn at(self, offset: usize) -> [uint8x16_t; 2] {
        quad(at(self.bytes, offset * self.spread + self.first))
    }

    /// The 16 bytes from `offset` on, of a row.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(super) fn half(self, offset: usize) -> uint8x16_t {
        load(at(self.bytes, offset))
    }
}

/// How the bytes of a format, in blocks of `B`, become registers.
///
/// Of `Caller` see the crate's documentation.
pub(crate) trait Tile<const B: usize>: Kind {
    const FORMAT: Format;

    /// What panels of it are multiplied as: of formats whose panels are alike, one.
    type Panel: Kind;

    /// What is taken out of a tile once for all its units.
    type Head: Default;

    /// Takes it out. Of the tile this, [`Self::scales`] and [`Self::unit`] read only the fields of
    /// one and two bytes.
    ///
    /// # Safety
    ///
    /// The CPU must have the features.
    unsafe fn head<Caller>(_: &[[u8; B]; EIGHT]) -> Self::Head {
        Self::Head::default()
    }

    /// The scales of a tile.
    ///
    /// # Safety
    ///
    /// The CPU must have the features.
    unsafe fn scales(tile: &[[u8; B]; EIGHT]) -> Scales;

    /// `q` with the factors of unit `I` of a tile, of which `SHARE` are multiplied together.
    ///
    /// # Safety
    ///
    /// The CPU must have the features.
    unsafe fn unit<Caller, const I: usize, const SHARE: usize>(
        _: &Self::Head,
        _: &[[u8; B]; EIGHT],
        q: Integers,
    ) -> Unit {
        // SAFETY: as above.
        unsafe { Unit::of(q) }
    }

    /// The integers of unit `I`, of one quad or of one row.
    ///
    /// # Safety
    ///
    /// The CPU must have the features.
    unsafe fn pair<Caller, const I: usize>(place: Place<'_>) -> [int8x16_t; 2];

    /// The integers of unit `I` of a tile, in quads.
    ///
    /// # Safety
    ///
    /// The CPU must have the features.
    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn quads<Caller, const I: usize>(tile: &[[u8; B]; EIGHT]) -> Integers {
        let mut q = [[vdupq_n_s8(0); 2]; 8];
        for (g, q) in q.iter_mut().enumerate() {
            let place = Place { bytes: tile.as_flattened(), spread: EIGHT, first: g * 32 };
            // SAFETY: the CPU has the features because this function has them.
            *q = unsafe { Self::pair::<Caller, I>(place) };
        }
        q
    }
}

/// Where the blocks of eight rows come from. Of `Caller` see [`Tile`].
pub(crate) trait Source: Sized {
    type Kind: Kind;

    /// Whether integers come in rows, else in quads, or from a panel in pairs.
    const ROWS: bool;

    /// A block of eight rows.
    type Block<'a>
    where
        Self: 'a;

    /// These rows from their first block on, of which at most `blocks`, and how many they are.
    ///
    /// Then the compiler sees that blocks exist, and has in registers what it works with.
    fn limit(&self, blocks: usize) -> (Self, usize);

    /// Block `i`.
    ///
    /// # Safety
    ///
    /// The CPU must have the features. After [`Self::limit`], blocks must be asked for in order and
    /// as many as it has returned at most.
    unsafe fn block<Caller>(&mut self, i: usize) -> Self::Block<'_>;

    /// Asks for what will be needed some time after unit `i` of a block.
    fn ahead<'a>(_: &Self::Block<'a>, _: usize)
    where
        Self: 'a,
    {
    }

    /// The scales of a block.
    ///
    /// # Safety
    ///
    /// The CPU must have the features.
    unsafe fn scales<'a>(block: &Self::Block<'a>) -> Scales
    where
        Self: 'a;

    /// Unit `I` of a block, of which `SHARE` are multiplied together.
    ///
    /// # Safety
    ///
    /// The CPU must have the features.
    unsafe fn unit<'a, Caller, const I: usize, const SHARE: usize>(block: &Self::Block<'a>) -> Unit
    where
        Self: 'a;
}

/// Tiles where they lie.
pub(super) struct Tiles<'a, T, const B: usize> {
    tiles: &'a [[[u8; B]; EIGHT]],
    format: PhantomData<T>,
}

impl<'a, T: Tile<B>, const B: usize> Tiles<'a, T, B> {
    pub(super) fn new(blocks: &'a [[u8; B]]) -> Self {
        Self { tiles: blocks.as_chunks().0, format: PhantomData }
    }
}

/// Bytes of tiles asked for before they are needed.
const AHEAD: usize = 2048;

impl<'t, T: Tile<B>, const B: usize> Source for Tiles<'t, T, B> {
    type Kind = T;

    const ROWS: bool = false;

    type Block<'a>
        = (T::Head, &'t [[u8; B]; EIGHT])
    where
        Self: 'a;

    #[inline]
    fn limit(&self, blocks: usize) -> (Self, usize) {
        let blocks = blocks.min(self.tiles.len());
        (Self { tiles: &self.tiles[..blocks], format: PhantomData }, blocks)
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn block<Caller>(&mut self, i: usize) -> Self::Block<'_> {
        // An exception to the rule against it: what a check would cost for every block is not on
        // record; the record of `Rows` counts loops without.
        // SAFETY: there are as many tiles as `limit` has returned, and `i` is below that.
        let tile = unsafe { self.tiles.get_unchecked(i) };
        // SAFETY: the CPU has the features because this function has them.
        (unsafe { T::head::<Caller>(tile) }, tile)
    }

    /// One cache line of a few: CPUs see the stream and fetch the others themselves.
    #[inline]
    fn ahead<'a>((_, tile): &Self::Block<'a>, i: usize)
    where
        Self: 'a,
    {
        prefetch::<AHEAD>(&tile.as_flattened()[i * const { B * EIGHT / T::UNITS }..]);
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn scales<'a>((_, tile): &Self::Block<'a>) -> Scales
    where
        Self: 'a,
    {
        // SAFETY: the CPU has the features because this function has them.
        unsafe { T::scales(tile) }
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn unit<'a, Caller, const I: usize, const SHARE: usize>(
        (head, tile): &Self::Block<'a>,
    ) -> Unit
    where
        Self: 'a,
    {
        // SAFETY: the CPU has the features because this function has them.
        let q = unsafe { T::quads::<Caller, I>(tile) };
        // SAFETY: as above.
        unsafe { T::unit::<Caller, I, SHARE>(head, tile, q) }
    }
}

/// Rows where they lie.
///
/// An exception to the rule against walking by pointers: the load of a scale moves its row's address
/// on ([`interleave`]), so that no other instruction computes eight addresses a block. With that
/// the loop of Q4_0 takes 285 instructions for eight rows and four units, 17 of them beside loads
/// and arithmetic (`bench/record/qemu-aarch64/2026-11-23T100500Z-limits.txt`); what it would take by
/// index is not on record.
pub(super) struct Rows<'a, T, const B: usize> {
    /// The blocks of each row; in place of rows that are missing stands the first.
    rows: [&'a [[u8; B]]; EIGHT],
    /// The next block of each row.
    next: [*const [u8; B]; EIGHT],
    /// A tile with the scales and factors of one block of each row.
    scratch: [[u8; B]; EIGHT],
    format: PhantomData<T>,
}

impl<'a, T: Tile<B>, const B: usize> Rows<'a, T, B> {
    pub(super) fn new(blocks: &'a [[u8; B]], count: usize) -> Self {
        let row_blocks = blocks.len() / count;
        let mut rows = [&blocks[..row_blocks]; EIGHT];
        for (to, row) in rows.iter_mut().zip(blocks.chunks_exact(row_blocks)) {
            *to = row;
        }
        Self::of(rows)
    }

    #[inline]
    fn of(rows: [&'a [[u8; B]]; EIGHT]) -> Self {
        let next = rows.map(<[_]>::as_ptr);
        Self { rows, next, scratch: [[0; B]; EIGHT], format: PhantomData }
    }
}

impl<'r, T: Tile<B>, const B: usize> Source for Rows<'r, T, B> {
    type Kind = T;

    const ROWS: bool = true;

    type Block<'a>
        = (T::Head, &'a [[u8; B]; EIGHT], [&'r [u8; B]; EIGHT])
    where
        Self: 'a;

    #[inline]
    fn limit(&self, blocks: usize) -> (Self, usize) {
        let blocks = blocks.min(self.rows[0].len());
        (Self::of(self.rows.map(|row| &row[..blocks])), blocks)
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn block<Caller>(&mut self, _: usize) -> Self::Block<'_> {
        let mut blocks = self.next;
        // SAFETY: each row has as many blocks as `limit` has returned; no more are asked for.
        unsafe { interleave::<T, B, Caller>(&mut blocks, &mut self.scratch) };
        self.next = blocks.map(|block| block.wrapping_add(1));
        // SAFETY: as above; the rows outlive this.
        let blocks = blocks.map(|block| unsafe { &*block });
        // SAFETY: the CPU has the features because this function has them.
        (unsafe { T::head::<(Caller,)>(&self.scratch) }, &self.scratch, blocks)
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn scales<'a>((_, scratch, _): &Self::Block<'a>) -> Scales
    where
        Self: 'a,
    {
        // SAFETY: the CPU has the features because this function has them.
        unsafe { T::scales(scratch) }
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn unit<'a, Caller, const I: usize, const SHARE: usize>(
        (head, scratch, blocks): &Self::Block<'a>,
    ) -> Unit
    where
        Self: 'a,
    {
        let mut q = [[vdupq_n_s8(0); 2]; 8];
        for (q, block) in q.iter_mut().zip(blocks) {
            let place = Place { bytes: *block, spread: 1, first: 0 };
            // SAFETY: the CPU has the features because this function has them.
            *q = unsafe { T::pair::<(Caller,), I>(place) };
        }
        // SAFETY: as above.
        unsafe { T::unit::<(Caller,), I, SHARE>(head, scratch, q) }
    }
}
