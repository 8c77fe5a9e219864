//! Exit codes and messages of what cannot be done.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod program;

use program::{MODEL, dram, model, output, output_of, printed, scratch, told};
use std::fs;
use std::process::Output;

/// Checks the code, and that stderr says why in words that include `about`, and stdout nothing.
fn refuses(output: &Output, code: i32, about: &str) {
    let told = told(output);
    assert_eq!(output.status.code(), Some(code), "{told}");
    assert!(told.contains(about), "{told:?} does not tell of {about:?}");
    assert!(output.stdout.is_empty());
}

#[test]
fn wrong_usage_is_2() {
    refuses(&output(&["run", "--no-such-flag"]), 2, "--no-such-flag");
    refuses(&output(&["run", MODEL, "--temp", "-1", "Hi"]), 2, "0 or more");
    refuses(&output(&["run", MODEL, "--top-p", "1.5", "Hi"]), 2, "from 0 to 1");
    refuses(&output(&["run", MODEL, "-n", "0", "Hi"]), 2, "-n");
    refuses(&output(&["run", MODEL, " "]), 2, "empty");
    refuses(&output(&["--kernels", "abacus", "show", MODEL]), 2, "scalar");
    refuses(
        &dram().env("DRAM_KERNELS", "abacus").args(["show", MODEL]).output().unwrap(),
        2,
        "abacus",
    );
}

#[test]
fn a_missing_model_is_66() {
    refuses(&output(&["show", "no/such.gguf"]), 66, "no/such.gguf");
    refuses(&output(&["run", "mystery:7b", "Hi"]), 66, "mystery:7b");
    refuses(&output(&["tokenize", "/"]), 66, "directory");
    refuses(&output(&["pull", "mystery:7b"]), 66, MODEL);
    let empty = dram().env("DRAM_MODELS", scratch("empty")).args(["show", MODEL]).output().unwrap();
    refuses(&empty, 66, "dram pull");
}

#[test]
fn a_damaged_model_is_65() {
    let folder = scratch("damaged");
    let bytes = fs::read(model()).unwrap();
    let cases: [(&str, &[u8], &str); 4] = [
        ("empty.gguf", b"", "empty"),
        ("page.gguf", b"<!DOCTYPE html><title>404</title>", "web page"),
        ("header.gguf", &bytes[..1000], "get it again"),
        ("data.gguf", &bytes[..bytes.len() - 1], "truncated"),
    ];
    for (name, bytes, about) in cases {
        let path = folder.join(name);
        fs::write(&path, bytes).unwrap();
        let path = path.to_str().unwrap();
        refuses(&output(&["run", path, "Hi"]), 65, about);
        refuses(&output(&["show", path]), 65, name);
    }
    refuses(&output_of(&["tokenize", MODEL], b"caf\xe9"), 65, "byte 3");
}

#[test]
fn a_context_that_does_not_fit_is_71_and_one_beyond_the_model_1() {
    refuses(&output(&["run", MODEL, "--ctx", "8193", "Hi"]), 1, "8192");
    let mut bytes = fs::read(model()).unwrap();
    let key = b"llama.context_length";
    let at = bytes.windows(key.len()).position(|window| window == key).unwrap() + key.len() + 4;
    assert_eq!(bytes[at..][..4], 8192_u32.to_le_bytes());
    bytes[at..][..4].copy_from_slice(&(1_u32 << 24).to_le_bytes());
    let path = scratch("large").join("large.gguf");
    fs::write(&path, bytes).unwrap();
    let run = ["run", path.to_str().unwrap(), "--ctx", "16777216", "Hi"];
    refuses(&output(&run), 71, "the model with its session needs");
    let forced = output(&[&run[..], &["--force"]].concat());
    refuses(&forced, 71, "a session needs");
}

#[test]
fn a_prompt_beyond_the_context_is_refused_and_not_cut() {
    let long = "word ".repeat(100);
    refuses(&output(&["run", MODEL, "--ctx", "64", &long]), 1, "64");
}

#[test]
fn pulling_needs_python_and_leaves_nothing_half_done() {
    let folder = scratch("models");
    let mut dram = dram();
    dram.env("DRAM_MODELS", &folder).env("PATH", scratch("no-programs"));
    refuses(&dram.args(["pull", MODEL]).output().unwrap(), 1, "python3");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    let there = output(&["pull", MODEL]);
    assert!(told(&there).contains("already"), "{}", told(&there));
    assert_eq!(printed(there), "");
}

#[test]
fn help_documents_the_exit_codes() {
    let help = printed(output(&["--help"]));
    for code in ["0 ", "1 ", "2 ", "65 ", "66 ", "71 ", "75 ", "130 "] {
        assert!(help.lines().any(|line| line.trim_start().starts_with(code)), "{code}");
    }
}
