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
use crate::error::{Error, SessionFault};
use crate::model::Plan;
use dram_quant::EIGHT;
use dram_targets::Kernels;
use pages::Pages;
use pool::{MAX_THREADS, Pool};
use state::{State, Worker};
use tiling::Tiled;

/// One token of one sequence, at the sequence's next position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
        let mut arena = Arena::measuring();
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
        let (pages, state, workers) = carve(plan, &limits, &mut Arena::new(memory))?;
        let pool = Pool::new(limits.threads);
        let threads = [limits.threads; 2];
        Ok(Self { plan, kernels, limits, threads, pool, pages, state, workers, tiled: None })
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
        self.pages.fork(sequence)
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
    /// one sequence are in order.
    ///
    /// # Errors
    ///
    /// A [`SessionFault`] if there are more columns than the limits allow, a token does not exist,
    /// or a sequence is closed or full. Then no sequence has changed.
    pub fn forward(&mut self, columns: &[Column]) -> Result<(), Error> {
        self.run(columns.len(), |i| columns[i])
    }

    fn run(&mut self, count: usize, column: impl Fn(usize) -> Column) -> Result<(), Error> {
        self.check(count, &column)?;
        self.extend(count, &column)?;
        self.pool.keep(self.threads[usize::from(count > EIGHT)]);
        self.arrange_some(count);
        self.embed(count, &column);
        for layer in 0..self.plan.config.layers {
            self.attend(layer, count);
            self.feed_forward(layer, count);
        }
        self.head(count, &column);
        Ok(())
    }

    /// Advances one sequence by a prompt of any length, and computes the logits after it.
    ///
    /// # Errors
    ///
    /// As [`Self::forward`]; [`SessionFault::Prompt`] if the context has no room for all of it,
    /// in which case the sequence has not changed.
    pub fn prompt(&mut self, sequence: Sequence, tokens: &[u32]) -> Result<(), Error> {
        let left = self.limits.context - self.position(sequence)?;
        if tokens.len() > left {
            return Err(SessionFault::Prompt { tokens: tokens.len(), left }.into());
        }
        let mut left = tokens.len();
        for tokens in tokens.chunks(self.limits.batch) {
            left -= tokens.len();
            self.pass(sequence, tokens, left == 0)?;
        }
        Ok(())
    }

    /// Advances one sequence by at most a batch of tokens, and computes the logits after the last
    /// if asked.
    ///
    /// # Errors
    ///
    /// As [`Self::forward`].
    pub fn pass(&mut self, sequence: Sequence, tokens: &[u32], logits: bool) -> Result<(), Error> {
        self.run(tokens.len(), |i| Column {
            sequence,
            token: tokens[i],
            wants_logits: logits && i + 1 == tokens.len(),
        })
    }

    /// The logits of the `i`-th column of the last [`Self::forward`] that asked for them, one a
    /// token.
    ///
    /// # Panics
    ///
    /// If fewer columns than `i + 1` fit the limits.
    pub fn logits(&self, i: usize) -> &[f32] {
        let tokens = self.plan.tokens();
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
        match (0..count).map(&column).find(|column| column.token as usize >= tokens) {
            Some(Column { token, .. }) => Err(SessionFault::Token { token, tokens }.into()),
            None => Ok(()),
        }
    }

    /// Gives every column its position, or leaves all sequences as they were.
    fn extend(&mut self, count: usize, column: impl Fn(usize) -> Column) -> Result<(), Error> {
        for i in 0..count {
            let sequence = column(i).sequence;
            match self.pages.extend(sequence) {
                Ok(position) => self.state.positions[i] = position as u32,
                Err(error) => {
                    for i in (0..i).rev() {
                        let position = self.state.positions[i] as usize;
                        self.pages.rewind(column(i).sequence, position)?;
                    }
                    return Err(error);
                }
            }
            self.state.sequences[i] = sequence.0;
        }
        Ok(())
    }
}
