//! Starting threads on systems that may give none: a container's limit of processes, a filter of
//! system calls, too little room for one more stack.

use crate::model::Room;
use std::thread::{Builder, Scope, ScopedJoinHandle};

/// What a thread takes: its stack of 2 MiB, another one for signals, and the allocator's beginning.
const BYTES: usize = 4 << 20;

/// Starts a thread in a scope; `None` where the system gives none, and the work is not done.
pub fn spawn<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl FnOnce() -> T + Send + 'scope,
) -> Option<ScopedJoinHandle<'scope, T>> {
    has_room().then(|| Builder::new().spawn_scoped(scope, work).ok())?
}

/// Whether the system has memory for a thread. The standard library asks too late for a part of it:
/// the new thread panics where there is none.
pub(crate) fn has_room() -> bool {
    Room::new("a thread", BYTES).is_ok()
}
