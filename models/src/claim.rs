//! What must not outlive the program, however it ends: files, folders and children.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

struct Unfinished {
    paths: Vec<(u64, PathBuf)>,
    children: Vec<Pid>,
    /// Of the next path.
    number: u64,
}

static UNFINISHED: Mutex<Unfinished> =
    Mutex::new(Unfinished { paths: Vec::new(), children: Vec::new(), number: 0 });

/// The one list of what is unfinished. No signal ends the program while it is held.
fn unfinished() -> MutexGuard<'static, Unfinished> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Passes a signal on to children, removes all that is claimed, and ends by the signal.
pub(crate) fn end_with(signal: Signal, end: impl FnOnce(Signal)) {
    let unfinished = unfinished();
    for &child in &unfinished.children {
        let _ = kill(child, signal);
    }
    unfinished.paths.iter().for_each(|(_, path)| delete(path));
    end(signal);
}

/// A file or folder that is removed when this is dropped, or when a signal ends the program.
pub(crate) struct Claim {
    number: u64,
    path: PathBuf,
}

impl Claim {
    pub(crate) fn new(path: PathBuf) -> Self {
        let mut unfinished = unfinished();
        let number = unfinished.number;
        unfinished.number += 1;
        unfinished.paths.push((number, path.clone()));
        Self { number, path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Does what leaves nothing to remove, if it succeeds; no signal comes in between.
    ///
    /// # Errors
    ///
    /// Those of `settle`.
    pub(crate) fn settle<T, E>(&self, settle: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let mut unfinished = unfinished();
        let settled = settle()?;
        unfinished.paths.retain(|(number, _)| *number != self.number);
        Ok(settled)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut unfinished = unfinished();
        let own = unfinished.paths.iter().position(|(number, _)| *number == self.number);
        if let Some(own) = own {
            delete(&self.path);
            unfinished.paths.swap_remove(own);
        }
    }
}

/// Deletes a file, or a folder with all in it. What cannot be deleted costs space and nothing else.
pub(crate) fn delete(path: &Path) {
    let _ = fs::remove_file(path).or_else(|_| fs::remove_dir_all(path));
}

/// Starts a child that a signal ends, too.
///
/// # Errors
///
/// Those of `start`.
pub(crate) fn add_child<E>(start: impl FnOnce() -> Result<Pid, E>) -> Result<Pid, E> {
    let mut unfinished = unfinished();
    start().inspect(|&child| unfinished.children.push(child))
}

/// Looks whether a child has ended, and forgets it if so: the system may give its number to another.
pub(crate) fn forget_child<T>(child: Pid, look: impl FnOnce() -> Option<T>) -> Option<T> {
    let mut unfinished = unfinished();
    look().inspect(|_| unfinished.children.retain(|&running| running != child))
}
