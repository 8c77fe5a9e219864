//! Memory for passes of many replies.

use crate::error::Outcome;
use dram_runtime::text::Vocab;
use dram_runtime::{Batch, Column, Scratch, Session};

/// What a [`Batch`] takes beside its session.
pub struct BatchMemory {
    tokens: usize,
    scratch: Vec<u8>,
    columns: Vec<Column>,
}

impl BatchMemory {
    /// Enough for passes as long as a session's.
    pub fn new(session: &Session<'_>) -> Self {
        let tokens = session.plan().tokens();
        let columns = vec![Column::default(); session.limits().batch];
        Self { tokens, scratch: vec![0; Scratch::bytes(tokens)], columns }
    }

    /// A batch in this memory.
    ///
    /// # Errors
    ///
    /// As [`Batch::new`].
    pub fn batch<'b>(&'b mut self, vocab: &'b Vocab<'b>) -> Outcome<Batch<'b>> {
        Ok(Batch::new(vocab, self.tokens, &mut self.columns, &mut self.scratch)?)
    }
}
