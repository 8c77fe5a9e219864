//! One block of eight rows as a tile: what makes a product of tiles one of rows.

use super::lanes::{at, load16, store, store16};
use super::product::Tile;
use core::arch::x86_64::{
    __m256i, _mm_add_epi8, _mm_set1_epi8, _mm_setr_epi8, _mm_setr_epi16,
    _mm256_broadcastsi128_si256, _mm256_castsi128_si256, _mm256_inserti128_si256,
    _mm256_permutevar8x32_epi32, _mm256_setr_epi32, _mm256_shuffle_epi8, _mm256_unpackhi_epi32,
    _mm256_unpackhi_epi64, _mm256_unpacklo_epi32, _mm256_unpacklo_epi64,
};
use dram_quant::{EIGHT, Field};

/// Writes block `block` of eight rows to `tile`, as [`dram_quant::tile`] does it.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn interleave<T: Tile<B>, const B: usize>(
    rows: &[&[[u8; B]]; EIGHT],
    block: usize,
    tile: &mut [[u8; B]; EIGHT],
) {
    let mut blocks = [&rows[0][block]; EIGHT];
    for (to, row) in blocks.iter_mut().zip(rows) {
        *to = &row[block];
    }
    // One by one, not in a loop: where each field lies becomes part of the instructions.
    field::<T, B, 0>(&blocks, tile);
    field::<T, B, 1>(&blocks, tile);
    field::<T, B, 2>(&blocks, tile);
    field::<T, B, 3>(&blocks, tile);
    field::<T, B, 4>(&blocks, tile);
}

/// Interleaves field `I`, if there is one.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn field<T: Tile<B>, const B: usize, const I: usize>(
    blocks: &[&[u8; B]; EIGHT],
    tile: &mut [[u8; B]; EIGHT],
) {
    let (start, unit, bytes) = const { place(T::FORMAT.fields(), I) };
    let tile = &mut tile.as_flattened_mut()[start * EIGHT..][..bytes * EIGHT];
    match unit {
        1 if bytes < 4 => ones(blocks, start, tile),
        2 => twos(blocks, start, tile),
        _ => fours(blocks, start, unit == 1, tile),
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

/// Interleaves a field of few units of one byte.
#[inline(always)]
fn ones<const B: usize>(blocks: &[&[u8; B]; EIGHT], start: usize, tile: &mut [u8]) {
    for (i, tile) in tile.as_chunks_mut::<EIGHT>().0.iter_mut().enumerate() {
        *tile = core::array::from_fn(|r| blocks[r][start + i]);
    }
}

/// Interleaves a field of units of two bytes.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn twos<const B: usize>(blocks: &[&[u8; B]; EIGHT], start: usize, tile: &mut [u8]) {
    for (i, tile) in tile.as_chunks_mut::<16>().0.iter_mut().enumerate() {
        let unit = |r: usize| i16::from_le_bytes(*at(blocks[r], start + i * 2));
        // One register, not eight small stores, which a load of 16 bytes would have to wait for.
        let [a, b, c, d] = [unit(0), unit(1), unit(2), unit(3)];
        store16(tile, _mm_setr_epi16(a, b, c, d, unit(4), unit(5), unit(6), unit(7)));
    }
}

/// Interleaves a field of units of four bytes, or of one if `single`, 16 bytes at a time; the last
/// 16 may reach into the next field.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn fours<const B: usize>(blocks: &[&[u8; B]; EIGHT], start: usize, single: bool, tile: &mut [u8]) {
    for (i, tile) in tile.chunks_mut(16 * EIGHT).enumerate() {
        let quads = transpose(blocks, start + i * 16);
        for (to, quad) in tile.as_chunks_mut::<32>().0.iter_mut().zip(quads) {
            store(to, if single { transpose_bytes(quad) } else { quad });
        }
    }
}

/// Bytes `first..` of both halves of 16, then any.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn from(v: __m256i, first: usize) -> __m256i {
    let places = _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    let places = _mm_add_epi8(places, _mm_set1_epi8(first as i8));
    _mm256_shuffle_epi8(v, _mm256_broadcastsi128_si256(places))
}

/// Four bytes of each of eight blocks, to eight blocks' bytes of each of four places.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn transpose_bytes(quad: __m256i) -> __m256i {
    let places = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    let lanes = _mm256_shuffle_epi8(quad, _mm256_broadcastsi128_si256(places));
    _mm256_permutevar8x32_epi32(lanes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7))
}

/// Units `0..4` of four bytes at `offset`, each of eight blocks; any bytes past the blocks' end.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn transpose<const B: usize>(blocks: &[&[u8; B]; EIGHT], offset: usize) -> [__m256i; 4] {
    let inside = offset.min(B - 16);
    let [a, b, c, d] = [0, 1, 2, 3].map(|r| {
        let low = _mm256_castsi128_si256(load16(at(blocks[r], inside)));
        let both = _mm256_inserti128_si256::<1>(low, load16(at(blocks[r + 4], inside)));
        if inside == offset { both } else { from(both, offset - inside) }
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
