//! The model that ran last, which is the one meant where none is named.

use crate::draft::replace;
use crate::error::Outcome;
use crate::folder::{folder, state};
use crate::installed::Installed;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// The file in the folder of states that names it.
const FILE: &str = "last-model";

/// Its name, or its path where it was not in the models folder.
pub fn name() -> Option<OsString> {
    let name = fs::read(state().ok()?.join(FILE)).ok()?;
    Some(OsString::from_vec(name.trim_ascii_end().into()))
}

/// Remembers which model's file ran, and nothing else of what happened: by its name if it is in the
/// models folder, else by its whole path.
pub fn remember(path: &Path) {
    let is_inside = folder().is_ok_and(|folder| path.parent() == Some(&folder));
    let ran = match is_inside {
        true => Installed::of(path.into()).map(|model| model.name),
        false => fs::canonicalize(path).ok().map(PathBuf::into_os_string),
    };
    if let Some(ran) = ran.filter(|ran| name().as_ref() != Some(ran)) {
        // Failing costs the user one word on the next command line.
        let _ = write(&ran);
    }
}

fn write(name: &OsStr) -> Outcome {
    replace(&state()?.join(FILE), &[name.as_bytes(), b"\n"].concat())
}
