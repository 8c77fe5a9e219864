//! One block of eight rows as a tile: what makes a product of tiles one of rows.

use super::lanes::{at, load16, store};
use core::arch::x86_64::{
    __m256i, _mm256_castsi128_si256, _mm256_inserti128_si256, _mm256_unpackhi_epi32,
    _mm256_unpackhi_epi64, _mm256_unpacklo_epi32, _mm256_unpacklo_epi64,
};
use dram_quant::{EIGHT, Field};

/// Writes block `block` of `rows` rows to `tile`, as [`dram_quant::tile`] does it. In place of
/// rows that are missing stands the first.
#[target_feature(enable = "avx2,fma,f16c")]
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
#[target_feature(enable = "avx2,fma,f16c")]
fn fours<const B: usize>(blocks: &[&[u8; B]; EIGHT], start: usize, tile: &mut [u8]) {
    for (i, four) in tile.as_chunks_mut::<32>().0.as_chunks_mut::<4>().0.iter_mut().enumerate() {
        for (to, v) in four.iter_mut().zip(transpose(blocks, start + i * 16)) {
            store(to, v);
        }
    }
}

/// Units `0..4` of four bytes at `offset`, each of eight blocks.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn transpose<const B: usize>(blocks: &[&[u8; B]; EIGHT], offset: usize) -> [__m256i; 4] {
    let [a, b, c, d] = [0, 1, 2, 3].map(|r| {
        let low = _mm256_castsi128_si256(load16(at(blocks[r], offset)));
        _mm256_inserti128_si256::<1>(low, load16(at(blocks[r + 4], offset)))
    });
    let low = [_mm256_unpacklo_epi32(a, b), _mm256_unpacklo_epi32(c, d)];
    let high = [_mm256_unpackhi_epi32(a, b), _mm256_unpackhi_epi32(c, d)];
    [
        _mm256_unpacklo_epi64(low[0], low[1]),
        _mm256_unpackhi_epi64(low[0], low[1]),
        _mm256_unpacklo_epi64(high[0], high[1]),
        _mm256_unpackhi_epi64(high[0], high[1]),
    ]
}
