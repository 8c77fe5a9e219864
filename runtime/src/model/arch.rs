//! Architectures: what differs between the families of models that the forward pass computes.
//!
//! A new one is a file in this folder, its `mod` and its row in [`ALL`]. What none of these has, a
//! field of [`Architecture`] describes first.

mod llama;
mod qwen2;
mod qwen3;

use crate::error::{Error, Name};

/// Every architecture that is supported.
const ALL: [&Architecture; 3] = [&llama::LLAMA, &qwen2::QWEN2, &qwen3::QWEN3];

/// What an error tells of them.
static NAMES: [&str; ALL.len()] = {
    let (mut names, mut i) = ([""; ALL.len()], 0);
    while i < ALL.len() {
        names[i] = ALL[i].name;
        i += 1;
    }
    names
};

/// A family of models: a transformer with `rms_norm`, rope, grouped heads and a gated feed-forward
/// part, and in it what is described here.
#[derive(Debug, PartialEq, Eq)]
pub struct Architecture {
    /// The family's name in `general.architecture`, and the prefix of its keys.
    pub name: &'static str,
    /// Biases of queries, keys and values.
    pub qkv_bias: Presence,
    /// The norm of each head of queries and of keys, before rope.
    pub qk_norm: Presence,
    /// Which numbers of a head rope turns together.
    pub rope: RopePairs,
}

/// Whether the models of a family have a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// All have it.
    Required,
    /// Those that were published have it, and one without it runs too.
    Usual,
    /// Some have it.
    Optional,
    /// None has it: a file with it is refused, since to leave it out would be silently wrong.
    Absent,
}

impl Presence {
    /// Whether models have it as they were published.
    pub const fn is_usual(self) -> bool {
        matches!(self, Self::Required | Self::Usual)
    }
}

/// Which numbers of a head rope turns together: pair `i` of `n`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RopePairs {
    /// Numbers `2i` and `2i + 1`, as rope was published.
    Neighbours,
    /// Numbers `i` and `i + n`, as Hugging Face's models have it.
    Halves,
}

impl RopePairs {
    /// Whether the numbers of a pair are neighbours.
    pub const fn are_adjacent(self) -> bool {
        matches!(self, Self::Neighbours)
    }
}

impl Architecture {
    /// The architecture of a name.
    ///
    /// # Errors
    ///
    /// [`Error::Architecture`] if none has it; the message lists those that are supported.
    pub fn named(name: &str) -> Result<&'static Self, Error> {
        let found = ALL.into_iter().find(|architecture| architecture.name == name);
        found.ok_or(Error::Architecture { found: Name::of(name), supported: &NAMES })
    }
}
