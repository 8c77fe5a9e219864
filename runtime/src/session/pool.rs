//! Threads that share the parts of one step.
//!
//! [`Pool::run`] calls a function once for every part of a step; whichever thread is free takes
//! the next part, so a slow or busy core takes fewer. The calling thread works too. A thread
//! that has not woken by the time the parts are used up is not waited for.
//!
//! Without the feature `std` there is one thread: the caller.

#![allow(unsafe_code, reason = "threads write to disjoint pieces of one slice")]

#[cfg(feature = "std")]
mod crew;
#[cfg(all(loom, test, feature = "std"))]
mod model;
#[cfg(feature = "std")]
mod sync;

use core::marker::PhantomData;

/// The most threads a pool has.
pub(crate) const MAX_THREADS: usize = 64;

/// A slice to be handed out in pieces of equal length, each to one part of a step.
pub(crate) struct Pieces<'a, T> {
    start: *mut T,
    len: usize,
    piece: usize,
    slice: PhantomData<&'a mut [T]>,
}

// SAFETY: a `Pieces` is a `&mut [T]` whose pieces go to one thread each, and `T` may be sent.
unsafe impl<T: Send> Sync for Pieces<'_, T> {}

/// Things that can be dealt to the parts of a step, each part getting its own.
///
/// # Safety
///
/// What `hand` gives for two different parts must not overlap.
pub(crate) unsafe trait Deal: Sync {
    /// What one part gets.
    type Hand;
    /// The number of parts it can be dealt to.
    fn parts(&self) -> usize;
    /// The hand of part `i`.
    ///
    /// # Safety
    ///
    /// Each part below [`Self::parts`] may be asked for only once while earlier hands live.
    unsafe fn hand(&self, i: usize) -> Self::Hand;
}

impl<'a, T> Pieces<'a, T> {
    /// Cuts `slice` in pieces of `piece` elements.
    ///
    /// # Panics
    ///
    /// If that leaves a rest.
    pub(crate) fn new(slice: &'a mut [T], piece: usize) -> Self {
        assert!(slice.len().is_multiple_of(piece.max(1)), "pieces leave no rest");
        Self { start: slice.as_mut_ptr(), len: slice.len(), piece, slice: PhantomData }
    }
}

// SAFETY: piece `i` is elements `i * piece..(i + 1) * piece`, which no other piece has.
unsafe impl<'a, T: Send> Deal for Pieces<'a, T> {
    type Hand = &'a mut [T];

    fn parts(&self) -> usize {
        self.len / self.piece.max(1)
    }

    unsafe fn hand(&self, i: usize) -> &'a mut [T] {
        // SAFETY: `i` is below `parts`, so the start of piece `i` is inside the slice.
        let start = unsafe { self.start.add(i * self.piece) };
        // SAFETY: the piece is inside the slice, and the caller asks for it once.
        unsafe { core::slice::from_raw_parts_mut(start, self.piece) }
    }
}

macro_rules! deal_tuple {
    ($($name:ident: $index:tt),*) => {
        // SAFETY: hands of different parts do not overlap in any element.
        unsafe impl<$($name: Deal),*> Deal for ($($name,)*) {
            type Hand = ($($name::Hand,)*);

            fn parts(&self) -> usize {
                [$(self.$index.parts()),*].into_iter().min().unwrap_or(0)
            }

            unsafe fn hand(&self, i: usize) -> Self::Hand {
                // SAFETY: `i` is below every element's parts, and the caller asks for it once.
                ($(unsafe { self.$index.hand(i) },)*)
            }
        }
    };
}
deal_tuple!(A: 0, B: 1);
deal_tuple!(A: 0, B: 1, C: 2, D: 3);

/// The outputs of up to three matrices that share their input: for each matrix in turn a section
/// `(columns, rows)`. Every part owns a range of the rows of all matrices, in all columns.
pub(crate) struct Grid<'a> {
    cells: Pieces<'a, f32>,
    layout: Layout,
    rows_per_part: usize,
}

/// How the cells of a [`Grid`] lie.
#[derive(Clone, Copy)]
struct Layout {
    columns: usize,
    /// Rows of each section.
    sections: [usize; 3],
}

impl Layout {
    fn rows(&self) -> usize {
        self.sections.iter().sum()
    }

    /// The section of a row, and the row's number in it.
    fn place(&self, mut row: usize) -> (usize, usize) {
        let mut section = 0;
        while row >= self.sections[section] {
            row -= self.sections[section];
            section += 1;
        }
        (section, row)
    }
}

impl<'a> Grid<'a> {
    /// Parts of `rows_per_part` rows, where section `i` has `sections[i]` rows.
    ///
    /// # Panics
    ///
    /// If there are not as many cells as the sections have.
    pub(crate) fn new(
        cells: &'a mut [f32],
        columns: usize,
        sections: [usize; 3],
        rows_per_part: usize,
    ) -> Self {
        let layout = Layout { columns, sections };
        assert_eq!(cells.len(), columns * layout.rows(), "a cell an output");
        Self { cells: Pieces::new(cells, 1), layout, rows_per_part }
    }
}

// SAFETY: part `i` writes rows `i * rows_per_part..(i + 1) * rows_per_part` only (`Rows::put`).
unsafe impl<'a> Deal for Grid<'a> {
    type Hand = Rows<'a>;

    fn parts(&self) -> usize {
        self.layout.rows().div_ceil(self.rows_per_part)
    }

    unsafe fn hand(&self, i: usize) -> Rows<'a> {
        let next = i * self.rows_per_part;
        let end = (next + self.rows_per_part).min(self.layout.rows());
        Rows { cells: self.cells.start, layout: self.layout, next, end, grid: PhantomData }
    }
}

/// The rows of a [`Grid`] that one part owns and has yet to write.
pub(crate) struct Rows<'a> {
    cells: *mut f32,
    layout: Layout,
    next: usize,
    end: usize,
    grid: PhantomData<&'a mut [f32]>,
}

impl Rows<'_> {
    /// The section of the next row to write, and the row's number in it; `None` when all are
    /// written.
    pub(crate) fn next(&self) -> Option<(usize, usize)> {
        (self.next < self.end).then(|| self.layout.place(self.next))
    }

    /// The number of rows to write.
    pub(crate) fn left(&self) -> usize {
        self.end - self.next
    }

    /// Writes the next rows of the section in every column, eight a group and in the last group as
    /// many as are left; `values` is `(groups, columns)`.
    ///
    /// # Panics
    ///
    /// If `values` are not whole groups.
    pub(crate) fn put(&mut self, values: &[[f32; 8]]) {
        let Layout { columns, sections } = self.layout;
        assert!(values.len().is_multiple_of(columns), "a value a column");
        let Some((section, row)) = self.next() else { return };
        let rows = sections[section];
        let left = (rows - row).min(self.end - self.next).min(values.len() / columns * 8);
        let start = columns * sections[..section].iter().sum::<usize>() + row;
        // Column by column: the rows of all groups lie side by side there.
        for column in 0..columns {
            for (group, row) in (0..left).step_by(8).enumerate() {
                let values = &values[group * columns + column];
                // SAFETY: section, column and row are inside the grid, whose size `new` checked.
                let to = unsafe { self.cells.add(start + column * rows + row) };
                if left - row >= 8 {
                    // SAFETY: as below, for a whole group, which is one store.
                    unsafe { to.cast::<[f32; 8]>().write_unaligned(*values) };
                } else {
                    // SAFETY: `left - row` rows from here on are in the section and this part's own.
                    unsafe { core::ptr::copy_nonoverlapping(values.as_ptr(), to, left - row) };
                }
            }
        }
        self.next += left;
    }
}

/// The threads of a session.
pub(crate) struct Pool {
    started: usize,
    active: usize,
    #[cfg(feature = "std")]
    crew: Option<crew::Crew>,
}

impl Pool {
    /// A pool of `threads` threads, the caller counted, or of as many as the system gives; one
    /// without the feature `std`.
    #[cfg(feature = "std")]
    pub(crate) fn new(threads: usize) -> Self {
        let crew = (threads > 1).then(|| crew::Crew::new(threads.min(MAX_THREADS) - 1));
        let crew = crew.filter(|crew| crew.threads() > 0);
        let started = 1 + crew.as_ref().map_or(0, crew::Crew::threads);
        Self { started, active: started, crew }
    }

    /// The caller alone.
    #[cfg(not(feature = "std"))]
    pub(crate) fn new(_: usize) -> Self {
        Self { started: 1, active: 1 }
    }

    /// Threads that compute, the caller counted.
    pub(crate) fn threads(&self) -> usize {
        self.active
    }

    /// Lets only so many of the threads compute: at least the caller, at most those started. The
    /// others sleep.
    pub(crate) fn keep(&mut self, threads: usize) {
        let active = threads.clamp(1, self.started);
        if active == self.active {
            return;
        }
        self.active = active;
        #[cfg(feature = "std")]
        if let Some(crew) = &self.crew {
            crew.keep(active);
        }
    }

    /// Calls `work(&mut scratch[thread], part, hand)` once for every part of `deal`, on any
    /// thread and in any order, and returns when all calls have.
    ///
    /// # Panics
    ///
    /// If there is less scratch than threads were started.
    pub(crate) fn run<S: Send, D: Deal>(
        &mut self,
        scratch: &mut [S],
        deal: D,
        work: impl Fn(&mut S, usize, D::Hand) + Sync,
    ) {
        assert!(scratch.len() >= self.started, "scratch for every thread");
        let parts = deal.parts();
        #[cfg(feature = "std")]
        if let Some(crew) = self.crew.as_ref().filter(|_| parts > 1 && self.active > 1) {
            let scratch = Pieces::new(scratch, 1);
            return crew.run(parts, &|thread, part| {
                // SAFETY: a thread has its own number below those started, and runs one part at a time.
                let scratch = unsafe { scratch.hand(thread) };
                // SAFETY: the crew hands out each part below `parts` once.
                let hand = unsafe { deal.hand(part) };
                work(&mut scratch[0], part, hand);
            });
        }
        for part in 0..parts {
            // SAFETY: every part is asked for once.
            let hand = unsafe { deal.hand(part) };
            work(&mut scratch[0], part, hand);
        }
    }
}

#[cfg(all(test, not(loom), feature = "std"))]
mod tests {
    use super::{Pieces, Pool};
    use std::time::{Duration, Instant};
    use std::vec;
    use std::vec::Vec;

    /// Runs a step of many parts and tells which threads took any.
    fn numbers(pool: &mut Pool, scratch: &mut [usize]) -> Vec<usize> {
        let mut parts = [0_u32; 64];
        scratch.fill(0);
        pool.run(scratch, Pieces::new(&mut parts, 1), |taken, part, hand| {
            *taken += 1;
            hand[0] += part as u32 + 1;
            // Long enough for every thread to come and take some.
            std::thread::sleep(Duration::from_micros(200));
        });
        let expected: Vec<u32> = (1..=64).collect();
        assert_eq!(parts, *expected, "each part once");
        (0..scratch.len()).filter(|&thread| scratch[thread] > 0).collect()
    }

    /// Runs steps until all threads that are kept have taken parts of one, since one that is waking
    /// may miss a step; others never do.
    fn all_work(pool: &mut Pool, scratch: &mut [usize], kept: usize) {
        let start = Instant::now();
        loop {
            let found = numbers(pool, scratch);
            assert!(found.iter().all(|&thread| thread < kept), "{found:?} of {kept}");
            if found.len() == kept {
                return;
            }
            assert!(start.elapsed() < Duration::from_secs(20), "{found:?} of {kept}");
        }
    }

    #[test]
    fn threads_that_are_not_kept_take_no_parts_and_come_back() {
        let (mut pool, mut scratch) = (Pool::new(4), vec![0; 4]);
        all_work(&mut pool, &mut scratch, 4);
        for kept in [3, 2, 1, 2, 4, 1, 4] {
            pool.keep(kept);
            assert_eq!(pool.threads(), kept);
            (0..5).for_each(|_| all_work(&mut pool, &mut scratch, kept));
        }
        for (asked, kept) in [(0, 1), (9, 4)] {
            pool.keep(asked);
            assert_eq!(pool.threads(), kept);
        }
    }

    #[test]
    fn a_pool_ends_while_threads_are_not_kept() {
        for kept in 1..4 {
            let mut pool = Pool::new(4);
            pool.keep(kept);
            drop(pool);
        }
    }
}
