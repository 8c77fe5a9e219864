//! One reply of a model, and how it went.

use crate::error::EngineError;
use crate::heat::{Heat, Story};
use crate::status::Status;
use dram_runtime::text::Channel;
use dram_runtime::{
    Batch, Error, FinishReason, Output, Reply, ReplyOptions, Sequence, Session, SessionFault, Step,
};
use std::time::{Duration, Instant};
use std::{mem, slice};

/// Why a reply is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The model ended it.
    Stop,
    /// It has as many tokens as were asked for.
    Length,
    /// The context is full.
    Context,
    /// Somebody stopped it.
    Interrupted,
}

/// What a reply is made to.
pub struct Question<'q> {
    /// All tokens of the prompt.
    pub tokens: &'q [u32],
    /// Where its past is.
    pub sequence: Sequence,
    /// How many of the tokens the sequence has already.
    pub known: usize,
    /// How the reply is made.
    pub options: ReplyOptions,
}

/// What is asked for beside the words.
pub struct Asking<'s> {
    /// Tokens that a reply may have.
    pub most: usize,
    /// When the user asked.
    pub asked: Instant,
    /// Tells how it goes, and may be asked to stop.
    pub status: &'s Status,
}

impl Question<'_> {
    /// The prompt with room for the reply behind it. The last token of a reply needs no position.
    fn room(&self, context: usize) -> Result<Vec<u32>, Error> {
        let len = self.tokens.len();
        if len > context {
            let (tokens, left) = (len - self.known, context - self.known);
            return Err(SessionFault::Prompt { tokens, left }.into());
        }
        let mut tokens = self.tokens.to_vec();
        tokens.resize(len.saturating_add(self.options.max_tokens).min(context + 1), 0);
        Ok(tokens)
    }
}

/// Takes a reply in, and shows it.
struct Telling<'t, F, E> {
    answer: Answer,
    start: Instant,
    asking: &'t Asking<'t>,
    show: F,
    /// How showing the last piece went.
    shown: Result<(), E>,
}

impl<F: FnMut(Channel, &str) -> Result<(), E>, E> Output for Telling<'_, F, E> {
    fn text(&mut self, channel: Channel, text: &str) {
        self.answer.append(channel, text);
        self.asking.status.say(channel);
        if self.shown.is_ok() {
            self.shown = (self.show)(channel, text);
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Read(_) if self.answer.tokens.is_empty() => {
                self.answer.prefill = self.start.elapsed();
            }
            Step::Token { token, .. } => self.answer.add(*token, self.asking.asked),
            Step::Read(_) | Step::Finished(_) => {}
        }
    }
}

/// A reply and how it went.
#[derive(Debug)]
pub struct Answer {
    /// Tokens of the prompt that were read for it.
    pub prompt_tokens: usize,
    /// The reply's tokens.
    pub tokens: Vec<u32>,
    /// What the model thought.
    pub reasoning: String,
    /// What it answered.
    pub text: String,
    /// Whether its thought was not closed.
    pub is_thinking: bool,
    /// Why it is over.
    pub ending: Ending,
    /// To read the prompt.
    prefill: Duration,
    /// From when the user asked to the first token.
    pub first_token: Duration,
    /// From the first token to the end.
    decode: Duration,
    /// How warm it got.
    pub heat: Story,
}

impl Answer {
    /// Makes a reply, and passes each piece of text on as soon as it is known.
    ///
    /// The reply ends early if the status is asked to stop, and takes longer where it is hot; the
    /// status tells how it goes.
    ///
    /// # Errors
    ///
    /// If the context has no room for the prompt, as [`Batch::step`], and those of `show`.
    pub fn make<E: From<EngineError>>(
        session: &mut Session<'_>,
        batch: &mut Batch<'_>,
        heat: &mut Heat,
        question: &Question<'_>,
        asking: &Asking<'_>,
        show: impl FnMut(Channel, &str) -> Result<(), E>,
    ) -> Result<Self, E> {
        let Asking { asked, status, .. } = *asking;
        let mut tokens = question.room(session.limits().context).map_err(EngineError::from)?;
        let answer = Self::empty(question.tokens.len() - question.known);
        let telling = Telling { answer, start: Instant::now(), asking, show, shown: Ok(()) };
        let prompt = question.tokens.len();
        let reply = Reply::new(&mut *tokens, telling, prompt, &question.options);
        let mut reply = reply.map_err(EngineError::from)?;
        reply.attach(question.sequence, question.known);
        heat.begin(session);
        status.begin();
        while reply.finish_reason().is_none() && !status.stop.is_asked() {
            let (began, columns) = (Instant::now(), heat.prompt_columns());
            let replies = slice::from_mut(&mut reply);
            match batch.step(session, replies, columns, status.stop.flag()) {
                Err(Error::Session(SessionFault::Stopped)) => break,
                result => result.map_err(EngineError::from)?,
            }
            mem::replace(&mut reply.output_mut().shown, Ok(()))?;
            heat.keep(session, began.elapsed(), &status.stop);
            status.count(reply.reply_tokens().len(), heat.is_hot());
        }
        let ending =
            reply.finish_reason().map(Ending::of).transpose().map_err(EngineError::from)?;
        let mut answer = mem::replace(&mut reply.output_mut().answer, Self::empty(0));
        answer.is_thinking = reply.channel() == Channel::Reasoning;
        answer.ending = ending.unwrap_or(Ending::Interrupted);
        answer.heat = heat.story();
        answer.decode = asked.elapsed().saturating_sub(answer.first_token);
        Ok(answer)
    }

    fn empty(prompt_tokens: usize) -> Self {
        Self {
            prompt_tokens,
            tokens: Vec::new(),
            reasoning: String::new(),
            text: String::new(),
            is_thinking: false,
            ending: Ending::Interrupted,
            prefill: Duration::ZERO,
            first_token: Duration::ZERO,
            decode: Duration::ZERO,
            heat: Story::default(),
        }
    }

    fn add(&mut self, token: u32, asked: Instant) {
        if self.tokens.is_empty() {
            self.first_token = asked.elapsed();
        }
        self.tokens.push(token);
    }

    fn append(&mut self, channel: Channel, text: &str) {
        match channel {
            Channel::Reasoning => self.reasoning.push_str(text),
            Channel::Answer => self.text.push_str(text),
        }
    }

    /// Tokens of the prompt read in a second.
    pub fn prefill_speed(&self) -> f64 {
        speed(self.prompt_tokens, self.prefill)
    }

    /// Tokens made in a second, behind the first, which comes with the prompt.
    pub fn decode_speed(&self) -> f64 {
        speed(self.tokens.len().saturating_sub(1), self.decode)
    }
}

impl Ending {
    pub(crate) fn of(reason: FinishReason) -> Result<Self, Error> {
        match reason {
            FinishReason::Stop(_) | FinishReason::StopText => Ok(Self::Stop),
            FinishReason::Length => Ok(Self::Length),
            FinishReason::Context => Ok(Self::Context),
            FinishReason::Failed(fault) => Err(fault.into()),
        }
    }

    /// A word for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::Context => "context",
            Self::Interrupted => "interrupted",
        }
    }
}

fn speed(tokens: usize, time: Duration) -> f64 {
    if time.is_zero() { 0.0 } else { tokens as f64 / time.as_secs_f64() }
}
