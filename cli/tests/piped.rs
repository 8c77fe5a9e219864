//! Text on stdin, and what is no text.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../runtime/tests/build/mod.rs"]
mod build;
mod program;
mod small;

use program::{MODEL, dram, output, output_of, printed, scratch, told};
use serde_json::Value;
use std::fs::File;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

fn json(printed: &str) -> (Value, Value) {
    let reply: Value = serde_json::from_str(printed).unwrap();
    (reply["prompt_tokens"].clone(), reply["text"].clone())
}

#[test]
fn piped_text_comes_before_the_words() {
    let model = small::write(&scratch("model"), "m.gguf");
    let model = model.to_str().unwrap();
    for more in [&["--raw"][..], &[]] {
        let fixed = [&["run", model, "--temp", "0", "-n", "4", "--json"], more].concat();
        let run = |text: &str, words: &[&str]| {
            json(&printed(output_of(&[&fixed[..], words].concat(), text.as_bytes())))
        };
        let whole =
            json(&printed(output(&[&fixed[..], &["The word is banana.\nWhich?"]].concat())));
        assert_eq!(run("The word is banana.\n", &["Which?"]), whole);
        assert_eq!(run("The word is banana.", &["Which?"]), whole);
        assert_eq!(run("The word is banana.\nWhich?", &[]), whole);
        let alone = run("", &["Which?"]);
        assert!(alone.0.as_u64() < whole.0.as_u64(), "{alone:?} {whole:?}");
        assert_eq!(run(" \n", &["Which?"]), alone);
    }
}

#[test]
fn a_source_that_cannot_be_read_or_never_ends_is_refused() {
    let model = small::write(&scratch("model"), "m.gguf");
    for (source, about) in [("/", "cannot read stdin"), ("/dev/zero", "more than 268435456 bytes")]
    {
        let mut dram = dram();
        dram.arg("run").arg(&model).args(["--raw", "-n", "1", "Which?"]);
        let output = dram.stdin(File::open(source).unwrap()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{source}");
        assert!(told(&output).contains(about), "{}", told(&output));
    }
    let latin = output_of(&["run", model.to_str().unwrap(), "--raw", "Which?"], b"caf\xe9");
    assert_eq!(latin.status.code(), Some(65));
    assert!(told(&latin).contains("byte 3"), "{}", told(&latin));
}

#[test]
fn who_waits_for_stdin_says_so() {
    let model = small::write(&scratch("model"), "m.gguf");
    let mut dram = dram();
    dram.arg("run").arg(&model).args(["--raw", "-n", "1", "Which?"]);
    dram.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = dram.spawn().unwrap();
    let stdin = child.stdin.take().unwrap();
    let mut told = [0; 16];
    child.stderr.as_mut().unwrap().read_exact(&mut told).unwrap();
    assert_eq!(&told, b"dram: waiting fo");
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_stray_byte_on_the_terminal_costs_its_line() {
    let command = format!("{} run {MODEL} --temp 0 -n 8", env!("CARGO_BIN_EXE_dram"));
    let mut script = Command::new("script");
    script.args(["-qec", &command, "/dev/null"]).env("DRAM_MODELS", program::fetched());
    script.env("XDG_STATE_HOME", scratch("state")).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = script.spawn().unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut say = |line: &[u8]| {
        let mut shown = Vec::new();
        while !shown.ends_with(b">>> ") {
            let mut byte = [0];
            stdout.read_exact(&mut byte).unwrap();
            shown.extend(byte);
        }
        stdin.write_all(&[line, b"\r"].concat()).unwrap();
        String::from_utf8_lossy(&shown).into_owned()
    };
    say(b"My name is Zora.");
    say(b"caf\xe9");
    assert!(say(b"What is my name?").contains("is not UTF-8 and is forgotten"));
    let answer = say(b"/bye");
    assert!(answer.contains("Zora"), "{answer}");
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_prompt_that_is_too_long_is_told_in_tokens() {
    let model = small::write(&scratch("model"), "m.gguf");
    let long = b"hello world\n".repeat(1_500_000);
    let output = output_of(&["run", model.to_str().unwrap(), "-n", "1"], &long);
    let told = told(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("tokens, the context has room for 512"), "{told}");
    assert!(!told.contains("template"), "{told}");
}
