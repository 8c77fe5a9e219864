//! One reply of a model, and how it went.

use crate::exit::{Failure, Outcome};
use crate::heat::{Heat, Story};
use crate::load::{Model, megabytes, threads_in_words};
use crate::status::Status;
use dram_runtime::text::Channel;
use dram_runtime::{End, Reply, Session, Step};
use serde_json::{Value, json};
use std::io;
use std::time::{Duration, Instant};

/// Why a reply is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Stop,
    Length,
    Context,
    Interrupted,
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
    /// `asked` is when the user asked. The reply ends early if the user interrupts it, and takes
    /// longer where it is hot; `status` tells how it goes.
    pub(crate) fn make(
        mut reply: Reply<'_, '_, '_>,
        prompt_tokens: usize,
        asked: Instant,
        status: &Status,
        heat: &mut Heat,
        mut show: impl FnMut(Channel, &str) -> io::Result<()>,
    ) -> Outcome<Self> {
        let start = Instant::now();
        let mut answer = Self::empty(prompt_tokens);
        let mut shown = Ok(());
        heat.begin(&mut reply);
        status.begin();
        while !status.interrupt.is_asked() {
            let began = Instant::now();
            let step = reply.step(|channel, text| {
                answer.append(channel, text);
                status.say(channel);
                if shown.is_ok() {
                    shown = show(channel, text);
                }
            });
            std::mem::replace(&mut shown, Ok(()))?;
            match step? {
                Step::Read(_) => answer.prefill = start.elapsed(),
                Step::Token(token) => answer.add(token, asked),
                Step::End(end) => {
                    answer.ending = end.into();
                    break;
                }
            }
            heat.keep(&mut reply, began.elapsed(), &status.interrupt);
            status.count(answer.tokens.len(), heat.is_hot());
        }
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
    fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::Context => "context",
            Self::Interrupted => "interrupted",
        }
    }
}

impl From<End> for Ending {
    fn from(end: End) -> Self {
        match end {
            End::Stop(_) => Self::Stop,
            End::Length => Self::Length,
            End::Context => Self::Context,
        }
    }
}

fn speed(tokens: usize, time: Duration) -> f64 {
    if time.is_zero() { 0.0 } else { tokens as f64 / time.as_secs_f64() }
}
