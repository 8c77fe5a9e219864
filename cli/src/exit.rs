//! Failures and the exit codes that tell them apart.

use dram_engine::{Class, EngineError};
use std::process::{self, ExitCode};
use std::{env, io, panic};

/// What a script can learn from the exit code; the help lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Code {
    Runtime = 1,
    Usage = 2,
    BadFile = 65,
    Missing = 66,
    NoRoom = 71,
    Unanswered = 75,
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

    /// Adds what else to do.
    pub(crate) fn with(self, remedy: &str) -> Self {
        Self { message: format!("{}; {remedy}", self.message), ..self }
    }

    /// Prints the message and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        if !self.message.is_empty() {
            eprintln!("dram: {}", self.message);
        }
        ExitCode::from(self.code as u8)
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        let code = match error.class() {
            Class::Failed => Code::Runtime,
            Class::BadFile => Code::BadFile,
            Class::Missing => Code::Missing,
            Class::NoRoom => Code::NoRoom,
        };
        Self::new(code, error.to_string())
    }
}

impl From<dram_models::Error> for Failure {
    fn from(error: dram_models::Error) -> Self {
        let code = match error.class() {
            dram_models::Class::Failed => Code::Runtime,
            dram_models::Class::Usage => Code::Usage,
            dram_models::Class::BadFile => Code::BadFile,
            dram_models::Class::Missing => Code::Missing,
        };
        Self::new(code, error.to_string())
    }
}

impl From<dram_runtime::Error> for Failure {
    fn from(error: dram_runtime::Error) -> Self {
        EngineError::from(error).into()
    }
}

/// From now on a panic is a failure like others: one sentence, [`Code::Runtime`], and no image of the
/// memory, with all that was said, on the disk. The standard library panics where a system refuses
/// what it takes for granted. `RUST_BACKTRACE` tells of it in the usual way.
pub(crate) fn fail_on_panic() {
    if env::var_os("RUST_BACKTRACE").is_some() {
        return;
    }
    panic::set_hook(Box::new(|info| {
        let told = info.payload_as_str().unwrap_or("unknown");
        let place = info.location().map(|place| format!(" ({place})")).unwrap_or_default();
        notice(&format!("the system refuses what is needed, or dram is at fault: {told}{place}"));
        process::exit(Code::Runtime as i32);
    }));
}

/// Tells of what is worth a warning, and goes on.
pub(crate) fn notice(text: &str) {
    eprintln!("dram: {text}");
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
