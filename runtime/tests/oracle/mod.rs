//! A transformer in plain loops over a whole window of tokens, to check the runtime against.
//!
//! It reads the file's keys and tensors by itself, and shares nothing with the runtime but the
//! container and the formats of weights. Sums are `f64`, and how products and what is kept of the
//! past are rounded is the caller's choice: tests round as the runtime promises to, `bench` not at
//! all.

use dram_quant::Matrix;
use dram_runtime::{Error, Gguf};
use std::f64::consts::PI;
use std::thread;

/// What is rounded in a pass.
pub(crate) trait Rounding: Sync {
    /// `w · x` for every column: from `(columns, len)` to `(columns, rows)`.
    fn multiply(&self, w: &Matrix<'_>, x: &[f64]) -> Vec<f64>;

    /// Keys or values as later positions meet them.
    fn keep(&self, kv: Vec<f64>) -> Vec<f64>;
}

/// The forward pass of one model.
pub(crate) struct Oracle<'a, R> {
    gguf: &'a Gguf<'a>,
    rounding: R,
    layers: usize,
    embedding_length: usize,
    feed_forward_length: usize,
    heads: usize,
    kv_heads: usize,
    head_len: usize,
    eps: f64,
    rope_base: f64,
    scaling: Scaling,
}

/// Rope in a context longer than the one it was made for.
struct Scaling {
    /// Of pairs that turn slowly, and without YaRN of all.
    factor: f64,
    /// YaRN's: positions it was made for.
    context: Option<f64>,
    magnitude: f64,
}

impl Scaling {
    fn read(gguf: &Gguf<'_>) -> Result<Self, Error> {
        let find = |name: &str| gguf.find::<f32>(gguf.hyper(name)).map(|x| x.map(f64::from));
        let factor = find("rope.scaling.factor")?.or(find("rope.scale_linear")?).unwrap_or(1.0);
        let magnitude = find("rope.scaling.attn_factor")?.unwrap_or(1.0);
        let is_yarn = gguf.find::<&str>(gguf.hyper("rope.scaling.type"))? == Some("yarn");
        let context = gguf.find::<u32>(gguf.hyper("rope.scaling.original_context_length"))?;
        let context = context.filter(|_| is_yarn).map(f64::from);
        let from_factor = if is_yarn { 1.0 + 0.1 * factor.ln() } else { 1.0 };
        Ok(Self { factor, context, magnitude: magnitude * from_factor })
    }
}

impl<'a, R: Rounding> Oracle<'a, R> {
    /// Reads what the pass needs to know from the file.
    ///
    /// # Errors
    ///
    /// The first key that is missing or of another type.
    pub(crate) fn new(gguf: &'a Gguf<'a>, rounding: R) -> Result<Self, Error> {
        let find =
            |name: &str| Ok::<_, Error>(gguf.find::<u32>(gguf.hyper(name))?.map(|n| n as usize));
        let number = |name: &str| gguf.get::<u32>(gguf.hyper(name)).map(|n| n as usize);
        let (embedding_length, heads) =
            (number("embedding_length")?, number("attention.head_count")?);
        Ok(Self {
            gguf,
            rounding,
            layers: number("block_count")?,
            embedding_length,
            feed_forward_length: number("feed_forward_length")?,
            heads,
            kv_heads: find("attention.head_count_kv")?.unwrap_or(heads),
            head_len: find("attention.key_length")?.unwrap_or(embedding_length / heads),
            eps: gguf.get::<f32>(gguf.hyper("attention.layer_norm_rms_epsilon"))?.into(),
            rope_base: gguf.find::<f32>(gguf.hyper("rope.freq_base"))?.unwrap_or(1e4).into(),
            scaling: Scaling::read(gguf)?,
        })
    }

    /// The logits at positions `first..` of a sequence of `tokens`: `(tokens - first, vocabulary)`.
    ///
    /// # Errors
    ///
    /// The first tensor that is missing or has another shape.
    pub(crate) fn logits(&self, tokens: &[u32], first: usize) -> Result<Vec<f64>, Error> {
        let (len, embedding) = (self.embedding_length, self.embedding()?);
        let mut row = vec![0.0; len];
        let mut x = Vec::with_capacity(tokens.len() * len);
        for token in tokens {
            embedding.decode_row(*token as usize, &mut row);
            x.extend(row.iter().map(|&x| f64::from(x)));
        }
        for layer in 0..self.layers {
            let part = |part: &str| format!("blk.{layer}.{part}");
            let h = self.norm(&part("attn_norm.weight"), len, x.clone())?;
            add(&self.attend(layer, &h)?, &mut x);
            let h = self.norm(&part("ffn_norm.weight"), len, x.clone())?;
            add(&self.feed_forward(layer, &h)?, &mut x);
        }
        let h = self.norm("output_norm.weight", len, x.split_off(first * len))?;
        let output = self.gguf.tensor("output.weight");
        let output = output.map_or(Ok(embedding), |w| w.matrix(embedding.rows(), len))?;
        let mut logits = self.rounding.multiply(&output, &h);
        self.add_bias("output.bias", embedding.rows(), &mut logits)?;
        Ok(logits)
    }

    fn embedding(&self) -> Result<Matrix<'a>, Error> {
        let name = "token_embd.weight";
        let rows = self.gguf.tensor(name).map_or(0, |w| w.dims().iter().skip(1).product());
        self.gguf.matrix(name, rows, self.embedding_length)
    }

    fn attend(&self, layer: usize, x: &[f64]) -> Result<Vec<f64>, Error> {
        let (query_len, kv_len) = (self.heads * self.head_len, self.kv_heads * self.head_len);
        let q = self.linear(layer, "attn_q", [query_len, self.embedding_length], x)?;
        let k = self.linear(layer, "attn_k", [kv_len, self.embedding_length], x)?;
        let v = self.linear(layer, "attn_v", [kv_len, self.embedding_length], x)?;
        let q = self.place(layer, "attn_q_norm", query_len, q)?;
        let k = self.place(layer, "attn_k_norm", kv_len, k)?;
        let [k, v] = [k, v].map(|kv| self.rounding.keep(kv));
        let mut y = vec![0.0; q.len()];
        thread::scope(|scope| {
            let share = y.len().div_ceil(query_len * 4) * query_len;
            for (i, y) in y.chunks_mut(share).enumerate() {
                let (q, k, v) = (&q[i * share..][..y.len()], &k, &v);
                scope.spawn(move || self.read(i * share / query_len, q, [k, v], y));
            }
        });
        self.linear(layer, "attn_output", [self.embedding_length, query_len], &y)
    }

    /// What the positions from `first` on, whose queries `q` has, read from all before them.
    fn read(&self, first: usize, q: &[f64], [k, v]: [&[f64]; 2], y: &mut [f64]) {
        let (len, kv_len) = (self.head_len, self.kv_heads * self.head_len);
        for (i, (q, y)) in q.chunks_exact(len).zip(y.chunks_exact_mut(len)).enumerate() {
            let (past, head) = (first + i / self.heads + 1, i % self.heads);
            let part = |p: usize| p * kv_len + head * self.kv_heads / self.heads * len;
            let scores = (0..past).map(|p| dot(q, &k[part(p)..][..len]) / (len as f64).sqrt());
            let scores: Vec<f64> = scores.collect();
            let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let weights: Vec<f64> = scores.iter().map(|s| (s - largest).exp()).collect();
            let sum: f64 = weights.iter().sum();
            for (p, weight) in weights.iter().enumerate() {
                let v = &v[part(p)..][..len];
                y.iter_mut().zip(v).for_each(|(y, v)| *y += weight / sum * v);
            }
        }
    }

    fn feed_forward(&self, layer: usize, x: &[f64]) -> Result<Vec<f64>, Error> {
        let (len, inner) = (self.embedding_length, self.feed_forward_length);
        let mut gate = self.linear(layer, "ffn_gate", [inner, len], x)?;
        let up = self.linear(layer, "ffn_up", [inner, len], x)?;
        gate.iter_mut().zip(up).for_each(|(g, u)| *g = *g / (1.0 + (-*g).exp()) * u);
        self.linear(layer, "ffn_down", [len, inner], &gate)
    }

    /// Normalises heads where the model has a norm for them, then turns each by the angles of its
    /// position; a position has `row` numbers.
    fn place(&self, layer: usize, norm: &str, row: usize, x: Vec<f64>) -> Result<Vec<f64>, Error> {
        let norm = format!("blk.{layer}.{norm}.weight");
        let has_norm = self.gguf.tensor(&norm).is_some();
        let mut x = if has_norm { self.norm(&norm, self.head_len, x)? } else { x };
        let frequencies = self.frequencies()?;
        let pairs = frequencies.len();
        let magnitude = self.scaling.magnitude;
        // The converter of llama's files makes the two of a pair neighbours; the others' does not.
        let are_neighbours = self.gguf.architecture() == "llama";
        for (position, x) in x.chunks_exact_mut(row).enumerate() {
            for (i, frequency) in frequencies.iter().enumerate() {
                let (sin, cos) = (position as f64 * frequency).sin_cos();
                let (sin, cos) = (magnitude * sin, magnitude * cos);
                let (a, b) = if are_neighbours { (2 * i, 2 * i + 1) } else { (i, i + pairs) };
                for x in x.chunks_exact_mut(self.head_len) {
                    (x[a], x[b]) = (x[a] * cos - x[b] * sin, x[a] * sin + x[b] * cos);
                }
            }
        }
        Ok(x)
    }

    /// The angle of each pair of a head at position 1.
    fn frequencies(&self) -> Result<Vec<f64>, Error> {
        let pairs = self.head_len / 2;
        let factors = self.gguf.tensor("rope_freqs.weight");
        let factors = factors.map_or(Ok(&[][..]), |factors| factors.vector(pairs))?;
        let frequency = |i: usize| {
            let factor = factors.get(i).map_or(1.0, |&factor| f64::from(factor));
            self.rope_base.powf(-(i as f64) / pairs as f64) / factor
        };
        let mut frequencies: Vec<f64> = (0..pairs).map(frequency).collect();
        let Scaling { factor, context, .. } = self.scaling;
        let Some(context) = context else {
            frequencies.iter_mut().for_each(|frequency| *frequency /= factor);
            return Ok(frequencies);
        };
        // The pair whose wave fits so often into the context: the formula above, solved for i. Those
        // that fit 32 times stay, those that fit once or less are slowed down by all of the factor.
        let pair = |waves: f64| {
            let wave = context / waves;
            (wave / (2.0 * PI)).ln() / self.rope_base.ln() * pairs as f64
        };
        let (first, last) = (pair(32.0).floor().max(0.0), pair(1.0).ceil());
        for (i, frequency) in frequencies.iter_mut().enumerate() {
            let mix = ((i as f64 - first) / (last - first)).clamp(0.0, 1.0);
            *frequency = (1.0 - mix) * *frequency + mix * *frequency / factor;
        }
        Ok(frequencies)
    }

    /// A part of a layer: its matrix, and its bias if it has one.
    fn linear(
        &self,
        layer: usize,
        part: &str,
        [rows, len]: [usize; 2],
        x: &[f64],
    ) -> Result<Vec<f64>, Error> {
        let w = self.gguf.matrix(&format!("blk.{layer}.{part}.weight"), rows, len)?;
        let mut y = self.rounding.multiply(&w, x);
        self.add_bias(&format!("blk.{layer}.{part}.bias"), rows, &mut y)?;
        Ok(y)
    }

    fn add_bias(&self, name: &str, len: usize, y: &mut [f64]) -> Result<(), Error> {
        if let Some(bias) = self.gguf.tensor(name) {
            let bias: Vec<f64> = bias.vector(len)?.iter().map(|&b| b.into()).collect();
            y.chunks_exact_mut(len).for_each(|y| add(&bias, y));
        }
        Ok(())
    }

    /// `rms_norm` of every `len` numbers.
    fn norm(&self, name: &str, len: usize, mut x: Vec<f64>) -> Result<Vec<f64>, Error> {
        let w = self.gguf.vector(name, len)?;
        for x in x.chunks_exact_mut(len) {
            let scale = 1.0 / (dot(x, x) / len as f64 + self.eps).sqrt();
            x.iter_mut().zip(w).for_each(|(x, w)| *x *= scale * f64::from(*w));
        }
        Ok(x)
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(x: &[f64], y: &mut [f64]) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y += x);
}
