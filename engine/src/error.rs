//! Why the engine did not do what it was asked.

use dram_runtime::Kind;
use std::fmt;

/// What kind of failure it is, for programs that choose an exit code or a status by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It failed while running.
    Failed,
    /// A file is damaged, or says what cannot be.
    BadFile,
    /// There is no such file, model or board.
    Missing,
    /// It does not fit in memory.
    NoRoom,
}

/// A failure: its class, and one sentence with the place, what was found and the remedy.
#[derive(Clone, Debug)]
pub struct EngineError {
    class: Class,
    message: String,
}

/// What a part of the engine gives back.
pub type Outcome<T = ()> = Result<T, EngineError>;

impl EngineError {
    /// A failure of a class, told in one sentence.
    pub fn new(class: Class, message: impl Into<String>) -> Self {
        Self { class, message: message.into() }
    }

    /// Says what the failure is about, as in "model.gguf: …".
    #[must_use]
    pub fn about(self, subject: impl fmt::Display) -> Self {
        Self { message: format!("{subject}: {}", self.message), ..self }
    }

    /// Its class.
    pub const fn class(&self) -> Class {
        self.class
    }
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for EngineError {}

impl From<dram_runtime::Error> for EngineError {
    fn from(error: dram_runtime::Error) -> Self {
        let class = match error.kind() {
            Kind::BadFile => Class::BadFile,
            Kind::Missing => Class::Missing,
            Kind::NoRoom => Class::NoRoom,
            _ => Class::Failed,
        };
        Self::new(class, error.to_string())
    }
}
