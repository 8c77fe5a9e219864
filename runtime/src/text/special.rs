//! Finding special tokens in text, before words are cut.

use super::texts::Texts;

/// The tokens that are found as they are written, in the order of their texts.
#[derive(Clone, Copy)]
pub(crate) struct Specials<'a> {
    texts: Texts<'a>,
    ids: &'a [u32],
    /// Bit `b` is set if a text starts with byte `b`.
    starts: [u64; 4],
}

impl<'a> Specials<'a> {
    /// Whether a text can be a special token's.
    ///
    /// Not an empty one; not one that is no UTF-8, as it would cut characters; and not a longer one
    /// than any published, so that searching takes time linear in the text.
    pub(crate) fn may_be(text: &[u8]) -> bool {
        (1..=256).contains(&text.len()) && str::from_utf8(text).is_ok()
    }

    /// Takes `ids` sorted by text.
    pub(crate) fn new(texts: Texts<'a>, ids: &'a [u32]) -> Self {
        let mut starts = [0; 4];
        for first in ids.iter().filter_map(|&id| texts.get(id)?.first()) {
            starts[usize::from(first / 64)] |= 1 << (first % 64);
        }
        Self { texts, ids, starts }
    }

    /// All of them.
    #[cfg(feature = "template")]
    pub(crate) fn ids(&self) -> &'a [u32] {
        self.ids
    }

    /// The next special token in `text` at or behind `from`: where it starts, its id and its length.
    ///
    /// Where several start at a place, the longest that is `allowed`, given its id and its bytes'
    /// range.
    pub(crate) fn next(
        &self,
        text: &str,
        from: usize,
        mut allowed: impl FnMut(u32, core::ops::Range<usize>) -> bool,
    ) -> Option<(usize, u32, usize)> {
        let bytes = text.as_bytes();
        (from..bytes.len()).filter(|&at| self.starts_with(bytes[at])).find_map(|at| {
            let allowed = |id, len| allowed(id, at..at + len);
            self.longest(&bytes[at..], allowed).map(|(id, len)| (at, id, len))
        })
    }

    fn starts_with(&self, byte: u8) -> bool {
        self.starts[usize::from(byte / 64)] >> (byte % 64) & 1 == 1
    }

    /// Narrows the sorted tokens byte by byte to those that `text` may start with.
    fn longest(
        &self,
        text: &[u8],
        mut allowed: impl FnMut(u32, usize) -> bool,
    ) -> Option<(u32, usize)> {
        let (mut ids, mut longest) = (self.ids, None);
        for len in 1..=text.len() {
            let byte = |id: &u32| self.texts.get(*id).and_then(|text| text.get(len - 1));
            ids = &ids[ids.partition_point(|id| byte(id) < text.get(len - 1))..];
            ids = &ids[..ids.partition_point(|id| byte(id) <= text.get(len - 1))];
            while let [id, rest @ ..] = ids {
                if self.texts.get(*id).map(<[u8]>::len) != Some(len) {
                    break;
                }
                if longest.is_none_or(|(_, known)| known < len) && allowed(*id, len) {
                    longest = Some((*id, len));
                }
                ids = rest;
            }
            if ids.is_empty() {
                break;
            }
        }
        longest
    }
}
