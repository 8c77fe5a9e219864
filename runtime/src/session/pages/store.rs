//! The bytes of keys and values.
//!
//! Pages lie in slabs of [`SLAB`]: within a slab, the parts of one layer and head are neighbours, so
//! that a head's walk over a sequence that had the memory to itself is a walk over long runs of
//! bytes. Slabs are used in order, and those that no sequence has reached are never written to.

use super::super::limits::{KvFormat, Limits};
use crate::arena::Arena;
use crate::error::Error;
use crate::model::Config;
#[cfg(feature = "std")]
use bytemuck::Pod;
use core::ops::Range;
use dram_quant::f32_to_f16;
use dram_targets::{Kernels, PAGE};

/// Pages of a slab.
pub(crate) const SLAB: usize = 8;

/// Keys and values of all pages.
pub(crate) struct Store<'a> {
    cells: Cells<'a>,
    pages: usize,
    layers: usize,
    kv_heads: usize,
    head_len: usize,
}

/// `(slabs, layers, heads, pages of the slab)` of this:
enum Cells<'a> {
    /// Keys `(head_len, 32)`, values `(32, head_len)`.
    F16 { k: &'a mut [u16], v: &'a mut [u16] },
    /// The same in integers, with scales `(head_len / 32, 32)` and `(32, head_len / 32)`.
    Q8 { k: &'a mut [i8], k_scales: &'a mut [u16], v: &'a mut [i8], v_scales: &'a mut [u16] },
}

/// The part of a page that one KV head of one layer has.
#[derive(Clone, Copy)]
pub(crate) struct Block {
    pub page: u32,
    pub layer: usize,
    pub head: usize,
}

impl<'a> Store<'a> {
    pub(crate) fn new(
        config: &Config,
        limits: &Limits,
        arena: &mut Arena<'a>,
    ) -> Result<Self, Error> {
        let pages = limits.pages;
        let count = pages.saturating_mul(config.layers * config.kv_len()).saturating_mul(PAGE);
        let cells = match limits.kv {
            KvFormat::F16 => Cells::F16 { k: arena.take(count)?, v: arena.take(count)? },
            KvFormat::Q8_0 => Cells::Q8 {
                k: arena.take(count)?,
                k_scales: arena.take(count / 32)?,
                v: arena.take(count)?,
                v_scales: arena.take(count / 32)?,
            },
        };
        let (layers, kv_heads, head_len) = (config.layers, config.kv_heads, config.head_len);
        Ok(Self { cells, pages, layers, kv_heads, head_len })
    }

    /// Copies everything that page `from` holds to page `to`.
    pub(crate) fn copy(&mut self, from: u32, to: u32) {
        for layer in 0..self.layers {
            for head in 0..self.kv_heads {
                let at = |page| Block { page, layer, head };
                let [(from, from_scales), (to, to_scales)] =
                    [from, to].map(|page| self.ranges(at(page)));
                let (to, to_scales) = (to.start, to_scales.start);
                match &mut self.cells {
                    Cells::F16 { k, v } => {
                        k.copy_within(from.clone(), to);
                        v.copy_within(from, to);
                    }
                    Cells::Q8 { k, k_scales, v, v_scales } => {
                        k.copy_within(from.clone(), to);
                        v.copy_within(from, to);
                        k_scales.copy_within(from_scales.clone(), to_scales);
                        v_scales.copy_within(from_scales, to_scales);
                    }
                }
            }
        }
    }

    /// Calls `f` with the bytes of the first positions of a page, block by block.
    #[cfg(feature = "std")]
    pub(crate) fn walk(
        &mut self,
        page: u32,
        positions: usize,
        f: &mut impl FnMut(&mut [u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        for layer in 0..self.layers {
            for head in 0..self.kv_heads {
                let (cells, scales) = self.ranges(Block { page, layer, head });
                match &mut self.cells {
                    Cells::F16 { k, v } => {
                        walk_keys(&mut k[cells.clone()], positions, f)?;
                        walk_values(&mut v[cells], positions, f)?;
                    }
                    Cells::Q8 { k, k_scales, v, v_scales } => {
                        walk_keys(&mut k[cells.clone()], positions, f)?;
                        walk_keys(&mut k_scales[scales.clone()], positions, f)?;
                        walk_values(&mut v[cells], positions, f)?;
                        walk_values(&mut v_scales[scales], positions, f)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Where the keys of a block lie, and in 8 bits their scales; values lie in the same places.
    fn ranges(&self, block: Block) -> (Range<usize>, Range<usize>) {
        let page = block.page as usize;
        let slab = page / SLAB * SLAB;
        // The last slab may be short.
        let pages = (self.pages - slab).min(SLAB);
        let head = block.layer * self.kv_heads + block.head;
        let part = slab * self.layers * self.kv_heads + head * pages + (page - slab);
        let cells = part * self.head_len * PAGE..(part + 1) * self.head_len * PAGE;
        let scales = cells.start / 32..cells.end / 32;
        (cells, scales)
    }

    /// Stores a key and a value at position `at` of a block.
    pub(crate) fn put(&mut self, block: Block, at: usize, key: &[f32], value: &[f32]) {
        let len = self.head_len;
        let (cells, scales) = self.ranges(block);
        match &mut self.cells {
            Cells::F16 { k, v } => {
                let (k, v) = (&mut k[cells.clone()], &mut v[cells]);
                for (k, key) in k.chunks_exact_mut(PAGE).zip(key) {
                    k[at] = f32_to_f16(*key);
                }
                for (v, value) in v[at * len..][..len].iter_mut().zip(value) {
                    *v = f32_to_f16(*value);
                }
            }
            Cells::Q8 { k, k_scales, v, v_scales } => {
                let (k, v) = (&mut k[cells.clone()], &mut v[cells]);
                let (k_scales, v_scales) = (&mut k_scales[scales.clone()], &mut v_scales[scales]);
                let units = k.chunks_exact_mut(32 * PAGE).zip(key.chunks_exact(32));
                for ((k, key), scale) in units.zip(k_scales.chunks_exact_mut(PAGE)) {
                    let (q, d) = quantize(key);
                    k.chunks_exact_mut(PAGE).zip(q).for_each(|(k, q)| k[at] = q);
                    scale[at] = d;
                }
                let units = v[at * len..][..len].chunks_exact_mut(32).zip(value.chunks_exact(32));
                for ((v, value), scale) in units.zip(&mut v_scales[at * (len / 32)..]) {
                    let (q, d) = quantize(value);
                    v.copy_from_slice(&q);
                    *scale = d;
                }
            }
        }
    }

    /// Scores of the queries `(n, head_len)` against the keys of a block.
    pub(crate) fn score(
        &self,
        kernels: &Kernels,
        block: Block,
        q: &[f32],
        scale: f32,
        stride: usize,
        s: &mut [f32],
    ) {
        let (cells, scales) = self.ranges(block);
        match &self.cells {
            Cells::F16 { k, .. } => kernels.scores_f16(q, &k[cells], scale, stride, s),
            Cells::Q8 { k, k_scales, .. } => {
                kernels.scores_q8(q, &k[cells], &k_scales[scales], scale, stride, s);
            }
        }
    }

    /// Adds the weighted values of a block to `y`.
    pub(crate) fn weighted_sum(
        &self,
        kernels: &Kernels,
        block: Block,
        p: &[f32],
        stride: usize,
        positions: usize,
        y: &mut [f32],
    ) {
        let (cells, scales) = self.ranges(block);
        match &self.cells {
            Cells::F16 { v, .. } => kernels.weighted_sum_f16(p, stride, &v[cells], positions, y),
            Cells::Q8 { v, v_scales, .. } => {
                kernels.weighted_sum_q8(p, stride, &v[cells], &v_scales[scales], positions, y);
            }
        }
    }
}

/// Calls `f` with the first positions of `(numbers, 32)`, a row at a time where they are not all.
#[cfg(feature = "std")]
fn walk_keys<T: Pod>(
    cells: &mut [T],
    positions: usize,
    f: &mut impl FnMut(&mut [u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    if positions == PAGE {
        return f(bytemuck::cast_slice_mut(cells));
    }
    let mut rows = cells.chunks_exact_mut(PAGE);
    rows.try_for_each(|row| f(bytemuck::cast_slice_mut(&mut row[..positions])))
}

/// Calls `f` with the first positions of `(32, numbers)`.
#[cfg(feature = "std")]
fn walk_values<T: Pod>(
    cells: &mut [T],
    positions: usize,
    f: &mut impl FnMut(&mut [u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    let numbers = cells.len() / PAGE;
    f(bytemuck::cast_slice_mut(&mut cells[..positions * numbers]))
}

/// 32 numbers as integers and a half-float scale; as Q8_0, with the scale rounded first.
fn quantize(x: &[f32]) -> ([i8; 32], u16) {
    let max = x.iter().fold(0.0_f32, |max, x| max.max(x.abs()));
    let d = f32_to_f16(max / 127.0);
    let rounded = dram_quant::f16_to_f32(d);
    let inverse = if rounded > 0.0 { 1.0 / rounded } else { 0.0 };
    let mut q = [0; 32];
    for (q, x) in q.iter_mut().zip(x) {
        // 1.5 · 2^23 rounds to the nearest integer, ties to even, in its low bits.
        let bits = ((x * inverse).clamp(-127.0, 127.0) + 12_582_912.0).to_bits();
        *q = bits as i8;
    }
    (q, d)
}
