//! Where a file may be written.

use crate::error::{Class, Error, Outcome};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Links that are followed before they are taken for a circle, as Linux has it.
const MOST_LINKS: usize = 40;

/// The place of a file that is to be written: one that is regular, or is not there yet, in a folder
/// that is there.
#[derive(Clone, Debug)]
pub struct Destination {
    path: PathBuf,
}

impl Destination {
    /// Follows the links that a path is or goes through, also one to a file that is not there yet:
    /// it is this file that will be written, and the links stay.
    ///
    /// # Errors
    ///
    /// If the path leads to a directory, a device, a pipe or a socket, into a folder that is not
    /// there or not open to this user, or in a circle.
    pub fn new(path: &Path) -> Outcome<Self> {
        let place = match fs::metadata(path) {
            Ok(about) => regular(&about).and_then(|()| fs::canonicalize(path).map_err(refused)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => absent(path),
            Err(error) => Err(refused(error)),
        };
        place.map(|path| Self { path }).map_err(|error| error.about(path.display()))
    }

    /// The file itself, behind all links.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether another path leads to the same file.
    pub fn is(&self, other: &Path) -> bool {
        fs::canonicalize(other).is_ok_and(|other| other == self.path)
    }

    /// The folder it is in.
    pub(crate) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }
}

fn regular(about: &Metadata) -> Outcome {
    if about.is_dir() {
        return Err(Error::new(Class::Usage, "is a directory; name a file in it"));
    }
    if !about.is_file() {
        let message = "is a device, pipe or socket, and is never replaced; name a regular file";
        return Err(Error::new(Class::Usage, message));
    }
    Ok(())
}

/// Where a path leads at which there is nothing.
fn absent(path: &Path) -> Outcome<PathBuf> {
    let mut path = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        let Ok(target) = fs::read_link(&path) else { return in_folder(&path) };
        path.pop();
        path.push(target);
    }
    Err(Error::new(Class::Usage, "is a link that leads in a circle; remove it"))
}

/// The same path, with its folder behind all links.
fn in_folder(path: &Path) -> Outcome<PathBuf> {
    let text = path.as_os_str().as_bytes();
    let name = path.file_name().filter(|_| !text.ends_with(b"/") && !text.ends_with(b"/."));
    let name = name.ok_or_else(|| Error::new(Class::Usage, "names no file; add a file's name"))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    match fs::canonicalize(folder) {
        Ok(folder) => Ok(folder.join(name)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = folder.display();
            Err(Error::new(Class::Missing, format!("there is no folder {folder}; make it first")))
        }
        Err(error) => Err(refused(error)),
    }
}

fn refused(error: io::Error) -> Error {
    Error::new(Class::Failed, format!("cannot be written: {error}"))
}
