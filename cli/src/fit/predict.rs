//! How fast a model may be on a board, from physics alone.

use dram_boards::{Bandwidth, Basis, Board};
use dram_runtime::model::Plan;
use serde_json::{Value, json};
use std::io::{self, Write};

/// Predictions in tokens a second; `None` where the board's figures are not known.
pub(super) struct Speed {
    /// Weights are read once a token.
    decode: Option<f64>,
    /// Every weight of the layers is a product for each token.
    prefill: Option<f64>,
    /// What the first is of.
    bandwidth: Option<Bandwidth>,
    bytes_per_token: usize,
}

impl Speed {
    pub(super) fn predict(board: &Board, plan: &Plan<'_>) -> Self {
        let bandwidth = board.best_bandwidth().cloned();
        let bytes_per_token = plan.bytes_per_token();
        let rate = bandwidth.as_ref().map(|bandwidth| bandwidth.gbytes_per_second * 1e9);
        let threads = board.threads.map_or(1, |threads| threads.prefill);
        let products = board.products_per_second(threads);
        Self {
            decode: rate.map(|rate| rate / bytes_per_token.max(1) as f64),
            prefill: products.map(|products| products / products_per_token(plan).max(1) as f64),
            bandwidth,
            bytes_per_token,
        }
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "decode_tokens_per_second": self.decode,
            "prefill_tokens_per_second": self.prefill,
            "bytes_per_token": self.bytes_per_token,
            "bandwidth": self.bandwidth,
        })
    }

    /// In a few words.
    pub(super) fn line(&self) -> String {
        let decode = self.decode.zip(self.bandwidth.as_ref());
        decode.map_or_else(String::new, |(decode, bandwidth)| {
            let sign = if bandwidth.basis == Basis::Theoretical { "less than " } else { "" };
            format!("{sign}{decode:.1} tokens/s predicted")
        })
    }

    pub(super) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let (Some(decode), Some(bandwidth)) = (self.decode, &self.bandwidth) else {
            return writeln!(out, "speed      not predicted: the board's memory was not measured");
        };
        let basis = match bandwidth.basis {
            Basis::OneCore => "as one core does",
            Basis::AllCores => "as measured",
            Basis::Theoretical => "which it does in theory",
        };
        let rate = bandwidth.gbytes_per_second;
        writeln!(
            out,
            "predicted  {decode:.1} tokens/s if its memory reads {rate:.1} GB/s, {basis}"
        )?;
        let Some(prefill) = self.prefill else { return Ok(()) };
        writeln!(out, "           less than {prefill:.0} tokens/s of a prompt, the cores' limit")
    }
}

/// Products of 8-bit numbers for a token of a prompt, which needs no logits.
fn products_per_token(plan: &Plan<'_>) -> usize {
    let of_layer = |i| {
        let layer = plan.layer(i);
        let all = [layer.q, layer.k, layer.v, layer.o, layer.gate, layer.up, layer.down];
        all.iter().map(|matrix| matrix.rows() * matrix.len()).sum::<usize>()
    };
    (0..plan.config.layers).map(of_layer).sum()
}
