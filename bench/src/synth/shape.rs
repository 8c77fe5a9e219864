//! The shapes of R1's distills and of small Qwen3s: which tensors a model has.

use super::vocabulary::{Base, QWEN3, R1_LLAMA, R1_QWEN2};
use dram_quant::Format;
use dram_runtime::Error;
use dram_runtime::model::{Architecture, Config, LayerOf, Presence, Rope, Scaling};

/// A model: its sizes, and the vocabulary it has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub name: &'static str,
    pub config: Config,
    pub tokens: usize,
    /// Whether the output matrix is the embedding.
    pub is_tied: bool,
    pub base: &'static Base,
}

/// A row of the table of shapes.
#[derive(Clone, Copy)]
struct Row {
    name: &'static str,
    architecture: &'static str,
    base: &'static Base,
    layers: usize,
    embedding_length: usize,
    feed_forward_length: usize,
    heads: usize,
    kv_heads: usize,
    tokens: usize,
    rope_base: f32,
    eps: f32,
    context_length: usize,
    /// How rope is scaled, and its `attn_factor`.
    scaling: (Scaling, f32),
    is_tied: bool,
}

/// Numbers in a head, in all of them.
const HEAD_LEN: usize = 128;

/// Source: `config.json` of each model.
#[rustfmt::skip]
const ROWS: [Row; 10] = {
    const fn r1_qwen2(name: &'static str, layers: usize, sizes: [usize; 4], tokens: usize, rope: [f32; 2]) -> Row {
        row(name, ("qwen2", &R1_QWEN2), layers, sizes, tokens, rope)
    }
    const fn r1_llama(name: &'static str, layers: usize, sizes: [usize; 4]) -> Row {
        row(name, ("llama", &R1_LLAMA), layers, sizes, 128_256, [5e5, 1e-5])
    }
    const fn qwen3(name: &'static str, layers: usize, sizes: [usize; 4]) -> Row {
        Row { context_length: 40_960, ..row(name, ("qwen3", &QWEN3), layers, sizes, 151_936, [1e6, 1e-6]) }
    }
    [
        r1_qwen2("r1:1.5b", 28, [1536,  8960, 12, 2], 151_936, [1e4, 1e-6]),
        r1_qwen2("r1:7b",   28, [3584, 18944, 28, 4], 152_064, [1e4, 1e-6]),
        r1_llama("r1:8b",   32, [4096, 14336, 32, 8]),
        r1_qwen2("r1:14b",  48, [5120, 13824, 40, 8], 152_064, [1e6, 1e-5]),
        r1_qwen2("r1:32b",  64, [5120, 27648, 40, 8], 152_064, [1e6, 1e-5]),
        r1_llama("r1:70b",  80, [8192, 28672, 64, 8]),
        Row { context_length: 131_072, scaling: R1_0528, ..qwen3("r1-0528:8b", 36, [4096, 12288, 32, 8]) },
        Row { is_tied: true, ..qwen3("qwen3:0.6b", 28, [1024, 3072, 16, 8]) },
        Row { is_tied: true, ..qwen3("qwen3:1.7b", 28, [2048, 6144, 16, 8]) },
        Row { is_tied: true, ..qwen3("qwen3:4b",   36, [2560, 9728, 32, 8]) },
    ]
};

/// What R1-0528 stretches the context of Qwen3-8B with.
const R1_0528: (Scaling, f32) =
    (Scaling::Yarn { factor: 4.0, original_context_length: 32_768 }, 0.878_248_9);

/// A model whose output matrix is its own, for the context of most distills.
const fn row(
    name: &'static str,
    (architecture, base): (&'static str, &'static Base),
    layers: usize,
    [embedding_length, feed_forward_length, heads, kv_heads]: [usize; 4],
    tokens: usize,
    [rope_base, eps]: [f32; 2],
) -> Row {
    Row {
        name,
        architecture,
        base,
        layers,
        embedding_length,
        feed_forward_length,
        heads,
        kv_heads,
        tokens,
        rope_base,
        eps,
        context_length: 131_072,
        scaling: (Scaling::NONE, 1.0),
        is_tied: false,
    }
}

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

impl Part {
    /// A matrix of a layer.
    fn of(name: &str, layer: usize) -> Self {
        match name {
            "attn_v.weight" => Self::AttnV(layer),
            "ffn_down.weight" => Self::FfnDown(layer),
            _ => Self::Matrix,
        }
    }
}

impl Tensor {
    pub(crate) fn bytes(&self) -> usize {
        self.dims.iter().product::<usize>() / self.format.weights() * self.format.bytes()
    }
}

impl Row {
    fn shape(self) -> Result<Shape, Error> {
        let Self { name, base, tokens, is_tied, layers, heads, kv_heads, rope_base, .. } = self;
        let (scaling, attn_factor) = self.scaling;
        let config = Config {
            architecture: Architecture::named(self.architecture)?,
            layers,
            embedding_length: self.embedding_length,
            heads,
            kv_heads,
            head_len: HEAD_LEN,
            feed_forward_length: self.feed_forward_length,
            context_length: self.context_length,
            rms_norm_eps: self.eps,
            rope: Rope { base: rope_base, pairs: HEAD_LEN / 2, scaling, attn_factor },
        };
        Ok(Shape { name, config, tokens, is_tied, base })
    }
}

impl Shape {
    /// The shape of a name.
    ///
    /// # Errors
    ///
    /// If there is no such shape; the message lists those that there are.
    pub(crate) fn named(name: &str) -> Result<Self, String> {
        let found = ROWS.into_iter().find(|row| row.name == name);
        let names = || format!("must be one of {}", ROWS.map(|row| row.name).join(", "));
        found.ok_or_else(names)?.shape().map_err(|error| error.to_string())
    }

    /// Every tensor, in the order in which a pass reads them.
    pub(crate) fn outlines(&self) -> Vec<Outline> {
        let (config, len) = (&self.config, self.config.embedding_length);
        let embedding = if self.is_tied { Part::Head } else { Part::Embedding };
        let mut tensors = Vec::new();
        let mut add = |name: String, part, dims: &[usize]| {
            tensors.push(Outline { name, part, dims: dims.to_vec() });
        };
        if config.architecture.name == "llama" {
            add("rope_freqs.weight".into(), Part::Vector, &[config.rope.pairs]);
        }
        add("token_embd.weight".into(), embedding, &[len, self.tokens]);
        for layer in 0..config.layers {
            let parts = LayerOf::of(config).map(
                |w| (w.name, Part::of(w.name, layer), vec![w.len, w.rows], Presence::Required),
                |x| (x.name, Part::Vector, vec![x.len], x.presence),
            );
            let parts = parts.into_array().into_iter();
            for (name, part, dims, _) in parts.filter(|part| part.3.is_usual()) {
                add(format!("blk.{layer}.{name}"), part, &dims);
            }
        }
        add("output_norm.weight".into(), Part::Vector, &[len]);
        if !self.is_tied {
            add("output.weight".into(), Part::Head, &[len, self.tokens]);
        }
        tensors
    }

    /// What Llama 3 divides the rotary frequencies by: 8 where a wave is longer than 8192
    /// positions, 1 where it is shorter than a quarter of that, and between them in between.
    pub(crate) fn rope_factors(&self) -> Vec<f32> {
        let factor = |i: usize| {
            let exponent = 2.0 * i as f64 / HEAD_LEN as f64;
            let wave = std::f64::consts::TAU * f64::from(self.config.rope.base).powf(exponent);
            let share = ((8192.0 / wave - 1.0) / 3.0).clamp(0.0, 1.0);
            (1.0 / ((1.0 - share) / 8.0 + share)) as f32
        };
        (0..HEAD_LEN / 2).map(factor).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{ROWS, Shape};

    #[test]
    fn tensors_and_parameters_are_those_of_the_models() {
        let counts = ROWS.map(|row| {
            let outlines = row.shape().unwrap().outlines();
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
            (399, 8_190_735_360),
            (310, 596_049_920),
            (310, 1_720_574_976),
            (398, 4_022_468_096),
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
