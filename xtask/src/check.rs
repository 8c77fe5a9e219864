//! What continuous integration runs.

use crate::fetch;
use crate::step::{Outcome, cargo, run};

/// Checks form, lints, documentation, and that the core needs neither `std` nor `alloc`.
pub(crate) fn check() -> Outcome {
    run(&mut cargo("fmt --all --check"))?;
    run(&mut cargo(
        "clippy --workspace --all-targets --features dram-runtime/template -- -D warnings",
    ))?;
    run(cargo("doc --workspace --no-deps --features dram-runtime/template")
        .env("RUSTDOCFLAGS", "-D warnings"))?;
    run(&mut cargo("build -p dram-runtime --no-default-features"))
}

/// Runs every test, after fetching what they read.
pub(crate) fn test() -> Outcome {
    fetch::fetch()?;
    run(&mut cargo("test --workspace --features dram-runtime/template"))
}

/// Compares with llama.cpp, which is built for it.
pub(crate) fn parity() -> Outcome {
    run(&mut cargo("test -p dram-bench --features ggml --test ggml"))
}
