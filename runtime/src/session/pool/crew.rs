//! The threads behind a [`super::Pool`].
//!
//! One word, the gate, says whether there is a job and how many threads are at it:
//!
//! ```text
//! bits 32..64  number of the job      bit 31  open: parts may be left      bits 0..31  threads inside
//! ```
//!
//! The caller opens the gate, works, closes it when no parts are left and waits until nobody is
//! inside. A thread that comes late finds the gate closed and is not waited for. Between jobs
//! threads spin for a moment, then sleep. Threads that are not to compute sleep until they are.

#![allow(
    unsafe_code,
    reason = "the job is borrowed from the caller's stack while the gate is open"
)]

use super::sync::{
    Arc, AtomicBool, AtomicU64, AtomicUsize, JoinHandle, Ordering, UnsafeCell, fence, hint, thread,
};
use crate::threads::has_room;
use std::vec::Vec;

/// What threads call: `(thread, part)`, the caller being thread 0.
type Work<'w> = dyn Fn(usize, usize) + Sync + 'w;

const OPEN: u64 = 1 << 31;
const INSIDE: u64 = OPEN - 1;
const JOB: u64 = 1 << 32;

/// Turns of waiting before a thread sleeps: longer than the pauses inside one token. A model of
/// threads has no time, and sleeping is what can go wrong.
const SPINS: usize = if cfg!(loom) { 0 } else { 20_000 };

/// Turns of waiting before a thread offers its core to others.
const POLITE: usize = 2_000;

struct Shared {
    gate: AtomicU64,
    next: AtomicUsize,
    parts: AtomicUsize,
    work: UnsafeCell<Option<*const Work<'static>>>,
    sleepers: AtomicUsize,
    /// Threads that compute, the caller counted: those with smaller numbers.
    active: AtomicUsize,
    started: AtomicUsize,
    stop: AtomicBool,
}

// SAFETY: `work` is written only while the gate is closed and nobody is inside, and read only by
// threads inside; what it points to is `Sync`.
unsafe impl Sync for Shared {}
// SAFETY: as for `Sync`; the pointer is never used by the thread that drops the last owner.
unsafe impl Send for Shared {}

/// Threads waiting for jobs; they end when this is dropped.
pub(crate) struct Crew {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Crew {
    /// Starts up to `count` threads; fewer where the system does not give that many.
    ///
    /// Returns when all have started: what a thread allocates for itself, it does before.
    pub(crate) fn new(count: usize) -> Self {
        let shared = Arc::new(Shared {
            gate: AtomicU64::new(0),
            next: AtomicUsize::new(0),
            parts: AtomicUsize::new(0),
            work: UnsafeCell::new(None),
            sleepers: AtomicUsize::new(0),
            active: AtomicUsize::new(count + 1),
            started: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
        });
        let start = |number| {
            let shared = Arc::clone(&shared);
            let thread = thread::Builder::new().name(std::format!("dram-{number}"));
            has_room().then(|| thread.spawn(move || shared.serve(number)).ok())?
        };
        let threads: Vec<_> = (1..=count).map_while(start).collect();
        while shared.started.load(Ordering::Relaxed) < threads.len() {
            thread::yield_now();
        }
        Self { shared, threads }
    }

    /// Threads that were started.
    pub(crate) fn threads(&self) -> usize {
        self.threads.len()
    }

    /// From the next job on, lets `active` threads compute, the caller counted; wakes all, so that
    /// each looks at the number again.
    pub(crate) fn keep(&self, active: usize) {
        self.shared.active.store(active, Ordering::Relaxed);
        self.threads.iter().for_each(|thread| thread.thread().unpark());
    }

    /// Calls `work(thread, part)` once for each part below `parts`, and returns when all calls
    /// have.
    pub(crate) fn run(&self, parts: usize, work: &Work<'_>) {
        let shared = &*self.shared;
        shared.parts.store(parts, Ordering::Relaxed);
        shared.next.store(0, Ordering::Relaxed);
        // SAFETY: only the lifetime is changed; the pointer is used by threads inside the gate
        // alone, and this function returns when nobody is.
        let work = unsafe { core::mem::transmute::<*const Work<'_>, *const Work<'static>>(work) };
        // SAFETY: the gate is closed and nobody is inside: `run` left it so, and takes `&self`
        // from the one session that owns the crew.
        shared.work.with_mut(|place| unsafe { *place = Some(work) });
        let job = (shared.gate.load(Ordering::Relaxed) & !(OPEN | INSIDE)).wrapping_add(JOB);
        shared.gate.store(job | OPEN, Ordering::Release);
        // Either this sees who falls asleep, or that thread sees the gate open (`sleep`).
        fence(Ordering::SeqCst);
        if shared.sleepers.load(Ordering::Relaxed) > 0 {
            let computing = shared.active.load(Ordering::Relaxed).saturating_sub(1);
            self.threads.iter().take(computing).for_each(|thread| thread.thread().unpark());
        }
        let _close = Close(shared);
        shared.work_as(0);
    }
}

/// Closes the gate and waits until nobody is inside, also when the caller's work panicked: others
/// may still use what it borrowed.
struct Close<'s>(&'s Shared);

impl Drop for Close<'_> {
    fn drop(&mut self) {
        self.0.gate.fetch_and(!OPEN, Ordering::AcqRel);
        let mut turn = 0;
        while self.0.gate.load(Ordering::Acquire) & INSIDE > 0 {
            wait(&mut turn);
        }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.thread().unpark();
            // A thread that panicked has already reported it.
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// The life of thread `number`.
    fn serve(&self, number: usize) {
        self.started.fetch_add(1, Ordering::Relaxed);
        let (mut turn, mut done) = (0, 0);
        while !self.stop.load(Ordering::Relaxed) {
            let gate = self.gate.load(Ordering::Acquire);
            // Read behind the gate, this is at least as new as the job there.
            if number >= self.active.load(Ordering::Relaxed) {
                // Not counted among the sleepers: jobs do not wake it, only `keep` and the end.
                thread::park();
                turn = 0;
                continue;
            }
            if gate & OPEN > 0 && gate & !(OPEN | INSIDE) != done {
                if self.enter(gate) {
                    done = gate & !(OPEN | INSIDE);
                    let _leave = Leave(self);
                    self.work_as(number);
                    turn = 0;
                }
            } else if turn < SPINS {
                wait(&mut turn);
            } else {
                self.sleep(done);
                turn = 0;
            }
        }
    }

    fn enter(&self, gate: u64) -> bool {
        let entered =
            self.gate.compare_exchange(gate, gate + 1, Ordering::AcqRel, Ordering::Relaxed);
        entered.is_ok()
    }

    /// Takes parts until none are left.
    fn work_as(&self, number: usize) {
        // SAFETY: the caller of this is inside the gate, or is `run` itself.
        let Some(work) = self.work.with(|place| unsafe { *place }) else { return };
        // SAFETY: `run` returns only when nobody is inside, so what it borrowed still lives.
        let work = unsafe { &*work };
        let parts = self.parts.load(Ordering::Relaxed);
        loop {
            let part = self.next.fetch_add(1, Ordering::Relaxed);
            if part >= parts {
                return;
            }
            work(number, part);
        }
    }

    /// Sleeps until the next job, unless it has come already.
    fn sleep(&self, done: u64) {
        self.sleepers.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let gate = self.gate.load(Ordering::Relaxed);
        let idle = gate & OPEN == 0 || gate & !(OPEN | INSIDE) == done;
        if idle && !self.stop.load(Ordering::Relaxed) {
            thread::park();
        }
        self.sleepers.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Leaves the gate, also when the work panicked: the caller must not wait for ever.
struct Leave<'s>(&'s Shared);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.0.gate.fetch_sub(1, Ordering::AcqRel);
    }
}

/// One turn of waiting.
fn wait(turn: &mut usize) {
    *turn += 1;
    if *turn > POLITE && turn.is_multiple_of(64) {
        thread::yield_now();
    } else {
        hint::spin_loop();
    }
}
