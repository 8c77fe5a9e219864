//! Qwen2 and Qwen2.5, and R1-Distill-Qwen.
//!
//! Source: `src/models/qwen2.cpp` of llama.cpp.

use super::{Architecture, Presence, RopePairs};

pub(super) const QWEN2: Architecture = Architecture {
    name: "qwen2",
    qkv_bias: Presence::Usual,
    qk_norm: Presence::Absent,
    rope: RopePairs::Halves,
};
