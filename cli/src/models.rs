//! Which file a model's name means, and which model ran last.

use crate::exit::{Code, Failure, Outcome};
use crate::looks;
use dram_models::{DEMO, KNOWN, Known, folder, replace, state};
use dram_runtime::model::Split;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// The file in the folder of states that names the model which ran last.
const LAST: &str = "last-model";

/// A model in a folder.
struct Installed {
    /// Its file's name without `.gguf`, and without the number of a part.
    name: OsString,
    /// Its file, or the first of its parts.
    path: PathBuf,
}

impl Installed {
    /// The model of a file; `None` for other files and for parts behind the first.
    fn of(path: PathBuf) -> Option<Self> {
        let file = path.file_name()?;
        let name = match Split::of(file) {
            Some(split) if split.part > 1 => return None,
            Some(split) => split.stem,
            None => OsStr::from_bytes(file.as_bytes().strip_suffix(b".gguf")?),
        };
        Some(Self { name: name.into(), path })
    }

    /// Whether it is called so, with or without `.gguf`.
    fn is(&self, name: &OsStr) -> bool {
        let name = name.as_bytes();
        self.name.as_bytes() == name.strip_suffix(b".gguf").unwrap_or(name)
    }
}

/// The file that a path or name means; of a split model, its first part.
///
/// # Errors
///
/// [`Code::Missing`] if there is none; the message says which names there are.
pub(crate) fn find(model: &OsStr) -> Outcome<PathBuf> {
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

fn not_pulled(known: &Known) -> Failure {
    let name = known.name;
    Failure::new(Code::Missing, format!("{name} is not here yet; `dram pull {name}` downloads it"))
}

/// Most names that are listed when there are many.
const LISTED: usize = 8;

fn unknown(model: &OsStr, folder: Option<&Path>) -> Failure {
    let model = model.to_string_lossy();
    let there = folder.map(installed_names).unwrap_or_default();
    let near = looks::nearest(&model, &with_known(there.clone()));
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
    Failure::new(Code::Missing, format!("{told}; `dram pull {demo}` downloads a small model"))
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

fn installed_names(folder: &Path) -> Vec<String> {
    let there = installed(folder).into_iter();
    there.map(|model| model.name.to_string_lossy().into_owned()).collect()
}

/// With the names of models that can be pulled.
fn with_known(mut names: Vec<String>) -> Vec<String> {
    names.extend(KNOWN.iter().map(|known| known.name.into()));
    names
}

/// Whether a word of the command line means a model and not the start of a prompt: there is one, or
/// the word looks like one. `next` is the word behind it.
pub(crate) fn is_model(word: &OsStr, next: Option<&OsStr>) -> bool {
    let text = word.to_string_lossy();
    if Known::named(&text).is_some() {
        return true;
    }
    // A file that happens to be called like the first word of a prompt is none.
    let is_odd = |path: &Path| !looks::like_file(&text) && !is_gguf(path);
    let found = find(word).ok().filter(|path| path.is_file());
    let names = with_known(folder().map(|folder| installed_names(&folder)).unwrap_or_default());
    found.is_some_and(|path| !is_odd(&path))
        || looks::like_model(&text, next.map(OsStr::to_string_lossy).as_deref(), &names)
}

/// Whether a file begins as models' files do.
fn is_gguf(path: &Path) -> bool {
    let mut start = [0; 4];
    let read = fs::File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start == *b"GGUF"
}

/// The model that ran last, else the only one there is, else the demo.
///
/// # Errors
///
/// [`Code::Missing`] if there are several: none of them was asked for.
pub(crate) fn default() -> Outcome<OsString> {
    if let Some(last) = last().filter(|name| find(name).is_ok_and(|path| path.is_file())) {
        return Ok(last);
    }
    let folder = folder()?;
    let mut models = installed(&folder);
    match models.len() {
        0 => Ok(DEMO.name.into()),
        1 => Ok(models.remove(0).name),
        _ => {
            let names = listed(&installed_names(&folder));
            let message =
                format!("no model is named, and none has run before; name one of {names}");
            Err(Failure::new(Code::Missing, message))
        }
    }
}

/// The models in a folder, by name; a split one counts once.
fn installed(folder: &Path) -> Vec<Installed> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut models: Vec<_> = files.filter_map(|file| Installed::of(file.path())).collect();
    models.sort_by(|a, b| a.name.cmp(&b.name));
    models
}

fn last() -> Option<OsString> {
    let name = fs::read(state().ok()?.join(LAST)).ok()?;
    Some(OsString::from_vec(name.trim_ascii_end().into()))
}

/// Remembers which model's file ran, and nothing else of what happened: by its name if it is in the
/// models folder, else by its whole path.
pub(crate) fn remember(path: &Path) {
    let is_inside = folder().is_ok_and(|folder| path.parent() == Some(&folder));
    let name = match is_inside {
        true => Installed::of(path.into()).map(|model| model.name),
        false => fs::canonicalize(path).ok().map(PathBuf::into_os_string),
    };
    if let Some(name) = name.filter(|name| last().as_ref() != Some(name)) {
        // Failing costs the user one word on the next command line.
        let _ = write_last(&name);
    }
}

fn write_last(name: &OsStr) -> dram_models::Outcome {
    replace(&state()?.join(LAST), &[name.as_bytes(), b"\n"].concat())
}
