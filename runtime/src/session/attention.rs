//! Attention of a batch of columns to all positions before them.
//!
//! Positions are cut in chunks of fixed size. Within a chunk the weights are `e^(s − m)` with `m`
//! the chunk's own maximum; chunks are joined in order. So the result does not depend on which
//! thread computes what.
//!
//! Threads share the chunks first: a part is one chunk of one KV head, for a block of neighbouring
//! columns, so one column alone keeps all threads busy, and many read keys and values once. Then
//! they share the columns, to join their chunks.

use super::Session;
use super::limits::Limits;
use super::pages::{Block, Pages, Sequence};
use super::pool::Pieces;
use crate::model::Config;
use core::ops::Range;
use dram_targets::{Kernels, PAGE, exp};

/// Positions of a chunk.
pub(crate) const CHUNK: usize = 8 * PAGE;

/// Columns of a block: each page is read once for all of them. Their scores fit a small cache.
const BLOCK: usize = 8;

/// Columns whose chunks have room at once.
const WAVE: usize = 4 * BLOCK;

impl Session<'_> {
    /// Stores the keys and values of a batch.
    pub(super) fn store(&mut self, layer: usize, count: usize) {
        let config = &self.plan.config;
        let (query_len, kv_len, head_len) = (config.query_len(), config.kv_len(), config.head_len);
        let kv = &self.state.out[count * query_len..][..2 * count * kv_len];
        let (keys, values) = kv.split_at(count * kv_len);
        for i in 0..count {
            let sequence = Sequence(self.state.sequences[i]);
            let place = (sequence, self.state.positions[i] as usize);
            for head in 0..config.kv_heads {
                let range = i * kv_len + head * head_len..i * kv_len + (head + 1) * head_len;
                self.pages.put(place, (layer, head), &keys[range.clone()], &values[range]);
            }
        }
    }

    /// `y = softmax(q · k / √head_len) · v` for every column and head.
    pub(super) fn attention(&mut self, layer: usize, count: usize) {
        for start in (0..count).step_by(WAVE) {
            let columns = start..count.min(start + WAVE);
            let wave = Wave::new(&self.plan.config, columns, self.state.positions);
            self.attend_to_chunks(layer, &wave);
            self.join_chunks(&wave);
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
                let block = Block { sequence: Sequence(run[0]), position: start, layer, head };
                let positions = &positions[columns.clone()];
                let chunk = Chunk { kernels, pages, block, positions };
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
                chunk.mix(scores, &mut y[at * len..][..run.len() * len]);
            }
        });
    }

    fn join_chunks(&mut self, wave: &Wave) {
        let (kernels, config, state) = (self.kernels, &self.plan.config, &mut self.state);
        let (head_len, query_len) = (config.head_len, config.query_len());
        let columns = wave.columns.clone();
        let y = &mut state.y[columns.start * query_len..columns.end * query_len];
        let (chunks, weights) = (&*state.chunks, &*state.weights);
        let positions = &state.positions[columns];
        let deal = Pieces::new(y, config.group() * head_len);
        self.pool.run(&mut self.workers, deal, |_, i, y| {
            let (column, head) = (i / config.kv_heads, i % config.kv_heads);
            for (query, y) in y.chunks_exact_mut(head_len).enumerate() {
                let (mut max, mut sum) = (f32::NEG_INFINITY, 0.0);
                y.fill(0.0);
                for chunk in 0..positions[column] as usize / CHUNK + 1 {
                    let at = wave.column(column, head, chunk) * config.group() + query;
                    let [chunk_max, chunk_sum] = weights[at];
                    let new = max.max(chunk_max);
                    let (a, b) = (exp(max - new), exp(chunk_max - new));
                    kernels.rescale_add(&chunks[at * head_len..][..head_len], a, b, y);
                    (max, sum) = (new, sum * a + chunk_sum * b);
                }
                let factor = 1.0 / sum;
                y.iter_mut().for_each(|y| *y *= factor);
            }
        });
    }
}

/// Columns whose chunks are computed at once, and how their results lie:
/// `(kv_heads, chunks, blocks, columns of a block)`.
struct Wave {
    columns: Range<usize>,
    /// Columns of a block.
    block: usize,
    blocks: usize,
    /// Chunks of the longest sequence.
    chunks: usize,
    kv_heads: usize,
}

impl Wave {
    fn new(config: &Config, columns: Range<usize>, positions: &[u32]) -> Self {
        let block = columns.len().min(BLOCK);
        let last = positions[columns.clone()].iter().fold(0, |last, position| last.max(*position));
        Self {
            block,
            blocks: columns.len().div_ceil(block),
            chunks: last as usize / CHUNK + 1,
            kv_heads: config.kv_heads,
            columns,
        }
    }

    fn parts(&self) -> usize {
        self.kv_heads * self.chunks * self.blocks
    }

    /// The columns, KV head and first position of a part.
    fn part(&self, part: usize) -> (Range<usize>, usize, usize) {
        let (rest, block) = (part / self.blocks, part % self.blocks);
        let start = self.columns.start + block * self.block;
        let columns = start..self.columns.end.min(start + self.block);
        (columns, rest / self.chunks, rest % self.chunks * CHUNK)
    }

    /// Where the results of a column of the wave lie, in columns.
    fn column(&self, column: usize, head: usize, chunk: usize) -> usize {
        (head * self.chunks + chunk) * self.blocks * self.block + column
    }
}

/// Queries whose chunks have room at once: `(columns of a wave, heads, chunks of the context)`.
pub(crate) fn wave_queries(config: &Config, limits: &Limits) -> usize {
    let batch = limits.batch.min(WAVE);
    let columns = if batch > BLOCK { batch.next_multiple_of(BLOCK) } else { batch };
    (columns * config.heads).saturating_mul(limits.context.div_ceil(CHUNK))
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
    /// The first page's part.
    block: Block,
    /// Of each column; they ascend.
    positions: &'s [u32],
}

impl Chunk<'_> {
    /// Positions of the chunk that a column attends to.
    fn len(&self, column: usize) -> usize {
        (self.positions[column] as usize + 1).saturating_sub(self.block.position).min(CHUNK)
    }

    /// The first column that attends to `len` positions or more; all after it do, too.
    fn first(&self, len: usize) -> usize {
        self.positions
            .partition_point(|position| (*position as usize) + 1 < self.block.position + len)
    }

    /// The first position of every page that a column attends to, counted from the chunk's.
    fn pages(&self) -> impl Iterator<Item = (usize, Block)> {
        let block = self.block;
        (0..self.len(self.positions.len() - 1))
            .step_by(PAGE)
            .map(move |page| (page, Block { position: block.position + page, ..block }))
    }

    /// Scores of the queries against the keys.
    fn score(&self, q: &[f32], scale: f32, s: &mut [f32]) {
        let count = self.positions.len();
        let (q_len, s_len) = (q.len() / count, s.len() / count);
        for (page, block) in self.pages() {
            let first = self.first(page + 1);
            let (q, s) = (&q[first * q_len..], &mut s[first * s_len + page..]);
            self.pages.score(self.kernels, block, q, scale, CHUNK, s);
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
    fn mix(&self, p: &[f32], y: &mut [f32]) {
        let count = self.positions.len();
        let (p_len, y_len) = (p.len() / count, y.len() / count);
        y.fill(0.0);
        for (page, block) in self.pages() {
            let whole = self.first(page + PAGE);
            for column in self.first(page + 1)..whole {
                let (p, left) = (&p[column * p_len + page..], self.len(column) - page);
                let y = &mut y[column * y_len..][..y_len];
                self.pages.mix(self.kernels, block, p, CHUNK, left, y);
            }
            if whole < count {
                let (p, y) = (&p[whole * p_len + page..], &mut y[whole * y_len..]);
                self.pages.mix(self.kernels, block, p, CHUNK, PAGE, y);
            }
        }
    }
}
