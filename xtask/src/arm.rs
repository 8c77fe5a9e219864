//! Tests on 64-bit ARM: cross-built, and run under emulation of the boards' cores.

use crate::fetch;
use crate::step::{Outcome, cargo, run, workspace};
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "aarch64-unknown-linux-gnu";
const LINKER: &str = "aarch64-linux-gnu-gcc";
pub(crate) const EMULATOR: &str = "qemu-aarch64";
/// Where Debian keeps the C library of a cross compiler.
const LIBRARIES: &str = "/usr/aarch64-linux-gnu";
/// Zero 2 W and 3; Jetson Nano; Pi 4; Pi 5; a server; all there is. An instruction that a core
/// lacks ends the test.
const CORES: [&str; 6] =
    ["cortex-a53", "cortex-a57", "cortex-a72", "cortex-a76", "neoverse-n1", "max"];
/// Those on which the real model runs: one for each table of kernels.
const MODEL_CORES: [&str; 2] = ["cortex-a72", "cortex-a76"];

/// Builds and runs the tests of the crates that have code for ARM.
///
/// # Errors
///
/// If a test fails, or a tool is missing; the message says how to install it.
pub(crate) fn arm() -> Outcome {
    require(EMULATOR, "qemu-user")?;
    fetch::fetch()?;
    // Doc tests would need the documentation tool of the same compiler.
    let kernels = "-p dram-quant -p dram-targets --lib --tests";
    CORES.iter().try_for_each(|core| emulate(core, kernels))?;
    let model = "-p dram-runtime --test golden";
    MODEL_CORES.iter().try_for_each(|core| emulate(core, model))
}

/// Runs tests on one core.
fn emulate(core: &str, tests: &str) -> Outcome {
    eprintln!("on {core}:");
    let runner = emulator(core).join(" ");
    run(cross(&format!("test {tests}"))?
        .env("DRAM_FETCHED", fetch::folder())
        .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", runner))
}

/// Cargo with the arguments in `line`, for 64-bit ARM.
///
/// # Errors
///
/// If a compiler or linker is missing; the message says how to install it.
pub(crate) fn cross(line: &str) -> Outcome<Command> {
    require(LINKER, "gcc-aarch64-linux-gnu libc6-dev-arm64-cross")?;
    let mut cargo = cargo(line);
    cargo
        .args(["--target", TARGET])
        .env("RUSTC", rustc()?)
        .env("CARGO_TARGET_DIR", folder())
        .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", LINKER);
    Ok(cargo)
}

/// Builds `dram` for 64-bit ARM as it is released; returns where it lies.
///
/// # Errors
///
/// If it cannot be built.
pub(crate) fn dram() -> Outcome<PathBuf> {
    run(&mut cross("build --release -p dram-cli")?)?;
    Ok(folder().join(TARGET).join("release/dram"))
}

/// What cross builds make.
fn folder() -> PathBuf {
    workspace().join("target/arm")
}

/// The emulator of a core, with its arguments.
pub(crate) fn emulator(core: &str) -> [String; 7] {
    // Loader and C library must be of one version, and Debian may have a second library.
    let library = format!("LD_LIBRARY_PATH={LIBRARIES}/lib");
    [EMULATOR, "-cpu", core, "-L", LIBRARIES, "-E", &library].map(String::from)
}

/// A compiler that has the target's standard library: `$RUSTC` or the usual one, else Debian's.
fn rustc() -> Outcome<String> {
    let usual = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    [usual, "/usr/bin/rustc".into()].into_iter().find(|rustc| has_target(rustc)).ok_or_else(|| {
        format!(
            "no compiler has the standard library of {TARGET}; `rustup target add {TARGET}`, or \
             on Debian `dpkg --add-architecture arm64 && apt-get update && apt-get install \
             rustc-web libstd-rust-web-dev:arm64`"
        )
    })
}

fn has_target(rustc: &str) -> bool {
    let output =
        Command::new(rustc).args(["--print", "target-libdir", "--target", TARGET]).output();
    output.is_ok_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).exists())
}

/// Asks that a program is there.
///
/// # Errors
///
/// If it is not; the message names the packages.
pub(crate) fn require(program: &str, packages: &str) -> Outcome {
    let found = Command::new(program).arg("--version").output();
    found.map(drop).map_err(|_| format!("`{program}` is missing; apt-get install {packages}"))
}
