//! What of a model's file must be there to tell whether it fits.

use crate::error::Outcome;
use dram_runtime::model::{Gguf, Map, Tensor};
use std::ops::Range;
use std::path::Path;

/// The bytes of a file that say what the model is.
#[derive(Clone, Debug)]
pub struct Header {
    /// Where the data of the first tensor begins: all before it says what the model is.
    pub bytes: u64,
    /// Where the one tensor lies whose numbers do, too; empty where there is none.
    pub rope_factors: Range<u64>,
}

impl Header {
    /// Finds them in a file of the whole one's size, of which the first bytes are there.
    ///
    /// # Errors
    ///
    /// If what is there cannot be read as a model, maybe because it is too little.
    pub fn of(path: &Path) -> Outcome<Self> {
        let map = Map::open(path)?;
        let parts = [&*map];
        let gguf = Gguf::join(&parts)?;
        let base = map.as_ptr().addr();
        let place = |tensor: Tensor<'_>| {
            let start = tensor.bytes().as_ptr().addr() - base;
            start as u64..(start + tensor.bytes().len()) as u64
        };
        let first = gguf.tensors().map(|tensor| place(tensor).start).min();
        Ok(Self {
            bytes: first.unwrap_or(map.len() as u64),
            rope_factors: gguf.tensor("rope_freqs.weight").map_or(0..0, place),
        })
    }
}
