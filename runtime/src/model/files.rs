//! The files of a model: one, or the parts of a split one.

use crate::error::{Error, PartsFault, PathFault};
use std::fs::{self, File};
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
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let Some((stem, count)) = split_name(name) else { return Ok([path.into()].into()) };
    let beside = |i| path.with_file_name(std::format!("{stem}-{i:05}-of-{count:05}.gguf"));
    let paths = (1..=count).map(|i| {
        let path = beside(i);
        let part = PartsFault::Absent { part: i - 1, count };
        if path.exists() { Ok(path) } else { Err(Error::Parts(part)) }
    });
    paths.collect()
}

/// Takes `model-00002-of-00003.gguf` apart to `model` and 3.
fn split_name(name: &str) -> Option<(&str, usize)> {
    let name = name.strip_suffix(".gguf")?;
    let (name, count) = name.rsplit_once("-of-")?;
    let (stem, number) = name.rsplit_once('-')?;
    let digits = |text: &str| text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    let count = count.parse().ok().filter(|_| digits(number) && digits(count))?;
    (count > 0).then_some((stem, count))
}

#[cfg(test)]
mod tests {
    use super::split_name;

    #[test]
    fn names_of_parts() {
        assert_eq!(split_name("a-b-00002-of-00003.gguf"), Some(("a-b", 3)));
        for name in ["a.gguf", "a-00001-of-00000.gguf", "a-1-of-3.gguf", "a-00001-of-0000+.gguf"] {
            assert_eq!(split_name(name), None, "{name}");
        }
    }
}
