//! The shapes of the six R1 distills: which tensors a model has.

use dram_quant::Format;

/// The architecture, as GGUF names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Qwen2,
    Llama,
}

impl Family {
    pub(crate) const fn architecture(self) -> &'static str {
        match self {
            Self::Qwen2 => "qwen2",
            Self::Llama => "llama",
        }
    }
}

/// The sizes of a model. Heads are 128 numbers long in all of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub name: &'static str,
    pub family: Family,
    pub layers: usize,
    pub embedding_length: usize,
    pub feed_forward_length: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub tokens: usize,
    pub rope_base: f32,
    pub eps: f32,
}

/// Numbers in a head.
pub(crate) const HEAD_LEN: usize = 128;

/// Positions that all of them were made for.
pub(crate) const CONTEXT: u32 = 131_072;

/// Source: `config.json` of each model.
#[rustfmt::skip]
const SHAPES: [Shape; 6] = {
    use Family::{Llama, Qwen2};
    const fn shape(
        name: &'static str, family: Family, layers: usize, [embedding_length, feed_forward_length]: [usize; 2],
        [heads, kv_heads]: [usize; 2], tokens: usize, [rope_base, eps]: [f32; 2],
    ) -> Shape {
        Shape { name, family, layers, embedding_length, feed_forward_length, heads, kv_heads, tokens, rope_base, eps }
    }
    [
        shape("r1:1.5b", Qwen2, 28, [1536,  8960], [12, 2], 151_936, [1e4, 1e-6]),
        shape("r1:7b",   Qwen2, 28, [3584, 18944], [28, 4], 152_064, [1e4, 1e-6]),
        shape("r1:8b",   Llama, 32, [4096, 14336], [32, 8], 128_256, [5e5, 1e-5]),
        shape("r1:14b",  Qwen2, 48, [5120, 13824], [40, 8], 152_064, [1e6, 1e-5]),
        shape("r1:32b",  Qwen2, 64, [5120, 27648], [40, 8], 152_064, [1e6, 1e-5]),
        shape("r1:70b",  Llama, 80, [8192, 28672], [64, 8], 128_256, [5e5, 1e-5]),
    ]
};

/// A tensor that is yet without format.
pub(crate) struct Outline {
    pub name: String,
    /// The layer, and what of it.
    pub part: Part,
    /// Row length first.
    pub dims: Vec<usize>,
}

/// What a tensor is, as far as its format depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// A norm, a bias or the rotary factors: always F32.
    Vector,
    Embedding,
    Head,
    AttnV(usize),
    FfnDown(usize),
    Matrix,
}

/// A tensor to be written.
pub(crate) struct Tensor {
    pub name: String,
    /// Row length first.
    pub dims: Vec<usize>,
    pub format: Format,
}

impl Tensor {
    pub(crate) fn bytes(&self) -> usize {
        self.dims.iter().product::<usize>() / self.format.weights() * self.format.bytes()
    }
}

impl Shape {
    /// The shape of a name.
    ///
    /// # Errors
    ///
    /// If there is no such shape; the message lists those that there are.
    pub(crate) fn named(name: &str) -> Result<Self, String> {
        let found = SHAPES.into_iter().find(|shape| shape.name == name);
        found.ok_or_else(|| format!("must be one of {}", SHAPES.map(|shape| shape.name).join(", ")))
    }

    /// Every tensor, in the order in which a pass reads them.
    pub(crate) fn outlines(&self) -> Vec<Outline> {
        let mut tensors = Vec::new();
        let mut add = |name: String, part, dims: &[usize]| {
            tensors.push(Outline { name, part, dims: dims.to_vec() });
        };
        if self.family == Family::Llama {
            add("rope_freqs.weight".into(), Part::Vector, &[HEAD_LEN / 2]);
        }
        add("token_embd.weight".into(), Part::Embedding, &[self.embedding_length, self.tokens]);
        for layer in 0..self.layers {
            for (name, part, dims) in self.layer(layer) {
                add(format!("blk.{layer}.{name}"), part, &dims);
            }
        }
        add("output_norm.weight".into(), Part::Vector, &[self.embedding_length]);
        add("output.weight".into(), Part::Head, &[self.embedding_length, self.tokens]);
        tensors
    }

    fn layer(&self, layer: usize) -> Vec<(&'static str, Part, Vec<usize>)> {
        let (embedding_length, feed_forward_length) =
            (self.embedding_length, self.feed_forward_length);
        let [query_len, kv_len] = [self.heads, self.kv_heads].map(|heads| heads * HEAD_LEN);
        let biases = [
            ("attn_q.bias", Part::Vector, vec![query_len]),
            ("attn_k.bias", Part::Vector, vec![kv_len]),
            ("attn_v.bias", Part::Vector, vec![kv_len]),
        ];
        let mut tensors = vec![
            ("attn_norm.weight", Part::Vector, vec![embedding_length]),
            ("attn_q.weight", Part::Matrix, vec![embedding_length, query_len]),
            ("attn_k.weight", Part::Matrix, vec![embedding_length, kv_len]),
            ("attn_v.weight", Part::AttnV(layer), vec![embedding_length, kv_len]),
            ("attn_output.weight", Part::Matrix, vec![query_len, embedding_length]),
            ("ffn_norm.weight", Part::Vector, vec![embedding_length]),
            ("ffn_gate.weight", Part::Matrix, vec![embedding_length, feed_forward_length]),
            ("ffn_up.weight", Part::Matrix, vec![embedding_length, feed_forward_length]),
            ("ffn_down.weight", Part::FfnDown(layer), vec![feed_forward_length, embedding_length]),
        ];
        if self.family == Family::Qwen2 {
            tensors.splice(4..4, biases);
        }
        tensors
    }

    /// What Llama 3 divides the rotary frequencies by: 8 where a wave is longer than 8192
    /// positions, 1 where it is shorter than a quarter of that, and between them in between.
    pub(crate) fn rope_factors(&self) -> Vec<f32> {
        let factor = |i: usize| {
            let exponent = 2.0 * i as f64 / HEAD_LEN as f64;
            let wave = std::f64::consts::TAU * f64::from(self.rope_base).powf(exponent);
            let share = ((8192.0 / wave - 1.0) / 3.0).clamp(0.0, 1.0);
            (1.0 / ((1.0 - share) / 8.0 + share)) as f32
        };
        (0..HEAD_LEN / 2).map(factor).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{SHAPES, Shape};

    #[test]
    fn tensors_and_parameters_are_those_of_the_models() {
        let counts = SHAPES.map(|shape| {
            let outlines = shape.outlines();
            let weights = |dims: &Vec<usize>| dims.iter().product::<usize>();
            let learnt = outlines.iter().filter(|tensor| tensor.name != "rope_freqs.weight");
            (outlines.len(), learnt.map(|tensor| weights(&tensor.dims)).sum::<usize>())
        });
        let expected = [
            (339, 1_777_088_000),
            (339, 7_615_616_512),
            (292, 8_030_261_248),
            (579, 14_770_033_664),
            (771, 32_763_876_352),
            (724, 70_553_706_496),
        ];
        assert_eq!(counts, expected);
    }

    #[test]
    fn rope_factors_are_those_of_the_published_files() {
        let factors = Shape::named("r1:8b").unwrap().rope_factors();
        let middle = [1.207484, 1.553415, 2.026313, 2.69453, 3.684253, 5.257327];
        assert!(factors[..29].iter().all(|&factor| factor == 1.0));
        assert!(factors[35..].iter().all(|&factor| factor == 8.0));
        for (found, expected) in factors[29..35].iter().zip(middle) {
            assert!((found - expected).abs() < 2e-6, "{found} {expected}");
        }
    }
}
