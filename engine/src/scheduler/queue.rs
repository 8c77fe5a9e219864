//! Requests that wait to be admitted, in order and up to a bound.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// What many threads put in and one takes out.
#[derive(Debug)]
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    most: usize,
}

#[derive(Debug)]
struct State<T> {
    waiting: VecDeque<T>,
    is_closed: bool,
}

/// Why something was not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// As many wait as may.
    Full,
    /// Nobody takes anything out any more.
    Closed,
}

impl<T> Queue<T> {
    /// An empty queue for at most so many.
    pub(super) fn new(most: usize) -> Self {
        let state = State { waiting: VecDeque::new(), is_closed: false };
        Self { state: Mutex::new(state), changed: Condvar::new(), most }
    }

    /// How many may wait.
    pub(super) const fn most(&self) -> usize {
        self.most
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.state().waiting.len()
    }

    /// Puts one behind all others.
    pub(super) fn push(&self, one: T) -> Result<(), Refusal> {
        let mut state = self.state();
        if state.is_closed {
            return Err(Refusal::Closed);
        }
        if state.waiting.len() >= self.most {
            return Err(Refusal::Full);
        }
        state.waiting.push_back(one);
        self.changed.notify_all();
        Ok(())
    }

    /// Puts one that was taken back before all others, even if as many wait as may.
    pub(super) fn put_back(&self, one: T) {
        self.state().waiting.push_front(one);
    }

    /// Takes the first, if it is wanted.
    pub(super) fn pop_if(&self, is_wanted: impl FnOnce(&T) -> bool) -> Option<T> {
        let mut state = self.state();
        if state.waiting.front().is_some_and(is_wanted) { state.waiting.pop_front() } else { None }
    }

    /// Takes all for which `is_out` holds, wherever they stand.
    pub(super) fn take_out(&self, is_out: impl Fn(&T) -> bool) -> Vec<T> {
        let mut state = self.state();
        let (out, waiting) = state.waiting.drain(..).partition::<Vec<_>, _>(|one| is_out(one));
        state.waiting = waiting.into();
        out
    }

    /// Waits until there is something. Returns whether there will ever be.
    pub(super) fn wait(&self) -> bool {
        let is_idle = |state: &mut State<T>| state.waiting.is_empty() && !state.is_closed;
        let state = self.changed.wait_while(self.state(), is_idle);
        !state.unwrap_or_else(PoisonError::into_inner).is_closed
    }

    /// Whether it was closed.
    pub(super) fn is_closed(&self) -> bool {
        self.state().is_closed
    }

    /// Takes nothing in any more; what waits stays.
    pub(super) fn close(&self) {
        self.state().is_closed = true;
        self.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{Queue, Refusal};
    use std::thread;

    #[test]
    fn it_is_in_order_and_bounded() {
        let queue = Queue::new(3);
        (0..3).for_each(|i| queue.push(i).unwrap());
        assert_eq!(queue.push(3), Err(Refusal::Full));
        assert_eq!(queue.pop_if(|first| *first == 1), None, "only the first is looked at");
        assert_eq!(queue.take_out(|one| *one == 1), [1]);
        queue.push(4).unwrap();
        assert_eq!([queue.pop_if(|_| true), queue.pop_if(|_| true)], [Some(0), Some(2)]);
        queue.put_back(2);
        queue.close();
        assert_eq!(queue.take_out(|_| true), [2, 4]);
        assert_eq!(queue.push(5), Err(Refusal::Closed));
        assert!(!queue.wait() && queue.is_closed());
    }

    #[test]
    fn who_waits_hears_of_what_comes_and_of_the_end() {
        let queue = Queue::new(1);
        thread::scope(|scope| {
            let woken = scope.spawn(|| (queue.wait(), queue.pop_if(|_| true), queue.wait()));
            queue.push('x').unwrap();
            while queue.len() > 0 {
                thread::yield_now();
            }
            queue.close();
            assert_eq!(woken.join().unwrap(), (true, Some('x'), false));
        });
    }
}
