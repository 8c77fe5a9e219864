//! What a pass over a model's weights costs: the bytes read and the products summed.

use dram_quant::Matrix;
use dram_runtime::{Error, Gguf, Map, Plan};
use std::path::Path;

/// What one pass costs. Attention is left out: it is small beside the weights in a short context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Work {
    /// Bytes of all weights that are multiplied.
    pub bytes: usize,
    /// Multiplications and additions of one column in all layers.
    pub layers: usize,
    /// The same of a column that asks for logits, in the head.
    pub head: usize,
}

impl Work {
    /// The work of a model in a file.
    ///
    /// # Errors
    ///
    /// If it is no model that runs here.
    pub(crate) fn of(model: &Path) -> Result<Self, Error> {
        let maps = Map::open_all(model)?;
        let parts: Vec<&[u8]> = maps.iter().map(|map| &**map).collect();
        let gguf = Gguf::join(&parts)?;
        let mut slots = vec![None; Plan::layers_in(&gguf)?];
        let plan = Plan::new(&gguf, &mut slots)?;
        let weights = |w: Matrix<'_>| w.rows() * w.len();
        let layers = (0..plan.config.layers).flat_map(|i| plan.layer(i).matrices());
        let (layers, head) = (layers.map(weights).sum(), weights(plan.lm_head));
        Ok(Self { bytes: plan.bytes_per_token(), layers, head })
    }

    /// Bytes read a token where one pass takes so many.
    pub(crate) fn bytes_per_token(&self, tokens: usize) -> f64 {
        self.bytes as f64 / tokens as f64
    }

    /// Multiplications and additions a token where one pass takes so many, of which some ask for
    /// logits.
    pub(crate) fn macs_per_token(&self, tokens: usize, asking: usize) -> f64 {
        self.layers as f64 + self.head as f64 * asking as f64 / tokens as f64
    }
}
