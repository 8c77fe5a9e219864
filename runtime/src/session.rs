//! A model at work: its state, and the one call that advances it.

mod attention;
mod layer;
mod limits;
mod pages;
mod pool;
mod state;
mod tiling;

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

/// Sequences of tokens and what the model makes of them.
///
/// Everything lives in the memory that the caller brings: after [`Self::new`] nothing allocates.
/// Results do not depend, to the last bit, on threads, on the kernel table, on how columns are
/// spread over calls, or on what other sequences do.
pub struct Session<'a> {
    plan: &'a Plan<'a>,
    kernels: &'static Kernels,
    limits: Limits,
    /// Threads that compute in short passes, and in long ones.
    threads: [usize; 2],
    pool: Pool,
    pages: Pages<'a>,
    state: State<'a>,
    workers: [Worker<'a>; MAX_THREADS],
    tiled: Option<Tiled<'a>>,
    /// Columns of the last pass that have logits.
    rows: usize,
}

impl core::fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Session")
            .field("kernels", self.kernels)
            .field("limits", &self.limits)
            .finish()
    }
}

impl<'a> Plan<'a> {
    /// Bytes of everything that a session with these limits uses, beside the weights.
    ///
    /// # Errors
    ///
    /// As [`Limits::fit`]; [`Error::NoRoom`] if no machine could address it.
    pub fn bytes(&self, limits: &Limits) -> Result<usize, Error> {
        let mut arena = Arena::measuring("a session");
        carve(self, &limits.fit(&self.config)?, &mut arena)?;
        Ok(arena.bytes())
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
    /// Starts a session, and its threads, in `memory` of at least [`Plan::bytes`].
    ///
    /// # Errors
    ///
    /// As [`Plan::bytes`]; [`Error::NoRoom`] if `memory` is too small.
    pub fn new(
        plan: &'a Plan<'a>,
        kernels: &'static Kernels,
        limits: Limits,
        memory: &'a mut [u8],
    ) -> Result<Self, Error> {
        let limits = limits.fit(&plan.config)?;
        let mut arena = Arena::new("a session", memory, plan.bytes(&limits)?)?;
        let (pages, state, workers) = carve(plan, &limits, &mut arena)?;
        let pool = Pool::new(limits.threads);
        let threads = [limits.threads; 2];
        Ok(Self {
            plan,
            kernels,
            limits,
            threads,
            pool,
            pages,
            state,
            workers,
            tiled: None,
            rows: 0,
        })
    }

    /// The model.
    pub const fn plan(&self) -> &'a Plan<'a> {
        self.plan
    }

    /// The limits it started with, as [`Limits::fit`] made them.
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The kernel table it computes with.
    pub const fn kernels(&self) -> &'static Kernels {
        self.kernels
    }

    /// From the next pass on, computes with `decode` threads where a pass has at most 8 columns,
    /// which is bound by memory, and with `prefill` threads where it has more, which is bound by
    /// arithmetic: at least one, at most those of the limits. The others sleep meanwhile.
    pub fn set_threads(&mut self, decode: usize, prefill: usize) {
        self.threads = [decode, prefill].map(|threads| threads.clamp(1, self.limits.threads));
    }

    /// The threads that compute now, to decode and to read a prompt, as [`Self::set_threads`] has
    /// them; those of the limits at first.
    pub const fn threads(&self) -> [usize; 2] {
        self.threads
    }

    /// Opens an empty sequence.
    ///
    /// # Errors
    ///
    /// [`SessionFault::Sequences`] if all are open.
    pub fn open(&mut self) -> Result<Sequence, Error> {
        self.pages.open()
    }

    /// Opens a sequence that has the whole past of `sequence`, and shares its memory until one
    /// of them goes on.
    ///
    /// # Errors
    ///
    /// [`SessionFault::Sequences`] if all are open, [`SessionFault::Closed`] if `sequence` is not.
    pub fn fork(&mut self, sequence: Sequence) -> Result<Sequence, Error> {
        self.pages.fork(sequence, usize::MAX)
    }

    /// Opens a sequence that has the first `position` tokens of `sequence`, or all if it has fewer,
    /// and shares their memory: whole pages for good, the last one until one of them goes on.
    ///
    /// # Errors
    ///
    /// As [`Self::fork`].
    pub fn fork_at(&mut self, sequence: Sequence, position: usize) -> Result<Sequence, Error> {
        self.pages.fork(sequence, position)
    }

    /// Pages of keys and values that no sequence uses.
    pub fn free_pages(&self) -> usize {
        self.pages.free()
    }

    /// Pages that `sequence` may take when it is given so many more tokens.
    ///
    /// # Errors
    ///
    /// [`SessionFault::Closed`] if it is not open.
    pub fn pages_for(&self, sequence: Sequence, tokens: usize) -> Result<usize, Error> {
        self.pages.needed(sequence, tokens)
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
    /// one sequence are in order and side by side. No columns are a pass that does nothing.
    ///
    /// `stop` is asked between layers: once it is true, the pass ends within the time of two layers.
    ///
    /// # Errors
    ///
    /// [`SessionFault::Stopped`] if it was stopped; [`SessionFault::Column`] if a column's token does
    /// not exist or its sequence is closed or full; [`SessionFault::Pages`] if too few are free;
    /// [`SessionFault::Batch`] or [`SessionFault::Logits`] if there are more columns than the limits
    /// allow. Then every sequence is as before.
    pub fn forward(&mut self, columns: &[Column], stop: &AtomicBool) -> Result<(), Error> {
        self.rows = 0;
        if columns.is_empty() {
            return Ok(());
        }
        self.check(columns)?;
        self.reserve(columns)?;
        self.pool.keep(self.threads[usize::from(columns.len() > EIGHT)]);
        self.arrange_some();
        self.embed(columns);
        for layer in 0..self.plan.config.layers {
            if stop.load(Ordering::Relaxed) {
                self.take_back(columns);
                return Err(SessionFault::Stopped.into());
            }
            self.attend(layer, columns.len());
            self.feed_forward(layer, columns.len());
        }
        self.rows = self.compute_logits(columns);
        Ok(())
    }

    /// Advances one sequence by tokens, as many to a pass as the limits allow, and computes the
    /// logits after the last.
    ///
    /// # Errors
    ///
    /// As [`Self::forward`]; [`SessionFault::Prompt`] if the context has no room for all of them,
    /// in which case the sequence has not changed.
    pub fn prompt(&mut self, sequence: Sequence, tokens: &[u32]) -> Result<(), Error> {
        const CHUNK: usize = 1024;
        let left = self.limits.context - self.position(sequence)?;
        if tokens.len() > left {
            return Err(SessionFault::Prompt { tokens: tokens.len(), left }.into());
        }
        let never = AtomicBool::new(false);
        let mut columns = [Column { sequence, token: 0, wants_logits: false }; CHUNK];
        let mut left = tokens.len();
        for tokens in tokens.chunks(self.limits.batch.min(CHUNK)) {
            left -= tokens.len();
            for (column, token) in columns.iter_mut().zip(tokens) {
                column.token = *token;
            }
            columns[tokens.len() - 1].wants_logits = left == 0;
            self.forward(&columns[..tokens.len()], &never)?;
        }
        Ok(())
    }

    /// The logits of the `i`-th column of the last [`Self::forward`] that asked for them, one a
    /// token.
    ///
    /// # Panics
    ///
    /// If fewer columns than `i + 1` asked in the last pass.
    pub fn logits(&self, i: usize) -> &[f32] {
        assert!(i < self.rows, "{} columns of the last pass have logits, not {}", self.rows, i + 1);
        let tokens = self.plan.tokens();
        &self.state.logits[i * tokens..][..tokens]
    }

    fn check(&self, columns: &[Column]) -> Result<(), Error> {
        let (most, tokens) = (self.limits.batch, self.plan.tokens());
        if columns.len() > most {
            return Err(SessionFault::Batch { columns: columns.len(), most }.into());
        }
        if columns.iter().filter(|column| column.wants_logits).count() > self.limits.logits {
            return Err(SessionFault::Logits { most: self.limits.logits }.into());
        }
        let unknown = columns.iter().enumerate().find(|(_, c)| c.token as usize >= tokens);
        unknown.map_or(Ok(()), |(column, Column { token, .. })| {
            let fault = ColumnFault::Token { token: *token, tokens };
            Err(SessionFault::Column { column, fault }.into())
        })
    }

    /// Gives every column its position and a page for it, or leaves all sequences as they were.
    fn reserve(&mut self, columns: &[Column]) -> Result<(), Error> {
        let mut needed = 0;
        for (i, column) in columns.iter().enumerate() {
            let is_first = i == 0 || columns[i - 1].sequence != column.sequence;
            match self.pages.reserve(column.sequence, is_first, &mut needed) {
                Ok(position) => self.state.positions[i] = position as u32,
                Err(fault) => {
                    self.unreserve(&columns[..i]);
                    return Err(SessionFault::Column { column: i, fault }.into());
                }
            }
            self.state.sequences[i] = column.sequence.0;
        }
        self.unreserve(columns);
        let free = self.pages.free();
        if needed > free {
            return Err(SessionFault::Pages { needed, free }.into());
        }
        for (column, position) in columns.iter().zip(&*self.state.positions) {
            self.pages.extend(column.sequence, *position as usize);
        }
        Ok(())
    }

    fn unreserve(&mut self, columns: &[Column]) {
        for (column, position) in columns.iter().zip(&self.state.positions[..columns.len()]).rev() {
            self.pages.unreserve(column.sequence, *position as usize);
        }
    }

    /// Rewinds all sequences of a pass to where they were before it.
    fn take_back(&mut self, columns: &[Column]) {
        for (column, position) in columns.iter().zip(&self.state.positions[..columns.len()]).rev() {
            let rewound = self.pages.rewind(column.sequence, *position as usize);
            rewound.expect("the pass has found it open");
        }
    }
}
