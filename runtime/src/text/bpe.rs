//! Byte-pair merging in time n log n: a linked list of symbols and a heap of candidate pairs.

use super::escaped::Escaped;
use super::table::{NONE, probe};
use crate::random::mix;

/// The merges of a vocabulary, best first: the rank of a merge is its place in the file.
#[derive(Clone, Copy)]
pub(crate) struct Merges<'a> {
    /// `[left, right, merged]`, all [`NONE`] where the file's merge can not apply.
    rows: &'a [[u32; 3]],
    /// Open-addressing table of ranks, [`NONE`] where free; its length is a power of two.
    ranks: &'a [u32],
}

impl<'a> Merges<'a> {
    /// Views a table filled by [`insert`].
    pub(crate) fn new(rows: &'a [[u32; 3]], ranks: &'a [u32]) -> Self {
        Self { rows, ranks }
    }

    /// The rank at which two tokens merge, or [`NONE`].
    fn rank(&self, left: u32, right: u32) -> u32 {
        for slot in probe(hash(left, right), self.ranks.len()) {
            let rank = self.ranks[slot];
            if rank == NONE {
                break;
            }
            let [l, r, _] = self.rows[rank as usize];
            if (l, r) == (left, right) {
                return rank;
            }
        }
        NONE
    }

    fn merged(&self, rank: u32) -> u32 {
        self.rows[rank as usize][2]
    }
}

/// Enters the merge in row `rank`; of equal pairs the first stays. `None` if the table is crowded.
pub(crate) fn insert(rows: &[[u32; 3]], ranks: &mut [u32], rank: u32) -> Option<()> {
    let [left, right, _] = rows[rank as usize];
    for slot in probe(hash(left, right), ranks.len()) {
        if ranks[slot] == NONE {
            ranks[slot] = rank;
            return Some(());
        }
        let [l, r, _] = rows[ranks[slot] as usize];
        if (l, r) == (left, right) {
            return Some(());
        }
    }
    None
}

fn hash(left: u32, right: u32) -> u64 {
    mix(u64::from(left) << 32 | u64::from(right))
}

/// Scratch for merging one word.
pub(crate) struct Word<'a> {
    symbols: &'a mut [Symbol],
    heap: Heap<'a>,
}

/// `[previous, next, token, rank]`: neighbours in the list, and the rank of the merge with the
/// next symbol. A symbol that was merged into another has rank [`NONE`].
type Symbol = [u32; 4];
const PREVIOUS: usize = 0;
const NEXT: usize = 1;
const TOKEN: usize = 2;
/// Of SentencePiece's symbols, which lie where their texts begin: where these end.
const END: usize = 2;
const RANK: usize = 3;

impl<'a> Word<'a> {
    /// Numbers of scratch for each byte of the longest word: a symbol, and two places in the
    /// heap, because a merge takes one entry from it and adds at most two.
    pub(crate) const NUMBERS_PER_BYTE: usize = 8;

    /// Divides scratch; its length gives the longest word that merges as a whole.
    pub(crate) fn new(scratch: &'a mut [u32]) -> Self {
        let cap = scratch.len() / Self::NUMBERS_PER_BYTE;
        let (symbols, heap) = scratch[..cap * Self::NUMBERS_PER_BYTE].split_at_mut(cap * 4);
        let (symbols, heap) = (symbols.as_chunks_mut().0, heap.as_chunks_mut().0);
        Self { symbols, heap: Heap { entries: heap, len: 0 } }
    }

    /// Bytes of the longest word that merges as a whole.
    pub(crate) fn cap(&self) -> usize {
        self.symbols.len()
    }

    /// Merges a word given by its first tokens, at most [`cap`](Self::cap), and passes on what
    /// remains: the pair of least rank first and, of equals, the leftmost.
    pub(crate) fn merge(
        &mut self,
        merges: &Merges<'_>,
        tokens: impl Iterator<Item = u32>,
        sink: &mut impl FnMut(u32),
    ) {
        let len = self.link(tokens);
        for position in 0..len {
            self.rank(merges, position);
        }
        while let Some([rank, position]) = self.heap.pop() {
            if self.symbols[position as usize][RANK] == rank {
                self.join(merges, rank, position);
            }
        }
        let mut position = if len == 0 { NONE } else { 0 };
        while position != NONE {
            let [_, next, token, _] = self.symbols[position as usize];
            sink(token);
            position = next;
        }
    }

    /// Merges a text of at most [`cap`](Self::cap) bytes by scores, and passes on where each of what
    /// remains lies: the pair of the best score first and, of equals, the leftmost.
    pub(crate) fn merge_pieces(
        &mut self,
        text: Escaped<'_>,
        find: &impl Fn(usize, usize) -> Option<u32>,
        mut sink: impl FnMut(usize, usize),
    ) {
        let mut last = NONE;
        for start in text.characters() {
            if last != NONE {
                self.symbols[last as usize][NEXT] = start as u32;
                self.symbols[last as usize][END] = start as u32;
            }
            self.symbols[start] = [last, NONE, text.len() as u32, NONE];
            last = start as u32;
        }
        let mut position = if last == NONE { NONE } else { 0 };
        while position != NONE {
            self.score(find, position);
            position = self.symbols[position as usize][NEXT];
        }
        while let Some([rank, position]) = self.heap.pop() {
            if self.symbols[position as usize][RANK] == rank {
                self.join_pieces(find, position);
            }
        }
        let mut position = if last == NONE { NONE } else { 0 };
        while position != NONE {
            let [_, next, end, _] = self.symbols[position as usize];
            sink(position as usize, end as usize);
            position = next;
        }
    }

    fn join_pieces(&mut self, find: &impl Fn(usize, usize) -> Option<u32>, position: u32) {
        let [previous, right, ..] = self.symbols[position as usize];
        let [_, next, end, _] = self.symbols[right as usize];
        self.symbols[right as usize][RANK] = NONE;
        self.symbols[position as usize] = [previous, next, end, NONE];
        if next != NONE {
            self.symbols[next as usize][PREVIOUS] = position;
        }
        if previous != NONE {
            self.score(find, previous);
        }
        self.score(find, position);
    }

    /// Looks up the token of the piece at `position` with the next and makes it a candidate.
    fn score(&mut self, find: &impl Fn(usize, usize) -> Option<u32>, position: u32) {
        let next = self.symbols[position as usize][NEXT];
        if next == NONE {
            return;
        }
        let end = self.symbols[next as usize][END];
        let rank = find(position as usize, end as usize).unwrap_or(NONE);
        self.symbols[position as usize][RANK] = rank;
        if rank != NONE {
            self.heap.push([rank, position]);
        }
    }

    fn link(&mut self, tokens: impl Iterator<Item = u32>) -> u32 {
        let mut len: u32 = 0;
        for (symbol, token) in self.symbols.iter_mut().zip(tokens) {
            *symbol = [len.wrapping_sub(1), len + 1, token, NONE];
            len += 1;
        }
        if let Some(last) = len.checked_sub(1) {
            self.symbols[last as usize][NEXT] = NONE;
        }
        len
    }

    /// Replaces the symbol at `position` and the next one by their merge.
    fn join(&mut self, merges: &Merges<'_>, rank: u32, position: u32) {
        let [previous, right, ..] = self.symbols[position as usize];
        let next = self.symbols[right as usize][NEXT];
        self.symbols[right as usize][RANK] = NONE;
        self.symbols[position as usize] = [previous, next, merges.merged(rank), NONE];
        if next != NONE {
            self.symbols[next as usize][PREVIOUS] = position;
        }
        if previous != NONE {
            self.rank(merges, previous);
        }
        self.rank(merges, position);
    }

    /// Looks up the merge of the symbol at `position` with the next and makes it a candidate.
    fn rank(&mut self, merges: &Merges<'_>, position: u32) {
        let [_, next, token, _] = self.symbols[position as usize];
        if next == NONE {
            return;
        }
        let rank = merges.rank(token, self.symbols[next as usize][TOKEN]);
        self.symbols[position as usize][RANK] = rank;
        if rank != NONE {
            self.heap.push([rank, position]);
        }
    }
}

/// A binary heap of `[rank, position]`, least first.
struct Heap<'a> {
    entries: &'a mut [[u32; 2]],
    len: usize,
}

impl Heap<'_> {
    fn push(&mut self, entry: [u32; 2]) {
        let mut hole = self.len;
        self.len += 1;
        while hole > 0 && entry < self.entries[(hole - 1) / 2] {
            self.entries[hole] = self.entries[(hole - 1) / 2];
            hole = (hole - 1) / 2;
        }
        self.entries[hole] = entry;
    }

    fn pop(&mut self) -> Option<[u32; 2]> {
        self.len = self.len.checked_sub(1)?;
        let (top, last) = (self.entries[0], self.entries[self.len]);
        let mut hole = 0;
        while let Some(child) = self.least_child(hole).filter(|&c| self.entries[c] < last) {
            self.entries[hole] = self.entries[child];
            hole = child;
        }
        self.entries[hole] = last;
        Some(top)
    }

    fn least_child(&self, parent: usize) -> Option<usize> {
        let (left, right) = (2 * parent + 1, 2 * parent + 2);
        let children = [left, right].into_iter().filter(|&child| child < self.len);
        children.min_by_key(|&child| self.entries[child])
    }
}
