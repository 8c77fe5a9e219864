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

/// The compiler that has sanitizers.
const NIGHTLY: &str = "nightly";
/// Fast enough to run, and built in half the time.
const OPTIMISED: [&str; 4] =
    ["--config", "profile.test.opt-level=1", "--config", "profile.test.debug=\"line-tables-only\""];
/// What reads bytes of files, every kernel that this CPU has, and the threads.
const MEMORY: [&str; 3] = [
    "-p dram-quant --test all",
    "-p dram-targets --test agree",
    "-p dram-runtime --lib --test hostile --test exact",
];

/// Kernels, readers of files and threads under the address sanitizer.
///
/// # Errors
///
/// If one is at memory that it does not own, or the nightly compiler is missing.
pub(crate) fn sanitize() -> Outcome {
    let rustc = printed(Command::new("rustup").args(["run", NIGHTLY, "rustc", "-vV"]));
    let rustc = rustc.map_err(|reason| {
        format!("{reason}; sanitizers need it: `rustup toolchain install {NIGHTLY}`")
    })?;
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.ok_or("rustc does not say which machine this is")?;
    MEMORY.iter().try_for_each(|tests| {
        let mut test = Command::new("rustup");
        test.args(["run", NIGHTLY, "cargo", "test", "--target", host]).args(OPTIMISED);
        test.args(["--target-dir", "target/address"]).args(tests.split(' '));
        run(test.env("RUSTFLAGS", "-Zsanitizer=address").current_dir(workspace()))
    })
}
