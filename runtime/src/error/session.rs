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
    /// A column of a forward pass that cannot be.
    Column {
        /// Which one, from 0.
        column: usize,
        /// What is wrong with it.
        fault: ColumnFault,
    },
    /// A forward pass for which too few pages of keys and values are free.
    Pages {
        /// Pages it may need.
        needed: usize,
        /// Pages that are free.
        free: usize,
    },
    /// A forward pass that was asked to stop.
    Stopped,
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
    /// Logits of which none that counts is a finite number.
    NotANumber,
    /// Constraints that allow no token.
    NothingAllowed,
}

/// What is wrong with a column of a forward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ColumnFault {
    /// Its sequence is not open.
    Closed,
    /// Its sequence is at the end of the context.
    Full {
        /// Positions of the context.
        context: usize,
    },
    /// The model does not have its token.
    Token {
        /// The token's id.
        token: u32,
        /// Ids below this exist.
        tokens: usize,
    },
}

impl fmt::Display for ColumnFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => write!(f, "its sequence is not open; open or fork one"),
            Self::Full { context } => write!(
                f,
                "the context of {context} positions is full; start with a larger one, or shorten the text"
            ),
            Self::Token { token, tokens } => write!(
                f,
                "token {token} does not exist, the model has {tokens}; use the file's own vocabulary"
            ),
        }
    }
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
            Self::Column { column, fault } => write!(f, "column {column}: {fault}"),
            Self::Pages { needed, free } => {
                write!(
                    f,
                    "{needed} pages of keys and values are needed, {free} are free; close a sequence, or start the session with more pages"
                )
            }
            Self::Stopped => write!(f, "the pass was stopped; make it again to go on"),
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
            Self::NothingAllowed => {
                write!(f, "no token may come next; relax the grammar or the bias of tokens")
            }
            Self::NotANumber => {
                write!(
                    f,
                    "the model computed no finite number for any token; the file's weights are damaged, get it again"
                )
            }
        }
    }
}
