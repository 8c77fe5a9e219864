//! Files that are no models, and numbers as llama.cpp takes them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../runtime/tests/build/mod.rs"]
mod build;
mod program;
mod small;

use build::{Entry, File, TEXT, U32, string};
use program::{MODEL, output, printed, scratch, told};
use serde_json::Value;
use small::key;
use std::fs;
use std::path::Path;

/// Checks that a file is refused with code 65 and these words, whatever is done with it.
fn refuses(path: &Path, words: &[&str]) {
    let path = path.to_str().unwrap();
    for args in [&["run", path, "--raw", "-n", "1", "hi"][..], &["run", path, "hi"], &["fit", path]]
    {
        let output = output(args);
        let told = told(&output);
        assert_eq!(output.status.code(), Some(65), "{args:?}: {told}");
        assert!(words.iter().all(|word| told.contains(word)), "{words:?} not in: {told}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn what_is_in_place_of_a_model_is_named() {
    let path = scratch("other").join("m.gguf");
    let cases: [(&[u8], &str); 11] = [
        (b"<html><body>404</body></html>", "web page"),
        (b"{\"error\":\"Invalid username or password.\"}", "JSON"),
        (b"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>", "XML"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "git lfs pull"),
        (b"PK\x03\x04\x14\0\0\0archive/data.pkl", "ZIP"),
        (b"\x1f\x8b\x08\0\0\0\0\0", "gzip"),
        (b"\x40\0\0\0\0\0\0\0{\"__metadata__\":{}}", "safetensors"),
        (b"\x80\x02}q\0X\x05\0\0\0modelq\x01", "PyTorch"),
        (&[0; 4096], "download is not finished"),
        (b"Repository not found", "text"),
        (b"GGUF\x03\0\0\0", "get it again"),
    ];
    for (bytes, word) in cases {
        fs::write(&path, bytes).unwrap();
        refuses(&path, &[word, "at byte"]);
    }
    let mut tar = vec![0; 1024];
    tar[..6].copy_from_slice(b"m.gguf");
    tar[257..262].copy_from_slice(b"ustar");
    fs::write(&path, tar).unwrap();
    refuses(&path, &["tar archive", "unpack"]);
    let model = small::model();
    fs::write(&path, &model[..model.len() / 2]).unwrap();
    refuses(&path, &["truncated", "get it again"]);
}

#[test]
fn gguf_files_of_other_things_are_named() {
    let path = scratch("other").join("m.gguf");
    let lora = Entry { data: vec![0; 64], ..Entry::new("blk.0.attn_q.weight.lora_a", &[4, 4], 0) };
    let file = |architecture: &str, kind: &str| {
        let file = File::bare().text("general.architecture", architecture);
        file.text("general.type", kind).entry(lora.clone())
    };
    for (file, words) in [
        (file("llama", "adapter"), &["adapter (LoRA)", "merge"][..]),
        (file("clip", "mmproj"), &["mmproj", "language model"]),
        (file("clip", "model"), &["mmproj"]),
        (file("imatrix", "imatrix"), &["importance matrix"]),
        (File::bare().text("general.type", "imatrix").entry(lora.clone()), &["importance matrix"]),
        (file("controlvector", "model"), &["control vector"]),
        (File::new(), &["vocabulary without weights"]),
        (file("nomic-bert", "model"), &["nomic-bert", "embeddings", "llama, qwen2 and qwen3"]),
        (file("qwen3moe", "model"), &["qwen3moe", "mixture of experts"]),
        (file("mamba", "model"), &["mamba", "recurrent"]),
        (file("gemma3", "model"), &["gemma3", "not supported"]),
    ] {
        fs::write(&path, file.bytes()).unwrap();
        refuses(&path, words);
    }
    let experts = key("llama.expert_count", U32, &8_u32.to_le_bytes());
    fs::write(&path, small::model_with(&[experts])).unwrap();
    refuses(&path, &["llama.expert_count", "is 8", "mixture of experts"]);
    let model = key("general.type", TEXT, &string("model"));
    let none = key("llama.expert_count", U32, &0_u32.to_le_bytes());
    fs::write(&path, small::model_with(&[model, none])).unwrap();
    printed(output(&["run", path.to_str().unwrap(), "--raw", "-n", "1", "hi"]));
}

fn json(args: &[&str]) -> Value {
    serde_json::from_str(&printed(output(args))).unwrap()
}

#[test]
fn numbers_mean_what_they_mean_in_llama_cpp() {
    let model = small::write(&scratch("model"), "m.gguf");
    let model = model.to_str().unwrap();
    let run = |more: &[&str]| {
        json(
            &[&["run", model, "--raw", "--temp", "0", "--json", "-c", "64"], more, &["Once"]]
                .concat(),
        )
    };
    for all in ["-1", "-2"] {
        let whole = run(&["-n", all]);
        assert!(["context", "stop"].contains(&whole["end"].as_str().unwrap()), "{whole}");
        assert_eq!(whole["text"], run(&[])["text"]);
    }
    let usual = run(&["-n", "3"]);
    for more in [["--top-k", "-1"], ["--top-k", "0"], ["-t", "0"], ["-t", "-1"], ["--seed", "-1"]] {
        assert_eq!(run(&[&["-n", "3"], &more[..]].concat())["text"], usual["text"], "{more:?}");
    }
    let seeds = |seed: &str| {
        let args =
            ["run", model, "--raw", "--temp", "2", "-n", "24", "--json", "--seed", seed, "A"];
        json(&args)["tokens"].clone()
    };
    assert_ne!(seeds("-1"), seeds("-1"), "another one every time");
    assert_eq!(seeds("18446744073709551615"), seeds("18446744073709551615"));
    let bytes = |context: &str| {
        json(&["run", MODEL, "--raw", "-n", "1", "--json", "-c", context, "A"])["session_bytes"]
            .as_u64()
    };
    assert_eq!(bytes("0"), bytes("8192"), "what the model was trained for");
    assert!(bytes("0") > bytes("4096"));
    for (args, about) in [
        (["-n", "0"], "1 or more, or -1"),
        (["-n", "many"], "whole number"),
        (["--seed", "0x10"], "whole number"),
        (["-c", "-1"], "0 or more"),
        (["--top-k", "few"], "whole number"),
    ] {
        let output = output(&[&["run", model, "--raw"], &args[..], &["A"]].concat());
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(told(&output).contains(about), "{}", told(&output));
    }
}
