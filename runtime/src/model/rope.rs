//! How far rope turns a head at each position, also beyond the context that a model was first
//! trained with.

use super::Gguf;
use super::config::{Config, SIZE_MAX, positive, size};
use crate::error::{Error, KeyFault};
use core::f64::consts::PI;

/// A pair that turns as often as this in the original context, or more, is left as it is.
const BETA_FAST: f64 = 32.0;

/// A pair that turns as often as this in the original context, or less, is slowed down by all of the
/// factor.
const BETA_SLOW: f64 = 1.0;

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
    fn share(&self, config: &Config, i: usize) -> f64 {
        let len = 2.0 * config.rope_pairs as f64;
        // The pair that turns so many times in the original context.
        let pair = |turns: f64| {
            let positions = self.original_context_length as f64 / (turns * 2.0 * PI);
            len * libm::log(positions) / (2.0 * libm::log(f64::from(config.rope_base)))
        };
        let first = libm::floor(pair(BETA_FAST)).max(0.0);
        let last = libm::ceil(pair(BETA_SLOW)).min(len - 1.0);
        ((i as f64 - first) / (last - first).max(0.001)).clamp(0.0, 1.0)
    }
}

impl Config {
    /// By how many radians rope turns pair `i` of a head from one position to the next; `divisor` is
    /// Llama 3's, 1 for other models.
    pub fn rope_frequency(&self, i: usize, divisor: f32) -> f64 {
        let exponent = -(i as f64) / self.rope_pairs as f64;
        let frequency = libm::pow(f64::from(self.rope_base), exponent) / f64::from(divisor);
        self.yarn.map_or(frequency, |yarn| {
            let share = yarn.share(self, i);
            frequency * (share / f64::from(yarn.factor) + (1.0 - share))
        })
    }

    /// What rope multiplies queries and keys by as it turns them.
    pub fn rope_magnitude(&self) -> f64 {
        self.yarn.map_or(1.0, |yarn| {
            let from_factor = 1.0 + 0.1 * libm::log(f64::from(yarn.factor));
            from_factor * f64::from(yarn.attn_factor)
        })
    }
}
