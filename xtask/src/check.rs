//! What continuous integration runs.

use crate::fetch;
use crate::step::{Outcome, cargo, run};

/// All that is checked beside what is on by default; the pins of a board need Linux.
const FEATURES: &str = if cfg!(target_os = "linux") {
    "dram-runtime/template,dram-boards/face,dram-cli/face"
} else {
    "dram-runtime/template,dram-boards/face"
};

/// Checks form, lints, documentation, and that the core needs neither `std` nor `alloc`.
pub(crate) fn check() -> Outcome {
    run(&mut cargo("fmt --all --check"))?;
    run(&mut cargo(&format!(
        "clippy --workspace --all-targets --features {FEATURES} -- -D warnings"
    )))?;
    run(&mut cargo("clippy -p dram-cli -- -D warnings"))?;
    run(cargo(&format!("doc --workspace --no-deps --features {FEATURES}"))
        .env("RUSTDOCFLAGS", "-D warnings"))?;
    run(&mut cargo("build -p dram-runtime --no-default-features"))
}

/// Runs every test, after fetching what they read.
pub(crate) fn test() -> Outcome {
    fetch::fetch()?;
    run(&mut cargo(&format!("test --workspace --features {FEATURES}")))
}

/// Compares with llama.cpp, which is built for it.
pub(crate) fn parity() -> Outcome {
    run(&mut cargo("test -p dram-bench --features ggml --test ggml"))
}
