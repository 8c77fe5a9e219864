//! What can be wrong with a board's file.

use std::fmt;

/// One sentence: which file, what was found, what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(String);

impl Error {
    pub(crate) fn new(file: impl fmt::Display, message: impl fmt::Display) -> Self {
        Self(format!("{file}: {message}"))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}
