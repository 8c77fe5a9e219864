//! Prompt in, tokens and text out: what every face calls.

use crate::error::{Error, SessionFault};
use crate::sample::Sampler;
use crate::session::{Sequence, Session};
use crate::text::{Channel, Decoder, Split, Vocab};

/// Why a reply is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The model ended it, with this token.
    Stop(u32),
    /// It has as many tokens as were asked for.
    Length,
    /// The context is full.
    Context,
}

/// What one step of a reply has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Read on in the prompt, of which this many tokens are left.
    Read(usize),
    /// Added this token to the reply.
    Token(u32),
    /// Ended the reply. Steps after it do the same again.
    End(End),
}

/// A reply while it is made, step by step: first the prompt is read, a batch a step, then each
/// step adds a token. Whoever makes it may stop after any step; the sequence then has all tokens
/// so far but the last of the reply, and can go on with another prompt.
pub struct Reply<'r, 'a, 's> {
    session: &'r mut Session<'a>,
    vocab: &'r Vocab<'r>,
    sampler: &'r mut Sampler<'s>,
    sequence: Sequence,
    prompt: &'r [u32],
    /// Tokens of the prompt that a step reads.
    batch: usize,
    /// Tokens the reply may still have.
    left: usize,
    /// The last token, which the session has not seen yet.
    pending: Option<u32>,
    end: Option<End>,
    decoder: Decoder,
    /// `None` where the reply is not divided.
    split: Option<Split>,
}

impl<'r, 'a, 's> Reply<'r, 'a, 's> {
    /// Starts a reply of at most `most` tokens to a prompt that continues `sequence`.
    ///
    /// `start` is the part that the reply begins with, or `None` not to divide it: then all of it
    /// is [`Channel::Answer`].
    ///
    /// # Errors
    ///
    /// [`SessionFault::Prompt`] if the context has no room for the prompt,
    /// [`SessionFault::Closed`] if the sequence is not open.
    pub fn new(
        session: &'r mut Session<'a>,
        vocab: &'r Vocab<'r>,
        sampler: &'r mut Sampler<'s>,
        sequence: Sequence,
        prompt: &'r [u32],
        start: Option<Channel>,
        most: usize,
    ) -> Result<Self, Error> {
        let left = session.limits().context - session.position(sequence)?;
        if prompt.len() > left {
            return Err(SessionFault::Prompt { tokens: prompt.len(), left }.into());
        }
        let end = if prompt.is_empty() || most == 0 { Some(End::Length) } else { None };
        let (decoder, split) = (Decoder::new(), start.map(Split::new));
        let (batch, left, pending) = (session.limits().batch, most, None);
        Ok(Self {
            session,
            vocab,
            sampler,
            sequence,
            prompt,
            batch,
            left,
            pending,
            end,
            decoder,
            split,
        })
    }

    /// Makes one step, and passes the text that it makes known to `sink`.
    ///
    /// # Errors
    ///
    /// As [`Session::forward`] and [`Sampler::choose`].
    pub fn step(&mut self, mut sink: impl FnMut(Channel, &str)) -> Result<Step, Error> {
        if let Some(end) = self.end {
            return Ok(Step::End(end));
        }
        if !self.prompt.is_empty() {
            return self.read();
        }
        if let Some(token) = self.pending {
            if self.left == 0 {
                return Ok(self.finish(End::Length, &mut sink));
            }
            match self.session.pass(self.sequence, &[token], true) {
                Err(Error::Session(SessionFault::Full { .. })) => {
                    return Ok(self.finish(End::Context, &mut sink));
                }
                result => result?,
            }
            self.pending = None;
        }
        let token = self.sampler.choose(self.session.kernels(), self.session.logits(0))?;
        if self.vocab.ends().contains(&token) {
            return Ok(self.finish(End::Stop(token), &mut sink));
        }
        self.sampler.accept(token);
        (self.pending, self.left) = (Some(token), self.left - 1);
        let split = &mut self.split;
        self.decoder.push(self.vocab, token, |text| show(split, text, &mut sink));
        Ok(Step::Token(token))
    }

    /// As [`Session::set_threads`], from the next step on.
    pub fn set_threads(&mut self, decode: usize, prefill: usize) {
        self.session.set_threads(decode, prefill);
    }

    /// From the next step on, reads at most so many tokens of the prompt in a step: at least one, at
    /// most the batch of the session's limits.
    pub fn set_batch(&mut self, tokens: usize) {
        self.batch = tokens.clamp(1, self.session.limits().batch);
    }

    /// Reads the next batch of the prompt.
    fn read(&mut self) -> Result<Step, Error> {
        let batch = self.prompt.len().min(self.batch);
        let (tokens, rest) = self.prompt.split_at(batch);
        self.session.pass(self.sequence, tokens, rest.is_empty())?;
        tokens.iter().for_each(|token| self.sampler.accept(*token));
        self.prompt = rest;
        Ok(Step::Read(rest.len()))
    }

    /// Ends the text: what was held back can no longer become anything else.
    fn finish(&mut self, end: End, sink: &mut impl FnMut(Channel, &str)) -> Step {
        self.end = Some(end);
        let split = &mut self.split;
        self.decoder.finish(|text| show(split, text, sink));
        if let Some(split) = split {
            split.finish(sink);
        }
        Step::End(end)
    }
}

fn show(split: &mut Option<Split>, text: &str, sink: &mut impl FnMut(Channel, &str)) {
    match split {
        Some(split) => split.push(text, sink),
        None => sink(Channel::Answer, text),
    }
}
