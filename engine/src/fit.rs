//! Whether a model fits into memory, with which context, and how fast it may be.

mod predict;

pub use predict::Speed;

use crate::error::{EngineError, Outcome};
use crate::load::{about, with_gguf};
use crate::options::LoadOptions;
use dram_boards::Board;
use dram_runtime::model::{Gguf, Plan};
use dram_runtime::text::Vocab;
use dram_runtime::{Limits, Session};
use std::path::Path;

/// The program itself, its stacks and its threads.
const PROGRAM_BYTES: usize = 8 << 20;
/// Positions that a page of keys and values holds: contexts are tried in this step.
const STEP: usize = dram_targets::PAGE;

/// A model that may be loaded.
pub struct Candidate<'a> {
    gguf: &'a Gguf<'a>,
    plan: &'a Plan<'a>,
}

/// What a model needs.
pub struct Needs<'a> {
    plan: &'a Plan<'a>,
    limits: Limits,
    /// Weights, and the tables of the vocabulary.
    pub fixed_bytes: usize,
}

/// A model in some memory.
#[derive(Clone, Copy, Debug)]
pub struct Fit {
    /// As it is sold; `None` for what a machine has free.
    pub memory_mib: Option<u32>,
    /// What of it a program can have.
    pub usable_bytes: usize,
    /// The longest context that fits; `None` if none does.
    pub context: Option<usize>,
}

/// Lends a model of which only the header need be there.
///
/// # Errors
///
/// If there is no such file or it is damaged, and those of `f`.
pub fn with_candidate<T, E: From<EngineError>>(
    path: &Path,
    f: impl FnOnce(&Candidate<'_>) -> Result<T, E>,
) -> Result<T, E> {
    with_gguf(path, |gguf| {
        gguf.check_is_model().map_err(about(path))?;
        let mut slots = vec![None; Plan::layers_in(gguf).map_err(about(path))?];
        let plan = Plan::new(gguf, &mut slots).map_err(about(path))?;
        f(&Candidate { gguf, plan: &plan })
    })
}

impl<'a> Candidate<'a> {
    /// What it needs with these options, where `threads` run unless they say otherwise: scratch
    /// memory grows with them.
    ///
    /// # Errors
    ///
    /// If the vocabulary is damaged.
    pub fn needs(&self, options: &LoadOptions, threads: usize) -> Outcome<Needs<'a>> {
        let Self { gguf, plan } = *self;
        let weights: usize = gguf.tensors().map(|tensor| tensor.bytes().len()).sum();
        let default = Limits::default();
        let threads = options.threads.unwrap_or(threads);
        let context = options.context_of(plan.config.context_length);
        let limits = Limits { context, threads, kv: options.kv, ..default };
        Ok(Needs { plan, limits, fixed_bytes: weights + Vocab::bytes(gguf)? })
    }

    /// How fast it may be on a board.
    pub fn speed(&self, board: &Board) -> Speed {
        Speed::predict(board, self.plan)
    }
}

impl Needs<'_> {
    /// Positions that are asked for.
    pub const fn context(&self) -> usize {
        self.limits.context
    }

    /// Everything, with a context of so many positions.
    ///
    /// # Errors
    ///
    /// If no machine could address it.
    pub fn bytes(&self, context: usize) -> Outcome<usize> {
        let session = Session::bytes(self.plan, &Limits { context, ..self.limits })?;
        Ok(self.fixed_bytes.saturating_add(session).saturating_add(PROGRAM_BYTES))
    }

    /// Everything, with the shortest context that is of use.
    ///
    /// # Errors
    ///
    /// As [`Self::bytes`].
    pub fn least_bytes(&self) -> Outcome<usize> {
        self.bytes(STEP)
    }

    /// Finds the longest context, by halving the range of what is known to fit and not to.
    ///
    /// # Errors
    ///
    /// As [`Self::bytes`].
    pub fn fit(&self, memory_mib: Option<u32>, usable: u64) -> Outcome<Fit> {
        let usable_bytes = usize::try_from(usable).unwrap_or(usize::MAX);
        let most = self.plan.config.context_length;
        let (mut fits, mut does_not) = (0, most.div_ceil(STEP) + 1);
        while does_not - fits > 1 {
            let middle = fits + (does_not - fits) / 2;
            match self.bytes((middle * STEP).min(most))? <= usable_bytes {
                true => fits = middle,
                false => does_not = middle,
            }
        }
        let context = (fits > 0).then_some((fits * STEP).min(most));
        Ok(Fit { memory_mib, usable_bytes, context })
    }

    /// As [`Self::fit`], in each size of memory that a board is sold with.
    ///
    /// # Errors
    ///
    /// As [`Self::bytes`].
    pub fn fits_of(&self, board: &Board) -> Outcome<Vec<Fit>> {
        let sizes = board.memory_mib.iter();
        sizes.map(|&mib| self.fit(Some(mib), Board::usable_bytes(mib))).collect()
    }
}
