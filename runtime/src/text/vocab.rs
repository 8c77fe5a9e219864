//! The vocabulary of a model: byte-level BPE as GGUF files carry it.

use super::bpe::{self, Merges, NONE};
use super::fault::TextFault;
use super::pre::Pre;
use super::special::Specials;
use super::split::{CLOSE, OPEN};
use super::unicode::{byte_of_char, char_of_byte};
use crate::error::{Error, KeyFault, Name};
use crate::model::{Array, Gguf, Number, Type};

const TOKENS: &str = "tokenizer.ggml.tokens";
const KINDS: &str = "tokenizer.ggml.token_type";
const MERGES: &str = "tokenizer.ggml.merges";

/// The most tokens and merges a vocabulary may have: several times the largest published.
const TOKENS_MAX: usize = 1 << 20;
const MERGES_MAX: usize = 1 << 21;

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Normal,
    /// Text that is always one token, found before words are cut.
    UserDefined,
    /// A visible mark of the chat format, as `<think>`: found in templates only, never in what a
    /// user writes.
    Tag,
    /// An invisible mark of the chat format: found in templates only, decodes to nothing.
    Control,
    /// No token at all: a row that pads the table. Never found, decodes to nothing.
    Unused,
}

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
    pre: Pre,
    pre_is_guessed: bool,
    bos: Option<u32>,
    eos: Option<u32>,
    add_bos: bool,
    ends: Ends,
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
        let sizes = source.sizes();
        let available = memory.len();
        let (_, numbers, _) = bytemuck::pod_align_to_mut::<u8, u32>(memory);
        let Some(numbers) = numbers.get_mut(..sizes.numbers()?) else {
            let (what, needed) = ("the vocabulary", sizes.bytes()?);
            return Err(Error::NoRoom { what, needed, available: Some(available) });
        };
        numbers.fill(NONE);
        let (starts, numbers) = numbers.split_at_mut(sizes.tokens);
        let (ids, numbers) = numbers.split_at_mut(sizes.id_slots);
        let (rows, numbers) = numbers.split_at_mut(sizes.merges * 3);
        let (ranks, numbers) = numbers.split_at_mut(sizes.merge_slots);
        let (bytes, specials) = numbers.split_at_mut(256);
        source.fill_starts(starts)?;
        let texts = Texts::new(source.tokens, starts, ids)?;
        let rows = rows.as_chunks_mut().0;
        source.fill_merges(&texts, rows, ranks)?;
        for (byte, id) in (0..=255).zip(&mut *bytes) {
            let found = texts.find(encoded(&[byte]));
            *id = found.filter(|&id| source.is_text(&texts, id)).unwrap_or(NONE);
        }
        let specials = source.specials(&texts, specials);
        let mut vocab = Self {
            texts,
            kinds: source.kinds,
            merges: Merges::new(rows, ranks),
            bytes,
            specials: Specials::new(texts, specials),
            pre: source.pre.unwrap_or(Pre::Gpt2),
            pre_is_guessed: source.pre.is_none(),
            bos: source.special_id(gguf, "tokenizer.ggml.bos_token_id")?,
            eos: source.special_id(gguf, "tokenizer.ggml.eos_token_id")?,
            add_bos: gguf
                .find("tokenizer.ggml.add_bos_token")?
                .unwrap_or(source.pre == Some(Pre::Llama3)),
            ends: Ends::default(),
        };
        vocab.ends = vocab.find_ends(gguf, &source)?;
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

    /// What a token is for; ids behind the end are [`Kind::Unused`].
    pub fn kind(&self, id: u32) -> Kind {
        let Some(text) = self.texts.get(id) else { return Kind::Unused };
        let kind = kind(self.kinds, id, text);
        if kind != Kind::Unused && self.ends.contains(id) { Kind::Control } else { kind }
    }

    /// The bytes a token stands for in text; none for marks that are not shown.
    pub fn decode(&self, id: u32) -> impl Iterator<Item = u8> + use<'a> {
        let kind = self.kind(id);
        let text = match kind {
            Kind::Control | Kind::Unused => &[],
            _ => self.texts.get(id).unwrap_or_default(),
        };
        text.utf8_chunks().flat_map(move |chunk| {
            let bytes = chunk.valid().chars().flat_map(move |c| {
                let byte = byte_of_char(c).filter(|_| kind == Kind::Normal);
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
    pub fn leading(&self) -> Option<u32> {
        self.bos.filter(|_| self.add_bos)
    }

    /// The tokens at which a reply is over; of an R1 also those that start another turn.
    pub fn ends(&self) -> &[u32] {
        self.ends.ids()
    }

    /// Whether this is the vocabulary of a DeepSeek R1 or one of its distills.
    pub fn is_r1(&self) -> bool {
        ["<｜User｜>", "<｜Assistant｜>"].iter().all(|mark| self.find(mark).is_some())
    }

    /// What a user should know about this vocabulary.
    pub fn warning(&self) -> Option<&'static str> {
        self.pre_is_guessed.then_some(
            "the file does not say how text is cut into words (tokenizer.ggml.pre), so it is cut \
             as for GPT-2; answers may be worse; get a newer file of this model",
        )
    }

    /// How text is cut into words.
    pub fn pre(&self) -> Pre {
        self.pre
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
        if self.pre != Pre::Llama3 {
            return None;
        }
        let id = self.texts.find(encoded(word.as_bytes()))?;
        matches!(self.kind(id), Kind::Normal | Kind::UserDefined).then_some(id)
    }

    fn find_ends(&self, gguf: &Gguf<'a>, source: &Source<'a>) -> Result<Ends, Error> {
        let mut ends = Ends::default();
        ends.push(self.eos);
        ends.push(source.special_id(gguf, "tokenizer.ggml.eot_token_id")?);
        ends.push(source.special_id(gguf, "tokenizer.ggml.eom_token_id")?);
        let r1 = if self.is_r1() { &END_TEXTS[..] } else { &END_TEXTS[..END_TEXTS.len() - 3] };
        for text in r1 {
            ends.push(self.find(text).filter(|&id| !source.is_text(&self.texts, id)));
        }
        Ok(ends)
    }
}

/// Marks that end a turn wherever they exist; the last three end it for R1.
const END_TEXTS: [&str; 10] = [
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
struct Ends {
    ids: [u32; END_TEXTS.len() + 3],
    len: usize,
}

impl Ends {
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

/// The texts of tokens, and the way back.
#[derive(Clone, Copy)]
pub(crate) struct Texts<'a> {
    tokens: Array<'a>,
    /// Where each token's text lies in the array.
    starts: &'a [u32],
    /// Open-addressing table of ids, [`NONE`] where free; its length is a power of two.
    ids: &'a [u32],
}

impl<'a> Texts<'a> {
    /// Enters every token; an empty text is never found.
    fn new(tokens: Array<'a>, starts: &'a [u32], ids: &'a mut [u32]) -> Result<Self, Error> {
        for (id, text) in (0..).zip(tokens.strings()).filter(|(_, text)| !text.is_empty()) {
            let mut slots = bpe::probe(hash(text.iter().copied()), ids.len());
            let free = slots.find(|&slot| {
                let other = starts.get(ids[slot] as usize);
                other.is_none_or(|&start| tokens.string_at(start as usize) == Some(text))
            });
            let free = free.ok_or(Error::Text(TextFault::Crowded("tokens")))?;
            if ids[free] == NONE {
                ids[free] = id;
            }
        }
        Ok(Self { tokens, starts, ids })
    }

    pub(crate) fn get(&self, id: u32) -> Option<&'a [u8]> {
        self.tokens.string_at(*self.starts.get(id as usize)? as usize)
    }

    fn find(&self, text: impl Iterator<Item = u8> + Clone) -> Option<u32> {
        for slot in bpe::probe(hash(text.clone()), self.ids.len()) {
            let id = self.ids[slot];
            if self.get(id)?.iter().copied().eq(text.clone()) {
                return Some(id);
            }
        }
        None
    }
}

/// FNV-1a, then spread over all bits.
fn hash(text: impl Iterator<Item = u8>) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    bpe::mix(text.fold(0xcbf2_9ce4_8422_2325, step))
}

/// Bytes as a token's text writes them.
fn encoded(bytes: &[u8]) -> impl Iterator<Item = u8> + Clone {
    bytes.iter().flat_map(|&byte| {
        let mut utf8 = [0; 2];
        let len = char_of_byte(byte).encode_utf8(&mut utf8).len();
        utf8.into_iter().take(len)
    })
}

/// What a file says about its vocabulary.
struct Source<'a> {
    tokens: Array<'a>,
    kinds: Option<Array<'a>>,
    merges: Array<'a>,
    pre: Option<Pre>,
}

impl<'a> Source<'a> {
    fn new(gguf: &Gguf<'a>) -> Result<Self, Error> {
        let model: &str = gguf.get("tokenizer.ggml.model")?;
        if model != "gpt2" {
            return Err(Error::Text(TextFault::Model(Name::of(model))));
        }
        let pre: Option<&str> = gguf.find("tokenizer.ggml.pre")?;
        let unknown = |name| Error::Text(TextFault::Pre(Name::of(name)));
        let pre = pre.map(|name| Pre::named(name).ok_or_else(|| unknown(name))).transpose()?;
        let tokens = texts(gguf, TOKENS, "tokens", TOKENS_MAX)?;
        if tokens.is_empty() {
            return Err(Error::key(TOKENS, KeyFault::Length { found: 0, must: 1 }));
        }
        let kinds = gguf.find(KINDS)?;
        if let Some(kinds) = &kinds {
            check_kinds(kinds, tokens.len())?;
        }
        let merges = texts(gguf, MERGES, "merges", MERGES_MAX)?;
        Ok(Self { tokens, kinds, merges, pre })
    }

    fn sizes(&self) -> Sizes {
        let specials = (0..).zip(self.tokens.strings());
        let specials = specials.filter(|&(id, text)| self.is_special(id, text)).count();
        Sizes {
            tokens: self.tokens.len(),
            id_slots: bpe::slots(self.tokens.len()).unwrap_or(usize::MAX),
            merges: self.merges.len(),
            merge_slots: bpe::slots(self.merges.len()).unwrap_or(usize::MAX),
            specials,
        }
    }

    fn fill_starts(&self, starts: &mut [u32]) -> Result<(), Error> {
        let mut strings = self.tokens.strings();
        for start in starts {
            let offset = strings.offset();
            *start = u32::try_from(offset).map_err(|_| {
                let (found, most) = (offset, u32::MAX as usize);
                Error::Text(TextFault::Many { what: "bytes of text", found, most })
            })?;
            strings.next();
        }
        Ok(())
    }

    fn fill_merges(
        &self,
        texts: &Texts<'_>,
        rows: &mut [[u32; 3]],
        ranks: &mut [u32],
    ) -> Result<(), Error> {
        for (index, merge) in self.merges.strings().enumerate() {
            let space = merge.iter().skip(1).position(|&byte| byte == b' ').map(|at| at + 1);
            let (left, right) =
                space.map(|at| (&merge[..at], &merge[at + 1..])).ok_or_else(|| {
                    Error::Text(TextFault::Merge { index, found: Name::lossy(merge) })
                })?;
            let (left, right) = (left.iter().copied(), right.iter().copied());
            let ids = [left.clone(), right.clone()].map(|text| texts.find(text));
            let merged = texts.find(left.chain(right)).filter(|&id| self.is_text(texts, id));
            if let ([Some(left), Some(right)], Some(merged)) = (ids, merged) {
                rows[index] = [left, right, merged];
                bpe::insert(rows, ranks, index as u32)
                    .ok_or(Error::Text(TextFault::Crowded("merges")))?;
            }
        }
        Ok(())
    }

    /// Lists the tokens that are found before words are cut, in the order of their texts.
    fn specials<'m>(&self, texts: &Texts<'_>, specials: &'m mut [u32]) -> &'m [u32] {
        let ids = (0..).zip(self.tokens.strings());
        let ids = ids.filter(|&(id, text)| self.is_special(id, text)).map(|(id, _)| id);
        specials.iter_mut().zip(ids).for_each(|(special, id)| *special = id);
        specials.sort_unstable_by(|&a, &b| texts.get(a).cmp(&texts.get(b)));
        specials
    }

    fn is_special(&self, id: u32, text: &[u8]) -> bool {
        let kind = kind(self.kinds, id, text);
        Specials::may_be(text) && !matches!(kind, Kind::Normal | Kind::Unused)
    }

    /// Whether merging may lead to a token: never to a mark.
    fn is_text(&self, texts: &Texts<'_>, id: u32) -> bool {
        let kind = texts.get(id).map(|text| kind(self.kinds, id, text));
        matches!(kind, Some(Kind::Normal | Kind::UserDefined))
    }

    /// The id in a key, which must be one of the vocabulary's.
    fn special_id(&self, gguf: &Gguf<'a>, key: &str) -> Result<Option<u32>, Error> {
        match gguf.find::<u32>(key)? {
            Some(id) if id as usize >= self.tokens.len() => {
                let found = Number::Unsigned(id.into());
                let must = "less than the number of tokens";
                Err(Error::key(key, KeyFault::Number { found, must }))
            }
            id => Ok(id),
        }
    }
}

fn texts<'a>(
    gguf: &Gguf<'a>,
    key: &str,
    what: &'static str,
    most: usize,
) -> Result<Array<'a>, Error> {
    let array: Array<'_> = gguf.get(key)?;
    let (found, must) = (array.ty(), "text");
    match array.len() {
        _ if found != Type::Str => Err(Error::key(key, KeyFault::Elements { found, must })),
        found if found > most => Err(Error::Text(TextFault::Many { what, found, most })),
        _ => Ok(array),
    }
}

fn check_kinds(kinds: &Array<'_>, tokens: usize) -> Result<(), Error> {
    let (found, must) = (kinds.ty(), "i32");
    if !matches!(found, Type::I32 | Type::U32) {
        return Err(Error::key(KINDS, KeyFault::Elements { found, must }));
    }
    let (found, must) = (kinds.len(), tokens);
    if found != must {
        return Err(Error::key(KINDS, KeyFault::Length { found, must }));
    }
    Ok(())
}

/// What a token is for, by its type in the file and, where converters differ, by its text:
/// padding is unused, tags are marks, and a thought's tags are visible marks.
fn kind(kinds: Option<Array<'_>>, id: u32, text: &[u8]) -> Kind {
    let Some(kinds) = kinds else { return Kind::Normal };
    match kinds.get(id as usize).and_then(|kind| kind.unsigned()) {
        Some(1 | 6) => Kind::Normal,
        Some(2 | 3 | 4) if text == OPEN.as_bytes() || text == CLOSE.as_bytes() => Kind::Tag,
        Some(2 | 3) => Kind::Control,
        Some(4) if is_padding(text) => Kind::Unused,
        Some(4) if text.starts_with(b"<") && text.ends_with(b">") => Kind::Tag,
        Some(4) => Kind::UserDefined,
        _ => Kind::Unused,
    }
}

/// Whether a text is `[PAD…]` with a number, by which converters fill up the table.
fn is_padding(text: &[u8]) -> bool {
    let number = text.strip_prefix(b"[PAD").and_then(|text| text.strip_suffix(b"]"));
    number.is_some_and(|number| number.iter().all(u8::is_ascii_digit))
}

/// Lengths of the tables, in numbers of 32 bits.
struct Sizes {
    tokens: usize,
    id_slots: usize,
    merges: usize,
    merge_slots: usize,
    specials: usize,
}

impl Sizes {
    fn numbers(&self) -> Result<usize, Error> {
        let parts = [
            Some(self.tokens),
            Some(self.id_slots),
            self.merges.checked_mul(3),
            Some(self.merge_slots),
            Some(256),
            Some(self.specials),
        ];
        let sum = parts.into_iter().try_fold(0usize, |sum, part| sum.checked_add(part?));
        sum.ok_or(Error::NoRoom { what: "the vocabulary", needed: usize::MAX, available: None })
    }

    /// With room to start at a multiple of 4.
    fn bytes(&self) -> Result<usize, Error> {
        Ok(self.numbers()? * 4 + 3)
    }
}
