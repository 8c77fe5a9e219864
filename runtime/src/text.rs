//! Text to tokens and tokens to text.
//!
//! A [`Vocab`] is the model's vocabulary: tables over the file's own bytes, shared by reference.
//! An [`Encoder`] adds the scratch that turning text into tokens needs, a [`Decoder`] the few bytes
//! of a character that is not complete yet. [`Chat`] writes a conversation as a prompt and
//! [`Split`] divides the reply into reasoning and answer. None of them allocates.

mod bpe;
mod chat;
mod decode;
mod encode;
mod escaped;
mod kind;
mod pre_tokenizer;
mod sentence_piece;
mod source;
mod special;
mod split;
mod stop;
mod table;
#[cfg(feature = "template")]
pub mod template;
mod texts;
mod unicode;
mod vocab;

pub use chat::{Chat, Message, Role, Segment};
pub use decode::Decoder;
pub use encode::Encoder;
pub use kind::TokenKind;
pub use pre_tokenizer::PreTokenizer;
pub use split::{Channel, Split};
pub use stop::StopMatcher;
pub use vocab::Vocab;
