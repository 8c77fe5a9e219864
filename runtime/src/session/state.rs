//! The activations of a forward pass, and each thread's scratch.

use super::attention;
use super::limits::Limits;
use crate::arena::Arena;
use crate::error::Error;
use crate::model::{Config, Plan};
use dram_quant::{Q8, Q8Mut};
use dram_targets::{Columns, scratch_bytes};

/// What flows through the layers. Buffers hold a batch of columns.
#[derive(Default)]
pub(crate) struct State<'a> {
    /// `(batch, embedding_length)`: what layers add to.
    pub x: &'a mut [f32],
    /// `(batch, longest input)`: the input of a product.
    pub y: &'a mut [f32],
    /// The same quantised; columns as long as the product's rows.
    pub q8: Units<'a>,
    /// Sections `(batch, query_len)`, `(batch, kv_len)`, `(batch, kv_len)`, or two
    /// `(batch, feed_forward_length)`: the outputs of a product.
    pub out: &'a mut [f32],
    /// `(batch, rope.pairs)`
    pub cos: &'a mut [f32],
    /// `(batch, rope.pairs)`
    pub sin: &'a mut [f32],
    /// `(rope.pairs)`: angle of each pair at position 1.
    pub frequencies: &'a mut [f64],
    /// `(batch)`
    pub positions: &'a mut [u32],
    /// `(batch)`
    pub sequences: &'a mut [u32],
    /// `(queries of a wave's chunks, head_len)`: attention to chunks, before they are joined.
    pub chunks: &'a mut [f32],
    /// `(queries of a wave's chunks)`: maximum and sum of a chunk's weights.
    pub weights: &'a mut [[f32; 2]],
    /// `(queries of a wave)`: the same of the chunks that are joined.
    pub joined: &'a mut [[f32; 2]],
    /// `(columns that ask, tokens)`
    pub logits: &'a mut [f32],
}

/// The arrays of quantised columns.
#[derive(Default)]
pub(crate) struct Units<'a> {
    pub q: &'a mut [i8],
    pub d: &'a mut [f32],
    pub ds: &'a mut [f32],
    pub sums: &'a mut [[i16; 2]],
}

impl<'a> State<'a> {
    pub(crate) fn new(
        plan: &Plan<'_>,
        limits: &Limits,
        arena: &mut Arena<'a>,
    ) -> Result<Self, Error> {
        let (config, batch) = (&plan.config, limits.batch);
        let len = longest_input(config);
        let units = batch * (len / 32);
        let cells = attention::chunk_queries(config, limits);
        let out = (config.query_len() + 2 * config.kv_len())
            .max(2 * config.feed_forward_length)
            .max(config.embedding_length);
        let state = Self {
            x: arena.take(batch * config.embedding_length)?,
            y: arena.take(batch * len)?,
            q8: Units {
                q: arena.take(batch * len)?,
                d: arena.take(units)?,
                ds: arena.take(units)?,
                sums: arena.take(units)?,
            },
            out: arena.take(batch.saturating_mul(out))?,
            cos: arena.take(batch * config.rope.pairs)?,
            sin: arena.take(batch * config.rope.pairs)?,
            frequencies: arena.take(config.rope.pairs)?,
            positions: arena.take(batch)?,
            sequences: arena.take(batch)?,
            chunks: arena.take(cells * config.head_len)?,
            weights: arena.take(cells)?,
            joined: arena.take(attention::wave_queries(config, limits))?,
            logits: arena.take(limits.logits.saturating_mul(plan.tokens()))?,
        };
        let factors = plan.rope_factors(limits.context);
        for (i, frequency) in state.frequencies.iter_mut().enumerate() {
            *frequency = config.rope.frequency(i, factors.get(i).copied().unwrap_or(1.0));
        }
        Ok(state)
    }
}

/// The longest row that a product reads, a multiple of 32.
fn longest_input(config: &Config) -> usize {
    config.embedding_length.max(config.query_len()).max(config.feed_forward_length)
}

impl Units<'_> {
    /// `count` columns of `len` numbers as the input of a product; `x` is the same in floats.
    pub(crate) fn columns<'s>(&'s self, x: &'s [f32], count: usize, len: usize) -> Columns<'s> {
        let units = count * (len / 32);
        let q8 = Q8 {
            len,
            q: &self.q[..count * len],
            d: &self.d[..units],
            ds: &self.ds[..units],
            sums: &self.sums[..units],
        };
        Columns { x: &x[..count * len], q8 }
    }
}

/// One column's part of [`Units`], as dealt to a thread.
pub(crate) type Unit<'h> = (&'h mut [i8], &'h mut [f32], &'h mut [f32], &'h mut [[i16; 2]]);

/// The same as kernels take it.
pub(crate) fn unit((q, d, ds, sums): Unit<'_>) -> Q8Mut<'_> {
    Q8Mut { q, d, ds, sums }
}

/// One thread's scratch.
#[derive(Default)]
pub(crate) struct Worker<'a> {
    /// What a product takes.
    pub product: &'a mut [u8],
    /// `(queries of a block, head_len)`
    queries: &'a mut [f32],
    /// `(queries of a block, positions of a chunk)`
    scores: &'a mut [f32],
}

impl<'a> Worker<'a> {
    pub(crate) fn new(
        config: &Config,
        limits: &Limits,
        arena: &mut Arena<'a>,
    ) -> Result<Self, Error> {
        let block = attention::block_queries(config, limits);
        Ok(Self {
            product: arena.take(scratch_bytes(longest_input(config), limits.batch))?,
            queries: arena.take(block * config.head_len)?,
            scores: arena.take(block * attention::CHUNK)?,
        })
    }

    /// Room for `count` queries, and for their scores against a chunk.
    pub(crate) fn attention(&mut self, count: usize) -> (&mut [f32], &mut [f32]) {
        let queries = self.scores.len() / attention::CHUNK;
        let head_len = self.queries.len() / queries;
        (&mut self.queries[..count * head_len], &mut self.scores[..count * attention::CHUNK])
    }
}
