//! What a session refuses.

use core::fmt;

/// Why a session does not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionFault {
    /// A longer context than the model was trained for.
    Context {
        /// Positions asked for.
        asked: usize,
        /// Positions of the model.
        most: usize,
    },
    /// Heads that 8-bit keys and values do not divide.
    KvFormat {
        /// Numbers in a head.
        head_len: usize,
    },
    /// More sequences than the session has room for.
    Sequences {
        /// How many it has room for.
        most: usize,
    },
    /// A sequence that is not open.
    Closed,
    /// A sequence at the end of the context.
    Full {
        /// Positions of the context.
        context: usize,
    },
    /// A prompt that the rest of the context does not hold.
    Prompt {
        /// Tokens of the prompt.
        tokens: usize,
        /// Positions that are left.
        left: usize,
    },
    /// More columns in a forward pass than the limit.
    Batch {
        /// How many.
        columns: usize,
        /// The limit.
        most: usize,
    },
    /// More columns that ask for logits than the limit.
    Logits {
        /// The limit.
        most: usize,
    },
    /// A token that the model does not have.
    Token {
        /// Its id.
        token: u32,
        /// Ids below this exist.
        tokens: usize,
    },
    /// Logits of which none is a number.
    NotANumber,
}

impl fmt::Display for SessionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Context { asked, most } => {
                write!(
                    f,
                    "a context of {asked} positions is longer than the model's {most}; ask for {most} or fewer"
                )
            }
            Self::KvFormat { head_len } => {
                write!(
                    f,
                    "8-bit keys and values need heads divisible by 32, this model's have {head_len}; keep them in f16"
                )
            }
            Self::Sequences { most } => {
                write!(
                    f,
                    "all {most} sequences of the session are in use; close one, or start the session with more"
                )
            }
            Self::Closed => write!(f, "the sequence is not open; open or fork one"),
            Self::Full { context } => {
                write!(
                    f,
                    "the context of {context} positions is full; start with a larger one, or shorten the text"
                )
            }
            Self::Prompt { tokens, left } => {
                write!(
                    f,
                    "the prompt has {tokens} tokens, the context has room for {left}; start with a larger context, or shorten the prompt"
                )
            }
            Self::Batch { columns, most } => {
                write!(
                    f,
                    "{columns} columns in one pass, at most {most} are allowed; pass them in several"
                )
            }
            Self::Logits { most } => {
                write!(
                    f,
                    "more columns ask for logits than the {most} the session has room for; start it with more"
                )
            }
            Self::Token { token, tokens } => {
                write!(
                    f,
                    "token {token} does not exist, the model has {tokens}; use the file's own vocabulary"
                )
            }
            Self::NotANumber => {
                write!(
                    f,
                    "the model computed no number for any token; the file's weights are damaged, get it again"
                )
            }
        }
    }
}
