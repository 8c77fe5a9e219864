//! The vocabulary of a model: byte-level BPE as GGUF files carry it.

use super::bpe::{Merges, NONE};
use super::kind::{TokenKind, kind};
use super::pre_tokenizer::PreTokenizer;
use super::source::{Source, Tables};
use super::special::Specials;
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
    pre_tokenizer: PreTokenizer,
    pre_tokenizer_is_guessed: bool,
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
            let found = texts.find(encoded(&[byte]));
            *id = found.filter(|&id| source.is_text(&texts, id)).unwrap_or(NONE);
        }
        let specials = source.specials(&texts, specials);
        let mut vocab = Self {
            texts,
            kinds: source.kinds,
            merges: Merges::new(merges, ranks),
            bytes,
            specials: Specials::new(texts, specials),
            pre_tokenizer: source.pre_tokenizer.unwrap_or(PreTokenizer::Gpt2),
            pre_tokenizer_is_guessed: source.pre_tokenizer.is_none(),
            bos: source.special_id(gguf, "tokenizer.ggml.bos_token_id")?,
            eos: source.special_id(gguf, "tokenizer.ggml.eos_token_id")?,
            add_bos: gguf
                .find("tokenizer.ggml.add_bos_token")?
                .unwrap_or(source.pre_tokenizer == Some(PreTokenizer::Llama3)),
            stop_tokens: StopTokens::default(),
        };
        vocab.stop_tokens = vocab.find_stop_tokens(gguf, &source)?;
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
        let text = match kind {
            TokenKind::Control | TokenKind::Unused => &[],
            _ => self.texts.get(id).unwrap_or_default(),
        };
        text.utf8_chunks().flat_map(move |chunk| {
            let bytes = chunk.valid().chars().flat_map(move |c| {
                let byte = byte_of_char(c).filter(|_| kind == TokenKind::Normal);
                let mut verbatim = [0; 4];
                let len = c.encode_utf8(&mut verbatim).len();
                let skip = if byte.is_some() { 4 } else { 0 };
                byte.into_iter().chain(verbatim.into_iter().take(len).skip(skip))
            });
            bytes.chain(chunk.invalid().iter().copied())
        })
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
    pub fn warning(&self) -> Option<&'static str> {
        self.pre_tokenizer_is_guessed.then_some(
            "the file does not say how text is cut into words (tokenizer.ggml.pre), so it is cut \
             as for GPT-2; answers may be worse; get a newer file of this model",
        )
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

    /// The token that is a whole word, where the model was trained to take it without merging.
    pub(crate) fn whole(&self, word: &str) -> Option<u32> {
        if self.pre_tokenizer != PreTokenizer::Llama3 {
            return None;
        }
        let id = self.texts.find(encoded(word.as_bytes()))?;
        matches!(self.kind(id), TokenKind::Normal | TokenKind::UserDefined).then_some(id)
    }

    fn find_stop_tokens(&self, gguf: &Gguf<'a>, source: &Source<'a>) -> Result<StopTokens, Error> {
        let mut tokens = StopTokens::default();
        tokens.push(self.eos);
        tokens.push(source.special_id(gguf, "tokenizer.ggml.eot_token_id")?);
        tokens.push(source.special_id(gguf, "tokenizer.ggml.eom_token_id")?);
        let r1 = if self.is_r1() { &STOP_TEXTS[..] } else { &STOP_TEXTS[..STOP_TEXTS.len() - 3] };
        for text in r1 {
            tokens.push(self.find(text).filter(|&id| !source.is_text(&self.texts, id)));
        }
        Ok(tokens)
    }
}

/// Marks that end a turn wherever they exist; the last three end it for R1.
const STOP_TEXTS: [&str; 10] = [
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end_of_text|>",
    "<|endoftext|>",
    "<|end|>",
    "<｜end▁of▁sentence｜>",
    "<｜begin▁of▁sentence｜>",
    "<｜User｜>",
    "<｜Assistant｜>",
];

/// The ids at which a reply is over: three from keys, the others by their texts.
#[derive(Clone, Copy, Default)]
struct StopTokens {
    ids: [u32; STOP_TEXTS.len() + 3],
    len: usize,
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
