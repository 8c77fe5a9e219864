//! Files while they are written.

use crate::claim::{Claim, delete};
use crate::destination::Destination;
use crate::error::{Class, Error, Outcome};
use crate::signals::Guard;
use crate::{lock, space};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What the name of a draft ends with, and that of the folder beside it.
const PART: &str = ".dram.part";
const FOLDER: &str = ".dram.folder";
/// Names have 255 bytes; the rest is for what is put around them.
const NAME_BYTES: usize = 240;

/// A file that is being written, in the folder of its destination under a hidden name.
///
/// It takes its place whole when it is finished, or is removed: when it is dropped, when a signal
/// (SIGINT, SIGTERM, SIGHUP) ends the program, and after any other end by the next draft in that
/// folder. It is locked: two who write the same file do so one after the other.
pub struct Draft {
    // In the order in which they are let go of: what is locked is removed before it is unlocked.
    folder: Option<Claim>,
    part: Claim,
    file: File,
    destination: Destination,
    _guard: Option<Guard>,
}

impl Destination {
    /// Begins to write, after removing what dead processes have left unfinished in the folder. While
    /// another process writes the same file this waits, and `tell` is told so.
    ///
    /// # Errors
    ///
    /// If no file can be made in the folder.
    pub fn draft(&self, tell: &mut dyn FnMut(&str)) -> Outcome<Draft> {
        let path = self.path().display();
        Draft::begin(self.clone(), Some(Guard::new()), || {
            tell(&format!("another program is writing {path}; waiting for it"));
            Ok(())
        })
    }
}

impl Draft {
    fn begin(
        destination: Destination,
        guard: Option<Guard>,
        busy: impl FnMut() -> io::Result<()>,
    ) -> Outcome<Self> {
        let part = beside(&destination, PART);
        let making = |error| {
            let message = format!("cannot make {} beside it: {error}", part.display());
            Error::new(Class::Failed, message).about(destination.path().display())
        };
        remove_orphans(destination.folder());
        let file = lock::own(&part, busy).map_err(making)?;
        let claim = Claim::new(part.clone());
        file.set_len(0).map_err(making)?;
        Ok(Self { folder: None, part: claim, file, destination, _guard: guard })
    }

    /// The empty file to write to.
    pub const fn file(&self) -> &File {
        &self.file
    }

    /// Refuses to go on where the disk has no room.
    ///
    /// # Errors
    ///
    /// If fewer than `bytes` are free.
    pub fn reserve(&self, bytes: u64) -> Outcome {
        space::check(self.destination.folder(), bytes).map_err(|error| self.about(error))
    }

    /// An empty folder beside the file, removed with the draft.
    ///
    /// # Errors
    ///
    /// If it cannot be made.
    pub(crate) fn folder(&mut self) -> Outcome<PathBuf> {
        let folder = beside(&self.destination, FOLDER);
        delete(&folder);
        fs::create_dir(&folder).map_err(|error| {
            let message = format!("cannot make {} beside it: {error}", folder.display());
            self.about(Error::new(Class::Failed, message))
        })?;
        self.folder = Some(Claim::new(folder.clone()));
        Ok(folder)
    }

    /// Gives the file its place, in such a way that after a power cut it is the old or the new one.
    /// A file that was there is replaced; the new one has its permissions.
    ///
    /// # Errors
    ///
    /// If the system cannot write or rename; then nothing has changed. A folder that the system does
    /// not bring to the disk on request is none: that happens a little later.
    pub fn finish(mut self) -> Outcome {
        let finished = sync(&self.file).and_then(|()| self.place());
        finished.map_err(|error| self.about(writing(&error)))?;
        let _ = File::open(self.destination.folder()).and_then(|folder| folder.sync_all());
        Ok(())
    }

    /// Gives the file its place, if not yet that on the disk.
    fn place(&mut self) -> io::Result<()> {
        self.folder = None;
        let path = self.destination.path();
        if let Ok(old) = fs::metadata(path) {
            // A file system without permissions keeps none.
            let _ = self.file.set_permissions(old.permissions());
        }
        self.part.settle(|| fs::rename(self.part.path(), path))
    }

    /// Names the file that an error is about.
    pub(crate) fn about(&self, error: Error) -> Error {
        error.about(self.destination.path().display())
    }
}

/// Replaces a small file that is no loss, and makes its folder: at once, and not waiting for the disk.
/// What another process is writing there just now stands.
///
/// # Errors
///
/// If it cannot be written.
pub fn replace(path: &Path, bytes: &[u8]) -> Outcome {
    let made = path.parent().map_or(Ok(()), fs::create_dir_all);
    made.map_err(|error| writing(&error).about(path.display()))?;
    let destination = Destination::new(path)?;
    let mut draft = Draft::begin(destination, None, || Err(io::ErrorKind::WouldBlock.into()))?;
    let written = (&draft.file).write_all(bytes).and_then(|()| draft.place());
    written.map_err(|error| draft.about(writing(&error)))
}

/// Why a file is not written.
pub(crate) fn writing(error: &io::Error) -> Error {
    let remedy = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; make room or take another disk"
        }
        io::ErrorKind::FileTooLarge => {
            "; raise the limit of `ulimit -f`, or take another file system"
        }
        _ => "",
    };
    Error::new(Class::Failed, format!("cannot write: {error}{remedy}"))
}

/// A hidden path beside the file.
fn beside(destination: &Destination, ending: &str) -> PathBuf {
    let name = destination.path().file_name().unwrap_or_default().as_bytes();
    destination.folder().join(hide(&name[..name.len().min(NAME_BYTES)], ending))
}

fn hide(name: &[u8], ending: &str) -> OsString {
    let mut hidden = OsString::from(".");
    hidden.push(OsStr::from_bytes(name));
    hidden.push(ending);
    hidden
}

/// Removes the drafts in a folder whose writers are dead, and their folders.
fn remove_orphans(folder: &Path) {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    for file in files.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file())) {
        let (path, name) = (file.path(), file.file_name());
        let hidden = name.as_bytes().strip_prefix(b".");
        let Some(name) = hidden.and_then(|name| name.strip_suffix(PART.as_bytes())) else {
            continue;
        };
        if let Some(_lock) = lock::orphan(&path) {
            delete(&path.with_file_name(hide(name, FOLDER)));
            delete(&path);
        }
    }
}

/// Brings a file to the disk; where that is not a thing to ask for, it happens later.
fn sync(file: &File) -> io::Result<()> {
    match file.sync_all() {
        Err(error) if lock::is_unsupported(&error) => Ok(()),
        done => done,
    }
}
