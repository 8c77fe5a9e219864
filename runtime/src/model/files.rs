//! The files of a model: one, or the parts of a split one.

use crate::error::{Error, PartsFault, PathFault};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::vec::Vec;

/// Opens a regular file for reading. Asks what it is first: opening a pipe would wait.
pub(crate) fn open(path: &Path) -> Result<File, Error> {
    let refused = |error: std::io::Error| Error::Path(PathFault::Refused(error.kind()));
    let about = fs::metadata(path).map_err(refused)?;
    if about.is_dir() {
        return Err(Error::Path(PathFault::Directory));
    }
    if !about.is_file() {
        return Err(Error::Path(PathFault::NotAFile));
    }
    File::open(path).map_err(refused)
}

/// The paths of all parts of a split file, given that of any; else the path alone.
pub(crate) fn parts(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let name = path.file_name().unwrap_or_default();
    let Some(split) = Split::of(name) else { return Ok([path.into()].into()) };
    let count = split.count;
    let paths = (1..=count).map(|i| {
        let path = path.with_file_name(split.part(i));
        let part = PartsFault::Absent { part: i - 1, count };
        if path.exists() { Ok(path) } else { Err(Error::Parts(part)) }
    });
    paths.collect()
}

/// The paths of those parts of a split file that are there, given that of any; else the path alone.
pub(crate) fn parts_there(path: &Path) -> Vec<PathBuf> {
    let Some(split) = Split::of(path.file_name().unwrap_or_default()) else {
        return [path.into()].into();
    };
    let paths = (1..=split.count).map(|i| path.with_file_name(split.part(i)));
    paths.filter(|path| path.exists()).collect()
}

/// The name of a part of a split file, `model-00002-of-00003.gguf`, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split<'n> {
    /// The name that all parts begin with.
    pub stem: &'n OsStr,
    /// Which part it is, from 1.
    pub part: usize,
    /// How many there are.
    pub count: usize,
}

impl<'n> Split<'n> {
    /// Takes a file's name apart; `None` for any other name.
    pub fn of(name: &'n OsStr) -> Option<Self> {
        let name = name.as_bytes().strip_suffix(b".gguf")?;
        let (name, count) = (name.split_at_checked(name.len().checked_sub(5)?))?;
        let name = name.strip_suffix(b"-of-")?;
        let (name, part) = name.split_at_checked(name.len().checked_sub(5)?)?;
        let stem = OsStr::from_bytes(name.strip_suffix(b"-")?);
        let (part, count) = (number(part)?, number(count)?);
        (1..=count).contains(&part).then_some(Self { stem, part, count })
    }

    /// The name of part `i`, from 1.
    fn part(&self, i: usize) -> OsString {
        let mut name = OsString::from(self.stem);
        name.push(std::format!("-{i:05}-of-{:05}.gguf", self.count));
        name
    }
}

fn number(digits: &[u8]) -> Option<usize> {
    let is_plain = digits.iter().all(u8::is_ascii_digit);
    str::from_utf8(digits).ok().filter(|_| is_plain)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::Split;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn names_of_parts() {
        for stem in [&b"a-b"[..], b"", b"caf\xe9", b"a-00001-of-00002"] {
            let name = [stem, b"-00002-of-00003.gguf"].concat();
            let split = Split::of(OsStr::from_bytes(&name)).unwrap();
            assert_eq!((split.stem, split.part), (OsStr::from_bytes(stem), 2));
            assert_eq!((split.count, split.part(2).as_bytes()), (3, &name[..]));
        }
        for name in [
            "a.gguf",
            "a-00001-of-00000.gguf",
            "a-00004-of-00003.gguf",
            "a-00000-of-00003.gguf",
            "a-1-of-3.gguf",
            "a-00001-of-0000+.gguf",
            "00001-of-00002.gguf",
        ] {
            assert_eq!(Split::of(OsStr::new(name)), None, "{name}");
        }
    }
}
