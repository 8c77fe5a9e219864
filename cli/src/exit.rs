//! Failures and the exit codes that tell them apart.

use dram_runtime::{Error, Kind};
use std::io;
use std::process::ExitCode;

/// What a script can learn from the exit code; the help lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Code {
    Runtime = 1,
    Usage = 2,
    BadFile = 65,
    Missing = 66,
    NoRoom = 71,
    Interrupted = 130,
}

/// Why the program ends without having done what it was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    code: Code,
    /// A sentence for stderr; empty where there is nothing to tell.
    message: String,
}

pub(crate) type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// The user stopped it and knows.
    pub(crate) fn interrupted() -> Self {
        Self::new(Code::Interrupted, "")
    }

    /// Says what the failure is about, as in "model.gguf: …".
    pub(crate) fn about(self, subject: impl std::fmt::Display) -> Self {
        Self { message: format!("{subject}: {}", self.message), ..self }
    }

    /// Prints the message and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        if !self.message.is_empty() {
            eprintln!("dram: {}", self.message);
        }
        ExitCode::from(self.code as u8)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = match error.kind() {
            Kind::BadFile => Code::BadFile,
            Kind::Missing => Code::Missing,
            Kind::NoRoom => Code::NoRoom,
            _ => Code::Runtime,
        };
        Self::new(code, error.to_string())
    }
}

/// Of writing to stdout; files are named where they are handled.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // The reader has seen enough, as in `dram … | head`.
            io::ErrorKind::BrokenPipe => Self::new(Code::Runtime, ""),
            _ => Self::new(Code::Runtime, format!("cannot write to stdout: {error}")),
        }
    }
}
