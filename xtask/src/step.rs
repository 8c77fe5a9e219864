//! Running other programs.

use std::process::Command;

/// What went wrong, as a sentence for the developer.
pub(crate) type Outcome<T = ()> = Result<T, String>;

/// The cargo that runs this program, in the workspace's folder, with the arguments in `line`.
pub(crate) fn cargo(line: &str) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(line.split_whitespace()).current_dir(workspace());
    command
}

/// The folder of the workspace.
pub(crate) fn workspace() -> &'static std::path::Path {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("xtask is a folder of the workspace")
}

/// Prints the command, runs it and waits.
///
/// # Errors
///
/// If it cannot be started or does not succeed.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    let line = words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    eprintln!("+ {line}");
    let status = command.status().map_err(|reason| format!("cannot start `{line}`: {reason}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{line}` failed: {status}")) }
}

/// Runs a command, waits, and returns what it printed.
///
/// # Errors
///
/// If it cannot be started or does not succeed; the message has what it said.
pub(crate) fn printed(command: &mut Command) -> Outcome<String> {
    let output = command.output().map_err(|reason| format!("{command:?}: {reason}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?}: {}\n{}", output.status, said.trim_end()))
}

/// Checks that a program is installed.
///
/// # Errors
///
/// If it is not; the message names the packages.
pub(crate) fn require(program: &str, packages: &str) -> Outcome {
    require_flag(program, "--version", packages)
}

/// As [`require()`], for a program that prints its version for another flag.
///
/// # Errors
///
/// If it is not there; the message names the packages.
pub(crate) fn require_flag(program: &str, flag: &str, packages: &str) -> Outcome {
    let found = Command::new(program).arg(flag).output();
    found.map(drop).map_err(|_| format!("`{program}` is missing; apt-get install {packages}"))
}
