//! The model, resolved: every weight found, checked and named once.

use super::arch::Presence;
use super::layer::{Layer, LayerOf, VectorShape};
use super::{Config, Gguf, Tensor, rope, used_tensors};
use crate::error::{Error, Name, TensorFault};
use dram_quant::Matrix;

/// Room for one layer of a plan, to be brought by the caller.
pub type Slot<'a> = Option<Layer<'a>>;

/// A model ready to run.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// Sizes.
    pub config: Config,
    /// `(tokens, embedding_length)`
    pub embedding: Matrix<'a>,
    /// `(embedding_length)`
    pub output_norm: &'a [f32],
    /// `(tokens, embedding_length)`; the embedding where the model ties the two.
    pub lm_head: Matrix<'a>,
    /// `(tokens)`: added to the logits, or empty.
    pub lm_head_bias: &'a [f32],
    rope_factors: RopeFactors<'a>,
    layers: &'a [Slot<'a>],
}

impl<'a> Plan<'a> {
    /// Slots that [`Self::new`] needs for this file.
    ///
    /// # Errors
    ///
    /// As [`Config::read`].
    pub fn layers_in(gguf: &Gguf<'_>) -> Result<usize, Error> {
        Ok(Config::read(gguf)?.layers)
    }

    /// Finds and checks all weights of a model.
    ///
    /// # Errors
    ///
    /// As [`Config::read`]; an [`Error::Tensor`] that names the first tensor that is missing or
    /// has the wrong shape; [`Error::Slots`] if there are fewer `slots` than layers.
    pub fn new(gguf: &Gguf<'a>, slots: &'a mut [Slot<'a>]) -> Result<Self, Error> {
        let config = Config::read(gguf)?;
        let (needed, given) = (config.layers, slots.len());
        let slots = slots.get_mut(..needed).ok_or(Error::Slots { needed, given })?;
        for (i, slot) in slots.iter_mut().enumerate() {
            *slot = Some(layer(gguf, &config, i)?);
        }
        let embedding = any_rows(gguf, "token_embd.weight", config.embedding_length)?;
        let lm_head = match gguf.tensor("output.weight") {
            Some(tensor) => tensor.matrix(embedding.rows(), config.embedding_length)?,
            None => embedding,
        };
        check_vocabulary(gguf, embedding.rows())?;
        used_tensors::check(gguf, &config)?;
        let lm_head_bias = optional(gguf, "output.bias", embedding.rows())?;
        let rope_factors = RopeFactors::read(gguf, &config)?;
        let output_norm = gguf.vector("output_norm.weight", config.embedding_length)?;
        let layers = &*slots;
        Ok(Self { config, embedding, output_norm, lm_head, lm_head_bias, rope_factors, layers })
    }

    /// Divisors of the rotary frequencies where sequences have up to `context` positions,
    /// `(rope.pairs)`, or empty where there are none.
    pub const fn rope_factors(&self, context: usize) -> &'a [f32] {
        match context > self.rope_factors.original_context_length {
            true => self.rope_factors.long,
            false => self.rope_factors.short,
        }
    }

    /// Layer `i`.
    ///
    /// # Panics
    ///
    /// If there are not that many layers.
    pub fn layer(&self, i: usize) -> &Layer<'a> {
        self.layers[i].as_ref().expect("`new` has filled every slot")
    }

    /// Ids that a token may have: rows of the embedding.
    pub const fn tokens(&self) -> usize {
        self.embedding.rows()
    }

    /// The bytes of all weights that every token meets, in the order in which it does.
    pub fn weights(&self) -> impl Iterator<Item = &'a [u8]> {
        let layers = (0..self.config.layers)
            .flat_map(|i| self.layer(i).map(|w| w.bytes(), bytemuck::cast_slice).into_array());
        layers.chain([bytemuck::cast_slice(self.output_norm), self.lm_head.bytes()])
    }

    /// Bytes of weights that are read to decode one token.
    pub fn bytes_per_token(&self) -> usize {
        let layers = (0..self.config.layers).flat_map(|i| self.layer(i).matrices());
        layers.chain([self.lm_head]).map(|w| w.bytes().len()).sum()
    }
}

/// Tensors that are looked for in a layer: more than any has.
const LAYER_TENSORS_MAX: usize = 64;

fn layer<'a>(gguf: &Gguf<'a>, config: &Config, i: usize) -> Result<Layer<'a>, Error> {
    let name = |part: &str| Name::of(format_args!("blk.{i}.{part}"));
    // Walking through all tensors for each of a layer would take longer than reading small models.
    let mut of_layer = [None; LAYER_TENSORS_MAX];
    let prefix = name("");
    let found = gguf.tensors().filter(|tensor| tensor.name().starts_with(prefix.as_str()));
    of_layer.iter_mut().zip(found).for_each(|(slot, tensor)| *slot = Some(tensor));
    let find = |name: &Name| {
        of_layer.iter().flatten().find(|tensor| tensor.name() == name.as_str()).copied()
    };
    LayerOf::of(config).try_map(
        |w| {
            let name = name(w.name);
            let tensor = find(&name).ok_or(Error::tensor(name, TensorFault::Missing))?;
            tensor.matrix(w.rows, w.len)
        },
        |x| {
            let name = name(x.name);
            vector(find(&name), config, name, x)
        },
    )
}

/// A vector of a layer; empty where the model has none.
fn vector<'a>(
    tensor: Option<Tensor<'a>>,
    config: &Config,
    name: Name,
    shape: VectorShape,
) -> Result<&'a [f32], Error> {
    match (tensor, shape.presence) {
        (Some(_), Presence::Absent) => {
            Err(Error::tensor(name, TensorFault::Foreign(config.architecture.name)))
        }
        (Some(tensor), _) => tensor.vector(shape.len),
        (None, Presence::Required) => Err(Error::tensor(name, TensorFault::Missing)),
        (None, _) => Ok(&[]),
    }
}

/// A matrix of which the file alone says how many rows it has.
fn any_rows<'a>(gguf: &Gguf<'a>, name: &str, len: usize) -> Result<Matrix<'a>, Error> {
    let tensor = gguf.tensor(name).ok_or_else(|| Error::tensor(name, TensorFault::Missing))?;
    let rows = tensor.dims().get(1).copied().unwrap_or(1);
    tensor.matrix(rows, len)
}

/// Divisors of the rotary frequencies: Llama 3's, equal for all contexts, or those of LongRoPE.
#[derive(Clone, Copy, Debug)]
struct RopeFactors<'a> {
    /// Up to so many positions the short ones count.
    original_context_length: usize,
    short: &'a [f32],
    long: &'a [f32],
}

impl<'a> RopeFactors<'a> {
    fn read(gguf: &Gguf<'a>, config: &Config) -> Result<Self, Error> {
        let original_context_length = rope::original_context_length(gguf, config.context_length)?;
        let of_all = factors(gguf, config, "rope_freqs.weight")?;
        let or_all = |name| match factors(gguf, config, name)? {
            [] => Ok::<_, Error>(of_all),
            factors => Ok(factors),
        };
        let short = or_all("rope_factors_short.weight")?;
        Ok(Self { original_context_length, short, long: or_all("rope_factors_long.weight")? })
    }
}

/// Factors must not make a frequency infinite or undefined.
fn factors<'a>(gguf: &Gguf<'a>, config: &Config, name: &str) -> Result<&'a [f32], Error> {
    let factors = optional(gguf, name, config.rope.pairs)?;
    match factors.iter().all(|factor| factor.is_finite() && *factor > 0.0) {
        true => Ok(factors),
        false => Err(Error::tensor(name, TensorFault::Factors)),
    }
}

/// A vector outside of layers; empty where the model has none.
fn optional<'a>(gguf: &Gguf<'a>, name: &str, len: usize) -> Result<&'a [f32], Error> {
    gguf.tensor(name).map_or(Ok(&[]), |tensor| tensor.vector(len))
}

/// Text must not become a token that the embedding does not have.
fn check_vocabulary(gguf: &Gguf<'_>, rows: usize) -> Result<(), Error> {
    let tokens = gguf.value("tokenizer.ggml.tokens").and_then(|value| value.array());
    match tokens.map_or(0, |tokens| tokens.len()) {
        tokens if tokens > rows => {
            Err(Error::tensor("token_embd.weight", TensorFault::Vocabulary { rows, tokens }))
        }
        _ => Ok(()),
    }
}
