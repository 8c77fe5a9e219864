//! Llama 2 and 3, and models of their shape: SmolLM2, Mistral, R1-Distill-Llama.
//!
//! The converter permutes the rows of queries and keys, so that pairs of rope are neighbours.
//!
//! Source: `LlamaModel` in llama.cpp's `convert_hf_to_gguf.py`, and `src/models/llama.cpp`.

use super::{Architecture, Presence, RopePairs};

pub(super) const LLAMA: Architecture = Architecture {
    name: "llama",
    qkv_bias: Presence::Optional,
    qk_norm: Presence::Absent,
    rope: RopePairs::Neighbours,
};
