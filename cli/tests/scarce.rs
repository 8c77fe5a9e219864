//! Systems that give little: the program does with less, or says in one sentence what it lacks.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../runtime/tests/build/mod.rs"]
mod build;
mod program;
mod small;

use program::{dram, printed, scratch, told};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::{env, fs};

/// Runs `dram run` from a shell that has changed something, `$@` being the command.
fn shell(script: &str, model: &Path, more: &[&str]) -> Output {
    let program = dram();
    let environment = program.get_envs().filter_map(|(key, value)| Some((key, value?)));
    let mut shell = Command::new("sh");
    shell.env_clear().envs(environment).args(["-c", script, "sh"]).arg(program.get_program());
    shell.arg("run").arg(model).args(["--raw", "--temp", "0", "-n", "3", "-c", "256"]);
    shell.args(more).arg("Once upon").stdin(Stdio::null()).output().unwrap()
}

fn model() -> PathBuf {
    small::write(&scratch("model"), "m.gguf")
}

fn text(output: &Output) -> &[u8] {
    assert!(output.status.success(), "{:?}: {}", output.status, told(output));
    &output.stdout
}

#[test]
fn less_address_space_is_told_or_is_enough() {
    let model = model();
    let free = shell("exec \"$@\"", &model, &[]);
    let mut codes = Vec::new();
    // Where even the loader has no room, the program has no say.
    for mebibytes in (24..=120).step_by(6).chain([160, 250, 400]) {
        let script = format!("ulimit -v {}; exec \"$@\"", mebibytes << 10);
        let output = shell(&script, &model, &["-t", "4"]);
        let told = told(&output);
        match output.status.code() {
            Some(0) => assert_eq!(output.stdout, text(&free), "{mebibytes} MiB"),
            Some(71) => assert!(told.contains("memory") && output.stdout.is_empty(), "{told}"),
            code => panic!("{mebibytes} MiB: {code:?}: {told}"),
        }
        codes.push(output.status.code().unwrap());
    }
    assert_eq!((codes.first(), codes.last()), (Some(&71), Some(&0)));
}

#[test]
fn without_more_threads_one_computes() {
    // A limit of processes does not bind the superuser, so that the test becomes nobody.
    let folder = env::temp_dir().join(format!("dram-nobody-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let (program, model) = (folder.join("dram"), small::write(&folder, "m.gguf"));
    fs::copy(env!("CARGO_BIN_EXE_dram"), &program).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let become_nobody = "test $(id -u) = 0 && set -- setpriv --reuid 54321 --regid 54321 \
                         --clear-groups --inh-caps=-all \"$@\"; exec prlimit --nproc=1 \"$@\"";
    for rest in ["run --raw --temp 0 -n 3 --json", "bench -p 4 -n 2 -r 1 --json"] {
        let output = |threads: &str| {
            let mut shell = Command::new("sh");
            shell.args(["-c", become_nobody, "sh"]).arg(&program).args(rest.split(' '));
            shell
                .args(["-t", threads])
                .arg(&model)
                .env_clear()
                .env("PATH", env::var("PATH").unwrap());
            let words = if rest.starts_with("run") { &["Once upon"][..] } else { &[] };
            printed(shell.args(words).stdin(Stdio::null()).output().unwrap())
        };
        for threads in ["1", "4"] {
            assert!(output(threads).contains("\"threads\": 1"), "{rest}: {}", output(threads));
        }
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn files_that_cannot_be_written_cost_nothing() {
    let model = model();
    let free = shell("exec \"$@\"", &model, &[]);
    for script in [
        "XDG_STATE_HOME=/proc exec \"$@\"",
        "unset XDG_STATE_HOME HOME DRAM_MODELS; exec \"$@\"",
        "HOME=/nowhere; export HOME; unset XDG_STATE_HOME DRAM_MODELS; exec \"$@\"",
        "TMPDIR=/nowhere LC_ALL=C exec \"$@\"",
        "ulimit -f 0; exec \"$@\"",
        "ulimit -n 8; exec \"$@\"",
        "exec \"$@\" <&-",
        "exec \"$@\" 2>&-",
        "exec \"$@\" 2>/dev/full",
    ] {
        assert_eq!(text(&shell(script, &model, &["--verbose"])), text(&free), "{script}");
    }
}

#[test]
fn a_stderr_that_is_full_changes_no_exit_code() {
    let full = "exec \"$@\" 2>/dev/full";
    assert_eq!(shell(full, Path::new("/no/such.gguf"), &[]).status.code(), Some(66));
    assert_eq!(shell("exec \"$@\" >/dev/full", &model(), &[]).status.code(), Some(1));
    assert_eq!(shell("exec \"$@\" >/dev/full 2>&1", &model(), &[]).status.code(), Some(1));
    assert!(shell("exec \"$@\" <&- >&- 2>&-", &model(), &[]).status.success());
}
