//! Keys that are not computed: harmless, or refused, since to leave one out would be silently wrong.

use super::{Gguf, Value};
use crate::error::{Error, KeyFault};

/// Keys of an architecture that are read elsewhere, or that change no number: advice, names, and what
/// follows from other keys.
const READ: [&str; 22] = [
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.layer_norm_rms_epsilon",
    "attention.sliding_window",
    "attention.value_length",
    "block_count",
    "context_length",
    "embedding_length",
    "feed_forward_length",
    "name",
    "rope.dimension_count",
    "rope.freq_base",
    "rope.scale_linear",
    "rope.scaling.attn_factor",
    "rope.scaling.factor",
    "rope.scaling.finetuned",
    "rope.scaling.original_context_length",
    "rope.scaling.type",
    "source_layout",
    "tensor_data_layout",
    "vocab_size",
];

/// Keys that ask for nothing where they have this value.
const NEUTRAL: [(&str, f64, &str); 22] = [
    ("attention.causal", 1.0, "true"),
    ("attention.clamp_kqv", 0.0, "0"),
    ("attention.layer_norm_epsilon", 0.0, "absent, as norms are rms_norm"),
    ("attention.max_alibi_bias", 0.0, "0"),
    ("attn_logit_softcapping", 0.0, "0"),
    ("embedding_scale", 1.0, "1"),
    ("expert_count", 0.0, "0: mixtures of experts do not run"),
    ("expert_feed_forward_length", 0.0, "0: mixtures of experts do not run"),
    ("expert_shared_count", 0.0, "0: mixtures of experts do not run"),
    ("expert_used_count", 0.0, "0: mixtures of experts do not run"),
    ("final_logit_softcapping", 0.0, "0"),
    ("leading_dense_block_count", 0.0, "0"),
    ("logit_scale", 1.0, "1"),
    ("nextn_predict_layers", 0.0, "0"),
    ("pooling_type", 0.0, "0: embeddings are not computed"),
    ("residual_scale", 1.0, "1"),
    ("rope.scaling.alpha", 0.0, "0"),
    ("rope.scaling.yarn_attn_factor", 1.0, "1"),
    ("rope.scaling.yarn_beta_fast", 32.0, "32"),
    ("rope.scaling.yarn_beta_slow", 1.0, "1"),
    ("rope.scaling.yarn_ext_factor", 1.0, "1"),
    ("rope.scaling.yarn_log_multiplier", 0.0, "0"),
];

/// Checks that every key of the architecture is read or asks for nothing.
///
/// # Errors
///
/// An [`Error::Key`] that names the first that does.
pub(super) fn check(gguf: &Gguf<'_>, head_len: usize) -> Result<(), Error> {
    for (name, value) in gguf.values() {
        let of_architecture =
            name.strip_prefix(gguf.architecture()).and_then(|n| n.strip_prefix('.'));
        let Some(key) = of_architecture.filter(|key| !READ.contains(key)) else { continue };
        let must = match NEUTRAL.iter().find(|(neutral, ..)| *neutral == key) {
            Some((_, neutral, _)) if is(&value, *neutral) => continue,
            Some((_, _, must)) => must,
            None if key == "attention.scale" && is_usual_scale(&value, head_len) => continue,
            None if key == "attention.scale" => "0, or 1 by the root of a head's length",
            None => "absent: this program does not know it",
        };
        return Err(Error::key(name, KeyFault::Unsupported { must }));
    }
    Ok(())
}

fn is(value: &Value<'_>, must: f64) -> bool {
    value.bool().map(|bool| f64::from(u8::from(bool))) == Some(must)
        || value.number().is_some_and(|number| number.to_f64() == must)
}

fn is_usual_scale(value: &Value<'_>, head_len: usize) -> bool {
    let usual = 1.0 / libm::sqrt(head_len as f64);
    let near = |scale: f64| scale == 0.0 || (scale / usual - 1.0).abs() < 1e-6;
    value.number().is_some_and(|number| near(number.to_f64()))
}
