//! Tests under tools that watch threads and memory: loom and the compiler's sanitizers.

use crate::step::{Outcome, cargo, printed, run, workspace};
use std::process::Command;

/// Kernels are not what is watched here: without optimisation they are built in seconds.
const PLAIN_KERNELS: [&str; 4] = [
    "--config",
    "profile.test.package.dram-targets.opt-level=0",
    "--config",
    "profile.test.package.dram-targets.debug=false",
];

/// The pool's threads in every order, as loom runs them.
///
/// # Errors
///
/// If an order shows a fault.
pub(crate) fn loom() -> Outcome {
    let mut test = cargo("test --target-dir target/loom -p dram-runtime --lib");
    run(test.args(PLAIN_KERNELS).arg("pool::model::").env("RUSTFLAGS", "--cfg loom"))
}

/// Fast enough to run, and built in half the time.
const OPTIMISED: [&str; 4] =
    ["--config", "profile.test.opt-level=1", "--config", "profile.test.debug=\"line-tables-only\""];
/// Every kernel that this CPU has, what reads bytes of files, and the threads.
const MEMORY: &str =
    "-p dram-quant -p dram-targets -p dram-runtime --lib --test all --test agree --test hostile";

/// Kernels, readers of files and threads under the address sanitizer, then the threads under the
/// thread sanitizer.
///
/// # Errors
///
/// If one is at memory that it does not own, or where another is at the same time.
pub(crate) fn sanitize() -> Outcome {
    run(sanitized("address", MEMORY)?.args(OPTIMISED))?;
    let known = workspace().join("xtask/thread-sanitizer.txt");
    let options = format!("suppressions={}", known.display());
    let mut threads = sanitized("thread", "-p dram-runtime --lib")?;
    run(threads.args(PLAIN_KERNELS).env("TSAN_OPTIONS", options))
}

/// Tests that are built with a sanitizer. Stable compilers have them, if asked to be unstable.
fn sanitized(name: &str, tests: &str) -> Outcome<Command> {
    let rustc = printed(Command::new("rustc").arg("-vV"))?;
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.ok_or("rustc does not say which machine this is")?;
    let mut test = cargo(&format!("test --target {host} --target-dir target/{name} {tests}"));
    // The standard library is not built with it.
    let flags = format!("-Zsanitizer={name} -Cunsafe-allow-abi-mismatch=sanitizer");
    test.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", flags);
    Ok(test)
}
