//! What is asked of a scheduler.

use dram_runtime::{ReplyOptions, Request as Asked};
use std::fmt;

/// A prompt and how it is to be answered.
#[derive(Clone, Debug)]
pub struct Request {
    /// The prompt's tokens, at least one.
    pub prompt: Vec<u32>,
    /// How the reply is made.
    pub options: ReplyOptions,
    /// Added to the logits of tokens.
    pub logit_bias: Vec<(u32, f32)>,
    /// Texts that end the answer without becoming a part of it.
    pub stop_texts: Vec<String>,
}

impl Request {
    /// A prompt without bias or stop texts.
    pub const fn new(prompt: Vec<u32>, options: ReplyOptions) -> Self {
        Self { prompt, options, logit_bias: Vec::new(), stop_texts: Vec::new() }
    }
}

/// Why a request was not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// As many requests wait as may.
    QueueFull {
        /// How many that is.
        most: usize,
    },
    /// The context has no room for the prompt and one token.
    TooLong {
        /// Tokens of the prompt.
        tokens: usize,
        /// Positions there are for prompt and reply together.
        context: usize,
    },
    /// There is nothing to answer.
    Empty,
    /// The model does not have this token.
    Token {
        /// Its id.
        token: u32,
        /// Ids below this exist.
        tokens: usize,
    },
    /// The scheduler has ended.
    Closed,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::QueueFull { most } => {
                write!(f, "{most} requests wait already, which is the most; try again later")
            }
            Self::TooLong { tokens, context } => write!(
                f,
                "the prompt has {tokens} tokens and the context {context} positions for it and the \
                 answer; shorten the prompt, or start with a larger --ctx"
            ),
            Self::Empty => f.write_str("the prompt has no tokens; give it some text"),
            Self::Token { token, tokens } => write!(
                f,
                "token {token} does not exist, the model has {tokens}; use the file's own vocabulary"
            ),
            Self::Closed => f.write_str("the model is being unloaded; load it again"),
        }
    }
}

impl std::error::Error for Refused {}

/// A request whose reply is made: its tokens have the room that the reply may need.
#[derive(Debug)]
pub(super) struct Open {
    tokens: Vec<u32>,
    logit_bias: Vec<(u32, f32)>,
    stop_texts: Vec<String>,
}

impl Open {
    /// With room for `room` tokens of prompt and reply together.
    pub(super) fn new(request: Request, room: usize) -> Self {
        let Request { prompt: mut tokens, logit_bias, stop_texts, .. } = request;
        tokens.resize(room, 0);
        Self { tokens, logit_bias, stop_texts }
    }
}

impl Asked for Open {
    fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    fn tokens_mut(&mut self) -> &mut [u32] {
        &mut self.tokens
    }

    fn logit_bias(&self) -> &[(u32, f32)] {
        &self.logit_bias
    }

    fn stop_text(&self, i: usize) -> Option<&str> {
        self.stop_texts.get(i).map(String::as_str)
    }
}
