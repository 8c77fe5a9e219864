//! Which model answers.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../runtime/tests/build/mod.rs"]
mod build;
mod program;
mod small;

use program::{dram, printed, scratch, told};
use serde_json::Value;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Output};

/// The program with a models folder and a state of its own.
fn program(folder: &Path) -> Command {
    let mut dram = dram();
    dram.env("DRAM_MODELS", folder).env("XDG_STATE_HOME", folder.join("state"));
    dram
}

fn run(folder: &Path, words: &[&str]) -> Output {
    let args = ["run", "--raw", "--temp", "0", "-n", "2", "--json"];
    program(folder).args(args).args(words).output().unwrap()
}

fn answering(output: Output) -> String {
    let reply: Value = serde_json::from_str(&printed(output)).unwrap();
    reply["model"].as_str().unwrap().into()
}

#[test]
fn no_other_model_answers_for_one_that_is_not_there() {
    let folder = scratch("models");
    small::write(&folder, "other.gguf");
    small::write(&folder, "DeepSeek-R1-Distill-Qwen-1.5B-Q4_0.gguf");
    for (words, near) in [
        (&["deepseek-r1", "Why is the sky blue?"][..], "DeepSeek-R1-Distill"),
        (&["my model.gguf", "hi"], "other"),
        (&["qwen2.5-1.5b", "hi"], "has"),
        (&["othr", "hi"], "the nearest name is other"),
        (&["Other", "hi", "there"], "the nearest name is other"),
        (&["./other", "hi"], "dram pull"),
        (&["mymodel", "Why is the sky blue?"], "dram pull"),
        (&["smollm2", "hi"], "smollm2:135m"),
        (&["llama3:8b"], "llama3:8b"),
    ] {
        let output = run(&folder, words);
        let told = told(&output);
        assert_eq!(output.status.code(), Some(66), "{words:?}: {told}");
        assert!(told.contains(words[0]) && told.contains(near), "{words:?}: {told}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn words_that_begin_a_prompt_are_no_models() {
    let folder = scratch("models");
    small::write(&folder, "other.gguf");
    fs::write(folder.join("hello"), "no model").unwrap();
    for words in [&["TCP/IP", "is"][..], &["10:30", "is"], &["hello", "world"], &["Why?"]] {
        let args = ["run", "--raw", "-n", "1", "--json"];
        let output = program(&folder).current_dir(&folder).args(args).args(words).output().unwrap();
        assert_eq!(told(&output), "dram: other answers, as no model is named\n", "{words:?}");
        assert_eq!(answering(output), "other");
    }
}

#[test]
fn only_a_model_that_is_not_named_is_told() {
    let folder = scratch("models");
    let path = small::write(&folder, "other.gguf");
    for named in ["other", "other.gguf", path.to_str().unwrap()] {
        let output = run(&folder, &[named, "hi"]);
        assert_eq!(told(&output), "");
        assert_eq!(answering(output), "other");
    }
    assert!(told(&run(&folder, &["hi"])).contains("other answers"));
}

#[test]
fn several_models_of_which_none_ran_are_listed() {
    let folder = scratch("models");
    ["b.gguf", "a.gguf"].iter().for_each(|name| drop(small::write(&folder, name)));
    let output = run(&folder, &["hi"]);
    assert_eq!(output.status.code(), Some(66));
    assert!(told(&output).contains("name one of a, b"), "{}", told(&output));
}

#[test]
fn a_split_model_is_one_model_everywhere() {
    let folder = scratch("models");
    let first = small::write_split(&folder, "big");
    assert_eq!(answering(run(&folder, &["hi"])), "big", "the only one");
    assert_eq!(answering(run(&folder, &["big", "hi"])), "big");
    let last = fs::read_to_string(folder.join("state/dram/last-model")).unwrap();
    assert_eq!(last, "big\n");
    small::write(&folder, "small.gguf");
    assert_eq!(answering(run(&folder, &["hi"])), "big", "the last one");
    let second = first.with_file_name("big-00002-of-00002.gguf");
    for model in ["big", "big.gguf", first.to_str().unwrap(), second.to_str().unwrap()] {
        let shown = program(&folder).args(["show", model, "--json"]).output().unwrap();
        let shown: Value = serde_json::from_str(&printed(shown)).unwrap();
        assert_eq!(shown["sizes"]["layers"], 3, "{model}");
        let fits = program(&folder).args(["fit", model, "--board", "raspberry-pi-5"]).output();
        assert!(printed(fits.unwrap()).contains("fits"), "{model}");
    }
    let whole = scratch("packed").join("whole.gguf");
    printed(program(&folder).args(["pack", "big"]).arg(&whole).output().unwrap());
    let answer = |model: &OsStr| {
        let words = ["--raw", "--temp", "0", "-n", "8", "hi"];
        printed(program(&folder).arg("run").arg(model).args(words).output().unwrap())
    };
    assert_eq!(answer(whole.as_os_str()), answer("big".as_ref()));
    let missing = run(&folder, &["bog", "hi there"]);
    assert!(told(&missing).contains("the nearest name is big"), "{}", told(&missing));
    fs::remove_file(second).unwrap();
    let half = run(&folder, &["big", "hi"]);
    assert_eq!(half.status.code(), Some(66));
    assert!(told(&half).contains("part 2 of 2 is missing"), "{}", told(&half));
}

#[test]
fn a_path_need_not_be_utf8() {
    let folder = scratch("models");
    let inside = folder.join(OsStr::from_bytes(b"caf\xe9"));
    fs::create_dir(&inside).unwrap();
    let name = OsStr::from_bytes(b"mod\xe8le.gguf");
    let path = inside.join(name);
    fs::write(&path, small::model()).unwrap();
    let all = |args: &[&str], models: &Path, model: &OsStr, rest: &[&str]| {
        printed(program(models).args(args).arg(model).args(rest).output().unwrap())
    };
    for (models, model) in [(&folder, path.as_os_str()), (&inside, name)] {
        let reply = all(&["run", "--raw", "-n", "1", "--json"], models, model, &["hi"]);
        assert!(reply.contains("mod\u{fffd}le"), "{reply}");
        assert!(all(&["show", "--json"], models, model, &[]).contains("\"path\""));
        assert!(all(&["show"], models, model, &[]).contains("sizes"));
        all(&["tokenize"], models, model, &[]);
        all(&["fit", "--json"], models, model, &[]);
        all(&["doctor", "--json"], models, model, &[]);
        all(&["bench", "-p", "2", "-n", "1", "-r", "1"], models, model, &[]);
    }
    // The one that ran last is found again, by its path and by its name.
    assert_eq!(answering(run(&folder, &["hi"])), "mod\u{fffd}le");
    assert_eq!(answering(run(&inside, &["hi"])), "mod\u{fffd}le");
    let own = folder.join(OsStr::from_bytes(b"b\xe9.toml"));
    fs::write(&own, format!("name = \"Own\"\narchitecture = \"{}\"\n", std::env::consts::ARCH))
        .unwrap();
    let examined = program(&folder).args(["doctor", "--board"]).arg(&own).output().unwrap();
    assert!(printed(examined).contains("Own"));
    let mut words = program(&folder);
    let words =
        words.args(["run", "-n", "1", "hi"]).arg(OsStr::from_bytes(b"\xe9")).output().unwrap();
    assert_eq!(words.status.code(), Some(65), "{}", told(&words));
}
