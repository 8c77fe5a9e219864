//! A transformer in plain loops, one token at a time, to check the runtime against.
//!
//! It shares nothing with the runtime but what is promised of numbers: keys and values are kept as
//! half floats, and a matrix of integers is multiplied with activations rounded to 8 bits in blocks
//! as long as its own. All else is `f64`.

use crate::tiny::{Shape, Tiny};
use dram_quant::{Format, f16_to_f32, f32_to_f16};
use std::collections::HashMap;

pub(crate) struct Oracle {
    shape: Shape,
    matrices: HashMap<String, Matrix>,
    /// `(layers, positions, kv_heads * head_len)`.
    keys: Vec<Vec<Vec<f64>>>,
    values: Vec<Vec<Vec<f64>>>,
}

struct Matrix {
    format: Format,
    len: usize,
    /// `(rows, len)`.
    weights: Vec<f32>,
}

impl Oracle {
    pub(crate) fn new(model: &Tiny) -> Self {
        let matrices = model.tensors.iter().map(|tensor| {
            let mut weights = vec![0.0; tensor.rows.unwrap_or(1) * tensor.len];
            tensor.format.decode(&tensor.bytes, &mut weights);
            let matrix = Matrix { format: tensor.format, len: tensor.len, weights };
            (tensor.name.clone(), matrix)
        });
        let layers = model.shape.layers;
        Self {
            matrices: matrices.collect(),
            shape: model.shape.clone(),
            keys: vec![Vec::new(); layers],
            values: vec![Vec::new(); layers],
        }
    }

    /// The logits after `token`, the next of the sequence.
    pub(crate) fn forward(&mut self, token: u32) -> Vec<f64> {
        let embedding_length = self.shape.embedding_length;
        let embedding = &self.matrices["token_embd.weight"].weights;
        let mut x: Vec<f64> = embedding[token as usize * embedding_length..][..embedding_length]
            .iter()
            .map(|&w| w.into())
            .collect();
        for layer in 0..self.shape.layers {
            let h = self.norm(&format!("blk.{layer}.attn_norm.weight"), &x);
            add(&mut x, &self.attend(layer, &h));
            let h = self.norm(&format!("blk.{layer}.ffn_norm.weight"), &x);
            add(&mut x, &self.feed_forward(layer, &h));
        }
        let h = self.norm("output_norm.weight", &x);
        let head = if self.shape.tied { "token_embd.weight" } else { "output.weight" };
        self.matrices[head].multiply(&h)
    }

    fn attend(&mut self, layer: usize, x: &[f64]) -> Vec<f64> {
        let position = self.keys[layer].len();
        let mut q = self.linear(layer, "attn_q", x);
        let mut k = self.linear(layer, "attn_k", x);
        let v = self.linear(layer, "attn_v", x);
        self.rotate(position, &mut q);
        self.rotate(position, &mut k);
        self.keys[layer].push(halves(&k));
        self.values[layer].push(halves(&v));
        let head_len = self.shape.head_len();
        let heads = q.chunks(head_len).enumerate();
        let y: Vec<f64> = heads.flat_map(|(head, q)| self.head(layer, head, q)).collect();
        self.linear(layer, "attn_output", &y)
    }

    /// What query head `head` reads from the values of its group.
    fn head(&self, layer: usize, head: usize, q: &[f64]) -> Vec<f64> {
        let group = head * self.shape.kv_heads / self.shape.heads;
        let part = group * q.len()..(group + 1) * q.len();
        let scale = (q.len() as f64).sqrt();
        let scores = self.keys[layer].iter().map(|k| dot(q, &k[part.clone()]) / scale);
        let weights: Vec<f64> = scores.map(f64::exp).collect();
        let sum: f64 = weights.iter().sum();
        let mut y = vec![0.0; q.len()];
        for (weight, v) in weights.iter().zip(&self.values[layer]) {
            for (y, v) in y.iter_mut().zip(&v[part.clone()]) {
                *y += weight / sum * v;
            }
        }
        y
    }

    fn feed_forward(&self, layer: usize, x: &[f64]) -> Vec<f64> {
        let gate = self.linear(layer, "ffn_gate", x);
        let up = self.linear(layer, "ffn_up", x);
        let silu = |g: f64| g / (1.0 + (-g).exp());
        let y: Vec<f64> = gate.iter().zip(&up).map(|(&g, u)| silu(g) * u).collect();
        self.linear(layer, "ffn_down", &y)
    }

    /// Turns each head by the angles of its position: qwen2 pairs an element with the one half a
    /// head on, llama with its neighbour.
    fn rotate(&self, position: usize, x: &mut [f64]) {
        let factors = self.matrices.get("rope_freqs.weight");
        let pairs = self.shape.head_len() / 2;
        for x in x.chunks_mut(2 * pairs) {
            for i in 0..pairs {
                let factor = factors.map_or(1.0, |factors| factors.weights[i].into());
                let exponent = -(i as f64) / pairs as f64;
                let frequency = f64::from(self.shape.rope_base).powf(exponent) / factor;
                let (sin, cos) = (position as f64 * frequency).sin_cos();
                let adjacent = self.shape.architecture == "llama";
                let (a, b) = if adjacent { (2 * i, 2 * i + 1) } else { (i, i + pairs) };
                (x[a], x[b]) = (x[a] * cos - x[b] * sin, x[a] * sin + x[b] * cos);
            }
        }
    }

    /// A part of a layer: its matrix, and its bias if it has one.
    fn linear(&self, layer: usize, part: &str, x: &[f64]) -> Vec<f64> {
        let mut y = self.matrices[&format!("blk.{layer}.{part}.weight")].multiply(x);
        if let Some(bias) = self.matrices.get(&format!("blk.{layer}.{part}.bias")) {
            y.iter_mut().zip(&bias.weights).for_each(|(y, b)| *y += f64::from(*b));
        }
        y
    }

    fn norm(&self, name: &str, x: &[f64]) -> Vec<f64> {
        let mean = dot(x, x) / x.len() as f64;
        let scale = 1.0 / (mean + f64::from(self.shape.eps)).sqrt();
        let weights = &self.matrices[name].weights;
        x.iter().zip(weights).map(|(x, w)| x * scale * f64::from(*w)).collect()
    }
}

impl Matrix {
    fn multiply(&self, x: &[f64]) -> Vec<f64> {
        let x = if self.format.is_float() { x.to_vec() } else { rounded(x, self.format.weights()) };
        let row = |row: &[f32]| row.iter().zip(&x).map(|(w, x)| f64::from(*w) * x).sum();
        self.weights.chunks(self.len).map(row).collect()
    }
}

/// Activations as 8-bit integers times a scale for each block, as the runtime gives them to matrices
/// of integers.
fn rounded(x: &[f64], block: usize) -> Vec<f64> {
    let mut y = Vec::with_capacity(x.len());
    for unit in x.chunks(block) {
        let largest = unit.iter().fold(0.0_f64, |largest, x| largest.max(x.abs())) as f32;
        let inverse = if largest > 0.0 { 127.0 / largest } else { 0.0 };
        let integer = |x: f64| (x as f32 * inverse).round_ties_even();
        y.extend(unit.iter().map(|&x| f64::from(integer(x)) * f64::from(largest / 127.0)));
    }
    y
}

fn halves(x: &[f64]) -> Vec<f64> {
    x.iter().map(|&x| f16_to_f32(f32_to_f16(x as f32)).into()).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(x: &mut [f64], y: &[f64]) {
    x.iter_mut().zip(y).for_each(|(x, y)| *x += y);
}
