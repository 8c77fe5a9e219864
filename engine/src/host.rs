//! The machine this program runs on: its board, its threads, its memory.

use crate::board::select;
use crate::error::Outcome;
use crate::options::LoadOptions;
use crate::pin::keep_to;
use dram_boards::{Board, Catalog, Machine, Memory, Root, Threads};
use std::ffi::OsStr;
use std::num::NonZero;
use std::thread;

/// A machine and the board it is, or is taken for.
pub struct Host {
    /// Where its files are.
    pub root: Root,
    /// What it says of itself.
    pub machine: Machine,
    /// Its board; `None` for an architecture that no board has.
    pub board: Option<Board>,
}

impl Host {
    /// Reads a machine below its root, and finds its board unless one is asked for. `notice` is
    /// told of files of boards that are damaged.
    ///
    /// # Errors
    ///
    /// As [`select`].
    pub fn read(root: Root, board: Option<&OsStr>, notice: &mut dyn FnMut(&str)) -> Outcome<Self> {
        let (mut catalog, errors) = Catalog::load(&root);
        errors.iter().for_each(|error| notice(&error.to_string()));
        let machine = Machine::read(&root, root.page_bytes());
        let found = select(&mut catalog, board, &machine.identity)?;
        let board = found.map(|found| found.board.clone());
        Ok(Self { root, machine, board })
    }

    /// Threads as asked for, else as the board wants them, without the cores that are to be spared.
    pub fn threads(&self, options: &LoadOptions) -> Threads {
        if let Some(asked) = options.threads {
            let asked = u32::try_from(asked).unwrap_or(u32::MAX);
            return Threads { decode: asked, prefill: asked };
        }
        let all = threads(&self.machine, self.board.as_ref());
        let spare = u32::try_from(options.spare).unwrap_or(u32::MAX);
        let cores = u32::try_from(self.machine.cores.fast().cpus.len()).unwrap_or(u32::MAX);
        let cores = if cores == 0 { all.decode.max(all.prefill) } else { cores };
        all.at_most(cores.saturating_sub(spare).max(1))
    }

    /// Cores to compute on. Those that are spared come first, since the system does more on them.
    pub fn cpus(&self, options: &LoadOptions) -> Vec<usize> {
        let mut cpus = self.machine.cores.fast().cpus;
        cpus.drain(..options.spare.min(cpus.len().saturating_sub(1)));
        cpus
    }

    /// Keeps this thread and those it starts from now on to [`Self::cpus`], if they are not all and
    /// so many threads have room on them.
    pub(crate) fn pin(&self, options: &LoadOptions, threads: usize) {
        let cpus = self.cpus(options);
        if self.root.is_system() && threads <= cpus.len() && cpus.len() < all_threads() {
            keep_to(&cpus);
        }
    }

    /// Memory that can be used now without swapping, where the system tells.
    pub fn available_bytes(&self) -> Option<usize> {
        let bytes = Memory::read(&self.root).available_bytes()?;
        Some(usize::try_from(bytes).unwrap_or(usize::MAX))
    }
}

/// Threads of a machine that is this board; where it does not tell its cores, all that the system
/// offers this process, which a control group may limit to fewer than there are cores.
pub fn threads(machine: &Machine, board: Option<&Board>) -> Threads {
    let offered = u32::try_from(all_threads()).unwrap_or(u32::MAX);
    let told = board.and_then(|board| machine.threads(board));
    told.unwrap_or(Threads { decode: offered, prefill: offered }).at_most(offered)
}

/// As many threads as the system offers this process.
pub fn all_threads() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}
