//! Why a model's file is not found, fetched or written.

use dram_runtime::Kind;
use std::fmt;

/// What kind of failure it is, for programs that choose an exit code or a status by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It failed while running.
    Failed,
    /// It cannot be done as it was asked.
    Usage,
    /// A file is damaged, or is not what it must be.
    BadFile,
    /// There is no such file, folder or model.
    Missing,
}

/// A failure: its class, and one sentence with the place, what was found and the remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    class: Class,
    message: String,
}

/// What a part of this crate gives back.
pub type Outcome<T = ()> = Result<T, Error>;

impl Error {
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

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<dram_runtime::Error> for Error {
    fn from(error: dram_runtime::Error) -> Self {
        let class = match error.kind() {
            Kind::BadFile => Class::BadFile,
            Kind::Missing => Class::Missing,
            _ => Class::Failed,
        };
        Self::new(class, error.to_string())
    }
}
