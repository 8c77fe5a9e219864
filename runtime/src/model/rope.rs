//! How far rope turns a head at each position, also beyond the context that a model was first
//! trained with.

use super::Gguf;
use super::hyper::{SIZE_MAX, positive, size};
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
    /// How it is scaled to a longer context, if it is.
    pub yarn: Option<Yarn>,
}

/// YaRN: pairs that turn slowly are slowed down by `factor`, fast ones are left as they are, and those
/// between in between.
///
/// Source: "YaRN: Efficient Context Window Extension of Large Language Models", sections 3.2 to 3.4;
/// the borders are rounded as in `ggml_rope_yarn_corr_dims` of ggml.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Yarn {
    /// How many times as long the context became.
    pub factor: f32,
    /// Positions of the context before.
    pub original_context_length: usize,
    /// What queries and keys are multiplied by beside what follows from `factor`.
    pub attn_factor: f32,
}

impl Rope {
    /// What a file says of it; heads are turned in their first `len` numbers.
    ///
    /// # Errors
    ///
    /// An [`Error::Key`] that names the first key that is missing or cannot be.
    pub(super) fn read(gguf: &Gguf<'_>, len: usize) -> Result<Self, Error> {
        let base = positive(gguf, "rope.freq_base", Some(10_000.0))?;
        Ok(Self { base, pairs: len / 2, yarn: Yarn::read(gguf)? })
    }

    /// By how many radians pair `i` of a head turns from one position to the next; `divisor` is
    /// Llama 3's, 1 for other models.
    pub fn frequency(&self, i: usize, divisor: f32) -> f64 {
        let exponent = -(i as f64) / self.pairs as f64;
        let frequency = libm::pow(f64::from(self.base), exponent) / f64::from(divisor);
        self.yarn.map_or(frequency, |yarn| {
            let share = yarn.share(self, i);
            frequency * (share / f64::from(yarn.factor) + (1.0 - share))
        })
    }

    /// What it multiplies queries and keys by as it turns them.
    pub fn magnitude(&self) -> f64 {
        self.yarn.map_or(1.0, |yarn| {
            let from_factor = 1.0 + 0.1 * libm::log(f64::from(yarn.factor));
            from_factor * f64::from(yarn.attn_factor)
        })
    }
}

impl Yarn {
    /// What a file says of it. Other ways to scale are not computed, and to leave them out would be
    /// silently wrong; Llama 3's comes as the tensor `rope_freqs.weight`.
    ///
    /// # Errors
    ///
    /// An [`Error::Key`] that names the first key that is missing or cannot be.
    pub(super) fn read(gguf: &Gguf<'_>) -> Result<Option<Self>, Error> {
        let key = gguf.hyper("rope.scaling.type");
        match gguf.find::<&str>(key)? {
            None | Some("none") => return Ok(None),
            Some("yarn") => (),
            Some(_) => {
                return Err(Error::key(
                    key,
                    KeyFault::Unsupported { must: "yarn, none or absent" },
                ));
            }
        }
        let number = |name, or| positive(gguf, name, or);
        Ok(Some(Self {
            factor: number("rope.scaling.factor", None)?,
            original_context_length: size(
                gguf,
                "rope.scaling.original_context_length",
                1,
                SIZE_MAX,
            )?,
            attn_factor: number("rope.scaling.attn_factor", Some(1.0))?,
        }))
    }

    /// The share of pair `i` that is slowed down, from 0 to 1.
    fn share(&self, rope: &Rope, i: usize) -> f64 {
        let len = 2.0 * rope.pairs as f64;
        // The pair that turns so many times in the original context.
        let pair = |turns: f64| {
            let positions = self.original_context_length as f64 / (turns * 2.0 * PI);
            len * libm::log(positions) / (2.0 * libm::log(f64::from(rope.base)))
        };
        let first = libm::floor(pair(BETA_FAST)).max(0.0);
        let last = libm::ceil(pair(BETA_SLOW)).min(len - 1.0);
        ((i as f64 - first) / (last - first).max(0.001)).clamp(0.0, 1.0)
    }
}
