//! Small random models with every part their architecture has, and the GGUF files of them.
#![allow(dead_code, reason = "each test takes what it needs")]

mod blocks;
pub(crate) mod session;
mod vocabulary;

use crate::build::{Entry, F32, File};
use dram_quant::{Format, Order};
use dram_runtime::model::{Architecture, Config, LayerOf, Presence, Rope, Scaling};

/// A model: what the file says of it, and its weights.
#[derive(Clone)]
pub(crate) struct Tiny {
    pub shape: Shape,
    pub tensors: Vec<Tensor>,
}

#[derive(Clone)]
pub(crate) struct Shape {
    pub architecture: &'static str,
    pub context_length: usize,
    pub embedding_length: usize,
    pub feed_forward_length: usize,
    pub layers: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub head_len: usize,
    pub rope_base: f32,
    pub scaling: Scaling,
    pub attn_factor: f32,
    pub eps: f32,
    /// Whether the output matrix is the embedding.
    pub tied: bool,
}

/// A matrix of `rows` rows of `len` weights; a vector where `rows` is `None`.
#[derive(Clone)]
pub(crate) struct Tensor {
    pub name: String,
    pub format: Format,
    pub rows: Option<usize>,
    pub len: usize,
    pub bytes: Vec<u8>,
}

/// Which format each matrix has. Norms, biases and rope factors are always F32.
#[derive(Clone, Copy, Debug)]
#[allow(non_camel_case_types, reason = "names are the file format's own")]
pub(crate) enum Mix {
    F32,
    Q8_0,
    Q4_0,
    /// Q4_K, and Q6_K where llama.cpp's mix of that name has it: head, values, half the downs.
    Q4_K_M,
}

pub(crate) const MIXES: [Mix; 4] = [Mix::F32, Mix::Q8_0, Mix::Q4_0, Mix::Q4_K_M];

impl Mix {
    fn format(self, name: &str) -> Format {
        let large = ["output.weight", "blk.0.ffn_down.weight"].contains(&name)
            || name.ends_with("attn_v.weight");
        match self {
            Self::F32 => Format::F32,
            Self::Q8_0 => Format::Q8_0,
            Self::Q4_0 => Format::Q4_0,
            Self::Q4_K_M if large => Format::Q6_K,
            Self::Q4_K_M => Format::Q4_K,
        }
    }
}

/// Every architecture in a mix.
pub(crate) fn all(mix: Mix) -> [Tiny; 3] {
    [qwen2(mix), llama(mix), qwen3(mix)]
}

/// Qwen2's parts: biases, grouped heads, an output matrix of its own, rope over halves.
pub(crate) fn qwen2(mix: Mix) -> Tiny {
    let shape = Shape {
        architecture: "qwen2",
        context_length: 512,
        embedding_length: 256,
        feed_forward_length: 512,
        layers: 2,
        heads: 4,
        kv_heads: 2,
        head_len: 64,
        rope_base: 1e4,
        scaling: Scaling::NONE,
        attn_factor: 1.0,
        eps: 1e-4,
        tied: false,
    };
    Tiny::new(shape, mix)
}

/// Llama 3's parts: four query heads a group, tied matrices, rope over neighbours with factors.
pub(crate) fn llama(mix: Mix) -> Tiny {
    let shape = Shape {
        architecture: "llama",
        context_length: 512,
        embedding_length: 256,
        feed_forward_length: 768,
        layers: 3,
        heads: 8,
        kv_heads: 2,
        head_len: 32,
        rope_base: 5e5,
        scaling: Scaling::NONE,
        attn_factor: 1.0,
        eps: 3e-5,
        tied: true,
    };
    Tiny::new(shape, mix)
}

/// Qwen3's parts: norms of queries and keys, heads that together are longer than the embedding,
/// tied matrices, rope over halves; and YaRN, as in R1-0528-Qwen3-8B.
pub(crate) fn qwen3(mix: Mix) -> Tiny {
    let shape = Shape {
        architecture: "qwen3",
        context_length: 512,
        embedding_length: 256,
        feed_forward_length: 512,
        layers: 2,
        heads: 8,
        kv_heads: 2,
        head_len: 64,
        rope_base: 1e6,
        scaling: Scaling::Yarn { factor: 4.0, original_context_length: 4096 },
        attn_factor: 0.9,
        eps: 2e-4,
        tied: true,
    };
    Tiny::new(shape, mix)
}

impl Shape {
    /// What the runtime shall read from the file.
    fn config(&self) -> Config {
        Config {
            architecture: Architecture::named(self.architecture).expect("it is supported"),
            layers: self.layers,
            embedding_length: self.embedding_length,
            heads: self.heads,
            kv_heads: self.kv_heads,
            head_len: self.head_len,
            feed_forward_length: self.feed_forward_length,
            context_length: self.context_length,
            rms_norm_eps: self.eps,
            rope: Rope {
                base: self.rope_base,
                pairs: self.head_len / 2,
                scaling: self.scaling,
                attn_factor: self.attn_factor,
            },
        }
    }

    /// How rope is scaled, where it is.
    fn scaling_keys(&self, file: File, key: &impl Fn(&str) -> String) -> File {
        let name = |name: &str| key(&format!("rope.scaling.{name}"));
        let (file, factor) = match self.scaling {
            Scaling::NONE => return file,
            Scaling::Linear(factor) => (file.text(&name("type"), "linear"), factor),
            Scaling::Yarn { factor, original_context_length: original } => {
                let file = file.text(&name("type"), "yarn");
                (file.u32(&name("original_context_length"), original as u32), factor)
            }
        };
        let file = file.key(name("factor"), F32, factor.to_le_bytes());
        file.key(name("attn_factor"), F32, self.attn_factor.to_le_bytes())
    }

    pub(crate) fn vocab(&self) -> usize {
        vocabulary::tokens().len()
    }

    /// Tokens without meaning, none of which follows another regularly.
    pub(crate) fn tokens(&self, count: usize) -> Vec<u32> {
        (0..count).map(|i| (i * i * 7 + i * 31 + 5) as u32 % self.vocab() as u32).collect()
    }
}

impl Tiny {
    pub(crate) fn new(shape: Shape, mix: Mix) -> Self {
        let mut model = Self { shape, tensors: Vec::new() };
        let Shape { embedding_length, layers, tied, .. } = model.shape;
        let vocab = model.shape.vocab();
        model.matrix(mix, "token_embd.weight".into(), vocab, embedding_length);
        if model.shape.architecture == "llama" {
            model.vector("rope_freqs.weight".into(), model.shape.head_len / 2);
        }
        for layer in 0..layers {
            model.layer(mix, layer);
        }
        model.vector("output_norm.weight".into(), embedding_length);
        if !tied {
            model.matrix(mix, "output.weight".into(), vocab, embedding_length);
        }
        model
    }

    /// What the architecture must have.
    fn layer(&mut self, mix: Mix, layer: usize) {
        let name = |name: &str| format!("blk.{layer}.{name}");
        let parts = LayerOf::of(&self.shape.config());
        let parts = parts.map(
            |w| (w.name, Some(w.rows), w.len, Presence::Required),
            |x| (x.name, None, x.len, x.presence),
        );
        for (part, rows, len, presence) in parts.into_array() {
            match rows {
                Some(rows) => self.matrix(mix, name(part), rows, len),
                None if presence.is_usual() => self.vector(name(part), len),
                None => (),
            }
        }
    }

    fn matrix(&mut self, mix: Mix, name: String, rows: usize, len: usize) {
        let format = mix.format(&name);
        let bytes = blocks::random(&name, format, rows * len, deviation(&name));
        self.tensors.push(Tensor { name, format, rows: Some(rows), len, bytes });
    }

    fn vector(&mut self, name: String, len: usize) {
        let (mean, deviation) = spread(&name);
        let bytes = blocks::random_floats(&name, len, mean, deviation);
        self.tensors.push(Tensor { name, format: Format::F32, rows: None, len, bytes });
    }

    /// Adds every bias that a file may have and this model has not.
    pub(crate) fn with_all_biases(mut self) -> Self {
        let parts = LayerOf::of(&self.shape.config());
        let parts = parts.map(|_| None, |x| Some((x.name, x.len))).into_array();
        for layer in 0..self.shape.layers {
            for (name, len) in parts.into_iter().flatten().filter(|part| part.0.ends_with(".bias"))
            {
                let name = format!("blk.{layer}.{name}");
                if self.tensors.iter().all(|tensor| tensor.name != name) {
                    self.vector(name, len);
                }
            }
        }
        self.vector("output.bias".into(), self.shape.vocab());
        self
    }

    pub(crate) fn tensor(&mut self, name: &str) -> &mut Tensor {
        self.tensors.iter_mut().find(|t| t.name == name).expect("the model has it")
    }

    /// The model's GGUF file.
    pub(crate) fn file(&self) -> Vec<u8> {
        self.build().bytes()
    }

    /// The same, to add to it.
    pub(crate) fn build(&self) -> File {
        let shape = &self.shape;
        let key = |name: &str| format!("{}.{name}", shape.architecture);
        let file = File::bare().text("general.architecture", shape.architecture);
        let numbers = [
            ("context_length", shape.context_length),
            ("embedding_length", shape.embedding_length),
            ("block_count", shape.layers),
            ("feed_forward_length", shape.feed_forward_length),
            ("attention.head_count", shape.heads),
            ("attention.head_count_kv", shape.kv_heads),
        ];
        let lengths = if shape.heads * shape.head_len == shape.embedding_length {
            &["rope.dimension_count"][..]
        } else {
            &["attention.key_length", "attention.value_length"]
        };
        let lengths = lengths.iter().map(|name| (*name, shape.head_len));
        let numbers = numbers.into_iter().chain(lengths);
        let file = numbers.fold(file, |file, (name, n)| file.u32(&key(name), n as u32));
        let file = file.key(key("rope.freq_base"), F32, shape.rope_base.to_le_bytes()).key(
            key("attention.layer_norm_rms_epsilon"),
            F32,
            shape.eps.to_le_bytes(),
        );
        let file = shape.scaling_keys(file, &key);
        let file = vocabulary::write(file, shape.architecture);
        self.tensors.iter().fold(file, |file, tensor| file.entry(tensor.entry()))
    }
}

/// The standard deviation of a matrix: queries and keys are large enough that attention is far from
/// even.
fn deviation(name: &str) -> f32 {
    match name.rsplit('.').nth(1).unwrap_or_default() {
        "token_embd" => 0.05,
        "attn_q" | "attn_k" => 0.07,
        "attn_v" | "ffn_gate" | "ffn_up" => 0.06,
        "attn_output" | "ffn_down" => 0.03,
        "output" => 0.2,
        _ => panic!("{name} has no spread"),
    }
}

/// The mean and the standard deviation of a vector.
fn spread(name: &str) -> (f32, f32) {
    match name {
        "rope_freqs.weight" => (4.0, 0.9),
        _ if name.ends_with(".bias") => (0.0, 0.5),
        _ if name.ends_with("_q_norm.weight") || name.ends_with("_k_norm.weight") => (1.5, 0.4),
        _ => (1.0, 0.2),
    }
}

impl Tensor {
    fn entry(&self) -> Entry {
        let dims: Vec<u64> = [self.len].into_iter().chain(self.rows).map(|n| n as u64).collect();
        let id = self.format.id(Order::Rows);
        Entry { data: self.bytes.clone(), ..Entry::new(&self.name, &dims, id) }
    }
}
