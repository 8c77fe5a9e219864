//! The model, resolved: every weight found, checked and named once.

use super::{Config, Gguf};
use crate::error::{Error, Name, TensorFault};
use core::fmt;
use dram_quant::Matrix;

/// The weights of one transformer block, where they lie.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a> {
    /// `(embedding_length)`
    pub attn_norm: &'a [f32],
    /// `(query_len, embedding_length)`
    pub q: Matrix<'a>,
    /// `(kv_len, embedding_length)`
    pub k: Matrix<'a>,
    /// `(kv_len, embedding_length)`
    pub v: Matrix<'a>,
    /// `(query_len)`, or empty where the model has none; likewise the two below.
    pub q_bias: &'a [f32],
    /// `(kv_len)`
    pub k_bias: &'a [f32],
    /// `(kv_len)`
    pub v_bias: &'a [f32],
    /// `(embedding_length, query_len)`
    pub o: Matrix<'a>,
    /// `(embedding_length)`
    pub ffn_norm: &'a [f32],
    /// `(feed_forward_length, embedding_length)`
    pub gate: Matrix<'a>,
    /// `(feed_forward_length, embedding_length)`
    pub up: Matrix<'a>,
    /// `(embedding_length, feed_forward_length)`
    pub down: Matrix<'a>,
}

/// Room for one layer of a plan, to be brought by the caller.
pub type Slot<'a> = Option<Layer<'a>>;

/// A model ready to run.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// Sizes.
    pub config: Config,
    /// `(tokens, embedding_length)`
    pub embedding: Matrix<'a>,
    /// `(embedding_length)`
    pub output_norm: &'a [f32],
    /// `(tokens, embedding_length)`; the embedding where the model ties the two.
    pub lm_head: Matrix<'a>,
    /// Divisors of the rotary frequencies, `(rope_pairs)`, or empty where there are none.
    pub rope_factors: &'a [f32],
    layers: &'a [Slot<'a>],
}

impl<'a> Plan<'a> {
    /// Slots that [`Self::new`] needs for this file.
    ///
    /// # Errors
    ///
    /// As [`Config::read`].
    pub fn layers_in(gguf: &Gguf<'_>) -> Result<usize, Error> {
        Ok(Config::read(gguf)?.layers)
    }

    /// Finds and checks all weights of a model.
    ///
    /// # Errors
    ///
    /// As [`Config::read`]; an [`Error::Tensor`] that names the first tensor that is missing or
    /// has the wrong shape; [`Error::Slots`] if there are fewer `slots` than layers.
    pub fn new(gguf: &Gguf<'a>, slots: &'a mut [Slot<'a>]) -> Result<Self, Error> {
        let config = Config::read(gguf)?;
        let (needed, given) = (config.layers, slots.len());
        let slots = slots.get_mut(..needed).ok_or(Error::Slots { needed, given })?;
        for (i, slot) in slots.iter_mut().enumerate() {
            *slot = Some(layer(gguf, &config, i)?);
        }
        let embedding = any_rows(gguf, "token_embd.weight", config.embedding_length)?;
        let lm_head = match gguf.tensor("output.weight") {
            Some(tensor) => tensor.matrix(embedding.rows(), config.embedding_length)?,
            None => embedding,
        };
        let rope_factors = rope_factors(gguf, &config)?;
        let output_norm = gguf.vector("output_norm.weight", config.embedding_length)?;
        Ok(Self { config, embedding, output_norm, lm_head, rope_factors, layers: slots })
    }

    /// Layer `i`.
    ///
    /// # Panics
    ///
    /// If there are not that many layers.
    pub fn layer(&self, i: usize) -> &Layer<'a> {
        self.layers[i].as_ref().expect("`new` has filled every slot")
    }

    /// Ids that a token may have: rows of the embedding.
    pub const fn tokens(&self) -> usize {
        self.embedding.rows()
    }

    /// The bytes of all weights that every token meets, in the order in which it does.
    pub fn weights(&self) -> impl Iterator<Item = &'a [u8]> {
        let layers = (0..self.config.layers).flat_map(|i| {
            let Layer { attn_norm, q, k, v, q_bias, k_bias, v_bias, .. } = *self.layer(i);
            let Layer { o, ffn_norm, gate, up, down, .. } = *self.layer(i);
            let [q, k, v, o, gate, up, down] = [q, k, v, o, gate, up, down].map(|w| w.bytes());
            let [attn_norm, q_bias, k_bias, v_bias, ffn_norm] =
                [attn_norm, q_bias, k_bias, v_bias, ffn_norm].map(bytemuck::cast_slice);
            [attn_norm, q, k, v, q_bias, k_bias, v_bias, o, ffn_norm, gate, up, down]
        });
        layers.chain([bytemuck::cast_slice(self.output_norm), self.lm_head.bytes()])
    }

    /// Bytes of weights that are read to decode one token.
    pub fn bytes_per_token(&self) -> usize {
        let layers = (0..self.config.layers).map(|i| {
            let layer = self.layer(i);
            [layer.q, layer.k, layer.v, layer.o, layer.gate, layer.up, layer.down]
                .iter()
                .map(|matrix| matrix.bytes().len())
                .sum::<usize>()
        });
        layers.sum::<usize>() + self.lm_head.bytes().len()
    }
}

fn layer<'a>(gguf: &Gguf<'a>, config: &Config, i: usize) -> Result<Layer<'a>, Error> {
    let (embedding_length, feed_forward_length) =
        (config.embedding_length, config.feed_forward_length);
    let (query_len, kv_len) = (config.query_len(), config.kv_len());
    let name = |part: fmt::Arguments<'_>| Name::of(format_args!("blk.{i}.{part}"));
    let matrix = |part: &str, rows, len| {
        gguf.matrix(name(format_args!("{part}.weight")).as_str(), rows, len)
    };
    let norm =
        |part: &str| gguf.vector(name(format_args!("{part}.weight")).as_str(), embedding_length);
    let bias = |part: &str, len| {
        let name = name(format_args!("{part}.bias"));
        match gguf.tensor(name.as_str()) {
            Some(tensor) => tensor.vector(len),
            None if config.architecture.needs_biases() => {
                Err(Error::tensor(name, TensorFault::Missing))
            }
            None => Ok(&[] as &[f32]),
        }
    };
    Ok(Layer {
        attn_norm: norm("attn_norm")?,
        q: matrix("attn_q", query_len, embedding_length)?,
        k: matrix("attn_k", kv_len, embedding_length)?,
        v: matrix("attn_v", kv_len, embedding_length)?,
        q_bias: bias("attn_q", query_len)?,
        k_bias: bias("attn_k", kv_len)?,
        v_bias: bias("attn_v", kv_len)?,
        o: matrix("attn_output", embedding_length, query_len)?,
        ffn_norm: norm("ffn_norm")?,
        gate: matrix("ffn_gate", feed_forward_length, embedding_length)?,
        up: matrix("ffn_up", feed_forward_length, embedding_length)?,
        down: matrix("ffn_down", embedding_length, feed_forward_length)?,
    })
}

/// A matrix of which the file alone says how many rows it has.
fn any_rows<'a>(gguf: &Gguf<'a>, name: &str, len: usize) -> Result<Matrix<'a>, Error> {
    let tensor = gguf.tensor(name).ok_or_else(|| Error::tensor(name, TensorFault::Missing))?;
    let rows = tensor.dims().get(1).copied().unwrap_or(1);
    tensor.matrix(rows, len)
}

/// Llama 3's factors. They must not make a frequency infinite or undefined.
fn rope_factors<'a>(gguf: &Gguf<'a>, config: &Config) -> Result<&'a [f32], Error> {
    let name = "rope_freqs.weight";
    let Some(tensor) = gguf.tensor(name) else { return Ok(&[]) };
    let factors = tensor.vector(config.rope_pairs)?;
    match factors.iter().all(|factor| factor.is_finite() && *factor > 0.0) {
        true => Ok(factors),
        false => Err(Error::tensor(name, TensorFault::Factors)),
    }
}
