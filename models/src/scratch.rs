//! Folders for what is only needed for a while.

use crate::error::{Class, Error, Outcome};
use crate::lock;
use crate::signals::{Guard, delete, unfinished};
use std::fs::{self, DirBuilder, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{env, io, process};

/// What the names of such folders begin with.
const NAME: &str = "dram-scratch-";

/// A folder for temporary files that only this user can read; others may write beside it.
///
/// It is removed when it is dropped, when a signal ends the program, and after any other end when the
/// next one is made.
pub(crate) struct Scratch {
    path: PathBuf,
    _lock: File,
    _guard: Guard,
}

impl Scratch {
    /// Makes an empty folder.
    ///
    /// # Errors
    ///
    /// If the system's folder for temporary files cannot be written to.
    pub(crate) fn new() -> Outcome<Self> {
        let temporary = env::temp_dir();
        let guard = Guard::new();
        remove_orphans(&temporary);
        let made = make(&temporary).map_err(|error| {
            let message = format!("cannot make a folder there: {error}; set TMPDIR to another");
            Error::new(Class::Failed, message).about(temporary.display())
        });
        made.map(|(path, lock)| Self { path, _lock: lock, _guard: guard })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        unfinished().remove(&self.path);
    }
}

/// A new folder, locked where that is possible.
fn make(temporary: &Path) -> io::Result<(PathBuf, File)> {
    loop {
        let time = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
        let path = temporary.join(format!("{NAME}{}-{time}", process::id()));
        DirBuilder::new().mode(0o700).create(&path)?;
        unfinished().add(&path);
        let lock = File::open(&path)?;
        // Whoever looked for orphans just now may have taken it for one.
        let _ = lock.lock();
        if lock::is_at(&lock, &path) {
            return Ok((path, lock));
        }
        unfinished().forget(&path);
    }
}

fn remove_orphans(temporary: &Path) {
    for entry in fs::read_dir(temporary).into_iter().flatten().flatten() {
        let is_one = entry.file_name().as_bytes().starts_with(NAME.as_bytes());
        if let Some(_lock) = is_one.then(|| lock::orphan(&entry.path())).flatten() {
            delete(&entry.path());
        }
    }
}
