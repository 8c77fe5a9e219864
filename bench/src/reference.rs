//! What a file's weights say when nothing is rounded to 8 bits: the tests' oracle, with products in
//! f32 on several threads.
//!
//! The oracle is in the runtime's tests, where no program carries it, and this is its only other
//! user.

#[path = "../../runtime/tests/oracle/mod.rs"]
mod oracle;

use crate::multiply::multiply;
use dram_quant::Matrix;
use dram_runtime::{Error, Gguf};
use oracle::{Oracle, Rounding};

/// The forward pass of one model.
pub(crate) struct Reference<'a>(Oracle<'a, F32>);

/// Rounds nothing but products, to f32.
struct F32 {
    threads: usize,
}

impl<'a> Reference<'a> {
    /// Reads what the pass needs to know from the file.
    pub(crate) fn new(gguf: &'a Gguf<'a>, threads: usize) -> Result<Self, Error> {
        Ok(Self(Oracle::new(gguf, F32 { threads })?))
    }

    /// The logits of positions `first..` of `tokens`, `(tokens - first, vocabulary)`.
    pub(crate) fn logits(&self, tokens: &[u32], first: usize) -> Result<Vec<f32>, Error> {
        Ok(self.0.logits(tokens, first)?.into_iter().map(|x| x as f32).collect())
    }
}

impl Rounding for F32 {
    fn multiply(&self, w: &Matrix<'_>, x: &[f64]) -> Vec<f64> {
        let x: Vec<f32> = x.iter().map(|&x| x as f32).collect();
        multiply(w, &x, self.threads).into_iter().map(f64::from).collect()
    }

    fn keep(&self, kv: Vec<f64>) -> Vec<f64> {
        kv
    }
}
