//! Tests on 64-bit ARM: cross-built, and run under emulation of the boards' cores.

use crate::step::{Outcome, each_in_parallel, json, printed, printed_alone, run, workspace};
use crate::triple::Triple;
use crate::{check, fetch};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

pub(crate) use crate::step::require;

const TARGET: &str = "aarch64-unknown-linux-gnu";
pub(crate) const EMULATOR: &str = "qemu-aarch64";
/// Where Debian keeps the C library of a cross compiler.
const LIBRARIES: &str = "/usr/aarch64-linux-gnu";
/// Zero 2 W and 3; Jetson Nano; Pi 4; Pi 5; a server; all there is. An instruction that a core
/// lacks ends the test.
pub(crate) const CORES: [&str; 6] =
    ["cortex-a53", "cortex-a57", "cortex-a72", "cortex-a76", "neoverse-n1", "max"];
/// One for each table of kernels.
const TABLE_CORES: &[&str] = &["cortex-a72", "cortex-a76", "max"];

/// A test that is run on some cores.
struct Test {
    package: &'static str,
    name: &'static str,
    /// Those functions of it whose names have this.
    functions: &'static str,
    cores: &'static [&'static str],
}

/// Tests of what has code for ARM, the longest first.
const TESTS: [Test; 4] = [
    Test { package: "dram-runtime", name: "golden", functions: "", cores: TABLE_CORES },
    Test { package: "dram-runtime", name: "saved", functions: "real_model", cores: TABLE_CORES },
    Test { package: "dram-targets", name: "agree", functions: "", cores: &CORES },
    Test { package: "dram-quant", name: "all", functions: "", cores: &CORES },
];

/// Builds the tests once, and runs them on their cores.
///
/// # Errors
///
/// If a test fails, or a tool is missing; the message says how to install it.
pub(crate) fn arm() -> Outcome {
    require(EMULATOR, "qemu-user")?;
    fetch::fetch()?;
    let saved = Saved::new()?;
    let programs = programs()?;
    let attempts = TESTS.iter().zip(&programs);
    let attempts = attempts.flat_map(|both| both.0.cores.iter().map(move |core| (core, both)));
    each_in_parallel(attempts.collect(), |(core, (test, program))| {
        attempt(core, test, program, &saved)
    })
}

/// A folder of sequences that this machine has saved, for the others to go on with; deleted in the
/// end.
struct Saved(PathBuf);

impl Saved {
    fn new() -> Outcome<Self> {
        let path = workspace().join(format!("target/saved-{}", std::process::id()));
        fs::create_dir_all(&path).map_err(|reason| format!("cannot create {path:?}: {reason}"))?;
        let saved = Self(path);
        let mut save = check::tests("--test saved real_model");
        run(save.env("DRAM_FETCHED", fetch::folder()).env("DRAM_SAVE_TO", &saved.0))?;
        Ok(saved)
    }
}

impl Drop for Saved {
    /// A folder that cannot be deleted costs space and nothing else.
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Builds the tests, all at once so that they share every crate; returns where they lie.
fn programs() -> Outcome<Vec<PathBuf>> {
    let flags = TESTS.iter().map(|test| format!(" -p {} --test {}", test.package, test.name));
    let line = format!("test --no-run --message-format=json{}", flags.collect::<String>());
    let built = printed_alone(&mut triple()?.cargo(&line)?)?;
    let built: Vec<Value> = built.lines().filter_map(|line| json(line).ok()).collect();
    let program = |test: &Test| {
        let made = built.iter().filter(|made| made["target"]["name"] == test.name);
        let program = made.filter_map(|made| made["executable"].as_str()).next_back();
        program.map(PathBuf::from).ok_or(format!("cargo built no test {}", test.name))
    };
    TESTS.iter().map(program).collect()
}

/// Runs a test on one core, and prints how it went when it is over.
fn attempt(core: &str, test: &Test, program: &Path, saved: &Saved) -> Outcome {
    let start = Instant::now();
    let [emulator, arguments @ ..] = emulator(core);
    let mut command = Command::new(emulator);
    command.args(arguments).arg(program).arg(test.functions).current_dir(workspace());
    command.env("DRAM_FETCHED", fetch::folder()).env("DRAM_SAVED_IN", &saved.0);
    let said = printed(&mut command);
    let (seconds, Test { package, name, .. }) = (start.elapsed().as_secs(), test);
    let text = said.as_ref().map_or("", |said| said);
    println!("on {core}, {seconds} s: {package} {name}\n{text}");
    said.map(drop)
}

/// 64-bit ARM.
///
/// # Errors
///
/// If its file is not what it must be.
pub(crate) fn triple() -> Outcome<Triple> {
    Triple::named(TARGET)
}

/// Builds `dram` for 64-bit ARM with debug information; returns where it lies.
///
/// # Errors
///
/// If it cannot be built.
pub(crate) fn dram() -> Outcome<PathBuf> {
    built(|_, _| {})
}

/// [`dram`] in which equal functions stay apart, so that each tells whose it is. Stable compilers
/// have that flag, too, if asked to be unstable.
///
/// # Errors
///
/// If it cannot be built.
pub(crate) fn dram_unmerged() -> Outcome<PathBuf> {
    built(|triple, cargo| {
        cargo.env("RUSTC_BOOTSTRAP", "1");
        cargo.env(triple.variable("RUSTFLAGS"), "-Zmerge-functions=disabled");
    })
}

/// Builds `dram` by cargo as it is `set`.
fn built(set: impl Fn(&Triple, &mut Command)) -> Outcome<PathBuf> {
    let triple = triple()?;
    let mut cargo = triple.cargo("build --release -p dram-cli")?;
    set(&triple, &mut cargo);
    run(&mut cargo)?;
    Ok(triple.built("release"))
}

/// The emulator of a core, with its arguments.
pub(crate) fn emulator(core: &str) -> [String; 7] {
    // Loader and C library must be of one version, and Debian may have a second library.
    let library = format!("LD_LIBRARY_PATH={LIBRARIES}/lib");
    [EMULATOR, "-cpu", core, "-L", LIBRARIES, "-E", &library].map(String::from)
}
