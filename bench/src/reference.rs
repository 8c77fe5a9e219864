//! A plain forward pass in f32: what a file's weights say when nothing is rounded to 8 bits.
//!
//! It reads the file by itself, shares no code with the session it is compared with, and takes a
//! whole window of positions at once.

use crate::multiply::multiply;
use dram_quant::Matrix;
use dram_runtime::Error;
use dram_runtime::model::Gguf;
use std::thread;

/// The forward pass of one model.
pub(crate) struct Reference<'a> {
    gguf: &'a Gguf<'a>,
    threads: usize,
    layers: usize,
    embedding_length: usize,
    feed_forward_length: usize,
    heads: usize,
    kv_heads: usize,
    head_len: usize,
    eps: f32,
    rope_base: f32,
    /// What the frequencies of the pairs of a head are divided by; empty for nothing.
    rope_factors: &'a [f32],
}

impl<'a> Reference<'a> {
    /// Reads what the pass needs to know from the file.
    pub(crate) fn new(gguf: &'a Gguf<'a>, threads: usize) -> Result<Self, Error> {
        let number = |name: &str| gguf.get::<u32>(gguf.hyper(name)).map(|n| n as usize);
        let (embedding_length, heads) =
            (number("embedding_length")?, number("attention.head_count")?);
        let kv_heads = gguf.find::<u32>(gguf.hyper("attention.head_count_kv"))?;
        let key_length = gguf.find::<u32>(gguf.hyper("attention.key_length"))?;
        let head_len = key_length.map_or(embedding_length / heads, |len| len as usize);
        let factors = gguf.tensor("rope_freqs.weight");
        Ok(Self {
            gguf,
            threads,
            layers: number("block_count")?,
            embedding_length,
            feed_forward_length: number("feed_forward_length")?,
            heads,
            kv_heads: kv_heads.map_or(heads, |heads| heads as usize),
            head_len,
            eps: gguf.get(gguf.hyper("attention.layer_norm_rms_epsilon"))?,
            rope_base: gguf.find(gguf.hyper("rope.freq_base"))?.unwrap_or(1e4),
            rope_factors: factors.map_or(Ok(&[][..]), |factors| factors.vector(head_len / 2))?,
        })
    }

    /// The logits of positions `first..` of `tokens`, `(tokens - first, vocab)`.
    pub(crate) fn logits(&self, tokens: &[u32], first: usize) -> Result<Vec<f32>, Error> {
        let embedding = self.embedding()?;
        let mut x = vec![0.0; tokens.len() * self.embedding_length];
        for (token, x) in tokens.iter().zip(x.chunks_exact_mut(self.embedding_length)) {
            embedding.decode_row(*token as usize, x);
        }
        for layer in 0..self.layers {
            let h = self.norm(&format!("blk.{layer}.attn_norm.weight"), &x)?;
            add(&self.attend(layer, &h)?, &mut x);
            let h = self.norm(&format!("blk.{layer}.ffn_norm.weight"), &x)?;
            add(&self.feed_forward(layer, &h)?, &mut x);
        }
        let h = self.norm("output_norm.weight", &x[first * self.embedding_length..])?;
        let head = self.gguf.tensor("output.weight");
        let head = head
            .map_or(Ok(embedding), |head| head.matrix(embedding.rows(), self.embedding_length))?;
        Ok(multiply(&head, &h, self.threads))
    }

    fn embedding(&self) -> Result<Matrix<'a>, Error> {
        let name = "token_embd.weight";
        let rows =
            self.gguf.tensor(name).map_or(0, |tensor| tensor.dims().iter().skip(1).product());
        self.gguf.matrix(name, rows, self.embedding_length)
    }

    fn attend(&self, layer: usize, x: &[f32]) -> Result<Vec<f32>, Error> {
        let (heads, kv) = (self.heads * self.head_len, self.kv_heads * self.head_len);
        let mut q = self.linear(layer, "attn_q", heads, x)?;
        let mut k = self.linear(layer, "attn_k", kv, x)?;
        let v = self.linear(layer, "attn_v", kv, x)?;
        self.rotate(heads, &mut q);
        self.rotate(kv, &mut k);
        let mut y = vec![0.0; q.len()];
        let share = y.len().div_ceil(heads * 8) * heads;
        thread::scope(|scope| {
            for (i, y) in y.chunks_mut(share).enumerate() {
                let (q, k, v) = (&q[i * share..][..y.len()], &k, &v);
                scope.spawn(move || self.columns(i * share / heads, q, k, v, y));
            }
        });
        self.linear(layer, "attn_output", self.embedding_length, &y)
    }

    /// Attention of the positions from `first` on that `q` and `y` hold.
    fn columns(&self, first: usize, q: &[f32], k: &[f32], v: &[f32], y: &mut [f32]) {
        let (len, kv) = (self.head_len, self.kv_heads * self.head_len);
        let scale = 1.0 / (len as f32).sqrt();
        for (i, (q, y)) in q.chunks_exact(len).zip(y.chunks_exact_mut(len)).enumerate() {
            let past = first + i / self.heads + 1;
            let group = i % self.heads * self.kv_heads / self.heads * len;
            let scores = (0..past).map(|p| scale * dot(q, &k[p * kv + group..][..len]));
            let mut weights: Vec<f32> = scores.collect();
            softmax(&mut weights);
            for (p, weight) in weights.iter().enumerate() {
                let v = &v[p * kv + group..][..len];
                y.iter_mut().zip(v).for_each(|(y, v)| *y += weight * v);
            }
        }
    }

    fn feed_forward(&self, layer: usize, x: &[f32]) -> Result<Vec<f32>, Error> {
        let mut gate = self.linear(layer, "ffn_gate", self.feed_forward_length, x)?;
        let up = self.linear(layer, "ffn_up", self.feed_forward_length, x)?;
        gate.iter_mut().zip(up).for_each(|(g, u)| *g = *g / (1.0 + (-*g).exp()) * u);
        self.linear(layer, "ffn_down", self.embedding_length, &gate)
    }

    /// Rotates heads by the angles of their positions; a position has `row` numbers.
    fn rotate(&self, row: usize, x: &mut [f32]) {
        let pairs = self.head_len / 2;
        let adjacent = self.gguf.architecture() == "llama";
        let frequency = |i: usize| {
            let factor = self.rope_factors.get(i).map_or(1.0, |&factor| f64::from(factor));
            f64::from(self.rope_base).powf(-(i as f64) / pairs as f64) / factor
        };
        let frequencies: Vec<f64> = (0..pairs).map(frequency).collect();
        for (position, x) in x.chunks_exact_mut(row).enumerate() {
            for (i, frequency) in frequencies.iter().enumerate() {
                let (sin, cos) = (position as f64 * frequency).sin_cos();
                let (sin, cos) = (sin as f32, cos as f32);
                let (a, b) = if adjacent { (2 * i, 2 * i + 1) } else { (i, i + pairs) };
                for x in x.chunks_exact_mut(self.head_len) {
                    (x[a], x[b]) = (x[a] * cos - x[b] * sin, x[a] * sin + x[b] * cos);
                }
            }
        }
    }

    /// A part of a layer: its matrix, and its bias if it has one.
    fn linear(&self, layer: usize, part: &str, rows: usize, x: &[f32]) -> Result<Vec<f32>, Error> {
        let len = match part {
            "ffn_down" => self.feed_forward_length,
            "attn_output" => self.heads * self.head_len,
            _ => self.embedding_length,
        };
        let w = self.gguf.matrix(&format!("blk.{layer}.{part}.weight"), rows, len)?;
        let mut y = multiply(&w, x, self.threads);
        if let Some(bias) = self.gguf.tensor(&format!("blk.{layer}.{part}.bias")) {
            let bias = bias.vector(rows)?;
            y.chunks_exact_mut(rows).for_each(|y| add(bias, y));
        }
        Ok(y)
    }

    fn norm(&self, name: &str, x: &[f32]) -> Result<Vec<f32>, Error> {
        let w = self.gguf.vector(name, self.embedding_length)?;
        let rows = x.chunks_exact(self.embedding_length);
        Ok(rows
            .flat_map(|x| {
                let scale = 1.0 / (dot(x, x) / x.len() as f32 + self.eps).sqrt();
                x.iter().zip(w).map(move |(x, w)| x * scale * w)
            })
            .collect())
    }
}

/// Turns scores to weights that add up to one.
fn softmax(x: &mut [f32]) {
    let largest = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    x.iter_mut().for_each(|x| *x = (*x - largest).exp());
    let sum: f32 = x.iter().sum();
    x.iter_mut().for_each(|x| *x /= sum);
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0; 8];
    for (a, b) in a.chunks(8).zip(b.chunks(8)) {
        lanes.iter_mut().zip(a.iter().zip(b)).for_each(|(lane, (a, b))| *lane += a * b);
    }
    lanes.iter().sum()
}

fn add(x: &[f32], y: &mut [f32]) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y += x);
}
