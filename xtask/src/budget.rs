//! The most that the program may weigh.

use crate::arm;
use crate::program::{Linking, build_with, bytes, needs};
use crate::step::{Outcome, cargo, printed};
use std::collections::BTreeSet;

/// Of the static program for 64-bit ARM: with everything, and as it is built where nothing is asked.
const MOST_BYTES: [(&str, u64); 2] = [("--features face", 10_000_000), ("", 4_500_000)];

/// Builds, prints sizes and the number of crates, and compares.
///
/// # Errors
///
/// If the program is too large or needs a library.
pub(crate) fn budget() -> Outcome {
    let triple = arm::triple()?;
    for (features, most_bytes) in MOST_BYTES {
        let program = build_with(&triple, Linking::Static, features)?;
        let libraries = needs(&program)?.libraries;
        if !libraries.is_empty() {
            return Err(format!("the static program needs {}", libraries.join(", ")));
        }
        let crates = crates(&triple.name, features)?;
        let name = if features.is_empty() { "no features" } else { features };
        let found_bytes = bytes(&program)?;
        println!("{name}: {found_bytes} bytes of {most_bytes}, {crates} crates of others");
        if found_bytes > most_bytes {
            return Err(format!("with {name} it has {found_bytes} bytes, may have {most_bytes}"));
        }
    }
    Ok(())
}

/// How many crates besides the workspace's own are in the program.
fn crates(target: &str, features: &str) -> Outcome<usize> {
    let line = format!("tree -p dram-cli -e normal --prefix none --target {target} {features}");
    let tree = printed(&mut cargo(&line))?;
    let crates = tree.lines().map(|line| line.trim_end_matches(" (*)"));
    Ok(crates.filter(|name| !name.starts_with("dram-")).collect::<BTreeSet<_>>().len())
}
