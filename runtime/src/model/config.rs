//! The sizes of a model, from its file's metadata.

use super::Gguf;
use super::arch::Architecture;
use super::hyper::{SIZE_MAX, of_layers, of_layers_or, positive, refusal, size, size_or};
use super::rope::Rope;
use super::used_keys;
use crate::error::Error;

/// The most layers a file may declare; the largest distill has 80.
const LAYERS_MAX: usize = 512;

/// What the forward pass needs to know beside the weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Config {
    /// The family.
    pub architecture: &'static Architecture,
    /// Transformer blocks.
    pub layers: usize,
    /// Numbers of a token in the residual stream, between layers.
    pub embedding_length: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads, each shared by `heads / kv_heads` query heads.
    pub kv_heads: usize,
    /// Numbers in a head.
    pub head_len: usize,
    /// Numbers of a token inside the feed-forward part.
    pub feed_forward_length: usize,
    /// Positions the model was trained for, or those that each attends to where these are fewer.
    pub context_length: usize,
    /// Added to the mean square in norms.
    pub rms_norm_eps: f32,
    /// How positions turn heads.
    pub rope: Rope,
}

impl Config {
    /// Reads and checks the sizes.
    ///
    /// # Errors
    ///
    /// An [`Error::Key`] that names the first key that is missing or cannot be.
    pub fn read(gguf: &Gguf<'_>) -> Result<Self, Error> {
        let architecture = Architecture::named(gguf.architecture())?;
        let embedding_length = size(gguf, "embedding_length", 32, SIZE_MAX)?;
        let heads = of_layers(gguf, "attention.head_count", 1, embedding_length)?;
        let head_len = size_or(gguf, "attention.key_length", 8, 1024, embedding_length / heads)?;
        let value_len = size_or(gguf, "attention.value_length", 8, 1024, head_len)?;
        let rope_len = size_or(gguf, "rope.dimension_count", 2, head_len, head_len)?;
        let context_length = context_length(gguf)?;
        let config = Self {
            architecture,
            layers: size(gguf, "block_count", 1, LAYERS_MAX)?,
            embedding_length,
            heads,
            kv_heads: of_layers_or(gguf, "attention.head_count_kv", 1, heads, heads)?,
            head_len,
            feed_forward_length: of_layers(gguf, "feed_forward_length", 32, SIZE_MAX)?,
            context_length,
            rms_norm_eps: positive(gguf, "attention.layer_norm_rms_epsilon", None)?,
            rope: Rope::read(gguf, rope_len, context_length)?,
        };
        let rules = [
            (
                "embedding_length",
                embedding_length,
                embedding_length.is_multiple_of(32),
                "a multiple of 32",
            ),
            (
                "feed_forward_length",
                config.feed_forward_length,
                config.feed_forward_length.is_multiple_of(32),
                "a multiple of 32",
            ),
            ("attention.key_length", head_len, head_len.is_multiple_of(8), "a multiple of 8"),
            ("attention.value_length", value_len, value_len == head_len, "the length of keys"),
            (
                "attention.head_count_kv",
                config.kv_heads,
                heads.is_multiple_of(config.kv_heads),
                "a divisor of attention.head_count",
            ),
            (
                "attention.head_count",
                heads,
                (heads * head_len).is_multiple_of(32),
                "heads that make a multiple of 32 numbers",
            ),
            ("rope.dimension_count", rope_len, rope_len.is_multiple_of(2), "even"),
        ];
        if let Some((key, found, _, must)) = rules.into_iter().find(|(_, _, holds, _)| !holds) {
            return Err(refusal(gguf, key, found, must));
        }
        used_keys::check(gguf, head_len)?;
        Ok(config)
    }

    /// Query heads that share a KV head.
    pub const fn group(&self) -> usize {
        self.heads / self.kv_heads
    }

    /// Numbers in all query heads of a token.
    pub const fn query_len(&self) -> usize {
        self.heads * self.head_len
    }

    /// Numbers in all key heads, and in all value heads, of a token.
    pub const fn kv_len(&self) -> usize {
        self.kv_heads * self.head_len
    }
}

/// Positions the model was trained for. Where each attends only to a window of those before it, all
/// is the same as without one up to the window's end.
fn context_length(gguf: &Gguf<'_>) -> Result<usize, Error> {
    let trained = size(gguf, "context_length", 1, SIZE_MAX)?;
    let window = size_or(gguf, "attention.sliding_window", 0, u32::MAX as usize, 0)?;
    Ok(if window > 0 { trained.min(window) } else { trained })
}
