//! Doing two things at once where the system gives a thread.

use dram_runtime::threads::spawn;
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Does both, at once if the system gives a thread for the first, else one after the other.
///
/// # Panics
///
/// If one of them does.
pub(crate) fn both<A: Send, B>(
    first: impl FnOnce() -> A + Send,
    second: impl FnOnce() -> B,
) -> (A, B) {
    let first = Mutex::new(Some(first));
    let take = || first.lock().unwrap_or_else(PoisonError::into_inner).take();
    let run = || take().map(|first| first());
    thread::scope(|scope| {
        let beside = spawn(scope, run);
        let second = second();
        let first = match beside {
            Some(beside) => beside.join().expect("it does not panic"),
            None => run(),
        };
        (first.expect("it is done once"), second)
    })
}

#[cfg(test)]
mod tests {
    use super::both;

    #[test]
    fn both_are_done() {
        assert_eq!(both(|| 1, || 2), (1, 2));
    }
}
