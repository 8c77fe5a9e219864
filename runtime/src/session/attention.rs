//! Attention of a batch of columns to all positions before them.
//!
//! Positions are cut in chunks of fixed size. Within a chunk the weights are `e^(s − m)` with `m`
//! the chunk's own maximum; chunks are joined in order. So the result does not depend on which
//! thread computes what.
//!
//! Threads share the chunks first: a part is one chunk of one KV head, for a block of neighbouring
//! columns, so one column alone keeps all threads busy, and many read keys and values once. Then
//! they share the columns, to join their chunks to those before.
//!
//! What chunks give has room for a wave: some columns and some chunks, fewer of these the more
//! there are of those. So the room does not grow with the context.

use super::Session;
use super::limits::Limits;
use super::pages::{Pages, Place, SLAB, Sequence};
use super::pool::Pieces;
use crate::model::Config;
use core::ops::Range;
use dram_targets::{Kernels, PAGE, exp};

/// Positions of a chunk: pages that lie side by side.
pub(crate) const CHUNK: usize = SLAB * PAGE;

/// Columns of a block: each page is read once for all of them. Their scores fit a small cache.
const BLOCK: usize = 8;

/// Columns of a wave.
const WAVE: usize = 4 * BLOCK;

/// Chunks of a wave, counted for every column: enough for all threads in few waves, few enough
/// that a cache holds what they give.
const CELLS: usize = 8 * WAVE;

impl Session<'_> {
    /// Stores the keys and values of a batch.
    pub(super) fn store(&mut self, layer: usize, count: usize) {
        let config = &self.plan.config;
        let (query_len, kv_len, head_len) = (config.query_len(), config.kv_len(), config.head_len);
        let kv = &self.state.out[count * query_len..][..2 * count * kv_len];
        let (keys, values) = kv.split_at(count * kv_len);
        for i in 0..count {
            let sequence = Sequence(self.state.sequences[i]);
            let position = self.state.positions[i] as usize;
            for head in 0..config.kv_heads {
                let range = i * kv_len + head * head_len..i * kv_len + (head + 1) * head_len;
                let place = Place { sequence, position, layer, head };
                self.pages.put(place, &keys[range.clone()], &values[range]);
            }
        }
    }

    /// `y = softmax(q · k / √head_len) · v` for every column and head.
    pub(super) fn attention(&mut self, layer: usize, count: usize) {
        for start in (0..count).step_by(WAVE) {
            let columns = start..count.min(start + WAVE);
            let last = self.state.positions[columns.clone()].iter().max().copied();
            let chunks = last.unwrap_or(0) as usize / CHUNK + 1;
            let most = most_chunks(columns.len());
            for first in (0..chunks).step_by(most) {
                let chunks = first..chunks.min(first + most);
                let wave = Wave::new(&self.plan.config, columns.clone(), chunks);
                self.attend_to_chunks(layer, &wave);
                self.join_chunks(&wave);
            }
        }
    }

    fn attend_to_chunks(&mut self, layer: usize, wave: &Wave) {
        let (kernels, config, pages) = (self.kernels, &self.plan.config, &self.pages);
        let (kv_heads, group) = (config.kv_heads, config.group());
        let scale = 1.0 / libm::sqrtf(config.head_len as f32);
        let (len, queries) = (group * config.head_len, wave.block * group);
        let (parts, state) = (wave.parts(), &mut self.state);
        let (q, sequences, positions) = (&*state.out, &*state.sequences, &*state.positions);
        let deal = (
            Pieces::new(&mut state.chunks[..parts * wave.block * len], wave.block * len),
            Pieces::new(&mut state.weights[..parts * queries], queries),
        );
        self.pool.run(&mut self.workers, deal, |worker, part, (y, weights)| {
            let (columns, head, start) = wave.part(part);
            let first = columns.start;
            let mut next = first;
            for run in sequences[columns].chunk_by(|a, b| a == b) {
                let columns = next..next + run.len();
                next = columns.end;
                let place = Place { sequence: Sequence(run[0]), position: start, layer, head };
                let positions = &positions[columns.clone()];
                let chunk = Chunk { kernels, pages, place, positions };
                if chunk.len(run.len() - 1) == 0 {
                    continue;
                }
                let (room, scores) = worker.attention(run.len() * group);
                for (to, column) in room.chunks_exact_mut(len).zip(columns.clone()) {
                    to.copy_from_slice(&q[(column * kv_heads + head) * len..][..len]);
                }
                let at = columns.start - first;
                chunk.score(room, scale, scores);
                chunk.soften(scores, &mut weights[at * group..][..run.len() * group]);
                chunk.weighted_sum(scores, &mut y[at * len..][..run.len() * len]);
            }
        });
    }

    /// Adds a wave's chunks, in order, to what those before have given; scales the sums of columns
    /// whose last it has.
    fn join_chunks(&mut self, wave: &Wave) {
        let (kernels, config, state) = (self.kernels, &self.plan.config, &mut self.state);
        let (head_len, query_len, group) = (config.head_len, config.query_len(), config.group());
        let columns = wave.columns.clone();
        let y = &mut state.y[columns.start * query_len..columns.end * query_len];
        let joined = &mut state.joined[..columns.len() * config.heads];
        let (chunks, weights) = (&*state.chunks, &*state.weights);
        let positions = &state.positions[columns];
        let deal = (Pieces::new(y, group * head_len), Pieces::new(joined, group));
        self.pool.run(&mut self.workers, deal, |_, i, (y, joined)| {
            let (column, head) = (i / config.kv_heads, i % config.kv_heads);
            let last = positions[column] as usize / CHUNK;
            let queries = y.chunks_exact_mut(head_len).zip(joined).enumerate();
            for (query, (y, joined)) in queries {
                if wave.chunks.start == 0 {
                    *joined = [f32::NEG_INFINITY, 0.0];
                    y.fill(0.0);
                }
                let [mut max, mut sum] = *joined;
                for chunk in wave.chunks.start..wave.chunks.end.min(last + 1) {
                    let at = wave.cell(column, head, chunk) * group + query;
                    let [chunk_max, chunk_sum] = weights[at];
                    let new = max.max(chunk_max);
                    let (a, b) = (exp(max - new), exp(chunk_max - new));
                    kernels.rescale_add(&chunks[at * head_len..][..head_len], a, b, y);
                    (max, sum) = (new, sum * a + chunk_sum * b);
                }
                *joined = [max, sum];
                if wave.chunks.contains(&last) {
                    let factor = 1.0 / sum;
                    y.iter_mut().for_each(|y| *y *= factor);
                }
            }
        });
    }
}

/// Columns and chunks that are computed at once, and how their results lie:
/// `(kv_heads, chunks, blocks, columns of a block)`.
struct Wave {
    columns: Range<usize>,
    chunks: Range<usize>,
    /// Columns of a block.
    block: usize,
    blocks: usize,
    kv_heads: usize,
}

impl Wave {
    fn new(config: &Config, columns: Range<usize>, chunks: Range<usize>) -> Self {
        let block = columns.len().min(BLOCK);
        let blocks = columns.len().div_ceil(block);
        Self { block, blocks, kv_heads: config.kv_heads, columns, chunks }
    }

    fn parts(&self) -> usize {
        self.kv_heads * self.chunks.len() * self.blocks
    }

    /// The columns, KV head and first position of a part.
    fn part(&self, part: usize) -> (Range<usize>, usize, usize) {
        let (rest, block) = (part / self.blocks, part % self.blocks);
        let (head, chunk) = (rest / self.chunks.len(), rest % self.chunks.len());
        let start = self.columns.start + block * self.block;
        let columns = start..self.columns.end.min(start + self.block);
        (columns, head, (self.chunks.start + chunk) * CHUNK)
    }

    /// Where the results of a column of the wave lie, in columns.
    fn cell(&self, column: usize, head: usize, chunk: usize) -> usize {
        let chunk = chunk - self.chunks.start;
        (head * self.chunks.len() + chunk) * self.blocks * self.block + column
    }
}

/// Columns for which a wave of `columns` has room: whole blocks.
fn roomy(columns: usize) -> usize {
    if columns > BLOCK { columns.next_multiple_of(BLOCK) } else { columns }
}

/// Chunks of a wave of so many columns.
fn most_chunks(columns: usize) -> usize {
    CELLS / roomy(columns)
}

/// Queries whose chunks have room at once: `(chunks of a wave, heads)`.
pub(crate) fn chunk_queries(config: &Config, limits: &Limits) -> usize {
    let columns = roomy(limits.batch.min(WAVE));
    config.heads * CELLS.min(columns.saturating_mul(limits.context.div_ceil(CHUNK)))
}

/// Queries of a wave.
pub(crate) fn wave_queries(config: &Config, limits: &Limits) -> usize {
    config.heads * limits.batch.min(WAVE)
}

/// Queries of a block.
pub(crate) fn block_queries(config: &Config, limits: &Limits) -> usize {
    limits.batch.min(BLOCK) * config.group()
}

/// A chunk of one KV head, and neighbouring columns of its sequence: queries, scores and results
/// are arrays of one row a query, columns in order.
struct Chunk<'s> {
    kernels: &'s Kernels,
    pages: &'s Pages<'s>,
    /// Its first position.
    place: Place,
    /// Of each column; they ascend.
    positions: &'s [u32],
}

impl Chunk<'_> {
    /// Positions of the chunk that a column attends to.
    fn len(&self, column: usize) -> usize {
        (self.positions[column] as usize + 1).saturating_sub(self.place.position).min(CHUNK)
    }

    /// The first column that attends to `len` positions or more; all after it do, too.
    fn first(&self, len: usize) -> usize {
        self.positions
            .partition_point(|position| (*position as usize) + 1 < self.place.position + len)
    }

    /// The first position of every page that a column attends to, counted from the chunk's.
    fn pages(&self) -> impl Iterator<Item = (usize, Place)> {
        let place = self.place;
        (0..self.len(self.positions.len() - 1))
            .step_by(PAGE)
            .map(move |page| (page, Place { position: place.position + page, ..place }))
    }

    /// Scores of the queries against the keys.
    fn score(&self, q: &[f32], scale: f32, s: &mut [f32]) {
        let count = self.positions.len();
        let (q_len, s_len) = (q.len() / count, s.len() / count);
        for (page, place) in self.pages() {
            let first = self.first(page + 1);
            let (q, s) = (&q[first * q_len..], &mut s[first * s_len + page..]);
            self.pages.score(self.kernels, place, q, scale, CHUNK, s);
        }
    }

    /// Scores to weights, whose maxima and sums are `weights`.
    fn soften(&self, s: &mut [f32], weights: &mut [[f32; 2]]) {
        let group = weights.len() / self.positions.len();
        for (i, (s, weights)) in s.chunks_exact_mut(CHUNK).zip(weights).enumerate() {
            *weights = self.kernels.softmax_weights(&mut s[..self.len(i / group)]).into();
        }
    }

    /// Sums of the weighted values.
    fn weighted_sum(&self, p: &[f32], y: &mut [f32]) {
        let count = self.positions.len();
        let (p_len, y_len) = (p.len() / count, y.len() / count);
        y.fill(0.0);
        for (page, place) in self.pages() {
            let whole = self.first(page + PAGE);
            for column in self.first(page + 1)..whole {
                let (p, left) = (&p[column * p_len + page..], self.len(column) - page);
                let y = &mut y[column * y_len..][..y_len];
                self.pages.weighted_sum(self.kernels, place, p, CHUNK, left, y);
            }
            if whole < count {
                let (p, y) = (&p[whole * p_len + page..], &mut y[whole * y_len..]);
                self.pages.weighted_sum(self.kernels, place, p, CHUNK, PAGE, y);
            }
        }
    }
}
