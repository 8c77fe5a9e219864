//! Text to tokens.

use super::bpe::Word;
use super::chat::{Chat, Message};
use super::escaped::Escaped;
use super::kind::TokenKind;
use super::split::Channel;
use super::table::NONE;
use super::vocab::Vocab;
use crate::arena::Arena;
use crate::error::{Error, TextFault};
use core::ops::Range;

/// Bytes of scratch to merge a word of so many bytes.
const fn scratch_bytes(word: usize) -> usize {
    word * Word::NUMBERS_PER_BYTE * size_of::<u32>() + Arena::SLACK
}

/// Turns text into tokens: a vocabulary and the scratch to merge one word.
///
/// Takes time linear in the text, whatever it is, but for the logarithm of a word's length.
pub struct Encoder<'a> {
    vocab: &'a Vocab<'a>,
    word: Word<'a>,
}

impl<'a> Encoder<'a> {
    /// Bytes of scratch that merge words of up to [`LONGEST_WORD`](Self::LONGEST_WORD) bytes.
    pub const BYTES: usize = scratch_bytes(Self::LONGEST_WORD);

    /// Bytes of the longest word that [`BYTES`](Self::BYTES) of scratch merge as a whole; a longer
    /// word (a run of letters without any space) is cut, which changes tokens at the cut only.
    pub const LONGEST_WORD: usize = 1 << 16;

    /// Takes scratch, best [`BYTES`](Self::BYTES); with less, long words are cut sooner.
    ///
    /// # Errors
    ///
    /// If the scratch does not even hold a word of 16 bytes.
    pub fn new(vocab: &'a Vocab<'a>, memory: &'a mut [u8]) -> Result<Self, Error> {
        let memory = Arena::new("encoding text", memory, scratch_bytes(16))?;
        Ok(Self { vocab, word: Word::new(memory.rest()) })
    }

    /// The vocabulary.
    pub fn vocab(&self) -> &'a Vocab<'a> {
        self.vocab
    }

    /// Passes on the tokens of a text.
    ///
    /// With `special`, marks of the chat format in the text become their tokens. Without, they are
    /// text like any other: use that for whatever a user wrote.
    ///
    /// A byte for which the vocabulary has no token is left out.
    pub fn encode(&mut self, text: &str, special: bool, mut sink: impl FnMut(u32)) {
        let plain = 0..if special { 0 } else { text.len() };
        self.encode_marked(text, &[plain], &mut sink);
    }

    /// As [`encode`](Self::encode), after the token that the model wants before every text, if it
    /// wants one and the text does not start with it.
    pub fn encode_leading(&mut self, text: &str, special: bool, mut sink: impl FnMut(u32)) {
        let plain = 0..if special { 0 } else { text.len() };
        self.lead(text, special, &mut sink);
        self.encode_marked(text, &[plain], &mut sink);
    }

    /// As [`encode`](Self::encode) into a slice; returns how many tokens there are.
    ///
    /// # Errors
    ///
    /// If the text has more tokens than `tokens` has room for.
    pub fn encode_into(
        &mut self,
        text: &str,
        special: bool,
        tokens: &mut [u32],
    ) -> Result<usize, Error> {
        let mut count = 0;
        self.encode(text, special, |id| {
            if let Some(token) = tokens.get_mut(count) {
                *token = id;
            }
            count += 1;
        });
        if count > tokens.len() {
            return Err(Error::Text(TextFault::Long { found: count, most: tokens.len() }));
        }
        Ok(count)
    }

    /// Passes on the tokens of a conversation and of the start of its next reply; returns the part
    /// of the reply that the model is to begin with.
    pub fn encode_chat(
        &mut self,
        chat: Chat,
        messages: &[Message<'_>],
        think: bool,
        mut sink: impl FnMut(u32),
    ) -> Channel {
        let vocab = self.vocab;
        let mut is_first = true;
        chat.segments(vocab, messages, think, |segment| {
            if core::mem::take(&mut is_first) {
                self.lead(segment.text, segment.special, &mut sink);
            }
            self.encode(segment.text, segment.special, &mut sink);
        })
    }

    /// Passes on the tokens of a text in which marks count only outside the ranges `plain`, which
    /// are in order. Words are cut as if there were no ranges.
    pub fn encode_marked(&mut self, text: &str, plain: &[Range<usize>], mut sink: impl FnMut(u32)) {
        let (vocab, mut plain, mut from) = (self.vocab, plain, 0);
        let mut allowed = |id, found: Range<usize>| {
            while let [first, rest @ ..] = plain
                && first.end <= found.start
            {
                plain = rest;
            }
            let is_plain = plain.first().is_some_and(|first| first.start < found.end);
            !is_plain || vocab.kind(id) == TokenKind::UserDefined
        };
        while let Some((at, id, len)) = vocab.specials().next(text, from, &mut allowed) {
            self.words(&text[from..at], &mut sink);
            sink(id);
            from = at + len;
        }
        self.words(&text[from..], &mut sink);
    }

    /// Passes on the token before every text, if the model wants it and the text lacks it.
    pub(crate) fn lead(&self, text: &str, special: bool, sink: &mut impl FnMut(u32)) {
        if let Some(id) = self.vocab.bos_to_add() {
            let start = self.vocab.text(id).unwrap_or_default();
            if !(special && text.as_bytes().starts_with(start)) {
                sink(id);
            }
        }
    }

    /// Text without special tokens.
    fn words(&mut self, mut text: &str, sink: &mut impl FnMut(u32)) {
        if self.vocab.scores().is_some() {
            return self.pieces(text, sink);
        }
        while !text.is_empty() {
            let (word, rest) = text.split_at(self.vocab.pre_tokenizer().word(text));
            match self.vocab.whole(word) {
                Some(id) => sink(id),
                None => self.merge(word, sink),
            }
            text = rest;
        }
    }

    /// Text without special tokens, by a vocabulary of SentencePiece.
    fn pieces(&mut self, mut text: &str, sink: &mut impl FnMut(u32)) {
        let (vocab, texts) = (self.vocab, self.vocab.texts());
        let Some(scores) = vocab.scores() else { return };
        let mut adds_space = scores.adds_space && !text.is_empty();
        while !text.is_empty() {
            let (piece, rest) = text.split_at(self.cut(text, usize::from(adds_space)));
            let escaped = Escaped { text: piece, adds_space };
            let token = |start, end| {
                escaped.find(texts, start, end).filter(|&id| vocab.kind(id) == TokenKind::Normal)
            };
            // Made by hand, a vocabulary may have a word that no pair of characters leads to.
            let whole = token(0, escaped.len());
            let whole =
                whole.filter(|_| escaped.pairs().all(|(start, end)| token(start, end).is_none()));
            if let Some(id) = whole {
                sink(id);
                (text, adds_space) = (rest, false);
                continue;
            }
            let rank = |start, end| Some(scores.rank(token(start, end)?));
            self.word.merge_pieces(escaped, &rank, |start, end| match token(start, end) {
                Some(id) => sink(id),
                None => {
                    let bytes = escaped.bytes(start, end).iter().map(|&byte| vocab.byte(byte));
                    bytes.filter(|&id| id != NONE).for_each(&mut *sink);
                }
            });
            (text, adds_space) = (rest, false);
        }
    }

    /// Bytes of a text that are merged at once, `used` being taken: all if there is room, else up to
    /// where a word begins.
    fn cut(&self, text: &str, used: usize) -> usize {
        let room = self.word.cap() - used;
        if text.len() <= room {
            return text.len();
        }
        let room = text.floor_char_boundary(room);
        let spaces = text[..room].char_indices().rev().filter(|&(_, c)| c == ' ');
        let begins = |&(at, _): &(usize, char)| at > 0 && !text[..at].ends_with(' ');
        spaces.take(room / 2).find(begins).map_or(room, |(at, _)| at)
    }

    fn merge(&mut self, mut word: &str, sink: &mut impl FnMut(u32)) {
        let vocab = self.vocab;
        while !word.is_empty() {
            let (piece, rest) = word.split_at(word.floor_char_boundary(self.word.cap()));
            let tokens = piece.bytes().map(|byte| vocab.byte(byte)).filter(|&id| id != NONE);
            self.word.merge(vocab.merges(), tokens, sink);
            word = rest;
        }
    }
}
