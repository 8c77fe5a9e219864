//! What a file says of its model.

use super::header::Header;
use super::mix::Mix;
use super::shape::Shape;
use dram_runtime::model::Scaling;

/// Puts the keys of a shape into a header; the vocabulary's are not among them.
pub(crate) fn describe(shape: &Shape, mix: Mix, header: &mut Header) {
    let config = &shape.config;
    let key = |name: &str| format!("{}.{name}", config.architecture.name);
    header.text("general.architecture", config.architecture.name);
    header.text("general.name", &format!("random weights in the shape of {}", shape.name));
    header.u32("general.file_type", mix.file_type());
    header.u32("general.quantization_version", 2);
    let numbers = [
        ("block_count", config.layers),
        ("context_length", config.context_length),
        ("embedding_length", config.embedding_length),
        ("feed_forward_length", config.feed_forward_length),
        ("attention.head_count", config.heads),
        ("attention.head_count_kv", config.kv_heads),
        ("attention.key_length", config.head_len),
        ("attention.value_length", config.head_len),
        ("rope.dimension_count", 2 * config.rope.pairs),
    ];
    for (name, number) in numbers {
        header.u32(&key(name), number as u32);
    }
    header.f32(&key("rope.freq_base"), config.rope.base);
    header.f32(&key("attention.layer_norm_rms_epsilon"), config.rms_norm_eps);
    if let Scaling::Yarn { factor, original_context_length } = config.rope.scaling {
        header.text(&key("rope.scaling.type"), "yarn");
        header.f32(&key("rope.scaling.factor"), factor);
        header.u32(&key("rope.scaling.original_context_length"), original_context_length as u32);
        header.f32(&key("rope.scaling.attn_factor"), config.rope.attn_factor);
    }
}
