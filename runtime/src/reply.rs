//! One answer while it is made: what is to be read next, and what is made of the logits.

use crate::error::{Error, SessionFault};
use crate::logprobs::Logprobs;
use crate::sample::{Constraints, Sampler, Sampling, Scratch};
use crate::session::Sequence;
use crate::text::{Channel, Decoder, Split, StopMatcher, Vocab};
use dram_targets::Kernels;

/// What was asked for: whoever wants a reply brings it.
pub trait Request {
    /// The tokens of the prompt, and behind them room for those of the reply.
    fn tokens(&self) -> &[u32];

    /// The same, to be written to.
    fn tokens_mut(&mut self) -> &mut [u32];

    /// Added to the logits of tokens.
    fn logit_bias(&self) -> &[(u32, f32)] {
        &[]
    }

    /// The `i`-th text that ends the answer, without becoming a part of it. All are asked for, from
    /// 0 on, and must not change.
    fn stop_text(&self, _i: usize) -> Option<&str> {
        None
    }

    /// Tokens that may come next, a bit each as [`Constraints::allowed`] has them; `None` for all.
    fn allowed(&self) -> Option<&[u32]> {
        None
    }
}

impl Request for &mut [u32] {
    fn tokens(&self) -> &[u32] {
        self
    }

    fn tokens_mut(&mut self) -> &mut [u32] {
        self
    }
}

/// Where a reply goes.
pub trait Output {
    /// Takes a piece of text as soon as it is known.
    fn text(&mut self, channel: Channel, text: &str);

    /// Takes note of a step, whose text has been passed on.
    fn step(&mut self, _step: &Step) {}
}

impl<F: FnMut(Channel, &str)> Output for F {
    fn text(&mut self, channel: Channel, text: &str) {
        self(channel, text);
    }
}

/// Why a reply is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishReason {
    /// The model ended it, with this token.
    Stop(u32),
    /// A stop text came.
    StopText,
    /// It has as many tokens as were asked for.
    Length,
    /// The context, or the room of the request, is full.
    Context,
    /// No token could be chosen, or a token of the prompt does not exist.
    Failed(SessionFault),
}

/// What one step of a reply has done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// Read on, and so many tokens are still to be read.
    Read(usize),
    /// Added a token to the reply.
    Token {
        /// Its id.
        token: u32,
        /// How likely it was, if that was asked for.
        logprobs: Option<Logprobs>,
    },
    /// Ended the reply.
    Finished(FinishReason),
}

/// How a reply is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReplyOptions {
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// The part that the reply begins with, or `None` not to divide it: then all of it is
    /// [`Channel::Answer`].
    pub start: Option<Channel>,
    /// Tokens the reply may have.
    pub max_tokens: usize,
    /// How many of the likeliest tokens to tell of with each token that is chosen.
    pub logprobs: Option<usize>,
}

/// What replies share while their tokens are chosen.
pub struct Choosing<'c, 's, 'v> {
    /// The model's vocabulary.
    pub vocab: &'c Vocab<'v>,
    /// The kernels of the session.
    pub kernels: &'static Kernels,
    /// Memory to choose in.
    pub scratch: &'c mut Scratch<'s>,
}

/// The state of one answer. It holds no session: it tells which tokens of its sequence are to be
/// read next ([`Self::wants`]), and makes a token of the logits that come of it ([`Self::take`]).
///
/// What a request may answer depends on nothing but its tokens, options and the model: not on what
/// other replies do, nor on how its tokens are spread over passes.
#[derive(Clone, Debug)]
pub struct Reply<R, O> {
    request: R,
    output: O,
    sampler: Sampler,
    decoder: Decoder,
    /// `None` where the reply is not divided.
    split: Option<Split>,
    stop: StopMatcher,
    logprobs: Option<usize>,
    /// Where its past is kept.
    sequence: Option<Sequence>,
    /// Tokens of the prompt.
    prompt: usize,
    /// Tokens there are: of the prompt and of the reply so far.
    len: usize,
    /// Tokens that the sequence has.
    read: usize,
    /// Tokens there may be before the reply has its length.
    most: usize,
    finish: Option<FinishReason>,
}

impl<R: Request, O: Output> Reply<R, O> {
    /// Starts a reply to the first `prompt` tokens of a request. It is over at once where no tokens
    /// are asked for, or the prompt is empty.
    ///
    /// # Errors
    ///
    /// [`SessionFault::Prompt`] if the request has no room for its prompt.
    pub fn new(
        request: R,
        output: O,
        prompt: usize,
        options: &ReplyOptions,
    ) -> Result<Self, Error> {
        let room = request.tokens().len();
        if prompt > room {
            return Err(SessionFault::Prompt { tokens: prompt, left: room }.into());
        }
        let is_over = prompt == 0 || options.max_tokens == 0;
        Ok(Self {
            request,
            output,
            sampler: Sampler::new(options.sampling),
            decoder: Decoder::new(),
            split: options.start.map(Split::new),
            stop: StopMatcher::default(),
            logprobs: options.logprobs,
            sequence: None,
            prompt,
            len: prompt,
            read: 0,
            most: prompt.saturating_add(options.max_tokens),
            finish: is_over.then_some(FinishReason::Length),
        })
    }

    /// Goes on in `sequence`, which has the first `read` tokens of this reply, and may have all of
    /// them if their logits are then passed to [`Self::take`].
    ///
    /// # Panics
    ///
    /// If there are fewer tokens.
    pub fn attach(&mut self, sequence: Sequence, read: usize) {
        assert!(read <= self.len, "a sequence has no more tokens than its reply");
        (self.sequence, self.read) = (Some(sequence), read);
    }

    /// Lets go of the sequence, which the caller closes or keeps: it has the first [`Self::read`]
    /// of [`Self::tokens`]. Another [`Self::attach`] goes on as if nothing had been.
    pub fn detach(&mut self) -> Option<Sequence> {
        self.sequence.take()
    }

    /// The part that the next text belongs to, as far as is known.
    pub fn channel(&self) -> Channel {
        self.split.as_ref().map_or(Channel::Answer, Split::channel)
    }

    /// The request.
    pub const fn request(&self) -> &R {
        &self.request
    }

    /// The request, of whose tokens those of [`Self::tokens`] must not change.
    pub const fn request_mut(&mut self) -> &mut R {
        &mut self.request
    }

    /// Where the reply goes.
    pub const fn output(&self) -> &O {
        &self.output
    }

    /// Where the reply goes.
    pub const fn output_mut(&mut self) -> &mut O {
        &mut self.output
    }

    /// Where its past is kept.
    pub const fn sequence(&self) -> Option<Sequence> {
        self.sequence
    }

    /// The tokens of the prompt and of the reply so far.
    pub fn tokens(&self) -> &[u32] {
        &self.request.tokens()[..self.len]
    }

    /// The tokens of the reply so far.
    pub fn reply_tokens(&self) -> &[u32] {
        &self.tokens()[self.prompt..]
    }

    /// How many of its tokens the sequence has.
    pub const fn read(&self) -> usize {
        self.read
    }

    /// Why it is over; `None` while it is not.
    pub const fn finish_reason(&self) -> Option<FinishReason> {
        self.finish
    }

    /// The tokens that its sequence is to be given next: the rest of the prompt, or the last token of
    /// the reply. None if the reply is over.
    pub fn wants(&self) -> &[u32] {
        let from = if self.finish.is_some() { self.len } else { self.read };
        &self.request.tokens()[from..self.len]
    }

    /// Takes note that the sequence has been given the first `count` of [`Self::wants`].
    ///
    /// # Panics
    ///
    /// If those are fewer.
    pub fn advance(&mut self, count: usize) {
        assert!(count <= self.len - self.read, "only what is wanted is read");
        self.read += count;
        self.output.step(&Step::Read(self.len - self.read));
    }

    /// Chooses the next token by the logits after the last one, and passes its text on. Where no
    /// token can be chosen, this reply is over and others go on.
    ///
    /// # Panics
    ///
    /// If the sequence has not been given all that the reply wants, or there is not one logit a token.
    pub fn take(&mut self, logits: &[f32], choosing: &mut Choosing<'_, '_, '_>) {
        assert_eq!(self.read, self.len, "logits after the last token");
        if self.finish.is_some() {
            return;
        }
        let tokens = &self.request.tokens()[..self.len];
        let constraints = Constraints {
            past: self.sampler.sampling().window.of(tokens, self.prompt),
            logit_bias: self.request.logit_bias(),
            allowed: self.request.allowed(),
        };
        let Choosing { vocab, kernels, scratch } = choosing;
        let token = match self.sampler.choose(scratch, kernels, logits, &constraints) {
            Ok(token) => token,
            Err(fault) => return self.end(FinishReason::Failed(fault)),
        };
        if vocab.stop_tokens().contains(&token) {
            return self.end(FinishReason::Stop(token));
        }
        let logprobs =
            self.logprobs.map(|count| Logprobs::new(scratch, kernels, logits, token, count));
        self.push(token, vocab, logprobs);
    }

    /// Adds tokens to the reply as if the model had chosen them, as many as its length and room
    /// allow; they are read with the next passes. Nothing is chosen by logits until then.
    pub fn force(&mut self, tokens: &[u32], vocab: &Vocab<'_>) {
        for token in tokens {
            if self.finish.is_none() {
                self.push(*token, vocab, None);
            }
        }
    }

    /// Ends the reply where it is, with everything passed on that was held back.
    pub fn end(&mut self, reason: FinishReason) {
        if self.finish.is_some() {
            return;
        }
        let Self { request, output, decoder, split, stop, .. } = self;
        let mut shown = Shown { request: &*request, output, stop, is_over: false };
        decoder.finish(|text| shown.divide(split, text));
        if let Some(split) = split {
            split.finish(|channel, text| shown.show(channel, text));
        }
        shown.flush();
        let reason = if shown.is_over { FinishReason::StopText } else { reason };
        self.finish = Some(reason);
        self.output.step(&Step::Finished(reason));
    }

    /// Adds a token, passes its text on, and ends the reply if that was the last.
    fn push(&mut self, token: u32, vocab: &Vocab<'_>, logprobs: Option<Logprobs>) {
        let Self { request, output, decoder, split, stop, .. } = self;
        let Some(room) = request.tokens_mut().get_mut(self.len) else {
            return self.end(FinishReason::Context);
        };
        *room = token;
        self.len += 1;
        let mut shown = Shown { request: &*request, output, stop, is_over: false };
        decoder.push(vocab, token, |text| shown.divide(split, text));
        let is_over = shown.is_over;
        self.output.step(&Step::Token { token, logprobs });
        if is_over {
            self.finish = Some(FinishReason::StopText);
            self.output.step(&Step::Finished(FinishReason::StopText));
        } else if self.len == self.most {
            self.end(FinishReason::Length);
        } else if self.len == self.request.tokens().len() {
            self.end(FinishReason::Context);
        }
    }
}

/// Text on its way to the output, until a stop text comes.
struct Shown<'r, R, O> {
    request: &'r R,
    output: &'r mut O,
    stop: &'r mut StopMatcher,
    /// Whether a stop text came: nothing is shown any more.
    is_over: bool,
}

impl<R: Request, O: Output> Shown<'_, R, O> {
    /// Shows text, divided if it is to be.
    fn divide(&mut self, split: &mut Option<Split>, text: &str) {
        match split {
            Some(split) => split.push(text, |channel, text| self.show(channel, text)),
            None => self.show(Channel::Answer, text),
        }
    }

    /// Shows text of a part. Thoughts are not searched for stop texts: what should end an answer may
    /// well be thought of before it.
    fn show(&mut self, channel: Channel, text: &str) {
        if self.is_over {
            return;
        }
        if channel == Channel::Reasoning {
            self.flush();
            return self.output.text(channel, text);
        }
        let Self { request, output, stop, is_over } = self;
        let stop_text = |i| request.stop_text(i);
        *is_over = stop.push(stop_text, text, |text| output.text(channel, text));
    }

    /// Shows what is held back, which can no longer become a stop text.
    fn flush(&mut self) {
        let Self { request, output, stop, .. } = self;
        stop.finish(|i| request.stop_text(i), |text| output.text(Channel::Answer, text));
    }
}
