//! How a model is to be laid out in memory, as plain data.

use dram_runtime::{KvFormat, Limits};

/// How a model's weights lie in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Weights {
    /// Whichever is faster on this CPU and fits.
    #[default]
    Auto,
    /// Mapped as the file has them.
    Rows,
    /// Arranged in tiles.
    Tiles,
}

/// What a face asks for when it loads a model; what is `None` is left to the model and the board.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Positions of prompt and answer together, 0 being what the model was trained for; 4096 unless
    /// asked, or what the model was trained for if that is less.
    pub context: Option<usize>,
    /// Format of keys and values.
    pub kv: KvFormat,
    /// Threads; as the board wants them, else as many as there are fast cores.
    pub threads: Option<usize>,
    /// Fast cores that are left to other programs; one always computes.
    pub spare: usize,
    /// How weights lie.
    pub weights: Weights,
    /// Whether the weights are locked in memory.
    pub mlock: bool,
    /// Whether to run even if the free memory does not hold the weights.
    pub force: bool,
    /// Sequences at a time; one unless asked.
    pub sequences: Option<usize>,
    /// Pages of keys and values that sequences share; as many as all of them take at full length.
    pub pages: Option<usize>,
}

impl LoadOptions {
    /// Positions for a model that was trained for so many.
    pub(crate) fn context_of(&self, trained: usize) -> usize {
        match self.context {
            Some(0) => trained,
            Some(asked) => asked,
            None => Limits::default().context.min(trained),
        }
    }
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            context: None,
            kv: KvFormat::F16,
            threads: None,
            spare: 0,
            weights: Weights::Auto,
            mlock: false,
            force: false,
            sequences: None,
            pages: None,
        }
    }
}
