//! Other programs, run for a while.

use crate::claim;
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawnp};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;
use std::{env, thread};

/// How often a child is looked after.
const LOOK: Duration = Duration::from_millis(20);

/// A program to be run with nothing to read.
///
/// The standard library's would inherit which signals are blocked here ([`Guard`](crate::signals::Guard)):
/// nobody could interrupt it.
pub(crate) struct Program {
    arguments: Vec<OsString>,
    variables: Vec<(OsString, OsString)>,
}

/// A running program, which a signal that ends this one ends too.
pub(crate) struct Child(Pid);

impl Program {
    /// A program that is found as shells find it.
    pub(crate) fn new(name: &str) -> Self {
        Self { arguments: vec![name.into()], variables: env::vars_os().collect() }
    }

    /// Adds arguments.
    pub(crate) fn args(mut self, more: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.arguments.extend(more.into_iter().map(|argument| argument.as_ref().into()));
        self
    }

    /// Sets a variable of its environment.
    pub(crate) fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.retain(|(other, _)| other != name);
        self.variables.push((name.into(), value.into()));
        self
    }

    /// Starts it, with its output going to an open file.
    ///
    /// # Errors
    ///
    /// If there is no such program, or the system does not start it.
    pub(crate) fn start(&self, output: impl AsFd) -> io::Result<Child> {
        let mut files = PosixSpawnFileActions::init()?;
        let nothing = File::open("/dev/null")?;
        files.add_dup2(nothing.as_raw_fd(), 0)?;
        files.add_dup2(output.as_fd().as_raw_fd(), 1)?;
        let mut signals = PosixSpawnAttr::init()?;
        signals.set_sigmask(&SigSet::empty())?;
        // Ignored by every Rust program.
        signals.set_sigdefault(&[Signal::SIGPIPE].into_iter().collect())?;
        let flags = PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK;
        signals.set_flags(flags | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF)?;
        let arguments =
            self.arguments.iter().map(|argument| text(argument)).collect::<io::Result<Vec<_>>>()?;
        let variables = self.variables.iter().map(|(name, value)| {
            let mut variable = name.clone();
            variable.push("=");
            variable.push(value);
            text(&variable)
        });
        let variables = variables.collect::<io::Result<Vec<_>>>()?;
        let start = || posix_spawnp(&arguments[0], &files, &signals, &arguments, &variables);
        Ok(Child(claim::add_child(start)?))
    }
}

fn text(text: &OsStr) -> io::Result<CString> {
    CString::new(text.as_bytes()).map_err(io::Error::from)
}

impl Child {
    /// Waits for its end, and tells whether it succeeded.
    ///
    /// # Errors
    ///
    /// If the system does not tell.
    pub(crate) fn wait(self) -> io::Result<WaitStatus> {
        loop {
            let look = || match waitpid(self.0, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) => None,
                ended => Some(ended),
            };
            if let Some(ended) = claim::forget_child(self.0, look) {
                return Ok(ended?);
            }
            thread::sleep(LOOK);
        }
    }
}

/// Whether a program ended as it says when all is well.
pub(crate) fn succeeded(status: &io::Result<WaitStatus>) -> bool {
    matches!(status, Ok(WaitStatus::Exited(_, 0)))
}
