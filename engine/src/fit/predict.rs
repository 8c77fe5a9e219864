//! How fast a model may be on a board, from physics alone.

use dram_boards::{Bandwidth, Board};
use dram_runtime::model::Plan;

/// Predictions in tokens a second; `None` where the board's figures are not known.
#[derive(Clone, Debug)]
pub struct Speed {
    /// Weights are read once a token.
    pub decode: Option<f64>,
    /// Every weight of the layers is a product for each token.
    pub prefill: Option<f64>,
    /// What the first is of.
    pub bandwidth: Option<Bandwidth>,
    /// Bytes of weights that a token reads.
    pub bytes_per_token: usize,
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
}

/// Products of 8-bit numbers for a token of a prompt, which needs no logits.
fn products_per_token(plan: &Plan<'_>) -> usize {
    let matrices = (0..plan.config.layers).flat_map(|i| plan.layer(i).matrices());
    matrices.map(|w| w.rows() * w.len()).sum()
}
