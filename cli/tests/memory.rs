//! What the program takes of the memory, as the system counts it.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod program;

use program::{MODEL, dram, model, output, printed, scratch, told};
use serde_json::Value;
use std::fs;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

/// What the program may take beside what it tells: itself, its vocabulary, its threads' stacks.
const SMALL: usize = 32 << 20;

/// The most that a run took, in bytes.
#[derive(Debug, Default)]
struct Peak {
    anonymous: usize,
    files: usize,
    resident: usize,
    locked: usize,
}

impl Peak {
    /// Takes in what the system counts of a process now; nothing once it has ended.
    fn watch(&mut self, process: u32) {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        let bytes = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
            line.map_or(0, |line| {
                line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
            })
        };
        self.anonymous = self.anonymous.max(bytes("RssAnon"));
        self.files = self.files.max(bytes("RssFile"));
        self.resident = self.resident.max(bytes("VmHWM"));
        self.locked = self.locked.max(bytes("VmLck"));
    }
}

/// Answers a prompt, and watches the memory meanwhile. The context is short: keys and values of a
/// long one would hide a copy of the weights.
fn run(model: &str, args: &[&str]) -> (Output, Peak) {
    run_in(64, model, args)
}

fn run_in(context: usize, model: &str, args: &[&str]) -> (Output, Peak) {
    let mut command = dram();
    command.args(["run", model, "--raw", "--json", "--temp", "0", "-n", "48", "--ctx"]);
    command.arg(context.to_string()).args(args).arg("The capital of France is");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut peak = Peak::default();
    while child.try_wait().unwrap().is_none() {
        peak.watch(child.id());
        sleep(Duration::from_micros(200));
    }
    (child.wait_with_output().unwrap(), peak)
}

fn reply(output: Output) -> Value {
    serde_json::from_str(&printed(output)).unwrap()
}

fn number(reply: &Value, key: &str) -> usize {
    reply[key].as_u64().unwrap().try_into().unwrap()
}

/// Runs and tells how likely the kernel was to end the program, which a shell starts with its own
/// likelihood.
fn likelihood(of_shell: &str) -> String {
    let script = format!("echo {of_shell} > /proc/self/oom_score_adj; exec \"$@\"");
    let dram = dram();
    let environment = dram.get_envs().filter_map(|(key, value)| Some((key, value?)));
    let mut command = Command::new("sh");
    command.env_clear().envs(environment).args(["-c", &script, "sh"]).arg(dram.get_program());
    command.args(["run", MODEL, "--temp", "0"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.arg("What is the capital of France?").spawn().unwrap();
    let mut last = String::new();
    while child.try_wait().unwrap().is_none() {
        let file = format!("/proc/{}/oom_score_adj", child.id());
        let now = fs::read_to_string(file).unwrap_or_default();
        last = if now.trim().is_empty() { last } else { now.trim().into() };
        sleep(Duration::from_micros(200));
    }
    assert!(child.wait().unwrap().success());
    last
}

#[test]
fn the_kernel_would_end_it_before_others() {
    let own = || fs::read_to_string("/proc/self/oom_score_adj").unwrap();
    let before = own();
    assert_eq!(likelihood("0"), "500");
    assert_eq!(likelihood("800"), "800", "one that is likelier stays so");
    assert_eq!(own(), before);
}

#[test]
fn mapped_weights_take_no_memory_of_the_programs_own() {
    let packed = scratch("packed").join("packed.gguf");
    let packed = packed.to_str().unwrap();
    printed(output(&["pack", MODEL, packed]));
    for (model, weights) in [(MODEL, "rows"), (packed, "auto")] {
        let (output, peak) = run(model, &["--weights", weights]);
        let reply = reply(output);
        let (file, session) = (number(&reply, "weights_bytes"), number(&reply, "session_bytes"));
        assert_eq!(reply["weights_are_mapped"], true);
        assert!(peak.anonymous > 0 && peak.anonymous < session + SMALL, "{model}: {peak:?}");
        assert!(peak.files > file / 2, "{model}: the weights are not mapped: {peak:?}");
        assert!(peak.resident < file + session + SMALL, "{model}: {peak:?}");
    }
}

#[test]
fn weights_in_tiles_are_there_once() {
    // Nearly all of it: with every token a layer becomes tiles.
    let (output, peak) = run(MODEL, &["--weights", "tiles"]);
    let reply = reply(output);
    let (file, session) = (number(&reply, "weights_bytes"), number(&reply, "session_bytes"));
    assert_eq!(reply["weights_are_mapped"], false);
    assert!(peak.anonymous > file / 2, "the weights are not in tiles: {peak:?}");
    assert!(peak.anonymous < file + session + SMALL, "{peak:?}");
    assert!(peak.resident < file + session + SMALL, "rows stay beside their tiles: {peak:?}");
}

#[test]
fn a_context_takes_memory_as_it_is_used() {
    let (output, peak) = run_in(8192, MODEL, &["--weights", "rows"]);
    let session = number(&reply(output), "session_bytes");
    assert!(session > 4 * SMALL, "{session}");
    assert!(peak.anonymous < 2 * SMALL, "{session}: {peak:?}");
}

#[test]
fn locked_weights_stay_or_the_limit_is_named() {
    let file: usize = fs::metadata(model()).unwrap().len().try_into().unwrap();
    for weights in ["rows", "tiles"] {
        let (output, peak) = run(MODEL, &["--mlock", "--weights", weights]);
        match output.status.code() {
            Some(0) => assert!(peak.locked >= file && peak.resident >= file, "{peak:?}"),
            Some(71) => assert!(told(&output).contains("with `ulimit -l`"), "{}", told(&output)),
            _ => panic!("{:?}: {}", output.status, told(&output)),
        }
    }
}
