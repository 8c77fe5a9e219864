//! Which pages of keys and values each sequence has.
//!
//! A page holds [`PAGE`] positions of every layer. A sequence is a list of pages; pages count
//! their users, so a fork shares all of them, and a shared page is copied when one of its users
//! writes to it.
//!
//! A pass takes its positions and pages with [`Pages::begin`]. They become the sequences' own with
//! [`Pages::commit`], or are given back with [`Pages::cancel`].

mod store;

pub(crate) use store::SLAB;

use super::limits::Limits;
use crate::arena::Arena;
use crate::error::{ColumnFault, Error, SessionFault};
use crate::model::Config;
use core::iter;
use dram_targets::{Kernels, PAGE};
use store::{Block, Store};

/// A sequence of tokens in a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Sequence(pub(crate) u32);

/// Marks a sequence that is not open.
const CLOSED: u32 = u32::MAX;

/// All pages and the lists of them.
pub(crate) struct Pages<'a> {
    store: Store<'a>,
    context: usize,
    /// `(sequences, pages of a full sequence)`
    lists: &'a mut [u32],
    /// Positions of each sequence, or [`CLOSED`].
    lengths: &'a mut [u32],
    /// The same with those of the pass that has begun.
    ends: &'a mut [u32],
    /// Users of each page.
    users: &'a mut [u32],
    /// Pages without users, the first `free` of them.
    spare: &'a mut [u32],
    free: usize,
}

impl<'a> Pages<'a> {
    pub(crate) fn new(
        config: &Config,
        limits: &Limits,
        arena: &mut Arena<'a>,
    ) -> Result<Self, Error> {
        let store = Store::new(config, limits, arena)?;
        let listed = limits.sequences.saturating_mul(limits.context.div_ceil(PAGE));
        let lists = arena.take(listed)?;
        let lengths = arena.take::<u32>(limits.sequences)?;
        let ends = arena.take::<u32>(limits.sequences)?;
        let (users, spare) = (arena.take::<u32>(limits.pages)?, arena.take::<u32>(limits.pages)?);
        lengths.fill(CLOSED);
        users.fill(0);
        for (i, page) in spare.iter_mut().rev().enumerate() {
            *page = i as u32;
        }
        let (context, free) = (limits.context, spare.len());
        Ok(Self { store, context, lists, lengths, ends, users, spare, free })
    }

    /// Pages that no sequence has.
    pub(crate) const fn free(&self) -> usize {
        self.free
    }

    /// Opens an empty sequence.
    pub(crate) fn open(&mut self) -> Result<Sequence, Error> {
        let most = self.lengths.len();
        let closed = self.lengths.iter().position(|length| *length == CLOSED);
        let sequence = Sequence(closed.ok_or(SessionFault::Sequences { most })? as u32);
        self.set_length(sequence, 0);
        Ok(sequence)
    }

    /// Opens a sequence that shares what `from` has before `position`.
    pub(crate) fn fork(&mut self, from: Sequence, position: usize) -> Result<Sequence, Error> {
        let length = self.length(from)?.min(position);
        let to = self.open()?;
        for i in 0..length.div_ceil(PAGE) {
            let page = self.lists[self.list_at(from, i)];
            let at = self.list_at(to, i);
            self.lists[at] = page;
            self.users[page as usize] += 1;
        }
        self.set_length(to, length);
        Ok(to)
    }

    /// Forgets positions from `length` on; more than there are changes nothing.
    pub(crate) fn rewind(&mut self, sequence: Sequence, length: usize) -> Result<(), Error> {
        let now = self.length(sequence)?;
        for i in length.div_ceil(PAGE)..now.div_ceil(PAGE) {
            self.release(self.lists[self.list_at(sequence, i)]);
        }
        self.set_length(sequence, now.min(length));
        Ok(())
    }

    /// Closes a sequence; its number may come back from [`Self::open`].
    pub(crate) fn close(&mut self, sequence: Sequence) -> Result<(), Error> {
        self.rewind(sequence, 0)?;
        self.lengths[sequence.0 as usize] = CLOSED;
        Ok(())
    }

    /// Positions of a sequence.
    pub(crate) fn length(&self, sequence: Sequence) -> Result<usize, Error> {
        match self.lengths.get(sequence.0 as usize) {
            Some(length) if *length != CLOSED => Ok(*length as usize),
            _ => Err(SessionFault::Closed.into()),
        }
    }

    /// Pages that `count` more positions of a sequence take, a copy of its last included where it
    /// is shared.
    pub(crate) fn needed(&self, sequence: Sequence, count: usize) -> Result<usize, Error> {
        let length = self.length(sequence)?;
        let pages = length.saturating_add(count).div_ceil(PAGE) - length.div_ceil(PAGE);
        Ok(pages + usize::from(count > 0 && self.shared_end(sequence, length).is_some()))
    }

    /// Gives an empty sequence so many positions, whose keys and values are to be filled in.
    #[cfg(feature = "std")]
    pub(crate) fn fill(&mut self, sequence: Sequence, count: usize) -> Result<(), Error> {
        let (needed, free) = (self.needed(sequence, count)?, self.free);
        if needed > free {
            return Err(SessionFault::Pages { needed, free }.into());
        }
        for i in 0..needed {
            let at = self.list_at(sequence, i);
            self.lists[at] = self.claim();
        }
        self.set_length(sequence, count);
        Ok(())
    }

    /// Calls `f` with the bytes of a sequence's keys and values, in the order of positions.
    #[cfg(feature = "std")]
    pub(crate) fn walk(
        &mut self,
        sequence: Sequence,
        mut f: impl FnMut(&mut [u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let count = self.length(sequence)?;
        for first in (0..count).step_by(PAGE) {
            let page = self.page(sequence, first);
            self.store.walk(page, PAGE.min(count - first), &mut f)?;
        }
        Ok(())
    }

    /// Gives each column, whose sequences these are, the next position of its sequence, and a page
    /// for it that no other sequence uses. On an error nothing has changed.
    pub(crate) fn begin(&mut self, sequences: &[u32], positions: &mut [u32]) -> Result<(), Error> {
        for (column, (sequence, position)) in iter::zip(sequences, &mut *positions).enumerate() {
            match self.advance(Sequence(*sequence)) {
                Ok(next) => *position = next,
                Err(fault) => {
                    self.reset(&sequences[..column]);
                    return Err(SessionFault::Column { column, fault }.into());
                }
            }
        }
        let (needed, free) = (self.needed_by_all(sequences, positions), self.free);
        if needed > free {
            self.reset(sequences);
            return Err(SessionFault::Pages { needed, free }.into());
        }
        for (sequence, position) in iter::zip(sequences, positions) {
            self.own(Sequence(*sequence), *position as usize);
        }
        Ok(())
    }

    /// Makes the positions of a pass that has begun its sequences' own.
    pub(crate) fn commit(&mut self, sequences: &[u32]) {
        for sequence in sequences {
            self.lengths[*sequence as usize] = self.ends[*sequence as usize];
        }
    }

    /// Gives back what a pass took when it began; copies of shared pages, which are equal, stay.
    pub(crate) fn cancel(&mut self, sequences: &[u32], positions: &[u32]) {
        for (sequence, position) in iter::zip(sequences, positions) {
            if position.is_multiple_of(PAGE as u32) {
                self.release(self.page(Sequence(*sequence), *position as usize));
            }
        }
        self.reset(sequences);
    }

    /// Forgets the positions of a pass.
    fn reset(&mut self, sequences: &[u32]) {
        for sequence in sequences {
            self.ends[*sequence as usize] = self.lengths[*sequence as usize];
        }
    }

    /// The next position of a sequence in a pass.
    fn advance(&mut self, sequence: Sequence) -> Result<u32, ColumnFault> {
        self.length(sequence).map_err(|_| ColumnFault::Closed)?;
        let end = &mut self.ends[sequence.0 as usize];
        if *end as usize >= self.context {
            return Err(ColumnFault::Full { context: self.context });
        }
        *end += 1;
        Ok(*end - 1)
    }

    /// Pages that the columns of a pass take together.
    fn needed_by_all(&self, sequences: &[u32], positions: &[u32]) -> usize {
        let columns = || {
            iter::zip(sequences, positions).map(|(s, position)| (Sequence(*s), *position as usize))
        };
        let begun = columns().filter(|(_, position)| position.is_multiple_of(PAGE)).count();
        let shared = |(sequence, position)| self.shared_end(sequence, position);
        let copied = columns().map(shared).enumerate().filter(|(i, page)| {
            page.is_some_and(|page| {
                // The last of its users has the page to itself.
                let left = columns().take(*i).filter(|c| shared(*c) == Some(page)).count();
                self.users[page as usize] as usize - left > 1
            })
        });
        begun + copied.count()
    }

    /// The page that a sequence whose end is `position` would go on in, if others use it, too.
    fn shared_end(&self, sequence: Sequence, position: usize) -> Option<u32> {
        let is_end = position == self.lengths[sequence.0 as usize] as usize;
        if !is_end || position.is_multiple_of(PAGE) {
            return None;
        }
        let page = self.page(sequence, position);
        (self.users[page as usize] > 1).then_some(page)
    }

    /// Sees that a sequence has a page of its own at the next position of a pass.
    fn own(&mut self, sequence: Sequence, position: usize) {
        let at = self.list_at(sequence, position / PAGE);
        if position.is_multiple_of(PAGE) {
            self.lists[at] = self.claim();
        } else if let Some(shared) = self.shared_end(sequence, position) {
            let own = self.claim();
            self.store.copy(shared, own);
            self.release(shared);
            self.lists[at] = own;
        }
    }

    fn set_length(&mut self, sequence: Sequence, length: usize) {
        let index = sequence.0 as usize;
        (self.lengths[index], self.ends[index]) = (length as u32, length as u32);
    }

    fn list_at(&self, sequence: Sequence, i: usize) -> usize {
        sequence.0 as usize * self.context.div_ceil(PAGE) + i
    }

    /// The page of a position.
    fn page(&self, sequence: Sequence, position: usize) -> u32 {
        self.lists[self.list_at(sequence, position / PAGE)]
    }

    fn claim(&mut self) -> u32 {
        // `begin` has seen that there are as many as are needed.
        self.free -= 1;
        let page = self.spare[self.free];
        self.users[page as usize] = 1;
        page
    }

    fn release(&mut self, page: u32) {
        self.users[page as usize] -= 1;
        if self.users[page as usize] == 0 {
            self.spare[self.free] = page;
            self.free += 1;
        }
    }

    fn block(&self, Place { sequence, position, layer, head }: Place) -> Block {
        Block { page: self.page(sequence, position), layer, head }
    }

    /// Stores a key and a value.
    pub(crate) fn put(&mut self, place: Place, key: &[f32], value: &[f32]) {
        self.store.put(self.block(place), place.position % PAGE, key, value);
    }

    /// Scores of the queries `(n, head_len)` against the keys of the page at `place`.
    pub(crate) fn score(
        &self,
        kernels: &Kernels,
        place: Place,
        q: &[f32],
        scale: f32,
        stride: usize,
        s: &mut [f32],
    ) {
        self.store.score(kernels, self.block(place), q, scale, stride, s);
    }

    /// Adds the weighted values of the page at `place` to `y`.
    pub(crate) fn weighted_sum(
        &self,
        kernels: &Kernels,
        place: Place,
        p: &[f32],
        stride: usize,
        positions: usize,
        y: &mut [f32],
    ) {
        self.store.weighted_sum(kernels, self.block(place), p, stride, positions, y);
    }
}

/// A position of one KV head of one layer, and the page around it.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub sequence: Sequence,
    pub position: usize,
    pub layer: usize,
    pub head: usize,
}
