//! Which model a name means.

use crate::error::{Class, Error, Outcome};
use crate::folder::folder;
use crate::installed::{Installed, installed};
use crate::known::{DEMO, KNOWN, Known};
use crate::{last, likeness};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Most names that are listed when there are many.
const LISTED: usize = 8;

/// The file that a path or name means; of a split model, its first part.
///
/// # Errors
///
/// [`Class::Missing`] if there is none; the message says which names there are.
pub fn find(model: &OsStr) -> Outcome<PathBuf> {
    if let Some(known) = model.to_str().and_then(Known::named) {
        let path = known.path()?;
        return if path.exists() { Ok(path) } else { Err(not_pulled(known)) };
    }
    let path = Path::new(model);
    let is_path = model.as_bytes().contains(&b'/');
    if path.is_file() || is_path && path.exists() {
        return Ok(path.into());
    }
    let folder = if is_path { path.parent().map(PathBuf::from) } else { folder().ok() };
    let name = path.file_name().unwrap_or_default();
    let file = folder.as_deref().and_then(|folder| in_folder(folder, name));
    let other = || Some(path.into()).filter(|path: &PathBuf| path.exists());
    file.or_else(other).ok_or_else(|| unknown(model, folder.as_deref()))
}

/// The file of a name in a folder.
fn in_folder(folder: &Path, name: &OsStr) -> Option<PathBuf> {
    let file = Some(folder.join(name)).filter(|file| file.is_file());
    file.or_else(|| Some(installed(folder).into_iter().find(|model| model.is(name))?.path))
}

/// The model of a name in the models folder, which [`Installed::remove`] may delete.
///
/// # Errors
///
/// [`Class::Missing`] if there is none; the message says which names there are.
pub fn find_installed(name: &OsStr) -> Outcome<Installed> {
    let folder = folder()?;
    let known = name.to_str().and_then(Known::named).map(|known| OsStr::new(known.file));
    let found = installed(&folder).into_iter().find(|model| model.is(known.unwrap_or(name)));
    found.ok_or_else(|| match find(name) {
        Ok(path) => Error::new(
            Class::Usage,
            format!("{} is not in the models folder; delete it as other files", path.display()),
        ),
        Err(error) => error,
    })
}

/// The model that ran last, else the only one there is, else the demo.
///
/// # Errors
///
/// [`Class::Missing`] if there are several: none of them was asked for.
pub fn usual() -> Outcome<OsString> {
    if let Some(last) = last::name().filter(|name| find(name).is_ok_and(|path| path.is_file())) {
        return Ok(last);
    }
    let mut models = installed(&folder()?);
    match models.len() {
        0 => Ok(DEMO.name.into()),
        1 => Ok(models.remove(0).name),
        _ => {
            let names = listed(&in_text(&models));
            let message =
                format!("no model is named, and none has run before; name one of {names}");
            Err(Error::new(Class::Missing, message))
        }
    }
}

/// Whether a word of the command line means a model and not the start of a prompt: there is one, or
/// the word looks like one. `next` is the word behind it.
pub fn is_model(word: &OsStr, next: Option<&OsStr>) -> bool {
    let text = word.to_string_lossy();
    if Known::named(&text).is_some() {
        return true;
    }
    // A file that happens to be called like the first word of a prompt is none.
    let is_odd = |path: &Path| !likeness::like_file(&text) && !is_gguf(path);
    let found = find(word).ok().filter(|path| path.is_file());
    let there = folder().map(|folder| in_text(&installed(&folder))).unwrap_or_default();
    let next = next.map(OsStr::to_string_lossy);
    found.is_some_and(|path| !is_odd(&path))
        || likeness::like_model(&text, next.as_deref(), &with_known(there))
}

/// Whether a file begins as models' files do.
fn is_gguf(path: &Path) -> bool {
    let mut start = [0; 4];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start == *b"GGUF"
}

fn not_pulled(known: &Known) -> Error {
    let name = known.name;
    Error::new(Class::Missing, format!("{name} is not here yet; `dram pull {name}` downloads it"))
}

fn unknown(model: &OsStr, folder: Option<&Path>) -> Error {
    let model = model.to_string_lossy();
    let there = folder.map(|folder| in_text(&installed(folder))).unwrap_or_default();
    let near = likeness::nearest(&model, &with_known(there.clone()));
    let there = match (&near[..], folder) {
        ([name], _) => format!("the nearest name is {name}"),
        ([others @ .., last], _) => {
            format!("the nearest names are {} and {last}", others.join(", "))
        }
        ([], Some(folder)) => format!("{} has {}", in_words(folder), listed(&there)),
        ([], None) => "DRAM_MODELS says where models are".into(),
    };
    let demo = DEMO.name;
    let told = format!("there is no file or model \"{model}\"; {there}");
    Error::new(Class::Missing, format!("{told}; `dram pull {demo}` downloads a small model"))
}

/// Names for people, of whom nobody reads a hundred.
fn listed(names: &[String]) -> String {
    match names.split_at_checked(LISTED) {
        Some((first, more @ [_, ..])) => format!("{} and {} more", first.join(", "), more.len()),
        _ if names.is_empty() => "no models".into(),
        _ => names.join(", "),
    }
}

fn in_words(folder: &Path) -> String {
    match folder.as_os_str().is_empty() {
        true => "this folder".into(),
        false => folder.display().to_string(),
    }
}

fn in_text(models: &[Installed]) -> Vec<String> {
    models.iter().map(|model| model.name.to_string_lossy().into_owned()).collect()
}

/// With the names of models that can be pulled.
fn with_known(mut names: Vec<String>) -> Vec<String> {
    names.extend(KNOWN.iter().map(|known| known.name.into()));
    names
}
