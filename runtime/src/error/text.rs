//! What is wrong with a vocabulary or a text.

use super::name::Name;
use core::fmt;

/// What is wrong with a vocabulary or a text.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum TextFault {
    /// The vocabulary is of a kind that is not read.
    Model(Name),
    /// The vocabulary has impossibly many entries.
    Many {
        /// "tokens" or "merges".
        what: &'static str,
        /// How many the file has.
        found: usize,
        /// How many it may have.
        most: usize,
    },
    /// A merge is not two tokens with a space between.
    Merge {
        /// Which merge, from 0.
        index: usize,
        /// Its text.
        found: Name,
    },
    /// Too many entries of a table have the same hash.
    Crowded(&'static str),
    /// A text has more tokens than there is room for.
    Long {
        /// Tokens of the text.
        found: usize,
        /// Tokens there is room for.
        most: usize,
    },
}

impl fmt::Display for TextFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model(found) => write!(
                f,
                "key \"tokenizer.ggml.model\": is \"{found}\", must be \"gpt2\" (byte-level BPE) \
                 or \"llama\" (SentencePiece); other vocabularies are not read"
            ),
            Self::Many { what, found, most } => {
                write!(f, "the vocabulary has {found} {what}, at most {most} are read")
            }
            Self::Merge { index, found } => write!(
                f,
                "key \"tokenizer.ggml.merges\": entry {index} is \"{found}\", must be two tokens \
                 with a space between; get the file again"
            ),
            Self::Crowded(what) => write!(
                f,
                "the vocabulary's {what} are made to slow down looking them up; get the file \
                 from where the model was published"
            ),
            Self::Long { found, most } => {
                write!(f, "the text has {found} tokens, there is room for {most}; shorten it")
            }
        }
    }
}
