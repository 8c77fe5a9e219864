//! A model at work: its state, and the one call that advances it.

mod attention;
mod layer;
mod limits;
mod pages;
mod pool;
#[cfg(feature = "std")]
mod save;
mod state;
mod tiling;

pub use dram_targets::PAGE;
pub use limits::{KvFormat, Limits};
pub use pages::Sequence;
pub use tiling::Tiling;

use crate::arena::Arena;
use crate::error::{ColumnFault, Error, SessionFault};
use crate::model::Plan;
use core::sync::atomic::{AtomicBool, Ordering};
use dram_quant::EIGHT;
use dram_targets::Kernels;
use pages::Pages;
use pool::{MAX_THREADS, Pool};
use state::{State, Worker};
use tiling::Tiled;

/// One token of one sequence, at the sequence's next position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Column {
    /// The sequence that the token extends.
    pub sequence: Sequence,
    /// The token's id.
    pub token: u32,
    /// Whether to compute the logits of the token after this one.
    pub wants_logits: bool,
}

/// Threads that compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threads {
    /// In passes of at most 8 columns, which are bound by memory.
    pub few: usize,
    /// In passes of more columns, which are bound by arithmetic.
    pub many: usize,
}

/// Sequences of tokens and what the model makes of them.
///
/// Everything lives in the memory that the caller brings: after [`Self::new`] nothing allocates.
/// Results do not depend, to the last bit, on threads, on the kernel table, on how columns are
/// spread over calls, or on what other sequences do.
pub struct Session<'a> {
    plan: &'a Plan<'a>,
    kernels: &'static Kernels,
    limits: Limits,
    threads: Threads,
    pool: Pool,
    pages: Pages<'a>,
    state: State<'a>,
    workers: [Worker<'a>; MAX_THREADS],
    tiled: Option<Tiled<'a>>,
    /// Columns of the last pass that have logits.
    answered: usize,
}

impl core::fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Session")
            .field("kernels", self.kernels)
            .field("limits", &self.limits)
            .finish()
    }
}

type Parts<'a> = (Pages<'a>, State<'a>, [Worker<'a>; MAX_THREADS]);

fn carve<'a>(plan: &Plan<'_>, limits: &Limits, arena: &mut Arena<'a>) -> Result<Parts<'a>, Error> {
    let pages = Pages::new(&plan.config, limits, arena)?;
    let state = State::new(plan, limits, arena)?;
    let mut workers = core::array::from_fn(|_| Worker::default());
    for worker in &mut workers[..limits.threads] {
        *worker = Worker::new(&plan.config, limits, arena)?;
    }
    Ok((pages, state, workers))
}

impl<'a> Session<'a> {
    /// Bytes of everything that a session with these limits uses, beside the weights.
    ///
    /// # Errors
    ///
    /// As [`Limits::fit`]; [`Error::NoRoom`] if no machine could address it.
    pub fn bytes(plan: &Plan<'_>, limits: &Limits) -> Result<usize, Error> {
        let mut arena = Arena::measuring("a session");
        carve(plan, &limits.fit(&plan.config)?, &mut arena)?;
        Ok(arena.bytes())
    }

    /// Starts a session, and its threads, in `memory` of at least [`Self::bytes`].
    ///
    /// # Errors
    ///
    /// As [`Self::bytes`]; [`Error::NoRoom`] if `memory` is too small.
    pub fn new(
        plan: &'a Plan<'a>,
        kernels: &'static Kernels,
        limits: Limits,
        memory: &'a mut [u8],
    ) -> Result<Self, Error> {
        let limits = limits.fit(&plan.config)?;
        let mut arena = Arena::new("a session", memory, Self::bytes(plan, &limits)?)?;
        let (pages, state, workers) = carve(plan, &limits, &mut arena)?;
        let pool = Pool::new(limits.threads);
        let limits = Limits { threads: pool.threads(), ..limits };
        let threads = Threads { few: limits.threads, many: limits.threads };
        let (tiled, answered) = (None, 0);
        Ok(Self { plan, kernels, limits, threads, pool, pages, state, workers, tiled, answered })
    }

    /// The model.
    pub const fn plan(&self) -> &'a Plan<'a> {
        self.plan
    }

    /// The limits it started with, as [`Limits::fit`] made them, and the threads that the system gave.
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The kernel table it computes with.
    pub const fn kernels(&self) -> &'static Kernels {
        self.kernels
    }

    /// From the next pass on, computes with `few` threads where a pass has at most 8 columns, and
    /// with `many` where it has more: at least one, at most those of the limits. The others sleep
    /// meanwhile.
    pub fn set_threads(&mut self, few: usize, many: usize) {
        let [few, many] = [few, many].map(|threads| threads.clamp(1, self.limits.threads));
        self.threads = Threads { few, many };
    }

    /// The threads that compute now, as [`Self::set_threads`] has them; those of the limits at first.
    pub const fn threads(&self) -> Threads {
        self.threads
    }

    /// Pages that sequences share, [`PAGE`] positions each.
    pub const fn pages(&self) -> usize {
        self.limits.pages
    }

    /// Pages that no sequence has.
    pub const fn free_pages(&self) -> usize {
        self.pages.free()
    }

    /// Pages that so many more tokens of `sequence` would take, the copy of its last page included
    /// where that is shared. What several sequences take in one pass is never more than the sum.
    ///
    /// # Errors
    ///
    /// [`SessionFault::Closed`] if it is not open.
    pub fn pages_for(&self, sequence: Sequence, tokens: usize) -> Result<usize, Error> {
        self.pages.needed(sequence, tokens)
    }

    /// Opens an empty sequence.
    ///
    /// # Errors
    ///
    /// [`SessionFault::Sequences`] if all are open.
    pub fn open(&mut self) -> Result<Sequence, Error> {
        self.pages.open()
    }

    /// Opens a sequence that has the whole past of `sequence`, as [`Self::fork_at`] its end.
    ///
    /// # Errors
    ///
    /// As [`Self::fork_at`].
    pub fn fork(&mut self, sequence: Sequence) -> Result<Sequence, Error> {
        self.pages.fork(sequence, usize::MAX)
    }

    /// Opens a sequence that has the past of `sequence` before `position`, all of it if that is
    /// shorter, and shares its pages; the last of them until one of both goes on in it.
    ///
    /// # Errors
    ///
    /// [`SessionFault::Sequences`] if all are open, [`SessionFault::Closed`] if `sequence` is not.
    pub fn fork_at(&mut self, sequence: Sequence, position: usize) -> Result<Sequence, Error> {
        self.pages.fork(sequence, position)
    }

    /// Forgets the tokens of `sequence` from `position` on.
    ///
    /// # Errors
    ///
    /// [`SessionFault::Closed`] if it is not open.
    pub fn rewind(&mut self, sequence: Sequence, position: usize) -> Result<(), Error> {
        self.pages.rewind(sequence, position)
    }

    /// Closes a sequence and frees its memory.
    ///
    /// # Errors
    ///
    /// [`SessionFault::Closed`] if it is not open.
    pub fn close(&mut self, sequence: Sequence) -> Result<(), Error> {
        self.pages.close(sequence)
    }

    /// Tokens of `sequence` so far.
    ///
    /// # Errors
    ///
    /// [`SessionFault::Closed`] if it is not open.
    pub fn position(&self, sequence: Sequence) -> Result<usize, Error> {
        self.pages.length(sequence)
    }

    /// Advances sequences by one token a column, each at its sequence's next position; columns of
    /// one sequence are in order. No columns are a pass that does nothing.
    ///
    /// `stop` is asked between layers. Once it is set, the pass ends within two layers.
    ///
    /// # Errors
    ///
    /// A [`SessionFault`] if there are more columns than the limits allow, a token does not exist, a
    /// sequence is closed or full, pages are too few, or the pass was stopped. Then all sequences
    /// are as they were, and there are no logits.
    pub fn forward(&mut self, columns: &[Column], stop: &AtomicBool) -> Result<(), Error> {
        self.run(columns.len(), |i| columns[i], stop)
    }

    fn run(
        &mut self,
        count: usize,
        column: impl Fn(usize) -> Column,
        stop: &AtomicBool,
    ) -> Result<(), Error> {
        self.answered = 0;
        self.check(count, &column)?;
        for i in 0..count {
            self.state.sequences[i] = column(i).sequence.0;
        }
        self.pages.begin(&self.state.sequences[..count], &mut self.state.positions[..count])?;
        let result = self.compute(count, column, stop);
        let (sequences, positions) = (&self.state.sequences[..count], &*self.state.positions);
        match result {
            Ok(answered) => {
                self.pages.commit(sequences);
                self.answered = answered;
                Ok(())
            }
            Err(fault) => {
                self.pages.cancel(sequences, positions);
                Err(fault.into())
            }
        }
    }

    /// Computes a pass that has its positions, and returns how many columns have logits.
    fn compute(
        &mut self,
        count: usize,
        column: impl Fn(usize) -> Column,
        stop: &AtomicBool,
    ) -> Result<usize, SessionFault> {
        let go_on = || match stop.load(Ordering::Relaxed) {
            true => Err(SessionFault::Stopped),
            false => Ok(()),
        };
        if count == 0 {
            return Ok(0);
        }
        go_on()?;
        self.pool.keep(if count > EIGHT { self.threads.many } else { self.threads.few });
        self.arrange_some();
        self.embed(count, &column);
        for layer in 0..self.plan.config.layers {
            go_on()?;
            self.attend(layer, count);
            self.feed_forward(layer, count);
        }
        go_on()?;
        Ok(self.compute_logits(count, &column))
    }

    /// Advances one sequence by tokens, in passes as long as the limits allow, and computes the logits
    /// after the last; no tokens are a pass that does nothing. It cannot be stopped: whoever must be
    /// heard meanwhile calls [`Self::forward`].
    ///
    /// # Errors
    ///
    /// As [`Self::forward`]; [`SessionFault::Prompt`] if the context has no room for all of them. The
    /// sequence is as it was.
    pub fn prompt(&mut self, sequence: Sequence, tokens: &[u32]) -> Result<(), Error> {
        self.answered = 0;
        let start = self.position(sequence)?;
        let (count, left) = (tokens.len(), self.limits.context - start);
        if count > left {
            return Err(SessionFault::Prompt { tokens: count, left }.into());
        }
        let (needed, free) = (self.pages_for(sequence, count)?, self.free_pages());
        if needed > free {
            return Err(SessionFault::Pages { needed, free }.into());
        }
        let (batch, never) = (self.limits.batch, AtomicBool::new(false));
        for first in (0..count).step_by(batch) {
            let column = |i| Column {
                sequence,
                token: tokens[first + i],
                wants_logits: first + i + 1 == count,
            };
            if let Err(error) = self.run(batch.min(count - first), column, &never) {
                self.rewind(sequence, start)?;
                return Err(error);
            }
        }
        Ok(())
    }

    /// The logits of the `i`-th column of the last pass that asked for them, one a token.
    ///
    /// # Panics
    ///
    /// If the last pass has not computed them: fewer than `i + 1` columns asked, or it was refused or
    /// stopped.
    pub fn logits(&self, i: usize) -> &[f32] {
        let (answered, tokens) = (self.answered, self.plan.tokens());
        assert!(i < answered, "logits {i} of a pass that has computed {answered}");
        &self.state.logits[i * tokens..][..tokens]
    }

    fn check(&self, count: usize, column: impl Fn(usize) -> Column) -> Result<(), Error> {
        let (most, tokens) = (self.limits.batch, self.plan.tokens());
        if count > most {
            return Err(SessionFault::Batch { columns: count, most }.into());
        }
        if (0..count).filter(|i| column(*i).wants_logits).count() > self.limits.logits {
            return Err(SessionFault::Logits { most: self.limits.logits }.into());
        }
        for i in 0..count {
            let token = column(i).token;
            if token as usize >= tokens {
                let fault = ColumnFault::Token { token, tokens };
                return Err(SessionFault::Column { column: i, fault }.into());
            }
        }
        Ok(())
    }
}
