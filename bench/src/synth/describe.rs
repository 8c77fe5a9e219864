//! What a file says of its model.

use super::header::Header;
use super::mix::Mix;
use super::shape::{CONTEXT, HEAD_LEN, Shape};

/// Puts the keys of a shape into a header; the vocabulary's are not among them.
pub(crate) fn describe(shape: &Shape, mix: Mix, header: &mut Header) {
    let architecture = shape.family.architecture();
    header.text("general.architecture", architecture);
    header.text("general.name", &format!("random weights in the shape of {}", shape.name));
    header.u32("general.file_type", mix.file_type());
    header.u32("general.quantization_version", 2);
    let numbers = [
        ("block_count", shape.layers as u32),
        ("context_length", CONTEXT),
        ("embedding_length", shape.embedding_length as u32),
        ("feed_forward_length", shape.feed_forward_length as u32),
        ("attention.head_count", shape.heads as u32),
        ("attention.head_count_kv", shape.kv_heads as u32),
        ("rope.dimension_count", HEAD_LEN as u32),
    ];
    for (key, number) in numbers {
        header.u32(&format!("{architecture}.{key}"), number);
    }
    header.f32(&format!("{architecture}.rope.freq_base"), shape.rope_base);
    header.f32(&format!("{architecture}.attention.layer_norm_rms_epsilon"), shape.eps);
}
