//! Attention of a batch of columns to all positions before them.
//!
//! Positions are cut in chunks of fixed size. Within a chunk the weights are `e^(s − m)` with `m`
//! the chunk's own maximum; chunks are joined in order. So the result does not depend on which
//! thread computes what.

use super::Session;
use super::pages::{Block, Sequence};
use super::pool::Pieces;
use super::state::Worker;
use core::ops::Range;
use dram_targets::{Kernels, PAGE, exp};

/// Positions of a chunk.
pub(crate) const CHUNK: usize = 8 * PAGE;

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
        let (kernels, config, pages) = (self.kernels, &self.plan.config, &self.pages);
        let (kv_heads, len) = (config.kv_heads, config.group() * config.head_len);
        let state = &mut self.state;
        let (q, sequences, positions) = (&*state.out, &*state.sequences, &*state.positions);
        let y = &mut state.y[..count * config.query_len()];
        let scale = 1.0 / libm::sqrtf(config.head_len as f32);
        self.pool.run(&mut self.workers, Pieces::new(y, len), |worker, i, y| {
            let (column, head) = (i / kv_heads, i % kv_heads);
            let block = Block { sequence: Sequence(sequences[column]), position: 0, layer, head };
            let end = positions[column] as usize + 1;
            y.fill(0.0);
            worker.totals.fill([f32::NEG_INFINITY, 0.0]);
            for start in (0..end).step_by(CHUNK) {
                let chunk = start..end.min(start + CHUNK);
                let pages_of = |chunk: &Range<usize>| chunk.clone().step_by(PAGE);
                for position in pages_of(&chunk) {
                    let s = &mut worker.scores[position - start..];
                    let block = Block { position, ..block };
                    pages.score(kernels, block, &q[i * len..][..len], scale, CHUNK, s);
                }
                worker.soften(kernels, chunk.len());
                for position in pages_of(&chunk) {
                    let p = &worker.scores[position - start..];
                    let (block, left) = (Block { position, ..block }, chunk.end - position);
                    pages.mix(kernels, block, p, CHUNK, left.min(PAGE), worker.partial);
                }
                worker.join(kernels, y);
            }
            worker.finish(y);
        });
    }
}

impl Worker<'_> {
    /// Turns a chunk's scores into weights, and clears the room for its result.
    fn soften(&mut self, kernels: &Kernels, positions: usize) {
        for (s, part) in self.scores.chunks_exact_mut(CHUNK).zip(&mut *self.parts) {
            *part = kernels.soften(&mut s[..positions]).into();
        }
        self.partial.fill(0.0);
    }

    /// Joins a chunk's result to that of the chunks before it.
    fn join(&mut self, kernels: &Kernels, y: &mut [f32]) {
        let len = y.len() / self.totals.len();
        let queries = self.totals.iter_mut().zip(&*self.parts);
        let results = self.partial.chunks_exact(len).zip(y.chunks_exact_mut(len));
        for (([max, sum], [part_max, part_sum]), (partial, y)) in queries.zip(results) {
            let new = max.max(*part_max);
            let (a, b) = (exp(*max - new), exp(*part_max - new));
            kernels.blend(partial, a, b, y);
            (*max, *sum) = (new, *sum * a + *part_sum * b);
        }
    }

    /// Divides by the sum of all weights.
    fn finish(&self, y: &mut [f32]) {
        let len = y.len() / self.totals.len();
        for (y, [_, sum]) in y.chunks_exact_mut(len).zip(&*self.totals) {
            let factor = 1.0 / sum;
            y.iter_mut().for_each(|y| *y *= factor);
        }
    }
}
