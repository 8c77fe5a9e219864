//! What continuous integration runs.

use crate::fetch;
use crate::step::{Outcome, cargo, printed, run, workspace};
use crate::table::table;
use std::process::Command;

/// All that is checked beside what is on by default; the pins of a board need Linux.
const FEATURES: &str = if cfg!(target_os = "linux") {
    "dram-runtime/template,dram-boards/face,dram-cli/face"
} else {
    "dram-runtime/template,dram-boards/face"
};

/// Checks form, lints, documentation, that the core needs neither `std` nor `alloc`, and that the
/// oldest compiler builds all.
pub(crate) fn check() -> Outcome {
    run(&mut cargo("fmt --all --check"))?;
    run(&mut cargo(&format!(
        "clippy --workspace --all-targets --features {FEATURES} -- -D warnings"
    )))?;
    run(&mut cargo("clippy -p dram-cli -- -D warnings"))?;
    run(cargo(&format!("doc --workspace --no-deps --features {FEATURES}"))
        .env("RUSTDOCFLAGS", "-D warnings"))?;
    run(&mut cargo("check -p dram-runtime --no-default-features"))?;
    check_oldest()
}

/// Checks that the oldest compiler that is promised builds everything.
///
/// # Errors
///
/// If it does not, or is missing.
fn check_oldest() -> Outcome {
    let manifest = table(&workspace().join("Cargo.toml"))?;
    let oldest = manifest["workspace"]["package"]["rust-version"].as_str();
    let oldest = oldest.ok_or("the workspace names no oldest compiler")?;
    let usual = printed(Command::new("rustc").arg("--version"))?;
    if usual.starts_with(&format!("rustc {oldest}.")) {
        println!(
            "the oldest compiler that is promised, {oldest}, is the one that checked all this"
        );
        return Ok(());
    }
    let mut check = Command::new("rustup");
    check.args(["run", &format!("{oldest}.0"), "cargo", "check", "--workspace", "--all-targets"]);
    check.args(["--features", FEATURES]).current_dir(workspace());
    run(&mut check).map_err(|reason| format!("{reason}; `rustup toolchain install {oldest}.0`"))
}

/// Runs every test, after fetching what they read.
pub(crate) fn test() -> Outcome {
    fetch::fetch()?;
    run(&mut tests(""))
}

/// Runs those tests of this machine that `chosen` names, built as for all.
pub(crate) fn tests(chosen: &str) -> Command {
    cargo(&format!("test --workspace --features {FEATURES} {chosen}"))
}

/// Compares with llama.cpp, which is built for it.
pub(crate) fn parity() -> Outcome {
    run(&mut cargo("test -p dram-bench --features ggml --test ggml"))
}
