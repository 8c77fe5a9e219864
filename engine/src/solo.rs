//! A model that one asks at a time.

use crate::answer::{Answer, Asking, Question};
use crate::batch::BatchMemory;
use crate::error::{EngineError, Outcome};
use crate::heat::Heat;
use crate::load::Model;
use dram_runtime::text::{Channel, Encoder};
use dram_runtime::{Batch, ReplyOptions, Sampling, Sequence, Session};

/// Memory that a [`Solo`] takes beside its session.
pub struct SoloMemory {
    batch: BatchMemory,
    encoder: Vec<u8>,
}

/// A model and all that its answers need, for one who asks at a time: a batch of one.
pub struct Solo<'c, 'a> {
    /// The model.
    pub model: &'c Model<'c>,
    pub(crate) session: &'c mut Session<'a>,
    pub(crate) encoder: Encoder<'c>,
    batch: Batch<'c>,
    sampling: Sampling,
    heat: Heat,
}

impl SoloMemory {
    /// Enough for a session.
    pub fn new(session: &Session<'_>) -> Self {
        Self { batch: BatchMemory::new(session), encoder: vec![0; Encoder::BYTES] }
    }
}

impl<'c, 'a> Solo<'c, 'a> {
    /// Takes over a session.
    ///
    /// # Errors
    ///
    /// If `memory` is that of another session.
    pub fn new(
        model: &'c Model<'c>,
        session: &'c mut Session<'a>,
        memory: &'c mut SoloMemory,
        sampling: Sampling,
        heat: Heat,
    ) -> Outcome<Self> {
        let batch = memory.batch.batch(model.vocab)?;
        let encoder = Encoder::new(model.vocab, &mut memory.encoder)?;
        Ok(Self { model, session, encoder, batch, sampling, heat })
    }

    /// Continues a text as it stands, without template; names of control tokens in it are these
    /// tokens. Pieces are passed to `show`.
    ///
    /// # Errors
    ///
    /// As [`Answer::make`].
    pub fn complete<E: From<EngineError>>(
        &mut self,
        text: &str,
        asking: &Asking<'_>,
        show: impl FnMut(Channel, &str) -> Result<(), E>,
    ) -> Result<Answer, E> {
        let mut tokens = Vec::new();
        self.encoder.encode_leading(text, true, |id| tokens.push(id));
        let sequence = self.session.open().map_err(EngineError::from)?;
        let answer = self.answer(&tokens, (sequence, 0), None, asking, show);
        self.session.close(sequence).map_err(EngineError::from)?;
        answer
    }

    /// Answers the tokens of a prompt, of which `sequence` has the first `known`.
    pub(crate) fn answer<E: From<EngineError>>(
        &mut self,
        tokens: &[u32],
        (sequence, known): (Sequence, usize),
        start: Option<Channel>,
        asking: &Asking<'_>,
        show: impl FnMut(Channel, &str) -> Result<(), E>,
    ) -> Result<Answer, E> {
        let Self { session, batch, heat, sampling, .. } = self;
        let max_tokens = asking.most;
        let options = ReplyOptions { sampling: *sampling, start, max_tokens, logprobs: None };
        let question = Question { tokens, sequence, known, options };
        Answer::make(session, batch, heat, &question, asking, show)
    }
}
