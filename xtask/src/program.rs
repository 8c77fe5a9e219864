//! The program as it is given to others: built, and told about.

use crate::arguments::Arguments;
use crate::step::{Outcome, printed, require, run, workspace};
use crate::triple::Triple;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the C library comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Linking {
    /// From the machine.
    Dynamic,
    /// From the program itself, which then needs nothing but a kernel.
    Static,
}

/// What a program's file asks for.
pub(crate) struct Needs {
    /// Libraries, by file name.
    pub libraries: Vec<String>,
    /// The newest version of the C library that a symbol is of.
    pub glibc: Option<Version>,
}

/// Numbers of a version, most significant first.
type Version = Vec<u32>;

/// Builds the program that the arguments ask for and tells what it needs.
///
/// # Errors
///
/// If an argument is wrong, or the program cannot be built or read.
pub(crate) fn command(line: impl Iterator<Item = String>) -> Outcome {
    let arguments = Arguments::parse(line, &["--board", "--target"], &["--static"])?;
    let [] = arguments.words([])?;
    let triple = triple(&arguments)?;
    let linking = if arguments.has("--static") { Linking::Static } else { Linking::Dynamic };
    tell(&triple, &build(&triple, linking)?)
}

/// The kind of machine that `--board` or `--target` names.
///
/// # Errors
///
/// If there is no such board or target, or both flags are given, or neither.
pub(crate) fn triple(arguments: &Arguments) -> Outcome<Triple> {
    match (arguments.value("--board"), arguments.value("--target")) {
        (Some(board), None) => Triple::of_board(board),
        (None, Some(target)) => Triple::named(target),
        _ => Err("say for which machine: --board NAME or --target TRIPLE".into()),
    }
}

/// Builds the program, without debug information; returns where it lies.
///
/// # Errors
///
/// If it cannot be built.
pub(crate) fn build(triple: &Triple, linking: Linking) -> Outcome<PathBuf> {
    build_with(triple, linking, "")
}

/// As [`build()`], with more arguments for cargo.
///
/// # Errors
///
/// If it cannot be built.
pub(crate) fn build_with(triple: &Triple, linking: Linking, more: &str) -> Outcome<PathBuf> {
    let line = format!("rustc --profile dist -p dram-cli --bin dram {more}");
    let mut cargo = triple.cargo(&line)?;
    // A panic ends the program: nobody reads how to unwind from it.
    cargo.env(triple.variable("RUSTFLAGS"), "-Cforce-unwind-tables=no");
    let folder = workspace().join("target/dist").join(&triple.name);
    let folder = match linking {
        Linking::Dynamic => folder,
        Linking::Static => {
            // For the last crate alone, so that both programs share all the others.
            cargo.arg("--").args(&triple.static_flags);
            folder.with_extension("static")
        }
    };
    run(&mut cargo)?;
    // Cargo has one place for both.
    let place = folder.join("dram");
    let copied = fs::create_dir_all(&folder).and_then(|()| fs::copy(triple.built("dist"), &place));
    copied.map_err(|reason| format!("cannot copy the program to {place:?}: {reason}"))?;
    Ok(place)
}

/// Prints where a program is, its size, and what it needs.
fn tell(triple: &Triple, program: &Path) -> Outcome {
    let needs = needs(program)?;
    println!("{}", program.display());
    println!("{:.2} MB", bytes(program)? as f64 / 1e6);
    println!(
        "libraries: {}",
        match &needs.libraries[..] {
            [] => "none".into(),
            libraries => libraries.join(", "),
        }
    );
    let Some(glibc) = needs.glibc else { return Ok(()) };
    println!("glibc: {} or later", glibc.iter().map(u32::to_string).collect::<Vec<_>>().join("."));
    if Some(glibc) > version(&triple.oldest_glibc) {
        println!(
            "so it does not run on every board, whose glibc may be {}: take --static, or link with \
             `cargo zigbuild --profile dist -p dram-cli --target {}.{}`",
            triple.oldest_glibc, triple.name, triple.oldest_glibc
        );
    }
    Ok(())
}

/// The size of a file.
///
/// # Errors
///
/// If there is none.
pub(crate) fn bytes(file: &Path) -> Outcome<u64> {
    let metadata = fs::metadata(file).map_err(|reason| format!("{file:?}: {reason}"))?;
    Ok(metadata.len())
}

/// Reads what a program asks for.
///
/// # Errors
///
/// If it is no program, or `readelf` is missing.
pub(crate) fn needs(program: &Path) -> Outcome<Needs> {
    require("readelf", "binutils")?;
    let text = printed(Command::new("readelf").args(["-dVW"]).arg(program).env("LC_ALL", "C"))?;
    Ok(Needs::parse(&text))
}

impl Needs {
    /// Reads the dynamic section and the versions as `readelf` prints them.
    fn parse(text: &str) -> Self {
        let libraries = text.lines().filter(|line| line.contains("(NEEDED)"));
        let libraries = libraries.filter_map(|line| line.split_once('[')?.1.strip_suffix(']'));
        let versions = text.split("Name: GLIBC_").skip(1);
        let versions = versions.filter_map(|rest| version(rest.split_whitespace().next()?));
        Self { libraries: libraries.map(String::from).collect(), glibc: versions.max() }
    }
}

fn version(text: &str) -> Option<Version> {
    text.split('.').map(|number| number.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::Needs;

    #[test]
    fn newest_version_is_by_number() {
        let text = "\
 0x0000000000000001 (NEEDED)             Shared library: [libm.so.6]
 0x0000000000000001 (NEEDED)             Shared library: [libc.so.6]
  0x0010:   Name: GLIBC_2.9  Flags: none  Version: 5
  0x0020:   Name: GLIBC_2.17  Flags: none  Version: 4
";
        let needs = Needs::parse(text);
        assert_eq!(needs.libraries, ["libm.so.6", "libc.so.6"]);
        assert_eq!(needs.glibc, Some(vec![2, 17]));
    }

    #[test]
    fn a_static_program_needs_nothing() {
        let needs = Needs::parse("\nThere is no dynamic section in this file.\n");
        assert!(needs.libraries.is_empty() && needs.glibc.is_none());
    }
}
