//! The models that are here.

use crate::error::{Class, Error, Outcome};
use dram_runtime::model::{Gguf, Map, Split};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A model in a folder.
#[derive(Clone, Debug)]
pub struct Installed {
    /// Its file's name without `.gguf`, and without the number of a part.
    pub name: OsString,
    /// Its file, or the first of its parts.
    pub path: PathBuf,
}

/// What a model's file says of itself.
#[derive(Clone, Debug)]
pub struct Description {
    /// The family.
    pub architecture: String,
    /// The mix of formats that its weights were made in, if the file tells.
    pub format: Option<&'static str>,
}

/// Mixes of formats by `general.file_type`. Source: `LlamaFileType` of gguf-py's `constants.py`.
const FORMATS: [(u32, &str); 18] = [
    (0, "F32"),
    (1, "F16"),
    (2, "Q4_0"),
    (3, "Q4_1"),
    (7, "Q8_0"),
    (8, "Q5_0"),
    (9, "Q5_1"),
    (10, "Q2_K"),
    (11, "Q3_K_S"),
    (12, "Q3_K_M"),
    (13, "Q3_K_L"),
    (14, "Q4_K_S"),
    (15, "Q4_K_M"),
    (16, "Q5_K_S"),
    (17, "Q5_K_M"),
    (18, "Q6_K"),
    (25, "IQ4_NL"),
    (32, "BF16"),
];

impl Installed {
    /// The model of a file; `None` for other files and for parts behind the first.
    pub(crate) fn of(path: PathBuf) -> Option<Self> {
        let file = path.file_name()?;
        let name = match Split::of(file) {
            Some(split) if split.part > 1 => return None,
            Some(split) => split.stem,
            None => OsStr::from_bytes(file.as_bytes().strip_suffix(b".gguf")?),
        };
        Some(Self { name: name.into(), path })
    }

    /// Whether it is called so, with or without `.gguf`.
    pub(crate) fn is(&self, name: &OsStr) -> bool {
        let name = name.as_bytes();
        self.name.as_bytes() == name.strip_suffix(b".gguf").unwrap_or(name)
    }

    /// Bytes of its file, or of all its parts.
    ///
    /// # Errors
    ///
    /// If a part is missing, or no file that can be read.
    pub fn bytes(&self) -> Outcome<u64> {
        let bytes = Map::bytes_of(&self.path).map_err(Error::from);
        bytes.map(|bytes| bytes as u64).map_err(|error| error.about(self.path.display()))
    }

    /// Reads what the file says.
    ///
    /// # Errors
    ///
    /// If it is damaged, or no model's.
    pub fn describe(&self) -> Outcome<Description> {
        let describe = || {
            let maps = Map::open_all(&self.path)?;
            let parts: Vec<&[u8]> = maps.iter().map(|map| &**map).collect();
            let gguf = Gguf::join(&parts)?;
            gguf.check_is_model()?;
            let file_type = gguf.find::<u32>("general.file_type")?;
            let format = FORMATS.iter().find(|(id, _)| Some(*id) == file_type);
            let format = format.map(|(_, name)| *name);
            Ok(Description { architecture: gguf.architecture().into(), format })
        };
        describe()
            .map_err(|error: dram_runtime::Error| Error::from(error).about(self.path.display()))
    }

    /// Deletes its file, or all its parts.
    ///
    /// # Errors
    ///
    /// If the system does not delete one of them; the first part goes last, so that what is left is
    /// found again.
    pub fn remove(&self) -> Outcome {
        let mut files = Map::paths_of(&self.path);
        files.reverse();
        files.iter().try_for_each(|file| {
            fs::remove_file(file).map_err(|error| {
                let message = format!("cannot be deleted: {error}");
                Error::new(Class::Failed, message).about(file.display())
            })
        })
    }
}

/// The models in a folder, by name; a split one counts once.
pub fn installed(folder: &Path) -> Vec<Installed> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut models: Vec<_> = files.filter_map(|file| Installed::of(file.path())).collect();
    models.sort_by(|a, b| a.name.cmp(&b.name));
    models
}
