//! One reply of a model, and how it went.

use crate::conversation::Asking;
use crate::exit::{Failure, Outcome};
use crate::heat::{Heat, Story};
use crate::load::{Model, megabytes, threads_in_words};
use dram_runtime::text::Channel;
use dram_runtime::{
    Batch, Error, FinishReason, Output, Reply, ReplyOptions, Sequence, Session, SessionFault, Step,
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use std::{io, mem, slice};

/// Why a reply is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Stop,
    Length,
    Context,
    Interrupted,
}

/// What a reply is made to.
pub(crate) struct Question<'q> {
    /// All tokens of the prompt.
    pub tokens: &'q [u32],
    /// Where its past is.
    pub sequence: Sequence,
    /// How many of the tokens the sequence has already.
    pub known: usize,
    pub options: ReplyOptions,
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
struct Telling<'t, F> {
    answer: Answer,
    start: Instant,
    asking: &'t Asking<'t>,
    show: F,
    /// How showing the last piece went.
    shown: io::Result<()>,
}

impl<F: FnMut(Channel, &str) -> io::Result<()>> Output for Telling<'_, F> {
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
pub(crate) struct Answer {
    pub prompt_tokens: usize,
    pub tokens: Vec<u32>,
    pub reasoning: String,
    pub text: String,
    pub ending: Ending,
    /// To read the prompt.
    prefill: Duration,
    /// From when the user asked to the first token.
    first_token: Duration,
    /// From the first token to the end.
    decode: Duration,
    heat: Story,
}

impl Answer {
    /// Makes a reply, and passes each piece of text on as soon as it is known.
    ///
    /// The reply ends early if the user interrupts it, and takes longer where it is hot; the status
    /// tells how it goes.
    pub(crate) fn make(
        session: &mut Session<'_>,
        batch: &mut Batch<'_>,
        heat: &mut Heat,
        question: &Question<'_>,
        asking: &Asking<'_>,
        show: impl FnMut(Channel, &str) -> io::Result<()>,
    ) -> Outcome<Self> {
        let Asking { asked, status, .. } = *asking;
        let mut tokens = question.room(session.limits().context)?;
        let answer = Self::empty(question.tokens.len() - question.known);
        let telling = Telling { answer, start: Instant::now(), asking, show, shown: Ok(()) };
        let prompt = question.tokens.len();
        let mut reply = Reply::new(&mut *tokens, telling, prompt, &question.options)?;
        reply.attach(question.sequence, question.known);
        heat.begin(session);
        status.begin();
        while reply.finish_reason().is_none() && !status.interrupt.is_asked() {
            let (began, columns) = (Instant::now(), heat.prompt_columns());
            let replies = slice::from_mut(&mut reply);
            match batch.step(session, replies, columns, status.interrupt.flag()) {
                Err(Error::Session(SessionFault::Stopped)) => break,
                result => result?,
            }
            mem::replace(&mut reply.output_mut().shown, Ok(()))?;
            heat.keep(session, began.elapsed(), &status.interrupt);
            status.count(reply.reply_tokens().len(), heat.is_hot());
        }
        let ending = reply.finish_reason().map(Ending::of).transpose()?;
        let mut answer = mem::replace(&mut reply.output_mut().answer, Self::empty(0));
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
    fn prefill_speed(&self) -> f64 {
        speed(self.prompt_tokens, self.prefill)
    }

    /// Tokens made in a second, behind the first, which comes with the prompt.
    fn decode_speed(&self) -> f64 {
        speed(self.tokens.len().saturating_sub(1), self.decode)
    }

    /// Everything about the reply, for programs.
    pub(crate) fn to_json(&self, model: &Model<'_>, session: &Session<'_>) -> Value {
        json!({
            "model": model.name(),
            "kernels": session.kernels().name(),
            "threads": model.threads.decode,
            "prefill_threads": model.threads.prefill,
            "prompt_tokens": self.prompt_tokens,
            "tokens": self.tokens,
            "reasoning": self.reasoning,
            "text": self.text,
            "end": self.ending.name(),
            "prefill_ts": self.prefill_speed(),
            "decode_ts": self.decode_speed(),
            "first_token_seconds": self.first_token.as_secs_f64(),
            "weights_bytes": model.weights_bytes,
            "weights_are_mapped": !model.in_tiles,
            "session_bytes": model.session_bytes,
            "heat": self.heat.to_json(),
        })
    }

    /// Speed and memory, for people.
    pub(crate) fn print_speed(&self, model: &Model<'_>, session: &Session<'_>) {
        let how = if model.in_tiles { "in tiles" } else { "mapped" };
        let (threads, kernels) = (threads_in_words(model.threads), session.kernels().name());
        eprintln!();
        eprintln!("prompt  {} tokens, {:.1} a second", self.prompt_tokens, self.prefill_speed());
        eprintln!("answer  {} tokens, {:.1} a second", self.tokens.len(), self.decode_speed());
        eprintln!("first   token after {:.2} s", self.first_token.as_secs_f64());
        eprintln!(
            "memory  {} weights {how}, {} session",
            megabytes(model.weights_bytes),
            megabytes(model.session_bytes)
        );
        eprintln!("with    {kernels} kernels, {threads}");
        if let Some(temperature) = self.heat.temperature() {
            eprintln!("heat    {temperature}");
        }
    }

    /// Tells why an answer is not complete, unless the user wanted it so, and why it was slow.
    pub(crate) fn print_ending(&self) {
        if self.ending == Ending::Context {
            eprintln!("dram: the context is full; --ctx takes a larger one");
        }
        if let Some(slowdown) = self.heat.slowdown() {
            eprintln!("dram: {slowdown}");
        }
    }

    /// Success, unless it was interrupted.
    pub(crate) fn outcome(&self) -> Outcome {
        match self.ending {
            Ending::Interrupted => Err(Failure::interrupted()),
            _ => Ok(()),
        }
    }
}

impl Ending {
    fn of(reason: FinishReason) -> Result<Self, Error> {
        match reason {
            FinishReason::Stop(_) | FinishReason::StopText => Ok(Self::Stop),
            FinishReason::Length => Ok(Self::Length),
            FinishReason::Context => Ok(Self::Context),
            FinishReason::Failed(fault) => Err(fault.into()),
        }
    }

    fn name(self) -> &'static str {
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
