//! The texts of a vocabulary's tokens, where they lie in the file, and a table to find them.

use super::table::{self, NONE};
use super::unicode::char_of_byte;
use crate::error::{Error, TextFault};
use crate::hash::Fnv;
use crate::model::Array;
use crate::random::mix;

/// The texts of tokens, and the way back.
#[derive(Clone, Copy)]
pub(crate) struct Texts<'a> {
    tokens: Array<'a>,
    /// Where each token's text lies in the array.
    pub(crate) starts: &'a [u32],
    /// Open-addressing table of ids, [`NONE`] where free; its length is a power of two.
    ids: &'a [u32],
}

impl<'a> Texts<'a> {
    /// Enters every token; an empty text is never found.
    pub(crate) fn new(
        tokens: Array<'a>,
        starts: &'a [u32],
        ids: &'a mut [u32],
    ) -> Result<Self, Error> {
        for (id, text) in (0..).zip(tokens.strings()).filter(|(_, text)| !text.is_empty()) {
            let mut slots = table::probe(hash(text.iter().copied()), ids.len());
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

    pub(crate) fn find(&self, text: impl Iterator<Item = u8> + Clone) -> Option<u32> {
        for slot in table::probe(hash(text.clone()), self.ids.len()) {
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
    let mut hash = Fnv::new();
    text.for_each(|byte| hash.write(&[byte]));
    mix(hash.finish())
}

/// Bytes as a token's text writes them.
pub(crate) fn encoded(bytes: &[u8]) -> impl Iterator<Item = u8> + Clone {
    bytes.iter().flat_map(|&byte| {
        let mut utf8 = [0; 2];
        let len = char_of_byte(byte).encode_utf8(&mut utf8).len();
        utf8.into_iter().take(len)
    })
}
