//! Writing a model whose matrices are in tiles, to be mapped later.

use super::{files, tiles};
use crate::error::{Error, PathFault};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// Writes the file at `input` to `output` with its matrices in tiles, piece by piece: a model larger
/// than the memory is packed too.
///
/// `output` is there whole or not at all, also after a power cut; a file that was there is
/// replaced. Other programs refuse the packed file, as its type ids are this program's own.
///
/// # Errors
///
/// As [`Map::read_tiles`](super::Map::read_tiles); [`PathFault::Same`];
/// [`PartsFault::Several`](crate::PartsFault::Several) for a split file; [`Error::Io`] if writing
/// fails.
pub fn pack(input: &Path, output: &Path, threads: usize) -> Result<(), Error> {
    if fs::canonicalize(output)
        .is_ok_and(|output| fs::canonicalize(input).is_ok_and(|i| i == output))
    {
        return Err(Error::Path(PathFault::Same));
    }
    let writing = |error: io::Error| Error::Io { doing: "write", reason: error.kind() };
    let inputs = files::parts(input)?;
    let unfinished = Unfinished(beside(output)?);
    let new = OpenOptions::new().write(true).create_new(true).open(&unfinished.0);
    let file = new.map_err(writing)?;
    tiles::copy(&inputs, &file, threads)?;
    finish(&file, &unfinished.0, output).map_err(writing)
}

/// A path in the same folder, so that renaming is one step.
fn beside(output: &Path) -> Result<PathBuf, Error> {
    let mut name = OsString::from(".");
    name.push(output.file_name().ok_or(Error::Path(PathFault::Directory))?);
    name.push(std::format!(".{}.part", std::process::id()));
    Ok(output.with_file_name(name))
}

fn finish(file: &File, unfinished: &Path, output: &Path) -> io::Result<()> {
    file.sync_all()?;
    fs::rename(unfinished, output)?;
    sync_folder(output)
}

/// Makes the new name survive a power cut.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Removes a file that was not finished. Once renamed there is nothing to remove.
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
