//! Running other programs.

use serde_json::Value;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;

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
/// If it cannot be started or does not succeed; the message has all that it said.
pub(crate) fn printed(command: &mut Command) -> Outcome<String> {
    let output = command.output().map_err(|reason| format!("{command:?}: {reason}"))?;
    let [printed, said] = [&output.stdout, &output.stderr].map(|all| String::from_utf8_lossy(all));
    if output.status.success() {
        return Ok(printed.into_owned());
    }
    let said = format!("{printed}{said}");
    Err(format!("{command:?}: {}\n{}", output.status, said.trim_end()))
}

/// As [`printed()`], of a command that tells the developer how it goes meanwhile.
///
/// # Errors
///
/// If it cannot be started or does not succeed.
pub(crate) fn printed_alone(command: &mut Command) -> Outcome<String> {
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.map_err(|reason| format!("{command:?}: {reason}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{command:?}: {}", output.status))
}

/// Reads JSON.
///
/// # Errors
///
/// If it is none; the message has it.
pub(crate) fn json(text: &str) -> Outcome<Value> {
    serde_json::from_str(text).map_err(|reason| format!("not JSON: {reason}: {text:?}"))
}

/// Does `work` for all of `these`, in their order and as many at a time as there are processors;
/// once one fails, no more are begun.
///
/// # Errors
///
/// The first of `work`.
pub(crate) fn each_in_parallel<T: Send>(
    these: Vec<T>,
    work: impl Fn(T) -> Outcome + Sync,
) -> Outcome {
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let (left, failed) = (Mutex::new(these.into_iter()), Mutex::new(None));
    let next = || {
        let none_failed = failed.lock().is_ok_and(|failed| failed.is_none());
        left.lock().ok().filter(|_| none_failed)?.next()
    };
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(this) = next() {
                    if let (Err(reason), Ok(mut failed)) = (work(this), failed.lock()) {
                        failed.get_or_insert(reason);
                    }
                }
            });
        }
    });
    failed.into_inner().ok().flatten().map_or(Ok(()), Err)
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
