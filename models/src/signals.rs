//! Signals that end the program while something is unfinished on the disk.

use crate::claim;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, raise};
use std::fs;
use std::io::{self, PipeWriter};
use std::marker::PhantomData;
use std::process;
use std::sync::{Arc, Once};
use std::thread::JoinHandle;
#[cfg(target_os = "linux")]
use {
    nix::errno::Errno,
    nix::poll::{PollFd, PollFlags, PollTimeout, poll},
    nix::sys::signalfd::{SfdFlags, SignalFd},
    std::io::PipeReader,
    std::os::fd::AsFd,
    std::thread,
};

/// Signals by which people and systems end programs.
const ENDS: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];
#[cfg(target_os = "linux")]
const STACK_BYTES: usize = 1 << 17;

/// While it lives, a signal that ends the program first removes what is unfinished.
///
/// The signals are blocked for the thread that made it and for those it starts meanwhile, and a thread
/// of its own reads them: those who compute and write are not disturbed. Such guards are dropped in
/// the reverse of the order in which they were made.
pub(crate) struct Guard {
    before: SigSet,
    watcher: Option<Watcher>,
    /// The signals of a thread are blocked and allowed by itself.
    _of_this_thread: PhantomData<*const ()>,
}

impl Guard {
    /// Begins to watch. Where that cannot be had, a signal ends the program at once, and what it
    /// leaves is removed by whoever writes there next.
    pub(crate) fn new() -> Self {
        refuse_long_files();
        let ignored = ignored();
        let mut signals = SigSet::empty();
        ENDS.into_iter().filter(|signal| !ignored(*signal)).for_each(|signal| signals.add(signal));
        let blocked = signals.thread_swap_mask(SigmaskHow::SIG_BLOCK);
        let watcher = blocked.ok().and_then(|_| Watcher::start(&signals).ok());
        let before = blocked.unwrap_or(SigSet::empty());
        if watcher.is_none() && blocked.is_ok() {
            let _ = before.thread_set_mask();
        }
        Self { before, watcher, _of_this_thread: PhantomData }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(Watcher { thread, stop }) = self.watcher.take() {
            drop(stop);
            let _ = thread.join();
            let _ = self.before.thread_set_mask();
        }
    }
}

struct Watcher {
    thread: JoinHandle<()>,
    /// Closing it stops the thread.
    stop: PipeWriter,
}

impl Watcher {
    #[cfg(target_os = "linux")]
    fn start(signals: &SigSet) -> io::Result<Self> {
        let signals =
            SignalFd::with_flags(signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        let (stopped, stop) = io::pipe()?;
        let builder = thread::Builder::new().name("signals".into()).stack_size(STACK_BYTES);
        let thread = builder.spawn(move || {
            if let Some(signal) = watch(&signals, &stopped) {
                claim::end_with(signal, end_by);
            }
        })?;
        Ok(Self { thread, stop })
    }

    #[cfg(not(target_os = "linux"))]
    fn start(_: &SigSet) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Waits for a signal, or for the other end of a pipe to close.
#[cfg(target_os = "linux")]
fn watch(signals: &SignalFd, stopped: &PipeReader) -> Option<Signal> {
    loop {
        let [signal, stop] = [signals.as_fd(), stopped.as_fd()];
        let mut both = [signal, stop].map(|file| PollFd::new(file, PollFlags::POLLIN));
        match poll(&mut both, PollTimeout::NONE) {
            Err(Errno::EINTR) => continue,
            Err(_) => return None,
            // A signal that comes now ends the program as soon as it is allowed again.
            Ok(_) if both[1].any() != Some(false) => return None,
            Ok(_) => {}
        }
        match signals.read_signal() {
            Ok(Some(signal)) => return Signal::try_from(signal.ssi_signo as i32).ok(),
            Ok(None) => {}
            Err(_) => return None,
        }
    }
}

/// Ends this process as the signal would have, so that whoever waits for it learns the reason.
fn end_by(signal: Signal) {
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
