//! What a model's file says about its vocabulary, checked.

use super::bpe;
use super::kind::{TokenKind, kind};
use super::special::Specials;
use super::table::{self, NONE};
use super::texts::Texts;
use crate::arena::Arena;
use crate::error::{Error, KeyFault, Name, TextFault};
use crate::model::{Array, Gguf, Type};

const TOKENS: &str = "tokenizer.ggml.tokens";
const KINDS: &str = "tokenizer.ggml.token_type";
const MERGES: &str = "tokenizer.ggml.merges";
const SCORES: &str = "tokenizer.ggml.scores";

/// The most tokens and merges a vocabulary may have: several times the largest published.
const TOKENS_MAX: usize = 1 << 20;
const MERGES_MAX: usize = 1 << 21;

/// What a file says about its vocabulary.
pub(crate) struct Source<'a> {
    pub(crate) tokens: Array<'a>,
    pub(crate) kinds: Option<Array<'a>>,
    /// Of byte-level BPE.
    merges: Option<Array<'a>>,
    /// Of SentencePiece: how good each token is.
    pub(crate) scores: Option<Array<'a>>,
    pub(crate) is_sentence_piece: bool,
    /// How words are cut, as the file names it.
    pub(crate) pre: Option<&'a str>,
}

impl<'a> Source<'a> {
    pub(crate) fn new(gguf: &Gguf<'a>) -> Result<Self, Error> {
        let model: &str = gguf.get("tokenizer.ggml.model")?;
        let is_sentence_piece = model == "llama";
        if model != "gpt2" && !is_sentence_piece {
            return Err(Error::Text(TextFault::Model(Name::of(model))));
        }
        let pre = gguf.find("tokenizer.ggml.pre")?;
        let tokens = texts(gguf, TOKENS, "tokens", TOKENS_MAX)?;
        if tokens.is_empty() {
            return Err(Error::key(TOKENS, KeyFault::Length { found: 0, must: 1 }));
        }
        let kinds = of_each(gguf, KINDS, &[Type::I32, Type::U32], "i32", tokens.len())?;
        let scores = of_each(gguf, SCORES, &[Type::F32], "f32", tokens.len())?;
        let merges = match is_sentence_piece {
            true => None,
            false => Some(texts(gguf, MERGES, "merges", MERGES_MAX)?),
        };
        Ok(Self { tokens, kinds, merges, scores, is_sentence_piece, pre })
    }

    pub(crate) fn sizes(&self) -> Sizes {
        let specials = (0..).zip(self.tokens.strings());
        let specials = specials.filter(|&(id, text)| self.is_special(id, text)).count();
        Sizes {
            tokens: self.tokens.len(),
            id_slots: table::slots(self.tokens.len()).unwrap_or(usize::MAX),
            merges: self.merges.map_or(0, |merges| merges.len()),
            merge_slots: table::slots(self.merges.map_or(0, |merges| merges.len()))
                .unwrap_or(usize::MAX),
            specials,
        }
    }

    pub(crate) fn fill_starts(&self, starts: &mut [u32]) -> Result<(), Error> {
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

    pub(crate) fn fill_merges(
        &self,
        texts: &Texts<'_>,
        rows: &mut [[u32; 3]],
        ranks: &mut [u32],
    ) -> Result<(), Error> {
        for (index, merge) in self.merges.iter().flat_map(|all| all.strings()).enumerate() {
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
    pub(crate) fn specials<'m>(&self, texts: &Texts<'_>, specials: &'m mut [u32]) -> &'m [u32] {
        let ids = (0..).zip(self.tokens.strings());
        let ids = ids.filter(|&(id, text)| self.is_special(id, text)).map(|(id, _)| id);
        specials.iter_mut().zip(ids).for_each(|(special, id)| *special = id);
        specials.sort_unstable_by(|&a, &b| texts.get(a).cmp(&texts.get(b)));
        specials
    }

    fn is_special(&self, id: u32, text: &[u8]) -> bool {
        let kind = kind(self.kinds, id, text);
        Specials::may_be(text) && !matches!(kind, TokenKind::Normal | TokenKind::Unused)
    }

    /// Whether merging may lead to a token: never to a mark.
    pub(crate) fn is_text(&self, texts: &Texts<'_>, id: u32) -> bool {
        let kind = texts.get(id).map(|text| kind(self.kinds, id, text));
        matches!(kind, Some(TokenKind::Normal | TokenKind::UserDefined))
    }

    /// The id in a key; what is no token's is advice that cannot be followed.
    pub(crate) fn special_id(&self, gguf: &Gguf<'a>, key: &str) -> SpecialId {
        let Some(value) = gguf.value(key) else { return SpecialId::Absent };
        let id = value.unsigned().and_then(|id| u32::try_from(id).ok());
        match id.filter(|&id| (id as usize) < self.tokens.len()) {
            Some(id) => SpecialId::Token(id),
            None => SpecialId::NoToken,
        }
    }
}

/// What a file says of a token that it gives a part to.
#[derive(Clone, Copy)]
pub(crate) enum SpecialId {
    Absent,
    Token(u32),
    /// An id behind the vocabulary's end, by which some converters mean none.
    NoToken,
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

/// An array with an element of each token, if the file has it.
fn of_each<'a>(
    gguf: &Gguf<'a>,
    key: &str,
    types: &[Type],
    must: &'static str,
    tokens: usize,
) -> Result<Option<Array<'a>>, Error> {
    let Some(array) = gguf.find::<Array<'_>>(key)? else { return Ok(None) };
    let found = array.ty();
    if !types.contains(&found) {
        return Err(Error::key(key, KeyFault::Elements { found, must }));
    }
    match array.len() {
        found if found != tokens => Err(Error::key(key, KeyFault::Length { found, must: tokens })),
        _ => Ok(Some(array)),
    }
}

/// Lengths of the tables.
pub(crate) struct Sizes {
    tokens: usize,
    id_slots: usize,
    merges: usize,
    merge_slots: usize,
    specials: usize,
}

/// The tables of a vocabulary, to be filled.
pub(crate) struct Tables<'a> {
    /// Where each token's text lies.
    pub(crate) starts: &'a mut [u32],
    /// For [`Texts`]: which token a text is.
    pub(crate) ids: &'a mut [u32],
    /// For [`Merges`](bpe::Merges), with `ranks`.
    pub(crate) merges: &'a mut [[u32; 3]],
    pub(crate) ranks: &'a mut [u32],
    /// The token of each byte.
    pub(crate) bytes: &'a mut [u32],
    pub(crate) specials: &'a mut [u32],
}

impl Sizes {
    /// Bytes of all tables.
    pub(crate) fn bytes(&self) -> Result<usize, Error> {
        let mut arena = Arena::measuring(WHAT);
        self.carve(&mut arena)?;
        Ok(arena.bytes())
    }

    /// Takes the tables from `memory`; no text, merge or rank is entered yet.
    pub(crate) fn tables<'a>(&self, memory: &'a mut [u8]) -> Result<Tables<'a>, Error> {
        let tables = self.carve(&mut Arena::new(WHAT, memory, self.bytes()?)?)?;
        for table in [&mut *tables.ids, &mut *tables.ranks, tables.merges.as_flattened_mut()] {
            table.fill(NONE);
        }
        Ok(tables)
    }

    fn carve<'a>(&self, arena: &mut Arena<'a>) -> Result<Tables<'a>, Error> {
        Ok(Tables {
            starts: arena.take(self.tokens)?,
            ids: arena.take(self.id_slots)?,
            merges: arena.take(self.merges)?,
            ranks: arena.take(self.merge_slots)?,
            bytes: arena.take(256)?,
            specials: arena.take(self.specials)?,
        })
    }
}

const WHAT: &str = "the vocabulary";
