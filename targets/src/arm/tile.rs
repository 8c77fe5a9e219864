//! Scales and factors of eight rows' blocks as in a tile, and units turned from an order to another.

use super::lanes::{at, load, load_lane, load_lanes, store};
use super::source::{Integers, Tile};
use core::arch::aarch64::{
    int8x16_t, uint8x16_t, uint8x16x2_t, vdupq_n_u16, vqtbl2q_u8, vreinterpretq_s8_s32,
    vreinterpretq_s8_s64, vreinterpretq_s8_u8, vreinterpretq_s32_s8, vreinterpretq_s64_s8,
    vreinterpretq_u8_s8, vreinterpretq_u8_u16, vreinterpretq_u8_u64, vreinterpretq_u32_u8,
    vreinterpretq_u64_u32, vsetq_lane_u16, vtrn1q_u32, vtrn1q_u64, vtrn2q_u32, vtrn2q_u64,
    vzip1q_s32, vzip1q_s64, vzip2q_s32, vzip2q_s64,
};
use dram_quant::{EIGHT, Field};

/// Writes the fields of one and two bytes of eight rows' blocks to `tile`, as
/// [`dram_quant::tile`] does it. The blocks stay where they are; see [`scales`].
///
/// # Safety
///
/// The blocks must be readable.
#[inline]
#[target_feature(enable = "neon")]
pub(super) unsafe fn interleave<T: Tile<B>, const B: usize, Caller>(
    blocks: &mut [*const [u8; B]; EIGHT],
    tile: &mut [[u8; B]; EIGHT],
) {
    // One by one, not in a loop: where each field lies becomes part of the instructions.
    // SAFETY: the blocks are readable, as the caller promises. So below.
    unsafe { field::<T, B, 0, Caller>(blocks, tile) };
    // SAFETY: as above.
    unsafe { field::<T, B, 1, Caller>(blocks, tile) };
    // SAFETY: as above.
    unsafe { field::<T, B, 2, Caller>(blocks, tile) };
    // SAFETY: as above.
    unsafe { field::<T, B, 3, Caller>(blocks, tile) };
    // SAFETY: as above.
    unsafe { field::<T, B, 4, Caller>(blocks, tile) };
}

/// Interleaves field `I`, if there is one.
///
/// # Safety
///
/// The blocks must be readable.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn field<T: Tile<B>, const B: usize, const I: usize, Caller>(
    blocks: &mut [*const [u8; B]; EIGHT],
    tile: &mut [[u8; B]; EIGHT],
) {
    let (start, unit, bytes) = const { place(T::FORMAT.fields(), I) };
    let tile = &mut tile.as_flattened_mut()[start * EIGHT..][..bytes * EIGHT];
    if unit == 2 && bytes == 2 && T::UNITS == 1 {
        // SAFETY: as the caller promises.
        return unsafe { scales(blocks, start, tile) };
    }
    // SAFETY: as above.
    let blocks = &blocks.map(|block| unsafe { &*block });
    match unit {
        1 => ones(blocks, start, tile),
        2 => twos(blocks, start, tile),
        _ => {}
    }
}

/// Start, unit and bytes of field `i`; no bytes where there are fewer fields.
const fn place(fields: &[Field], i: usize) -> (usize, usize, usize) {
    assert!(fields.len() <= 5, "interleave goes through five fields");
    let (mut start, mut j) = (0, 0);
    while j < fields.len() {
        let bytes = fields[j].unit * fields[j].count;
        if j == i {
            return (start, fields[j].unit, bytes);
        }
        start += bytes;
        j += 1;
    }
    (0, 4, 0)
}

/// Interleaves a field of one unit of two bytes.
///
/// Its load leaves the address behind it in its register. The blocks' addresses come from there, so
/// that no other instruction computes them; where a block has much besides, that does not pay.
///
/// # Safety
///
/// The blocks must be readable.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn scales<const B: usize>(
    blocks: &mut [*const [u8; B]; EIGHT],
    start: usize,
    tile: &mut [u8],
) {
    let [a, b, c, d, e, f, g, h] = blocks;
    // SAFETY: the blocks are readable, as the caller promises, and the field is in them. So below.
    let units = unsafe { load_lanes(a, start) };
    // SAFETY: as above.
    let units = unsafe { load_lane::<1, B>(units, b, start) };
    // SAFETY: as above.
    let units = unsafe { load_lane::<2, B>(units, c, start) };
    // SAFETY: as above.
    let units = unsafe { load_lane::<3, B>(units, d, start) };
    // SAFETY: as above.
    let units = unsafe { load_lane::<4, B>(units, e, start) };
    // SAFETY: as above.
    let units = unsafe { load_lane::<5, B>(units, f, start) };
    // SAFETY: as above.
    let units = unsafe { load_lane::<6, B>(units, g, start) };
    // SAFETY: as above.
    let units = unsafe { load_lane::<7, B>(units, h, start) };
    store(&mut tile.as_chunks_mut::<16>().0[0], vreinterpretq_u8_u16(units));
}

/// Interleaves a field of units of two bytes.
#[inline]
#[target_feature(enable = "neon")]
fn twos<const B: usize>(blocks: &[&[u8; B]; EIGHT], start: usize, tile: &mut [u8]) {
    for (i, tile) in tile.as_chunks_mut::<16>().0.iter_mut().enumerate() {
        let [a, b, c, d, e, f, g, h] =
            blocks.map(|block| u16::from_le_bytes(*at(block, start + i * 2)));
        let units = vsetq_lane_u16::<0>(a, vdupq_n_u16(0));
        let units = vsetq_lane_u16::<1>(b, units);
        let units = vsetq_lane_u16::<2>(c, units);
        let units = vsetq_lane_u16::<3>(d, units);
        let units = vsetq_lane_u16::<4>(e, units);
        let units = vsetq_lane_u16::<5>(f, units);
        let units = vsetq_lane_u16::<6>(g, units);
        store(tile, vreinterpretq_u8_u16(vsetq_lane_u16::<7>(h, units)));
    }
}

/// Interleaves a field of single bytes, 16 at a time; the last 16 may reach into the next field.
#[inline]
#[target_feature(enable = "neon")]
fn ones<const B: usize>(blocks: &[&[u8; B]; EIGHT], start: usize, tile: &mut [u8]) {
    for (i, tile) in tile.chunks_mut(16 * EIGHT).enumerate() {
        for (to, bytes) in
            tile.as_chunks_mut::<32>().0.iter_mut().zip(quads(blocks, start + i * 16))
        {
            for (to, bytes) in to.as_chunks_mut::<16>().0.iter_mut().zip(transpose_bytes(bytes)) {
                store(to, bytes);
            }
        }
    }
}

/// Four bytes of each of eight blocks, to eight blocks' bytes of each of four places.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn transpose_bytes([first, last]: [uint8x16_t; 2]) -> [uint8x16_t; 2] {
    let quad = uint8x16x2_t(first, last);
    [
        [0, 4, 8, 12, 16, 20, 24, 28, 1, 5, 9, 13, 17, 21, 25, 29],
        [2, 6, 10, 14, 18, 22, 26, 30, 3, 7, 11, 15, 19, 23, 27, 31],
    ]
    .map(|places| vqtbl2q_u8(quad, load(&places)))
}

/// Units `0..4` of four bytes at `offset`, each of eight blocks.
#[inline]
#[target_feature(enable = "neon")]
fn quads<const B: usize>(blocks: &[&[u8; B]; EIGHT], offset: usize) -> [[uint8x16_t; 2]; 4] {
    let [a, b, c, d, e, f, g, h] = blocks.map(|block| load(at(block, offset)));
    let (first, last) = (transpose([a, b, c, d]), transpose([e, f, g, h]));
    [0, 1, 2, 3].map(|i| [first[i], last[i]])
}

/// Quads to rows, or rows to quads: fours of weights are transposed, eight by eight.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn turn(q: Integers) -> Integers {
    let mut turned = q;
    for (from, to) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let four = |i: usize| vreinterpretq_u8_s8(q[from * 4 + i][to]);
        for (i, four) in transpose([four(0), four(1), four(2), four(3)]).into_iter().enumerate() {
            turned[to * 4 + i][from] = vreinterpretq_s8_u8(four);
        }
    }
    turned
}

/// Quads to pairs: two quads' fours of a row make its eight.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn pairs_of_quads(q: Integers) -> Integers {
    let mut pairs = q;
    for (eighth, quads) in q.as_chunks::<2>().0.iter().enumerate() {
        let (half, e) = (eighth / 2 * 4, eighth % 2);
        for four in 0..2 {
            let [first, last] = quads.map(|quad| vreinterpretq_s32_s8(quad[four]));
            let pair = half + four * 2;
            pairs[pair][e] = vreinterpretq_s8_s32(vzip1q_s32(first, last));
            pairs[pair + 1][e] = vreinterpretq_s8_s32(vzip2q_s32(first, last));
        }
    }
    pairs
}

/// Rows to pairs.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn pairs_of_rows(q: Integers) -> Integers {
    let mut pairs = q;
    for half in 0..2 {
        for pair in 0..4 {
            pairs[half * 4 + pair] = zip(q[pair * 2][half], q[pair * 2 + 1][half]);
        }
    }
    pairs
}

/// The first eight bytes of both, and the last.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn zip(a: int8x16_t, b: int8x16_t) -> [int8x16_t; 2] {
    let (a, b) = (vreinterpretq_s64_s8(a), vreinterpretq_s64_s8(b));
    [vzip1q_s64(a, b), vzip2q_s64(a, b)].map(|both| vreinterpretq_s8_s64(both))
}

/// Transposes four by four units of four bytes.
#[inline]
#[target_feature(enable = "neon")]
fn transpose(rows: [uint8x16_t; 4]) -> [uint8x16_t; 4] {
    let [a, b, c, d] = rows.map(|row| vreinterpretq_u32_u8(row));
    let pairs = [vtrn1q_u32(a, b), vtrn2q_u32(a, b), vtrn1q_u32(c, d), vtrn2q_u32(c, d)];
    let [ab_even, ab_odd, cd_even, cd_odd] = pairs.map(|pair| vreinterpretq_u64_u32(pair));
    [
        vtrn1q_u64(ab_even, cd_even),
        vtrn1q_u64(ab_odd, cd_odd),
        vtrn2q_u64(ab_even, cd_even),
        vtrn2q_u64(ab_odd, cd_odd),
    ]
    .map(|column| vreinterpretq_u8_u64(column))
}
