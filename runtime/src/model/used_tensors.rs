//! Tensors that are not computed: harmless, or refused, since to leave one out would be silently wrong.

use super::layer::LayerOf;
use super::{Config, Gguf};
use crate::error::{Error, TensorFault};

/// Tensors that nothing reads: what converters of old wrote beside what is computed from the keys.
const HARMLESS: [&str; 2] = ["attn_rot_embd", "attn.rotary_emb.inv_freq"];

/// Checks that every tensor is part of the model or harmless.
///
/// # Errors
///
/// An [`Error::Tensor`] that names the first that is neither.
pub(super) fn check(gguf: &Gguf<'_>, config: &Config) -> Result<(), Error> {
    let of_layer = LayerOf::of(config).map(|w| w.name, |x| x.name).into_array();
    for tensor in gguf.tensors() {
        let name = tensor.name();
        let in_layer = name.strip_prefix("blk.").and_then(|name| name.split_once('.'));
        let is_known = match in_layer {
            Some((layer, part)) => {
                let is_there = layer.parse().is_ok_and(|i: usize| i < config.layers);
                is_there && (of_layer.contains(&part) || is_harmless(part))
            }
            None => MODEL.contains(&name) || is_harmless(name),
        };
        if !is_known {
            return Err(Error::tensor(name, TensorFault::Foreign(config.architecture.name)));
        }
    }
    Ok(())
}

/// Tensors outside of layers.
const MODEL: [&str; 7] = [
    "output.bias",
    "output.weight",
    "output_norm.weight",
    "rope_factors_long.weight",
    "rope_factors_short.weight",
    "rope_freqs.weight",
    "token_embd.weight",
];

fn is_harmless(name: &str) -> bool {
    HARMLESS.iter().any(|harmless| {
        name.strip_prefix(harmless).is_some_and(|rest| matches!(rest, "" | ".weight"))
    })
}
