//! Signals that end the program while something is unfinished on the disk.

use nix::sys::pthread::{Pthread, pthread_kill};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, raise};
use nix::unistd::Pid;
use std::fs;
use std::io;
use std::marker::PhantomData;
use std::os::unix::thread::JoinHandleExt;
use std::path::{Path, PathBuf};
use std::process::{self, Child, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Signals by which people and systems end programs.
const ENDS: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];
/// Tells a watcher that it may be time to stop. Whoever else sends it changes nothing.
const WAKE: Signal = Signal::SIGUSR1;
const STACK_BYTES: usize = 1 << 17;
/// How often a child is looked after.
const LOOK: Duration = Duration::from_millis(20);

/// What must not outlive the program.
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

impl Unfinished {
    fn end(&self) {
        for &child in &self.children {
            let _ = kill(child, Signal::SIGTERM);
        }
        self.paths.iter().for_each(|(_, path)| delete(path));
    }
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

/// Waits for a child; a signal that ends the program ends the child too.
///
/// # Errors
///
/// If the system does not tell how it ended.
pub(crate) fn wait(child: &mut Child) -> io::Result<ExitStatus> {
    let pid = i32::try_from(child.id()).map_err(io::Error::other).map(Pid::from_raw)?;
    unfinished().children.push(pid);
    loop {
        let mut unfinished = unfinished();
        if let Some(ended) = child.try_wait().transpose() {
            unfinished.children.retain(|&running| running != pid);
            return ended;
        }
        drop(unfinished);
        thread::sleep(LOOK);
    }
}

/// While it lives, a signal that ends the program first removes what is unfinished.
///
/// The signals are blocked for the thread that made it and for those it starts meanwhile, and a thread
/// of its own waits for them: those who compute and write are not disturbed. Such guards are dropped
/// in the reverse of the order in which they were made.
pub(crate) struct Guard {
    before: SigSet,
    watcher: Option<Watcher>,
    /// The signals of a thread are blocked and allowed by itself.
    _of_this_thread: PhantomData<*const ()>,
}

struct Watcher {
    thread: JoinHandle<()>,
    is_done: Arc<AtomicBool>,
}

impl Guard {
    /// Begins to watch. Where no thread can be had for it, a signal ends the program at once, and what
    /// it leaves is removed by whoever writes there next.
    pub(crate) fn new() -> Self {
        refuse_long_files();
        let ignored = ignored();
        let mut signals = SigSet::empty();
        signals.add(WAKE);
        ENDS.into_iter().filter(|signal| !ignored(*signal)).for_each(|signal| signals.add(signal));
        let before = signals.thread_swap_mask(SigmaskHow::SIG_BLOCK).unwrap_or(SigSet::empty());
        let watcher = Watcher::start(signals);
        if watcher.is_none() {
            let _ = before.thread_set_mask();
        }
        Self { before, watcher, _of_this_thread: PhantomData }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(Watcher { thread, is_done }) = self.watcher.take() {
            is_done.store(true, Ordering::Release);
            let _ = pthread_kill(thread.as_pthread_t() as Pthread, WAKE);
            let _ = thread.join();
            let _ = self.before.thread_set_mask();
        }
    }
}

impl Watcher {
    fn start(signals: SigSet) -> Option<Self> {
        let is_done = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&is_done);
        let builder = thread::Builder::new().name("signals".into()).stack_size(STACK_BYTES);
        let thread = builder.spawn(move || watch(&signals, &seen)).ok()?;
        Some(Self { thread, is_done })
    }
}

fn watch(signals: &SigSet, is_done: &AtomicBool) {
    while !is_done.load(Ordering::Acquire) {
        if let Ok(signal) = signals.wait()
            && signal != WAKE
        {
            let unfinished = unfinished();
            unfinished.end();
            end_by(signal);
        }
    }
}

/// Ends the program as the signal would have, so that whoever waits for it learns the reason.
fn end_by(signal: Signal) -> ! {
    let mut only = SigSet::empty();
    only.add(signal);
    let _ = only.thread_unblock();
    let _ = raise(signal);
    process::exit(128 + signal as i32)
}

/// Which signals this program was told to ignore, as by `nohup`: Linux tells in a line of bits.
fn ignored() -> impl Fn(Signal) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let bits = line.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).unwrap_or(0);
    move |signal| bits >> (signal as u32 - 1) & 1 == 1
}

/// A file longer than the limit of this process (`ulimit -f`) is an error, not the end.
fn refuse_long_files() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let _ = signal_hook::flag::register(Signal::SIGXFSZ as i32, Arc::default());
    });
}
