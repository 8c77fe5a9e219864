//! Keys and values of all sequences, in pages that sequences share.
//!
//! A page holds [`PAGE`] positions of every layer. A sequence is a list of pages; pages count
//! their users, so a fork shares all of them, and a shared page is copied when one of its users
//! writes to it.
//!
//! Pages lie in slabs of [`SLAB`]: within a slab, the parts of one layer and head are neighbours, so
//! that a head's walk over a sequence that had the memory to itself is a walk over long runs of
//! bytes. Slabs are used in order, and those that no sequence has reached are never written to.

use super::attention::CHUNK;
use super::limits::{KvFormat, Limits};
use crate::arena::Arena;
use crate::error::{ColumnFault, Error, SessionFault};
use crate::model::Config;
use dram_quant::f32_to_f16;
use dram_targets::{Kernels, PAGE};

/// A sequence of tokens in a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Sequence(pub(crate) u32);

/// Marks a sequence that is not open.
const CLOSED: u32 = u32::MAX;

/// Pages of a slab: as many as attention walks at a time.
const SLAB: usize = CHUNK / PAGE;

/// The bytes of keys and values, `(slabs, layers, heads, pages of the slab)` of this:
enum Store<'a> {
    /// Keys `(head_len, 32)`, values `(32, head_len)`.
    F16 { k: &'a mut [u16], v: &'a mut [u16] },
    /// The same in integers, with scales `(head_len / 32, 32)` and `(32, head_len / 32)`.
    Q8 { k: &'a mut [i8], k_scales: &'a mut [u16], v: &'a mut [i8], v_scales: &'a mut [u16] },
}

/// All pages and the lists of them.
pub(crate) struct Pages<'a> {
    store: Store<'a>,
    layers: usize,
    kv_heads: usize,
    head_len: usize,
    context: usize,
    /// `(sequences, pages of a full sequence)`
    lists: &'a mut [u32],
    /// Positions of each sequence, or [`CLOSED`].
    lengths: &'a mut [u32],
    /// Users of each page.
    users: &'a mut [u32],
    /// Pages without users, the first `free` of them.
    spare: &'a mut [u32],
    free: usize,
}

impl<'a> Pages<'a> {
    pub(crate) fn new(
        config: &Config,
        limits: &Limits,
        arena: &mut Arena<'a>,
    ) -> Result<Self, Error> {
        let pages = limits.pages;
        let cells = pages.saturating_mul(config.layers * config.kv_len()).saturating_mul(PAGE);
        let store = match limits.kv {
            KvFormat::F16 => Store::F16 { k: arena.take(cells)?, v: arena.take(cells)? },
            KvFormat::Q8_0 => Store::Q8 {
                k: arena.take(cells)?,
                k_scales: arena.take(cells / 32)?,
                v: arena.take(cells)?,
                v_scales: arena.take(cells / 32)?,
            },
        };
        let lists = arena.take(limits.sequences.saturating_mul(limits.context.div_ceil(PAGE)))?;
        let lengths = arena.take::<u32>(limits.sequences)?;
        let (users, spare) = (arena.take::<u32>(pages)?, arena.take::<u32>(pages)?);
        lengths.fill(CLOSED);
        users.fill(0);
        for (i, page) in spare.iter_mut().rev().enumerate() {
            *page = i as u32;
        }
        let (layers, kv_heads, head_len) = (config.layers, config.kv_heads, config.head_len);
        let (context, free) = (limits.context, spare.len());
        Ok(Self { store, layers, kv_heads, head_len, context, lists, lengths, users, spare, free })
    }

    /// Opens an empty sequence.
    pub(crate) fn open(&mut self) -> Result<Sequence, Error> {
        let most = self.lengths.len();
        let free = self.lengths.iter().position(|length| *length == CLOSED);
        let index = free.ok_or(SessionFault::Sequences { most })?;
        self.lengths[index] = 0;
        Ok(Sequence(index as u32))
    }

    /// Opens a sequence that shares the first `length` positions of `from`, or all if it has fewer.
    pub(crate) fn fork(&mut self, from: Sequence, length: usize) -> Result<Sequence, Error> {
        let length = self.length(from)?.min(length);
        let to = self.open()?;
        for i in 0..length.div_ceil(PAGE) {
            let page = self.lists[self.list_at(from, i)];
            let at = self.list_at(to, i);
            self.lists[at] = page;
            self.users[page as usize] += 1;
        }
        self.lengths[to.0 as usize] = length as u32;
        Ok(to)
    }

    /// Forgets positions from `length` on; more than there are changes nothing.
    pub(crate) fn rewind(&mut self, sequence: Sequence, length: usize) -> Result<(), Error> {
        let now = self.length(sequence)?;
        for i in length.div_ceil(PAGE)..now.div_ceil(PAGE) {
            self.release(self.lists[self.list_at(sequence, i)]);
        }
        self.lengths[sequence.0 as usize] = now.min(length) as u32;
        Ok(())
    }

    /// Closes a sequence; its number may come back from [`Self::open`].
    pub(crate) fn close(&mut self, sequence: Sequence) -> Result<(), Error> {
        self.rewind(sequence, 0)?;
        self.lengths[sequence.0 as usize] = CLOSED;
        Ok(())
    }

    /// Positions of a sequence.
    pub(crate) fn length(&self, sequence: Sequence) -> Result<usize, Error> {
        match self.lengths.get(sequence.0 as usize) {
            Some(length) if *length != CLOSED => Ok(*length as usize),
            _ => Err(SessionFault::Closed.into()),
        }
    }

    /// Pages that no sequence uses.
    pub(crate) fn free(&self) -> usize {
        self.free
    }

    /// Pages that `count` more positions of a sequence may take: those that begin among them, and a
    /// copy of its last one where that is shared.
    pub(crate) fn needed(&self, sequence: Sequence, count: usize) -> Result<usize, Error> {
        let length = self.length(sequence)?;
        let begun = (length + count).div_ceil(PAGE) - length.div_ceil(PAGE);
        Ok(begun + usize::from(count > 0 && self.last_is_shared(sequence, length)))
    }

    /// Counts one more position of a sequence, which [`Self::extend`] then gives it, or
    /// [`Self::rewind`] takes back; `pages` grows by those that it may need.
    pub(crate) fn reserve(
        &mut self,
        sequence: Sequence,
        is_first: bool,
        pages: &mut usize,
    ) -> Result<usize, ColumnFault> {
        let position = self.length(sequence).map_err(|_| ColumnFault::Closed)?;
        if position >= self.context {
            return Err(ColumnFault::Full { context: self.context });
        }
        let copies = is_first && self.last_is_shared(sequence, position);
        *pages += usize::from(position.is_multiple_of(PAGE) || copies);
        self.lengths[sequence.0 as usize] += 1;
        Ok(position)
    }

    /// Takes back positions that were only counted.
    pub(crate) fn unreserve(&mut self, sequence: Sequence, length: usize) {
        self.lengths[sequence.0 as usize] = length as u32;
    }

    /// Gives a sequence a position that is next to those it has, in a page that only it uses. There
    /// must be as many free pages as [`Self::reserve`] has counted.
    pub(crate) fn extend(&mut self, sequence: Sequence, position: usize) {
        let at = self.list_at(sequence, position / PAGE);
        if position.is_multiple_of(PAGE) {
            self.lists[at] = self.claim();
        } else if self.last_is_shared(sequence, position) {
            let shared = self.lists[at];
            let own = self.claim();
            self.copy(shared as usize, own as usize);
            self.release(shared);
            self.lists[at] = own;
        }
        self.lengths[sequence.0 as usize] = position as u32 + 1;
    }

    /// Whether the page of the position before `length` goes on behind it and has other users.
    fn last_is_shared(&self, sequence: Sequence, length: usize) -> bool {
        if length.is_multiple_of(PAGE) {
            return false;
        }
        let page = self.lists[self.list_at(sequence, length / PAGE)];
        self.users.get(page as usize).is_some_and(|users| *users > 1)
    }

    fn list_at(&self, sequence: Sequence, i: usize) -> usize {
        sequence.0 as usize * self.context.div_ceil(PAGE) + i
    }

    fn claim(&mut self) -> u32 {
        self.free -= 1;
        let page = self.spare[self.free];
        self.users[page as usize] = 1;
        page
    }

    fn release(&mut self, page: u32) {
        self.users[page as usize] -= 1;
        if self.users[page as usize] == 0 {
            self.spare[self.free] = page;
            self.free += 1;
        }
    }

    fn copy(&mut self, from: usize, to: usize) {
        fn copy<T: Copy>(cells: &mut [T], from: usize, to: usize, count: usize) {
            cells.copy_within(from * count..(from + 1) * count, to * count);
        }
        let cells = self.head_len * PAGE;
        for head in 0..self.layers * self.kv_heads {
            let (from, to) = (self.part(from, head), self.part(to, head));
            match &mut self.store {
                Store::F16 { k, v } => {
                    copy(k, from, to, cells);
                    copy(v, from, to, cells);
                }
                Store::Q8 { k, k_scales, v, v_scales } => {
                    copy(k, from, to, cells);
                    copy(v, from, to, cells);
                    copy(k_scales, from, to, cells / 32);
                    copy(v_scales, from, to, cells / 32);
                }
            }
        }
    }

    /// Where a page's part lies that a KV head has, in parts; heads count through all layers.
    fn part(&self, page: usize, head: usize) -> usize {
        let slab = page / SLAB * SLAB;
        // The last slab may be short.
        let pages = (self.users.len() - slab).min(SLAB);
        slab * self.layers * self.kv_heads + head * pages + (page - slab)
    }

    /// Where the part of a KV head of a layer lies in the page of `position`, in parts.
    fn block(&self, sequence: Sequence, position: usize, layer: usize, head: usize) -> usize {
        let page = self.lists[self.list_at(sequence, position / PAGE)];
        self.part(page as usize, layer * self.kv_heads + head)
    }

    /// Stores the key and value of one head at a position that [`Self::extend`] has given.
    pub(crate) fn put(
        &mut self,
        (sequence, position): (Sequence, usize),
        (layer, head): (usize, usize),
        key: &[f32],
        value: &[f32],
    ) {
        let (len, at) = (self.head_len, position % PAGE);
        let block = self.block(sequence, position, layer, head);
        let cells = block * len * PAGE..(block + 1) * len * PAGE;
        let scales = cells.start / 32..cells.end / 32;
        match &mut self.store {
            Store::F16 { k, v } => {
                let (k, v) = (&mut k[cells.clone()], &mut v[cells]);
                for (k, key) in k.chunks_exact_mut(PAGE).zip(key) {
                    k[at] = f32_to_f16(*key);
                }
                for (v, value) in v[at * len..][..len].iter_mut().zip(value) {
                    *v = f32_to_f16(*value);
                }
            }
            Store::Q8 { k, k_scales, v, v_scales } => {
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

    /// Scores of the queries `(n, head_len)` of one KV head against the page of `position`.
    pub(crate) fn score(
        &self,
        kernels: &Kernels,
        block: Block,
        q: &[f32],
        scale: f32,
        stride: usize,
        s: &mut [f32],
    ) {
        let block = self.block(block.sequence, block.position, block.layer, block.head);
        let cells = block * self.head_len * PAGE..(block + 1) * self.head_len * PAGE;
        let scales = cells.start / 32..cells.end / 32;
        match &self.store {
            Store::F16 { k, .. } => kernels.scores_f16(q, &k[cells], scale, stride, s),
            Store::Q8 { k, k_scales, .. } => {
                kernels.scores_q8(q, &k[cells], &k_scales[scales], scale, stride, s);
            }
        }
    }

    /// Adds the weighted values of one KV head in the page of `position` to `y`.
    pub(crate) fn mix(
        &self,
        kernels: &Kernels,
        block: Block,
        p: &[f32],
        stride: usize,
        positions: usize,
        y: &mut [f32],
    ) {
        let block = self.block(block.sequence, block.position, block.layer, block.head);
        let cells = block * self.head_len * PAGE..(block + 1) * self.head_len * PAGE;
        let scales = cells.start / 32..cells.end / 32;
        match &self.store {
            Store::F16 { v, .. } => kernels.weighted_sum_f16(p, stride, &v[cells], positions, y),
            Store::Q8 { v, v_scales, .. } => {
                kernels.weighted_sum_q8(p, stride, &v[cells], &v_scales[scales], positions, y);
            }
        }
    }
}

/// A page's part that one KV head of one layer has.
#[derive(Clone, Copy)]
pub(crate) struct Block {
    pub sequence: Sequence,
    /// Any position in the page.
    pub position: usize,
    pub layer: usize,
    pub head: usize,
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
