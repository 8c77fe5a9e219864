//! The vocabulary of a model: byte-level BPE or SentencePiece as GGUF files carry them.

use super::bpe::Merges;
use super::escaped::SPACE;
use super::kind::{ENDS, TokenKind, kind};
use super::pre_tokenizer::PreTokenizer;
use super::sentence_piece::{Scores, byte_token, of_byte_token};
use super::source::{Source, SpecialId, Tables};
use super::special::Specials;
use super::table::NONE;
use super::texts::{Texts, encoded};
use super::unicode::byte_of_char;
use crate::error::Error;
use crate::model::{Array, Gguf};

/// A model's vocabulary: texts where they lie in the file, and tables to find them.
///
/// Shared by reference; all work that needs scratch is done by [`Encoder`](super::Encoder).
#[derive(Clone)]
pub struct Vocab<'a> {
    texts: Texts<'a>,
    kinds: Option<Array<'a>>,
    merges: Merges<'a>,
    /// The token of each single byte, or [`NONE`].
    bytes: &'a [u32],
    specials: Specials<'a>,
    /// Of SentencePiece; none in byte-level BPE.
    scores: Option<Scores<'a>>,
    pre_tokenizer: PreTokenizer,
    takes_whole_words: bool,
    notes: Notes,
    bos: Option<u32>,
    eos: Option<u32>,
    add_bos: bool,
    stop_tokens: StopTokens,
}

impl<'a> Vocab<'a> {
    /// Bytes of memory that [`new`](Self::new) needs for a file's vocabulary.
    ///
    /// # Errors
    ///
    /// If the file has no vocabulary that can be read.
    pub fn bytes(gguf: &Gguf<'_>) -> Result<usize, Error> {
        Source::new(gguf)?.sizes().bytes()
    }

    /// Builds the tables of a file's vocabulary in `memory`.
    ///
    /// A merge of texts that are no tokens is left out, as it could never apply; of tokens with the
    /// same text the first is found.
    ///
    /// # Errors
    ///
    /// If `memory` is smaller than [`bytes`](Self::bytes), or the vocabulary is wrong: the message
    /// names the key.
    pub fn new(gguf: &Gguf<'a>, memory: &'a mut [u8]) -> Result<Self, Error> {
        let source = Source::new(gguf)?;
        let Tables { starts, ids, merges, ranks, bytes, specials } =
            source.sizes().tables(memory)?;
        source.fill_starts(starts)?;
        let texts = Texts::new(source.tokens, starts, ids)?;
        source.fill_merges(&texts, merges, ranks)?;
        for (byte, id) in (0..=255).zip(&mut *bytes) {
            let found = match source.is_sentence_piece {
                true => texts.find(byte_token(byte).into_iter()),
                false => texts.find(encoded(&[byte])),
            };
            *id = found.filter(|&id| source.is_text(&texts, id)).unwrap_or(NONE);
        }
        let specials = source.specials(&texts, specials);
        let mut notes = Notes::default();
        let has = |mark: &str| texts.find(mark.bytes()).is_some();
        let pre_tokenizer = notes.pre_tokenizer(&source, has);
        let mut special = |name| notes.id(source.special_id(gguf, name));
        let (bos, eos) =
            (special("tokenizer.ggml.bos_token_id"), special("tokenizer.ggml.eos_token_id"));
        let turn_ends = ["tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"].map(special);
        let begins_texts =
            source.is_sentence_piece || source.pre.is_some_and(PreTokenizer::begins_texts);
        let mut vocab = Self {
            texts,
            kinds: source.kinds,
            merges: Merges::new(merges, ranks),
            bytes,
            specials: Specials::new(texts, specials),
            scores: source.is_sentence_piece.then(|| Scores::new(gguf, &source)).transpose()?,
            pre_tokenizer,
            takes_whole_words: source.pre.is_some_and(PreTokenizer::takes_whole_words),
            notes,
            bos,
            eos,
            add_bos: gguf.find("tokenizer.ggml.add_bos_token")?.unwrap_or(begins_texts),
            stop_tokens: StopTokens::default(),
        };
        vocab.stop_tokens = vocab.find_stop_tokens(turn_ends);
        Ok(vocab)
    }

    /// Number of tokens, and of rows a model's output must have.
    pub fn len(&self) -> usize {
        self.texts.starts.len()
    }

    /// Whether there are no tokens; never, as [`new`](Self::new) refuses that.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The text of a token as the file writes it; `None` behind the end.
    ///
    /// In normal tokens each character stands for a byte: `Ġ` is a space.
    pub fn text(&self, id: u32) -> Option<&'a [u8]> {
        self.texts.get(id)
    }

    /// The token of a text as the file writes it.
    pub fn find(&self, text: &str) -> Option<u32> {
        self.texts.find(text.bytes())
    }

    /// What a token is for; ids behind the end are [`TokenKind::Unused`].
    pub fn kind(&self, id: u32) -> TokenKind {
        let Some(text) = self.texts.get(id) else { return TokenKind::Unused };
        let kind = kind(self.kinds, id, text);
        if kind != TokenKind::Unused && self.stop_tokens.contains(id) {
            TokenKind::Control
        } else {
            kind
        }
    }

    /// The bytes a token stands for in text; none for marks that are not shown.
    pub fn decode(&self, id: u32) -> impl Iterator<Item = u8> + use<'a> {
        let kind = self.kind(id);
        let is_sentence_piece = self.scores.is_some();
        let text = match kind {
            TokenKind::Control | TokenKind::Unused => &[],
            _ => self.texts.get(id).unwrap_or_default(),
        };
        let byte = of_byte_token(text).filter(|_| is_sentence_piece && kind == TokenKind::Normal);
        let text = if byte.is_some() { &[] } else { text };
        let characters = text.utf8_chunks().flat_map(move |chunk| {
            let bytes = chunk.valid().chars().flat_map(move |c| {
                let byte = match is_sentence_piece {
                    true => (c == SPACE).then_some(b' '),
                    false => byte_of_char(c).filter(|_| kind == TokenKind::Normal),
                };
                let mut verbatim = [0; 4];
                let len = c.encode_utf8(&mut verbatim).len();
                let skip = if byte.is_some() { 4 } else { 0 };
                byte.into_iter().chain(verbatim.into_iter().take(len).skip(skip))
            });
            bytes.chain(chunk.invalid().iter().copied())
        });
        byte.into_iter().chain(characters)
    }

    /// The token that a text starts with, if the file has one.
    pub fn bos(&self) -> Option<u32> {
        self.bos
    }

    /// The token that ends a text, if the file has one.
    pub fn eos(&self) -> Option<u32> {
        self.eos
    }

    /// The token to put before a text that does not start with it, if the model wants that.
    pub fn bos_to_add(&self) -> Option<u32> {
        self.bos.filter(|_| self.add_bos)
    }

    /// The tokens at which a reply is over; of an R1 also those that start another turn.
    pub fn stop_tokens(&self) -> &[u32] {
        self.stop_tokens.ids()
    }

    /// Whether this is the vocabulary of a DeepSeek R1 or one of its distills.
    pub fn is_r1(&self) -> bool {
        ["<｜User｜>", "<｜Assistant｜>"].iter().all(|mark| self.find(mark).is_some())
    }

    /// What a user should know about this vocabulary.
    pub fn warnings(&self) -> impl Iterator<Item = &'static str> {
        let Notes { pre_tokenizer, ids } = self.notes;
        let ids = ids.then_some(
            "the file gives parts to tokens that its vocabulary does not have (tokenizer.ggml.…_token_id); \
             they are left out",
        );
        pre_tokenizer.into_iter().chain(ids)
    }

    /// How text is cut into words.
    pub fn pre_tokenizer(&self) -> PreTokenizer {
        self.pre_tokenizer
    }

    pub(crate) fn merges(&self) -> &Merges<'a> {
        &self.merges
    }

    pub(crate) fn specials(&self) -> &Specials<'a> {
        &self.specials
    }

    /// The token of a byte, or [`NONE`].
    pub(crate) fn byte(&self, byte: u8) -> u32 {
        self.bytes[byte as usize]
    }

    /// The scores of SentencePiece's tokens, or `None` if the vocabulary is byte-level BPE.
    pub(crate) fn scores(&self) -> Option<&Scores<'a>> {
        self.scores.as_ref()
    }

    pub(crate) fn texts(&self) -> &Texts<'a> {
        &self.texts
    }

    /// The token that is a whole word, where the model was trained to take it without merging.
    pub(crate) fn whole(&self, word: &str) -> Option<u32> {
        if !self.takes_whole_words {
            return None;
        }
        let id = self.texts.find(encoded(word.as_bytes()))?;
        matches!(self.kind(id), TokenKind::Normal | TokenKind::UserDefined).then_some(id)
    }

    fn find_stop_tokens(&self, turn_ends: [Option<u32>; 2]) -> StopTokens {
        let mut tokens = StopTokens::default();
        tokens.push(self.eos);
        turn_ends.into_iter().for_each(|id| tokens.push(id));
        let of_r1 = R1_TURNS.iter().filter(|_| self.is_r1());
        for id in ENDS.iter().chain(of_r1).filter_map(|text| self.find(text)) {
            tokens.push(Some(id).filter(|&id| self.kind(id) != TokenKind::Normal));
        }
        tokens
    }
}

/// Marks that start another turn of R1.
const R1_TURNS: [&str; 3] = ["<｜begin▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>"];

/// What is worth telling of a vocabulary.
#[derive(Clone, Copy, Default)]
struct Notes {
    pre_tokenizer: Option<&'static str>,
    /// Whether an id is none of a token.
    ids: bool,
}

impl Notes {
    /// How words are cut: by the file's name for it, else as its tokens suggest.
    fn pre_tokenizer(&mut self, source: &Source<'_>, has: impl Fn(&str) -> bool) -> PreTokenizer {
        let named = source.pre.and_then(PreTokenizer::named);
        if let Some(cut) = named.filter(|_| !source.is_sentence_piece) {
            return cut;
        }
        let inferred = PreTokenizer::of_vocabulary(source.tokens.len(), has);
        if !source.is_sentence_piece {
            self.pre_tokenizer = Some(if inferred.is_some() { INFERRED } else { UNKNOWN });
        }
        inferred.unwrap_or(PreTokenizer::Default)
    }

    fn id(&mut self, id: SpecialId) -> Option<u32> {
        match id {
            SpecialId::Token(id) => Some(id),
            SpecialId::Absent => None,
            SpecialId::NoToken => {
                self.ids = true;
                None
            }
        }
    }
}

const INFERRED: &str = "the file does not name a known way to cut text into words \
    (tokenizer.ggml.pre), so it is cut as models with such a vocabulary do; get a newer file of this \
    model if answers are poor";
const UNKNOWN: &str = "the file does not name a known way to cut text into words \
    (tokenizer.ggml.pre), so it is cut as other programs do by default; answers may be worse, get a \
    newer file of this model";

/// The ids at which a reply is over: three from keys, the others by their texts.
#[derive(Clone, Copy)]
struct StopTokens {
    ids: [u32; 3 + ENDS.len() + R1_TURNS.len()],
    len: usize,
}

impl Default for StopTokens {
    fn default() -> Self {
        Self { ids: [0; 3 + ENDS.len() + R1_TURNS.len()], len: 0 }
    }
}

impl StopTokens {
    fn push(&mut self, id: Option<u32>) {
        if let Some(id) = id.filter(|&id| !self.contains(id)) {
            self.ids[self.len] = id;
            self.len += 1;
        }
    }

    fn ids(&self) -> &[u32] {
        &self.ids[..self.len]
    }

    fn contains(&self, id: u32) -> bool {
        self.ids().contains(&id)
    }
}
