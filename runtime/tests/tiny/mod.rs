//! Small random models with every part their architecture has, and the GGUF files of them.
#![allow(dead_code, reason = "each test takes what it needs")]

mod blocks;
pub(crate) mod session;
mod vocabulary;

use crate::build::{Entry, F32, File};
use dram_quant::{Format, Order};

/// A model: what the file says of it, and its weights.
#[derive(Clone)]
pub(crate) struct Tiny {
    pub shape: Shape,
    pub tensors: Vec<Tensor>,
}

#[derive(Clone)]
pub(crate) struct Shape {
    pub architecture: &'static str,
    pub context: usize,
    pub embedding_length: usize,
    pub feed_forward_length: usize,
    pub layers: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub rope_base: f32,
    pub eps: f32,
    /// Whether the head is the embedding.
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

/// Qwen2's parts: biases, grouped heads, a head of its own, rope over halves.
pub(crate) fn qwen2(mix: Mix) -> Tiny {
    let shape = Shape {
        architecture: "qwen2",
        context: 512,
        embedding_length: 256,
        feed_forward_length: 512,
        layers: 2,
        heads: 4,
        kv_heads: 2,
        rope_base: 1e4,
        eps: 1e-4,
        tied: false,
    };
    Tiny::new(shape, mix)
}

/// Llama 3's parts: four query heads a group, a tied head, rope over adjacent pairs with factors.
pub(crate) fn llama(mix: Mix) -> Tiny {
    let shape = Shape {
        architecture: "llama",
        context: 512,
        embedding_length: 256,
        feed_forward_length: 768,
        layers: 3,
        heads: 8,
        kv_heads: 2,
        rope_base: 5e5,
        eps: 3e-5,
        tied: true,
    };
    Tiny::new(shape, mix)
}

impl Shape {
    pub(crate) fn head_len(&self) -> usize {
        self.embedding_length / self.heads
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
        model.matrix(mix, "token_embd.weight".into(), vocab, embedding_length, 0.05);
        for layer in 0..layers {
            model.layer(mix, &format!("blk.{layer}."));
        }
        model.vector("output_norm.weight".into(), embedding_length, 1.0, 0.2);
        if !tied {
            model.matrix(mix, "output.weight".into(), vocab, embedding_length, 0.2);
        }
        model
    }

    fn layer(&mut self, mix: Mix, layer: &str) {
        let Shape { architecture, embedding_length, feed_forward_length, kv_heads, .. } =
            self.shape;
        let kv = kv_heads * self.shape.head_len();
        let name = |part: &str| format!("{layer}{part}");
        self.vector(name("attn_norm.weight"), embedding_length, 1.0, 0.2);
        // Queries and keys large enough that attention is far from even.
        for (part, rows, deviation) in
            [("q", embedding_length, 0.07), ("k", kv, 0.07), ("v", kv, 0.06)]
        {
            self.matrix(
                mix,
                name(&format!("attn_{part}.weight")),
                rows,
                embedding_length,
                deviation,
            );
            if architecture == "qwen2" {
                self.vector(name(&format!("attn_{part}.bias")), rows, 0.0, 0.5);
            }
        }
        self.matrix(mix, name("attn_output.weight"), embedding_length, embedding_length, 0.03);
        self.vector(name("ffn_norm.weight"), embedding_length, 1.0, 0.2);
        self.matrix(mix, name("ffn_gate.weight"), feed_forward_length, embedding_length, 0.06);
        self.matrix(mix, name("ffn_up.weight"), feed_forward_length, embedding_length, 0.06);
        self.matrix(mix, name("ffn_down.weight"), embedding_length, feed_forward_length, 0.03);
        if architecture == "llama" && layer == "blk.0." {
            self.vector("rope_freqs.weight".into(), self.shape.head_len() / 2, 4.0, 0.9);
        }
    }

    fn matrix(&mut self, mix: Mix, name: String, rows: usize, len: usize, deviation: f32) {
        let format = mix.format(&name);
        let bytes = blocks::random(&name, format, rows * len, deviation);
        self.tensors.push(Tensor { name, format, rows: Some(rows), len, bytes });
    }

    fn vector(&mut self, name: String, len: usize, mean: f32, deviation: f32) {
        let bytes = blocks::random_floats(&name, len, mean, deviation);
        self.tensors.push(Tensor { name, format: Format::F32, rows: None, len, bytes });
    }

    pub(crate) fn tensor(&mut self, name: &str) -> &mut Tensor {
        self.tensors.iter_mut().find(|t| t.name == name).expect("the model has it")
    }

    /// The model's GGUF file.
    pub(crate) fn file(&self) -> Vec<u8> {
        let shape = &self.shape;
        let key = |name: &str| format!("{}.{name}", shape.architecture);
        let file = File::bare().text("general.architecture", shape.architecture);
        let numbers = [
            ("context_length", shape.context),
            ("embedding_length", shape.embedding_length),
            ("block_count", shape.layers),
            ("feed_forward_length", shape.feed_forward_length),
            ("attention.head_count", shape.heads),
            ("attention.head_count_kv", shape.kv_heads),
            ("rope.dimension_count", shape.head_len()),
        ];
        let file = numbers.iter().fold(file, |file, (name, n)| file.u32(&key(name), *n as u32));
        let file = file.key(key("rope.freq_base"), F32, shape.rope_base.to_le_bytes()).key(
            key("attention.layer_norm_rms_epsilon"),
            F32,
            shape.eps.to_le_bytes(),
        );
        let file = vocabulary::write(file, shape.architecture);
        self.tensors.iter().fold(file, |file, tensor| file.entry(tensor.entry())).bytes()
    }
}

impl Tensor {
    fn entry(&self) -> Entry {
        let dims: Vec<u64> = [self.len].into_iter().chain(self.rows).map(|n| n as u64).collect();
        let id = self.format.id(Order::Rows);
        Entry { data: self.bytes.clone(), ..Entry::new(&self.name, &dims, id) }
    }
}
