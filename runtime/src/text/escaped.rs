//! Texts as SentencePiece's tokens write them: with `▁` for each space.

use super::texts::Texts;

/// How a space is written.
pub(crate) const SPACE: char = '▁';

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
