//! Tests on 64-bit ARM: cross-built, and run under emulation of the boards' cores.

use crate::fetch;
use crate::step::{Outcome, run};
use crate::triple::Triple;
use std::path::PathBuf;
use std::process::Command;

pub(crate) use crate::step::require;

const TARGET: &str = "aarch64-unknown-linux-gnu";
pub(crate) const EMULATOR: &str = "qemu-aarch64";
/// Where Debian keeps the C library of a cross compiler.
const LIBRARIES: &str = "/usr/aarch64-linux-gnu";
/// Zero 2 W and 3; Jetson Nano; Pi 4; Pi 5; a server; all there is. An instruction that a core
/// lacks ends the test.
pub(crate) const CORES: [&str; 6] =
    ["cortex-a53", "cortex-a57", "cortex-a72", "cortex-a76", "neoverse-n1", "max"];
/// Those on which the real model runs: one for each table of kernels.
const MODEL_CORES: [&str; 3] = ["cortex-a72", "cortex-a76", "max"];

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
    let triple = triple()?;
    run(triple
        .cargo(&format!("test {tests}"))?
        .env("DRAM_FETCHED", fetch::folder())
        .env(triple.variable("RUNNER"), emulator(core).join(" ")))
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
