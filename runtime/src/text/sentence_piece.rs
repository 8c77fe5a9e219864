//! SentencePiece's vocabularies, which Llama 2, TinyLlama and older Mistrals have.
//!
//! A space is written `▁`, and one is put before each text. From single characters on, the two
//! neighbours merge whose token has the highest score; what is no token in the end is written in
//! tokens of its bytes, `<0x00>` to `<0xFF>`.
//!
//! Source: "SentencePiece: A simple and language independent subword tokenizer", and
//! `llm_tokenizer_spm_session` of llama.cpp.

use super::source::Source;
use super::texts::Texts;
use crate::error::Error;
use crate::model::{Array, Gguf};

/// How a space is written.
pub(crate) const SPACE: char = '▁';

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

/// A text to be cut into tokens, with or without a space before it.
#[derive(Clone, Copy)]
pub(crate) struct Escaped<'t> {
    pub(crate) text: &'t str,
    pub(crate) adds_space: bool,
}

impl<'t> Escaped<'t> {
    /// Bytes before `▁` is written for spaces.
    pub(crate) fn len(&self) -> usize {
        self.text.len() + usize::from(self.adds_space)
    }

    /// The characters, with the places where they start.
    pub(crate) fn characters(self) -> impl Iterator<Item = usize> + use<'t> {
        let first = usize::from(self.adds_space);
        let space = (0..first).take(first);
        space.chain(self.text.char_indices().map(move |(at, _)| at + first))
    }

    /// Where each two neighbouring characters start and end.
    pub(crate) fn pairs(self) -> impl Iterator<Item = (usize, usize)> + use<'t> {
        let ends = self.characters().skip(2).chain([self.len()]);
        self.characters().zip(ends)
    }

    /// The bytes from `start` to `end`.
    pub(crate) fn bytes(self, start: usize, end: usize) -> &'t [u8] {
        let first = usize::from(self.adds_space);
        &self.text.as_bytes()[start.saturating_sub(first)..end.saturating_sub(first)]
    }

    /// The token from `start` to `end`, if there is one.
    pub(crate) fn find(self, texts: &Texts<'_>, start: usize, end: usize) -> Option<u32> {
        let space = (self.adds_space && start == 0).then_some(b' ');
        let bytes = space.into_iter().chain(self.bytes(start, end).iter().copied());
        texts.find(bytes.flat_map(escaped))
    }
}

/// A byte as a token's text writes it.
fn escaped(byte: u8) -> impl Iterator<Item = u8> + Clone {
    let mut bytes = [byte, 0, 0];
    let len = if byte == b' ' { SPACE.encode_utf8(&mut bytes).len() } else { 1 };
    bytes.into_iter().take(len)
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
