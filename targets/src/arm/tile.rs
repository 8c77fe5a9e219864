//! One block of eight rows as a tile: what makes a product of tiles one of rows.

use super::lanes::{at, load, store};
use core::arch::aarch64::{
    uint8x16_t, vreinterpretq_u8_u64, vreinterpretq_u32_u8, vreinterpretq_u64_u32, vtrn1q_u32,
    vtrn1q_u64, vtrn2q_u32, vtrn2q_u64,
};
use dram_quant::{EIGHT, Field};

/// Writes block `block` of `rows` rows to `tile`, as [`dram_quant::tile`] does it. In place of
/// rows that are missing stands the first.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn interleave<const B: usize>(
    fields: &[Field],
    blocks: &[[u8; B]],
    rows: usize,
    block: usize,
    tile: &mut [[u8; B]; EIGHT],
) {
    let row_blocks = blocks.len() / rows;
    let mut eight = [&blocks[block]; EIGHT];
    for (r, row) in eight.iter_mut().enumerate().take(rows) {
        *row = &blocks[r * row_blocks + block];
    }
    let mut start = 0;
    for field in fields {
        let bytes = field.unit * field.count;
        let tile = &mut tile.as_flattened_mut()[start * EIGHT..][..bytes * EIGHT];
        match field.unit {
            1 => single::<1, B>(&eight, start, tile),
            2 => single::<2, B>(&eight, start, tile),
            _ => fours(&eight, start, tile),
        }
        start += bytes;
    }
}

/// Interleaves a field of units of `N` bytes one by one.
#[inline]
fn single<const N: usize, const B: usize>(
    blocks: &[&[u8; B]; EIGHT],
    start: usize,
    tile: &mut [u8],
) {
    for (i, eight) in tile.as_chunks_mut::<N>().0.as_chunks_mut::<EIGHT>().0.iter_mut().enumerate()
    {
        for (unit, block) in eight.iter_mut().zip(blocks) {
            *unit = *at(*block, start + i * N);
        }
    }
}

/// Interleaves a field of units of four bytes, four at a time.
#[inline]
#[target_feature(enable = "neon")]
fn fours<const B: usize>(blocks: &[&[u8; B]; EIGHT], start: usize, tile: &mut [u8]) {
    for (i, four) in tile.as_chunks_mut::<128>().0.iter_mut().enumerate() {
        let rows = blocks.map(|block| load(at(block, start + i * 16)));
        let [a, b, c, d, e, f, g, h] = rows;
        let columns = transpose([a, b, c, d]).into_iter().zip(transpose([e, f, g, h]));
        for (to, (first, last)) in four.as_chunks_mut::<32>().0.iter_mut().zip(columns) {
            store(&mut to[..16], first);
            store(&mut to[16..], last);
        }
    }
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
