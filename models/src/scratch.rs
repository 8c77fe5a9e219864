//! Folders for what is only needed for a while.

use crate::claim::{Claim, delete};
use crate::error::{Class, Error, Outcome};
use crate::lock;
use crate::signals::Guard;
use std::fs::{self, DirBuilder, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::SystemTime;
use std::{env, io, process};

/// What the names of such folders begin with.
const NAME: &str = "dram-scratch-";

/// A folder for temporary files that only this user can read; others may write beside it.
///
/// It is removed when it is dropped, when a signal ends the program, and after any other end when the
/// next one is made.
pub(crate) struct Scratch {
    // In the order in which they are let go of: what is locked is removed before it is unlocked.
    folder: Claim,
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
        made.map(|(folder, lock)| Self { folder, _lock: lock, _guard: guard })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// A new folder, locked where that is possible.
fn make(temporary: &Path) -> io::Result<(Claim, File)> {
    loop {
        let time = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
        let path = temporary.join(format!("{NAME}{}-{time}", process::id()));
        DirBuilder::new().mode(0o700).create(&path)?;
        let folder = Claim::new(path);
        let lock = File::open(folder.path())?;
        // A file system without locks keeps nobody out.
        let _ = lock.lock();
        // Whoever looked for orphans just now may have taken it for one.
        if lock::is_at(&lock, folder.path()) {
            return Ok((folder, lock));
        }
    }
}

/// Removes the folders whose owners are dead.
fn remove_orphans(temporary: &Path) {
    let folders = fs::read_dir(temporary).into_iter().flatten().flatten();
    for folder in folders.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        let is_one = folder.file_name().as_bytes().starts_with(NAME.as_bytes());
        if let Some(_lock) = is_one.then(|| lock::orphan(&folder.path())).flatten() {
            delete(&folder.path());
        }
    }
}
