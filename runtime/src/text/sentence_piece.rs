//! SentencePiece's vocabularies, which Llama 2, TinyLlama and older Mistrals have.
//!
//! A space is written `▁`, and one is put before each text. From single characters on, the two
//! neighbours merge whose token has the highest score; what is no token in the end is written in
//! tokens of its bytes, `<0x00>` to `<0xFF>`.
//!
//! Source: "SentencePiece: A simple and language independent subword tokenizer", and
//! `llm_tokenizer_spm_session` of llama.cpp.

use super::source::Source;
use crate::error::Error;
use crate::model::{Array, Gguf};

/// The scores of a vocabulary's tokens.
#[derive(Clone, Copy)]
pub(crate) struct Scores<'a> {
    scores: Option<Array<'a>>,
    /// Whether a space is put before each text.
    pub(crate) adds_space: bool,
}

impl<'a> Scores<'a> {
    pub(crate) fn new(gguf: &Gguf<'a>, source: &Source<'a>) -> Result<Self, Error> {
        let adds_space = gguf.find("tokenizer.ggml.add_space_prefix")?.unwrap_or(true);
        Ok(Self { scores: source.scores, adds_space })
    }

    /// A number that is the smaller the better a token's score is.
    pub(crate) fn rank(&self, id: u32) -> u32 {
        let score = self.scores.and_then(|scores| scores.get(id as usize)?.number());
        let bits = score.map_or(0.0, |score| score.to_f64() as f32).to_bits();
        // Floats in order of their bits: negative ones backwards and first.
        let ascending = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
        !ascending
    }
}

/// The text of a byte's token.
pub(crate) fn byte_token(byte: u8) -> [u8; 6] {
    let digit = |n: u8| if n < 10 { b'0' + n } else { b'A' + n - 10 };
    [b'<', b'0', b'x', digit(byte >> 4), digit(byte & 15), b'>']
}

/// The byte whose token has a text.
pub(crate) fn of_byte_token(text: &[u8]) -> Option<u8> {
    let digits =
        text.strip_prefix(b"<0x")?.strip_suffix(b">").filter(|digits| digits.len() == 2)?;
    u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()
}
