//! What is wrong with a saved sequence.

use core::fmt;

/// Why a saved sequence is not read, or not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SavedFault {
    /// The bytes do not begin as those of a saved sequence.
    Magic,
    /// They end before the sequence does.
    Truncated,
    /// They are of another version of the format.
    Version {
        /// The version.
        found: u32,
        /// The one that is read.
        must: u32,
    },
    /// It was saved with another model.
    Model {
        /// That model's fingerprint.
        found: u64,
        /// This model's.
        must: u64,
    },
    /// Its keys and values are not kept as the session keeps them.
    KvFormat {
        /// How the session keeps them.
        must: &'static str,
    },
    /// Its layers or heads are not the model's.
    Shape {
        /// How many it has.
        found: u32,
        /// How many the model has.
        must: u32,
    },
    /// It is longer than the session's context.
    Long {
        /// Its tokens.
        tokens: usize,
        /// Positions of the context.
        context: usize,
    },
    /// It has a token that the model does not have.
    Token {
        /// Where.
        position: usize,
        /// The token's id.
        token: u32,
        /// Ids below this exist.
        tokens: usize,
    },
    /// Its bytes are not those that were written.
    Checksum,
    /// The tokens to be saved are not those of the sequence.
    Tokens {
        /// How many there are.
        found: usize,
        /// How many the sequence has.
        must: usize,
    },
}

impl fmt::Display for SavedFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the saved sequence ")?;
        match self {
            Self::Magic => {
                f.write_str("does not begin with \"dram-seq\"; take a file that was saved as one")
            }
            Self::Truncated => f.write_str("ends too early; save it again"),
            Self::Version { found, must } => {
                write!(f, "is of version {found}, this program reads version {must}; save it again")
            }
            Self::Model { found, must } => write!(
                f,
                "is of another model, {found:016x} instead of {must:016x}; load it with the model it was saved with"
            ),
            Self::KvFormat { must } => write!(
                f,
                "does not keep keys and values in {must}, as the session does; start the session with the format it was saved with"
            ),
            Self::Shape { found, must } => write!(
                f,
                "has {found} layers, heads or numbers in a head where the model has {must}; load it with the model it was saved with"
            ),
            Self::Long { tokens, context } => write!(
                f,
                "has {tokens} tokens, the context {context} positions; start the session with a larger context"
            ),
            Self::Token { position, token, tokens } => write!(
                f,
                "has token {token} at position {position}, the model has {tokens}; it is damaged, save it again"
            ),
            Self::Checksum => f.write_str("is damaged: its checksum does not match; save it again"),
            Self::Tokens { found, must } => {
                write!(
                    f,
                    "is to have {found} tokens, the sequence has {must}; give those that it has read"
                )
            }
        }
    }
}
