//! How much a session may hold at once.

use crate::error::{Error, SessionFault};
use crate::model::Config;
use dram_targets::PAGE;

/// How keys and values are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KvFormat {
    /// Half floats.
    #[default]
    F16,
    /// 8-bit integers with a half-float scale for each 32: a little more than half the memory.
    Q8_0,
}

impl KvFormat {
    /// The name that GGUF has for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F16 => "f16",
            Self::Q8_0 => "q8_0",
        }
    }
}

/// The sizes of a session, fixed when it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Positions of one sequence.
    pub context: usize,
    /// Sequences at a time.
    pub sequences: usize,
    /// Pages of [`PAGE`] positions that sequences share; this is what a session's memory is for. As
    /// many as all sequences take at full length are enough.
    pub pages: usize,
    /// Columns of one forward pass; longer prompts take several.
    pub batch: usize,
    /// Columns of one forward pass that may ask for logits.
    pub logits: usize,
    /// Threads, the caller counted.
    pub threads: usize,
    /// How keys and values are kept.
    pub kv: KvFormat,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            context: 4096,
            sequences: 1,
            pages: usize::MAX,
            batch: 256,
            logits: 1,
            threads: 1,
            kv: KvFormat::F16,
        }
    }
}

impl Limits {
    /// The limits as they can be: there are no more pages than all sequences take, a batch is never
    /// longer than all pages, and no limit is 0.
    ///
    /// # Errors
    ///
    /// A [`SessionFault`] if the context is longer than the model's, or the heads are too short
    /// for the KV format.
    pub fn fit(self, config: &Config) -> Result<Self, Error> {
        let most = config.context_length;
        if self.context > most {
            return Err(SessionFault::Context { asked: self.context, most }.into());
        }
        if self.kv == KvFormat::Q8_0 && !config.head_len.is_multiple_of(32) {
            return Err(SessionFault::KvFormat { head_len: config.head_len }.into());
        }
        let (context, sequences) = (self.context.max(1), self.sequences.clamp(1, 1 << 16));
        let pages = self.pages.clamp(1, context.div_ceil(PAGE).saturating_mul(sequences));
        let positions = pages.saturating_mul(PAGE).min(context.saturating_mul(sequences));
        let batch = self.batch.clamp(1, positions.min(1 << 16));
        let logits = self.logits.clamp(1, batch);
        let threads = self.threads.clamp(1, super::pool::MAX_THREADS);
        Ok(Self { context, sequences, pages, batch, logits, threads, kv: self.kv })
    }
}
