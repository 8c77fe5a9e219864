//! What of a model's file must be there to tell what it is.

use dram_runtime::Error;
use dram_runtime::model::{Gguf, Map, Tensor};
use std::ops::Range;
use std::path::Path;

/// The bytes of a file that say what the model is.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    /// Where the data of the first tensor begins: all before it says what the model is.
    pub(crate) bytes: u64,
    /// Where the one tensor lies whose numbers do, too; empty where there is none.
    pub(crate) rope_factors: Range<u64>,
}

impl Header {
    /// Finds them in a file of the whole one's size, of which the first bytes are there.
    ///
    /// # Errors
    ///
    /// If what is there cannot be read as a model, maybe because it is too little.
    pub(crate) fn of(path: &Path) -> Result<Self, Error> {
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
