//! Qwen3 without experts, and R1-0528-Qwen3-8B: heads have a length of their own, apart from
//! `embedding_length`, and norms.
//!
//! Source: `src/models/qwen3.cpp` of llama.cpp.

use super::{Architecture, Presence, RopePairs};

pub(super) const QWEN3: Architecture = Architecture {
    name: "qwen3",
    qkv_bias: Presence::Optional,
    qk_norm: Presence::Required,
    rope: RopePairs::Halves,
};
