//! Files and folders that belong to one living process.
//!
//! The lock is the system's (`flock`): it ends with the process that holds it, however that ends.

use nix::errno::Errno;
use nix::fcntl::OFlag;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Makes a file, or takes over what a dead process has left of it, and locks it. While another
/// process has it, `busy` is asked whether to wait.
///
/// Where the file system has no locks, the file belongs to the process that has made it.
///
/// # Errors
///
/// Those of the system and of `busy`; and if there is something else in its place.
pub(crate) fn own(path: &Path, mut busy: impl FnMut() -> io::Result<()>) -> io::Result<File> {
    loop {
        let Some((file, is_new)) = open(path)? else { continue };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                busy()?;
                file.lock()?;
            }
            Err(TryLockError::Error(error)) if is_unsupported(&error) => {
                return if is_new { Ok(file) } else { Err(may_be_in_use()) };
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // Whoever had it may have given it its name, or removed it.
        if is_at(&file, path) {
            return Ok(file);
        }
    }
}

fn may_be_in_use() -> io::Error {
    io::Error::other(
        "it is there already, and this disk has no locks that tell whether another program is \
         writing it; remove it if none is",
    )
}

/// Whether a file or folder is there whose owner is dead; it is this process's until the file that
/// is given back is closed.
pub(crate) fn orphan(path: &Path) -> Option<File> {
    let mut options = OpenOptions::new();
    let file = options.read(true).custom_flags(FLAGS.bits()).open(path).ok()?;
    (file.try_lock().is_ok() && is_at(&file, path)).then_some(file)
}

/// Neither follows a link nor waits for the other end of a pipe.
const FLAGS: OFlag = OFlag::O_NOFOLLOW.union(OFlag::O_NONBLOCK);

/// Opens a regular file, and says whether it was not there before; `None` if it has just gone.
fn open(path: &Path) -> io::Result<Option<(File, bool)>> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).custom_flags(FLAGS.bits());
    let there = match options.clone().create_new(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => error,
        made => return made.map(|file| Some((file, true))),
    };
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        opened => match opened? {
            file if file.metadata()?.is_file() => Ok(Some((file, false))),
            _ => Err(there),
        },
    }
}

/// Whether an open file or folder still has this path.
pub(crate) fn is_at(file: &File, path: &Path) -> bool {
    let id = |about: fs::Metadata| (about.dev(), about.ino());
    let there = fs::symlink_metadata(path).map(id);
    file.metadata().map(id).is_ok_and(|own| there.is_ok_and(|there| there == own))
}

/// Whether it is the file system that cannot do what was asked, for any file.
pub(crate) fn is_unsupported(error: &io::Error) -> bool {
    let known = [Errno::ENOSYS, Errno::EOPNOTSUPP, Errno::ENOLCK, Errno::EINVAL];
    error.raw_os_error().is_some_and(|code| known.contains(&Errno::from_raw(code)))
}
