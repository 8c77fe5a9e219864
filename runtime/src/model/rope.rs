//! How far rope turns a head at each position, also beyond the context that a model was first
//! trained with.

use super::hyper::{SIZE_MAX, positive, size};
use super::{Gguf, Key};
use crate::error::{Error, KeyFault};
use core::f64::consts::PI;

/// A pair that turns as often as this in the original context, or more, is left as it is.
const BETA_FAST: f64 = 32.0;

/// A pair that turns as often as this in the original context, or less, is slowed down by all of the
/// factor.
const BETA_SLOW: f64 = 1.0;

/// Rotary position embedding: position `p` turns pair `i` of a head by `p` times an angle of `i`.
///
/// Source: "RoFormer: Enhanced Transformer with Rotary Position Embedding", section 3.2.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rope {
    /// Pair `i` is turned by `base^(-i / pairs)` a position.
    pub base: f32,
    /// Pairs in a head that are turned.
    pub pairs: usize,
    /// How it is scaled to a longer context.
    pub scaling: Scaling,
    /// What queries and keys are multiplied by beside what follows from the scaling.
    pub attn_factor: f32,
}

/// How rope is scaled to a longer context.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scaling {
    /// Positions are divided by a number; by 1 it is not scaled at all.
    Linear(f32),
    /// YaRN: pairs that turn slowly are slowed down by `factor`, fast ones are left as they are, and
    /// those between in between.
    ///
    /// Source: "YaRN: Efficient Context Window Extension of Large Language Models", sections 3.2 to
    /// 3.4; the borders are rounded as in `ggml_rope_yarn_corr_dims` of ggml.
    Yarn {
        /// How many times as long the context became.
        factor: f32,
        /// Positions of the context before.
        original_context_length: usize,
    },
}

impl Scaling {
    /// Rope as it was published.
    pub const NONE: Self = Self::Linear(1.0);
}

impl Rope {
    /// What a file says of it; heads are turned in their first `len` numbers. A factor without a type
    /// is linear, as `load_hparams` of llama.cpp has it. Llama 3's scaling comes as the tensor
    /// `rope_freqs.weight`.
    ///
    /// # Errors
    ///
    /// An [`Error::Key`] that names the first key that is missing or cannot be.
    pub(super) fn read(gguf: &Gguf<'_>, len: usize, context_length: usize) -> Result<Self, Error> {
        let key = gguf.hyper("rope.scaling.type");
        let scaling = match gguf.find::<&str>(key)? {
            Some("none") => Scaling::NONE,
            None | Some("linear" | "longrope") => Scaling::Linear(factor(gguf)?),
            Some("yarn") => Scaling::Yarn {
                factor: factor(gguf)?,
                original_context_length: original_context_length(gguf, context_length)?,
            },
            Some(_) => return Err(unsupported(key)),
        };
        Ok(Self {
            base: positive(gguf, "rope.freq_base", Some(10_000.0))?,
            pairs: len / 2,
            scaling,
            attn_factor: positive(gguf, "rope.scaling.attn_factor", Some(1.0))?,
        })
    }

    /// By how many radians pair `i` of a head turns from one position to the next; `divisor` is that of
    /// the file's factors, 1 for most models.
    pub fn frequency(&self, i: usize, divisor: f32) -> f64 {
        let exponent = -(i as f64) / self.pairs as f64;
        let frequency = libm::pow(f64::from(self.base), exponent) / f64::from(divisor);
        match self.scaling {
            Scaling::Linear(factor) => frequency / f64::from(factor),
            Scaling::Yarn { factor, original_context_length } => {
                let share = self.slowed(original_context_length, i);
                frequency * (share / f64::from(factor) + (1.0 - share))
            }
        }
    }

    /// What it multiplies queries and keys by as it turns them.
    pub fn magnitude(&self) -> f64 {
        let from_factor = match self.scaling {
            Scaling::Linear(_) => 1.0,
            Scaling::Yarn { factor, .. } => 1.0 + 0.1 * libm::log(f64::from(factor).max(1.0)),
        };
        from_factor * f64::from(self.attn_factor)
    }

    /// The share of pair `i` that YaRN slows down, from 0 to 1.
    fn slowed(&self, original_context_length: usize, i: usize) -> f64 {
        let len = 2.0 * self.pairs as f64;
        // The pair that turns so many times in the original context.
        let pair = |turns: f64| {
            let positions = original_context_length as f64 / (turns * 2.0 * PI);
            len * libm::log(positions) / (2.0 * libm::log(f64::from(self.base)))
        };
        let first = libm::floor(pair(BETA_FAST)).max(0.0);
        let last = libm::ceil(pair(BETA_SLOW)).min(len - 1.0);
        ((i as f64 - first) / (last - first).max(0.001)).clamp(0.0, 1.0)
    }
}

/// How many times as long the context became; files say 0 where it did not.
fn factor(gguf: &Gguf<'_>) -> Result<f32, Error> {
    let names = ["rope.scaling.factor", "rope.scale_linear"];
    let name = names.into_iter().find(|name| gguf.value(gguf.hyper(name)).is_some());
    match name {
        Some(name) if gguf.get::<f32>(gguf.hyper(name))? == 0.0 => Ok(1.0),
        Some(name) => positive(gguf, name, None),
        None => Ok(1.0),
    }
}

/// Positions of the context that a model was first trained with.
pub(super) fn original_context_length(gguf: &Gguf<'_>, or: usize) -> Result<usize, Error> {
    let name = "rope.scaling.original_context_length";
    match gguf.value(gguf.hyper(name)) {
        Some(_) => size(gguf, name, 1, SIZE_MAX),
        None => Ok(or),
    }
}

fn unsupported(key: Key<'_>) -> Error {
    Error::key(key, KeyFault::Unsupported { must: "linear, yarn, longrope, none or absent" })
}
