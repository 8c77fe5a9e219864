//! Replies whose room is full before the thought is over.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../runtime/tests/build/mod.rs"]
mod build;
mod program;
mod small;

use program::{output, printed, scratch, told};
use serde_json::Value;
use std::fs;

#[test]
fn a_thought_that_fills_its_room_is_no_answer() {
    let path = scratch("model").join("m.gguf");
    fs::write(&path, small::thinking()).unwrap();
    let model = path.to_str().unwrap();
    for (room, about) in [(["-n", "6"], "raise -n"), (["--ctx", "40"], "--ctx takes a larger one")]
    {
        let fixed = ["run", model, "--temp", "0", room[0], room[1], "Hello"];
        let plain = output(&fixed);
        assert_eq!(plain.status.code(), Some(75), "{}", told(&plain));
        assert!(plain.stdout.is_empty());
        let told = told(&plain);
        assert!(told.contains("inside the thought") && told.contains(about), "{told}");
        let json = output(&[&fixed[..], &["--json"]].concat());
        assert_eq!(json.status.code(), Some(75));
        let json: Value = serde_json::from_slice(&json.stdout).unwrap();
        assert_eq!(json["text"], "");
        assert_ne!(json["reasoning"], "");
    }
}

#[test]
fn an_answer_that_fills_its_room_is_one() {
    let model = small::write(&scratch("model"), "m.gguf");
    let model = model.to_str().unwrap();
    for room in [["-n", "6"], ["--ctx", "40"]] {
        let answer = printed(output(&["run", model, "--temp", "0", room[0], room[1], "Hello"]));
        assert_ne!(answer.trim(), "");
    }
    assert!(!printed(output(&["run", model, "--raw", "-n", "2", "<think>"])).is_empty());
}
