//! The models that are here: listed and deleted.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../runtime/tests/build/mod.rs"]
mod build;
mod program;
mod small;

use program::{dram, printed, scratch, told};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Output;

fn dram_in(folder: &Path, args: &[&str]) -> Output {
    let mut dram = dram();
    dram.env("DRAM_MODELS", folder).env("XDG_STATE_HOME", folder.join("state"));
    dram.args(args).output().unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let json = printed(dram_in(folder, &["list", "--json"]));
    let json: Value = serde_json::from_str(&json).unwrap();
    let models = json["models"].as_array().unwrap();
    models.iter().map(|model| model["name"].as_str().unwrap().to_string()).collect()
}

#[test]
fn models_are_listed_as_they_are() {
    let folder = scratch("models");
    let none = printed(dram_in(&folder, &["list"]));
    assert!(none.contains("has no models; `dram pull` downloads one"), "{none}");
    small::write(&folder, "good.gguf");
    small::write_split(&folder, "big");
    fs::write(folder.join("half.gguf"), &small::model()[..5000]).unwrap();
    fs::write(folder.join("notes.txt"), "no model").unwrap();
    printed(dram_in(&folder, &["run", "good", "-n", "1", "hi"]));
    let text = printed(dram_in(&folder, &["list"]));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(lines[0].starts_with("big ") && lines[0].contains(" llama"), "{text}");
    assert!(lines[1].starts_with("good ") && lines[1].ends_with("llama  ran last"), "{text}");
    assert!(lines[2].starts_with("half ") && lines[2].contains("damaged"), "{text}");
    let json = printed(dram_in(&folder, &["list", "--json"]));
    let json: Value = serde_json::from_str(&json).unwrap();
    let bytes = |name: &str| fs::metadata(folder.join(name)).unwrap().len();
    let parts = bytes("big-00001-of-00002.gguf") + bytes("big-00002-of-00002.gguf");
    assert_eq!(json["models"][0]["bytes"], parts);
    assert_eq!(json["models"][1]["bytes"], bytes("good.gguf"));
    assert_eq!(json["models"][1]["error"], Value::Null);
    assert!(json["models"][2]["error"].as_str().unwrap().contains("half.gguf"));
}

#[test]
fn models_are_deleted_if_all_are_there_and_somebody_wants_it() {
    let (folder, elsewhere) = (scratch("models"), scratch("elsewhere"));
    small::write(&folder, "good.gguf");
    small::write_split(&folder, "big");
    small::write(&folder, "kept.gguf");
    let other = small::write(&elsewhere, "other.gguf");
    let refused = |args: &[&str], code, about: &str| {
        let output = dram_in(&folder, args);
        assert_eq!(output.status.code(), Some(code), "{args:?}");
        assert!(told(&output).contains(about), "{args:?}: {}", told(&output));
        assert_eq!(names(&folder), ["big", "good", "kept"]);
    };
    refused(&["rm", "good"], 2, "--yes");
    refused(&["rm", "--yes", "good", "nothere"], 66, "nothere");
    refused(&["rm", "--yes", "god"], 66, "the nearest name is good");
    refused(&["rm", "--yes", other.to_str().unwrap()], 2, "not in the models folder");
    assert!(other.exists());
    let done = dram_in(&folder, &["rm", "-y", "good.gguf", "big"]);
    assert!(done.status.success(), "{}", told(&done));
    assert_eq!(names(&folder), ["kept"]);
    let files = fs::read_dir(&folder).unwrap().flatten().map(|file| file.file_name());
    let mut files: Vec<_> = files.filter(|name| name != "state").collect();
    files.sort();
    assert_eq!(files, ["kept.gguf"], "with all parts");
}
