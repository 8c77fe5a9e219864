//! Folders of this program, as the XDG specification has them.

use crate::error::{Class, Error, Outcome};
use std::env;
use std::path::PathBuf;

/// The models folder: `$DRAM_MODELS`, or `dram/models` among the user's data.
///
/// # Errors
///
/// If no environment variable says where it is.
pub fn folder() -> Outcome<PathBuf> {
    match variable("DRAM_MODELS") {
        Some(folder) => Ok(folder),
        None => Ok(under("XDG_DATA_HOME", ".local/share")?.join("models")),
    }
}

/// The folder for what is worth remembering and no loss.
///
/// # Errors
///
/// If no environment variable says where it is.
pub(crate) fn state() -> Outcome<PathBuf> {
    under("XDG_STATE_HOME", ".local/state")
}

/// This program's folder under that of an XDG variable, or under the default in the home folder.
fn under(xdg: &str, default: &str) -> Outcome<PathBuf> {
    // The specification: relative paths are to be ignored.
    let base = variable(xdg).filter(|path| path.is_absolute());
    let base = base.or_else(|| Some(variable("HOME")?.join(default)));
    base.map(|base| base.join("dram")).ok_or_else(|| {
        Error::new(Class::Usage, "neither DRAM_MODELS nor HOME is set; set one of them")
    })
}

fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}
