//! `dram doctor` and `dram boards`, on this machine and on trees of boards.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod program;
#[path = "../../boards/tests/tree/mod.rs"]
mod tree;

use program::{dram, fetched, output, printed, told};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Output;

fn json(output: Output) -> Value {
    serde_json::from_str(&printed(output)).unwrap()
}

/// Examines a tree.
fn doctor(root: &Path, args: &[&str]) -> Output {
    dram().args(["doctor", "--root"]).arg(root).args(args).output().unwrap()
}

#[test]
fn this_machine_is_told_in_words_and_in_json() {
    let text = printed(output(&["doctor"]));
    for name in ["board", "cores", "threads", "kernels", "page size", "memory", "disk"] {
        assert!(text.lines().any(|line| line.starts_with(name)), "{name}: {text}");
    }
    assert!(text.lines().all(|line| !line.starts_with("memory       unknown")), "{text}");
    let told = json(output(&["doctor", "--json"]));
    let number = |path: &str| told.pointer(path).and_then(Value::as_u64).unwrap();
    let page = number("/machine/page_bytes");
    assert!(page >= 4096 && page.is_power_of_two());
    assert!(number("/memory_available_bytes") <= number("/machine/memory/total_bytes"));
    let threads = std::thread::available_parallelism().unwrap().get() as u64;
    assert!((1..=threads).contains(&number("/threads/decode")));
    let file = fs::canonicalize(told["disk"]["file"].as_str().unwrap()).unwrap();
    assert_eq!(file.parent(), fs::canonicalize(fetched()).ok().as_deref());
    assert!((1..=64 << 20).contains(&number("/disk/bytes")));
    assert!(told["kernels"]["all"].as_array().unwrap().contains(&told["kernels"]["name"]));
}

#[test]
fn kernels_that_are_forced_are_those_told() {
    let told = json(output(&["doctor", "--json", "--kernels", "scalar"]));
    assert_eq!(told["kernels"]["name"], "scalar");
}

#[test]
fn every_tree_of_a_board_is_recognised() {
    for entry in fs::read_dir(tree::trees()).unwrap() {
        let name = entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned();
        let told = json(doctor(&tree::unpack(&name), &["--json"]));
        let expected = if name == "pc" { "generic-x86_64" } else { &name };
        assert_eq!(told["board"]["id"], expected);
        assert!(told["celsius"].as_f64().is_some_and(|celsius| celsius > 0.0), "{name}");
        assert!(told["default_model"]["name"].is_string(), "{name}");
    }
}

#[test]
fn what_is_wrong_comes_with_a_remedy() {
    let text = printed(doctor(&tree::unpack("raspberry-pi-4b"), &[]));
    let (_, advice) = text.split_once("what to change\n").unwrap();
    assert!(
        advice.starts_with("  the supply's voltage is too low now. Use the official"),
        "{text}"
    );
    assert!(
        text.contains("power        now voltage too low, clock lowered; since it started voltage")
    );
    assert!(text.contains("clocks fall from 80 °C; threads are shed from 77 °C"), "{text}");
    let told = json(doctor(&tree::unpack("raspberry-pi-4b"), &["--json"]));
    assert_eq!((&told["slows_celsius"], &told["sheds_celsius"]), (&80.0.into(), &77.0.into()));
    let text = printed(doctor(&tree::unpack("orange-pi-5"), &[]));
    assert!(text.contains("cores        4 of 8 (Cortex-A76, 2400 MHz): the other 4 are slower"));
    assert!(text.ends_with("nothing to change\n"), "{text}");
}

#[test]
fn throttling_is_told_now_and_since_it_started() {
    let root = tree::unpack("orange-pi-5");
    tree::write(&root, "/sys/class/thermal/cooling_device0/type", "thermal-cpufreq-0");
    tree::write(&root, "/sys/class/thermal/cooling_device0/cur_state", "1");
    let text = printed(doctor(&root, &[]));
    assert!(text.contains("power        now clock lowered; since it started not told"), "{text}");
    assert!(text.contains("  the clock is lowered now, because of heat or voltage."), "{text}");
    let root = tree::unpack("pc");
    let count = "/sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count";
    tree::write(&root, count, "3");
    let text = printed(doctor(&root, &[]));
    assert!(text.contains("power        now good; since it started clock lowered"), "{text}");
}

#[test]
fn a_tree_of_nothing_is_told_as_unknown() {
    let text = printed(doctor(&tree::scratch("empty"), &[]));
    assert!(
        text.contains("model        unknown\n") && text.contains("unknown available of unknown")
    );
    assert!(text.contains("cores        0 of 0: the system does not tell its cores"), "{text}");
}

#[test]
fn another_board_can_be_asked_for_by_name_or_file() {
    let root = tree::unpack("raspberry-pi-5");
    let told = json(doctor(&root, &["--json", "--board", "orange-pi-5"]));
    assert_eq!(told["board"]["name"], "Orange Pi 5");
    assert_eq!(told["board"]["evidence"]["by"], "request");
    let own = root.join("my-robot.toml");
    fs::write(&own, "name = \"Robot\"\narchitecture = \"aarch64\"\n").unwrap();
    let told = json(doctor(&root, &["--json", "--board", own.to_str().unwrap()]));
    assert_eq!(
        (&told["board"]["id"], &told["board"]["name"]),
        (&"my-robot".into(), &"Robot".into())
    );
}

#[test]
fn a_board_that_is_none_is_refused() {
    let root = tree::unpack("raspberry-pi-5");
    let missing = doctor(&root, &["--board", "commodore-64"]);
    assert_eq!(missing.status.code(), Some(66));
    assert!(told(&missing).contains("dram boards"), "{}", told(&missing));
    let own = root.join("own.toml");
    fs::write(&own, "name = \"Robot\"\narchitecture = \"aarch64\"\narms = 2\n").unwrap();
    let bad = doctor(&root, &["--board", own.to_str().unwrap()]);
    assert_eq!(bad.status.code(), Some(65));
    assert!(told(&bad).contains("own.toml:3: ") && told(&bad).contains("arms"), "{}", told(&bad));
    let missing = output(&["doctor", "mystery:7b"]);
    assert_eq!(missing.status.code(), Some(66));
}

#[test]
fn an_owners_file_that_is_bad_is_told_of_and_left_out() {
    let root = tree::unpack("raspberry-pi-5");
    tree::write(&root, "/etc/dram/boards/raspberry-pi-5.toml", "name = \"My Pi\"\nfast = true\n");
    let output = doctor(&root, &["--json"]);
    assert!(told(&output).starts_with("dram: raspberry-pi-5.toml:2: "), "{}", told(&output));
    assert_eq!(json(output)["board"]["name"], "Raspberry Pi 5");
}

#[test]
fn boards_are_listed() {
    let listed = json(output(&["boards", "--json"]));
    let boards = listed.as_array().unwrap();
    let text = printed(output(&["boards"]));
    assert_eq!(text.lines().count(), boards.len());
    for (board, line) in boards.iter().zip(text.lines()) {
        let id = board["id"].as_str().unwrap();
        assert!(line.starts_with(id) && line.contains(board["name"].as_str().unwrap()));
        let told = json(doctor(&tree::scratch("empty"), &["--json", "--board", id]));
        assert_eq!(told["board"]["id"], id);
    }
}
