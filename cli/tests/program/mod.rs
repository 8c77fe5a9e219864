//! The real program, and the real model it runs.
#![allow(unreachable_pub, dead_code, reason = "each test takes what it needs")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::{env, fs};

/// The name of the fetched model.
pub const MODEL: &str = "smollm2:135m";

/// The program in an environment of its own, with the fetched model in its models folder.
pub fn dram() -> Command {
    with_settings(Command::new(env!("CARGO_BIN_EXE_dram")))
}

/// The same program, which signals end also where whoever runs the tests ignores them.
pub fn mortal() -> Command {
    let mut env = Command::new("/usr/bin/env");
    env.args(["--default-signal", env!("CARGO_BIN_EXE_dram")]);
    with_settings(env)
}

fn with_settings(mut dram: Command) -> Command {
    dram.env_clear().env("DRAM_MODELS", fetched()).env("PATH", env::var_os("PATH").unwrap());
    dram.env("XDG_STATE_HOME", scratch("state")).stdin(Stdio::null());
    dram
}

/// The folder of fetched files.
///
/// # Panics
///
/// If the model is not there.
pub fn fetched() -> PathBuf {
    let folder = env::var_os("DRAM_FETCHED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/fetched"),
        PathBuf::from,
    );
    assert!(model_in(&folder).exists(), "{folder:?} has no model; run `cargo x fetch` first");
    folder
}

/// The path of the fetched model.
pub fn model() -> PathBuf {
    model_in(&fetched())
}

fn model_in(folder: &Path) -> PathBuf {
    folder.join("SmolLM2-135M-Instruct.Q4_1.gguf")
}

/// An empty folder of a test.
pub fn scratch(name: &str) -> PathBuf {
    let test = std::thread::current().name().unwrap_or_default().replace("::", "-");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Runs to the end.
pub fn output(args: &[&str]) -> Output {
    dram().args(args).output().unwrap()
}

/// Runs to the end with a text on stdin.
pub fn output_of(args: &[&str], stdin: &[u8]) -> Output {
    let mut dram = dram();
    dram.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = dram.spawn().unwrap();
    child.stdin.take().unwrap().write_all(stdin).unwrap();
    child.wait_with_output().unwrap()
}

/// What a successful run printed to stdout.
///
/// # Panics
///
/// If it failed.
pub fn printed(output: Output) -> String {
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?}: {told}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// What a run told on stderr.
pub fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
